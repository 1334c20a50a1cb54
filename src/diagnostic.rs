//! Something about the user's files, as a value: code, severity, places, help. Nothing prints here.
//!
//! Goes in: what a parser or a check noticed. Comes out: a value that every report renders in its
//! own way. Invariant: labels index the file the diagnostic names.

use crate::source::Span;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Probably not what was meant; the builder goes on.
    Warning,
    /// The builder refuses this file.
    Error,
}

impl Severity {
    /// The word in every report.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// A word of the user's for a message; a minified file must not fill the screen.
pub(crate) fn shorten(word: &str) -> String {
    const MOST: usize = 60;
    match word.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}...", &word[..end]),
        None => word.to_owned(),
    }
}

/// A place in the file and what is to be said there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What; may be empty.
    pub text: String,
}

/// One message about one file. `code` is `area/kebab-name`; `parse/…` is what the builder's parser
/// refuses, `build/…` what it refuses afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// `area/kebab-name`, stable.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// One sentence, no full stop at the end.
    pub message: String,
    /// Places; the first is the primary one. Empty when the file as a whole is meant.
    pub labels: Vec<Label>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A diagnostic of the given severity at one place.
    #[must_use]
    pub fn new(
        severity: Severity,
        code: &'static str,
        message: impl Into<String>,
        span: Span,
    ) -> Self {
        Self {
            code,
            severity,
            message: message.into(),
            labels: vec![Label {
                span,
                text: String::new(),
            }],
            help: None,
        }
    }

    /// A diagnostic about the file as a whole.
    #[must_use]
    pub fn whole(severity: Severity, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            labels: Vec::new(),
            ..Self::new(severity, code, message, Span::default())
        }
    }

    /// An error at one place.
    #[must_use]
    pub fn error(code: &'static str, message: impl Into<String>, span: Span) -> Self {
        Self::new(Severity::Error, code, message, span)
    }

    /// A warning at one place.
    #[must_use]
    pub fn warning(code: &'static str, message: impl Into<String>, span: Span) -> Self {
        Self::new(Severity::Warning, code, message, span)
    }

    /// The same diagnostic with a help line.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Where it is, if it is anywhere in particular.
    #[must_use]
    pub fn span(&self) -> Option<Span> {
        self.labels.first().map(|l| l.span)
    }

    /// Whether the builder would refuse the file.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// Sorts by place, then code, so that output does not depend on the order of discovery.
pub fn sort(diagnostics: &mut [Diagnostic]) {
    diagnostics.sort_by(|a, b| (a.span(), a.code, &a.message).cmp(&(b.span(), b.code, &b.message)));
}
