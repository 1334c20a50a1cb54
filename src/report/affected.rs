//! Which targets' images change between two builds.
//!
//! Goes in: the document. Comes out: JSON by its fields, or one line a target. Invariant: everything
//! from the repository passes through [`super::escape`].

use super::escape::{line, without_commands};
use super::model::DiagnosticRow;
use super::number::{count, seconds};
use serde::{Serialize, Serializer};
use std::fmt::Write as _;

/// `cacheplan.affected/1`.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Affected {
    /// The schema's name.
    pub schema: &'static str,
    /// The build before: a commit.
    pub from: String,
    /// The build after: a commit, or `worktree`.
    pub to: String,
    /// Every target, in the order of discovery.
    pub targets: Vec<TargetRow>,
}

/// Whether an image changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// Only running a step can tell.
    Maybe,
}

impl Serialize for Verdict {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Yes => s.serialize_bool(true),
            Self::No => s.serialize_bool(false),
            Self::Maybe => s.serialize_str("maybe"),
        }
    }
}

/// One target.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum TargetRow {
    /// One that could be looked at.
    Done(DoneTarget),
    /// One that could not.
    Failed(BrokenTarget),
}

/// A target that the builder refuses, or that cannot be analysed.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct BrokenTarget {
    /// The Dockerfile.
    pub file: String,
    /// What is wrong.
    pub diagnostics: Vec<DiagnosticRow>,
}

/// A target that could be looked at.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct DoneTarget {
    /// The Dockerfile.
    pub file: String,
    /// The stage that is built, if one is named.
    pub target: Option<String>,
    /// Who asks for it: `discovered`, `-f`, a compose service, a bake target.
    pub origin: String,
    /// Whether its image changes.
    #[schemars(with = "serde_json::Value", extend("enum" = [true, false, "maybe"]))]
    pub affected: Verdict,
    /// Why, in one line; none where it is not affected.
    pub reason: Option<String>,
    /// Steps that run again, or may.
    pub steps: Vec<AffectedStep>,
    /// Their seconds; `maybe` counts as running.
    pub work_s: f64,
}

/// A step that runs again, or may.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct AffectedStep {
    /// `stage.instruction`.
    pub id: String,
    /// The builder's name of it.
    pub name: String,
    /// `executed` or `maybe`.
    pub verdict: &'static str,
    /// The cause's kind, as in `replay`.
    pub kind: &'static str,
}

/// For a terminal: the sum first, then one line a target.
#[must_use]
pub fn text(a: &Affected, between: &str) -> String {
    let done = || {
        a.targets.iter().filter_map(|t| match t {
            TargetRow::Done(d) => Some(d),
            TargetRow::Failed(_) => None,
        })
    };
    let of = |v: Verdict| done().filter(|d| d.affected == v).count();
    let mut out = String::new();
    let mut head = format!(
        "{} of {} affected",
        of(Verdict::Yes),
        count(a.targets.len(), "target")
    );
    if of(Verdict::Maybe) > 0 {
        let _ = write!(head, ", {} maybe", of(Verdict::Maybe));
    }
    let broken = a.targets.len() - done().count();
    if broken > 0 {
        let _ = write!(head, ", {broken} not to be analysed");
    }
    let _ = writeln!(out, "{head}, {}.", line(between));
    let name = |d: &DoneTarget| {
        // `docker-bake.hcl: target app` and `compose.yaml: service web` tell builds of one file apart.
        let asked = d.origin.split_once(": ").map(|(_, who)| who);
        let said: Vec<&str> = [asked, d.target.as_deref()].into_iter().flatten().collect();
        match said.is_empty() {
            true => line(&d.file),
            false => line(&format!("{} ({})", d.file, said.join(", stage "))),
        }
    };
    let width = done()
        .map(|d| name(d).chars().count())
        .max()
        .unwrap_or(0)
        .min(60);
    for row in &a.targets {
        let text = match row {
            TargetRow::Failed(f) => {
                let why = f.diagnostics.iter().find(|d| d.severity == "error");
                let why = why.map_or(String::new(), |d| line(&d.message));
                format!("error  {:width$}  {why}", line(&f.file))
            }
            TargetRow::Done(d) => {
                let mark = match d.affected {
                    Verdict::Yes => "yes",
                    Verdict::No => "no",
                    Verdict::Maybe => "maybe",
                };
                let mut text = format!("{mark:<5}  {:width$}", name(d));
                if let Some(reason) = &d.reason {
                    let _ = write!(text, "  {}", line(reason));
                }
                if !d.steps.is_empty() {
                    let n = count(d.steps.len(), "step");
                    let _ = write!(text, " ({n}, {})", seconds(d.work_s));
                }
                text
            }
        };
        let _ = writeln!(out, "{}", text.trim_end());
    }
    without_commands(&out).into_owned()
}
