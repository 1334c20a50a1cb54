//! Gradle: build scripts, which lie all over the project, and the folders that belong to them.
//!
//! Goes in: `gradle dependencies`. Comes out: every script and properties file below the root, `gradle`, `buildSrc` and
//! builds that are included. Invariant: a script that may look at other files is a reason; a build of sources is one too.

use super::shared::{
    self, Known, Words, assume, exact, is_in, name, parent, quoted_behind, subtree, upwards,
};
use super::{Command, Found, Needs, Project, join, text};
use crate::footprint::PathClaim;
use std::collections::BTreeSet;

pub(super) const OPTIONS: Known = Known {
    valued: &[
        "-p",
        "--project-dir",
        "-g",
        "--gradle-user-home",
        "--console",
        "--max-workers",
        "--warning-mode",
        "-x",
        "--exclude-task",
        "--project-cache-dir",
    ],
    flags: &[
        "--no-daemon",
        "--daemon",
        "--stacktrace",
        "-s",
        "-S",
        "--full-stacktrace",
        "--info",
        "-i",
        "--warn",
        "-w",
        "--quiet",
        "-q",
        "--debug",
        "-d",
        "--parallel",
        "--no-parallel",
        "--build-cache",
        "--no-build-cache",
        "--refresh-dependencies",
        "--offline",
        "--no-watch-fs",
        "--continue",
        "--no-scan",
        "--configure-on-demand",
    ],
    starts: &["-P", "-D"],
};

const SETTINGS: [&str; 2] = ["settings.gradle", "settings.gradle.kts"];

/// What a script says that looks at other files, at programs or at the repository.
const LOOKS: [&str; 17] = [
    "readText",
    "readLines",
    ".text",
    "InputStream",
    "newReader",
    "Properties()",
    "exec {",
    "exec(",
    "execute()",
    "fileContents",
    "projectDir =",
    "projectDir=",
    "eachDir",
    "listFiles",
    "walk",
    "git",
    "axion",
];

/// What gradle needs.
pub(super) fn needs(command: &Command<'_>, project: &dyn Project) -> Found {
    let words = Words::of(command.arguments, &OPTIONS)?;
    let fetches = |o: &&str| {
        matches!(
            name_of(o),
            "dependencies" | "buildEnvironment" | "help" | "tasks"
        )
    };
    if words.operands.is_empty() || !words.operands.iter().all(fetches) {
        return Err(format!(
            "what `gradle {}` reads is not known",
            words.operands.join(" ")
        ));
    }
    let (needs, _) = scripts(command, &words, project)?;
    Ok(needs)
}

/// The projects of a build by their paths, with a colon in front; none for a build of one.
pub(super) fn projects(
    command: &Command<'_>,
    project: &dyn Project,
) -> Result<Vec<String>, String> {
    let words = Words::of(command.arguments, &OPTIONS)?;
    let (_, included) = scripts(command, &words, project)?;
    Ok(included)
}

fn name_of(task: &str) -> &str {
    task.rsplit(':').next().unwrap_or(task)
}

fn scripts(
    command: &Command<'_>,
    words: &Words<'_>,
    project: &dyn Project,
) -> Result<(Needs, Vec<String>), String> {
    let start = words
        .value(&["-p", "--project-dir"])
        .map_or_else(|| command.dir.to_owned(), |p| join(command.dir, p));
    let has = |d: &&&str| SETTINGS.iter().any(|s| project.is_file(&join(d, s)));
    let folders = upwards(&start);
    let root = folders
        .iter()
        .find(has)
        .map_or(start.as_str(), |d| d)
        .to_owned();
    let mut needs = Needs::default();
    shared::read_upwards(&mut needs.reads, &start, &SETTINGS);
    let mut gradle = Gradle {
        project,
        root: &root,
        needs,
        homes: BTreeSet::new(),
    };
    let files = project.below(&root);
    for file in &files {
        gradle.file(file)?;
    }
    if gradle.homes.is_empty() {
        return Err(format!("{root} holds no build of Gradle"));
    }
    let included = gradle.settings()?;
    let mut needs = gradle.needs;
    for home in gradle
        .homes
        .iter()
        .map(String::as_str)
        .chain([root.as_str()])
    {
        for own in ["build", ".gradle", ".kotlin"] {
            needs.writes.insert(subtree(home, own));
        }
    }
    for place in words.values(&["--project-cache-dir"]) {
        needs.writes.insert(subtree(command.dir, place));
    }
    for fixed in ["gradle", "buildSrc"] {
        needs.reads.insert(subtree(&root, fixed));
        for own in ["build", ".gradle", ".kotlin"] {
            needs.writes.insert(subtree(&join(&root, fixed), own));
        }
    }
    needs.reads.insert(exact(&root, "gradle.properties"));
    assume(
        &mut needs,
        "Gradle's build scripts look at no file of the project beside scripts, properties and catalogs",
    );
    assume(
        &mut needs,
        "build scripts that are added later are copied as well",
    );
    shared::prune(&mut needs.reads);
    shared::prune(&mut needs.writes);
    Ok((needs, included))
}

struct Gradle<'a> {
    project: &'a dyn Project,
    root: &'a str,
    needs: Needs,
    /// Folders with a build script.
    homes: BTreeSet<String>,
}

impl Gradle<'_> {
    fn file(&mut self, path: &str) -> Result<(), String> {
        let own = name(path);
        let is_script = own.ends_with(".gradle") || own.ends_with(".gradle.kts");
        if own == "gradle.properties"
            || own.ends_with(".lockfile")
            || own.ends_with(".versions.toml")
        {
            self.needs.reads.insert(PathClaim::exact(path));
        }
        if !is_script {
            return Ok(());
        }
        self.needs.reads.insert(PathClaim::exact(path));
        let dir = parent(path);
        if !own.starts_with("settings.") {
            self.homes.insert(dir.to_owned());
        }
        let text = text(self.project, path)?;
        for line in text.lines().map(code).map(without_urls) {
            let line = line.as_str();
            if let Some(look) = LOOKS.iter().find(|l| line.contains(**l)) {
                return Err(format!("{path} has {look} in `{}`", line.trim()));
            }
            self.local(path, line)?;
        }
        Ok(())
    }

    /// Libraries and scripts that lie in the project.
    fn local(&mut self, path: &str, line: &str) -> Result<(), String> {
        let names = [
            "files(",
            "fileTree(",
            "flatDir",
            "dirs ",
            "dirs(",
            "from:",
            "apply(from",
            "file:",
        ];
        if !names.iter().any(|n| line.contains(n)) || line.trim() == "flatDir {" {
            return Ok(());
        }
        let texts = quoted(line);
        if texts.is_empty() || texts.iter().any(|t| t.contains('$')) {
            return Err(format!(
                "{path}: the files in `{}` are not known",
                line.trim()
            ));
        }
        for text in texts {
            for base in [parent(path), self.root] {
                let place = join(base, text);
                if !is_in(self.root, &place) {
                    self.needs.reads.insert(PathClaim::subtree(place));
                }
            }
        }
        Ok(())
    }

    /// Projects and builds that the settings include.
    fn settings(&mut self) -> Result<Vec<String>, String> {
        let mut included = Vec::new();
        for file in SETTINGS {
            let path = join(self.root, file);
            if !self.project.is_file(&path) {
                continue;
            }
            let text = text(self.project, &path)?;
            for build in quoted_behind(
                &text,
                &[
                    "includeBuild(\"",
                    "includeBuild('",
                    "includeBuild \"",
                    "includeBuild '",
                ],
            ) {
                let place = join(self.root, build);
                if is_in(self.root, &place) || !self.project.has_below(&place) {
                    return Err(format!("the build {build} is not understood"));
                }
                self.needs.reads.insert(PathClaim::subtree(&*place));
                self.homes.insert(place);
            }
            let mut lists = false;
            for line in text.lines().map(code) {
                let starts = line.trim_start().starts_with("include ")
                    || line.trim_start().starts_with("include(");
                if (starts || lists) && line.contains('$') {
                    return Err(format!(
                        "{path}: the projects in `{}` are not known",
                        line.trim()
                    ));
                }
                if starts || lists {
                    included.extend(
                        quoted(line)
                            .iter()
                            .map(|p| format!(":{}", p.trim_start_matches(':'))),
                    );
                    lists = line.trim_end().ends_with([',', '(']);
                }
            }
        }
        for one in &included {
            // A project without a script is a folder that has to be there.
            let dir = join(self.root, &one.trim_start_matches(':').replace(':', "/"));
            if !self.homes.contains(&dir) {
                return Err(format!("{dir} has no build script"));
            }
        }
        included.sort();
        included.dedup();
        Ok(included)
    }
}

/// A line without its comment.
fn code(line: &str) -> &str {
    let bare = line.trim_start();
    match bare.starts_with("//") || bare.starts_with('*') || bare.starts_with("/*") {
        true => "",
        false => line,
    }
}

/// A line without the addresses of servers, which may have any word in them.
fn without_urls(line: &str) -> String {
    let mut parts = line.split("://");
    let mut out = parts.next().unwrap_or("").to_owned();
    for part in parts {
        out.push_str(part.find(['"', '\'', ' ']).map_or("", |at| &part[at..]));
    }
    out
}

/// Texts in quotes of either kind.
fn quoted(line: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut rest = line;
    while let Some(at) = rest.find(['"', '\'']) {
        let quote = &rest[at..=at];
        let Some((inner, more)) = rest[at + 1..].split_once(quote) else {
            break;
        };
        out.push(inner);
        rest = more;
    }
    out
}

#[cfg(test)]
mod tests;
