//! Archives that ADD unpacks.
//!
//! Goes in: the bytes of a file. Comes out: its members, if it is a tar that the builder unpacks: as it is, or compressed with gzip or zstd.
//! One pass over the file, of which nothing is kept but names. Invariant: an archive may be anything: what is damaged, or holds more
//! than [`MAX_MEMBERS`] or [`MAX_NAMES`], is [`Unpacked::NotRead`], never a panic.

use crate::image::members::{MemberKind, Members};
use flate2::bufread::MultiGzDecoder;
use std::io::{BufRead, BufReader, Read};

/// Members that are looked at.
const MAX_MEMBERS: usize = 1_000_000;
/// Bytes that are unpacked: more come from a bomb than from a build context.
const MAX_UNPACKED: u64 = 8 << 30;
/// Bytes of their names.
const MAX_NAMES: usize = 256 << 20;
/// Where a tar says that it is one.
const MAGIC: std::ops::Range<usize> = 257..262;

/// What a file of the context is to ADD.
#[derive(Debug, PartialEq, Eq)]
pub enum Unpacked {
    /// A file like any other.
    NoArchive,
    /// Something that is, or may be, unpacked, and is not read here.
    NotRead,
    /// Its members: path without a slash at either end, and what it is.
    Members(Vec<(Vec<u8>, Member)>),
}

/// A member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Member {
    /// A file of so many bytes.
    File(u64),
    /// Another name of a file.
    Again,
    /// A symbolic link with a text of so many bytes.
    Link(usize),
    /// A folder.
    Folder,
    /// A pipe or a device.
    Other,
}

/// Whether a file's name is one of an archive.
#[must_use]
pub fn is_named_like_one(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    let ends = [".tar", ".tgz", ".tbz2", ".txz", ".tzst"];
    lower.contains(".tar.") || ends.iter().any(|e| lower.ends_with(e))
}

/// Looks into a file as ADD does.
#[must_use]
pub fn unpack(content: Box<dyn Read + '_>) -> Unpacked {
    let mut raw = BufReader::with_capacity(64 << 10, content);
    let Ok(start) = raw.fill_buf() else {
        return Unpacked::NotRead;
    };
    // bzip2 and xz: whether they are unpacked depends on what is in them.
    if start.starts_with(b"BZh") || start.starts_with(&[0xfd, b'7', b'z', b'X', b'Z']) {
        return Unpacked::NotRead;
    }
    let mut plain: Box<dyn BufRead + '_> = if start.starts_with(&[0x1f, 0x8b]) {
        Box::new(BufReader::new(MultiGzDecoder::new(raw)))
    } else if start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        match zstd::Decoder::with_buffer(raw) {
            Ok(zstd) => Box::new(BufReader::new(zstd)),
            Err(_) => return Unpacked::NotRead,
        }
    } else {
        Box::new(raw)
    };
    let mut head = Vec::new();
    if (&mut plain).take(512).read_to_end(&mut head).is_err() {
        return Unpacked::NoArchive;
    }
    if head.get(MAGIC) != Some(b"ustar") {
        return Unpacked::NoArchive;
    }
    let mut members = Members::new(head.as_slice().chain(plain.take(MAX_UNPACKED)));
    let (mut out, mut held) = (Vec::new(), 0usize);
    loop {
        let member = match members.next_member() {
            Ok(Some(member)) if out.len() < MAX_MEMBERS => member,
            Ok(None) => return Unpacked::Members(out),
            _ => return Unpacked::NotRead,
        };
        let parts = member.name.split(|b| *b == b'/');
        let parts: Vec<&[u8]> = parts.filter(|p| !p.is_empty() && *p != b".").collect();
        if parts.contains(&&b".."[..]) {
            return Unpacked::NotRead;
        }
        let path = parts.join(&b'/');
        held += path.len();
        if held > MAX_NAMES {
            return Unpacked::NotRead;
        }
        if path.is_empty() {
            continue;
        }
        let what = match member.kind {
            MemberKind::File => Member::File(member.size),
            MemberKind::HardLink => Member::Again,
            MemberKind::Symlink => Member::Link(member.target.len()),
            MemberKind::Folder => Member::Folder,
            MemberKind::Character | MemberKind::Block | MemberKind::Pipe => Member::Other,
        };
        out.push((path, what));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::made::{Layer, gzip};

    fn look(bytes: &[u8]) -> Unpacked {
        unpack(Box::new(bytes))
    }

    #[test]
    fn archives_are_told_by_what_is_in_them() {
        let tar = Layer::default()
            .folder("./")
            .file("./d/a", "123")
            .link("b", "d/a")
            .symlink("l", "d");
        let mut bytes = tar.0.clone();
        bytes.extend([0; 1024]);
        let members = vec![
            (b"d/a".to_vec(), Member::File(3)),
            (b"b".to_vec(), Member::Again),
            (b"l".to_vec(), Member::Link(1)),
        ];
        let packed = zstd::encode_all(&bytes[..], 3).expect("packed");
        for archive in [&bytes, &gzip(&bytes), &packed] {
            assert_eq!(look(archive), Unpacked::Members(members.clone()));
        }
        for other in [&b""[..], b"text", &gzip(b"text"), &[0x1f, 0x8b, 1]] {
            assert_eq!(look(other), Unpacked::NoArchive, "{other:?}");
        }
        let out = Layer::default().file("../x", "1").0;
        for odd in [&b"BZh9"[..], b"\xfd7zXZ\0", &bytes[..513], &out] {
            assert_eq!(look(odd), Unpacked::NotRead);
        }
        assert!(is_named_like_one("a/B.TAR.xz") && !is_named_like_one("tar"));
    }
}
