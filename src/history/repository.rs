//! Opening a repository and naming commits in it.
//!
//! Goes in: a path and revisions as users write them. Comes out: a handle that threads can share,
//! and commit ids. Invariant: only the repository's own configuration is read, as untrusted; no
//! hook, filter, helper or other program it names is ever started.

use super::error::one_line;
use super::packs::Packs;
use super::stored_commits::StoredCommits;
use super::tree::Listed;
use super::{CommitId, Entry, HistoryError, Oid};
use gix::open::Options;
use gix::sec::Trust;
use rayon::prelude::*;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

/// The largest object that is decoded; a tree or a Dockerfile is far smaller.
const OBJECT_LIMIT: &str = "gitoxide.objects.allocLimitIfReducedTrust=268435456";

/// `refs/replace` are somebody's local view: no clone brings them, so no checkout on another machine has them.
const NO_REPLACEMENTS: &str = "core.useReplaceRefs=false";

/// An opened git repository, cheap to share between threads.
pub struct Repository {
    shared: gix::ThreadSafeRepository,
    work_tree: Option<PathBuf>,
    git_dir: PathBuf,
    prefix: Vec<u8>,
    packs: OnceLock<Arc<Packs>>,
    pub(super) listed: Mutex<Option<Listed>>,
}

/// Paths of a commit and what they are, sorted by path.
pub type Listing = Vec<(Vec<u8>, Entry)>;

/// The paths of an index, relative to the root of the work tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Index {
    /// Files and links.
    pub files: Vec<Vec<u8>>,
    /// Submodules.
    pub submodules: Vec<Vec<u8>>,
}

impl fmt::Debug for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Repository")
            .field("git_dir", &self.git_dir)
            .field("work_tree", &self.work_tree)
            .finish_non_exhaustive()
    }
}

impl Repository {
    /// Opens the repository of a directory: the directory itself or the nearest one above it. A git
    /// directory, bare or not, works too.
    ///
    /// # Errors
    /// [`HistoryError::NotARepository`] when there is none; `Directory`, `ObjectFormat` or `Open`
    /// when the path or the repository cannot be read.
    pub fn discover(path: &Path) -> Result<Self, HistoryError> {
        let directory = path
            .canonicalize()
            .and_then(|dir| std::fs::read_dir(&dir).map(|_| dir))
            .map_err(|source| HistoryError::Directory {
                path: path.to_owned(),
                source,
            })?;
        let open = |error: gix::Error| HistoryError::Open {
            path: path.to_owned(),
            reason: one_line(&error),
        };
        let assumed = gix::discover::upwards::TrustPolicy::Assume(Trust::Reduced);
        let search = gix::discover::upwards::Options {
            trust: assumed,
            ..Default::default()
        };
        let (found, _) = match gix::discover::upwards_opts(&directory, search) {
            Ok(found) => found,
            Err(error) if error.is_not_found() => {
                return Err(match broken_dot_git(&directory) {
                    Some(dot_git) => HistoryError::Open {
                        path: path.to_owned(),
                        reason: format!("{} is not a valid git directory", dot_git.display()),
                    },
                    None => HistoryError::NotARepository {
                        path: path.to_owned(),
                    },
                });
            }
            Err(error) => return Err(open(error)),
        };
        let (git_dir, _) = found.into_repository_and_work_tree_directories();
        if let Some(format) = foreign_object_format(&git_dir) {
            return Err(HistoryError::ObjectFormat {
                path: path.to_owned(),
                format,
            });
        }
        // Untrusted even when the user owns it: then `core.worktree` and whatever else names paths or
        // programs is not looked at, and objects have a size limit.
        let untrusted = || {
            Options::isolated()
                .with(Trust::Reduced)
                .config_overrides([OBJECT_LIMIT, NO_REPLACEMENTS])
        };
        let shared = gix::ThreadSafeRepository::discover_opts(
            &directory,
            gix::discover::upwards::Options {
                trust: assumed,
                ..Default::default()
            },
            gix::sec::trust::Mapping {
                full: untrusted(),
                reduced: untrusted(),
            },
        )
        .map_err(open)?;
        let local = shared.to_thread_local();
        let canonical = |dir: &Path| dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
        let git_dir = canonical(local.git_dir());
        let work_tree = local.workdir().map(canonical);
        let prefix = match &work_tree {
            Some(root) if !directory.starts_with(&git_dir) => directory
                .strip_prefix(root)
                .map(slash_bytes)
                .unwrap_or_default(),
            _ => Vec::new(),
        };
        Ok(Self {
            shared,
            work_tree,
            git_dir,
            prefix,
            packs: OnceLock::new(),
            listed: Mutex::default(),
        })
    }

    /// The root of the work tree; none in a bare repository.
    #[must_use]
    pub fn work_tree(&self) -> Option<&Path> {
        self.work_tree.as_deref()
    }

    /// The git directory; of a linked work tree, its own one.
    #[must_use]
    pub fn git_dir(&self) -> &Path {
        &self.git_dir
    }

    /// What the tool's own store calls it.
    pub(super) fn name(&self) -> Vec<u8> {
        let dir = self.git_dir.as_os_str();
        dir.to_owned().into_encoded_bytes()
    }

    /// Whether there is no work tree.
    #[must_use]
    pub fn is_bare(&self) -> bool {
        self.work_tree.is_none()
    }

    /// Whether the repository was cloned with only the newest part of its history.
    #[must_use]
    pub fn is_shallow(&self) -> bool {
        self.handle().is_shallow().unwrap_or(false)
    }

    /// The directory given to [`Repository::discover`], relative to the work tree root, with `/` and
    /// without one at the ends; empty at the root and where there is no work tree.
    #[must_use]
    pub fn prefix(&self) -> &[u8] {
        &self.prefix
    }

    /// The commit HEAD points to.
    ///
    /// # Errors
    /// [`HistoryError::UnbornHead`] before the first commit; `Revision` when HEAD is broken.
    pub fn head(&self) -> Result<CommitId, HistoryError> {
        let repo = self.handle();
        let broken = |reason: String| HistoryError::Revision {
            rev: "HEAD".to_owned(),
            reason: format!(": {reason}"),
        };
        let head = repo.head().map_err(|error| broken(one_line(&error)))?;
        if let gix::head::Kind::Unborn(name) = &head.kind {
            return Err(HistoryError::UnbornHead {
                branch: name.as_bstr().to_string(),
            });
        }
        self.resolve("HEAD")
    }

    /// The commit a revision names: a hash, a branch or tag, `HEAD~3`, whatever `git rev-parse`
    /// takes for one object. Tags are followed to their commit.
    ///
    /// # Errors
    /// [`HistoryError::Revision`] naming the revision and the reason.
    pub fn resolve(&self, rev: &str) -> Result<CommitId, HistoryError> {
        let failed = |reason: String| HistoryError::Revision {
            rev: rev.to_owned(),
            reason: match reason {
                // A whole chain of words for what the head of the message says already.
                r if r.contains("could not be found") => String::new(),
                r => format!(": {r}"),
            },
        };
        let repo = self.handle();
        let id = repo
            .rev_parse_single(rev)
            .map_err(|error| failed(one_line(&error)))?;
        let object = id
            .object()
            .and_then(|object| object.peel_to_kind(gix::objs::Kind::Commit))
            .map_err(|error| failed(one_line(&error)))?;
        Ok(CommitId(bytes_of(&object.id)))
    }

    /// The two commits of `A..B`; a side left out is HEAD, as git has it.
    ///
    /// # Errors
    /// [`HistoryError::Range`] when it has no `..` or three dots; those of [`Repository::resolve`].
    pub fn resolve_range(&self, range: &str) -> Result<(CommitId, CommitId), HistoryError> {
        let split = range.split_once("..").filter(|(_, b)| !b.starts_with('.'));
        let Some((from, to)) = split else {
            return Err(HistoryError::Range {
                range: range.to_owned(),
            });
        };
        let side = |rev: &str| match rev {
            "" => self.head(),
            rev => self.resolve(rev),
        };
        Ok((side(from)?, side(to)?))
    }

    /// Sizes of blobs in bytes, in the order asked, read from object headers in parallel. A blob
    /// that is missing or damaged has none: sizes feed estimates, which do without.
    #[must_use]
    pub fn blob_sizes(&self, oids: &[Oid]) -> Vec<Option<u64>> {
        oids.par_chunks(256)
            .map(|chunk| {
                let repo = self.handle();
                let size = |oid: &Oid| {
                    let header = repo.try_find_header(object_id(oid)).ok()??;
                    (header.kind() == gix::objs::Kind::Blob).then(|| header.size())
                };
                chunk.iter().map(size).collect::<Vec<_>>()
            })
            .collect::<Vec<_>>()
            .concat()
    }

    /// What is in the index; `None` where there is none or it can't be read.
    #[must_use]
    pub fn index(&self) -> Option<Index> {
        // A pipe of that name would be waited for.
        let file = self.git_dir().join("index");
        std::fs::metadata(file).ok().filter(|m| m.is_file())?;
        let index = self.handle().open_index().ok()?;
        let mut out = Index::default();
        for entry in index.entries() {
            let path = entry.path(&index).to_vec();
            match entry.mode == gix::index::entry::Mode::COMMIT {
                true => out.submodules.push(path),
                false => out.files.push(path),
            }
        }
        Some(out)
    }

    /// The pack files, opened when they are first asked for: those that are there at that time.
    pub(super) fn packs(&self) -> Arc<Packs> {
        let open = || Arc::new(Packs::open(&self.object_directories()));
        Arc::clone(self.packs.get_or_init(open))
    }

    fn object_directories(&self) -> Vec<PathBuf> {
        let repo = self.handle();
        let store = repo.objects.store_ref();
        let mut directories = vec![store.path().to_owned()];
        directories.extend(store.alternate_db_paths().unwrap_or_default());
        directories
    }

    /// Whether an earlier run left commits of it in the tool's own store.
    #[must_use]
    pub fn knows_commits(&self, cache_dir: &Path) -> bool {
        StoredCommits::are_there(cache_dir, &self.name())
    }

    /// What the object store holds: as long as this is the same, no object has come and none has gone. It names
    /// folders, packs by their names, which are hashes, and folders of loose objects by their times.
    #[must_use]
    pub fn held(&self) -> Vec<(PathBuf, i128)> {
        let mut out = Vec::new();
        for directory in self.object_directories() {
            for folder in [directory.join("pack"), directory] {
                let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
                let mut paths: Vec<PathBuf> = entries.map(|e| e.path()).collect();
                paths.sort_unstable();
                out.extend(paths.into_iter().map(|path| {
                    let at = changed_at(&path).unwrap_or_default();
                    (path, at)
                }));
            }
        }
        out
    }

    /// A handle for the calling thread.
    pub(super) fn handle(&self) -> gix::Repository {
        self.shared.to_thread_local()
    }
}

pub(super) fn object_id(oid: &Oid) -> gix::ObjectId {
    gix::ObjectId::Sha1(*oid)
}

/// The bytes of an id. Only SHA-1 repositories are opened, so every id has 20.
pub(super) fn bytes_of(id: &gix::oid) -> Oid {
    let mut oid = [0; 20];
    oid.copy_from_slice(&id.as_bytes()[..20]);
    oid
}

/// The nearest `.git` at or above the directory, given that none of them is a repository.
fn broken_dot_git(directory: &Path) -> Option<PathBuf> {
    let mut candidates = directory.ancestors().map(|dir| dir.join(".git"));
    candidates.find(|dot_git| dot_git.symlink_metadata().is_ok())
}

/// The object format when it is not SHA-1, read before opening so that the message can name it.
fn foreign_object_format(git_dir: &Path) -> Option<String> {
    let common = std::fs::read_to_string(git_dir.join("commondir")).ok();
    let common = common.map_or_else(|| git_dir.to_owned(), |dir| git_dir.join(dir.trim_end()));
    let config =
        gix::config::File::from_path_no_includes(common.join("config"), gix::config::Source::Local)
            .ok()?;
    let format = config.string("extensions.objectFormat")?.to_string();
    (!format.eq_ignore_ascii_case("sha1")).then_some(format)
}

/// When a file or a folder was changed last, in nanoseconds since 1970.
#[cfg(unix)]
fn changed_at(path: &Path) -> Option<i128> {
    use std::os::unix::fs::MetadataExt;
    let found = path.symlink_metadata().ok()?;
    Some(i128::from(found.ctime()) * 1_000_000_000 + i128::from(found.ctime_nsec()))
}

#[cfg(not(unix))]
fn changed_at(path: &Path) -> Option<i128> {
    let found = path.symlink_metadata().ok()?;
    let since = found.modified().ok()?.duration_since(std::time::UNIX_EPOCH);
    i128::try_from(since.ok()?.as_nanos()).ok()
}

#[cfg(unix)]
fn slash_bytes(path: &Path) -> Vec<u8> {
    use std::os::unix::ffi::OsStrExt;
    path.as_os_str().as_bytes().to_vec()
}

#[cfg(not(unix))]
fn slash_bytes(path: &Path) -> Vec<u8> {
    path.to_string_lossy().replace('\\', "/").into_bytes()
}
