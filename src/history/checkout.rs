//! Files as a checkout writes them, where `.gitattributes` make that differ from the blobs.
//!
//! Goes in: a [`ChangeLog`] of blobs, or the files of one commit. Comes out: the log with the ids of what
//! is written in place of the blobs' ids, changes of files whose blob stayed but whose attributes did not
//! among them; or sizes and bytes. Cost: nothing where no `.gitattributes` converts anything; else one look
//! at the rules per changed file, one match per file and changed line of a `.gitattributes`, and each blob
//! with a conversion read once. Invariant: a missing blob never makes two different contents look equal.
//!
//! Checkouts are those of a machine without settings of its own: no `core.autocrlf`, no
//! `.git/info/attributes`, no filter drivers, and fresh, so that no file is left from another commit.

use super::attributes::{self, AttributeFile, Conversion, Edit, FILE_NAME};
use super::convert;
use super::repository::object_id;
use super::tree::{MAX_BLOB_BYTES, Node, Reader};
use super::{
    Change, ChangeLog, CommitId, Entry, EntryKind, Follower, HistoryError, Oid, PathId, Repository,
};
use gix::objs::Kind;
use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::hash_map::Entry as MapEntry;

/// What the object store lacked when conversions were looked at; both are 0 in a complete clone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unread {
    /// Distinct contents of `.gitattributes`: taken for empty.
    pub attribute_files: usize,
    /// Distinct files with a conversion: each conversion of one counts as a content of its own.
    pub files: usize,
}

/// A file in one build: its entry, and the number of its conversion (0: none).
type Converted = (Entry, u32);

/// A change before conversions are carried out.
type Sides = (super::PathId, Option<Converted>, Option<Converted>);

/// Puts the ids of what a checkout writes in place of those of blobs.
pub(super) fn as_checked_out(repository: &Repository, log: &mut ChangeLog) {
    let Some((files, named)) = attribute_files(repository, log) else {
        return;
    };
    let mut pass = Pass::new(log, &files, named);
    for build in 0..log.len() {
        pass.build(build);
    }
    let Pass {
        conversions,
        concerned,
        ends,
        changes,
        ..
    } = pass;
    // No file has a conversion, whatever the rules speak of.
    if conversions.list.len() == 1 {
        return;
    }
    let (ids, unread) = effective_ids(repository, &changes, &conversions.list);
    let side = |side: Option<Converted>| {
        side.map(|(entry, number)| match number {
            0 => entry,
            n => Entry {
                oid: ids[&(entry.oid, n)],
                ..entry
            },
        })
    };
    let written = |(path, old, new): &Sides| Change {
        path: *path,
        old: side(*old),
        new: side(*new),
    };
    let mut written_ends = Vec::with_capacity(log.len());
    let mut out: Vec<Change> = Vec::with_capacity(log.total_changes());
    let mut from = 0;
    for (build, end) in ends.into_iter().enumerate() {
        let mut rows = changes[from..end].iter().map(written);
        for change in log.changes(build) {
            out.push(match concerned[change.path.index()] {
                true => rows.next().unwrap_or(*change),
                false => *change,
            });
        }
        // What only the rules changed comes last.
        out.extend(rows);
        let first = written_ends.last().copied().unwrap_or(0);
        let mut kept = first;
        for at in first..out.len() {
            if out[at].old != out[at].new {
                out[kept] = out[at];
                kept += 1;
            }
        }
        out.truncate(kept);
        from = end;
        written_ends.push(out.len());
    }
    log.unread.files = unread;
    log.replace(out, written_ends);
}

/// The distinct `.gitattributes` of a log by object id, and of each path whether it is one; nothing when none of them
/// converts anything.
fn attribute_files(
    repository: &Repository,
    log: &mut ChangeLog,
) -> Option<(FxHashMap<Oid, AttributeFile>, Vec<bool>)> {
    let mut wanted: BTreeMap<Oid, CommitId> = BTreeMap::new();
    let mut name = Vec::new();
    let mut is_one = |id| {
        log.paths.write(id, &mut name);
        is_attribute_file(&name)
    };
    let named: Vec<bool> = log.paths.ids().map(&mut is_one).collect();
    if !named.contains(&true) {
        return None;
    }
    for (build, change) in log.filtered(|c| named[c.path.index()]) {
        let new = change.new.filter(|e| e.kind != EntryKind::Submodule);
        if let Some(entry) = new {
            wanted.entry(entry.oid).or_insert(log.commits[build].id);
        }
    }
    let mut reader = Reader::new(repository);
    let mut files = FxHashMap::default();
    let mut converts = false;
    for (oid, commit) in wanted {
        reader.commit = commit;
        match reader.object(object_id(&oid), Kind::Blob) {
            Ok(bytes) if bytes.len() <= attributes::MAX_FILE => {
                converts |= attributes::may_convert(bytes);
                files.insert(oid, AttributeFile::parse(bytes));
            }
            Ok(_) => {}
            Err(_) => log.unread.attribute_files += 1,
        }
    }
    converts.then_some((files, named))
}

fn is_attribute_file(path: &[u8]) -> bool {
    path.strip_suffix(FILE_NAME)
        .is_some_and(|dir| dir.is_empty() || dir.ends_with(b"/"))
}

/// Numbers for conversions; 0 is none.
struct Conversions {
    list: Vec<Conversion>,
    numbers: FxHashMap<Conversion, u32>,
}

impl Conversions {
    fn number(&mut self, conversion: Conversion) -> u32 {
        if conversion.is_none() {
            return 0;
        }
        let next = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        *self.numbers.entry(conversion).or_insert_with_key(|c| {
            self.list.push(c.clone());
            next
        })
    }
}

/// One run over the builds, oldest first.
struct Pass<'a> {
    log: &'a ChangeLog,
    files: &'a FxHashMap<Oid, AttributeFile>,
    /// By path; empty where the path is not concerned.
    names: Vec<Vec<u8>>,
    /// Whether a path is an attribute file, or at or below the folder of one that may convert.
    concerned: Vec<bool>,
    current: Vec<Option<Converted>>,
    /// The build a path was last changed in, plus one.
    changed: Vec<usize>,
    above: Above<'a>,
    conversions: Conversions,
    ends: Vec<usize>,
    changes: Vec<Sides>,
}

impl<'a> Pass<'a> {
    fn new(log: &'a ChangeLog, files: &'a FxHashMap<Oid, AttributeFile>, named: Vec<bool>) -> Self {
        let folders = converting_folders(log, files, &named);
        let mut concerned = named;
        let mut names = vec![Vec::new(); log.paths.len()];
        let mut name = Vec::new();
        for id in log.paths.ids() {
            log.paths.write(id, &mut name);
            let below = folders.iter().any(|dir| name.starts_with(dir));
            concerned[id.index()] |= below;
            if concerned[id.index()] {
                names[id.index()].clone_from(&name);
            }
        }
        Self {
            log,
            files,
            names,
            concerned,
            current: vec![None; log.paths.len()],
            changed: vec![0; log.paths.len()],
            above: Above::default(),
            conversions: Conversions {
                list: vec![Conversion::default()],
                numbers: FxHashMap::default(),
            },
            ends: Vec::with_capacity(log.len()),
            changes: Vec::new(),
        }
    }

    fn build(&mut self, build: usize) {
        let changes = self.log.changes(build);
        let nothing: &'a AttributeFile = empty();
        let mut edits = Vec::new();
        let concerned = |c: &&Change| self.concerned[c.path.index()];
        for change in changes.iter().filter(concerned) {
            let name = &self.names[change.path.index()];
            if !is_attribute_file(name) {
                continue;
            }
            let dir = name[..name.len() - FILE_NAME.len()].to_vec();
            let file = |entry: Option<Entry>| {
                let found = entry.and_then(|entry| self.files.get(&entry.oid));
                found.unwrap_or(nothing)
            };
            edits.push((dir.clone(), Edit::new(file(change.old), file(change.new))));
            match change.new {
                Some(_) => self.above.files.insert(dir, file(change.new)),
                None => self.above.files.remove(&dir),
            };
        }
        for change in changes {
            let index = change.path.index();
            if !self.concerned[index] {
                continue;
            }
            let new = change.new.map(|entry| self.converted(index, entry));
            self.changes.push((change.path, self.current[index], new));
            self.current[index] = new;
            self.changed[index] = build + 1;
        }
        if !edits.is_empty() {
            for id in self.log.paths.ids() {
                let index = id.index();
                let Some(old) = self.current[index] else {
                    continue;
                };
                let name = &self.names[index];
                let concerned = edits.iter().any(|(dir, edit)| {
                    name.strip_prefix(dir.as_slice())
                        .is_some_and(|below| edit.concerns(below))
                });
                if self.changed[index] == build + 1 || !concerned {
                    continue;
                }
                let new = self.converted(index, old.0);
                if new != old {
                    self.changes.push((id, Some(old), Some(new)));
                    self.current[index] = Some(new);
                }
            }
        }
        self.ends.push(self.changes.len());
    }

    /// `index` is of a path that is concerned.
    fn converted(&mut self, index: usize, entry: Entry) -> Converted {
        let number = match entry.kind {
            EntryKind::File | EntryKind::Executable => {
                let conversion = self.above.conversion(&self.names[index]);
                self.conversions.number(conversion)
            }
            EntryKind::Symlink | EntryKind::Submodule | EntryKind::Folder => 0,
        };
        (entry, number)
    }
}

/// The folders, `""` or `a/b/`, whose attribute file may convert something in some build. Nothing that is in none of them
/// has a conversion: that is decided by the files above it.
fn converting_folders(
    log: &ChangeLog,
    files: &FxHashMap<Oid, AttributeFile>,
    named: &[bool],
) -> Vec<Vec<u8>> {
    let converts = |entry: Entry| files.get(&entry.oid).is_some_and(AttributeFile::converts);
    let found = log.filtered(|c| named[c.path.index()] && c.new.is_some_and(converts));
    let found: FxHashSet<PathId> = found.into_iter().map(|(_, c)| c.path).collect();
    let dir = |path| {
        let mut name = log.paths.bytes(path);
        name.truncate(name.len() - FILE_NAME.len());
        name
    };
    found.into_iter().map(dir).collect()
}

fn empty() -> &'static AttributeFile {
    static EMPTY: std::sync::OnceLock<AttributeFile> = std::sync::OnceLock::new();
    EMPTY.get_or_init(AttributeFile::default)
}

/// The attribute files of one commit by directory: `""` or `a/b/`.
#[derive(Default)]
struct Above<'a> {
    files: FxHashMap<Vec<u8>, &'a AttributeFile>,
}

impl Above<'_> {
    fn conversion(&self, path: &[u8]) -> Conversion {
        let slashes = path.iter().enumerate().filter(|(_, b)| **b == b'/');
        let dirs = std::iter::once(0).chain(slashes.map(|(at, _)| at + 1));
        let found = dirs.filter_map(|length| Some((length, *self.files.get(&path[..length])?)));
        attributes::conversion(&found.collect::<Vec<_>>(), path)
    }
}

/// The ids of what is written, and how many blobs could not be read.
fn effective_ids(
    repository: &Repository,
    changes: &[Sides],
    conversions: &[Conversion],
) -> (FxHashMap<(Oid, u32), Oid>, usize) {
    let sides = changes.iter().flat_map(|(_, old, new)| [*old, *new]);
    let pairs = sides.flatten().filter(|(_, number)| *number != 0);
    let mut pairs: Vec<(Oid, u32)> = pairs.map(|(e, number)| (e.oid, number)).collect();
    pairs.sort_unstable();
    pairs.dedup();
    let found: Vec<Vec<(Oid, bool)>> = pairs
        .par_chunks(64)
        .map(|chunk| {
            let mut reader = Reader::new(repository);
            let mut one = |(oid, number): &(Oid, u32)| {
                let conversion = &conversions[*number as usize];
                match read(&mut reader, *oid, conversion) {
                    Read::Untouched => (*oid, true),
                    Read::Bytes(blob) => (convert::effective_id(*oid, blob, conversion), true),
                    Read::Nothing => (convert::unread_id(*oid, conversion), false),
                }
            };
            chunk.iter().map(&mut one).collect()
        })
        .collect();
    let found = found.concat();
    let unread = found.iter().filter(|(_, read)| !read).count();
    let ids = pairs.into_iter().zip(found.into_iter().map(|(id, _)| id));
    (ids.collect(), unread)
}

/// A blob that has a conversion.
enum Read<'r> {
    /// Its size alone says that it stays as it is.
    Untouched,
    Bytes(&'r [u8]),
    /// Missing, damaged or too large.
    Nothing,
}

fn read<'r>(reader: &'r mut Reader, oid: Oid, conversion: &Conversion) -> Read<'r> {
    let only_lfs = Conversion {
        lfs: true,
        ..Conversion::default()
    };
    match reader.size(oid) {
        None => return Read::Nothing,
        Some(0) => return Read::Untouched,
        Some(size) if *conversion == only_lfs && size > convert::MAX_POINTER as u64 => {
            return Read::Untouched;
        }
        Some(size) if size > MAX_BLOB_BYTES => return Read::Nothing,
        Some(_) => {}
    }
    match reader.object(object_id(&oid), Kind::Blob) {
        Ok(bytes) => Read::Bytes(bytes),
        Err(_) => Read::Nothing,
    }
}

impl Follower {
    /// The content of a file at `path` as a checkout of the commit has it, but for encodings other than UTF-8
    /// and Git LFS, which are not carried out.
    ///
    /// # Errors
    /// `Missing`, `Damaged` or `FileTooLarge` of [`HistoryError`].
    pub fn read_checked_out(
        &mut self,
        commit: CommitId,
        path: &[u8],
        entry: Entry,
    ) -> Result<Vec<u8>, HistoryError> {
        let root = self.reader.enter(commit)?;
        let mut above: Vec<(usize, Oid)> = Vec::new();
        let slashes = path.iter().enumerate().filter(|(_, b)| **b == b'/');
        for length in std::iter::once(0).chain(slashes.map(|(at, _)| at + 1)) {
            let name = [&path[..length], FILE_NAME].concat();
            let Some(Node::Entry(file)) = self.reader.find(root, &name)? else {
                continue;
            };
            if file.kind == EntryKind::Submodule {
                continue;
            }
            if let MapEntry::Vacant(unknown) = self.attributes.entry(file.oid) {
                // One that a partial clone lacks is taken for empty, as in the log.
                let bytes = self.reader.object(object_id(&file.oid), Kind::Blob);
                let bytes = bytes.ok().filter(|b| b.len() <= attributes::MAX_FILE);
                unknown.insert(AttributeFile::parse(bytes.unwrap_or_default()));
            }
            above.push((length, file.oid));
        }
        let blob = self.read(commit, entry)?;
        let above = above.iter().map(|(n, oid)| (*n, &self.attributes[oid]));
        let conversion = attributes::conversion(&above.collect::<Vec<_>>(), path);
        Ok(convert::written(entry.oid, &blob.bytes, &conversion).into_owned())
    }
}

impl Repository {
    /// The conversions of files of a commit, in their order.
    fn conversions(
        &self,
        commit: CommitId,
        files: &[(Vec<u8>, Entry)],
    ) -> Result<Vec<Conversion>, HistoryError> {
        let mut reader = Reader::new(self);
        let root = reader.enter(commit)?;
        let mut dirs: FxHashSet<&[u8]> = FxHashSet::default();
        for (path, _) in files {
            let mut end = path.len();
            while let Some(at) = path[..end].iter().rposition(|b| *b == b'/') {
                if !dirs.insert(&path[..=at]) {
                    break;
                }
                end = at;
            }
        }
        dirs.insert(b"");
        let mut parsed: Vec<(Vec<u8>, AttributeFile)> = Vec::new();
        for dir in dirs {
            let path = [dir, FILE_NAME].concat();
            let Some(Node::Entry(entry)) = reader.find(root, &path)? else {
                continue;
            };
            if entry.kind != EntryKind::Submodule
                && reader
                    .size(entry.oid)
                    .is_some_and(|size| size <= attributes::MAX_FILE as u64)
            {
                let bytes = reader.object(object_id(&entry.oid), Kind::Blob)?;
                parsed.push((dir.to_vec(), AttributeFile::parse(bytes)));
            }
        }
        let above = Above {
            files: parsed.iter().map(|(dir, f)| (dir.clone(), f)).collect(),
        };
        let one = |(path, entry): &(Vec<u8>, Entry)| match entry.kind {
            EntryKind::File | EntryKind::Executable => above.conversion(path),
            EntryKind::Symlink | EntryKind::Submodule | EntryKind::Folder => Conversion::default(),
        };
        Ok(files.iter().map(one).collect())
    }

    /// Sizes in bytes of files of a commit as a checkout has them, in their order. For a Git LFS pointer of
    /// a path with `filter=lfs` it is that of the file it stands for. A blob that is missing or damaged has
    /// none; encodings other than UTF-8 are not carried out.
    ///
    /// # Errors
    /// `Missing` or `Damaged` of [`HistoryError`] for the commit and its trees.
    pub fn sizes_checked_out(
        &self,
        commit: CommitId,
        files: &[(Vec<u8>, Entry)],
    ) -> Result<Vec<Option<u64>>, HistoryError> {
        let size = |reader: &mut Reader, oid: Oid, conversion: &Conversion| {
            if conversion.is_none() {
                return reader.size(oid);
            }
            match read(reader, oid, conversion) {
                Read::Untouched | Read::Nothing => reader.size(oid),
                Read::Bytes(blob) => {
                    let pointer = convert::pointer_size(blob).filter(|_| conversion.lfs);
                    let written = || convert::written(oid, blob, conversion).len() as u64;
                    Some(pointer.unwrap_or_else(written))
                }
            }
        };
        self.each_checked_out(commit, files, size)
    }

    /// A value of the bytes of each file of a commit as a checkout has them, in their order, blobs decoded in
    /// parallel. A blob that is missing, damaged or too large has none, and neither has one that is written in
    /// an encoding other than UTF-8, nor a pointer that Git LFS would put another file in place of.
    ///
    /// # Errors
    /// `Missing` or `Damaged` of [`HistoryError`] for the commit and its trees.
    pub fn map_checked_out<T: Send>(
        &self,
        commit: CommitId,
        files: &[(Vec<u8>, Entry)],
        value: impl Fn(&[u8]) -> T + Sync,
    ) -> Result<Vec<Option<T>>, HistoryError> {
        let value = |reader: &mut Reader, oid: Oid, conversion: &Conversion| {
            let bytes = reader.object(object_id(&oid), Kind::Blob).ok()?;
            let written: Cow<'_, [u8]> = convert::written(oid, bytes, conversion);
            let encoded = convert::is_encoded(&written, conversion);
            let replaced = conversion.lfs && convert::pointer_size(bytes).is_some();
            (!encoded && !replaced).then(|| value(&written))
        };
        self.each_checked_out(commit, files, value)
    }

    fn each_checked_out<T: Send>(
        &self,
        commit: CommitId,
        files: &[(Vec<u8>, Entry)],
        value: impl Fn(&mut Reader, Oid, &Conversion) -> Option<T> + Sync,
    ) -> Result<Vec<Option<T>>, HistoryError> {
        let conversions = self.conversions(commit, files)?;
        let pairs: Vec<_> = files.iter().zip(&conversions).collect();
        let chunks: Vec<Vec<Option<T>>> = pairs
            .par_chunks(64)
            .map(|chunk| {
                let mut reader = Reader::new(self);
                reader.commit = commit;
                let one = |((_, entry), conversion): &(&(Vec<u8>, Entry), &Conversion)| match entry
                    .kind
                {
                    EntryKind::Submodule => None,
                    _ => value(&mut reader, entry.oid, conversion),
                };
                chunk.iter().map(one).collect()
            })
            .collect();
        Ok(chunks.into_iter().flatten().collect())
    }
}
