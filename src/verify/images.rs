//! Two images compared path by path, and what of that says nothing about the plan.
//!
//! Goes in: the archives of the original's image and the plan's, and where there is one the image of a second build of the
//! original. Comes out: a [`Comparison`]. Costs one read of each archive, and a second one of the layers that hold texts
//! worth showing. Invariants: a difference is in exactly one of the two lists; a path counts as noise only for a
//! reason that is given with it (see [`super::noise`]); times of modification, layers and history are not looked at.

use super::noise::{self, Noise};
use crate::image::{Image, ImageError, Inode, Kind};
use crate::pattern::display;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

/// Bytes of a file whose text is shown.
pub const MAX_SHOWN: u64 = 64 << 10;
/// Files whose text is looked at.
const MAX_TEXTS: usize = 200;

/// What is compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// Whether the path is there.
    Presence,
    /// Folder, file, link and so on.
    Type,
    /// Permission bits.
    Mode,
    /// Owner and group.
    Owner,
    /// Text of a symbolic link.
    Link,
    /// Numbers of a device.
    Device,
    /// The extended attribute of that name.
    Attribute(String),
    /// Bytes of a file.
    Content,
    /// Which other paths name the same file.
    HardLinks,
    /// A field of the configuration.
    Config(String),
    /// The order in a field of the configuration.
    ConfigOrder(String),
}

impl Field {
    /// In reports.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Presence => "presence",
            Self::Type => "type",
            Self::Mode => "mode",
            Self::Owner => "owner",
            Self::Link => "link target",
            Self::Device => "device",
            Self::Attribute(_) => "attribute",
            Self::Content => "content",
            Self::HardLinks => "hard links",
            Self::Config(_) => "configuration",
            Self::ConfigOrder(_) => "order in the configuration",
        }
    }
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageDifference {
    /// The path without a slash at either end; empty for the root, and for fields of the configuration.
    pub path: Vec<u8>,
    /// What differs.
    pub field: Field,
    /// In the original's image, in words.
    pub original: String,
    /// In the plan's.
    pub plan: String,
    /// The two texts of a file, where they are small and text.
    pub texts: Option<Box<(String, String)>>,
}

/// What came of a comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Paths that at least one of the images has.
    pub paths: usize,
    /// Differences that the plan has to answer for.
    pub differences: Vec<ImageDifference>,
    /// Those that it has not, and why.
    pub noise: Vec<Noise>,
}

/// An archive that was read once.
#[derive(Debug)]
pub struct Archive<R> {
    /// Its image.
    pub image: Image,
    archive: R,
}

impl Archive<File> {
    /// Opens and reads a file.
    ///
    /// # Errors
    /// As [`Image::read`].
    pub fn open(path: &Path) -> Result<Self, ImageError> {
        Self::read(File::open(path)?)
    }
}

impl<R: Read + Seek> Archive<R> {
    /// Reads an archive.
    ///
    /// # Errors
    /// As [`Image::read`].
    pub fn read(mut archive: R) -> Result<Self, ImageError> {
        let image = Image::read(&mut archive)?;
        Ok(Self { image, archive })
    }
}

/// Compares the images in two files. Without a second build of the original only names and contents that are
/// known for it count as noise.
///
/// # Errors
/// When one of them cannot be read.
pub fn compare_files(original: &Path, plan: &Path) -> Result<Comparison, ImageError> {
    compare_archives(
        &mut Archive::open(original)?,
        &mut Archive::open(plan)?,
        None,
    )
}

/// Compares two images. `again` is another build of the original.
///
/// # Errors
/// When an archive cannot be read any more.
pub fn compare_archives<R: Read + Seek>(
    original: &mut Archive<R>,
    plan: &mut Archive<R>,
    again: Option<&Image>,
) -> Result<Comparison, ImageError> {
    let rows = differences(&original.image, &plan.image);
    let mut texts = Texts::default();
    let wanted: Vec<(&[u8], u64)> = wanted(&rows);
    texts.original = original
        .image
        .contents(&mut original.archive, wanted.iter().copied())?;
    texts.plan = plan
        .image
        .contents(&mut plan.archive, wanted.iter().copied())?;
    let more = plan.image.iter();
    let more = more.filter(|(path, _)| original.image.get(path).is_none());
    let mut out = Comparison {
        paths: original.image.len() + more.count(),
        ..Comparison::default()
    };
    let evidence = again.map(|again| noise::Evidence::new(&original.image, again, &rows));
    for row in &rows {
        let known = noise::known(row, &original.image, &plan.image, &texts);
        let found = known.or_else(|| {
            let evidence = evidence.as_ref()?;
            evidence.explains(row, &plan.image)
        });
        let mut row = row.clone();
        row.texts = texts.shown(&row);
        match found {
            Some((kind, why)) => out.noise.push(Noise {
                difference: row,
                kind,
                why,
            }),
            None => out.differences.push(row),
        }
    }
    Ok(out)
}

/// Small files of both images, by path.
#[derive(Debug, Default)]
pub(super) struct Texts<'p> {
    pub(super) original: BTreeMap<&'p [u8], Vec<u8>>,
    pub(super) plan: BTreeMap<&'p [u8], Vec<u8>>,
}

impl Texts<'_> {
    /// Both contents of a file.
    pub(super) fn both(&self, path: &[u8]) -> Option<(&[u8], &[u8])> {
        Some((self.original.get(path)?, self.plan.get(path)?))
    }

    fn shown(&self, row: &ImageDifference) -> Option<Box<(String, String)>> {
        let both = self.both(&row.path);
        let (old, new) = both.filter(|_| row.field == Field::Content)?;
        let text = |bytes: &[u8]| {
            let small = bytes.len() as u64 <= MAX_SHOWN && !bytes.contains(&0);
            let text = std::str::from_utf8(bytes).ok().filter(|_| small)?;
            Some(text.to_owned())
        };
        Some(Box::new((text(old)?, text(new)?)))
    }
}

/// Whose contents are looked at: those that a rule of noise needs, and the first small ones.
fn wanted(rows: &[ImageDifference]) -> Vec<(&[u8], u64)> {
    let contents = rows.iter().filter(|r| r.field == Field::Content);
    let mut shown = 0;
    let mut out = Vec::new();
    for row in contents {
        if let Some(most) = noise::looked_at(&row.path) {
            out.push((row.path.as_slice(), most));
        } else if shown < MAX_TEXTS {
            shown += 1;
            out.push((row.path.as_slice(), MAX_SHOWN));
        }
    }
    out
}

/// Every difference of two images, paths in the order of their bytes, then the configuration.
pub(super) fn differences(a: &Image, b: &Image) -> Vec<ImageDifference> {
    let mut out = Vec::new();
    let (links_a, links_b) = (a.hard_links(), b.hard_links());
    let (mut left, mut right) = (a.iter().peekable(), b.iter().peekable());
    loop {
        let (old, new) = match (left.peek(), right.peek()) {
            (None, None) => break,
            (Some((p, _)), Some((q, _))) if p == q => (left.next(), right.next()),
            (Some((p, _)), Some((q, _))) if p < q => (left.next(), None),
            (Some(_), None) => (left.next(), None),
            _ => (None, right.next()),
        };
        match (old, new) {
            (Some((path, old)), Some((_, new))) => {
                let mut push = |field: Field, original: String, plan: String| {
                    if original != plan {
                        out.push(difference(path, field, original, plan));
                    }
                };
                compare_inodes(old, new, &mut push);
                if let (Kind::File { .. }, Kind::File { .. }) = (&old.kind, &new.kind) {
                    let names = |group: Option<&(&[u8], usize)>| match group {
                        None => "one name".to_owned(),
                        Some((first, n)) => format!("{n} names, the first is {}", shown(first)),
                    };
                    push(
                        Field::HardLinks,
                        names(links_a.get(path)),
                        names(links_b.get(path)),
                    );
                }
            }
            (Some((path, old)), None) => {
                out.push(difference(
                    path,
                    Field::Presence,
                    described(old),
                    ABSENT.to_owned(),
                ));
            }
            (None, Some((path, new))) => {
                out.push(difference(
                    path,
                    Field::Presence,
                    ABSENT.to_owned(),
                    described(new),
                ));
            }
            (None, None) => {}
        }
    }
    compare_configs(a.config(), b.config(), &mut out);
    out
}

/// In place of a value where there is none.
pub(super) const ABSENT: &str = "absent";

fn difference(path: &[u8], field: Field, original: String, plan: String) -> ImageDifference {
    ImageDifference {
        path: path.to_vec(),
        field,
        original,
        plan,
        texts: None,
    }
}

/// A path for people.
#[must_use]
pub fn shown(path: &[u8]) -> String {
    format!("/{}", display(path))
}

fn described(inode: &Inode) -> String {
    let Inode { mode, uid, gid, .. } = inode;
    let kind = inode.kind.name();
    match &inode.kind {
        Kind::File { size, .. } => format!("{kind}, {mode:04o}, {uid}:{gid}, {size} B"),
        Kind::Symlink(text) => format!("{kind} to {}, {uid}:{gid}", display(text)),
        _ => format!("{kind}, {mode:04o}, {uid}:{gid}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn compare_inodes(a: &Inode, b: &Inode, push: &mut dyn FnMut(Field, String, String)) {
    let owner = |i: &Inode| format!("{}:{}", i.uid, i.gid);
    push(Field::Owner, owner(a), owner(b));
    let link = |i: &Inode| matches!(i.kind, Kind::Symlink(_));
    // The mode of a link means nothing.
    if !link(a) && !link(b) {
        let mode = |i: &Inode| format!("{:04o}", i.mode);
        push(Field::Mode, mode(a), mode(b));
    }
    match (&a.kind, &b.kind) {
        (a, b) if a.name() != b.name() => {
            push(Field::Type, a.name().to_owned(), b.name().to_owned());
        }
        (Kind::Symlink(a), Kind::Symlink(b)) if a != b => push(Field::Link, display(a), display(b)),
        (Kind::Character(a, b), Kind::Character(c, d)) | (Kind::Block(a, b), Kind::Block(c, d)) => {
            push(Field::Device, format!("{a}:{b}"), format!("{c}:{d}"));
        }
        (
            Kind::File {
                size: n, digest: d, ..
            },
            Kind::File {
                size: m, digest: e, ..
            },
        ) if (n, d) != (m, e) => {
            let text = |n: &u64, d: &[u8]| format!("{n} B, blake3 {}", hex(d));
            push(Field::Content, text(n, d), text(m, e));
        }
        _ => {}
    }
    let names = a
        .xattrs
        .keys()
        .chain(b.xattrs.keys().filter(|k| !a.xattrs.contains_key(*k)));
    for name in names {
        // Long values by their digest, so that a row stays a row.
        let value = |i: &Inode| match i.xattrs.get(name) {
            None => ABSENT.to_owned(),
            Some(v) if v.len() <= 64 => format!("0x{}", hex(v)),
            Some(v) => format!("{} B, blake3 {}", v.len(), blake3::hash(v).to_hex()),
        };
        push(Field::Attribute(display(name)), value(a), value(b));
    }
}

fn compare_configs(
    a: &BTreeMap<String, Value>,
    b: &BTreeMap<String, Value>,
    out: &mut Vec<ImageDifference>,
) {
    let mut push = |field: Field, old: Option<&Value>, new: Option<&Value>| {
        if old != new {
            let text = |v: Option<&Value>| match v {
                None => ABSENT.to_owned(),
                Some(Value::String(s)) => s.clone(),
                Some(v) => v.to_string(),
            };
            let (original, mut plan) = (text(old), text(new));
            if original == plan {
                plan += " (another type)";
            }
            out.push(difference(b"", field, original, plan));
        }
    };
    let names = a.keys().chain(b.keys().filter(|k| !a.contains_key(*k)));
    for name in names {
        let (old, new) = (a.get(name), b.get(name));
        if old == new {
            continue;
        }
        let parts = |v: Option<&Value>| match v {
            None => Some(BTreeMap::new()),
            Some(Value::Object(o)) => Some(o.iter().map(|(k, v)| (k.clone(), v.clone())).collect()),
            Some(Value::Array(list)) if name == "Env" => variables(list),
            Some(_) => None,
        };
        match (parts(old), parts(new)) {
            (Some(old_parts), Some(new_parts)) if old_parts != new_parts => {
                let keys = old_parts.keys();
                let more = new_parts.keys().filter(|k| !old_parts.contains_key(*k));
                for key in keys.chain(more) {
                    let field = Field::Config(format!("{name}.{key}"));
                    push(field, old_parts.get(key), new_parts.get(key));
                }
            }
            (Some(same), Some(_)) if !same.is_empty() => {
                push(Field::ConfigOrder(name.clone()), old, new);
            }
            _ => push(Field::Config(name.clone()), old, new),
        }
    }
}

/// Variables by name; none where a name comes twice.
fn variables(list: &[Value]) -> Option<BTreeMap<String, Value>> {
    let mut out = BTreeMap::new();
    for one in list {
        let (name, value) = one.as_str()?.split_once('=')?;
        let before = out.insert(name.to_owned(), Value::String(value.to_owned()));
        if before.is_some() {
            return None;
        }
    }
    Some(out)
}
