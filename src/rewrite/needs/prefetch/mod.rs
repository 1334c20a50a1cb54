//! What a build can download before it sees the sources.
//!
//! Goes in: a command that builds, and the project's files. Comes out: a script that fills the tool's cache from the
//! manifests alone, and what that needs. Invariant: the build that follows does what it did before; it finds what it
//! would have fetched, and fetches what it does not find.

mod cargo;

use super::shared::{assume, upwards};
use super::{Command, Needs, Project};
use std::collections::BTreeSet;

/// A download that stands alone. Its RUN comes where nothing of the project is there but what it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefetch {
    /// Shell text of a RUN that only downloads.
    pub script: String,
    /// What that RUN needs of the project.
    pub needs: Needs,
    /// Why, for reports.
    pub why: &'static str,
    /// The same where files have to be there of which nothing counts but that they are.
    pub beside: Option<Beside>,
}

/// A download beside files of which nothing counts but that they are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beside {
    /// Shell text of a RUN that finds them there.
    pub script: String,
    /// Absolute paths.
    pub files: BTreeSet<String>,
}

/// The download that can come before a build.
///
/// # Errors
/// The reason why there is none, or why it would not leave the build as it was.
pub fn prefetch(command: &Command<'_>, project: &dyn Project) -> Result<Prefetch, String> {
    match command.tool {
        "cargo" => cargo::fetch(command, project),
        "go" => go_download(command, project),
        "dotnet" => dotnet_restore(command, project),
        "gradle" => gradle_dependencies(command, project),
        "sbt" => sbt_update(command, project),
        "mvn" => maven_offline(command, project),
        "composer" => composer_packages(command, project),
        "poetry" => poetry_dependencies(command, project),
        "uv" => uv_dependencies(command, project),
        name => Err(format!("nothing of what {name} does is a download alone")),
    }
}

/// The same tool with other words, in front of the command as it is.
fn other(
    command: &Command<'_>,
    arguments: Vec<String>,
    project: &dyn Project,
    why: &'static str,
) -> Result<Prefetch, String> {
    let changed = Command {
        arguments: &arguments,
        ..*command
    };
    let needs = super::of(&changed, project)?;
    let script = line(command.tool, &arguments)?;
    Ok(Prefetch {
        script,
        needs,
        why,
        beside: None,
    })
}

fn line(tool: &str, arguments: &[String]) -> Result<String, String> {
    let mut out = tool.to_owned();
    for word in arguments {
        out.push(' ');
        out.push_str(&quoted(word)?);
    }
    Ok(out)
}

/// A word as a shell takes it.
fn quoted(word: &str) -> Result<String, String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-/@+=:,%".contains(&b);
    if !word.is_empty() && word.bytes().all(plain) {
        return Ok(word.to_owned());
    }
    match word
        .bytes()
        .any(|b| b == b'\'' || b == b'\\' || b.is_ascii_control())
    {
        true => Err(format!("{word:?} is no plain word")),
        false => Ok(format!("'{word}'")),
    }
}

/// The words of a command that are these options, with their values.
fn kept(arguments: &[String], valued: &[&str], flags: &[&str]) -> Vec<String> {
    let mut out = Vec::new();
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let name = word.split('=').next().unwrap_or(word);
        let attached = |v: &&&str| v.len() == 2 && !word.starts_with("--") && word.starts_with(**v);
        if valued.contains(&word.as_str()) {
            out.push(word.clone());
            out.extend(words.next().cloned());
        } else if valued.contains(&name)
            || flags.contains(&name)
            || valued.iter().any(|v| attached(&v))
        {
            out.push(word.clone());
        }
    }
    out
}

/// The words without the subcommand, which is the first that is no option.
fn words_after(command: &Command<'_>, names: &[&str]) -> Result<Vec<String>, String> {
    let at = command
        .arguments
        .iter()
        .position(|a| names.contains(&a.as_str()));
    let at = at.ok_or_else(|| {
        format!(
            "`{} {}` is no build",
            command.tool,
            command.arguments.join(" ")
        )
    })?;
    let (before, after) = command.arguments.split_at(at);
    Ok(before.iter().chain(&after[1..]).cloned().collect())
}

fn go_download(command: &Command<'_>, project: &dyn Project) -> Result<Prefetch, String> {
    let rest = words_after(
        command,
        &["build", "install", "generate", "test", "vet", "run"],
    )?;
    let vendored = upwards(command.dir)
        .iter()
        .any(|d| project.is_file(&super::join(d, "vendor/modules.txt")));
    let flags = super::shared::variable(command, "GOFLAGS")?.unwrap_or("");
    let asks = |w: &str| w.trim_start_matches('-') == "mod=vendor";
    if vendored || flags.split_whitespace().any(asks) || rest.iter().any(|w| asks(w)) {
        return Err("the modules are in the project".to_owned());
    }
    if rest.iter().any(|w| w.contains('@') && !w.starts_with('-')) {
        return Err("it installs a module of others".to_owned());
    }
    if rest
        .iter()
        .any(|w| w.contains("-modfile") || w.contains("-overlay"))
        || flags.contains("-modfile")
    {
        return Err("go.mod is another file".to_owned());
    }
    let mut words = kept(command.arguments, &["-C"], &[]);
    words.extend(["mod".to_owned(), "download".to_owned()]);
    let mut found = other(command, words, project, "downloads the modules first")?;
    assume(
        &mut found.needs,
        "go mod download fetches modules of tests as well: they stay in the module cache",
    );
    Ok(found)
}

fn dotnet_restore(command: &Command<'_>, project: &dyn Project) -> Result<Prefetch, String> {
    let rest = super::dotnet::with_dashes(&words_after(command, &["build", "publish", "pack"])?);
    if rest
        .iter()
        .any(|w| w == "--no-restore" || w == "--no-build")
    {
        return Err("the build downloads nothing".to_owned());
    }
    // What else a build knows says nothing about packages, but for its properties.
    let valued = [
        "-r",
        "--runtime",
        "-a",
        "--arch",
        "--os",
        "-s",
        "--source",
        "--packages",
        "--configfile",
    ];
    let parsed = super::shared::Words::of(&rest, &super::dotnet::OPTIONS)?;
    let mut words = vec!["restore".to_owned()];
    words.extend(
        parsed
            .operands
            .iter()
            .filter(|o| !matches!(**o, "true" | "false"))
            .map(|o| (*o).to_owned()),
    );
    words.extend(kept(
        &rest,
        &valued,
        &[
            "--use-current-runtime",
            "--ucr",
            "--locked-mode",
            "--no-cache",
            "--no-dependencies",
        ],
    ));
    let starts = ["-p:", "--p:", "-property:", "--property:"];
    let property = |w: &&String| starts.iter().any(|p| w.starts_with(p));
    words.extend(rest.iter().filter(property).cloned());
    if rest
        .iter()
        .any(|w| w == "-a" || w == "--arch" || w == "--os")
    {
        return Err("a restore takes no --arch and --os in all releases".to_owned());
    }
    if let Some(value) = parsed.value(&["-c", "--configuration"]) {
        words.push(format!("-p:Configuration={value}"));
    }
    if parsed.has(&["--self-contained", "--sc"]) && !rest.iter().any(|w| w == "false") {
        words.push("-p:SelfContained=true".to_owned());
    }
    other(command, words, project, "restores the packages first")
}

fn gradle_dependencies(command: &Command<'_>, project: &dyn Project) -> Result<Prefetch, String> {
    let parsed = super::shared::Words::of(command.arguments, &super::gradle::OPTIONS)?;
    if parsed.operands.is_empty() || parsed.has(&["--offline"]) {
        return Err("the build downloads nothing".to_owned());
    }
    let mut words = vec!["--no-daemon".to_owned(), "dependencies".to_owned()];
    let projects = super::gradle::projects(command, project)?;
    words.extend(projects.iter().map(|p| format!("{p}:dependencies")));
    words.extend(kept(
        command.arguments,
        &["-p", "--project-dir", "-g", "--gradle-user-home"],
        &[],
    ));
    words.extend(
        command
            .arguments
            .iter()
            .filter(|a| a.starts_with("-P") || a.starts_with("-D"))
            .cloned(),
    );
    other(command, words, project, "resolves the dependencies first")
}

fn sbt_update(command: &Command<'_>, project: &dyn Project) -> Result<Prefetch, String> {
    let builds = [
        "assembly",
        "stage",
        "compile",
        "package",
        "dist",
        "packageBin",
        "Universal/packageBin",
        "Universal/stage",
    ];
    let built = |a: &String| builds.contains(&a.rsplit([':', '/']).next().unwrap_or(a));
    if !command.arguments.iter().any(built) {
        return Err(format!("`sbt {}` is no build", command.arguments.join(" ")));
    }
    let mut words: Vec<String> = command
        .arguments
        .iter()
        .filter(|a| a.starts_with('-'))
        .cloned()
        .collect();
    words.push("update".to_owned());
    other(command, words, project, "downloads the libraries first")
}

fn maven_offline(command: &Command<'_>, project: &dyn Project) -> Result<Prefetch, String> {
    let phases = [
        "package",
        "install",
        "verify",
        "compile",
        "test-compile",
        "test",
    ];
    words_after(command, &phases)?;
    if super::maven::has_modules(command, project)? {
        return Err(
            "modules that need each other cannot be resolved before they are built".to_owned(),
        );
    }
    let parsed = super::shared::Words::of(command.arguments, &super::maven::OPTIONS)?;
    if parsed.has(&["-o", "--offline"]) {
        return Err("the build downloads nothing".to_owned());
    }
    let mut words = vec!["-B".to_owned(), "dependency:go-offline".to_owned()];
    let valued = [
        "-f",
        "--file",
        "-P",
        "--activate-profiles",
        "-s",
        "--settings",
        "-gs",
        "--global-settings",
    ];
    words.extend(kept(
        command.arguments,
        &valued,
        &["-ntp", "--no-transfer-progress", "-U"],
    ));
    words.extend(
        command
            .arguments
            .iter()
            .filter(|a| a.starts_with("-D"))
            .cloned(),
    );
    let why = "downloads what Maven knows of beforehand";
    let mut found = other(command, words, project, why)?;
    let sentence = "Maven fetches plugins of all phases as well: they stay in its repository";
    assume(&mut found.needs, sentence);
    Ok(found)
}

fn composer_packages(command: &Command<'_>, project: &dyn Project) -> Result<Prefetch, String> {
    words_after(command, &["install", "i"])?;
    let given = |n: &str| command.arguments.iter().any(|a| a == n);
    if given("--no-scripts") && given("--no-autoloader") {
        return Err("the command only downloads".to_owned());
    }
    let parsed = kept(command.arguments, &["-d", "--working-dir"], &[]);
    let folder = parsed
        .last()
        .map(|d| d.strip_prefix("--working-dir=").unwrap_or(d));
    let dir = folder.map_or_else(|| command.dir.to_owned(), |d| super::join(command.dir, d));
    if !given("--no-scripts") && super::composer::runs_for_packages(&dir, project)? {
        return Err(
            "composer.json has scripts that run for every package that is installed".to_owned(),
        );
    }
    let looks = [
        "-o",
        "--optimize-autoloader",
        "-a",
        "--classmap-authoritative",
        "--apcu-autoloader",
        "--optimize",
    ];
    let mut words: Vec<String> = command
        .arguments
        .iter()
        .filter(|a| !looks.contains(&a.as_str()))
        .cloned()
        .collect();
    for flag in ["--no-scripts", "--no-autoloader"] {
        if !given(flag) {
            words.push(flag.to_owned());
        }
    }
    other(command, words, project, "downloads the packages first")
}

fn poetry_dependencies(command: &Command<'_>, project: &dyn Project) -> Result<Prefetch, String> {
    words_after(command, &["install", "sync"])?;
    if command.arguments.iter().any(|a| a == "--no-root") {
        return Err("the command only downloads".to_owned());
    }
    let mut words = command.arguments.to_vec();
    words.push("--no-root".to_owned());
    other(
        command,
        words,
        project,
        "installs the dependencies before the project",
    )
}

fn uv_dependencies(command: &Command<'_>, project: &dyn Project) -> Result<Prefetch, String> {
    words_after(command, &["sync"])?;
    let given = |n: &str| command.arguments.iter().any(|a| a == n);
    if given("--no-install-project") || given("--no-install-workspace") {
        return Err("the command only downloads".to_owned());
    }
    let mut words = command.arguments.to_vec();
    let manifest = super::text(project, &super::join(command.dir, "pyproject.toml"))?;
    let flag = match manifest.contains("[tool.uv.workspace]") {
        true => "--no-install-workspace",
        false => "--no-install-project",
    };
    words.push(flag.to_owned());
    other(
        command,
        words,
        project,
        "installs the dependencies before the project",
    )
}

#[cfg(test)]
mod tests;
