//! The files beside Dockerfiles, as rules look at them.

use super::settings::Settings;
use super::workflows::Ci;
use crate::dockerfile::Dockerfile;
use crate::project::Files;
use crate::source::SourceFile;
use std::cell::OnceCell;

/// One Dockerfile of the project.
pub struct ProjectFile<'a> {
    /// Relative to PATH.
    pub path: &'a str,
    /// Its bytes.
    pub source: &'a SourceFile,
    /// Its tree.
    pub tree: &'a Dockerfile,
}

/// What git says of a path.
pub trait Git {
    /// Whether the path, relative to PATH, is in the index.
    fn is_tracked(&self, path: &str) -> bool;
    /// Whether an ignore file of git leaves it out.
    fn is_ignored(&self, path: &str) -> bool;
}

/// Everything below PATH.
pub struct Project<'a> {
    /// The files, as listed for discovery.
    pub files: &'a dyn Files,
    /// The Dockerfiles that are looked at, sorted by path.
    pub dockerfiles: Vec<ProjectFile<'a>>,
    /// Git's own view of the work tree; `None` outside of one, and where a commit is read instead.
    pub git: Option<&'a dyn Git>,
    /// What users set.
    pub settings: &'a Settings,
    /// What workflows say, read when first asked for.
    pub(crate) ci: OnceCell<Ci>,
}
