//! Which files an ADD may unpack: only their bytes tell.
//!
//! Goes in: the builds and their plans. Comes out: for the files that ADD takes one by one, whether the
//! builder would take them for an archive. Costs one blob per version of such a file, and nothing where no
//! step takes files from another stage. Invariant: a file that is not in the list is not known.

use super::epochs::Epochs;
use super::subject::{Place, Subject};
use super::timeline::Builds;
use crate::history::{EntryKind, Follower, Oid};
use crate::pattern::SourcePattern;
use crate::plan::{Input, Plan, Step, StepKind};
use anyhow::Result;
use rustc_hash::FxHashMap;

/// More versions than this are not read; the rest counts as unknown.
const MOST: usize = 2_000;

/// Whether each version of a file that ADD names or matches is an archive.
///
/// # Errors
/// When there is no repository.
pub fn archives(
    place: &Place,
    builds: &Builds,
    subject: &Subject,
    epochs: &Epochs,
) -> Result<FxHashMap<Oid, bool>> {
    let mut out = FxHashMap::default();
    let mut sources: Vec<String> = epochs.plans.iter().flat_map(added).collect();
    sources.sort();
    sources.dedup();
    let patterns: Vec<_> = sources.iter().map(|s| SourcePattern::lenient(s)).collect();
    if patterns.is_empty() {
        return Ok(out);
    }
    let mut reader = Follower::new(place.repository()?);
    for (i, commit) in builds.log.commits.iter().enumerate() {
        for change in builds.log.changes(i) {
            let files = [EntryKind::File, EntryKind::Executable];
            let Some(entry) = change.new.filter(|e| files.contains(&e.kind)) else {
                continue;
            };
            if out.contains_key(&entry.oid) || out.len() >= MOST {
                continue;
            }
            let path = builds.log.paths.bytes(change.path);
            let named = |path| patterns.iter().any(|p| p.matches(path));
            if subject.in_context(&path).is_some_and(named)
                && let Ok(blob) = reader.read(commit.id, entry)
            {
                out.insert(entry.oid, may_be_archive(&blob.bytes));
            }
        }
    }
    Ok(out)
}

/// What ADD takes from the context, in plans where one stage takes files from another.
fn added(plan: &Plan) -> Vec<String> {
    let steps = || plan.order.iter().map(|n| &plan.graph[*n]);
    let takes = |s: &Step| s.inputs.iter().any(|i| matches!(i, Input::Stage { .. }));
    if !steps().any(takes) {
        return Vec::new();
    }
    let sources = steps()
        .filter(|s| s.kind == StepKind::Add)
        .flat_map(|s| &s.inputs)
        .filter_map(|i| match i {
            Input::Context(c) => Some(c.sources.clone()),
            _ => None,
        });
    sources.flatten().collect()
}

/// Compressed in a way the builder opens, or a tape archive's first block (BuildKit `unpack.go`). What is
/// compressed and no archive is called one, too: whoever asks must not be too sure.
fn may_be_archive(bytes: &[u8]) -> bool {
    const MAGIC: [&[u8]; 5] = [
        b"\x1f\x8b",
        b"BZh",
        b"\xfd7zXZ\x00",
        b"\x28\xb5\x2f\xfd",
        b"\x50\x2a\x4d\x18",
    ];
    MAGIC.iter().any(|m| bytes.starts_with(m)) || bytes.get(..512).is_some_and(is_tar_header)
}

/// Whether the checksum that a header holds is that of its bytes, which it does not count itself in.
fn is_tar_header(block: &[u8]) -> bool {
    let field = &block[148..156];
    let digits: Vec<u8> = field
        .iter()
        .copied()
        .skip_while(|b| *b == b' ')
        .take_while(u8::is_ascii_digit)
        .collect();
    let told = std::str::from_utf8(&digits).ok();
    let Some(told) = told.and_then(|d| u32::from_str_radix(d, 8).ok()) else {
        return false;
    };
    let rest = block[..148].iter().chain(&block[156..]);
    let blanks = 8 * u32::from(b' ');
    let unsigned: u32 = rest.clone().map(|b| u32::from(*b)).sum();
    let signed: i64 = rest.map(|b| i64::from(b.cast_signed())).sum();
    told == unsigned + blanks || i64::from(told) == signed + i64::from(blanks)
}

#[cfg(test)]
mod tests {
    use super::may_be_archive;

    #[test]
    fn archives_are_told_by_their_bytes() {
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(2);
        header.set_cksum();
        tar.append_data(&mut header, "f", &b"hi"[..]).unwrap();
        let tar = tar.into_inner().unwrap();
        assert!(may_be_archive(&tar));
        let mut old = tar::Header::new_old();
        old.set_path("f").unwrap();
        old.set_size(0);
        old.set_cksum();
        assert!(may_be_archive(old.as_bytes()));
        assert!(may_be_archive(b"\x1f\x8b\x08 and so on"));
        assert!(!may_be_archive(b"a text\n"));
        assert!(!may_be_archive(&[0; 1024]), "the end of an archive is none");
        assert!(!may_be_archive(&[b'7'; 600]));
    }
}
