//! Comments that silence rules, ours and those of other tools.
//!
//! ```dockerfile
//! # cacheplan ignore=package-version,base-digest reason="the mirror keeps one version" until=2027-01-01
//! # hadolint ignore=DL3008
//! # check=skip=JSONArgsRecommended
//! RUN apt-get install -y curl
//! ```
//!
//! Above an instruction they hold for that instruction; with `global` behind the tool's name, and in a `# check=` directive, for the file. In other
//! files a comment holds for its own line and the next. Goes in: a file and what was found in it. Comes out: what is left. Costs one pass over
//! the comments. Invariant: a comment that can't be read silences nothing and is a diagnostic.

use super::{Finding, known_as};
use crate::diagnostic::{Diagnostic, Severity, shorten};
use crate::dockerfile::{Dockerfile, PieceKind};
use crate::source::{SourceFile, Span};
use jiff::civil::Date;
use std::collections::BTreeMap;

/// Which findings a comment is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    File,
    /// Findings that start in here.
    Span(Span),
}

/// One comment.
#[derive(Clone, Debug)]
struct Suppression {
    reach: Reach,
    /// Names of rules, codes of other tools among them; `all` is every check of the builder, and [`ALL`] every rule.
    names: Vec<String>,
    /// Last day on which it holds.
    until: Option<Date>,
    /// Where it stands.
    span: Span,
}

/// The comments of one file.
#[derive(Clone, Debug, Default)]
pub struct Suppressions {
    list: Vec<Suppression>,
    /// `# check=error=true`: the builder's own checks fail the build.
    pub checks_are_errors: bool,
    /// Checks of the builder that are off by default, and asked for by `# check=experimental=`.
    pub experimental: Vec<String>,
    /// Comments that can't be read.
    pub diagnostics: Vec<Diagnostic>,
}

impl Suppressions {
    /// Those of a Dockerfile.
    #[must_use]
    pub fn of_dockerfile(source: &SourceFile, tree: &Dockerfile) -> Self {
        let mut out = Self::default();
        if let Some((value, span)) = &tree.directives.check {
            out.check(value, Reach::File, *span);
        }
        for piece in tree.pieces() {
            if piece.kind == PieceKind::Comment {
                out.comment(source, piece.span, None);
            }
        }
        for ins in tree.instructions() {
            let above = ins.leading_comments;
            let mut at = above.start as usize;
            let bytes = source.bytes();
            while at < above.end as usize {
                let rest = &bytes[at..above.end as usize];
                let len = rest
                    .iter()
                    .position(|b| *b == b'\n')
                    .map_or(rest.len(), |n| n + 1);
                // Those for the file were read above.
                out.comment(source, Span::new(at, at + len), Some((ins.span, false)));
                at += len;
            }
        }
        out
    }

    /// Those of another file whose comments start with `#`.
    #[must_use]
    pub fn of_lines(source: &SourceFile) -> Self {
        let mut out = Self::default();
        for line in 1..=source.line_count() {
            let Some(span) = source.line_span(line) else {
                continue;
            };
            let text = source.text(span);
            let Some(at) = text.find('#').filter(|_| text.contains("cacheplan")) else {
                continue;
            };
            let next = source.line_span(line + 1).unwrap_or(span);
            let reach = Span {
                start: span.start,
                end: next.end,
            };
            let comment = Span {
                start: span.start + u32::try_from(at).unwrap_or(0),
                end: span.end,
            };
            out.comment(source, comment, Some((reach, true)));
        }
        out
    }

    /// One comment line; `above` is what it stands above, `None` looks for what holds for the file alone.
    fn comment(&mut self, source: &SourceFile, span: Span, above: Option<(Span, bool)>) {
        let text = source.text(span);
        let end = source.bytes()[span.range()].trim_ascii_end().len();
        let span = Span::new(span.start as usize, span.start as usize + end);
        let text = text.trim().trim_start_matches('#').trim_start();
        let word = |tool: &str| {
            let rest = text.strip_prefix(tool)?;
            let rest = rest.strip_prefix(':').unwrap_or(rest);
            (rest.is_empty() || rest.starts_with([' ', '\t'])).then(|| rest.trim_start())
        };
        if let Some(rest) = word("cacheplan") {
            let (rest, global) = global(rest);
            if let Some(reach) = reach(global, above) {
                self.own(rest, reach, span);
            }
        } else if let Some(rest) = word("hadolint") {
            let (rest, global) = global(rest);
            if let Some(reach) = reach(global, above)
                && let Some(list) = rest.strip_prefix("ignore=")
            {
                // hadolint reads codes and commas up to anything else.
                let end = list.find(|c: char| !(c.is_ascii_alphanumeric() || ", ".contains(c)));
                self.push(reach, names(&list[..end.unwrap_or(list.len())]), None, span);
            }
        } else if let (Some(rest), Some(reach)) = (text.strip_prefix("check"), above)
            && let Some(value) = rest.trim_start().strip_prefix('=')
        {
            self.check(value.trim_start(), Reach::Span(reach.0), span);
        }
    }

    fn push(&mut self, reach: Reach, names: Vec<String>, until: Option<Date>, span: Span) {
        self.list.push(Suppression {
            reach,
            names,
            until,
            span,
        });
    }

    /// `skip=A,B;error=true;experimental=C` (grammar section 2).
    fn check(&mut self, value: &str, reach: Reach, span: Span) {
        // The builder reads up to the first blank.
        let value = value.split(' ').next().unwrap_or_default();
        for part in value.split(';') {
            let Some((key, value)) = part.split_once('=') else {
                continue;
            };
            match key.trim() {
                "skip" => self.push(reach, names(value), None, span),
                "error" if reach == Reach::File => {
                    self.checks_are_errors =
                        crate::dockerfile::check::truth(value.trim()) == Some(true);
                }
                "experimental" => self.experimental.extend(names(value)),
                _ => {}
            }
        }
    }

    /// `ignore=a,b reason="…" until=2027-01-01`.
    fn own(&mut self, text: &str, reach: Reach, span: Span) {
        // Other words behind the tool's name are other comments of ours.
        let Some(rest) = text.strip_prefix("ignore=") else {
            return;
        };
        let mut bad = |message: String, help: &str| {
            let d = Diagnostic::warning("ignore/comment", message, span);
            self.diagnostics.push(d.with_help(help));
        };
        const HELP: &str = "write `# cacheplan ignore=rule,rule reason=\"…\" until=2027-01-01`";
        let (list, mut rest) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
        let names = names(list);
        let unknown = names
            .iter()
            .find(|n| known_as(n).next().is_none() && *n != "all");
        if names.is_empty() {
            return bad("this comment names no rule".to_owned(), HELP);
        }
        if let Some(name) = unknown {
            let message = format!("there is no rule `{}`", shorten(name));
            return bad(message, "`cacheplan check --list-rules` names them all");
        }
        let mut until = None;
        while !rest.trim_start().is_empty() {
            rest = rest.trim_start();
            let Some((key, value)) = rest.split_once('=') else {
                return bad(format!("`{}` is not understood", shorten(rest)), HELP);
            };
            let (value, behind) = match value.strip_prefix('"') {
                Some(inner) => match inner.split_once('"') {
                    Some(parts) => parts,
                    None => return bad("a quote is not closed".to_owned(), HELP),
                },
                None => value.split_once([' ', '\t']).unwrap_or((value, "")),
            };
            match key {
                "reason" => {}
                "until" => match value.parse::<Date>() {
                    Ok(date) => until = Some(date),
                    Err(_) => {
                        return bad(format!("`{}` is no date", shorten(value)), HELP);
                    }
                },
                other => {
                    return bad(format!("`{}` is not understood", shorten(other)), HELP);
                }
            }
            rest = behind;
        }
        let every = |n: String| if n == "all" { ALL.to_owned() } else { n };
        let names = names.into_iter().map(every).collect();
        self.push(reach, names, until, span);
    }

    /// Takes out what is silenced on that day. What a comment of ours silenced until an earlier day stays, and is told of once.
    pub fn apply(&mut self, findings: &mut Vec<Finding>, today: Date) {
        if self.checks_are_errors {
            for f in findings.iter_mut().filter(|f| is_builders(f.rule.name)) {
                f.severity = Severity::Error;
            }
        }
        let over = |s: &Suppression| s.until.is_some_and(|day| day < today);
        let mut by_name: BTreeMap<&str, Named> = BTreeMap::new();
        for (i, s) in self.list.iter().enumerate() {
            for name in &s.names {
                by_name.entry(name).or_default().add(i, s.reach, over(s));
            }
        }
        by_name.values_mut().for_each(Named::sort);
        let mut late: Vec<usize> = Vec::new();
        findings.retain(|f| {
            let builders = is_builders(f.rule.name) && !is_experimental(f.rule.name);
            let names = [f.rule.name, ALL]
                .into_iter()
                .chain(builders.then_some("all"));
            let names = names.chain(f.rule.also.iter().copied());
            let silent = names.filter_map(|n| by_name.get(n));
            let silent = silent.filter(|named| named.silences(f, &mut late));
            silent.count() == 0
        });
        late.sort_unstable();
        late.dedup();
        for i in late {
            let s = &self.list[i];
            let day = s.until.map_or_else(String::new, |d| d.to_string());
            let message = format!("this comment held until {day}");
            let d = Diagnostic::warning("ignore/over", message, s.span);
            let help = "look at the findings again, or give a later day";
            self.diagnostics.push(d.with_help(help));
        }
    }
}

/// Every rule, as a name of no rule.
const ALL: &str = "*";

/// The comments that name one rule.
#[derive(Default)]
struct Named {
    /// One holds for the file.
    all: bool,
    /// Held for the file.
    all_over: Vec<usize>,
    /// Stretches, each once with a comment that holds and once with one that is over. Neither their starts nor their ends go back.
    spans: Vec<(Span, bool, usize)>,
}

impl Named {
    fn add(&mut self, at: usize, reach: Reach, over: bool) {
        match (reach, over) {
            (Reach::File, false) => self.all = true,
            (Reach::File, true) => self.all_over.push(at),
            (Reach::Span(span), over) => self.spans.push((span, over, at)),
        }
    }

    fn sort(&mut self) {
        self.spans.sort_unstable();
        self.spans.dedup_by_key(|(span, over, _)| (*span, *over));
    }

    /// Whether one of them silences a finding; those that are over are noted.
    fn silences(&self, f: &Finding, late: &mut Vec<usize>) -> bool {
        late.extend(self.all_over.first());
        let mut silent = self.all;
        // A finding about the file as a whole has an empty span at its start.
        if f.span == Span::default() {
            return silent;
        }
        let upto = self
            .spans
            .partition_point(|(s, ..)| s.start <= f.span.start);
        let before = self.spans[..upto].iter().rev();
        for (_, over, at) in before.take_while(|(s, ..)| s.end.max(s.start + 1) > f.span.start) {
            match over {
                true => late.push(*at),
                false => silent = true,
            }
        }
        silent
    }
}

/// The builder's own checks have names in capitals.
fn is_builders(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase())
}

/// `skip=all` leaves alone what is only there because the file asks for it.
fn is_experimental(name: &str) -> bool {
    name == "InvalidDefinitionDescription"
}

fn global(rest: &str) -> (&str, bool) {
    match rest.strip_prefix("global") {
        Some(behind) if behind.starts_with([' ', '\t']) => (behind.trim_start(), true),
        _ => (rest, false),
    }
}

/// A global comment counts wherever it stands, once; the other kind for what it stands above.
fn reach(global: bool, above: Option<(Span, bool)>) -> Option<Reach> {
    match (global, above) {
        (true, Some((_, false))) => None,
        (true, _) => Some(Reach::File),
        (false, above) => above.map(|(span, _)| Reach::Span(span)),
    }
}

fn names(list: &str) -> Vec<String> {
    let names = list.split(',').map(str::trim).filter(|n| !n.is_empty());
    names.map(str::to_owned).collect()
}
