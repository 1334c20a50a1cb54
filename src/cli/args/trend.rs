//! Flags of `trend`.

use super::{HistoryFlags, ReplayFormat, SearchFlags, Where};
use clap::Args;
use std::path::PathBuf;

/// `trend`.
#[derive(Clone, Debug, Args)]
pub struct TrendArgs {
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
    #[arg(long, value_enum, default_value_t = ReplayFormat::Text)]
    pub format: ReplayFormat,
    /// Write to FILE instead of stdout.
    #[arg(short = 'o', long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}
