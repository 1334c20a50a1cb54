//! One source of a COPY, ADD or bind mount: which context paths it selects.
//!
//! Goes in: the source after variable expansion, then paths. Comes out: the node that the source
//! named or matched, and the rest of the path below it. Costs a compare for a plain source, one
//! glob match of the path's first elements for a wildcard. Invariant: a source never leaves the
//! context root (`../x` is `x`).

use super::PatternError;
use super::glob::Glob;
use super::path::{ancestors, clean};

/// What kind of source it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceKind<'a> {
    /// The context root: everything.
    Root,
    /// One path, and everything below it.
    Plain(&'a str),
    /// A glob per path element; `**` is no more than `*`.
    Wildcard {
        /// The folder in front of the first element with a wildcard; empty at the root. It must
        /// be part of what is sent, or the step fails even where no match would do (experiments
        /// row 83c).
        prefix_dir: &'a str,
    },
}

/// A source, cleaned and compiled.
#[derive(Clone, Debug)]
pub struct SourcePattern {
    cleaned: String,
    wildcard: Option<Wildcard>,
}

#[derive(Clone, Debug)]
struct Wildcard {
    prefix_len: usize,
    glob: Glob,
    /// Number of slashes in a path that can match; `None` when a class could take a slash too.
    slashes: Option<usize>,
}

/// A path that a source selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selected<'a> {
    /// The node the source named or its wildcard matched; empty for the context root.
    pub matched: &'a [u8],
    /// The path below that node; empty when the path is the node itself.
    pub relative: &'a [u8],
}

impl SourcePattern {
    /// Compiles a source as it is after variable expansion. A backslash makes an element no
    /// wildcard, and in a source without wildcards it is a plain character.
    ///
    /// # Errors
    /// [`PatternError::Syntax`] for a wildcard that is no glob; the builder fails then, too.
    pub fn new(text: &str) -> Result<Self, PatternError> {
        let rooted = clean(&format!("/{text}"));
        let cleaned = rooted[1..].to_owned();
        let mut offset = 0;
        for element in cleaned.split('/') {
            if has_wildcard(element) {
                let wildcard = Wildcard {
                    prefix_len: offset.max(1) - 1,
                    glob: Glob::new(&cleaned)?,
                    slashes: (!cleaned.contains('['))
                        .then(|| cleaned.bytes().filter(|b| *b == b'/').count()),
                };
                return Ok(Self {
                    cleaned,
                    wildcard: Some(wildcard),
                });
            }
            offset += element.len() + 1;
        }
        Ok(Self {
            cleaned,
            wildcard: None,
        })
    }

    /// A source that names exactly this path, wildcard characters and all.
    #[must_use]
    pub fn literal(path: &str) -> Self {
        Self {
            cleaned: clean(&format!("/{path}"))[1..].to_owned(),
            wildcard: None,
        }
    }

    /// Like [`SourcePattern::new`]; a malformed wildcard is taken literally. For use behind a check
    /// that has reported it.
    #[must_use]
    pub fn lenient(text: &str) -> Self {
        Self::new(text).unwrap_or_else(|_| Self::literal(text))
    }

    /// A source of COPY, or with `literal` one of a mount, in which wildcard characters are ordinary.
    #[must_use]
    pub fn taken(text: &str, literal: bool) -> Self {
        match literal {
            true => Self::literal(text),
            false => Self::lenient(text),
        }
    }

    /// Root, plain path or wildcard.
    #[must_use]
    pub fn kind(&self) -> SourceKind<'_> {
        match &self.wildcard {
            Some(w) => SourceKind::Wildcard {
                prefix_dir: &self.cleaned[..w.prefix_len],
            },
            None if self.cleaned.is_empty() => SourceKind::Root,
            None => SourceKind::Plain(&self.cleaned),
        }
    }

    /// The cleaned source relative to the context root, without a leading slash; empty for the
    /// root itself.
    #[must_use]
    pub fn cleaned(&self) -> &str {
        &self.cleaned
    }

    /// The last element of the source, wildcards and all; empty for the root. It counts in the key
    /// (experiments row 34).
    #[must_use]
    pub fn base_name(&self) -> &str {
        self.cleaned.rsplit('/').next().unwrap_or_default()
    }

    /// Whether this very path is the one named or matched, not just something below it.
    #[must_use]
    pub fn matches(&self, path: &[u8]) -> bool {
        match &self.wildcard {
            Some(wildcard) => wildcard.glob.matches(path),
            None => path == self.cleaned.as_bytes(),
        }
    }

    /// The part of `path` at and below the node that this source names or matches, if it does.
    /// Folders above the node are not selected.
    #[must_use]
    pub fn select<'p>(&self, path: &'p [u8]) -> Option<Selected<'p>> {
        let split = |at: usize| {
            let (matched, rest) = path.split_at(at);
            Selected {
                matched,
                relative: rest.strip_prefix(b"/").unwrap_or(rest),
            }
        };
        let Some(wildcard) = &self.wildcard else {
            if self.cleaned.is_empty() {
                return Some(split(0));
            }
            let rest = path.strip_prefix(self.cleaned.as_bytes())?;
            let inside = rest.is_empty() || rest.starts_with(b"/");
            return inside.then(|| split(self.cleaned.len()));
        };
        let node = match wildcard.slashes {
            Some(n) => {
                let node = ancestors(path).nth(n).unwrap_or(path);
                wildcard.glob.matches(node).then_some(node)
            }
            None => ancestors(path)
                .chain([path])
                .find(|node| wildcard.glob.matches(node)),
        };
        node.map(|node| split(node.len()))
    }
}

/// Whether the builder treats an element as a wildcard: a backslash hides the next character.
fn has_wildcard(element: &str) -> bool {
    let mut chars = element.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                chars.next();
            }
            '*' | '?' | '[' => return true,
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_names() {
        use SourceKind::{Plain, Root, Wildcard};
        for (text, kind, base) in [
            (".", Root, ""),
            ("/", Root, ""),
            ("..", Root, ""),
            ("", Root, ""),
            ("a/..", Root, ""),
            ("../x", Plain("x"), "x"),
            ("/x/", Plain("x"), "x"),
            ("./a//b", Plain("a/b"), "b"),
            ("a\\*b", Plain("a\\*b"), "a\\*b"),
            ("*.c", Wildcard { prefix_dir: "" }, "*.c"),
            ("/conf/*.c", Wildcard { prefix_dir: "conf" }, "*.c"),
            ("a/b/?/c", Wildcard { prefix_dir: "a/b" }, "c"),
            ("é/[a]", Wildcard { prefix_dir: "é" }, "[a]"),
        ] {
            let source = SourcePattern::new(text).unwrap();
            assert_eq!(
                (source.kind(), source.base_name()),
                (kind, base),
                "{text:?}"
            );
        }
        for text in ["[a", "a/*\\", "[]"] {
            assert_eq!(
                SourcePattern::new(text).unwrap_err(),
                PatternError::Syntax,
                "{text:?}"
            );
        }
    }

    #[test]
    fn selection_table() {
        for (text, path, want) in [
            (".", "a/b", Some(("", "a/b"))),
            ("a", "a", Some(("a", ""))),
            ("a", "a/b/c", Some(("a", "b/c"))),
            ("a", "ab", None),
            ("a/b", "a", None),
            ("*", "a", Some(("a", ""))),
            ("*", ".git/x", Some((".git", "x"))),
            ("d/*", "d/a/b", Some(("d/a", "b"))),
            ("d/*", "d", None),
            ("d/*.txt", "d/a.txt", Some(("d/a.txt", ""))),
            ("d/*.txt", "d/e/a.txt", None),
            ("d/*.txt", "d/a.txt/x/y", Some(("d/a.txt", "x/y"))),
            ("**/a", "x/a", Some(("x/a", ""))),
            ("**/a", "a", None),
            ("**/a", "x/y/a", None),
            ("**", "x/y", Some(("x", "y"))),
            ("?", "a/b", Some(("a", "b"))),
            ("[a-c]", "b/q", Some(("b", "q"))),
            ("[^a]", "a", None),
            ("[^a]", "b", Some(("b", ""))),
            ("\\*[x]", "*x", Some(("*x", ""))),
            ("../*.c", "a.c", Some(("a.c", ""))),
            ("d[^a]b/x", "d/b/x/y", Some(("d/b/x", "y"))),
            ("A*", "a", None),
        ] {
            let source = SourcePattern::new(text).unwrap();
            let got = source.select(path.as_bytes());
            let want = want.map(|(matched, relative): (&str, &str)| Selected {
                matched: matched.as_bytes(),
                relative: relative.as_bytes(),
            });
            assert_eq!(got, want, "{text:?} {path:?}");
        }
    }
}
