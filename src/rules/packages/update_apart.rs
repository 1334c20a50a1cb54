//! `apt-get update` in another step than the installation that reads its lists.

use super::around::Around;
use super::manager::{Deed, Manager, What, deeds};
use crate::diagnostic::Severity;
use crate::rewrite::Safety;
use crate::rules::chain::links;
use crate::rules::{Check, FileEdit, Findings, Rule, Run, View};
use crate::source::Span;

/// `update-apart`.
pub static RULE: Rule = Rule {
    name: "update-apart",
    severity: Severity::Warning,
    summary: "package lists are fetched in another step than the one that installs from them",
    also: &[],
    check: Check::Dockerfile(check),
};

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    let around = Around::new(view);
    // Those that ask apt or apk for something, or run what may.
    let all: Vec<&Run<'_>> = view.runs.iter().filter(|r| matters(r)).collect();
    for run in &view.runs {
        if run.ins.keyword != "RUN" || view.tree.instructions().at(run.instruction).keyword != "RUN"
        {
            continue;
        }
        apt(view, &around, (run, &all), out);
        apk(view, &around, (run, &all), out);
    }
}

/// It asks apt or apk for something, or runs a script that may.
fn matters(run: &Run<'_>) -> bool {
    run.calls.iter().any(|c| {
        matches!(c.program.as_str(), "apt-get" | "apt" | "aptitude" | "apk")
            || c.program.ends_with(".sh")
    })
}

fn of<'a>(all: &'a [Deed<'a>], manager: Manager, what: What) -> Option<&'a Deed<'a>> {
    all.iter().find(|d| d.manager == manager && d.what == what)
}

fn apt(
    view: &View<'_>,
    around: &Around<'_, '_>,
    (run, all): (&Run<'_>, &[&Run<'_>]),
    out: &mut Findings<'_>,
) {
    let own: Vec<Deed<'_>> = deeds(run).collect();
    let Some(update) = of(&own, Manager::Apt, What::Update) else {
        return;
    };
    // Something of this RUN reads the lists, or other programs may.
    let reads = own
        .iter()
        .any(|d| d.manager == Manager::Apt && matches!(d.what, What::Install | What::Upgrade));
    let gone = run.is_mounted("/var/lib/apt/lists") || run.text.contains("/var/lib/apt/lists");
    if reads || gone || run.calls.iter().any(|c| !is_known(&c.program)) {
        return;
    }
    for later in around.behind(run, all) {
        let asked: Vec<Deed<'_>> = deeds(later).collect();
        if later.is_mounted("/var/lib/apt/lists") {
            return;
        }
        match (
            of(&asked, Manager::Apt, What::Install),
            of(&asked, Manager::Apt, What::Update),
        ) {
            (Some(install), Some(again)) if install.call.span.start > again.call.span.start => {
                return;
            }
            (None, Some(_)) => return,
            (Some(install), _) => return found(view, run, update, later, install, out),
            // What it runs may be what the lists are for.
            (None, None) if later.calls.iter().any(|c| c.program.ends_with(".sh")) => return,
            (None, None) => {}
        }
    }
}

/// Programs that do not read apt's lists.
fn is_known(program: &str) -> bool {
    const KNOWN: &[&str] = &[
        "apt-get",
        "apt",
        "aptitude",
        "set",
        "echo",
        "rm",
        "mkdir",
        "sed",
        "curl",
        "wget",
        "tee",
        "cat",
        "dpkg",
        "gpg",
        "apt-key",
        "add-apt-repository",
        "export",
        "ln",
        "true",
        "printf",
        "chmod",
        "cp",
        "mv",
        "install",
        "",
    ];
    KNOWN.contains(&program)
}

fn found(
    view: &View<'_>,
    run: &Run<'_>,
    update: &Deed<'_>,
    later: &Run<'_>,
    install: &Deed<'_>,
    out: &mut Findings<'_>,
) {
    let message = format!(
        "the lists of `{}` stay as old as this step's cache, while line {} installs from them: versions that are gone since then are not found",
        update.shown(),
        view.source.line(install.call.program_span.start)
    );
    let finding = out.at(update.head(), message);
    finding.help("write both in one RUN: `apt-get update && apt-get install …`");
    if let Some(edits) = joined(view, run, later) {
        finding.fix(Safety::Assumed, edits);
    }
}

/// The two RUNs as one, where they stand next to each other and are plain chains.
fn joined(view: &View<'_>, run: &Run<'_>, later: &Run<'_>) -> Option<Vec<FileEdit>> {
    let next = later.instruction == run.instruction + 1 && later.stage == run.stage;
    let bare = |r: &Run<'_>| r.ins.flags().is_empty() && !r.is_heredoc() && r.ins.keyword == "RUN";
    if !next || !bare(run) || !bare(later) {
        return None;
    }
    let (own, other) = (links(run)?, links(later)?);
    let end = own.last()?.end;
    let start = other.first()?.start;
    let between = Span {
        start: end,
        end: start,
    };
    // Nothing stands between but blanks and the keyword.
    let text = view.source.text(between);
    if text.trim() != view.source.text(later.ins.keyword_span()).as_ref() {
        return None;
    }
    let (escape, eol) = (view.tree.directives.escape, view.source.line_end());
    let indent = view.source.text(later.ins.span);
    let indent = indent
        .lines()
        .nth(1)
        .map_or("    ", |l| &l[..l.len() - l.trim_start().len()]);
    let indent = if indent.is_empty() { "    " } else { indent };
    let indent = &indent[..indent.len().min(4)];
    Some(vec![FileEdit::here(
        between,
        format!(" && {escape}{eol}{indent}"),
    )])
}

/// apk fetches its index whenever the one it has is older than four hours: an update of its own is no help, and only leaves a file.
fn apk(
    view: &View<'_>,
    around: &Around<'_, '_>,
    (run, all): (&Run<'_>, &[&Run<'_>]),
    out: &mut Findings<'_>,
) {
    let own: Vec<Deed<'_>> = deeds(run).collect();
    let Some(update) = of(&own, Manager::Apk, What::Update) else {
        return;
    };
    if own
        .iter()
        .any(|d| d.manager == Manager::Apk && d.what != What::Update)
        || run.is_mounted("/var/cache/apk")
        || run.is_mounted("/etc/apk/cache")
    {
        return;
    }
    let later = around.behind(run, all).find_map(|r| {
        let install = deeds(r).find(|d| d.manager == Manager::Apk && d.what == What::Install)?;
        Some(view.source.line(install.call.program_span.start))
    });
    let Some(line) = later else { return };
    let message = format!(
        "`apk update` in a step of its own only leaves an index in the layer: `apk add` of line {line} fetches a newer one where it needs one"
    );
    out.at(update.head(), message)
        .severity(Severity::Note)
        .help("drop it, and write `apk add --no-cache`");
}
