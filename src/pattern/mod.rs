//! Ignore files, COPY sources and `--exclude` lists: one compiled matcher each.
//!
//! Goes in: the text of an ignore file or of a source, and slash-separated paths relative to the
//! build context, as bytes and without a leading slash. Comes out: whether the path is sent or
//! selected, and which line decided. Costs one compilation per pattern and, per path, one test of
//! each pattern that can still change the answer. Invariant: answers are those of the builder's
//! own walk (a pattern skipped at a folder is not inherited), not of a flat "it or any parent".

mod escape;
mod exclude;
mod filter;
mod glob;
mod ignore;
mod include;
mod matcher;
pub mod path;
mod source;
#[cfg(test)]
mod table;
#[cfg(test)]
mod upstream;
mod walk;
mod wild;

pub use exclude::{ExcludeError, ExcludeRules};
pub use filter::PathFilter;
pub use ignore::{IgnorePattern, IgnoreRules};
pub use include::IncludeRules;
pub use path::{clean, display};
pub use source::{Selected, SourceKind, SourcePattern};
pub use walk::{DirState, Verdict};
pub use wild::wild;

/// Why the builder, or this program, cannot use a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum PatternError {
    /// Not a shell glob, or a bracket or escape that the builder's matcher cannot compile.
    #[error("syntax error in pattern")]
    Syntax,
    /// `!` with nothing behind it.
    #[error("illegal exclusion pattern: \"!\"")]
    LoneExclusion,
    /// The builder takes it, this program cannot evaluate it: a Unicode class such as `\pL`, or a
    /// pattern too large to compile.
    #[error("pattern cannot be evaluated here")]
    Unsupported,
}
