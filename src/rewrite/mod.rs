//! Rewrites of a Dockerfile: find, justify, edit. One file per rewrite.
//!
//! Goes in: a parsed file, its plan, the context at the newest commit. Comes out: [`Rewrite`]s with
//! their edits and what they rest on. Invariant: a rewrite without a justification does not exist;
//! edits never overlap.

pub mod reorder;
pub mod split_copy;

use crate::source::{Edit, SourceFile, apply_edits};
use std::fmt;

/// How much a rewrite promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Safety {
    /// The same image, always.
    Proven,
    /// The same image under the assumptions named.
    Assumed,
    /// A person has to look.
    Review,
}

impl Safety {
    /// The name on the command line and in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Assumed => "assumed",
            Self::Review => "review",
        }
    }
}

impl fmt::Display for Safety {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What one edit does, for people. Lines are the original file's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EditNote {
    /// Name of the rewrite.
    pub rewrite: &'static str,
    /// What it promises.
    pub safety: Safety,
    /// First line it concerns, 1-based.
    pub line: u32,
    /// Last line.
    pub end_line: u32,
    /// One sentence, no full stop.
    pub why: String,
    /// What it rests on.
    pub assumptions: Vec<String>,
}

/// An instruction added by a rewrite and what it frees: the pair `broad`, `install` may change
/// places, since `install` then reads what the added instruction brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewrite {
    /// What it promises.
    pub safety: Safety,
    /// The text to insert, with its line end.
    pub text: String,
    /// Index of the instruction it is inserted before: the broad COPY.
    pub broad: usize,
    /// Index of the RUN that installs.
    pub install: usize,
    /// For reports.
    pub note: EditNote,
    /// Byte offset of the insertion.
    pub at: u32,
}

/// Instruction indices in the rewritten file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inserted {
    /// The added COPY of manifests.
    pub manifests: usize,
    /// The broad COPY.
    pub broad: usize,
    /// The RUN that installs.
    pub install: usize,
    /// What freeing the pair rests on.
    pub assumptions: Vec<String>,
}

/// The build context at the newest commit, as rewrites look at it. Paths are relative to the
/// context; files that ignore rules leave out are not there.
pub trait ContextFiles {
    /// Whether this is a file that the builder is sent.
    fn is_file(&self, path: &str) -> bool;
    /// Whether it is a symbolic link.
    fn is_link(&self, path: &str) -> bool;
    /// The symbolic links that are sent from below this folder, relative to it; empty is the whole context.
    /// `None` where there may be others.
    fn links_in(&self, dir: &str) -> Option<Vec<String>>;
    /// Whether anything is sent from below this folder.
    fn has_below(&self, dir: &str) -> bool;
    /// Every file with this name in any folder.
    fn named(&self, name: &str) -> Vec<String>;
    /// The bytes of a file, if it is sent and can be read.
    fn read(&self, path: &str) -> Option<Vec<u8>>;
}

/// Inserts the text of all rewrites; the second value says where their instructions stand now.
#[must_use]
pub fn apply(source: &SourceFile, rewrites: &[&Rewrite]) -> Option<(SourceFile, Vec<Inserted>)> {
    let edits: Vec<Edit> = rewrites
        .iter()
        .map(|r| Edit {
            span: crate::source::Span {
                start: r.at,
                end: r.at,
            },
            text: r.text.clone().into_bytes(),
        })
        .collect();
    let text = apply_edits(source.bytes(), &edits).ok()?;
    let before = |i: usize| rewrites.iter().filter(|r| r.broad < i).count();
    let inserted = rewrites.iter().enumerate().map(|(n, r)| {
        // Insertions before one and the same COPY stand in the order given.
        let same = rewrites[..n].iter().filter(|o| o.broad == r.broad).count();
        let at_broad = rewrites.iter().filter(|o| o.broad == r.broad).count();
        Inserted {
            manifests: r.broad + before(r.broad) + same,
            broad: r.broad + before(r.broad) + at_broad,
            install: r.install + before(r.install),
            assumptions: r.note.assumptions.clone(),
        }
    });
    let inserted = inserted.collect();
    Some((SourceFile::new(source.name().to_owned(), text), inserted))
}
