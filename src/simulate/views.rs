//! What steps take from other stages, build by build.
//!
//! Goes in: the state of the context in a build, and views. Comes out: one [`Content`] per view and
//! build. Costs one evaluation per view and distinct combination of the selections behind it.
//! Invariant: beyond [`BUDGET`] nothing is evaluated any more, and what is left is called `Made`,
//! which the replay turns into `maybe`.

use super::inputs::{Engine, Selection, Taking};
use super::members::hash;
use super::program::{Copy, From, Op, View};
use super::quiet::Quiet;
use super::stage_tree::{Content, Exclude, Node, Refusal, Taken, Target, Tree};
use crate::footprint::PathClaim;
use crate::history::{Entry, EntryKind, Oid};
use crate::pattern::SourcePattern;
use rustc_hash::FxHashMap;

/// Nodes handled over a whole history: some seconds of work.
const BUDGET: usize = 60_000_000;

/// A view, and the builds whose plan has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewRequest {
    /// The view.
    pub view: View,
    /// Which builds need it; `None`: all.
    pub builds: Option<Vec<bool>>,
}

/// One view through the builds.
pub(super) struct Watched {
    request: ViewRequest,
    /// Columns of the selections behind it.
    columns: Vec<usize>,
    seen: FxHashMap<Vec<u128>, Content>,
    /// The versions of the columns in the last build that needed the view, and what it was there.
    last: Option<(Vec<u128>, Content)>,
    /// Which changes have no effect.
    quiet: Option<Quiet>,
    /// Something may have had one since that build.
    moved: bool,
}

impl Watched {
    pub fn new(request: &ViewRequest, selections: &[Selection]) -> Self {
        let mut wanted = Vec::new();
        request.view.selections(&mut wanted);
        wanted.sort();
        wanted.dedup();
        let find = |w: &Selection| selections.iter().position(|s| s == w);
        Self {
            columns: wanted.iter().filter_map(find).collect(),
            request: request.clone(),
            seen: FxHashMap::default(),
            last: None,
            quiet: Quiet::of(&request.view, find),
            moved: true,
        }
    }
}

impl Engine<'_> {
    /// Evaluates every view that the build needs.
    pub(super) fn watch(&mut self, build: u32) {
        let mut watched = std::mem::take(&mut self.watched);
        for (index, w) in watched.iter_mut().enumerate() {
            let needed = w.request.builds.as_ref();
            let needed = needed.is_none_or(|b| b.get(build as usize).copied().unwrap_or(false));
            let version = |c: &usize| self.out.version[*c].last().copied().unwrap_or(0);
            w.moved |= match &w.quiet {
                Some(quiet) => !quiet.is_unmoved(self, build),
                None => true,
            };
            let content = if needed {
                let key = || w.columns.iter().map(version);
                match &w.last {
                    Some((last, content)) if key().eq(last.iter().copied()) => *content,
                    Some((_, content)) if !w.moved => {
                        debug_assert!(self.is_content(&w.request.view, *content));
                        *content
                    }
                    _ => {
                        let key: Vec<u128> = key().collect();
                        let content = match w.seen.get(&key) {
                            Some(content) => *content,
                            None => {
                                let content = self.content(&w.request.view);
                                w.seen.insert(key.clone(), content);
                                content
                            }
                        };
                        w.last = Some((key, content));
                        w.moved = false;
                        content
                    }
                }
            } else {
                Content::Made
            };
            self.out.views[index].push(content);
        }
        self.watched = watched;
    }

    /// Whether a view is what was taken over from the build before. Not for the figures.
    fn is_content(&mut self, view: &View, taken_over: Content) -> bool {
        let spent = self.spent;
        let now = self.content(view);
        self.spent = spent;
        now == taken_over
    }

    fn content(&mut self, view: &View) -> Content {
        let tree = self.tree(&view.program);
        if self.spent > BUDGET {
            return Content::Made;
        }
        let (patterns, exclude) = compiled(view);
        let links = self.context.links;
        tree.content(&patterns, exclude.as_ref(), view.rule, links, &self.derived)
    }

    /// The files that a program makes of the context as it is now.
    fn tree(&mut self, program: &[Op]) -> Tree {
        let mut tree = Tree::new(self.context.umask);
        // How often something had become unknown behind the last step of which that was to be expected.
        let mut losses = 0;
        for op in program {
            if self.spent > BUDGET {
                tree.forget();
                break;
            }
            match op {
                Op::Image(name) => tree.start_from_image(name),
                Op::Anything => tree.forget(),
                Op::Changes(claims) => tree.change(claims),
                Op::Prune(prunings, claims) => {
                    if !prunings.iter().all(|p| tree.prune(p)) {
                        tree.change(claims);
                    }
                }
                Op::Derive(derive) => {
                    let settled = tree.losses() == losses;
                    self.derive(&mut tree, derive, settled);
                }
                Op::Mkdir { path, owner } => tree.make_dir(path, owner.as_deref()),
                Op::Copy(copy) => self.copy(&mut tree, copy),
            }
            if op.is_lost() {
                losses = tree.losses();
            }
            self.spent += tree.len() + 1;
        }
        tree
    }

    fn copy(&mut self, tree: &mut Tree, copy: &Copy) {
        let below = PathClaim::subtree(copy.dest.clone());
        let mut taken = match &copy.from {
            From::Nothing => Vec::new(),
            From::Context(selection) => match self.taking(selection) {
                Taking::Nodes(taken) => taken,
                Taking::Linked => return tree.change(&[below]),
            },
            From::Stage(view) => match self.taken(view) {
                Ok(taken) => taken,
                Err(_) => return tree.change(&[below]),
            },
        };
        self.spent += taken.len();
        // An archive is unpacked, and what is one only its bytes can tell.
        let archives = self.context.archives;
        let archive = |t: &Taken| match &t.node {
            Node::File(entry, _) if t.relative.is_empty() => {
                archives.get(&entry.oid).copied().unwrap_or(true)
            }
            _ => false,
        };
        if copy.unpacks && taken.iter().any(archive) {
            return tree.change(&[below]);
        }
        taken.extend(copy.inline.iter().map(|(name, text)| inline(name, text)));
        tree.copy(
            &taken,
            &Target {
                dest: &copy.dest,
                is_dir: copy.is_dir,
                owner: copy.owner.as_deref(),
                mode: copy.mode.as_deref(),
            },
        );
    }

    /// What a COPY takes from another stage.
    fn taken(&mut self, view: &View) -> Result<Vec<Taken>, Refusal> {
        let tree = self.tree(&view.program);
        let (patterns, exclude) = compiled(view);
        let mut out = Vec::new();
        for pattern in &patterns {
            out.extend(tree.take(pattern, exclude.as_ref(), self.context.links)?);
        }
        Ok(out)
    }
}

fn compiled(view: &View) -> (Vec<SourcePattern>, Option<Exclude>) {
    let compile = |s: &String| SourcePattern::taken(s, view.literal);
    let patterns = view.sources.iter().map(compile).collect();
    (patterns, Exclude::new(&view.excludes))
}

/// A text file of the Dockerfile: its content stands for an object id.
fn inline(name: &str, text: &str) -> Taken {
    let digest = hash(&[b"inline", text.as_bytes()]).to_le_bytes();
    let mut oid = Oid::default();
    for (to, from) in oid.iter_mut().zip(digest) {
        *to = from;
    }
    let entry = Entry {
        kind: EntryKind::File,
        oid,
    };
    Taken {
        matched: name.as_bytes().to_vec(),
        relative: Vec::new(),
        node: Node::File(entry, None),
    }
}
