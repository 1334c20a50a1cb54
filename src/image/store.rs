//! What image stores count as the size of a layer.
//!
//! Goes in: the files, folders and links of a layer. Comes out: the bytes that `docker history` shows. Constant time. Seen with
//! builds of Docker 28.5 (`docs/layers.md`): the graph driver counts the bytes of files and nothing else; the containerd store counts what the
//! unpacked layer takes on its disk, folders and the way to them included where the file system has blocks for them.
//! Invariant: only [`Folder`] guesses, of folders with more names than a block holds.

/// Bytes of a block.
pub const BLOCK: u64 = 4096;
/// An ext4 folder's own names, and the checksum at the end of the block.
const OWN_NAMES: u64 = 24 + 12;
/// From this length on ext4 keeps a link's text in a block.
const EXT4_LINK: usize = 60;
/// From this length on tmpfs does.
const TMPFS_LINK: usize = 128;

/// The file system below a containerd store, as far as it counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Disk {
    /// Every folder takes a block or more. What most hosts of Docker have.
    #[default]
    Ext4,
    /// Folders take nothing: tmpfs.
    Tmpfs,
}

impl Disk {
    /// The word on the command line and in costs files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ext4 => "ext4",
            Self::Tmpfs => "tmpfs",
        }
    }
}

/// A rule of counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// The overlay2 graph driver: bytes of files. A file that comes once more as it is counts again.
    Overlay2,
    /// The containerd store: blocks on its disk. A file that comes once more as it is does not count.
    Containerd(Disk),
}

impl Store {
    /// What a layer counts as.
    #[must_use]
    pub fn bytes(self, amount: &Amount) -> u64 {
        let blocks = match self {
            Self::Overlay2 => return amount.bytes,
            Self::Containerd(Disk::Tmpfs) => amount.blocks.saturating_add(amount.links_128),
            Self::Containerd(Disk::Ext4) => amount
                .blocks
                .saturating_add(amount.links_60)
                .saturating_add(amount.folder_blocks),
        };
        blocks.saturating_mul(BLOCK)
    }

    /// What one file counts as.
    #[must_use]
    pub fn file(self, size: u64) -> u64 {
        match self {
            Self::Overlay2 => size,
            Self::Containerd(_) => size.div_ceil(BLOCK).saturating_mul(BLOCK),
        }
    }
}

/// What is in a layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Files, a file with several names once.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Their blocks.
    pub blocks: u64,
    /// Folders, those on the way to what the layer holds among them, and the root.
    pub folders: u64,
    /// Their blocks on ext4.
    pub folder_blocks: u64,
    /// Symbolic links whose text has a block of its own on ext4.
    pub links_60: u64,
    /// And on tmpfs.
    pub links_128: u64,
}

impl Amount {
    /// Adds a file.
    pub fn file(&mut self, size: u64) {
        self.files += 1;
        self.bytes = self.bytes.saturating_add(size);
        self.blocks = self.blocks.saturating_add(size.div_ceil(BLOCK));
    }

    /// Adds a symbolic link with a text of so many bytes.
    pub fn link(&mut self, text: usize) {
        self.links_60 += u64::from(text >= EXT4_LINK);
        self.links_128 += u64::from(text >= TMPFS_LINK);
    }

    /// Adds a folder.
    pub fn folder(&mut self, folder: Folder) {
        self.folders += 1;
        self.folder_blocks = self.folder_blocks.saturating_add(folder.blocks());
    }
}

/// A folder of a layer: what its names take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Folder {
    names: u64,
}

impl Folder {
    /// Adds a name of so many bytes.
    pub fn name(&mut self, length: usize) {
        self.names = self
            .names
            .saturating_add(8 + (length as u64).next_multiple_of(4));
    }

    /// Blocks on ext4. A folder that does not fit into one gets an index and blocks of which about a quarter is free: where names go depends on their
    /// hashes, so this is an estimate.
    fn blocks(self) -> u64 {
        match self.names + OWN_NAMES <= BLOCK {
            true => 1,
            false => {
                1 + (self.names.saturating_mul(4) / 3)
                    .div_ceil(BLOCK - 12)
                    .max(2)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stores_count_as_docker_history_shows() {
        let mut amount = Amount::default();
        for size in [0, 1, 4096, 4097] {
            amount.file(size);
        }
        for text in [1, 59, 60, 127, 128] {
            amount.link(text);
        }
        let mut folder = Folder::default();
        for _ in 0..253 {
            folder.name(8);
        }
        amount.folder(folder);
        for (store, bytes) in [
            (Store::Overlay2, 8194),
            (Store::Containerd(Disk::Tmpfs), (4 + 1) * 4096),
            (Store::Containerd(Disk::Ext4), (4 + 3 + 1) * 4096),
        ] {
            assert_eq!(store.bytes(&amount), bytes, "{store:?}");
        }
        folder.name(8);
        assert_eq!(folder.blocks(), 3);
        assert_eq!(Store::Overlay2.file(5), 5);
        assert_eq!(Store::Containerd(Disk::Ext4).file(5), 4096);
    }
}
