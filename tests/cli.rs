//! The commands as a user meets them: output forms, errors with one clear message, exit codes.

#[path = "common/git.rs"]
mod git;

use std::path::Path;
use std::process::{Command, Output};

fn cacheplan(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cacheplan"))
        .args(args)
        .current_dir(dir)
        .env("NO_COLOR", "1")
        .env_remove("CACHEPLAN_COSTS")
        .env("CACHEPLAN_CACHE_DIR", "none")
        .output()
        .expect("the program starts")
}

fn system_git(dir: &Path, args: &[&str]) {
    let status = Command::new("git")
        .args([
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@example.org",
            "-c",
            "commit.gpgsign=false",
            "-c",
            "init.defaultBranch=main",
        ])
        .args(args)
        .current_dir(dir)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("HOME", dir)
        .output()
        .expect("git starts");
    assert!(
        status.status.success(),
        "git {args:?}: {}",
        String::from_utf8_lossy(&status.stderr)
    );
}

/// The article's Dockerfile and three commits that each touch one file.
fn article(dockerfile: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    system_git(dir.path(), &["init", "-q"]);
    std::fs::write(dir.path().join("Dockerfile"), dockerfile).expect("written");
    std::fs::write(dir.path().join(".dockerignore"), ".git\n").expect("written");
    for i in 0..4 {
        std::fs::write(dir.path().join("f"), i.to_string()).expect("written");
        system_git(dir.path(), &["add", "-A"]);
        system_git(dir.path(), &["commit", "-qm", "c"]);
    }
    dir
}

const ARTICLE: &str = "FROM debian:bookworm\nRUN uname -a\nCOPY . /home/x\nRUN apt-get update && apt-get install -y wget ssh\n";

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_articles_copy_goes_last() {
    let dir = article(ARTICLE);
    let out = cacheplan(dir.path(), &["optimize", ".", "--format", "dockerfile"]);
    assert!(out.status.success());
    assert_eq!(
        text(&out.stdout),
        "FROM debian:bookworm\nRUN uname -a\nRUN apt-get update && apt-get install -y wget ssh\nCOPY . /home/x\n"
    );
    let again = cacheplan(dir.path(), &["optimize", "."]);
    std::fs::write(dir.path().join("p.diff"), &again.stdout).expect("written");
    system_git(dir.path(), &["apply", "p.diff"]);
    let after = cacheplan(dir.path(), &["analyze", ".", "--no-timing"]);
    assert!(
        text(&after.stdout).contains("Nothing to do: this is optimal"),
        "{}",
        text(&after.stdout)
    );
}

#[test]
fn json_has_the_contracts_fields_and_equal_bytes_twice() {
    let dir = article(ARTICLE);
    let run = || {
        cacheplan(
            dir.path(),
            &["analyze", ".", "--format", "json", "--no-timing"],
        )
        .stdout
    };
    let (a, b) = (run(), run());
    assert_eq!(a, b);
    let json: serde_json::Value = serde_json::from_slice(&a).expect("JSON");
    let t = &json["targets"][0];
    assert_eq!(json["schema"], "cacheplan.analyze/1");
    assert_eq!(t["history"]["builds"], 3);
    assert_eq!(t["steps"][3]["inherited"], 3);
    assert_eq!(t["steps"][3]["cost_source"], "prior");
    let plan = &t["plans"][0];
    assert_eq!(
        (plan["safety"].as_str(), plan["optimal"].as_bool()),
        (Some("assumed"), Some(true))
    );
    assert!(plan["saving"].as_f64().expect("a number") > 0.9);
    for field in [
        "held_out_saving",
        "bound_s",
        "edits",
        "assumptions",
        "dockerfile",
        "dockerignore",
        "diff",
        "cold_s",
    ] {
        assert!(plan.get(field).is_some(), "{field}");
    }
}

#[test]
fn write_changes_the_file_and_nothing_else() {
    let dir = article(&ARTICLE.replace('\n', "\r\n"));
    let out = cacheplan(dir.path(), &["optimize", ".", "--write", "--quiet"]);
    assert!(out.status.success(), "{}", text(&out.stderr));
    let new = std::fs::read_to_string(dir.path().join("Dockerfile")).expect("readable");
    assert!(new.ends_with("ssh\r\nCOPY . /home/x\r\n"), "{new:?}");
}

#[test]
fn manifests_come_first_for_npm() {
    let dir = article("FROM node:22\nWORKDIR /app\nCOPY . .\nRUN npm ci\nCMD [\"node\", \"f\"]\n");
    std::fs::write(
        dir.path().join("package.json"),
        "{\"dependencies\":{\"a\":\"1\"}}",
    )
    .expect("written");
    std::fs::write(dir.path().join("package-lock.json"), "{}").expect("written");
    system_git(dir.path(), &["add", "-A"]);
    system_git(dir.path(), &["commit", "-qm", "manifests"]);
    for i in 10..13 {
        std::fs::write(dir.path().join("f"), i.to_string()).expect("written");
        system_git(dir.path(), &["commit", "-qam", "edit"]);
    }
    let out = cacheplan(dir.path(), &["optimize", ".", "--format", "dockerfile"]);
    assert_eq!(
        text(&out.stdout),
        "FROM node:22\nWORKDIR /app\nCOPY package-lock.json package.json ./\nRUN npm ci\nCOPY . .\nCMD [\"node\", \"f\"]\n",
        "{}",
        text(&out.stderr)
    );
}

#[test]
fn what_a_lifecycle_script_reads_stays_above_the_install() {
    // The schema changes in every build; without the script it would go below the install.
    let dockerfile = "FROM node:22\nWORKDIR /app\nCOPY package.json package-lock.json ./\nCOPY f prisma/\nRUN npm ci\n";
    let ordered = |manifest: &str| {
        let dir = article(dockerfile);
        std::fs::write(dir.path().join("package.json"), manifest).expect("written");
        std::fs::write(dir.path().join("package-lock.json"), "{}").expect("written");
        for i in 10..15 {
            std::fs::write(dir.path().join("f"), i.to_string()).expect("written");
            system_git(dir.path(), &["add", "-A"]);
            system_git(dir.path(), &["commit", "-qm", "edit"]);
        }
        let out = cacheplan(dir.path(), &["optimize", ".", "--format", "dockerfile"]);
        text(&out.stdout)
    };
    assert_eq!(
        ordered("{\"scripts\":{\"postinstall\":\"prisma generate\"}}"),
        dockerfile
    );
    assert!(ordered("{}").ends_with("RUN npm ci\nCOPY f prisma/\n"));
}

/// The file named in COPY changes in every build; what runs as root behind it has nothing to do with it.
const USERS: &str = "# cacheplan: plain-base
FROM example.org/own
USER app
WORKDIR /home/app
COPY --chown=app f .
# Twice.
RUN cat f f > g

USER root
# Ready.
RUN mkdir -p /data && echo ready > /data/state
";

#[test]
fn a_user_is_named_again_and_every_swap_has_its_reason() {
    let dir = article(USERS);
    let out = cacheplan(
        dir.path(),
        &["optimize", ".", "--safety", "proven", "--format", "json"],
    );
    let json: serde_json::Value = serde_json::from_slice(&out.stdout).expect("JSON");
    let plan = &json["targets"][0]["plans"][0];
    assert_eq!(plan["safety"], "proven", "{plan}");
    assert_eq!(
        plan["dockerfile"].as_str().expect("a text"),
        "# cacheplan: plain-base
FROM example.org/own
USER app
WORKDIR /home/app

USER root
# Ready.
RUN mkdir -p /data && echo ready > /data/state
COPY --chown=app f .
USER app
# Twice.
RUN cat f f > g
USER root
"
    );
    let certificate = plan["certificate"].as_array().expect("pairs");
    let lines: Vec<_> = certificate
        .iter()
        .map(|p| (p["first"].as_u64(), p["second"].as_u64()))
        .collect();
    assert_eq!(
        lines,
        [(Some(5), Some(11)), (Some(7), Some(11))],
        "{certificate:?}"
    );
    assert!(
        certificate[0]["because"]
            .as_str()
            .is_some_and(|b| b.contains("/data/state")),
        "{certificate:?}"
    );
    let edits = plan["edits"].as_array().expect("edits");
    let again = edits
        .iter()
        .filter(|e| e["why"].as_str().is_some_and(|w| w.contains("again")));
    assert_eq!(again.count(), 2, "{edits:?}");
    // Nothing is known of the image without the comment.
    let unknown = article(&USERS.replace("# cacheplan: plain-base\n", ""));
    let out = cacheplan(unknown.path(), &["optimize", ".", "--safety", "proven"]);
    assert_eq!(text(&out.stdout), "");
}

#[test]
fn a_file_that_no_commit_can_build_is_not_called_fine() {
    let dir = article("FROM debian:bookworm\nCOPY nothing /x\nRUN echo x\n");
    let out = cacheplan(dir.path(), &["optimize", "."]);
    let said = text(&out.stderr);
    assert!(said.contains("fewer than two of the 4 commits"), "{said}");
    assert!(!said.contains("Nothing to do"), "{said}");
    let out = cacheplan(dir.path(), &["verify", "--plan", "."]);
    assert_eq!(out.status.code(), Some(2), "{out:?}");
    assert!(
        text(&out.stderr).contains("\"/nothing\": not found"),
        "{out:?}"
    );
    let out = cacheplan(dir.path(), &["analyze", "."]);
    assert!(!text(&out.stdout).contains("Nothing to do"), "{out:?}");
    for command in [
        &["optimize"][..],
        &["analyze"],
        &["verify", "--plan"],
        &["inspect"],
    ] {
        let out = cacheplan(
            dir.path(),
            &[command, &["--context", "nowhere", "."]].concat(),
        );
        assert_eq!(out.status.code(), Some(2), "{command:?}: {out:?}");
        let said = text(&out.stderr);
        assert!(
            said.contains("--context nowhere: there is no such folder"),
            "{said}"
        );
    }
}

#[test]
fn inspect_tells_why_a_step_keeps_its_place() {
    let dir = article("FROM busybox\nRUN echo x > /a\nRUN cat /a > /b\nRUN echo y > /c\n");
    let out = cacheplan(dir.path(), &["inspect", ".", "--footprints"]);
    let shown = text(&out.stdout);
    assert!(shown.contains("behind line 2: both touch /a"), "{shown}");
    let out = cacheplan(
        dir.path(),
        &["inspect", ".", "--footprints", "--format", "json"],
    );
    let json: serde_json::Value = serde_json::from_slice(&out.stdout).expect("JSON");
    let rows = &json["stages"][0]["instructions"];
    assert_eq!(
        rows[2]["stays_behind"],
        serde_json::json!([{"id": "0.1", "why": "both touch /a"}])
    );
    assert_eq!(rows[3]["stays_behind"], serde_json::json!([]));
    let evidence = &rows[2]["footprint"]["evidence"][0];
    assert_eq!(evidence["reads"], serde_json::json!(["/a"]), "{evidence}");
}

#[test]
fn errors_are_one_clear_message_with_exit_code_2() {
    let empty = tempfile::tempdir().expect("a folder");
    let no_git = tempfile::tempdir().expect("a folder");
    std::fs::write(no_git.path().join("Dockerfile"), "FROM a\n").expect("written");
    let unborn = tempfile::tempdir().expect("a folder");
    system_git(unborn.path(), &["init", "-q"]);
    std::fs::write(unborn.path().join("Dockerfile"), "FROM a\n").expect("written");
    let no_dockerfile = article(ARTICLE);
    system_git(no_dockerfile.path(), &["rm", "-q", "Dockerfile"]);
    let broken = article("FROM a\nRUNN x\n");
    let foreign = article("# syntax=example.org/other:1\nFROM a\n");
    for (dir, wanted) in [
        (empty.path(), "not in a git repository"),
        (no_git.path(), "not in a git repository"),
        (unborn.path(), "no commits yet"),
        (no_dockerfile.path(), "no Dockerfile found"),
        (broken.path(), "unknown instruction `RUNN`"),
        (foreign.path(), "another grammar"),
    ] {
        let out = cacheplan(dir, &["analyze", "."]);
        let message = text(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{wanted}: {message}");
        assert!(message.contains(wanted), "{wanted}: {message}");
        assert!(!message.contains("panicked"), "{message}");
    }
    let good = article(ARTICLE);
    let other = "BUILDKIT_SYNTAX=example.org/other:1";
    let out = cacheplan(good.path(), &["analyze", ".", "--build-arg", other]);
    assert_eq!(out.status.code(), Some(2));
    assert!(text(&out.stderr).contains("another grammar"));
    let place = text(&cacheplan(broken.path(), &["analyze", "."]).stderr);
    assert!(place.contains("Dockerfile:2:1"), "{place}");
}

#[test]
fn one_broken_target_leaves_the_others() {
    let dir = article(ARTICLE);
    std::fs::write(
        dir.path().join("compose.yaml"),
        "services:\n  a:\n    build: .\n  b:\n    build: {context: ., dockerfile: Bad}\n",
    )
    .expect("written");
    std::fs::write(dir.path().join("Bad"), "FROM a\nRUNN x\n").expect("written");
    let out = cacheplan(dir.path(), &["analyze", ".", "--format", "json"]);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    let json: serde_json::Value = serde_json::from_slice(&out.stdout).expect("JSON");
    let targets = json["targets"].as_array().expect("a list");
    assert!(targets.iter().any(|t| t["plans"].is_array()));
    assert!(
        targets
            .iter()
            .any(|t| t["file"] == "Bad" && t.get("plans").is_none())
    );
    let named = cacheplan(dir.path(), &["analyze", ".", "-f", "Bad"]);
    assert_eq!(named.status.code(), Some(2));
}

#[test]
fn nothing_is_written_into_the_repository_and_a_bare_one_works() {
    let dir = article(ARTICLE);
    let list = |d: &Path| {
        let mut all: Vec<_> = ignore::WalkBuilder::new(d)
            .standard_filters(false)
            .build()
            .map(|e| e.expect("an entry"))
            .map(|e| {
                (
                    e.path().to_owned(),
                    e.metadata().expect("metadata").modified().ok(),
                )
            })
            .collect();
        all.sort();
        all
    };
    let before = list(dir.path());
    let full = text(&cacheplan(dir.path(), &["analyze", ".", "--no-timing"]).stdout);
    assert_eq!(before, list(dir.path()));
    let bare = tempfile::tempdir().expect("a folder");
    system_git(
        bare.path(),
        &[
            "clone",
            "-q",
            "--bare",
            &dir.path().display().to_string(),
            "r.git",
        ],
    );
    let out = cacheplan(bare.path(), &["analyze", "r.git", "--no-timing"]);
    assert_eq!(text(&out.stdout), full, "{}", text(&out.stderr));
}

#[test]
fn compare_and_base_see_the_saving() {
    let dir = article(ARTICLE);
    let better = cacheplan(dir.path(), &["optimize", ".", "--format", "dockerfile"]).stdout;
    std::fs::write(dir.path().join("Dockerfile"), better).expect("written");
    let out = cacheplan(
        dir.path(),
        &[
            "compare",
            "HEAD:Dockerfile",
            "Dockerfile",
            "--format",
            "json",
        ],
    );
    let json: serde_json::Value = serde_json::from_slice(&out.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", text(&out.stderr)));
    assert_eq!(json["pairs"][0]["wins"], 3);
    assert!(json["pairs"][0]["saving"].as_f64().expect("a number") > 0.9);
    let base = cacheplan(
        dir.path(),
        &["analyze", ".", "--base", "HEAD", "--format", "json"],
    );
    let json: serde_json::Value = serde_json::from_slice(&base.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", text(&base.stderr)));
    assert!(
        json["targets"][0]["base"]["saving"]
            .as_f64()
            .expect("a number")
            > 0.9
    );
    std::fs::write(
        dir.path().join("Dockerfile"),
        ARTICLE.replace("uname -a", "uname -a; ./x"),
    )
    .expect("written");
    let gate = cacheplan(
        dir.path(),
        &[
            "analyze",
            ".",
            "--base",
            "HEAD",
            "--fail-on",
            "rebuild-cost+10%",
        ],
    );
    assert_eq!(gate.status.code(), Some(0), "equal cost passes the gate");
}

#[test]
fn two_targets_of_one_dockerfile_are_told_apart_and_are_no_two_files() {
    let text_of = "FROM debian:12.6-slim\nARG A=1\nRUN apt-get update && apt-get install -y gcc make\nCOPY . /src\nRUN make -C /src\n";
    let dir = article(text_of);
    let compose = "services:\n  one:\n    build:\n      context: .\n      args: {A: '2'}\n  two:\n    build:\n      context: .\n      args: {A: '3'}\n";
    std::fs::write(dir.path().join("compose.yaml"), compose).expect("written");
    std::fs::write(dir.path().join("Makefile"), "all:\n\ttrue\n").expect("written");
    system_git(dir.path(), &["add", "-A"]);
    system_git(dir.path(), &["commit", "-qm", "compose"]);
    let out = text(&cacheplan(dir.path(), &["analyze", "."]).stdout);
    for service in ["one", "two"] {
        let row = format!("Dockerfile · compose.yaml: service {service}");
        assert!(out.contains(&row), "{out}");
    }
    let json = cacheplan(dir.path(), &["analyze", ".", "--format", "json"]);
    assert!(!text(&json.stdout).contains("repeated-prefix"));
}

#[test]
fn gates_say_why_they_fail() {
    let dir = article(ARTICLE);
    std::fs::write(dir.path().join("large.bin"), vec![7; 300_000]).expect("written");
    let gate = |asked: &str| {
        let out = cacheplan(dir.path(), &["analyze", ".", "--fail-on", asked]);
        (out.status.code(), text(&out.stderr))
    };
    let (code, said) = gate("context-size=200kB");
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("--fail-on context-size=200kB: Dockerfile: the build context has"),
        "{said}"
    );
    assert_eq!(gate("context-size=50MB").0, Some(0));
    assert_eq!(gate("context-size=much").0, Some(2));
    // What is ignored is not sent.
    std::fs::write(dir.path().join(".dockerignore"), "*.bin\n").expect("written");
    assert_eq!(gate("context-size=200kB").0, Some(0));
    let (code, said) = gate("severity=note");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("as bad as that or worse"), "{said}");
}

#[test]
fn hostile_names_stay_inside_their_cells() {
    let dir = article(ARTICLE);
    let name = "a|@team<b>\u{1b}[31m\n::error::x";
    std::fs::write(dir.path().join(name), "1").expect("written");
    system_git(dir.path(), &["add", "-A"]);
    system_git(dir.path(), &["commit", "-qm", "c"]);
    for format in ["text", "markdown"] {
        let out = text(&cacheplan(dir.path(), &["analyze", ".", "--format", format]).stdout);
        assert!(
            !out.contains('\u{1b}') && !out.lines().any(|l| l.starts_with("::")),
            "{out}"
        );
        assert!(
            format == "text" || !out.contains("@team") && !out.contains("<b>"),
            "{out}"
        );
    }
}

#[test]
fn a_filtered_stage_runs_in_every_build_and_a_profile_has_its_own_keys() {
    let dir = article(
        "FROM scratch AS a\nCOPY other /r\nFROM scratch\nLABEL x=y\nCOPY --from=a /r /r\nCOPY f /\n",
    );
    std::fs::write(dir.path().join("other"), "x").expect("written");
    system_git(dir.path(), &["add", "-A"]);
    system_git(dir.path(), &["commit", "-qm", "another file"]);
    std::fs::write(dir.path().join("f"), "9").expect("written");
    system_git(dir.path(), &["commit", "-qam", "only f"]);
    let last = |extra: &[&str]| {
        let args = [
            &["replay", "--format", "json", "--dot-git", "absent"],
            extra,
        ]
        .concat();
        let shown = cacheplan(dir.path(), &args);
        assert_eq!(shown.status.code(), Some(0), "{shown:?}");
        let line = text(&shown.stdout).lines().last().map(str::to_owned);
        serde_json::from_str::<serde_json::Value>(&line.expect("a build")).expect("JSON")
    };
    let plain = last(&[]);
    assert_eq!(plain["executed"], serde_json::json!(["1.3"]));
    let filtered = last(&["--no-cache-filter", "x,A"]);
    assert_eq!(filtered["executed"], serde_json::json!(["0.1", "1.3"]));
    // What the stage makes anew holds the same file.
    assert_eq!(filtered["cached"], serde_json::json!(["1.2"]));
    assert_eq!(filtered["causes"][0]["kind"], "no-cache");
    let classic = last(&["--builder-profile", "classic"]);
    assert_eq!(classic["executed"], serde_json::json!(["1.3"]));
    std::fs::write(
        dir.path().join("Dockerfile"),
        "FROM scratch AS a\nCOPY other /r\nFROM scratch\nLABEL x=z\nCOPY --from=a /r /r\nCOPY f /\n",
    )
    .expect("written");
    system_git(dir.path(), &["commit", "-qam", "a label"]);
    let each = ["--dockerfile-from", "each"];
    assert_eq!(last(&each)["executed"], serde_json::json!([]));
    let classic = last(&[&each[..], &["--builder-profile", "classic"]].concat());
    assert_eq!(classic["executed"], serde_json::json!(["1.2", "1.3"]));
    std::fs::write(
        dir.path().join("Dockerfile"),
        "FROM busybox\nRUN --mount=type=cache,target=/c x\n",
    )
    .expect("written");
    let refused = cacheplan(dir.path(), &["replay", "--builder-profile", "classic"]);
    assert_eq!(refused.status.code(), Some(2));
    let said = text(&refused.stderr);
    assert!(
        said.contains("the classic builder does not know RUN --mount"),
        "{said}"
    );
}

#[test]
fn refused_builds_are_said_with_their_reason() {
    let dir = article("FROM scratch\nCOPY f late /x/\n");
    for i in 0..2 {
        std::fs::write(dir.path().join("late"), i.to_string()).expect("written");
        system_git(dir.path(), &["add", "-A"]);
        system_git(dir.path(), &["commit", "-qm", "later"]);
    }
    let reason = "4 of 6 builds are refused by the builder, all of them with: failed to compute cache key: \"/late\": not found";
    let replay = cacheplan(dir.path(), &["replay"]);
    assert!(text(&replay.stderr).contains(reason), "{replay:?}");
    assert!(text(&replay.stderr).contains("--dockerfile-from each"));
    let analyze = cacheplan(dir.path(), &["analyze"]);
    let told = text(&analyze.stdout);
    let told: Vec<&str> = told.split_whitespace().collect();
    assert!(told.join(" ").contains(reason), "{analyze:?}");
    let few = cacheplan(dir.path(), &["replay", "--history", "2"]);
    assert!(!text(&few.stderr).contains("refused"), "{few:?}");
}

#[test]
fn an_env_that_moves_into_the_base_stage_leaves_the_run_open() {
    let dir = article("FROM img\nENV X=1\nRUN y\n");
    let file = "FROM img AS a\nENV X=1\nFROM a\nRUN y\n";
    std::fs::write(dir.path().join("Dockerfile"), file).expect("written");
    system_git(dir.path(), &["commit", "-qam", "two stages"]);
    let args = ["replay", "--dockerfile-from", "each", "--format", "json"];
    let out = cacheplan(dir.path(), &args);
    let said = text(&out.stdout);
    let last = said.lines().last().expect("a line");
    let last: serde_json::Value = serde_json::from_str(last).expect("JSON");
    assert_eq!(last["maybe"], serde_json::json!(["1.1"]));
    assert_eq!(last["causes"][0]["kind"], "env");
}

/// The sample that the README opens with is what the tool says of the demo.
#[test]
fn the_readme_shows_what_the_tool_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).expect("README.md");
    let mut blocks = readme.split("```");
    let sample = blocks.nth(1).expect("a sample").trim_matches('\n');
    let dir = tempfile::tempdir().expect("a folder");
    let demo = dir.path().join("demo");
    let made = Command::new(root.join("corpus/demo/make"))
        .arg(&demo)
        .output()
        .expect("sh and git");
    assert!(made.status.success(), "{made:?}");
    let out = Command::new(env!("CARGO_BIN_EXE_cacheplan"))
        .args(["analyze", "--quiet"])
        .arg(&demo)
        .env("CACHEPLAN_CACHE_DIR", "none")
        .env_remove("COLUMNS")
        .output()
        .expect("the program starts");
    let told = String::from_utf8(out.stdout).expect("text");
    assert_eq!(told.trim_matches('\n'), sample);
}
