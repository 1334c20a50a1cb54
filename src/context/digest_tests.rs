//! Digests against values that are known, and against the builder's formula written out by hand.

use super::digest::*;
use super::{ContextEntry, EntryKind};
use std::io::{self, Read};

/// Entries and bytes in memory: the bytes of a file are its own.
struct Held(Vec<(ContextEntry, Vec<u8>, Sent)>);

impl Contents for Held {
    fn sent(&self, entry: &ContextEntry) -> io::Result<Sent> {
        let found = self.0.iter().find(|(e, _, _)| e == entry).unwrap();
        Ok(found.2.clone())
    }

    fn open(&self, entry: &ContextEntry) -> io::Result<Box<dyn Read + '_>> {
        let found = self.0.iter().find(|(e, _, _)| e == entry).unwrap();
        Ok(Box::new(&found.1[..]))
    }
}

/// `a/` is a folder, `a -> b` a link, `a=text` a file.
fn held(lines: &[&str]) -> Held {
    let one = |line: &&str| {
        let (kind, path, text) = match (line.split_once(" -> "), line.split_once('=')) {
            (Some((path, target)), _) => (EntryKind::Symlink, path, target),
            (_, Some((path, text))) => (EntryKind::File, path, text),
            _ => (EntryKind::Directory, line.trim_end_matches('/'), ""),
        };
        let is_link = kind == EntryKind::Symlink;
        let entry = ContextEntry {
            path: path.into(),
            kind,
            mode: if kind == EntryKind::Directory {
                0o755
            } else {
                0o644
            },
            size: text.len() as u64,
            digest: None,
            link_target: is_link.then(|| text.into()),
            emptied: false,
        };
        let sent = Sent {
            size: text.len() as u64,
            ..Sent::default()
        };
        (entry, text.as_bytes().to_vec(), sent)
    };
    Held(lines.iter().map(one).collect())
}

fn entries(held: &Held) -> Vec<ContextEntry> {
    held.0.iter().map(|(e, _, _)| e.clone()).collect()
}

fn strings(list: &[&str]) -> Vec<String> {
    list.iter().map(|s| (*s).to_owned()).collect()
}

/// The digest of one source, in text.
fn digest(held: &Held, source: &str, excludes: &[&str], release: Release) -> String {
    let entries = entries(held);
    let tree = SentTree::new(&entries, held);
    let selectors = copy_selectors(&strings(&[source]), &strings(excludes), Parents::Dropped);
    selector_digest(&tree, &selectors.unwrap()[0], release)
        .map_or_else(|e| e.to_string(), |d| d.to_string())
}

fn plain(held: &Held, source: &str) -> String {
    digest(held, source, &[], Release::V0_25)
}

fn sha256(parts: &[&str]) -> String {
    Digest::of(parts.concat().as_bytes()).to_string()
}

const FOLDER: &str = "sha256:1a2805521573cb10d73bcd51d16bfa84c8f461d68599740e35484b90b2ab1bab";

#[test]
fn values_seen_in_a_real_builder() {
    let held = held(&["d/", "f=1\n", "l -> tgt"]);
    assert_eq!(
        plain(&held, "f"),
        "sha256:3e08e8586ec5870bc7f0b072ea6aad226d1823220ef84ce7027bd7bab43a5cc6"
    );
    assert_eq!(plain(&held, "d"), sha256(&["\0", FOLDER]));
    let link = "sha256:ed26235d6ccca99f52774c07798df9427e61b4b32a9e17f7462029a0c8310319";
    let root = [
        "\0",
        &sha256(&[]),
        "\0d",
        &plain(&held, "d"),
        "\0f",
        &plain(&held, "f"),
        "\0l",
        link,
    ];
    assert_eq!(plain(&held, "."), sha256(&root));
}

#[test]
fn folders_hold_children_by_name_and_an_empty_context_has_a_header() {
    let tree = held(&["d/", "d-/", "d-/x=", "d/a=1", "d/e/"]);
    let inside = [
        "\0",
        FOLDER,
        "\0a",
        &plain(&tree, "d/a"),
        "\0e",
        &plain(&tree, "d/e"),
    ];
    assert_eq!(plain(&tree, "d"), sha256(&inside));
    assert_eq!(plain(&held(&[]), "/"), sha256(&["\0", FOLDER]));
}

#[test]
fn sources_are_followed_and_links_inside_are_not() {
    let tree = held(&[
        "d/",
        "d/f=1",
        "d/l -> f",
        "dead -> no",
        "k -> d",
        "l -> k/l",
        "up -> ../../d/f",
    ]);
    let file = plain(&tree, "d/f");
    for source in ["k/f", "l", "up", "k/l", "d/../k/f"] {
        assert_eq!(plain(&tree, source), file, "{source}");
    }
    assert_eq!(plain(&tree, "k"), plain(&tree, "d"));
    for source in ["dead", "no", "d/f/x", "dead/x"] {
        assert_eq!(plain(&tree, source), format!("\"/{source}\": not found"));
    }
    let round = held(&["a -> b", "b -> a"]);
    assert_eq!(plain(&round, "a"), "too many links");
    // A wildcard follows what it matches, so a dead link among the matches has no digest.
    assert_eq!(
        digest(&tree, "d*", &[], Release::V0_25),
        "\"/dead\": not found"
    );
}

#[test]
fn lists_of_matches() {
    let tree = held(&["d/", "d/a.txt=1", "d/e/", "d/e/b.txt=2", "d/z=3"]);
    let (a, b) = (plain(&tree, "d/a.txt"), plain(&tree, "d/e/b.txt"));
    let list = |source, excludes: &[&str], release| digest(&tree, source, excludes, release);
    let (old, new) = (Release::V0_25, Release::V0_32);
    assert_eq!(list("no*", &[], old), sha256(&[]));
    // A single match is listed like any other, unless it has the source's own name.
    assert_eq!(list("d/*.txt", &[], old), sha256(&["a.txt", &a]));
    assert_eq!(list("d/*.txt", &[], new), sha256(&["\0a.txt", &a]));
    assert_eq!(list("*/a.txt", &[], old), a);
    assert_eq!(
        list("d/[ae]*", &[], old),
        sha256(&["a.txt", &a, "\0e", FOLDER, "\0b.txt", &b])
    );
    assert_eq!(
        list("d/[ae]*", &[], new),
        sha256(&["\0a.txt", &a, "\0e", FOLDER, "\0e\0b.txt", &b])
    );
    // Names alone are in an old list, so a file that changes folders goes unseen.
    let moved = held(&["d/", "d/a.txt=1", "d/e/", "d/f/", "d/f/b.txt=2"]);
    assert_ne!(list("d", &["z"], old), digest(&moved, "d", &[], old));
    let flat = held(&["p/", "p/q/", "p/x=1"]);
    let deep = held(&["p/", "p/q/", "p/q/x=1"]);
    assert_eq!(
        digest(&flat, "p", &["no"], old),
        digest(&deep, "p", &["no"], old)
    );
    assert_ne!(
        digest(&flat, "p", &["no"], new),
        digest(&deep, "p", &["no"], new)
    );
}

#[test]
fn excludes_below_a_source_and_at_it() {
    let tree = held(&["d/", "d/a=1", "d/l -> no", "f=2"]);
    let old = Release::V0_25;
    let a = plain(&tree, "d/a");
    assert_eq!(
        digest(&tree, "d", &["l"], old),
        sha256(&["d", FOLDER, "\0a", &a])
    );
    // A bare star matches the source itself for the digest, though not for the copy.
    assert_eq!(digest(&tree, "f", &["*"], old), sha256(&[]));
    assert_eq!(digest(&tree, "f", &["f"], old), plain(&tree, "f"));
    assert_eq!(
        digest(&tree, "d", &["*", "!a"], old),
        sha256(&["d", FOLDER, "\0a", &a])
    );
    // Absent is empty here; the step fails later.
    assert_eq!(digest(&tree, "no", &["x"], old), sha256(&[]));
}

#[test]
fn metadata_that_counts() {
    let key = |change: fn(&mut ContextEntry, &mut Sent)| {
        let mut held = held(&["f=1"]);
        let (entry, _, sent) = &mut held.0[0];
        change(entry, sent);
        plain(&held, "f")
    };
    let same = key(|_, _| ());
    let xattr = |name: &str| vec![(name.as_bytes().to_vec(), b"v".to_vec())];
    assert_eq!(
        key(|_, s| s.xattrs = vec![(b"security.selinux".to_vec(), b"v".to_vec())]),
        same
    );
    assert_eq!(
        key(|_, s| s.xattrs = vec![(b"system.posix_acl".to_vec(), b"v".to_vec())]),
        same
    );
    assert_ne!(
        key(|_, s| s.xattrs = vec![(b"security.capability".to_vec(), b"v".to_vec())]),
        same
    );
    assert_ne!(key(|e, _| e.mode = 0o4644), same);
    assert_ne!(key(|_, s| s.size = 2), same);
    let mut ordered = held(&["f=1"]);
    ordered.0[0].2.xattrs = [xattr("user.b"), xattr("user.a")].concat();
    let text =
        "namemode420uid0gid0size1typeflag0linknameunamegnamedevmajor0devminor0user.avuser.bv1";
    assert_eq!(plain(&ordered, "f"), sha256(&[text]));
    // A file that is sent without its bytes keeps its size in the digest.
    let text = "namemode420uid0gid0size1typeflag0linknameunamegnamedevmajor0devminor0";
    assert_eq!(key(|e, _| e.emptied = true), sha256(&[text]));
}

#[test]
fn slots_join_what_is_not_nested() {
    let held = held(&["a/", "a/b=1", "c=2", "d=3"]);
    let entries = entries(&held);
    let tree = SentTree::new(&entries, &held);
    let slot = |selectors: &[Selector]| {
        slot_key(&tree, selectors, Release::V0_25)
            .unwrap()
            .to_string()
    };
    let copy = |list: &[&str], excludes: &[&str]| {
        slot(&copy_selectors(&strings(list), &strings(excludes), Parents::Dropped).unwrap())
    };
    let of = |source| plain(&held, source);
    assert_eq!(copy(&["c"], &[]), sha256(&[&of("c")]));
    assert_eq!(copy(&["d", "c"], &[]), sha256(&[&of("c"), "\0", &of("d")]));
    assert_eq!(copy(&["a/b", "c", "a", "c"], &[]), copy(&["a", "c"], &[]));
    assert_eq!(copy(&[".", "c"], &[]), sha256(&[&of(".")]));
    // With a filter nothing is taken for nested, and nothing is joined twice but what is named twice.
    assert_eq!(
        copy(&["c", "c"], &["x"]),
        sha256(&[&of("c"), "\0", &of("c")])
    );
    assert_eq!(
        slot(&mount_selectors(&strings(&["d", "a/b", "a"]))),
        copy(&["a", "d"], &[])
    );
}

#[test]
fn parents_are_filters() {
    let held = held(&["a/", "a/b/", "a/b/f=1", "a/g=2"]);
    let entries = entries(&held);
    let tree = SentTree::new(&entries, &held);
    let of = |source: &str, release| {
        let selectors = copy_selectors(&strings(&[source]), &[], Parents::Kept).unwrap();
        selector_digest(&tree, &selectors[0], release)
            .map_or_else(|e| e.to_string(), |d| d.to_string())
    };
    let (f, new) = (plain(&held, "a/b/f"), Release::V0_32);
    let whole = ["\0a", FOLDER, "\0a\0b", FOLDER, "\0a\0b\0f", &f];
    assert_eq!(of("a/b/f", new), sha256(&whole));
    let pivot = ["\0", FOLDER, "\0b", FOLDER, "\0b\0f", &f];
    assert_eq!(of("a/./b/f", new), sha256(&pivot));
    assert_eq!(of("a/b/no", new), "\"/a/b/no\": not found");
    assert_eq!(of("a/./no", new), "\"/a/no\": not found");
    assert_eq!(of("a/*/no", new), sha256(&[]));
}
