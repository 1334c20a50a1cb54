//! The program as a plugin of docker, by way of the docker command itself.
//!
//! In: a `docker` client; no engine is asked for anything. Without one the test says so and passes (with `CACHEPLAN_REQUIRE_BUILDER` it fails).

use std::path::Path;
use std::process::{Command, Output};

fn docker(config: &Path, dir: &Path, args: &[&str]) -> Output {
    Command::new("docker")
        .arg("--config")
        .arg(config)
        .args(args)
        .current_dir(dir)
        .env("CACHEPLAN_CACHE_DIR", "none")
        .output()
        .expect("docker starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn docker_knows_the_command() {
    if Command::new("docker").arg("--version").output().is_err() {
        assert!(
            std::env::var_os("CACHEPLAN_REQUIRE_BUILDER").is_none(),
            "there is no docker here"
        );
        println!("skipped: no docker here");
        return;
    }
    let config = tempfile::tempdir().expect("a folder");
    let plugins = config.path().join("cli-plugins");
    std::fs::create_dir(&plugins).expect("made");
    let own = env!("CARGO_BIN_EXE_cacheplan");
    std::os::unix::fs::symlink(own, plugins.join("docker-cacheplan")).expect("linked");
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("Dockerfile"), "FROM a\nRUN b\n").expect("written");

    let listed = docker(config.path(), dir.path(), &["--help"]);
    let listed = text(&listed.stdout);
    let line = listed.lines().find(|l| l.contains("cacheplan*"));
    let line = line.unwrap_or_else(|| panic!("not among the commands: {listed}"));
    assert!(line.contains("What a commit rebuilds"), "{line}");

    let args = ["cacheplan", "inspect", "--format", "json"];
    let by_docker = docker(config.path(), dir.path(), &args);
    let plain = Command::new(own)
        .args(&args[1..])
        .current_dir(dir.path())
        .env("CACHEPLAN_CACHE_DIR", "none")
        .output()
        .expect("the program starts");
    assert!(by_docker.status.success(), "{by_docker:?}");
    assert_eq!(text(&by_docker.stdout), text(&plain.stdout));

    let help = docker(
        config.path(),
        dir.path(),
        &["cacheplan", "analyze", "--help"],
    );
    let help = text(&help.stdout);
    assert!(help.contains("Usage: docker cacheplan analyze"), "{help}");

    // Exit codes come through.
    let bad = docker(
        config.path(),
        dir.path(),
        &["cacheplan", "inspect", "-f", "none"],
    );
    assert_eq!(bad.status.code(), Some(2), "{bad:?}");

    let words = docker(
        config.path(),
        dir.path(),
        &["__complete", "cacheplan", "ana"],
    );
    let words = text(&words.stdout);
    assert!(words.contains("analyze"), "{words}");
}
