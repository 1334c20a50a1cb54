//! What the commands of a chain `a && b` leave to each other in their shell.
//!
//! Goes in: commands as they are parsed. Comes out: whether one may be given to a shell of its own. Linear in the commands. Invariant:
//! what is not known to leave nothing, or to ask nothing, does.

use crate::shell::{Command, CommandKind, Operation, Part, Simple, Word};

/// Whether a command only says where and how those behind it run, in words that mean the same a second time.
pub fn sets_up(part: &Command) -> bool {
    let CommandKind::Simple(simple) = &part.kind else {
        return false;
    };
    let name = simple.words.first().and_then(Word::literal);
    let known = matches!(name.as_deref(), Some("cd" | "export" | "set" | "umask"));
    let plain = |w: &Word| w.substitutions().is_empty() && assigns_nothing(w);
    known
        && !part.background
        && part.redirects.is_empty()
        && simple.assignments.is_empty()
        && simple.words.iter().all(plain)
}

/// Whether a command takes files away, or writes again whole trees of them, by its words.
pub fn takes_away(text: &str) -> bool {
    const WORDS: &[&str] = &[
        "rm",
        "rmdir",
        "unlink",
        "mv",
        "strip",
        "find",
        "clean",
        "purge",
        "remove",
        "autoremove",
        "prune",
        "uninstall",
        "del",
        "erase",
        "-R",
        "-delete",
        "--recursive",
        "--delete",
        "clear",
        "dedupe",
        "autoclean",
    ];
    let words = text.split(|c: char| c.is_whitespace() || "\"';|&(){}".contains(c));
    let name = |w: &str| w.rsplit('/').next().unwrap_or(w).to_owned();
    let long = |w: &str| w.starts_with('-') && !w.starts_with("--") && w.contains('R');
    let colon = |w: &str| w.contains(":clean") || w.contains(":clear") || w.contains("cache:");
    words
        .into_iter()
        .any(|w| WORDS.contains(&name(w).as_str()) || long(w) || colon(w))
}

/// Commands that change the shell they run in.
const OF_SHELL: &[&str] = &[
    ".",
    "alias",
    "bind",
    "builtin",
    "cd",
    "command",
    "complete",
    "declare",
    "dirs",
    "enable",
    "eval",
    "exec",
    "exit",
    "export",
    "getopts",
    "hash",
    "let",
    "local",
    "mapfile",
    "popd",
    "pushd",
    "read",
    "readarray",
    "readonly",
    "return",
    "set",
    "shift",
    "shopt",
    "source",
    "trap",
    "typeset",
    "ulimit",
    "umask",
    "unalias",
    "unset",
];

/// Whether nothing of a part is left in the shell behind it.
pub fn leaves_nothing(part: &Command) -> bool {
    let words = |simple: &Simple| {
        let assigned = simple.assignments.iter().map(|a| &a.value);
        assigned.chain(&simple.words).all(assigns_nothing)
    };
    let quiet = part.redirects.iter().all(|r| assigns_nothing(&r.target));
    if part.background || !quiet {
        return false;
    }
    match &part.kind {
        CommandKind::Simple(simple) => {
            let name = simple.words.first().and_then(Word::literal);
            name.is_some_and(|n| !OF_SHELL.contains(&n.as_str())) && words(simple)
        }
        // Each command of a pipeline, and what is in parentheses, has a shell of its own; what stays running has not.
        CommandKind::Pipeline { commands, .. } => commands.iter().all(leaves_nothing),
        CommandKind::Subshell(commands) => {
            let mut alone = true;
            let script = crate::shell::Script {
                commands: commands.clone(),
                span: part.span,
            };
            script.visit(&mut |c| alone &= !c.background && c.kind != CommandKind::Unknown);
            alone
        }
        _ => false,
    }
}

/// Whether a part leaves its shell in the same folder and with the same settings; variables may have changed.
pub fn stays_in_place(part: &Command) -> bool {
    let script = crate::shell::Script {
        commands: vec![part.clone()],
        span: part.span,
    };
    let mut stays = true;
    script.visit(&mut |c| {
        stays &= match &c.kind {
            CommandKind::Simple(simple) => match simple.words.first() {
                Some(word) => word
                    .literal()
                    .is_some_and(|n| !OF_SHELL.contains(&n.as_str())),
                None => true,
            },
            CommandKind::Function { .. } | CommandKind::Unknown => false,
            _ => true,
        }
    });
    stays
}

/// Whether a word is expanded without setting a variable.
fn assigns_nothing(word: &Word) -> bool {
    fn part(p: &Part) -> bool {
        match p {
            Part::DoubleQuoted(inner) => inner.iter().all(part),
            Part::Variable(v) => match &v.operation {
                Operation::Value => true,
                Operation::Default { operator, word, .. } => {
                    *operator != '=' && word.parts.iter().all(part)
                }
                Operation::Other(_) => false,
            },
            Part::Arithmetic(_) | Part::Opaque(_) => false,
            Part::Substitution(script) => {
                let mut alone = true;
                script.visit(&mut |c| alone &= !c.background);
                alone
            }
            _ => true,
        }
    }
    word.parts.iter().all(part)
}

/// Whether a part asks nothing about the commands before it.
pub fn looks_at_no_shell(part: &Command) -> bool {
    fn clean(p: &Part) -> bool {
        match p {
            Part::DoubleQuoted(inner) => inner.iter().all(clean),
            Part::Variable(v) => !matches!(
                v.name.as_str(),
                "?" | "!" | "_" | "OLDPWD" | "SECONDS" | "LINENO" | "PPID" | "$"
            ),
            _ => true,
        }
    }
    let mut all = true;
    let script = crate::shell::Script {
        commands: vec![part.clone()],
        span: part.span,
    };
    script.visit(&mut |c| {
        if let CommandKind::Simple(simple) = &c.kind {
            let words = simple.assignments.iter().map(|a| &a.value);
            let mut words = words.chain(&simple.words);
            all &= words.all(|w| w.parts.iter().all(clean));
        }
    });
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Vec<Command> {
        let script = crate::shell::parse(text);
        match &script.commands[0].kind {
            CommandKind::List { first, rest } => std::iter::once(&**first)
                .chain(rest.iter().map(|(_, c)| c))
                .cloned()
                .collect(),
            _ => script.commands.clone(),
        }
    }

    #[test]
    fn what_is_left_in_a_shell_is_seen() {
        for (text, nothing) in [
            ("pip install -r a.txt", true),
            ("A=1 make x", true),
            ("cat a | sort > b", true),
            ("(cd x; make)", true),
            ("test \"$A\" = \"${B:-c}\"", true),
            ("cd x", false),
            ("A=1", false),
            ("export A=1", false),
            ("echo ${A:=b}", false),
            ("echo $((A=1))", false),
            ("{ make; cd x; }", false),
            ("if a; then b; fi", false),
            ("f() { make; }", false),
            ("$X y", false),
            ("(make &)", false),
            (". ./env", false),
        ] {
            assert_eq!(parts(text).iter().all(leaves_nothing), nothing, "{text}");
        }
        for (text, begins) in [
            ("cd x && make", 1),
            ("set -e && export A=$B && make", 2),
            ("cd $(a) && make", 0),
            ("make", 0),
        ] {
            assert_eq!(
                parts(text).iter().take_while(|p| sets_up(p)).count(),
                begins,
                "{text}"
            );
        }
    }

    #[test]
    fn who_stays_in_its_folder_is_seen() {
        for (text, stays) in [
            ("for f in a b; do wget -P x \"$f\"; done", true),
            ("A=1; make", true),
            ("while true; do make; done", true),
            ("for f in a b; do cd $f; done", false),
            ("if a; then set -f; fi", false),
            ("{ . ./env; }", false),
            ("$X y", false),
            ("f() { make; }", false),
        ] {
            assert_eq!(parts(text).iter().all(stays_in_place), stays, "{text}");
        }
    }

    #[test]
    fn what_asks_about_the_commands_before_is_seen() {
        for (text, asks) in [
            ("echo \"$?\"", true),
            ("kill $!", true),
            ("x $_", true),
            ("echo $A", false),
        ] {
            assert_eq!(!parts(text).iter().all(looks_at_no_shell), asks, "{text}");
        }
    }

    #[test]
    fn what_takes_files_away_is_known_by_its_words() {
        for (text, takes) in [
            ("rm -rf /x", true),
            ("/bin/rm /x", true),
            ("yarn cache clean", true),
            ("npm prune --production", true),
            ("chown -hR a /x", true),
            ("sh -c 'rm x'", true),
            ("chmod 775 /*.sh", false),
            ("npm run build", false),
            ("cp form /x", false),
        ] {
            assert_eq!(takes_away(text), takes, "{text}");
        }
    }
}
