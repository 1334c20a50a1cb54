//! Relations between cache policies on random small plans and histories.
//!
//! Files have versions 0-2 at random over up to ten builds; up to three stages copy them, copy from each other (also with
//! `--link`) and run. Verdicts are ordered cached < maybe < executed.

use cacheplan::dockerfile;
use cacheplan::plan::{self, BuildOptions, Input, Plan};
use cacheplan::simulate::{
    CauseKind, Content, Facts, InputMatrix, Outcome, PlanModel, Policy, Selection, Size, Timeline,
    Verdict, replay_with,
};
use cacheplan::source::SourceFile;
use proptest::prelude::*;

const FILES: usize = 4;

/// One stage in numbers: what it stands on, and its instructions.
type Numbers = (u8, Vec<(u8, u8)>);

fn dockerfile_of(stages: &[Numbers]) -> String {
    let mut text = String::new();
    for (i, (base, steps)) in stages.iter().enumerate() {
        let base = match usize::from(*base) {
            b if b < i => format!("s{b}"),
            _ => "busybase".to_owned(),
        };
        text += &format!("FROM {base} AS s{i}\n");
        for (n, (kind, what)) in steps.iter().enumerate() {
            let file = usize::from(*what) % FILES;
            let from = usize::from(*what) % 3;
            text += &match kind % 5 {
                0 | 1 => format!("COPY f{file} /f{file}.{n}\n"),
                2 => format!("RUN step {what}.{n}\n"),
                3 if from < i => format!("COPY --from=s{from} /x /x{n}\n"),
                4 if from < i => format!("COPY --link --from=s{from} /x /x{n}\n"),
                _ => format!("COPY --link f{file} /l{n}\n"),
            };
        }
    }
    // The result needs every stage.
    text += "FROM busybase\n";
    for i in 0..stages.len() {
        text += &format!("COPY --from=s{i} /x /y{i}\n");
    }
    text
}

fn plan_of(text: &str) -> Plan {
    let source = SourceFile::new("Dockerfile".to_owned(), text.as_bytes().to_vec());
    let plan = plan::lower(&dockerfile::parse(&source).tree, &BuildOptions::default());
    assert!(!plan.has_errors(), "{text}");
    plan
}

/// The file whose version an input is.
fn file_of(input: &plan::ContextInput) -> usize {
    input.sources[0]
        .trim_start_matches('f')
        .parse()
        .expect("fN")
}

/// Columns for a plan: a selection for every file, and for every stage what `COPY --from` it takes: of stages with an
/// even number files that are known, the same for many versions.
fn matrix_of(plan: &Plan, versions: &[[u8; FILES]]) -> InputMatrix {
    let mut files: Vec<Option<plan::ContextInput>> = vec![None; FILES];
    let mut of_stage: Vec<Vec<usize>> = vec![Vec::new(); plan.stages.len()];
    for node in &plan.order {
        let step = &plan.graph[*node];
        for input in &step.inputs {
            if let Input::Context(c) = input {
                files[file_of(c)] = Some(c.clone());
                of_stage[usize::from(step.id.stage)].push(file_of(c));
            }
        }
    }
    let column = |f: usize| versions.iter().map(|v| u128::from(v[f])).collect();
    let view = |(stage, files): (usize, &Vec<usize>)| {
        let content = |v: &[u8; FILES]| {
            let sum: u32 = files.iter().map(|f| u32::from(v[*f])).sum();
            match stage % 2 {
                0 => Content::Known {
                    digest: u128::from(sum / 2) + 100 * stage as u128,
                    places: None,
                },
                _ => Content::Made,
            }
        };
        versions.iter().map(content).collect()
    };
    let used: Vec<usize> = (0..FILES).filter(|f| files[*f].is_some()).collect();
    InputMatrix {
        selections: used
            .iter()
            .filter_map(|f| files[*f].clone())
            .map(|input| Selection { input, rules: 0 })
            .collect(),
        version: used.iter().map(|f| column(*f)).collect(),
        absent: vec![Vec::new(); used.len()],
        changed: vec![Vec::new(); used.len()],
        holds_git: vec![false; used.len()],
        builds: versions.len(),
        requests: Vec::new(),
        views: of_stage.iter().enumerate().map(view).collect(),
    }
}

fn outcome(plan: &Plan, matrix: &InputMatrix, policy: Policy, facts: &Facts) -> Outcome {
    let of_step = |n: &petgraph::graph::NodeIndex| {
        let inputs = plan.graph[*n].inputs.iter();
        let columns = inputs.filter_map(|i| match i {
            Input::Context(c) => matrix
                .selections
                .iter()
                .position(|s| file_of(&s.input) == file_of(c)),
            _ => None,
        });
        columns.collect()
    };
    let views = |n: &petgraph::graph::NodeIndex| {
        let inputs = plan.graph[*n].inputs.iter();
        let views = inputs.filter_map(|i| match i {
            Input::Stage { stage, .. } => Some(Some(*stage)),
            _ => None,
        });
        views.collect()
    };
    let models = [PlanModel {
        plan,
        selections: plan.order.iter().map(of_step).collect(),
        views: plan.order.iter().map(views).collect(),
    }];
    let timeline = Timeline {
        plan: vec![Some(0); matrix.builds],
        base_changes: Vec::new(),
        policy,
        assume_reproducible: false,
    };
    replay_with(&models, &timeline, matrix, facts)
}

fn verdicts(outcome: &Outcome) -> Vec<Vec<Verdict>> {
    outcome.builds.iter().map(|b| b.verdicts.clone()).collect()
}

fn never_more(less: &Outcome, more: &Outcome) -> bool {
    let pairs = less.builds.iter().zip(&more.builds);
    pairs
        .flat_map(|(a, b)| a.verdicts.iter().zip(&b.verdicts))
        .all(|(a, b)| a <= b)
}

prop_compose! {
    fn cases()(
        stages in prop::collection::vec(
            (0u8..4, prop::collection::vec((any::<u8>(), 0u8..12), 1..5)), 1..4),
        versions in prop::collection::vec(prop::array::uniform4(0u8..3), 1..10),
        size in 1u64..40,
    ) -> (String, Vec<[u8; FILES]>, u64) {
        (dockerfile_of(&stages), versions, size)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn policies_execute_in_order((text, versions, size) in cases()) {
        let plan = plan_of(&text);
        let matrix = matrix_of(&plan, &versions);
        let facts = Facts {
            bytes: vec![(0..plan.order.len() as u64).map(|i| 1 + i % 4).collect()],
            seconds: Vec::new(),
        };
        let under = |policy| outcome(&plan, &matrix, policy, &facts);
        let local = under(Policy::Local);
        let sized = under(Policy::LocalSize(Size(size)));
        let max = under(Policy::RegistryMax);
        let min = under(Policy::RegistryMin);
        let inline = under(Policy::Inline);
        let none = under(Policy::None);
        let gha = under(Policy::Gha(Size(size)));
        prop_assert!(never_more(&local, &sized), "local, local:{size}\n{text}{versions:?}");
        prop_assert!(never_more(&sized, &none), "local:{size}, none\n{text}{versions:?}");
        prop_assert!(never_more(&local, &max), "local, max\n{text}{versions:?}");
        prop_assert!(never_more(&max, &min), "max, min\n{text}{versions:?}");
        prop_assert!(never_more(&min, &inline), "min, inline\n{text}{versions:?}");
        // Not `max`: a build that has to run what it could have skipped has its layer to export, so a
        // later one may find more.
        prop_assert!(
            never_more(&local, &gha),
            "local, gha:{size}\n{text}{versions:?}"
        );
        prop_assert!(never_more(&inline, &none), "inline, none\n{text}{versions:?}");
        // What the build before had is what it exports.
        prop_assert_eq!(verdicts(&under(Policy::Previous)), verdicts(&max));
        prop_assert_eq!(verdicts(&under(Policy::LocalSize(Size(u64::MAX)))), verdicts(&local));
        prop_assert_eq!(verdicts(&under(Policy::Gha(Size(u64::MAX)))), verdicts(&max));
    }

    #[test]
    fn a_build_again_runs_nothing((text, versions, _) in cases()) {
        let twice: Vec<_> = versions.iter().flat_map(|v| [*v, *v]).collect();
        let plan = plan_of(&text);
        let matrix = matrix_of(&plan, &twice);
        for policy in [Policy::Local, Policy::Previous, Policy::RegistryMax, Policy::RegistryMin, Policy::Inline] {
            let all = outcome(&plan, &matrix, policy, &Facts::default());
            for build in all.builds.iter().skip(1).step_by(2) {
                prop_assert!(build.verdicts.iter().all(|v| *v == Verdict::Cached), "{policy}\n{text}{versions:?}");
            }
        }
    }

    #[test]
    fn lost_results_are_called_evicted((text, versions, size) in cases()) {
        let plan = plan_of(&text);
        let matrix = matrix_of(&plan, &versions);
        let facts = Facts { bytes: vec![vec![1; plan.order.len()]], seconds: Vec::new() };
        let local = outcome(&plan, &matrix, Policy::Local, &facts);
        for policy in [Policy::LocalSize(Size(size)), Policy::RegistryMax, Policy::RegistryMin] {
            let all = outcome(&plan, &matrix, policy, &facts);
            for (kept, build) in local.builds.iter().zip(&all.builds) {
                // Only where a builder that keeps everything would have had it.
                for cause in build.causes.iter().filter(|c| c.kind == CauseKind::Evicted) {
                    prop_assert!(kept.verdicts[cause.step] != Verdict::Executed, "{policy}\n{text}{versions:?}");
                }
            }
        }
    }
}

#[test]
fn without_a_cache_all_but_from_runs() {
    let plan = plan_of("FROM busybase\nCOPY f0 /\nRUN step\n");
    let matrix = matrix_of(&plan, &[[0; FILES]; 3]);
    let all = outcome(&plan, &matrix, Policy::None, &Facts::default());
    let (c, x) = (Verdict::Cached, Verdict::Executed);
    assert_eq!(verdicts(&all), [[x, x, x], [c, x, x], [c, x, x]]);
}

#[test]
fn a_week_empties_the_cache_of_a_branch() {
    let plan = plan_of("FROM busybase\nCOPY f0 /\n");
    let matrix = matrix_of(&plan, &[[0; FILES]; 3]);
    let week = 7 * 24 * 3600;
    let facts = Facts {
        seconds: vec![1000, 1000 + week, 1001 + 2 * week],
        ..Facts::default()
    };
    let all = outcome(&plan, &matrix, Policy::Gha(Size(1 << 40)), &facts);
    let copies: Vec<_> = all.builds.iter().map(|b| b.verdicts[1]).collect();
    assert_eq!(
        copies,
        [Verdict::Executed, Verdict::Cached, Verdict::Executed]
    );
    assert_eq!(all.builds[2].causes[0].kind, CauseKind::Evicted);
}

#[test]
fn layers_beyond_the_size_are_made_again_and_again() {
    let plan = plan_of("FROM busybase\nCOPY f0 /\nRUN step\n");
    let matrix = matrix_of(&plan, &[[0; FILES]; 3]);
    let facts = |size| Facts {
        bytes: vec![vec![0, 60, size]],
        ..Facts::default()
    };
    // Both fit; the copy goes, and nobody asks for it; the result itself goes.
    for (size, copy, run) in [
        (40, Verdict::Cached, Verdict::Cached),
        (50, Verdict::Cached, Verdict::Cached),
        (200, Verdict::Executed, Verdict::Executed),
    ] {
        let all = outcome(&plan, &matrix, Policy::Gha(Size(100)), &facts(size));
        assert_eq!(all.builds[1].verdicts[1..], [copy, run], "{size}");
    }
}

#[test]
fn cache_mounts_are_cold_on_fresh_runners_and_in_the_first_build() {
    let text = "FROM busybase\nCOPY f0 /\nRUN --mount=type=cache,target=/c step\nRUN --mount=type=cache,id=/c,target=/d --mount=type=cache,target=/e step\n";
    let plan = plan_of(text);
    let matrix = matrix_of(&plan, &[[0; FILES], [1; FILES], [2; FILES]]);
    for policy in [
        "local",
        "local:1GB",
        "previous",
        "registry-max",
        "inline",
        "gha",
        "none",
    ] {
        let policy: Policy = policy.parse().expect("a policy");
        let all = outcome(&plan, &matrix, policy, &Facts::default());
        let warm: Vec<_> = all.builds.iter().map(|b| b.warm[2..].to_vec()).collect();
        let lasts = policy.is_persistent();
        assert_eq!(
            warm,
            [[false, false], [lasts, lasts], [lasts, lasts]],
            "{policy}"
        );
    }
}

#[test]
fn names_are_read_and_shown() {
    for name in [
        "local",
        "local:20GB",
        "local:512MiB",
        "local:1500",
        "previous",
        "registry-max",
        "registry-min",
        "inline",
        "gha",
        "gha:5GB",
        "none",
    ] {
        let policy: Policy = name.parse().expect(name);
        assert_eq!(policy.to_string(), name);
    }
    let size = |text: &str| text.parse::<Size>().map(|s| s.0);
    assert_eq!(size("1.5kB"), Ok(1500));
    assert_eq!(size("2KiB"), Ok(2048));
    for bad in [
        "",
        "0",
        "-1",
        "1.5",
        "1e3",
        "GB",
        "1 GB",
        "1gb",
        "1.GB",
        "99999999999GiB",
        "0.0GB",
    ] {
        assert!(size(bad).is_err(), "{bad}");
    }
    let error = |text: &str| text.parse::<Policy>().expect_err(text).to_string();
    assert!(error("registry").starts_with("write local, local:SIZE"));
    assert_eq!(error("none:3"), "none takes no size");
    assert!(error("local:").starts_with("write a size above 0"));
}
