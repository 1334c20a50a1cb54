//! The names in a folder, and what is remembered of each.
//!
//! Goes in: a listing, or the records of a store. Comes out: the names in their order, each with
//! what is remembered of the file that had it. Costs one sort of a listing and none of records,
//! which are sorted. Invariant: a name that comes out is one that went in, and none comes out twice.

use super::stat_cache::{KnownFile, Record, Records};
use std::borrow::Cow;
use std::ffi::CStr;

/// The names in a folder, sorted bytewise, all in one buffer.
#[derive(Debug, Default)]
pub(super) struct Names<'a> {
    /// Each with its NUL: one behind the other, or as the store has them.
    bytes: Cow<'a, [u8]>,
    all: Vec<Record<'a>>,
}

/// One name in a folder.
#[derive(Clone, Copy, Debug)]
pub(super) struct Named<'n, 'a> {
    pub(super) name: &'n CStr,
    /// As the listing says; some file systems never say it.
    pub(super) is_dir: bool,
    /// What is remembered of the file that had the name.
    pub(super) known: Option<KnownFile<'a>>,
}

impl<'a> Names<'a> {
    /// The names of a remembered listing.
    pub(super) fn remembered(records: Records<'a>, count: usize) -> Self {
        let mut all = Vec::with_capacity(count);
        all.extend(records);
        Self {
            bytes: Cow::Borrowed(records.bytes()),
            all,
        }
    }

    /// Adds a name, unless it is that of the folder itself or of the one above.
    pub(super) fn push(&mut self, name: &CStr, is_dir: bool) {
        if matches!(name.to_bytes(), b"." | b"..") {
            return;
        }
        let bytes = self.bytes.to_mut();
        let start = bytes.len();
        bytes.extend_from_slice(name.to_bytes_with_nul());
        self.all.push(Record {
            start,
            end: bytes.len(),
            is_dir,
            known: None,
        });
    }

    /// Puts what was added in order.
    pub(super) fn sort(&mut self) {
        let bytes = &self.bytes;
        // The NUL is below every other byte, so it changes no order.
        let key = |record: &Record<'_>| &bytes[record.start..record.end];
        self.all.sort_unstable_by(|a, b| key(a).cmp(key(b)));
        // A name that was moved away and back while the folder was read may be listed twice.
        self.all.dedup_by(|a, b| key(a) == key(b));
    }

    /// Finds what is remembered of each name.
    pub(super) fn recall(&mut self, records: Records<'a>) {
        let mut rest = records.peekable();
        for record in &mut self.all {
            let name = self.bytes.get(record.start..record.end);
            let before = |r: &Record<'_>| records.name(r) < name;
            while rest.next_if(before).is_some() {}
            let same = rest.next_if(|r| records.name(r) == name);
            record.known = same.and_then(|r| r.known);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// The names from one on, at most so many.
    pub(super) fn some(&self, from: usize, most: usize) -> impl Iterator<Item = Named<'_, 'a>> {
        let some = self.all.iter().skip(from).take(most);
        some.filter_map(|record| {
            let bytes = self.bytes.get(record.start..record.end)?;
            Some(Named {
                name: CStr::from_bytes_with_nul(bytes).ok()?,
                is_dir: record.is_dir,
                known: record.known,
            })
        })
    }
}
