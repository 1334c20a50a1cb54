//! `cacheplan what-if`: what a change that nobody made yet would run again.

use super::args::{Cli, DockerfileFrom, WhatIfArgs};
use super::commits::prefixes;
use super::explain::{Shape, document, known_bases, print};
use super::scenario::{
    Before, Files, Pair, commit_files, history_flags, pair, two_builds, work_tree_files,
};
use super::subject::{Place, Subject, load_one_replayed};
use super::told::pairs;
use super::{Done, analyze, output, worktree};
use crate::history::{CommitId, Entry, EntryKind, Oid, WORK_TREE};
use crate::pattern::{IgnoreRules, PathFilter};
use crate::plan::{self, BuildOptions, Plan};
use crate::project;
use crate::report::number::count;
use crate::report::wording::short_commit;
use crate::source::SourceFile;
use anyhow::{Context as _, Result, bail};
use rustc_hash::FxHashMap;

/// What stands for the build after the change.
const HYPOTHETICAL: &str = "what-if";
/// Arguments named in the line that says what changes.
const MOST_NAMED: usize = 4;

pub fn run(cli: &Cli, args: &WhatIfArgs) -> Result<Done> {
    let changed_args = pairs("--build-arg", &args.place.build.build_args)?;
    pairs("--given-build-arg", &args.given)?;
    if args.touch.is_empty() && changed_args.is_empty() && args.base_changes.is_empty() {
        bail!("nothing changes: give --touch, --build-arg or --base-change");
    }
    let place = Place::open(&args.place.path, args.place.build.reference.as_deref())?;
    let flags = history_flags(&args.pair, DockerfileFrom::Frozen)?;
    let costs = analyze::costs(&place, &flags)?;
    let mut build = args.place.build.clone();
    build.build_args.clone_from(&args.given);
    let today = load_one_replayed(&place, &build, &flags)?.0;
    output::diagnostics(cli, &today.diagnostics);
    if today.failed() {
        return Ok(Done::WrongInput);
    }
    // The same Dockerfile with other arguments; the files are today's.
    build.build_args.extend(args.place.build.build_args.clone());
    let changed = load_one_replayed(&place, &build, &flags)?.0;
    if changed.failed() {
        output::diagnostics(cli, &changed.diagnostics);
        return Ok(Done::WrongInput);
    }
    let bases = known_bases(&today, &args.base_changes)?;
    let mut links = FxHashMap::default();
    let (id, files) = match (place.at, &place.repository) {
        (Some(at), Some(repository)) => {
            let prefixes = prefixes(&place, &[&today]);
            (at, commit_files(repository, at, &prefixes, &mut links)?)
        }
        _ => (WORK_TREE, work_tree_files(&place, &[&today], &mut links)?.0),
    };
    let mut after = files.clone();
    let mut touched = Vec::new();
    for text in &args.touch {
        let paths = touch(&place, &today, text, &files)?;
        for path in &paths {
            let entry = other(files.get(path), &mut links);
            after.insert(path.clone(), entry);
        }
        touched.push((text, paths));
    }
    // Not a commit: only has to differ from the first build's.
    let next = CommitId([0xff; 20]);
    let builds = two_builds((id, &files), (next, &after), links);
    let was = match today.options == changed.options {
        true => Before::Same,
        false => Before::Other(&today),
    };
    let pair = pair(&place, &flags, &builds, &changed, (&was, &bases), &costs)?;
    let mut document = document(&place, &changed, &pair, &costs);
    document.from = worktree::name(id);
    document.to = HYPOTHETICAL.to_owned();
    for (text, paths) in &touched {
        let seen = |p: &Vec<u8>| is_read(&pair, &builds.log, p);
        if !paths.iter().any(seen) {
            document
                .without_effect
                .push(unread(&place, &changed, text, paths));
        }
    }
    for (name, value) in &changed_args {
        document.without_effect.extend(unheld(&today, name, value));
    }
    let shape = Shape {
        step: args.step.as_deref(),
        format: args.format,
        output: args.output.as_ref(),
        between: between(&document.from, args, &touched),
    };
    print(cli, document, &shape)
}

/// The paths in the repository that a `--touch` means.
fn touch(place: &Place, subject: &Subject, text: &str, files: &Files) -> Result<Vec<Vec<u8>>> {
    let normal =
        project::normalize(text).with_context(|| format!("--touch {text} lies outside of PATH"))?;
    let full = match place.shown(&normal).as_str() {
        "." => Vec::new(),
        path => path.as_bytes().to_vec(),
    };
    if files
        .get(&full)
        .is_some_and(|e| e.kind != EntryKind::Folder)
    {
        return Ok(vec![full]);
    }
    let below = |path: &[u8]| {
        full.is_empty()
            || path
                .strip_prefix(&full[..])
                .is_some_and(|r| r.starts_with(b"/"))
    };
    let real = || {
        files
            .iter()
            .filter(|(_, e)| e.kind != EntryKind::Folder)
            .map(|(p, _)| p)
    };
    let inside: Vec<Vec<u8>> = real().filter(|p| below(p)).cloned().collect();
    if !inside.is_empty() {
        return Ok(inside);
    }
    if text.contains(['*', '?', '[']) {
        // The language of ignore files, which knows `**`; a slash in front keeps `!` and `#` plain.
        let pattern = format!("/{}\n", String::from_utf8_lossy(&full));
        let (rules, said) = IgnoreRules::parse(&SourceFile::new("--touch", pattern));
        // What is no pattern is a plain name.
        if said.is_empty() {
            let mut filter = PathFilter::new(&rules);
            let matched: Vec<Vec<u8>> = real().filter(|p| filter.ignored(p)).cloned().collect();
            if matched.is_empty() {
                bail!(
                    "--touch {text}: no file in the context of {} matches",
                    subject.file
                );
            }
            return Ok(matched);
        }
    }
    if text.ends_with('/') || full.is_empty() {
        bail!(
            "--touch {text}: there is no file in such a folder of the context of {}",
            subject.file
        );
    }
    Ok(vec![full])
}

/// The same path with content that nothing had before.
fn other(entry: Option<&Entry>, links: &mut FxHashMap<Oid, Vec<u8>>) -> Entry {
    let Some(entry) = entry else {
        return Entry {
            kind: EntryKind::File,
            oid: [0xfe; 20],
        };
    };
    let mut oid = entry.oid;
    oid.iter_mut().for_each(|b| *b = !*b);
    if let Some(text) = links.get(&entry.oid).cloned() {
        // Where a link leads is no business of this: its text counts as changed, and leads there still.
        links.insert(oid, text);
    }
    Entry { oid, ..*entry }
}

/// Whether the key of a step sees the path.
fn is_read(pair: &Pair, log: &crate::history::ChangeLog, path: &[u8]) -> bool {
    let Some(id) = log.paths.get(path) else {
        return false;
    };
    let matrix = &pair.replayed.prepared.matrix;
    let columns = pair.replayed.prepared.selections[0].iter().flatten();
    let mut changes = columns.flat_map(|s| matrix.changes(*s, 0, 1));
    let by_link = || {
        let whys = pair.steps.iter().filter_map(|s| s.why.as_ref());
        whys.flat_map(|w| &w.files).any(|f| f.path == path)
    };
    changes.any(|p| p == id) || by_link()
}

/// Why no step reads what was touched.
fn unread(place: &Place, subject: &Subject, text: &str, paths: &[Vec<u8>]) -> String {
    let quoted = |t: &str| crate::simulate::explain::quoted(t);
    let (name, n) = (quoted(text), paths.len());
    let what = match n {
        1 => name,
        _ => format!("{name} ({})", count(n, "file")),
    };
    let prefix = subject.context_prefix.as_bytes();
    let below = |p: &Vec<u8>| match prefix {
        b"" => Some(p.clone()),
        _ => Some(p.strip_prefix(prefix)?.strip_prefix(b"/")?.to_vec()),
    };
    let inside: Vec<Vec<u8>> = paths.iter().filter_map(below).collect();
    if inside.is_empty() {
        return format!("{what} is not in the build context: no step reads it");
    }
    let mut filter = PathFilter::new(&subject.rules);
    let verdicts: Vec<(bool, Option<usize>)> = inside.iter().map(|p| filter.verdict(p)).collect();
    if let Some((_, Some(rule))) = verdicts.first()
        && verdicts.iter().all(|v| v.0)
    {
        let rule = &subject.rules.patterns()[*rule];
        let file = subject
            .ignore_file
            .as_deref()
            .map_or(String::new(), |f| place.shown(f));
        return format!(
            "{what} is left out by {file}:{} {}: no step reads it",
            rule.line,
            quoted(&rule.text)
        );
    }
    format!("{what}: no step reads it")
}

/// A build arg that changes no key.
fn unheld(today: &Subject, name: &str, value: &str) -> Option<String> {
    let shown = crate::simulate::explain::quoted(name);
    let old = today.options.args.iter().rfind(|(n, _)| n == name);
    if old.is_some_and(|(_, v)| v == value) {
        return Some(format!("build arg {shown} has that value already"));
    }
    let mut args = today.options.args.clone();
    args.push((name.to_owned(), value.to_owned()));
    let options = BuildOptions {
        args,
        ..today.options.clone()
    };
    let with = plan::lower(&today.parsed.tree, &options);
    let keys = |p: &Plan| -> Vec<u128> { p.order.iter().map(|n| p.graph[*n].definition).collect() };
    if keys(&with) != keys(&today.plan) {
        return None;
    }
    Some(match with.configuration() == today.plan.configuration() {
        true => format!("build arg {shown}: no step's key holds it"),
        false => format!("build arg {shown} changes the image's configuration, and no step"),
    })
}

fn between(from: &str, args: &WhatIfArgs, touched: &[(&String, Vec<Vec<u8>>)]) -> String {
    let from = match from {
        worktree::NAME => "the work tree",
        commit => short_commit(commit),
    };
    let mut parts: Vec<String> = touched
        .iter()
        .map(|(text, paths)| match paths.len() {
            1 => format!("{text} changes"),
            n => format!("{text} changes ({})", count(n, "file")),
        })
        .collect();
    let given = &args.place.build.build_args;
    parts.extend(given.iter().map(|a| format!("build arg {a}")));
    parts.extend(
        args.base_changes
            .iter()
            .map(|b| format!("{b} has new content")),
    );
    let more = parts.len().saturating_sub(MOST_NAMED);
    parts.truncate(MOST_NAMED);
    if more > 0 {
        parts.push(format!("{more} more"));
    }
    format!("{from}, if: {}", parts.join(", "))
}
