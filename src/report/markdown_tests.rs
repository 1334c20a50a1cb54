use super::super::model::{BaseComparison, Target};
use super::super::sample;
use super::*;

#[test]
fn a_plan_as_a_comment() {
    let a = sample::analysis(sample::target());
    insta::assert_snapshot!(analysis(&a), @r"");
}

#[test]
fn a_pull_request_against_its_base() {
    let mut t = sample::target();
    t.file = "a|@team/Dockerfile".to_owned();
    t.base = Some(BaseComparison {
        rev: "main".to_owned(),
        commit: "abc".to_owned(),
        baseline: sample::baseline(91.0),
        saving: 1.0 - 73.2 / 91.0,
        interval: [0.15, 0.25],
    });
    t.plans = vec![sample::no_plan()];
    t.steps.truncate(3);
    t.diagnostics = vec![sample::warning()];
    let mut a = sample::analysis(t);
    a.targets.push(Target::Failed(FailedTarget {
        file: "x/Dockerfile".to_owned(),
        diagnostics: vec![],
    }));
    insta::assert_snapshot!(analysis(&a), @r"");
}

#[test]
fn two_variants() {
    insta::assert_snapshot!(comparison(&sample::comparison()), @r"");
}

#[test]
fn a_long_comment_loses_the_diffs_of_later_targets_first() {
    let mut t = sample::target();
    t.plans[0].diff = "+x\n".repeat(8_000);
    let mut a = sample::analysis(t);
    let one = a.targets[0].clone();
    a.targets.extend(std::iter::repeat_n(one, 4));
    let text = analysis(&a);
    assert!(text.chars().count() <= LIMIT);
    assert!(text.ends_with(CUT));
    assert_eq!(text.matches("```diff").count(), 2);
    assert_eq!(text.matches("| line | step |").count(), 5);
    let first = text.find("```diff").unwrap_or(0);
    assert!(first < text.match_indices("#### ").nth(1).map_or(0, |m| m.0));
}

#[test]
fn thousands_of_targets_still_fit() {
    let mut a = sample::analysis(sample::target());
    let one = a.targets[0].clone();
    a.targets.extend(std::iter::repeat_n(one, 3_000));
    let text = analysis(&a);
    assert!(text.starts_with(MARKER) && text.ends_with(CUT));
    assert!(text.chars().count() <= LIMIT);
    assert!(text.contains("| `Dockerfile` |"));
}

#[test]
fn at_most_ten_steps_are_shown() {
    let mut t = sample::target();
    let dear = t.steps[3].clone();
    t.steps.extend(std::iter::repeat_n(dear, 20));
    let text = analysis(&sample::analysis(t));
    assert_eq!(text.matches("| 7 |").count(), 9, "{text}");
    assert!(text.contains("`RUN npm run build`"), "{text}");
    assert!(
        text.contains("Not shown: 13 steps cost less, 2 steps always cached."),
        "{text}"
    );
}
