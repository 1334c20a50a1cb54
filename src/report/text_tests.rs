use super::super::model::{BaseComparison, FailedTarget, Target};
use super::super::sample;
use super::*;
use proptest::prelude::*;

const AT_80: Style = Style {
    color: false,
    width: 80,
};

#[test]
fn one_target_at_first_sight() {
    let a = sample::analysis(sample::target());
    insta::assert_snapshot!(analysis(&a, Style::default()), @r"");
}

#[test]
fn stages_doubts_base_and_messages_at_80() {
    let mut t = sample::target();
    t.target = Some("final".to_owned());
    t.history.refused = 3;
    t.history.skipped = 1;
    t.baseline.work_s_per_build_min = 60.0;
    t.base = Some(BaseComparison {
        rev: "origin/main".to_owned(),
        commit: "abc".to_owned(),
        baseline: sample::baseline(41.0),
        saving: 1.0 - 73.2 / 41.0,
        interval: [-0.9, -0.6],
    });
    for (i, s) in t.steps.iter_mut().enumerate() {
        let stage = if i < 3 { "build" } else { "final" };
        s.name = s.name.replacen('[', &format!("[{stage} "), 1);
    }
    t.steps[4].maybe = 12;
    t.steps[4].cost_source = "measured";
    t.plans = vec![sample::no_plan()];
    t.diagnostics = vec![sample::warning()];
    let mut a = sample::analysis(t);
    let failed = FailedTarget {
        file: "bad\x1b/Dockerfile".to_owned(),
        diagnostics: vec![DiagnosticRow {
            severity: "error",
            ..sample::warning()
        }],
    };
    a.targets.push(Target::Failed(failed));
    a.not_analysed = vec!["Dockerfile.j2".to_owned()];
    insta::assert_snapshot!(analysis(&a, AT_80), @r"");
}

#[test]
fn no_edits_claim_no_more_than_the_bound() {
    let of = |bound_s, optimal| {
        let mut t = sample::target();
        t.plans = vec![PlanRow {
            bound_s,
            optimal,
            ..sample::no_plan()
        }];
        let text = analysis(&sample::analysis(t), Style::default());
        text.lines()
            .find(|l| l.starts_with("Nothing"))
            .unwrap_or_default()
            .to_owned()
    };
    insta::assert_snapshot!(of(73.2, true), @r"");
    insta::assert_snapshot!(of(60.0, true), @r"");
    insta::assert_snapshot!(of(60.0, false), @r"");
}

#[test]
fn a_plan_for_the_critical_path_is_told_in_its_seconds() {
    let mut t = sample::target();
    t.plans[0].saving = 1.0 - 28.0 / t.baseline.critical_path_s_per_build;
    t.plans[0].bound_s = 20.0;
    let text = analysis(&sample::analysis(t), Style::default());
    assert!(
        text.contains("28 s on the longest chain per build instead of 58.6 s: saves 52 %"),
        "{text}"
    );
    assert!(
        text.contains("no plan can do better than 20 s (bound)"),
        "{text}"
    );
}

#[test]
fn the_stronger_plan_that_saves_less_is_named_too() {
    let mut t = sample::target();
    t.plans.insert(
        0,
        PlanRow {
            safety: "proven",
            work_s_per_build: 60.0,
            saving: 1.0 - 60.0 / 73.2,
            ..sample::plan()
        },
    );
    let text = analysis(&sample::analysis(t), Style::default());
    assert!(text.contains("Plan: assumed"), "{text}");
    assert!(
        text.contains("Also: proven · 60 s per build, saves 18 % with 1 edit"),
        "{text}"
    );
}

#[test]
fn colour_changes_nothing_but_escapes() {
    let a = sample::analysis(sample::target());
    let plain = analysis(&a, AT_80);
    let colored = analysis(
        &a,
        Style {
            color: true,
            ..AT_80
        },
    );
    assert!(colored.contains("\x1b["));
    assert_eq!(anstream::adapter::strip_str(&colored).to_string(), plain);
}

#[test]
fn rows_stay_in_the_width_and_many_steps_are_folded() {
    let mut t = sample::target();
    let dear = t.steps[3].clone();
    t.steps.extend(std::iter::repeat_n(dear, 30));
    t.plans.clear();
    let text = analysis(&sample::analysis(t), AT_80);
    assert!(text.lines().all(|l| l.chars().count() <= 80), "{text}");
    assert!(
        text.contains("18 more steps run, 150 s a build together"),
        "{text}"
    );
    assert!(text.lines().count() < 30, "{text}");
}

#[test]
fn two_variants() {
    insta::assert_snapshot!(comparison(&sample::comparison(), AT_80), @r"");
}

proptest! {
    #[test]
    fn nothing_from_the_repository_controls_the_terminal(s in "(?s)[:#a\\[\x1b\r\n\u{202e}\u{9b}]{0,12}|.{0,12}") {
        let mut t = sample::target();
        for field in [&mut t.file, &mut t.context, &mut t.origin, &mut t.history.from] {
            field.clone_from(&s);
        }
        t.target = Some(s.clone());
        t.steps[2].name.clone_from(&s);
        t.steps[2].hot_paths[0].path.clone_from(&s);
        t.plans[0].diff = format!("@@\n {s}\n+{s}");
        t.plans[0].assumptions = vec![s.clone()];
        t.plans[0].edits[0].why.clone_from(&s);
        t.diagnostics = vec![DiagnosticRow { message: s.clone(), file: Some(s.clone()), ..sample::warning() }];
        let text = analysis(&sample::analysis(t), AT_80);
        for one in text.split('\n') {
            let acts = |c: char| (c.is_control() && c != '\t') || c == '\u{202e}';
            prop_assert!(!one.contains(acts));
            prop_assert!(!one.trim_start().starts_with("::") && !one.contains("##["));
        }
    }
}
