//! `cacheplan calibrate` and `cacheplan record`: what builds teach about the costs of steps.

use super::args::{CalibrateArgs, Cli, LearnFlags, RecordArgs, ReplayFormat};
use super::{Done, log_file, output};
use crate::cost::learn::{Learner, Run, runs};
use crate::cost::log::{self, Log};
use crate::cost::overhead::spent;
use crate::cost::sizes::{self, Sizes};
use crate::cost::{CostFile, rules, write};
use crate::image::{Image, ImageError, Store};
use crate::report::escape;
use crate::report::learned::{LearnedReport, LogRow, RuleRow, text};
use crate::verify::record;
use anyhow::{Context as _, Result, bail};
use std::io::Read as _;
use std::path::Path;

/// What a file teaches.
enum Lesson {
    /// Seconds of steps.
    Log(Log),
    /// Bytes of layers.
    History(Sizes),
    /// The same, still to be counted.
    Image(Box<Image>),
}

type Lessons = Vec<(String, Lesson)>;

/// `calibrate`.
pub fn run(cli: &Cli, args: &CalibrateArgs) -> Result<Done> {
    let mut lessons = Lessons::new();
    for file in &args.logs {
        match read(cli, file) {
            Ok((shown, found)) => lessons.extend(found.into_iter().map(|l| (shown.clone(), l))),
            // The others are read all the same.
            Err(e) => output::say(&format!("error: {}", escape::line(&format!("{e:#}")))),
        }
    }
    if lessons.is_empty() {
        return Ok(Done::WrongInput);
    }
    learn(&args.learn, &lessons)?;
    Ok(Done::Fine)
}

/// What one file teaches, in whichever format it is in.
fn read(cli: &Cli, file: &Path) -> Result<(String, Vec<Lesson>)> {
    if let Some(image) = image_archive(file)? {
        let shown = file.display().to_string();
        let image = image.with_context(|| shown.clone())?;
        if sizes::of_image(&image, Store::Overlay2).layers.is_empty() {
            bail!("{shown}: the image's history names no step with a layer");
        }
        return Ok((shown, vec![Lesson::Image(Box::new(image))]));
    }
    let (shown, bytes) = log_file::bytes(file)?;
    let text = std::str::from_utf8(&bytes).ok();
    if let Some(sizes) = text.and_then(sizes::read) {
        for why in &sizes.notes {
            output::note(cli, &format!("note: {shown}: {why}"));
        }
        return Ok((shown, vec![Lesson::History(sizes)]));
    }
    let logs = log_file::logs(cli, &shown, &bytes)?;
    Ok((shown, logs.into_iter().map(Lesson::Log).collect()))
}

/// The image in a file that begins like a tar; `None` for any other file.
pub fn image_archive(file: &Path) -> Result<Option<Result<Image, ImageError>>> {
    const MAGIC: std::ops::Range<usize> = 257..262;
    // A pipe cannot be read twice.
    if !std::fs::metadata(file).is_ok_and(|m| m.is_file()) {
        return Ok(None);
    }
    let mut opened =
        std::fs::File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut head = Vec::new();
    (&mut opened).take(512).read_to_end(&mut head)?;
    Ok(match head.get(MAGIC) == Some(b"ustar") {
        true => Some(Image::read(opened)),
        false => None,
    })
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
    let lessons: Lessons = named.map(|(n, log)| (name(n), Lesson::Log(log))).collect();
    if !lessons.is_empty() {
        learn(&args.learn, &lessons)?;
    }
    Ok(match seen.success {
        true => Done::Fine,
        false => Done::BuilderFailed,
    })
}

fn learn(flags: &LearnFlags, lessons: &[(String, Lesson)]) -> Result<()> {
    let file = &flags.output;
    let before = match std::fs::read_to_string(file) {
        Ok(text) => rules(&text).with_context(|| file.display().to_string())?,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => CostFile::default(),
        Err(e) => return Err(e).with_context(|| format!("cannot read {}", file.display())),
    };
    let known: Vec<_> = before.rules.iter().map(|r| r.matches.clone()).collect();
    let mut disk = before.disk;
    let mut learner = Learner::after(before.rules);
    learner.always_cold = flags.cold_mounts;
    let mut rows = Vec::new();
    for (name, lesson) in lessons {
        match lesson {
            Lesson::Log(log) => {
                let ran = runs(log);
                rows.push(log_row(name, log, &ran));
                learner.add(&ran);
                learner.add_overheads(&spent(log));
            }
            Lesson::History(sizes) => {
                rows.push(size_row(name, "history", sizes));
                learner.add_layers(&sizes.layers);
                disk = sizes.disk.or(disk);
            }
            Lesson::Image(image) => {
                let store = Store::Containerd(disk.unwrap_or_default());
                let sizes = sizes::of_image(image, store);
                rows.push(size_row(name, "image", &sizes));
                learner.add_layers(&sizes.layers);
            }
        }
    }
    let after = CostFile {
        rules: learner.rules(),
        disk,
    };
    let report = LearnedReport {
        schema: "cacheplan.calibrate/1",
        file: file.display().to_string(),
        logs: rows,
        rules: after
            .rules
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

fn size_row(name: &str, format: &'static str, sizes: &Sizes) -> LogRow {
    let all = sizes.layers.iter().map(|l| l.bytes);
    LogRow {
        log: name.to_owned(),
        format,
        executed: 0,
        cached: 0,
        failed: 0,
        seconds: 0.0,
        layers: Some(sizes.layers.len()),
        layer_bytes: Some(all.fold(0, u64::saturating_add)),
    }
}

fn log_row(name: &str, log: &Log, ran: &[Run]) -> LogRow {
    let of = |seen: log::Seen| {
        log.steps
            .iter()
            .filter(|s| log::title(&s.name).is_some() && s.seen == seen)
            .count()
    };
    LogRow {
        log: name.to_owned(),
        format: log.format.as_str(),
        executed: ran.len(),
        cached: of(log::Seen::Cached),
        failed: of(log::Seen::Failed) + of(log::Seen::Canceled),
        // The sum of nothing is -0.
        seconds: ran.iter().map(|r| r.seconds).sum::<f64>() + 0.0,
        layers: None,
        layer_bytes: None,
    }
}
