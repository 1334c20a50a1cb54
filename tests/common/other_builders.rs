//! Builds with the classic builder and with buildah, and the histories that those can build.
//!
//! In: a work tree and flags. Out: what each step of ours was to the builder. Both print every instruction as a step; ours
//! are found by the instruction's number. Invariant: names in the result are ours, since these builders have none.

use super::builder::Built;
use super::history::{self, History};
use super::scenario;
use cacheplan::dockerfile::{self, Dockerfile};
use cacheplan::plan::{self, BuildOptions, Builder, Plan};
use cacheplan::source::SourceFile;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// A random history without what the builder does not know: the Dockerfile at the root, each commit's own.
pub fn history(text: &str, builder: Builder) -> History {
    let text = text.replace("docker/app.Dockerfile", "Dockerfile");
    // Only `oracle_builder` makes the image whose content changes; here every base stays as it is.
    let text = text.replace("basechange", "busybase");
    let mut history = history::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let mut flags = Vec::new();
    for pair in history.replay.chunks(2) {
        if let [name, value] = pair
            && (name == "--build-arg" || name == "--target")
        {
            flags.push(format!("{name}={value}"));
        }
    }
    history.replay.clear();
    for commit in &mut history.commits {
        commit.flags.clone_from(&flags);
        if let Some(file) = commit.tree.get_mut("Dockerfile")
            && builder.chained
        {
            let text = String::from_utf8_lossy(&file.bytes).into_owned();
            file.bytes = simpler(&text).into_bytes();
        }
    }
    history
}

/// The same file without what only BuildKit knows: its flags, heredocs, and triggers, which others print otherwise.
fn simpler(text: &str) -> String {
    let parsed = dockerfile::parse(&SourceFile::new("Dockerfile", text));
    if parsed.diagnostics.iter().any(|d| d.is_error()) {
        return text.to_owned();
    }
    let mut out = String::new();
    for ins in parsed.tree.instructions() {
        let keyword = ins.keyword.to_uppercase();
        if keyword == "ONBUILD" || (keyword != "RUN" && !ins.heredocs().is_empty()) {
            continue;
        }
        if let [doc] = ins.heredocs() {
            let body: Vec<&str> = doc.body.lines().collect();
            out += &format!("RUN {}\n", body.join("; "));
            continue;
        }
        let flags = ["--link", "--mount=", "--chmod=", "--exclude=", "--network="];
        let words = ins.original().as_str().split(' ');
        let words = words.filter(|w| !flags.iter().any(|f| w.starts_with(f)));
        out += &(words.collect::<Vec<_>>().join(" ") + "\n");
    }
    out
}

fn lowered(tree: &Path, flags: &[String], builder: Builder) -> (Dockerfile, Plan) {
    let bytes = std::fs::read(tree.join("Dockerfile")).unwrap_or_default();
    let parsed = dockerfile::parse(&SourceFile::new("Dockerfile", bytes));
    let options = BuildOptions {
        builder,
        ..BuildOptions::default()
    };
    let plan = plan::lower(&parsed.tree, &scenario::options(&options, flags));
    (parsed.tree, plan)
}

/// Steps by the index of their instruction, as executed (false) or cached (true), under our names.
fn named(plan: &Plan, verdicts: &BTreeMap<usize, bool>) -> Built {
    let mut built = Built::default();
    for node in &plan.order {
        let step = &plan.graph[*node];
        let Some(cached) = verdicts.get(&step.instruction) else {
            continue;
        };
        let list = match *cached {
            true => &mut built.cached,
            false => &mut built.executed,
        };
        list.push(step.name.clone());
    }
    built
}

fn refused(text: &str) -> Built {
    let last = text.lines().rev().find(|l| !l.trim().is_empty());
    Built {
        fails: Some(last.unwrap_or_default().trim().to_string()),
        ..Built::default()
    }
}

/// One build with the classic builder.
pub fn classic(host: &str, tree: &Path, flags: &[String]) -> Result<Built, String> {
    let mut docker = Command::new("docker");
    docker
        .env("DOCKER_HOST", host)
        .env("DOCKER_BUILDKIT", "0")
        .args(["build", "--network=none"])
        .args(flags)
        .arg(tree);
    let output = docker.output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Ok(refused(&String::from_utf8_lossy(&output.stderr)));
    }
    let (_, plan) = lowered(tree, flags, Builder::CLASSIC);
    let mut verdicts = BTreeMap::new();
    let mut step = None;
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        // `Step 2/7 : COPY f /f`, counted over the whole file.
        let number = line.strip_prefix("Step ");
        let number = number.and_then(|rest| rest.split_once('/')?.0.parse::<usize>().ok());
        if let Some(number) = number {
            step = Some(number - 1);
            verdicts.insert(number - 1, false);
        } else if let Some(step) = step.filter(|_| line.trim() == "---> Using cache") {
            verdicts.insert(step, true);
        }
    }
    Ok(named(&plan, &verdicts))
}

/// A store of buildah's own that starts with the image `busybase`.
pub struct Buildah {
    folder: tempfile::TempDir,
}

impl Buildah {
    /// Copies the image over from `docker`.
    pub fn new() -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let archive = folder.path().join("busybase.tar");
        let save = ["image", "save", "busybase:latest", "-o"];
        history::output_of(Command::new("docker").args(save).arg(&archive))?;
        let store = Self { folder };
        let from = format!("docker-archive:{}", archive.display());
        history::output_of(store.command().args(["pull", "-q"]).arg(from))?;
        Ok(store)
    }

    fn command(&self) -> Command {
        let mut command = Command::new("buildah");
        command.env_remove("DOCKER_CONFIG");
        for (flag, name) in [("--root", "root"), ("--runroot", "run")] {
            command.arg(flag).arg(self.folder.path().join(name));
        }
        command.args(["--storage-driver", "vfs"]);
        command
    }

    /// Empties the cache.
    pub fn prune(&self) -> Result<(), String> {
        let list = ["images", "-a", "-q", "--filter", "dangling=true"];
        for _ in 0..50 {
            let images = history::output_of(self.command().args(list))?;
            if images.trim().is_empty() {
                return Ok(());
            }
            let ids = images.split_whitespace();
            history::output_of(self.command().args(["rmi", "-f"]).args(ids))?;
        }
        Err("the images stay".to_string())
    }

    /// One build.
    pub fn build(&self, tree: &Path, flags: &[String]) -> Result<Built, String> {
        let mut command = self.command();
        command
            .args(["bud", "--isolation", "chroot", "--layers"])
            .args(flags)
            .arg(tree);
        let output = command.output().map_err(|error| error.to_string())?;
        if !output.status.success() {
            return Ok(refused(&String::from_utf8_lossy(&output.stderr)));
        }
        let (_, plan) = lowered(tree, flags, Builder::BUILDAH);
        let mut verdicts = BTreeMap::new();
        let mut step = None;
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            // `[2/3] STEP 3/7: COPY f /f`, counted in the stage; one stage alone has no brackets.
            let (stage, rest) = match line.strip_prefix('[').and_then(|l| l.split_once("] ")) {
                Some((stage, rest)) => (stage.split('/').next().unwrap_or_default(), rest),
                None => ("1", line),
            };
            let number = rest.strip_prefix("STEP ").and_then(|r| r.split_once('/'));
            let number = number.and_then(|(n, _)| n.parse::<usize>().ok());
            if let (Some(number), Ok(stage)) = (number, stage.parse::<usize>()) {
                let at = plan.stages[stage - 1].from + number - 1;
                step = Some(at);
                verdicts.insert(at, false);
            } else if let Some(step) = step.filter(|_| line.starts_with("--> Using cache")) {
                verdicts.insert(step, true);
            }
        }
        Ok(named(&plan, &verdicts))
    }
}
