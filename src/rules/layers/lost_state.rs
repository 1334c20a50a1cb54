//! A RUN whose commands only change their shell: that is gone when it ends.

use crate::diagnostic::Severity;
use crate::rewrite::Safety;
use crate::rules::{Check, FileEdit, Findings, Rule, Run, View};

/// `lost-state`.
pub static RULE: Rule = Rule {
    name: "lost-state",
    severity: Severity::Warning,
    summary: "a RUN sets nothing but what ends with its shell: a folder, a variable, an alias",
    also: &[],
    check: Check::Dockerfile(check),
};

const OF_THE_SHELL: &[&str] = &[
    "cd", "pushd", "popd", "export", "unset", "alias", "source", ".", "umask", "set", "shopt",
    "ulimit",
];

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    for run in &view.runs {
        let of_shell = |c: &crate::rules::call::Call| {
            let alone = c.program.is_empty() && !c.assigns.is_empty() && c.redirects.is_empty();
            (OF_THE_SHELL.contains(&c.program.as_str()) || alone)
                && c.redirects.is_empty()
                && c.pipes_into == 0
        };
        if run.calls.is_empty() || !run.calls.iter().all(of_shell) || run.script.has_unknown() {
            continue;
        }
        // `source x` may do anything to files too.
        let sources = |c: &crate::rules::call::Call| matches!(c.program.as_str(), "source" | ".");
        if run.calls.iter().any(sources) && run.calls.len() > 1 {
            continue;
        }
        let Some(last) = run.calls.last() else {
            continue;
        };
        let what = match last.program.as_str() {
            "cd" | "pushd" | "popd" => "the folder",
            "source" | "." => "what the file sets",
            "alias" => "the alias",
            "umask" | "set" | "shopt" | "ulimit" => "the setting",
            _ => "the variable",
        };
        let message =
            format!("{what} is gone when this RUN ends: every RUN has a shell of its own");
        let help = match last.program.as_str() {
            "cd" => "write WORKDIR instead",
            "export" | "" => "write ENV instead",
            "source" | "." => "do it in the RUN that needs it",
            _ => "do it in each RUN that needs it, or in SHELL",
        };
        let finding = out.at(run.ins.original().span(), message);
        finding.help(help);
        if let Some(text) = instead(view, run) {
            finding.fix(
                Safety::Review,
                vec![FileEdit::here(run.ins.original().span(), text)],
            );
        }
    }
}

/// The instruction that was meant.
fn instead(view: &View<'_>, run: &Run<'_>) -> Option<String> {
    let [call] = run.calls.as_slice() else {
        return None;
    };
    let plain = view.tree.instructions().get(run.instruction)?.keyword == "RUN"
        && run.ins.flags().is_empty()
        && run.ins.heredocs().is_empty();
    if !plain {
        return None;
    }
    let simple = |s: &str| {
        !s.is_empty()
            && s.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"._-/+:@,".contains(&b))
    };
    match (call.program.as_str(), call.arguments.as_slice()) {
        ("cd", [to]) => {
            let to = to.value.as_deref().filter(|t| simple(t) && *t != "-")?;
            Some(format!("WORKDIR {to}"))
        }
        ("export", [pair]) => {
            let (name, value) = pair.value.as_deref()?.split_once('=')?;
            let name_ok = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            (name_ok && simple(value)).then(|| format!("ENV {name}={value}"))
        }
        _ => None,
    }
}
