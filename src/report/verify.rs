//! What a real builder says of the prediction.
//!
//! Goes in: the document. Comes out: JSON by its fields, or the verdict and one line a difference.
//! Invariant: everything from the repository or the builder passes through [`super::escape`].

use super::escape::{line, shortened, without_commands};
use super::number::count;
use super::verify_plan::{self, PlanVerified};
use super::wording::short_commit;
use serde::Serialize;
use std::fmt::Write as _;

/// `cacheplan.verify/1`.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Verified {
    /// The schema's name.
    pub schema: &'static str,
    /// Prediction against builds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prediction: Option<PredictionRow>,
    /// The plan's image against the one of the Dockerfile as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanVerified>,
}

/// Prediction against builds.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct PredictionRow {
    /// The builder and its version.
    pub builder: String,
    /// The commit whose build filled the cache and was not compared.
    pub filled_by: Option<String>,
    /// Builds compared step by step.
    pub builds: usize,
    /// Builds that prediction and builder refuse.
    pub refused: usize,
    /// Commits without the Dockerfile.
    pub skipped: usize,
    /// Steps compared.
    pub steps: usize,
    /// Steps with a definite prediction that is right.
    pub agree: usize,
    /// Steps that only running could tell.
    pub maybe: usize,
    /// Differences.
    pub wrong: Vec<DifferenceRow>,
    /// Steps that were to run and were cached, where results of other builds can be the reason.
    pub older_records: Vec<DifferenceRow>,
    /// Builds that came to no end to compare.
    pub failed: Vec<DifferenceRow>,
}

/// One difference.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct DifferenceRow {
    /// The commit that was built.
    pub commit: String,
    /// The step's id; none where the whole build or an unknown step is meant.
    pub step: Option<String>,
    /// The builder's name of the step.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// What was predicted.
    pub predicted: String,
    /// What the builder did.
    pub seen: String,
}

/// For a terminal.
#[must_use]
pub fn text(v: &Verified, width: usize) -> String {
    let prediction = v.prediction.as_ref().map(|p| prediction(p, width));
    let plan = v.plan.as_ref().map(|p| verify_plan::text(p, width));
    let parts: Vec<String> = prediction.into_iter().chain(plan).collect();
    without_commands(&parts.join("\n")).into_owned()
}

fn prediction(p: &PredictionRow, width: usize) -> String {
    let mut out = String::new();
    let builds = count(p.builds, "build");
    let steps = count(p.steps, "step");
    let head = match p.wrong.len() {
        0 if p.steps == 0 => format!("Nothing was compared: {builds}, no steps."),
        0 => format!("The prediction holds: {steps} of {builds} compared, no difference."),
        n => format!("{} in {steps} of {builds}.", count(n, "difference")),
    };
    let _ = writeln!(out, "{head}");
    let _ = writeln!(
        out,
        "{} agree, {} maybe{}; {} refused by both; {}",
        p.agree,
        p.maybe,
        match p.older_records.len() {
            0 => String::new(),
            n => format!(", {n} cached by older results"),
        },
        count(p.refused, "build"),
        line(&p.builder)
    );
    if let Some(commit) = &p.filled_by {
        let _ = writeln!(
            out,
            "The build of {} ran every step to fill the cache, and is not compared.",
            short_commit(commit)
        );
    }
    // Those that mean nothing bad are many where a cache is old; JSON has them all.
    const MOST_OLDER: usize = 5;
    let lists = [
        ("Different:", &p.wrong, usize::MAX),
        (
            "Cached though predicted to run, which results of earlier builds in this cache explain:",
            &p.older_records,
            MOST_OLDER,
        ),
        (
            "Not compared, the build came to no end:",
            &p.failed,
            usize::MAX,
        ),
    ];
    for (title, rows, most) in lists.iter().filter(|(_, rows, _)| !rows.is_empty()) {
        let _ = writeln!(out, "\n{title}");
        for row in rows.iter().take(*most) {
            let step = row.step.as_deref().unwrap_or("-");
            let what = format!(
                "{}  {step:<6} predicted {}, was {}",
                short_commit(&row.commit),
                row.predicted,
                row.seen
            );
            let _ = writeln!(out, "  {}", shortened(&what, width.max(60) * 2));
            if !row.name.is_empty() {
                let _ = writeln!(
                    out,
                    "                     {}",
                    shortened(&row.name, width.saturating_sub(21).max(40))
                );
            }
        }
        if let Some(left) = rows.len().checked_sub(*most).filter(|left| *left > 0) {
            let _ = writeln!(out, "  … and {left} more");
        }
    }
    out
}
