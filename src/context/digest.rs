//! The builder's own content keys: sha256 digests of what one COPY, ADD or RUN takes from the context.
//!
//! Goes in: the entries as sent, a way to read them, and the sources of one input slot. Comes out: a
//! digest for each source and the key of the slot. Costs one sha256 of every file below a source, once
//! per [`SentTree`], on all cores. Invariant: the digests are those that BuildKit exports with its cache
//! (`tests/oracle_context.rs` compares them); equal entries and bytes give equal digests, and owner and
//! times never count. Rules: BuildKit v0.25, `cache/contenthash` and the operations that call it.

pub use super::digest_file::{Contents, OnDisk, Sent, Special};
pub use super::digest_tree::SentTree;

use super::ContextError;
use super::digest_list::list_digest;
use crate::pattern::path::{clean, display};
use crate::pattern::{ExcludeError, PatternError, SourceKind, SourcePattern};
use sha2::{Digest as _, Sha256};
use std::fmt;

/// A sha256 digest, written `sha256:<hex>`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whose digests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Release {
    /// BuildKit 0.25 (Docker Engine 28.5): a list of files holds base names only, so a move between
    /// folders that keeps the name goes unseen (experiments row 23).
    #[default]
    V0_25,
    /// BuildKit 0.32: a list of files holds paths. From its source; not compared with a builder.
    V0_32,
}

/// What one source selects, as the builder's operation says it.
#[derive(Clone, Debug)]
pub struct Selector {
    pub(super) source: SourcePattern,
    pub(super) include: Vec<String>,
    pub(super) exclude: Vec<String>,
    /// `--parents` without wildcards: this absolute path has to be there (BuildKit 0.32).
    pub(super) required: Option<String>,
}

/// Whether COPY has `--parents`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Parents {
    /// It has not.
    #[default]
    Dropped,
    /// It has: a source is a filter below the root, or below what stands in front of `/./`. From the
    /// source of frontend 1.20; the builder that is compared with has an older one.
    Kept,
}

/// The sources of one COPY or ADD, in order, as they are after variable expansion.
///
/// # Errors
/// A source with a malformed wildcard, which the builder refuses.
pub fn copy_selectors(
    sources: &[String],
    excludes: &[String],
    parents: Parents,
) -> Result<Vec<Selector>, PatternError> {
    let one = |source: &String| {
        let plain = Selector {
            source: SourcePattern::new(source)?,
            include: Vec::new(),
            exclude: excludes.to_vec(),
            required: None,
        };
        if parents == Parents::Dropped {
            return Ok(plain);
        }
        let (pivot, below) = source.split_once("/./").unwrap_or(("/", source));
        let below = clean(&format!("/{below}"));
        let base = SourcePattern::new(pivot)?;
        let whole = SourcePattern::new(&format!("{pivot}/{below}"));
        let literal = whole.is_ok_and(|w| !matches!(w.kind(), SourceKind::Wildcard { .. }));
        Ok(Selector {
            required: literal.then(|| clean(&format!("/{pivot}/{below}"))),
            include: vec![below.trim_start_matches('/').to_owned()],
            source: base,
            ..plain
        })
    };
    sources.iter().map(one).collect()
}

/// The `source=` of every bind mount of the context in one RUN, in order: they share one input slot.
/// Wildcards are plain characters there.
#[must_use]
pub fn mount_selectors(sources: &[String]) -> Vec<Selector> {
    let one = |source: &String| Selector {
        source: SourcePattern::literal(source),
        include: Vec::new(),
        exclude: Vec::new(),
        required: None,
    };
    sources.iter().map(one).collect()
}

impl Selector {
    pub(super) fn is_plain(&self) -> bool {
        let wildcard = matches!(self.source.kind(), SourceKind::Wildcard { .. });
        !wildcard && self.include.is_empty() && self.exclude.is_empty()
    }

    /// The path that the builder sorts by and names in its errors, with its leading slash.
    #[must_use]
    pub fn path(&self) -> String {
        format!("/{}", self.source.cleaned())
    }
}

/// Why there is no digest.
#[derive(Debug, thiserror::Error)]
pub enum DigestError {
    /// Nothing is there, or a link leads nowhere. The builder refuses the build with these words.
    #[error("\"{}\": not found", display(path))]
    NotFound {
        /// Absolute in the context.
        path: Vec<u8>,
    },
    /// More than 255 links on the way to one file.
    #[error("too many links")]
    TooManyLinks,
    /// An `--exclude` that cannot be compiled.
    #[error(transparent)]
    Exclude(#[from] ExcludeError),
    /// A file that cannot be read.
    #[error(transparent)]
    Read(#[from] ContextError),
}

/// The key of an input slot: digests of its selectors, joined. A plain source below another plain source
/// of the same instruction is left out, the rest is in the order of paths.
///
/// # Errors
/// When one selector has no digest.
pub fn slot_key(
    tree: &SentTree<'_>,
    selectors: &[Selector],
    release: Release,
) -> Result<Digest, DigestError> {
    let (mut joined, plain, filtered) = (Vec::new(), unnested(selectors), || {
        selectors.iter().filter(|s| !s.is_plain())
    });
    let mut all: Vec<&Selector> = plain.into_iter().chain(filtered()).collect();
    all.sort_by_cached_key(|s| s.path());
    for selector in all {
        let digest = selector_digest(tree, selector, release)?.to_string();
        if !joined.is_empty() {
            joined.push(0);
        }
        joined.extend_from_slice(digest.as_bytes());
    }
    Ok(Digest::of(&joined))
}

/// The digest of what one selector selects.
///
/// # Errors
/// When it names nothing, leads nowhere, or a file cannot be read.
pub fn selector_digest(
    tree: &SentTree<'_>,
    selector: &Selector,
    release: Release,
) -> Result<Digest, DigestError> {
    if selector.is_plain() {
        tree.digest_at(selector.path().as_bytes())
    } else {
        list_digest(tree, selector, release)
    }
}

/// The plain selectors, equal ones once, without those inside of another.
fn unnested(selectors: &[Selector]) -> Vec<&Selector> {
    let plain: Vec<&Selector> = selectors.iter().filter(|s| s.is_plain()).collect();
    let mut out: Vec<&Selector> = Vec::new();
    for s in &plain {
        let path = s.path();
        let inside = |other: &&&Selector| {
            let other = other.path();
            let folder = if other.ends_with('/') {
                other.clone()
            } else {
                format!("{other}/")
            };
            other != path && path.starts_with(&folder)
        };
        let known = out.iter().any(|o| o.path() == path);
        if !known && !plain.iter().any(|o| inside(&o)) {
            out.push(s);
        }
    }
    out
}
