//! System package managers and user tools.
//!
//! Packages run scripts of their own while they are installed, so everything here is assumed: those
//! scripts stay inside the system folders.

use super::{Known, TOOLS};
use crate::footprint::PathClaim;
use crate::footprint::walk::{Argument, Walk};

/// Folders that packages and their scripts write, beside [`TOOLS`]. Not among them: `/usr/src`,
/// `/var/www`, `/home`, `/srv` and other top-level folders, where projects live.
pub const SYSTEM: [&str; 12] = [
    "/boot", "/opt", "/root", "/run", "/tmp", "/usr/local", "/var/backups", "/var/cache", "/var/lib", "/var/log",
    "/var/mail", "/var/spool",
];

/// `None`: not one of these.
pub fn effect(name: &str, args: &[Argument], _walk: &Walk) -> Option<Result<Known, String>> {
    let manager = matches!(name, "apt-get" | "apt" | "apk" | "dnf" | "yum" | "microdnf");
    let users = matches!(name, "useradd" | "adduser" | "groupadd" | "addgroup" | "usermod");
    if !(manager || users) {
        return None;
    }
    // A package given as a local file or a flag that moves the root reads and writes elsewhere.
    let elsewhere = args.iter().any(|a| match a {
        Argument::Text(t) => {
            t.starts_with("./") || t.starts_with('/') && manager || t.starts_with("../") || t.starts_with("--root") || t.starts_with("--installroot")
                || t == "-t" && name == "apk" || t.starts_with("--virtual") && false || t == "-p" && name == "apk"
        }
        Argument::Pattern(_) => true,
        Argument::Unknown => false,
    });
    if elsewhere && manager && !virtual_name(name, args) {
        return Some(Err(format!("{name} is given a path of its own")));
    }
    let mut known = Known::tool();
    if users {
        known.writes = ["/etc", "/var/mail", "/var/log"].into_iter().map(PathClaim::subtree).collect();
        known.writes.push(PathClaim::subtree("/home"));
        let home = args.iter().any(|a| matches!(a, Argument::Text(t) if ["-d", "-h", "-b", "-R", "-P"].contains(&t.as_str()) || t.starts_with("--home") || t.starts_with("--root")));
        if home {
            return Some(Err(format!("{name} makes a home folder of its own")));
        }
        known.assumption = Some(format!("{name} writes only /etc, /home and its logs"));
        return Some(Ok(known));
    }
    known.network = true;
    for folder in TOOLS.iter().chain(&SYSTEM) {
        known.reads.push(PathClaim::subtree(*folder));
        known.writes.push(PathClaim::subtree(*folder));
    }
    known.assumption = Some(format!(
        "{name} and the scripts of the packages stay inside the system folders (not /usr/src, /var/www, /home, /srv or other top-level folders)"
    ));
    Some(Ok(known))
}

/// `apk add -t NAME` names a group of packages.
fn virtual_name(name: &str, args: &[Argument]) -> bool {
    let path = |a: &Argument| matches!(a, Argument::Text(t) if t.starts_with(['/', '.'])) || matches!(a, Argument::Pattern(_));
    name == "apk" && !args.iter().any(path) && !args.iter().any(|a| matches!(a, Argument::Text(t) if t == "-p" || t.starts_with("--root")))
}
