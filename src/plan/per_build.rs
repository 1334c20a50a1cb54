//! Names of variables that differ in every build by convention.

const WORDS: [&str; 8] = [
    "COMMIT",
    "REVISION",
    "SHA",
    "BUILD_DATE",
    "BUILDDATE",
    "TIMESTAMP",
    "BUILD_ID",
    "BUILD_NUMBER",
];

/// Whether a variable's name says that it holds a commit, a date or a number of the build.
#[must_use]
pub fn names_a_build(name: &str) -> bool {
    let upper = name.to_uppercase();
    WORDS.iter().any(|word| {
        upper == *word
            || upper.ends_with(&format!("_{word}"))
            || upper.contains(&format!("{word}_"))
    })
}

#[cfg(test)]
mod tests {
    use super::names_a_build;

    #[test]
    fn names_are_told_apart_by_whole_words() {
        for name in [
            "GIT_SHA",
            "commit",
            "COMMIT_SHA",
            "BUILD_DATE",
            "VCS_REVISION",
        ] {
            assert!(names_a_build(name), "{name}");
        }
        for name in ["SHARED", "NODE_ENV", "VERSION", "COMMITTER"] {
            assert!(!names_a_build(name), "{name}");
        }
    }
}
