//! `cacheplan calibrate` as a user runs it.

#[path = "common/planned.rs"]
mod planned;

use planned::{Value, cacheplan};
use std::path::Path;
use std::process::{Command, Output};

const FIRST: &str = "#1 [internal] load build definition from Dockerfile\n#1 DONE 0.0s\n#2 [1/4] FROM docker.io/library/node\n#2 DONE 4.0s\n\
                     #3 [2/4] COPY package.json ./\n#3 DONE 0.1s\n#4 [3/4] RUN --mount=type=cache,target=/root/.npm npm ci\n#4 1.0 hello\n#4 DONE 30.0s\n\
                     #5 [4/4] RUN npm run build\n#5 DONE 20.0s\n";

/// The same build with the sources changed.
fn second() -> String {
    FIRST
        .replace("#3 DONE 0.1s", "#3 CACHED")
        .replace("#4 1.0 hello\n#4 DONE 30.0s", "#4 CACHED")
        .replace("DONE 20.0s", "DONE 24.0s")
}

fn good(out: &Output) -> String {
    let errors = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(0), "{errors}");
    String::from_utf8_lossy(&out.stdout).into_owned()
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        std::fs::write(dir.path().join(name), text).expect("a file");
    }
    dir
}

fn costs(dir: &Path) -> String {
    std::fs::read_to_string(dir.join("cacheplan.costs.json")).expect("a costs file")
}

#[test]
fn logs_become_rules_and_rules_grow() {
    let dir = folder(&[("a.log", FIRST), ("b.log", &second())]);
    let told = good(&cacheplan(dir.path(), &["calibrate", "a.log", "b.log"]));
    let expected = "a.log (plain): 3 steps ran, 50.1 s of work\nb.log (plain): 1 step ran, 2 cached, 24.0 s of work\n\n\
                    \x20 median      90 %      warm  runs  step\n\
                    \x20 30.0 s    30.0 s         -     1  RUN npm ci\n\
                    \x20 22.0 s    23.6 s         -     2  RUN npm run build\n\
                    \x20 0.10 s    0.10 s         -     1  COPY package.json ./\n\
                    \x20 30.0 s    30.0 s         -     1  any `install` step\n\
                    \x20 22.0 s    23.6 s         -     2  any `build` step\n\
                    \x20 0.10 s    0.10 s         -     1  any `copy` step\n\n\
                    cacheplan.costs.json: 6 rules, 6 of them new\n";
    assert_eq!(told, expected);
    let written = "{\"schema\":\"cacheplan.costs/1\",\"steps\":[\n\
                   {\"match\":{\"keyword\":\"COPY\",\"text\":\"package.json ./\"},\"seconds\":{\"cold\":[0.1,0.1]},\"n\":1},\n\
                   {\"match\":{\"keyword\":\"RUN\",\"text\":\"npm ci\"},\"seconds\":{\"cold\":[30.0,30.0]},\"n\":1,\"between\":[\"COPY package.json ./\",\"RUN npm run build\"]},\n\
                   {\"match\":{\"keyword\":\"RUN\",\"text\":\"npm run build\"},\"seconds\":{\"cold\":[22.0,23.6]},\"n\":2,\"between\":[\"RUN npm ci\",\"\"]},\n\
                   {\"match\":{\"class\":\"install\"},\"seconds\":{\"cold\":[30.0,30.0]},\"n\":1},\n\
                   {\"match\":{\"class\":\"build\"},\"seconds\":{\"cold\":[22.0,23.6]},\"n\":2},\n\
                   {\"match\":{\"class\":\"copy\"},\"seconds\":{\"cold\":[0.1,0.1]},\"n\":1}\n]}\n";
    assert_eq!(costs(dir.path()), written);
    // A mount that an earlier build has filled.
    let told = good(&cacheplan(
        dir.path(),
        &["calibrate", "a.log", "--format", "json"],
    ));
    let document: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(document["schema"], "cacheplan.calibrate/1");
    let rule = &document["rules"][1];
    assert_eq!(
        (&rule["text"], &rule["n"], &rule["new"]),
        (&"npm ci".into(), &2.into(), &false.into())
    );
    assert_eq!(rule["warm"], serde_json::json!([30.0, 30.0]));
    let cold = good(&cacheplan(
        dir.path(),
        &[
            "calibrate",
            "a.log",
            "a.log",
            "--cold-mounts",
            "-o",
            "cold.json",
        ],
    ));
    assert!(
        cold.contains("  30.0 s    30.0 s         -     2  RUN npm ci\n"),
        "{cold}"
    );
}

#[test]
fn what_was_learned_is_what_steps_cost() {
    let dockerfile = "FROM node\nARG WHAT=build\nCOPY package.json ./\nRUN --mount=type=cache,target=/root/.npm npm ci\nRUN npm run $WHAT\n\
                      RUN npm  ci --no-audit\n";
    let dir = folder(&[
        ("a.log", FIRST),
        ("Dockerfile", dockerfile),
        ("package.json", "{}\n"),
    ]);
    good(&cacheplan(dir.path(), &["calibrate", "a.log"]));
    for args in [
        &["init", "-q"][..],
        &["add", "-A"],
        &[
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@example.org",
            "commit",
            "-qm",
            "a",
        ],
        &[
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@example.org",
            "commit",
            "-qm",
            "b",
            "--allow-empty",
        ],
    ] {
        let done = Command::new("git")
            .args(args)
            .current_dir(dir.path())
            .status()
            .expect("git");
        assert!(done.success());
    }
    let told = good(&cacheplan(
        dir.path(),
        &["analyze", "--format", "json", "--quiet"],
    ));
    let document: Value = serde_json::from_str(&told).expect("JSON");
    let steps = document["targets"][0]["steps"].as_array().expect("steps");
    let shown: Vec<String> = steps
        .iter()
        .map(|s| format!("{} {} {}", s["line"], s["cost_s"], s["cost_source"]))
        .collect();
    let expected = [
        "3 0.1 \"measured\"",
        "4 30.0 \"measured\"",
        // By what the builder printed, its variable expanded.
        "5 20.0 \"measured\"",
        // As it may have been in another version of the file.
        "6 30.0 \"learned\"",
    ];
    for line in expected {
        assert!(shown.iter().any(|s| s == line), "{line}: {shown:?}");
    }
}

#[test]
fn bad_logs_are_told_and_the_others_are_read() {
    let stamped: String = FIRST
        .lines()
        .map(|l| format!("2026-01-02T10:00:00.1234567Z {l}\n"))
        .collect();
    let raw = "{\"vertexes\":[{\"digest\":\"a\",\"name\":\"[1/1] RUN make\",\"started\":\"2026-01-02T10:00:00Z\",\"completed\":\"2026-01-02T10:00:05Z\"}]}\n";
    let hostile = FIRST.replace("npm run build", "npm \u{1b}[31m::error::x \u{202e}run");
    let dir = folder(&[
        ("no.log", "hello\n"),
        ("stamped.log", &stamped),
        (
            "cut.log",
            &format!(
                "[2026-01-02T10:00:00.123Z] {raw}2026-01-02T10:00:00.123Z {{\"vertexes\":[{{\"dig"
            ),
        ),
        ("soon.log", &FIRST.replace("DONE 30.0s", "DONE soon")),
        ("hostile.log", &hostile),
        ("bad.json", "{\"schema\":\"other/1\",\"steps\":[]}"),
        ("archive.dockerbuild", "\u{1f}no archive"),
    ]);
    std::fs::write(
        dir.path().join("archive.dockerbuild"),
        [0x1f, 0x8b, 8, 0, 1],
    )
    .expect("a file");
    let out = cacheplan(
        dir.path(),
        &[
            "calibrate",
            "no.log",
            "gone.log",
            "soon.log",
            "archive.dockerbuild",
            "stamped.log",
            "cut.log",
        ],
    );
    let errors = String::from_utf8_lossy(&out.stderr).into_owned();
    for line in [
        "error: no.log: no line of this log is progress of a build (write one with --progress=plain or --progress=rawjson)\n",
        "error: cannot read gone.log: No such file or directory (os error 2)\n",
        "error: soon.log: line 9: `DONE soon` ends a step, but not with seconds\n",
        "error: archive.dockerbuild: this archive is no build record: ",
        "note: cut.log: line 2, the last one, is cut off; what stands before it was read\n",
    ] {
        assert!(errors.contains(line), "{line}: {errors}");
    }
    let told = good(&out);
    assert!(told.starts_with("stamped.log (plain): 3 steps ran, 50.1 s of work\ncut.log (rawjson): 1 step ran, 5.00 s of work\n"), "{told}");
    // Nothing readable, and a costs file that is none: nothing is written.
    for args in [
        &["calibrate", "no.log"][..],
        &["calibrate", "stamped.log", "-o", "bad.json"],
    ] {
        let out = cacheplan(dir.path(), args);
        assert_eq!(out.status.code(), Some(2), "{args:?}");
        assert!(out.stdout.is_empty());
    }
    assert_eq!(
        std::fs::read_to_string(dir.path().join("bad.json")).unwrap(),
        "{\"schema\":\"other/1\",\"steps\":[]}"
    );
    let told = good(&cacheplan(
        dir.path(),
        &["calibrate", "hostile.log", "-o", "h.json"],
    ));
    assert!(!told.contains(['\u{1b}', '\u{202e}']), "{told:?}");
}

#[test]
fn only_builds_are_recorded() {
    let dir = folder(&[]);
    let out = cacheplan(dir.path(), &["record", "--", "make", "all"]);
    assert_eq!(out.status.code(), Some(3));
    let errors = String::from_utf8_lossy(&out.stderr);
    assert!(errors.contains("this command is not recorded"), "{errors}");
    assert!(!dir.path().join("cacheplan.costs.json").exists());
}
