//! A real BuildKit beside the prediction of `cacheplan replay`.
//!
//! In: a history whose `replay` line says how it is built. Out: per build what the builder executed and had cached, and
//! where the prediction differs from that. Cost: about 0.5 s a build. Invariant: every build gets a folder of its own,
//! since a builder takes a file whose size and time did not change for unchanged (experiments row 8).

use super::history::{self, History, Tree};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// What one build did; steps by the builder's own names, without those of FROM.
///
/// The builder does not report FROM as cached or not in a way that says anything: an image it has is
/// "executed" in every build that looks at it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Built {
    /// Steps that ran.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub executed: Vec<String>,
    /// Steps reported CACHED.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cached: Vec<String>,
    /// The end of the builder's message where it refused the build; then the lists are empty, as they mean nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fails: Option<String>,
}

/// How a history is built, read from the flags it gives to `replay`.
#[derive(Clone, Debug)]
pub struct Setup {
    file: String,
    context: String,
    each: bool,
    dot_git: bool,
    umask: String,
    passed_on: Vec<String>,
}

/// Reads the flags; those a builder has too (`--build-arg`, `--target`) are passed on to it.
pub fn setup(flags: &[String]) -> Result<Setup, String> {
    let mut setup = Setup {
        file: "Dockerfile".to_string(),
        context: ".".to_string(),
        each: false,
        dot_git: false,
        umask: "022".to_string(),
        passed_on: Vec::new(),
    };
    for pair in flags.chunks(2) {
        let [flag, value] = pair else {
            return Err(format!("a flag without value: {pair:?}"));
        };
        match flag.as_str() {
            "-f" => setup.file.clone_from(value),
            "--context" => setup.context.clone_from(value),
            "--dockerfile-from" => setup.each = value == "each",
            "--dot-git" => setup.dot_git = value == "present",
            "--umask" => setup.umask.clone_from(value),
            "--build-arg" | "--target" => setup.passed_on.extend([flag.clone(), value.clone()]),
            _ => return Err(format!("a builder has nothing like {flag}")),
        }
    }
    Ok(setup)
}

/// Whether a switch of the environment is on, `NAME=1`.
pub fn is_on(name: &str) -> bool {
    std::env::var(name).is_ok_and(|value| value == "1")
}

/// A number from the environment.
pub fn number(name: &str, default: u64) -> u64 {
    let set = std::env::var(name).ok();
    set.and_then(|n| n.parse().ok()).unwrap_or(default)
}

/// The builder's version; without one the caller has to skip, unless the environment asks for a builder.
pub fn version_or_skip() -> Option<String> {
    match find_builder() {
        Ok(version) => Some(version),
        Err(why) if is_on("CACHEPLAN_REQUIRE_BUILDER") => panic!("no builder: {why}"),
        Err(why) => {
            eprintln!("skipped: no builder: {why}");
            None
        }
    }
}

/// The builder's version, or why there is none to use.
fn find_builder() -> Result<String, String> {
    history::output_of(Command::new("docker").args(["buildx", "version"]))?;
    history::output_of(Command::new("docker").args(["image", "inspect", "busybase:latest"]))?;
    let version = ["version", "--format", "{{.Server.Version}}"];
    Ok(history::output_of(Command::new("docker").args(version))?
        .trim()
        .to_string())
}

/// Builds every commit of the history on an emptied cache. `Err` where the builder itself is at fault.
pub fn build_all(history: &History, setup: &Setup) -> Result<Vec<Built>, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let repository = folder.path().join("repository");
    std::fs::create_dir(&repository).map_err(|error| error.to_string())?;
    history::create_repository(history, &repository)?;
    history::output_of(Command::new("docker").args(["builder", "prune", "-af"]))?;
    let frozen = folder.path().join("frozen");
    if !setup.each {
        write_frozen(
            &history.commits.last().ok_or("no commits")?.tree,
            setup,
            &frozen,
        )?;
    }
    let mut builds = Vec::new();
    for (index, commit) in history::first_parents(&repository)?.iter().enumerate() {
        let tree = folder.path().join(format!("build-{index}"));
        check_out(&repository, commit, &tree, setup)?;
        let file = if setup.each {
            tree.join(&setup.file)
        } else {
            frozen.join("Dockerfile")
        };
        builds.push(build(&tree.join(&setup.context), &file, setup)?);
    }
    Ok(builds)
}

/// Today's Dockerfile with today's ignore rules beside it, where they win over those of the context.
fn write_frozen(tree: &Tree, setup: &Setup, folder: &Path) -> Result<(), String> {
    let of = |path: &str| tree.get(path).map(|entry| entry.bytes.clone());
    let root = match setup.context.as_str() {
        "." => String::new(),
        context => format!("{context}/"),
    };
    let file = of(&setup.file).ok_or("no Dockerfile in the last commit")?;
    let ignore =
        of(&format!("{}.dockerignore", setup.file)).or_else(|| of(&format!("{root}.dockerignore")));
    std::fs::create_dir(folder)
        .and_then(|()| std::fs::write(folder.join("Dockerfile"), file))
        .and_then(|()| {
            std::fs::write(
                folder.join("Dockerfile.dockerignore"),
                ignore.unwrap_or_default(),
            )
        })
        .map_err(|error| error.to_string())
}

/// A fresh work tree without `.git`, or with one that is different for every commit.
pub fn check_out(
    repository: &Path,
    commit: &str,
    tree: &Path,
    setup: &Setup,
) -> Result<(), String> {
    let index = tree.with_extension("index");
    let read = ["read-tree", commit];
    history::output_of(
        history::git(repository)
            .env("GIT_INDEX_FILE", &index)
            .args(read),
    )?;
    // Only a shell can set the umask without unsafe code.
    let script = r#"umask "$1" && mkdir "$2" && git -C "$3" -c core.autocrlf=false checkout-index -a --prefix="$2/""#;
    let mut shell = Command::new("sh");
    shell
        .args(["-c", script, "sh", &setup.umask])
        .arg(tree)
        .arg(repository);
    shell
        .env("GIT_INDEX_FILE", &index)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null");
    history::output_of(&mut shell)?;
    if setup.dot_git {
        let folder = tree.join(".git");
        std::fs::create_dir(&folder)
            .and_then(|()| std::fs::write(folder.join("HEAD"), commit))
            .map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn build(context: &Path, file: &Path, setup: &Setup) -> Result<Built, String> {
    let mut flags = vec!["--network=none".to_string()];
    flags.extend(setup.passed_on.iter().cloned());
    build_with(context, file, &flags)
}

/// One build with BuildKit. `Err` where the builder itself is at fault.
pub fn build_with(context: &Path, file: &Path, flags: &[String]) -> Result<Built, String> {
    build_on(None, context, file, flags)
}

/// The same on a daemon other than that of the environment.
pub fn build_on(
    host: Option<&str>,
    context: &Path,
    file: &Path,
    flags: &[String],
) -> Result<Built, String> {
    let mut docker = Command::new("docker");
    if let Some(host) = host {
        docker.env("DOCKER_HOST", host);
    }
    docker.args([
        "buildx",
        "build",
        "--output",
        "type=cacheonly",
        "--provenance=false",
    ]);
    docker
        .args(["--progress=rawjson", "-f"])
        .arg(file)
        .args(flags)
        .arg(context);
    docker.env_remove("SOURCE_DATE_EPOCH");
    let output = docker
        .output()
        .map_err(|error| format!("docker: {error}"))?;
    let progress = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        return Ok(built(&progress));
    }
    let error = progress
        .lines()
        .rev()
        .find(|line| line.starts_with("ERROR: "))
        .unwrap_or_default();
    if error.is_empty()
        || error.contains("failed to commit")
        || error.contains("failed to stat active key")
    {
        return Err(format!("the builder is at fault: {error:?}"));
    }
    // Refs and digests in the front part differ from run to run.
    let mut parts: Vec<&str> = error.rsplitn(3, ": ").take(2).collect();
    parts.reverse();
    Ok(Built {
        fails: Some(parts.join(": ")),
        ..Built::default()
    })
}

/// Reads `--progress=rawjson`: the last flag of a vertex counts, and one that never started was not needed.
pub fn built(progress: &str) -> Built {
    // By digest, since two equal names may be two vertices; in any order.
    let mut vertices: BTreeMap<String, (usize, String, bool, bool)> = BTreeMap::new();
    for line in progress.lines().filter(|line| line.starts_with('{')) {
        let Ok(batch) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        for vertex in batch["vertexes"].as_array().into_iter().flatten() {
            let digest = vertex["digest"].as_str().unwrap_or_default().to_string();
            let name = vertex["name"].as_str().unwrap_or_default().to_string();
            let next = vertices.len();
            let seen = vertices.entry(digest).or_insert((next, name, false, false));
            if !vertex["started"].is_null() {
                seen.2 = true;
                seen.3 = vertex["cached"].as_bool().unwrap_or(false);
            }
        }
    }
    let mut ordered: Vec<_> = vertices.into_values().collect();
    ordered.sort();
    let mut built = Built::default();
    for (_, name, started, cached) in ordered {
        let Some(title) = title(&name) else { continue };
        if !started || title.text.starts_with("LINK ") || title.text.starts_with("FROM ") {
            continue;
        }
        let list = if cached {
            &mut built.cached
        } else {
            &mut built.executed
        };
        list.push(name);
    }
    // The order of first mention is a race.
    for list in [&mut built.executed, &mut built.cached] {
        list.sort_by(|a, b| title(a).cmp(&title(b)));
    }
    built
}

/// `[stage i/n] TEXT` in its parts; `stage` is empty in a file with one stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Title<'a> {
    stage: &'a str,
    number: u32,
    text: &'a str,
}

impl<'a> Title<'a> {
    /// Empty in a file with one stage.
    pub fn stage(&self) -> &'a str {
        self.stage
    }

    /// From 1.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The instruction.
    pub fn text(&self) -> &'a str {
        self.text
    }
}

/// Takes a step's name apart; `None` for `[internal] …`, exporters and the like.
pub fn title(name: &str) -> Option<Title<'_>> {
    let (inside, text) = name.strip_prefix('[')?.split_once("] ")?;
    let (stage, count) = inside.rsplit_once(' ').unwrap_or(("", inside));
    let number = count.split_once('/')?.0.parse().ok()?;
    Some(Title {
        stage: stage.trim(),
        number,
        text,
    })
}

/// What `replay` says of one build, steps by name.
#[derive(Clone, Debug, Default)]
pub struct Predicted {
    executed: Vec<String>,
    cached: Vec<String>,
    maybe: Vec<String>,
    fails: Option<String>,
}

/// Whether this build of the tool has the command at all.
pub fn has_replay() -> bool {
    let output = Command::new(env!("CARGO_BIN_EXE_cacheplan"))
        .args(["replay", "--help"])
        .output();
    output.is_ok_and(|output| output.status.success() && !output.stdout.is_empty())
}

/// Runs `cacheplan replay` on the history.
pub fn replay(history: &History) -> Result<Vec<Predicted>, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    history::create_repository(history, folder.path())?;
    let mut tool = Command::new(env!("CARGO_BIN_EXE_cacheplan"));
    tool.args(["replay", "--format", "json", "--history", "500"]);
    if !history.replay.iter().any(|word| word == "--dot-git") {
        tool.args(["--dot-git", "absent"]);
    }
    if !history.replay.iter().any(|word| word == "--context") {
        tool.args(["--context", "."]);
    }
    tool.args(&history.replay)
        .arg(".")
        .current_dir(folder.path());
    predictions(&history::output_of(&mut tool)?)
}

/// Reads the JSON Lines of `replay`; a line with `steps` renames the steps of the builds after it.
pub fn predictions(lines: &str) -> Result<Vec<Predicted>, String> {
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    let mut builds = Vec::new();
    for line in lines.lines().filter(|line| !line.trim().is_empty()) {
        let value: Value =
            serde_json::from_str(line).map_err(|error| format!("{error}: {line}"))?;
        if let Some(steps) = value["steps"].as_array() {
            let pair = |step: &Value| {
                Some((
                    step["id"].as_str()?.to_string(),
                    step["name"].as_str()?.to_string(),
                ))
            };
            names = steps.iter().filter_map(pair).collect();
        }
        if value["commit"].is_null() {
            continue;
        }
        let list = |key: &str| -> Result<Vec<String>, String> {
            let ids = value[key]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str);
            ids.map(|id| {
                names
                    .get(id)
                    .cloned()
                    .ok_or_else(|| format!("step {id} is in no list of steps"))
            })
            .collect()
        };
        let fails = value.get("fails").filter(|fails| !fails.is_null());
        if let Some(skipped) = value["skipped"].as_str() {
            builds.push(Predicted {
                fails: Some(skipped.to_string()),
                ..Predicted::default()
            });
        } else if let Some(fails) = fails {
            builds.push(Predicted {
                fails: Some(fails["message"].to_string()),
                ..Predicted::default()
            });
        } else {
            let [executed, cached, maybe] = [list("executed")?, list("cached")?, list("maybe")?];
            builds.push(Predicted {
                executed,
                cached,
                maybe,
                fails: None,
            });
        }
    }
    Ok(builds)
}

/// Counts over compared builds, and one line for each difference.
#[derive(Debug, Default)]
pub struct Comparison {
    /// Builds looked at.
    pub builds: usize,
    /// Builds both sides refused.
    pub refused: usize,
    /// Steps with a definite verdict that is right.
    pub agree: usize,
    /// Steps left open by the prediction.
    pub maybe: usize,
    /// Steps the builder ran as one with an equal step of another stage.
    pub merged: usize,
    /// Every difference.
    pub wrong: Vec<String>,
}

impl Comparison {
    /// Adds the counts and lines of another.
    pub fn add(&mut self, other: Comparison) {
        self.builds += other.builds;
        self.refused += other.refused;
        self.agree += other.agree;
        self.maybe += other.maybe;
        self.merged += other.merged;
        self.wrong.extend(other.wrong);
    }
}

/// Compares build by build; of a refused build only the refusal counts.
pub fn compare(predicted: &[Predicted], built: &[Built]) -> Comparison {
    let mut result = Comparison {
        builds: built.len(),
        ..Comparison::default()
    };
    if predicted.len() != built.len() {
        result.wrong.push(format!(
            "{} builds predicted, {} made",
            predicted.len(),
            built.len()
        ));
    }
    for (index, (predicted, built)) in predicted.iter().zip(built).enumerate() {
        let wrong = match (&predicted.fails, &built.fails) {
            (Some(_), Some(_)) => {
                result.refused += 1;
                Vec::new()
            }
            (Some(says), None) => vec![format!("said to fail ({says}), but was built")],
            (None, Some(says)) => vec![format!("refused by the builder ({says}), not foreseen")],
            (None, None) => compare_steps(predicted, built, &mut result),
        };
        result.wrong.extend(
            wrong
                .into_iter()
                .map(|line| format!("build {}: {line}", index + 1)),
        );
    }
    result
}

fn compare_steps(predicted: &Predicted, built: &Built, result: &mut Comparison) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut by_place = BTreeMap::new();
    let mut by_text: BTreeMap<&str, BTreeSet<bool>> = BTreeMap::new();
    for (list, cached) in [(&built.executed, false), (&built.cached, true)] {
        for name in list {
            let Some(title) = title(name) else { continue };
            by_place.insert((title.stage, title.number), (name, cached));
            by_text.entry(title.text).or_default().insert(cached);
        }
    }
    let mut claimed = BTreeSet::new();
    let verdicts = [
        (&predicted.executed, Some(false)),
        (&predicted.cached, Some(true)),
        (&predicted.maybe, None),
    ];
    for (list, verdict) in verdicts {
        for name in list {
            let Some(title) = title(name) else {
                wrong.push(format!("a name no builder prints: {name}"));
                continue;
            };
            if title.text.starts_with("FROM ") {
                continue;
            }
            let place = (title.stage, title.number);
            let real = by_place
                .get(&place)
                .map(|&(_, cached)| BTreeSet::from([cached]));
            claimed.insert(place);
            if let Some((printed, _)) = by_place.get(&place)
                && *printed != name
            {
                wrong.push(format!("named {name}, the builder prints {printed}"));
            }
            // An equal step of another stage is the same vertex, shown under one of them only.
            let real = real.or_else(|| {
                by_text
                    .get(title.text)
                    .cloned()
                    .inspect(|_| result.merged += 1)
            });
            match (verdict, real) {
                (_, None) => wrong.push(format!("predicted, but not in the build: {name}")),
                (None, Some(_)) => result.maybe += 1,
                (Some(cached), Some(real)) if real.contains(&cached) => result.agree += 1,
                (Some(true), _) => wrong.push(format!("predicted cached, was executed: {name}")),
                (Some(false), _) => wrong.push(format!("predicted executed, was cached: {name}")),
            }
        }
    }
    for (place, (name, _)) in &by_place {
        if !claimed.contains(place) {
            wrong.push(format!("in the build, but not predicted: {name}"));
        }
    }
    wrong
}

/// Names of the steps that a `--progress=rawjson` build announces. It does so before it runs one, so they are known
/// however the build ends; digests that the builder looked up are left out.
pub fn announced(progress: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for line in progress.lines().filter(|line| line.starts_with('{')) {
        let Ok(batch) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        for vertex in batch["vertexes"].as_array().into_iter().flatten() {
            let name = vertex["name"].as_str().unwrap_or_default();
            // The file system of `COPY --from=image` is no step: its FROM has no number.
            let other = ["[internal]", "[auth]", "exporting", "resolve ", "FROM "];
            let loads = name.starts_with("[context ") && name.contains("] load ");
            let link = name.contains("] LINK ");
            if !(other.iter().any(|o| name.starts_with(o)) || loads || link) {
                names.insert(without_digest(name));
            }
        }
    }
    names
}

/// Names of the steps that the target needs, from a document of `inspect`.
pub fn inspected(document: &Value) -> BTreeSet<String> {
    let stages = document["stages"].as_array().into_iter().flatten();
    let names = stages
        .filter(|stage| stage["reachable"] == true)
        .flat_map(|stage| stage["instructions"].as_array().into_iter().flatten())
        .filter_map(|instruction| instruction["name"].as_str());
    names.map(without_digest).collect()
}

fn without_digest(name: &str) -> String {
    match name.split_once("@sha256:") {
        Some((front, _)) if front.contains("FROM ") => front.to_owned(),
        _ => name.to_owned(),
    }
}

/// What two sets of names differ in, if it is more than equal vertices sharing one name: the builder announces equal
/// steps once, and a FROM sometimes only under the name without a number that `COPY --from=image` gave it. A context that
/// `COPY --from` takes from is announced too, and is no step.
pub fn name_difference(built: &BTreeSet<String>, ours: &BTreeSet<String>) -> Option<String> {
    let more: Vec<_> = built
        .difference(ours)
        .filter(|name| !name.starts_with("[context "))
        .collect();
    let less: Vec<_> = ours.difference(built).collect();
    let text = |name: &str| name.split_once("] ").map(|(_, text)| text.to_owned());
    let known = |n: &&&String| n.contains("] FROM ") || built.iter().any(|b| text(b) == text(n));
    if more.is_empty() && less.iter().all(|n| known(&n)) {
        return None;
    }
    Some(format!("the builder has {more:?}, we have {less:?}"))
}
