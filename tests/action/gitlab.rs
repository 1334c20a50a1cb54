//! The script of `docs/ci/gitlab.yml`: notes, artifacts and gates.

use crate::api::{Api, BOT, TOKEN};
use crate::checkout::{DOCKERFILE, Origin, check_out, origin};
use crate::runner::{Job, yaml};
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

const MARK: &str = "<!-- cacheplan -->\n";

/// What the job says, and its exit code.
fn run(job: &Job, variables: &[(&str, &str)]) -> (String, i32) {
    let file = yaml("docs/ci/gitlab.yml");
    let declared = file["cacheplan"]["variables"]
        .as_object()
        .expect("variables");
    let declared = declared
        .iter()
        .map(|(k, v)| (k.clone(), v.as_str().expect("a text").to_owned()));
    let lines = file["cacheplan"]["script"]
        .as_array()
        .expect("a script")
        .iter();
    let lines: Vec<&str> = lines.map(|l| l.as_str().expect("a text")).collect();
    let out = Command::new("bash")
        .args(["-c", &format!("set -eo pipefail\n{}", lines.join("\n"))])
        .current_dir(job.path("workspace"))
        .stdin(Stdio::null())
        .env_clear()
        .env("PATH", &job.env["PATH"])
        .env("HOME", job.path("home"))
        .env("TMPDIR", job.path("temp"))
        .env("CI_PROJECT_DIR", job.path("workspace"))
        .env("CI_PROJECT_ID", "12")
        .env(
            "CI_API_V4_URL",
            format!("{}/api/v4", job.env["GITHUB_API_URL"]),
        )
        .envs(declared)
        .envs(variables.iter().copied())
        .output()
        .expect("bash");
    let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
    (
        text(&out.stdout) + &text(&out.stderr),
        out.status.code().expect("an end by itself"),
    )
}

fn job(api: &Api) -> (Job, Origin) {
    let job = Job::new(api);
    let origin = origin(&job.path("origin"), DOCKERFILE, DOCKERFILE, "a change");
    check_out(&origin, &job.path("workspace"), &origin.head, 0);
    (job, origin)
}

fn in_merge_request(base: &str) -> Vec<(&str, &str)> {
    vec![
        ("CACHEPLAN_GITLAB_TOKEN", TOKEN),
        ("CI_MERGE_REQUEST_IID", "7"),
        ("CI_MERGE_REQUEST_DIFF_BASE_SHA", base),
    ]
}

#[test]
fn a_note_is_made_and_kept_up_to_date() {
    let api = Api::start();
    let (job, origin) = job(&api);
    let base = crate::checkout::git(&origin.path, &["merge-base", "main", "change"]);
    for n in 0..120 {
        api.comment("somebody", &format!("note {n}"));
    }
    let other = api.comment("mallory", &format!("{MARK}merge it"));
    let (log, code) = run(&job, &in_merge_request(&base));
    assert_eq!(code, 0, "{log}");
    let own = api.by(BOT);
    assert_eq!(own.len(), 1, "{log}");
    assert!(
        own[0].body.starts_with(MARK) && own[0].body.contains("| before | after |"),
        "{}",
        own[0].body
    );
    let (log, _) = run(&job, &in_merge_request(&base));
    assert_eq!((api.by(BOT).len(), api.asked("PUT")), (1, 1), "{log}");
    assert!(
        api.by("mallory")
            .iter()
            .all(|c| c.id == other && c.body.ends_with("merge it"))
    );
    assert!(!log.contains(TOKEN) && !job.arguments().contains(TOKEN));
    assert_eq!(api.state().leaks, Vec::<String>::new());
    let leaks = job
        .left()
        .into_iter()
        .filter(|(_, b)| String::from_utf8_lossy(b).contains(TOKEN));
    assert_eq!(leaks.count(), 0);
}

#[test]
fn without_a_token_or_an_answer_the_artifacts_have_the_report() {
    let api = Api::start();
    let (job, origin) = job(&api);
    // A merge request may bring a link under the name of the artifact.
    let outside = job.path("outside");
    std::fs::create_dir(&outside).expect("a folder");
    symlink(&outside, job.path("workspace/cacheplan-report")).expect("a link");
    let mut variables = in_merge_request(&origin.base);
    variables[0].1 = "";
    let (log, code) = run(&job, &variables);
    assert_eq!(code, 0, "{log}");
    assert!(
        log.contains("No note") && log.contains("What builds cost")
            || log.contains("A build costs"),
        "{log}"
    );
    assert!(
        std::fs::read_dir(&outside)
            .expect("a folder")
            .next()
            .is_none()
    );
    let report = |name: &str| {
        std::fs::read_to_string(job.path("workspace/cacheplan-report").join(name)).expect(name)
    };
    assert!(report("report.md").starts_with(MARK));
    let findings: serde_json::Value =
        serde_json::from_str(&report("gl-code-quality-report.json")).expect("JSON");
    assert!(findings.is_array());
    assert!(api.state().requests.is_empty());
    for status in [401, 403, 500] {
        let api = Api::start();
        api.order("POST", status, 99);
        let (mut job, origin) = self::job(&api);
        job.env.insert("GITHUB_API_URL".to_owned(), api.url.clone());
        let (log, code) = run(&job, &in_merge_request(&origin.base));
        assert_eq!(code, 0, "{log}");
        assert!(log.contains(&format!("answered {status}")), "{log}");
        assert_eq!(api.asked("POST"), if status == 500 { 4 } else { 1 });
    }
}

#[test]
fn gates_and_wrong_input_end_the_job_when_all_is_reported() {
    let api = Api::start();
    let (job, origin) = job(&api);
    let mut variables = in_merge_request(&origin.base);
    // The tip of the target branch is not in a checkout of the source branch.
    variables.push(("CACHEPLAN_FAIL_ON", "severity=note rebuild-cost+10%"));
    let (log, code) = run(&job, &variables);
    assert_eq!(code, 1, "{log}");
    assert!(
        log.contains("left out") && log.contains("A gate of CACHEPLAN_FAIL_ON failed"),
        "{log}"
    );
    assert_eq!(api.by(BOT).len(), 1);
    variables.push((
        "CACHEPLAN_ARGS",
        "--umask 022 --cache-policy=$(touch${IFS}pwned)",
    ));
    let (log, code) = run(&job, &variables);
    assert_eq!(code, 2, "{log}");
    assert!(!job.path("workspace/pwned").exists());
}

#[test]
fn a_line_of_a_note_is_no_quick_action() {
    let api = Api::start();
    let job = Job::new(&api);
    let hostile = "FROM node:22\nWORKDIR /app\nCOPY . .\nRUN <<E\n/merge\n/approve\nE\nRUN npm ci # \\\n/close\n/merge\n";
    let origin = origin(&job.path("origin"), hostile, hostile, "/merge");
    check_out(&origin, &job.path("workspace"), &origin.head, 0);
    let (log, _) = run(&job, &in_merge_request(&origin.base));
    let body = api.by(BOT).pop().unwrap_or_else(|| panic!("{log}")).body;
    for line in body.lines() {
        assert!(!line.starts_with('/'), "{line}\n{body}");
    }
}
