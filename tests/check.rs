//! `check` as a user meets it: exit codes, comments that silence, baselines, settings, fixes written, formats.

use serde_json::Value;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

fn run(dir: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cacheplan"));
    command.arg("check").args(words).current_dir(dir);
    command.env_remove("SOURCE_DATE_EPOCH").env("NO_COLOR", "1");
    command.output().expect("it runs")
}

fn project(text: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    write(dir.path(), "Dockerfile", text);
    dir
}

fn write(dir: &Path, name: &str, text: &str) {
    std::fs::write(dir.join(name), text).expect("written");
}

/// Rules of the findings, and codes of the diagnostics, in order.
fn found(dir: &Path, words: &[&str]) -> (Vec<String>, Vec<String>) {
    let out = run(dir, &[words, &["--format", "json"]].concat());
    let document: Value =
        serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{e}: {out:?}"));
    assert_eq!(document["schema"], "cacheplan.check/1");
    let files = document["files"].as_array().expect("files");
    let of = |list: &str, key: &str| {
        let all = files
            .iter()
            .flat_map(|f| f[list].as_array().expect("a list"));
        all.map(|x| x[key].as_str().expect("text").to_owned())
            .collect()
    };
    // Other rules may have their say on these files as well.
    let mut rules: Vec<String> = of("findings", "rule");
    rules.retain(|r| ["base-tag", "lost-state", "repeated-step"].contains(&r.as_str()));
    (rules, of("diagnostics", "code"))
}

const TAG: &str = "FROM debian\nRUN true && touch /a\n";

#[test]
fn exit_codes_follow_gates_and_errors() {
    let dir = project(TAG);
    assert_eq!(run(dir.path(), &[]).status.code(), Some(0));
    assert_eq!(
        run(dir.path(), &["--fail-on", "severity=warning"])
            .status
            .code(),
        Some(1)
    );
    assert_eq!(
        run(dir.path(), &["--fail-on", "severity=error"])
            .status
            .code(),
        Some(0)
    );
    assert_eq!(
        run(dir.path(), &["--fail-on", "nonsense"]).status.code(),
        Some(2)
    );
    let broken = project("FROM debian:12\nNONSENSE\n");
    let out = run(broken.path(), &[]);
    assert_eq!(out.status.code(), Some(2));
    assert!(
        String::from_utf8_lossy(&out.stdout).contains("Dockerfile:2:1"),
        "{out:?}"
    );
    let none = run(dir.path(), &["nowhere"]);
    assert_eq!(none.status.code(), Some(2));
    assert!(
        String::from_utf8_lossy(&none.stderr).contains("there is no nowhere"),
        "{none:?}"
    );
}

#[test]
fn comments_silence_what_they_name() {
    let rules = |comment: &str| {
        found(
            project(&format!("{comment}\n{TAG}")).path(),
            &["--today", "2026-11-01"],
        )
    };
    let base = vec!["base-tag".to_owned()];
    assert_eq!(rules("#").0, base);
    for silent in [
        "# cacheplan ignore=base-tag",
        "# cacheplan: ignore=base-tag reason=\"it is ours\" until=2027-01-01",
        "# hadolint ignore=DL3006",
        "# a reason\n# hadolint ignore=DL3008,DL3006\n# more",
        "# cacheplan global ignore=base-tag\n",
        "# hadolint global ignore=DL3006\n\n",
        "# cacheplan ignore=DL3006",
    ] {
        assert_eq!(rules(silent), (vec![], vec![]), "{silent}");
    }
    for other in [
        "# cacheplan ignore=lost-state",
        "# hadolint ignore=DL3008",
        "# cacheplan ignore=base-tag\n",
    ] {
        assert_eq!(rules(other).0, base, "{other}");
    }
    let over = rules("# cacheplan ignore=base-tag until=2026-10-31");
    assert_eq!(over, (base.clone(), vec!["ignore/over".to_owned()]));
    assert_eq!(
        rules("# cacheplan ignore=base-tag until=2026-11-01").0,
        Vec::<String>::new()
    );
    for bad in [
        "# cacheplan ignore=base-tga",
        "# cacheplan ignore=",
        "# cacheplan ignore=base-tag until=soon",
        "# cacheplan ignore=base-tag reason=\"open",
        "# cacheplan ignore=base-tag why=x",
    ] {
        assert_eq!(
            rules(bad),
            (base.clone(), vec!["ignore/comment".to_owned()]),
            "{bad}"
        );
    }
}

#[test]
fn a_baseline_holds_what_was_there_and_nothing_new() {
    let dir = project("FROM debian\nRUN cd /a\nRUN cd /a\n");
    let out = run(dir.path(), &["--write-baseline", "known.json"]);
    assert_eq!(out.status.code(), Some(0), "{out:?}");
    let with = ["--baseline", "known.json"];
    assert_eq!(found(dir.path(), &with).0, Vec::<String>::new());
    // Lines that move or are indented otherwise are the same ones; a third one is new.
    write(
        dir.path(),
        "Dockerfile",
        "# moved\n\nFROM   debian\nRUN cd /a\nUSER root\nRUN   cd /a\nRUN cd /a\n",
    );
    let (rules, _) = found(dir.path(), &with);
    assert_eq!(rules, ["lost-state"]);
    write(dir.path(), "known.json", "{}");
    let out = run(dir.path(), &with);
    assert_eq!(out.status.code(), Some(2));
    assert!(
        String::from_utf8_lossy(&out.stderr).contains("known.json"),
        "{out:?}"
    );
}

#[test]
fn settings_switch_rules_off_and_change_their_severity() {
    let dir = project(TAG);
    write(
        dir.path(),
        "cacheplan.toml",
        "[rules]\nbase-tag = \"off\"\n",
    );
    assert_eq!(found(dir.path(), &[]).0, Vec::<String>::new());
    write(
        dir.path(),
        "cacheplan.toml",
        "[rules]\nbase-tag = { severity = \"error\" }\n",
    );
    assert_eq!(
        run(dir.path(), &["--fail-on", "severity=error"])
            .status
            .code(),
        Some(1)
    );
    for (text, place) in [
        (
            "[rules]\nbase-tga = \"off\"\n",
            "cacheplan.toml:2:1: there is no rule `base-tga`, did you mean `base-tag`?",
        ),
        (
            "[rules]\nbase-tag = \"loud\"\n",
            "cacheplan.toml:2:1: `loud` is no severity",
        ),
        ("[rules\n", "cacheplan.toml:1:"),
        ("rules = 1\n", "cacheplan.toml:1:1: `rules` is a table"),
    ] {
        write(dir.path(), "cacheplan.toml", text);
        let out = run(dir.path(), &[]);
        assert_eq!(out.status.code(), Some(2), "{text}");
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(said.contains(place), "{text}: {said}");
    }
}

#[test]
fn files_of_several_repositories_are_named_as_they_were_given() {
    let (a, b) = (project(TAG), project("FROM debian:12\nRUN cd /x\n"));
    std::fs::create_dir_all(b.path().join(".git")).expect("a folder");
    std::fs::create_dir_all(b.path().join("sub")).expect("a folder");
    std::fs::rename(
        b.path().join("Dockerfile"),
        b.path().join("sub/My.Dockerfile"),
    )
    .expect("moved");
    let first = a.path().join("Dockerfile");
    let second = b.path().join("sub/My.Dockerfile");
    let words: Vec<&str> = [&first, &second]
        .iter()
        .map(|p| p.to_str().expect("UTF-8"))
        .collect();
    let out = run(a.path(), &[&words[..], &["--format", "json"]].concat());
    let document: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    let files = document["files"].as_array().expect("files").iter();
    let mut names: Vec<&str> = files.map(|f| f["file"].as_str().expect("a name")).collect();
    names.sort_unstable();
    let mut wanted = words.clone();
    wanted.sort_unstable();
    assert_eq!(names, wanted);
    let relative = run(b.path(), &["sub/My.Dockerfile", "--format", "json"]);
    assert!(
        String::from_utf8_lossy(&relative.stdout).contains("\"file\": \"sub/My.Dockerfile\""),
        "{relative:?}"
    );
}

#[test]
fn fixes_are_written_with_line_ends_and_modes_kept() {
    let dir = project(
        "FROM debian:12\r\nRUN wget -q https://x.org/nexus-3.tar.gz && \\\r\n    rm next-3.tar.gz\r\n",
    );
    let file = dir.path().join("Dockerfile");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("a mode");
    write(
        dir.path(),
        "cacheplan.toml",
        "[rules]\nrepeated-step = \"off\"\n",
    );
    let out = run(dir.path(), &["--write"]);
    assert_eq!(out.status.code(), Some(0), "{out:?}");
    let text = std::fs::read_to_string(&file).expect("there");
    assert!(text.contains("rm nexus-3.tar.gz\r\n"), "{text:?}");
    assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
    assert_eq!(
        std::fs::metadata(&file)
            .expect("there")
            .permissions()
            .mode()
            & 0o777,
        0o600
    );
    let again = run(dir.path(), &["--write"]);
    assert!(
        String::from_utf8_lossy(&again.stderr).contains("nothing to fix"),
        "{again:?}"
    );
    // A class that is weaker than asked for stays.
    let review = project("FROM debian:12-slim\nRUN cd /srv\n");
    run(review.path(), &["--write"]);
    let text = std::fs::read_to_string(review.path().join("Dockerfile")).expect("there");
    assert!(text.contains("RUN cd /srv"));
    run(review.path(), &["--write", "--safety", "review"]);
    let text = std::fs::read_to_string(review.path().join("Dockerfile")).expect("there");
    assert_eq!(text, "FROM debian:12-slim\nWORKDIR /srv\n");
}

#[test]
fn hostile_text_comes_out_inert() {
    let dir = project(
        "FROM a/\u{1b}[31m|@octo<script>\nRUN cd /x # ::set-output name=a::b\nCOPY a\u{202e}b /\n",
    );
    let text = String::from_utf8_lossy(&run(dir.path(), &[]).stdout).into_owned();
    assert!(
        !text.contains('\u{1b}') && !text.contains('\u{202e}'),
        "{text}"
    );
    assert!(
        !text.lines().any(|l| l.trim_start().starts_with("::")),
        "{text}"
    );
    let markdown =
        String::from_utf8_lossy(&run(dir.path(), &["--format", "markdown"]).stdout).into_owned();
    assert!(
        !markdown.contains("<script>") && !markdown.contains("@octo"),
        "{markdown}"
    );
    for line in markdown.lines().filter(|l| l.starts_with('|')) {
        assert_eq!(line.matches('|').count(), 4, "{line}");
    }
}

#[test]
fn every_rule_is_listed_once() {
    let dir = project(TAG);
    let out = run(dir.path(), &["--list-rules"]);
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let mut names: Vec<&str> = text.lines().filter_map(|l| l.split(' ').next()).collect();
    assert_eq!(names.len(), cacheplan::rules::all().count());
    names.sort_unstable();
    let before = names.len();
    names.dedup();
    assert_eq!(names.len(), before, "two rules have one name");
}

#[test]
fn a_comment_for_the_file_is_told_of_once() {
    let dir = project(&format!(
        "# cacheplan global ignore=nope\n{TAG}# cacheplan global ignore=base-tag until=2020-01-01\nRUN x\n"
    ));
    let (_, said) = found(dir.path(), &[]);
    assert_eq!(said, ["ignore/comment", "ignore/over"]);
    let all = project(&format!("# cacheplan ignore=all\n{TAG}RUN cd /x\n"));
    assert_eq!(found(all.path(), &[]).0, ["lost-state"]);
}

#[test]
fn fixes_leave_alone_what_is_no_text() {
    let odd: &[u8] = b"FROM debian:12-slim\nRUN echo \"\xff\xff\" \\\nCOPY a b\nRUN cd /x && \xe9\\\nRUN b\nRUN cd /srv";
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("Dockerfile"), odd).expect("written");
    run(dir.path(), &["--write", "--safety", "review"]);
    let now = std::fs::read(dir.path().join("Dockerfile")).expect("there");
    assert_eq!(now, odd, "places in such a file are not what rules see");
    let text = b"FROM debian:12-slim\nRUN cd /srv";
    std::fs::write(dir.path().join("Dockerfile"), text).expect("written");
    run(dir.path(), &["--write", "--safety", "review"]);
    let now = std::fs::read(dir.path().join("Dockerfile")).expect("there");
    assert!(now.ends_with(b"WORKDIR /srv"), "text has its fixes");
}

#[test]
fn nothing_is_written_or_read_out_of_the_folder() {
    let outside = tempfile::tempdir().expect("a folder");
    write(outside.path(), "ignore", "x\n");
    write(outside.path(), "settings", "[rules]\nsecret = \"off\"\n");
    let dir = project("FROM node:22-slim\nCOPY . .\n");
    let link = |target: &str, name: &str| {
        let target = outside.path().join(target);
        std::os::unix::fs::symlink(target, dir.path().join(name)).expect("a link");
    };
    std::fs::create_dir(dir.path().join("node_modules")).expect("a folder");
    for file in ["package.json", "node_modules/a.js", "node_modules/b.js"] {
        write(dir.path(), file, "{}");
    }
    link("ignore", ".dockerignore");
    let out = run(dir.path(), &["--write", "--safety", "review"]);
    let kept = std::fs::read_to_string(outside.path().join("ignore")).expect("there");
    assert_eq!(kept, "x\n", "{out:?}");
    assert!(dir.path().join(".dockerignore").is_symlink(), "{out:?}");
    link("settings", "cacheplan.toml");
    let out = run(dir.path(), &[]);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(2), "{said}");
    assert!(
        said.contains("leads out of") && !said.contains("secret"),
        "{said}"
    );
}

#[test]
fn a_baseline_is_a_file_of_some_size() {
    let dir = project(TAG);
    let pipe = dir.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().expect("mkfifo");
    assert!(made.success());
    std::os::unix::fs::symlink("/dev/zero", dir.path().join("zero")).expect("a link");
    let file = std::fs::File::create(dir.path().join("large")).expect("a file");
    file.set_len(80 << 20).expect("a size");
    for name in ["pipe", "zero", "large"] {
        let out = run(dir.path(), &["--baseline", name]);
        assert_eq!(out.status.code(), Some(2), "{name}: {out:?}");
        assert!(
            String::from_utf8_lossy(&out.stderr).contains(name),
            "{out:?}"
        );
    }
}
