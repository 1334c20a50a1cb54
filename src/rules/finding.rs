//! What a rule has found: where, what it costs, and what to write instead.

use super::Rule;
use crate::diagnostic::Severity;
use crate::rewrite::Safety;
use crate::source::Span;
use serde::Serialize;

/// What a finding costs. Builds and seconds come from a replay and are sums over its builds; bytes are an estimate unless the rule's page
/// says otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Evidence {
    /// Builds of the history that it makes dearer.
    pub builds: Option<usize>,
    /// Seconds in all of those.
    pub seconds: Option<f64>,
    /// Bytes in the image or in the context.
    pub bytes: Option<u64>,
}

/// Which figures of a replay tell what a finding costs. Instructions are indices into the Dockerfile's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Ask {
    /// None.
    #[default]
    Nothing,
    /// Every run of this instruction's step.
    Runs(usize),
    /// Runs of the steps of `pays` for no other reason than that the step of `by` ran.
    Behind {
        /// Who makes them run.
        by: usize,
        /// Who runs.
        pays: Vec<usize>,
        /// What those look at, relative to the context, folders with a slash at the end: builds in which any of it changed do not count.
        reads: Vec<String>,
    },
    /// What it adds that this build argument differs in every build.
    Varies(String),
    /// Runs of this step, and of what stands behind it, for which the checkout's `.git` was the only reason.
    Git(usize),
}

/// Bytes of a file that become others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEdit {
    /// Relative to PATH; `None` is the file that the finding is in.
    pub file: Option<String>,
    /// What is replaced; an empty span inserts. In a file that is not there yet, `0..0`.
    pub span: Span,
    /// What stands there afterwards.
    pub text: String,
}

impl FileEdit {
    /// In the file of the finding.
    #[must_use]
    pub fn here(span: Span, text: impl Into<String>) -> Self {
        Self {
            file: None,
            span,
            text: text.into(),
        }
    }

    /// Puts a text in before a byte of the file of the finding.
    #[must_use]
    pub fn insert(at: u32, text: impl Into<String>) -> Self {
        Self::here(Span { start: at, end: at }, text)
    }

    /// Adds a line to another file, at its end; makes the file where there is none.
    #[must_use]
    pub fn elsewhere(file: impl Into<String>, span: Span, text: impl Into<String>) -> Self {
        Self {
            file: Some(file.into()),
            span,
            text: text.into(),
        }
    }
}

/// Edits that do away with a finding; all of them or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// `Proven`: the image stays the same but for what the finding is about (a label, a layer's dead bytes).
    pub safety: Safety,
    /// In any order; they do not overlap.
    pub edits: Vec<FileEdit>,
}

/// One finding.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Who found it.
    pub rule: &'static Rule,
    /// How bad it is: the rule's own word, or what was measured.
    pub severity: Severity,
    /// The file, relative to PATH; `None` is the Dockerfile that was looked at.
    pub file: Option<String>,
    /// Where in it; an empty span at 0 is the file as a whole.
    pub span: Span,
    /// What is wrong, one sentence without a full stop.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// What it costs.
    pub evidence: Evidence,
    /// What to write instead.
    pub fix: Option<Fix>,
    /// Which of the replay's figures tell what it costs.
    pub ask: Ask,
}

impl Finding {
    /// With what to do about it.
    pub fn help(&mut self, text: impl Into<String>) -> &mut Self {
        self.help = Some(text.into());
        self
    }

    /// In a file beside the Dockerfile.
    pub fn in_file(&mut self, file: impl Into<String>) -> &mut Self {
        self.file = Some(file.into());
        self
    }

    /// With a size.
    pub fn bytes(&mut self, bytes: u64) -> &mut Self {
        self.evidence.bytes = Some(bytes);
        self
    }

    /// With another severity than the rule's.
    pub fn severity(&mut self, severity: Severity) -> &mut Self {
        self.severity = severity;
        self
    }

    /// It costs every run of this instruction's step.
    pub fn pays(&mut self, instruction: usize) -> &mut Self {
        self.ask = Ask::Runs(instruction);
        self
    }

    /// It costs what a replay tells.
    pub fn ask(&mut self, ask: Ask) -> &mut Self {
        self.ask = ask;
        self
    }

    /// With a fix.
    pub fn fix(&mut self, safety: Safety, edits: Vec<FileEdit>) -> &mut Self {
        self.fix = Some(Fix { safety, edits });
        self
    }
}

/// Where a rule leaves what it finds.
pub struct Findings<'a> {
    rule: &'static Rule,
    list: &'a mut Vec<Finding>,
}

impl<'a> Findings<'a> {
    /// For one rule.
    #[must_use]
    pub fn new(rule: &'static Rule, list: &'a mut Vec<Finding>) -> Self {
        Self { rule, list }
    }

    /// Notes one finding at a place.
    ///
    /// # Panics
    /// Never: the finding was just put there.
    pub fn at(&mut self, span: Span, message: impl Into<String>) -> &mut Finding {
        self.list.push(Finding {
            rule: self.rule,
            severity: self.rule.severity,
            file: None,
            span,
            message: message.into(),
            help: None,
            evidence: Evidence::default(),
            fix: None,
            ask: Ask::Nothing,
        });
        self.list.last_mut().expect("just put there")
    }

    /// Notes one finding about the file as a whole.
    pub fn whole(&mut self, message: impl Into<String>) -> &mut Finding {
        self.at(Span::default(), message)
    }
}

/// Sorts by file, place and rule.
pub(super) fn sort(list: &mut [Finding]) {
    list.sort_by(|a, b| {
        let key = |f: &Finding| (f.file.clone(), f.span, f.rule.name);
        key(a).cmp(&key(b)).then_with(|| a.message.cmp(&b.message))
    });
}
