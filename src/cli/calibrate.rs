//! `cacheplan calibrate` and `cacheplan record`: what builds teach about the costs of steps.

use super::args::{CalibrateArgs, Cli, LearnFlags, RecordArgs, ReplayFormat};
use super::{Done, log_file, output};
use crate::cost::learn::{Learned, Learner, runs};
use crate::cost::log::{self, Log};
use crate::cost::{rules, write};
use crate::report::escape;
use crate::report::learned::{LearnedReport, LogRow, RuleRow, text};
use crate::verify::record;
use anyhow::{Context as _, Result};

/// `calibrate`.
pub fn run(cli: &Cli, args: &CalibrateArgs) -> Result<Done> {
    let mut logs = Vec::new();
    for file in &args.logs {
        match log_file::read(cli, file) {
            Ok((shown, found)) => logs.extend(found.into_iter().map(|l| (shown.clone(), l))),
            // The others are read all the same.
            Err(e) => output::say(&format!("error: {}", escape::line(&format!("{e:#}")))),
        }
    }
    if logs.is_empty() {
        return Ok(Done::WrongInput);
    }
    learn(&args.learn, &logs)?;
    Ok(Done::Fine)
}

/// `record`.
pub fn record(cli: &Cli, args: &RecordArgs) -> Result<Done> {
    let seen = match record::build(&args.command) {
        Ok(seen) => seen,
        Err(e) => {
            output::say(&format!("error: {e}"));
            return Ok(Done::BuilderFailed);
        }
    };
    let cut_off = seen.logs.iter().flat_map(|l| &l.notes);
    for why in seen.notes.iter().chain(cut_off) {
        output::note(cli, &format!("note: {why}"));
    }
    let count = seen.logs.len();
    let name = |n: usize| match count {
        1 => "this build".to_owned(),
        _ => format!("build {}", n + 1),
    };
    let named = seen.logs.into_iter().enumerate();
    let logs: Vec<(String, Log)> = named.map(|(n, log)| (name(n), log)).collect();
    if !logs.is_empty() {
        learn(&args.learn, &logs)?;
    }
    Ok(match seen.success {
        true => Done::Fine,
        false => Done::BuilderFailed,
    })
}

fn learn(flags: &LearnFlags, logs: &[(String, Log)]) -> Result<()> {
    let file = &flags.output;
    let before: Vec<Learned> = match std::fs::read_to_string(file) {
        Ok(text) => rules(&text).with_context(|| file.display().to_string())?,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(e) => return Err(e).with_context(|| format!("cannot read {}", file.display())),
    };
    let known: Vec<_> = before.iter().map(|r| r.matches.clone()).collect();
    let mut learner = Learner::after(before);
    learner.always_cold = flags.cold_mounts;
    let mut rows = Vec::new();
    for (name, log) in logs {
        let ran = runs(log);
        let of = |seen: log::Seen| {
            log.steps
                .iter()
                .filter(|s| log::title(&s.name).is_some() && s.seen == seen)
                .count()
        };
        rows.push(LogRow {
            log: name.clone(),
            format: log.format.as_str(),
            executed: ran.len(),
            cached: of(log::Seen::Cached),
            failed: of(log::Seen::Failed) + of(log::Seen::Canceled),
            seconds: ran.iter().map(|r| r.seconds).sum(),
        });
        learner.add(&ran);
    }
    let after = learner.rules();
    let report = LearnedReport {
        schema: "cacheplan.calibrate/1",
        file: file.display().to_string(),
        logs: rows,
        rules: after
            .iter()
            .map(|r| RuleRow::of(r, !known.contains(&r.matches)))
            .collect(),
    };
    let new = output::beside(file, write(&after)?.as_bytes())?;
    output::put(new, file)?;
    let bytes = match flags.format {
        ReplayFormat::Json => output::json(&report)?,
        ReplayFormat::Text => text(&report, output::width()).into_bytes(),
    };
    output::write(None, &bytes)
}
