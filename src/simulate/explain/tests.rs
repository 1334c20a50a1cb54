//! Which part of a key changed, in words; which step was which; hostile values.

use super::pairs::pairs;
use super::words::{differences, quoted, sources, volatile};
use crate::dockerfile::parse;
use crate::plan::{BuildOptions, Plan, Step, lower};
use crate::source::SourceFile;

fn plan_with(text: &str, args: &[(&str, &str)]) -> Plan {
    let options = BuildOptions {
        args: args
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect(),
        volatile_args: vec!["NOW".to_owned()],
        ..BuildOptions::default()
    };
    lower(&parse(&SourceFile::new("Dockerfile", text)).tree, &options)
}

fn plan(text: &str) -> Plan {
    plan_with(text, &[])
}

fn last(plan: &Plan) -> &Step {
    &plan.graph[*plan.order.last().expect("a step")]
}

/// What changed in the last step between two files.
fn changed(old: &str, new: &str) -> String {
    let (old, new) = (plan(old), plan(new));
    assert_ne!(
        last(&old).definition,
        last(&new).definition,
        "both are equal"
    );
    differences(last(&old), last(&new))
}

#[test]
fn every_part_of_a_run_is_named() {
    let rows = [
        ("RUN a", "RUN b", "command changed from `a` to `b`"),
        (
            "ENV A=1\nRUN a",
            "ENV A=2\nRUN a",
            "ENV `A` changed from `1` to `2`",
        ),
        ("RUN a", "ENV A=2\nRUN a", "ENV `A` = `2` is new"),
        ("ARG A=2\nRUN a", "RUN a", "ARG `A` is gone"),
        (
            "ARG A=1\nRUN a",
            "ENV A=2\nRUN a",
            "ENV `A` changed from `1` to `2`",
        ),
        (
            "ENV A=1\nENV B=1\nRUN a",
            "ENV B=1\nENV A=1\nRUN a",
            "the order of the variables changed",
        ),
        (
            "USER a\nRUN a",
            "USER b\nRUN a",
            "user changed from `a` to `b`",
        ),
        ("RUN a", "USER b\nRUN a", "user `b` is new"),
        (
            "WORKDIR /a\nRUN a",
            "WORKDIR /b\nRUN a",
            "working directory changed from `/a` to `/b`",
        ),
        (
            "RUN a",
            "SHELL [\"/bin/bash\",\"-c\"]\nRUN a",
            "shell changed from `/bin/sh -c` to `/bin/bash -c`",
        ),
        (
            "RUN --mount=type=cache,target=/a a",
            "RUN --mount=type=cache,target=/b a",
            "--mount changed from `type=cache,target=/a` to `type=cache,target=/b`",
        ),
        ("RUN a", "RUN --network=none a", "--network `none` is new"),
        (
            "ENV A=1 B=1 C=1 D=1 E=1\nRUN a",
            "ENV A=2 B=2 C=2 D=2 E=2\nRUN b",
            "command changed from `a` to `b`; ENV `A` changed from `1` to `2`; ENV `B` changed from `1` to `2`; and 3 more",
        ),
    ];
    for (old, new, expected) in rows {
        let (old, new) = (format!("FROM a\n{old}\n"), format!("FROM a\n{new}\n"));
        assert_eq!(changed(&old, &new), expected);
    }
}

#[test]
fn every_part_of_a_copy_is_named() {
    let rows = [
        (
            "COPY a /x",
            "COPY a /y",
            "destination changed from `/x` to `/y`",
        ),
        ("COPY a /x/", "COPY b /x/", "source changed from `a` to `b`"),
        (
            "COPY a b /x/",
            "COPY a c /x/",
            "source `c` is new; source `b` is gone",
        ),
        (
            "COPY a b /x/",
            "COPY b a /x/",
            "the order of source changed",
        ),
        ("COPY a /x", "COPY --chown=app a /x", "owner `app` is new"),
        (
            "COPY --chmod=644 a /x",
            "COPY --chmod=600 a /x",
            "mode changed from `644` to `600`",
        ),
        ("COPY a /x", "COPY --link a /x", "--link `--link` is new"),
        (
            "COPY --exclude=*.md a /x",
            "COPY --exclude=*.txt a /x",
            "--exclude changed from `*.md` to `*.txt`",
        ),
        (
            "COPY <<E /x\na\nE",
            "COPY <<E /x\nb\nE",
            "text of a heredoc changed from `a\\n` to `b\\n`",
        ),
        ("WORKDIR /a", "WORKDIR /b", "path changed from `/a` to `/b`"),
        ("WORKDIR /a", "USER x\nWORKDIR /a", "owner `x` is new"),
    ];
    for (old, new, expected) in rows {
        let (old, new) = (format!("FROM a\n{old}\n"), format!("FROM a\n{new}\n"));
        assert_eq!(changed(&old, &new), expected);
    }
    assert_eq!(
        changed("FROM a:1\n", "FROM a:2\n"),
        "image changed from `docker.io/library/a:1` to `docker.io/library/a:2`"
    );
}

#[test]
fn sources_that_only_share_their_names_are_told() {
    let of = |old: &str, new: &str| {
        let (old, new) = (plan(old), plan(new));
        assert_eq!(last(&old).definition, last(&new).definition);
        sources(last(&old), last(&new), &old, &new)
    };
    assert_eq!(
        of("FROM a\nCOPY x/f /\n", "FROM a\nCOPY y/f /\n").as_deref(),
        Some("it takes `y/f` instead of `x/f`")
    );
    assert_eq!(of("FROM a\nCOPY x/f /\n", "FROM a\nCOPY x/f /\n"), None);
    let file = |name: &str| {
        format!("FROM a AS s\nRUN s\nFROM a AS t\nRUN t\nFROM a\nCOPY --from={name} /f /\n")
    };
    assert_eq!(
        of(&file("s"), &file("t")).as_deref(),
        Some("it takes `/f of t` instead of `/f of s`")
    );
}

#[test]
fn a_value_of_every_build_is_named() {
    let plan = plan("FROM a\nARG NOW\nENV B=$NOW\nRUN a\n");
    assert_eq!(volatile(last(&plan)), "`NOW`, `B` differ in every build");
}

#[test]
fn values_cannot_act_on_a_terminal() {
    assert_eq!(
        quoted("a\nb\t\u{1b}[31m\u{202e}`x`\"'\\"),
        "`a\\nb\\t\\u{1b}[31m\\u{202e}\\`x\\`\"'\\`"
    );
    let long = "x".repeat(500);
    assert_eq!(quoted(&long).chars().count(), 72 + 3);
    // Long values are cut where they differ.
    let (old, new) = (
        format!("FROM a\nRUN {long} one\n"),
        format!("FROM a\nRUN {long} two\n"),
    );
    let shown = changed(&old, &new);
    assert!(shown.contains("one") && shown.contains("two"), "{shown}");
    assert!(shown.chars().count() < 240, "{shown}");
}

#[test]
fn steps_are_paired_by_text_and_then_by_place() {
    let of = |old: &str, new: &str| {
        let (old, new) = (plan(old), plan(new));
        let name = |plan: &Plan, at: usize| plan.graph[plan.order[at]].text.clone();
        let found = pairs(&old, &new);
        let one = |(at, was): (usize, &Option<usize>)| {
            let was = was.map_or("-".to_owned(), |w| name(&old, w));
            format!("{}<{was}", name(&new, at))
        };
        found
            .iter()
            .enumerate()
            .map(one)
            .collect::<Vec<_>>()
            .join(" ")
    };
    let base = "docker.io/library/a:latest";
    assert_eq!(
        of(
            "FROM a\nRUN 1\nRUN 2\nRUN 3\n",
            "FROM a\nRUN 1\nRUN x\nRUN 3\n"
        ),
        format!("{base}<{base} 1<1 x<2 3<3")
    );
    assert_eq!(
        of("FROM a\nRUN 1\nRUN 3\n", "FROM a\nRUN 1\nRUN 2\nRUN 3\n"),
        format!("{base}<{base} 1<1 2<- 3<3")
    );
    // Stages by name, wherever they stand.
    assert_eq!(
        of(
            "FROM a AS x\nRUN 1\nFROM x\nRUN 2\n",
            "FROM a AS n\nRUN 0\nFROM a AS x\nRUN 1\nFROM x\nCOPY --from=n /a /b\nRUN 2\n"
        ),
        format!("{base}<- 0<- {base}<{base} 1<1 /a /b<- 2<-")
    );
}
