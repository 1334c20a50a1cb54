//! What findings cost over a history, and how bad that makes them.
//!
//! Goes in: findings that ask, and a replay. Comes out: the same findings with builds and seconds, and with the severity that those speak for. Costs
//! one pass over the builds for each finding that asks. Invariant: an error stays one; a severity that users set is set after this.

use super::{Ask, Finding};
use crate::diagnostic::Severity;
use crate::history::PathId;
use crate::plan::{Plan, StepKind};
use crate::simulate::{BuildOutcome, Outcome, Verdict};

/// A replay of one Dockerfile, the same in every build.
pub struct Replay<'a> {
    /// Its plan.
    pub plan: &'a Plan,
    /// Its number among those of the replay; builds of other versions are left out.
    pub version: usize,
    /// What happened.
    pub outcome: &'a Outcome,
    /// What steps cost, in the plan's order.
    pub cold: Vec<f64>,
    /// What they cost where an earlier build filled their cache mounts.
    pub warm: Vec<f64>,
    /// Mean seconds of work a build, for the share that a finding has in it.
    pub work_s_per_build: f64,
    /// Builds counted.
    pub builds: usize,
    /// A changed path relative to the context.
    pub path: &'a dyn Fn(PathId) -> String,
}

/// From this share of a build's work on a finding is a warning.
const MUCH: f64 = 0.05;
/// Or from so many seconds a build on.
const MUCH_S: f64 = 5.0;
/// Below this share it is a note.
const LITTLE: f64 = 0.005;
/// From so many bytes on a finding is a warning.
const MUCH_BYTES: u64 = 20_000_000;
/// Below so many it is a note.
const LITTLE_BYTES: u64 = 1_000_000;

/// Adds what the replay knows.
pub fn measure(findings: &mut [Finding], replay: &Replay<'_>) {
    for finding in findings.iter_mut() {
        let found = match &finding.ask {
            Ask::Nothing | Ask::Varies(_) => None,
            Ask::Runs(at) => replay.runs(*at),
            Ask::Behind { by, pays, reads } => {
                replay.behind(*by, pays, &|c| !replay.touches(c, reads))
            }
            Ask::Git(at) => replay.behind(*at, &[], &|c| c.git && c.paths.is_empty()),
        };
        if let Some((builds, seconds)) = found {
            note(finding, builds, seconds, replay);
        }
    }
}

/// Sets builds and seconds of one finding.
pub fn note(finding: &mut Finding, builds: usize, seconds: f64, replay: &Replay<'_>) {
    finding.evidence.builds = Some(builds);
    finding.evidence.seconds = Some(seconds);
    if finding.severity == Severity::Error || replay.builds == 0 {
        return;
    }
    let a_build = seconds / replay.builds as f64;
    let share = match replay.work_s_per_build > 0.0 {
        true => a_build / replay.work_s_per_build,
        false => 0.0,
    };
    if share >= MUCH || a_build >= MUCH_S {
        finding.severity = Severity::Warning;
    } else if share < LITTLE {
        finding.severity = Severity::Note;
    }
}

/// The severity that a size speaks for, where nothing else is measured.
#[must_use]
pub fn by_bytes(bytes: u64, otherwise: Severity) -> Severity {
    match bytes {
        n if n >= MUCH_BYTES => Severity::Warning,
        n if n < LITTLE_BYTES => Severity::Note,
        _ => otherwise,
    }
}

impl Replay<'_> {
    /// Places of an instruction's steps in the plan's order: more than one where triggers repeat it.
    fn positions(&self, instruction: usize) -> Vec<usize> {
        let order = self.plan.order.iter().enumerate();
        let of = order.filter(|(_, n)| self.plan.graph[**n].instruction == instruction);
        of.map(|(position, _)| position).collect()
    }

    fn seconds(&self, build: &BuildOutcome, position: usize) -> f64 {
        let step = &self.plan.graph[self.plan.order[position]];
        match step.kind {
            StepKind::From => 0.0,
            _ => build.takes(position, &self.cold, &self.warm),
        }
    }

    fn builds(&self) -> impl Iterator<Item = &BuildOutcome> {
        let builds = self.outcome.counted().map(|i| &self.outcome.builds[i]);
        builds.filter(|b| b.plan == Some(self.version))
    }

    fn runs(&self, instruction: usize) -> Option<(usize, f64)> {
        let positions = self.positions(instruction);
        if positions.is_empty() {
            return None;
        }
        let (mut builds, mut seconds) = (0, 0.0);
        for build in self.builds() {
            let ran = |p: &&usize| build.verdicts[**p] == Verdict::Executed && build.is_first(**p);
            let ran: Vec<&usize> = positions.iter().filter(ran).collect();
            builds += usize::from(!ran.is_empty());
            seconds += ran
                .into_iter()
                .map(|p| self.seconds(build, *p))
                .sum::<f64>();
        }
        Some((builds, seconds))
    }

    /// Whether something that was changed is among what is looked at.
    fn touches(&self, cause: &crate::simulate::Cause, reads: &[String]) -> bool {
        let is_read = |path: &str| {
            reads.iter().any(|r| match r.strip_suffix('/') {
                Some(dir) => path == dir || crate::footprint::is_below(path, dir),
                None => path == r,
            })
        };
        let mut paths = cause.paths.iter();
        !reads.is_empty() && paths.any(|p| is_read(&(self.path)(*p)))
            || cause.git && is_read(".git")
    }

    /// Steps that ran since another ran of itself, for causes that `counts`; with nobody named to pay, that one pays too, and all others.
    fn behind(
        &self,
        by: usize,
        pays: &[usize],
        counts: &dyn Fn(&crate::simulate::Cause) -> bool,
    ) -> Option<(usize, f64)> {
        let by = self.positions(by);
        let pays: Vec<usize> = pays.iter().flat_map(|p| self.positions(*p)).collect();
        if by.is_empty() {
            return None;
        }
        let (mut builds, mut seconds) = (0, 0.0);
        for build in self.builds() {
            let mut ran = 0.0;
            for (position, verdict) in build.verdicts.iter().enumerate() {
                let asked = pays.is_empty() || pays.contains(&position);
                let runs = *verdict == Verdict::Executed && build.is_first(position);
                if asked
                    && runs
                    && build
                        .root(position)
                        .is_some_and(|c| by.contains(&c.step) && counts(c))
                {
                    ran += self.seconds(build, position);
                }
            }
            builds += usize::from(ran > 0.0);
            seconds += ran;
        }
        Some((builds, seconds))
    }
}
