//! mix: `mix.exs`, `mix.lock`, the configuration and the folders of local dependencies.
//!
//! Goes in: tasks that fetch and compile dependencies. Comes out: the manifests of the project and of an umbrella's
//! applications, and all configuration, which mix loads before any task. Invariant: `mix.exs` is a program; a line of it
//! that may touch files and names none is a reason.

use super::shared::{self, Known, Words, assume, exact, is_in, parent, subtree, variable};
use super::{Command, Found, Needs, Project, join, text};
use crate::footprint::PathClaim;

const OPTIONS: Known = Known {
    valued: &["--only", "--sha512", "--path"],
    flags: &[
        "--force",
        "--if-missing",
        "--overwrite",
        "--quiet",
        "--skip-umbrella-children",
        "--no-archives-check",
        "--all",
        "--include-children",
        "--no-deps-check",
        "--check-locked",
    ],
    starts: &[],
};

/// What looks at files in a way that no word of the line tells.
const OPAQUE: [&str; 7] = [
    "System.cmd",
    "System.shell",
    ":os.cmd",
    "File.ls",
    "Mix.install",
    "Code.compile",
    ":file.",
];

/// Words that look at the files that the line names.
const LOOKS: [&str; 7] = [
    "Path.wildcard",
    "File.",
    "Code.",
    "Path.expand",
    "Path.join",
    "import_config",
    ":code.",
];

/// Options that move files of an application in an umbrella.
const MOVED: [&str; 4] = ["config_path:", "lockfile:", "deps_path:", "build_path:"];

/// What mix needs.
pub(super) fn needs(command: &Command<'_>, project: &dyn Project) -> Found {
    for name in ["MIX_EXS", "MIX_XDG", "ERL_LIBS"] {
        if variable(command, name)?.is_some() {
            return Err(format!("{name} is set"));
        }
    }
    let mut mix = Mix {
        project,
        dir: command.dir,
        needs: Needs::default(),
        compiles: false,
    };
    for task in tasks(command.arguments) {
        mix.task(&task)?;
    }
    mix.manifest(command.dir)?;
    mix.configuration(command.dir)?;
    for (name, folder) in [
        ("MIX_DEPS_PATH", "deps"),
        ("MIX_BUILD_PATH", "_build"),
        ("MIX_BUILD_ROOT", "_build"),
    ] {
        let place = join(command.dir, variable(command, name)?.unwrap_or(folder));
        if project.has_below(&place) {
            return Err(format!("{place} is in the build context"));
        }
        mix.needs.writes.insert(PathClaim::subtree(place));
    }
    let mut needs = mix.needs;
    needs.reads.insert(exact(command.dir, "mix.lock"));
    needs.writes.insert(exact(command.dir, "mix.lock"));
    assume(&mut needs, "mix leaves mix.lock as it is: it is up to date");
    assume(
        &mut needs,
        "mix.exs, the configuration and dependencies that are compiled look at no other file of the project",
    );
    shared::prune(&mut needs.reads);
    Ok(needs)
}

/// `mix do a, b + c`
fn tasks(arguments: &[String]) -> Vec<Vec<String>> {
    let rest = match arguments {
        [first, rest @ ..] if first == "do" => rest,
        all => return vec![all.to_vec()],
    };
    let split = rest.split_inclusive(|w| w.ends_with(',') || w == "+");
    let words = |task: &[String]| {
        let bare = task.iter().map(|w| w.trim_end_matches(',').to_owned());
        bare.filter(|w| !w.is_empty() && w != "+")
            .collect::<Vec<_>>()
    };
    split.map(words).filter(|t| !t.is_empty()).collect()
}

struct Mix<'a> {
    project: &'a dyn Project,
    dir: &'a str,
    needs: Needs,
    compiles: bool,
}

impl Mix<'_> {
    fn task(&mut self, task: &[String]) -> Result<(), String> {
        let words = Words::of(task, &OPTIONS)?;
        match words.operands.as_slice() {
            ["local.hex" | "local.rebar" | "deps.get"] | ["archive.install", "hex", ..] => Ok(()),
            ["deps.compile", ..] => {
                self.compiles |= !words.has(&["--skip-umbrella-children"]);
                Ok(())
            }
            other => Err(format!("what `mix {}` reads is not known", other.join(" "))),
        }
    }

    /// `mix.exs` of a folder, and what it names.
    fn manifest(&mut self, dir: &str) -> Result<(), String> {
        let path = join(dir, "mix.exs");
        if !self.needs.reads.insert(PathClaim::exact(&*path)) || !self.project.is_file(&path) {
            return Ok(());
        }
        let text = text(self.project, &path)?;
        for task in ["deps.get", "deps.compile", "local.hex", "local.rebar"] {
            if text.contains(&format!("\"{task}\":")) || text.contains(&format!("\"{task}\" =>")) {
                return Err(format!("{path} has an alias for {task}"));
            }
        }
        for line in text.lines().map(code) {
            self.line(&path, line, dir)?;
        }
        if text.contains("apps_path:") {
            self.umbrella(dir, &text)?;
        }
        Ok(())
    }

    fn umbrella(&mut self, dir: &str, text: &str) -> Result<(), String> {
        if self.compiles {
            return Err("the applications of an umbrella are compiled as well".to_owned());
        }
        let after = text.split("apps_path:").nth(1).unwrap_or("");
        let folder = literals(after)
            .first()
            .copied()
            .ok_or("the folder of the applications is not known")?;
        let apps = join(dir, folder);
        let files = self.project.below(&apps);
        let manifests = files
            .iter()
            .filter(|f| shared::name(f) == "mix.exs" && parent(parent(f)) == apps);
        for manifest in manifests {
            self.manifest(parent(manifest))?;
        }
        assume(
            &mut self.needs,
            "applications that are added to the umbrella later are copied as well",
        );
        Ok(())
    }

    fn line(&mut self, path: &str, line: &str, dir: &str) -> Result<(), String> {
        let wrong = |why: &str| Err(format!("{path}: {why} in `{}`", line.trim()));
        if OPAQUE.iter().any(|o| line.contains(o)) {
            return wrong("a look at files");
        }
        let texts = literals(line);
        if let Some(option) = MOVED.iter().find(|m| line.contains(**m)) {
            let value = line
                .split(option)
                .nth(1)
                .map(literals)
                .and_then(|l| l.first().copied());
            let Some(value) = value else {
                return wrong("a folder that is not known");
            };
            let place = join(dir, value);
            match *option {
                "config_path:" => self.configuration(parent(parent(&place)))?,
                "lockfile:" => {
                    self.needs.reads.insert(PathClaim::exact(&*place));
                    self.needs.writes.insert(PathClaim::exact(place));
                }
                _ => {
                    self.needs.writes.insert(PathClaim::subtree(place));
                }
            }
            return Ok(());
        }
        if let Some(rest) = line
            .split([' ', '\t', '[', '(', ',', '{'])
            .find(|w| *w == "path:")
            .and(line.split("path:").nth(1))
        {
            let Some(folder) = literals(rest).first().copied() else {
                return wrong("a folder that is not known");
            };
            return self.folder(&join(dir, folder));
        }
        if LOOKS.iter().any(|l| line.contains(l)) {
            if texts.is_empty() || texts.iter().any(|t| t.contains("#{")) {
                return wrong("a file that is not known");
            }
            for text in texts {
                let fixed: Vec<&str> = text
                    .split('/')
                    .take_while(|p| !p.contains(['*', '?', '{', '[']))
                    .collect();
                if fixed.is_empty() && line.contains("wildcard") {
                    return wrong("files that are not known");
                }
                let place = join(dir, &fixed.join("/"));
                if self.project.is_file(&place) {
                    let runs = line.contains("Code.");
                    let new = self.needs.reads.insert(PathClaim::exact(&*place));
                    if runs && new {
                        self.program(&place)?;
                    }
                } else if !is_in(self.dir, &place) {
                    self.needs.reads.insert(PathClaim::subtree(place));
                }
            }
        }
        Ok(())
    }

    /// A file that is run.
    fn program(&mut self, path: &str) -> Result<(), String> {
        let text = text(self.project, path)?;
        let dir = parent(path).to_owned();
        text.lines()
            .map(code)
            .try_for_each(|line| self.line(path, line, &dir))
    }

    /// A dependency that is a folder.
    fn folder(&mut self, place: &str) -> Result<(), String> {
        if is_in(self.dir, place) {
            return Err(format!("{place} is a dependency and the project"));
        }
        if !self.project.is_file(&join(place, "mix.exs")) {
            return Err(format!("{place} is not in the build context"));
        }
        let seen = self.needs.reads.contains(&exact(place, "mix.exs"));
        self.needs.reads.insert(PathClaim::subtree(place));
        match seen {
            true => Ok(()),
            false => self.manifest(place),
        }
    }

    /// All of `config`; what is read at the start of the program alone is not looked into.
    fn configuration(&mut self, dir: &str) -> Result<(), String> {
        self.needs.reads.insert(subtree(dir, "config"));
        for file in self.project.below(&join(dir, "config")) {
            if !file.ends_with(".exs")
                || shared::name(&file) == "runtime.exs"
                || shared::name(&file) == "releases.exs"
            {
                continue;
            }
            let text = text(self.project, &file)?;
            for line in text
                .lines()
                .map(code)
                .filter(|l| !l.contains("import_config"))
            {
                // A path that is put together is not looked at.
                let opens = ["File.", "Code."].iter().any(|o| line.contains(o));
                if opens || OPAQUE.iter().any(|o| line.contains(o)) {
                    return Err(format!("{file} looks at files in `{}`", line.trim()));
                }
            }
            if text.contains("import_config") && text.contains("../") {
                return Err(format!("{file} takes in configuration of another folder"));
            }
        }
        Ok(())
    }
}

/// A line without its comment.
fn code(line: &str) -> &str {
    let mut quoted = false;
    for (at, c) in line.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '#' if !quoted => return &line[..at],
            _ => {}
        }
    }
    line
}

/// Texts in quotes.
fn literals(line: &str) -> Vec<&str> {
    line.split('"').skip(1).step_by(2).collect()
}

#[cfg(test)]
mod tests;
