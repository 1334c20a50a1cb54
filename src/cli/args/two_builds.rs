//! Arguments of the commands that look at two builds, and of `verify`.

use super::{
    BuilderArg, DockerfileFrom, DotGit, ExplainFormat, HistoryFlags, ReplayFormat, SearchFlags,
    Where,
};
use clap::Args;
use std::path::PathBuf;

/// What two builds behind each other are told.
#[derive(Clone, Debug, Args)]
pub struct PairFlags {
    /// Whether the context holds `.git`, as a checkout does.
    #[arg(long = "dot-git", value_enum, default_value_t = DotGit::Present)]
    pub dot_git: DotGit,
    /// A build arg that differs in every build (a commit id, a date); repeatable.
    #[arg(long = "volatile-arg", value_name = "NAME")]
    pub volatile_args: Vec<String>,
    /// Step costs, relative to PATH.
    #[arg(long, value_name = "FILE", env = "CACHEPLAN_COSTS")]
    pub costs: Option<PathBuf>,
}

/// `explain`.
#[derive(Clone, Debug, Args)]
pub struct ExplainArgs {
    /// Where to look, and what is built.
    #[command(flatten)]
    pub place: Where,
    /// The build whose results the cache holds, and nothing else.
    #[arg(long, value_name = "REV")]
    pub from: String,
    /// The build that is explained: a revision, or `worktree`. Without it the work tree where a build
    /// of it differs from one of HEAD, else HEAD.
    #[arg(long, value_name = "REV|worktree", conflicts_with = "reference")]
    pub to: Option<String>,
    /// Only this step.
    #[arg(long, value_name = "ID")]
    pub step: Option<String>,
    /// Output of the real build of --to (`--progress=plain` or `rawjson`), to tell what should have hit.
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
    /// Each build's own Dockerfile and ignore file, or those of --to for both.
    #[arg(long = "dockerfile-from", value_enum, default_value_t = DockerfileFrom::Each)]
    pub dockerfile_from: DockerfileFrom,
    /// The base image's content changed between the two; repeatable.
    #[arg(long = "base-change", value_name = "IMAGE")]
    pub base_changes: Vec<String>,
    /// What both builds are told.
    #[command(flatten)]
    pub pair: PairFlags,
    /// What to print.
    #[arg(long, value_enum, default_value_t = ExplainFormat::Text)]
    pub format: ExplainFormat,
    /// Write to FILE instead of stdout.
    #[arg(short = 'o', long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// `affected`.
#[derive(Clone, Debug, Args)]
pub struct AffectedArgs {
    /// Where to look, and what is built.
    #[command(flatten)]
    pub place: Where,
    /// The commit before.
    #[arg(long, value_name = "REV")]
    pub from: String,
    /// The commit after, or `worktree`. Without it the work tree where a build of it differs from one
    /// of HEAD, else HEAD.
    #[arg(long, value_name = "REV|worktree", conflicts_with = "reference")]
    pub to: Option<String>,
    /// Each build's own Dockerfile and ignore file, or those of --to for both.
    #[arg(long = "dockerfile-from", value_enum, default_value_t = DockerfileFrom::Each)]
    pub dockerfile_from: DockerfileFrom,
    /// The base image's content changed between the two; repeatable.
    #[arg(long = "base-change", value_name = "IMAGE")]
    pub base_changes: Vec<String>,
    /// What both builds are told.
    #[command(flatten)]
    pub pair: PairFlags,
    /// What to print.
    #[arg(long, value_enum, default_value_t = ReplayFormat::Text)]
    pub format: ReplayFormat,
    /// Write to FILE instead of stdout.
    #[arg(short = 'o', long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// `what-if`.
#[derive(Clone, Debug, Args)]
pub struct WhatIfArgs {
    /// Where to look, and what is built. `--build-arg` is part of the change here.
    #[command(flatten)]
    pub place: Where,
    /// A file changes: its path relative to PATH, a glob, or a folder for all that is in it. A path
    /// that is not there is a new file; repeatable.
    #[arg(long, value_name = "P")]
    pub touch: Vec<String>,
    /// The content of a base image changes; repeatable.
    #[arg(long = "base-change", value_name = "IMAGE")]
    pub base_changes: Vec<String>,
    /// A build arg that today's build has already; repeatable.
    #[arg(long = "given-build-arg", value_name = "K=V")]
    pub given: Vec<String>,
    /// Only this step.
    #[arg(long, value_name = "ID")]
    pub step: Option<String>,
    /// What both builds are told.
    #[command(flatten)]
    pub pair: PairFlags,
    /// What to print.
    #[arg(long, value_enum, default_value_t = ExplainFormat::Text)]
    pub format: ExplainFormat,
    /// Write to FILE instead of stdout.
    #[arg(short = 'o', long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// `verify`.
#[derive(Clone, Debug, Args)]
pub struct VerifyArgs {
    /// Where to look, and what is built.
    #[command(flatten)]
    pub place: Where,
    /// Build the last N commits and compare each step with the prediction.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub prediction: Option<u32>,
    /// Build the Dockerfile as it is and as `optimize` would have it, and compare the images.
    #[arg(long)]
    pub plan: bool,
    /// For --plan: build the work tree's files as they are instead of those of the newest commit.
    #[arg(long, requires = "plan", conflicts_with_all = ["reference", "range"])]
    pub worktree: bool,
    /// Which builder to start.
    #[arg(long, value_enum, default_value_t = BuilderArg::Docker)]
    pub builder: BuilderArg,
    /// The builder's cache is empty: the first build is compared too, and nothing is put down to what
    /// other builds left behind.
    #[arg(long = "empty-cache", requires = "prediction")]
    pub empty_cache: bool,
    /// Go on behind a build that the builder fails or that takes too long.
    #[arg(long = "keep-going", requires = "prediction")]
    pub keep_going: bool,
    /// Seconds that one build may take.
    #[arg(long, value_name = "SECONDS", default_value_t = 1800, value_parser = clap::value_parser!(u64).range(1..))]
    pub timeout: u64,
    /// Which commits and which cache the plan is made for. --walk, --dockerfile-from, --dot-git, --umask and
    /// --volatile-arg count for --prediction too.
    #[command(flatten)]
    pub history: HistoryFlags,
    /// What plans may do.
    #[command(flatten)]
    pub search: SearchFlags,
    /// What to print.
    #[arg(long, value_enum, default_value_t = ReplayFormat::Text)]
    pub format: ReplayFormat,
    /// Write to FILE instead of stdout.
    #[arg(short = 'o', long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Flags for the builder, such as --network=none, behind `--`.
    #[arg(last = true, value_name = "BUILDER FLAG")]
    pub builder_flags: Vec<String>,
}
