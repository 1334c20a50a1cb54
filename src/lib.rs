//! cacheplan: what a commit rebuilds in a container image, why and at what price, and the cheapest
//! Dockerfile that still builds the same image.
//!
//! Everything is one straight pipeline of plain values: bytes to a [`dockerfile::Dockerfile`], that
//! to a plan (the step graph), the plan and a git history to a replay, the replay to advice, the
//! advice to a report. `docs/architecture.md` has the map.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod cli;
pub mod context;
pub mod cost;
pub mod diagnostic;
pub mod disk;
pub mod dockerfile;
pub mod footprint;
pub mod history;
pub mod image;
pub mod layers;
pub mod optimize;
pub mod pattern;
pub mod plan;
pub mod project;
pub mod report;
pub mod rewrite;
pub mod rules;
pub mod shell;
pub mod simulate;
pub mod source;
pub mod verify;
