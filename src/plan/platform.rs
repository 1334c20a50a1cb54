//! Platforms: `os[/arch[/variant]]`, and the predefined arguments made from them.
//!
//! Goes in: a platform as written. Comes out: its normal form, or why there is none. The rules are
//! those of the platform specifiers that the builder and registries share.

use std::collections::BTreeMap;

const SYSTEMS: [&str; 17] = [
    "aix",
    "android",
    "darwin",
    "dragonfly",
    "freebsd",
    "hurd",
    "illumos",
    "ios",
    "js",
    "linux",
    "nacl",
    "netbsd",
    "openbsd",
    "plan9",
    "solaris",
    "windows",
    "zos",
];

const MACHINES: [&str; 26] = [
    "386",
    "amd64",
    "amd64p32",
    "arm",
    "armbe",
    "arm64",
    "arm64be",
    "loong64",
    "mips",
    "mipsle",
    "mips64",
    "mips64le",
    "mips64p32",
    "mips64p32le",
    "ppc",
    "ppc64",
    "ppc64le",
    "riscv",
    "riscv64",
    "s390",
    "s390x",
    "sparc",
    "sparc64",
    "wasm",
    "x86_64",
    "aarch64",
];

/// A platform in parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platform {
    pub os: String,
    /// Between parentheses after the system, mostly empty.
    pub version: String,
    pub machine: String,
    pub variant: String,
}

impl Platform {
    /// `linux/arm/v7`, without the version in parentheses.
    pub fn text(&self) -> String {
        let mut out = format!("{}/{}", self.os, self.machine);
        if !self.variant.is_empty() {
            out.push('/');
            out.push_str(&self.variant);
        }
        out
    }
}

/// Reads a platform.
///
/// # Errors
/// A sentence that names what is wrong.
pub fn parse(text: &str) -> Result<Platform, String> {
    let parts: Vec<&str> = text.split('/').collect();
    let plain = |t: &str| {
        !t.is_empty()
            && t.bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
    };
    let (system, version) = match parts[0].split_once('(') {
        Some((s, rest)) => match rest.strip_suffix(')') {
            Some(v) if v.is_empty() || plain(v) => (s, v),
            _ => return Err(format!("{text:?} is not a platform")),
        },
        None => (parts[0], ""),
    };
    if parts.len() > 3 || !plain(system) || !parts[1..].iter().all(|p| plain(p)) {
        return Err(format!("{text:?} is not a platform"));
    }
    let os = match system.to_lowercase().as_str() {
        "macos" => "darwin".to_owned(),
        other => other.to_owned(),
    };
    if parts.len() == 1 {
        if SYSTEMS.contains(&os.as_str()) {
            return Ok(Platform {
                os,
                version: version.to_owned(),
                machine: "amd64".to_owned(),
                variant: String::new(),
            });
        }
        let (machine, variant) = machine(parts[0], "");
        if MACHINES.contains(&machine.as_str()) {
            return Ok(Platform {
                os: "linux".to_owned(),
                version: String::new(),
                machine,
                variant,
            });
        }
        return Err(format!(
            "{text:?} is no operating system or architecture known here"
        ));
    }
    let (machine, variant) = machine(parts[1], parts.get(2).copied().unwrap_or(""));
    Ok(Platform {
        os,
        version: version.to_owned(),
        machine,
        variant,
    })
}

/// One spelling per architecture.
fn machine(name: &str, variant: &str) -> (String, String) {
    let (name, variant) = (name.to_lowercase(), variant.to_lowercase());
    let (name, variant) = match (name.as_str(), variant.as_str()) {
        ("i386", _) => ("386", ""),
        ("x86_64" | "x86-64" | "amd64", "v1") => ("amd64", ""),
        ("x86_64" | "x86-64" | "amd64", v) => ("amd64", v),
        ("aarch64" | "arm64", "8" | "v8" | "v8.0") => ("arm64", ""),
        ("aarch64" | "arm64", v) => ("arm64", v),
        ("armhf", _) => ("arm", "v7"),
        ("armel", _) => ("arm", "v6"),
        ("arm", "" | "7") => ("arm", "v7"),
        ("arm", "5") => ("arm", "v5"),
        ("arm", "6") => ("arm", "v6"),
        ("arm", "8") => ("arm", "v8"),
        (n, v) => (n, v),
    };
    (name.to_owned(), variant.to_owned())
}

/// The platform in its normal form; as written where it is none.
pub fn normal(text: &str) -> String {
    parse(text).map_or_else(|_| text.to_owned(), |p| p.text())
}

/// The predefined platform arguments for a build on a linux/amd64 builder.
pub fn arguments(target: &str, target_stage: &str) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    let mut put = |prefix: &str, text: &str| {
        let p = parse(text).unwrap_or(Platform {
            os: text.to_owned(),
            version: String::new(),
            machine: String::new(),
            variant: String::new(),
        });
        out.insert(format!("{prefix}PLATFORM"), p.text());
        out.insert(format!("{prefix}OS"), p.os);
        out.insert(format!("{prefix}OSVERSION"), p.version);
        out.insert(format!("{prefix}ARCH"), p.machine);
        out.insert(format!("{prefix}VARIANT"), p.variant);
    };
    put("TARGET", target);
    put("BUILD", "linux/amd64");
    out.insert("TARGETSTAGE".to_owned(), target_stage.to_owned());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings() {
        for (text, expected) in [
            ("linux", Some("linux/amd64")),
            ("arm64", Some("linux/arm64")),
            ("aarch64", Some("linux/arm64")),
            ("linux/arm", Some("linux/arm/v7")),
            ("linux/arm/6", Some("linux/arm/v6")),
            ("Linux/x86_64", Some("linux/amd64")),
            ("windows(10.0.1)/amd64", Some("windows/amd64")),
            ("linux/any", Some("linux/any")),
            ("any", None),
            ("", None),
            ("linux/*", None),
            ("linux/a/b/c", None),
            ("a b/c", None),
        ] {
            let found = parse(text).ok().map(|p| p.text());
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }
}
