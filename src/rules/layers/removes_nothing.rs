//! `rm` of a file that the RUN never made, beside a download that is left: a slip of the pen.

use super::deleted_later::download;
use crate::diagnostic::Severity;
use crate::rewrite::Safety;
use crate::rules::{Check, FileEdit, Findings, Rule, View};

/// `removes-nothing`.
pub static RULE: Rule = Rule {
    name: "removes-nothing",
    severity: Severity::Warning,
    summary: "an rm names a file that nothing made, and a download with nearly the same name stays",
    also: &[],
    check: Check::Dockerfile(check),
};

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    for run in &view.runs {
        let downloads: Vec<String> = run.calls.iter().filter_map(download).collect();
        let base = |p: &str| p.rsplit('/').next().unwrap_or(p).to_owned();
        let names: Vec<String> = downloads.iter().map(|d| base(d)).collect();
        let removals = run.calls.iter().filter(|c| c.program == "rm");
        let removals: Vec<_> = removals.flat_map(|c| c.operands()).collect();
        for operand in &removals {
            let Some(text) = operand.value.as_deref().filter(|_| !operand.pattern) else {
                continue;
            };
            let gone = base(text);
            let named = |word: &str| base(word) == gone || word == text;
            let made = run.calls.iter().filter(|c| c.program != "rm").any(|c| {
                let targets = c.redirects.iter().filter_map(|r| r.target.as_deref());
                c.known().chain(targets).any(named)
            });
            if made || names.contains(&gone) {
                continue;
            }
            let deleted = |name: &String| {
                removals
                    .iter()
                    .any(|r| r.value.as_deref().is_some_and(|v| base(v) == *name))
            };
            let meant = downloads
                .iter()
                .zip(&names)
                .find(|(_, n)| near(n, &gone) && !deleted(n));
            let Some((file, _)) = meant else { continue };
            let message = format!(
                "`{text}` is deleted, but nothing made it: the download is called `{file}`, and stays in the layer"
            );
            let right = match text.rsplit_once('/') {
                Some((dir, _)) if !file.contains('/') => format!("{dir}/{file}"),
                _ => file.clone(),
            };
            let finding = out.at(operand.span, message);
            finding.help(format!("write `{right}`"));
            let plain = view.source.text(operand.span) == *text;
            let simple = |s: &str| {
                s.bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"._-/+".contains(&b))
            };
            if plain && simple(&right) {
                finding.fix(Safety::Assumed, vec![FileEdit::here(operand.span, right)]);
            }
        }
    }
}

/// Names that were meant to be one: the same ending, and a start or an end in common that is most of them.
fn near(a: &str, b: &str) -> bool {
    let ending = |n: &str| n.rsplit_once('.').map(|(_, e)| e.to_owned());
    if a == b || a.len() < 6 || ending(a).is_none() || ending(a) != ending(b) {
        return false;
    }
    let same =
        |pairs: &mut dyn Iterator<Item = (char, char)>| pairs.take_while(|(x, y)| x == y).count();
    let start = same(&mut a.chars().zip(b.chars()));
    let end = same(&mut a.chars().rev().zip(b.chars().rev()));
    let longest = a.chars().count().max(b.chars().count());
    // The ending alone (`.tar.gz`) is no likeness.
    let tail = a.find('.').map_or(0, |at| a.len() - at);
    (start + end) * 3 >= longest * 2 && start + end > tail.min(longest / 2)
}
