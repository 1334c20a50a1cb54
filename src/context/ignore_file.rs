//! Which ignore file applies to a build from a local context.
//!
//! Goes in: the Dockerfile, the context and whose rules. Comes out: a path, if there is a file. Costs
//! at most four look-ups. Invariant: the first candidate that is a file wins completely, even when it
//! is empty (experiments row 20); what is a file is the caller's business, so that a commit's files
//! can be asked about as well as those on disk.

/// Whose rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IgnoreLookup {
    /// `<dockerfile>.dockerignore`, else the context's `.dockerignore`.
    #[default]
    BuildKit,
    /// The classic builder knows the context's `.dockerignore` only (experiments row 20).
    Classic,
    /// buildah and podman: `<dockerfile>.dockerignore`, `<dockerfile>.containerignore`, the context's
    /// `.containerignore`, its `.dockerignore` (buildah `pkg/parse`: of two files next to the
    /// Dockerfile the `.dockerignore` is taken, of two in the context the `.containerignore`).
    Buildah,
}

/// Candidates in the order of preference, slash-separated and relative to the same place as the
/// arguments. `dockerfile` is `None` where the text comes from elsewhere; `context` is `.` for that place.
#[must_use]
pub fn ignore_file_candidates(
    dockerfile: Option<&str>,
    context: &str,
    lookup: IgnoreLookup,
) -> Vec<String> {
    let beside = |suffix: &str| dockerfile.map(|file| format!("{file}{suffix}"));
    let inside = |name: &str| match context {
        "." | "" => Some(name.to_owned()),
        dir => Some(format!("{dir}/{name}")),
    };
    let (docker, container) = (".dockerignore", ".containerignore");
    let all = match lookup {
        IgnoreLookup::BuildKit => vec![beside(docker), inside(docker)],
        IgnoreLookup::Classic => vec![inside(docker)],
        IgnoreLookup::Buildah => {
            vec![
                beside(docker),
                beside(container),
                inside(container),
                inside(docker),
            ]
        }
    };
    all.into_iter().flatten().collect()
}

/// The candidate that applies.
#[must_use]
pub fn ignore_file_for(
    dockerfile: Option<&str>,
    context: &str,
    lookup: IgnoreLookup,
    is_file: impl Fn(&str) -> bool,
) -> Option<String> {
    let candidates = ignore_file_candidates(dockerfile, context, lookup);
    candidates.into_iter().find(|path| is_file(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_candidate_that_is_there() {
        use IgnoreLookup::{BuildKit, Buildah, Classic};
        let all = [
            "ci/F.dockerignore",
            "ci/F.containerignore",
            "c/.containerignore",
            "c/.dockerignore",
        ];
        for (lookup, there, want) in [
            (BuildKit, &all[..], Some(all[0])),
            (BuildKit, &all[1..], Some(all[3])),
            (BuildKit, &all[1..3], None),
            (Classic, &all, Some(all[3])),
            (Buildah, &all, Some(all[0])),
            (Buildah, &all[1..], Some(all[1])),
            (Buildah, &all[2..], Some(all[2])),
            (Buildah, &all[3..], Some(all[3])),
            (Buildah, &[], None),
        ] {
            let found = ignore_file_for(Some("ci/F"), "c", lookup, |f| there.contains(&f));
            assert_eq!(found.as_deref(), want, "{lookup:?} {there:?}");
        }
        let inline = ignore_file_candidates(None, ".", Buildah);
        assert_eq!(inline, [".containerignore", ".dockerignore"]);
        assert_eq!(
            ignore_file_candidates(None, ".", BuildKit),
            [".dockerignore"]
        );
    }
}
