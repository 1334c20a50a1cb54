//! A RUN that changes no file: a step in every build, and an empty layer.

use crate::diagnostic::Severity;
use crate::rules::call::Call;
use crate::rules::{Check, Findings, Rule, View};

/// `empty-layer`.
pub static RULE: Rule = Rule {
    name: "empty-layer",
    severity: Severity::Note,
    summary: "a RUN only prints something, which nobody sees once it is cached",
    also: &[],
    check: Check::Dockerfile(check),
};

/// Programs that only print. Those that check something (`test`, `grep`) are there to fail.
const PRINTS: &[&str] = &[
    "echo", "printf", "ls", "pwd", "env", "printenv", "cat", "true", ":", "whoami", "id", "date",
    "uname", "df", "du", "tree",
];

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    for run in &view.runs {
        let prints = |c: &Call| {
            PRINTS.contains(&c.program.as_str())
                && c.redirects.iter().all(|r| !writes(r))
                && c.through.is_empty()
                && !c.captured
        };
        let known =
            !run.calls.is_empty() && !run.script.has_unknown() && run.ins.flags().is_empty();
        if !known || !run.calls.iter().all(prints) || run.ins.keyword != "RUN" {
            continue;
        }
        // A stage that does nothing else is there to show something.
        let stage = run.stage.and_then(|s| view.plan.stages.get(s));
        if stage.is_some_and(|s| s.steps.len() <= 2) {
            continue;
        }
        let message = "this RUN changes no file: it is a step in every build and an empty layer in the image, and prints nothing once it is cached";
        out.at(run.ins.original().span(), message)
            .pays(run.instruction)
            .help("leave it out, or put it into the RUN whose output it explains");
    }
}

/// A redirection that may leave a file.
fn writes(r: &crate::rules::call::Redirection) -> bool {
    use crate::shell::RedirectOperator as Op;
    match r.operator {
        Op::Read | Op::DuplicateInput | Op::DuplicateOutput | Op::HereDocument | Op::HereString => {
            false
        }
        _ => r.target.as_deref() != Some("/dev/null"),
    }
}
