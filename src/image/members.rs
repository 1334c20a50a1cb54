//! A tar stream member by member, in bounded memory.
//!
//! Goes in: any bytes. Comes out: one [`Member`] after the other, and its content to read. Costs one
//! read of the stream. Invariant: no more than [`MAX_EXTENSION`] bytes of a member's extended headers are held,
//! whatever sizes they claim; whatever does not parse is an error. (The entries of the `tar` crate hold such
//! headers whole, and leave out sizes of extended headers when asked not to; its header blocks are used.)

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};

/// Bytes of extended headers and long names in front of one member.
pub const MAX_EXTENSION: u64 = 1 << 20;
const BLOCK: u64 = 512;

/// What a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberKind {
    /// A file with content.
    File,
    /// Another name of a file.
    HardLink,
    /// A symbolic link.
    Symlink,
    /// A character device.
    Character,
    /// A block device.
    Block,
    /// A folder.
    Folder,
    /// A named pipe.
    Pipe,
}

/// A member's header.
#[derive(Clone, Debug)]
pub struct Member {
    /// As the archive has it.
    pub name: Vec<u8>,
    /// What it is.
    pub kind: MemberKind,
    /// Permission bits, with set-id and sticky.
    pub mode: u32,
    /// Owner.
    pub uid: u64,
    /// Group.
    pub gid: u64,
    /// Bytes of content.
    pub size: u64,
    /// What a link names.
    pub target: Vec<u8>,
    /// Major and minor of a device.
    pub device: (u32, u32),
    /// Extended attributes by name.
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// A stream of members.
pub struct Members<R> {
    inner: R,
    /// Content of the member at hand that nobody has read.
    left: u64,
    padding: u64,
}

impl<R: Read + Seek> Members<R> {
    /// Goes past the content of the member at hand without reading it; gives the place where it starts.
    ///
    /// # Errors
    /// When the stream cannot be moved.
    pub fn leap(&mut self) -> io::Result<u64> {
        let start = self.inner.stream_position()?;
        let rest = self.left.saturating_add(self.padding);
        let end = start.checked_add(rest);
        let end = end.map_or_else(|| broken("a member of a size that nothing has"), Ok)?;
        self.inner.seek(SeekFrom::Start(end))?;
        (self.left, self.padding) = (0, 0);
        Ok(start)
    }
}

fn broken<T>(why: impl Into<String>) -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::InvalidData, why.into()))
}

impl<R: Read> Members<R> {
    /// Starts at the stream's first byte.
    pub fn new(inner: R) -> Self {
        Self {
            inner,
            left: 0,
            padding: 0,
        }
    }

    /// The next member; none at the end of the archive.
    ///
    /// # Errors
    /// When the stream cannot be read, ends early, or holds what is no tar archive.
    pub fn next_member(&mut self) -> io::Result<Option<Member>> {
        let mut names = BTreeMap::new();
        let (mut long_name, mut long_target) = (None, None);
        let mut held = 0;
        loop {
            self.skip_rest()?;
            let Some(header) = self.block()? else {
                return match names.is_empty() && long_name.is_none() && long_target.is_none() {
                    true => Ok(None),
                    false => broken("it ends behind an extended header"),
                };
            };
            let kind = header.as_bytes()[156];
            let size = header.entry_size()?;
            if matches!(kind, b'x' | b'g' | b'L' | b'K') {
                held = size.saturating_add(held);
                if held > MAX_EXTENSION {
                    return broken(format!("an extended header of {size} bytes"));
                }
                self.expect(size);
                let mut bytes = Vec::new();
                self.content().read_to_end(&mut bytes)?;
                if bytes.len() as u64 != size {
                    return broken("it ends inside an extended header");
                }
                match kind {
                    b'x' => records(&bytes, &mut names)?,
                    b'L' => long_name = Some(until_nul(&bytes)),
                    b'K' => long_target = Some(until_nul(&bytes)),
                    // Global headers hold comments; image layers have none that count.
                    _ => {}
                }
                continue;
            }
            let member = member(&header, kind, &names, long_name, long_target)?;
            self.expect(member.size);
            return Ok(Some(member));
        }
    }

    /// The content of the member at hand, as far as nobody has read it.
    pub fn content(&mut self) -> Content<'_, R> {
        Content { members: self }
    }

    fn expect(&mut self, size: u64) {
        self.left = size;
        self.padding = (BLOCK - size % BLOCK) % BLOCK;
    }

    fn skip_rest(&mut self) -> io::Result<()> {
        let rest = self.left.saturating_add(self.padding);
        let skipped = io::copy(&mut (&mut self.inner).take(rest), &mut io::sink())?;
        if skipped < self.left {
            return broken("it ends inside a member");
        }
        (self.left, self.padding) = (0, 0);
        Ok(())
    }

    /// A header block; none where only zeros follow, or nothing.
    fn block(&mut self) -> io::Result<Option<tar::Header>> {
        let mut bytes = [0; BLOCK as usize];
        let mut got = 0;
        while got < bytes.len() {
            match self.inner.read(&mut bytes[got..]) {
                Ok(0) if got == 0 => return Ok(None),
                Ok(0) => return broken("it ends inside a header"),
                Ok(n) => got += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        if bytes.iter().all(|b| *b == 0) {
            return Ok(None);
        }
        let header = tar::Header::from_byte_slice(&bytes).clone();
        let sum = bytes[..148].iter().chain(&bytes[156..]);
        let sum: u32 = sum.map(|b| u32::from(*b)).sum::<u32>() + 8 * u32::from(b' ');
        match header.cksum() {
            Ok(said) if said == sum => Ok(Some(header)),
            _ => broken("a header with a wrong checksum"),
        }
    }
}

/// What is left of a member's content.
pub struct Content<'m, R> {
    members: &'m mut Members<R>,
}

impl<R: Read> Read for Content<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.members.left).unwrap_or(usize::MAX);
        let most = most.min(buffer.len());
        let n = self.members.inner.read(&mut buffer[..most])?;
        self.members.left -= n as u64;
        Ok(n)
    }
}

fn until_nul(bytes: &[u8]) -> Vec<u8> {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    bytes[..end].to_vec()
}

/// Records of an extended header: `LENGTH KEY=VALUE\n`, the length in decimal and that of the whole record.
fn records(bytes: &[u8], into: &mut BTreeMap<Vec<u8>, Vec<u8>>) -> io::Result<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let record = || {
            let blank = rest.iter().take(20).position(|b| *b == b' ')?;
            let digits = std::str::from_utf8(&rest[..blank]).ok()?;
            let length: usize = digits.parse().ok()?;
            let record = rest.get(blank + 1..length)?.strip_suffix(b"\n")?;
            let equals = record.iter().position(|b| *b == b'=')?;
            Some((length, &record[..equals], &record[equals + 1..]))
        };
        let Some((length, key, value)) = record() else {
            return broken("a damaged extended header");
        };
        into.insert(key.to_vec(), value.to_vec());
        rest = &rest[length..];
    }
    Ok(())
}

fn member(
    header: &tar::Header,
    kind: u8,
    records: &BTreeMap<Vec<u8>, Vec<u8>>,
    long_name: Option<Vec<u8>>,
    long_target: Option<Vec<u8>>,
) -> io::Result<Member> {
    let record = |key: &str| records.get(key.as_bytes());
    let number = |key: &str| match record(key) {
        None => Ok(None),
        Some(value) => {
            let value = std::str::from_utf8(value).ok().and_then(|v| v.parse().ok());
            value.map_or_else(|| broken(format!("a damaged {key}")), |n| Ok(Some(n)))
        }
    };
    if records.keys().any(|k| k.starts_with(b"GNU.sparse.")) {
        return broken("a sparse file, which is not read");
    }
    let name = record("path").cloned().or(long_name);
    let name = name.unwrap_or_else(|| header.path_bytes().into_owned());
    let kind = match kind {
        // As old archives mark folders.
        b'0' | 0 | b'7' if name.ends_with(b"/") => MemberKind::Folder,
        b'0' | 0 | b'7' => MemberKind::File,
        b'1' => MemberKind::HardLink,
        b'2' => MemberKind::Symlink,
        b'3' => MemberKind::Character,
        b'4' => MemberKind::Block,
        b'5' => MemberKind::Folder,
        b'6' => MemberKind::Pipe,
        other => {
            let shown = char::from(other).escape_default();
            return broken(format!("a member of the kind '{shown}', which is not read"));
        }
    };
    let target = record("linkpath").cloned().or(long_target);
    let target = match (target, header.link_name_bytes()) {
        (Some(target), _) => target,
        (None, Some(target)) => target.into_owned(),
        (None, None) => Vec::new(),
    };
    let device = match kind {
        MemberKind::Character | MemberKind::Block => (
            header.device_major()?.unwrap_or(0),
            header.device_minor()?.unwrap_or(0),
        ),
        _ => (0, 0),
    };
    let size = match number("size")? {
        Some(size) => size,
        None => header.entry_size()?,
    };
    let xattrs = records.iter().filter_map(|(key, value)| {
        let name = key.strip_prefix(b"SCHILY.xattr.")?;
        Some((name.to_vec(), value.clone()))
    });
    Ok(Member {
        mode: header.mode()? & 0o7777,
        uid: number("uid")?.map_or_else(|| header.uid(), Ok)?,
        gid: number("gid")?.map_or_else(|| header.gid(), Ok)?,
        // A link that claims a size has no content all the same in what builders write.
        size: match kind {
            MemberKind::File => size,
            _ => header.entry_size()?,
        },
        name,
        kind,
        target,
        device,
        xattrs: xattrs.collect(),
    })
}
