//! A layer while it is put together.
//!
//! Goes in: what comes to its places. Comes out: an [`Amount`]. A look-up a folder. Invariant: the root and every folder on the way to something
//! are in it, each once.

use super::taken::Brought;
use crate::image::{Amount, Folder};
use std::collections::BTreeMap;

/// Bytes of the longest path that Linux takes.
const MAX_PATH: usize = 4096;

/// What a layer holds so far.
pub struct Draft {
    amount: Amount,
    folders: BTreeMap<String, Folder>,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            amount: Amount::default(),
            folders: BTreeMap::from([(String::new(), Folder::default())]),
        }
    }
}

impl Draft {
    /// Adds what comes to a place.
    pub fn put(&mut self, place: &str, brought: &Brought) {
        match brought {
            Brought::Folder => return self.folder(place),
            Brought::File {
                size, again: false, ..
            } => self.amount.file(*size),
            Brought::Link { text, .. } => self.amount.link(*text),
            Brought::File { .. } | Brought::Other => {}
        }
        self.name(place);
    }

    /// Adds a folder.
    pub fn folder(&mut self, place: &str) {
        let place = place.trim_end_matches('/');
        if !self.folders.contains_key(place) {
            self.folders.insert(place.to_owned(), Folder::default());
            self.name(place);
        }
    }

    /// Adds a name, and the way to it.
    pub fn name(&mut self, place: &str) {
        let mut at = place.trim_end_matches('/');
        // No system has such a path.
        if at.len() > MAX_PATH {
            return;
        }
        while let Some((above, name)) = at.rsplit_once('/') {
            let length = name.len();
            match self.folders.get_mut(above) {
                Some(folder) => return folder.name(length),
                None => {
                    let mut folder = Folder::default();
                    folder.name(length);
                    self.folders.insert(above.to_owned(), folder);
                }
            }
            at = above;
        }
    }

    /// What is in it.
    #[must_use]
    pub fn finish(self) -> Amount {
        let mut amount = self.amount;
        self.folders.into_values().for_each(|f| amount.folder(f));
        amount
    }
}
