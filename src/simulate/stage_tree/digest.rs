//! The digest of what is taken from a stage.
//!
//! Goes in: a tree and sources. Comes out: what the builder would digest, or why that is not known. Costs a pass over
//! what is taken. Invariant: as `stage_tree.rs` has it.

use super::{Content, Exclude, IMAGE, Node, Refusal, Tree, above, join, rest};
use crate::history::{EntryKind, Oid};
use crate::pattern::{SourceKind, SourcePattern};
use crate::plan::ContentRule;
use crate::simulate::links::prefixes;
use crate::simulate::members::{Members, Term, hash, joined};
use rustc_hash::{FxHashMap, FxHashSet};

impl Tree {
    /// The digest of what a source list takes; `derived` are files that stand for what a step made of others.
    pub fn content(
        &self,
        patterns: &[SourcePattern],
        exclude: Option<&Exclude>,
        rule: ContentRule,
        links: &FxHashMap<Oid, Vec<u8>>,
        derived: &FxHashSet<Oid>,
    ) -> Content {
        let mut parts = Vec::new();
        let (mut places, mut unsure, mut made) = (Vec::new(), false, false);
        let mut is_derived = false;
        let mut late = None;
        for (source, pattern) in patterns.iter().enumerate() {
            match self.one(pattern, exclude, rule, (links, derived)) {
                Ok(one) => {
                    if !one.images.is_empty() {
                        let id = Exclude::of_image(exclude, &one.images);
                        places.push((pattern.cleaned().to_owned(), id));
                    }
                    unsure |= one.unsure;
                    is_derived |= one.is_derived;
                    parts.push((pattern.cleaned().to_owned(), one.digest));
                }
                // One that is missing refuses the build, whatever the others are: before anything runs, or then.
                Err(Refusal::Missing) if exclude.is_none() => return Content::Missing { source },
                Err(Refusal::Missing | Refusal::NoFolder) => late = late.or(Some(source)),
                Err(Refusal::Unknown) => made = true,
            }
        }
        if let Some(source) = late {
            return Content::MissingAtExecution { source };
        }
        if made {
            return Content::Made;
        }
        let digest = joined(parts);
        if is_derived {
            return match places.is_empty() {
                true => Content::Derived { digest },
                false => Content::Made,
            };
        }
        if unsure {
            Content::Unsure { digest }
        } else {
            let places = (!places.is_empty()).then(|| joined(places));
            Content::Known { digest, places }
        }
    }

    fn one(
        &self,
        pattern: &SourcePattern,
        exclude: Option<&Exclude>,
        rule: ContentRule,
        (links, derived): (&FxHashMap<Oid, Vec<u8>>, &FxHashSet<Oid>),
    ) -> Result<One, Refusal> {
        let wild = matches!(pattern.kind(), SourceKind::Wildcard { .. });
        let is_root = matches!(pattern.kind(), SourceKind::Root);
        // What a link leads to that is a source itself is digested whole, whatever is excluded.
        let is_link = !wild && !is_root && self.is_link(pattern.cleaned().as_bytes(), links)?;
        let mut members = Members::new(pattern, exclude.map(|e| &e.rules), rule);
        let mut one = One::default();
        let folder = match pattern.kind() {
            SourceKind::Wildcard { prefix_dir } => prefix_dir.as_bytes().to_vec(),
            _ => self.follow(pattern.cleaned().as_bytes(), links)?,
        };
        let is_file = matches!(self.nodes.get(&folder), Some(Node::File(..)));
        if !is_file {
            let unknown = match wild {
                true => self.unknown_inside(&folder),
                false => self.unknown_below(&folder),
            };
            if unknown {
                let dangling = wild && self.matches_dangling(pattern, &folder, links);
                return Err(match dangling {
                    true => Refusal::Missing,
                    false => Refusal::Unknown,
                });
            }
            let text = pattern.cleaned().as_bytes();
            let seen = |id: u128| {
                if wild {
                    hash(&[text, &id.to_le_bytes()])
                } else {
                    id
                }
            };
            one.images = self.images_at(&folder).into_iter().map(seen).collect();
            let there = folder.is_empty() || self.below(&folder).next().is_some();
            let blocked =
                prefixes(&folder).any(|p| matches!(self.nodes.get(p), Some(Node::File(..))));
            let changed = || self.is_unknown(&folder) || self.unknown_above(&folder);
            if !there && !blocked && changed() {
                return Err(Refusal::Unknown);
            }
            if blocked || (!there && one.images.is_empty()) {
                return Err(if wild {
                    Refusal::NoFolder
                } else {
                    Refusal::Missing
                });
            }
        }
        let own = join(&folder, IMAGE);
        let below = |p: &[u8], id: u128| hash(&[p, &id.to_le_bytes()]);
        let mut full: Vec<&[u8]> = Vec::new();
        if !members.is_list() {
            // Of folders, a sum holds those that nothing below implies.
            full.extend(self.below(&folder).map(|(p, _)| above(p)));
            full.sort_unstable();
            full.dedup();
        }
        for (p, node) in self.below(&folder) {
            if let Node::Image(id) = node {
                if *p != own {
                    one.images.push(below(rest(p, &folder), *id));
                }
                continue;
            }
            let found = if wild {
                match pattern.select(p) {
                    Some(found) => found.relative,
                    None => continue,
                }
            } else {
                rest(p, &folder)
            };
            if !is_link && Exclude::takes_out(exclude, found) {
                continue;
            }
            let Some(term) = node.term() else { continue };
            one.unsure |= !node.is_settled();
            one.note(node, derived);
            let implied = || full.binary_search(&&p[..]).is_ok();
            if matches!(term, Term::Dir) && !members.is_list() && implied() {
                continue;
            }
            // With `--exclude`, links that lie in the root are followed as those that a wildcard matches.
            let follows = match wild {
                true => found.is_empty(),
                false => is_root && exclude.is_some() && !found.contains(&b'/'),
            };
            if follows && matches!(node, Node::File(e, _) if e.kind == EntryKind::Symlink) {
                let (taken, folder) = self.linked(p, None, links)?;
                let images = folder.map_or(Vec::new(), |f| self.images_at(&f));
                one.images.extend(images.into_iter().map(|id| below(p, id)));
                for t in taken {
                    let name = join(p, &t.relative);
                    one.unsure |= !t.node.is_settled();
                    one.note(&t.node, derived);
                    match (&t.node, t.node.term()) {
                        (_, Some(term)) => members.apply(&name, &t.relative, term, true),
                        (Node::Image(id), None) => one.images.push(below(&name, *id)),
                        _ => {}
                    }
                }
                continue;
            }
            members.apply(p, found, term, true);
        }
        one.digest = members.digest();
        Ok(one)
    }
}

#[derive(Default)]
struct One {
    digest: u128,
    /// The images that may have files there.
    images: Vec<u128>,
    unsure: bool,
    /// One of the files stands for what a step made of others.
    is_derived: bool,
}

impl One {
    fn note(&mut self, node: &Node, derived: &FxHashSet<Oid>) {
        self.is_derived |= matches!(node, Node::File(e, _) if derived.contains(&e.oid));
    }
}

impl Node {
    /// What the node counts as in a digest; nothing where only an image could tell.
    fn term(&self) -> Option<Term<'_>> {
        Some(match self {
            Self::File(e, None) => Term::File(*e),
            Self::File(e, Some(h)) => Term::Marked(*e, h),
            Self::Dir(Some(h)) => Term::MarkedDir(h),
            Self::Dir(None) => Term::Dir,
            Self::Image(_) => return None,
        })
    }

    /// Whether its header is known to the last bit: names are looked up in the image, a symbolic mode is not worked
    /// out.
    fn is_settled(&self) -> bool {
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit() || b == b':');
        match self {
            Self::File(_, Some(h)) | Self::Dir(Some(h)) => digits(&h.owner) && digits(&h.mode),
            _ => true,
        }
    }
}
