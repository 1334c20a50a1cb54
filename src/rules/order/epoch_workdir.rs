//! SOURCE_DATE_EPOCH that differs from commit to commit, with a WORKDIR: the folder's time is in the key of the step.

use crate::diagnostic::Severity;
use crate::dockerfile::Kind;
use crate::plan::StepKind;
use crate::rules::{Ask, Check, Findings, Rule, View};

/// `epoch-workdir`.
pub static RULE: Rule = Rule {
    name: "epoch-workdir",
    severity: Severity::Warning,
    summary: "SOURCE_DATE_EPOCH changes from commit to commit, and with it the cache key of the first WORKDIR and of all behind it",
    also: &[],
    check: Check::Dockerfile(check),
};

const NAME: &str = "SOURCE_DATE_EPOCH";

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    let options = view.options;
    // One that has a fixed value stays what it is.
    let fixed = options.args.iter().any(|(n, v)| n == NAME && !v.is_empty());
    let said = options.volatile_args.iter().any(|n| n == NAME);
    let declared = view.tree.instructions().iter().any(|i| match i.kind() {
        Kind::Arg(list) => list
            .iter()
            .any(|(n, default)| *n == *NAME && default.is_none()),
        _ => false,
    });
    if !said && (fixed || !declared) {
        return;
    }
    for stage in view.plan.stages.iter().filter(|s| s.reachable) {
        let mut steps = stage.steps.iter().map(|n| &view.plan.graph[*n]);
        let first = steps.find(|s| s.kind == StepKind::Workdir && s.id.trigger == 0);
        let Some(first) = first else { continue };
        let behind = steps.filter(|s| s.kind == StepKind::Run).count();
        let Some(ins) = view.tree.instructions().get(first.instruction) else {
            continue;
        };
        if behind == 0 {
            continue;
        }
        let runs = match behind {
            1 => "the RUN behind it runs".to_owned(),
            n => format!("the {n} RUNs behind it run"),
        };
        let message = format!(
            "{NAME} is in the cache key of this WORKDIR: where it is the time of the commit, {runs} again for every commit"
        );
        out.at(ins.original().span(), message)
            .help(
                "let a COPY or a RUN make the folder, or give SOURCE_DATE_EPOCH a value that stays",
            )
            .ask(Ask::Varies(NAME.to_owned()));
    }
}
