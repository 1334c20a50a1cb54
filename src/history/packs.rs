//! Trees and commits straight from pack files, for histories that need tens of thousands of them.
//!
//! Goes in: object ids. Comes out: kind and bytes, or nothing where this reader does not know; then the
//! object database is asked, which also says what is wrong with an object. Cost: a few probes of an index
//! per object, one inflated delta where a neighbour in history was read before, a bounded number of bytes
//! per thread. Invariant: bytes given out are those the pack spells; whatever is odd is not given out.
//!
//! Against the object database's own reader: ids are hashes, so their place in the index is guessed and not
//! searched by halves; what was unpacked is shared and not copied; and small streams are inflated in one
//! piece. It pays when neighbours in history are read newest first, the direction in which git stores deltas.

use gix::ObjectId;
use gix::objs::Kind;
use gix::odb::pack::{data, index};
use libdeflater::Decompressor;
use rustc_hash::FxHashMap;
use std::cmp::Ordering;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

/// More packs than this are left to the object database.
const MAX_PACKS: usize = 256;

/// Larger objects are left to the object database, which has its own limits.
const MAX_BYTES: usize = 16 << 20;

/// Git makes chains of 50 and, when asked, of 4095 deltas.
const MAX_CHAIN: usize = 4096;

/// Bytes of unpacked trees in each of the two generations of the memory.
const GENERATION_BYTES: usize = 8 << 20;

/// Larger trees are not remembered.
const MAX_ENTRY: usize = 256 << 10;

struct Pack {
    index: index::File,
    /// How many ids start with a byte up to each.
    fan: Box<[u32; 256]>,
    data: data::File,
}

/// The pack files of a repository, mapped; shared by all threads.
#[derive(Default)]
pub(super) struct Packs(Vec<Pack>);

impl Packs {
    /// Opens the packs of some object directories. What can't be opened is left to the object database.
    pub(super) fn open(directories: &[PathBuf]) -> Self {
        let mut packs = Vec::new();
        for directory in directories {
            let Ok(files) = std::fs::read_dir(directory.join("pack")) else {
                continue;
            };
            let mut paths: Vec<PathBuf> = files.flatten().map(|file| file.path()).collect();
            paths.retain(|path| path.extension().is_some_and(|e| e == "idx"));
            paths.sort_unstable();
            for path in paths {
                if packs.len() == MAX_PACKS {
                    return Self::default();
                }
                packs.extend(Pack::open(&path));
            }
        }
        Self(packs)
    }
}

impl Pack {
    fn open(path: &Path) -> Option<Self> {
        let pack = path.with_extension("pack");
        // Anything else of that name, a pipe say, would be waited for.
        let is_file = |path: &Path| path.metadata().is_ok_and(|m| m.is_file());
        if !is_file(path) || !is_file(&pack) {
            return None;
        }
        let index = index::File::at(path, gix::hash::Kind::Sha1).ok()?;
        let data = data::File::at(pack, gix::hash::Kind::Sha1).ok()?;
        let fan = fan(path, index.num_objects())?;
        Some(Self { index, fan, data })
    }

    /// Where an object starts in the pack.
    fn find(&self, id: &ObjectId) -> Option<u64> {
        let key = |oid: &gix::oid| {
            let bytes = oid.as_bytes().first_chunk::<8>();
            u64::from_be_bytes(*bytes.unwrap_or(&[0; 8]))
        };
        let wanted = key(id);
        let first = usize::from(id.as_bytes()[0]);
        let (mut low, mut high) = (
            first.checked_sub(1).map_or(0, |f| self.fan[f]),
            self.fan[first],
        );
        let mut least = wanted & !(u64::MAX >> 8);
        let mut most = wanted | (u64::MAX >> 8);
        let mut probes = 0;
        while low < high {
            // A pack whose ids are made to be uneven is searched by halves.
            let guess = match probes {
                0..8 => between(wanted - least, most - least, high - low),
                _ => (high - low) / 2,
            };
            probes += 1;
            let at = low + guess.min(high - low - 1);
            let found = self.index.oid_at_index(at);
            let start = key(found);
            // Bounds only close in, also where the table and the ids do not fit together.
            let order = start.cmp(&wanted).then_with(|| found.cmp(id.as_ref()));
            match order {
                Ordering::Equal => return Some(self.index.pack_offset_at_index(at)),
                Ordering::Less => (low, least) = (at + 1, start.max(least)),
                Ordering::Greater => (high, most) = (at, start.min(most)),
            }
        }
        None
    }

    /// The header of the entry at an offset, and what follows it.
    fn entry(&self, offset: u64) -> Option<(data::Entry, &[u8])> {
        let end = self.data.pack_end() as u64;
        let bytes = (offset < end).then(|| self.data.entry_slice(offset..end))??;
        let entry = data::Entry::from_bytes(bytes, offset, gix::hash::Kind::Sha1).ok()?;
        let header = usize::try_from(entry.data_offset.checked_sub(offset)?).ok()?;
        Some((entry, bytes.get(header..)?))
    }
}

/// The table at the start of an index (gitformat-pack(5)); none where it is not in order.
fn fan(path: &Path, objects: u32) -> Option<Box<[u32; 256]>> {
    let mut head = [0; 8 + 1024];
    File::open(path).ok()?.read_exact(&mut head).ok()?;
    let (magic, second) = head.split_at(8);
    let table = match magic.starts_with(b"\xfftOc") {
        true => second,
        false => &head[..1024],
    };
    let mut fan = Box::new([0; 256]);
    for (count, bytes) in fan.iter_mut().zip(table.as_chunks::<4>().0) {
        *count = u32::from_be_bytes(*bytes);
    }
    (fan.is_sorted() && fan[255] == objects).then_some(fan)
}

/// The share `part / whole` of `count`.
fn between(part: u64, whole: u64, count: u32) -> u32 {
    let share = u128::from(part) * u128::from(count) / (u128::from(whole) + 1);
    u32::try_from(share).unwrap_or(u32::MAX)
}

/// An object, unpacked.
pub(super) type Unpacked = (Kind, Rc<[u8]>);

/// A place of an entry: number of the pack, and offset.
type Place = (usize, u64);

/// Unpacks objects, with a memory of recent trees; one per thread.
pub(super) struct Unpacker {
    packs: Arc<Packs>,
    /// The pack in which the last object was.
    last: usize,
    inflate: Decompressor,
    /// Room for an inflated stream, and for what a delta makes.
    stream: Vec<u8>,
    made: Vec<u8>,
    chain: Vec<(u64, u64, usize)>,
    recent: FxHashMap<Place, Unpacked>,
    older: FxHashMap<Place, Unpacked>,
    recent_bytes: usize,
}

impl Unpacker {
    pub(super) fn new(packs: Arc<Packs>) -> Self {
        Self {
            packs,
            last: 0,
            inflate: Decompressor::new(),
            stream: Vec::new(),
            made: Vec::new(),
            chain: Vec::new(),
            recent: FxHashMap::default(),
            older: FxHashMap::default(),
            recent_bytes: 0,
        }
    }

    /// An object, if a pack has it and nothing is odd about it.
    pub(super) fn get(&mut self, id: &ObjectId) -> Option<Unpacked> {
        let packs = Arc::clone(&self.packs);
        let count = packs.0.len();
        let mut order = (0..count).map(|i| (self.last + i) % count);
        let (pack, offset) = order.find_map(|pack| Some((pack, packs.0[pack].find(id)?)))?;
        self.last = pack;
        self.unpack(&packs.0[pack], pack, offset)
    }

    /// Down the chain of deltas to what is known or whole, and up again.
    fn unpack(&mut self, pack: &Pack, number: usize, offset: u64) -> Option<Unpacked> {
        self.chain.clear();
        let mut at = offset;
        let mut known = loop {
            if let Some(known) = self.remembered((number, at)) {
                break known;
            }
            let (entry, bytes) = pack.entry(at)?;
            let size = usize::try_from(entry.decompressed_size).ok()?;
            if size > MAX_BYTES || self.chain.len() > MAX_CHAIN {
                return None;
            }
            if let Some(kind) = entry.header.as_kind() {
                let whole = inflated(&mut self.inflate, bytes, size, &mut self.stream)?;
                let unpacked = (kind, Rc::from(whole));
                self.remember((number, at), &unpacked);
                break unpacked;
            }
            self.chain.push((at, entry.data_offset, size));
            at = match entry.header {
                data::entry::Header::OfsDelta { base_distance } => {
                    data::entry::Header::verified_base_pack_offset(at, base_distance)?
                }
                data::entry::Header::RefDelta { base_id } => pack.find(&base_id)?,
                _ => return None,
            };
        };
        while let Some((place, start, size)) = self.chain.pop() {
            let end = pack.data.pack_end() as u64;
            let bytes = pack.data.entry_slice(start..end)?;
            let delta = inflated(&mut self.inflate, bytes, size, &mut self.stream)?;
            apply(&known.1, delta, &mut self.made)?;
            known.1 = Rc::from(self.made.as_slice());
            self.remember((number, place), &known);
        }
        Some(known)
    }

    fn remembered(&mut self, place: Place) -> Option<Unpacked> {
        if let Some(known) = self.recent.get(&place) {
            return Some(known.clone());
        }
        let known = self.older.remove(&place)?;
        self.remember(place, &known);
        Some(known)
    }

    fn remember(&mut self, place: Place, unpacked: &Unpacked) {
        let bytes = unpacked.1.len() + 64;
        if unpacked.0 != Kind::Tree || bytes > MAX_ENTRY {
            return;
        }
        self.recent_bytes += bytes;
        if self.recent_bytes > GENERATION_BYTES {
            self.recent_bytes = bytes;
            self.older = std::mem::take(&mut self.recent);
        }
        self.recent.insert(place, unpacked.clone());
    }
}

/// The bytes of a stream that is followed by others; none unless it has just this size.
fn inflated<'s>(
    inflate: &mut Decompressor,
    bytes: &[u8],
    size: usize,
    stream: &'s mut Vec<u8>,
) -> Option<&'s [u8]> {
    if stream.len() < size {
        stream.resize(size.next_power_of_two(), 0);
    }
    let out = &mut stream[..size];
    let made = inflate.zlib_decompress(bytes, out).ok()?;
    (made == size).then_some(&stream[..size])
}

/// Carries out a delta (gitformat-pack(5), "Deltified representation"). Nothing where it does not fit.
fn apply(base: &[u8], delta: &[u8], made: &mut Vec<u8>) -> Option<()> {
    let mut rest = delta;
    let (of_base, of_result) = (size(&mut rest)?, size(&mut rest)?);
    if of_base != base.len() || of_result > MAX_BYTES {
        return None;
    }
    made.clear();
    made.reserve(of_result);
    while let Some(op) = next(&mut rest) {
        let piece = match op {
            0 => return None,
            op if op & 0x80 == 0 => {
                let (piece, behind) = rest.split_at_checked(op.into())?;
                rest = behind;
                piece
            }
            op => {
                let mut number = |first: u8, bytes: u8| -> Option<usize> {
                    let mut value = 0;
                    for i in (0..bytes).filter(|i| op & (first << i) != 0) {
                        value |= usize::from(next(&mut rest)?) << (8 * i);
                    }
                    Some(value)
                };
                let start = number(0x01, 4)?;
                let length = match number(0x10, 3)? {
                    0 => 0x10000,
                    length => length,
                };
                base.get(start..start.checked_add(length)?)?
            }
        };
        if made.len() + piece.len() > of_result {
            return None;
        }
        made.extend_from_slice(piece);
    }
    (made.len() == of_result).then_some(())
}

fn next(rest: &mut &[u8]) -> Option<u8> {
    let (first, behind) = rest.split_first()?;
    *rest = behind;
    Some(*first)
}

/// A size, seven bits a byte, the lowest first.
fn size(rest: &mut &[u8]) -> Option<usize> {
    let mut size = 0;
    for shift in (0..usize::BITS - 7).step_by(7) {
        let byte = next(rest)?;
        size |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(size);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Deltas as git writes them: copies and insertions in any order.
    fn delta_of(base: &[u8], pieces: &[(bool, usize, usize)]) -> (Vec<u8>, Vec<u8>) {
        let (mut ops, mut result) = (Vec::new(), Vec::new());
        for (copy, a, b) in pieces {
            let start = a % base.len();
            let length = 1 + b % (base.len() - start);
            match copy {
                true => {
                    ops.push(0x80 | 0x01 | 0x02 | 0x04 | 0x10 | 0x20);
                    ops.extend_from_slice(&[start as u8, (start >> 8) as u8, (start >> 16) as u8]);
                    ops.extend_from_slice(&[length as u8, (length >> 8) as u8]);
                    result.extend_from_slice(&base[start..start + length]);
                }
                false => {
                    let text = &base[start..start + length.min(127)];
                    ops.push(text.len() as u8);
                    ops.extend_from_slice(text);
                    result.extend_from_slice(text);
                }
            }
        }
        let mut delta = varint(base.len());
        delta.extend(varint(result.len()));
        delta.extend(ops);
        (delta, result)
    }

    fn varint(mut n: usize) -> Vec<u8> {
        let mut out = Vec::new();
        while n > 0x7f {
            out.push(n as u8 & 0x7f | 0x80);
            n >>= 7;
        }
        out.push(n as u8);
        out
    }

    proptest! {
        #[test]
        fn deltas_make_what_they_say(
            base in proptest::collection::vec(any::<u8>(), 1..400),
            pieces in proptest::collection::vec((any::<bool>(), any::<usize>(), any::<usize>()), 0..12),
        ) {
            let (delta, result) = delta_of(&base, &pieces);
            let mut made = Vec::new();
            prop_assert_eq!(apply(&base, &delta, &mut made), Some(()));
            prop_assert_eq!(&made, &result);
            // Cut short it is refused, or it is another delta's whole text.
            for end in 0..delta.len() {
                let whole = apply(&base, &delta[..end], &mut made).is_some();
                prop_assert!(!whole || made.len() == result.len());
            }
        }

        #[test]
        fn any_bytes_are_refused_or_keep_to_the_size(
            base in proptest::collection::vec(any::<u8>(), 0..40),
            delta in proptest::collection::vec(any::<u8>(), 0..60),
        ) {
            let mut made = Vec::new();
            if apply(&base, &delta, &mut made).is_some() {
                let mut rest = delta.as_slice();
                size(&mut rest);
                prop_assert_eq!(size(&mut rest), Some(made.len()));
            }
        }
    }

    #[test]
    fn guesses_stay_inside() {
        for (part, whole) in [
            (0, 0),
            (0, u64::MAX),
            (u64::MAX, u64::MAX),
            (7, 7),
            (3, 1 << 40),
        ] {
            for count in [1, 2, 1000, u32::MAX] {
                assert!(between(part, whole, count) < count);
            }
        }
    }
}
