//! A builder's client, started and waited for.

use super::BuilderError;
use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a stopped build may take to come to its end before it is ended.
const GRACE: Duration = Duration::from_secs(10);

/// A client's name, and how long it may take.
#[derive(Clone, Copy)]
pub struct Client {
    /// The program.
    pub name: &'static str,
    /// From then on it is stopped.
    pub timeout: Duration,
}

impl Client {
    /// Runs a command to its end; gives whether it went well, and what it wrote to stderr, at most `most` bytes. Its
    /// stdout goes to `stdout`, or nowhere.
    ///
    /// # Errors
    /// When it cannot be started or takes too long.
    pub fn run(
        self,
        command: &mut Command,
        stdout: Option<File>,
        most: u64,
    ) -> Result<(bool, String), BuilderError> {
        let fault = |e: std::io::Error| BuilderError::Fault(e.to_string());
        // A file takes whatever comes; a pipe would have to be emptied meanwhile.
        let mut errors = tempfile::tempfile().map_err(fault)?;
        command
            .stdin(Stdio::null())
            .stdout(stdout.map_or_else(Stdio::null, Stdio::from))
            .stderr(errors.try_clone().map_err(fault)?);
        let child = command.spawn().map_err(|e| BuilderError::NotStarted {
            builder: self.name,
            reason: e.to_string(),
        })?;
        let status = wait(child, self.timeout)?;
        let mut bytes = Vec::new();
        errors.rewind().map_err(fault)?;
        errors.take(most).read_to_end(&mut bytes).map_err(fault)?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Ok((status.success(), text))
    }

    /// What a command says on stdout, for one that asks whether there is anybody to talk to.
    ///
    /// # Errors
    /// [`BuilderError::NotStarted`] with the last line of what it complains about.
    pub fn ask(self, words: &[&str]) -> Result<String, BuilderError> {
        let not = |reason: String| BuilderError::NotStarted {
            builder: self.name,
            reason,
        };
        let output = Command::new(self.name)
            .args(words)
            .stdin(Stdio::null())
            .output()
            .map_err(|e| not(e.to_string()))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        match output.status.success() {
            true => Ok(text(&output.stdout)),
            false => Err(not(last_line(&text(&output.stderr)))),
        }
    }
}

/// What is said last, pointers to a manual left out.
#[must_use]
pub fn last_line(text: &str) -> String {
    let hint = |l: &&str| {
        ["Run '", "See '", "Learn more at "]
            .iter()
            .any(|h| l.starts_with(h))
    };
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
