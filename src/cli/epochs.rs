//! The Dockerfile and the ignore rules of every build of a replay.
//!
//! Goes in: a subject and the builds. Comes out: the distinct pairs of Dockerfile and ignore file as plans,
//! and which build has which. Cost with each commit's own: three look-ups in trees per build, one parse per
//! distinct pair. Invariant: files are found as the builder's client finds them ([`Follower`]).

use super::build_file;
use super::history_notes;
use super::subject::{Place, Subject};
use super::timeline::Builds;
use super::worktree;
use crate::context::ignore_file_candidates;
use crate::diagnostic::{Diagnostic, Severity};
use crate::dockerfile;
use crate::history::{EntryKind, Followed, Follower, WORK_TREE};

use crate::pattern::IgnoreRules;
use crate::plan::{self, Plan};
use crate::simulate::{Selection, selections_of};
use crate::source::SourceFile;
use anyhow::{Result, bail};
use std::collections::BTreeMap;

/// Plans over time.
#[derive(Default)]
pub struct Epochs {
    /// Distinct Dockerfiles with their ignore rules, in order of first use.
    pub plans: Vec<Plan>,
    /// Distinct ignore rules.
    pub rules: Vec<IgnoreRules>,
    /// Which of them each plan has.
    pub plan_rules: Vec<usize>,
    /// The plan of each build; none where the commit has no Dockerfile.
    pub timeline: Vec<Option<usize>>,
    /// Base images that changed before a build, beside those of `--base-change`.
    pub new_bases: Vec<(String, u32)>,
    /// What there is to say.
    pub notes: Vec<Diagnostic>,
}

impl Epochs {
    /// Today's files for all builds.
    #[must_use]
    pub fn frozen(subject: &Subject, builds: usize) -> Self {
        Self {
            plans: vec![subject.plan.clone()],
            rules: vec![subject.rules.clone()],
            plan_rules: vec![0],
            timeline: vec![Some(0); builds],
            new_bases: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// What each plan's steps take from the context.
    #[must_use]
    pub fn selections(&self) -> Vec<Vec<Vec<Selection>>> {
        let pairs = self.plans.iter().zip(&self.plan_rules);
        pairs.map(|(p, r)| selections_of(p, *r)).collect()
    }
}

/// A file that decides about a build: the folder the client takes it from, and its path in there.
struct Wanted {
    root: String,
    name: String,
}

impl Wanted {
    fn beside(file: &str) -> Self {
        let (root, name) = file.rsplit_once('/').unwrap_or(("", file));
        Self {
            root: root.to_owned(),
            name: name.to_owned(),
        }
    }

    fn full(&self) -> String {
        match self.root.as_str() {
            "" => self.name.clone(),
            root => format!("{root}/{}", self.name),
        }
    }
}

/// Each commit's own Dockerfile and ignore file.
///
/// # Errors
/// When one of them can't be read from the repository, or no commit has the Dockerfile.
pub fn each(place: &Place, builds: &Builds, subject: &Subject) -> Result<Epochs> {
    let repository = place.repository()?;
    let file = place.shown(&subject.target.file);
    let context = subject.context_prefix.as_str();
    let ignore_files = ignore_file_candidates(Some(&file), context, subject.ignore_lookup);
    let ignore_file = |path: &String| {
        let inside = path
            .strip_prefix(context)
            .map(|p| p.trim_start_matches('/'));
        match inside.filter(|name| !name.contains('/') && name.starts_with('.')) {
            Some(name) => Wanted {
                root: context.to_owned(),
                name: name.to_owned(),
            },
            None => Wanted::beside(path),
        }
    };
    let wanted: Vec<Wanted> = std::iter::once(Wanted::beside(&file))
        .chain(ignore_files.iter().map(ignore_file))
        .collect();
    let names: Vec<String> = wanted.iter().map(Wanted::full).collect();
    let ids: Vec<_> = names
        .iter()
        .map(|n| builds.log.paths.get(n.as_bytes()))
        .collect();
    let mut reader = Follower::new(repository);
    let mut texts: Vec<Option<Vec<u8>>> = vec![None; wanted.len()];
    // What a link leads to can change without the link; anything else changes with its path or with a link.
    let mut linked = false;
    let mut odd = Vec::new();
    let mut known: BTreeMap<(Vec<u8>, Vec<u8>), usize> = BTreeMap::new();
    let mut known_rules: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
    let mut epochs = Epochs::default();
    for (i, commit) in builds.log.commits.iter().enumerate() {
        let touched = builds.log.changes(i).iter().any(|c| {
            let mut sides = [c.old, c.new].into_iter().flatten();
            ids.contains(&Some(c.path)) || sides.any(|e| e.kind == EntryKind::Symlink)
        });
        if commit.id == WORK_TREE {
            let top = worktree::root(place)?;
            for (n, wanted) in wanted.iter().enumerate() {
                let root = top.join(&wanted.root).display().to_string();
                texts[n] = build_file::read(place, &root, &wanted.name).bytes();
            }
        } else if touched || linked || i == 0 {
            linked = false;
            for (n, wanted) in wanted.iter().enumerate() {
                let (root, name) = (wanted.root.as_bytes(), wanted.name.as_bytes());
                let found = reader.find(commit.id, root, name)?;
                linked |= found.linked;
                let entry = match found.what {
                    Followed::File(entry) => Some(entry),
                    Followed::Folder | Followed::Nothing => None,
                };
                if n == 0 && entry.is_none() && (found.linked || found.what == Followed::Folder) {
                    odd.push(i);
                }
                texts[n] = match entry {
                    Some(entry) => Some(reader.read_checked_out(commit.id, &found.path, entry)?),
                    None => None,
                };
            }
        }
        let Some((Some(dockerfile), ignores)) = texts.split_first() else {
            epochs.timeline.push(None);
            continue;
        };
        let ignore = ignores.iter().flatten().next();
        let key = (dockerfile.clone(), ignore.cloned().unwrap_or_default());
        let next = epochs.plans.len();
        let index = *known.entry(key.clone()).or_insert(next);
        if index == next {
            add(&mut epochs, &mut known_rules, subject, &names, key);
        }
        epochs.timeline.push(Some(index));
    }
    if let Some(first) = odd.first() {
        let message = format!(
            "in {} of the commits, {} the first of them, {file} is a folder or a link that leads to no file of its folder: the builder refuses such a build, and it is skipped",
            odd.len(),
            builds.log.commits[*first].id,
        );
        let d = Diagnostic::whole(Severity::Warning, "history/dockerfile-link", message);
        epochs.notes.push(d);
    }
    let start = epochs.timeline.iter().position(Option::is_some);
    match start {
        None => match epochs.notes.first() {
            Some(note) => bail!("no commit of the range has {file}: {}", note.message),
            None => bail!("no commit of the range has {file}"),
        },
        Some(0) => {}
        Some(start) => {
            let note = history_notes::renamed(&mut reader, builds, file.as_bytes(), start);
            epochs.notes.extend(note);
        }
    }
    Ok(epochs)
}

fn add(
    epochs: &mut Epochs,
    known_rules: &mut BTreeMap<Vec<u8>, usize>,
    subject: &Subject,
    names: &[String],
    texts: (Vec<u8>, Vec<u8>),
) {
    let source = SourceFile::new(names[0].clone(), texts.0);
    let parsed = dockerfile::parse(&source);
    let mut plan = plan::lower(&parsed.tree, &subject.options);
    plan.diagnostics.extend(parsed.diagnostics);
    let (set, found) = IgnoreRules::parse(&SourceFile::new(
        names[names.len() - 1].clone(),
        texts.1.clone(),
    ));
    plan.diagnostics.extend(found);
    let next = epochs.rules.len();
    let rules = *known_rules.entry(texts.1).or_insert(next);
    if rules == next {
        epochs.rules.push(set);
    }
    epochs.plan_rules.push(rules);
    epochs.plans.push(plan);
}
