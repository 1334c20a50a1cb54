//! Lines for the ignore file: what no step reads need not be sent, and wakes no COPY.
//!
//! ```text
//! .git
//! .github
//! **/README.md
//! docs
//! ```
//!
//! Precondition: a COPY of the target takes the file, the file does not come to the image, no RUN that is understood reads
//! it, and nothing in the context or the Dockerfile mentions it (`mention.rs`). Safety: assumed, since a script may
//! find a file without naming it; review where it is mentioned after all.

use super::finders::{BACKENDS, GIT, GIT_COMMANDS, GIT_PACKAGES, SCANNERS, STARTERS};
use super::flow::reaches_image;
use super::layout::brought_by;
use super::live::Idle;
use super::mention::{self, Mentions, Name, Sort};
use super::needs;
use super::{EditNote, Rewrite, Safety, View};
use crate::footprint::{Extent, PathClaim};
use crate::pattern::{SourceKind, SourcePattern};
use crate::plan::{Dest, Input, Step, StepKind};
use std::collections::{BTreeMap, BTreeSet};

/// What a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// An entry of the top folder of the context.
    Top,
    /// A file of this name in any folder.
    Anywhere,
}

use Place::{Anywhere, Top};

/// What builds have no use for. A `*` stands for the rest of a name.
#[rustfmt::skip]
const LINES: &[(Place, &[&str])] = &[
    // Hosting and CI.
    (Top, &[
        ".github", ".gitlab", ".gitlab-ci.yml", ".circleci", ".travis.yml", ".drone.yml", ".buildkite", ".cirrus.yml",
        ".azure-pipelines", "azure-pipelines.yml", "Jenkinsfile", "appveyor.yml", ".appveyor.yml", ".woodpecker",
        ".woodpecker.yml", ".forgejo", ".gitea", "codecov.yml", ".codecov.yml", ".coveralls.yml", "renovate.json", "renovate.json5",
        ".renovaterc", ".renovaterc.json", ".mergify.yml", ".pre-commit-config.yaml", ".hadolint.yaml",
        ".all-contributorsrc", "CODEOWNERS", ".mailmap", "crowdin.yml", ".deepsource.toml", ".codeclimate.yml",
        ".sonarcloud.properties", "sonar-project.properties", ".whitesource", ".snyk", ".pullapprove.yml", "netlify.toml",
        "vercel.json", "fly.toml", "render.yaml", "REUSE.toml", ".coderabbit.yaml", ".reuse", "LICENSES", "app.json", ".platform.app.yaml", "heroku.yml", "SECURITY.md",
    ]),
    // Editors and assistants.
    (Top, &[".vscode", ".idea", ".devcontainer", ".cursor", ".cursorrules", ".claude", "CLAUDE.md", "AGENTS.md", ".zed", ".fleet",
        ".gitpod.yml", ".gitpod.Dockerfile", ".envrc", "flake.nix", "flake.lock", "shell.nix", "default.nix", "Vagrantfile", "Tiltfile", "skaffold.yaml"]),
    // The build's own files.
    (Anywhere, &[".dockerignore", "Dockerfile", "Dockerfile.*", "*.Dockerfile", "docker-compose*.yml", "docker-compose*.yaml",
        "compose*.yml", "compose*.yaml", "docker-bake.hcl"]),
    // Not `.gitignore`, which many tools look for by its name: Tailwind and hatchling take what it names for no part of the
    // project. It hardly ever changes.
    // Documents.
    (Anywhere, &["README.md", "README.rst", "CHANGELOG.md", "CHANGES.md", "HISTORY.md", "CONTRIBUTING.md", "CODE_OF_CONDUCT.md"]),
    (Top, &["docs", "doc", "documentation", "AUTHORS", "AUTHORS.md", "CONTRIBUTORS.md", "MAINTAINERS.md", "GOVERNANCE.md", "SUPPORT.md",
        "ROADMAP.md", "TODO.md", "CITATION.cff", "mkdocs.yml", ".readthedocs.yml", ".readthedocs.yaml", "website", "screenshots"]),
    // Deployment.
    (Top, &["charts", "chart", "helm", "helm-chart", "k8s", "kubernetes", "kustomize", "terraform", "ansible", "deploy", "deployment",
        "snap", "snapcraft.yaml", "flatpak"]),
    // Tests apart from the sources.
    (Top, &["e2e", "cypress", "playwright", "integration-tests", "integration_tests", "test", "tests", "spec", "benches", "benchmarks",
        "benchmark", "examples", "fuzz"]),
];

/// Commands that look for files by names of their own, where a RUN or a script starts them.
#[rustfmt::skip]
const READERS: &[(&[&str], &[&str])] = &[
    (&["docs", "doc", "documentation", "website", "mkdocs.yml"],
        &["mkdocs", "sphinx-build", "docusaurus", "vitepress", "mdbook", "hugo", "jekyll", "typedoc", "doxygen", "antora", "zensical"]),
    (&["flake.nix", "flake.lock", "default.nix", "shell.nix"], &["nix", "nix-build", "nix-shell", "nix-env"]),
    (&["app.json"], &["expo", "eas"]),
    (&["vercel.json"], &["vercel"]),
    (&["netlify.toml"], &["netlify"]),
    (&["test", "tests", "spec", "e2e", "cypress", "playwright", "integration-tests", "integration_tests", "examples", "fuzz", "benches", "benchmarks", "benchmark"],
        &["pytest", "tox", "nox", "unittest", "npm test", "npm run test", "yarn test", "pnpm test", "bun test", "go test", "cargo test",
          "cargo bench", "rspec", "rake test", "rake spec", "jest", "vitest", "mocha", "phpunit", "mix test", "dotnet test", "ctest",
          "make check", "make test", "cypress", "playwright", "deno test", "rake", "cargo clippy"]),
];

/// The lines that are worth a look, before anybody has looked whether something mentions them.
#[must_use]
pub fn candidates(view: &View<'_>, dot_git: bool) -> Vec<String> {
    let files = view.files.below("");
    let mut out = Vec::new();
    if dot_git {
        out.push(".git".to_owned());
    }
    let top: BTreeSet<&str> = files.iter().filter_map(|f| f.split('/').next()).collect();
    let names: BTreeSet<&str> = files.iter().filter_map(|f| f.rsplit('/').next()).collect();
    for (place, list) in LINES {
        for name in *list {
            match place {
                Top if top.contains(name) => out.push((*name).to_owned()),
                Anywhere if names.iter().any(|n| matches(name, n)) => {
                    out.push(format!("**/{name}"))
                }
                _ => {}
            }
        }
    }
    out.retain(|line| is_free(view, line, &files));
    out
}

/// A name with a `*` in it.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, end)) => {
            name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
        }
    }
}

/// Whether a line leaves a file out.
fn covers(line: &str, path: &str) -> bool {
    match line.strip_prefix("**/") {
        Some(name) => path.split('/').any(|n| matches(name, n)),
        None => path == line || path.strip_prefix(line).is_some_and(|r| r.starts_with('/')),
    }
}

/// Whether no source names what a line leaves out, and none of it comes to the image or is read by a RUN that is
/// understood.
fn is_free(view: &View<'_>, line: &str, files: &[String]) -> bool {
    let gone: Vec<&String> = files.iter().filter(|f| covers(line, f)).collect();
    let mut taken = false;
    for node in view.plan.graph.node_indices() {
        let step = &view.plan.graph[node];
        for input in &step.inputs {
            let Input::Context(context) = input else {
                continue;
            };
            for source in &context.sources {
                let plain = crate::pattern::clean(source.trim_start_matches('/'));
                let wild = source.contains(['*', '?', '[']) && !source.contains('/');
                let named = wild && line == ".git"
                    || covers(line, &plain)
                    || line.starts_with(&format!("{plain}/"))
                    || gone.iter().any(|f| **f == plain)
                    || source.contains(".git") && line == ".git";
                if named && !matches!(plain.as_str(), "." | "") {
                    return false;
                }
            }
            if !matches!(step.kind, StepKind::Copy | StepKind::Add) {
                // A mount of the context shows it to a command: all of it may count.
                return false;
            }
        }
        let root = PathClaim::subtree("/");
        let Some(brought) = brought_by(step, &root, view.files) else {
            let context = step.inputs.iter().any(|i| matches!(i, Input::Context(_)));
            if context {
                return false;
            }
            continue;
        };
        let stage = step.id.stage as usize;
        let places: Vec<PathClaim> = match line {
            // It is in no commit, so no file of it is known: whoever takes the top folder takes it.
            ".git" if !takes_all(step) => Vec::new(),
            ".git" => match step.dest.as_ref().and_then(Dest::best) {
                Some(dest) => {
                    let top = dest.trim_end_matches('/');
                    vec![PathClaim::subtree(format!("{top}/.git"))]
                }
                None => return false,
            },
            _ => brought
                .iter()
                .filter(|(_, from)| covers(line, from))
                .map(|(place, _)| PathClaim::exact(&**place))
                .collect(),
        };
        // A stage that this target does not need may be another's image.
        if !places.is_empty() && !view.plan.stages[stage].reachable {
            return false;
        }
        taken |= !places.is_empty();
        for place in &places {
            if reaches_image(view.plan, stage, place) || is_read(view, stage, place) {
                return false;
            }
        }
    }
    taken && !is_linked_to(view, line)
}

/// Whether a symbolic link of the context leads to what a line leaves out.
fn is_linked_to(view: &View<'_>, line: &str) -> bool {
    let Some(links) = view.files.links_in("") else {
        return true;
    };
    links.iter().filter(|l| !covers(line, l)).any(|link| {
        let Some(text) = view.files.link_text(link) else {
            return true;
        };
        let folder = link.rsplit_once('/').map_or("", |(d, _)| d);
        let target = match text.strip_prefix('/') {
            Some(absolute) => crate::pattern::clean(absolute),
            None => crate::pattern::clean(&format!("{folder}/{text}")),
        };
        let target = target.trim_start_matches('/');
        covers(line, target) || line.starts_with(&format!("{target}/"))
    })
}

/// Whether a source is the context itself.
fn takes_all(step: &Step) -> bool {
    let root = |s: &String| SourcePattern::lenient(s).kind() == SourceKind::Root;
    let context = |i: &Input| matches!(i, Input::Context(c) if c.sources.iter().any(root));
    step.inputs.iter().any(context)
}

/// Whether a command that is understood looks at a place.
fn is_read(view: &View<'_>, stage: usize, place: &PathClaim) -> bool {
    let on_it = |index: usize| {
        let mut at = index;
        for _ in 0..=view.plan.stages.len() {
            if at == stage {
                return true;
            }
            match view.plan.stages[at].base {
                crate::plan::Base::Stage(b) => at = b,
                _ => return false,
            }
        }
        false
    };
    for seen in view.stages.iter().filter(|s| on_it(s.stage)) {
        for line in &seen.lines {
            let Some(footprint) = line.step.and_then(|s| s.footprint.as_ref()) else {
                continue;
            };
            let needs = line.needs.and_then(|n| n.as_ref().ok());
            // Whether a build looks at a file of its folders is for those to tell who mention it.
            let counts =
                |n: &&needs::Needs, c: &PathClaim| n.adds.is_empty() || c.extent == Extent::Exact;
            let reads = |n: &needs::Needs| {
                let mut all = n.reads.iter().filter(|c| counts(&n, c));
                all.any(|c| c.covers(place)) || n.names.iter().any(|c| c.covers(place))
            };
            if needs.is_some_and(reads) {
                return true;
            }
            let meets = |c: &PathClaim| {
                c.covers(place) || place.extent == Extent::Subtree && place.covers(c)
            };
            for evidence in footprint.beside_uses() {
                if evidence.reads.iter().chain(&evidence.writes).any(meets) {
                    return true;
                }
            }
        }
    }
    false
}

/// The rewrite of those lines that nothing mentions, and one of the others, for a person to look at.
#[must_use]
pub fn justified(view: &View<'_>, lines: &[String]) -> Vec<Rewrite> {
    let mut lines: Vec<String> = lines.to_vec();
    let mut doubts: BTreeMap<String, String> = BTreeMap::new();
    let mut idle: BTreeSet<Idle> = BTreeSet::new();
    // What is dropped may mention others that were to be left out with it.
    loop {
        let found = match mentioned(view, &lines) {
            Ok(found) => found,
            Err(why) => {
                doubts.extend(lines.drain(..).map(|l| (l, why.clone())));
                break;
            }
        };
        if found.at.is_empty() {
            idle.extend(found.passed_over.into_values().flatten());
            break;
        }
        lines.retain(|l| !found.at.contains_key(l));
        doubts.extend(found.at);
    }
    let mut out = Vec::new();
    if !lines.is_empty() {
        let assumption = format!(
            "no step looks at {}: nothing that is left in the build context mentions {}",
            listed(&lines),
            if lines.len() == 1 { "it" } else { "them" }
        );
        let why = format!(
            "leaves {} out of the build context: no step reads {}",
            listed(&lines),
            if lines.len() == 1 { "it" } else { "them" }
        );
        let not_opened = idle.into_iter().map(|i| i.assumption().to_owned());
        let assumptions = std::iter::once(assumption).chain(not_opened).collect();
        out.push(rewrite(view, lines, Safety::Assumed, why, assumptions));
    }
    if !doubts.is_empty() {
        let told: Vec<String> = doubts.iter().map(|(l, at)| format!("{l} ({at})")).collect();
        let why = format!(
            "leaves {} out of the build context, if no step needs what is mentioned",
            told.join(", ")
        );
        let names: Vec<String> = doubts.keys().cloned().collect();
        let assumption = format!("no step looks at {}", listed(&names));
        out.push(rewrite(view, names, Safety::Review, why, vec![assumption]));
    }
    out
}

fn listed(lines: &[String]) -> String {
    lines.join(", ")
}

fn rewrite(
    view: &View<'_>,
    lines: Vec<String>,
    safety: Safety,
    why: String,
    assumptions: Vec<String>,
) -> Rewrite {
    // The first COPY that takes everything is the line it is about.
    let all = |i: &crate::dockerfile::Instruction<'_>| {
        matches!(i.kind(), crate::dockerfile::Kind::Copy(t) | crate::dockerfile::Kind::Add(t)
            if i.flag("from").is_none() && t.sources.iter().any(|s| matches!(s.as_str(), "." | "./" | "/")))
    };
    let at = view.file.instructions().iter().find(all);
    let (line, end_line) = at.map_or((1, 1), |i| (i.line, i.end_line));
    Rewrite {
        safety,
        edits: Vec::new(),
        ignore: lines,
        caches: Vec::new(),
        note: EditNote {
            rewrite: "ignore-lines",
            safety,
            line,
            end_line,
            why,
            assumptions,
        },
    }
}

/// What was found out about some lines.
struct Mentioned {
    /// For every line that is mentioned, where.
    at: BTreeMap<String, String>,
    /// Sorts of files that mention lines and are not opened.
    passed_over: BTreeMap<String, BTreeSet<Idle>>,
}

fn mentioned(view: &View<'_>, lines: &[String]) -> Result<Mentioned, String> {
    let mut names = Vec::new();
    let mut owners: Vec<&String> = Vec::new();
    for line in lines {
        let mut add = |text: &str, sort| {
            names.push(Name {
                text: text.to_owned(),
                sort,
            });
            owners.push(line);
        };
        match line.strip_prefix("**/") {
            _ if line == ".git" => {
                GIT.iter().for_each(|t| add(t, Sort::Phrase));
                GIT_PACKAGES.iter().for_each(|t| add(t, Sort::Package));
                GIT_COMMANDS.iter().for_each(|t| add(t, Sort::Command));
            }
            Some(name) if !name.contains('*') => add(name, Sort::Anywhere),
            Some(_) => {
                let hidden = view.files.below("").into_iter().filter(|f| covers(line, f));
                let own: BTreeSet<String> = hidden
                    .filter_map(|f| f.rsplit('/').next().map(str::to_owned))
                    .collect();
                own.iter().for_each(|n| add(n, Sort::Anywhere));
            }
            None => {
                add(line, Sort::Top);
                // Python says it without a slash.
                add(&format!("from {line}"), Sort::Phrase);
                add(&format!("import {line}"), Sort::Phrase);
                for (_, commands) in READERS.iter().filter(|(l, _)| l.contains(&line.as_str())) {
                    commands.iter().for_each(|c| add(c, Sort::Command));
                }
            }
        }
    }
    // What these say is about other lines: all of them, and `.git` where both of the others are named.
    let [scanner, backend, starter] = ["* scanner", "* backend", "* starter"].map(str::to_owned);
    let mut add = |text: &str, sort, owner| {
        names.push(Name {
            text: text.to_owned(),
            sort,
        });
        owners.push(owner);
    };
    SCANNERS.iter().for_each(|(t, s)| add(t, *s, &scanner));
    if lines.iter().any(|l| l == ".git") {
        BACKENDS
            .iter()
            .for_each(|t| add(t, Sort::Package, &backend));
        STARTERS
            .iter()
            .for_each(|t| add(t, Sort::Command, &starter));
    }
    names.iter_mut().for_each(|n| {
        if n.text.is_empty() {
            n.text = "\0".to_owned();
        }
    });
    let homes = homes(view);
    let skip = |path: &str| lines.iter().any(|l| covers(l, path)) || is_dockerfile(path);
    let own_text = |i: crate::dockerfile::Instruction<'_>| {
        let text = view.source.text(i.span).into_owned();
        ("Dockerfile".to_owned(), text.into_bytes())
    };
    let open: Vec<_> = view.file.instructions().iter().map(own_text).collect();
    let Mentions {
        mut found,
        passed_over,
    } = mention::mentions(view.files, &names, &homes, &skip, &open)?;
    for i in view.file.instructions() {
        let text = view.source.text(i.span).into_owned();
        let label = format!("{} line {}", view.source.name(), i.line);
        let mut own = BTreeMap::new();
        use crate::dockerfile::Kind::{Add, Copy, Label};
        // Sources were looked at one by one; what they bring inline is a script like any other.
        let files = matches!(i.kind(), Copy(_) | Add(_)) && i.heredocs().is_empty();
        if !files && !matches!(i.kind(), Label(_)) {
            mention::in_one(&names, &homes, "Dockerfile", text.as_bytes(), &mut own);
        }
        for index in own.into_keys() {
            found.entry(index).or_insert_with(|| label.clone());
        }
    }
    let mut out: BTreeMap<String, String> = BTreeMap::new();
    for (index, at) in found {
        out.entry(owners[index].clone()).or_insert(at);
    }
    let [scanner, backend, starter] = [&scanner, &backend, &starter].map(|o| out.remove(o));
    if let (Some(at), Some(_)) = (backend, starter) {
        out.entry(".git".to_owned()).or_insert(at);
    }
    if let Some(at) = scanner {
        for line in lines {
            let why = || format!("{at}: Tailwind looks through all texts");
            out.entry(line.clone()).or_insert_with(why);
        }
    }
    for line in lines {
        if let Some(why) = is_a_target(view, line) {
            out.entry(line.clone()).or_insert(why);
        }
    }
    if lines.iter().any(|l| l == ".git")
        && !out.contains_key(".git")
        && let Some(why) = stamps(view)
    {
        out.insert(".git".to_owned(), why);
    }
    let mut idle: BTreeMap<String, BTreeSet<Idle>> = BTreeMap::new();
    for (index, sorts) in passed_over {
        idle.entry(owners[index].clone()).or_default().extend(sorts);
    }
    Ok(Mentioned {
        at: out,
        passed_over: idle,
    })
}

fn is_dockerfile(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.ends_with("ockerfile") || name.starts_with("Dockerfile") || name == ".dockerignore"
}

/// Files that say how a Python project is built.
const PYTHON: [&str; 3] = ["setup.py", "setup.cfg", "pyproject.toml"];

/// Folders that a build tool knows by their names: a manifest may name what is in them without a path, and a Python
/// project takes every package it finds along.
fn is_a_target(view: &View<'_>, line: &str) -> Option<String> {
    let table = match line {
        "benches" => "[[bench]]",
        "examples" => "[[example]]",
        "tests" => "[[test]]",
        _ => "",
    };
    let python = format!("{line}/__init__.py");
    if view.files.is_file(&python) && PYTHON.iter().any(|f| view.files.is_file(f)) {
        return Some(format!("{python} is a package"));
    }
    // Python's build tools take licences and authors along by their names.
    if matches!(line, "AUTHORS" | "AUTHORS.md" | "LICENSES")
        && let Some(manifest) = PYTHON.iter().find(|f| view.files.is_file(f))
    {
        return Some(format!("{manifest}: a package takes it along"));
    }
    if table.is_empty() {
        return None;
    }
    let manifests = view
        .files
        .below("")
        .into_iter()
        .filter(|f| f.rsplit('/').next() == Some("Cargo.toml"));
    for path in manifests {
        let text = view.files.read(&path).unwrap_or_default();
        if String::from_utf8_lossy(&text).contains(table) {
            return Some(format!("{path} has a {table}"));
        }
    }
    None
}

/// Tools that write the commit into what they build, without being asked.
fn stamps(view: &View<'_>) -> Option<String> {
    for path in view.files.below("") {
        let name = path.rsplit('/').next().unwrap_or(&path);
        let what = match name {
            "go.mod" => "go writes the commit into programs",
            "composer.json" => "composer writes the commit into vendor/composer",
            _ if [".csproj", ".fsproj", ".vbproj"]
                .iter()
                .any(|e| name.ends_with(e)) =>
            {
                "dotnet writes the commit into assemblies"
            }
            _ => continue,
        };
        return Some(format!("{path}: {what}"));
    }
    None
}

/// Where COPY puts the context.
fn homes(view: &View<'_>) -> Vec<String> {
    let mut out = BTreeSet::new();
    for node in view.plan.graph.node_indices() {
        let step = &view.plan.graph[node];
        let context = step.inputs.iter().any(|i| matches!(i, Input::Context(_)));
        if let Some(dest) = step.dest.as_ref().and_then(Dest::best).filter(|_| context) {
            let dest = dest.trim_end_matches('/');
            if !dest.is_empty() {
                out.insert(dest.to_owned());
            }
        }
    }
    // Go names folders of the module by its whole name.
    let module = view.files.read("go.mod").unwrap_or_default();
    let module = String::from_utf8_lossy(&module).into_owned();
    let name = module
        .lines()
        .find_map(|l| l.trim().strip_prefix("module "));
    out.extend(name.map(|n| n.trim().trim_matches('"').to_owned()));
    out.into_iter().collect()
}
