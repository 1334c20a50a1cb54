//! Why an expansion has no value, and the limits that may be the reason.
//!
//! Goes in: nothing. Comes out: messages that follow the builder's. Invariant: a limit of ours is never
//! near what a file that is meant needs.

/// How deep `${a:-${b:-…}}` may nest. The builder has no limit; no file that is meant comes near.
pub(super) const MAX_DEPTH: u32 = 100;

/// How many bytes an expansion may yield. The builder has no limit, but Linux takes no argument and no
/// variable longer than this; it keeps a chain of doubling variables from filling memory and time.
pub(super) const MAX_BYTES: usize = 1 << 17;

/// Why a word has no value. The texts follow what the builder says in the same place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpandError {
    /// A `'` or `"` without its partner.
    #[error("unexpected end of word while looking for the matching {0}")]
    UnclosedQuote(char),
    /// `${` without `}`.
    #[error("missing '}}' in substitution")]
    MissingBrace,
    /// `${name/pattern}` without the second slash.
    #[error("missing second '/' in substitution")]
    MissingSlash,
    /// `${}`, `${{`, `${:`.
    #[error("bad substitution")]
    BadSubstitution,
    /// An operator the builder does not have, such as `:=` or `^^`.
    #[error("unsupported modifier ({0}) in substitution")]
    UnsupportedModifier(String),
    /// A backslash in a pattern before a character that needs none.
    #[error("invalid pattern ({0}) in substitution")]
    BadPattern(String),
    /// `${name?message}` or `${name:?message}` where the variable is missing or empty.
    #[error("{name}: {message}")]
    Required {
        /// The variable.
        name: String,
        /// The text after `?`, or the builder's own.
        message: String,
    },
    /// More than a hundred levels of `${…${…}…}`.
    #[error("substitutions nest more than {MAX_DEPTH} levels deep")]
    TooDeep,
    /// The result would be longer than 128 KiB.
    #[error("the expanded text is longer than {MAX_BYTES} bytes")]
    TooLong,
}
