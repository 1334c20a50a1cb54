//! `verify` against a real builder: predictions on histories of `corpus/history`, plans on small repositories.
//!
//! In: a `docker` with buildx and the image `busybase:latest`; without them the live tests say so and
//! pass (with `CACHEPLAN_REQUIRE_BUILDER=1` they fail). Invariant: the cache that is emptied is the test
//! builder's; the command itself empties none.

mod common;

use cacheplan::verify::{
    Builder as _, Docker, ImageDifference, Made, Request, compare_files, shown,
};
use common::{builder, history};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// One builder, whose cache the tests empty: one test at a time.
static BUILDER: Mutex<()> = Mutex::new(());

fn repository(name: &str) -> (tempfile::TempDir, history::History) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus/history")
        .join(name);
    let text = std::fs::read_to_string(file.join("history.txt")).expect("a history");
    let parsed = history::parse(&text).expect("parses");
    let folder = tempfile::tempdir().expect("a folder");
    history::create_repository(&parsed, folder.path()).expect("git works");
    (folder, parsed)
}

fn verify(folder: &Path, flags: &[String], more: &[&str]) -> Output {
    let mut tool = Command::new(env!("CARGO_BIN_EXE_cacheplan"));
    tool.args(["verify", "--format", "json", "--timeout", "300"]);
    if !flags.iter().any(|f| f == "--dot-git") {
        tool.args(["--dot-git", "absent"]);
    }
    if !flags.iter().any(|f| f == "--context") {
        tool.args(["--context", "."]);
    }
    tool.args(flags)
        .args(more)
        .arg(".")
        .args(["--", "--network=none"]);
    tool.current_dir(folder).output().expect("runs")
}

fn document(output: &Output) -> Value {
    let errors = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice::<Value>(&output.stdout)
        .unwrap_or_else(|e| panic!("{e}: {errors}"))["prediction"]
        .clone()
}

#[test]
fn predictions_of_whole_histories_hold() {
    if builder::version_or_skip().is_none() {
        return;
    }
    let _one = BUILDER.lock().unwrap_or_else(PoisonError::into_inner);
    for name in [
        "revert-and-merge",
        "dockerfile-edits",
        "context-rules",
        "missing-source",
    ] {
        let (folder, parsed) = repository(name);
        history::output_of(Command::new("docker").args(["builder", "prune", "-af"]))
            .expect("prunes");
        let all = ["--prediction", "500", "--empty-cache"];
        let output = verify(folder.path(), &parsed.replay, &all);
        let p = document(&output);
        assert_eq!(output.status.code(), Some(0), "{name}: {p:#}");
        assert_eq!(p["wrong"], serde_json::json!([]), "{name}");
        assert_eq!(p["older_records"], serde_json::json!([]), "{name}");
        let builds =
            p["builds"].as_u64().expect("a number") + p["refused"].as_u64().expect("a number");
        assert!(builds >= 4, "{name}: {p:#}");
        assert!(p["agree"].as_u64() > Some(0), "{name}: {p:#}");
        // Again, on a cache that holds all of it: nothing is wrong, and what was to run is told apart.
        let output = verify(folder.path(), &parsed.replay, &["--prediction", "500"]);
        let p = document(&output);
        assert_eq!(output.status.code(), Some(0), "{name}: {p:#}");
        assert_eq!(p["wrong"], serde_json::json!([]), "{name}");
        assert_ne!(p["older_records"], serde_json::json!([]), "{name}");
        assert!(p["filled_by"].is_string(), "{name}: {p:#}");
    }
}

#[test]
fn a_wrong_prediction_is_found() {
    if builder::version_or_skip().is_none() {
        return;
    }
    let _one = BUILDER.lock().unwrap_or_else(PoisonError::into_inner);
    let (folder, parsed) = repository("revert-and-merge");
    history::output_of(Command::new("docker").args(["builder", "prune", "-af"])).expect("prunes");
    let first = verify(
        folder.path(),
        &parsed.replay,
        &["--prediction", "1", "--empty-cache"],
    );
    assert_eq!(first.status.code(), Some(0), "{:#}", document(&first));
    let again = verify(
        folder.path(),
        &parsed.replay,
        &["--prediction", "1", "--empty-cache"],
    );
    let p = document(&again);
    // The cache was not empty, whatever the flag says: everything was to run, and is cached.
    assert_eq!(again.status.code(), Some(1), "{p:#}");
    assert_ne!(p["wrong"], serde_json::json!([]), "{p:#}");
    assert_eq!(p["wrong"][0]["predicted"], "executed");
    assert_eq!(p["wrong"][0]["seen"], "cached");
}

#[test]
fn without_a_builder_it_exits_with_3() {
    let (folder, _) = repository("revert-and-merge");
    let empty = tempfile::tempdir().expect("a folder");
    let output = Command::new(env!("CARGO_BIN_EXE_cacheplan"))
        .args(["verify", "--prediction", "2", "."])
        .current_dir(folder.path())
        .env("PATH", empty.path())
        .output()
        .expect("runs");
    assert_eq!(output.status.code(), Some(3));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("docker cannot be used"), "{errors}");
}

#[test]
fn a_tree_that_leads_out_of_its_folder_is_refused() {
    // `git fast-import` refuses such names, so the tree is written by hand: a link `a`, and a folder `a`.
    let (folder, _) = repository("revert-and-merge");
    let docker = tempfile::tempdir().expect("a folder");
    let fake = docker.path().join("docker");
    std::fs::write(&fake, "#!/bin/sh\necho 1\n").expect("writable");
    history::output_of(Command::new("chmod").arg("+x").arg(&fake)).expect("chmod works");
    let git = |args: &[&str], input: &[u8]| {
        use std::io::Write as _;
        let mut command = history::git(folder.path());
        command
            .args(args)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped());
        for role in ["AUTHOR", "COMMITTER"] {
            command
                .env(format!("GIT_{role}_NAME"), "a")
                .env(format!("GIT_{role}_EMAIL"), "a@example.com");
        }
        let mut child = command.spawn().expect("git works");
        child
            .stdin
            .take()
            .expect("piped")
            .write_all(input)
            .expect("sent");
        let output = child.wait_with_output().expect("ends");
        assert!(output.status.success());
        String::from_utf8(output.stdout)
            .expect("hex")
            .trim()
            .to_owned()
    };
    let outside = docker.path().join("outside");
    std::fs::create_dir(&outside).expect("writable");
    let bytes = |hex: &str| -> Vec<u8> {
        (0..20)
            .map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).expect("hex"))
            .collect()
    };
    let object = |kind: &str, content: &[u8]| {
        git(
            &["hash-object", "-t", kind, "-w", "--stdin", "--literally"],
            content,
        )
    };
    let entry = |mode: &str, name: &str, oid: &str| {
        [format!("{mode} {name}\0").as_bytes(), &bytes(oid)].concat()
    };
    let link = object("blob", outside.display().to_string().as_bytes());
    let text = object("blob", b"FROM busybase\nCOPY . /\n");
    let inner = object("tree", &entry("100644", "owned", &text));
    for (names, complaint) in [
        (
            [("120000", "a", &link), ("40000", "a", &inner)],
            "cannot write",
        ),
        (
            [("40000", "..", &inner), ("100644", "z", &text)],
            "is not written to disk",
        ),
        (
            [("40000", ".git", &inner), ("100644", "z", &text)],
            "is not written to disk",
        ),
    ] {
        let mut tree: Vec<u8> = entry("100644", "Dockerfile", &text);
        for (mode, name, oid) in names {
            tree.extend(entry(mode, name, oid));
        }
        let tree = object("tree", &tree);
        let commit = git(&["commit-tree", &tree, "-m", "hostile"], b"");
        git(&["update-ref", "refs/heads/hostile", &commit], b"");
        let output = Command::new(env!("CARGO_BIN_EXE_cacheplan"))
            .args([
                "verify",
                "--prediction",
                "1",
                "--empty-cache",
                "--ref",
                "hostile",
                ".",
            ])
            .current_dir(folder.path())
            .env("PATH", docker.path())
            .output()
            .expect("runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert!(errors.contains(complaint), "{errors}");
        let left = std::fs::read_dir(&outside).expect("readable").count();
        assert_eq!(left, 0, "something was written outside");
    }
}

/// An archive of one file with a capability, which no file of a context has and no busybox can set.
fn capable() -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let value: &[u8] = b"\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let record = [("SCHILY.xattr.security.capability", value)];
    tar.append_pax_extensions(record).expect("in memory");
    let mut header = tar::Header::new_ustar();
    header.set_size(0);
    header.set_mode(0o755);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    tar.append_data(&mut header, "capable", std::io::empty())
        .expect("in memory");
    tar.into_inner().expect("in memory")
}

/// A folder with a Dockerfile, built; the archive is in the folder.
fn image_of(folder: &Path, name: &str, dockerfile: &str) -> PathBuf {
    let context = folder.join(name);
    std::fs::create_dir(&context).expect("writable");
    std::fs::write(context.join("file"), "text\n").expect("writable");
    std::fs::write(context.join("capable.tar"), capable()).expect("writable");
    std::fs::write(context.join("Dockerfile"), dockerfile).expect("writable");
    let request = Request {
        dockerfile: context.join("Dockerfile"),
        context,
        flags: vec!["--network=none".to_owned()],
        timeout: Duration::from_secs(300),
        ..Request::default()
    };
    let dest = folder.join(format!("{name}.tar"));
    let made = Docker.image(&request, &dest).expect("builds");
    assert_eq!(made, Made::Image);
    dest
}

#[test]
fn images_that_are_built_alike_are_equal_and_others_differ_where_they_do() {
    if builder::version_or_skip().is_none() {
        return;
    }
    let _one = BUILDER.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().expect("a folder");
    let images =
        || history::output_of(Command::new("docker").args(["image", "ls", "-aq"])).expect("lists");
    let before = images();
    let a = image_of(
        folder.path(),
        "a",
        "FROM busybase\nENV A=1 B=2\n\
         RUN mkdir /d && echo old > /d/gone && echo text > /d/x && chmod 4755 /d/x && ln /d/x /d/y && ln -s x /d/l\n\
         RUN mknod /d/dev c 1 3 && rm /d/gone\n\
         COPY --chown=app file /d/\nADD capable.tar /\nCMD [\"sh\"]\n",
    );
    // The same files by other layers.
    let same = image_of(
        folder.path(),
        "same",
        "FROM busybase\nENV A=1\nADD capable.tar /\nCMD [\"sh\"]\nENV B=2\n\
         RUN mkdir /d && rm -rf /d && mkdir /d\nCOPY --chown=1000:1000 file /d/file\n\
         RUN mknod /d/dev c 1 3 && ln -s x /d/l && echo text > /d/y && ln /d/y /d/x && chmod 4755 /d/y\n",
    );
    let compared = compare_files(&a, &same).expect("reads");
    assert_eq!(compared.differences, []);
    assert!(compared.paths > 100, "{}", compared.paths);
    let other = image_of(
        folder.path(),
        "other",
        "FROM busybase\nENV A=1 B=3\n\
         RUN mkdir -m 700 /d && echo longer > /d/x && cp /d/x /d/y && ln -s y /d/l\n\
         RUN chmod 755 /d/x && mknod /d/dev c 1 5 && touch /d/gone\n\
         COPY --chown=0:7 --chmod=600 file /d/\n\
         RUN touch /capable && chmod 755 /capable\nCMD [\"sh\"]\n",
    );
    let compared = compare_files(&a, &other).expect("reads");
    let row = |d: &ImageDifference| format!("{} {}", shown(&d.path), d.field.name());
    let rows: Vec<String> = compared.differences.iter().map(row).collect();
    let expected = [
        "/capable attribute",
        "/d mode",
        "/d/dev device",
        "/d/file mode",
        "/d/file owner",
        "/d/gone presence",
        "/d/l link target",
        "/d/x content",
        "/d/x hard links",
        "/d/x mode",
        "/d/y content",
        "/d/y hard links",
        "/d/y mode",
        "/ configuration",
    ];
    let mut sorted = rows.clone();
    sorted[..rows.len() - 1].sort();
    assert_eq!(sorted, expected, "{:#?}", compared.differences);
    assert_eq!(images(), before, "an image was left behind");
}

/// A repository whose COPY a plan moves below what does not need it; the Dockerfile has a line in the middle.
fn movable(line: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).expect("writable");
    };
    let git = |args: &[&str]| history::output_of(history::git(folder.path()).args(args));
    git(&["init", "-q", "-b", "main"]).expect("git works");
    file(
        "Dockerfile",
        &format!(
            "FROM busybase\nWORKDIR /app\nCOPY . .\n{line}\nRUN echo hello > /hello\nCMD [\"sh\"]\n"
        ),
    );
    for n in 0..4 {
        file("source", &format!("{n}\n"));
        git(&["add", "-A"]).expect("git works");
        let who = ["-c", "user.name=a", "-c", "user.email=a@example.com"];
        let commit = [&who[..], &["commit", "-q", "-m", "one"]].concat();
        git(&commit).expect("git works");
    }
    folder
}

fn verify_plan(folder: &Path, more: &[&str], behind: &[&str]) -> (Output, Value) {
    let mut tool = Command::new(env!("CARGO_BIN_EXE_cacheplan"));
    tool.args([
        "verify",
        "--plan",
        "--format",
        "json",
        "--dot-git",
        "absent",
    ]);
    tool.args(more).arg(".").args(behind).current_dir(folder);
    let output = tool.output().expect("runs");
    let document = serde_json::from_slice::<Value>(&output.stdout);
    let plan = document.map_or(Value::Null, |d| d["plan"].clone());
    (output, plan)
}

const OFFLINE: [&str; 2] = ["--", "--network=none"];

#[test]
fn a_plan_that_moves_a_copy_builds_the_same_image() {
    if builder::version_or_skip().is_none() {
        return;
    }
    let _one = BUILDER.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = movable("RUN mkdir -p /data && echo hi > /data/x");
    let (output, plan) = verify_plan(folder.path(), &[], &OFFLINE);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(plan["equal"], true);
    assert_eq!(plan["builds"], 2);
    assert_eq!(plan["edits"][0]["rewrite"], "reorder");
    assert!(plan["paths"].as_u64() > Some(100), "{plan:#}");
    // A file of the work tree alone is there with --worktree.
    std::fs::write(folder.path().join("more"), "").expect("writable");
    let (_, worktree) = verify_plan(folder.path(), &["--worktree"], &OFFLINE);
    let more = |v: &Value| v["paths"].as_u64().expect("a number");
    assert_eq!(worktree["context_of"], "worktree");
    assert!(more(&worktree) > more(&plan), "{worktree:#}");
}

#[test]
fn what_two_builds_of_the_original_differ_in_is_no_difference() {
    if builder::version_or_skip().is_none() {
        return;
    }
    let _one = BUILDER.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = movable("RUN mkdir -p /data && cat /proc/sys/kernel/random/uuid > /data/x");
    let (output, plan) = verify_plan(folder.path(), &[], &OFFLINE);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(plan["builds"], 3);
    assert_eq!(plan["noise"][0]["path"], "/data/x");
    let kind = plan["noise"][0]["kind"].as_str().expect("a phrase");
    assert!(kind.starts_with("not reproducible"), "{kind}");
}

#[test]
fn an_original_that_does_not_build_is_the_builder_s_failure() {
    if builder::version_or_skip().is_none() {
        return;
    }
    let _one = BUILDER.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = movable("RUN mkdir -p /data && echo why not && false");
    let (output, plan) = verify_plan(folder.path(), &[], &OFFLINE);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert_eq!(plan, Value::Null);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("building the original failed"), "{errors}");
    assert!(errors.contains("it printed: why not"), "{errors}");
}

#[test]
fn a_plan_can_be_verified_with_buildah() {
    let found = Command::new("buildah").arg("--version").output();
    if !found.is_ok_and(|o| o.status.success()) {
        eprintln!("skipped: no buildah");
        return;
    }
    if builder::version_or_skip().is_none() {
        return;
    }
    // A store of the test's own, with the base image from docker.
    let store = tempfile::tempdir().expect("a folder");
    let path = |name: &str| store.path().join(name);
    let text = format!(
        "[storage]\ndriver = \"vfs\"\ngraphroot = {:?}\nrunroot = {:?}\n",
        path("root"),
        path("run")
    );
    std::fs::write(path("storage.conf"), text).expect("writable");
    let save = ["image", "save", "busybase:latest", "-o"];
    history::output_of(Command::new("docker").args(save).arg(path("base.tar"))).expect("saves");
    let own = |command: &mut Command| {
        command.env_remove("DOCKER_CONFIG");
        command.env("CONTAINERS_STORAGE_CONF", path("storage.conf"));
        command.env("STORAGE_DRIVER", "vfs");
        command.env("BUILDAH_ISOLATION", "chroot");
    };
    let buildah = |args: &[&str]| {
        let mut command = Command::new("buildah");
        own(&mut command);
        history::output_of(command.args(args)).expect("buildah works")
    };
    let base = format!("docker-archive:{}", path("base.tar").display());
    buildah(&["pull", "-q", &base]);
    let before = buildah(&["images", "-a", "-q"]);
    let folder = movable("RUN mkdir -p /data && cat /proc/sys/kernel/random/uuid > /data/x");
    let mut tool = Command::new(env!("CARGO_BIN_EXE_cacheplan"));
    own(&mut tool);
    tool.args([
        "verify",
        "--plan",
        "--builder",
        "buildah",
        "--format",
        "json",
    ]);
    let output = tool
        .arg(".")
        .current_dir(folder.path())
        .output()
        .expect("runs");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let plan = &document["plan"];
    assert_eq!(plan["builds"], 3);
    assert_eq!(plan["noise"][0]["path"], "/data/x");
    assert_eq!(
        buildah(&["images", "-a", "-q"]),
        before,
        "an image was left behind"
    );
}

/// A `docker` that writes what a test wants: for a Dockerfile whose first RUN is `moved`, another image.
fn fake_docker(script: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("docker");
    std::fs::write(&file, format!("#!/bin/sh\n{script}\n")).expect("writable");
    history::output_of(Command::new("chmod").arg("+x").arg(&file)).expect("chmod works");
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", folder.path().display());
    (folder, path)
}

#[test]
fn a_plan_is_verified_with_exit_codes_of_its_own() {
    let folder = movable("RUN mkdir -p /data && echo hi > /data/x");
    let run = |script: &str, more: &[&str]| {
        let (_kept, path) = fake_docker(script);
        let output = Command::new(env!("CARGO_BIN_EXE_cacheplan"))
            .args(["verify", "--plan", "--format", "json"])
            .args(more)
            .arg(".")
            .current_dir(folder.path())
            .env("PATH", path)
            .output()
            .expect("runs");
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        let document = serde_json::from_slice::<Value>(&output.stdout);
        (
            output.status.code(),
            document.unwrap_or_default()["plan"].clone(),
            errors,
        )
    };
    let progress = r#"echo '{"vertexes":[{"digest":"a","name":"[1/1] RUN a","started":"2026-01-02T10:00:00Z","completed":"2026-01-02T10:00:01Z"}]}' >&2"#;
    // The plan is refused, the original never is.
    let refuses = format!(
        "[ \"$2\" = version ] || [ \"$1\" = version ] && echo 1 && exit\n{progress}\n\
         case \"$*\" in */plan/Dockerfile*) echo 'ERROR: \"/a\": not found' >&2; exit 1;; esac\n\
         d=$(mktemp -d); mkdir -p $d/blobs/sha256; cd $d\n\
         echo '{{\"os\":\"linux\"}}' > c.json; echo '[{{\"Config\":\"c.json\",\"Layers\":[]}}]' > manifest.json\n\
         tar -cf - manifest.json c.json; rm -r $d"
    );
    let (code, plan, errors) = run(&refuses, &[]);
    assert_eq!(code, Some(1), "{errors}");
    assert_eq!(plan["differences"][0]["what"], "build");
    assert!(
        plan["refused"]
            .as_str()
            .is_some_and(|r| r.contains("not found")),
        "{plan:#}"
    );
    let (code, plan, errors) = run("exit 1", &[]);
    assert_eq!((code, plan), (Some(3), Value::Null), "{errors}");
    let nothing = format!("{progress}\necho no archive");
    let (code, plan, errors) = run(&nothing, &[]);
    assert_eq!((code, plan), (Some(3), Value::Null), "{errors}");
    assert!(errors.contains("the image archive"), "{errors}");
    // Nothing to verify needs no builder.
    let (code, plan, errors) = run("exit 1", &["--rewrites", "split-copy"]);
    assert_eq!(code, Some(0), "{errors}");
    assert_eq!(plan["nothing_to_verify"], true);
    assert_eq!(plan["edits"], serde_json::json!([]));
    let usage = |args: &[&str]| {
        let mut tool = Command::new(env!("CARGO_BIN_EXE_cacheplan"));
        let tool = tool.arg("verify").args(args).current_dir(folder.path());
        tool.output().expect("runs").status.code()
    };
    assert_eq!(usage(&["."]), Some(2));
    assert_eq!(
        usage(&["--prediction", "1", "--builder", "buildah", "."]),
        Some(2)
    );
    assert_eq!(
        usage(&["--prediction", "1", "--since", "HEAD~1", "."]),
        Some(2)
    );
    assert_eq!(usage(&["--plan", "--empty-cache", "."]), Some(2));
}
