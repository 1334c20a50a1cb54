//! The `--exclude` list of one COPY or ADD.
//!
//! Goes in: the flag values in order, then paths relative to the node that the source names or its
//! wildcard matches. Comes out: whether the builder leaves them out. Costs as for an ignore file.
//! Invariant: the matched node itself is never excluded (experiments row 83e).

use super::PatternError;
use super::ignore::compile;
use super::walk::{DirState, Prune, Rule, Verdict, Walk};

/// Compiled `--exclude` values. Same matcher and walk as an ignore file, but a leading `/` is not
/// taken off, so `--exclude=/x` never matches, and every folder is opened.
#[derive(Clone, Debug)]
pub struct ExcludeRules {
    pub(super) walk: Walk,
}

/// A value that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("--exclude value {}: {error}", index + 1)]
pub struct ExcludeError {
    /// Position of the value in the list, from 0.
    pub index: usize,
    /// What is wrong with it.
    pub error: PatternError,
}

impl ExcludeRules {
    /// Compiles the values; blank ones are skipped, as the builder does.
    ///
    /// # Errors
    /// The first value that cannot be used.
    pub fn new<T: AsRef<str>>(values: &[T]) -> Result<Self, ExcludeError> {
        let mut rules = Vec::new();
        for (index, value) in values.iter().enumerate() {
            if value.as_ref().trim().is_empty() {
                continue;
            }
            let (negated, _, matcher) = compile(value.as_ref());
            let matcher = matcher.map_err(|error| ExcludeError { index, error })?;
            rules.push(Rule { negated, matcher });
        }
        let walk = Walk::new(rules, Prune::Never);
        Ok(Self { walk })
    }

    /// The answer for a path whose parent folder has the state `parent`, as the builder's digest
    /// asks it: there the empty path, the node itself, is a path like any other (`*` and `**`
    /// match it), unlike in [`Self::is_excluded`], which is what a copy does.
    #[must_use]
    pub fn test(&self, parent: &DirState, relative: &[u8]) -> Verdict {
        self.walk.test(parent, relative)
    }

    /// Whether a path below the matched node is left out; the empty path is the node itself.
    #[must_use]
    pub fn is_excluded(&self, relative: &[u8]) -> bool {
        self.walk.decide_path(relative).0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excluded_below_the_node_only() {
        for (values, path, want) in [
            (&["**/*.md"][..], "", false),
            (&["**/*.md"], "a.md", true),
            (&["*"], "", false),
            (&["/x"], "x", false),
            (&["x"], "x/y", true),
            (&["./x/"], "x", true),
            (&["*", "!keep"], "keep/a", false),
            (&["*", "!keep"], "drop", true),
            (&["!keep"], "keep", false),
            (&["", " x "], "x", true),
        ] {
            let rules = ExcludeRules::new(values).unwrap();
            assert_eq!(
                rules.is_excluded(path.as_bytes()),
                want,
                "{values:?} {path:?}"
            );
        }
        let bad = ExcludeRules::new(&["a", "[b"]).unwrap_err();
        assert_eq!((bad.index, bad.error), (1, PatternError::Syntax));
        assert_eq!(
            bad.to_string(),
            "--exclude value 2: syntax error in pattern"
        );
    }
}
