//! The files that a COPY takes from a stage, and where links lead there.
//!
//! Goes in: a tree and a source. Comes out: its nodes, or why that is not known. Costs a pass over what is taken. Invariant:
//! as `stage_tree.rs` has it.

use super::{
    Exclude, IMAGE, Node, Refusal, Taken, Tree, above, base_name, in_every_image, join, rest,
};
use crate::history::{EntryKind, Oid};
use crate::pattern::{SourceKind, SourcePattern};
use crate::simulate::links::{self, prefixes};
use rustc_hash::FxHashMap;

impl Tree {
    /// What one source takes, for a COPY into another stage.
    pub fn take(
        &self,
        pattern: &SourcePattern,
        exclude: Option<&Exclude>,
        links: &FxHashMap<Oid, Vec<u8>>,
    ) -> Result<Vec<Taken>, Refusal> {
        let mut out = Vec::new();
        let excluded = |r: &[u8]| Exclude::takes_out(exclude, r);
        let kept = |node: &Node| match node {
            Node::Image(id) => Node::Image(Exclude::of_image(exclude, &[*id])),
            other => other.clone(),
        };
        match pattern.kind() {
            SourceKind::Root | SourceKind::Plain(_) => {
                let named = pattern.cleaned().as_bytes();
                let path = self.follow(named, links)?;
                let mut images = Vec::new();
                if !matches!(self.nodes.get(&path), Some(Node::File(..))) {
                    images = self.images_at(&path);
                    let there = path.is_empty() || self.nodes.contains_key(&path);
                    // What only an image may have can be a file as well.
                    let open = !images.is_empty() || self.unknown_above(&path);
                    if self.unknown_below(&path) || (!there && open) {
                        return Err(Refusal::Unknown);
                    }
                    if !there {
                        return Err(Refusal::Missing);
                    }
                }
                let taken = |relative: &[u8], node: Node| Taken {
                    matched: named.to_vec(),
                    relative: relative.to_vec(),
                    node,
                };
                let own = join(&path, IMAGE);
                for (p, node) in self.below(&path) {
                    let relative = rest(p, &path);
                    let is_image = matches!(node, Node::Image(_));
                    if *p != own && (is_image || !excluded(relative)) {
                        out.push(taken(relative, kept(node)));
                    }
                }
                if !images.is_empty() {
                    // Behind the folder itself, before what is in it.
                    let at = usize::from(out.first().is_some_and(|t| t.relative.is_empty()));
                    let id = Exclude::of_image(exclude, &images);
                    out.insert(at, taken(IMAGE, Node::Image(id)));
                }
            }
            SourceKind::Wildcard { prefix_dir } => {
                let folder = prefix_dir.as_bytes();
                if self.unknown_inside(folder) || !self.images_at(folder).is_empty() {
                    return Err(Refusal::Unknown);
                }
                for (p, node) in self.below(folder) {
                    let Some(found) = pattern.select(p) else {
                        continue;
                    };
                    let link = matches!(node, Node::File(e, _) if e.kind == EntryKind::Symlink);
                    if link && found.relative.is_empty() {
                        out.extend(self.linked(p, exclude, links)?.0);
                        continue;
                    }
                    let is_image = matches!(node, Node::Image(_));
                    if is_image || !excluded(found.relative) {
                        out.push(Taken {
                            matched: found.matched.to_vec(),
                            relative: found.relative.to_vec(),
                            node: kept(node),
                        });
                    }
                }
            }
        }
        Ok(out)
    }

    /// What a link that a wildcard matches leads to, under the link's own name, and the folder it leads to.
    pub(super) fn linked(
        &self,
        link: &[u8],
        exclude: Option<&Exclude>,
        links: &FxHashMap<Oid, Vec<u8>>,
    ) -> Result<(Vec<Taken>, Option<Vec<u8>>), Refusal> {
        let (path, is_folder) = self.leads(link, links)?;
        let excluded = |r: &[u8]| Exclude::takes_out(exclude, r);
        let all = self.below(&path).map(|(p, node)| (rest(p, &path), node));
        let kept = all.filter(|(r, node)| matches!(node, Node::Image(_)) || !excluded(r));
        let taken = kept.map(|(relative, node)| Taken {
            matched: link.to_vec(),
            relative: relative.to_vec(),
            node: node.clone(),
        });
        let taken = taken.collect();
        Ok((taken, is_folder.then_some(path)))
    }

    /// Where a link that a wildcard matches leads, and whether that is a folder.
    fn leads(
        &self,
        link: &[u8],
        links: &FxHashMap<Oid, Vec<u8>>,
    ) -> Result<(Vec<u8>, bool), Refusal> {
        let path = self.follow(link, links)?;
        let is_folder = !matches!(self.nodes.get(&path), Some(Node::File(..)));
        if is_folder {
            if self.unknown_below(&path) {
                return Err(Refusal::Unknown);
            }
            if !path.is_empty() && !self.nodes.contains_key(&path) {
                // The stage's own image lies at the root; what was copied from another may be anything.
                let copied = self.images_at(&path).len() > 1 || !self.nodes.contains_key(IMAGE);
                let usual = !self.images_at(&path).is_empty() && (copied || in_every_image(&path));
                return Err(if usual || self.unknown_above(&path) {
                    Refusal::Unknown
                } else {
                    Refusal::Missing
                });
            }
        }
        Ok((path, is_folder))
    }

    /// Whether a wildcard certainly matches a link that leads nowhere, whatever else is in the folder.
    pub(super) fn matches_dangling(
        &self,
        pattern: &SourcePattern,
        folder: &[u8],
        links: &FxHashMap<Oid, Vec<u8>>,
    ) -> bool {
        self.below(folder).any(|(p, node)| {
            matches!(node, Node::File(e, _) if e.kind == EntryKind::Symlink)
                && pattern.select(p).is_some_and(|f| f.relative.is_empty())
                && self.leads(p, links) == Err(Refusal::Missing)
        })
    }

    /// Whether the path is a link itself, whatever leads to it.
    pub(super) fn is_link(
        &self,
        path: &[u8],
        links: &FxHashMap<Oid, Vec<u8>>,
    ) -> Result<bool, Refusal> {
        let real = join(&self.follow(above(path), links)?, base_name(path));
        let node = self.nodes.get(&real);
        Ok(matches!(node, Some(Node::File(e, _)) if e.kind == EntryKind::Symlink))
    }

    /// Resolves links that are known, in every component.
    pub(super) fn follow(
        &self,
        path: &[u8],
        links: &FxHashMap<Oid, Vec<u8>>,
    ) -> Result<Vec<u8>, Refusal> {
        let mut path = path.to_vec();
        for _ in 0..links::MOST {
            let link = prefixes(&path).find_map(|p| match self.nodes.get(p) {
                Some(Node::File(e, _)) if e.kind == EntryKind::Symlink => Some((p, e.oid)),
                _ => None,
            });
            let Some((link, oid)) = link else {
                return Ok(path);
            };
            let target = links.get(&oid).ok_or(Refusal::Unknown)?;
            path = links::behind(&path, link.len(), target).ok_or(Refusal::Unknown)?;
        }
        Err(Refusal::Missing)
    }
}
