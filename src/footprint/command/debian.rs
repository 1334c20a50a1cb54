//! dpkg and what Debian has around packages: keys, sources, marks, alternatives, answers.

use super::super::Extent;
use super::super::argument::Argument;
use super::super::options::{Spec, parse};
use super::system_packages::touches_system;
use super::{Call, Described, common};

#[rustfmt::skip]
const DPKG: Spec = Spec {
    letters: "iarPlLsEGBS",
    letters_with_value: "",
    names: &[
        "install", "remove", "purge", "configure", "unpack", "pending", "list", "listfiles",
        "status", "search", "print-architecture", "print-foreign-architectures", "get-selections",
        "set-selections", "force-all", "force-depends", "force-confold", "force-confnew",
        "force-confdef", "force-overwrite", "force-architecture", "skip-same-version",
        "refuse-downgrade", "no-triggers", "remove-architecture",
    ],
    names_with_value: &["add-architecture"],
};

/// Describes dpkg.
pub(super) fn dpkg(call: &mut Call<'_>) -> Described {
    if matches!(call.arguments, [a] if matches!(a.known(), Some("--version" | "--help"))) {
        return Ok(());
    }
    let parsed = parse(call.arguments, &DPKG)?;
    common::no_values(&parsed, DPKG.names)?;
    let asks = [
        "l",
        "L",
        "s",
        "S",
        "list",
        "listfiles",
        "status",
        "search",
        "print-architecture",
        "print-foreign-architectures",
        "get-selections",
    ];
    let acts = [
        "i",
        "install",
        "r",
        "remove",
        "P",
        "purge",
        "configure",
        "unpack",
        "add-architecture",
        "remove-architecture",
        "set-selections",
    ];
    if parsed.has(&acts) {
        if parsed.has(&["i", "install", "unpack"]) {
            for file in &parsed.operands {
                call.read(file, Extent::Exact)?;
            }
        }
        touches_system(call);
        return Ok(());
    }
    match parsed.has(&asks) {
        true => {
            call.claims.read(Extent::Subtree, "/var/lib/dpkg");
            Ok(())
        }
        false => Err("what it does is not known".to_string()),
    }
}

/// Describes dpkg-query, dpkg-reconfigure, dpkg-divert and dpkg-statoverride.
pub(super) fn dpkg_other(call: &mut Call<'_>) -> Described {
    let moved = ["--root", "--admindir", "--instdir"];
    if call
        .arguments
        .iter()
        .any(|a| moved.iter().any(|m| a.start().starts_with(m)))
    {
        return Err("it works on another system".to_string());
    }
    call.claims.read(Extent::Subtree, "/var/lib/dpkg");
    if call.name == "dpkg-query" || call.name == "dpkg-architecture" {
        return Ok(());
    }
    // Paths may be anywhere.
    for argument in call.arguments {
        match argument {
            Argument::Known(text) if text.starts_with('/') => {
                call.write(argument, Extent::Exact)?
            }
            Argument::Known(_) => {}
            _ => return Err(format!("argument {} is not known", argument.shown())),
        }
    }
    touches_system(call);
    Ok(())
}

/// Describes apt-key, add-apt-repository and apt-add-repository.
pub(super) fn sources(call: &mut Call<'_>) -> Described {
    let texts: Vec<&str> = call.arguments.iter().map(Argument::start).collect();
    if call.name == "apt-key" {
        match texts.as_slice() {
            ["list" | "finger" | "exportall"] => return Ok(()),
            ["add", "-"] => {}
            ["add", _] => {
                let file = call.arguments[1].clone();
                call.read(&file, Extent::Exact)?;
            }
            ["adv", rest @ ..] => {
                let plain = |t: &&&str| {
                    let options = [
                        "--keyserver",
                        "--recv",
                        "--fetch-keys",
                        "--no-tty",
                        "--batch",
                        "--quiet",
                        "--refresh-keys",
                    ];
                    !t.starts_with('-') || options.iter().any(|o| t.starts_with(o))
                };
                if rest.iter().any(|t| !plain(&t)) {
                    return Err("an option is not known".to_string());
                }
                call.claims.network = true;
            }
            ["del", _] => {}
            _ => return Err(format!("what `{}` does is not known", texts.join(" "))),
        }
        let home = call.home()?;
        call.claims
            .write_all(&["/etc/apt", "/tmp", "/var/lib/apt", &home]);
        call.claims
            .assume("apt-key keeps keys in /etc/apt and works in /tmp and the home directory");
        return Ok(());
    }
    call.claims.network = true;
    let flags = [
        "-y",
        "-u",
        "-n",
        "-r",
        "-s",
        "-yu",
        "--yes",
        "--update",
        "--no-update",
        "--remove",
        "--enable-source",
    ];
    match texts
        .iter()
        .find(|t| t.starts_with('-') && !flags.contains(t))
    {
        Some(flag) => Err(format!("option {flag} is not known")),
        None => {
            touches_system(call);
            Ok(())
        }
    }
}

/// Describes apt-mark, apt-cache and lsb_release, which asks apt-cache.
pub(super) fn marks(call: &mut Call<'_>) -> Described {
    let bad = |a: &&Argument| {
        let short = |t: &str| t.bytes().skip(1).all(|b| b"acdirsv".contains(&b));
        if call.name == "lsb_release" && !a.start().starts_with("--") && short(a.start()) {
            return false;
        }
        let plain = [
            "-q",
            "-qq",
            "--installed",
            "--no-recommends",
            "--recurse",
            "--no-all-versions",
        ];
        a.start().starts_with('-') && !plain.contains(&a.start())
    };
    if let Some(option) = call.arguments.iter().find(bad) {
        return Err(format!("option {} is not known", option.shown()));
    }
    call.claims.read(Extent::Subtree, "/var/lib/dpkg");
    call.claims.read(Extent::Subtree, "/var/lib/apt");
    call.claims
        .assume("apt's settings keep its files in /var/lib/apt and /var/cache/apt");
    // apt-cache may rebuild its cache.
    call.claims.write_all(&["/var/cache/apt"]);
    if call.name == "apt-mark" {
        call.claims.write_all(&["/var/lib/apt", "/var/lib/dpkg"]);
    }
    Ok(())
}

/// Describes debconf-set-selections and debconf-show.
pub(super) fn debconf(call: &mut Call<'_>) -> Described {
    let parsed = parse(
        call.arguments,
        &Spec {
            letters: "vcu",
            names: &["verbose", "checkonly", "unseen"],
            ..Spec::default()
        },
    )?;
    if call.name == "debconf-set-selections" {
        for file in &parsed.operands {
            call.read(file, Extent::Exact)?;
        }
    }
    call.claims.read(Extent::Subtree, "/var/cache/debconf");
    call.claims
        .assume("debconf's database is in /var/cache/debconf");
    call.claims.read(Extent::Subtree, "/var/lib/dpkg");
    call.claims.write_all(&["/var/cache/debconf"]);
    Ok(())
}

/// Describes update-alternatives.
pub(super) fn alternatives(call: &mut Call<'_>) -> Described {
    let texts = common::texts(call.arguments)?;
    let mut at = 0;
    let mut paths: Vec<String> = Vec::new();
    while let Some(text) = texts.get(at) {
        let values = match *text {
            "--install" => 4,
            "--slave" | "--follower" => 3,
            "--set" => 2,
            "--remove" => 2,
            "--auto" | "--remove-all" | "--config" | "--display" | "--query" | "--list" => 1,
            "--quiet" | "--force" | "--verbose" | "--skip-auto" | "--all" => 0,
            _ => return Err(format!("option {text} is not known")),
        };
        let end = (at + 1 + values).min(texts.len());
        let given = texts[at + 1..end].iter().filter(|t| t.starts_with('/'));
        paths.extend(given.map(|t| (*t).to_string()));
        at = end;
    }
    for path in paths {
        let path = call.resolve(&path)?;
        call.claims.read(Extent::Exact, path.clone());
        // The first of them is a link to be made.
        call.claims.write(Extent::Exact, path);
    }
    call.claims.read(Extent::Subtree, "/var/lib/dpkg");
    call.claims.read(Extent::Subtree, "/var/lib/alternatives");
    call.claims.write_all(&[
        "/etc/alternatives",
        "/usr/bin",
        "/usr/include",
        "/usr/lib",
        "/usr/local",
        "/usr/sbin",
        "/usr/share",
        "/var/lib/alternatives",
        "/var/lib/dpkg",
        "/var/log",
    ]);
    call.claims.assume(
        "links of alternatives are below /etc/alternatives and /usr or named on the command line",
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::lines::{Line, check};

    const LINKS: &str = "/etc/alternatives/** /usr/bin/** /usr/include/** /usr/lib/** \
                         /usr/local/** /usr/sbin/** /usr/share/** /var/lib/alternatives/** /var/lib/dpkg/** /var/log/**";

    #[rustfmt::skip]
    const LINES: &[Line] = &[
        ("dpkg -i x.deb", "", "/app/x.deb /var/lib/**", "SYSTEM"),
        ("dpkg -i /tmp/*.deb", "", "/tmp/**", "SYSTEM"),
        ("dpkg --add-architecture i386", "", "", "SYSTEM"),
        ("dpkg --print-architecture", "", "/var/lib/dpkg/**", ""),
        ("dpkg -L x", "", "/var/lib/dpkg/**", ""),
        ("dpkg --root=/x -i y", "option --root", "", ""),
        ("dpkg -x a.deb /b", "option -x", "", ""),
        ("dpkg-query -W -f '${Version}' x", "", "/var/lib/dpkg/**", ""),
        ("dpkg-reconfigure -f noninteractive tzdata", "", "", "SYSTEM"),
        ("dpkg-divert --local --rename --add /app/x", "", "", "/app/x SYSTEM"),
        ("apt-key add -", "", "", "/etc/apt/** /root/** /tmp/** /var/lib/apt/**"),
        ("apt-key add k.asc", "", "/app/k.asc", "/etc/apt/** /root/** /tmp/** /var/lib/apt/**"),
        ("apt-key adv --keyserver k --recv-keys X", "", "net", "/etc/apt/** /root/** /tmp/** /var/lib/apt/**"),
        ("apt-key adv --homedir /x", "option", "", ""),
        ("add-apt-repository -y ppa:x/y", "", "net", "SYSTEM"),
        ("add-apt-repository --frob x", "option --frob", "", ""),
        ("apt-mark hold x", "", "/var/lib/dpkg/**", "/var/cache/apt/** /var/lib/apt/** /var/lib/dpkg/**"),
        ("apt-cache policy x", "", "/var/lib/apt/**", "/var/cache/apt/**"),
        ("lsb_release -cs", "", "/etc/** /var/lib/apt/**", "/var/cache/apt/**"),
        ("apt-cache -o Dir=/x policy x", "option -o", "", ""),
        ("echo x | debconf-set-selections", "", "/var/cache/debconf/**", "/var/cache/debconf/**"),
        ("update-alternatives --frob", "option --frob", "", ""),
        ("update-alternatives --install $X y z 1", "argument $", "", ""),
    ];

    #[test]
    fn debian_has_its_footprints() {
        check(LINES);
        let with = |more: &str| -> &'static str { format!("{LINKS}{more}").leak() };
        check(&[
            (
                "update-alternatives --install /usr/bin/python python /opt/p 1",
                "",
                "/opt/p",
                with(" /opt/p"),
            ),
            (
                "update-alternatives --install /l/a a /m 1 --slave /l/b b /n",
                "",
                "/n",
                with(" /l/a /l/b /m /n"),
            ),
            (
                "update-alternatives --set java /usr/lib/j",
                "",
                "/usr/lib/j",
                with(""),
            ),
        ]);
    }
}
