//! `cacheplan compare`: Dockerfiles and cache policies over the same commits.

mod differing;
mod measure;

use super::args::{BuildFlags, BuilderArg, Cli, CompareArgs, CompareFormat, DockerfileFrom};
use super::progress::phase;
use super::subject::{Place, Subject, load_one_replayed};
use super::timeline::{Builds, Replayed, read_builds, replay_subject};
use super::{Done, analyze, history_notes, output, worktree};
use crate::cost::CostTable;
use crate::report::bootstrap::saving_interval;
use crate::report::comparison::{BuildRow, markdown, text};
use crate::report::model::{Comparison, Pair, Variant};
use crate::report::{compare_html, text::Style};
use crate::simulate::{Policy, Summary, Verdict};
use crate::source::SourceFile;
use anyhow::{Context as _, Result, bail};
use differing::{Ran, differing};
use std::collections::BTreeMap;

/// A Dockerfile under a policy, replayed.
struct Entry<'a> {
    name: String,
    file: &'a str,
    policy: Policy,
    subject: &'a Subject,
    replayed: Replayed,
}

pub fn run(cli: &Cli, args: &CompareArgs) -> Result<Done> {
    check(args)?;
    let place = Place::open(&args.repo, None)?;
    place.repository()?;
    let costs = analyze::costs(&place, &args.history.flags)?;
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
    // What is to be said of one policy alone is said where it is among them.
    let policies = &args.history.policies;
    let said = policies.iter().find(|p| **p == Policy::Local);
    let flags = args.history.under(*said.unwrap_or(&policies[0]));
    let builds = read_builds(cli, &place, &flags, &all)?;
    output::diagnostics(cli, &history_notes::about(&builds, &all));
    let busy = phase(cli, "replaying the variants");
    let mut entries = Vec::new();
    for (file, subject) in args.variants.iter().zip(&subjects) {
        for policy in policies {
            let flags = args.history.under(*policy);
            entries.push(Entry {
                name: match policies.len() {
                    1 => file.clone(),
                    _ => format!("{file} · {policy}"),
                },
                file,
                policy: *policy,
                subject,
                replayed: replay_subject(&place, &flags, &builds, subject, &costs)?,
            });
        }
    }
    let mut comparison = compared(&place, &builds, &entries, &costs, policies)?;
    drop(busy);
    let done = match args.measure {
        Some(n) => {
            let setting = measure::Setting {
                cli,
                args,
                place: &place,
                builds: &builds,
                costs: &costs,
            };
            measure::run(&setting, n, &subjects, &mut comparison)?
        }
        None => Done::Fine,
    };
    write(cli, args, &comparison)?;
    Ok(done)
}

/// Flags that do not go together.
fn check(args: &CompareArgs) -> Result<()> {
    let policies = &args.history.policies;
    if args.variants.len() * policies.len() < 2 {
        bail!("there is one variant only: name another Dockerfile, or several with --cache-policy");
    }
    if args.measure.is_none() {
        return Ok(());
    }
    if args.builder == BuilderArg::Buildah {
        bail!("--measure needs --builder docker: what buildah prints about its steps is not read");
    }
    if policies.as_slice() != [Policy::Local] {
        bail!(
            "--measure builds with a builder that keeps everything: it measures --cache-policy local alone"
        );
    }
    let flags = &args.history.flags;
    if flags.dockerfile_from == DockerfileFrom::Each {
        bail!(
            "--measure builds each variant as it is: --dockerfile-from frozen is all that it can build"
        );
    }
    if !flags.base_changes.is_empty() {
        bail!("--measure builds on the base images as they are: without --base-change");
    }
    Ok(())
}

fn write(cli: &Cli, args: &CompareArgs, comparison: &Comparison) -> Result<()> {
    let text = match args.format {
        CompareFormat::Json => output::json(comparison)?,
        CompareFormat::Markdown => markdown::comparison(comparison).into_bytes(),
        CompareFormat::Html => compare_html::comparison(comparison).into_bytes(),
        CompareFormat::Text => {
            let style = Style {
                color: args.output.is_none() && output::color_stdout(cli),
                width: output::width(),
            };
            text::comparison(comparison, style).into_bytes()
        }
    };
    output::write(args.output.as_deref(), &text)
}

fn compared(
    place: &Place,
    builds: &Builds,
    entries: &[Entry<'_>],
    costs: &CostTable,
    policies: &[Policy],
) -> Result<Comparison> {
    let outcomes: Vec<_> = entries.iter().map(|e| &e.replayed.outcome).collect();
    let shared = analyze::shared_builds(&outcomes);
    if shared.is_empty() {
        bail!("no build of the history works with all the variants");
    }
    let mut variants = Vec::new();
    for entry in entries {
        let bytes = analyze::weight(place, builds, entry.subject, costs, None)?;
        let wall = entry.replayed.watch(costs).wall(&shared);
        variants.push(Variant {
            name: entry.name.clone(),
            file: entry.file.to_owned(),
            policy: entry.policy.to_string(),
            figures: analyze::figures(&over(&entry.replayed, &shared), wall, bytes),
            cost_sources: sources(&entry.replayed, costs),
            measured: None,
            modelled_beside: None,
        });
    }
    let ran: Vec<Ran<'_>> = entries
        .iter()
        .map(|e| Ran::new(&e.replayed, costs))
        .collect();
    let mut pairs = Vec::new();
    for i in 0..entries.len() {
        for j in i + 1..entries.len() {
            let names = [&entries[i].name, &entries[j].name];
            pairs.push(pair(names, [&ran[i], &ran[j]], builds, &shared));
        }
    }
    let row = |b: &usize| BuildRow {
        commit: worktree::name(builds.log.commits[*b].id),
        work_s: entries
            .iter()
            .map(|e| e.replayed.costs[*b].work_s)
            .collect(),
    };
    let names: Vec<String> = policies.iter().map(Policy::to_string).collect();
    Ok(Comparison {
        schema: "cacheplan.compare/1",
        variants,
        pairs,
        builds: shared.len(),
        policy: names.join(","),
        per_build: shared.iter().map(row).collect(),
    })
}

/// How many steps of today's plan have seconds from where.
fn sources(replayed: &Replayed, costs: &CostTable) -> BTreeMap<&'static str, usize> {
    let mut out = BTreeMap::new();
    let plan = replayed.plans.last();
    for step in plan
        .iter()
        .flat_map(|p| p.order.iter().map(|n| &p.graph[*n]))
    {
        *out.entry(costs.of(step).source.as_str()).or_default() += 1;
    }
    out
}

/// Difference in seconds that is rounding.
const SAME_S: f64 = 1e-9;

fn pair(names: [&String; 2], ran: [&Ran<'_>; 2], builds: &Builds, shared: &[usize]) -> Pair {
    let seconds =
        |r: &Ran<'_>| -> Vec<f64> { shared.iter().map(|b| r.replayed.costs[*b].work_s).collect() };
    let (a, b) = (seconds(ran[0]), seconds(ran[1]));
    let count = |f: fn(f64, f64) -> bool| a.iter().zip(&b).filter(|(x, y)| f(**x, **y)).count();
    let (differing, differing_left_out) = differing(ran, builds, shared);
    Pair {
        a: names[0].clone(),
        b: names[1].clone(),
        saving: saving(&a, &b),
        interval: saving_interval(&a, &b),
        wins: count(|x, y| y < x - SAME_S),
        losses: count(|x, y| y > x + SAME_S),
        ties: count(|x, y| (x - y).abs() <= SAME_S),
        differing,
        differing_left_out,
        measured: None,
        modelled_beside: None,
    }
}

/// `1 - sum(b) / sum(a)`, 0 where there is nothing to save.
fn saving(a: &[f64], b: &[f64]) -> f64 {
    let before: f64 = a.iter().sum();
    match before > 0.0 {
        true => 1.0 - b.iter().sum::<f64>() / before,
        false => 0.0,
    }
}

/// Sums over the builds that all variants share.
pub(super) fn over(replayed: &Replayed, shared: &[usize]) -> Summary {
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
    let history = &args.history.flags;
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
        return Ok(load_one_replayed(place, &flags, history)?.0);
    }
    if here.is_file() {
        // A file from elsewhere is judged in the context of the repository's own Dockerfile.
        let absolute = here.canonicalize()?;
        flags.files = vec![absolute.to_string_lossy().into_owned()];
        flags.context.get_or_insert_with(|| ".".to_owned());
        let mut subject = load_one_replayed(place, &flags, history)?.0;
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
    let (subject, _) =
        load_one_replayed(&older, &flags, history).with_context(|| name.to_owned())?;
    Ok(subject)
}
