//! What strangers can write: names, branches, subjects, Dockerfiles, inputs made of those. And where the token goes.

use crate::api::{Api, BOT, TOKEN};
use crate::checkout::{check_out, git, origin_of};
use crate::runner::{Job, Ran};
use serde_json::json;
use std::path::Path;

/// Texts that would do something if any place took them for what they are not.
const WORST: &[&str] = &[
    "$(touch pwned)",
    "`touch pwned`",
    "; touch pwned #",
    "' \"$(touch pwned)\"",
    "::set-output name=a::b",
    "##[add-mask]a",
    "${{ github.token }}",
    "@everyone <b> | ![](x) --> <!-- cacheplan -->",
    "\u{202e}gnp.exe\u{2066}",
    "-rf",
    "%0A::error::x",
];

fn hostile(api: &Api) -> Job {
    let mut job = Job::new(api);
    let dockerfile = "FROM node:22\nWORKDIR /app\nCOPY . .\nRUN npm ci && echo '::set-output name=a::b' `x` ${{ github.token }}\nRUN <<E\n::error::pwned\n##[add-mask]a\n@everyone\nE\n";
    let subject = WORST.join(" ") + "\n\n::stop-commands::x";
    let path = job.path("origin");
    // The names come into the histories of `main` and of the change, so that the report has them.
    std::fs::create_dir_all(path.join("src")).expect("a folder");
    for (n, name) in WORST.iter().enumerate() {
        let name = name.replace('/', "_");
        std::fs::write(path.join("src").join(&name), format!("{n}")).expect("written");
        std::fs::write(path.join(format!("{name}\n::warning::{n}")), "x").expect("written");
    }
    let edited = "$(touch pwned)|@everyone`<b>\n::error::x";
    let origin = origin_of(&path, dockerfile, dockerfile, &subject, edited);
    check_out(&origin, &job.path("workspace"), &origin.merge, 1);
    job.event = json!({"pull_request": {"number": 7, "title": WORST.join(" "), "base": {"sha": origin.base, "ref": "$(touch pwned)"},
        "head": {"ref": "a`touch${IFS}pwned`$(touch${IFS}pwned)", "label": "x\n::error::y"}}});
    job.env.insert("GITHUB_SHA".to_owned(), origin.merge);
    job.env.insert(
        "GITHUB_HEAD_REF".to_owned(),
        "a`touch${IFS}pwned`$(touch${IFS}pwned)".to_owned(),
    );
    job
}

/// Nothing ran, no command got through, nothing was left, the token was seen by the interface alone.
fn harmless(job: &Job, api: &Api, ran: &Ran, before: &str) {
    for command in &ran.commands {
        let ours = [
            "::notice title=cacheplan::",
            "::warning title=cacheplan::",
            "::error title=cacheplan::",
        ];
        // Findings are about files by their names, and their texts are escaped: docs of the format `github`.
        let finding = ["::error file=", "::warning file=", "::notice file="];
        assert!(
            ours.iter().chain(&finding).any(|s| command.starts_with(s)),
            "{command}\n{}",
            ran.log
        );
        assert!(!command.contains("##["), "{command}");
    }
    for (path, bytes) in job.left() {
        assert_ne!(
            path.file_name(),
            Some("pwned".as_ref()),
            "{}",
            path.display()
        );
        assert!(!has(&bytes, TOKEN), "{} has the token", path.display());
    }
    assert!(!job.arguments().contains(TOKEN));
    assert!(!ran.log.contains(TOKEN) && !ran.summary.contains(TOKEN));
    assert!(ran.outputs.values().all(|v| !v.contains(TOKEN)));
    assert_eq!(api.state().leaks, Vec::<String>::new());
    assert_eq!(
        tree(&job.path("workspace")),
        before,
        "the work tree stays as it is"
    );
}

fn has(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|w| w == text.as_bytes())
}

/// What git says of the work tree, ignored files too, and its configuration.
fn tree(workspace: &Path) -> String {
    git(workspace, &["status", "--porcelain", "--ignored", "-z"])
        + &git(workspace, &["config", "--local", "--list"])
}

#[test]
fn a_hostile_repository_does_nothing() {
    let api = Api::start();
    let mut job = hostile(&api);
    let before = tree(&job.path("workspace"));
    job.input("fail-on", "severity=error")
        .input("sarif", "true");
    let ran = job.run();
    assert_eq!(ran.failed, None, "{}", ran.log);
    harmless(&job, &api, &ran, &before);
    let body = &api.by(BOT)[0].body;
    assert!(
        !body.contains("@everyone") && !body.contains('\u{202e}') && !body.contains("<b>"),
        "{body}"
    );
    assert_eq!(body.matches("<!-- cacheplan -->").count(), 1, "{body}");
    assert!(
        body.contains("touch pwned"),
        "the names are shown, as names: {body}"
    );
}

#[test]
fn hostile_inputs_are_texts() {
    // A workflow that passes a branch's name on has no better name for it.
    let groups: &[&[&str]] = &[
        &["args"],
        &["file"],
        &["target"],
        &["base"],
        &["costs"],
        &["path"],
        &["cache-policy"],
        &["safety"],
        &["fail-on"],
        &["history"],
        &["version"],
        &["working-directory"],
        // None of these ends a job.
        &[
            "comment",
            "deepen",
            "annotations",
            "prebuilt",
            "summary",
            "sarif",
        ],
        &["comment-key", "category"],
    ];
    for names in groups {
        let api = Api::start();
        let mut job = hostile(&api);
        let before = tree(&job.path("workspace"));
        job.program("cargo", "exit 1");
        for worst in [
            WORST.join("\n") + "\n*",
            "a`touch${IFS}pwned`$(touch${IFS}pwned)*".to_owned(),
        ] {
            for name in *names {
                job.input(name, &worst);
            }
            let ran = job.run();
            let name = names[0];
            harmless(&job, &api, &ran, &before);
            if [
                "args",
                "path",
                "cache-policy",
                "safety",
                "history",
                "version",
            ]
            .contains(&name)
            {
                assert!(ran.failed.is_some(), "{name} {worst:?}\n{}", ran.log);
            }
        }
    }
}

#[test]
fn a_token_that_is_none_goes_nowhere() {
    let api = Api::start();
    for token in ["", "a\"\nurl = \"http://127.0.0.1:1/\"", "a b"] {
        let mut job = hostile(&api);
        let ran = job.input("token", token).run();
        assert_eq!(ran.failed, None, "{}", ran.log);
        assert!(ran.says("warning", "no token"), "{:?}", ran.commands);
        assert!(ran.summary.contains("npm ci"));
    }
    assert!(api.state().requests.is_empty());
}

#[test]
fn a_repository_inside_of_the_checkout_configures_nothing() {
    let api = Api::start();
    let mut job = hostile(&api);
    let workspace = job.path("workspace");
    // A folder that git takes for a bare repository, shallow, with programs in its configuration.
    let inner = workspace.join("inner");
    let url = format!("file://{}", job.path("origin").display());
    git(
        &workspace,
        &["clone", "-q", "--bare", "--depth=1", &url, "inner"],
    );
    let program = format!("touch {}; false", job.path("pwned").display());
    for (name, value) in [
        ("core.fsmonitor", &*program),
        ("core.sshCommand", &program),
        ("remote.origin.url", "ssh://nowhere/x"),
    ] {
        git(&workspace, &["--git-dir=inner", "config", name, value]);
    }
    std::fs::write(inner.join("Dockerfile"), "FROM node:22\n").expect("written");
    let before = tree(&workspace);
    let ran = job.input("path", "inner").run();
    harmless(&job, &api, &ran, &before);
    let ran = job
        .input("path", ".")
        .input("working-directory", "inner")
        .run();
    harmless(&job, &api, &ran, &before);
}
