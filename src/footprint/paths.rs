//! Sets of paths and when two of them meet.

use super::{Extent, PathClaim, PathSet};

impl PathClaim {
    /// This path alone.
    #[must_use]
    pub fn exact(path: impl Into<String>) -> Self {
        Self { path: path.into(), extent: Extent::Exact }
    }

    /// This path and everything below it.
    #[must_use]
    pub fn subtree(path: impl Into<String>) -> Self {
        Self { path: path.into(), extent: Extent::Subtree }
    }

    /// Whether some path is in both claims.
    #[must_use]
    pub fn meets(&self, other: &Self) -> bool {
        let below = |top: &Self, p: &str| {
            top.extent == Extent::Subtree
                && (top.path == "/" || p.strip_prefix(&top.path).is_some_and(|r| r.starts_with('/')))
        };
        self.path == other.path || below(self, &other.path) || below(other, &self.path)
    }
}

impl PathSet {
    /// Adds a claim, keeping the set sorted and without duplicates.
    pub fn add(&mut self, claim: PathClaim) {
        if let Err(at) = self.claims.binary_search(&claim) {
            self.claims.insert(at, claim);
        }
    }

    /// The first pair of claims that meet.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> Option<(PathClaim, PathClaim)> {
        let pairs = self.claims.iter().flat_map(|a| other.claims.iter().map(move |b| (a, b)));
        pairs.filter(|(a, b)| a.meets(b)).map(|(a, b)| (a.clone(), b.clone())).next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_meet_where_a_path_is_in_both() {
        let (e, s) = (PathClaim::exact, PathClaim::subtree);
        for (a, b, meet) in [
            (e("/a"), e("/a"), true),
            (e("/a"), e("/a/b"), false),
            (s("/a"), e("/a/b"), true),
            (s("/a"), e("/ab"), false),
            (s("/a/b"), e("/a"), false),
            (s("/a/b"), s("/a"), true),
            (s("/"), e("/x"), true),
        ] {
            assert_eq!(a.meets(&b), meet, "{a:?} {b:?}");
            assert_eq!(b.meets(&a), meet, "{b:?} {a:?}");
        }
    }
}
