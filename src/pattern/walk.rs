//! An ordered list of patterns, evaluated the way the builder's walk does: top-down, with one bit
//! per pattern and folder.
//!
//! Goes in: compiled patterns, a parent folder's state, a path. Comes out: ignored or not, the
//! pattern that decided, and the state for the folder's own children. Costs one test per pattern
//! that can still change the answer. Invariant: a pattern skipped at a folder (because it could
//! not change the answer there) is not inherited; this is what differs from asking "does it or
//! any parent match" (confirmed with real builds, `.dockerignore` table rows 93 and 112).

use super::matcher::Matcher;
use super::path::ancestors;
use fixedbitset::FixedBitSet;

/// One pattern of the list.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) negated: bool,
    pub(super) matcher: Matcher,
}

/// Which ignored folders are not even opened.
#[derive(Clone, Debug)]
pub(super) enum Prune {
    /// None: some `!` pattern has a glob character in front of its trailing `/**` or `/*`.
    Never,
    /// All but those that lead to one of these paths; each ends in `/`.
    Unless(Vec<String>),
}

/// The list. Shared by ignore files and `--exclude`.
#[derive(Clone, Debug)]
pub(super) struct Walk {
    rules: Vec<Rule>,
    prune: Prune,
}

/// What a folder hands down to its children: which patterns matched it, or that it is not opened
/// at all. [`DirState::root`] is the state of the context root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirState {
    /// `None` above the top-level entries, where nothing is known about parents.
    bits: Option<FixedBitSet>,
    /// The pattern that ignores this folder, when the builder does not look inside.
    pruned_by: Option<usize>,
}

impl DirState {
    /// The state above the top-level entries.
    #[must_use]
    pub fn root() -> Self {
        Self {
            bits: None,
            pruned_by: None,
        }
    }

    /// Whether the builder does not look inside this folder: all of it is ignored.
    #[must_use]
    pub fn is_pruned(&self) -> bool {
        self.pruned_by.is_some()
    }
}

/// The answer for one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the path is left out. A folder that is ignored is sent all the same when something
    /// inside it survives.
    pub ignored: bool,
    /// Index of the last pattern that applied, `!` or not; `None` when none did.
    pub decided_by: Option<usize>,
    /// What the path's children need, should it be a folder.
    pub state: DirState,
}

impl Walk {
    pub(super) fn new(rules: Vec<Rule>, prune: Prune) -> Self {
        Self { rules, prune }
    }

    /// [`Self::test`], with a state that never closes a folder.
    pub(super) fn test_without_pruning(&self, parent: &DirState, path: &[u8]) -> Verdict {
        let mut verdict = self.test(parent, path);
        verdict.state.pruned_by = None;
        verdict
    }

    /// Answer and state for a path whose parent folder has the state `parent`.
    pub(super) fn test(&self, parent: &DirState, path: &[u8]) -> Verdict {
        let mut bits = FixedBitSet::with_capacity(self.rules.len());
        let (ignored, decided_by) = self.apply(parent, path, |i| bits.insert(i));
        let pruned_by = if parent.is_pruned() {
            parent.pruned_by
        } else if ignored && self.can_prune(path) {
            decided_by
        } else {
            None
        };
        Verdict {
            ignored,
            decided_by,
            state: DirState {
                bits: Some(bits),
                pruned_by,
            },
        }
    }

    /// The answer alone, without the cost of a state.
    pub(super) fn decide(&self, parent: &DirState, path: &[u8]) -> (bool, Option<usize>) {
        self.apply(parent, path, |_| ())
    }

    fn apply(
        &self,
        parent: &DirState,
        path: &[u8],
        mut matched: impl FnMut(usize),
    ) -> (bool, Option<usize>) {
        if parent.pruned_by.is_some() {
            return (true, parent.pruned_by);
        }
        let (mut ignored, mut decided_by) = (false, None);
        for (i, rule) in self.rules.iter().enumerate() {
            let applies = match &parent.bits {
                Some(bits) if bits.contains(i) => true,
                // It could not change the answer, so the builder does not evaluate it.
                _ if rule.negated != ignored => continue,
                Some(_) => rule.matcher.matches(path),
                None => {
                    rule.matcher.matches(path) || ancestors(path).any(|a| rule.matcher.matches(a))
                }
            };
            if applies {
                matched(i);
                ignored = !rule.negated;
                decided_by = Some(i);
            }
        }
        (ignored, decided_by)
    }

    /// Whether the builder leaves an ignored folder unopened.
    pub(super) fn can_prune(&self, dir: &[u8]) -> bool {
        match &self.prune {
            Prune::Never => false,
            Prune::Unless(paths) => !paths.iter().any(|p| {
                p.as_bytes()
                    .strip_prefix(dir)
                    .is_some_and(|rest| rest.starts_with(b"/"))
            }),
        }
    }

    /// The answer for a path on its own: its ancestors are walked first.
    pub(super) fn decide_path(&self, path: &[u8]) -> (bool, Option<usize>) {
        if path.is_empty() {
            return (false, None);
        }
        let mut state = DirState::root();
        for dir in ancestors(path) {
            state = self.test(&state, dir).state;
        }
        self.decide(&state, path)
    }
}

/// What the builder looks at to decide whether ignored folders can stay unopened. `exceptions` are
/// the bodies of the `!` patterns. Taking off `/**` and then `/*` makes `x/*/**` count as `x`, so
/// what it would bring back below an ignored `x/y` stays away (confirmed with a real build).
pub(super) fn prune_rule<'a>(exceptions: impl Iterator<Item = &'a str>) -> Prune {
    let mut paths = Vec::new();
    for body in exceptions {
        let body = body.strip_suffix("/**").unwrap_or(body);
        let body = body.strip_suffix("/*").unwrap_or(body);
        if body.contains(['*', '[', ']', '?', '^', '\\']) {
            return Prune::Never;
        }
        paths.push(format!("{body}/"));
    }
    Prune::Unless(paths)
}
