//! An image in an archive as the files that a container of it would see.
//!
//! Goes in: an archive as builders write it, an OCI layout in a tar or what `docker save` makes. Comes out:
//! every path with what it is, and the configuration. Costs one read of every layer; nothing is extracted, and of contents
//! only digests are kept. Invariant: the archive may be hostile: whatever it holds, the result is an image or an
//! error with a place, in memory bounded by [`MAX_HELD`]. Layers are applied as containerd does it: what a layer
//! takes away is what layers below it have, a name below a link goes where the link leads.

mod layers;
#[cfg(test)]
pub(crate) mod made;
mod made_of;
pub mod members;
mod store;
#[cfg(test)]
mod tests;

pub use made_of::{ImageLayer, Loss, LossKind};
pub use store::{Amount, BLOCK, Disk, Folder, Store};

use crate::pattern::display;
use flate2::bufread::MultiGzDecoder;
use members::{MemberKind, Members};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Read, Seek, SeekFrom};

/// Bytes of paths, link texts and attributes held of one image, roughly.
pub const MAX_HELD: u64 = 1 << 30;
/// Bytes of a document inside an archive: index, manifest, configuration.
const MAX_DOCUMENT: u64 = 8 << 20;
/// Members of the outer archive.
const MAX_BLOBS: usize = 100_000;
/// Bytes of all layers, unpacked: one that is named again counts again, so a small archive cannot keep the tool busy for hours.
const MAX_UNPACKED: u64 = 64 << 30;
/// Layers of one image.
const MAX_LAYERS: usize = 4096;
/// How deep an index may lie in another.
const MAX_INDEXES: usize = 4;
/// Bytes read at once.
const BUFFER: usize = 64 << 10;

/// Why an archive could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The file cannot be read.
    #[error("cannot read the image archive: {0}")]
    Read(#[from] io::Error),
    /// It is no image, or one that is not understood.
    #[error("the image archive, {place}: {reason}")]
    Damaged {
        /// Where: a document, or a layer and a member.
        place: String,
        /// One sentence without an end.
        reason: String,
    },
    /// It holds more than is read.
    #[error("the image archive has more {0} than are read")]
    TooMuch(&'static str),
}

/// What a path is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A folder.
    Folder,
    /// A file.
    File {
        /// Bytes.
        size: u64,
        /// BLAKE3 of its content.
        digest: [u8; 32],
        /// The same without the time that compiled Python holds, where it is such a file.
        timeless: Option<Box<[u8; 32]>>,
    },
    /// A symbolic link and its text.
    Symlink(Vec<u8>),
    /// A character device: major and minor.
    Character(u32, u32),
    /// A block device: major and minor.
    Block(u32, u32),
    /// A named pipe.
    Pipe,
}

impl Kind {
    /// In reports.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Folder => "folder",
            Self::File { .. } => "file",
            Self::Symlink(_) => "symbolic link",
            Self::Character(..) => "character device",
            Self::Block(..) => "block device",
            Self::Pipe => "pipe",
        }
    }
}

/// What one or more paths name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inode {
    /// What it is.
    pub kind: Kind,
    /// Permission bits, with set-id and sticky.
    pub mode: u32,
    /// Owner.
    pub uid: u64,
    /// Group.
    pub gid: u64,
    /// Extended attributes by name.
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Layer and member that hold its content, both counted from 0.
    source: (usize, u64),
}

/// Where a path leads, and the layer that said so last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slot {
    inode: usize,
    layer: usize,
}

/// An image.
#[derive(Clone, Debug, Default)]
pub struct Image {
    /// Paths without a slash at either end; the root is empty.
    paths: BTreeMap<Vec<u8>, Slot>,
    inodes: Vec<Inode>,
    config: BTreeMap<String, Value>,
    layers: Vec<Blob>,
    made_of: Vec<ImageLayer>,
    losses: Vec<Loss>,
}

/// A part of the outer archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Blob {
    offset: u64,
    size: u64,
}

impl Image {
    /// Reads an archive.
    ///
    /// # Errors
    /// When it cannot be read, is no image of one platform, or holds more than is read.
    pub fn read<R: Read + Seek>(mut archive: R) -> Result<Self, ImageError> {
        let blobs = blobs(&mut archive)?;
        let (config, history, layers) = parts(&mut archive, &blobs)?;
        if layers.len() > MAX_LAYERS {
            return Err(ImageError::TooMuch("layers"));
        }
        let mut tree = layers::Tree::default();
        let mut left = MAX_UNPACKED;
        for (i, layer) in layers.iter().enumerate() {
            let read = |e: io::Error| layers::damaged(i, b"", &e.to_string());
            let mut content = open(&mut archive, *layer).map_err(read)?.take(left);
            let applied = tree.apply(i, &mut Members::new(&mut content));
            left = content.limit();
            if left == 0 {
                return Err(ImageError::TooMuch("bytes in its layers"));
            }
            applied?;
        }
        let layers::Finished {
            paths,
            inodes,
            amounts,
            losses,
        } = tree.finish();
        let packed = layers.iter().map(|b| b.size);
        let made_of = made_of::layers(history, amounts.into_iter().zip(packed));
        Ok(Self {
            paths,
            inodes,
            config,
            layers,
            made_of,
            losses,
        })
    }

    /// What it was made of, first to last: a layer each, and what of the history has none.
    #[must_use]
    pub fn made_of(&self) -> &[ImageLayer] {
        &self.made_of
    }

    /// Files of which a later layer takes away or covers the last name.
    #[must_use]
    pub fn losses(&self) -> &[Loss] {
        &self.losses
    }

    /// Number of paths, the root among them.
    #[must_use]
    pub fn len(&self) -> usize {
        self.paths.len()
    }

    /// Whether there is no path at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// What a path is; no slash at either end.
    #[must_use]
    pub fn get(&self, path: &[u8]) -> Option<&Inode> {
        self.paths.get(path).map(|slot| &self.inodes[slot.inode])
    }

    /// Number of the layer that holds the content of what a path names, from 0.
    #[must_use]
    pub fn holder(&self, path: &[u8]) -> Option<usize> {
        self.get(path).map(|inode| inode.source.0)
    }

    /// All paths with what they are, in the order of their bytes.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &Inode)> {
        let paths = self.paths.iter();
        paths.map(|(path, slot)| (path.as_slice(), &self.inodes[slot.inode]))
    }

    /// For every path whose file has more than one name: the first of them, and how many there are.
    #[must_use]
    pub fn hard_links(&self) -> BTreeMap<&[u8], (&[u8], usize)> {
        let mut names: BTreeMap<usize, (&[u8], usize)> = BTreeMap::new();
        for (path, slot) in &self.paths {
            names.entry(slot.inode).or_insert((path, 0)).1 += 1;
        }
        let mut out = BTreeMap::new();
        for (path, slot) in &self.paths {
            if names[&slot.inode].1 > 1 {
                out.insert(path.as_slice(), names[&slot.inode]);
            }
        }
        out
    }

    /// The configuration field by field: what the image format calls `config`, and the platform. Fields that
    /// are empty are left out, as are those that say when and from what the image was made.
    #[must_use]
    pub fn config(&self) -> &BTreeMap<String, Value> {
        &self.config
    }

    /// Contents of some files, no more than `most` bytes of each; larger ones and what is no file are left out. Costs one
    /// read of the layers that hold them.
    ///
    /// # Errors
    /// When the archive is not the one this image was read from, or cannot be read any more.
    pub fn contents<'p, R: Read + Seek>(
        &self,
        mut archive: R,
        wanted: impl IntoIterator<Item = (&'p [u8], u64)>,
    ) -> Result<BTreeMap<&'p [u8], Vec<u8>>, ImageError> {
        let mut by_layer: BTreeMap<usize, BTreeMap<u64, Vec<&'p [u8]>>> = BTreeMap::new();
        for (path, most) in wanted {
            if let Some(inode) = self.get(path)
                && let Kind::File { size, .. } = inode.kind
                && size <= most
            {
                let (layer, member) = inode.source;
                let members = by_layer.entry(layer).or_default();
                members.entry(member).or_default().push(path);
            }
        }
        let mut out = BTreeMap::new();
        for (layer, wanted) in by_layer {
            let read = |e: io::Error| layers::damaged(layer, b"", &e.to_string());
            let content = open(&mut archive, self.layers[layer]).map_err(read)?;
            let mut members = Members::new(content);
            let last = wanted.keys().next_back().copied().unwrap_or(0);
            for number in 0..=last {
                let Some(member) = members.next_member().map_err(read)? else {
                    break;
                };
                if let Some(paths) = wanted.get(&number)
                    && member.kind == MemberKind::File
                {
                    let mut bytes = Vec::new();
                    members.content().read_to_end(&mut bytes).map_err(read)?;
                    out.extend(paths.iter().map(|p| (*p, bytes.clone())));
                }
            }
        }
        Ok(out)
    }
}

fn damaged(place: &str, reason: impl Into<String>) -> ImageError {
    ImageError::Damaged {
        place: place.to_owned(),
        reason: reason.into(),
    }
}

/// Names in the outer archive and where their bytes are.
fn blobs<R: Read + Seek>(archive: &mut R) -> Result<BTreeMap<Vec<u8>, Blob>, ImageError> {
    let end = archive.seek(SeekFrom::End(0))?;
    archive.seek(SeekFrom::Start(0))?;
    let wrong = |e: io::Error| damaged("its outer tar", e.to_string());
    let mut out = BTreeMap::new();
    let mut members = Members::new(archive);
    while let Some(member) = members.next_member().map_err(wrong)? {
        if out.len() == MAX_BLOBS {
            return Err(ImageError::TooMuch("members"));
        }
        let offset = members.leap().map_err(wrong)?;
        let size = member.size;
        if end.checked_sub(offset).is_none_or(|rest| rest < size) {
            return Err(damaged("its outer tar", "it ends inside a member"));
        }
        if member.kind == MemberKind::File {
            let name = member.name.strip_prefix(b"./").unwrap_or(&member.name);
            out.insert(name.to_vec(), Blob { offset, size });
        }
    }
    Ok(out)
}

type Config = BTreeMap<String, Value>;

/// The configuration, the history and the layers, lowest first.
fn parts<R: Read + Seek>(
    archive: &mut R,
    blobs: &BTreeMap<Vec<u8>, Blob>,
) -> Result<(Config, Vec<made_of::Entry>, Vec<Blob>), ImageError> {
    let find = |name: &str| {
        let found = blobs.get(name.as_bytes()).copied();
        found.ok_or_else(|| damaged(&display(name.as_bytes()), "it is not there"))
    };
    let text = |value: &Value, place: &str| match value.as_str() {
        Some(text) => Ok(text.to_owned()),
        None => Err(damaged(place, "a name is missing")),
    };
    let (config, layers) = if blobs.contains_key(&b"index.json"[..]) {
        let mut name = "index.json".to_owned();
        let mut manifest = document(archive, find(&name)?, &name)?;
        let mut depth = 0;
        while manifest["manifests"].is_array() {
            depth += 1;
            if depth > MAX_INDEXES {
                return Err(damaged(&name, "too many indexes in one another"));
            }
            name = blob_name(
                &text(&only_image(&manifest, &name)?["digest"], &name)?,
                &name,
            )?;
            manifest = document(archive, find(&name)?, &name)?;
        }
        let blob = |of: &Value| find(&blob_name(&text(&of["digest"], &name)?, &name)?);
        let layers = list(&manifest["layers"], &name)?;
        let layers: Result<Vec<Blob>, ImageError> = layers.iter().map(blob).collect();
        (blob(&manifest["config"])?, layers?)
    } else {
        let name = "manifest.json";
        let manifest = document(archive, find(name)?, name)?;
        let [image] = list(&manifest, name)? else {
            return Err(damaged(name, "it does not hold one image"));
        };
        let blob = |of: &Value| find(&text(of, name)?);
        let layers = list(&image["Layers"], name)?;
        let layers: Result<Vec<Blob>, ImageError> = layers.iter().map(blob).collect();
        (blob(&image["Config"])?, layers?)
    };
    let config = document(archive, config, "its configuration")?;
    Ok((fields(&config)?, made_of::history(&config), layers))
}

fn list<'v>(value: &'v Value, place: &str) -> Result<&'v [Value], ImageError> {
    match value {
        Value::Array(list) => Ok(list),
        Value::Null => Ok(&[]),
        _ => Err(damaged(place, "what should be a list is none")),
    }
}

/// The one image of an index; what a builder attests about an image is none.
fn only_image<'v>(index: &'v Value, place: &str) -> Result<&'v Value, ImageError> {
    let all = list(&index["manifests"], place)?.iter();
    let images: Vec<&Value> = all
        .filter(|m| m["annotations"]["vnd.docker.reference.type"].is_null())
        .collect();
    match images.as_slice() {
        [one] => Ok(one),
        [] => Err(damaged(place, "it holds no image")),
        more => Err(damaged(
            place,
            format!("it holds {} images: one platform at a time", more.len()),
        )),
    }
}

fn blob_name(digest: &str, place: &str) -> Result<String, ImageError> {
    match digest.split_once(':') {
        Some((algorithm, hex))
            if [algorithm, hex]
                .iter()
                .all(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_alphanumeric())) =>
        {
            Ok(format!("blobs/{algorithm}/{hex}"))
        }
        _ => Err(damaged(place, "a digest that is none")),
    }
}

fn document<R: Read + Seek>(archive: &mut R, blob: Blob, place: &str) -> Result<Value, ImageError> {
    if blob.size > MAX_DOCUMENT {
        return Err(damaged(place, format!("it has {} bytes", blob.size)));
    }
    archive.seek(SeekFrom::Start(blob.offset))?;
    let mut bytes = Vec::new();
    archive.take(blob.size).read_to_end(&mut bytes)?;
    serde_json::from_slice(&bytes).map_err(|e| damaged(place, e.to_string()))
}

/// What is compared of a configuration.
fn fields(document: &Value) -> Result<Config, ImageError> {
    /// Of the container it was made in, or the image it was made from.
    const LEFT_OUT: [&str; 4] = ["Hostname", "Domainname", "Image", "MacAddress"];
    let place = "its configuration";
    let Value::Object(all) = document else {
        return Err(damaged(place, "it is no object"));
    };
    let own = match &document["config"] {
        Value::Object(own) => own.clone(),
        Value::Null => serde_json::Map::new(),
        _ => return Err(damaged(place, "config is no object")),
    };
    let platform = [
        "architecture",
        "os",
        "variant",
        "os.version",
        "os.features",
        "author",
    ];
    let outer = platform.iter().filter_map(|name| {
        let value = all.get(*name)?;
        Some(((*name).to_owned(), value.clone()))
    });
    let own = own
        .into_iter()
        .filter(|(n, _)| !LEFT_OUT.contains(&n.as_str()));
    Ok(outer.chain(own).filter(|(_, v)| !is_empty(v)).collect())
}

/// Builders write an empty value where others write none.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(s) => s.is_empty(),
        Value::Array(a) => a.is_empty(),
        Value::Object(o) => o.is_empty(),
        Value::Bool(true) | Value::Number(_) => false,
    }
}

/// A layer's tar, unpacked on the way.
fn open<R: Read + Seek>(archive: &mut R, layer: Blob) -> io::Result<BufReader<Box<dyn Read + '_>>> {
    archive.seek(SeekFrom::Start(layer.offset))?;
    let mut raw = BufReader::with_capacity(BUFFER, archive.take(layer.size));
    let start = raw.fill_buf()?;
    let content: Box<dyn Read + '_> = if start.starts_with(&[0x1f, 0x8b]) {
        Box::new(MultiGzDecoder::new(raw))
    } else if start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        let mut zstd = zstd::Decoder::with_buffer(raw)?;
        // What a window may take while it is unpacked: 128 MB, as the format's own tools allow.
        zstd.window_log_max(27)?;
        Box::new(zstd)
    } else {
        Box::new(raw)
    };
    Ok(BufReader::with_capacity(BUFFER, content))
}
