//! The documents that reports render. `Analysis` is the JSON of `analyze`; every other format of it
//! is a view of the same value. Field names are the command-line contract's. Durations are seconds,
//! sizes bytes, byte offsets 0-based, lines and columns 1-based.

use super::comparison::{
    BuildRow, DifferenceRow, MeasuredPair, MeasuredVariant, ModelledPair, ModelledVariant,
};
use super::detail::Detail;
use super::findings::FindingRow;
use super::place::{Extent, Replacement};
use crate::source::SourceFile;
use serde::Serialize;
use std::collections::BTreeMap;

/// A diagnostic, as JSON.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct DiagnosticRow {
    /// `error`, `warning` or `note`.
    pub severity: &'static str,
    /// `area/kebab-name`.
    pub code: String,
    /// One sentence.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The file, where it is not the target's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// 1-based; absent where the file as a whole is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// 1-based, in characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// 1-based.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_line: Option<u32>,
    /// 1-based, in characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_column: Option<u32>,
    /// For the formats of other programs.
    #[serde(skip)]
    pub spot: Spot,
}

/// Where a diagnostic is, as other programs count, and what it is known by.
#[derive(Clone, Debug, Default)]
pub struct Spot {
    /// Nothing where the file as a whole is meant.
    pub at: Option<Extent>,
    /// Stays the same when lines move.
    pub fingerprint: String,
}

/// `cacheplan.analyze/1`.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Analysis {
    /// The schema's name.
    pub schema: &'static str,
    /// One per Dockerfile and target.
    pub targets: Vec<Target>,
    /// Files discovery saw and left alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_analysed: Vec<String>,
}

/// One analysed target, or one that failed: then it has `file` and `diagnostics` alone.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum Target {
    /// Analysed.
    Done(Box<TargetReport>),
    /// Not analysed.
    Failed(FailedTarget),
}

/// A target that could not be analysed.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct FailedTarget {
    /// The Dockerfile.
    pub file: String,
    /// Why.
    pub diagnostics: Vec<DiagnosticRow>,
}

/// An analysed target.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct TargetReport {
    /// The Dockerfile.
    pub file: String,
    /// The build context's folder.
    pub context: String,
    /// `--target`, if any.
    pub target: Option<String>,
    /// Where it was found.
    pub origin: String,
    /// Bytes of the build context that no ignore line takes out; only counted for the gate `context-size`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_bytes: Option<u64>,
    /// Which commits were replayed.
    pub history: History,
    /// The Dockerfile as it is.
    pub baseline: Baseline,
    /// With `--base`: the Dockerfile at that revision on the same commits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<BaseComparison>,
    /// What the runner minutes of baseline and plans are counted by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jobs: Option<JobSetting>,
    /// Seconds over the months.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trend: Option<Trend>,
    /// Its steps.
    pub steps: Vec<StepRow>,
    /// Better Dockerfiles; never empty.
    pub plans: Vec<PlanRow>,
    /// Findings of the advisor's rules.
    pub findings: Vec<FindingRow>,
    /// What is to be said about the files.
    pub diagnostics: Vec<DiagnosticRow>,
    /// Measured run time; absent with `--no-timing`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timing: Option<Timing>,
    /// The Dockerfile itself, for formats that show lines of it.
    #[serde(skip)]
    pub source: SourceFile,
    /// Seconds of work of every build that counts, oldest first.
    #[serde(skip)]
    pub course: Vec<f64>,
    /// What only some formats show.
    #[serde(skip)]
    pub detail: Option<Box<Detail>>,
}

/// Measured run time of the tool itself.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Timing {
    /// Seconds.
    pub total_s: f64,
}

/// The commits of a replay.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct History {
    /// Commits replayed.
    pub commits: usize,
    /// Builds counted: without the oldest, refused ones and commits without the Dockerfile.
    pub builds: usize,
    /// Oldest commit.
    pub from: String,
    /// Newest commit.
    pub to: String,
    /// Builds in which any step ran.
    pub builds_with_any_change: usize,
    /// Builds the builder would refuse.
    pub refused: usize,
    /// Commits without the Dockerfile.
    pub skipped: usize,
    /// The cache policy, as on the command line.
    pub policy: String,
}

/// Figures of a Dockerfile over the builds.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Baseline {
    /// Mean seconds of work a build.
    pub work_s_per_build: f64,
    /// The same with `maybe` as cached.
    pub work_s_per_build_min: f64,
    /// Mean seconds of the longest chain.
    pub critical_path_s_per_build: f64,
    /// Mean seconds on the clock, by how many steps may be at work at a time.
    pub wall_s_per_build: Wall,
    /// Seconds of a build with an empty cache.
    pub cold_s: f64,
    /// Estimated bytes that the target's stages add to their base images; a prior.
    pub image_bytes_estimate: Option<u64>,
    /// Mean bytes a build of layers that are made anew, before compression: pushed and pulled again. None where several
    /// Dockerfiles are compared.
    pub pushed_bytes_per_build: Option<f64>,
    /// Cached over cached, executed and maybe.
    pub hit_rate: f64,
    /// What that is in runner minutes; absent where it was not asked for or the history is shorter than a week.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jobs: Option<JobRow>,
}

/// Seconds on the clock, by how many steps may be at work at a time.
#[derive(Clone, Copy, Debug, Default, Serialize, schemars::JsonSchema)]
pub struct Wall {
    /// Two.
    #[serde(rename = "2")]
    pub two: f64,
    /// Four.
    #[serde(rename = "4")]
    pub four: f64,
    /// As many as are ready.
    pub unlimited: f64,
}

/// Runner minutes a month, and money.
#[derive(Clone, Copy, Debug, Serialize, schemars::JsonSchema)]
pub struct JobRow {
    /// With steps at their median, in a month as the mean of them.
    pub minutes_per_month: f64,
    /// All steps at the low end of their ranges in a quiet month, and all at the high end in a busy one.
    pub minutes_interval: [f64; 2],
    /// With steps at their median where no build finds a cache.
    pub minutes_per_month_cold: f64,
    /// Money a month; absent without a price.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub money_per_month: Option<f64>,
    /// Its interval, as that of the minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub money_interval: Option<[f64; 2]>,
}

/// What runner minutes are counted by.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct JobSetting {
    /// Mean builds a month.
    pub builds_per_month: f64,
    /// A quiet month and a busy one: the 10th and the 90th percentile.
    pub builds_per_month_interval: [f64; 2],
    /// Whole months of the history behind that; 0: the days of a shorter history, or what was given.
    pub months: usize,
    /// Steps that may be at work at a time.
    pub workers: u32,
    /// Seconds that a job takes beside its steps: those given, and those of `learned_s`.
    pub job_s: f64,
    /// Seconds of transfer, export and the like in it, as builds taught them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub learned_s: BTreeMap<&'static str, f64>,
    /// Share of builds that find the cache of the policy.
    pub cache_survives: f64,
    /// Seconds that each job is rounded up to.
    pub rounded_up_to_s: f64,
    /// What a minute costs; absent on free runners.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<PriceRow>,
}

/// What a minute costs.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct PriceRow {
    /// Money a minute.
    pub rate: f64,
    /// The currency, as given; empty where none was.
    pub currency: String,
    /// The runner of the table, and whose list it is from, with the month in which that was looked up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runner: Option<RunnerRow>,
}

/// A row of the table of runners.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct RunnerRow {
    /// Its name.
    pub name: &'static str,
    /// Whose list.
    pub source: &'static str,
    /// When that was looked up.
    pub dated: &'static str,
}

/// Seconds of work over the months of the history.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Trend {
    /// Months with builds, oldest first.
    pub months: Vec<TrendMonth>,
    /// Commits that changed the Dockerfile or the ignore file, oldest first.
    pub changes: Vec<TrendChange>,
    /// Older changes that were not looked at.
    pub changes_left_out: usize,
    /// Versions of these files in the history; 0 for a Dockerfile that stands in a compose or bake file, whose versions are not looked at.
    pub versions: usize,
}

/// One month.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct TrendMonth {
    /// `2026-03`, UTC.
    pub month: String,
    /// Builds of it that count.
    pub builds: usize,
    /// Mean seconds of work a build, each with the Dockerfile and the ignore file of its own commit.
    pub own_work_s_per_build: Option<f64>,
    /// Mean seconds of work a build with today's.
    pub work_s_per_build: Option<f64>,
    /// Mean seconds of work a build with the best plan.
    pub plan_work_s_per_build: Option<f64>,
}

/// A commit that changed the Dockerfile or the ignore file.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct TrendChange {
    /// The commit.
    pub commit: String,
    /// The day of it, UTC.
    pub date: String,
    /// The first line of its message.
    pub summary: String,
    /// Mean seconds of work a build with the files before it.
    pub before_s_per_build: f64,
    /// The same with the files behind it, on the same commits.
    pub after_s_per_build: f64,
    /// How many commits that are: those around it that can be built with both.
    pub builds: usize,
}

/// The Dockerfile of another revision on the same commits.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct BaseComparison {
    /// The revision, as given.
    pub rev: String,
    /// The commit it names.
    pub commit: String,
    /// Its figures, over the builds that both Dockerfiles can make.
    pub baseline: Baseline,
    /// Mean seconds of work a build of the present one over those builds.
    pub work_s_per_build: f64,
    /// `1 - present / base`: positive when the present Dockerfile is cheaper.
    pub saving: f64,
    /// 95 % bootstrap interval of the saving.
    pub interval: [f64; 2],
    /// Steps that the present Dockerfile makes dearer or cheaper, the largest difference first.
    pub steps: Vec<StepChange>,
}

/// A step that costs more or less than with the Dockerfile of the other revision.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct StepChange {
    /// `stage.instruction` in the present Dockerfile; null where it is gone.
    pub step: Option<String>,
    /// `stage.instruction` in the other; null where it is new.
    pub base_step: Option<String>,
    /// The builder's name of it.
    pub name: String,
    /// Its first line in the present Dockerfile.
    pub line: Option<u32>,
    /// Mean seconds a build with the other.
    pub before_s_per_build: f64,
    /// Mean seconds a build with the present one.
    pub after_s_per_build: f64,
    /// What is otherwise.
    pub why: String,
}

/// One step over all builds.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct StepRow {
    /// `stage.instruction`.
    pub id: String,
    /// The builder's name of it.
    pub name: String,
    /// First line.
    pub line: u32,
    /// Builds in which it runs.
    pub executed: usize,
    /// Builds in which it is cached.
    pub cached: usize,
    /// Builds in which only running can tell.
    pub maybe: usize,
    /// Executed and maybe over all builds.
    pub rate: f64,
    /// Wilson's 95 % interval of the rate.
    pub rate_interval: [f64; 2],
    /// Seconds when it runs.
    pub cost_s: f64,
    /// Mean seconds of its runs, with what cache mounts keep; `cost_s` where it never runs.
    #[serde(skip)]
    pub run_s: f64,
    /// Low and high end of the seconds when it runs.
    pub cost_interval: [f64; 2],
    /// `prior`, `learned` or `measured`.
    pub cost_source: &'static str,
    /// Builds in which it runs because of its own inputs or text.
    pub direct: usize,
    /// Builds in which it runs because a step before it ran.
    pub inherited: usize,
    /// Mean seconds a build that it takes, with what cache mounts keep; all steps' together are the baseline's work.
    pub work_s_per_build: f64,
    /// Mean seconds a build of all steps, itself among them, that run because of its own inputs or text.
    pub caused_s_per_build: f64,
    /// The steps whose own changes make it run in the builds in which it inherits that, most builds first.
    pub roots: Vec<RootRow>,
    /// What changed most, most often first.
    pub hot_paths: Vec<HotPath>,
}

/// A step whose changes make another one run.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct RootRow {
    /// `stage.instruction`.
    pub step: String,
    /// Builds.
    pub builds: usize,
    /// Mean seconds a build, over all builds, that the step takes for this reason.
    pub work_s_per_build: f64,
}

/// A path behind invalidations.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct HotPath {
    /// A file, or a folder with `/` at its end.
    pub path: String,
    /// Builds.
    pub builds: usize,
}

/// One plan.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct PlanRow {
    /// `proven`, `assumed` or `review`.
    pub safety: &'static str,
    /// Mean seconds of work a build.
    pub work_s_per_build: f64,
    /// Mean seconds of the longest chain.
    pub critical_path_s_per_build: f64,
    /// Mean seconds on the clock, by how many steps may be at work at a time.
    pub wall_s_per_build: Wall,
    /// What that is in runner minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jobs: Option<JobRow>,
    /// Seconds of a build with an empty cache.
    pub cold_s: f64,
    /// Bytes of the image above its base image, an estimate: files of the context, and what the costs file says of RUNs.
    pub image_bytes_estimate: Option<u64>,
    /// Mean bytes a build of layers that are made anew, before compression: pushed and pulled again.
    pub pushed_bytes_per_build: Option<f64>,
    /// `1 - plan / baseline` by the objective.
    pub saving: f64,
    /// The same on the newer 30 % of the builds, for the plan chosen on the older 70 %.
    pub held_out_saving: Option<f64>,
    /// No plan with the allowed rewrites costs less; the objective's unit.
    pub bound_s: f64,
    /// No order with these footprints and these edits costs less.
    pub optimal: bool,
    /// What was done.
    pub edits: Vec<EditRow>,
    /// What the plan rests on.
    pub assumptions: Vec<String>,
    /// For every pair of instructions that changed places, why they commute.
    pub certificate: Vec<ProofRow>,
    /// The whole new text.
    pub dockerfile: String,
    /// The whole new ignore file, when the plan changes it.
    pub dockerignore: Option<String>,
    /// The ignore file's name, when the plan changes it.
    pub dockerignore_file: Option<String>,
    /// Unified diff.
    pub diff: String,
    /// The class that the search was allowed.
    #[serde(skip)]
    pub allowed: &'static str,
    /// The change for the formats of other programs.
    #[serde(skip)]
    pub changes: PlanChanges,
}

/// What a plan changes, as other programs count.
#[derive(Clone, Debug, Default)]
pub struct PlanChanges {
    /// The first change in the Dockerfile; nothing where that is part of another file.
    pub at: Option<Extent>,
    /// File by file, the Dockerfile first; empty where it can't be said in text.
    pub files: Vec<FileChange>,
    /// All of it in one, where it changes the Dockerfile alone and is short.
    pub joined: Option<Replacement>,
}

/// Edits of one file.
#[derive(Clone, Debug)]
pub struct FileChange {
    /// The file.
    pub file: String,
    /// In order; they do not touch.
    pub edits: Vec<Replacement>,
}

/// Two instructions that changed places, and why the image is the same.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct ProofRow {
    /// Line in the original of the one that stood first; null for an instruction that the plan adds.
    pub first: Option<u32>,
    /// Line of the one that stands first now.
    pub second: Option<u32>,
    /// `proven` or `assumed`.
    pub safety: &'static str,
    /// Which sets have nothing in common.
    pub because: String,
    /// What it rests on where it is not proven.
    pub assumptions: Vec<String>,
}

/// One edit of a plan.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct EditRow {
    /// Name of the rewrite.
    pub rewrite: &'static str,
    /// What it promises.
    pub safety: &'static str,
    /// First line in the original.
    pub line: u32,
    /// Last line in the original.
    pub end_line: u32,
    /// Why.
    pub why: String,
    /// What it rests on.
    pub assumptions: Vec<String>,
}

/// `cacheplan.optimize/1`.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Optimized {
    /// The schema's name.
    pub schema: &'static str,
    /// One per target.
    pub targets: Vec<OptimizedTarget>,
}

/// One target of `optimize`.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum OptimizedTarget {
    /// Searched.
    Done {
        /// The Dockerfile.
        file: String,
        /// As it is.
        baseline: Baseline,
        /// The plans.
        plans: Vec<PlanRow>,
    },
    /// Not searched.
    Failed(FailedTarget),
}

/// `cacheplan.compare/1`.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Comparison {
    /// The schema's name.
    pub schema: &'static str,
    /// The variants in the order given.
    pub variants: Vec<Variant>,
    /// Every pair of them.
    pub pairs: Vec<Pair>,
    /// Builds counted for all of them.
    pub builds: usize,
    /// The cache policy, as on the command line; several with commas.
    pub policy: String,
    /// Those builds, oldest first, with the seconds of each variant.
    pub per_build: Vec<BuildRow>,
}

/// A Dockerfile under a cache policy.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Variant {
    /// The Dockerfile as given; with several policies ` · ` and the policy behind it.
    pub name: String,
    /// The Dockerfile, as given.
    pub file: String,
    /// The cache policy it was replayed under.
    pub policy: String,
    /// Its figures.
    #[serde(flatten)]
    pub figures: Baseline,
    /// How many of its steps have seconds from where: `prior`, `learned`, `measured`.
    pub cost_sources: BTreeMap<&'static str, usize>,
    /// Builds of it that a real builder made; absent where none was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measured: Option<MeasuredVariant>,
    /// What the model says of those very builds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modelled_beside: Option<ModelledVariant>,
}

/// Two variants on the same builds.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Pair {
    /// The first.
    pub a: String,
    /// The second.
    pub b: String,
    /// `1 - b / a`.
    pub saving: f64,
    /// 95 % bootstrap interval of the saving.
    pub interval: [f64; 2],
    /// Builds in which `b` is cheaper.
    pub wins: usize,
    /// Builds in which `b` is dearer.
    pub losses: usize,
    /// Builds in which both cost the same.
    pub ties: usize,
    /// Those builds that differ, the ones that differ by the same steps in one row; what makes the largest difference in all of its builds first.
    pub differing: Vec<DifferenceRow>,
    /// Builds that differ and are in none of these rows.
    pub differing_left_out: usize,
    /// Builds made with both; absent where no builder was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measured: Option<MeasuredPair>,
    /// What the model says of those very builds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modelled_beside: Option<ModelledPair>,
}
