//! `cacheplan compare`: Dockerfile variants over the same commits.

use super::args::{BuildFlags, Cli, CompareArgs, CompareFormat};
use super::subject::{Place, Subject, load_replayed, only};
use super::timeline::{Replayed, read_builds, replay_subject};
use super::{Done, analyze, history_notes, output};
use crate::report::bootstrap::saving_interval;
use crate::report::model::{Comparison, Pair, Variant};
use crate::report::{html, markdown, text};
use crate::simulate::{Summary, Verdict};
use crate::source::SourceFile;
use anyhow::{Context as _, Result, bail};

pub fn run(cli: &Cli, args: &CompareArgs) -> Result<Done> {
    let place = Place::open(&args.repo, None)?;
    place.repository()?;
    let costs = analyze::costs(&place, &args.history)?;
    let subjects: Vec<Subject> = args
        .variants
        .iter()
        .map(|v| variant(&place, args, v))
        .collect::<Result<_>>()?;
    for s in &subjects {
        output::diagnostics(cli, &s.diagnostics);
    }
    if subjects.iter().any(Subject::failed) {
        return Ok(Done::WrongInput);
    }
    let all: Vec<&Subject> = subjects.iter().collect();
    let builds = read_builds(cli, &place, &args.history, &all)?;
    output::diagnostics(cli, &history_notes::about(&builds, &all));
    let replays: Vec<Replayed> = subjects
        .iter()
        .map(|s| replay_subject(&place, &args.history, &builds, s, &costs))
        .collect::<Result<_>>()?;
    let outcomes: Vec<_> = replays.iter().map(|r| &r.outcome).collect();
    let shared = analyze::shared_builds(&outcomes);
    if shared.is_empty() {
        bail!("no build of the history works with all the variants");
    }
    let mut variants = Vec::new();
    for ((name, subject), replayed) in args.variants.iter().zip(&subjects).zip(&replays) {
        let bytes = analyze::weight(&place, &builds, subject, &costs, None)?;
        variants.push(Variant {
            name: name.clone(),
            figures: analyze::figures(
                &over(replayed, &shared),
                replayed.watch(&costs).wall(&shared),
                bytes,
            ),
        });
    }
    let mut pairs = Vec::new();
    for i in 0..replays.len() {
        for j in i + 1..replays.len() {
            let seconds =
                |r: &Replayed| -> Vec<f64> { shared.iter().map(|b| r.costs[*b].work_s).collect() };
            let (a, b) = (seconds(&replays[i]), seconds(&replays[j]));
            let before: f64 = a.iter().sum();
            let count =
                |f: fn(f64, f64) -> bool| a.iter().zip(&b).filter(|(x, y)| f(**x, **y)).count();
            pairs.push(Pair {
                a: args.variants[i].clone(),
                b: args.variants[j].clone(),
                saving: if before > 0.0 {
                    1.0 - b.iter().sum::<f64>() / before
                } else {
                    0.0
                },
                interval: saving_interval(&a, &b),
                wins: count(|x, y| y < x - 1e-9),
                losses: count(|x, y| y > x + 1e-9),
                ties: count(|x, y| (x - y).abs() <= 1e-9),
            });
        }
    }
    let comparison = Comparison {
        schema: "cacheplan.compare/1",
        variants,
        pairs,
        builds: shared.len(),
        policy: args.history.cache_policy.to_string(),
    };
    let text = match args.format {
        CompareFormat::Json => output::json(&comparison)?,
        CompareFormat::Markdown => markdown::comparison(&comparison).into_bytes(),
        CompareFormat::Html => html::comparison(&comparison).into_bytes(),
        CompareFormat::Text => {
            let color = args.output.is_none() && output::color_stdout(cli);
            text::comparison(
                &comparison,
                text::Style {
                    color,
                    width: output::width(),
                },
            )
            .into_bytes()
        }
    };
    output::write(args.output.as_deref(), &text)?;
    Ok(Done::Fine)
}

/// Sums over the builds that all variants share.
fn over(replayed: &Replayed, shared: &[usize]) -> Summary {
    let n = shared.len() as f64;
    let mean = |f: fn(&crate::simulate::BuildCost) -> f64| {
        shared.iter().map(|b| f(&replayed.costs[*b])).sum::<f64>() / n
    };
    let verdicts = || {
        shared
            .iter()
            .flat_map(|b| &replayed.outcome.builds[*b].verdicts)
    };
    let hits = verdicts().filter(|v| **v == Verdict::Cached).count();
    Summary {
        builds: shared.len(),
        work_s_per_build: mean(|c| c.work_s),
        work_s_per_build_min: mean(|c| c.work_s_min),
        critical_path_s_per_build: mean(|c| c.critical_path_s),
        cold_s: replayed
            .outcome
            .cold()
            .map_or(0.0, |i| replayed.costs[i].work_s),
        hit_rate: hits as f64 / verdicts().count().max(1) as f64,
        ..Summary::default()
    }
}

/// A file here, a file in the repository, or `REV:path`.
fn variant(place: &Place, args: &CompareArgs, name: &str) -> Result<Subject> {
    let here = std::path::Path::new(name);
    let inside = place.files.is_file(name);
    let mut flags = BuildFlags {
        builder_profile: super::args::BuilderProfile::Buildkit,
        build_contexts: Vec::new(),
        files: vec![name.to_owned()],
        context: args.context.clone(),
        target: args.target.clone(),
        build_args: args.build_args.clone(),
        platform: None,
        network: None,
        no_cache_filter: Vec::new(),
        reference: None,
    };
    if inside {
        return only(load_replayed(place, &flags, &args.history)?);
    }
    if here.is_file() {
        // A file from elsewhere is judged in the context of the repository's own Dockerfile.
        let absolute = here.canonicalize()?;
        flags.files = vec![absolute.to_string_lossy().into_owned()];
        flags.context.get_or_insert_with(|| ".".to_owned());
        let mut subject = only(load_replayed(place, &flags, &args.history)?)?;
        let bytes = subject.source.bytes().to_vec();
        subject.source = SourceFile::new(name.to_owned(), bytes);
        subject.file = name.to_owned();
        return Ok(subject);
    }
    let (rev, path) = name
        .split_once(':')
        .with_context(|| format!("{name} is neither a file nor REV:path"))?;
    let older = Place::open(&args.repo, Some(rev))?;
    flags.files = vec![path.to_owned()];
    only(load_replayed(&older, &flags, &args.history).with_context(|| name.to_owned())?)
}
