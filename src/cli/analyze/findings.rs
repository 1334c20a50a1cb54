//! What the rules find in targets, with what it costs over the history.

use crate::cli::advice::{Advisor, Around, Found, by_file, of_subject};
use crate::cli::args::AnalyzeArgs;
use crate::cli::subject::{Place, Subject, load_one_replayed};
use crate::cli::timeline::{Builds, Replayed, replay_subject};
use crate::cost::CostTable;
use crate::optimize::{step_seconds, warm_seconds};
use crate::report::findings::FindingRow;
use crate::rules::measured::{Replay, measure, note};
use crate::rules::{Ask, Finding, of_project};
use crate::simulate::Summary;
use crate::source::SourceFile;

/// Most findings whose own replay is made: each takes as long as the first.
const MOST_REPLAYS: usize = 6;

/// Rows for a target, and what is wrong with comments that silence rules.
pub struct Rows {
    pub findings: Vec<FindingRow>,
    pub said: Vec<(SourceFile, crate::diagnostic::Diagnostic)>,
}

/// Everything that findings of a target are measured by.
pub struct Measured<'a> {
    pub args: &'a AnalyzeArgs,
    pub builds: &'a Builds,
    pub costs: &'a CostTable,
    pub replayed: &'a Replayed,
    pub summary: &'a Summary,
}

/// The findings of a target; those about files beside the Dockerfiles come with the first.
pub fn rows(
    around: &Around<'_>,
    advisor: &mut Advisor,
    subject: &Subject,
    first: bool,
    measured: &Measured<'_>,
) -> Rows {
    let place = around.place;
    let mut found = of_subject(around, subject);
    let last = measured.replayed.outcome.builds.iter().rev();
    if let Some(last) = last.into_iter().find_map(|b| b.plan) {
        let log = &measured.builds.log;
        let path = |p: crate::history::PathId| {
            let full = log.paths.bytes(p);
            let below = subject.in_context(&full).unwrap_or(&full);
            String::from_utf8_lossy(below).into_owned()
        };
        let replay = Replay {
            path: &path,
            plan: &measured.replayed.plans[last],
            version: last,
            outcome: &measured.replayed.outcome,
            cold: step_seconds(&measured.replayed.plans[last], measured.costs),
            warm: warm_seconds(&measured.replayed.plans[last], measured.costs),
            work_s_per_build: measured.summary.work_s_per_build,
            builds: measured.summary.builds,
        };
        measure(&mut found, &replay);
        varying(place, subject, measured, &replay, &mut found);
    }
    if first {
        found.extend(of_project(around.project));
    }
    let mut out = Rows {
        findings: Vec::new(),
        said: Vec::new(),
    };
    for (file, list) in by_file(&subject.target.file, found) {
        let own = file == subject.target.file;
        let shown = place.shown(&file);
        let source = match own {
            true => subject.source.clone(),
            false => SourceFile::new(shown.clone(), place.read(&file).unwrap_or_default()),
        };
        let tree = own.then_some(&subject.parsed.tree);
        let Found {
            file,
            source,
            findings,
            diagnostics,
        } = advisor.sift(&shown, source, tree, around.settings, list);
        let name = |f: &str| place.shown(f);
        let read = |f: &str| SourceFile::new(f, place.read(f).unwrap_or_default());
        for (finding, print) in &findings {
            let mut row = FindingRow::new(finding, &file, &source, print, &name);
            row.locate(finding, &read);
            out.findings.push(row);
        }
        let said = diagnostics.into_iter().map(|d| (source.clone(), d));
        out.said.extend(said);
    }
    out
}

/// Findings about build arguments: the same history with such an argument differing in every build.
fn varying(
    place: &Place,
    subject: &Subject,
    measured: &Measured<'_>,
    replay: &Replay<'_>,
    found: &mut [Finding],
) {
    let asks = |f: &&mut Finding| matches!(f.ask, Ask::Varies(_));
    for finding in found.iter_mut().filter(asks).take(MOST_REPLAYS) {
        let Ask::Varies(name) = finding.ask.clone() else {
            continue;
        };
        if let Some((builds, seconds)) = with_volatile(place, subject, measured, &name) {
            note(finding, builds, seconds, replay);
        }
    }
}

/// Builds that cost more, and how much more all of them cost.
fn with_volatile(
    place: &Place,
    subject: &Subject,
    measured: &Measured<'_>,
    name: &str,
) -> Option<(usize, f64)> {
    let args = measured.args;
    let mut history = args.history.clone();
    let replay = |history: &crate::cli::args::HistoryFlags| {
        let mut flags = args.place.build.clone();
        flags.files = vec![subject.target.file.clone()];
        flags.context = Some(subject.context.clone());
        flags.target.clone_from(&subject.options.target);
        let mut other = load_one_replayed(place, &flags, history).ok()?.0;
        let wanted: Vec<String> = history.volatile_args.clone();
        if other.options.args != subject.options.args {
            return None;
        }
        other.options.volatile_args.extend(
            wanted
                .into_iter()
                .filter(|n| !subject.options.volatile_args.contains(n)),
        );
        let replayed =
            replay_subject(place, history, measured.builds, &other, measured.costs).ok()?;
        let counted = replayed.outcome.counted();
        Some(
            counted
                .map(|i| replayed.costs[i].work_s)
                .collect::<Vec<f64>>(),
        )
    };
    let given = subject.options.volatile_args.iter().any(|n| n == name);
    let (less, more) = match given {
        false => {
            history.volatile_args.push(name.to_owned());
            let counted = measured.replayed.outcome.counted();
            let as_is = counted.map(|i| measured.replayed.costs[i].work_s);
            (as_is.collect::<Vec<f64>>(), replay(&history)?)
        }
        true => {
            history.volatile_args.retain(|n| n != name);
            let counted = measured.replayed.outcome.counted();
            let as_is = counted.map(|i| measured.replayed.costs[i].work_s);
            (replay(&history)?, as_is.collect::<Vec<f64>>())
        }
    };
    if less.len() != more.len() {
        return None;
    }
    let dearer = less.iter().zip(&more).filter(|(a, b)| *b - *a > 1e-9);
    let builds = dearer.clone().count();
    Some((builds, dearer.map(|(a, b)| b - a).sum()))
}
