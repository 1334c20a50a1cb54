//! Shell built-ins and coreutils.

use super::{Known, claim, operands};
use crate::footprint::PathClaim;
use crate::footprint::walk::{Argument, Walk};

type Outcome = Option<Result<Known, String>>;

/// `None`: not one of these.
pub fn effect(name: &str, args: &[Argument], walk: &Walk) -> Outcome {
    let name = name.strip_prefix("/bin/").or_else(|| name.strip_prefix("/usr/bin/")).unwrap_or(name);
    Some(match name {
        "true" | ":" | "false" | "echo" | "printf" | "set" | "exit" | "return" | "shift" | "umask" | "trap" => Ok(Known::default()),
        "uname" | "date" | "sleep" | "id" | "whoami" | "hostname" | "nproc" | "env" if args.is_empty() || name != "env" => Ok(Known::tool()),
        "command" | "type" | "which" | "hash" => match args {
            [Argument::Text(flag), ..] if name == "command" && flag != "-v" && flag != "-V" => Err("it runs a command through another".to_owned()),
            _ => Ok(Known::tool()),
        },
        "[" | "test" | "[[" => all(args, walk, &[], Use::Test),
        "cat" | "head" | "tail" | "wc" | "sort" | "uniq" | "cut" | "tr" | "md5sum" | "sha1sum" | "sha256sum" | "stat" | "basename"
        | "dirname" => all(args, walk, &["-n", "-c", "-d", "-f", "-k", "-t"], Use::Read),
        "ls" | "du" | "file" => all(args, walk, &[], Use::ReadBelow),
        "grep" | "egrep" | "fgrep" => grep(args, walk),
        "touch" => all(args, walk, &["-d", "-t", "-r"], Use::Write),
        "mkdir" => mkdir(args, walk),
        "rm" | "rmdir" | "truncate" => all(args, walk, &["-s"], Use::WriteBelow),
        "chmod" | "chown" | "chgrp" => match args.iter().position(|a| !matches!(a, Argument::Text(t) if t.starts_with('-') && !is_mode(t))) {
            Some(i) => {
                let mut rest: Vec<Argument> = args[..i].to_vec();
                rest.extend_from_slice(&args[i + 1..]);
                all(&rest, walk, &[], Use::WriteBelow)
            }
            None => Err(format!("{name} has no operand")),
        },
        "cp" | "mv" | "ln" | "install" => transfer(name, args, walk),
        _ => return None,
    })
}

/// `-x` after chmod may be a mode.
fn is_mode(text: &str) -> bool {
    text.strip_prefix('-').is_some_and(|m| !m.is_empty() && m.bytes().all(|b| b"rwxXst".contains(&b)))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Test,
    Read,
    ReadBelow,
    Write,
    WriteBelow,
}

fn all(args: &[Argument], walk: &Walk, with_value: &[&str], how: Use) -> Result<Known, String> {
    let unknown = || "it names a path that is not known".to_owned();
    let mut known = if how == Use::Test { Known::default() } else { Known::tool() };
    if how == Use::Test {
        // Any word may be a path or a value: an unknown one only matters behind a file operator.
        let mut file_operator = false;
        for a in args {
            match a {
                Argument::Text(t) if t.starts_with('-') && t.len() == 2 => file_operator = !matches!(t.as_str(), "-n" | "-z" | "-a" | "-o"),
                Argument::Text(_) if file_operator => {
                    known.reads.push(claim(a, walk, false)?);
                    file_operator = false;
                }
                Argument::Unknown | Argument::Pattern(_) if file_operator => return Err(unknown()),
                _ => file_operator = false,
            }
        }
        return Ok(known);
    }
    let (_, rest) = operands(args, with_value).ok_or_else(unknown)?;
    if rest.is_empty() && how == Use::ReadBelow {
        known.reads.push(claim(&Argument::Text(".".to_owned()), walk, true)?);
    }
    for operand in &rest {
        match how {
            Use::Read => known.reads.push(claim(operand, walk, false)?),
            Use::ReadBelow => known.reads.push(claim(operand, walk, true)?),
            Use::Write => known.writes.push(claim(operand, walk, false)?),
            Use::WriteBelow | Use::Test => known.writes.push(claim(operand, walk, true)?),
        }
    }
    Ok(known)
}

fn grep(args: &[Argument], walk: &Walk) -> Result<Known, String> {
    let (flags, rest) = operands(args, &["-e", "-f", "-m", "-A", "-B", "-C"]).ok_or("it names a path that is not known")?;
    let skip = usize::from(!flags.iter().any(|f| f == "-e" || f == "-f"));
    let mut known = Known::tool();
    for operand in rest.iter().skip(skip) {
        known.reads.push(claim(operand, walk, true)?);
    }
    if flags.iter().any(|f| f == "-f") || (flags.iter().any(|f| f.contains('r') || f.contains('R')) && rest.len() <= skip) {
        return Err("grep reads files that are not named".to_owned());
    }
    Ok(known)
}

fn mkdir(args: &[Argument], walk: &Walk) -> Result<Known, String> {
    let (flags, rest) = operands(args, &["-m"]).ok_or("it names a path that is not known")?;
    let parents = flags.iter().any(|f| f.starts_with('-') && !f.starts_with("--") && f.contains('p') || f == "--parents");
    let mut known = Known::tool();
    for operand in &rest {
        let made = claim(operand, walk, false)?;
        if parents {
            let mut at = made.path.as_str();
            while let Some((dir, _)) = at.rsplit_once('/') {
                if dir.is_empty() {
                    break;
                }
                known.writes.push(PathClaim::exact(dir));
                at = dir;
            }
        }
        known.writes.push(made);
    }
    Ok(known)
}

fn transfer(name: &str, args: &[Argument], walk: &Walk) -> Result<Known, String> {
    let values: &[&str] = if name == "install" { &["-m", "-o", "-g", "-t"] } else { &["-t", "-S"] };
    let (flags, rest) = operands(args, values).ok_or("it names a path that is not known")?;
    if flags.iter().any(|f| f == "-t" || f.starts_with("--target-directory")) {
        return Err(format!("{name} with a target flag is not known"));
    }
    let mut known = Known::tool();
    if name == "install" && flags.iter().any(|f| f == "-d" || f == "--directory") {
        for operand in &rest {
            known.writes.push(claim(operand, walk, true)?);
        }
        return Ok(known);
    }
    let Some((dest, sources)) = rest.split_last().filter(|(_, s)| !s.is_empty()) else {
        return Err(format!("{name} has too few operands"));
    };
    let symbolic = name == "ln" && flags.iter().any(|f| f.contains('s'));
    for source in sources {
        match (name, symbolic) {
            ("mv", _) => known.writes.push(claim(source, walk, true)?),
            // A symbolic link does not look at what it points to.
            (_, true) => {}
            _ => known.reads.push(claim(source, walk, true)?),
        }
    }
    known.writes.push(claim(dest, walk, true)?);
    Ok(known)
}
