//! `buildah build`, started and waited for.
//!
//! It builds without buildah's own cache (`--layers=false`): what it reuses would be images of the user's store, and taking away
//! what a build leaves could then take one of those. Images are made in Docker's format, since the other one has no
//! HEALTHCHECK, SHELL and ONBUILD.

use super::process::{Client, last_line};
use super::{Builder, BuilderError, Made, Outcome, Request};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const NAME: &str = "buildah";
/// Bytes of its output that are looked at.
const MAX_OUTPUT: u64 = 64 << 20;

/// The user's own `buildah`; its store and isolation are what its configuration and environment say.
#[derive(Clone, Copy, Debug, Default)]
pub struct Buildah;

impl Builder for Buildah {
    fn version(&self) -> Result<String, BuilderError> {
        let client = Client {
            name: NAME,
            timeout: Duration::MAX,
        };
        let said = client.ask(&["--version"])?;
        Ok(said.lines().next().unwrap_or(NAME).to_owned())
    }

    fn build(&self, _: &Request) -> Result<Outcome, BuilderError> {
        // Its progress tells steps by the numbers of instructions, and it does not say what a step waits for.
        Err(BuilderError::Fault(
            "what buildah prints about steps is not read".to_owned(),
        ))
    }

    fn image(&self, request: &Request, dest: &Path) -> Result<Made, BuilderError> {
        let name = super::image_name(dest);
        let client = Client {
            name: NAME,
            timeout: request.timeout,
        };
        let mut build = Command::new(NAME);
        build.args(["build", "--layers=false", "--format=docker", "-t", &name]);
        if request.no_cache {
            build.arg("--no-cache");
        }
        if let Some(file) = &request.ignore_file {
            build.arg("--ignorefile").arg(file);
        }
        build.args(&request.flags).arg("-f");
        build.arg(&request.dockerfile).arg(&request.context);
        build.env_remove("SOURCE_DATE_EPOCH");
        let (success, text) = client.run(&mut build, None, MAX_OUTPUT)?;
        if !success {
            return Ok(Made::Refused(last_line(&text)));
        }
        let run = |command: &mut Command| match client.run(command, None, MAX_OUTPUT)? {
            (true, _) => Ok(()),
            (false, text) => Err(BuilderError::Fault(last_line(&text))),
        };
        let mut target = std::ffi::OsString::from("docker-archive:");
        target.push(dest);
        let mut push = Command::new(NAME);
        let pushed = run(push.args(["push", "-q", &name]).arg(target));
        let removed = run(Command::new(NAME).args(["rmi", &name]));
        pushed.and(removed).map(|()| Made::Image)
    }
}
