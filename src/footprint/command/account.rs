//! useradd, groupadd and their relatives.

use super::super::Extent;
use super::{Call, Described};

/// Describes any of them.
pub(super) fn run(call: &mut Call<'_>) -> Described {
    let mut rest = call.arguments.iter();
    while let Some(argument) = rest.next() {
        let Some(text) = argument.known() else {
            // A user's name or number may come from a variable, an option may not.
            if argument.start().starts_with("--home") {
                return Err("the home directory is not known".to_string());
            }
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
    call.claims.write_all(&["/etc", "/home", "/var"]);
    call.claims.assume(format!(
        "{} touches only /etc, /var, /home and the home directory it is given",
        call.name
    ));
    Ok(())
}
