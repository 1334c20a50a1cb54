//! A tree of a few files, and what must hold for whatever is found in it.

use cacheplan::project::{self, Files};

pub struct Memory {
    names: Vec<String>,
    bytes: Vec<Vec<u8>>,
}

impl Memory {
    /// The given files and two Dockerfiles to find.
    pub fn new(given: &[(&str, &[u8])]) -> Self {
        let fixed: [(&str, &[u8]); 2] =
            [("Dockerfile", b"FROM a\n"), ("app/Dockerfile", b"FROM b\n")];
        let mut all: Vec<(&str, &[u8])> = given.iter().chain(&fixed).copied().collect();
        all.sort_unstable();
        Self {
            names: all.iter().map(|f| f.0.to_owned()).collect(),
            bytes: all.iter().map(|f| f.1.to_owned()).collect(),
        }
    }
}

impl Files for Memory {
    fn list(&self) -> &[String] {
        &self.names
    }

    fn read(&self, path: &str) -> Option<Vec<u8>> {
        let at = self.names.binary_search_by(|name| name.as_str().cmp(path));
        at.ok().map(|at| self.bytes[at].clone())
    }
}

/// Discovers, and checks that spans lie in their files, arguments are sorted, paths are inside.
pub fn check(files: &Memory) {
    let found = project::discover(files, &[]).expect("no file is named");
    let targets = found.targets.iter().flat_map(|t| &t.diagnostics);
    for located in found.diagnostics.iter().chain(targets) {
        let len = files.read(&located.file).map_or(0, |bytes| bytes.len());
        for label in &located.diagnostic.labels {
            assert!(label.span.start <= label.span.end && label.span.end as usize <= len);
        }
    }
    for target in &found.targets {
        assert!(
            target.args.is_sorted_by(|a, b| a.0 <= b.0),
            "{:?}",
            target.args
        );
        for path in target.context.iter().chain([&target.file]) {
            assert_eq!(project::normalize(path).as_ref(), Some(path));
        }
    }
    let again = project::discover(files, &[]).expect("no file is named");
    assert_eq!(again.targets, found.targets);
    assert_eq!(again.diagnostics, found.diagnostics);
}
