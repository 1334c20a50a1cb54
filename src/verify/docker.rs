//! `docker buildx build`, started and waited for.

use super::{Builder, BuilderError, Outcome, Request};
use crate::cost::log::{self, MAX_LOG_BYTES};
use std::io::{Read as _, Seek as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const NAME: &str = "docker";
/// How long a stopped build may take to come to its end before it is ended.
const GRACE: Duration = Duration::from_secs(10);
/// What it says when there is no daemon, or it goes away.
const UNREACHABLE: [&str; 4] = [
    "Cannot connect to the Docker daemon",
    "failed to connect to the docker API",
    "error during connect",
    "no builder \"",
];
/// Faults of the builder itself, seen now and then under load.
const FAULTS: [&str; 2] = ["failed to commit", "failed to stat active key"];

/// The user's own `docker`, with whatever its environment says.
#[derive(Clone, Copy, Debug, Default)]
pub struct Docker;

impl Builder for Docker {
    fn version(&self) -> Result<String, BuilderError> {
        let ask = |words: &[&str]| {
            let not = |reason: String| BuilderError::NotStarted {
                builder: NAME,
                reason,
            };
            let output = Command::new(NAME)
                .args(words)
                .stdin(Stdio::null())
                .output()
                .map_err(|e| not(e.to_string()))?;
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
            match output.status.success() {
                true => Ok(text(&output.stdout)),
                false => Err(not(last_line(&text(&output.stderr)))),
            }
        };
        let buildx = ask(&["buildx", "version"])?;
        let server = ask(&["version", "--format", "{{.Server.Version}}"])?;
        Ok(format!("docker {server}, {buildx}"))
    }

    fn build(&self, request: &Request) -> Result<Outcome, BuilderError> {
        let fault = |e: std::io::Error| BuilderError::Fault(e.to_string());
        // A file takes whatever comes; a pipe would have to be emptied meanwhile.
        let mut progress = tempfile::tempfile().map_err(fault)?;
        let mut docker = Command::new(NAME);
        docker
            .args(["buildx", "build", "--output", "type=cacheonly"])
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
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(progress.try_clone().map_err(fault)?);
        let child = docker.spawn().map_err(|e| BuilderError::NotStarted {
            builder: NAME,
            reason: e.to_string(),
        })?;
        let status = wait(child, request.timeout)?;
        let mut bytes = Vec::new();
        progress.rewind().map_err(fault)?;
        progress
            .take(MAX_LOG_BYTES)
            .read_to_end(&mut bytes)
            .map_err(fault)?;
        let text = String::from_utf8_lossy(&bytes);
        outcome(&text, status.success())
    }
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
    let error = log.error.clone().unwrap_or_else(|| last_line(text));
    if FAULTS.iter().any(|f| error.contains(f)) {
        return Err(BuilderError::Fault(error));
    }
    Ok(Outcome {
        log,
        error: Some(error),
    })
}

/// What is said last, pointers to a manual left out.
fn last_line(text: &str) -> String {
    let hint = |l: &&str| l.starts_with("Run '") || l.starts_with("See '");
    let mut lines = text.lines().rev().map(str::trim);
    let line = lines.find(|l| !l.is_empty() && !hint(l));
    line.unwrap_or("it said nothing").to_owned()
}

fn wait(mut child: Child, timeout: Duration) -> Result<ExitStatus, BuilderError> {
    let fault = |e: std::io::Error| BuilderError::Fault(e.to_string());
    let start = Instant::now();
    let mut stopped: Option<Instant> = None;
    loop {
        if let Some(status) = child.try_wait().map_err(fault)? {
            return match stopped {
                None => Ok(status),
                Some(_) => Err(BuilderError::Timeout(timeout.as_secs())),
            };
        }
        match stopped {
            None if start.elapsed() >= timeout => {
                stop(&child, "-TERM");
                stopped = Some(Instant::now());
            }
            Some(since) if since.elapsed() >= GRACE => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(BuilderError::Timeout(timeout.as_secs()));
            }
            _ => {}
        }
        sleep(Duration::from_millis(20));
    }
}

/// Signals the client, which cancels the build and tells its plugins. It is in our own process group, so
/// that an interrupt from the keyboard reaches it as well.
fn stop(child: &Child, signal: &str) {
    let _ = Command::new("kill")
        .args([signal, "--", &child.id().to_string()])
        .status();
}
