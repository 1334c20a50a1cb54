//! Workflow commands that GitHub's runner makes annotations of.
//!
//! Goes in: issues. Comes out: lines for the log of a step: ten commands of each level at most, which is what a runner shows of one step, the dearest
//! first; then what else there is, as lines that are only read. Linear but for sorting. Invariant: every line is one command of ours or none at all,
//! whatever the names in it hold.

use super::escape::{line, without_commands};
use super::issue::{Issue, Level, dearest_first};
use super::number::count;
use std::fmt::Write as _;

/// Annotations of one level that the runner shows of a step.
const MOST: usize = 10;

/// The lines; empty where there is nothing to be said.
#[must_use]
pub fn render(issues: &[Issue]) -> String {
    let mut out = String::new();
    let mut rest: Vec<&Issue> = Vec::new();
    for level in [Level::Error, Level::Warning, Level::Note] {
        let mut list = dearest_first(issues);
        list.retain(|i| i.level == level);
        // The last place is for how many there are.
        let shown = match list.len() {
            n if n > MOST => MOST - 1,
            n => n,
        };
        for issue in &list[..shown] {
            annotation(&mut out, issue);
        }
        let more = &list[shown..];
        if !more.is_empty() {
            let what = level.as_str();
            let _ = writeln!(
                out,
                "::{} title=cacheplan::{} not shown here: see the log of this step",
                command(level),
                count(more.len(), &format!("more {what}"))
            );
            rest.extend(more);
        }
    }
    for issue in rest {
        let (first, _) = issue.lines();
        let text = format!(
            "{}[{}] {}:{first}: {}",
            issue.level.as_str(),
            issue.rule,
            line(&issue.file),
            issue.text()
        );
        out.push_str(&without_commands(&text));
        out.push('\n');
    }
    out
}

fn command(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Note => "notice",
    }
}

fn annotation(out: &mut String, issue: &Issue) {
    let (first, last) = issue.lines();
    let file = issue.file.strip_prefix("./").unwrap_or(&issue.file);
    let _ = write!(
        out,
        "::{} file={},line={first},endLine={last}",
        command(issue.level),
        property(file)
    );
    // The runner takes columns of a single line only.
    if let Some(at) = issue.at.filter(|_| first == last) {
        let _ = write!(out, ",col={}", at.start.utf16);
    }
    let title = format!("cacheplan: {}", issue.rule);
    let _ = write!(out, ",title={}::", property(&title));
    let pieces = issue.pieces();
    let words: Vec<String> = pieces
        .map(|p| without_commands(&line(&p)).into_owned())
        .collect();
    out.push_str(&data(&words.join("\n")));
    out.push('\n');
}

/// The message of a command, by the runner's rules.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// The value of a property, by the runner's rules.
fn property(text: &str) -> String {
    let text = line(text);
    data(&without_commands(&text))
        .replace(':', "%3A")
        .replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::findings::EvidenceRow;
    use proptest::prelude::*;

    fn issue(level: Level, file: &str, message: &str, seconds: f64) -> Issue {
        Issue {
            rule: "base-tag".to_owned(),
            level,
            file: file.to_owned(),
            at: None,
            message: message.to_owned(),
            help: vec!["do this".to_owned()],
            evidence: EvidenceRow {
                seconds: Some(seconds),
                ..EvidenceRow::default()
            },
            fix: None,
            assumptions: Vec::new(),
            fingerprint: String::new(),
        }
    }

    #[test]
    fn values_are_escaped_as_the_runner_reads_them() {
        let one = issue(Level::Error, "a,b:c%.Dockerfile", "50 % of\n::x", 0.0);
        assert_eq!(
            render(&[one]),
            "::error file=a%2Cb%3Ac%25.Dockerfile,line=1,endLine=1,title=cacheplan%3A base-tag::50 %25 of ::x%0ADo this\n"
        );
        assert_eq!(render(&[]), "");
    }

    #[test]
    fn ten_of_a_level_are_shown_and_the_dearest_of_them() {
        let list: Vec<Issue> = (0..12)
            .map(|n| issue(Level::Note, "f", &format!("no {n}"), f64::from(n)))
            .collect();
        let out = render(&list);
        let lines: Vec<&str> = out.lines().collect();
        assert_eq!(
            lines.iter().filter(|l| l.starts_with("::notice")).count(),
            10
        );
        assert!(lines[0].ends_with("::No 11%0ADo this"), "{out}");
        assert_eq!(
            lines[9..],
            [
                "::notice title=cacheplan::3 more notes not shown here: see the log of this step",
                "note[base-tag] f:1: No 2. Do this",
                "note[base-tag] f:1: No 1. Do this",
                "note[base-tag] f:1: No 0. Do this"
            ]
        );
    }

    proptest! {
        #[test]
        fn any_words_make_one_command_each(
            file in "(?s)[:%,#a\\[ \r\n]{0,12}|.{0,12}",
            message in "(?s)[:#\\[a%\r\n]{0,20}|::stop-commands::x|.{0,20}",
        ) {
            let list: Vec<Issue> = (0..11).map(|_| issue(Level::Warning, &file, &message, 0.0)).collect();
            let out = render(&list);
            let lines: Vec<&str> = out.split('\n').collect();
            prop_assert_eq!(lines.len(), 10 + 2 + 1);
            for (i, one) in lines.iter().enumerate() {
                let odd = ['\r', '\u{1b}', '\u{202e}'];
                let acts = one.contains(odd) || one.contains("##[");
                prop_assert!(!acts);
                let starts = one.trim_start().starts_with("::");
                prop_assert_eq!(starts, i < 10);
                prop_assert!(!starts || one.starts_with("::warning "));
            }
        }
    }
}
