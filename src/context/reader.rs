//! Which steps read which entries of a context, and what of it is transferred at all.
//!
//! Goes in: a plan and the entries. Comes out: per entry the steps that read it and whether it is
//! sent. Costs one test per entry and source. Invariant: what a step reads is sent. Sent is the
//! union of all sources of reachable steps, links followed, and the folders above them; `--exclude`
//! keeps nothing back (cache keys, section 5).

use super::{ContextEntry, EntryKind};
use crate::pattern::path::ancestors;
use crate::pattern::{ExcludeRules, SourceKind, SourcePattern, clean};
use crate::plan::{ContextInput, Input, Plan, StepId};
use rustc_hash::{FxHashMap, FxHashSet};

/// As many links as the builder follows in one path before it calls it a loop.
const MAX_LINKS: usize = 40;

/// The answer for a whole context.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// For each entry the steps that read it, in conversion order.
    pub steps: Vec<Vec<StepId>>,
    /// For each entry whether it is transferred.
    pub sent: Vec<bool>,
    /// A step that names the root of the context, because of which everything is sent.
    pub whole: Option<StepId>,
}

/// Looks up every entry in every source of the steps that the target needs.
#[must_use]
pub fn reads(plan: &Plan, entries: &[ContextEntry]) -> Reads {
    let links: FxHashMap<&[u8], &[u8]> = entries
        .iter()
        .filter_map(|e| Some((e.path.as_slice(), e.link_target.as_deref()?)))
        .collect();
    let mut out = Reads {
        steps: vec![Vec::new(); entries.len()],
        sent: vec![false; entries.len()],
        // The first step that asks for all of it, by a source or, unseen, by a mount.
        whole: plan.whole_context(),
    };
    let mut above: FxHashSet<&[u8]> = FxHashSet::default();
    for (step, input) in inputs(plan) {
        let sources = sources(input, entries, &links);
        let exclude = (!input.excludes.is_empty())
            .then(|| ExcludeRules::new(&input.excludes).ok())
            .flatten();
        for (i, entry) in entries.iter().enumerate() {
            let mut hits = sources.iter().filter_map(|s| s.hit(&entry.path)).peekable();
            if hits.peek().is_none() {
                continue;
            }
            let read = hits.any(|below| exclude.as_ref().is_none_or(|e| !e.is_excluded(below)));
            if read && out.steps[i].last() != Some(&step) {
                out.steps[i].push(step);
            }
            if !out.sent[i] {
                out.sent[i] = true;
                above.extend(ancestors(&entry.path));
            }
        }
    }
    for (entry, sent) in entries.iter().zip(&mut out.sent) {
        *sent |= out.whole.is_some() || above.contains(entry.path.as_slice());
    }
    out
}

fn inputs<'a>(plan: &'a Plan) -> impl Iterator<Item = (StepId, &'a ContextInput)> {
    plan.order.iter().flat_map(|node| {
        let step = &plan.graph[*node];
        let of = move |input: &'a Input| match input {
            Input::Context(c) => Some((step.id, c)),
            _ => None,
        };
        step.inputs.iter().filter_map(of)
    })
}

/// A source with where its links lead.
struct Source {
    pattern: SourcePattern,
    /// Ends of the links on the way to what the source names or matches.
    targets: Vec<SourcePattern>,
    /// Those links.
    passed: FxHashSet<Vec<u8>>,
}

impl Source {
    /// The part of the path below the node that the source selects, if it does.
    fn hit<'p>(&self, path: &'p [u8]) -> Option<&'p [u8]> {
        let selected = |s: &SourcePattern| s.select(path).map(|f| f.relative);
        let direct = selected(&self.pattern);
        let direct = direct.or_else(|| self.targets.iter().find_map(selected));
        direct.or_else(|| self.passed.contains(path).then_some(&[]))
    }
}

fn sources(
    input: &ContextInput,
    entries: &[ContextEntry],
    links: &FxHashMap<&[u8], &[u8]>,
) -> Vec<Source> {
    let one = |text: &String| {
        let pattern = SourcePattern::lenient(text);
        let (mut targets, mut passed) = (Vec::new(), FxHashSet::default());
        if !links.is_empty() {
            let mut nodes: FxHashSet<&[u8]> = FxHashSet::default();
            match pattern.kind() {
                SourceKind::Root => {}
                SourceKind::Plain(path) => {
                    nodes.insert(path.as_bytes());
                }
                SourceKind::Wildcard { .. } => {
                    let links = entries.iter().filter(|e| e.kind == EntryKind::Symlink);
                    let matched = links.filter_map(|e| pattern.select(&e.path));
                    nodes.extend(matched.map(|s| s.matched));
                }
            }
            for node in nodes {
                if let Some(end) = follow(node, links, &mut passed) {
                    targets.push(SourcePattern::literal(&end));
                }
            }
        }
        Source {
            pattern,
            targets,
            passed,
        }
    };
    input.sources.iter().map(one).collect()
}

/// Where a path ends when every link on it is resolved inside the context; `None` when it has no
/// link, leads in circles, or has names that are no text (no build gets that far).
fn follow(
    path: &[u8],
    links: &FxHashMap<&[u8], &[u8]>,
    passed: &mut FxHashSet<Vec<u8>>,
) -> Option<String> {
    let mut path = String::from_utf8(path.to_vec()).ok()?;
    for hops in 0..MAX_LINKS {
        let whole = path.clone();
        let found = ancestors(whole.as_bytes())
            .chain([whole.as_bytes()])
            .find_map(|p| Some((p.len(), *links.get(p)?)));
        let Some((at, target)) = found else {
            return (hops > 0).then_some(path);
        };
        let target = std::str::from_utf8(target).ok()?;
        let (link, rest) = (path.get(..at)?, path.get(at..)?);
        let dir = link.rsplit_once('/').map_or("", |(d, _)| d);
        let joined = match target.strip_prefix('/') {
            Some(target) => format!("/{target}{rest}"),
            None => format!("/{dir}/{target}{rest}"),
        };
        passed.insert(link.as_bytes().to_vec());
        path = clean(&joined)[1..].to_owned();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dockerfile::parse;
    use crate::plan::{BuildOptions, lower};
    use crate::source::SourceFile;

    /// `path` or `link -> target`; what is read by which steps, and what is sent, as text.
    fn table(dockerfile: &str, target: Option<&str>, paths: &[&str]) -> Vec<String> {
        let parsed = parse(&SourceFile::new("Dockerfile", dockerfile));
        let options = BuildOptions {
            target: target.map(str::to_owned),
            ..BuildOptions::default()
        };
        let plan = lower(&parsed.tree, &options);
        let entry = |text: &&str| {
            let (path, target) = match text.split_once(" -> ") {
                Some((path, target)) => (path, Some(target.as_bytes().to_vec())),
                None => (*text, None),
            };
            ContextEntry {
                path: path.trim_end_matches('/').as_bytes().to_vec(),
                kind: match &target {
                    Some(_) => EntryKind::Symlink,
                    None if path.ends_with('/') => EntryKind::Directory,
                    None => EntryKind::File,
                },
                mode: 0o644,
                size: 1,
                digest: None,
                link_target: target,
                emptied: false,
            }
        };
        let entries: Vec<ContextEntry> = paths.iter().map(entry).collect();
        let reads = reads(&plan, &entries);
        let line = |i: usize| {
            let steps: Vec<String> = reads.steps[i].iter().map(ToString::to_string).collect();
            let sent = if reads.sent[i] { "sent" } else { "-" };
            format!("{} {sent} {}", paths[i], steps.join(" "))
        };
        (0..paths.len())
            .map(|i| line(i).trim_end().to_owned())
            .collect()
    }

    #[test]
    fn only_what_reachable_steps_name_is_sent() {
        let file = "FROM a AS x\nCOPY a/b /\nFROM a AS y\nCOPY c /\nRUN --mount=type=bind,source=d,target=/d true\n";
        let paths = ["a/", "a/b", "a/c", "c", "d/", "d/e", "f"];
        assert_eq!(
            table(file, None, &paths),
            [
                "a/ -",
                "a/b -",
                "a/c -",
                "c sent 1.1",
                "d/ sent 1.2",
                "d/e sent 1.2",
                "f -"
            ]
        );
        assert_eq!(
            table(file, Some("x"), &paths)[..3],
            ["a/ sent", "a/b sent 0.1", "a/c -"]
        );
    }

    #[test]
    fn excluded_files_are_sent_and_not_read() {
        let file = "FROM a\nCOPY --exclude=*.md s /\n";
        assert_eq!(
            table(file, None, &["s/", "s/a.md", "s/b"]),
            ["s/ sent 0.1", "s/a.md sent", "s/b sent 0.1"]
        );
    }

    #[test]
    fn links_are_followed_to_what_they_name() {
        let file = "FROM a\nCOPY l/x w*/ /y/\n";
        let paths = [
            "d/", "d/x", "d/z", "l -> d", "m/", "m/f", "n", "w1 -> m", "w2 -> w2", "w3 -> /n",
        ];
        assert_eq!(
            table(file, None, &paths),
            [
                "d/ sent",
                "d/x sent 0.1",
                "d/z -",
                "l -> d sent 0.1",
                "m/ sent 0.1",
                "m/f sent 0.1",
                "n sent 0.1",
                "w1 -> m sent 0.1",
                "w2 -> w2 sent 0.1",
                "w3 -> /n sent 0.1"
            ]
        );
    }

    #[test]
    fn the_root_sends_everything() {
        let file = "FROM a\nCOPY --exclude=b . /\n";
        assert_eq!(table(file, None, &["a", "b"]), ["a sent 0.1", "b sent"]);
        assert_eq!(table("FROM a\nRUN x\n", None, &["a"]), ["a -"]);
    }
}
