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
    insta::assert_snapshot!(analysis(&a, Style::default()), @r"
    Dockerfile (context .)                                                                    discovered
    499 builds replayed, 340 of them rebuild something · oldest abc1234 .. newest 0123456789
    A build costs 73.2 s of work on average, its longest chain of steps 58.6 s; from an empty cache
      180 s. Seconds are priors, measured on other projects: see --costs.

    line  step                                         runs in  rate                   cost  per build
       6  COPY . .                                     210/499  ████░░░░░░   42 %    0.50 s     0.21 s
            itself 200, behind others 10: src/ 150 · README.md 40 · package.json 12
       7  RUN npm ci && npm run a-very-long-script… ↑  210/499  ████░░░░░░   42 %      45 s     18.9 s
       8  RUN npm run build ↑                          210/499  ████░░░░░░   42 %  11.7 min      295 s
          ↑ runs only because a step before it ran
          2 steps are always cached

    Plan: assumed · 31 s per build instead of 73.2 s: saves 58 % (55 % on builds it was not chosen on);
      no order or allowed rewrite can do better (bound)
      - lines 6-7: npm ci reads only the two package files, so they can come before the sources
        (split-copy, assumed)
      the image stays the same if the assumptions hold; assumptions:
      - npm ci reads only package.json, package-lock.json, .npmrc

        --- a/Dockerfile
        +++ b/Dockerfile
        @@ -1,4 +1,5 @@
         FROM node:22
        -COPY . .
        +COPY package*.json ./
         RUN npm ci
        +COPY . .
         RUN npm run build
    ");
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
        work_s_per_build: 73.2,
        saving: 1.0 - 73.2 / 41.0,
        interval: [-0.9, -0.6],
        steps: Vec::new(),
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
    insta::assert_snapshot!(analysis(&a, AT_80), @r"
    Dockerfile (context ., target final)                                  discovered
    499 builds replayed, 340 of them rebuild something, 3 more that the builder
      would refuse, 1 commit skipped for lack of the Dockerfile · oldest abc1234 ..
      newest 0123456789
    A build costs 73.2 s of work on average (60 s if every step in doubt is cached),
      its longest chain of steps 58.6 s; from an empty cache 180 s. Seconds of 5
      steps: 1 measured, 4 prior (lines 1, 2, 6, 7).
    against origin/main: 41 s -> 73.2 s per build, costs 79 % more (95 % interval 60
      .. 90 %)

    line  step                     runs in  rate                   cost  per build
    stage build
       6  COPY . .                 210/499  ████░░░░░░   42 %    0.50 s     0.21 s
            itself 200, behind others 10: src/ 150 · README.md 40 · package.json 12
    stage final
       7  RUN npm ci && npm ru… ↑  210/499  ████░░░░░░   42 %      45 s     18.9 s
       8  RUN npm run build ↑      210/499  ████░░░░░░   42 %  11.7 min      295 s
            in doubt in 12 builds
          ↑ runs only because a step before it ran
          in doubt: only running a step before it can tell; counted as running
          2 steps are always cached

    Nothing to do: this is optimal; no order or allowed rewrite can cost less (bound
      73.2 s).

    warning: COPY finds no file\x1b[2J (Dockerfile:9:6)

    error: COPY finds no file\x1b[2J (bad\x1b/Dockerfile:9:6)
    Not analysed: Dockerfile.j2
    ");
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
        let wide = Style {
            width: 200,
            ..AT_80
        };
        let text = analysis(&sample::analysis(t), wide);
        text.lines()
            .find(|l| l.starts_with("Nothing"))
            .unwrap_or_default()
            .to_owned()
    };
    insta::assert_snapshot!(of(73.2, true), @r"Nothing to do: this is optimal; no order or allowed rewrite can cost less (bound 73.2 s).");
    insta::assert_snapshot!(of(73.0, true), @r"Nothing to do: no other order costs less, and rewrites could save no more than 0.20 s a build (bound 73 s).");
    insta::assert_snapshot!(of(60.0, true), @r"Nothing better found: no other order costs less, rewrites could save at most 13.2 s a build (bound 60 s).");
    insta::assert_snapshot!(of(60.0, false), @r"Nothing better found; at most 13.2 s a build could be saved (bound 60 s).");
}

#[test]
fn where_little_was_looked_at_it_says_so() {
    let plan = PlanRow {
        allowed: "proven",
        ..sample::no_plan()
    };
    let mut base = sample::target().baseline;
    insta::assert_snapshot!(crate::report::wording::nothing(&base, &plan), @"Nothing to do at proven: no other order that is proven costs less (bound 73.2 s); --safety assumed allows more.");
    base.work_s_per_build = 0.0;
    base.critical_path_s_per_build = 0.0;
    let none = PlanRow {
        work_s_per_build: 0.0,
        critical_path_s_per_build: 0.0,
        bound_s: 0.0,
        ..sample::no_plan()
    };
    insta::assert_snapshot!(crate::report::wording::nothing(&base, &none), @"Nothing to do: none of these builds runs a step again; --history looks further back.");
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
fn what_a_plan_does_to_the_image_is_said_where_it_is_much() {
    let told = |before: u64, after: u64| {
        let mut t = sample::target();
        t.baseline.image_bytes_estimate = Some(before);
        t.plans[0].image_bytes_estimate = Some(after);
        let text = analysis(&sample::analysis(t), Style::default());
        let text = text.replace("\n      ", " ");
        let found = text.split("; the image is about ").nth(1);
        found.map(|rest| {
            rest.split(" (estimate)")
                .next()
                .unwrap_or_default()
                .to_owned()
        })
    };
    assert_eq!(
        told(130_000_000, 101_500_000).as_deref(),
        Some("28.5 MB smaller")
    );
    assert_eq!(
        told(130_000_000, 140_000_000).as_deref(),
        Some("10.0 MB larger")
    );
    assert_eq!(told(130_000_000, 128_800_000), None);
    assert_eq!(told(3_000_000, 2_100_000), None);
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
        text.contains("18 more steps run, 341 s a build together"),
        "{text}"
    );
    assert!(text.lines().count() < 30, "{text}");
}

#[test]
fn two_variants() {
    insta::assert_snapshot!(crate::report::comparison::text::comparison(&sample::comparison(), AT_80), @r"
    2 variants on 499 builds

      variant                per build  longest chain  empty cache  cached
      Dockerfile                  41 s         32.8 s        180 s    61 %
      HEAD~1:Docker|file @x       31 s         24.8 s        180 s    61 %
      Modelled: the steps that would run, with seconds for each. The seconds are
      priors, measured on other projects: see --costs.

      HEAD~1:Docker|file @x instead of Dockerfile: saves 24 % (95 % interval 20 ..
        28 %); cheaper in 120 builds, dearer in 3, the same in 376
        0707070707 “commit 7” and 119 builds like it: 41 s -> 26.1 s
            RUN npm ci  15 s -> not run (prior)
            COPY . .  0.10 s -> 0.20 s (prior)
        0808080808 “commit 8” and 2 builds like it: 41 s -> 41.1 s
            COPY package.json ./  not run -> 0.10 s (prior)

    Modelled seconds added up from build to build, oldest on the left (499 builds in
      44 columns)
      Dockerfile             ▁▁▁▁▁▁▁▁▂▂▂▂▂▃▃▃▃▃▃▄▄▄▄▄▅▅▅▅▅▅▆▆▆▆▆▇▇▇▇▇▇███    341 min
      HEAD~1:Docker|file @x  ▁▁▁▁▁▁▁▁▁▁▂▂▂▂▂▂▂▂▃▃▃▃▃▃▃▄▄▄▄▄▄▄▅▅▅▅▅▅▅▅▆▆▆▆    258 min
    ");
}

#[test]
fn measured_stands_beside_modelled() {
    let text = crate::report::comparison::text::comparison(&sample::measured_comparison(), AT_80);
    assert!(text.lines().all(|l| l.chars().count() <= 80), "{text}");
    let from = text.find("Measured").unwrap_or(0);
    insta::assert_snapshot!(&text[from..], @r"
    Measured with docker 28.5: 3 commits of each variant, from an empty cache of
      each variant's own; base images were there before. Steps: the seconds at work
      of those that ran, summed up; clock: from the start of the client to its end.
      Median (10 .. 90 % of the builds); the oldest build, with the empty cache, is
      left out of both. Every build was made once, one variant after the other.
      variant                steps, measured  steps, modelled  clock, measured
      Dockerfile                        11 s             41 s           11.5 s
        10 .. 90 %            10.2 .. 11.8 s       41 .. 41 s   10.7 .. 12.3 s
        from empty                      60 s            180 s             61 s
      HEAD~1:Docker|file @x           5.50 s           20.5 s           5.75 s
        10 .. 90 %            5.10 .. 5.90 s   20.5 .. 20.5 s   5.35 .. 6.15 s
        from empty                      60 s            180 s             61 s
      HEAD~1:Docker|file @x instead of Dockerfile: measured on 2 builds (few:
        another run may well leave the intervals): saves 50 % (95 % interval 45 ..
        55 %) by steps, saves 40 % (95 % interval 30 .. 50 %) by the clock; modelled
        on the same builds: saves 50 % (95 % interval 50 .. 50 %)
    ");
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
