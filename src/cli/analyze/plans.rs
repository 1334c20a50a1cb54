//! The search for plans, and plans as the document has them.

use crate::cli::archives::archives;
use crate::cli::args::{HistoryFlags, SearchFlags};
use crate::cli::clock::{Jobs, Watch};
use crate::cli::epochs::Epochs;
use crate::cli::ignore_place;
use crate::cli::subject::{Place, Subject};
use crate::cli::timeline::{Builds, Sizes, base_changes, dot_git, times};
use crate::cli::tip_files::TipFiles;
use crate::cost::CostTable;
use crate::optimize::{Advice, Evaluated, Judge, Setting, advise};
use crate::report::diff;
use crate::report::model::{EditRow, FileChange, PlanChanges, PlanRow, ProofRow};
use crate::report::place::{Extent, Replacement, joined};
use crate::simulate::Context;
use crate::source::{Edit, SourceFile};
use anyhow::Result;

/// A baseline evaluated, its plans, and what they were judged by.
pub struct Searched {
    pub baseline: Evaluated,
    pub plans: Vec<Advice>,
    /// The class that plans might have.
    pub allowed: crate::rewrite::Safety,
    /// Other Dockerfiles may be built from the same context.
    pub shared: bool,
}

impl Searched {
    /// The plan that saves most, if any changes something.
    #[must_use]
    pub fn best(&self) -> Option<&Advice> {
        let changed = self.plans.iter().filter(|p| !p.edits.is_empty());
        changed.reduce(|a, b| if b.saving > a.saving + 1e-9 { b } else { a })
    }
}

/// Replays the Dockerfile as it is and searches for plans.
///
/// # Errors
/// When the repository can't be read.
pub fn search(
    place: &Place,
    flags: &HistoryFlags,
    search: &SearchFlags,
    builds: &Builds,
    subject: &Subject,
    costs: &CostTable,
) -> Result<Searched> {
    let changes = base_changes(place, builds, flags)?;
    let rules = [subject.rules.clone()];
    let today = Epochs::frozen(subject, builds.log.len());
    let archives = archives(place, builds, subject, &today)?;
    let mut files = TipFiles::new(place.repository()?, builds.tip, subject)?;
    files.holds_git &= dot_git(flags);
    let sizes = Sizes::new(place, builds, subject, flags.cache_policy)?;
    let rewrites: Vec<String> = search
        .rewrites
        .iter()
        .map(|r| r.name().to_owned())
        .collect();
    let setting = Setting {
        options: &subject.options,
        context: Context {
            log: &builds.log,
            prefix: subject.context_prefix.as_bytes(),
            rules: &rules,
            links: &builds.links,
            dot_git: dot_git(flags),
            umask: flags.umask,
            archives: &archives,
        },
        costs,
        policy: flags.cache_policy,
        seconds: &times(builds),
        copied: &|c| sizes.of(c),
        assume_reproducible: flags.assume_reproducible,
        base_changes: &changes,
        objective: search.objective.into(),
        safety: search.safety.into(),
        rewrites: &rewrites,
        files: &files,
        ignore: subject.ignore_text.as_ref(),
    };
    let mut judge = Judge::new(setting);
    let baseline = judge.evaluate(subject.source.clone());
    let plans = advise(&mut judge, &baseline);
    Ok(Searched {
        baseline,
        plans,
        allowed: search.safety.into(),
        shared: files.shared,
    })
}

/// Plans as the document has them.
#[must_use]
pub fn plan_rows(
    place: &Place,
    subject: &Subject,
    searched: &Searched,
    costs: &CostTable,
    jobs: Option<&Jobs>,
) -> Vec<PlanRow> {
    let source = &subject.source;
    let one = |p: &Advice| {
        let new = p.evaluated.source.bytes();
        let ignore =
            (!p.ignore.is_empty()).then(|| ignore_place::of(place, subject, searched.shared));
        let ignore = ignore.map(|at| {
            let after = ignore_place::with_own_line(place, subject, &at, &p.ignore);
            (at, after)
        });
        let mut change = diff::unified(source.bytes(), new, source.name());
        if let Some((at, after)) = &ignore {
            change.push_str(&diff::unified(&at.before, after, &place.shown(&at.file)));
        }
        let watch = Watch::of(&p.evaluated, costs);
        PlanRow {
            safety: p.safety.as_str(),
            work_s_per_build: p.evaluated.summary.work_s_per_build,
            critical_path_s_per_build: p.evaluated.summary.critical_path_s_per_build,
            wall_s_per_build: watch.wall_of_counted(),
            jobs: jobs.map(|j| watch.jobs(j)),
            cold_s: p.evaluated.summary.cold_s,
            image_bytes_estimate: Some(p.image_bytes),
            pushed_bytes_per_build: Some(p.pushed_bytes),
            saving: p.saving,
            held_out_saving: p.held_out_saving,
            bound_s: p.bound_s,
            optimal: p.optimal,
            edits: p.edits.iter().map(edit_row).collect(),
            assumptions: p.assumptions.clone(),
            certificate: p.proofs.iter().map(proof_row).collect(),
            dockerfile: String::from_utf8_lossy(new).into_owned(),
            dockerignore_file: ignore.as_ref().map(|(at, _)| place.shown(&at.file)),
            dockerignore: ignore
                .as_ref()
                .map(|(_, text)| String::from_utf8_lossy(text).into_owned()),
            diff: change,
            allowed: searched.allowed.as_str(),
            changes: changes_of(place, subject, new, ignore.as_ref()),
        }
    };
    searched.plans.iter().map(one).collect()
}

/// What a plan changes, for the formats of other programs; nothing where the Dockerfile is part of another file.
fn changes_of(
    place: &Place,
    subject: &Subject,
    new: &[u8],
    ignore: Option<&(ignore_place::IgnorePlace, Vec<u8>)>,
) -> PlanChanges {
    if subject.target.inline.is_some() {
        return PlanChanges::default();
    }
    let source = &subject.source;
    let own = diff::edits(source.bytes(), new);
    let at = own.first().map(|e| Extent::shown(source, e.span));
    let beside = ignore.map(|(at, after)| {
        let shown = place.shown(&at.file);
        let edits = diff::edits(&at.before, after);
        (SourceFile::new(shown, at.before.clone()), edits)
    });
    let joined = joined(source, &own).filter(|_| beside.is_none());
    let both = std::iter::once((source.clone(), own)).chain(beside);
    let one = |(source, edits): (SourceFile, Vec<Edit>)| {
        let edits = edits.iter().map(|e| Replacement::of(&source, e));
        Some(FileChange {
            edits: edits.collect::<Option<_>>()?,
            file: source.name().to_owned(),
        })
    };
    let files: Option<Vec<FileChange>> = both.filter(|(_, e)| !e.is_empty()).map(one).collect();
    PlanChanges {
        at,
        files: files.unwrap_or_default(),
        joined,
    }
}

fn proof_row(p: &crate::optimize::certificate::Proof) -> ProofRow {
    ProofRow {
        first: p.first,
        second: p.second,
        safety: p.safety.as_str(),
        because: p.because.clone(),
        assumptions: p.assumptions.clone(),
    }
}

fn edit_row(e: &crate::rewrite::EditNote) -> EditRow {
    EditRow {
        rewrite: e.rewrite,
        safety: e.safety.as_str(),
        line: e.line,
        end_line: e.end_line,
        why: e.why.clone(),
        assumptions: e.assumptions.clone(),
    }
}
