//! The digest of a source with a wildcard, `--exclude` or `--parents`: a list of nodes, hashed together.
//!
//! Goes in: a tree and a selector. Comes out: one digest. Costs one look at every record behind the
//! source's fixed part, and a hash of every node on the list. Invariant: the list holds files, links and
//! folder headers, never a folder with its content, since something inside may be excluded.

use super::digest::{Digest, DigestError, Release, Selector};
use super::digest_tree::{LastLink, SentTree, What, key_of, path_of};
use crate::pattern::{DirState, ExcludeRules, SourceKind};
use sha2::{Digest as _, Sha256};

/// A node on the list.
struct Listed {
    /// Absolute, as the source spells it where a link stands in its fixed part.
    path: Vec<u8>,
    record: usize,
    /// Where it is a link, its target counts.
    follow: bool,
}

/// A folder around the record at hand.
struct Around {
    path: Vec<u8>,
    record: usize,
    follow: bool,
    listed: bool,
    include: DirState,
    exclude: DirState,
}

pub(super) fn list_digest(
    tree: &SentTree<'_>,
    selector: &Selector,
    release: Release,
) -> Result<Digest, DigestError> {
    let (prefix, list) = listed(tree, selector)?;
    if let Some(required) = &selector.required
        && release != Release::V0_25
        && !list.iter().any(|l| l.path.starts_with(required.as_bytes()))
    {
        return Err(DigestError::NotFound {
            path: required.clone().into_bytes(),
        });
    }
    tree.prepare(
        list.iter()
            .filter(|l| !followed(tree, l))
            .map(|l| l.record)
            .collect::<Vec<_>>(),
    );
    let mut digests = Vec::with_capacity(list.len());
    for node in &list {
        digests.push(if followed(tree, node) {
            tree.digest_at(&node.path)?
        } else {
            tree.digest(node.record)?
        });
    }
    let source = selector.path();
    match (&list[..], &digests[..]) {
        ([], _) => return Ok(Digest::of(b"")),
        // A list of one with the source's own name is that node, whatever folder it is in.
        ([node], [digest]) if base(&node.path) == base(source.as_bytes()) => return Ok(*digest),
        _ => {}
    }
    let mut hasher = Sha256::new();
    for (i, (node, digest)) in list.iter().zip(&digests).enumerate() {
        match release {
            Release::V0_25 => {
                if i != 0 {
                    hasher.update([0]);
                }
                hasher.update(base(&node.path));
            }
            Release::V0_32 => {
                let below = node.path.strip_prefix(&prefix[..]).unwrap_or(&node.path);
                let key = below.iter().map(|b| if *b == b'/' { 0 } else { *b });
                hasher.update(key.collect::<Vec<u8>>());
                if below.is_empty() {
                    hasher.update([0]);
                }
            }
        }
        hasher.update(digest.to_string());
    }
    Ok(Digest(hasher.finalize().into()))
}

fn followed(tree: &SentTree<'_>, node: &Listed) -> bool {
    node.follow
        && tree
            .record(node.record)
            .is_some_and(|r| r.what == What::Link)
}

fn base(path: &[u8]) -> &[u8] {
    path.rsplit(|b| *b == b'/').next().unwrap_or_default()
}

/// The fixed part of the source and the nodes, in the order of keys.
fn listed(tree: &SentTree<'_>, selector: &Selector) -> Result<(Vec<u8>, Vec<Listed>), DigestError> {
    let rules = |values: &[String]| match values {
        [] => Ok(None),
        _ => ExcludeRules::new(values).map(Some),
    };
    let (include, exclude) = (rules(&selector.include)?, rules(&selector.exclude)?);
    let (fixed, wildcard) = match selector.source.kind() {
        SourceKind::Wildcard { prefix_dir } => (prefix_dir, true),
        _ => (selector.source.cleaned(), false),
    };
    let prefix = match fixed {
        "" => Vec::new(),
        fixed => format!("/{fixed}").into_bytes(),
    };
    let last = if wildcard {
        LastLink::Followed
    } else {
        LastLink::Taken
    };
    let (start, found) = tree.follow(&key_of(&prefix), last)?;
    let resolved = path_of(&start);
    let (mut list, mut around): (Vec<Listed>, Vec<Around>) = (Vec::new(), Vec::new());
    let mut matched: Option<Vec<u8>> = None;
    let mut next = found;
    while let Some((index, record)) = next.and_then(|i| Some((i, tree.record(i)?))) {
        next = Some(index + 1);
        let mut path = path_of(&record.key);
        let header = record.what == What::Header;
        if header {
            path.pop();
        }
        if let Some(below) = path.strip_prefix(&resolved[..]) {
            path = [&prefix[..], below].concat();
        }
        // The header of the root is no part of the list.
        if header && path.is_empty() {
            continue;
        }
        while around.last().is_some_and(|a| !is_below(&path, &a.path)) {
            around.pop();
        }
        let below = if wildcard {
            if !matched.as_ref().is_some_and(|m| is_below(&path, m)) {
                let relative = path.strip_prefix(b"/").unwrap_or(&path);
                if path.is_empty() || !selector.source.matches(relative) {
                    continue;
                }
                matched = Some(path.clone());
            }
            matched.as_deref().unwrap_or_default()
        } else {
            if path != prefix && !is_below(&path, &prefix) {
                break;
            }
            &prefix[..]
        };
        let relative = path.get(below.len() + 1..).unwrap_or_default().to_vec();
        let top = DirState::root();
        let states = around
            .last()
            .map_or((&top, &top), |a| (&a.include, &a.exclude));
        let mut node = Around {
            path,
            record: index,
            follow: around.is_empty(),
            listed: false,
            include: DirState::root(),
            exclude: DirState::root(),
        };
        let mut wanted = true;
        if let Some(rules) = &include {
            let verdict = rules.test(states.0, &relative);
            (wanted, node.include) = (verdict.ignored, verdict.state);
        }
        if wanted && let Some(rules) = &exclude {
            let verdict = rules.test(states.1, &relative);
            (wanted, node.exclude) = (!verdict.ignored, verdict.state);
        }
        if wanted && record.what != What::Folder {
            let missing = around.iter_mut().filter(|a| !a.listed);
            list.extend(missing.map(|a| {
                a.listed = true;
                a.entry()
            }));
            list.push(node.entry());
            node.listed = true;
        }
        if header {
            around.push(node);
        }
    }
    Ok((prefix, list))
}

impl Around {
    fn entry(&self) -> Listed {
        Listed {
            path: self.path.clone(),
            record: self.record,
            follow: self.follow,
        }
    }
}

/// Whether a path lies in a folder; everything lies in the root.
fn is_below(path: &[u8], folder: &[u8]) -> bool {
    path.strip_prefix(folder)
        .is_some_and(|rest| rest.starts_with(b"/"))
}
