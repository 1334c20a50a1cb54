//! apt-get, apk, dnf and yum.
//!
//! They and the packages' maintainer scripts may write anywhere in principle; the claim is that they
//! stay in the system's directories, so it is an assumption with its sentence.

use super::super::Extent;
use super::super::argument::Argument;
use super::super::options::{Parsed, Spec, parse};
use super::{Call, Described};

const APT: Spec = Spec {
    letters: "yqsdfmuV",
    letters_with_value: "to",
    names: &[
        "yes",
        "assume-yes",
        "no-install-recommends",
        "no-install-suggests",
        "install-recommends",
        "install-suggests",
        "quiet",
        "allow-downgrades",
        "allow-unauthenticated",
        "fix-missing",
        "fix-broken",
        "only-upgrade",
        "purge",
        "auto-remove",
        "autoremove",
        "reinstall",
        "allow-change-held-packages",
        "allow-remove-essential",
        "force-yes",
        "show-progress",
        "no-upgrade",
        "download-only",
        "allow-releaseinfo-change",
        "ignore-missing",
        "verbose-versions",
        "assume-no",
        "dry-run",
        "simulate",
        "allow-insecure-repositories",
    ],
    names_with_value: &["target-release", "default-release", "option"],
};

const APK: Spec = Spec {
    letters: "qvUuf",
    letters_with_value: "tX",
    names: &[
        "no-cache",
        "update-cache",
        "update",
        "quiet",
        "verbose",
        "upgrade",
        "no-progress",
        "allow-untrusted",
        "latest",
        "no-interactive",
        "force-overwrite",
        "available",
        "purge",
        "force-broken-world",
        "force-refresh",
    ],
    names_with_value: &["virtual", "repository", "cache-max-age"],
};

const RPM: Spec = Spec {
    letters: "yqvCb",
    letters_with_value: "x",
    names: &[
        "assumeyes",
        "nodocs",
        "allowerasing",
        "skip-broken",
        "best",
        "nobest",
        "nogpgcheck",
        "refresh",
        "quiet",
        "noplugins",
        "tsflags",
    ],
    names_with_value: &[
        "setopt",
        "enablerepo",
        "disablerepo",
        "disableplugin",
        "exclude",
        "repo",
    ],
};

/// Describes any of them.
pub(super) fn run(call: &mut Call<'_>) -> Described {
    let (spec, fetching, local): (&Spec, &[&str], &[&str]) = match call.name {
        "apk" => (
            &APK,
            &["add", "update", "upgrade", "fix"],
            &["del", "info", "cache", "version", "search", "list"],
        ),
        "apt" | "apt-get" => (
            &APT,
            &[
                "update",
                "install",
                "reinstall",
                "upgrade",
                "dist-upgrade",
                "full-upgrade",
            ],
            &[
                "clean",
                "autoclean",
                "autoremove",
                "remove",
                "purge",
                "check",
                "auto-clean",
            ],
        ),
        _ => (
            &RPM,
            &[
                "install",
                "reinstall",
                "update",
                "upgrade",
                "makecache",
                "groupinstall",
                "check-update",
                "distro-sync",
                "localinstall",
            ],
            &["clean", "remove", "erase", "autoremove", "list", "info"],
        ),
    };
    if call.arguments.len() == 1 && call.arguments[0].known() == Some("--version") {
        return Ok(());
    }
    let parsed = parse(call.arguments, spec)?;
    options(&parsed)?;
    let Some((sub, packages)) = parsed.operands.split_first() else {
        return Err("the subcommand is not known".to_string());
    };
    match sub.known() {
        Some(name) if fetching.contains(&name) => call.claims.network = true,
        Some(name) if local.contains(&name) => {}
        _ => return Err(format!("what `{}` does is not known", sub.shown())),
    }
    for package in packages {
        package_name(call, package)?;
        if brings_pages(package.start()) {
            call.claims.write(Extent::Subtree, "/var/www".to_owned());
        }
    }
    touches_system(call);
    Ok(())
}

/// Web servers, and PHP, which Debian lets bring one: a first installation puts a page into `/var/www` where there is none.
fn brings_pages(package: &str) -> bool {
    let name = package.split(['=', '/', ':']).next().unwrap_or(package);
    let servers = ["apache2", "httpd", "lighttpd", "nginx", "mod-php"];
    let php = name
        .strip_prefix("php")
        .map(|v| v.trim_matches(|c: char| c == '.' || c.is_ascii_digit()));
    php == Some("") || servers.iter().any(|s| name.contains(s))
}

/// What package managers and the packages' own scripts touch.
pub(super) fn touches_system(call: &mut Call<'_>) {
    call.claims.touch_system();
    let name = call.name;
    call.claims.assume(format!(
        "{name} and the packages' maintainer scripts touch only the system's directories (/etc, /usr, /var, /opt and their like)"
    ));
}

/// Options whose values could move everything elsewhere.
fn options(parsed: &Parsed) -> Described {
    for value in parsed.values(&["o", "option"]) {
        let harmless = [
            "Acquire::",
            "Dpkg::Options",
            "DPkg::Options",
            "APT::Install",
            "Debug::",
            "APT::Get::",
            "Dpkg::Use-Pty",
            "APT::Acquire::",
            "APT::Immediate-Configure",
        ];
        let known = value.known().unwrap_or_default();
        if !harmless.iter().any(|h| known.starts_with(h)) {
            return Err(format!("option {} is not known", value.shown()));
        }
    }
    for value in parsed.values(&["setopt"]) {
        let known = value.known().unwrap_or_default();
        let harmless = [
            "install_weak_deps=",
            "tsflags=",
            "keepcache=",
            "max_parallel_downloads=",
        ];
        if !harmless.iter().any(|h| known.starts_with(h)) {
            return Err(format!("option {} is not known", value.shown()));
        }
    }
    Ok(())
}

/// A package is a name, a file, or (for `apt-get install`) a name with a sign.
fn package_name(call: &mut Call<'_>, package: &Argument) -> Described {
    let text = package.start();
    if text.is_empty() {
        return Err("the packages are not known".to_string());
    }
    let file = text.starts_with(['/', '.'])
        || [".deb", ".apk", ".rpm"]
            .iter()
            .any(|end| text.ends_with(end));
    // Alpine starts virtual packages with a dot.
    let virtual_name = call.name == "apk" && text.starts_with('.') && !text.contains('/');
    if !file || virtual_name {
        return Ok(());
    }
    if text.starts_with("http") {
        return Ok(());
    }
    call.read(package, Extent::Exact)
}

#[cfg(test)]
mod tests {
    use super::brings_pages;

    #[test]
    fn web_servers_are_known_by_name() {
        for name in [
            "apache2",
            "nginx-light",
            "php",
            "php8.2",
            "libapache2-mod-php",
            "nginx=1.22",
        ] {
            assert!(brings_pages(name), "{name}");
        }
        for name in ["php8.2-cli", "git", "php-xml"] {
            assert!(!brings_pages(name), "{name}");
        }
    }
}
