//! Sets of path claims and whether two of them meet.
//!
//! Goes in: claims. Comes out: a sorted set without claims another one covers, and the first pair of
//! claims of two sets that share a path. Overlap costs O(n · (depth + log m)). Invariant: `claims` is
//! sorted and free of duplicates after every function here.

use super::{Extent, PathClaim, PathSet};

impl PathClaim {
    /// A claim on one path.
    #[must_use]
    pub fn exact(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            extent: Extent::Exact,
        }
    }

    /// A claim on a path and everything below it.
    #[must_use]
    pub fn subtree(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            extent: Extent::Subtree,
        }
    }

    /// Whether every path of `other` is a path of this claim.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        match self.extent {
            Extent::Exact => other.extent == Extent::Exact && self.path == other.path,
            Extent::Subtree => is_below(&other.path, &self.path),
        }
    }
}

/// Whether `path` is `top` or lies below it.
pub(crate) fn is_below(path: &str, top: &str) -> bool {
    let top = top.trim_end_matches('/');
    path.strip_prefix(top)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The directories above a path, nearest first, the root last; none for the root.
pub(super) fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    let mut rest = (path != "/").then_some(path);
    std::iter::from_fn(move || {
        let (parent, _) = rest?.rsplit_once('/')?;
        rest = (!parent.is_empty()).then_some(parent);
        Some(if parent.is_empty() { "/" } else { parent })
    })
}

impl PathSet {
    /// The set of some claims.
    #[must_use]
    pub fn new(mut claims: Vec<PathClaim>) -> Self {
        claims.sort_unstable();
        claims.dedup();
        let covered: Vec<bool> = claims
            .iter()
            .map(|c| {
                let wider = |path: &str| find(&claims, path, Extent::Subtree).is_some();
                let itself = c.extent == Extent::Exact && wider(&c.path);
                itself || ancestors(&c.path).any(wider)
            })
            .collect();
        let mut keep = covered.iter().map(|c| !c);
        claims.retain(|_| keep.next().unwrap_or(true));
        Self { claims }
    }

    /// Whether nothing is claimed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.claims.is_empty()
    }

    /// The claims of both sets.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self::new(self.claims.iter().chain(&other.claims).cloned().collect())
    }

    /// Exact claims on every directory above a claim, the root left out: to reach a path its
    /// directories must be there. [`super::of_script`] has added them to `reads` already.
    #[must_use]
    pub fn ancestors(&self) -> Self {
        let above = self.claims.iter().flat_map(|c| ancestors(&c.path));
        Self::new(above.filter(|p| *p != "/").map(PathClaim::exact).collect())
    }

    /// The first claim of this set that shares a path with one of the other, and that one. `Exact`
    /// claims meet where they are equal; a `Subtree` claim meets everything at or below its path.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> Option<(PathClaim, PathClaim)> {
        self.claims.iter().find_map(|mine| {
            let theirs = other.meeting(mine)?;
            Some((mine.clone(), theirs.clone()))
        })
    }

    /// A claim of this set that shares a path with `claim`.
    fn meeting(&self, claim: &PathClaim) -> Option<&PathClaim> {
        let subtree = |path: &str| find(&self.claims, path, Extent::Subtree);
        find(&self.claims, &claim.path, Extent::Exact)
            .or_else(|| subtree(&claim.path))
            .or_else(|| ancestors(&claim.path).find_map(subtree))
            .or_else(|| {
                if claim.extent == Extent::Exact {
                    return None;
                }
                let below = format!("{}/", claim.path.trim_end_matches('/'));
                let at = self
                    .claims
                    .partition_point(|c| c.path.as_str() < below.as_str());
                self.claims.get(at).filter(|c| c.path.starts_with(&below))
            })
    }
}

/// The claim on this path with this extent, in a sorted list.
fn find<'c>(claims: &'c [PathClaim], path: &str, extent: Extent) -> Option<&'c PathClaim> {
    let order = |c: &PathClaim| (c.path.as_str(), c.extent).cmp(&(path, extent));
    claims.get(claims.binary_search_by(order).ok()?)
}

/// Makes a path absolute and clean: no empty, `.` or `..` component, no slash at the end. `None` for
/// an empty path and for a relative one without a base.
pub(super) fn resolve(base: Option<&str>, path: &str) -> Option<String> {
    if path.is_empty() || path.contains('\0') {
        return None;
    }
    let mut parts: Vec<&str> = Vec::new();
    let base = if path.starts_with('/') { "" } else { base? };
    for part in base.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    Some(format!("/{}", parts.join("/")))
}

/// The places that a path climbs out of with `..`: where one of them is a link, the path leads elsewhere
/// than [`resolve`] says.
pub(super) fn climbed(base: Option<&str>, path: &str) -> Vec<String> {
    let base = if path.starts_with('/') {
        ""
    } else {
        base.unwrap_or_default()
    };
    let (mut parts, mut out): (Vec<&str>, Vec<String>) = (Vec::new(), Vec::new());
    for part in base.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.is_empty() => {}
            ".." => {
                out.push(format!("/{}", parts.join("/")));
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn claim(text: &str) -> PathClaim {
        match text.strip_suffix("/**") {
            Some("") => PathClaim::subtree("/"),
            Some(top) => PathClaim::subtree(top),
            None => PathClaim::exact(text),
        }
    }

    #[test]
    fn claims_meet_at_or_below_a_subtree_and_at_equal_paths() {
        for (a, b, expected) in [
            ("/a", "/a", true),
            ("/a", "/a/b", false),
            ("/a/**", "/a/b", true),
            ("/a/b", "/a/**", true),
            ("/a/**", "/a", true),
            ("/a/**", "/ab", false),
            ("/a/**", "/a-b/c", false),
            ("/a/b/**", "/a/**", true),
            ("/**", "/x", true),
            ("/x", "/**", true),
            ("/a/b/**", "/a", false),
        ] {
            let (x, y) = (PathSet::new(vec![claim(a)]), PathSet::new(vec![claim(b)]));
            assert_eq!(x.overlaps(&y).is_some(), expected, "{a} {b}");
        }
    }

    #[test]
    fn sets_drop_what_is_covered() {
        let set = PathSet::new(
            ["/a/b", "/a/**", "/a", "/a-b", "/c", "/c"]
                .map(claim)
                .to_vec(),
        );
        assert_eq!(set.claims, ["/a/**", "/a-b", "/c"].map(claim));
        let above = PathSet::new(["/a/b/c", "/d"].map(claim).to_vec()).ancestors();
        assert_eq!(above.claims, ["/a", "/a/b"].map(claim));
    }

    #[test]
    fn paths_resolve_lexically() {
        for (base, path, expected) in [
            (None, "/a//b/./../c/", Some("/a/c")),
            (Some("/w"), "x/../y", Some("/w/y")),
            (Some("/w"), "../../..", Some("/")),
            (None, "x", None),
            (Some("/w"), "", None),
        ] {
            assert_eq!(resolve(base, path).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn climbing_out_of_a_place_is_noted() {
        assert_eq!(climbed(Some("/w"), "a/../b"), ["/w/a"]);
        assert_eq!(climbed(Some("/w"), "../../x"), ["/w"]);
        assert!(climbed(Some("/w"), "a/b..c").is_empty());
    }

    fn any_claim() -> impl Strategy<Value = PathClaim> {
        let part = prop::sample::select(vec!["a", "b", "a-b", "ab"]);
        (prop::collection::vec(part, 0..4), any::<bool>()).prop_map(|(parts, exact)| {
            let path = format!("/{}", parts.join("/"));
            if exact {
                PathClaim::exact(path)
            } else {
                PathClaim::subtree(path)
            }
        })
    }

    proptest! {
        /// The twin: every pair of claims, by the definition.
        #[test]
        fn overlap_is_that_of_all_pairs(a in prop::collection::vec(any_claim(), 0..6),
                                        b in prop::collection::vec(any_claim(), 0..6)) {
            let meets = |x: &PathClaim, y: &PathClaim| {
                x.covers(&PathClaim::exact(&y.path)) || y.covers(&PathClaim::exact(&x.path))
            };
            let expected = a.iter().any(|x| b.iter().any(|y| meets(x, y)));
            let (a, b) = (PathSet::new(a), PathSet::new(b));
            let found = a.overlaps(&b);
            prop_assert_eq!(found.is_some(), expected);
            if let Some((x, y)) = found {
                prop_assert!(meets(&x, &y));
            }
            prop_assert_eq!(b.overlaps(&a).is_some(), expected);
        }
    }
}
