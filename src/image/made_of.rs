//! The layers of an image and what its history says of each.
//!
//! Goes in: the configuration of an image, and what is in its layers. Comes out: a list of [`ImageLayer`], and what later layers take away.
//! Linear. Invariant: every layer is in the list once, in its order; a history that has another number of layers is not believed.

use super::store::Amount;
use serde_json::Value;

/// Entries of a history that are read.
const MAX_ENTRIES: usize = 8192;
/// Bytes of one entry's text.
const MAX_TEXT: usize = 64 << 10;

/// One entry of the history that made an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageLayer {
    /// What it was made by, as the history says it; empty where there is none.
    pub created_by: String,
    /// Number of the layer from 0; `None` for an entry without one, such as ENV.
    pub layer: Option<usize>,
    /// What is in it.
    pub amount: Amount,
    /// Bytes of it in the archive, mostly compressed.
    pub packed: u64,
}

/// A file that a later layer takes away or covers: its bytes are in the image, and nobody sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// Without a slash at either end.
    pub path: Vec<u8>,
    /// Bytes.
    pub size: u64,
    /// Number of the layer that holds it, from 0.
    pub holder: usize,
    /// Number of the layer above.
    pub by: usize,
    /// How.
    pub kind: LossKind,
}

/// How a later layer hides what an earlier one holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LossKind {
    /// It is deleted.
    Deleted,
    /// Something else stands in its place.
    Overwritten,
    /// The same bytes once more, with another owner, mode or time.
    Attributes,
}

impl LossKind {
    /// The word in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deleted => "deleted",
            Self::Overwritten => "overwritten",
            Self::Attributes => "attributes",
        }
    }
}

/// An entry of a history: its text, and whether it has a layer.
#[derive(Clone, Debug)]
pub struct Entry {
    text: String,
    has_layer: bool,
}

/// The history in a configuration; empty where there is none, or one that is too long.
pub fn history(config: &Value) -> Vec<Entry> {
    let list = config["history"].as_array().map(Vec::as_slice);
    let list = list.filter(|l| l.len() <= MAX_ENTRIES).unwrap_or_default();
    let entry = |value: &Value| {
        let text = value["created_by"].as_str().unwrap_or_default();
        Entry {
            text: text.chars().take(MAX_TEXT).collect(),
            has_layer: !value["empty_layer"].as_bool().unwrap_or(false),
        }
    };
    list.iter().map(entry).collect()
}

/// The entries with their layers; `layers` are what is in each, and its bytes in the archive.
pub fn layers(
    history: Vec<Entry>,
    layers: impl ExactSizeIterator<Item = (Amount, u64)>,
) -> Vec<ImageLayer> {
    let with = history.iter().filter(|e| e.has_layer).count();
    let history = match with == layers.len() {
        true => history,
        false => vec![
            Entry {
                text: String::new(),
                has_layer: true
            };
            layers.len()
        ],
    };
    let mut layers = layers.enumerate();
    let one = |entry: Entry| {
        let found = entry.has_layer.then(|| layers.next()).flatten();
        let (amount, packed) = found.map_or_else(Default::default, |(_, of)| of);
        ImageLayer {
            created_by: entry.text,
            layer: found.map(|(n, _)| n),
            amount,
            packed,
        }
    };
    history.into_iter().map(one).collect()
}
