use super::super::model::{BaseComparison, Target};
use super::super::sample;
use super::*;

#[test]
fn a_plan_as_a_comment() {
    let a = sample::analysis(sample::target());
    insta::assert_snapshot!(analysis(&a), @r"
    <!-- cacheplan -->
    ### What builds cost in the layer cache

    | Dockerfile | now | with the plan | saving per build | on builds it was not chosen on |
    |---|--:|--:|--:|--:|
    | `Dockerfile` | 73.2 s | 31 s | 58 % | 55 % |

    #### `Dockerfile`

    499 builds replayed, 340 of them rebuild something. A build costs 73.2 s of work on average, its longest chain of steps 58.6 s; from an empty cache 180 s. Seconds are priors, measured on other projects: see --costs.

    | line | step | runs in | rate | cost | per build | because of |
    |--:|---|--:|--:|--:|--:|---|
    | 6 | `COPY . .` | 210/499 | 42 % | 0.50 s | 0.21 s | `src/` 150, `README.md` 40, `package.json` 12, steps before it 10 |
    | 7 | <code>RUN npm ci &amp;&amp; npm run a-very-long-script-name &#124; tee log.txt</code> | 210/499 | 42 % | 45 s | 18.9 s | a step before it |
    | 8 | `RUN npm run build` | 210/499 | 42 % | 11.7 min | 295 s | a step before it |

    Not shown: 2 steps always cached.

    **Plan** (assumed: the image stays the same if the assumptions hold): 31 s per build instead of 73.2 s: saves 58 % (55 % on builds it was not chosen on); no order or allowed rewrite can do better (bound).

    - line 6: npm ci reads only the two package files, so they can come before the sources (split-copy, assumed)

    It assumes:

    - npm ci reads only package.json, package-lock.json, .npmrc

    <details><summary>Suggested diff</summary>

    ```diff
    --- a/Dockerfile
    +++ b/Dockerfile
    @@ -1,4 +1,5 @@
     FROM node:22
    -COPY . .
    +COPY package*.json ./
     RUN npm ci
    +COPY . .
     RUN npm run build
    ```

    </details>
    ");
}

#[test]
fn a_pull_request_against_its_base() {
    let mut t = sample::target();
    t.file = "a|@team/Dockerfile".to_owned();
    t.base = Some(BaseComparison {
        rev: "main".to_owned(),
        commit: "abc".to_owned(),
        baseline: sample::baseline(91.0),
        work_s_per_build: 73.2,
        saving: 1.0 - 73.2 / 91.0,
        interval: [0.15, 0.25],
        steps: vec![super::super::model::StepChange {
            step: None,
            base_step: Some("0.5".to_owned()),
            name: "[2/4] RUN npm ci | @team".to_owned(),
            line: None,
            before_s_per_build: 18.9,
            after_s_per_build: 0.0,
            why: "gone | (it was line 7) <b>@team</b>".to_owned(),
        }],
    });
    t.plans = vec![sample::no_plan()];
    t.steps.truncate(3);
    t.diagnostics = vec![sample::warning()];
    let mut a = sample::analysis(t);
    a.targets.push(Target::Failed(FailedTarget {
        file: "x/Dockerfile".to_owned(),
        diagnostics: vec![],
    }));
    insta::assert_snapshot!(analysis(&a), @r"
    <!-- cacheplan -->
    ### What builds cost in the layer cache

    | Dockerfile | before | after | saving per build | 95 % interval | with the best plan |
    |---|--:|--:|--:|--:|--:|
    | <code>a&#124;@&#8203;team/Dockerfile</code> | 91 s | 73.2 s | 20 % | 15 .. 25 % | no better one |

    error: `x/Dockerfile` could not be analysed

    #### <code>a&#124;@&#8203;team/Dockerfile</code>

    499 builds replayed, 340 of them rebuild something. A build costs 73.2 s of work on average, its longest chain of steps 58.6 s; from an empty cache 180 s. Seconds are priors, measured on other projects: see --costs.

    Against `main`: 91 s -&gt; 73.2 s per build, saves 20 % (95 % interval 15 .. 25 %).

    warning: COPY finds no file&#92;x1b\[2J (<code>a&#124;@&#8203;team/Dockerfile:&#8203;9:&#8203;6</code>)

    **What this change makes cheaper**

    | line | step | before | after | why |
    |--:|---|--:|--:|---|
    | – | <code>RUN npm ci &#124; @&#8203;team</code> | 18.9 s | 0 s | gone &#124; (it was line 7) &lt;b&gt;@&#8203;team&lt;/b&gt; |

    | line | step | runs in | rate | cost | per build | because of |
    |--:|---|--:|--:|--:|--:|---|
    | 6 | `COPY . .` | 210/499 | 42 % | 0.50 s | 0.21 s | `src/` 150, `README.md` 40, `package.json` 12, steps before it 10 |

    Not shown: 2 steps always cached.

    Nothing to do: this is optimal; no order or allowed rewrite can cost less (bound 73.2 s).
    ");
}

#[test]
fn two_variants() {
    insta::assert_snapshot!(crate::report::comparison::markdown::comparison(&sample::comparison()), @r"
    <!-- cacheplan compare -->
    ### 2 variants on 499 builds

    | variant | per build | longest chain | empty cache | cached |
    |---|--:|--:|--:|--:|
    | `Dockerfile` | 41 s | 32.8 s | 180 s | 61 % |
    | <code>HEAD\~1:&#8203;Docker&#124;file @&#8203;x</code> | 31 s | 24.8 s | 180 s | 61 % |

    Modelled: the steps that would run, with seconds for each. The seconds are priors, measured on other projects: see --costs.

    | from | to | saving | 95 % interval | cheaper in | dearer in | same in |
    |---|---|--:|--:|--:|--:|--:|
    | `Dockerfile` | <code>HEAD\~1:&#8203;Docker&#124;file @&#8203;x</code> | 24 % | 20 .. 28 % | 120 | 3 | 376 |

    <details><summary>Builds in which pair 1 differs, and the steps that make the difference</summary>

    <code>HEAD\~1:&#8203;Docker&#124;file @&#8203;x</code> instead of `Dockerfile`:

    | build | like it | before | after | steps |
    |---|--:|--:|--:|---|
    | `0707070707` commit 7 | 119 | 41 s | 26.1 s | `RUN npm ci` 15 s -&gt; not run (prior)<br>`COPY . .` 0.10 s -&gt; 0.20 s (prior) |
    | `0808080808` commit 8 | 2 | 41 s | 41.1 s | `COPY package.json ./` not run -&gt; 0.10 s (prior) |

    </details>
    ");
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
    assert!(text.contains("| `Dockerfile` (discovered) |"));
}

#[test]
fn at_most_ten_steps_are_shown() {
    let mut t = sample::target();
    let dear = t.steps[3].clone();
    t.steps.extend(std::iter::repeat_n(dear, 20));
    let text = analysis(&sample::analysis(t));
    assert_eq!(text.matches("| 7 |").count(), 8, "{text}");
    assert!(text.contains("`RUN npm run build`"), "{text}");
    assert!(
        text.contains("Not shown: 13 steps that cost 246 s a build, 2 steps always cached."),
        "{text}"
    );
}

/// What GitHub and GitLab make of a comment, as far as CommonMark and its tables say.
fn rendered(comment: &str) -> (Vec<String>, Vec<usize>, String) {
    use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
    let (mut odd, mut cells, mut text) = (Vec::new(), Vec::new(), String::new());
    let mut code = false;
    for event in Parser::new_ext(comment, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                odd.push(format!("link {dest_url}"));
            }
            Event::Html(html) | Event::InlineHtml(html) => {
                let known = [
                    "<!-- cacheplan -->",
                    "<details><summary>Suggested diff</summary>",
                    "</details>",
                    "<code>",
                    "</code>",
                ];
                let html = html.trim();
                if !known.contains(&html) && !html.is_empty() {
                    odd.push(format!("html {html}"));
                }
            }
            Event::Start(Tag::TableRow | Tag::TableHead) => cells.push(0),
            Event::End(TagEnd::TableCell) => *cells.last_mut().expect("a row") += 1,
            Event::Start(Tag::CodeBlock(_)) => code = true,
            Event::End(TagEnd::CodeBlock) => code = false,
            Event::Text(t) if !code => text.push_str(&t),
            _ => {}
        }
    }
    (odd, cells, text)
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(200))]

    #[test]
    fn nothing_from_the_repository_acts_in_a_comment(
        text in proptest::sample::select(vec![
            "a | b | c", "`x` ``y``", "@everyone", "<script>alert(1)</script>", "</code></details><img src=x onerror=y>",
            "\u{1b}[31mred\u{1b}[0m", "::set-output name=a::b", "##[error]x", "\u{202e}cod.exe", "one\ntwo\n\n# title\n", "[x](https://e.example)",
            "![x](y)", "https://e.example/a", "www.e.example", "#12", "GH-12", "<!-- cacheplan -->", "--&gt;", "\\", "$x$", "~~~", "```", "| --- |", "&#64;team",
        ]),
        more in "[a-z@|`<>\\[\\]()!*_~#&;:\\\\\\n\u{202e}\u{1b} -]{0,30}",
    ) {
        let evil = format!("{text}{more}");
        let mut t = sample::target();
        t.file.clone_from(&evil);
        t.target = Some(evil.clone());
        for s in &mut t.steps {
            s.name = format!("[{evil} 1/2] {evil}");
            s.hot_paths = vec![super::super::model::HotPath { path: evil.clone(), builds: 7 }];
        }
        t.plans[0].edits[0].why.clone_from(&evil);
        t.plans[0].assumptions = vec![evil.clone()];
        t.plans[0].diff.push_str(&format!("+{evil}\n"));
        let d = DiagnosticRow { message: evil.clone(), file: Some(evil.clone()), ..sample::warning() };
        t.diagnostics = vec![d];
        let comment = analysis(&sample::analysis(t));
        let (odd, cells, shown) = rendered(&comment);
        proptest::prop_assert!(odd.is_empty(), "{odd:?}\n{comment}");
        // A summary of five columns, and the steps in seven.
        proptest::prop_assert!(cells.iter().all(|c| [5, 7].contains(c)), "{cells:?}\n{comment}");
        for (at, _) in shown.match_indices('@') {
            let next = shown[at + 1..].chars().next();
            proptest::prop_assert!(next.is_none_or(|c| !c.is_alphanumeric()), "{shown}\n{comment}");
        }
        for c in comment.chars() {
            proptest::prop_assert!(c == '\n' || c == '\t' || !super::super::escape::is_hidden(c), "{c:?}\n{comment}");
        }
        for l in comment.lines() {
            proptest::prop_assert!(!l.trim_start().starts_with("::") && !l.contains("##[error]"), "{l}");
        }
    }
}
