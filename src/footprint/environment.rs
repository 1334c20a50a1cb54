//! Which variables of the environment a script may look at.
//!
//! Goes in: a parsed script. Comes out: the names it expands. Some names count for every program
//! whatever it is told: [`steers`]. Linear in the script.

use crate::shell::{Command, CommandKind, Operation, Part, Script, Word};
use std::collections::BTreeSet;

/// Variables that change what the shell, the loader, or the everyday programs do.
const STEERS: &[&str] = &[
    "BASHOPTS",
    "BASH_ENV",
    "BLOCKSIZE",
    "BLOCK_SIZE",
    "CDPATH",
    "COLUMNS",
    "EXECIGNORE",
    "ENV",
    "GCONV_PATH",
    "GLOBIGNORE",
    "GREP_COLOR",
    "GREP_COLORS",
    "GREP_OPTIONS",
    "GZIP",
    "HOME",
    "HOSTALIASES",
    "IFS",
    "LANG",
    "LANGUAGE",
    "LOCPATH",
    "NLSPATH",
    "OLDPWD",
    "OMP_NUM_THREADS",
    "OMP_THREAD_LIMIT",
    "PATH",
    "POSIXLY_CORRECT",
    "POSIX_ME_HARDER",
    "PS4",
    "PWD",
    "QUOTING_STYLE",
    "SHELL",
    "SHELLOPTS",
    "SHLVL",
    "SIMPLE_BACKUP_SUFFIX",
    "TABSIZE",
    "TAPE",
    "TERM",
    "TIMEFORMAT",
    "TIME_STYLE",
    "TMPDIR",
    "TZ",
    "TZDIR",
    "UNZIP",
    "VERSION_CONTROL",
    "XZ_DEFAULTS",
    "XZ_OPT",
    "ZIPOPT",
    "_",
];

/// How such names start.
const FAMILIES: &[&str] = &[
    "ASAN_",
    "AWK",
    "BASH_",
    "BUSYBOX",
    "COREUTILS_",
    "DU_",
    "FUNCNEST",
    "GAWK",
    "GLIBC_",
    "LC_",
    "LD_",
    "LS_",
    "MALLOC_",
    "OPENSSL_",
    "TAR_",
    "_POSIX",
];

/// Whether a variable of this name may change what a program does that was never told of it.
#[must_use]
pub fn steers(name: &str) -> bool {
    // The linker's flags are not the loader's.
    let family = |f: &&str| name.starts_with(*f) && name != "LD_FLAGS";
    STEERS.contains(&name) || FAMILIES.iter().any(|f| family(&f))
}

/// Adds the names that a script expands, at any depth.
pub(super) fn expanded(script: &Script, names: &mut BTreeSet<String>) {
    script.visit(&mut |command| {
        for word in words(command) {
            of_word(word, names);
        }
    });
}

/// The words of one command, those of its children left out.
fn words(command: &Command) -> Vec<&Word> {
    let mut all: Vec<&Word> = command.redirects.iter().map(|r| &r.target).collect();
    match &command.kind {
        CommandKind::Simple(simple) => {
            all.extend(simple.assignments.iter().map(|a| &a.value));
            all.extend(&simple.words);
        }
        CommandKind::For { words, .. } => all.extend(words.iter().flatten()),
        CommandKind::Case { subject, arms } => {
            all.push(subject);
            all.extend(arms.iter().flat_map(|a| &a.patterns));
        }
        _ => {}
    }
    all
}

fn of_word(word: &Word, names: &mut BTreeSet<String>) {
    let mut open: Vec<&Part> = word.parts.iter().collect();
    while let Some(part) = open.pop() {
        match part {
            Part::DoubleQuoted(parts) => open.extend(parts),
            Part::Variable(v) => {
                names.insert(v.name.clone());
                if let Operation::Default { word, .. } = &v.operation {
                    open.extend(&word.parts);
                }
            }
            _ => {}
        }
    }
}

/// Names that expansions of a script may give a value (`${x:=y}`), and whether it counts, which may set any.
pub(super) fn assigned(script: &Script) -> (BTreeSet<String>, bool) {
    let (mut names, mut any) = (BTreeSet::new(), false);
    script.visit(&mut |command| {
        any |= matches!(command.kind, CommandKind::Arithmetic(_));
        any |= matches!(command.kind, CommandKind::For { variable: None, .. });
        for word in words(command) {
            let mut open: Vec<&Part> = word.parts.iter().collect();
            while let Some(part) = open.pop() {
                match part {
                    Part::DoubleQuoted(parts) => open.extend(parts),
                    Part::Variable(v) => match &v.operation {
                        Operation::Default { operator, word, .. } => {
                            if *operator == '=' {
                                names.insert(v.name.clone());
                            }
                            open.extend(&word.parts);
                        }
                        Operation::Other(_) => any = true,
                        Operation::Value => {}
                    },
                    Part::Arithmetic(_) | Part::Opaque(_) => any = true,
                    _ => {}
                }
            }
        }
    });
    (names, any)
}

/// Whether the text of a script may expand names that its tree does not show: arithmetic, indirect
/// expansion, a pattern that holds another variable, or what was not understood.
pub(super) fn hides_names(script: &Script) -> bool {
    let mut found = false;
    script.visit(&mut |command| {
        found |= matches!(
            command.kind,
            CommandKind::Unknown | CommandKind::Arithmetic(_)
        );
        for word in words(command) {
            let mut open: Vec<&Part> = word.parts.iter().collect();
            while let Some(part) = open.pop() {
                match part {
                    Part::DoubleQuoted(parts) => open.extend(parts),
                    Part::Variable(v) => match &v.operation {
                        Operation::Default { word, .. } => open.extend(&word.parts),
                        Operation::Other(_) => found = true,
                        Operation::Value => {}
                    },
                    Part::Arithmetic(_) | Part::Opaque(_) => found = true,
                    _ => {}
                }
            }
        }
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::parse;

    #[test]
    fn names_are_found_at_every_depth() {
        for (text, names, hidden) in [
            ("echo $A \"${B:-$C}\" '$D'", "A B C", false),
            ("for i in $A; do x=$(cat $B); done > $C", "A B C", false),
            ("case $A in $B) :;; esac; cat <<E\n$C\nE", "A B C", false),
            ("cat <<'E'\n$C\nE", "", false),
            ("echo ${A#x}", "A", true),
            ("echo $((A + 1))", "", true),
            ("echo `echo $A`", "A", false),
        ] {
            let script = parse(text);
            let mut found = BTreeSet::new();
            expanded(&script, &mut found);
            let found: Vec<&str> = found.iter().map(String::as_str).collect();
            assert_eq!(found.join(" "), names, "{text}");
            assert_eq!(hides_names(&script), hidden, "{text}");
        }
    }

    #[test]
    fn some_names_count_for_every_program() {
        for name in ["PATH", "LC_ALL", "LD_PRELOAD", "TZ"] {
            assert!(steers(name), "{name}");
        }
        for name in ["VERSION", "NODE_ENV", "APP_HOME"] {
            assert!(!steers(name), "{name}");
        }
    }
}
