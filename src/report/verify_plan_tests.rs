use super::model::EditRow;
use super::verify::{Verified, text};
use super::verify_plan::PlanVerified;
use crate::verify::{Comparison, Field, ImageDifference, NOT_REPRODUCIBLE, Noise};

fn plan() -> PlanVerified {
    PlanVerified {
        file: "Dockerfile".to_owned(),
        context_of: "0123456789".repeat(4),
        builder: Some("docker 28.5, buildx 0.29".to_owned()),
        safety: "assumed",
        saving: 0.573,
        edits: vec![EditRow {
            rewrite: "reorder",
            safety: "assumed",
            line: 7,
            end_line: 9,
            why: "RUN npm ci changes less often than COPY . .".to_owned(),
            assumptions: Vec::new(),
        }],
        assumptions: vec!["npm ci reads only package.json".to_owned()],
        builds: 2,
        ..PlanVerified::default()
    }
}

fn differs(path: &str, field: Field, original: &str, plan: &str) -> ImageDifference {
    ImageDifference {
        path: path.as_bytes().to_vec(),
        field,
        original: original.to_owned(),
        plan: plan.to_owned(),
        texts: None,
    }
}

fn shown(plan: PlanVerified) -> String {
    let document = Verified {
        schema: "cacheplan.verify/1",
        prediction: None,
        plan: Some(plan),
    };
    text(&document, 100)
}

#[test]
fn an_equal_image() {
    let mut p = PlanVerified {
        builds: 3,
        ..plan()
    };
    let noise = |path: &str, kind, why| Noise {
        difference: differs(path, Field::Content, "1 B, blake3 a", "1 B, blake3 b"),
        kind,
        why,
    };
    let again = "a second build of the original has yet another one";
    p.compared(&Comparison {
        paths: 4812,
        differences: Vec::new(),
        noise: vec![
            noise("a/1", NOT_REPRODUCIBLE, again),
            noise("a/2", NOT_REPRODUCIBLE, again),
            noise("a/\x1b[3m", NOT_REPRODUCIBLE, again),
            noise("a/4", NOT_REPRODUCIBLE, again),
            noise(
                "var/log/dpkg.log",
                "log with times",
                "dpkg logs what it did when",
            ),
        ],
    });
    insta::assert_snapshot!(shown(p), @r##"
    The plan builds the same image: 4,807 paths and the configuration are equal, 5 differ in what says nothing about the plan.
    3 builds on the files of 0123456789 with docker 28.5, buildx 0.29: the original, the plan, and the original once more without a cache.

    Dockerfile, 57 % of the modelled rebuild seconds saved (assumed):
      lines 7 to 9, reorder (assumed): RUN npm ci changes less often than COPY . .
      if npm ci reads only package.json

    Noise, which says nothing about the plan:
      1 × log with times
        /var/log/dpkg.log, content: dpkg logs what it did when
      4 × not reproducible: differs between two builds of the original
        /a/1, content: a second build of the original has yet another one
        /a/2, content: a second build of the original has yet another one
        /a/\x1B[3m, content: a second build of the original has yet another one
        … and 1 more
    "##);
    let mut p = plan();
    p.compared(&Comparison {
        paths: 1,
        ..Comparison::default()
    });
    insta::assert_snapshot!(shown(p).lines().next().unwrap_or_default(), @"The plan builds the same image: 1 path and the configuration are equal.");
    let p = PlanVerified {
        equal: true,
        nothing_to_verify: true,
        ..plan()
    };
    insta::assert_snapshot!(shown(p), @"There is nothing to verify: no plan is better than Dockerfile as it is.");
}

#[test]
fn another_image() {
    let mut p = plan();
    p.builds = 3;
    let digest = |c: &str| format!("900 B, blake3 {}", c.repeat(64));
    let mut content = differs("etc/app.conf", Field::Content, &digest("a"), &digest("b"));
    let text = |n: usize| (0..n).map(|i| format!("line {i}\n")).collect::<String>();
    content.texts = Some(Box::new((
        text(20) + "\told\x1b[31m\r\n",
        "::stop-commands::x\n".to_owned() + &text(20),
    )));
    let mut differences = vec![content];
    differences.extend((0..12).map(|i| differs(&format!("bin/{i}"), Field::Mode, "0755", "4755")));
    differences.push(differs(
        "n",
        Field::Presence,
        "absent",
        "file, 0644, 0:0, 1 B",
    ));
    let xattr = Field::Attribute("security.capability".to_owned());
    differences.push(differs("x", xattr, "0x01", "absent"));
    differences.push(differs("", Field::Config("Env.A".to_owned()), "1", "2"));
    p.compared(&Comparison {
        paths: 1000,
        differences,
        noise: Vec::new(),
    });
    p.not_again = Some("no net".to_owned());
    insta::assert_snapshot!(shown(p), @r##"
    The plan builds another image: 16 differences in 1,000 paths and the configuration.
    3 builds on the files of 0123456789 with docker 28.5, buildx 0.29: the original, the plan, and the original once more without a cache.
    The last one failed, so nothing tells what two builds of the original differ in: no net

    Dockerfile, 57 % of the modelled rebuild seconds saved (assumed):
      lines 7 to 9, reorder (assumed): RUN npm ci changes less often than COPY . .
      if npm ci reads only package.json

    Different in content: 1
      /etc/app.conf
        original  900 B, blake3 aaaaaaaaaaaa…
        plan      900 B, blake3 bbbbbbbbbbbb…
        @@ -1,3 +1,4 @@
        +::stop-commands::x
         line 0
         line 1
         line 2
        @@ -18,4 +19,3 @@
         line 17
         line 18
         line 19
        -	old\x1b[31m\x0d

    Different in mode: 12
      /bin/0
        original  0755
        plan      4755
      /bin/1
        original  0755
        plan      4755
      /bin/2
        original  0755
        plan      4755
      /bin/3
        original  0755
        plan      4755
      /bin/4
        original  0755
        plan      4755
      /bin/5
        original  0755
        plan      4755
      /bin/6
        original  0755
        plan      4755
      /bin/7
        original  0755
        plan      4755
      /bin/8
        original  0755
        plan      4755
      /bin/9
        original  0755
        plan      4755
      … and 2 more

    Different in presence: 1
      /n
        original  absent
        plan      file, 0644, 0:0, 1 B

    Different in attribute: 1
      /x, security.capability
        original  0x01
        plan      absent

    Different in configuration: 1
      Env.A
        original  1
        plan      2
    "##);
}

#[test]
fn a_plan_that_does_not_build() {
    let mut p = plan();
    p.builds = 3;
    p.refused("\"/a\": not found".to_owned());
    insta::assert_snapshot!(shown(p.clone()), @r##"
    The plan does not build, the original does: "/a": not found
    3 builds on the files of 0123456789 with docker 28.5, buildx 0.29: the original, the plan, and the original once more without a cache.

    Dockerfile, 57 % of the modelled rebuild seconds saved (assumed):
      lines 7 to 9, reorder (assumed): RUN npm ci changes less often than COPY . .
      if npm ci reads only package.json
    "##);
    let rows = serde_json::to_value(&p.differences).expect("JSON");
    let expected = serde_json::json!([{"what": "build", "original": "built", "plan": "refused: \"/a\": not found"}]);
    assert_eq!(rows, expected);
}
