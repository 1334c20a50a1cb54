//! A memory of decoded pack entries, so that a chain of deltas is not unpacked again for each of its
//! members.
//!
//! Goes in: what the pack reader decoded. Comes out: the same bytes by place in the pack. Cost: a
//! bounded number of bytes per thread. Invariant: only a copy of what the pack holds; forgetting is
//! always right. It pays when neighbours in history are read newest first, the direction in which
//! git stores deltas.

use gix::objs::Kind;
use gix::odb::pack::cache::DecodeEntry;
use rustc_hash::FxHashMap;

/// Bytes in each of the two generations.
const GENERATION_BYTES: usize = 8 << 20;

/// Larger entries are files rather than trees and commits.
const MAX_ENTRY: usize = 256 << 10;

struct Decoded {
    kind: Kind,
    compressed_size: usize,
    data: Box<[u8]>,
}

/// Entries of the current generation and the one before; what is found moves to the current one.
#[derive(Default)]
pub(super) struct DeltaBases {
    recent: FxHashMap<(u32, u64), Decoded>,
    older: FxHashMap<(u32, u64), Decoded>,
    recent_bytes: usize,
}

impl DeltaBases {
    fn insert(&mut self, place: (u32, u64), entry: Decoded) {
        self.recent_bytes += entry.data.len() + 64;
        if self.recent_bytes > GENERATION_BYTES {
            self.recent_bytes = entry.data.len() + 64;
            self.older = std::mem::take(&mut self.recent);
        }
        self.recent.insert(place, entry);
    }
}

impl DecodeEntry for DeltaBases {
    fn put(&mut self, pack: u32, offset: u64, data: &[u8], kind: Kind, compressed_size: usize) {
        if data.len() <= MAX_ENTRY {
            let data = data.into();
            let entry = Decoded {
                kind,
                compressed_size,
                data,
            };
            self.insert((pack, offset), entry);
        }
    }

    fn get(&mut self, pack: u32, offset: u64, out: &mut Vec<u8>) -> Option<(Kind, usize)> {
        let place = (pack, offset);
        if !self.recent.contains_key(&place) {
            let entry = self.older.remove(&place)?;
            self.insert(place, entry);
        }
        let entry = self.recent.get(&place)?;
        out.clear();
        out.extend_from_slice(&entry.data);
        Some((entry.kind, entry.compressed_size))
    }
}
