//! Flags of `layers`.

use super::{HistoryFlags, Where};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// `layers`.
#[derive(Clone, Debug, Args)]
pub struct LayersArgs {
    /// Where to look, and what is built.
    #[command(flatten)]
    pub place: Where,
    /// What the commits of the history push again.
    #[command(flatten)]
    pub history: HistoryFlags,
    /// An image of this Dockerfile, as `docker save` or `type=oci` writes it, to hold the figures against.
    #[arg(long, value_name = "ARCHIVE")]
    pub image: Option<PathBuf>,
    /// The file system below a containerd store: on ext4 folders take blocks. Without it what the costs file was
    /// learned from, else ext4.
    #[arg(long, value_enum, value_name = "DISK")]
    pub disk: Option<DiskArg>,
    /// What to print.
    #[arg(long, value_enum, default_value_t = LayersFormat::Text)]
    pub format: LayersFormat,
    /// Write to FILE instead of stdout.
    #[arg(short = 'o', long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// A file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DiskArg {
    /// Folders take blocks.
    Ext4,
    /// They take none.
    Tmpfs,
}

/// Formats of `layers`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LayersFormat {
    /// A table for a terminal.
    Text,
    /// One document.
    Json,
    /// For a comment.
    Markdown,
}
