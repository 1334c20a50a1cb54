//! `compare --measure`: the last commits built with every variant, and what that took beside what the model says.

use super::saving;
use crate::cli::args::{Cli, CompareArgs, DotGit};
use crate::cli::subject::{Place, Subject};
use crate::cli::timeline::{Builds, Replayed, epochs, replay_epochs};
use crate::cli::verify::{Told, build_flags, cache_flags, gone, write_build};
use crate::cli::{Done, output, worktree};
use crate::cost::CostTable;
use crate::plan::Input;
use crate::report::bootstrap::saving_interval;
use crate::report::comparison::{
    MeasuredBuild, MeasuredPair, MeasuredStep, MeasuredVariant, ModelledPair, ModelledVariant,
    Spread,
};
use crate::report::model::Comparison;
use crate::report::number::{count, seconds};
use crate::report::wording::stage_and_instruction;
use crate::simulate::Verdict;
use crate::verify::{
    Apart, Bases, Docker, Request, Series, Stopped, Store, Timed, check_out, measure,
};
use anyhow::{Context as _, Result};
use std::any::Any;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What all variants have in common.
pub struct Setting<'a> {
    pub cli: &'a Cli,
    pub args: &'a CompareArgs,
    pub place: &'a Place,
    pub builds: &'a Builds,
    pub costs: &'a CostTable,
}

/// The builds of one variant, measured, with the model's word on each.
struct Course {
    timed: Vec<Timed>,
    modelled: Vec<f64>,
}

impl Course {
    /// Places of the builds that came to their end, oldest first; the first of them met the empty cache.
    fn good(&self) -> Vec<usize> {
        let all = 0..self.timed.len();
        all.filter(|i| self.timed[*i].failed.is_none()).collect()
    }
}

fn work(timed: &Timed) -> f64 {
    // The sum of nothing is -0.
    timed.ran.iter().map(|(_, s)| s).sum::<f64>() + 0.0
}

/// Builds the last `n` commits of every variant in turn. What was measured until the builder failed is kept.
///
/// # Errors
/// When a commit can't be checked out or replayed.
pub fn run(
    setting: &Setting<'_>,
    n: u32,
    subjects: &[Subject],
    comparison: &mut Comparison,
) -> Result<Done> {
    let builder: &dyn Store = &Docker;
    let version = match builder.version() {
        Ok(version) => version,
        Err(error) => return Ok(gone(&error)),
    };
    let temp = tempfile::Builder::new()
        .prefix("cacheplan-compare-")
        .tempdir()
        .context("cannot make a temporary folder")?;
    let from = setting.builds.log.len().saturating_sub(n as usize);
    let mut courses: Vec<Option<Course>> = Vec::new();
    let mut done = Done::Fine;
    for (i, subject) in subjects.iter().enumerate() {
        let name = comparison.variants[i].name.clone();
        let folder = temp.path().join(i.to_string());
        std::fs::create_dir(&folder).context("cannot make a temporary folder")?;
        let replayed = from_empty(setting, subject, from)?;
        let commits = Commits {
            setting,
            subject,
            replayed: &replayed,
            from,
            mark: mark(&folder),
            folder: &folder,
        };
        let mut course = Course {
            timed: Vec::new(),
            modelled: Vec::new(),
        };
        let ended = one(builder, &commits, &name, &mut course);
        let apart = match ended {
            Ok(apart) => apart,
            Err(Stopped::Series(error)) => return Err(error),
            Err(Stopped::Builder(error)) => {
                output::say(&format!("note: while measuring {name}"));
                done = gone(&error);
                break;
            }
        };
        if course.good().is_empty() {
            let failed = course.timed.iter().find_map(|t| t.failed.clone());
            let why = failed.unwrap_or_else(|| "there is nothing to build".to_owned());
            output::say(&format!("error: no build of {name} came to its end: {why}"));
            done = Done::BuilderFailed;
        }
        let variant = &mut comparison.variants[i];
        variant.measured = Some(row(&commits, &course, &version, apart));
        variant.modelled_beside = Some(modelled(&course));
        courses.push(Some(course));
    }
    courses.resize_with(subjects.len(), || None);
    let mut pairs = comparison.pairs.iter_mut();
    for i in 0..subjects.len() {
        for j in i + 1..subjects.len() {
            let Some(pair) = pairs.next() else { break };
            if let (Some(a), Some(b)) = (&courses[i], &courses[j])
                && let Some((measured, beside)) = paired(a, b)
            {
                pair.measured = Some(measured);
                pair.modelled_beside = Some(beside);
            }
        }
    }
    Ok(done)
}

/// A word of its own for a variant in this run.
fn mark(folder: &Path) -> String {
    let name = format!("{}:{}", std::process::id(), folder.display());
    format!("m{}", &blake3::hash(name.as_bytes()).to_hex()[..16])
}

/// The commits from a build on, as a builder with an empty cache would make them.
fn from_empty(setting: &Setting<'_>, subject: &Subject, from: usize) -> Result<Replayed> {
    let (place, builds, costs) = (setting.place, setting.builds, setting.costs);
    let flags = &setting.args.history.flags;
    let mut epochs = epochs(place, flags, builds, subject)?;
    epochs.timeline[..from].fill(None);
    replay_epochs(place, flags, builds, subject, costs, epochs)
}

/// Measures one variant; says whether all of its steps were kept apart.
fn one(
    builder: &dyn Store,
    commits: &Commits<'_>,
    name: &str,
    course: &mut Course,
) -> Result<bool, Stopped<anyhow::Error>> {
    let Setting { cli, args, .. } = *commits.setting;
    let subject = commits.subject;
    write_build(subject, &commits.frozen(), subject.source.bytes(), &[])
        .map_err(Stopped::Series)?;
    let images = images(subject);
    let timeout = Duration::from_secs(args.timeout);
    let bases = Bases {
        images: &images,
        mark: &commits.mark,
        flags: &args.builder_flags,
        temp: commits.folder,
        timeout,
        one_platform: one_platform(subject),
    };
    let fetched = count(images.len(), "base image");
    output::note(cli, &format!("{name}: fetching {fetched}"));
    let apart = Apart::new(builder, &bases).map_err(Stopped::Builder)?;
    let of = commits.builds();
    let mut each = |timed: Timed| {
        let at = commits.from + timed.build;
        let id = commits.setting.builds.log.commits[at].id.to_string();
        let what = match &timed.failed {
            Some(why) => format!("failed: {why}"),
            None => format!(
                "{} ran for {}, {} by the clock",
                count(timed.ran.len(), "step"),
                seconds(work(&timed)),
                seconds(timed.wall_s)
            ),
        };
        let n = timed.build + 1;
        output::note(
            cli,
            &format!("{name}: build {n} of {of}, {}: {what}", &id[..10]),
        );
        course.modelled.push(commits.replayed.costs[at].work_s);
        course.timed.push(timed);
    };
    measure(&apart, commits, timeout, &mut each)?;
    Ok(apart.complete)
}

/// The images that steps stand on or copy from.
fn images(subject: &Subject) -> Vec<String> {
    let plan = &subject.plan;
    let inputs = plan.order.iter().flat_map(|n| &plan.graph[*n].inputs);
    let names = inputs.filter_map(|i| match i {
        Input::Image(name) => Some(name.clone()),
        _ => None,
    });
    let all: BTreeSet<String> = names.collect();
    all.into_iter().collect()
}

fn one_platform(subject: &Subject) -> bool {
    let mut named = subject
        .plan
        .stages
        .iter()
        .filter_map(|s| s.platform.as_ref());
    named.all(|p| *p == subject.options.platform)
}

struct Commits<'a> {
    setting: &'a Setting<'a>,
    subject: &'a Subject,
    replayed: &'a Replayed,
    /// The first build that is made.
    from: usize,
    mark: String,
    folder: &'a Path,
}

impl Commits<'_> {
    fn frozen(&self) -> PathBuf {
        self.folder.join("frozen")
    }

    /// Steps that the model runs, by their texts, and that were found in the cache.
    fn found_cached(&self, timed: &Timed) -> usize {
        let outcome = &self.replayed.outcome.builds[self.from + timed.build];
        let Some(p) = outcome.plan else {
            return 0;
        };
        let plan = &self.replayed.plans[p];
        let ran: Vec<&str> = timed
            .ran
            .iter()
            .map(|(name, _)| stage_and_instruction(name).1)
            .collect();
        let steps = plan.order.iter().zip(&outcome.verdicts).enumerate();
        steps
            .filter(|(i, (node, verdict))| {
                let text = stage_and_instruction(&plan.graph[**node].name).1;
                **verdict == Verdict::Executed
                    && outcome.is_first(*i)
                    && timed.cached.iter().any(|c| c == text)
                    && !ran.contains(&text)
            })
            .count()
    }
}

impl Series for Commits<'_> {
    type Error = anyhow::Error;

    fn builds(&self) -> usize {
        self.setting.builds.log.len() - self.from
    }

    fn prepare(&self, build: usize) -> Result<Option<(Request, Box<dyn Any>)>> {
        let at = self.from + build;
        let outcome = &self.replayed.outcome.builds[at];
        if outcome.plan.is_none() || outcome.fails.is_some() {
            return Ok(None);
        }
        let commit = self.setting.builds.log.commits[at].id;
        let folder = tempfile::Builder::new()
            .prefix("build-")
            .tempdir_in(self.folder)
            .context("cannot make a temporary folder")?;
        // A builder knows a context again by its folder's name.
        let tag = format!("{}-{build}", self.mark);
        let tree = folder.path().join(&tag);
        let flags = &self.setting.args.history.flags;
        let prefix = &self.subject.context_prefix;
        let needed = |path: &[u8]| path.starts_with(prefix.as_bytes());
        let dot_git = flags.dot_git == DotGit::Present;
        let repository = self.setting.place.repository()?;
        check_out(repository, commit, &tree, flags.umask, dot_git, &needed)?;
        let told = Told {
            more: &self.setting.args.builder_flags,
            ..Told::default()
        };
        let mut told = build_flags(told, self.subject, &tag);
        told.extend(cache_flags(self.subject));
        let request = Request {
            context: match prefix.as_str() {
                "" => tree,
                prefix => tree.join(prefix),
            },
            dockerfile: self.frozen().join("Dockerfile"),
            flags: told,
            ..Request::default()
        };
        Ok(Some((request, Box::new(folder))))
    }
}

fn row(commits: &Commits<'_>, course: &Course, version: &str, apart: bool) -> MeasuredVariant {
    let good = course.good();
    let warm = good.get(1..).unwrap_or_default();
    let of =
        |f: fn(&Timed) -> f64| -> Vec<f64> { warm.iter().map(|i| f(&course.timed[*i])).collect() };
    let cold = good.first().map(|i| &course.timed[*i]);
    let build = |t: &Timed| MeasuredBuild {
        commit: worktree::name(commits.setting.builds.log.commits[commits.from + t.build].id),
        work_s: work(t),
        wall_s: t.wall_s,
        failed: t.failed.clone(),
        steps: t
            .ran
            .iter()
            .map(|(name, seconds)| MeasuredStep {
                name: name.clone(),
                seconds: *seconds,
            })
            .collect(),
    };
    MeasuredVariant {
        builder: version.to_owned(),
        apart: match apart {
            true => "all steps",
            false => "RUN steps",
        },
        found_cached: course.timed.iter().map(|t| commits.found_cached(t)).sum(),
        builds: warm.len(),
        work_s: Spread::of(&of(work)),
        wall_s: Spread::of(&of(|t| t.wall_s)),
        cold_s: cold.map(work),
        cold_wall_s: cold.map(|t| t.wall_s),
        per_build: course.timed.iter().map(build).collect(),
    }
}

fn modelled(course: &Course) -> ModelledVariant {
    let good = course.good();
    let warm = good.get(1..).unwrap_or_default();
    let values: Vec<f64> = warm.iter().map(|i| course.modelled[*i]).collect();
    ModelledVariant {
        work_s: Spread::of(&values),
        cold_s: good.first().map(|i| course.modelled[*i]),
        per_build: course.modelled.clone(),
    }
}

/// Builds that both came to the end of, without each one's first; none where there is no such build.
fn paired(a: &Course, b: &Course) -> Option<(MeasuredPair, ModelledPair)> {
    let warm = |c: &Course| -> Vec<usize> { c.good().into_iter().skip(1).collect() };
    let at = |c: &Course, build: usize| c.timed.iter().position(|t| t.build == build);
    let (of_a, of_b) = (warm(a), warm(b));
    let both: Vec<(usize, usize)> = of_a
        .iter()
        .filter_map(|i| Some((*i, at(b, a.timed[*i].build)?)))
        .filter(|(_, j)| of_b.contains(j))
        .collect();
    if both.is_empty() {
        return None;
    }
    let of = |f: &dyn Fn(&Course, usize) -> f64| {
        let x: Vec<f64> = both.iter().map(|(i, _)| f(a, *i)).collect();
        let y: Vec<f64> = both.iter().map(|(_, j)| f(b, *j)).collect();
        (saving(&x, &y), saving_interval(&x, &y))
    };
    let (by_steps, interval) = of(&|c, i| work(&c.timed[i]));
    let (by_clock, wall_interval) = of(&|c, i| c.timed[i].wall_s);
    let (by_model, modelled_interval) = of(&|c, i| c.modelled[i]);
    let measured = MeasuredPair {
        builds: both.len(),
        saving: by_steps,
        interval,
        wall_saving: by_clock,
        wall_interval,
    };
    let beside = ModelledPair {
        saving: by_model,
        interval: modelled_interval,
    };
    Some((measured, beside))
}
