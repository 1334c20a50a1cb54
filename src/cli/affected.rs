//! `cacheplan affected`: which targets' images change between two builds.

use super::args::{AffectedArgs, Cli, DockerfileFrom, ReplayFormat};
use super::explain::{known_bases, verdict};
use super::scenario::{Ends, Pair, before, found_at, history_flags, pair, read_ends, twin};
use super::subject::{Subject, load_replayed};
use super::{Done, analyze, output};
use crate::history::WORK_TREE;
use crate::plan::VOLATILE;
use crate::report::affected::{
    Affected, AffectedStep, BrokenTarget, DoneTarget, TargetRow, Verdict as Row, text,
};
use crate::report::wording::short_commit;
use crate::simulate::Verdict;
use anyhow::Result;

pub fn run(cli: &Cli, args: &AffectedArgs) -> Result<Done> {
    let reference = args.place.build.reference.as_deref();
    let mut ends = Ends::new(&args.place.path, reference, &args.from, args.to.as_deref())?;
    let flags = history_flags(&args.pair, args.dockerfile_from)?;
    let costs = analyze::costs(&ends.place, &flags)?;
    let found = load_replayed(&ends.place, &args.place.build, &flags)?;
    output::diagnostics(cli, &found.diagnostics);
    let good: Vec<&Subject> = found.subjects.iter().filter(|s| !s.failed()).collect();
    let builds = match good.is_empty() {
        true => None,
        false => Some(read_ends(&mut ends, &good)?),
    };
    let old = match args.dockerfile_from {
        DockerfileFrom::Each => found_at(&args.place.path, ends.from, &args.place.build, &flags),
        DockerfileFrom::Frozen => None,
    };
    let mut targets = Vec::new();
    let (mut failed, mut named_failed) = (0, false);
    // A base image of one target is not one of all.
    for name in &args.base_changes {
        let known = |s: &&&Subject| known_bases(s, std::slice::from_ref(name)).is_ok();
        if let Some(first) = good.first()
            && good.iter().find(known).is_none()
        {
            known_bases(first, std::slice::from_ref(name))?;
        }
    }
    for subject in &found.subjects {
        output::diagnostics(cli, &subject.diagnostics);
        let Some(builds) = builds.as_ref().filter(|_| !subject.failed()) else {
            failed += 1;
            named_failed |= subject.target.origin == "-f";
            let diagnostics = output::rows(&subject.file, &subject.diagnostics);
            targets.push(TargetRow::Failed(BrokenTarget {
                file: subject.file.clone(),
                diagnostics,
            }));
            continue;
        };
        let older = twin(old.as_ref(), subject);
        let was = before(older, subject, args.dockerfile_from);
        let bases = args.base_changes.as_slice();
        let pair = pair(&ends.place, &flags, builds, subject, (&was, bases), &costs)?;
        let older = match args.dockerfile_from {
            DockerfileFrom::Each => older,
            DockerfileFrom::Frozen => Some(subject),
        };
        targets.push(TargetRow::Done(row(subject, older, &pair)));
    }
    let none = failed == targets.len();
    let document = Affected {
        schema: "cacheplan.affected/1",
        from: ends.from.to_string(),
        to: ends.name(),
        targets,
    };
    let to = match ends.to == WORK_TREE {
        true => "the work tree".to_owned(),
        false => short_commit(&document.to).to_owned(),
    };
    let between = format!("from {} to {to}", short_commit(&document.from));
    let bytes = match args.format {
        ReplayFormat::Json => output::json(&document)?,
        ReplayFormat::Text => text(&document, &between).into_bytes(),
    };
    output::write(args.output.as_deref(), &bytes)?;
    if none || named_failed {
        return Ok(Done::WrongInput);
    }
    if failed > 0 {
        let said = crate::report::number::count(failed, "target");
        output::note(cli, &format!("warning: {said} could not be analysed"));
    }
    Ok(Done::Fine)
}

fn row(subject: &Subject, older: Option<&Subject>, pair: &Pair) -> DoneTarget {
    let plan = &pair.replayed.plans[0];
    let fails = pair.replayed.outcome.builds[1].fails.as_ref();
    let id = |at: usize| plan.graph[plan.order[at]].id.to_string();
    let steps: Vec<AffectedStep> = pair
        .steps
        .iter()
        .filter_map(|s| {
            let why = s.why.as_ref()?;
            Some(AffectedStep {
                id: id(s.step),
                name: plan.graph[plan.order[s.step]].name.clone(),
                verdict: verdict(s.verdict),
                kind: why.kind.as_str(),
            })
        })
        .collect();
    let first = |wanted: Verdict| {
        let step = pair.steps.iter().find(|s| s.verdict == wanted)?;
        let why = step.why.as_ref()?;
        Some(format!("{}: {}", id(step.step), why.detail))
    };
    let configuration = || {
        let now = plan.configuration();
        if now.iter().any(|c| c.contains(VOLATILE)) {
            return Some("its configuration differs in every build".to_owned());
        }
        let was = older?.plan.configuration();
        let differs = |(a, b): (&&str, &&str)| (a != b).then(|| (*b).to_owned());
        if was == now {
            return None;
        }
        let changed = was.iter().zip(&now).find_map(differs);
        let changed = changed.or_else(|| now.get(was.len()).map(|c| (*c).to_owned()));
        Some(match changed {
            Some(text) => {
                let text = crate::simulate::explain::quoted(&text);
                format!("its configuration changes: {text}")
            }
            None => "its configuration changes".to_owned(),
        })
    };
    let (affected, reason) = if let Some(fails) = fails {
        let reason = format!("the builder refuses it: {}", fails.message);
        (Row::Yes, Some(reason))
    } else if let Some(cold) = &pair.cold {
        (Row::Yes, Some(format!("new: {cold} in --from")))
    } else if let Some(reason) = first(Verdict::Executed).or_else(configuration) {
        (Row::Yes, Some(reason))
    } else {
        match first(Verdict::Maybe) {
            Some(reason) => (Row::Maybe, Some(reason)),
            None => (Row::No, None),
        }
    };
    DoneTarget {
        file: subject.file.clone(),
        target: subject.options.target.clone(),
        origin: subject.target.origin.clone(),
        affected,
        reason,
        work_s: match fails {
            Some(_) => 0.0,
            None => pair.replayed.costs[1].work_s,
        },
        steps: match fails {
            Some(_) => Vec::new(),
            None => steps,
        },
    }
}
