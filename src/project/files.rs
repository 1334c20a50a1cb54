//! Where files come from: a work tree here, a commit where the caller provides it.
//!
//! Goes in: a directory. Comes out: a sorted list of paths and the bytes of small files. Cost: one
//! walk that never enters folders of dependencies or build output. Invariant: no symbolic link is
//! followed to a directory, no path leads out of the root, and list and file sizes are bounded.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Larger files are not read, in bytes.
pub const MAX_FILE_BYTES: u64 = 1 << 20;

/// A listing ends after this many files.
pub const MAX_FILES: usize = 200_000;

/// Folders that hold no Dockerfile of the project itself.
const SKIPPED: [&str; 4] = [".git", "node_modules", "target", "vendor"];

/// The files below PATH, in a work tree or in a commit. Paths are relative, with `/`.
pub trait Files {
    /// All files, sorted by bytes; no directories. May leave out folders of dependencies.
    fn list(&self) -> &[String];

    /// The bytes of a file; none when it is not there, not readable, or over [`MAX_FILE_BYTES`].
    fn read(&self, path: &str) -> Option<Vec<u8>>;

    /// Whether there is a file (or a link to one) at the path.
    fn is_file(&self, path: &str) -> bool {
        let list = self.list();
        list.binary_search_by(|file| file.as_str().cmp(path))
            .is_ok()
    }

    /// Whether there is a file or a directory at the path; `.` and the empty path always are.
    fn exists(&self, path: &str) -> bool {
        if path.is_empty() || path == "." || self.is_file(path) {
            return true;
        }
        self.any_starts_with(&format!("{path}/"))
    }

    /// The files of a folder and below it, sorted; those of the top alone for the empty path.
    fn below(&self, folder: &str) -> Vec<String> {
        let start = format!("{folder}/");
        let one = |f: &&String| match folder {
            "" => !f.contains('/'),
            _ => f.starts_with(&start),
        };
        self.list().iter().filter(one).cloned().collect()
    }

    /// Whether the path of any file starts with the text.
    fn any_starts_with(&self, start: &str) -> bool {
        let list = self.list();
        let at = list.partition_point(|file| file.as_str() < start);
        list.get(at).is_some_and(|file| file.starts_with(start))
    }
}

/// The files of a directory on disk, listed once.
#[derive(Clone, Debug)]
pub struct WorkTree {
    root: PathBuf,
    files: Vec<String>,
    truncated: bool,
}

impl WorkTree {
    /// Lists a directory. What cannot be read, and names that are not UTF-8, are left out.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let mut tree = Self {
            root: root.into(),
            files: Vec::new(),
            truncated: false,
        };
        let mut open = vec![String::new()];
        // Every directory counts too, so that a tree of nothing but directories ends as well.
        let mut seen = 0;
        'walk: while let Some(dir) = open.pop() {
            let Ok(entries) = fs::read_dir(tree.root.join(&dir)) else {
                continue;
            };
            let mut found: Vec<(String, fs::FileType)> = entries
                .flatten()
                .take(MAX_FILES + 1)
                .filter_map(|entry| {
                    Some((
                        entry.file_name().into_string().ok()?,
                        entry.file_type().ok()?,
                    ))
                })
                .collect();
            // Sorted, so that a listing that is cut is always cut at the same place.
            found.sort_by(|a, b| b.0.cmp(&a.0));
            let first = open.len();
            for (name, kind) in found.into_iter().rev() {
                seen += 1;
                if seen > MAX_FILES {
                    tree.truncated = true;
                    break 'walk;
                }
                let path = match dir.is_empty() {
                    true => name.clone(),
                    false => format!("{dir}/{name}"),
                };
                if kind.is_dir() {
                    if !SKIPPED.contains(&name.as_str()) {
                        open.push(path);
                    }
                } else if kind.is_file() || tree.is_linked_file(&path) {
                    tree.files.push(path);
                }
            }
            open[first..].reverse();
        }
        tree.files.sort_unstable();
        tree
    }

    /// The bytes of a file on disk; none when it is no file, not readable, or over [`MAX_FILE_BYTES`].
    #[must_use]
    pub fn read_below(real: PathBuf) -> Option<Vec<u8>> {
        let real = Some(real).filter(|real| real.is_file())?;
        let mut bytes = Vec::new();
        let file = fs::File::open(real).ok()?;
        // One byte over the limit tells a file at the limit from a larger one.
        file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).ok()?;
        (bytes.len() as u64 <= MAX_FILE_BYTES).then_some(bytes)
    }

    /// Whether the listing stopped at [`MAX_FILES`].
    #[must_use]
    pub fn truncated(&self) -> bool {
        self.truncated
    }

    /// Whether the path is a link to a file inside the root.
    fn is_linked_file(&self, path: &str) -> bool {
        self.inside(path).is_some_and(|path| path.is_file())
    }

    /// The real place of a path, given that links do not lead it out of the root.
    fn inside(&self, path: &str) -> Option<PathBuf> {
        let path = normalize(path)?;
        let root = self.root.canonicalize().ok()?;
        let real = root.join(Path::new(&path)).canonicalize().ok()?;
        real.starts_with(&root).then_some(real)
    }
}

impl Files for WorkTree {
    fn list(&self) -> &[String] {
        &self.files
    }

    fn read(&self, path: &str) -> Option<Vec<u8>> {
        Self::read_below(self.inside(path)?)
    }

    fn is_file(&self, path: &str) -> bool {
        self.inside(path).is_some_and(|real| real.is_file())
    }

    // Asked of the disk, because the list leaves out folders that a Dockerfile may well copy.
    fn exists(&self, path: &str) -> bool {
        self.inside(path).is_some()
    }
}

/// Files held in memory: for callers that have the text already, and for fuzzing.
///
/// Paths that [`normalize`] refuses are left out; of two equal paths the last one counts.
#[derive(Clone, Debug, Default)]
pub struct MemoryFiles {
    paths: Vec<String>,
    bytes: BTreeMap<String, Vec<u8>>,
}

impl<P: AsRef<str>, B: Into<Vec<u8>>> FromIterator<(P, B)> for MemoryFiles {
    fn from_iter<I: IntoIterator<Item = (P, B)>>(files: I) -> Self {
        let named = files
            .into_iter()
            .take(MAX_FILES)
            .filter_map(|(path, bytes)| {
                let path = normalize(path.as_ref()).filter(|path| path != ".")?;
                Some((path, bytes.into()))
            });
        let bytes: BTreeMap<String, Vec<u8>> = named.collect();
        Self {
            paths: bytes.keys().cloned().collect(),
            bytes,
        }
    }
}

impl Files for MemoryFiles {
    fn list(&self) -> &[String] {
        &self.paths
    }

    fn read(&self, path: &str) -> Option<Vec<u8>> {
        let bytes = self.bytes.get(path)?;
        (bytes.len() as u64 <= MAX_FILE_BYTES).then(|| bytes.clone())
    }
}

/// A relative path without `.`, `..`, doubled or trailing slashes; `.` for the root itself. None
/// for an absolute path and for one that leads out of the root.
#[must_use]
pub fn normalize(path: &str) -> Option<String> {
    if path.starts_with('/') || path.contains('\0') {
        return None;
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(match parts.is_empty() {
        true => ".".to_owned(),
        false => parts.join("/"),
    })
}

/// `path` as seen from the directory `base`, normalised; none where [`normalize`] has none.
#[must_use]
pub fn join(base: &str, path: &str) -> Option<String> {
    if path.starts_with('/') {
        return None;
    }
    normalize(&format!("{base}/{path}"))
}
