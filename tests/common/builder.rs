//! A real BuildKit beside the prediction of `cacheplan replay`.
//!
//! In: a history whose `replay` line says how it is built. Out: per build what the builder executed and had cached, and
//! where the prediction differs from that. Cost: about 0.5 s a build. Invariant: every build gets a folder of its own,
//! since a builder takes a file whose size and time did not change for unchanged (experiments row 8).

use super::history::{self, History, Tree};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, OnceLock};

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
    walk_all: bool,
    dot_git: bool,
    umask: String,
    passed_on: Vec<String>,
    /// Arguments with another value in every build.
    volatile: Vec<String>,
    /// `IMAGE@main~N`: the image is another one from that commit on.
    base_changes: Vec<(String, usize)>,
}

/// Reads the flags; those a builder has too (`--build-arg`, `--target`) are passed on to it.
pub fn setup(flags: &[String]) -> Result<Setup, String> {
    let mut setup = Setup {
        file: "Dockerfile".to_string(),
        context: ".".to_string(),
        each: false,
        walk_all: false,
        dot_git: false,
        umask: "022".to_string(),
        passed_on: Vec::new(),
        volatile: Vec::new(),
        base_changes: Vec::new(),
    };
    for pair in flags.chunks(2) {
        let [flag, value] = pair else {
            return Err(format!("a flag without value: {pair:?}"));
        };
        match flag.as_str() {
            "-f" => setup.file.clone_from(value),
            "--context" => setup.context.clone_from(value),
            "--dockerfile-from" => setup.each = value == "each",
            "--walk" => setup.walk_all = value == "all",
            "--dot-git" => setup.dot_git = value == "present",
            "--umask" => setup.umask.clone_from(value),
            "--build-arg" | "--target" | "--no-cache-filter" => {
                setup.passed_on.extend([flag.clone(), value.clone()]);
            }
            "--volatile-arg" => setup.volatile.push(value.clone()),
            "--base-change" => {
                let (image, back) = value.split_once("@main~").ok_or("wants IMAGE@main~N")?;
                let back = back.parse().map_err(|error| format!("{value}: {error}"))?;
                setup.base_changes.push((image.to_string(), back));
            }
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

/// What a builder has between one build and the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Between {
    /// All that it built before.
    Everything,
    /// What the last good build exported with `mode=max`.
    Max,
    /// The same with `mode=min`.
    Min,
    /// The image that the last good build pushed to the registry that `CACHEPLAN_ORACLE_REGISTRY` names, with its cache.
    Inline,
    /// What is left after pruning to so many bytes.
    Pruned(usize),
}

/// Builds every commit of the history on an emptied cache. `Err` where the builder itself is at fault.
pub fn build_all(history: &History, setup: &Setup) -> Result<Vec<Built>, String> {
    build_between(history, setup, Between::Everything)
}

/// The same; the cache is emptied before every build where an export is all that lasts.
pub fn build_between(
    history: &History,
    setup: &Setup,
    between: Between,
) -> Result<Vec<Built>, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let repository = folder.path().join("repository");
    std::fs::create_dir(&repository).map_err(|error| error.to_string())?;
    history::create_repository(history, &repository)?;
    history::output_of(buildx().args(["prune", "-af"]))?;
    let frozen = folder.path().join("frozen");
    if !setup.each {
        write_frozen(
            &history.commits.last().ok_or("no commits")?.tree,
            setup,
            &frozen,
        )?;
    }
    let mut builds = Vec::new();
    let mut exported: Option<String> = None;
    let order = match setup.walk_all {
        true => "--date-order",
        false => "--first-parent",
    };
    let commits = history::commits(&repository, order)?;
    for (index, commit) in commits.iter().enumerate() {
        change_bases(setup, index, commits.len())?;
        let tree = folder.path().join(format!("build-{index}"));
        check_out(&repository, commit, &tree, setup)?;
        let file = if setup.each {
            tree.join(&setup.file)
        } else {
            frozen.join("Dockerfile")
        };
        let mut flags = vec!["--output=type=cacheonly".to_owned()];
        let export = folder.path().join(format!("export-{index}"));
        let mut export = export.to_string_lossy().into_owned();
        if !matches!(between, Between::Everything | Between::Pruned(_)) {
            history::output_of(buildx().args(["prune", "-af"]))?;
        }
        let import = exported.iter();
        match between {
            Between::Everything | Between::Pruned(_) => {}
            Between::Max | Between::Min => {
                let mode = if between == Between::Max {
                    "max"
                } else {
                    "min"
                };
                flags.push(format!("--cache-to=type=local,dest={export},mode={mode}"));
                flags.extend(import.map(|dir| format!("--cache-from=type=local,src={dir}")));
            }
            Between::Inline => {
                let registry = registry().ok_or("no registry")?;
                // A name of its own for every build, so that nothing of another is at hand.
                export = format!("{registry}/cacheplan/{}-{index}", std::process::id());
                flags = vec![
                    format!("--output=type=image,name={export},push=true"),
                    "--cache-to=type=inline".to_owned(),
                ];
                flags.extend(import.map(|name| format!("--cache-from=type=registry,ref={name}")));
            }
        }
        let built = build(&tree.join(&setup.context), &file, setup, index, &flags)?;
        if between == Between::Inline && built.fails.is_none() {
            history::output_of(Command::new("docker").args(["image", "rm", "-f", &export]))?;
        }
        if let Between::Pruned(bytes) = between {
            // The copies of the context are no layers, and every build here has a folder of its own.
            let prune = ["prune", "-f"];
            let mut context = buildx();
            context.args(prune).args(["--filter", "type=source.local"]);
            history::output_of(&mut context)?;
            let mut layers = buildx();
            layers.args(prune).arg(format!("--max-used-space={bytes}"));
            history::output_of(&mut layers)?;
        }
        if built.fails.is_none() {
            exported = Some(export);
        }
        builds.push(built);
    }
    Ok(builds)
}

/// Gives each image that changes the content it has in this build: another one after every change.
fn change_bases(setup: &Setup, index: usize, commits: usize) -> Result<(), String> {
    let mut names: Vec<&str> = setup.base_changes.iter().map(|(n, _)| &**n).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let changed = |(n, back): &&(String, usize)| n == name && index + back + 1 >= commits;
        let variant = setup.base_changes.iter().filter(changed).count();
        let image = format!("cacheplan-variant:{variant}");
        let exists = Command::new("docker")
            .args(["image", "inspect", &image])
            .output();
        if !exists.is_ok_and(|output| output.status.success()) {
            let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
            let text = format!("FROM busybase\nCOPY <<X /variant\n{variant}\nX\n");
            std::fs::write(folder.path().join("Dockerfile"), text)
                .map_err(|error| error.to_string())?;
            let mut make = Command::new("docker");
            make.args([
                "buildx",
                "build",
                "--provenance=false",
                "--network=none",
                "-t",
                &image,
            ]);
            history::output_of(make.arg(folder.path()))?;
        }
        history::output_of(Command::new("docker").args(["tag", &image, name]))?;
    }
    Ok(())
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
    // Only a shell can set the umask without unsafe code. `checkout-index` would read the attributes of the
    // repository's own work tree, this the commit's.
    let script = r#"umask "$1" && mkdir "$2" && git -C "$2" --git-dir="$3" --work-tree="$2" -c core.autocrlf=false read-tree --reset -u "$4""#;
    let mut shell = Command::new("sh");
    shell
        .args(["-c", script, "sh", &setup.umask])
        .arg(tree)
        .arg(repository.join(".git"))
        .arg(commit);
    shell
        .env("GIT_INDEX_FILE", &index)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null");
    history::output_of(&mut shell)?;
    if setup.dot_git {
        // Much as git has it: an object that this commit has brought, and what points to it.
        let (start, rest) = commit.split_at(2);
        let object = format!("objects/{start}/{rest}");
        for file in ["HEAD", "refs/heads/main", &object] {
            let path = tree.join(".git").join(file);
            std::fs::create_dir_all(path.parent().unwrap_or(tree))
                .and_then(|()| std::fs::write(&path, commit))
                .map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}

fn build(
    context: &Path,
    file: &Path,
    setup: &Setup,
    index: usize,
    more: &[String],
) -> Result<Built, String> {
    let mut flags = vec!["--network=none".to_string()];
    flags.extend(setup.passed_on.iter().cloned());
    for name in &setup.volatile {
        // The clock's argument has to be a time.
        let value = 1_700_000_000 + index;
        flags.extend(["--build-arg".to_string(), format!("{name}={value}")]);
    }
    flags.extend(more.iter().cloned());
    build_with(context, file, &flags)
}

/// One build with BuildKit. `Err` where the builder itself is at fault.
pub fn build_with(context: &Path, file: &Path, flags: &[String]) -> Result<Built, String> {
    build_on(None, context, file, flags)
}

/// `buildx` without `docker` in front, which takes as long to start as a small build: the plugin is a program of its own.
fn buildx() -> Command {
    static PLUGIN: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
        let format =
            r#"{{range .ClientInfo.Plugins}}{{if eq .Name "buildx"}}{{.Path}}{{end}}{{end}}"#;
        let mut info = Command::new("docker");
        let path = history::output_of(info.args(["info", "--format", format])).ok()?;
        let path = PathBuf::from(path.trim());
        path.is_file().then_some(path)
    });
    let mut command = match &*PLUGIN {
        Some(plugin) => Command::new(plugin),
        None => Command::new("docker"),
    };
    if PLUGIN.is_none() {
        command.arg("buildx");
    }
    if let Some(host) = HOST.get() {
        command.env("DOCKER_HOST", host);
    }
    command
}

/// The daemon of this process's builds, where it is not that of the environment.
static HOST: OnceLock<String> = OnceLock::new();

/// Builds on another daemon from here on.
pub fn use_host(host: String) {
    let _ = HOST.set(host);
}

/// The same on a daemon other than that of the environment.
pub fn build_on(
    host: Option<&str>,
    context: &Path,
    file: &Path,
    flags: &[String],
) -> Result<Built, String> {
    let mut docker = buildx();
    if let Some(host) = host {
        docker.env("DOCKER_HOST", host);
    }
    docker.args(["build", "--provenance=false"]);
    if !flags.iter().any(|flag| flag.starts_with("--output")) {
        docker.args(["--output", "type=cacheonly"]);
    }
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

/// A build in a few characters: `F` where it was refused, else per stage its steps by number, `s0:2C3E :4C`.
pub fn compact(built: &Built) -> String {
    if built.fails.is_some() {
        return "F".to_string();
    }
    let mut stages: BTreeMap<&str, BTreeMap<u32, char>> = BTreeMap::new();
    for (list, mark) in [(&built.executed, 'E'), (&built.cached, 'C')] {
        for title in list.iter().filter_map(|name| title(name)) {
            let stage = stages.entry(title.stage).or_default();
            stage.insert(title.number, mark);
        }
    }
    let stage = |(name, steps): (&&str, &BTreeMap<u32, char>)| {
        let steps: String = steps.iter().map(|(n, mark)| format!("{n}{mark}")).collect();
        format!("{name}:{steps}")
    };
    stages.iter().map(stage).collect::<Vec<_>>().join(" ")
}

/// The build that a compact form stands for; names are those of the prediction, since a live run compared them.
pub fn expand(text: &str, predicted: &Predicted) -> Result<Built, String> {
    if text == "F" {
        return Ok(Built {
            fails: Some("refused".to_string()),
            ..Built::default()
        });
    }
    let lists = [&predicted.executed, &predicted.cached, &predicted.maybe];
    let names: BTreeMap<(&str, u32), &String> = lists
        .into_iter()
        .flatten()
        .filter_map(|name| title(name).map(|t| ((t.stage, t.number), name)))
        .collect();
    let mut built = Built::default();
    for stage in text.split(' ').filter(|stage| !stage.is_empty()) {
        let (label, mut steps) = stage.split_once(':').ok_or("a stage without steps")?;
        while let Some(end) = steps.find(['E', 'C']) {
            let number: u32 = steps[..end].parse().map_err(|_| "a step without number")?;
            let unknown = format!("[{label} {number}/0] a step that is not predicted");
            let name = names
                .get(&(label, number))
                .map_or(unknown, |n| (*n).clone());
            match &steps[end..=end] {
                "E" => built.executed.push(name),
                _ => built.cached.push(name),
            }
            steps = &steps[end + 1..];
        }
    }
    Ok(built)
}

/// A registry on this machine to push to.
pub fn registry() -> Option<String> {
    std::env::var("CACHEPLAN_ORACLE_REGISTRY").ok()
}

/// Reads `--progress=rawjson`: the last flag of a vertex counts, and one that never started was not needed. One that was
/// cached before its layer was fetched is cached: fetching ends without the flag.
pub fn built(progress: &str) -> Built {
    #[derive(Default)]
    struct Vertex {
        place: usize,
        name: String,
        /// Distinct times at which work began.
        started: BTreeSet<String>,
        cached: bool,
        has_inputs: bool,
    }
    // By digest, since two equal names may be two vertices; in any order.
    let mut vertices: BTreeMap<String, Vertex> = BTreeMap::new();
    let (mut once_cached, mut fetched) = (BTreeSet::new(), BTreeSet::new());
    for line in progress.lines().filter(|line| line.starts_with('{')) {
        let Ok(batch) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        for vertex in batch["vertexes"].as_array().into_iter().flatten() {
            let digest = vertex["digest"].as_str().unwrap_or_default().to_string();
            let place = vertices.len();
            let seen = vertices.entry(digest).or_insert_with(|| Vertex {
                place,
                name: vertex["name"].as_str().unwrap_or_default().to_string(),
                ..Vertex::default()
            });
            seen.has_inputs |= vertex["inputs"].as_array().is_some_and(|i| !i.is_empty());
            if let Some(time) = vertex["started"].as_str() {
                seen.started.insert(time.to_string());
                seen.cached = vertex["cached"].as_bool().unwrap_or(false);
                if seen.cached {
                    once_cached.insert(vertex["digest"].to_string());
                }
            }
        }
        for status in batch["statuses"].as_array().into_iter().flatten() {
            let id = status["id"].as_str().unwrap_or_default();
            if id.starts_with("sha256:") || id.starts_with("extracting sha256:") {
                fetched.insert(status["vertex"].to_string());
            }
        }
    }
    for (digest, vertex) in &mut vertices {
        let digest = Value::from(digest.as_str()).to_string();
        vertex.cached |= once_cached.contains(&digest) && fetched.contains(&digest);
    }
    // WORKDIR as the first step on scratch is never reported as cached, as FROM is not: that it has work to do
    // after its key is known is what tells.
    let cached = |v: &Vertex| v.cached || (!v.has_inputs && v.started.len() == 1);
    let mut ordered: Vec<_> = vertices
        .into_values()
        .map(|v| (v.place, v.name.clone(), !v.started.is_empty(), cached(&v)))
        .collect();
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

impl Predicted {
    /// The builder is said to refuse it.
    pub fn is_refused(&self) -> bool {
        self.fails.is_some()
    }

    /// Names of the steps that are left open.
    pub fn open(&self) -> &[String] {
        &self.maybe
    }

    /// How many steps that take files of another stage have a verdict.
    pub fn decided_from_stages(&self) -> usize {
        let all = self.executed.iter().chain(&self.cached);
        all.filter(|name| name.contains("--from=")).count()
    }
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
    replay_under(history, "local")
}

/// The same under a cache policy.
pub fn replay_under(history: &History, policy: &str) -> Result<Vec<Predicted>, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    history::create_repository(history, folder.path())?;
    let mut tool = Command::new(env!("CARGO_BIN_EXE_cacheplan"));
    let mut arguments = replay_arguments(history);
    arguments.extend(["--cache-policy", policy].map(str::to_owned));
    tool.args(arguments).arg(".").current_dir(folder.path());
    predictions(&history::output_of(&mut tool)?)
}

/// The same for many histories, in this process and with one repository for all.
pub fn replay_many(histories: &[History]) -> Result<Vec<Result<Vec<Predicted>, String>>, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let repository = folder.path().join("repository");
    std::fs::create_dir(&repository).map_err(|error| error.to_string())?;
    history::output_of(history::git(&repository).args(["init", "-q", "--bare", "."]))?;
    let streams = histories.iter().enumerate();
    let stream = streams.flat_map(|(n, h)| history::fast_import_as(h, &format!("h{n}-")));
    history::import(&repository, &stream.collect::<Vec<u8>>())?;
    let output = folder.path().join("lines");
    let one = |(n, history): (usize, &History)| {
        let mut arguments = vec!["cacheplan".to_string()];
        let own = |word: String| word.replace("@main~", &format!("@h{n}-main~"));
        arguments.extend(replay_arguments(history).into_iter().map(own));
        arguments.extend([
            "--ref".to_string(),
            format!("h{n}-main"),
            "--quiet".to_string(),
        ]);
        arguments.extend(["-o".to_string(), output.display().to_string()]);
        arguments.push(repository.display().to_string());
        match cacheplan::cli::run_from(arguments.into_iter().map(Into::into)) {
            0 => {
                let lines = std::fs::read_to_string(&output).map_err(|error| error.to_string())?;
                predictions(&lines)
            }
            code => Err(format!("replay ended with {code}")),
        }
    };
    Ok(histories.iter().enumerate().map(one).collect())
}

fn replay_arguments(history: &History) -> Vec<String> {
    let mut arguments: Vec<String> = [
        "replay",
        "--format",
        "json",
        "--history",
        "500",
        "--network",
        "none",
    ]
    .map(str::to_string)
    .to_vec();
    for (flag, value) in [("--dot-git", "absent"), ("--context", ".")] {
        if !history.replay.iter().any(|word| word == flag) {
            arguments.extend([flag.to_string(), value.to_string()]);
        }
    }
    arguments.extend(history.replay.iter().cloned());
    arguments
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
    /// Their names, with the build's number in front once compared.
    pub open: Vec<String>,
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
        self.open.extend(other.open);
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

/// One spelling for texts that make one vertex: those that the generator's edits exchange. All builds here run without a
/// network, so the flag that says so changes nothing.
fn same(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ").replacen("--network=none ", "", 1);
    let text = text.replace("--chmod=0", "--chmod=");
    let text = text.replace("COPY ./src/ ", "COPY src ");
    match text.strip_prefix("WORKDIR ") {
        Some(folder) => format!("WORKDIR {}", folder.trim_end_matches('/')),
        None => text,
    }
}

fn compare_steps(predicted: &Predicted, built: &Built, result: &mut Comparison) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut by_place = BTreeMap::new();
    let mut by_text: BTreeMap<String, BTreeSet<bool>> = BTreeMap::new();
    for (list, cached) in [(&built.executed, false), (&built.cached, true)] {
        for name in list {
            let Some(title) = title(name) else { continue };
            by_place.insert((title.stage, title.number), (name, cached));
            by_text.entry(same(title.text)).or_default().insert(cached);
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
                    .get(&same(title.text))
                    .cloned()
                    .inspect(|_| result.merged += 1)
            });
            match (verdict, real) {
                (_, None) => wrong.push(format!("predicted, but not in the build: {name}")),
                (None, Some(_)) => {
                    result.maybe += 1;
                    result.open.push(name.clone());
                }
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
