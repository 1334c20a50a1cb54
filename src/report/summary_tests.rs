use super::super::model::{BaseComparison, FailedTarget, RootRow, Target};
use super::super::sample;
use super::*;
use proptest::prelude::*;

const AT_100: Style = Style {
    color: false,
    width: 100,
};

/// The sample with what makes its steps run.
fn told() -> TargetReport {
    let mut t = sample::target();
    let first = t.steps.iter().position(|s| s.line == 6).expect("line 6");
    t.steps[first].caused_s_per_build = 70.0;
    let id = t.steps[first].id.clone();
    for s in t.steps.iter_mut().filter(|s| s.inherited > 0 && s.line > 6) {
        s.roots = vec![RootRow {
            step: id.clone(),
            builds: s.inherited,
            work_s_per_build: s.work_s_per_build,
        }];
    }
    t
}

#[test]
fn one_target_on_one_screen() {
    let mut t = told();
    t.base = Some(BaseComparison {
        rev: "origin/main".to_owned(),
        commit: "abc".to_owned(),
        baseline: sample::baseline(41.0),
        work_s_per_build: 73.2,
        saving: 1.0 - 73.2 / 41.0,
        interval: [-0.9, -0.6],
        steps: vec![StepChange {
            step: Some("0.6".to_owned()),
            base_step: Some("0.5".to_owned()),
            name: "[2/4] RUN npm ci".to_owned(),
            line: Some(7),
            before_s_per_build: 3.5,
            after_s_per_build: 18.9,
            why: "now behind line 6 in 210 builds".to_owned(),
        }],
    });
    let out = analysis(&sample::analysis(t), AT_100);
    assert!(out.lines().count() <= SCREEN, "{out}");
    insta::assert_snapshot!(out, @r"
    Dockerfile (context .)                                                                    discovered
    A build costs 73.2 s of work on average, its longest chain of steps 58.6 s; from an empty cache
      180 s.
    499 builds replayed, 340 of them rebuild something (abc1234 .. 0123456789). Seconds are priors,
      measured on other projects: see --costs.
    Against origin/main: 41 s -> 73.2 s per build, costs 79 % more (95 % interval 60 .. 90 %).
      - line 7 RUN npm ci: 3.50 s -> 18.9 s per build: now behind line 6 in 210 builds
    ▆▇▇▇██▆▇▇██▆▆▇██▆▇▇███▆▇▇██▆▆▇██▆▇▇██▇▇▇▇██▆▆▇██▆▇▇██▇▇▇▇██▆  builds, oldest first: 0 s .. 120 s

    line  step                                         runs in  rate                   cost  per build
       6  COPY . .                                     210/499  ████░░░░░░   42 %    0.50 s     0.21 s
            itself 200, behind others 10: src/ 150 · README.md 40 · package.json 12
       7  RUN npm ci && npm run a-very-long-script… ↑  210/499  ████░░░░░░   42 %      45 s     18.9 s
       8  RUN npm run build ↑                          210/499  ████░░░░░░   42 %  11.7 min      295 s
          ↑ runs only because a step before it ran
          2 steps are always cached

    note[why]: line 6 makes 70 s of work run again per build
     --> Dockerfile:6:1
      |
    6 | COPY . .
      | ^^^^ changed in 200 of 499 builds: src/ 150, README.md 40, package.json 12
    7 | RUN npm ci && npm run a-very-long-script-name
      | --- runs again behind it in 210 builds, 18.9 s per build
    8 | RUN npm run build
      | --- runs again behind it in 210 builds, 295 s per build

    Plan: assumed · 31 s per build instead of 73.2 s: saves 58 % (55 % on builds it was not chosen on);
      no order or allowed rewrite can do better (bound)
      - lines 6-7: npm ci reads only the two package files, so they can come before the sources
      the image stays the same if the assumptions hold (1 assumption)

        --- a/Dockerfile
        +++ b/Dockerfile
        @@ -1,4 +1,5 @@
         FROM node:22
        -COPY . .
        +COPY package*.json ./
         RUN npm ci
        +COPY . .
         RUN npm run build

    --details shows all steps, assumptions and findings; --format html=FILE is a page to click through.
    ");
}

#[test]
fn many_targets_are_a_table_and_the_dearest_of_them() {
    let mut small = told();
    small.file = "tools/Dockerfile".to_owned();
    small.plans = vec![sample::no_plan()];
    let mut a = sample::analysis(small);
    a.targets.push(Target::Done(Box::new(told())));
    a.targets.push(Target::Failed(FailedTarget {
        file: "bad\u{1b}[2J/Dockerfile".to_owned(),
        diagnostics: Vec::new(),
    }));
    let out = analysis(&a, AT_100);
    let table: Vec<&str> = out.lines().take(3).collect();
    assert!(table[1].starts_with("Dockerfile "), "{out}");
    assert!(table[2].starts_with("tools/Dockerfile "), "{out}");
    assert!(out.contains("\nDockerfile (context .)"), "{out}");
    assert!(!out.contains("\ntools/Dockerfile (context"), "{out}");
    assert!(out.contains("error: bad\\x1b[2J/Dockerfile"), "{out}");
}

#[test]
fn a_long_diff_is_named_and_not_shown() {
    let mut t = told();
    let line = "+RUN one more line\n";
    t.plans[0].diff.push_str(&line.repeat(60));
    let out = analysis(&sample::analysis(t), AT_100);
    assert!(out.contains("cacheplan optimize prints the diff"), "{out}");
    assert!(!out.contains("one more line"), "{out}");
    assert!(out.lines().count() <= SCREEN, "{out}");
}

proptest! {
    #[test]
    fn nothing_from_the_repository_acts_on_a_terminal(text in "[a-z \u{1b}\u{7}\u{202e}\u{200b}:#\\[\\]\\r\\n|`<>@]{0,40}", width in 60usize..140) {
        let mut t = told();
        t.file = format!("{text}/Dockerfile");
        t.steps[0].name = format!("[1/2] {text}");
        for s in &mut t.steps {
            s.hot_paths = vec![super::super::model::HotPath { path: text.clone(), builds: 3 }];
        }
        t.source = SourceFile::new("Dockerfile", format!("FROM a\n{text}\n").repeat(5));
        t.plans[0].edits[0].why.clone_from(&text);
        let out = analysis(&sample::analysis(t), Style { color: false, width });
        for c in out.chars() {
            prop_assert!(c == '\n' || !super::super::escape::is_hidden(c), "{c:?} in {out:?}");
        }
        for l in out.lines() {
            prop_assert!(!l.trim_start().starts_with("::"), "{l}");
        }
    }
}
