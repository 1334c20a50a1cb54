//! The clock, runner minutes, money and months, as a user meets them.

#[path = "common/planned.rs"]
mod planned;

use planned::{Value, cacheplan};
use std::path::Path;
use std::process::{Command, Output};

/// Seconds that do not depend on our priors.
const COSTS: &str = r#"{"schema":"cacheplan.costs/1","steps":[
{"match":{"class":"install"},"seconds":{"cold":[50,100]}},
{"match":{"class":"build"},"seconds":{"cold":[100,200]}},
{"match":{"class":"copy"},"seconds":{"cold":[1,1]}},
{"match":{"class":"workdir"},"seconds":{"cold":[0,0]}}]}"#;

const GOOD: &str = "FROM node:22\nWORKDIR /app\nCOPY package.json package-lock.json ./\nRUN npm ci\nCOPY src src\n";
const SLOW: &str = "FROM node:22\nWORKDIR /app\nCOPY . .\nRUN npm ci\n";

fn git(dir: &Path, day: &str, args: &[&str]) {
    let when = format!("{day}T12:00:00Z");
    let done = Command::new("git")
        .args(["-c", "user.name=a", "-c", "user.email=a@example.org"])
        .args([
            "-c",
            "commit.gpgsign=false",
            "-c",
            "init.defaultBranch=main",
        ])
        .args(args)
        .current_dir(dir)
        .envs([("GIT_AUTHOR_DATE", &when), ("GIT_COMMITTER_DATE", &when)])
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("HOME", dir)
        .output()
        .expect("git starts");
    assert!(done.status.success(), "git {args:?}: {done:?}");
}

/// Two commits to the sources in each of five months; in the third the Dockerfile copies all before the install.
fn five_months() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    let put = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    };
    git(dir.path(), "2026-01-01", &["init", "-q"]);
    put("package.json", "{}");
    put("package-lock.json", "{}");
    put(".dockerignore", ".git\nDockerfile\n");
    put("Dockerfile", GOOD);
    for month in 1..=5 {
        for day in [5, 15] {
            put("src/a.js", &format!("{month} {day}"));
            let mut subject = "Sources";
            if (month, day) == (3, 5) {
                put("Dockerfile", SLOW);
                subject = "Copy all | <b>at once</b> @team";
            }
            let date = format!("2026-{month:02}-{day:02}");
            git(dir.path(), &date, &["add", "-A"]);
            git(dir.path(), &date, &["commit", "-qm", subject]);
        }
    }
    dir
}

fn costs() -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), COSTS).expect("written");
    file
}

fn text(out: &Output) -> String {
    let errors = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(0), "{errors}");
    String::from_utf8_lossy(&out.stdout).into_owned()
}

fn run(dir: &Path, command: &str, flags: &[&str]) -> String {
    let costs = costs();
    let costs = costs.path().display().to_string();
    let args: Vec<&str> = [command, ".", "--costs", &costs]
        .into_iter()
        .chain(flags.iter().copied())
        .collect();
    text(&cacheplan(dir, &args))
}

fn json(dir: &Path, command: &str, flags: &[&str]) -> Value {
    let flags: Vec<&str> = flags.iter().copied().chain(["--format", "json"]).collect();
    serde_json::from_str(&run(dir, command, &flags)).expect("JSON")
}

#[test]
fn the_commit_that_made_it_slow_is_named() {
    let dir = five_months();
    let shown = run(dir.path(), "trend", &[]);
    let commit = shown
        .lines()
        .find_map(|l| l.strip_prefix("2026-03-05  "))
        .and_then(|l| l.split("  ").next())
        .expect("the commit")
        .to_owned();
    assert_eq!(commit.len(), 10);
    let shown = shown.replace(&commit, "<commit>");
    let expected = "\
Dockerfile (context .): seconds of work a build

month    builds  as it was                      today's   the plan
2026-01       1        1 s  █░░░░░░░░░░░░░░░       51 s        1 s
2026-02       2        1 s  █░░░░░░░░░░░░░░░       51 s        1 s
2026-03       2       51 s  ████████████████       51 s        1 s
2026-04       2       51 s  ████████████████       51 s        1 s
2026-05       2       51 s  ████████████████       51 s        1 s
as it was: each commit's own Dockerfile and ignore file; today's and the plan: those on the same commits

Commits that changed it; before and behind each on the same builds around it:
2026-03-05  <commit>        1 s ->      51 s  +     50 s  Copy all | <b>at once</b> @team
";
    assert_eq!(shown, expected);
    let found = json(dir.path(), "trend", &[]);
    assert_eq!(found["schema"], "cacheplan.trend/1");
    let change = &found["changes"][0];
    assert_eq!(change["date"], "2026-03-05");
    assert_eq!(
        (
            &change["before_s_per_build"],
            &change["after_s_per_build"],
            &change["builds"]
        ),
        (&1.0.into(), &51.0.into(), &9.into())
    );
    assert_eq!(found["months"].as_array().expect("months").len(), 5);
    // In the advice, inert in every format.
    let told = run(dir.path(), "analyze", &["--no-timing"]);
    let dearest =
        "(2026-03-05, “Copy all | <b>at once</b> @team”) made a build cost 51 s instead of 1 s";
    assert!(told.replace("\n  ", " ").contains(dearest), "{told}");
    let told = run(dir.path(), "analyze", &["--format", "markdown"]);
    assert!(
        !told.contains("<b>at once") && !told.contains(" @team"),
        "{told}"
    );
    let found = json(dir.path(), "analyze", &["--no-timing"]);
    assert_eq!(
        found["targets"][0]["trend"]["changes"][0]["date"],
        "2026-03-05"
    );
}

#[test]
fn jobs_are_counted_by_started_minutes() {
    let dir = five_months();
    let target = |flags: &[&str]| json(dir.path(), "analyze", flags)["targets"][0].clone();
    let found = target(&[]);
    // February to April are whole months of two builds each.
    assert_eq!(found["jobs"]["builds_per_month"], 2.0);
    assert_eq!(found["jobs"]["months"], 3);
    assert_eq!(found["jobs"]["workers"], 2);
    assert!(found["jobs"].get("price").is_none());
    let jobs = &found["baseline"]["jobs"];
    // 51 s at the median are one minute, 101 s at the high end two, 26 s at the low one.
    assert_eq!(jobs["minutes_per_month"], 2.0);
    assert_eq!(jobs["minutes_interval"], serde_json::json!([2.0, 4.0]));
    assert!(jobs.get("money_per_month").is_none());
    // 1 s is a started minute too.
    assert_eq!(found["plans"][0]["jobs"]["minutes_per_month"], 2.0);
    let found = target(&[
        "--price",
        "0.5eur",
        "--job-seconds",
        "30",
        "--builds-per-month",
        "100",
    ]);
    let jobs = &found["baseline"]["jobs"];
    assert_eq!(jobs["minutes_per_month"], 200.0);
    assert_eq!(jobs["money_per_month"], 100.0);
    assert_eq!(found["jobs"]["price"]["currency"], "EUR");
    let best = found["plans"].as_array().expect("plans");
    assert!(
        best.iter().any(|p| p["jobs"]["money_per_month"] == 50.0),
        "{best:?}"
    );
    let found = target(&[
        "--price",
        "gitlab-small",
        "--builds-per-month",
        "60",
        "--cache-survives",
        "50%",
    ]);
    // By the second; half of the builds find what the others left, and cold is 51 s as well.
    let minutes = found["baseline"]["jobs"]["minutes_per_month"].as_f64();
    assert!(
        (minutes.expect("minutes") - 51.0).abs() < 1e-9,
        "{minutes:?}"
    );
    assert_eq!(found["jobs"]["price"]["runner"]["name"], "gitlab-small");
    let shown = run(
        dir.path(),
        "analyze",
        &[
            "--no-timing",
            "--price",
            "github-4",
            "--builds-per-month",
            "1000",
        ],
    );
    let line = "A month: 1,000 builds, 1,000 runner minutes (1,000 .. 2,000) for the steps alone, each job rounded up to a whole minute: \
                $12.00 ($12.00 .. $24.00) at $0.012 a minute (GitHub's list, 2026-11).";
    assert!(shown.replace("\n  ", " ").contains(line), "{shown}");
    assert!(
        shown
            .replace("\n  ", " ")
            .contains("no fewer runner minutes, as each job is rounded up to a whole one"),
        "{shown}"
    );
}

#[test]
fn what_builds_spend_beside_their_steps_is_part_of_a_job() {
    let dir = five_months();
    let file = tempfile::NamedTempFile::new().expect("a file");
    let more = r#",{"match":{"overhead":"push"},"seconds":{"cold":[20,30]}},{"match":{"overhead":"pull"},"seconds":{"cold":[40,40]}}]}"#;
    std::fs::write(file.path(), COSTS.trim_end_matches("]}").to_owned() + more).expect("written");
    let costs = file.path().display().to_string();
    let jobs = |flags: &[&str]| {
        let args: Vec<&str> = ["analyze", ".", "--costs", &costs, "--format", "json"]
            .into_iter()
            .chain(flags.iter().copied())
            .collect();
        let found: Value =
            serde_json::from_str(&text(&cacheplan(dir.path(), &args))).expect("JSON");
        found["targets"][0]["jobs"].clone()
    };
    // A builder that lives on pulls nothing.
    let found = jobs(&["--job-seconds", "5"]);
    assert_eq!(found["job_s"], 25.0);
    assert_eq!(found["learned_s"], serde_json::json!({"push": 20.0}));
    let found = jobs(&["--cache-policy", "registry-max"]);
    assert_eq!(found["job_s"], 60.0);
}

#[test]
fn stages_that_run_side_by_side_take_less_on_the_clock() {
    let dir = five_months();
    let stages: String = (0..3)
        .map(|i| {
            format!("FROM node:22 AS s{i}\nWORKDIR /app\nCOPY . .\nRUN npm run build{i} && make\n")
        })
        .collect();
    let copies: String = (0..3)
        .map(|i| format!("COPY --from=s{i} /app/{i} /{i}\n"))
        .collect();
    let file = format!("{stages}FROM scratch\n{copies}");
    std::fs::write(dir.path().join("Dockerfile"), file).expect("written");
    let found = json(dir.path(), "analyze", &["--rewrites", "sink"]);
    let baseline = &found["targets"][0]["baseline"];
    let wall = &baseline["wall_s_per_build"];
    // The stages begin with the same COPY, of 1 second. Then each takes 100, and its files are copied, which is in doubt and counts: those of the
    // first two while the third is at work.
    assert_eq!(baseline["critical_path_s_per_build"], wall["unlimited"]);
    assert_eq!(wall["unlimited"], 104.0);
    assert_eq!(wall["4"], 104.0);
    assert_eq!(wall["2"], 202.0);
    let shown = run(
        dir.path(),
        "analyze",
        &["--no-timing", "--rewrites", "sink"],
    );
    assert!(
        shown
            .replace("\n  ", " ")
            .contains("On the clock: 202 s with 2 steps at a time, 104 s with 4 or more."),
        "{shown}"
    );
}

#[test]
fn flags_are_checked() {
    let dir = five_months();
    for bad in [
        ["--price", "cheap"],
        ["--price", "-1"],
        ["--workers", "0"],
        ["--job-seconds", "-1"],
        ["--cache-survives", "1.5"],
        ["--builds-per-month", "many"],
    ] {
        let flag = format!("{}={}", bad[0], bad[1]);
        let out = cacheplan(dir.path(), &["analyze", ".", &flag]);
        assert_eq!(out.status.code(), Some(2), "{bad:?}");
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(said.contains(bad[0]), "{said}");
    }
    let out = cacheplan(dir.path(), &["trend", ".", "--dockerfile-from", "each"]);
    assert_eq!(out.status.code(), Some(2));
    // A history of a day says nothing of months.
    let found = json(dir.path(), "analyze", &["--history", "2"]);
    let target = &found["targets"][0];
    assert!(target.get("jobs").is_none() && target["baseline"].get("jobs").is_none());
    // Whoever asked is told.
    let shown = run(dir.path(), "analyze", &["--history", "2", "--price", "1"]);
    assert!(shown.contains("--builds-per-month"), "{shown}");
    // No build, no job, and no figure with a sign.
    let flags = ["--history", "1", "--builds-per-month", "10"];
    let found = json(dir.path(), "analyze", &flags);
    let baseline = &found["targets"][0]["baseline"];
    assert!(baseline.get("jobs").is_none(), "{baseline}");
    assert!(!baseline.to_string().contains("-0.0"), "{baseline}");
}

#[test]
fn a_pipe_in_the_place_of_the_costs_file_is_not_waited_for() {
    let dir = five_months();
    let pipe = dir.path().join("cacheplan.costs.json");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo starts").success());
    let shown = text(&cacheplan(dir.path(), &["trend", "."]));
    assert!(shown.contains("2026-03"), "{shown}");
}
