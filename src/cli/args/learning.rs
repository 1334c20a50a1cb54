//! Flags of `calibrate` and `record`.

use super::ReplayFormat;
use clap::Args;
use std::path::PathBuf;

/// `calibrate`.
#[derive(Clone, Debug, Args)]
pub struct CalibrateArgs {
    /// Output of builds, in the order in which they ran: `--progress=rawjson` or `plain`, with or without a CI system's time stamps,
    /// records (`docker buildx history export`), OpenTelemetry traces; for sizes `docker history --no-trunc --format json` and image archives; `-` is stdin.
    #[arg(required = true, value_name = "LOG")]
    pub logs: Vec<PathBuf>,
    /// How to learn.
    #[command(flatten)]
    pub learn: LearnFlags,
}

/// `record`.
#[derive(Clone, Debug, Args)]
pub struct RecordArgs {
    /// How to learn.
    #[command(flatten)]
    pub learn: LearnFlags,
    /// The build: `docker buildx build …`, `docker build …` or `docker buildx bake …`.
    #[arg(required = true, last = true, value_name = "COMMAND")]
    pub command: Vec<std::ffi::OsString>,
}

/// What is learned, and where it goes.
#[derive(Clone, Debug, Args)]
pub struct LearnFlags {
    /// The costs file; what it says already is kept and added to.
    #[arg(
        short = 'o',
        long,
        value_name = "FILE",
        default_value = "cacheplan.costs.json"
    )]
    pub output: PathBuf,
    /// Every build began with empty cache mounts, as on runners that are thrown away. Without it a step's first run counts as
    /// cold and the others as warm.
    #[arg(long = "cold-mounts")]
    pub cold_mounts: bool,
    /// What to print.
    #[arg(long, value_enum, default_value_t = ReplayFormat::Text)]
    pub format: ReplayFormat,
}
