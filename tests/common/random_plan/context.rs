//! The build context of all random plans: the same small tree for every seed.
//!
//! In: nothing. Out: its files as a folder for the builder and as the tool looks at them.

use cacheplan::rewrite::ContextFiles;
use std::path::Path;

/// What is at a path: bytes, or the text of a link.
const FILES: [(&str, &str); 14] = [
    ("f", "f of the context\n"),
    ("g", "g of the context\n"),
    ("h.txt", "h of the context\n"),
    ("src/f", "src f\n"),
    ("src/n.txt", "src n\n"),
    ("src/readme.md", "src readme\n"),
    ("src/deep/k.conf", "src k\n"),
    ("conf/k.conf", "k of the context\n"),
    ("conf/g", "conf g\n"),
    ("links/f", "links f\n"),
    ("links/l", "@f"),
    ("links/out", "@/data"),
    ("links/deep/up", "@../f"),
    ("Dockerfile", ""),
];

/// Members of `t.tar`: a folder ends in `/`, a link's text starts with `@`.
const ARCHIVE: [(&str, &str); 4] = [
    ("t/", ""),
    ("t/f", "f of the archive\n"),
    ("t/g", "g of the archive\n"),
    ("t/l", "@f"),
];

/// The context as the tool sees it.
pub struct Context;

/// Writes the context, the Dockerfile left out.
pub fn write(folder: &Path) -> std::io::Result<()> {
    for (path, text) in FILES.iter().filter(|(p, _)| *p != "Dockerfile") {
        let place = folder.join(path);
        std::fs::create_dir_all(place.parent().expect("inside"))?;
        match text.strip_prefix('@') {
            Some(to) => std::os::unix::fs::symlink(to, place)?,
            None => std::fs::write(place, text)?,
        }
    }
    let mut archive = tar::Builder::new(std::fs::File::create(folder.join("t.tar"))?);
    for (path, text) in ARCHIVE {
        let mut header = tar::Header::new_ustar();
        header.set_mtime(1_000_000_000);
        header.set_mode(0o755);
        header.set_size(0);
        match text.strip_prefix('@') {
            Some(to) => {
                header.set_entry_type(tar::EntryType::Symlink);
                archive.append_link(&mut header, path, to)?;
            }
            None if path.ends_with('/') => {
                header.set_entry_type(tar::EntryType::Directory);
                archive.append_data(&mut header, path, &b""[..])?;
            }
            None => {
                header.set_mode(0o644);
                header.set_size(text.len() as u64);
                archive.append_data(&mut header, path, text.as_bytes())?;
            }
        }
    }
    archive.finish()
}

/// Everything below a folder of the context, relative to it; a link has its text.
pub fn below(folder: &str) -> Vec<(&'static str, Option<&'static str>)> {
    let top = format!("{folder}/");
    let inside = |(path, text): &(&'static str, &'static str)| {
        Some((path.strip_prefix(&top)?, text.strip_prefix('@')))
    };
    FILES.iter().filter_map(inside).collect()
}

impl ContextFiles for Context {
    fn is_file(&self, path: &str) -> bool {
        path == "t.tar" || FILES.iter().any(|(p, _)| *p == path)
    }

    fn is_link(&self, path: &str) -> bool {
        let mut found = FILES.iter().filter(|(p, _)| *p == path);
        found.any(|(_, text)| text.starts_with('@'))
    }

    fn links_in(&self, dir: &str) -> Option<Vec<String>> {
        let links = below(dir).into_iter().filter(|(_, link)| link.is_some());
        (!dir.is_empty()).then(|| links.map(|(path, _)| path.to_string()).collect())
    }

    fn has_below(&self, dir: &str) -> bool {
        !below(dir).is_empty()
    }

    fn below(&self, dir: &str) -> Vec<String> {
        let start = format!("{dir}/");
        let inside = |path: &&str| dir.is_empty() || path.starts_with(&start);
        let all = FILES.iter().map(|(p, _)| *p).chain(["t.tar"]);
        let mut out: Vec<String> = all.filter(inside).map(str::to_string).collect();
        out.sort();
        out
    }

    fn read(&self, path: &str) -> Option<Vec<u8>> {
        let (_, text) = FILES.iter().find(|(p, _)| *p == path)?;
        (!text.starts_with('@')).then(|| text.as_bytes().to_vec())
    }
}
