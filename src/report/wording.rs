//! The sentences that the text and the Markdown report share.
//!
//! Goes in: rows of the document. Comes out: plain sentences about figures, and the parts of names.
//! Nothing here is escaped: figures cannot hold anything harmful, and the caller escapes the parts
//! that come from the repository. Invariant: a sentence claims no more than the fields say.

use super::model::{
    Analysis, BaseComparison, Baseline, DiagnosticRow, FailedTarget, History, PlanRow, StepRow,
    Target, TargetReport,
};
use super::number::{bytes, count, percent, seconds};
use crate::optimize::{is_noticeable, slight};

/// Difference in seconds that is rounding, not a saving.
const SAME_S: f64 = 1e-6;

/// Mean seconds a build spends in a step, builds in doubt counted as running.
#[must_use]
pub fn per_build(s: &StepRow) -> f64 {
    s.work_s_per_build
}

/// Whether cache mounts make a step cheaper than its cost says.
#[must_use]
pub fn is_warm(s: &StepRow) -> bool {
    s.work_s_per_build < s.rate * s.cost_s * 0.99
}

/// The steps worth a row, at most `most`, as ascending indices, and the other steps that run. A
/// third of the rows is for those whose own changes make most work, since they explain the others;
/// the rest for the dearest.
#[must_use]
pub fn worth_showing(steps: &[StepRow], most: usize) -> (Vec<usize>, Vec<usize>) {
    let runs = |i: &usize| steps[*i].executed + steps[*i].maybe > 0;
    let mut all: Vec<usize> = (0..steps.len()).filter(runs).collect();
    all.sort_by(|a, b| {
        let caused = |i: &usize| steps[*i].caused_s_per_build;
        let by_cause = caused(b).total_cmp(&caused(a));
        let by_runs = steps[*b].direct.cmp(&steps[*a].direct);
        by_cause.then(by_runs).then(a.cmp(b))
    });
    let causes = all
        .iter()
        .take(most / 3)
        .filter(|i| steps[**i].direct > 0)
        .count();
    all[causes..].sort_by(|a, b| {
        let cost = per_build(&steps[*b]).total_cmp(&per_build(&steps[*a]));
        cost.then(a.cmp(b))
    });
    let rest = all.split_off(all.len().min(most));
    all.sort_unstable();
    (all, rest)
}

/// A step's stage and instruction, from the builder's name for it: `[stage i/n] TEXT`. The stage is
/// empty when the build has only one.
#[must_use]
pub fn stage_and_instruction(name: &str) -> (&str, &str) {
    let parts = name.strip_prefix('[').and_then(|n| n.split_once("] "));
    let Some((head, text)) = parts else {
        return ("", name);
    };
    let (stage, position) = head.rsplit_once(' ').unwrap_or(("", head));
    let counted = position.split_once('/').is_some_and(|(i, n)| {
        [i, n]
            .iter()
            .all(|d| !d.is_empty() && d.bytes().all(|b| b.is_ascii_digit()))
    });
    if counted {
        (stage.trim_end(), text)
    } else {
        ("", name)
    }
}

/// An instruction without its mounts, which would hide what it does where it is cut.
#[must_use]
pub fn without_mounts(text: &str) -> String {
    let Some(behind) = text.strip_prefix("RUN ") else {
        return text.to_owned();
    };
    let (mut rest, mut mounts) = (behind.trim_start(), false);
    while rest.starts_with("--mount=") {
        mounts = true;
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        rest = rest[end..].trim_start();
    }
    match mounts && !rest.is_empty() {
        true => format!("RUN … {rest}"),
        false => text.to_owned(),
    }
}

/// The first ten digits of a commit; anything else as it is.
#[must_use]
pub fn short_commit(commit: &str) -> &str {
    let whole = commit.len() >= 40 && commit.bytes().all(|b| b.is_ascii_hexdigit());
    if whole { &commit[..10] } else { commit }
}

/// Analysed targets and failed ones, each in the document's order.
#[must_use]
pub fn split(a: &Analysis) -> (Vec<&TargetReport>, Vec<&FailedTarget>) {
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    for target in &a.targets {
        match target {
            Target::Done(t) => done.push(&**t),
            Target::Failed(f) => failed.push(f),
        }
    }
    (done, failed)
}

/// Whether another target has the same Dockerfile and stage, so that only its origin tells them apart.
#[must_use]
pub fn is_ambiguous(t: &TargetReport, all: &[&TargetReport]) -> bool {
    let same = |o: &&&TargetReport| o.file == t.file && o.target == t.target;
    all.iter().filter(same).count() > 1
}

/// Seconds a build that the best plan of a target saves.
fn saved(t: &TargetReport) -> f64 {
    let worth = |p: &&PlanRow| not_worth(&t.baseline, p).is_none();
    best(&t.plans).filter(worth).map_or(0.0, |p| {
        let m = measure(&t.baseline, p);
        m.before - m.after
    })
}

/// The target where most is to be saved first; among equals the dearest, then as they come.
#[must_use]
pub fn dearest<'a>(done: &[&'a TargetReport]) -> Vec<&'a TargetReport> {
    let mut list = done.to_vec();
    list.sort_by(|a, b| {
        let cost = |t: &TargetReport| t.baseline.work_s_per_build;
        let by_saving = saved(b).total_cmp(&saved(a));
        by_saving.then(cost(b).total_cmp(&cost(a)))
    });
    list
}

/// The cache policy, where it is not the default.
#[must_use]
pub fn under(policy: &str) -> String {
    match policy {
        "local" => String::new(),
        other => format!(", cache policy {other}"),
    }
}

/// How many builds were replayed and what was left out. Without the commits' names.
#[must_use]
pub fn history(h: &History) -> String {
    if h.builds == 0 {
        return format!("No build to count in {}", count(h.commits, "commit"));
    }
    let mut out = format!(
        "{} replayed, {} of them rebuild{} something",
        count(h.builds, "build"),
        h.builds_with_any_change,
        if h.builds_with_any_change == 1 {
            "s"
        } else {
            ""
        },
    );
    if h.refused > 0 {
        out.push_str(&format!(
            ", {} more that the builder would refuse",
            h.refused
        ));
    }
    if h.skipped > 0 {
        out.push_str(&format!(
            ", {} skipped for lack of the Dockerfile",
            count(h.skipped, "commit")
        ));
    }
    out.push_str(&under(&h.policy));
    out
}

/// What a build costs.
#[must_use]
pub fn cost(b: &Baseline) -> String {
    let least = seconds(b.work_s_per_build_min);
    let doubt = if least != seconds(b.work_s_per_build) {
        format!(" ({least} if every step in doubt is cached)")
    } else {
        String::new()
    };
    format!(
        "A build costs {} of work on average{doubt}, its longest chain of steps {}; from an empty cache {}.",
        seconds(b.work_s_per_build),
        seconds(b.critical_path_s_per_build),
        seconds(b.cold_s),
    )
}

/// Where the seconds come from, and in which lines they are priors where not in all; empty without steps.
#[must_use]
pub fn cost_source(steps: &[StepRow]) -> String {
    let of = |source: &str| steps.iter().filter(|s| s.cost_source == source).count();
    let (measured, learned, n) = (of("measured"), of("learned"), steps.len());
    let mut lines: Vec<u32> = steps
        .iter()
        .filter(|s| s.cost_source == "prior")
        .map(|s| s.line)
        .collect();
    lines.sort_unstable();
    lines.dedup();
    let numbers: Vec<String> = lines.iter().map(u32::to_string).collect();
    let word = if lines.len() == 1 { "line" } else { "lines" };
    let prior = format!("prior ({word} {})", numbers.join(", "));
    if n == 0 {
        String::new()
    } else if measured == n {
        "Seconds are measured.".to_owned()
    } else if measured + learned == 0 {
        "Seconds are priors, measured on other projects: see --costs.".to_owned()
    } else {
        let kinds = [
            (measured, "measured"),
            (learned, "learned"),
            (n - measured - learned, prior.as_str()),
        ];
        let kinds: Vec<String> = kinds
            .iter()
            .filter(|(k, _)| *k > 0)
            .map(|(k, word)| format!("{k} {word}"))
            .collect();
        format!("Seconds of {}: {}.", count(n, "step"), kinds.join(", "))
    }
}

/// Figures by which a plan was chosen.
pub struct Measure {
    /// ` of work` or ` on the longest chain`; follows a duration.
    pub unit: &'static str,
    /// Seconds a build before.
    pub before: f64,
    /// Seconds a build after.
    pub after: f64,
}

/// The document does not name the objective, but the saving is of one of two figures.
#[must_use]
pub fn measure(base: &Baseline, plan: &PlanRow) -> Measure {
    let saved = |before: f64, after: f64| {
        if before > 0.0 {
            1.0 - after / before
        } else {
            0.0
        }
    };
    let work = Measure {
        unit: "",
        before: base.work_s_per_build,
        after: plan.work_s_per_build,
    };
    let chain = Measure {
        unit: " on the longest chain",
        before: base.critical_path_s_per_build,
        after: plan.critical_path_s_per_build,
    };
    let off = |m: &Measure| (saved(m.before, m.after) - plan.saving).abs();
    // The margin keeps equal figures with the default objective.
    if off(&chain) + 1e-6 < off(&work) {
        chain
    } else {
        work
    }
}

/// The plan that saves most, the strongest safety class first among equals.
#[must_use]
pub fn best(plans: &[PlanRow]) -> Option<&PlanRow> {
    let mut best = plans.first()?;
    for plan in plans {
        if plan.saving > best.saving + 1e-9 {
            best = plan;
        }
    }
    Some(best)
}

/// From so many builds on nothing is said of how few they are.
const FEW: usize = 30;

/// What is to be said where few builds count.
#[must_use]
pub fn few(h: &History) -> Option<String> {
    let some = (1..FEW).contains(&h.builds);
    some.then(|| {
        format!(
            "Only {}: too few to lean on; --history looks further back, --dockerfile-from each takes each commit's own Dockerfile.",
            count(h.builds, "build")
        )
    })
}

/// What a plan is called that saves next to nothing; none for one that saves something.
#[must_use]
pub fn not_worth(base: &Baseline, plan: &PlanRow) -> Option<String> {
    let m = measure(base, plan);
    let saved = m.before - m.after;
    (saved < LEAST_S && plan.saving < LEAST_SHARE).then(|| {
        format!(
            "Nothing worth a change: the best plan saves {} of {} a build ({}); `cacheplan optimize` prints it.",
            seconds(saved),
            seconds(m.before),
            percent(plan.saving)
        )
    })
}

/// A plan that saves less of both is not worth an edit.
const LEAST_S: f64 = 0.5;
const LEAST_SHARE: f64 = 0.02;

/// What a plan without edits means.
#[must_use]
pub fn nothing(base: &Baseline, plan: &PlanRow) -> String {
    let m = measure(base, plan);
    let gap = (m.before - plan.bound_s).max(0.0);
    let bound = seconds(plan.bound_s);
    if m.before <= SAME_S {
        "Nothing to do: none of these builds runs a step again; --history looks further back."
            .to_owned()
    } else if gap <= SAME_S && plan.allowed == "proven" {
        format!(
            "Nothing to do at proven: no other order that is proven costs less (bound {bound}); --safety assumed allows more."
        )
    } else if gap <= SAME_S {
        format!(
            "Nothing to do: this is optimal; no order or allowed rewrite can cost less (bound {bound})."
        )
    } else if plan.optimal && gap < slight(m.before) {
        format!(
            "Nothing to do: no other order costs less, and rewrites could save no more than {} a build (bound {bound}).",
            seconds(gap)
        )
    } else if plan.optimal {
        format!(
            "Nothing better found: no other order costs less, rewrites could save at most {} a build (bound {bound}).",
            seconds(gap)
        )
    } else {
        format!(
            "Nothing better found; at most {} a build could be saved (bound {bound}).",
            seconds(gap)
        )
    }
}

/// What a plan with edits saves.
#[must_use]
pub fn saves(base: &Baseline, plan: &PlanRow) -> String {
    let m = measure(base, plan);
    let held_out = plan.held_out_saving.map_or_else(String::new, |h| {
        format!(" ({} on builds it was not chosen on)", percent(h))
    });
    let gap = m.after - plan.bound_s;
    let limit = if gap <= SAME_S {
        "no order or allowed rewrite can do better (bound)".to_owned()
    } else if seconds(m.after) == seconds(plan.bound_s) {
        format!(
            "no plan can save more than another {} (bound)",
            seconds(gap)
        )
    } else {
        format!(
            "no plan can do better than {} (bound)",
            seconds(plan.bound_s)
        )
    };
    format!(
        "{}{} per build instead of {}: saves {}{held_out}; {limit}{}",
        seconds(m.after),
        m.unit,
        seconds(m.before),
        percent(plan.saving),
        image(base, plan),
    )
}

/// What a plan does to the size of the image, where an estimate can tell; empty otherwise.
#[must_use]
pub fn image(base: &Baseline, plan: &PlanRow) -> String {
    let (Some(before), Some(after)) = (base.image_bytes_estimate, plan.image_bytes_estimate) else {
        return String::new();
    };
    let differs = before.abs_diff(after);
    if !is_noticeable(differs, before) {
        return String::new();
    }
    let word = if after < before { "smaller" } else { "larger" };
    format!("; the image is about {} {word} (estimate)", bytes(differs))
}

/// What a safety class asks of the reader.
#[must_use]
pub fn safety(class: &str) -> &'static str {
    match class {
        "proven" => "the image stays the same",
        "assumed" => "the image stays the same if the assumptions hold",
        _ => "read it before you apply it",
    }
}

/// `saves 24 % (95 % interval 20 .. 28 %)`, or what it costs more.
#[must_use]
pub fn change(saving: f64, interval: [f64; 2]) -> String {
    let (verb, share, [lo, hi]) = if saving < 0.0 {
        ("costs", -saving, [-interval[1], -interval[0]])
    } else {
        ("saves", saving, interval)
    };
    let more = if saving < 0.0 { " more" } else { "" };
    format!("{verb} {}{more} ({})", percent(share), range([lo, hi]))
}

/// `95 % interval 20 .. 28 %`.
#[must_use]
pub fn range(interval: [f64; 2]) -> String {
    let [lo, hi] = interval.map(percent);
    let lo = lo.strip_suffix(" %").unwrap_or(&lo);
    format!("95 % interval {lo} .. {hi}")
}

/// The present Dockerfile against the base's, over the builds that both can make.
#[must_use]
pub fn against(base: &BaseComparison) -> String {
    format!(
        "{} -> {} per build, {}",
        seconds(base.baseline.work_s_per_build),
        seconds(base.work_s_per_build),
        change(base.saving, base.interval),
    )
}

/// `file:line:col`, as far as known.
#[must_use]
pub fn place(d: &DiagnosticRow, file: &str) -> String {
    let mut out = d.file.as_deref().unwrap_or(file).to_owned();
    for n in [d.line, d.line.and(d.column)].into_iter().flatten() {
        out.push_str(&format!(":{n}"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builder_names_come_apart() {
        let cases = [
            ("[build  3/12] RUN x", ("build", "RUN x")),
            ("[ 3/12] RUN [a] b", ("", "RUN [a] b")),
            ("[2/2] COPY . .", ("", "COPY . .")),
            ("[internal] load", ("", "[internal] load")),
            ("RUN x", ("", "RUN x")),
        ];
        for (name, parts) in cases {
            assert_eq!(stage_and_instruction(name), parts);
        }
    }

    #[test]
    fn a_dearer_change_says_so() {
        assert_eq!(
            change(0.24, [0.2, 0.28]),
            "saves 24 % (95 % interval 20 .. 28 %)"
        );
        assert_eq!(
            change(-0.3, [-0.4, -0.1]),
            "costs 30 % more (95 % interval 10 .. 40 %)"
        );
    }
}
