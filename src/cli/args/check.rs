//! Flags of `check`.

use super::{BuildFlags, SafetyArg};
use clap::Args;
use std::path::PathBuf;

/// `check`.
#[derive(Clone, Debug, Args)]
pub struct CheckArgs {
    /// Directories, whose Dockerfiles are found as for the other commands, and Dockerfiles; any number of both.
    #[arg(default_value = ".", value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// What is built, and how.
    #[command(flatten)]
    pub build: BuildFlags,
    /// In directories, look at the Dockerfiles too that discovery would leave alone.
    #[arg(long)]
    pub all: bool,
    /// `text`, `json`, `markdown`, `html` (a page), `sarif` (code scanning), `rdjson` (reviewdog), `gitlab` (Code Quality) or `github` (annotations of a workflow);
    /// `F=FILE` writes to a file; repeatable.
    #[arg(long, value_name = "F[=FILE]", default_value = "text")]
    pub format: Vec<String>,
    /// Exit 1 when there is a finding as bad as this: `severity=error|warning|note`.
    #[arg(long = "fail-on", value_name = "GATE")]
    pub fail_on: Vec<String>,
    /// Rules and what to read about them, in this run only.
    #[command(flatten)]
    pub rules: RuleFlags,
    /// Step costs, relative to each directory: what layers weigh.
    #[arg(long, value_name = "FILE", env = "CACHEPLAN_COSTS")]
    pub costs: Option<PathBuf>,
    /// Apply the fixes of this class and of stronger ones to the files.
    #[arg(long, conflicts_with = "reference")]
    pub write: bool,
    /// The weakest class of fix that `--write` applies.
    #[arg(long, value_enum, default_value_t = SafetyArg::Assumed)]
    pub safety: SafetyArg,
    /// Write what is found now to a file that `--baseline` reads, and report nothing.
    #[arg(long = "write-baseline", value_name = "FILE")]
    pub write_baseline: Option<PathBuf>,
    /// Name all rules, and what they find.
    #[arg(long = "list-rules")]
    pub list_rules: bool,
    /// Write to FILE instead of stdout.
    #[arg(short = 'o', long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// What is left out of the findings.
#[derive(Clone, Debug, Default, Args)]
pub struct RuleFlags {
    /// Leave out what this file holds; `check --write-baseline` makes one.
    #[arg(long, value_name = "FILE", env = "CACHEPLAN_BASELINE")]
    pub baseline: Option<PathBuf>,
    /// The day on which comments with `until=` are held against; without it `SOURCE_DATE_EPOCH`, else today.
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub today: Option<String>,
}
