//! `cacheplan calibrate` and `cacheplan record`: what builds teach about the costs of steps.

use super::args::{CalibrateArgs, Cli, LearnFlags, RecordArgs, ReplayFormat};
use super::{Done, output};
use crate::cost::learn::{Learned, Learner, runs};
use crate::cost::log::{self, Log, MAX_LOG_BYTES};
use crate::cost::{rules, write};
use crate::report::escape;
use crate::report::learned::{LearnedReport, LogRow, RuleRow, text};
use crate::verify::record;
use anyhow::{Context as _, Result, bail};
use std::io::{Read as _, Write as _};
use std::path::Path;

/// `calibrate`.
pub fn run(cli: &Cli, args: &CalibrateArgs) -> Result<Done> {
    let mut logs = Vec::new();
    for file in &args.logs {
        match read(file) {
            Ok(found) => logs.extend(found),
            // The others are read all the same.
            Err(e) => output::say(&format!("error: {}", escape::line(&format!("{e:#}")))),
        }
    }
    if logs.is_empty() {
        return Ok(Done::WrongInput);
    }
    learn(cli, &args.learn, &logs)?;
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
    for why in &seen.notes {
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
        learn(cli, &args.learn, &logs)?;
    }
    Ok(match seen.success {
        true => Done::Fine,
        false => Done::BuilderFailed,
    })
}

/// The logs of one file, `-` being stdin.
fn read(file: &Path) -> Result<Vec<(String, Log)>> {
    let shown = match file == Path::new("-") {
        true => "stdin".to_owned(),
        false => file.display().to_string(),
    };
    let mut bytes = Vec::new();
    let limit = MAX_LOG_BYTES + 1;
    match file == Path::new("-") {
        true => std::io::stdin().lock().take(limit).read_to_end(&mut bytes),
        false => std::fs::File::open(file).and_then(|f| f.take(limit).read_to_end(&mut bytes)),
    }
    .with_context(|| format!("cannot read {shown}"))?;
    if bytes.len() as u64 > MAX_LOG_BYTES {
        bail!("{shown} is larger than {MAX_LOG_BYTES} bytes, more than is read");
    }
    let logs = log::read_file(&bytes).with_context(|| shown.clone())?;
    Ok(logs.into_iter().map(|log| (shown.clone(), log)).collect())
}

fn learn(cli: &Cli, flags: &LearnFlags, logs: &[(String, Log)]) -> Result<()> {
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
        for why in &log.notes {
            output::note(
                cli,
                &format!("note: {name}: {why}; what stands before it was read"),
            );
        }
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
    replace(file, write(&after)?.as_bytes())?;
    let bytes = match flags.format {
        ReplayFormat::Json => output::json(&report)?,
        ReplayFormat::Text => text(&report, output::width()).into_bytes(),
    };
    output::write(None, &bytes)
}

/// Writes a file all or not at all.
fn replace(file: &Path, bytes: &[u8]) -> Result<()> {
    let folder = file.parent().filter(|p| !p.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let written = || {
        let mut new = tempfile::NamedTempFile::new_in(folder)?;
        new.write_all(bytes)?;
        // A file of one's own has the usual mode, not that of a temporary one.
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let old = std::fs::metadata(file).map(|m| m.permissions());
            let mode = old.unwrap_or_else(|_| std::fs::Permissions::from_mode(0o644));
            new.as_file().set_permissions(mode)?;
        }
        new.persist(file).map(|_| ()).map_err(|e| e.error)
    };
    written().with_context(|| format!("cannot write {}", file.display()))
}
