//! Where the binary comes from.

use crate::api::Api;
use crate::checkout::{DOCKERFILE, check_out, origin};
use crate::runner::{Job, Ran};
use std::collections::BTreeMap;
use std::process::Command;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A job without cacheplan on PATH, whose action was fetched into the runner's folder for actions.
fn job(api: &Api) -> Job {
    let mut job = Job::new(api);
    let origin = origin(&job.path("origin"), DOCKERFILE, DOCKERFILE, "a change");
    check_out(&origin, &job.path("workspace"), &origin.merge, 1);
    std::fs::rename(job.path("bin/cacheplan"), job.path("tool")).expect("moved");
    let action = job.path("_actions/owner/tool/v0");
    std::fs::create_dir_all(action.join("src")).expect("a folder");
    for (name, text) in [
        (
            "Cargo.toml",
            format!("[package]\nname = \"cacheplan\"\nversion = \"{VERSION}\"\n"),
        ),
        ("Cargo.lock", String::new()),
        ("rust-toolchain.toml", String::new()),
        ("src/main.rs", "fn main() {}\n".to_owned()),
    ] {
        std::fs::write(action.join(name), text).expect("written");
    }
    job.env.insert(
        "GITHUB_ACTION_PATH".to_owned(),
        action.display().to_string(),
    );
    job.input("comment", "never");
    job
}

/// A release with this archive; its checksum is that of `summed`.
fn release(job: &Job, api: &Api, summed: Option<&[u8]>) {
    let folder = job.path("release");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::copy(job.path("tool"), folder.join("cacheplan")).expect("a copy");
    let run = |program: &str, args: &[&str]| {
        let out = Command::new(program)
            .args(args)
            .current_dir(&folder)
            .output()
            .expect(program);
        assert!(out.status.success(), "{program} {args:?}");
        String::from_utf8(out.stdout)
            .expect("a text")
            .trim()
            .to_owned()
    };
    let name = format!(
        "cacheplan-{VERSION}-{}-{}.tar.gz",
        run("uname", &["-s"]),
        run("uname", &["-m"])
    );
    run("tar", &["-czf", &name, "cacheplan"]);
    let archive = std::fs::read(folder.join(&name)).expect("an archive");
    if let Some(other) = summed {
        std::fs::write(folder.join(&name), other).expect("written");
    }
    let sums = run("sha256sum", &[&name]) + "\n";
    let place = format!("/owner/tool/releases/download/v{VERSION}/");
    let mut state = api.state();
    state
        .files
        .insert(format!("{place}SHA256SUMS"), sums.into_bytes());
    state.files.insert(place + &name, archive);
}

fn uses(ran: &Ran, name: &str) -> Option<BTreeMap<String, String>> {
    let found = ran.uses.iter().find(|(u, _)| u.starts_with(name));
    found.map(|(_, with)| with.clone())
}

#[test]
fn a_release_is_taken_when_its_checksum_fits() {
    let api = Api::start();
    let job = job(&api);
    release(&job, &api, None);
    let ran = job.run();
    assert_eq!(ran.failed, None, "{}", ran.log);
    assert!(ran.number("work-s-per-build") > 0.0);
    assert!(
        ran.output("binary")
            .starts_with(job.path("temp").to_str().expect("a path"))
    );
    let api = Api::start();
    let mut job = self::job(&api);
    release(&job, &api, Some(b"another"));
    let ran = job.run();
    assert_eq!(ran.failed, Some(3), "{}", ran.log);
    assert!(ran.says("error", "checksum"));
    // Built from source where that is asked for.
    job.program("cargo", "exit 101");
    let ran = job.input("prebuilt", "false").run();
    assert_eq!(ran.failed, Some(101), "{}", ran.log);
}

#[test]
fn without_a_release_it_is_built_from_the_actions_source() {
    let api = Api::start();
    let mut job = job(&api);
    // What the pull request says to cargo is not read: cargo runs where the action is.
    std::fs::create_dir(job.path("workspace/.cargo")).expect("a folder");
    std::fs::write(
        job.path("workspace/.cargo/config.toml"),
        "[build]\nrustc = \"/bin/false\"\n",
    )
    .expect("written");
    let log = job.path("cargo-log").display().to_string();
    let script = format!(
        "printf '%s\\n' \"$PWD\" \"$@\" >'{log}'\nwhile [ $# -gt 0 ]; do [ \"$1\" = --root ] && root=$2; shift; done\nmkdir -p \"$root/bin\"\nln -sf '{}' \"$root/bin/cacheplan\"\n",
        job.path("tool").display()
    );
    job.program("cargo", &script);
    let ran = job.run();
    assert_eq!(ran.failed, None, "{}", ran.log);
    let said = std::fs::read_to_string(job.path("cargo-log")).expect("cargo");
    assert_eq!(
        said.lines().next(),
        job.env["GITHUB_ACTION_PATH"].as_str().into(),
        "{said}"
    );
    assert!(said.contains("install\n--path\n.\n--locked\n"), "{said}");
    let (restored, kept) = (
        uses(&ran, "actions/cache/restore@"),
        uses(&ran, "actions/cache/save@"),
    );
    assert_eq!(restored, kept);
    let key = restored.expect("a cache")["key"].clone();
    assert!(
        key.starts_with(&format!("cacheplan-{VERSION}-Linux-X64-")),
        "{key}"
    );
    // Another source is another key; the same has the same.
    assert_eq!(
        uses(&job.run(), "actions/cache/restore@").expect("a cache")["key"],
        key
    );
    let source = job.path("_actions/owner/tool/v0/src/main.rs");
    std::fs::write(source, "fn main() { }\n").expect("written");
    assert_ne!(
        uses(&job.run(), "actions/cache/restore@").expect("a cache")["key"],
        key
    );
    // What the cache has is not built.
    std::fs::remove_file(job.path("cargo-log")).expect("a log");
    job.used.insert(
        "actions/cache/restore".to_owned(),
        BTreeMap::from([("cache-hit".to_owned(), "true".to_owned())]),
    );
    let ran = job.run();
    assert_eq!(
        (ran.failed, job.path("cargo-log").exists()),
        (None, false),
        "{}",
        ran.log
    );
    let ran = job.input("version", "9.9.9").run();
    assert_eq!(ran.failed, Some(2), "{}", ran.log);
    assert!(ran.says("error", "9.9.9 is neither installed nor released"));
}

#[test]
fn an_installed_one_wins_if_it_is_of_the_right_version() {
    let api = Api::start();
    let mut job = job(&api);
    job.program(
        "cacheplan",
        "[ \"$1\" = --version ] && { echo 'cacheplan 0.0.1'; exit; }\nexit 0\n",
    );
    job.program("cargo", "exit 101");
    assert_eq!(job.run().failed, Some(101), "another version is none");
    let ran = job.input("version", "any").run();
    assert_eq!((ran.failed, ran.uses.len()), (None, 0), "{}", ran.log);
    assert_eq!(job.input("version", "0.0.1").run().failed, None);
    // A folder of the checkout on PATH is the pull request's.
    let own = job.path("workspace/node_modules/.bin");
    std::fs::create_dir_all(&own).expect("a folder");
    std::fs::rename(job.path("bin/cacheplan"), own.join("cacheplan")).expect("moved");
    let path = format!("{}:{}", own.display(), job.env["PATH"]);
    job.env.insert("PATH".to_owned(), path);
    let ran = job.input("version", "any").run();
    assert_eq!(ran.failed, Some(101), "{}", ran.log);
}
