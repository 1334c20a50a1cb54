//! The filter of what is transferred at all: paths, with globs, that a build names.
//!
//! Goes in: patterns, then paths from the top. Comes out: whether a path is wanted. Costs as for an
//! ignore file. Invariant: same matcher and walk as an ignore file, read the other way round; a folder
//! that leads to nothing wanted is not opened, with the same slip as there: `x/*/**` counts as `x`.

use super::PatternError;
use super::ignore::compile;
use super::walk::{DirState, Rule, Verdict, Walk, prune_rule};

/// Compiled patterns.
#[derive(Clone, Debug)]
pub struct IncludeRules {
    walk: Walk,
}

impl IncludeRules {
    /// Compiles the patterns.
    ///
    /// # Errors
    /// A pattern that the builder refuses, too.
    pub fn new<T: AsRef<str>>(patterns: &[T]) -> Result<Self, PatternError> {
        let (mut rules, mut bodies) = (Vec::new(), Vec::new());
        for pattern in patterns {
            let (negated, body, matcher) = compile(pattern.as_ref());
            if !negated {
                bodies.push(body);
            }
            let matcher = matcher?;
            rules.push(Rule { negated, matcher });
        }
        let prune = prune_rule(bodies.iter().map(String::as_str));
        Ok(Self {
            walk: Walk::new(rules, prune),
        })
    }

    /// The answer for a path whose parent folder has the state `parent`: [`Verdict::ignored`] says
    /// here that it is wanted.
    #[must_use]
    pub fn test(&self, parent: &DirState, path: &[u8]) -> Verdict {
        self.walk.test_without_pruning(parent, path)
    }

    /// Whether a folder that is not wanted itself can hold nothing wanted, so that it is not opened.
    #[must_use]
    pub fn leads_nowhere(&self, dir: &[u8]) -> bool {
        self.walk.can_prune(dir)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wanted_paths_and_folders_that_lead_to_them() {
        let rules = IncludeRules::new(&["a/b", "c/*.txt", "d"]).unwrap();
        let root = DirState::root();
        let wanted = |path: &str| rules.test(&root, path.as_bytes()).ignored;
        assert!(wanted("a/b") && wanted("a/b/x") && wanted("c/x.txt") && wanted("d"));
        assert!(!wanted("a") && !wanted("c") && !wanted("c/x") && !wanted("ab"));
        // A glob keeps every folder open.
        assert!(!rules.leads_nowhere(b"x"));
        let plain = IncludeRules::new(&["a/b", "d/*/**"]).unwrap();
        assert!(!plain.leads_nowhere(b"a") && plain.leads_nowhere(b"x"));
        assert!(!plain.leads_nowhere(b"d") && plain.leads_nowhere(b"d/x"));
        assert_eq!(
            IncludeRules::new(&["[a"]).unwrap_err(),
            PatternError::Syntax
        );
    }
}
