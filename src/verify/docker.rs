//! `docker buildx build`, started and waited for.

use super::process::{Client, last_line};
use super::{Builder, BuilderError, Made, Outcome, Request, Store};
use crate::cost::log::{self, MAX_LOG_BYTES};
use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const NAME: &str = "docker";
/// What it says when there is no daemon, or it goes away.
const UNREACHABLE: [&str; 4] = [
    "Cannot connect to the Docker daemon",
    "failed to connect to the docker API",
    "error during connect",
    "no builder \"",
];
/// Faults of the builder itself, seen now and then under load.
const FAULTS: [&str; 2] = ["failed to commit", "failed to stat active key"];
/// What a daemon with a graph driver says to an export that only the containerd store has.
const NO_ARCHIVE: &str = "exporter is not supported for the docker driver";
/// How long taking an image out may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// An archive of layers as they are: with `force-compression` those of the base image too.
const ARCHIVE: &str = "type=oci,dest=-,compression=uncompressed,force-compression=true";

/// The user's own `docker`, with whatever its environment says.
#[derive(Clone, Copy, Debug, Default)]
pub struct Docker;

impl Builder for Docker {
    fn version(&self) -> Result<String, BuilderError> {
        let client = client(Duration::MAX);
        let buildx = client.ask(&["buildx", "version"])?;
        let server = client.ask(&["version", "--format", "{{.Server.Version}}"])?;
        Ok(format!("docker {server}, {buildx}"))
    }

    fn build(&self, request: &Request) -> Result<Outcome, BuilderError> {
        let mut docker = command(request, "type=cacheonly");
        let (success, text) = client(request.timeout).run(&mut docker, None, MAX_LOG_BYTES)?;
        outcome(&text, success)
    }

    fn image(&self, request: &Request, dest: &Path) -> Result<Made, BuilderError> {
        let mut docker = command(request, ARCHIVE);
        let file = Some(create(dest)?);
        let (success, text) = client(request.timeout).run(&mut docker, file, MAX_LOG_BYTES)?;
        if !success && text.contains(NO_ARCHIVE) {
            return through_store(request, dest);
        }
        made(&text, success)
    }
}

impl Store for Docker {
    fn keeps_images(&self, flags: &[String]) -> bool {
        let mut words = vec!["buildx", "inspect"];
        let at = |(i, flag): (usize, &String)| match flag.as_str() {
            "--builder" => flags.get(i + 1).cloned(),
            flag => flag.strip_prefix("--builder=").map(str::to_owned),
        };
        let named = flags.iter().enumerate().rev().find_map(at);
        words.extend(named.as_deref());
        let said = client(Duration::MAX).ask(&words).unwrap_or_default();
        let driver = said.lines().find_map(|l| l.strip_prefix("Driver:"));
        driver.is_some_and(|d| d.trim() == "docker")
    }

    fn keep(&self, request: &Request, name: &str) -> Result<Outcome, BuilderError> {
        let mut docker = command(request, &format!("type=image,name={name}"));
        let (success, text) = client(request.timeout).run(&mut docker, None, MAX_LOG_BYTES)?;
        outcome(&text, success)
    }

    fn discard(&self, name: &str) {
        let mut docker = Command::new(NAME);
        docker.args(["image", "rm", name]);
        // Nobody can do anything about it.
        let _ = client(PATIENCE).run(&mut docker, None, MAX_LOG_BYTES);
    }
}

fn client(timeout: Duration) -> Client {
    Client {
        name: NAME,
        timeout,
    }
}

fn create(dest: &Path) -> Result<File, BuilderError> {
    let created = File::create(dest);
    created.map_err(|e| BuilderError::Fault(format!("cannot write {}: {e}", dest.display())))
}

fn command(request: &Request, output: &str) -> Command {
    let mut docker = Command::new(NAME);
    docker
        .args(["buildx", "build", "--output", output])
        .args(["--provenance=false", "--progress=rawjson"]);
    if request.no_cache {
        docker.arg("--no-cache");
    }
    docker
        .args(&request.flags)
        .arg("-f")
        .arg(&request.dockerfile)
        .arg(&request.context);
    // A time of the user's would be in keys that are not predicted.
    docker.env_remove("SOURCE_DATE_EPOCH");
    docker
}

fn made(text: &str, success: bool) -> Result<Made, BuilderError> {
    let outcome = outcome(text, success)?;
    Ok(outcome.error.map_or(Made::Image, Made::Refused))
}

/// For a daemon that writes no archive: the image goes into its store under a name of its own, is saved, and taken out again.
fn through_store(request: &Request, dest: &Path) -> Result<Made, BuilderError> {
    let name = super::image_name(dest);
    let client = client(request.timeout);
    let mut docker = command(request, &format!("type=image,name={name}"));
    let (success, text) = client.run(&mut docker, None, MAX_LOG_BYTES)?;
    if let Made::Refused(why) = made(&text, success)? {
        return Ok(Made::Refused(why));
    }
    let save = |words: &[&str], file: Option<File>| {
        let run = client.run(Command::new(NAME).args(words), file, MAX_LOG_BYTES);
        match run? {
            (true, _) => Ok(()),
            (false, text) => Err(BuilderError::Fault(last_line(&text))),
        }
    };
    let saved = create(dest).and_then(|file| save(&["image", "save", &name], Some(file)));
    let removed = save(&["image", "rm", &name], None);
    saved.and(removed).map(|()| Made::Image)
}

/// What a build's output means.
pub(super) fn outcome(text: &str, success: bool) -> Result<Outcome, BuilderError> {
    let of = |marks: &[&str]| marks.iter().any(|m| text.contains(m));
    if !success && of(&UNREACHABLE) {
        return Err(BuilderError::NotStarted {
            builder: NAME,
            reason: last_line(text),
        });
    }
    let log = match log::read(text) {
        Ok(log) => log,
        Err(log::LogError::Unknown) => return Err(BuilderError::Fault(last_line(text))),
        Err(e) => return Err(BuilderError::Fault(format!("its progress: {e}"))),
    };
    if success {
        return Ok(Outcome { log, error: None });
    }
    let mut error = log.error.clone().unwrap_or_else(|| last_line(text));
    if FAULTS.iter().any(|f| error.contains(f)) {
        return Err(BuilderError::Fault(error));
    }
    if !log.last_words.is_empty() {
        error.push_str(&format!(" (it printed: {})", log.last_words.join(" / ")));
    }
    Ok(Outcome {
        log,
        error: Some(error),
    })
}
