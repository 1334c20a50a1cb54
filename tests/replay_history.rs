//! `replay` on histories with submodules, links, odd names and revisions: what it says, and its verdicts.

#![cfg(unix)]

#[path = "common/git.rs"]
mod git;

use git::Repo;
use serde_json::Value;
use std::path::Path;
use std::process::Command;

struct Said {
    out: String,
    err: String,
    code: i32,
}

fn cacheplan(dir: &Path, arguments: &[&str]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cacheplan"));
    let output = command.args(arguments).current_dir(dir).output();
    let output = output.expect("it starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Said {
        out: text(output.stdout),
        err: text(output.stderr),
        code: output.status.code().expect("no signal"),
    }
}

/// One word a build: the executed steps, `skipped`, or why it fails.
fn verdicts(repo: &Repo, arguments: &[&str]) -> Vec<String> {
    let all = [
        &[
            "replay",
            "--format",
            "json",
            "--dot-git",
            "absent",
            "--context",
            ".",
        ],
        arguments,
    ]
    .concat();
    let said = cacheplan(&repo.root, &all);
    assert_eq!(said.code, 0, "{}", said.err);
    let lines = said
        .out
        .lines()
        .map(|l| serde_json::from_str::<Value>(l).expect("JSON"));
    let builds = lines.filter(|v| v["commit"].is_string());
    let one = |v: Value| match (v["skipped"].as_str(), v["fails"]["message"].as_str()) {
        (Some(_), _) => "skipped".to_owned(),
        (_, Some(why)) => why.to_owned(),
        _ => {
            let ids = v["executed"].as_array().expect("a list").iter();
            ids.filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
        }
    };
    builds.map(one).collect()
}

fn submodule(repo: &Repo, path: &str, digit: &str) {
    let info = format!("160000,{},{path}", digit.repeat(40));
    repo.git(["update-index", "--add", "--cacheinfo", &info]);
    repo.tick();
    repo.git(["commit", "-q", "-m", "submodule"]);
}

#[test]
fn what_may_come_from_a_submodule_changes_with_its_commit() {
    let repo = Repo::new();
    repo.write("own.txt", "1");
    repo.write(
        ".dockerignore",
        "*\n!own.txt\n!vendor/lib/**/*.go\n!vendor/lib/x\n!vendor/lib/y.c\n!vendor/lib/docs\n",
    );
    repo.link("link", "vendor/lib");
    let sources = [
        "own.txt",
        "vendor/lib/x",
        "vendor/lib/*.c",
        ".",
        "vendor/lib/docs",
        "vendor/lib/secret",
        "vendor/*",
    ];
    let copies = sources.map(|s| format!("COPY --link {s} /{}/\n", s.len()));
    repo.write("Dockerfile", &format!("FROM scratch\n{}", copies.concat()));
    repo.commit("files");
    submodule(&repo, "vendor/lib", "1");
    repo.git(["commit", "-q", "--allow-empty", "-m", "nothing"]);
    submodule(&repo, "vendor/lib", "2");
    submodule(&repo, "vendor/lib", "1");
    // Without the rule's leave it fails however full the submodule is; so do all builds.
    let all = verdicts(&repo, &[]);
    assert!(all[1].contains("vendor/lib/secret"), "{all:?}");
    let kept: String = copies
        .iter()
        .filter(|c| !c.contains("secret"))
        .cloned()
        .collect();
    repo.write(
        "Dockerfile",
        &format!("FROM scratch\n{kept}COPY --link link/x /l/\n"),
    );
    repo.write(".dockerignore", "*\n!own.txt\n!link\n!vendor/lib/**/*.go\n!vendor/lib/x\n!vendor/lib/y.c\n!vendor/lib/docs\n");
    repo.commit("without it");
    let all = verdicts(&repo, &[]);
    assert!(
        all[0].contains("not found"),
        "no submodule, no file: {all:?}"
    );
    let changed = "0.2 0.3 0.4 0.5 0.6 0.7";
    assert_eq!(
        all[1..4],
        [changed.to_owned(), String::new(), changed.to_owned()]
    );
    assert_eq!(all[4], "", "it was built with this commit before");
    let said = cacheplan(&repo.root, &["replay"]);
    assert_eq!(
        said.err.lines().next(),
        Some(
            "note: steps take files from submodules, which this history does not hold: vendor/lib; a change of a submodule's commit counts as a change of all its files (a checkout without submodules has empty folders there, and these steps stay cached or fail)"
        )
    );
    let json = cacheplan(
        &repo.root,
        &["replay", "--format", "json", "--dot-git", "absent"],
    )
    .out;
    assert!(
        json.contains("vendor/lib/x") && json.contains("vendor/lib/docs"),
        "{json}"
    );
    let quiet = cacheplan(&repo.root, &["analyze", "--quiet", "--format", "json"]);
    assert_eq!((quiet.err.as_str(), quiet.code), ("", 0));
    assert_eq!(quiet.out.matches("history/submodule").count(), 1);
}

#[test]
fn a_submodule_that_no_step_takes_from_is_no_topic() {
    let repo = Repo::new();
    repo.write("src/a", "1");
    repo.write("Dockerfile", "FROM scratch\nCOPY src /src\n");
    repo.commit("files");
    submodule(&repo, "vendor/lib", "1");
    submodule(&repo, "vendor/lib", "2");
    assert_eq!(verdicts(&repo, &[]), ["0.1", "", ""]);
    assert_eq!(cacheplan(&repo.root, &["replay"]).err, "");
}

#[test]
fn a_folder_in_the_place_of_a_submodule_and_back() {
    let repo = Repo::new();
    repo.write(
        "Dockerfile",
        "FROM scratch\nCOPY --link lib/x /x\nCOPY --link lib /lib\n",
    );
    repo.commit("no lib");
    submodule(&repo, "lib", "1");
    repo.git(["rm", "-q", "--cached", "lib"]);
    repo.write("lib/x", "1");
    repo.write("lib/y", "1");
    repo.commit("a folder");
    repo.write("lib/y", "2");
    repo.commit("another file of it");
    repo.git(["rm", "-q", "-r", "lib"]);
    submodule(&repo, "lib", "1");
    let all = verdicts(&repo, &[]);
    assert_eq!(all[1..], ["0.1 0.2", "0.1 0.2", "0.2", ""]);
}

#[test]
fn a_context_or_a_dockerfile_in_a_submodule_is_refused() {
    let repo = Repo::new();
    repo.write("Dockerfile", "FROM scratch\nCOPY x /x\n");
    repo.commit("files");
    submodule(&repo, "vendor/lib", "1");
    repo.write("vendor/lib/sub/Dockerfile", "FROM scratch\nCOPY x /x\n");
    repo.write("vendor/lib/sub/x", "1");
    for (arguments, what) in [
        (
            &["--context", "vendor/lib/sub"][..],
            "the context vendor/lib/sub",
        ),
        (&["--context", "vendor/lib"], "the context vendor/lib"),
        (
            &["-f", "vendor/lib/sub/Dockerfile", "--context", "."],
            "the Dockerfile vendor/lib/sub/Dockerfile",
        ),
    ] {
        let said = cacheplan(&repo.root, &[&["replay"], arguments].concat());
        assert_eq!(
            said.err,
            format!(
                "error: {what} lies in the submodule vendor/lib, whose history is in another repository: run this command there\n"
            )
        );
        assert_eq!(said.code, 2);
    }
}

#[test]
fn a_renamed_dockerfile_is_pointed_out() {
    let repo = Repo::new();
    repo.write(
        "docker/Dockerfile.app",
        "FROM scratch\nCOPY a /a\nCOPY b /b\n",
    );
    repo.write("a", "1");
    repo.write("b", "1");
    repo.commit("one");
    repo.write("a", "2");
    repo.commit("two");
    repo.git(["mv", "docker/Dockerfile.app", "Dockerfile"]);
    repo.write("Dockerfile", "FROM scratch\nCOPY a /a\nCOPY --link b /b\n");
    let renamed = repo.commit("renamed and edited");
    assert_eq!(
        verdicts(&repo, &["--dockerfile-from", "each"]),
        ["skipped", "skipped", "0.1 0.2"]
    );
    let said = cacheplan(&repo.root, &["replay", "--dockerfile-from", "each"]);
    assert_eq!(
        said.err,
        format!(
            "note: Dockerfile was called docker/Dockerfile.app before commit {renamed}: the 2 builds before it are skipped\n"
        )
    );
}

#[test]
fn links_in_the_place_of_the_dockerfile() {
    let repo = Repo::new();
    repo.write("ci/real", "FROM scratch\nCOPY a /a\n");
    repo.write("a", "1");
    repo.link("Dockerfile", "ci");
    let first = repo.commit("a folder");
    let refused = |name: &str, why: &str| {
        for command in ["replay", "inspect", "context"] {
            let said = cacheplan(&repo.root, &[command, "-f", name]);
            assert_eq!(said.code, 2, "{command}");
            assert!(
                said.err.contains(&format!("{name} {why}")),
                "{command} {name}: {}",
                said.err
            );
            assert_eq!(
                said.err.lines().count(),
                1,
                "{command} {name}: {}",
                said.err
            );
        }
    };
    refused("Dockerfile", "is a folder");
    let leads_out = "is a link that leads to no file in its folder";
    for target in ["../outside", "/etc/passwd", "nothing", "Dockerfile"] {
        repo.remove("Dockerfile");
        repo.link("Dockerfile", target);
        refused("Dockerfile", leads_out);
        let said = cacheplan(&repo.root, &["replay"]);
        assert!(
            said.err.starts_with("error: Dockerfile is a link"),
            "{}",
            said.err
        );
    }
    // The builder looks for ci/ci/real.
    repo.link("ci/Dockerfile", "../ci/real");
    refused("ci/Dockerfile", leads_out);
    repo.remove("Dockerfile");
    repo.link("Dockerfile", "ci/real");
    repo.commit("a file");
    let each = ["--dockerfile-from", "each"];
    assert_eq!(verdicts(&repo, &each), ["skipped", "0.1"]);
    let said = cacheplan(&repo.root, &["replay", "--dockerfile-from", "each"]);
    assert!(
        said.err.starts_with(&format!("warning: in 1 of the commits, {first} the first of them, Dockerfile is a folder or a link")),
        "{}",
        said.err
    );
}

#[test]
fn ranges_tags_and_names_in_every_spelling() {
    let repo = Repo::new();
    repo.write("a", "1");
    let first = repo.commit("no Dockerfile yet");
    repo.write("Dockerfile", "FROM scratch\nCOPY a /a\n");
    repo.commit("the Dockerfile");
    repo.git(["tag", "-a", "-m", "annotated", "v1"]);
    repo.git(["tag", "light"]);
    repo.write("a", "2");
    repo.commit("a");
    repo.write(".dockerignore", "b\n");
    repo.write("Dockerfile.dockerignore", "a\n");
    repo.commit("a is ignored");
    repo.remove("Dockerfile.dockerignore");
    repo.commit("b is");
    let each =
        |arguments: &[&str]| verdicts(&repo, &[&["--dockerfile-from", "each"], arguments].concat());
    let whole = each(&[]);
    assert_eq!(whole[..3], ["skipped", "0.1", "0.1"]);
    assert!(whole[3].contains("not found"), "{whole:?}");
    assert_eq!(whole[4], "");
    for rev in [
        "v1",
        "light",
        "v1^{}",
        "HEAD~3",
        ":/the Dockerfile",
        "main~3",
        "v1^{commit}",
        "@~3",
        "v1~0",
    ] {
        assert_eq!(each(&["--since", rev])[0], "0.1", "{rev}");
        assert_eq!(each(&["--since", rev]).len(), 3, "{rev}");
    }
    assert_eq!(
        each(&["--range", "v1..light~0"].map(|r| if r == "v1..light~0" { "v1~1..v1" } else { r })),
        ["0.1"]
    );
    assert_eq!(each(&["--range", &format!("{first}..HEAD~1")]).len(), 3);
    for (arguments, why) in [
        (
            &["--history", "0"][..],
            "--history 0 leaves no commits to replay",
        ),
        (
            &["--range", "v1..light"],
            "--range v1..light holds no commits to replay",
        ),
        (
            &["--since", "HEAD"],
            "there are no commits to replay since HEAD",
        ),
        (
            &["--range", "HEAD...v1"],
            "`HEAD...v1` is not a range of the form A..B",
        ),
        (
            &["--dockerfile-from", "each", "--range", "HEAD~4..HEAD~4"],
            "--range HEAD~4..HEAD~4 holds no commits to replay",
        ),
    ] {
        let said = cacheplan(&repo.root, &[&["replay"], arguments].concat());
        assert_eq!((said.err, said.code), (format!("error: {why}\n"), 2));
    }
    let bare = repo.cloned("bare.git", ["--bare"]);
    let of = |dir: &Path| {
        cacheplan(
            dir,
            &["replay", "--dockerfile-from", "each", "--format", "json"],
        )
        .out
    };
    assert_eq!(of(&bare), of(&repo.root));
    let linked = repo.root.parent().expect("below the home").join("linked");
    repo.git([
        "worktree",
        "add",
        "-q",
        "--detach",
        &linked.display().to_string(),
        "HEAD",
    ]);
    assert_eq!(of(&linked), of(&repo.root));
}

#[test]
fn modes_cases_and_bytes_of_names() {
    let repo = Repo::new();
    repo.write(
        "Dockerfile",
        "FROM scratch\nCOPY --link s /s\nCOPY --link S /S\nCOPY --link d /d\n",
    );
    repo.write("s/x", "1");
    repo.write("S/x", "1");
    repo.write("d/f", "1");
    repo.commit("start");
    repo.set_executable("s/x", true);
    repo.commit("mode");
    repo.write("S/x", "2");
    repo.commit("upper case");
    repo.write("s/X", "2");
    repo.commit("a name beside one that differs in case only");
    repo.remove("d/f");
    repo.write("d/f/g", "1");
    repo.commit("a folder in the place of a file");
    repo.remove("d");
    repo.link("d", "s");
    repo.commit("a link in the place of a folder");
    use std::os::unix::ffi::OsStrExt;
    let odd = repo
        .root
        .join("s")
        .join(std::ffi::OsStr::from_bytes(b"caf\xe9"));
    std::fs::write(odd, "1").expect("writable");
    repo.commit("a name in Latin-1");
    let all = verdicts(&repo, &[]);
    assert_eq!(all[..6], ["0.1 0.2 0.3", "0.1", "0.2", "0.1", "0.3", "0.3"]);
    assert_eq!(all[6], "0.1 0.3");
    let json = cacheplan(
        &repo.root,
        &["replay", "--format", "json", "--dot-git", "absent"],
    )
    .out;
    assert!(json.contains("s/caf\\\\xE9"), "{json}");
    let warning = "warning: in 1 of the commits steps take files whose names are not UTF-8, s/caf\\xE9 for one: ";
    let said = cacheplan(&repo.root, &["replay"]).err;
    assert!(said.starts_with(warning), "{said}");
    repo.write(".dockerignore", "s/caf*\n");
    assert_eq!(cacheplan(&repo.root, &["replay"]).err, "");
}

/// The last build of a replay.
fn last_build(repo: &Repo, arguments: &[&str]) -> Value {
    let all = [
        &["replay", "--format", "json", "--dot-git", "absent"],
        arguments,
    ]
    .concat();
    let said = cacheplan(&repo.root, &all);
    assert_eq!(said.code, 0, "{}", said.err);
    let last = said.out.lines().last().expect("a build");
    serde_json::from_str(last).expect("JSON")
}

#[test]
fn behind_a_build_that_passed_nothing_below_its_result_is_in_doubt() {
    let repo = Repo::new();
    repo.write(
        "Dockerfile",
        "FROM busybox\nRUN one\nCOPY a /a\nCOPY b /b\n",
    );
    repo.write("a", "1");
    repo.commit("refused, for want of b");
    repo.write("b", "1");
    repo.commit("what the refused build left is not known");
    let unsure = last_build(&repo, &[]);
    assert_eq!(unsure["maybe"], serde_json::json!(["0.0", "0.1", "0.2"]));
    let kinds = unsure["causes"].as_array().expect("a list").iter();
    assert!(
        kinds.clone().all(|c| c["kind"] == "first-build"),
        "{unsure}"
    );
    repo.write("a", "2");
    repo.commit("the image before stands on the base and RUN, so they are there");
    let sure = last_build(&repo, &[]);
    assert_eq!(sure["cached"], serde_json::json!(["0.0", "0.1"]), "{sure}");
    assert_eq!(sure["executed"], serde_json::json!(["0.2", "0.3"]));
}

#[test]
fn a_filtered_step_is_not_said_to_be_evicted() {
    let repo = Repo::new();
    repo.write("Dockerfile", "FROM busybox AS x\nRUN one\nCOPY a /a\n");
    for content in ["1", "2", "3"] {
        repo.write("a", "1");
        repo.write("other", content);
        repo.commit(content);
    }
    let last = last_build(&repo, &["--no-cache-filter", "x"]);
    assert_eq!(last["causes"][0]["step"], "0.1");
    assert_eq!(last["causes"][0]["kind"], "no-cache", "{last}");
    assert_eq!(last["causes"][1]["kind"], "no-cache", "{last}");
}

#[test]
fn flags_that_name_nothing_and_names_that_are_nothing() {
    let repo = Repo::new();
    repo.write("Dockerfile", "FROM busybox\nARG A\nRUN x\n");
    repo.commit("one");
    let said = cacheplan(
        &repo.root,
        &[
            "replay",
            "--volatile-arg",
            "B",
            "--base-change",
            "alpine@HEAD",
        ],
    );
    assert_eq!(said.code, 0, "{}", said.err);
    assert_eq!(
        said.err,
        "warning: --base-change alpine@HEAD: no step takes from that image (they take from docker.io/library/busybox:latest)\n\
         warning: --volatile-arg B: no ARG declares it, so nothing depends on it\n"
    );
    let fine = [
        "replay",
        "--volatile-arg",
        "A",
        "--base-change",
        "busybox@HEAD",
    ];
    assert_eq!(cacheplan(&repo.root, &fine).err, "");
    let said = cacheplan(&repo.root, &["replay", "nowhere"]);
    assert_eq!(
        (said.code, said.err.as_str()),
        (
            2,
            "error: cannot read the directory nowhere: No such file or directory (os error 2)\n"
        )
    );
    let said = cacheplan(&repo.root, &["explain", "--from", "nowhere"]);
    assert_eq!(
        (said.code, said.err.as_str()),
        (2, "error: --from: `nowhere` does not name a commit\n")
    );
}

#[test]
#[cfg(target_os = "linux")]
fn messages_that_nobody_can_read_change_nothing() {
    let repo = Repo::new();
    repo.write("Dockerfile", "FROM busybox\nCOPY\n");
    repo.commit("broken");
    for arguments in [&["replay", "-f", "nowhere"][..], &["inspect"], &["replay"]] {
        let full = std::fs::File::options().write(true).open("/dev/full");
        let mut command = Command::new(env!("CARGO_BIN_EXE_cacheplan"));
        command.args(arguments).current_dir(&repo.root);
        command.stderr(full.expect("it is there"));
        let output = command.output().expect("it starts");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
}
