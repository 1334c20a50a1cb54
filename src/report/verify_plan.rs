//! What two images say of a plan.
//!
//! Goes in: the document's part. Comes out: a verdict in the first line, what the plan does, differences by
//! what differs, and noise by kind. Nothing is cut in JSON; here long lists are, with what is left out counted.
//! Invariant: everything from the repository, the images or the builder passes through [`super::escape`].

use super::diff;
use super::escape::{line, shortened, terminal};
use super::model::EditRow;
use super::number::{count, grouped, percent};
use super::wording::short_commit;
use crate::verify::{Comparison, Field, ImageDifference, NOT_REPRODUCIBLE, shown};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Rows of one kind in text.
const MAX_ROWS: usize = 10;
/// Examples of one kind of noise in text.
const MAX_EXAMPLES: usize = 3;
/// Lines of a file's diff in text.
const MAX_DIFF: usize = 10;
/// Digits of a digest in text.
const DIGITS: usize = 12;

/// The plan's image against the one of the Dockerfile as it is.
#[derive(Clone, Debug, Default, Serialize, schemars::JsonSchema)]
pub struct PlanVerified {
    /// No difference that the plan has to answer for.
    pub equal: bool,
    /// No plan is better than the file, so nothing was built.
    pub nothing_to_verify: bool,
    /// The Dockerfile.
    pub file: String,
    /// The commit whose files were the context, or `worktree`.
    pub context_of: String,
    /// The builder and its version, where one was needed.
    pub builder: Option<String>,
    /// What the plan promises: `proven`, `assumed` or `review`.
    pub safety: &'static str,
    /// `1 - plan / baseline` by the objective.
    pub saving: f64,
    /// What the plan does.
    pub edits: Vec<EditRow>,
    /// What it rests on.
    pub assumptions: Vec<String>,
    /// How many builds were made.
    pub builds: usize,
    /// Paths that at least one of the two images has.
    pub paths: usize,
    /// What the builder said of the plan, where the original builds and the plan does not.
    pub refused: Option<String>,
    /// What it said when the original did not build once more, so that there is no evidence of noise.
    pub not_again: Option<String>,
    /// Differences that say nothing about the plan.
    pub noise: Vec<NoiseRow>,
    /// Differences that do.
    pub differences: Vec<ImageRow>,
}

/// One difference of two images.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct ImageRow {
    /// The path, from `/` on; none for the configuration and for a whole build.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What differs: `content`, `mode`, `owner` and so on.
    pub what: &'static str,
    /// The field of the configuration, or the extended attribute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// In the image of the Dockerfile as it is.
    pub original: String,
    /// In the plan's.
    pub plan: String,
    /// Unified diff of small texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
}

/// One difference that says nothing about the plan.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct NoiseRow {
    /// What differs.
    #[serde(flatten)]
    pub row: ImageRow,
    /// One of a few phrases.
    pub kind: &'static str,
    /// Why it counts as noise.
    pub why: &'static str,
}

impl PlanVerified {
    /// Takes over what was compared.
    pub fn compared(&mut self, comparison: &Comparison) {
        self.paths = comparison.paths;
        self.differences = comparison.differences.iter().map(row).collect();
        let noise = comparison.noise.iter().map(|n| NoiseRow {
            row: row(&n.difference),
            kind: n.kind,
            why: n.why,
        });
        self.noise = noise.collect();
        self.equal = self.differences.is_empty();
    }

    /// The plan does not build.
    pub fn refused(&mut self, message: String) {
        self.differences = vec![ImageRow {
            path: None,
            what: "build",
            name: None,
            original: "built".to_owned(),
            plan: format!("refused: {message}"),
            diff: None,
        }];
        self.refused = Some(message);
        self.equal = false;
    }
}

fn row(d: &ImageDifference) -> ImageRow {
    let of_config = matches!(d.field, Field::Config(_) | Field::ConfigOrder(_));
    let path = (!of_config).then(|| shown(&d.path));
    let name = match &d.field {
        Field::Config(name) | Field::ConfigOrder(name) | Field::Attribute(name) => {
            Some(name.clone())
        }
        _ => None,
    };
    let texts = d.texts.as_deref();
    let diff = texts.map(|(old, new)| {
        let path = shown(&d.path);
        diff::unified(old.as_bytes(), new.as_bytes(), path.trim_start_matches('/'))
    });
    ImageRow {
        path,
        what: d.field.name(),
        name,
        original: d.original.clone(),
        plan: d.plan.clone(),
        diff,
    }
}

/// For a terminal.
#[must_use]
pub fn text(p: &PlanVerified, width: usize) -> String {
    let mut out = verdict(p) + "\n";
    if p.nothing_to_verify {
        return out;
    }
    let context = match p.context_of.as_str() {
        "worktree" => "the files of the work tree".to_owned(),
        commit => format!("the files of {}", short_commit(commit)),
    };
    let again = match p.builds {
        3 => ", and the original once more without a cache",
        _ => "",
    };
    let _ = writeln!(
        out,
        "{} on {context} with {}: the original, the plan{again}.",
        count(p.builds, "build"),
        line(p.builder.as_deref().unwrap_or("no builder"))
    );
    if let Some(why) = &p.not_again {
        let _ = writeln!(
            out,
            "The last one failed, so nothing tells what two builds of the original differ in: {}",
            line(why)
        );
    }
    let _ = writeln!(
        out,
        "\n{}, {} of the modelled rebuild seconds saved ({}):",
        line(&p.file),
        percent(p.saving),
        p.safety
    );
    for edit in &p.edits {
        let lines = match edit.line == edit.end_line {
            true => format!("line {}", edit.line),
            false => format!("lines {} to {}", edit.line, edit.end_line),
        };
        let what = format!("{lines}, {} ({}): {}", edit.rewrite, edit.safety, edit.why);
        let _ = writeln!(out, "  {}", line(&what));
    }
    for assumption in &p.assumptions {
        let _ = writeln!(out, "  if {}", line(assumption));
    }
    if p.refused.is_none() {
        differences(p, width, &mut out);
        noise(p, width, &mut out);
    }
    out
}

fn verdict(p: &PlanVerified) -> String {
    if p.nothing_to_verify {
        let file = line(&p.file);
        return format!("There is nothing to verify: no plan is better than {file} as it is.");
    }
    if let Some(why) = &p.refused {
        return format!("The plan does not build, the original does: {}", line(why));
    }
    let paths = |n: usize| match n {
        1 => "1 path".to_owned(),
        n => format!("{} paths", grouped(n)),
    };
    if !p.equal {
        let n = p.differences.len();
        let differences = format!("{} difference{}", grouped(n), if n == 1 { "" } else { "s" });
        let all = paths(p.paths);
        return format!(
            "The plan builds another image: {differences} in {all} and the configuration."
        );
    }
    let noisy: BTreeSet<&String> = p.noise.iter().filter_map(|n| n.row.path.as_ref()).collect();
    let same = paths(p.paths - noisy.len());
    let configuration = match p.noise.iter().any(|n| n.row.path.is_none()) {
        true => "the configuration but for its order are equal",
        false => "the configuration are equal",
    };
    let s = if noisy.len() == 1 { "s" } else { "" };
    let more = match noisy.len() {
        0 => String::new(),
        n if p.noise.iter().all(|n| n.kind == NOT_REPRODUCIBLE) => {
            format!(
                ", {} differ{s} as two builds of the original do",
                grouped(n)
            )
        }
        n => format!(
            ", {} differ{s} in what says nothing about the plan",
            grouped(n)
        ),
    };
    format!("The plan builds the same image: {same} and {configuration}{more}.")
}

fn more(n: usize, shown: usize) -> Option<String> {
    let left = n.checked_sub(shown).filter(|left| *left > 0)?;
    Some(format!("… and {} more", grouped(left)))
}

fn name(row: &ImageRow) -> String {
    match (&row.path, &row.name) {
        (Some(path), Some(name)) => line(&format!("{path}, {name}")),
        (Some(one), None) | (None, Some(one)) => line(one),
        (None, None) => row.what.to_owned(),
    }
}

fn differences(p: &PlanVerified, width: usize, out: &mut String) {
    // In the order in which each kind comes first.
    let mut kinds: Vec<&'static str> = Vec::new();
    for row in &p.differences {
        if !kinds.contains(&row.what) {
            kinds.push(row.what);
        }
    }
    for kind in kinds {
        let rows: Vec<&ImageRow> = p.differences.iter().filter(|r| r.what == kind).collect();
        let _ = writeln!(out, "\nDifferent in {kind}: {}", grouped(rows.len()));
        for row in rows.iter().take(MAX_ROWS) {
            let _ = writeln!(out, "  {}", name(row));
            for (side, value) in [("original", &row.original), ("plan", &row.plan)] {
                let value = shortened(&short_digests(value), width.saturating_sub(14).max(40));
                let _ = writeln!(out, "    {side:<8}  {value}");
            }
            if let Some(diff) = &row.diff {
                // The names at its head are those of the row.
                let lines: Vec<&str> = diff.split('\n').skip(2).collect();
                let lines = lines.strip_suffix(&[""]).unwrap_or(&lines);
                for one in lines.iter().take(MAX_DIFF) {
                    let _ = writeln!(out, "    {}", cut(&terminal(one), width - 4));
                }
                if let Some(more) = more(lines.len(), MAX_DIFF) {
                    let _ = writeln!(out, "    {more}");
                }
            }
        }
        if let Some(more) = more(rows.len(), MAX_ROWS) {
            let _ = writeln!(out, "  {more}");
        }
    }
}

fn noise(p: &PlanVerified, width: usize, out: &mut String) {
    let mut kinds: BTreeMap<&'static str, Vec<&NoiseRow>> = BTreeMap::new();
    for one in &p.noise {
        kinds.entry(one.kind).or_default().push(one);
    }
    if !kinds.is_empty() {
        out.push_str("\nNoise, which says nothing about the plan:\n");
    }
    for (kind, rows) in kinds {
        let _ = writeln!(out, "  {} × {kind}", grouped(rows.len()));
        for one in rows.iter().take(MAX_EXAMPLES) {
            let text = format!("{}, {}: {}", name(&one.row), one.row.what, one.why);
            let _ = writeln!(
                out,
                "    {}",
                shortened(&text, width.saturating_sub(4).max(40))
            );
        }
        if let Some(more) = more(rows.len(), MAX_EXAMPLES) {
            let _ = writeln!(out, "    {more}");
        }
    }
}

/// A line of a text cut to a width, its blanks kept.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut out: String = text.chars().take(width.saturating_sub(1)).collect();
    out.push('…');
    out
}

/// Digests are whole in JSON; for telling two apart a few digits do.
fn short_digests(value: &str) -> String {
    const MARK: &str = "blake3 ";
    match value.split_once(MARK) {
        Some((before, hex)) if hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()) => {
            format!("{before}{MARK}{}…", &hex[..DIGITS])
        }
        _ => value.to_owned(),
    }
}
