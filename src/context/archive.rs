//! A look into archives: which of them carry a Java runtime or sources.
//!
//! Goes in: a file of the context. Comes out: what its member names tell. Costs the central
//! directory of a zip, the headers of a tar, and at most [`MAX_UNPACKED`] bytes of a compressed
//! tar. Invariant: no archive, however broken or hostile, is an error, and none makes this read,
//! keep or unpack more than the limits; nothing is ever written.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// Members looked at in one archive.
pub const MAX_MEMBERS: usize = 100_000;
/// Bytes read from one zip or tar.
pub const MAX_READ: u64 = 16 << 20;
/// Bytes unpacked from one compressed tar.
pub const MAX_UNPACKED: u64 = 64 << 20;
/// Evidence kept of one archive.
const MAX_EVIDENCE: usize = 4;

/// A kind of archive, told by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArchiveKind {
    /// `.zip`, `.jar`, `.war`, `.ear`.
    Zip,
    /// `.tar`.
    Tar,
    /// `.tar.gz`, `.tgz`.
    TarGz,
}

/// What an archive carries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Carries {
    /// A Java runtime: `bin/java` with `lib/modules`, `rt.jar` or `release`.
    pub runtime: bool,
    /// With a compiler: `bin/javac`.
    pub development_kit: bool,
    /// Source files.
    pub sources: u64,
    /// Members that show it, as named in the archive; at most four.
    pub evidence: Vec<Vec<u8>>,
    /// The limits ended the look before the archive did, or it is damaged.
    pub partial: bool,
}

impl Carries {
    /// Whether there is anything to tell.
    #[must_use]
    pub fn is_something(&self) -> bool {
        self.runtime || self.sources > 0
    }
}

/// The kind of an archive; `None` for other names.
#[must_use]
pub fn kind_of(path: &[u8]) -> Option<ArchiveKind> {
    let lower = path.to_ascii_lowercase();
    let ends = |list: &[&str]| list.iter().any(|e| lower.ends_with(e.as_bytes()));
    if ends(&[".zip", ".jar", ".war", ".ear"]) {
        Some(ArchiveKind::Zip)
    } else if ends(&[".tar.gz", ".tgz"]) {
        Some(ArchiveKind::TarGz)
    } else {
        ends(&[".tar"]).then_some(ArchiveKind::Tar)
    }
}

/// Looks into a regular file. What cannot be read carries nothing and is `partial`.
#[must_use]
pub fn look_inside(path: &Path, kind: ArchiveKind) -> Carries {
    let mut seen = Seen::default();
    let whole = File::open(path).and_then(|file| match kind {
        ArchiveKind::Zip => zip_members(file, &mut seen),
        ArchiveKind::Tar => tar_members(Limited::new(file, MAX_READ), &mut seen),
        ArchiveKind::TarGz => {
            let unpacked = flate2::read::GzDecoder::new(BufReader::new(file)).take(MAX_UNPACKED);
            let archive = tar::Archive::new(unpacked);
            stream_members(archive, &mut seen)
        }
    });
    seen.finish(!whole.unwrap_or(false))
}

/// What has been seen of one archive.
#[derive(Default)]
struct Seen {
    java: Option<Vec<u8>>,
    javac: Option<Vec<u8>>,
    library: Option<Vec<u8>>,
    first_source: Option<Vec<u8>>,
    sources: u64,
}

impl Seen {
    fn member(&mut self, name: &[u8]) {
        let is = |ends: &[&str]| {
            let end_is = |e: &&str| {
                let rest = name.strip_suffix(e.as_bytes());
                rest.is_some_and(|r| r.is_empty() || r.ends_with(b"/"))
            };
            ends.iter().any(end_is)
        };
        let keep = |slot: &mut Option<Vec<u8>>| {
            if slot.is_none() {
                *slot = Some(name.to_vec());
            }
        };
        if is(&["bin/java", "bin/java.exe"]) {
            keep(&mut self.java);
        } else if is(&["bin/javac", "bin/javac.exe"]) {
            keep(&mut self.javac);
        } else if is(&["lib/modules", "lib/rt.jar", "release"]) {
            keep(&mut self.library);
        } else if is_source(name) {
            keep(&mut self.first_source);
            self.sources += 1;
        }
    }

    fn finish(self, partial: bool) -> Carries {
        let runtime = self.java.is_some() && self.library.is_some();
        let mut evidence = Vec::new();
        if runtime {
            evidence.extend(
                [self.java, self.javac.clone(), self.library]
                    .into_iter()
                    .flatten(),
            );
        }
        evidence.extend(self.first_source);
        evidence.truncate(MAX_EVIDENCE);
        Carries {
            runtime,
            development_kit: runtime && self.javac.is_some(),
            sources: self.sources,
            evidence,
            partial,
        }
    }
}

/// Source files by their ending: what is compiled, so that the archive of a program has no use for
/// it. Scripts are left out, since they are the program.
fn is_source(name: &[u8]) -> bool {
    const ENDINGS: [&str; 13] = [
        ".java", ".kt", ".scala", ".groovy", ".c", ".cc", ".cpp", ".cxx", ".h", ".hpp", ".rs",
        ".go", ".cs",
    ];
    let dot = name.iter().rposition(|b| *b == b'.').unwrap_or(name.len());
    ENDINGS.iter().any(|e| &name[dot..] == e.as_bytes())
}

/// A reader that ends in an error when it has given so many bytes; seeking is free.
struct Limited<R> {
    inner: R,
    left: u64,
}

impl<R> Limited<R> {
    fn new(inner: R, limit: u64) -> Self {
        Self { inner, left: limit }
    }
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        if most == 0 && !buffer.is_empty() {
            return Err(io::Error::other("more than is read of an archive"));
        }
        let n = self.inner.read(&mut buffer[..most])?;
        self.left -= n as u64;
        Ok(n)
    }
}

impl<R: Seek> Seek for Limited<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}

/// Whether the archive was seen to its end.
fn zip_members(file: File, seen: &mut Seen) -> io::Result<bool> {
    let limited = BufReader::new(Limited::new(file, MAX_READ));
    let archive = zip::ZipArchive::new(limited).map_err(io::Error::other)?;
    for i in 0..archive.len().min(MAX_MEMBERS) {
        if let Some(Ok(name)) = archive.name_for_index(i) {
            seen.member(name.as_bytes());
        }
    }
    Ok(archive.len() <= MAX_MEMBERS)
}

fn tar_members(file: Limited<File>, seen: &mut Seen) -> io::Result<bool> {
    let mut archive = tar::Archive::new(file);
    for (i, entry) in archive.entries_with_seek()?.enumerate() {
        if i >= MAX_MEMBERS {
            return Ok(false);
        }
        seen.member(&entry?.path_bytes());
    }
    Ok(true)
}

fn stream_members<R: Read>(mut archive: tar::Archive<R>, seen: &mut Seen) -> io::Result<bool> {
    for (i, entry) in archive.entries()?.enumerate() {
        if i >= MAX_MEMBERS {
            return Ok(false);
        }
        seen.member(&entry?.path_bytes());
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write as _;

    fn tar_of(names: &[&str]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for name in names {
            let mut header = tar::Header::new_gnu();
            header.set_size(3);
            builder.append_data(&mut header, name, &b"abc"[..]).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn zip_of(names: &[&str]) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
        for name in names {
            let options = zip::write::SimpleFileOptions::default();
            writer.start_file(*name, options).unwrap();
            writer.write_all(b"abc").unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn gz(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn look(bytes: &[u8], kind: ArchiveKind) -> Carries {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        look_inside(file.path(), kind)
    }

    #[test]
    fn a_runtime_is_told_by_its_members_in_every_format() {
        let jdk = ["jdk-21/bin/java", "jdk-21/bin/javac", "jdk-21/lib/modules"];
        let want = Carries {
            runtime: true,
            development_kit: true,
            sources: 0,
            evidence: jdk.iter().map(|p| p.as_bytes().to_vec()).collect(),
            partial: false,
        };
        assert_eq!(look(&zip_of(&jdk), ArchiveKind::Zip), want);
        assert_eq!(look(&tar_of(&jdk), ArchiveKind::Tar), want);
        assert_eq!(look(&gz(&tar_of(&jdk)), ArchiveKind::TarGz), want);
        let jre = look(&tar_of(&["bin/java", "release"]), ArchiveKind::Tar);
        assert!(jre.runtime && !jre.development_kit);
        for not in [
            &["bin/java"][..],
            &["xbin/java", "lib/modules"],
            &["lib/rt.jar"],
        ] {
            assert!(
                !look(&zip_of(not), ArchiveKind::Zip).is_something(),
                "{not:?}"
            );
        }
    }

    #[test]
    fn sources_are_counted() {
        let found = look(&zip_of(&["a/B.java", "c.h", "d.class"]), ArchiveKind::Zip);
        assert_eq!(
            (found.sources, found.evidence),
            (2, vec![b"a/B.java".to_vec()])
        );
    }

    #[test]
    fn names_tell_the_kind() {
        assert_eq!(kind_of(b"x/A.JAR"), Some(ArchiveKind::Zip));
        assert_eq!(kind_of(b"a.tar.gz"), Some(ArchiveKind::TarGz));
        assert_eq!(kind_of(b"a.tar"), Some(ArchiveKind::Tar));
        assert_eq!(kind_of(b"a.gz"), None);
    }

    #[test]
    fn a_bomb_is_left_at_the_limit() {
        // One member of zeros that claims and holds more than is unpacked, then a source file.
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(MAX_UNPACKED);
        let zeros = io::repeat(0).take(MAX_UNPACKED);
        builder.append_data(&mut header, "zeros", zeros).unwrap();
        let mut header = tar::Header::new_gnu();
        header.set_size(0);
        builder
            .append_data(&mut header, "x.c", io::empty())
            .unwrap();
        let bomb = gz(&builder.into_inner().unwrap());
        assert!(bomb.len() < 1 << 20);
        let found = look(&bomb, ArchiveKind::TarGz);
        assert!(found.partial && found.sources == 0);
    }

    #[test]
    fn damaged_archives_keep_what_was_seen() {
        let whole = tar_of(&["a.c", "b.c"]);
        let found = look(&whole[..1200], ArchiveKind::Tar);
        assert!(found.partial && found.sources == 1);
        assert!(look(b"PK\x05\x06", ArchiveKind::Zip).partial);
        assert!(look_inside(Path::new("/nowhere"), ArchiveKind::Tar).partial);
    }

    proptest! {
        #[test]
        fn any_bytes_come_to_an_end(
            bytes in proptest::collection::vec(any::<u8>(), 0..2000),
            flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        ) {
            let sound = [zip_of(&["a.c", "d/e"]), tar_of(&["a.c", "d/e"]), gz(&tar_of(&["a.c"]))];
            let kinds = [ArchiveKind::Zip, ArchiveKind::Tar, ArchiveKind::TarGz];
            for (mut archive, kind) in sound.into_iter().zip(kinds) {
                look(&bytes, kind);
                for (at, to) in &flips {
                    let at = at.index(archive.len());
                    archive[at] = *to;
                }
                prop_assert!(look(&archive, kind).evidence.len() <= 4);
            }
        }
    }
}
