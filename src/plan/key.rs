//! A step's definition digest.
//!
//! Goes in: the fields that are in the builder's own definition, one after another. Comes out: 128
//! bits of blake3. Invariant: fields are length-prefixed, so no two lists of fields collide.

use super::state::VOLATILE;

/// Collects fields.
pub struct Key {
    hasher: blake3::Hasher,
    /// A per-build value is among the fields.
    pub volatile: bool,
}

impl Key {
    pub fn new(kind: &str) -> Self {
        let mut key = Self {
            hasher: blake3::Hasher::new(),
            volatile: false,
        };
        key.text(kind);
        key
    }

    pub fn text(&mut self, text: &str) -> &mut Self {
        self.volatile |= text.contains(VOLATILE);
        self.hasher.update(&(text.len() as u64).to_le_bytes());
        self.hasher.update(text.as_bytes());
        self
    }

    pub fn list(&mut self, items: &[String]) -> &mut Self {
        self.hasher.update(&(items.len() as u64).to_le_bytes());
        for item in items {
            self.text(item);
        }
        self
    }

    pub fn number(&mut self, n: u128) -> &mut Self {
        self.hasher.update(&n.to_le_bytes());
        self
    }

    pub fn finish(&self) -> u128 {
        let bytes = self.hasher.finalize();
        let mut half = [0u8; 16];
        half.copy_from_slice(&bytes.as_bytes()[..16]);
        u128::from_le_bytes(half)
    }
}

/// An owner as it is in the key: numbers and `root` are resolved, other names are not; a group that is
/// given counts even where it is the user's own, and an empty side of the colon is root (experiments rows 37, 48, 49).
pub fn owner_key(owner: &str) -> String {
    let id = |name: &str| match name {
        "root" => "0".to_owned(),
        "" if owner.contains(':') => "0".to_owned(),
        _ => name
            .parse::<u32>()
            .map_or_else(|_| name.to_owned(), |id| id.to_string()),
    };
    owner.split(':').map(id).collect::<Vec<_>>().join(":")
}
