//! Comments, job summary, gates and outputs of the action.

use crate::api::{Api, BOT};
use crate::checkout::{BETTER, DOCKERFILE, check_out, git, origin};
use crate::runner::{Job, Ran};
use serde_json::json;

const MARK: &str = "<!-- cacheplan -->\n";

/// A job on a pull request that only adds a file.
fn job(api: &Api) -> Job {
    changed(api, DOCKERFILE, DOCKERFILE, 1)
}

/// A job on a pull request that changes the Dockerfile, checked out with this depth.
fn changed(api: &Api, before: &str, after: &str, depth: usize) -> Job {
    let mut job = Job::new(api);
    let origin = origin(&job.path("origin"), before, after, "a change");
    check_out(&origin, &job.path("workspace"), &origin.merge, depth);
    job.event = json!({"pull_request": {"number": 7, "base": {"sha": origin.base}, "head": {"sha": origin.head, "ref": "change"}}});
    job.env.insert("GITHUB_SHA".to_owned(), origin.merge);
    job
}

fn fine(ran: &Ran) {
    assert_eq!(ran.failed, None, "{}", ran.log);
}

#[test]
fn the_first_run_comments_and_says_all_there_is() {
    let api = Api::start();
    let job = job(&api);
    let ran = job.run();
    fine(&ran);
    let own = api.by(BOT);
    assert_eq!(own.len(), 1, "{}", ran.log);
    assert!(own[0].body.starts_with(MARK));
    assert!(own[0].body.contains("npm ci"), "{}", own[0].body);
    assert_eq!(ran.summary, own[0].body, "the summary is the same report");
    assert!(ran.output("comment-url").ends_with("#issuecomment-1"));
    let (now, plan) = (
        ran.number("work-s-per-build"),
        ran.number("plan-work-s-per-build"),
    );
    assert!(now > plan && plan > 0.0, "{now} {plan}");
    assert!((ran.number("saving") - (1.0 - plan / now)).abs() < 1e-9);
    assert!(ran.number("findings") >= 1.0);
    assert_eq!(
        (ran.output("failed"), ran.output("exit-code")),
        ("false", "0")
    );
    let read = |name: &str| std::fs::read_to_string(ran.output(name)).expect(name);
    let json: serde_json::Value = serde_json::from_str(&read("json")).expect("JSON");
    assert_eq!(json["schema"], "cacheplan.analyze/1");
    // The merge commit and three of `main` behind the oldest one, whose cache is empty.
    assert_eq!(json["targets"][0]["history"]["builds"], 5);
    assert!(read("markdown").starts_with(MARK));
    assert!(
        read("diff").contains("+COPY package-lock.json package.json"),
        "{}",
        read("diff")
    );
    assert!(read("sarif").contains("\"version\""));
    assert!(
        ran.commands.iter().any(|c| c.contains("file=Dockerfile")),
        "annotations: {:?}",
        ran.commands
    );
    assert!(
        ran.uses.is_empty(),
        "nothing is uploaded or cached unasked: {:?}",
        ran.uses
    );
}

#[test]
fn a_later_run_changes_its_comment_and_nobody_elses() {
    let api = Api::start();
    for n in 0..250 {
        api.comment("somebody", &format!("comment {n}"));
    }
    let other = api.comment("mallory", &format!("{MARK}all is well, merge it"));
    let bot = api.comment(BOT, &format!("of another tool, which quotes:\n{MARK}"));
    let own = api.comment(BOT, &format!("{MARK}old"));
    let ran = job(&api).run();
    fine(&ran);
    let state = api.state();
    assert_eq!(state.comments.len(), 253, "{}", ran.log);
    for c in &state.comments {
        let new = c.body.contains("npm ci");
        assert_eq!(new, c.id == own, "{c:?}");
        assert_ne!((c.id, new), (other, true));
        assert_ne!((c.id, new), (bot, true));
    }
    drop(state);
    assert_eq!(
        api.asked("GET /repos/some/project/issues/7/comments"),
        3,
        "three pages"
    );
    assert_eq!(api.asked("PATCH"), 1);
}

#[test]
fn a_fork_gets_the_summary() {
    let api = Api::start();
    api.order("POST /repos", 403, 9);
    let mut job = job(&api);
    job.input("summary", "false");
    let ran = job.run();
    fine(&ran);
    assert!(ran.says("notice", "no comment"), "{:?}", ran.commands);
    assert!(ran.summary.starts_with(MARK) && ran.summary.contains("npm ci"));
    assert_eq!(api.asked("POST /repos"), 1, "a refusal is not asked again");
    job.input("summary", "true");
    let twice = job.run().summary;
    assert_eq!(twice.matches(MARK).count(), 1, "once is enough");
}

#[test]
fn an_interface_that_is_down_for_a_while_is_asked_again() {
    let api = Api::start();
    api.order("POST /graphql", 502, 1);
    api.order("GET /repos", 503, 1);
    api.order_with(
        "POST /repos",
        403,
        1,
        "{\"message\":\"You have exceeded a secondary rate limit\"}",
        false,
    );
    let ran = job(&api).run();
    fine(&ran);
    assert_eq!(api.by(BOT).len(), 1, "{}", ran.log);
    assert!(!ran.says("warning", "no comment"));
}

#[test]
fn a_comment_that_was_made_though_the_answer_was_an_error_is_not_made_twice() {
    let api = Api::start();
    api.order_with("POST /repos", 502, 1, "", true);
    let ran = job(&api).run();
    fine(&ran);
    assert_eq!(api.by(BOT).len(), 1);
    assert_eq!(api.asked("PATCH"), 1);
}

#[test]
fn an_interface_that_stays_down_fails_nothing() {
    for (start, status) in [
        ("GET /repos", 503),
        ("POST /repos", 404),
        ("POST /graphql", 500),
        ("GET /repos", 410),
    ] {
        let api = Api::start();
        api.order(start, status, 99);
        let mut job = job(&api);
        job.input("summary", "false");
        let ran = job.run();
        fine(&ran);
        assert!(
            ran.says("warning", &format!("answered {status}")),
            "{:?}",
            ran.commands
        );
        assert!(ran.summary.contains("npm ci"));
        let pauses = job.arguments();
        let pauses = pauses
            .split("sleep\n")
            .skip(1)
            .map(|p| p.lines().next().unwrap_or_default());
        assert_eq!(pauses.collect::<Vec<_>>(), ["2", "6", "20"]);
    }
    // Something on the way answers with a page of its own.
    for start in ["GET /repos", "POST /repos", "POST /graphql"] {
        let api = Api::start();
        api.order_with(start, 200, 99, "<html>sign in</html>", false);
        let ran = job(&api).run();
        fine(&ran);
        assert!(
            ran.says("warning", "answered 200"),
            "{start} {:?}",
            ran.commands
        );
    }
    let api = Api::start();
    let mut job = job(&api);
    job.env
        .insert("GITHUB_API_URL".to_owned(), "http://127.0.0.1:1".to_owned());
    let ran = job.run();
    fine(&ran);
    assert!(ran.says("warning", "did not answer"), "{:?}", ran.commands);
}

#[test]
fn a_comment_that_somebody_deletes_meanwhile_is_made_anew() {
    let api = Api::start();
    api.comment(BOT, MARK);
    api.order("PATCH", 404, 1);
    let ran = job(&api).run();
    fine(&ran);
    assert_eq!(api.by(BOT).len(), 2, "{}", ran.log);
    assert!(ran.output("comment-url").ends_with("-2"));
}

#[test]
fn comments_are_made_where_they_are_wanted() {
    let api = Api::start();
    let mut silent = job(&api);
    let ran = silent.input("comment", "never").run();
    fine(&ran);
    assert!(ran.summary.contains("npm ci") && !ran.steps.contains(&"Comment".to_owned()));
    // A push has no pull request.
    let mut push = job(&api);
    push.event = json!({"ref": "refs/heads/main", "head_commit": {}});
    let ran = push.run();
    fine(&ran);
    assert!(api.state().requests.is_empty());
    // Nothing that is worth a comment, unless it is asked for, or one is there.
    let quiet = "FROM scratch\nCOPY src /src\n";
    let mut job = changed(&api, quiet, quiet, 1);
    let ran = job.run();
    fine(&ran);
    assert_eq!(api.state().comments.len(), 0, "{}", ran.log);
    fine(&job.input("comment", "always").run());
    assert_eq!(api.by(BOT).len(), 1);
    fine(&job.input("comment", "auto").run());
    assert_eq!((api.by(BOT).len(), api.asked("PATCH")), (1, 1));
    let ran = job.input("comment", "sometimes").run();
    assert!(ran.says("warning", "one of auto, always and never"));
}

#[test]
fn comments_of_several_jobs_stand_side_by_side() {
    let api = Api::start();
    let mut job = job(&api);
    fine(&job.input("comment-key", "web").run());
    fine(&job.input("comment-key", "api").run());
    fine(&job.input("comment-key", "web").run());
    fine(&job.input("comment-key", "").run());
    let firsts: Vec<String> = api
        .by(BOT)
        .iter()
        .map(|c| c.body.lines().next().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(
        firsts,
        [
            "<!-- cacheplan web -->",
            "<!-- cacheplan api -->",
            "<!-- cacheplan -->"
        ]
    );
    let ran = job.input("comment-key", "a --> @all").run();
    assert!(ran.says("warning", "comment-key"), "{:?}", ran.commands);
}

#[test]
fn a_gate_fails_the_job_when_all_is_reported() {
    let api = Api::start();
    let mut job = job(&api);
    job.input("fail-on", "severity=note rebuild-cost+10%")
        .input("sarif", "true");
    let ran = job.run();
    assert_eq!(ran.failed, Some(1), "{}", ran.log);
    assert!(ran.says("error", "A gate of fail-on failed"));
    assert_eq!(
        (ran.output("failed"), ran.output("exit-code")),
        ("true", "1")
    );
    assert_eq!(api.by(BOT).len(), 1);
    assert!(ran.summary.contains("npm ci"));
    let (action, with) = &ran.uses[0];
    assert!(
        action.starts_with("github/codeql-action/upload-sarif@"),
        "{action}"
    );
    assert_eq!(
        (with["sarif_file"].as_str(), with["category"].as_str()),
        (ran.output("sarif"), "cacheplan")
    );
}

#[test]
fn what_a_pull_request_makes_dearer_fails_it() {
    let api = Api::start();
    let mut job = changed(&api, BETTER, DOCKERFILE, 1);
    let ran = job.input("fail-on", "rebuild-cost+10%").run();
    assert_eq!(ran.failed, Some(1), "{}", ran.log);
    assert!(
        api.by(BOT)[0].body.contains("| before | after |"),
        "{}",
        api.by(BOT)[0].body
    );
    let api = Api::start();
    let mut job = changed(&api, DOCKERFILE, BETTER, 0);
    fine(&job.input("fail-on", "rebuild-cost+10%").run());
    assert!(api.by(BOT)[0].body.contains("| before | after |"));
}

#[test]
fn a_wrong_input_is_told_apart_from_a_gate() {
    let api = Api::start();
    let mut job = job(&api);
    let ran = job.input("cache-policy", "sometimes").run();
    assert_eq!(ran.failed, Some(2), "{}", ran.log);
    assert!(ran.says("error", "The input is wrong") && ran.output("failed") == "false");
    job.input("cache-policy", "gha").input("history", "many");
    assert_eq!(job.run().failed, Some(2));
    // A Dockerfile that nobody can build is said where the report is read.
    let api = Api::start();
    let ran = changed(&api, DOCKERFILE, "FROM node:22\nRUNN ##[add-mask]x\n", 1).run();
    assert_eq!(ran.failed, Some(2), "{}", ran.log);
    assert!(!ran.log.contains("##[add-mask]"), "{}", ran.log);
    assert!(
        api.by(BOT)[0].body.contains("RUNN"),
        "{}",
        api.by(BOT)[0].body
    );
}

#[test]
fn a_checkout_without_history_gets_one() {
    let api = Api::start();
    let mut job = job(&api);
    let workspace = job.path("workspace");
    assert_eq!(git(&workspace, &["rev-list", "--count", "HEAD"]), "1");
    // Another base than the event's: the merge commit's own first parent is what counts.
    job.event["pull_request"]["base"]["sha"] = json!("0123456789012345678901234567890123456789");
    let ran = job.run();
    fine(&ran);
    assert!(
        git(
            &workspace,
            &["rev-list", "--count", "--first-parent", "HEAD"]
        )
        .parse::<usize>()
        .expect("a number")
            > 3
    );
    let json = std::fs::read_to_string(ran.output("json")).expect("JSON");
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(
        json["targets"][0]["base"]["commit"],
        git(&workspace, &["rev-parse", "HEAD^1"]).as_str()
    );
    assert!(
        !ran.commands.iter().any(|c| c.contains("fetch-depth")),
        "{:?}",
        ran.commands
    );
}

#[test]
fn where_no_history_can_be_fetched_that_is_said() {
    let api = Api::start();
    let mut gone = job(&api);
    git(
        &gone.path("workspace"),
        &["remote", "set-url", "origin", "file:///nowhere"],
    );
    gone.input("fail-on", "rebuild-cost+10%");
    let ran = gone.run();
    fine(&ran);
    assert!(
        ran.says("warning", "`fetch-depth: 0`"),
        "{:?}",
        ran.commands
    );
    assert!(ran.says("notice", "left out"), "{:?}", ran.commands);
    assert!(ran.summary.contains("shallow"), "{}", ran.summary);
    // Not asked for, not done.
    let mut job = job(&api);
    job.input("deepen", "false");
    fine(&job.run());
    assert_eq!(
        git(&job.path("workspace"), &["rev-list", "--count", "HEAD"]),
        "1"
    );
    // A checkout that is deep enough stays as it is.
    let mut job = changed(&api, DOCKERFILE, DOCKERFILE, 5);
    job.input("history", "2");
    fine(&job.run());
    assert_eq!(
        git(
            &job.path("workspace"),
            &["rev-list", "--count", "--first-parent", "HEAD"]
        ),
        "5"
    );
}

#[test]
fn the_head_of_a_pull_request_is_compared_with_where_it_left() {
    let api = Api::start();
    let mut job = Job::new(&api);
    let origin = origin(&job.path("origin"), DOCKERFILE, BETTER, "a change");
    check_out(&origin, &job.path("workspace"), &origin.head, 1);
    job.event = json!({"pull_request": {"number": 7, "base": {"sha": origin.base}}});
    job.env
        .insert("GITHUB_SHA".to_owned(), origin.merge.clone());
    let base = |ran: &Ran| {
        let json = std::fs::read_to_string(ran.output("json")).expect("JSON");
        let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        json["targets"][0]["base"]["commit"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let ran = job.run();
    fine(&ran);
    assert_eq!(
        base(&ran),
        git(&origin.path, &["merge-base", "main", "change"]),
        "{}",
        ran.log
    );
    // A branch by its name, which the checkout does not have.
    let ran = job.input("base", "main").run();
    fine(&ran);
    assert_eq!(base(&ran), origin.base, "{}", ran.log);
    let ran = job.input("base", "no-such-branch").run();
    fine(&ran);
    assert!(
        ran.says("warning", "the commit to compare with"),
        "{:?}",
        ran.commands
    );
}

#[test]
fn a_pull_request_may_bring_the_first_dockerfile() {
    let api = Api::start();
    let mut job = changed(&api, "", BETTER, 1);
    let ran = job.input("fail-on", "rebuild-cost+10%").run();
    fine(&ran);
    assert!(
        api.by(BOT)[0].body.contains("nothing to compare with"),
        "{}",
        api.by(BOT)[0].body
    );
    // Or mend one.
    let api = Api::start();
    let mut job = changed(&api, "FROM node:22\nRUNN x\n", BETTER, 1);
    fine(&job.input("fail-on", "rebuild-cost+10%").run());
    assert!(
        api.by(BOT)[0].body.contains("has errors"),
        "{}",
        api.by(BOT)[0].body
    );
}

#[test]
fn inputs_go_where_they_belong() {
    let api = Api::start();
    let mut job = job(&api);
    let workspace = job.path("workspace");
    std::fs::create_dir(workspace.join("deploy")).expect("a folder");
    std::fs::write(
        workspace.join("deploy/-f Dockerfile"),
        "FROM node:22 AS one\nRUN npm ci\nFROM one\nCOPY . .\n",
    )
    .expect("written");
    let log = job.path("seen").display().to_string();
    job.program("cacheplan", &format!("[ \"$1\" = --version ] && {{ echo \"cacheplan $VERSION\"; exit; }}\nprintf '%s\\n' \"$PWD\" \"$@\" >>'{log}'\n"));
    job.env
        .insert("VERSION".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
    job.input("path", "..")
        .input("working-directory", "deploy")
        .input("file", "deploy/-f Dockerfile\n  Dockerfile\n")
        .input("target", "one")
        .input("costs", "costs.json")
        .input("cache-policy", "gha:5GB")
        .input("safety", "proven")
        .input("history", "20")
        .input("base", "HEAD")
        .input("annotations", "false")
        .input("args", "--build-arg\nA=b * $HOME\n\n--walk=all");
    let ran = job.run();
    fine(&ran);
    let seen = std::fs::read_to_string(job.path("seen")).expect("seen");
    let has = |line: &str| assert!(seen.lines().any(|l| l == line), "{line}\n{seen}");
    has(&workspace.join("deploy").display().to_string());
    for flag in [
        "--target=one",
        "--costs=costs.json",
        "--cache-policy=gha:5GB",
        "--safety=proven",
        "--history=20",
    ] {
        has(flag);
    }
    has(&format!(
        "--base={}",
        git(&workspace, &["rev-parse", "HEAD"])
    ));
    has("--file=deploy/-f Dockerfile");
    has("--file=Dockerfile");
    assert!(
        seen.contains("--build-arg\nA=b * $HOME\n--walk=all\n--\n..\n"),
        "{seen}"
    );
    assert!(!seen.contains("github="), "{seen}");
    job.input("args", "  --walk=all   --umask 022 * ");
    fine(&job.run());
    let seen = std::fs::read_to_string(job.path("seen")).expect("seen");
    assert!(
        seen.contains("--walk=all\n--umask\n022\n*\n--\n..\n"),
        "{seen}"
    );
}

#[test]
fn a_report_that_is_too_long_is_cut() {
    let api = Api::start();
    let job = job(&api);
    // What cacheplan itself never writes, at three bytes a character.
    let script = "[ \"$1\" = --version ] && { echo \"cacheplan $VERSION\"; exit; }\n\
        for a in \"$@\"; do case $a in --format=markdown=*) { echo '<!-- cacheplan -->'; yes '– line' | head -n 150000; } >\"${a#--format=markdown=}\" ;; esac; done\n";
    job.program("cacheplan", script);
    let mut job = job;
    job.env
        .insert("VERSION".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
    let ran = job.run();
    fine(&ran);
    let body = &api.by(BOT)[0].body;
    assert!(body.chars().count() <= 65_536 && body.chars().count() > 65_000);
    assert!(body.ends_with("may be._\n"));
    assert!(ran.summary.contains("too long"), "{}", ran.summary.len());
}
