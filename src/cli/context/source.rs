//! Where the files come from: the work tree, or a commit as a checkout would have it.

use crate::cli::args::Cli;
use crate::cli::progress::phase;
use crate::cli::subject::{Place, Subject};
use crate::cli::{cache_dir, output};
use crate::context::{
    Context, ContextEntry, EntryKind, Hashing, WalkOptions, from_listing, walk_cached,
};
use crate::history::{CommitId, EntryKind as GitKind, Repository};
use anyhow::Result;

/// Walks the context, or lists it as of the commit that is looked at.
pub fn context(cli: &Cli, place: &Place, subject: &Subject, hashing: Hashing) -> Result<Context> {
    if let (Some(commit), Some(repository)) = (place.at, &place.repository) {
        output::note(
            cli,
            &format!(
                "note: the files of {commit} as a checkout with umask 022 has them, without .git and submodules"
            ),
        );
        return of_commit(repository, commit, subject, hashing);
    }
    let root = place.path.join(&subject.context);
    let cache = match hashing {
        Hashing::None => None,
        _ => cache_dir::cache_dir(cli, place)?,
    };
    let options = WalkOptions { hashing };
    let _phase = phase(cli, "reading the build context");
    Ok(walk_cached(
        &root,
        &subject.rules,
        options,
        cache.as_deref(),
    )?)
}

fn of_commit(
    repository: &Repository,
    commit: CommitId,
    subject: &Subject,
    hashing: Hashing,
) -> Result<Context> {
    let prefix = subject.context_prefix.as_bytes();
    let listed = repository.list(commit, prefix)?;
    let sizes = repository.sizes_checked_out(commit, &listed)?;
    let digests = match hashing {
        Hashing::None => vec![None; listed.len()],
        _ => {
            repository.map_checked_out(commit, &listed, |bytes| *blake3::hash(bytes).as_bytes())?
        }
    };
    let mut files = Vec::with_capacity(listed.len());
    for (((path, entry), size), digest) in listed.iter().zip(sizes).zip(digests) {
        let below = match prefix {
            b"" => Some(path.as_slice()),
            p => path.strip_prefix(p).and_then(|r| r.strip_prefix(b"/")),
        };
        let Some(below) = below else {
            continue;
        };
        let (kind, mode) = match entry.kind {
            GitKind::File => (EntryKind::File, 0o644),
            GitKind::Executable => (EntryKind::File, 0o755),
            GitKind::Symlink => (EntryKind::Symlink, 0o777),
            GitKind::Submodule | GitKind::Folder => (EntryKind::Directory, 0o755),
        };
        let link_target = match kind {
            EntryKind::Symlink => Some(
                repository
                    .read(commit, path)?
                    .map_or(Vec::new(), |b| b.bytes),
            ),
            _ => None,
        };
        files.push(ContextEntry {
            path: below.to_vec(),
            kind,
            mode,
            size: match kind {
                EntryKind::File => size.unwrap_or(0),
                _ => 0,
            },
            digest: digest.filter(|_| kind != EntryKind::Directory),
            link_target,
            emptied: false,
        });
    }
    Ok(from_listing(files, 0o755, &subject.rules))
}
