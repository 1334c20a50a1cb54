//! useradd, groupadd and their relatives.
//!
//! They add entries to the user database and leave the others as they are, so that a step that needs
//! another user may stand on either side. Two of them may not: each takes the next free number.

use super::super::Extent;
use super::{Call, Described};

/// Files beside the two that hold the entries.
const FILES: &[&str] = &[
    "/etc/.pwd.lock",
    "/etc/group-",
    "/etc/gshadow",
    "/etc/gshadow-",
    "/etc/passwd-",
    "/etc/shadow",
    "/etc/shadow-",
    "/etc/subgid",
    "/etc/subgid-",
    "/etc/subuid",
    "/etc/subuid-",
    "/var/log/faillog",
    "/var/log/lastlog",
];

/// Long options with a value that is no place.
const VALUED: &[&str] = &[
    "comment",
    "expiredate",
    "gecos",
    "gid",
    "groups",
    "inactive",
    "ingroup",
    "password",
    "shell",
    "uid",
];

/// Long options without a value.
const PLAIN: &[&str] = &[
    "allow-bad-names",
    "badname",
    "create-home",
    "debug",
    "disabled-login",
    "disabled-password",
    "force",
    "force-badname",
    "group",
    "no-create-home",
    "no-log-init",
    "no-user-group",
    "non-unique",
    "quiet",
    "system",
    "user-group",
];

/// Whether a long option has a value.
pub(super) fn takes_a_value(option: &str) -> bool {
    VALUED.contains(&option)
}

/// Settings, and what a new home directory is filled with.
const SETTINGS: &[&str] = &[
    "/etc/adduser.conf",
    "/etc/default",
    "/etc/login.defs",
    "/etc/pam.d",
    "/etc/security",
    "/etc/shells",
    "/etc/skel",
];

/// Describes any of them.
pub(super) fn run(call: &mut Call<'_>) -> Described {
    let mut rest = call.arguments.iter();
    // Names of users and groups; `None` once one is not known.
    let mut names = Some(Vec::new());
    while let Some(argument) = rest.next() {
        let Some(text) = argument.known() else {
            // A user's name or number may come from a variable, an option may not.
            if argument.start().starts_with("--home") {
                return Err("the home directory is not known".to_string());
            }
            names = None;
            continue;
        };
        if text.starts_with("--home") {
            let value = match text.split_once('=') {
                Some((_, value)) => Some(super::Argument::Known(value.to_string())),
                None => rest.next().cloned(),
            };
            call.write(
                &value.ok_or("the home directory is not known")?,
                Extent::Subtree,
            )?;
            continue;
        }
        if ["--root", "--prefix", "--base-dir", "--skel", "--conf"]
            .iter()
            .any(|o| text.starts_with(o))
        {
            return Err(format!("option {text} is not known"));
        }
        let Some(cluster) = text.strip_prefix('-').filter(|c| !c.starts_with('-')) else {
            match (text.strip_prefix("--"), &mut names) {
                (Some(long), _) if VALUED.contains(&long) => {
                    rest.next();
                }
                (Some(long), _) if long.contains('=') || PLAIN.contains(&long) => {}
                // It may take the next argument for its value.
                (Some(_), _) => names = None,
                (None, Some(names)) => names.push(text),
                (None, None) => {}
            }
            continue;
        };
        if cluster.contains(['R', 'P', 'b', 'k']) {
            return Err(format!("option {text} is not known"));
        }
        // `-d dir` of useradd and usermod, `-h dir` of busybox's adduser.
        let home = match call.name {
            "useradd" | "usermod" => cluster.find('d'),
            "adduser" => cluster.find('h'),
            _ => None,
        };
        match home {
            Some(at) if at + 1 == cluster.len() => {
                let value = rest.next().ok_or("the home directory is not known")?;
                call.write(value, Extent::Subtree)?;
            }
            Some(_) => return Err(format!("option {text} is not known")),
            // The values of the other options are no options.
            None if cluster.ends_with(['u', 'g', 'G', 's', 'c', 'e', 'f', 'p', 'K', 'L']) => {
                let _ = rest.next();
            }
            None => {}
        }
    }
    match names {
        Some(names) if !names.is_empty() => {
            for name in names {
                call.claims.write_entry("/etc/passwd", name);
                call.claims.write_entry("/etc/group", name);
                for place in ["/home", "/var/mail", "/var/spool/mail"] {
                    call.claims
                        .write(Extent::Subtree, format!("{place}/{name}"));
                }
            }
            for file in FILES {
                call.claims.write(Extent::Exact, *file);
            }
            for file in SETTINGS {
                call.claims.read(Extent::Subtree, *file);
            }
        }
        _ => call.claims.write_all(&["/etc", "/home", "/var"]),
    }
    call.claims.assume(format!(
        "{} touches only the user database, its logs and mail boxes, /home and the home directory it is given",
        call.name
    ));
    Ok(())
}
