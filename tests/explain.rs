//! `explain`, `affected` and `what-if` end to end over small repositories.

#[path = "common/git.rs"]
mod git;

use git::Repo;
use serde_json::{Value, json};
use std::process::{Command, Output};

fn tool(repo: &Repo, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cacheplan"))
        .args(arguments)
        .arg("--dot-git=absent")
        .current_dir(&repo.root)
        .env("COLUMNS", "100")
        .output()
        .expect("runs")
}

fn text_of(repo: &Repo, arguments: &[&str]) -> String {
    let output = tool(repo, arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).expect("text is UTF-8")
}

fn json_of(repo: &Repo, arguments: &[&str]) -> Value {
    let text = text_of(repo, &[arguments, &["--format", "json"]].concat());
    serde_json::from_str(&text).expect("JSON")
}

/// `id verdict kind because_of` of every step that is not cached.
fn causes(document: &Value) -> Vec<String> {
    let steps = document["steps"].as_array().expect("steps").iter();
    let shown = |v: &Value| v.as_str().unwrap_or("-").to_owned();
    steps
        .filter(|s| s["verdict"] != "cached")
        .map(|s| {
            let (kind, because) = (shown(&s["cause"]["kind"]), shown(&s["because_of"]));
            format!(
                "{} {} {kind} {because}",
                shown(&s["id"]),
                shown(&s["verdict"])
            )
        })
        .collect()
}

fn detail(document: &Value, id: &str) -> String {
    let steps = document["steps"].as_array().expect("steps").iter();
    let mut found = steps.filter(|s| s["id"] == id);
    let step = found.next().expect("there is such a step");
    step["cause"]["detail"]
        .as_str()
        .expect("a detail")
        .to_owned()
}

const DOCKERFILE: &str = "FROM node:22 AS build
WORKDIR /app
COPY package.json ./
ARG MODE=dev
ENV COLOUR=red
RUN npm ci
COPY src ./src
RUN npm run build
FROM nginx
COPY --from=build /app/dist /srv
";

fn repo() -> Repo {
    let repo = Repo::new();
    repo.write("Dockerfile", DOCKERFILE);
    repo.write(".dockerignore", "*.log\nsrc/gen\n\n!src/gen/keep.txt\n");
    repo.write("package.json", "{}\n");
    repo.write("src/a.js", "1\n");
    repo.write("src/gen/keep.txt", "1\n");
    repo.write("src/gen/drop.txt", "1\n");
    repo.write("README.md", "1\n");
    repo.commit("first");
    repo
}

#[test]
fn nothing_to_explain() {
    let repo = repo();
    repo.write("README.md", "2\n");
    repo.write("src/gen/drop.txt", "2\n");
    repo.commit("only what no step reads");
    let text = text_of(&repo, &["explain", "--from", "HEAD~1"]);
    let first = text.lines().next().expect("a line");
    assert_eq!(first, "Nothing runs again: all 8 steps are cached.");
}

#[test]
fn files_with_their_commits_sources_and_rules() {
    let repo = repo();
    repo.write("src/a.js", "2\n");
    let second = repo.commit("second");
    repo.write("src/gen/keep.txt", "2\n");
    repo.write("src/b.js", "1\n");
    let third = repo.commit("third");
    repo.write("src/c.js", "not committed\n");
    let document = json_of(&repo, &["explain", "--from", "HEAD~2"]);
    assert_eq!(document["to"], "worktree");
    assert_eq!(
        causes(&document),
        [
            "0.6 executed content -",
            "0.7 executed parent 0.6",
            "1.1 maybe parent 0.7"
        ]
    );
    let paths = &document["steps"][4]["cause"]["paths"];
    let rule = json!({"file": ".dockerignore", "line": 4, "text": "!src/gen/keep.txt"});
    assert_eq!(
        paths,
        &json!([
            {"path": "src/a.js", "change": "modified", "commit": second, "source": "src"},
            {"path": "src/b.js", "change": "added", "commit": third, "source": "src"},
            {"path": "src/c.js", "change": "added", "commit": "worktree", "source": "src"},
            {"path": "src/gen/keep.txt", "change": "modified", "commit": third, "source": "src", "rule": rule},
        ])
    );
    let seconds = |class: &str| {
        let prior = cacheplan::cost::PRIORS
            .iter()
            .find(|p| p.class.as_str() == class);
        prior.expect("a prior").seconds
    };
    let is = |field: &str, s: f64| {
        let found = document[field].as_f64().expect("seconds");
        assert!((found - s).abs() < 1e-9, "{field} {found}");
    };
    is("work_s", seconds("build") + 2.0 * seconds("copy"));
    is("work_s_min", seconds("build") + seconds("copy"));
    // Between two commits the work tree does not count.
    let document = json_of(&repo, &["explain", "--from", "HEAD~1", "--to", "HEAD"]);
    assert_eq!(document["to"], third);
    assert_eq!(
        document["steps"][4]["cause"]["paths"]
            .as_array()
            .map(Vec::len),
        Some(2)
    );
    let one = json_of(&repo, &["explain", "--from", "HEAD~1", "--step", "0.7"]);
    assert_eq!(one["steps"].as_array().map(Vec::len), Some(1));
    assert_eq!(one["work_s"], one["steps"][0]["cost_s"]);
    let said = |id: &str| {
        let text = text_of(&repo, &["explain", "--from", "HEAD~1", "--step", id]);
        text.lines().next().expect("a line").to_owned()
    };
    assert_eq!(
        said("0.7"),
        "Step 0.7 runs again, about 25 s (prior costs)."
    );
    assert_eq!(
        said("1.1"),
        "Step 1.1 may run again, about 0 s to 0.08 s (prior costs)."
    );
    assert_eq!(said("0.0"), "Step 0.0 is cached.");
    let wrong = tool(&repo, &["explain", "--from", "HEAD~1", "--step", "9.9"]);
    assert_eq!(wrong.status.code(), Some(2));
    // Backwards: what was added is gone, and no commit on the way did it.
    let back = json_of(&repo, &["explain", "--from", "HEAD", "--to", "HEAD~1"]);
    let paths = back["steps"][4]["cause"]["paths"]
        .as_array()
        .expect("paths");
    assert_eq!(paths[0]["change"], "deleted");
    assert_eq!(paths[0]["commit"], Value::Null);
}

#[test]
fn a_merge_is_followed_to_the_commit_that_made_the_change() {
    let repo = repo();
    repo.git(["checkout", "-q", "-b", "side"]);
    repo.write("src/a.js", "side\n");
    let side = repo.commit("on the side");
    repo.git(["checkout", "-q", "main"]);
    repo.write("README.md", "main\n");
    repo.commit("on main");
    repo.tick();
    repo.git(["merge", "-q", "--no-ff", "-m", "merge", "side"]);
    let document = json_of(&repo, &["explain", "--from", "HEAD~2"]);
    assert_eq!(document["steps"][4]["cause"]["paths"][0]["commit"], side);
}

#[test]
fn the_dockerfile_of_each_side_counts() {
    let repo = repo();
    let changed = |from: &str, to: &str| {
        repo.write("Dockerfile", &DOCKERFILE.replace(from, to));
        let document = json_of(&repo, &["explain", "--from", "HEAD"]);
        let all = causes(&document);
        let first = all.first().cloned().unwrap_or_default();
        let id = first.split(' ').next().unwrap_or_default().to_owned();
        let why = if id.is_empty() {
            String::new()
        } else {
            detail(&document, &id)
        };
        format!("{first}: {why}")
    };
    assert_eq!(
        changed("MODE=dev", "MODE=prod"),
        "0.5 executed arg -: ARG `MODE` changed from `dev` to `prod`"
    );
    assert_eq!(
        changed("COLOUR=red", "COLOUR=blue"),
        "0.5 executed env -: ENV `COLOUR` changed from `red` to `blue`"
    );
    assert_eq!(
        changed("npm ci", "npm install"),
        "0.5 executed instruction -: command changed from `npm ci` to `npm install`"
    );
    assert_eq!(
        changed("node:22", "node:24"),
        "0.0 executed base-image -: image changed from `docker.io/library/node:22` to `docker.io/library/node:24`"
    );
    assert_eq!(
        changed("/app\n", "/srv\n"),
        "0.1 executed instruction -: path changed from `/app` to `/srv`"
    );
    assert_eq!(
        changed("RUN npm run build\n", "RUN npm run build\nRUN npm test\n"),
        "0.8 executed instruction -: this instruction is new"
    );
    // A step that is gone: what stood on it stands on another result.
    assert_eq!(
        changed("RUN npm ci\n", ""),
        "0.5 executed instruction -: it stands on `[build 3/5] COPY package.json ./` now, and stood on `[build 4/6] RUN npm ci` before"
    );
    // Frozen: both builds with the file of today.
    let frozen = json_of(
        &repo,
        &["explain", "--from", "HEAD", "--dockerfile-from", "frozen"],
    );
    assert_eq!(causes(&frozen), [""; 0]);
}

#[test]
fn ignore_rules_let_files_in_and_keep_them_out() {
    let repo = repo();
    repo.write(
        ".dockerignore",
        "*.log\nsrc/gen\n!src/gen/*.txt\nsrc/a.js\n",
    );
    let document = json_of(&repo, &["explain", "--from", "HEAD"]);
    let paths = &document["steps"][4]["cause"]["paths"];
    let rule = |line: u32, text: &str| json!({"file": ".dockerignore", "line": line, "text": text});
    assert_eq!(
        paths,
        &json!([
            {"path": "src/a.js", "change": "ignored", "commit": null, "source": "src", "rule": rule(4, "src/a.js")},
            {"path": "src/gen/drop.txt", "change": "unignored", "commit": null, "source": "src", "rule": rule(3, "!src/gen/*.txt")},
        ])
    );
}

#[test]
fn what_stands_behind_a_cached_link_copy_follows_from_below_it() {
    let repo = Repo::new();
    repo.write(
        "Dockerfile",
        "FROM a\nCOPY f /f\nCOPY --link g /g\nRUN make\n",
    );
    repo.write("f", "1");
    repo.write("g", "1");
    repo.commit("first");
    repo.write("f", "2");
    let document = json_of(&repo, &["explain", "--from", "HEAD"]);
    assert_eq!(
        causes(&document),
        ["0.1 executed content -", "0.3 executed parent 0.1"]
    );
}

#[test]
fn a_build_that_is_not_there_or_refused() {
    let repo = Repo::new();
    repo.write("f", "1");
    repo.commit("no Dockerfile yet");
    repo.write("Dockerfile", "FROM a\nCOPY f g /\n");
    repo.commit("g is missing");
    repo.write("g", "1");
    repo.commit("g is there");
    let document = json_of(&repo, &["explain", "--from", "HEAD~2"]);
    assert_eq!(
        causes(&document),
        ["0.0 executed first-build -", "0.1 executed first-build -"]
    );
    let cold = document["cold"].as_str().expect("cold");
    assert_eq!(cold, "there is no such target");
    let document = json_of(&repo, &["explain", "--from", "HEAD~1"]);
    let cold = document["cold"].as_str().expect("cold");
    assert!(
        cold.starts_with("the builder refuses that build: "),
        "{cold}"
    );
    let document = json_of(&repo, &["explain", "--from", "HEAD", "--to", "HEAD~1"]);
    assert_eq!(document["fails"]["step"], "0.1");
    let text = text_of(&repo, &["explain", "--from", "HEAD", "--to", "HEAD~1"]);
    assert!(
        text.starts_with("The builder refuses this build at step 0.1: "),
        "{text}"
    );
}

#[test]
fn names_from_the_repository_act_on_nothing() {
    let repo = Repo::new();
    let hostile = "src/\u{1b}[31mred\u{202e}::error::<b>@all";
    let file =
        "FROM a\nARG X=\"a\u{1b}[2J\"\nCOPY src /src\nRUN echo '\u{1b}]0;x\u{7}' `whoami` | cat\n";
    repo.write("Dockerfile", file);
    repo.write(hostile, "1");
    repo.write("src/\n::warning::x", "1");
    repo.commit("first");
    repo.write(hostile, "2");
    repo.write("src/\n::warning::x", "2");
    repo.write("Dockerfile", &file.replace("a\u{1b}[2J", "b\u{1b}[2J"));
    for format in ["text", "markdown", "json"] {
        let out = text_of(&repo, &["explain", "--from", "HEAD", "--format", format]);
        // JSON holds the name as it is, with controls escaped as JSON has them.
        let bidi = |c: char| c == '\u{202e}' && format != "json";
        let bad = |c: &char| c.is_control() && *c != '\n' || bidi(*c);
        assert_eq!(out.chars().find(bad), None, "{format}: {out:?}");
        let command = |l: &str| l.trim_start().starts_with("::");
        assert!(!out.lines().any(command), "{out}");
        if format == "markdown" {
            assert!(!out.contains("<b>") && !out.contains("@all"), "{out}");
        }
    }
    for arguments in [
        &["affected", "--from", "HEAD"][..],
        &["what-if", "--touch", "src/"],
        &[
            "what-if",
            "--build-arg",
            "X=\u{1b}[1m",
            "--touch",
            "none\u{1b}[1m",
        ],
    ] {
        let out = text_of(&repo, arguments);
        assert!(
            !out.contains('\u{1b}') && !out.contains('\u{202e}'),
            "{out:?}"
        );
    }
}

#[test]
fn text_is_short_and_says_the_verdict_first() {
    let repo = repo();
    repo.write("src/a.js", "2\n");
    repo.write("src/gen/keep.txt", "2\n");
    repo.commit("second");
    let text = text_of(&repo, &["explain", "--from", "HEAD~1"]);
    let commit = &repo.rev("HEAD")[..10];
    let before = &repo.rev("HEAD~1")[..10];
    let expected = format!(
        "2 of 8 steps run again, 1 more may, about 25.1 s to 25.2 s (prior costs).
Dockerfile, from {before} to {commit}

# 0.6     [build 5/6] COPY src ./src                                                        0.08 s
            content: 2 files that it takes changed
              modified  {commit} src/a.js  (taken by `src`)
              modified  {commit} src/gen/keep.txt  (taken by `src`, let in by .dockerignore:4 `!src/gen/keep.txt`)
            and so, behind it:
  # 0.7     [build 6/6] RUN npm run build                                                     25 s
  ? 1.1     [stage-1 2/2] COPY --from=build /app/dist /srv                                  0.08 s
"
    );
    assert_eq!(text, expected);
    let markdown = text_of(
        &repo,
        &["explain", "--from", "HEAD~1", "--format", "markdown"],
    );
    assert!(
        markdown.starts_with("**2 of 8 steps run again"),
        "{markdown}"
    );
    assert_eq!(
        markdown.lines().filter(|l| l.starts_with("| ")).count(),
        4,
        "{markdown}"
    );
}

const LOG: &str = "#5 [build 2/6] WORKDIR /app
#5 CACHED

#6 [build 3/6] COPY package.json ./
#6 DONE 0.1s

#7 [build 4/6] RUN npm ci
#7 0.1 added 12 packages
#7 DONE 31.5s

#8 [build 5/6] COPY src ./src
#8 DONE 0.1s

#9 [build 6/6] RUN npm run build
#9 CACHED

#10 [stage-1 2/2] COPY --from=build /app/dist /srv
#10 DONE 0.1s
";

#[test]
fn a_log_tells_what_should_have_hit() {
    let repo = repo();
    repo.write("src/a.js", "2\n");
    repo.commit("second");
    let log = repo.root.parent().expect("a home").join("build.log");
    let file = log.display().to_string();
    std::fs::write(&log, LOG).expect("writable");
    let arguments = ["explain", "--from", "HEAD~1", "--log", &file];
    let document = json_of(&repo, &arguments);
    let said: Vec<String> = document["steps"]
        .as_array()
        .expect("steps")
        .iter()
        .filter(|s| !s["log"].is_null())
        .map(|s| {
            format!("{} {} {}", s["id"], s["log"]["seen"], s["log"]["verdict"]).replace('"', "")
        })
        .collect();
    assert_eq!(
        said,
        [
            "0.1 cached agrees",
            "0.2 executed should-have-hit",
            "0.5 executed should-have-hit",
            "0.6 executed agrees",
            "0.7 cached disagrees",
            "1.1 executed decided"
        ]
    );
    assert_eq!(document["log"]["should_have_hit"], json!(["0.2", "0.5"]));
    assert_eq!(document["log"]["lost_s"], 31.6);
    let text = text_of(&repo, &arguments);
    assert!(
        text.contains("this should have hit: your cache export did not carry it"),
        "{text}"
    );
    assert!(
        text.contains("2 steps ran that should have hit, 31.6 s"),
        "{text}"
    );
    let good = LOG
        .replace("#6 DONE 0.1s", "#6 CACHED")
        .replace("#7 DONE 31.5s", "#7 CACHED");
    std::fs::write(&log, good.replace("#9 CACHED", "#9 DONE 1.0s")).expect("writable");
    let text = text_of(&repo, &arguments);
    assert!(
        text.contains("nothing to explain, the build did what was predicted"),
        "{text}"
    );
    for (content, complaint) in [
        ("hello\n", "no line of this log is progress of a build"),
        (
            "#5 [build 2/6] WORKDIR /app\n#5 DONE never\n",
            "line 2: `DONE never`",
        ),
        (
            "#5 [x 2/6] RUN other\n#5 CACHED\n",
            "no step of Dockerfile is in this log",
        ),
    ] {
        std::fs::write(&log, content).expect("writable");
        let output = tool(&repo, &arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2));
        assert!(errors.contains(complaint), "{errors}");
    }
}

#[test]
fn affected_targets() {
    let repo = repo();
    repo.write("b.Dockerfile", "FROM a\nCOPY package.json /\nCMD [\"b\"]\n");
    repo.write("c.Dockerfile", "FROM a\nCOPY README.md /\n");
    repo.write(
        "d.Dockerfile",
        "FROM a AS x\nRUN x\nFROM a\nCOPY --from=x /f /\n",
    );
    repo.commit("second");
    repo.write("README.md", "2\n");
    repo.write("b.Dockerfile", "FROM a\nCOPY package.json /\nCMD [\"B\"]\n");
    repo.write(
        "d.Dockerfile",
        "FROM a AS x\nRUN y\nFROM a\nCOPY --from=x /f /\n",
    );
    repo.write("e.Dockerfile", "FROM a\n");
    repo.write("f.Dockerfile", "FORM a\n");
    repo.commit("third");
    let files: Vec<String> = [
        "Dockerfile",
        "b.Dockerfile",
        "c.Dockerfile",
        "d.Dockerfile",
        "e.Dockerfile",
    ]
    .iter()
    .flat_map(|f| ["-f".to_owned(), (*f).to_owned()])
    .collect();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let document = json_of(
        &repo,
        &[&["affected", "--from", "HEAD~1"], &files[..]].concat(),
    );
    let said: Vec<String> = document["targets"]
        .as_array()
        .expect("targets")
        .iter()
        .map(|t| format!("{} {} {}", t["file"], t["affected"], t["reason"]).replace('"', ""))
        .collect();
    assert_eq!(
        said,
        [
            "Dockerfile false null",
            "b.Dockerfile true its configuration changes: `CMD [\\B\\]`",
            "c.Dockerfile true 0.1: `README.md` changed",
            "d.Dockerfile true 0.1: command changed from `x` to `y`",
            "e.Dockerfile true new: there is no such target in --from",
        ]
    );
    let ids: Vec<&Value> = document["targets"][3]["steps"]
        .as_array()
        .expect("steps")
        .iter()
        .map(|s| &s["id"])
        .collect();
    assert_eq!(ids, ["0.1", "1.1"]);
    // A broken one stays in the list; named with -f it is an error.
    let output = tool(
        &repo,
        &[
            "affected",
            "--from",
            "HEAD~1",
            "-f",
            "e.Dockerfile",
            "-f",
            "f.Dockerfile",
            "--format",
            "json",
        ],
    );
    assert_eq!(output.status.code(), Some(2));
    let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(document["targets"][0]["affected"], true);
    assert_eq!(document["targets"][1]["file"], "f.Dockerfile");
    assert!(document["targets"][1]["diagnostics"].is_array());
    let text = text_of(&repo, &["affected", "--from", "HEAD~1"]);
    assert!(text.starts_with("0 of 1 target affected, from "), "{text}");
}

#[test]
fn affected_by_what_a_compose_file_says() {
    let repo = Repo::new();
    let compose = "services:\n  a:\n    build:\n      context: .\n      args: {V: \"1\"}\n  b:\n    build: {context: ., target: x}\n";
    repo.write("compose.yaml", compose);
    repo.write(
        "Dockerfile",
        "FROM a AS x\nARG V\nRUN x\nFROM x\nARG V\nRUN y\n",
    );
    repo.commit("first");
    repo.write("compose.yaml", &compose.replace("\"1\"", "\"2\""));
    let document = json_of(&repo, &["affected", "--from", "HEAD"]);
    let targets = document["targets"].as_array().expect("targets");
    let of = |origin: &str| {
        let found = targets.iter().find(|t| t["origin"] == origin);
        found.expect("is there")["affected"].clone()
    };
    assert_eq!(of("compose.yaml: service a"), true);
    assert_eq!(of("compose.yaml: service b"), false);
}

#[test]
fn what_if_files_change() {
    let repo = repo();
    let of = |touch: &str| json_of(&repo, &["what-if", "--touch", touch]);
    assert_eq!(causes(&of("package.json"))[0], "0.2 executed content -");
    for touch in [
        "src/a.js",
        "src",
        "src/",
        "src/*.js",
        "**/*.js",
        "./src/../src/a.js",
        "src/new.js",
    ] {
        let document = of(touch);
        assert_eq!(causes(&document)[0], "0.6 executed content -", "{touch}");
        assert_eq!(document["without_effect"], Value::Null, "{touch}");
    }
    let new = of("src/new.js");
    assert_eq!(new["steps"][4]["cause"]["paths"][0]["change"], "added");
    for (touch, said) in [
        ("README.md", "`README.md`: no step reads it"),
        (
            "x.log",
            "`x.log` is left out by .dockerignore:1 `*.log`: no step reads it",
        ),
        (
            "src/gen/drop.txt",
            "`src/gen/drop.txt` is left out by .dockerignore:2 `src/gen`: no step reads it",
        ),
    ] {
        let document = of(touch);
        assert_eq!(causes(&document), [""; 0], "{touch}");
        assert_eq!(document["without_effect"], json!([said]));
    }
    for wrong in ["../x", "*.rs", "nothing/"] {
        let output = tool(&repo, &["what-if", "--touch", wrong]);
        assert_eq!(output.status.code(), Some(2), "{wrong}");
    }
    assert_eq!(tool(&repo, &["what-if"]).status.code(), Some(2));
}

#[test]
fn what_if_arguments_and_bases_change() {
    let repo = repo();
    let document = json_of(&repo, &["what-if", "--build-arg", "MODE=prod"]);
    assert_eq!(causes(&document)[0], "0.5 executed arg -");
    assert_eq!(
        detail(&document, "0.5"),
        "ARG `MODE` changed from `dev` to `prod`"
    );
    let document = json_of(
        &repo,
        &[
            "what-if",
            "--build-arg",
            "MODE=b",
            "--given-build-arg",
            "MODE=a",
        ],
    );
    assert_eq!(
        detail(&document, "0.5"),
        "ARG `MODE` changed from `a` to `b`"
    );
    let document = json_of(&repo, &["what-if", "--build-arg", "OTHER=1"]);
    assert_eq!(causes(&document), [""; 0]);
    assert_eq!(
        document["without_effect"],
        json!(["build arg `OTHER`: no step's key holds it"])
    );
    let document = json_of(
        &repo,
        &[
            "what-if",
            "--base-change",
            "node:22",
            "--touch",
            "package.json",
        ],
    );
    assert_eq!(
        causes(&document)[..3],
        [
            "0.0 executed base-image -",
            "0.1 executed parent 0.0",
            "0.2 executed content -"
        ]
    );
    let output = tool(&repo, &["what-if", "--base-change", "alpine"]);
    assert_eq!(output.status.code(), Some(2));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("docker.io/library/node:22"), "{errors}");
}

#[test]
fn what_if_needs_no_repository_and_reads_a_commit_with_ref() {
    let plain = Repo::without_git();
    plain.write("Dockerfile", "FROM a\nCOPY f /\n");
    plain.write("f", "1");
    let document = json_of(&plain, &["what-if", "--touch", "f"]);
    assert_eq!(causes(&document), ["0.1 executed content -"]);
    let explain = tool(&plain, &["explain", "--from", "HEAD"]);
    assert_eq!(explain.status.code(), Some(2));
    let repo = repo();
    repo.write("Dockerfile", "FROM a\n");
    let document = json_of(&repo, &["what-if", "--touch", "src/a.js", "--ref", "HEAD"]);
    assert_eq!(causes(&document)[0], "0.6 executed content -");
    assert_eq!(document["from"], repo.rev("HEAD"));
}

#[test]
fn a_folder_below_the_root_is_a_context_of_its_own() {
    let repo = Repo::new();
    repo.write("app/Dockerfile", "FROM a\nCOPY . /\n");
    repo.write("app/f", "1");
    repo.write("other", "1");
    repo.commit("first");
    repo.write("app/f", "2");
    repo.write("other", "2");
    let output = Command::new(env!("CARGO_BIN_EXE_cacheplan"))
        .args(["explain", "--from", "HEAD", "--format", "json"])
        .current_dir(repo.root.join("app"))
        .output()
        .expect("runs");
    let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let paths = &document["steps"][1]["cause"]["paths"];
    assert_eq!(
        paths,
        &json!([{"path": "app/f", "change": "modified", "commit": "worktree", "source": "."}])
    );
}
