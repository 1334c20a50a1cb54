//! What a `chown` or a `chmod` asks for.
//!
//! Goes in: one command of a RUN. Comes out: the places and what they are to become. Linear in the words. Invariant: a word
//! that is not known as it stands is no wish, so the command stays.

use crate::footprint::{PathClaim, PathSet, RunState};
use crate::shell::{Command, CommandKind, Operation, Part, Word};
use crate::source::Span;

/// One command that changes owner or mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    /// `chown` or `chmod`.
    pub name: String,
    /// The owner or mode as written.
    pub value: String,
    pub change: Change,
    /// With everything below.
    pub recursive: bool,
    /// Its operands: the word, and the absolute path that it means.
    pub paths: Vec<(Span, String)>,
}

/// What it changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// `user:group`, or the user alone.
    Owner(String),
    Mode(Mode),
}

/// A mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Three digits.
    Octal(String),
    /// `+x`, `u=rwX,go=rX`.
    Symbolic(String),
}

impl Wish {
    /// What a command asks for, in a shell that stands in a folder and sees these variables.
    pub fn of(command: &Command, state: &RunState) -> Option<Self> {
        let cwd = state.cwd.as_deref();
        let CommandKind::Simple(simple) = &command.kind else {
            return None;
        };
        if !command.redirects.is_empty() || !simple.assignments.is_empty() {
            return None;
        }
        let mut words = Vec::new();
        for word in &simple.words {
            words.push((word.span, text(word, state)?));
        }
        let mut words = words.into_iter();
        let (_, name) = words.next()?;
        if !matches!(name.as_str(), "chown" | "chmod") {
            return None;
        }
        let mut recursive = false;
        let mut operands = Vec::new();
        for (span, word) in words {
            match word.as_str() {
                "-R" | "--recursive" => recursive = true,
                // `chmod -x file`, and options of which nothing is known.
                w if w.starts_with('-') => return None,
                _ => operands.push((span, word)),
            }
        }
        let mut operands = operands.into_iter();
        let (_, value) = operands.next()?;
        let change = match name.as_str() {
            "chown" => Change::Owner(owner(&value)?),
            _ => Change::Mode(mode(&value)?),
        };
        let absolute = |(span, word): (Span, String)| {
            let plain = !word.is_empty() && word.bytes().all(is_plain);
            let path = match (word.starts_with('/'), cwd) {
                (true, _) => crate::pattern::clean(&word),
                (false, Some(cwd)) => crate::pattern::clean(&format!("{cwd}/{word}")),
                (false, None) => return None,
            };
            (plain && path.starts_with('/') && path != "/").then_some((span, path))
        };
        let paths: Vec<(Span, String)> = operands.map(absolute).collect::<Option<_>>()?;
        (!paths.is_empty()).then_some(Self {
            name,
            value,
            change,
            recursive,
            paths,
        })
    }

    /// The command for some of its paths.
    pub fn written(&self, paths: &[&str], recursive: bool) -> String {
        let option = if recursive { " -R" } else { "" };
        format!("{}{option} {} {}", self.name, self.value, paths.join(" "))
    }

    /// Whether whom it names is the same before and behind these changes.
    pub fn owner_stays(&self, changes: &PathSet) -> bool {
        let Change::Owner(owner) = &self.change else {
            return true;
        };
        is_number(owner) || !touches_accounts(changes)
    }
}

/// A word with its variables replaced; `None` where one is not known, or may be several words or none.
fn text(word: &Word, state: &RunState) -> Option<String> {
    fn of(parts: &[Part], state: &RunState, out: &mut String) -> Option<()> {
        for part in parts {
            match part {
                Part::Literal(text) | Part::SingleQuoted(text) => out.push_str(text),
                Part::DoubleQuoted(inner) => of(inner, state, out)?,
                Part::Variable(v) if v.operation == Operation::Value => {
                    let (_, value) = state.vars.iter().rev().find(|(n, _)| *n == v.name)?;
                    (!value.is_empty() && value.bytes().all(is_plain)).then_some(())?;
                    out.push_str(value);
                }
                _ => return None,
            }
        }
        Some(())
    }
    let mut out = String::new();
    of(&word.parts, state, &mut out)?;
    Some(out)
}

/// Whether an owner is given by numbers.
pub(super) fn is_number(owner: &str) -> bool {
    owner.bytes().all(|b| b.is_ascii_digit() || b == b':')
}

/// Whether names may mean other users and groups behind these changes.
pub(super) fn touches_accounts(changes: &PathSet) -> bool {
    let accounts = ["/etc/passwd", "/etc/group"].map(PathClaim::subtree);
    changes.overlaps(&PathSet::new(accounts.into())).is_some()
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._-/@+".contains(&byte)
}

/// `user:group` or `user`; of `user:` and `:group` the other half is not known.
fn owner(text: &str) -> Option<String> {
    let name = |t: &str| {
        !t.is_empty()
            && t.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
    };
    let known = match text.split_once(':') {
        Some((user, group)) => name(user) && name(group),
        None => name(text),
    };
    known.then(|| text.to_owned())
}

/// A mode without set-ID and sticky bits.
fn mode(text: &str) -> Option<Mode> {
    if text.bytes().all(|b| b.is_ascii_digit()) {
        let digits = text.strip_prefix('0').unwrap_or(text);
        let octal = digits.len() == 3 && digits.bytes().all(|b| b < b'8');
        return octal.then(|| Mode::Octal(digits.to_owned()));
    }
    applied(text, 0o644).map(|_| Mode::Symbolic(text.to_owned()))
}

/// What a symbolic mode makes of the mode of a file; `None` where it is not understood, or depends on more.
pub(super) fn applied(text: &str, mode: u32) -> Option<u32> {
    let mut mode = mode;
    for clause in text.split(',') {
        let at = clause.find(['+', '-', '='])?;
        let (who, rest) = clause.split_at(at);
        let (operator, what) = rest.split_at(1);
        let mut mask = 0;
        for c in who.chars() {
            mask |= match c {
                'u' => 0o700,
                'g' => 0o070,
                'o' => 0o007,
                'a' => 0o777,
                _ => return None,
            };
        }
        // Without a letter the umask counts, which takes away no `r` and no `x` where it is the usual one.
        if who.is_empty() {
            if what.contains('w') || operator == "=" {
                return None;
            }
            mask = 0o777;
        }
        let mut bits = 0;
        for c in what.chars() {
            bits |= match c {
                'r' => 0o444,
                'w' => 0o222,
                'x' => 0o111,
                'X' if mode & 0o111 != 0 => 0o111,
                'X' => 0,
                _ => return None,
            };
        }
        mode = match operator {
            "+" => mode | bits & mask,
            "-" => mode & !(bits & mask),
            _ => mode & !mask | bits & mask,
        };
    }
    Some(mode)
}

/// Whether a path is that of a program, by the folder it lies in.
pub(super) fn is_program(path: &str) -> bool {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    matches!(folder.rsplit('/').next(), Some("bin" | "sbin"))
}

/// Whether a path is that of a file, by its ending.
pub(super) fn is_file_name(path: &str) -> bool {
    #[rustfmt::skip]
    const ENDINGS: &[&str] = &[
        "cfg", "cjs", "cnf", "conf", "crt", "css", "csv", "env", "exe", "html", "ini", "jar", "js", "json", "key", "lock", "md",
        "mjs", "pem", "php", "pl", "properties", "py", "rb", "service", "sh", "so", "sql", "toml", "ts", "txt", "war", "wasm",
        "xml", "yaml", "yml",
    ];
    let name = path.rsplit('/').next().unwrap_or_default();
    let ending = name.rsplit_once('.').filter(|(start, _)| !start.is_empty());
    ending.is_some_and(|(_, e)| ENDINGS.contains(&e))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let script = crate::shell::parse(text);
        let state = RunState {
            cwd: Some("/app".to_owned()),
            vars: vec![
                ("DIR".to_owned(), "/srv/x".to_owned()),
                ("TWO".to_owned(), "a b".to_owned()),
            ],
            ..RunState::default()
        };
        let Some(wish) = Wish::of(&script.commands[0], &state) else {
            return "-".to_owned();
        };
        let paths: Vec<&str> = wish.paths.iter().map(|(_, p)| p.as_str()).collect();
        let deep = if wish.recursive { " all" } else { "" };
        format!("{:?}{deep} {}", wish.change, paths.join(" "))
    }

    #[test]
    fn wishes_are_read() {
        for (text, wish) in [
            ("chown app:app /a b/", "Owner(\"app:app\") /a /app/b"),
            ("chown -R 7 .", "Owner(\"7\") all /app"),
            ("chmod 0755 ./x", "Mode(Octal(\"755\")) /app/x"),
            ("chmod -R 644 '/a'", "Mode(Octal(\"644\")) all /a"),
            ("chmod +x x", "Mode(Symbolic(\"+x\")) /app/x"),
            (
                "chmod +x $DIR/y \"${DIR}\"",
                "Mode(Symbolic(\"+x\")) /srv/x/y /srv/x",
            ),
            ("chmod +x $TWO", "-"),
            ("chmod +x ${DIR:-x}", "-"),
            ("chmod 4755 x", "-"),
            ("chmod 55 x", "-"),
            ("chmod -x x", "-"),
            ("chmod +t x", "-"),
            ("chmod 755 *.sh", "-"),
            ("chmod 755 $X", "-"),
            ("chmod 755 /", "-"),
            ("chmod 755 x > y", "-"),
            ("chmod 755", "-"),
            ("chown app: x", "-"),
            ("chown :app x", "-"),
            ("chown --from=a b x", "-"),
            ("chown -h a x", "-"),
            ("chgrp a x", "-"),
            ("sudo chmod 755 x", "-"),
        ] {
            assert_eq!(shown(text), wish, "{text}");
        }
    }

    #[test]
    fn symbolic_modes_are_applied() {
        for (text, of, to) in [
            ("+x", 0o644, Some(0o755)),
            ("a+rx", 0o600, Some(0o755)),
            ("u+x", 0o644, Some(0o744)),
            ("u=rwx,go=rx", 0o644, Some(0o755)),
            ("go-w", 0o666, Some(0o644)),
            ("a+X", 0o644, Some(0o644)),
            ("a+X", 0o744, Some(0o755)),
            ("=rx", 0o644, None),
            ("+w", 0o444, None),
            ("u+s", 0o755, None),
            ("g=u", 0o755, None),
            ("x", 0o755, None),
        ] {
            assert_eq!(applied(text, of), to, "{text}");
        }
    }

    #[test]
    fn files_are_known_by_name_or_folder() {
        for (path, file) in [
            ("/a/run.sh", true),
            ("/usr/local/bin/app", true),
            ("x/package.json", true),
            ("/etc/cron.d", false),
            ("/a/.sh", false),
            ("/a/dist", false),
            ("bin", false),
        ] {
            assert_eq!(is_file_name(path) || is_program(path), file, "{path}");
        }
    }
}
