//! Accounts are removed and changed: userdel, groupdel, passwd, chpasswd, chsh and their relatives.

use super::super::Extent;
use super::super::argument::Argument;
use super::{Call, Described};

/// Describes any of them.
pub(super) fn run(call: &mut Call<'_>) -> Described {
    let flags: &[&str] = match call.name {
        "userdel" => &["-r", "-f", "-rf", "--remove", "--force"],
        "deluser" => &["--remove-home", "--quiet", "--group", "--system", "--force"],
        "groupdel" => &["-f", "--force"],
        "delgroup" => &["--quiet", "--system", "--only-if-empty"],
        "passwd" => &[
            "-l", "-u", "-d", "-e", "-q", "-S", "--lock", "--unlock", "--delete", "--expire",
        ],
        "chpasswd" => &["-e", "--encrypted", "-m", "--md5"],
        "chsh" => &["-s", "--shell"],
        "gpasswd" => &["-a", "-d", "-r", "--add", "--delete", "--remove-password"],
        "chage" => &[
            "-d",
            "-E",
            "-I",
            "-m",
            "-M",
            "-W",
            "--lastday",
            "--expiredate",
            "--maxdays",
        ],
        _ => return Err("what it reads and writes is not known".to_string()),
    };
    let negative = |t: &str| {
        t.strip_prefix('-')
            .is_some_and(|n| n.parse::<u32>().is_ok())
    };
    for argument in call.arguments {
        let text = argument.start();
        if text.starts_with('-') && !flags.contains(&text) && !negative(text) {
            return Err(format!("option {text} is not known"));
        }
    }
    // deluser may archive and look for files; a home directory is removed only when asked.
    let removes = call.arguments.iter().filter_map(Argument::known).any(|t| {
        matches!(t, "-r" | "-rf" | "--remove" | "--remove-home") && call.name != "gpasswd"
    });
    if removes {
        call.claims.write_all(&["/var/spool", "/var/mail"]);
        for user in call.arguments {
            match user.known() {
                Some(option) if option.starts_with('-') => {}
                Some(name) => {
                    let home = call.home_of(name)?;
                    call.claims.write(Extent::Subtree, home);
                }
                None => {
                    call.claims.write(Extent::Subtree, "/home");
                    call.claims
                        .assume("the home directory of the user that is removed is below /home");
                }
            }
        }
    }
    call.claims.write_all(&["/etc", "/var/lib"]);
    call.claims
        .assume(format!("{} touches accounts in /etc alone", call.name));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::lines::{Line, check};

    #[rustfmt::skip]
    const LINES: &[Line] = &[
        ("userdel x", "", "/etc/**", "/etc/** /var/lib/**"),
        ("userdel -r node", "", "", "/etc/** /home/** /var/lib/** /var/mail/** /var/spool/**"),
        ("deluser --remove-home x", "", "", "/etc/** /home/** /var/lib/** /var/mail/** /var/spool/**"),
        ("delgroup x && groupdel y", "", "", "/etc/** /var/lib/**"),
        ("passwd -l root", "", "", "/etc/** /var/lib/**"),
        ("echo root:x | chpasswd", "", "", "/etc/** /var/lib/**"),
        ("chsh -s /bin/zsh $USER", "", "", "/etc/** /var/lib/**"),
        ("chage -d -1 x", "", "", "/etc/** /var/lib/**"),
        ("userdel -R /x y", "option -R", "", ""),
        ("passwd --root /x y", "option --root", "", ""),
        ("deluser --remove-all-files x", "option --remove-all-files", "", ""),
    ];

    #[test]
    fn accounts_are_removed() {
        check(LINES);
    }
}
