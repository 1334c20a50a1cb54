//! Archives made in tests, member by member.

use sha2::{Digest as _, Sha256};
use std::io::{Cursor, Write as _};

/// A layer's tar while it grows.
#[derive(Clone, Default)]
pub struct Layer(pub Vec<u8>);

fn octal(field: &mut [u8], value: u64) {
    let digits = field.len() - 1;
    let text = format!("{value:0digits$o}");
    field[..digits].copy_from_slice(text.as_bytes());
}

impl Layer {
    /// Any member; owner 0:0.
    pub fn member(self, kind: u8, name: &str, target: &str, mode: u32, content: &[u8]) -> Self {
        self.raw(kind, name.as_bytes(), target, mode, (0, 0), content)
    }

    /// The same with an owner, and a name that may be anything of up to 100 bytes.
    pub fn raw(
        mut self,
        kind: u8,
        name: &[u8],
        target: &str,
        mode: u32,
        owner: (u64, u64),
        content: &[u8],
    ) -> Self {
        let mut block = [0; 512];
        block[..name.len()].copy_from_slice(name);
        octal(&mut block[100..108], u64::from(mode));
        octal(&mut block[108..116], owner.0);
        octal(&mut block[116..124], owner.1);
        octal(&mut block[124..136], content.len() as u64);
        octal(&mut block[136..148], 0);
        block[148..156].fill(b' ');
        block[156] = kind;
        block[157..157 + target.len()].copy_from_slice(target.as_bytes());
        block[257..265].copy_from_slice(b"ustar\x0000");
        let sum: u32 = block.iter().map(|b| u32::from(*b)).sum();
        octal(&mut block[148..155], u64::from(sum));
        self.0.extend(block);
        self.0.extend(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    pub fn file(self, name: &str, content: &str) -> Self {
        self.member(b'0', name, "", 0o644, content.as_bytes())
    }

    pub fn folder(self, name: &str) -> Self {
        self.member(b'5', name, "", 0o755, b"")
    }

    pub fn symlink(self, name: &str, target: &str) -> Self {
        self.member(b'2', name, target, 0o777, b"")
    }

    pub fn link(self, name: &str, target: &str) -> Self {
        self.member(b'1', name, target, 0o644, b"")
    }

    /// Extended headers for the next member.
    pub fn extended(self, records: &[(&str, &[u8])]) -> Self {
        let mut bytes = Vec::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let mut length = rest + 1;
            while length != rest + length.to_string().len() {
                length = rest + length.to_string().len();
            }
            bytes.extend(format!("{length} {key}=").into_bytes());
            bytes.extend(*value);
            bytes.push(b'\n');
        }
        self.member(b'x', "PaxHeader", "", 0o644, &bytes)
    }
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).expect("in memory");
    out.finish().expect("in memory")
}

fn digest(bytes: &[u8]) -> String {
    let sum = Sha256::digest(bytes);
    sum.iter().map(|b| format!("{b:02x}")).collect()
}

/// An OCI archive of layers as they are, and a configuration.
pub fn archive(layers: &[Vec<u8>], config: &str) -> Cursor<Vec<u8>> {
    let config = format!(r#"{{"architecture":"amd64","os":"linux","config":{config}}}"#);
    let entry = |bytes: &[u8]| format!(r#"{{"digest":"sha256:{}"}}"#, digest(bytes));
    let list: Vec<String> = layers.iter().map(|l| entry(l)).collect();
    let manifest = format!(
        r#"{{"config":{},"layers":[{}]}}"#,
        entry(config.as_bytes()),
        list.join(",")
    );
    let index = format!(r#"{{"manifests":[{}]}}"#, entry(manifest.as_bytes()));
    let mut tar = Layer::default()
        .file("oci-layout", "{}")
        .file("index.json", &index);
    let documents = [manifest.as_bytes(), config.as_bytes()];
    for blob in documents
        .into_iter()
        .chain(layers.iter().map(Vec::as_slice))
    {
        let name = format!("blobs/sha256/{}", digest(blob));
        tar = tar.member(b'0', &name, "", 0o644, blob);
    }
    Cursor::new(tar.0)
}

/// The same of layers that are built, with an empty configuration.
pub fn image(layers: &[Layer]) -> Cursor<Vec<u8>> {
    let layers: Vec<Vec<u8>> = layers.iter().map(|l| l.0.clone()).collect();
    archive(&layers, "{}")
}
