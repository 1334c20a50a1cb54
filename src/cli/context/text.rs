//! The text report of `context`: the total first, then what weighs, then what nothing reads.

use super::archives::archives;
use super::{View, kind};
use crate::context::EntryKind;
use crate::context::weight::{self, Weight};
use crate::pattern::display;
use crate::report::{escape, number};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Rows of each list.
const ROWS: usize = 10;
/// Rows of the lists further down.
const FEW: usize = 5;

// Writing to a String cannot fail, hence `let _` throughout.
pub fn text(view: &View<'_>) -> String {
    let mut out = String::new();
    totals(&mut out, view);
    folders(&mut out, view);
    files(&mut out, view);
    if view.step.is_none() {
        unread(&mut out, view);
    }
    version_control(&mut out, view);
    equal_files(&mut out, view);
    packed(&mut out, view);
    left_out(&mut out, view);
    out
}

fn path(bytes: &[u8]) -> String {
    escape::line(&escape::terminal(&display(bytes)))
}

fn amount(weight: Weight) -> String {
    let files = usize::try_from(weight.files).unwrap_or(usize::MAX);
    format!(
        "{} in {}",
        number::bytes(weight.bytes),
        number::count(files, "file")
    )
}

fn totals(out: &mut String, view: &View<'_>) {
    let subject = view.subject;
    let all = weight::total(view.only(|_| true));
    let name = |id| {
        let mut steps = subject.plan.graph.node_weights();
        let found = steps.find(|s| s.id == id);
        found.map_or(String::new(), |s| escape::shortened(&s.name, 70))
    };
    if let Some(step) = view.step {
        let _ = writeln!(out, "Step {step} reads {}: {}", amount(all), name(step));
        return;
    }
    let context = match view.place.shown(&subject.context).as_str() {
        "." | "" => "this folder".to_owned(),
        dir => escape::terminal(dir),
    };
    let ignore = match &subject.ignore_file {
        Some(f) => format!("after {}", escape::terminal(&view.place.shown(f))),
        None => "no ignore file".to_owned(),
    };
    let _ = writeln!(
        out,
        "The context, {context}, holds {} ({ignore})",
        amount(all)
    );
    let sent = weight::total(view.only(|i| view.reads.sent[i]));
    let readers = view.reads.steps.iter().flatten();
    let readers: std::collections::BTreeSet<_> = readers.collect();
    let _ = match view.reads.whole {
        Some(step) => writeln!(
            out,
            "All of it is sent to the builder, because of {}",
            name(step)
        ),
        None if sent.files == 0 => {
            writeln!(
                out,
                "Nothing of it is sent: no step of the target names a file in it"
            )
        }
        None => writeln!(
            out,
            "Sent to the builder: {}, what {} by name; the rest stays here",
            amount(sent),
            match readers.len() {
                1 => "1 step asks for".to_owned(),
                n => format!("{n} steps ask for"),
            }
        ),
    };
}

fn folders(out: &mut String, view: &View<'_>) {
    let all = weight::folders(view.only(|_| true));
    let sent = weight::folders(view.only(|i| view.reads.sent[i]));
    let largest = weight::largest_folders(&all, ROWS);
    let total = weight::total(view.only(|_| true)).bytes;
    if largest.is_empty() {
        return;
    }
    let _ = writeln!(out, "\nLargest folders");
    for f in largest {
        let sent = sent.get(f.path.as_slice()).copied().unwrap_or_default();
        let note = match sent {
            w if view.reads.whole.is_some() || w == f.weight => String::new(),
            w if w.files == 0 => "  not sent".to_owned(),
            w => format!("  {} of it sent", number::bytes(w.bytes)),
        };
        let files = usize::try_from(f.weight.files).unwrap_or(usize::MAX);
        let _ = writeln!(
            out,
            "{:>10} {:>7}  {:>13}  {}/{note}",
            number::bytes(f.weight.bytes),
            number::percent(f.weight.bytes as f64 / total.max(1) as f64),
            number::count(files, "file"),
            path(&f.path)
        );
    }
}

fn files(out: &mut String, view: &View<'_>) {
    let files = view.shown().filter(|(_, e)| e.kind != EntryKind::Directory);
    let mut largest: Vec<_> = files.collect();
    largest.sort_by(|a, b| (b.1.size, &a.1.path).cmp(&(a.1.size, &b.1.path)));
    if largest.is_empty() {
        return;
    }
    let _ = writeln!(out, "\nLargest files");
    for (i, e) in largest.iter().take(ROWS) {
        let steps: Vec<String> = view.reads.steps[*i]
            .iter()
            .map(ToString::to_string)
            .collect();
        let who = match (steps.as_slice(), view.reads.sent[*i]) {
            ([], true) => "sent, no step reads it".to_owned(),
            ([], false) => "not sent".to_owned(),
            ([one], _) => format!("step {one}"),
            (many, _) => format!("steps {}", many.join(", ")),
        };
        let _ = writeln!(
            out,
            "{:>10}  {}  ({who})",
            number::bytes(e.size),
            path(&e.path)
        );
    }
}

fn unread(out: &mut String, view: &View<'_>) {
    let reads = view.reads;
    let list = |out: &mut String, title: &str, keep: &dyn Fn(usize) -> bool| {
        let sum = weight::total(view.only(keep));
        if sum.files == 0 {
            return;
        }
        let _ = writeln!(out, "\n{title}: {}", amount(sum));
        let folders = weight::folders(view.only(keep));
        for f in weight::largest_folders(&folders, FEW) {
            let _ = writeln!(
                out,
                "{:>10}  {}/",
                number::bytes(f.weight.bytes),
                path(&f.path)
            );
        }
    };
    list(out, "Sent, though no step reads it", &|i| {
        reads.sent[i] && reads.steps[i].is_empty()
    });
    if reads.whole.is_none() {
        list(out, "Not sent, since no step names it", &|i| !reads.sent[i]);
    }
}

fn version_control(out: &mut String, view: &View<'_>) {
    let all = weight::folders(view.only(|_| true));
    let found = weight::vcs(view.only(|_| true), &all);
    if found.is_empty() {
        return;
    }
    let sent = weight::folders(view.only(|i| view.reads.sent[i]));
    let _ = writeln!(out, "\nVersion control");
    for f in found.iter().take(ROWS) {
        let is_sent = view.reads.whole.is_some() || sent.contains_key(f.path.as_slice());
        let note = if is_sent {
            "sent; it changes with every commit, and so does every step that reads it"
        } else {
            "not sent"
        };
        let bytes = number::bytes(f.weight.bytes);
        let _ = writeln!(out, "{bytes:>10}  {}  ({note})", path(&f.path));
    }
    more(out, found.len(), ROWS);
}

fn more(out: &mut String, all: usize, shown: usize) {
    if all > shown {
        let _ = writeln!(out, "{:>10}  and {} more", "", all - shown);
    }
}

fn equal_files(out: &mut String, view: &View<'_>) {
    /// Below this a copy costs nothing worth a line.
    const WORTH: u64 = 100_000;
    let groups = weight::duplicates(view.only(|_| true));
    let wasted: u64 = groups.iter().map(weight::Duplicates::wasted).sum();
    if wasted < WORTH {
        return;
    }
    let _ = writeln!(
        out,
        "\nEqual files: {} are copies of others",
        number::bytes(wasted)
    );
    for g in groups.iter().take(FEW) {
        let names: Vec<String> = g.paths.iter().take(3).map(|p| path(p)).collect();
        let rest = match g.paths.len() {
            n if n > 3 => format!(" and {} more", n - 3),
            _ => String::new(),
        };
        let _ = writeln!(
            out,
            "{:>10}  {} of {}: {}{rest}",
            number::bytes(g.wasted()),
            number::count(g.paths.len() - 1, "extra copy").replace("copys", "copies"),
            number::bytes(g.size),
            names.join(", ")
        );
    }
    more(out, groups.len(), FEW);
}

fn packed(out: &mut String, view: &View<'_>) {
    let found = archives(view);
    if found.is_empty() {
        return;
    }
    let _ = writeln!(out, "\nArchives");
    for (_, e, c) in found.iter().take(ROWS) {
        let mut what = Vec::new();
        if c.development_kit {
            what.push("a Java development kit".to_owned());
        } else if c.runtime {
            what.push("a Java runtime".to_owned());
        }
        if c.sources > 0 {
            let n = usize::try_from(c.sources).unwrap_or(usize::MAX);
            what.push(number::count(n, "source file"));
        }
        let partly = if c.partial {
            ", not seen to its end"
        } else {
            ""
        };
        let first = c.evidence.first().map_or(String::new(), |p| path(p));
        let _ = writeln!(
            out,
            "{:>10}  {} carries {} ({first}{partly})",
            number::bytes(e.size),
            path(&e.path),
            what.join(" and ")
        );
    }
    more(out, found.len(), ROWS);
}

fn left_out(out: &mut String, view: &View<'_>) {
    let ignored = &view.context.ignored;
    if ignored.is_empty() {
        return;
    }
    let pattern = |e| escape::terminal(view.pattern(e));
    let _ = writeln!(out, "\nLeft out by the ignore file");
    if view.list_ignored {
        for e in ignored {
            let slash = if e.kind == EntryKind::Directory {
                "/"
            } else {
                ""
            };
            let what = match e.kind {
                EntryKind::File | EntryKind::Directory => String::new(),
                other => format!(" ({})", kind(other)),
            };
            let _ = writeln!(
                out,
                "  line {:>3}  {}  {}{slash}{what}",
                e.line,
                pattern(e),
                path(&e.path)
            );
        }
        return;
    }
    let mut lines: BTreeMap<usize, Vec<&crate::context::IgnoredEntry>> = BTreeMap::new();
    for e in ignored {
        lines.entry(e.pattern).or_default().push(e);
    }
    for (_, entries) in lines.iter().take(ROWS) {
        let first = entries[0];
        let slash = if first.kind == EntryKind::Directory {
            "/"
        } else {
            ""
        };
        let rest = match entries.len() {
            1 => String::new(),
            n => format!(" and {} more", n - 1),
        };
        let _ = writeln!(
            out,
            "  line {:>3}  {}  {}{slash}{rest}",
            first.line,
            pattern(first),
            path(&first.path)
        );
    }
    let more = match lines.len().saturating_sub(ROWS) {
        0 => String::new(),
        n => format!("and {}; ", number::count(n, "more line")),
    };
    let _ = writeln!(out, "  ({more}--ignored lists each path)");
}
