//! Which RUNs wait for files that they do not look at, and which ones COPYs can do: what the rules ask of the optimizer.
//!
//! Goes in: a Dockerfile, its plan and the files of the context. Comes out: RUNs, the COPYs they wait for and the files they look at. Costs one look at
//! every instruction, as the search for rewrites does.

use super::precedence::Scene;
use crate::dockerfile::Dockerfile;
use crate::plan::Plan;
use crate::rewrite::ContextFiles;
use crate::rewrite::split_copy::{Waiting, waiting};
use crate::rewrite::{Rewrite, copy_flags};
use crate::source::SourceFile;

/// Of all stages that the target needs.
#[must_use]
pub fn waiting_runs(
    source: &SourceFile,
    file: &Dockerfile,
    plan: &Plan,
    files: &dyn ContextFiles,
) -> Vec<Waiting> {
    let scene = Scene::new(file, plan, Some(files));
    let view = scene.view(source, file);
    view.map_or_else(Vec::new, |v| waiting(&v))
}

/// RUNs that the flags of COPYs can stand for, in all stages that the target needs.
#[must_use]
pub fn folded_runs(
    source: &SourceFile,
    file: &Dockerfile,
    plan: &Plan,
    files: &dyn ContextFiles,
) -> Vec<Rewrite> {
    let scene = Scene::new(file, plan, Some(files));
    let view = scene.view(source, file);
    view.map_or_else(Vec::new, |v| copy_flags::find(&v))
}
