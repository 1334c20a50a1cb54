//! What a checkout writes for a blob: line ends, `$Id$`, encodings; and Git LFS pointers.
//!
//! Goes in: a blob and a [`Conversion`]. Comes out: the id of the bytes in the work tree. Cost: one pass
//! over the bytes. Invariant: two ids are equal exactly when the bytes are, except that encodings other
//! than supersets of ASCII are not carried out: there the encoding's name is part of the id.

use super::Oid;
use super::attributes::{Conversion, LineEnds};
use super::repository::{bytes_of, object_id};
use gix::objs::Kind;
use std::borrow::Cow;

/// Git LFS writes no longer pointers, in bytes.
pub(super) const MAX_POINTER: usize = 1024;

/// The id that stands for the checked-out bytes of a blob. That of the blob itself where they are equal.
pub(super) fn effective_id(oid: Oid, blob: &[u8], conversion: &Conversion) -> Oid {
    if conversion.lfs && pointer_size(blob).is_some() {
        return mark(oid, b"filter=lfs");
    }
    let written = written(oid, blob, conversion);
    let id = match &written {
        Cow::Borrowed(_) => oid,
        Cow::Owned(bytes) => blob_id(bytes),
    };
    match &conversion.encoding {
        Some(name) if is_encoded(&written, conversion) => mark(id, name),
        _ => id,
    }
}

/// Whether the encoding of the work tree is another one than UTF-8, as far as these bytes can tell.
pub(super) fn is_encoded(written: &[u8], conversion: &Conversion) -> bool {
    let Some(name) = &conversion.encoding else {
        return false;
    };
    let same = written.is_empty() || written.is_ascii() && extends_ascii(name);
    !same
}

/// As [`effective_id`] where the blob is not at hand: never equal to that of another conversion.
pub(super) fn unread_id(oid: Oid, conversion: &Conversion) -> Oid {
    mark(oid, format!("{conversion:?}").as_bytes())
}

/// The bytes before any change of the encoding.
pub(super) fn written<'a>(oid: Oid, blob: &'a [u8], conversion: &Conversion) -> Cow<'a, [u8]> {
    let expanded = match conversion.ident {
        true => expand_ident(oid, blob),
        false => None,
    };
    let bytes = expanded.as_deref().unwrap_or(blob);
    match (with_cr(bytes, conversion.line_ends), expanded) {
        (Some(changed), _) | (None, Some(changed)) => Cow::Owned(changed),
        (None, None) => Cow::Borrowed(blob),
    }
}

/// The size that a Git LFS pointer speaks of, in bytes; none for any other file.
pub(super) fn pointer_size(blob: &[u8]) -> Option<u64> {
    if blob.len() > MAX_POINTER {
        return None;
    }
    let text = std::str::from_utf8(blob).ok()?;
    let mut lines = text.lines();
    let version = lines.next()?.strip_prefix("version https://")?;
    let known = ["git-lfs.github.com/spec/v", "hawser.github.com/spec/v"];
    if !known.iter().any(|v| version.starts_with(v)) {
        return None;
    }
    let (mut oid, mut size) = (None, None);
    for line in lines {
        match line.split_once(' ')? {
            ("oid", value) => oid = value.strip_prefix("sha256:").filter(|v| v.len() == 64),
            ("size", value) => size = value.parse::<u64>().ok(),
            _ => {}
        }
    }
    oid.and(size)
}

/// A made-up id, as far from real ones as any two are from each other.
fn mark(oid: Oid, what: &[u8]) -> Oid {
    let mut text = b"checked out as ".to_vec();
    text.extend_from_slice(what);
    text.push(0);
    text.extend_from_slice(&oid);
    blob_id(&text)
}

fn blob_id(bytes: &[u8]) -> Oid {
    let id = gix::objs::compute_hash(gix::hash::Kind::Sha1, Kind::Blob, bytes);
    // Hashing fails for bytes made to collide under SHA-1 only; no two of those must look equal.
    id.map_or_else(
        |_| {
            let mut oid = Oid::default();
            oid.copy_from_slice(&blake3::hash(bytes).as_bytes()[..20]);
            oid
        },
        |id| bytes_of(&id),
    )
}

/// With CR before each LF that has none; nothing when the bytes stay as they are.
fn with_cr(bytes: &[u8], line_ends: LineEnds) -> Option<Vec<u8>> {
    if line_ends == LineEnds::Kept {
        return None;
    }
    let counts = Counts::of(bytes);
    let stays = counts.lone_lf == 0
        || line_ends == LineEnds::InText
            && (counts.lone_cr > 0 || counts.crlf > 0 || counts.is_binary());
    if stays {
        return None;
    }
    let mut out = Vec::with_capacity(bytes.len() + counts.lone_lf);
    let mut before = 0;
    for byte in bytes {
        if *byte == b'\n' && before != b'\r' {
            out.push(b'\r');
        }
        out.push(*byte);
        before = *byte;
    }
    Some(out)
}

/// What git counts to tell text from anything else.
#[derive(Default)]
struct Counts {
    lone_lf: usize,
    lone_cr: usize,
    crlf: usize,
    nul: usize,
    printable: usize,
    other: usize,
}

impl Counts {
    fn of(bytes: &[u8]) -> Self {
        let mut counts = Self::default();
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            at += 1;
            match byte {
                b'\r' if bytes.get(at) == Some(&b'\n') => {
                    counts.crlf += 1;
                    at += 1;
                }
                b'\r' => counts.lone_cr += 1,
                b'\n' => counts.lone_lf += 1,
                0 => {
                    counts.nul += 1;
                    counts.other += 1;
                }
                8 | 9 | 12 | 27 => counts.printable += 1,
                0..=31 | 127 => counts.other += 1,
                _ => counts.printable += 1,
            }
        }
        // The end-of-file mark of old systems is no sign of anything.
        if bytes.last() == Some(&26) {
            counts.other -= 1;
        }
        counts
    }

    fn is_binary(&self) -> bool {
        self.lone_cr > 0 || self.nul > 0 || self.printable >> 7 < self.other
    }
}

/// `$Id$` and `$Id: …$` with the blob's id; nothing when there is none of them.
fn expand_ident(oid: Oid, blob: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut rest = blob;
    let mut found = false;
    while let Some(at) = memchr::memchr(b'$', rest) {
        out.extend_from_slice(&rest[..=at]);
        rest = &rest[at + 1..];
        let Some(after) = rest.strip_prefix(b"Id") else {
            continue;
        };
        match after.first() {
            Some(b'$') => rest = &after[1..],
            Some(b':') => {
                let Some(end) = memchr::memchr(b'$', &after[1..]) else {
                    break;
                };
                let inside = &after[1..=end];
                // A blank in the middle: the id of some other system, which stays.
                let foreign = inside
                    .get(1..inside.len().saturating_sub(1))
                    .is_some_and(|middle| middle.contains(&b' '));
                if inside.contains(&b'\n') || foreign {
                    continue;
                }
                rest = &after[end + 2..];
            }
            _ => continue,
        }
        found = true;
        out.extend_from_slice(b"Id: ");
        out.extend_from_slice(object_id(&oid).to_string().as_bytes());
        out.extend_from_slice(b" $");
    }
    out.extend_from_slice(rest);
    found.then_some(out)
}

/// Whether ASCII text is the same bytes in an encoding (its upper-case name).
fn extends_ascii(name: &[u8]) -> bool {
    let starts: [&[u8]; 12] = [
        b"ISO-8859",
        b"ISO8859",
        b"LATIN",
        b"WINDOWS-",
        b"CP125",
        b"CP85",
        b"KOI8",
        b"EUC",
        b"GBK",
        b"GB2312",
        b"GB18030",
        b"BIG5",
    ];
    name == b"ASCII" || name == b"US-ASCII" || starts.iter().any(|s| name.starts_with(s))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_are_told_from_other_files() {
        let oid = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393";
        let text =
            format!("version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize 12345\n");
        assert_eq!(pointer_size(text.as_bytes()), Some(12_345));
        let with_extension = text.replace("oid ", "ext-0-foo sha256:00\noid ");
        assert_eq!(pointer_size(with_extension.as_bytes()), Some(12_345));
        for broken in [
            text.replace("size 12345", "size many"),
            text.replace("sha256", "md5"),
            text.replace("spec/v1", "nothing"),
            text.replace("version", "Version"),
            format!("{text}{}", "x 1\n".repeat(300)),
            String::new(),
        ] {
            assert_eq!(pointer_size(broken.as_bytes()), None, "{broken}");
        }
    }

    #[test]
    fn text_is_told_from_binary_as_git_does() {
        let auto = |bytes: &[u8]| with_cr(bytes, LineEnds::InText);
        assert_eq!(auto(b"a\nb\n").as_deref(), Some(&b"a\r\nb\r\n"[..]));
        assert_eq!(auto(b"a\r\nb\n"), None);
        assert_eq!(auto(b"a\rb\n"), None);
        assert_eq!(auto(b"a\0b\n"), None);
        assert_eq!(auto(b"a\x01b\n"), None);
        let mostly_text = [&[b'x'; 200][..], b"\x01\n"].concat();
        assert!(auto(&mostly_text).is_some());
        assert!(auto(b"text\n\x1a").is_some());
        let always = with_cr(b"a\r\nb\n\rc", LineEnds::Always);
        assert_eq!(always.as_deref(), Some(&b"a\r\nb\r\n\rc"[..]));
    }
}
