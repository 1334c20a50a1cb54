//! What the formats of other programs have in common: findings, diagnostics and plans as one list.
//!
//! Goes in: the document of `analyze` or `check`. Comes out: one [`Issue`] for each thing to be said, in the order of the document, each with a
//! fingerprint of its own. Linear but for sorting. Invariant: the same thing said of one Dockerfile for several targets is one issue.

use super::escape::{line, markdown_code, markdown_text};
use super::findings::{Checked, EvidenceRow, FindingRow, sentence};
use super::model::{Analysis, DiagnosticRow, PlanRow, Target, TargetReport};
use super::number::count;
use super::place::{Extent, Replacement};
use super::wording;
use crate::rules::baseline::fingerprint_of;
use std::collections::BTreeMap;

/// The rule under which plans are reported.
pub const PLAN_RULE: &str = "better-dockerfile";

/// What is told where PLAN_RULE is explained.
pub const PLAN_SUMMARY: &str =
    "another Dockerfile builds the same image and costs less over the commits of this repository";

/// Most edits of a plan that its message names.
const MOST_EDITS: usize = 8;

/// Most assumptions of a plan that its message names; SARIF has all of them beside it.
const MOST_ASSUMPTIONS: usize = 4;

/// Where this tool is published; empty while it is nowhere.
pub const HOME: &str = env!("CARGO_PKG_REPOSITORY");

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Broken.
    Error,
    /// Costs.
    Warning,
    /// Worth knowing.
    Note,
}

impl Level {
    fn of(severity: &str) -> Self {
        match severity {
            "error" => Self::Error,
            "warning" => Self::Warning,
            _ => Self::Note,
        }
    }

    /// The word of this tool, and of SARIF.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// What to write instead.
#[derive(Clone, Debug)]
pub struct IssueFix {
    /// `proven`, `assumed` or `review`.
    pub safety: &'static str,
    /// Files with their edits; never empty.
    pub files: Vec<(String, Vec<Replacement>)>,
    /// All of it in one, where it is in the file of the issue and close together.
    pub joined: Option<Replacement>,
}

/// One thing to be said about a file.
#[derive(Clone, Debug)]
pub struct Issue {
    /// Name of the rule, or code of the diagnostic.
    pub rule: String,
    /// How bad it is.
    pub level: Level,
    /// The file.
    pub file: String,
    /// Where in it; nothing where it is about the file as a whole.
    pub at: Option<Extent>,
    /// One sentence without a full stop, with what it costs where that is known. As it comes: not escaped.
    pub message: String,
    /// What else is to be said, sentence by sentence.
    pub help: Vec<String>,
    /// What it costs.
    pub evidence: EvidenceRow,
    /// What to write instead.
    pub fix: Option<IssueFix>,
    /// What the fix rests on, where the message does not name all of it.
    pub assumptions: Vec<String>,
    /// Of no other issue of the document; stays the same when lines move and files change places.
    pub fingerprint: String,
}

impl Issue {
    /// What is to be said, piece by piece, as it comes.
    pub fn pieces(&self) -> impl Iterator<Item = String> {
        let help = self.help.iter().map(|h| capital(h));
        std::iter::once(capital(&self.message)).chain(help)
    }

    /// On one line, for whoever reads plain text.
    #[must_use]
    pub fn text(&self) -> String {
        let pieces: Vec<String> = self.pieces().map(|p| line(&p)).collect();
        pieces.join(". ")
    }

    /// For whoever reads Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        let pieces: Vec<String> = self.pieces().map(|p| markdown(&p)).collect();
        pieces.join("\n\n")
    }

    /// The place, or the first line for the file as a whole.
    #[must_use]
    pub fn lines(&self) -> (u32, u32) {
        self.at.map_or((1, 1), |at| (at.start.line, at.end.line))
    }
}

/// A sentence of ours with words of strangers in backticks, as Markdown: the words become code, whatever they hold, and all else is text.
#[must_use]
pub fn markdown(sentence: &str) -> String {
    let parts: Vec<&str> = sentence.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return markdown_text(sentence);
    }
    let mut out = String::new();
    for (i, part) in parts.iter().enumerate() {
        match i % 2 {
            0 => {
                // Spaces at the ends are between words here.
                let text = markdown_text(part);
                let space = |c: Option<char>| c.is_some_and(|c| c.is_ascii_whitespace());
                if space(part.chars().next()) && i > 0 {
                    out.push(' ');
                }
                out.push_str(&text);
                if space(part.chars().last()) && !text.is_empty() && i + 1 < parts.len() {
                    out.push(' ');
                }
            }
            _ => out.push_str(&markdown_code(part)),
        }
    }
    out
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(c) if c.is_ascii_lowercase() && !text.starts_with(not_a_sentence) => {
            c.to_ascii_uppercase().to_string() + chars.as_str()
        }
        _ => text.to_owned(),
    }
}

/// Nothing that starts so is a word of ours.
fn not_a_sentence(c: char) -> bool {
    matches!(c, '`' | '-' | '/')
}

/// Of `analyze`.
#[must_use]
pub fn of_analysis(analysis: &Analysis) -> Vec<Issue> {
    let mut out = Vec::new();
    for target in &analysis.targets {
        match target {
            Target::Failed(t) => {
                out.extend(t.diagnostics.iter().map(|d| of_diagnostic(d, &t.file)));
            }
            Target::Done(t) => {
                out.extend(t.diagnostics.iter().map(|d| of_diagnostic(d, &t.file)));
                let source = costs(t);
                out.extend(t.findings.iter().map(|f| {
                    let mut issue = of_finding(f);
                    // Read alone, a figure has to say where it comes from.
                    let figures = f.evidence.seconds.is_some_and(|s| s > 0.0);
                    issue.help.extend(source.clone().filter(|_| figures));
                    issue
                }));
                out.extend(wording::best(&t.plans).and_then(|p| of_plan(t, p)));
            }
        }
    }
    numbered(out)
}

/// Of `check`.
#[must_use]
pub fn of_check(checked: &Checked) -> Vec<Issue> {
    let mut out = Vec::new();
    for file in &checked.files {
        out.extend(
            file.diagnostics
                .iter()
                .map(|d| of_diagnostic(d, &file.file)),
        );
        out.extend(file.findings.iter().map(of_finding));
    }
    numbered(out)
}

/// What the seconds of a document rest on; empty where it has none.
#[must_use]
pub fn cost_source(analysis: &Analysis) -> String {
    let steps = analysis.targets.iter().filter_map(|t| match t {
        Target::Done(t) => Some(t.steps.as_slice()),
        Target::Failed(_) => None,
    });
    match steps.collect::<Vec<_>>().as_slice() {
        [one] => wording::cost_source(one),
        _ => String::new(),
    }
}

/// What the seconds of a target rest on, without a full stop.
fn costs(target: &TargetReport) -> Option<String> {
    let source = wording::cost_source(&target.steps);
    let source = source.trim_end_matches('.');
    (!source.is_empty()).then(|| source.to_owned())
}

fn of_diagnostic(d: &DiagnosticRow, own: &str) -> Issue {
    Issue {
        rule: d.code.clone(),
        level: Level::of(d.severity),
        file: d.file.clone().unwrap_or_else(|| own.to_owned()),
        at: d.spot.at,
        message: d.message.clone(),
        help: d.help.iter().cloned().collect(),
        evidence: EvidenceRow::default(),
        fix: None,
        assumptions: Vec::new(),
        fingerprint: d.spot.fingerprint.clone(),
    }
}

fn of_finding(row: &FindingRow) -> Issue {
    let mut help: Vec<String> = row.help.iter().cloned().collect();
    if row.at.is_none() && row.line > 1 {
        help.push(format!(
            "it is line {} of the Dockerfile that stands in this file",
            row.line
        ));
    }
    let fix = row.fix.as_ref().and_then(|f| {
        let mut files: Vec<(String, Vec<Replacement>)> = Vec::new();
        for edit in &f.edits {
            let one = Replacement {
                at: edit.at?,
                text: edit.text.clone(),
            };
            match files.iter_mut().find(|(file, _)| *file == edit.file) {
                Some((_, list)) => list.push(one),
                None => files.push((edit.file.clone(), vec![one])),
            }
        }
        (!files.is_empty()).then(|| IssueFix {
            safety: f.safety,
            files,
            joined: f.joined.clone(),
        })
    });
    Issue {
        rule: row.rule.to_owned(),
        level: Level::of(row.severity),
        file: row.file.clone(),
        at: row.at,
        message: sentence(row),
        help,
        evidence: row.evidence,
        fix,
        assumptions: Vec::new(),
        fingerprint: row.fingerprint.clone(),
    }
}

fn of_plan(target: &TargetReport, plan: &PlanRow) -> Option<Issue> {
    if plan.edits.is_empty() {
        return None;
    }
    let measure = wording::measure(&target.baseline, plan);
    let whom = match &target.target {
        Some(stage) => format!(" (target {stage})"),
        None => String::new(),
    };
    let mut help: Vec<String> = Vec::new();
    for edit in plan.edits.iter().take(MOST_EDITS) {
        help.push(format!("line {}: {}", edit.line, edit.why));
    }
    if plan.edits.len() > MOST_EDITS {
        help.push(format!(
            "and {} more",
            count(plan.edits.len() - MOST_EDITS, "edit")
        ));
    }
    help.push(wording::safety(plan.safety).to_owned());
    let named = plan.assumptions.len().min(MOST_ASSUMPTIONS);
    if named > 0 {
        let more = match plan.assumptions.len() - named {
            0 => String::new(),
            n => format!("; and {n} more, which `cacheplan analyze` names"),
        };
        let list = plan.assumptions[..named].join("; ");
        help.push(format!("assumptions: {list}{more}"));
    }
    help.extend(costs(target));
    let builds = target.history.builds;
    let saved = (measure.before - measure.after).max(0.0) * builds as f64;
    let changes = &plan.changes;
    let fix = (!changes.files.is_empty()).then(|| IssueFix {
        safety: plan.safety,
        files: changes
            .files
            .iter()
            .map(|f| (f.file.clone(), f.edits.clone()))
            .collect(),
        joined: changes.joined.clone(),
    });
    let name = match &target.target {
        Some(stage) => format!("{PLAN_RULE}:{stage}"),
        None => PLAN_RULE.to_owned(),
    };
    Some(Issue {
        rule: PLAN_RULE.to_owned(),
        level: Level::Note,
        file: target.file.clone(),
        at: changes.at,
        message: format!(
            "a Dockerfile that builds the same image{whom} costs less over {}: {}",
            count(builds, "build"),
            wording::saves(&target.baseline, plan)
        ),
        help,
        evidence: EvidenceRow {
            builds: Some(builds),
            seconds: Some(saved),
            bytes: None,
        },
        fix,
        assumptions: plan.assumptions.clone(),
        // Not of any line: the plan is another one after every change, and still the same advice.
        fingerprint: fingerprint_of(&name, &target.file, None),
    })
}

/// Leaves out what was said before, and makes fingerprints differ.
fn numbered(list: Vec<Issue>) -> Vec<Issue> {
    type Key = (String, String, Option<Extent>, String);
    let mut seen: BTreeMap<Key, usize> = BTreeMap::new();
    let mut out: Vec<Issue> = Vec::with_capacity(list.len());
    for issue in list {
        let key = (
            issue.file.clone(),
            issue.rule.clone(),
            issue.at,
            issue.fingerprint.clone(),
        );
        match seen.get(&key) {
            Some(at) if same(&out[*at], &issue) => {
                // Each target has its own figures.
                let dearer = |i: &Issue| i.evidence.seconds.unwrap_or(0.0);
                if dearer(&issue) > dearer(&out[*at]) {
                    out[*at] = issue;
                }
            }
            _ => {
                seen.insert(key, out.len());
                out.push(issue);
            }
        }
    }
    let mut often: BTreeMap<String, usize> = BTreeMap::new();
    for issue in &mut out {
        let n = often.entry(issue.fingerprint.clone()).or_default();
        *n += 1;
        if *n > 1 {
            issue.fingerprint.push_str(&format!(":{n}"));
        }
    }
    out
}

/// Whether two issues of one place say the same, but for figures.
fn same(a: &Issue, b: &Issue) -> bool {
    let words = |i: &Issue| i.message.split(" (").next().map(str::to_owned);
    words(a) == words(b) && a.level == b.level
}

/// The most important first: by level, then by seconds, then by bytes; as they come among equals.
#[must_use]
pub fn dearest_first(issues: &[Issue]) -> Vec<&Issue> {
    dearest_order(issues)
        .into_iter()
        .map(|i| &issues[i])
        .collect()
}

/// As [`dearest_first`], as indices.
#[must_use]
pub fn dearest_order(issues: &[Issue]) -> Vec<usize> {
    let mut list: Vec<usize> = (0..issues.len()).collect();
    list.sort_by(|a, b| {
        let (a, b) = (&issues[*a], &issues[*b]);
        a.level.cmp(&b.level).then(a.evidence.dearer(&b.evidence))
    });
    list
}

/// The page of a rule on the web, where this tool is published.
#[must_use]
pub fn page_of(rule: &str) -> Option<String> {
    let known = !HOME.is_empty() && crate::rules::rule(rule).is_some();
    known.then(|| format!("{HOME}/blob/main/docs/rules/{rule}.md"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_in_backticks_are_code_and_act_on_nothing() {
        assert_eq!(
            markdown("`npm ci` runs *again* for `a b`, says @x"),
            "`npm ci` runs \\*again\\* for `a b`, says @&#8203;x"
        );
        assert_eq!(markdown("a `b` c` @x"), "a \\`b\\` c\\` @&#8203;x");
        assert_eq!(markdown("x `a|@y` z"), "x <code>a&#124;@&#8203;y</code> z");
        assert_eq!(markdown("a ``b`"), "a \\`\\`b\\`");
        assert_eq!(markdown("a `` b"), "a  b");
    }
}
