//! Files that are named one by one, as editors and hooks do: nothing else is listed.

use super::{Looked, beside, pieces_of};
use crate::cli::advice;
use crate::cli::args::CheckArgs;
use crate::cli::subject::{self, Place};
use crate::cost::CostTable;
use crate::project::{self, Files, WorkTree, join};
use crate::rules::ProjectFile;
use anyhow::Result;
use std::cell::OnceCell;
use std::path::{Path, PathBuf};

/// The files of a work tree that are looked at one by one, and only listed where somebody asks for all.
struct OneByOne {
    root: PathBuf,
    real: Option<PathBuf>,
    all: OnceCell<WorkTree>,
}

impl OneByOne {
    fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            real: root.canonicalize().ok(),
            all: OnceCell::new(),
        }
    }

    /// The real place of a path, given that links do not lead out of the root.
    fn inside(&self, path: &str) -> Option<PathBuf> {
        let path = project::normalize(path)?;
        let root = self.real.as_ref()?;
        // Most of what is asked for is not there, and one look tells.
        std::fs::symlink_metadata(root.join(&path)).ok()?;
        let real = root.join(path).canonicalize().ok()?;
        real.starts_with(root).then_some(real)
    }
}

impl Files for OneByOne {
    fn list(&self) -> &[String] {
        self.all.get_or_init(|| WorkTree::new(&self.root)).list()
    }

    /// Reads the one folder, not the whole tree.
    fn below(&self, folder: &str) -> Vec<String> {
        let Some(real) = self.inside(folder) else {
            return Vec::new();
        };
        if !folder.is_empty() {
            let files = WorkTree::new(real);
            let named = files.list().iter().map(|f| format!("{folder}/{f}"));
            return named.filter(|f| self.is_file(f)).collect();
        }
        let entries = std::fs::read_dir(real).into_iter().flatten().flatten();
        let names = entries.filter_map(|e| e.file_name().into_string().ok());
        let mut out: Vec<String> = names.filter(|f| self.is_file(f)).collect();
        out.sort_unstable();
        out
    }

    fn read(&self, path: &str) -> Option<Vec<u8>> {
        WorkTree::read_below(self.inside(path)?)
    }

    fn is_file(&self, path: &str) -> bool {
        self.inside(path).is_some_and(|real| real.is_file())
    }

    fn exists(&self, path: &str) -> bool {
        path.is_empty() || path == "." || self.inside(path).is_some()
    }

    fn any_starts_with(&self, start: &str) -> bool {
        match start.strip_suffix('/') {
            Some(dir) => self.inside(dir).is_some_and(|real| real.is_dir()),
            None => self.list().iter().any(|f| f.starts_with(start)),
        }
    }
}

/// Files of one repository.
pub fn look(args: &CheckArgs, top: &Path, list: &[(PathBuf, String)]) -> Result<Looked> {
    let place = Place {
        path: top.to_owned(),
        repository: None,
        prefix: String::new(),
        at: None,
        files: Box::new(OneByOne::new(top)),
    };
    let named: Vec<String> = list.iter().map(|(_, below)| below.clone()).collect();
    let dir = |below: &str| join("", below).map_or_else(|| top.to_owned(), |b| top.join(b));
    let settings = match list.first() {
        Some((_, below)) => advice::settings(dir(below).parent().unwrap_or(top), Some(top))?,
        None => advice::settings(top, Some(top))?,
    };
    let found = project::discover_named(place.files.as_ref(), &named)?;
    let targets = found.targets.iter();
    let subjects: Vec<subject::Subject> = targets
        .map(|t| subject::subject(&place, &args.build, &[], t))
        .collect::<Result<_>>()?;
    let files = subjects.iter().map(|s| ProjectFile {
        path: &s.target.file,
        source: &s.source,
        tree: &s.parsed.tree,
    });
    let project = advice::project(&place, files.collect(), None, &settings);
    let costs = CostTable::priors();
    let around = advice::Around {
        place: &place,
        project: &project,
        settings: &settings,
        costs: &costs,
        listed: false,
    };
    let mut pieces = Vec::new();
    // As they were given, so that whoever gave them knows them again.
    let shown = |below: &str| {
        let given = list.iter().find(|(_, b)| b == below);
        match given {
            Some((path, _)) => path.to_string_lossy().into_owned(),
            None => below.to_owned(),
        }
    };
    for subject in &subjects {
        let found = advice::of_subject(&around, subject);
        pieces.extend(pieces_of(&place, subject, found, &shown));
    }
    Ok(Looked {
        beside: beside(&place, &pieces),
        pieces,
        settings,
        top: top.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_read_without_listing_the_tree() {
        let dir = tempfile::tempdir().expect("a folder");
        let root = dir.path();
        for file in [
            "README.md",
            "a/b.yml",
            ".github/workflows/ci.yml",
            ".github/x/action.yml",
        ] {
            std::fs::create_dir_all(root.join(file).parent().expect("above")).expect("made");
            std::fs::write(root.join(file), "x").expect("written");
        }
        std::os::unix::fs::symlink("README.md", root.join("linked")).expect("a link");
        std::os::unix::fs::symlink("/etc/hostname", root.join("out")).expect("a link");
        let (files, tree) = (OneByOne::new(root), WorkTree::new(root));
        for folder in ["", ".github", "a", "none"] {
            assert_eq!(files.below(folder), tree.below(folder), "{folder:?}");
        }
        assert!(files.all.get().is_none(), "nothing else was listed");
    }
}
