//! The command line as types: clap derives parsing, help, completions and the man page from these.

use crate::context::IgnoreLookup;
use crate::context::digest::Release;
use crate::plan::Builder;
use crate::simulate::Policy;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

mod check;
mod compare;
mod jobs;
mod layers;
mod learning;
mod search;
mod trend;
mod two_builds;
pub use check::{CheckArgs, RuleFlags};
pub use compare::CompareArgs;
pub use jobs::JobFlags;
pub use layers::{DiskArg, LayersArgs, LayersFormat};
pub use learning::{CalibrateArgs, LearnFlags, RecordArgs};
pub use search::{RewriteArg, SearchFlags};
pub use trend::TrendArgs;
pub use two_builds::{AffectedArgs, ExplainArgs, PairFlags, VerifyArgs, WhatIfArgs};

/// Tells what a commit rebuilds in a container image, why and at what price, and finds the cheapest
/// Dockerfile that still builds the same image.
#[derive(Debug, Parser)]
#[command(name = "cacheplan", version, about, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Colour in text output.
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    pub color: Color,
    /// No progress and no notes on stderr; errors stay.
    #[arg(long, global = true)]
    pub quiet: bool,
    /// Where to keep what was computed (digests of unchanged files, what commits changed, answers of
    /// `replay`), or `none`. Without it `cacheplan` in the user's cache folder; never inside the
    /// analysed repository.
    #[arg(
        long = "cache-dir",
        global = true,
        value_name = "DIR|none",
        env = "CACHEPLAN_CACHE_DIR"
    )]
    pub cache_dir: Option<PathBuf>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// The whole advice: what commits rebuild, what that costs, and a better Dockerfile.
    Analyze(Box<AnalyzeArgs>),
    /// The best plan as a unified diff, as a file, or in place.
    Optimize(OptimizeArgs),
    /// The simulation itself, build by build.
    Replay(ReplayArgs),
    /// Benchmark Dockerfile variants over the same commits.
    Compare(CompareArgs),
    /// Seconds a build over the months, and which commits changed them.
    Trend(TrendArgs),
    /// The advisor's rules alone, without a history: for editors and hooks.
    Check(CheckArgs),
    /// The parsed Dockerfile and its step graph.
    Inspect(InspectArgs),
    /// What the builder would be sent.
    Context(ContextArgs),
    /// What each layer of the image adds, hides and holds twice, and what is pushed again.
    Layers(LayersArgs),
    /// Why each step would run again behind another build.
    Explain(ExplainArgs),
    /// Which targets' images change between two commits.
    Affected(AffectedArgs),
    /// What a change that nobody made yet would run again.
    WhatIf(WhatIfArgs),
    /// Compare the prediction, or a plan's image, with what a real builder makes.
    Verify(VerifyArgs),
    /// Learn step costs from the output of builds.
    Calibrate(CalibrateArgs),
    /// Run a build, with its own progress, and learn step costs from it.
    Record(RecordArgs),
    /// Completions for a shell, on stdout.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// The manual page, on stdout; with `--dir` a page for each command as well.
    Man {
        /// Write `cacheplan.1` and one `cacheplan-COMMAND.1` each into this folder.
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
}

/// Colour in text output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Where to look, and what the build is told.
#[derive(Clone, Debug, Args)]
pub struct Where {
    /// A directory in a git work tree, a git directory (bare too), or a plain folder.
    #[arg(default_value = ".")]
    pub path: PathBuf,
    /// What is built, and how.
    #[command(flatten)]
    pub build: BuildFlags,
}

/// What is built, and how.
#[derive(Clone, Debug, Args)]
pub struct BuildFlags {
    /// Dockerfile, relative to PATH; repeatable.
    #[arg(short = 'f', long = "file", value_name = "F")]
    pub files: Vec<String>,
    /// Build context, relative to PATH.
    #[arg(long, value_name = "DIR")]
    pub context: Option<String>,
    /// Stage to build.
    #[arg(long, value_name = "STAGE")]
    pub target: Option<String>,
    /// Build argument; repeatable.
    #[arg(long = "build-arg", value_name = "K=V")]
    pub build_args: Vec<String>,
    /// Named context: a folder, or docker-image://REFERENCE; repeatable.
    #[arg(long = "build-context", value_name = "NAME=VALUE")]
    pub build_contexts: Vec<String>,
    /// The network of RUN steps, as `docker build --network` has it; it is in their keys.
    #[arg(long, value_name = "MODE")]
    pub network: Option<String>,
    /// Platform of the result.
    #[arg(long, value_name = "P")]
    pub platform: Option<String>,
    /// Stages whose RUN, COPY and ADD run in every build whatever is stored, separated by commas;
    /// repeatable.
    #[arg(long = "no-cache-filter", value_name = "STAGE", value_delimiter = ',')]
    pub no_cache_filter: Vec<String>,
    /// Read Dockerfile and ignore file at this revision, without checkout.
    #[arg(long = "ref", value_name = "REV")]
    pub reference: Option<String>,
    /// Whose rules.
    #[arg(long = "builder-profile", value_enum, value_name = "P", default_value_t = BuilderProfile::Buildkit, env = "CACHEPLAN_BUILDER_PROFILE")]
    pub builder_profile: BuilderProfile,
}

impl BuilderProfile {
    /// Which ignore file applies.
    #[must_use]
    pub fn ignore_lookup(self) -> IgnoreLookup {
        match self {
            Self::Buildkit | Self::BuildkitOverlay2 | Self::Buildkit032 => IgnoreLookup::BuildKit,
            Self::Classic => IgnoreLookup::Classic,
            Self::Buildah => IgnoreLookup::Buildah,
        }
    }

    /// Whose content keys.
    #[must_use]
    pub fn release(self) -> Release {
        match self {
            Self::Buildkit032 => Release::V0_32,
            _ => Release::V0_25,
        }
    }

    /// Whose keys.
    #[must_use]
    pub fn builder(self) -> Builder {
        match self {
            Self::Buildkit => Builder::BUILDKIT,
            Self::BuildkitOverlay2 => Builder::BUILDKIT_OVERLAY2,
            Self::Buildkit032 => Builder::BUILDKIT_0_32,
            Self::Classic => Builder::CLASSIC,
            Self::Buildah => Builder::BUILDAH,
        }
    }

    /// For commands that look for better Dockerfiles: whether they can for this builder. Where every
    /// instruction is in the key of all that follow, the bounds of the search do not hold.
    ///
    /// # Errors
    /// When they cannot.
    pub fn simulated(self) -> anyhow::Result<()> {
        let builder = self.builder();
        if !builder.chained {
            return Ok(());
        }
        anyhow::bail!(
            "--builder-profile {}: better Dockerfiles are only looked for where BuildKit builds; replay knows this builder",
            builder.name
        )
    }
}

/// Which commits, which cache, which costs.
#[derive(Clone, Debug, Args)]
pub struct HistoryFlags {
    /// Replay the last N commits.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 500,
        env = "CACHEPLAN_HISTORY"
    )]
    pub history: usize,
    /// Replay the commits after REV.
    #[arg(long, value_name = "REV", conflicts_with = "range")]
    pub since: Option<String>,
    /// Replay the commits of A..B.
    #[arg(long, value_name = "A..B")]
    pub range: Option<String>,
    /// Which commits count as builds.
    #[arg(long, value_enum, default_value_t = WalkArg::FirstParent)]
    pub walk: WalkArg,
    /// Replay today's Dockerfile over all commits, or each commit's own.
    #[arg(long = "dockerfile-from", value_enum, default_value_t = DockerfileFrom::Frozen)]
    pub dockerfile_from: DockerfileFrom,
    /// What survives between builds: local, local:SIZE, previous, registry-max, registry-min, inline,
    /// gha, gha:SIZE or none.
    #[arg(
        long = "cache-policy",
        value_name = "P",
        default_value = "local",
        env = "CACHEPLAN_CACHE_POLICY"
    )]
    pub cache_policy: Policy,
    /// Whether the context holds `.git`, as a checkout does.
    #[arg(long = "dot-git", value_enum, default_value_t = DotGit::Present)]
    pub dot_git: DotGit,
    /// File modes of the replayed checkouts, octal. The same for all builds, so no verdict depends on it.
    #[arg(long, value_name = "NNN", default_value = "022", value_parser = octal)]
    pub umask: u32,
    /// A build arg that differs in every build (a commit id, a date); repeatable.
    #[arg(long = "volatile-arg", value_name = "NAME")]
    pub volatile_args: Vec<String>,
    /// The base image's content changed before that build; repeatable.
    #[arg(long = "base-change", value_name = "IMAGE@COMMIT")]
    pub base_changes: Vec<String>,
    /// Take it that a RUN with equal inputs makes equal files: what could only be told by running it is decided.
    /// For single steps, write `# cacheplan: reproducible` on the line above.
    #[arg(long = "assume-reproducible")]
    pub assume_reproducible: bool,
    /// Step costs, relative to PATH.
    #[arg(long, value_name = "FILE", env = "CACHEPLAN_COSTS")]
    pub costs: Option<PathBuf>,
    /// One more build of the work tree as it is, with what is not committed.
    #[arg(skip)]
    pub worktree: bool,
}

fn octal(text: &str) -> Result<u32, String> {
    let value = u32::from_str_radix(text, 8).map_err(|_| "write three octal digits".to_owned())?;
    if value > 0o777 {
        Err("write three octal digits".to_owned())
    } else {
        Ok(value)
    }
}

/// `analyze`.
#[derive(Clone, Debug, Args)]
pub struct AnalyzeArgs {
    /// Where to look, and what is built.
    #[command(flatten)]
    pub place: Where,
    /// Which commits, which cache, which costs.
    #[command(flatten)]
    pub history: HistoryFlags,
    /// What plans may do.
    #[command(flatten)]
    pub search: SearchFlags,
    /// What runner minutes are counted by.
    #[command(flatten)]
    pub jobs: JobFlags,
    /// What the rules leave out.
    #[command(flatten)]
    pub rules: RuleFlags,
    /// Compare with the Dockerfile at this revision on the same commits.
    #[arg(long, value_name = "REV")]
    pub base: Option<String>,
    /// `text`, `json`, `markdown`, `html` (a page), `sarif` (code scanning), `rdjson` (reviewdog), `gitlab` (Code Quality) or `github` (annotations of a workflow);
    /// `F=FILE` writes to a file; repeatable.
    #[arg(long, value_name = "F[=FILE]", default_value = "text")]
    pub format: Vec<String>,
    /// Exit 1 when this holds: `rebuild-cost+N%` (needs --base), `severity=error|warning|note`, or
    /// `context-size=SIZE` for a build context that is larger.
    #[arg(long = "fail-on", value_name = "GATE")]
    pub fail_on: Vec<String>,
    /// In text: all steps, assumptions and findings of every target, and the diff, instead of one screen.
    #[arg(long)]
    pub details: bool,
    /// Leave measured run times out.
    #[arg(long = "no-timing")]
    pub no_timing: bool,
    /// Write to FILE instead of stdout.
    #[arg(short = 'o', long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// `optimize`.
#[derive(Clone, Debug, Args)]
pub struct OptimizeArgs {
    /// Where to look, and what is built.
    #[command(flatten)]
    pub place: Where,
    /// Which commits, which cache, which costs.
    #[command(flatten)]
    pub history: HistoryFlags,
    /// What plans may do.
    #[command(flatten)]
    pub search: SearchFlags,
    /// What to print.
    #[arg(long, value_enum, default_value_t = OptimizeFormat::Diff)]
    pub format: OptimizeFormat,
    /// Change the Dockerfile in place.
    #[arg(long, conflicts_with = "reference")]
    pub write: bool,
    /// Write to FILE instead of stdout.
    #[arg(short = 'o', long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// `replay`.
#[derive(Clone, Debug, Args)]
pub struct ReplayArgs {
    /// Where to look, and what is built.
    #[command(flatten)]
    pub place: Where,
    /// Which commits, which cache, which costs.
    #[command(flatten)]
    pub history: HistoryFlags,
    /// One more build of the work tree as it is, with what is not committed.
    #[arg(long, conflicts_with_all = ["reference", "range"])]
    pub worktree: bool,
    /// What to print.
    #[arg(long, value_enum, default_value_t = ReplayFormat::Text)]
    pub format: ReplayFormat,
    /// Write to FILE instead of stdout.
    #[arg(short = 'o', long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// `inspect`.
#[derive(Clone, Debug, Args)]
pub struct InspectArgs {
    /// Where to look, and what is built.
    #[command(flatten)]
    pub place: Where,
    /// What to print.
    #[arg(long, value_enum, default_value_t = InspectFormat::Text)]
    pub format: InspectFormat,
    /// Add what each RUN reads and writes.
    #[arg(long)]
    pub footprints: bool,
    /// Write to FILE instead of stdout.
    #[arg(short = 'o', long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// `context`.
#[derive(Clone, Debug, Args)]
pub struct ContextArgs {
    /// Where to look, and what is built.
    #[command(flatten)]
    pub place: Where,
    /// What to print.
    #[arg(long, value_enum, default_value_t = ContextFormat::Text)]
    pub format: ContextFormat,
    /// List what is left out, and by which line.
    #[arg(long)]
    pub ignored: bool,
    /// Only what this step reads.
    #[arg(long, value_name = "ID")]
    pub step: Option<String>,
    /// Add the builder's own content keys of what each step takes.
    #[arg(long, value_enum, value_name = "BUILDER")]
    pub digests: Option<DigestsArg>,
    /// Name in front of the colon with `--format make-deps`, such as the stamp file that the rule
    /// makes. Without it the name of the stage that is built, or `image` where it has none.
    #[arg(long = "deps-target", value_name = "NAME")]
    pub deps_target: Option<String>,
    /// Write to FILE instead of stdout.
    #[arg(short = 'o', long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

macro_rules! choices {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }
    };
}

choices! {
    /// A builder.
    BuilderProfile {
        /// BuildKit 0.25 with the containerd image store.
        Buildkit,
        /// The same with the overlay2 graph driver, which ignores `--link`.
        #[value(name = "buildkit-overlay2")]
        BuildkitOverlay2,
        /// BuildKit 0.32.
        #[value(name = "buildkit-0.32")]
        Buildkit032,
        /// The builder of Docker before BuildKit.
        Classic,
        /// buildah and podman.
        Buildah,
    }
}
choices! {
    /// Which commits count as builds.
    WalkArg {
        /// The first-parent line.
        FirstParent,
        /// Every commit, in topological order.
        All,
    }
}
choices! {
    /// Whose Dockerfile is replayed.
    DockerfileFrom {
        /// Today's, over all commits.
        Frozen,
        /// Each commit's own.
        Each,
    }
}
choices! {
    /// Whether the context holds `.git`.
    DotGit {
        /// As in a checkout.
        Present,
        /// As in a git-URL context.
        Absent,
    }
}
choices! {
    /// What plans minimise.
    ObjectiveArg {
        /// Seconds summed over executed steps.
        Work,
        /// Seconds of the longest chain.
        CriticalPath,
    }
}
choices! {
    /// The weakest class of edit allowed.
    SafetyArg {
        /// The same image, always.
        Proven,
        /// The same image under named assumptions.
        Assumed,
        /// A person has to look.
        Review,
    }
}
choices! {
    /// What `optimize` prints.
    OptimizeFormat {
        /// A unified diff.
        Diff,
        /// The whole file.
        Dockerfile,
        /// The plans.
        Json,
    }
}
choices! {
    /// What `replay` prints.
    ReplayFormat {
        /// One line a build.
        Text,
        /// JSON Lines.
        Json,
    }
}
choices! {
    /// What `explain` and `what-if` print.
    ExplainFormat {
        /// The verdict, then every cause with what follows from it.
        Text,
        /// One document.
        Json,
        /// For a comment.
        Markdown,
    }
}
choices! {
    /// A builder that can be started.
    BuilderArg {
        /// `docker buildx build`.
        Docker,
        /// `buildah build`; it cannot count steps: for `verify --plan` only.
        Buildah,
    }
}
choices! {
    /// What `compare` prints.
    CompareFormat {
        /// A table.
        Text,
        /// One document.
        Json,
        /// Tables for a comment.
        Markdown,
        /// One page with a plot, for a browser.
        Html,
    }
}
choices! {
    /// What `inspect` prints.
    InspectFormat {
        /// One line a step.
        Text,
        /// One document.
        Json,
        /// The step graph.
        Dot,
    }
}
choices! {
    /// Whose content keys `context` adds.
    DigestsArg {
        /// BuildKit's.
        Buildkit,
    }
}
choices! {
    /// What `context` prints.
    ContextFormat {
        /// Largest folders and files first.
        Text,
        /// One document.
        Json,
        /// One path a line.
        Paths,
        /// A dependency file for make and ninja: the Dockerfile, the ignore file, and every file
        /// that a step of the target reads. Paths are as PATH is given; folders are not listed.
        MakeDeps,
    }
}
