//! COPY lines in another form, files in a mount or a layer that stands by itself: what the plan is, and that a real builder makes
//! the same image of it.
//!
//! In: a `docker` with buildx and the image `busybase:latest`; without them the builds are left out and said so (with
//! `CACHEPLAN_REQUIRE_BUILDER=1` they fail). Tools that fetch are scripts that stand in for them. Invariant: every case names the
//! rewrites its plan consists of, so none passes by finding nothing to do.

mod common;
#[path = "common/planned.rs"]
mod planned;

use common::builder;
use planned::*;
use std::process::Command;

/// Costs that make a COPY worth saving, whatever the priors say of it.
const ROUND: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/rewrites/round.json");

/// The best plan with these rewrites; where there is a builder, both files are built and the images compared.
fn plan(files: &[(&str, &str)], edits: &[&str], rewrites: &str) -> Value {
    let repo = repository(files, edits);
    let flags = ["--rewrites", rewrites, "--costs", ROUND];
    let plan = best(&repo.root, &flags);
    let mut found = names(&plan);
    found.sort_unstable();
    found.dedup();
    let shown = text(&plan, "diff").to_owned();
    assert_eq!(found.join(","), rewrites, "{shown}");
    if builder::version_or_skip().is_some() {
        builds_the_same_image(&repo.root, &flags, &shown);
    }
    plan
}

/// Says what it saw, and the mode and owner of that.
const NPM: &str = "FROM busybase AS node\n\
    RUN printf '#!/bin/sh\\nset -e\\nmkdir -p node_modules\\nls -ln package*.json | cut -c1-30 > node_modules/seen\\n\
    cat package.json package-lock.json >> node_modules/seen\\n' > /bin/npm && chmod 755 /bin/npm\n";

const PACKAGE: (&str, &str) = ("package.json", "{\"name\":\"a\",\"version\":\"1.0.0\"}\n");
const LOCK: (&str, &str) = (
    "package-lock.json",
    "{\"name\":\"a\",\"lockfileVersion\":3,\"packages\":{}}\n",
);

/// The manifest is JSON, so what is edited is a file that is copied with it.
const OFTEN: &[&str] = &[
    "set.npmrc",
    "src/a",
    "set.npmrc",
    "src/b",
    "set.npmrc",
    "set.npmrc",
];

#[test]
fn manifests_that_come_again_are_mounted() {
    let file = format!(
        "{NPM}FROM node\nWORKDIR /app\n# what npm reads\nCOPY package.json package-lock.json set.npmrc ./\nRUN npm ci\n\
         COPY . .\nCMD [\"true\"]\n"
    );
    let files = [
        ("Dockerfile", file.as_str()),
        PACKAGE,
        LOCK,
        ("set.npmrc", "\n"),
        ("src/a", "a\n"),
        ("src/b", "b\n"),
    ];
    let plan = plan(&files, OFTEN, "bind-mount");
    let new = "# what npm reads\nRUN --mount=type=bind,source=package-lock.json,target=package-lock.json \\\n    \
               --mount=type=bind,source=package.json,target=package.json \\\n    \
               --mount=type=bind,source=set.npmrc,target=set.npmrc \\\n    npm ci\nCOPY . .\n";
    let text = text(&plan, "dockerfile");
    assert!(text.contains(new), "{text}");
}

#[test]
fn folders_that_a_mount_makes_are_those_that_a_copy_makes() {
    // Without a WORKDIR, in folders of their own, and with a user who owns nothing there.
    let file = "FROM busybase\nCOPY conf/one /w/conf/one\nUSER app\nRUN cp /w/conf/one /tmp/two && ls -ln /w/conf | cut -c1-30 >> /tmp/two\n\
                COPY conf /w/conf\n";
    let files = [
        ("Dockerfile", file),
        ("conf/one", "1\n"),
        ("conf/deep/two", "2\n"),
    ];
    let edits = [
        "conf/one",
        "conf/one",
        "conf/deep/two",
        "conf/one",
        "conf/one",
        "conf/one",
    ];
    let plan = plan(&files, &edits, "bind-mount");
    let text = text(&plan, "dockerfile");
    assert!(
        text.contains("source=conf/one,target=/w/conf/one"),
        "{text}"
    );
}

#[test]
fn a_stage_of_its_own_gets_its_sources_in_a_mount() {
    let file = "FROM busybase AS build\nWORKDIR /app\nCOPY . .\nRUN mkdir /out && cp -r src /out/tree && cp -p src/a /out/a\n\
                FROM busybase\nWORKDIR /srv\nCOPY --from=build /out ./\n";
    let files = [
        ("Dockerfile", file),
        (".dockerignore", "src/hidden\n"),
        ("src/a", "a\n"),
        ("src/deep/b", "b\n"),
        ("src/hidden", "no\n"),
    ];
    let edits = [
        "src/a",
        "src/deep/b",
        "src/a",
        "src/a",
        "src/deep/b",
        "src/a",
    ];
    let plan = plan(&files, &edits, "bind-mount");
    let text = text(&plan, "dockerfile");
    assert!(
        text.contains("WORKDIR /app\nRUN --mount=type=bind,target=. mkdir /out"),
        "{text}"
    );
}

#[test]
fn a_file_of_another_stage_is_mounted() {
    let file = "FROM busybase AS plan\nCOPY src/a /w/a\nRUN tr a b < /w/a > /w/recipe\n\
                FROM busybase AS build\nWORKDIR /app\nCOPY --from=plan /w/recipe recipe\nRUN cp recipe /out\n\
                FROM busybase\nCOPY --from=build /out /out\n";
    let files = [("Dockerfile", file), ("src/a", "a\n")];
    let plan = plan(&files, &["src/a"; 6], "bind-mount");
    let text = text(&plan, "dockerfile");
    assert!(
        text.contains("--mount=type=bind,from=plan,source=/w/recipe,target=recipe"),
        "{text}"
    );
}

/// Two folders that change in turn, so that each is copied for the other's sake.
const TURNS: &[&str] = &["a/x", "b/x", "a/x", "b/x", "a/x", "b/x", "a/x", "b/x"];

#[test]
fn linked_layers_are_the_same_image() {
    for (base, lines, linked) in [
        (
            "busybase",
            "WORKDIR /app\nCOPY a ./a\nCOPY b ./b\n",
            "COPY --link b ./b",
        ),
        (
            "scratch",
            "COPY a /etc/a\nCOPY b /etc/deep/b/\n",
            "COPY --link b /etc/deep/b/",
        ),
        // The folders of one are in the other as well.
        (
            "busybase",
            "COPY a /srv/x/\nCOPY b/x /srv/y\nRUN find /srv | sort | xargs stat -c '%a %u %g %s %n' > /seen\n",
            "COPY --link b/x /srv/y",
        ),
        (
            "busybase",
            "WORKDIR /app\nUSER app\nCOPY a ./\nCOPY b/in ./\n",
            "COPY --link b/in ./",
        ),
    ] {
        let file = format!("# cacheplan: plain-base\nFROM {base}\n{lines}");
        let file = match base {
            "scratch" => format!("FROM {base}\n{lines}"),
            _ => file,
        };
        let files = [
            ("Dockerfile", file.as_str()),
            ("a/x", "1\n"),
            ("a/in/y", "2\n"),
            ("b/x", "3\n"),
            ("b/in/z", "4\n"),
        ];
        let edits: Vec<&str> = match lines.contains("b/in") {
            true => TURNS
                .iter()
                .map(|e| if *e == "b/x" { "b/in/z" } else { e })
                .collect(),
            false => TURNS.to_vec(),
        };
        let plan = plan(&files, &edits, "link");
        let text = text(&plan, "dockerfile");
        assert!(text.contains(linked), "{text}");
    }
}

/// Builds a file that only copies and lists, and gives back what it lists.
fn listing(dockerfile: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("Dockerfile"), dockerfile).expect("a file");
    std::fs::write(folder.path().join("f"), "f\n").expect("a file");
    let out = folder.path().join("out");
    let output = format!("type=local,dest={}", out.display());
    let built = Command::new("docker")
        .args(["buildx", "build", "--network=none", "--output", &output])
        .arg(folder.path())
        .output()
        .expect("docker runs");
    let errors = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{errors}");
    std::fs::read_to_string(out.join("seen")).expect("a listing")
}

/// What the pages of both rewrites say of the builder.
#[test]
fn what_the_builder_leaves_of_mounts_and_links() {
    if builder::version_or_skip().is_none() {
        return;
    }
    let file = |lines: &str, path: &str| {
        format!(
            "FROM busybase AS b\n{lines}\nRUN if [ -e {path} ]; then stat -c '%a %u %F' {path}; else echo none; fi > /seen\n\
             FROM scratch\nCOPY --from=b /seen /\n"
        )
    };
    let mount = "RUN --mount=type=bind,source=f,target=/x/y/f";
    for (lines, path, seen) in [
        // Of a mount nothing is left, nor of folders that were made for it and are empty.
        (format!("{mount} cat /x/y/f"), "/x", "none"),
        (format!("WORKDIR /x/y\n{mount} cat f"), "/x/y/f", "none"),
        (
            format!("WORKDIR /x/y\n{mount} cat f"),
            "/x/y",
            "755 0 directory",
        ),
        // They stay where something is in them, as a COPY would have made them.
        (format!("{mount} touch /x/y/z"), "/x/y", "755 0 directory"),
        (
            format!("USER app\n{mount} cat /x/y/f\nUSER 0"),
            "/x",
            "none",
        ),
        // It can be neither changed nor taken away.
        (
            format!("{mount} ! (echo 1 > /x/y/f || rm /x/y/f || mv /x/y/f /z) 2> /dev/null"),
            "/x/y/f",
            "none",
        ),
        // What was there before is there again.
        (
            format!("RUN mkdir -p /x/y && echo 1 > /x/y/f && chmod 600 /x/y/f\n{mount} cat /x/y/f"),
            "/x/y/f",
            "600 0 regular file",
        ),
        // A plain COPY leaves folders as they are, a linked one lays its own over them; so it does over a link.
        (
            "RUN mkdir -m 700 /x\nCOPY f /x/".to_owned(),
            "/x",
            "700 0 directory",
        ),
        (
            "RUN mkdir -m 700 /x\nCOPY --link f /x/".to_owned(),
            "/x",
            "755 0 directory",
        ),
        (
            "RUN mkdir /x && chown 7 /x\nCOPY --link f /x/".to_owned(),
            "/x",
            "755 0 directory",
        ),
        (
            "RUN ln -s /srv /x\nCOPY f /x/g".to_owned(),
            "/srv/g",
            "644 0 regular file",
        ),
        (
            "RUN ln -s /srv /x\nCOPY --link f /x/g".to_owned(),
            "/srv/g",
            "none",
        ),
        // A file goes into a folder, or takes its place.
        (
            "RUN mkdir /x\nCOPY f /x".to_owned(),
            "/x",
            "755 0 directory",
        ),
        (
            "RUN mkdir /x\nCOPY --link f /x".to_owned(),
            "/x",
            "644 0 regular file",
        ),
        // An owner is that of the folders too, also where they were there.
        (
            "RUN mkdir /x\nCOPY --chown=7:7 f /x/g".to_owned(),
            "/x",
            "755 0 directory",
        ),
        (
            "RUN mkdir /x\nCOPY --link --chown=7:7 f /x/g".to_owned(),
            "/x",
            "755 7 directory",
        ),
    ] {
        assert_eq!(listing(&file(&lines, path)).trim(), seen, "{lines}");
    }
    // A folder has its own mode and owner in a mount, where a COPY makes one of root's; what is in it is the same in both.
    let shown = |before: &str, show: &str| {
        let file = format!(
            "FROM busybase AS a\nRUN mkdir /d && touch /d/x && chown 7 /d /d/x && chmod 770 /d\n\
             FROM busybase AS b\n{before}\nRUN {show} stat -c '%a %u' /c /c/x > /seen\nFROM scratch\nCOPY --from=b /seen /\n"
        );
        listing(&file).replace('\n', ", ")
    };
    assert_eq!(shown("COPY --from=a /d /c", ""), "755 0, 644 7, ");
    assert_eq!(
        shown("", "--mount=type=bind,from=a,source=/d,target=/c"),
        "770 7, 644 7, "
    );
    // The layers are laid over each other by further names of their files, which later commands can tell.
    for (link, one) in [("", true), ("--link ", false)] {
        let lines = format!("RUN mkdir /x\nCOPY {link}f /x/");
        let names_of = file(&lines, "/x/f").replace("%a %u %F", "%h");
        assert_eq!(listing(&names_of).trim() == "1", one, "{lines}");
    }
}
