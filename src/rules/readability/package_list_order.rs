//! Long lists of packages that are in no order, or several a line.

use crate::diagnostic::Severity;
use crate::rewrite::Safety;
use crate::rules::packages::manager::{Deed, What, deeds};
use crate::rules::{Check, FileEdit, Findings, Rule, Run, View};
use crate::source::Span;

/// `package-list-order`.
pub static RULE: Rule = Rule {
    name: "package-list-order",
    severity: Severity::Note,
    summary: "a long list of packages is in no order, or has several a line, so that nobody sees what is in it twice",
    also: &[],
    check: Check::Dockerfile(check),
};

/// A list that is shorter is read at a glance.
const LONG: usize = 5;

/// And so is one that stands on a line of its own.
const LONG_LINE: usize = 8;

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    for run in &view.runs {
        for deed in deeds(run) {
            if deed.what == What::Install && deed.manager.is_system() {
                of_list(view, run, &deed, out);
            }
        }
    }
}

fn of_list(view: &View<'_>, run: &Run<'_>, deed: &Deed<'_>, out: &mut Findings<'_>) {
    let words: Vec<(&str, Span)> = deed
        .packages
        .iter()
        .map(|p| (p.word.text.as_str(), p.word.span))
        .collect();
    let (Some(first), Some(last)) = (words.first(), words.last()) else {
        return;
    };
    let all = Span {
        start: first.1.start,
        end: last.1.end,
    };
    // Groups with comments, and lists from variables, have an order of their own.
    let text = view.source.text(all);
    let plain = deed
        .packages
        .iter()
        .all(|p| p.name.as_deref() == Some(&p.word.text));
    if words.len() < LONG || !plain || text.contains('#') || run.text.is_empty() {
        return;
    }
    let escape = view.tree.directives.escape;
    let only: usize = words.iter().map(|w| w.0.len()).sum();
    let rest = text
        .chars()
        .filter(|c| !c.is_whitespace() && *c != escape)
        .count();
    // Options stand between, or an escape is part of a name.
    if rest != only {
        return;
    }
    let mut twice: Vec<&str> = Vec::new();
    let mut sorted: Vec<&str> = words.iter().map(|w| w.0).collect();
    sorted.sort_by_key(|w| key(w));
    twice.extend(sorted.windows(2).filter(|p| p[0] == p[1]).map(|p| p[0]));
    twice.dedup();
    let ordered = is_sorted(&words);
    let lines: Vec<u32> = words.iter().map(|w| view.source.line(w.1.start)).collect();
    let own_lines = lines.windows(2).all(|p| p[0] != p[1]);
    // Lines with nothing on them part groups of the author's.
    let mut bare = text.lines().map(|l| l.trim_matches([' ', '\t', escape]));
    if bare.any(str::is_empty) && twice.is_empty() {
        return;
    }
    let short = lines.first() == lines.last() && words.len() < LONG_LINE;
    let kept = short || (ordered && own_lines) || are_groups(&words, &lines);
    if kept && twice.is_empty() {
        return;
    }
    let n = words.len();
    let message = match (twice.first(), own_lines, ordered) {
        (Some(name), ..) => format!("`{name}` is twice in this list of {n} packages"),
        (None, false, false) => {
            format!("these {n} packages are not sorted, several of them on a line")
        }
        (None, false, true) => format!("these {n} packages stand several on a line"),
        (None, true, _) => format!("these {n} packages are not sorted"),
    };
    let finding = out.at(all, message);
    finding.help("write one a line, sorted: a change of the list is then a line of the diff, and nothing is in it twice");
    if run.is_heredoc() || deed.call.program_span.start > all.start {
        return;
    }
    sorted.dedup();
    finding.fix(
        Safety::Assumed,
        vec![written(view, run, deed, all, &sorted)],
    );
}

/// Whether lines are groups of what belongs together: who only fills lines ends one where the next word is too long for it.
fn are_groups(words: &[(&str, Span)], lines: &[u32]) -> bool {
    let mut rows: Vec<(usize, usize, usize)> = Vec::new();
    let mut last = None;
    for ((word, _), line) in words.iter().zip(lines) {
        match rows.last_mut().filter(|_| last == Some(line)) {
            Some((many, width, _)) => {
                *many += 1;
                *width += 1 + word.len();
            }
            None => rows.push((1, word.len(), word.len())),
        }
        last = Some(line);
    }
    let widest = rows.iter().map(|r| r.1).max().unwrap_or(0);
    // Lines of several words that had room for the first of the next line.
    let ended = rows
        .windows(2)
        .filter(|p| p[0].0 > 1 && p[0].1 + 1 + p[1].2 <= widest);
    let several = rows.iter().filter(|r| r.0 > 1).count();
    several >= 2 && ended.count() * 2 >= several
}

/// Sorted in one of the ways that editors and `sort` have.
fn is_sorted(words: &[(&str, Span)]) -> bool {
    let by = |key: &dyn Fn(&str) -> String| words.windows(2).all(|p| key(p[0].0) <= key(p[1].0));
    let letters = |w: &str| {
        let kept = w.chars().filter(|c| c.is_alphanumeric());
        kept.collect::<String>().to_lowercase()
    };
    by(&key) || by(&|w| w.to_owned()) || by(&letters)
}

/// Names in the order that `sort` has in a plain locale, capitals aside.
fn key(word: &str) -> String {
    word.trim_matches(['"', '\'']).to_lowercase()
}

/// The list, one a line. What stood behind it on its line goes to one of its own.
fn written(
    view: &View<'_>,
    run: &Run<'_>,
    deed: &Deed<'_>,
    all: Span,
    sorted: &[&str],
) -> FileEdit {
    let (escape, eol) = (view.tree.directives.escape, view.source.line_end());
    let before = deed
        .call
        .arguments
        .iter()
        .map(|a| a.span.end)
        .filter(|end| *end <= all.start)
        .max();
    let start = before.unwrap_or(deed.call.program_span.end).min(all.start);
    let command = indent(view, deed.call.program_span.start);
    let list = indent(view, all.start);
    let own = view.source.line(all.start) != view.source.line(deed.call.program_span.start);
    let inner = match own && list.len() >= command.len() && !list.is_empty() {
        true => list,
        false if command.is_empty() => "        ".to_owned(),
        false if command.contains('\t') => format!("{command}\t"),
        false => format!("{command}    "),
    };
    let mut text = String::new();
    for word in sorted {
        text.push_str(&format!(" {escape}{eol}{inner}{word}"));
    }
    let mut end = all.end;
    let behind = Span {
        start: all.end,
        end: run.ins.span.end,
    };
    let rest = view.source.text(behind);
    let line = rest.lines().next().unwrap_or_default();
    let blanks = line.len() - line.trim_start().len();
    let follows = line.trim_start().strip_prefix("&&");
    // `&& \` stays where it is.
    if follows.is_some_and(|f| !f.trim_matches([' ', '\t', escape]).is_empty()) {
        end = end.saturating_add(u32::try_from(blanks).unwrap_or(0));
        let outer = match command.is_empty() {
            true => "    ",
            false => command.as_str(),
        };
        text.push_str(&format!(" {escape}{eol}{outer}"));
    }
    FileEdit::here(Span { start, end }, text)
}

/// The blanks at the start of the line that a byte stands on.
fn indent(view: &View<'_>, at: u32) -> String {
    let line = view
        .source
        .line_span(view.source.line(at))
        .unwrap_or_default();
    let text = view.source.text(line);
    text[..text.len() - text.trim_start().len()].to_owned()
}
