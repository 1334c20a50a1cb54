//! Where tools keep what they fetched or compiled between runs: one file per family of tools.
//!
//! Goes in: a use of a tool ([`crate::footprint::Use`]), who runs it, on which image. Comes out: [`Kept`], the folders, and
//! how they may be shared; or why that is not known. Invariant: a flag, a variable or a setting that moves the folder is
//! heeded or is a reason; a use that keeps nothing is no answer.

mod cargo;
pub mod cleaning;
mod dotnet;
mod filled;
mod go;
mod hex;
mod jvm;
mod node;
mod php;
mod python;
mod runner;
mod yarn;

pub use filled::filled;
pub use runner::{Runner, image_of, reference_of, runner};

use super::needs::Project;
use crate::footprint::Use;
use crate::pattern::clean;

/// What a folder holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// What was fetched.
    Downloads,
    /// What was compiled.
    Objects,
}

/// A folder that a tool keeps between runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// Absolute and clean.
    pub path: String,
    /// What is in it.
    pub holds: Holds,
}

/// What a use of a tool keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// The tool; one name for all that share the folders.
    pub tool: &'static str,
    /// The folders, best alone: nothing in them is part of what the tool installs.
    pub folders: Vec<Folder>,
    /// Two runs at a time would get in each other's way.
    pub locked: bool,
    /// What was compiled is kept as well, and may fit one image only.
    pub compiled: bool,
    /// Later runs of the tool look there for what this one fetched.
    pub later: bool,
    /// Arguments of this use that switch the cache off.
    pub off: Vec<String>,
    /// A folder around them that is no more than this cache, so that it may go as a whole.
    pub whole: Option<String>,
    /// What it rests on.
    pub assumptions: Vec<String>,
}

/// A use as the files of this folder look at it.
pub struct Caller<'a> {
    /// The use.
    pub used: &'a Use,
    /// Its arguments, all known.
    pub arguments: &'a [String],
    /// The RUN's whole text.
    pub script: &'a str,
    /// The image that its stage stands on in the end, without tag and digest.
    pub image: &'a str,
    /// Who runs it.
    pub runner: &'a Runner,
    /// The project's files, where they are known.
    pub project: Option<&'a dyn Project>,
}

/// The name that all uses of a tool go by, of those that keep something.
#[must_use]
pub fn name_of(used: &Use) -> Option<&'static str> {
    const NAMES: &[&str] = &[
        "npm", "pnpm", "bun", "yarn", "pip", "poetry", "uv", "pipenv", "go", "cargo", "mvn",
        "gradle", "sbt", "dotnet", "composer", "mix",
    ];
    let name = match used.tool.as_str() {
        "yarnpkg" => "yarn",
        "pip3" => "pip",
        name if name.starts_with("python") => "pip",
        name => name,
    };
    NAMES.iter().find(|n| **n == name).copied()
}

/// Whether a use installs nothing but tools of this kind, which is quick: `npm install -g corepack`.
#[must_use]
pub fn is_slight(used: &Use) -> bool {
    const TOOLS: &[&str] = &[
        "corepack",
        "npm",
        "yarn",
        "pnpm",
        "bun",
        "pip",
        "setuptools",
        "wheel",
        "poetry",
        "uv",
        "pipenv",
        "virtualenv",
        "pip-tools",
        "build",
        "node-gyp",
    ];
    if !matches!(name_of(used), Some("npm" | "pip")) {
        return false;
    }
    let arguments = used.arguments.as_deref().unwrap_or_default();
    let words = arguments.iter().map(String::as_str);
    let mut packages = words
        .skip_while(|w| !matches!(*w, "install" | "i" | "add"))
        .skip(1)
        .filter(|w| !w.starts_with('-'))
        .peekable();
    let name = |w: &str| {
        let end = w.find(['@', '=', '<', '>', '~', '[', '!']);
        w.get(..end.unwrap_or(w.len()))
            .unwrap_or_default()
            .to_owned()
    };
    packages.peek().is_some() && packages.all(|w| TOOLS.contains(&name(w).as_str()))
}

/// What a use keeps; `None` for one that keeps nothing.
#[must_use]
pub fn kept(caller: &Caller<'_>) -> Option<Result<Kept, String>> {
    match caller.used.tool.as_str() {
        "npm" => node::npm(caller),
        "pnpm" => node::pnpm(caller),
        "bun" => node::bun(caller),
        "yarn" | "yarnpkg" => yarn::yarn(caller),
        "pip" | "pip3" => python::pip(caller, caller.arguments),
        "poetry" => python::poetry(caller),
        "uv" => python::uv(caller),
        "pipenv" => python::pipenv(caller),
        "go" => go::go(caller),
        "cargo" => cargo::cargo(caller),
        "mvn" => jvm::maven(caller),
        "gradle" => jvm::gradle(caller),
        "sbt" => jvm::sbt(caller),
        "dotnet" => dotnet::dotnet(caller),
        "composer" => php::composer(caller),
        "mix" => hex::mix(caller),
        name if name.starts_with("python") => match caller.arguments {
            [dash, module, rest @ ..] if dash == "-m" && module == "pip" => {
                python::pip(caller, rest)
            }
            _ => None,
        },
        _ => None,
    }
}

impl Caller<'_> {
    /// A variable's value, names of any case where the tool does not mind; `None` where it is not set, or empty.
    ///
    /// # Errors
    /// Its value is not known, or the RUN sets it on the way.
    fn setting(&self, name: &str) -> Result<Option<String>, String> {
        let any_case = name.starts_with("npm_config_");
        let same = |n: &str| n == name || (any_case && n.eq_ignore_ascii_case(name));
        let breaks = |c: char| c.is_whitespace() || matches!(c, ';' | '&' | '(' | '|');
        let sets = |w: &str| w.split_once('=').is_some_and(|(n, _)| same(n));
        if self.script.split(breaks).any(sets) {
            return Err(format!("the RUN sets {name} itself"));
        }
        let found = self.used.variables.iter().find(|(n, _)| same(n));
        match found {
            None => Ok(None),
            Some((_, None)) => Err(format!("the value of {name} is not known")),
            Some((_, Some(value))) => Ok(Some(value.clone()).filter(|v| !v.is_empty())),
        }
    }

    /// Refuses variables that switch a cache off or move it in a way that is not followed.
    fn unset(&self, names: &[&str]) -> Result<(), String> {
        for name in names {
            if self.setting(name)?.is_some() {
                return Err(format!("{name} is set"));
            }
        }
        Ok(())
    }

    /// The value of an option, the last one: `--cache /x`, `--cache=/x`.
    ///
    /// # Errors
    /// It has none.
    fn option(&self, names: &[&str]) -> Result<Option<String>, String> {
        let mut found = None;
        let mut words = self.arguments.iter();
        while let Some(word) = words.next() {
            if names.contains(&word.as_str()) {
                let value = words.next().ok_or_else(|| format!("{word} has no value"))?;
                found = Some(value.clone());
            } else if let Some((name, value)) = word.split_once('=')
                && names.contains(&name)
            {
                found = Some(value.to_owned());
            }
        }
        Ok(found)
    }

    /// Whether an argument is there.
    fn has(&self, names: &[&str]) -> bool {
        self.arguments.iter().any(|a| names.contains(&a.as_str()))
    }

    /// Refuses to work without the network: a cache mount may have been emptied.
    fn online(&self, names: &[&str]) -> Result<(), String> {
        match self.arguments.iter().find(|a| names.contains(&a.as_str())) {
            Some(word) => Err(format!(
                "{word} needs a filled cache, and a cache mount may be empty"
            )),
            None => Ok(()),
        }
    }

    /// Those of these words that are among the arguments.
    fn off(&self, names: &[&str]) -> Vec<String> {
        let mine = self.arguments.iter();
        mine.filter(|a| names.contains(&a.as_str()))
            .cloned()
            .collect()
    }

    /// What is no option, in order; values of options that stand apart are among them.
    fn operands(&self) -> impl Iterator<Item = &str> {
        let all = self.arguments.iter().map(String::as_str);
        all.filter(|a| !a.starts_with(['-', '+']))
    }

    /// The first operand.
    fn command(&self) -> &str {
        self.operands().next().unwrap_or_default()
    }

    /// The home directory by `HOME`, else by the user.
    fn home(&self) -> Result<String, String> {
        match self.setting("HOME")? {
            Some(home) => self.place(&home),
            None => self.runner.home.clone(),
        }
    }

    /// The home directory's folder for caches, or what a variable says instead.
    fn cache_home(&self) -> Result<String, String> {
        match self.setting("XDG_CACHE_HOME")? {
            Some(folder) => self.place(&folder),
            None => Ok(join(&self.home()?, ".cache")),
        }
    }

    /// A folder that a flag or variable names.
    ///
    /// # Errors
    /// What it stands for is not known.
    fn place(&self, text: &str) -> Result<String, String> {
        if text.contains(['$', '{', '%', '*', '?', '`']) {
            return Err(format!("what {text} stands for is not known"));
        }
        if let Some(rest) = text.strip_prefix("~/") {
            return Ok(join(&self.runner.home.clone()?, rest));
        }
        if text.starts_with('/') {
            return Ok(clean(text));
        }
        let dir = self.used.dir.as_deref();
        let dir = dir.ok_or("the working directory is not known")?;
        Ok(join(dir, text))
    }

    /// The first of these variables that is set, as a folder.
    fn folder_of(&self, names: &[&str]) -> Result<Option<String>, String> {
        for name in names {
            if let Some(value) = self.setting(name)? {
                return self.place(&value).map(Some);
            }
        }
        Ok(None)
    }

    /// A file of the project's folder or of one above it, the nearest.
    fn nearest(&self, name: &str) -> Option<String> {
        let (project, dir) = (self.project?, self.used.dir.as_deref()?);
        let mut at = dir;
        loop {
            let path = join(at, name);
            if project.is_file(&path) {
                return String::from_utf8(project.read(&path)?).ok();
            }
            at = match at.rsplit_once('/') {
                Some((above, _)) if !at.is_empty() && at != "/" => above,
                _ => return None,
            };
        }
    }

    /// Refuses a settings file of the project that has any of these words.
    fn says_nothing_of(&self, name: &str, words: &[&str]) -> Result<(), String> {
        let Some(text) = self.nearest(name) else {
            return Ok(());
        };
        match words.iter().find(|w| text.contains(**w)) {
            Some(word) => Err(format!("{name} says something of {word}")),
            None => Ok(()),
        }
    }

    /// What is taken of an image that nobody here knows: that it moves nothing.
    fn assume_plain(&self, tool: &str) -> Vec<String> {
        match self.image.starts_with("docker.io/library/") {
            true => Vec::new(),
            false => vec![format!("{} does not move {tool}'s cache", self.image)],
        }
    }
}

/// A path below a folder.
fn join(folder: &str, rest: &str) -> String {
    clean(&format!("{folder}/{rest}"))
}

fn downloads(path: String) -> Folder {
    Folder {
        path,
        holds: Holds::Downloads,
    }
}

fn objects(path: String) -> Folder {
    Folder {
        path,
        holds: Holds::Objects,
    }
}

#[cfg(test)]
mod tests;
