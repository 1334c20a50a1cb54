//! The documents that reports render. `Analysis` is the JSON of `analyze`; every other format of it
//! is a view of the same value. Field names are the command-line contract's. Durations are seconds,
//! sizes bytes, byte offsets 0-based, lines and columns 1-based.

use serde::Serialize;

/// A diagnostic, as JSON.
#[derive(Clone, Debug, Serialize)]
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
}

/// `cacheplan.analyze/1`.
#[derive(Clone, Debug, Serialize)]
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
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Target {
    /// Analysed.
    Done(Box<TargetReport>),
    /// Not analysed.
    Failed(FailedTarget),
}

/// A target that could not be analysed.
#[derive(Clone, Debug, Serialize)]
pub struct FailedTarget {
    /// The Dockerfile.
    pub file: String,
    /// Why.
    pub diagnostics: Vec<DiagnosticRow>,
}

/// An analysed target.
#[derive(Clone, Debug, Serialize)]
pub struct TargetReport {
    /// The Dockerfile.
    pub file: String,
    /// The build context's folder.
    pub context: String,
    /// `--target`, if any.
    pub target: Option<String>,
    /// Where it was found.
    pub origin: String,
    /// Which commits were replayed.
    pub history: History,
    /// The Dockerfile as it is.
    pub baseline: Baseline,
    /// With `--base`: the Dockerfile at that revision on the same commits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<BaseComparison>,
    /// Its steps.
    pub steps: Vec<StepRow>,
    /// Better Dockerfiles; never empty.
    pub plans: Vec<PlanRow>,
    /// Findings of the advisor rules (none are written yet).
    pub findings: Vec<Finding>,
    /// What is to be said about the files.
    pub diagnostics: Vec<DiagnosticRow>,
    /// Measured run time; absent with `--no-timing`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timing: Option<Timing>,
}

/// A finding of a rule. No rule is written yet, so there is no value of this type.
#[derive(Clone, Debug, Serialize)]
pub enum Finding {}

/// Measured run time of the tool itself.
#[derive(Clone, Debug, Serialize)]
pub struct Timing {
    /// Seconds.
    pub total_s: f64,
}

/// The commits of a replay.
#[derive(Clone, Debug, Serialize)]
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
#[derive(Clone, Debug, Serialize)]
pub struct Baseline {
    /// Mean seconds of work a build.
    pub work_s_per_build: f64,
    /// The same with `maybe` as cached.
    pub work_s_per_build_min: f64,
    /// Mean seconds of the longest chain.
    pub critical_path_s_per_build: f64,
    /// Seconds of a build with an empty cache.
    pub cold_s: f64,
    /// Estimated bytes that the target's stages add to their base images; a prior.
    pub image_bytes_estimate: Option<u64>,
    /// Mean bytes a build of layers that are made anew, before compression: pushed and pulled again. None where several
    /// Dockerfiles are compared.
    pub pushed_bytes_per_build: Option<f64>,
    /// Cached over cached, executed and maybe.
    pub hit_rate: f64,
}

/// The Dockerfile of another revision on the same commits.
#[derive(Clone, Debug, Serialize)]
pub struct BaseComparison {
    /// The revision, as given.
    pub rev: String,
    /// The commit it names.
    pub commit: String,
    /// Its figures.
    pub baseline: Baseline,
    /// `1 - present / base`: positive when the present Dockerfile is cheaper.
    pub saving: f64,
    /// 95 % bootstrap interval of the saving.
    pub interval: [f64; 2],
}

/// One step over all builds.
#[derive(Clone, Debug, Serialize)]
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
    /// Low and high end of those seconds.
    pub cost_interval: [f64; 2],
    /// `prior`, `learned` or `measured`.
    pub cost_source: &'static str,
    /// Builds in which it runs because of its own inputs or text.
    pub direct: usize,
    /// Builds in which it runs because a step before it ran.
    pub inherited: usize,
    /// What changed most, most often first.
    pub hot_paths: Vec<HotPath>,
}

/// A path behind invalidations.
#[derive(Clone, Debug, Serialize)]
pub struct HotPath {
    /// A file, or a folder with `/` at its end.
    pub path: String,
    /// Builds.
    pub builds: usize,
}

/// One plan.
#[derive(Clone, Debug, Serialize)]
pub struct PlanRow {
    /// `proven`, `assumed` or `review`.
    pub safety: &'static str,
    /// Mean seconds of work a build.
    pub work_s_per_build: f64,
    /// Mean seconds of the longest chain.
    pub critical_path_s_per_build: f64,
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
}

/// Two instructions that changed places, and why the image is the same.
#[derive(Clone, Debug, Serialize)]
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
#[derive(Clone, Debug, Serialize)]
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
#[derive(Clone, Debug, Serialize)]
pub struct Optimized {
    /// The schema's name.
    pub schema: &'static str,
    /// One per target.
    pub targets: Vec<OptimizedTarget>,
}

/// One target of `optimize`.
#[derive(Clone, Debug, Serialize)]
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
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// The schema's name.
    pub schema: &'static str,
    /// The variants in the order given.
    pub variants: Vec<Variant>,
    /// Every pair of them.
    pub pairs: Vec<Pair>,
    /// Builds counted for all of them.
    pub builds: usize,
    /// The cache policy, as on the command line.
    pub policy: String,
}

/// One Dockerfile variant.
#[derive(Clone, Debug, Serialize)]
pub struct Variant {
    /// As given.
    pub name: String,
    /// Its figures.
    #[serde(flatten)]
    pub figures: Baseline,
}

/// Two variants on the same builds.
#[derive(Clone, Debug, Serialize)]
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
}
