//! Why steps run again, for people and programs: the shape of `explain` and `what-if`.
//!
//! Goes in: the document. Comes out: JSON by its fields, text of about one screen, or Markdown. Linear
//! in the document. Invariant: everything from the repository passes through [`super::escape`].

use super::escape::{line, markdown_code, markdown_text, shortened, without_commands};
use super::number::{count, seconds};
use super::wording::short_commit;
use anstyle::{AnsiColor, Effects};
use serde::Serialize;
use std::fmt::Write as _;

/// Files shown under a step in text and Markdown.
const MOST_PATHS: usize = 6;

/// `cacheplan.explain/1`.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Explanation {
    /// The schema's name.
    pub schema: &'static str,
    /// The Dockerfile.
    pub file: String,
    /// The stage that is built, if one is named.
    pub target: Option<String>,
    /// The build the cache holds: a commit, or `worktree`.
    pub from: String,
    /// The build that is explained; what a hypothetical one changes.
    pub to: String,
    /// Why the cache holds nothing of this build.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cold: Option<String>,
    /// The builder refuses the build.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fails: Option<Fails>,
    /// Every step of the target, in build order.
    pub steps: Vec<StepWhy>,
    /// Seconds of the steps that run again; `maybe` counts as running.
    pub work_s: f64,
    /// The same, `maybe` as cached.
    pub work_s_min: f64,
    /// Changes of a hypothetical build that no step's key sees.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub without_effect: Vec<String>,
    /// What a real build's log says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<LogSummary>,
}

/// A refused build.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Fails {
    /// Where; none where the file itself is refused.
    pub step: Option<String>,
    /// Like the builder's own message.
    pub message: String,
}

/// One step.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct StepWhy {
    /// `stage.instruction`.
    pub id: String,
    /// The builder's name of it.
    pub name: String,
    /// First line of the instruction.
    pub line: u32,
    /// `executed`, `cached` or `maybe`.
    pub verdict: &'static str,
    /// Why, unless it is cached.
    pub cause: Option<CauseRow>,
    /// The step it follows from.
    pub because_of: Option<String>,
    /// Seconds when it runs.
    pub cost_s: f64,
    /// `prior`, `learned` or `measured`.
    pub cost_source: &'static str,
    /// What the log says of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<LogRow>,
}

/// A cause.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct CauseRow {
    /// As in `replay`.
    pub kind: &'static str,
    /// One line.
    pub detail: String,
    /// Files behind it.
    pub paths: Vec<PathRow>,
    /// Files that are not listed.
    pub more: usize,
}

/// A file behind a cause.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct PathRow {
    /// Relative to the repository's root.
    pub path: String,
    /// `added`, `modified`, `deleted`, `mode`, `type`, `ignored` or `unignored`.
    pub change: &'static str,
    /// The commit between the two builds that changed it last, or `worktree`.
    pub commit: Option<String>,
    /// The source that takes it; none where a link leads to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The line of the ignore file that lets it in or keeps it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleRow>,
}

/// A line of an ignore file.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct RuleRow {
    /// The file.
    pub file: String,
    /// 1-based.
    pub line: u32,
    /// As written.
    pub text: String,
}

/// What a log says of a step.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct LogRow {
    /// `cached`, `executed`, `failed`, `canceled`, `not-started`, or `missing`.
    pub seen: &'static str,
    /// `agrees`, `should-have-hit`, `disagrees`, `decided` (a `maybe`) or `unknown`.
    pub verdict: &'static str,
    /// Seconds in the log.
    pub seconds: Option<f64>,
}

/// What a log says of the build.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct LogSummary {
    /// `plain` or `rawjson`.
    pub format: &'static str,
    /// Steps the prediction agrees with.
    pub agree: usize,
    /// Steps that ran although the cache of `from` has them.
    pub should_have_hit: Vec<String>,
    /// Steps that were cached although they should have run.
    pub disagree: Vec<String>,
    /// Steps that the log does not show.
    pub missing: Vec<String>,
    /// Seconds of `should_have_hit` in the log.
    pub lost_s: f64,
    /// The same in a sentence.
    pub verdict: String,
}

/// How the two builds are named in text.
pub struct Titles {
    /// E.g. `from 1a2b3c4d5e to the work tree`.
    pub between: String,
    /// Colours.
    pub color: bool,
    /// Columns.
    pub width: usize,
}

impl Explanation {
    /// The verdict in one sentence.
    #[must_use]
    pub fn headline(&self) -> String {
        if let Some(fails) = &self.fails {
            let at = fails
                .step
                .as_ref()
                .map_or(String::new(), |s| format!(" at step {s}"));
            return format!(
                "The builder refuses this build{at}: {}",
                line(&fails.message)
            );
        }
        let of = |v: &str| self.steps.iter().filter(|s| s.verdict == v).count();
        let (ran, maybe, n) = (of("executed"), of("maybe"), self.steps.len());
        if ran + maybe == 0 {
            if let [only] = self.steps.as_slice() {
                return format!("Step {} is cached.", only.id);
            }
            return format!("Nothing runs again: all {} are cached.", count(n, "step"));
        }
        let sources: Vec<&str> = self
            .steps
            .iter()
            .filter(|s| s.verdict != "cached" && s.cost_s > 0.0)
            .map(|s| s.cost_source)
            .collect();
        let source = match sources.as_slice() {
            [] => "",
            all if all.iter().all(|s| *s == "measured") => " (measured)",
            all if all.iter().all(|s| *s == "prior") => " (prior costs)",
            _ => " (partly prior costs)",
        };
        let runs = match (ran, self.steps.as_slice()) {
            (1, [only]) => format!("Step {} runs again", only.id),
            (_, [only]) => format!("Step {} may run again", only.id),
            (1, _) => format!("1 of {n} steps runs again"),
            _ => format!("{ran} of {n} steps run again"),
        };
        let unsure = match maybe {
            _ if n == 1 => String::new(),
            0 => String::new(),
            1 => ", 1 more may".to_owned(),
            m => format!(", {m} more may"),
        };
        let time = match maybe {
            0 => seconds(self.work_s),
            _ if self.work_s_min < self.work_s => {
                format!("{} to {}", seconds(self.work_s_min), seconds(self.work_s))
            }
            _ => seconds(self.work_s),
        };
        format!("{runs}{unsure}, about {time}{source}.")
    }

    /// Steps that follow from nothing else, each with all that follows from it.
    fn groups(&self) -> Vec<(&StepWhy, Vec<&StepWhy>)> {
        let mut out: Vec<(&StepWhy, Vec<&StepWhy>)> = Vec::new();
        let mut group: Vec<(&str, usize)> = Vec::new();
        for step in self.steps.iter().filter(|s| s.cause.is_some()) {
            let known = |id: &String| group.iter().find(|(s, _)| *s == id.as_str());
            match step.because_of.as_ref().and_then(known).copied() {
                Some((_, at)) => {
                    out[at].1.push(step);
                    group.push((&step.id, at));
                }
                None => {
                    group.push((&step.id, out.len()));
                    out.push((step, Vec::new()));
                }
            }
        }
        out
    }
}

const BOLD: anstyle::Style = anstyle::Style::new().effects(Effects::BOLD);
const DIM: anstyle::Style = anstyle::Style::new().effects(Effects::DIMMED);
const YELLOW: anstyle::Style = AnsiColor::Yellow.on_default();
const RED: anstyle::Style = AnsiColor::Red.on_default();

fn paint(color: bool, style: anstyle::Style, text: &str) -> String {
    match color && !text.is_empty() {
        true => format!("{style}{text}{style:#}"),
        false => text.to_owned(),
    }
}

fn mark(step: &StepWhy) -> char {
    match step.verdict {
        "executed" => '#',
        "maybe" => '?',
        _ => '.',
    }
}

/// One line a step: mark, id, name, seconds at the right.
fn row(step: &StepWhy, indent: usize, width: usize) -> String {
    let time = seconds(step.cost_s);
    let room = width
        .saturating_sub(indent + 12 + time.chars().count() + 2)
        .max(20);
    let name = shortened(&step.name, room);
    let pad = room.saturating_sub(name.chars().count());
    format!(
        "{:indent$}{} {:<7} {name}{:pad$}  {time}",
        "",
        mark(step),
        step.id,
        ""
    )
}

fn change_of(path: &PathRow, notes: bool) -> String {
    let commit = path.commit.as_deref().map_or("", short_commit);
    let mut out = format!("{:<9} {:<10} {}", path.change, commit, line(&path.path));
    let said = let_in_by(path);
    if notes && !said.is_empty() {
        let _ = write!(out, "  ({said})");
    }
    out
}

/// The source and the ignore line that let a file in.
fn let_in_by(path: &PathRow) -> String {
    let mut said = Vec::new();
    if let Some(source) = &path.source
        && *source != path.path
    {
        said.push(format!("taken by `{}`", shortened(source, 40)));
    }
    if let Some(rule) = &path.rule {
        let what = if path.change == "ignored" {
            "left out by"
        } else {
            "let in by"
        };
        said.push(format!(
            "{what} {}:{} `{}`",
            line(&rule.file),
            rule.line,
            shortened(&rule.text, 40)
        ));
    }
    said.join(", ")
}

/// A cause, the files behind it, and how they came in: said once where it is the same for all.
fn cause_lines(
    out: &mut String,
    cause: &CauseRow,
    told: &mut Vec<(String, Vec<String>)>,
    id: &str,
) {
    let _ = writeln!(out, "            {}: {}", cause.kind, line(&cause.detail));
    let paths: Vec<String> = cause.paths.iter().map(|p| p.path.clone()).collect();
    if let Some((other, _)) = told.iter().find(|(_, p)| paths.len() > 1 && *p == paths) {
        let _ = writeln!(out, "              the same as in step {other}");
        return;
    }
    told.push((id.to_owned(), paths));
    let shown = &cause.paths[..cause.paths.len().min(MOST_PATHS)];
    let same = |p: &PathRow| shown.first().is_some_and(|f| let_in_by(f) == let_in_by(p));
    let together = shown.len() > 1 && shown.iter().all(same);
    for path in shown {
        let _ = writeln!(out, "              {}", change_of(path, !together));
    }
    let more = cause.paths.len() - shown.len() + cause.more;
    if more > 0 {
        let _ = writeln!(out, "              and {more} more");
    }
    if let Some(said) = shown
        .first()
        .map(let_in_by)
        .filter(|s| together && !s.is_empty())
    {
        let _ = writeln!(out, "              {said}");
    }
}

/// For a terminal.
#[must_use]
pub fn text(e: &Explanation, titles: &Titles) -> String {
    let mut out = String::new();
    let color = titles.color;
    let _ = writeln!(out, "{}", paint(color, BOLD, &e.headline()));
    let target = e
        .target
        .as_ref()
        .map_or(String::new(), |t| format!(", target {}", line(t)));
    let place = format!("{}{target}, {}", line(&e.file), line(&titles.between));
    let _ = writeln!(out, "{}", paint(color, DIM, &place));
    if let Some(cold) = &e.cold {
        let _ = writeln!(out, "The cache holds nothing of it: {}.", line(cold));
    }
    for change in &e.without_effect {
        let _ = writeln!(out, "{}", line(change));
    }
    let mut told = Vec::new();
    if e.fails.is_none() {
        for (root, rest) in e.groups() {
            let _ = writeln!(out);
            let style = if root.verdict == "maybe" { DIM } else { YELLOW };
            let _ = writeln!(out, "{}", paint(color, style, &row(root, 0, titles.width)));
            if let Some(cause) = &root.cause {
                cause_lines(&mut out, cause, &mut told, &root.id);
            }
            if !rest.is_empty() {
                let _ = writeln!(out, "            and so, behind it:");
            }
            for step in rest {
                let _ = writeln!(out, "{}", row(step, 2, titles.width));
            }
        }
    }
    if let Some(log) = &e.log {
        let _ = writeln!(out, "\n{}", paint(color, BOLD, &line(&log.verdict)));
        for step in &e.steps {
            let Some(row) = step.log.as_ref().filter(|l| TOLD.contains(&l.verdict)) else {
                continue;
            };
            let what = log_words(row);
            let name = shortened(&step.name, titles.width.saturating_sub(12).max(20));
            let head = format!("{} {:<7} {name}", mark(step), step.id);
            let _ = writeln!(out, "{}\n            {what}", paint(color, RED, &head));
        }
    }
    let cut: String = out.lines().map(|l| format!("{}\n", l.trim_end())).collect();
    without_commands(&cut).into_owned()
}

/// Verdicts on a log's step that are told.
const TOLD: [&str; 2] = ["should-have-hit", "disagrees"];

fn log_words(row: &LogRow) -> String {
    let time = row
        .seconds
        .map_or(String::new(), |s| format!(" ({})", seconds(s)));
    match row.verdict {
        "should-have-hit" => {
            format!("ran{time}, and this should have hit: your cache export did not carry it")
        }
        _ => "was cached, and the prediction is that it runs: the builder knew more than --from"
            .to_owned(),
    }
}

/// For a comment.
#[must_use]
pub fn markdown(e: &Explanation, titles: &Titles) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "**{}**\n", markdown_text(&e.headline()));
    let _ = writeln!(
        out,
        "{}, {}\n",
        markdown_code(&e.file),
        markdown_text(&titles.between)
    );
    if let Some(cold) = &e.cold {
        let _ = writeln!(
            out,
            "The cache holds nothing of it: {}.\n",
            markdown_text(cold)
        );
    }
    for change in &e.without_effect {
        let _ = writeln!(out, "- {}", markdown_text(change));
    }
    if e.fails.is_none() && e.steps.iter().any(|s| s.cause.is_some()) {
        out.push_str("| step | | why | seconds |\n|---|---|---|---:|\n");
        for step in e.steps.iter().filter(|s| s.cause.is_some()) {
            let why = step.cause.as_ref().map_or(String::new(), |cause| {
                let mut why = format!("{}: {}", cause.kind, markdown_text(&cause.detail));
                for path in cause.paths.iter().take(MOST_PATHS) {
                    let commit = path
                        .commit
                        .as_deref()
                        .map_or(String::new(), |c| format!(" {}", short_commit(c)));
                    let _ = write!(
                        why,
                        "<br>{} {}{commit}",
                        path.change,
                        markdown_code(&path.path)
                    );
                }
                let more = cause.paths.len().saturating_sub(MOST_PATHS) + cause.more;
                if more > 0 {
                    let _ = write!(why, "<br>and {more} more");
                }
                why
            });
            let _ = writeln!(
                out,
                "| {} | {} | {why} | {} |",
                step.id,
                markdown_text(&shortened(&step.name, 80)),
                seconds(step.cost_s)
            );
        }
    }
    if let Some(log) = &e.log {
        let _ = writeln!(out, "\n{}", markdown_text(&log.verdict));
        for step in &e.steps {
            if let Some(row) = step.log.as_ref().filter(|l| TOLD.contains(&l.verdict)) {
                let name = markdown_text(&shortened(&step.name, 80));
                let _ = writeln!(
                    out,
                    "- {} {name}: {}",
                    step.id,
                    markdown_text(&log_words(row))
                );
            }
        }
    }
    without_commands(&out).into_owned()
}
