//! What a RUN reads, writes and fetches, as far as its commands are known.
//!
//! Goes in: a parsed script and the state it runs in. Comes out: a [`Footprint`]. Invariant: what is
//! not understood makes the footprint `opaque`, never smaller; an opaque step is a barrier. Paths are
//! lexical: the links that distributions ship (`/bin` to `/usr/bin` and so on) count as both names,
//! other symbolic links do not. Costs one pass over the script.

mod aftermath;
mod argument;
mod claims;
mod class;
mod class_table;
mod command;
mod environment;
mod options;
mod outcome;
mod path_set;
mod shell_state;
mod walk;

use crate::shell::Script;
use crate::source::Span;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use claims::{SHARED_WRITES, SYSTEM_READS, SYSTEM_WRITES, account, group};
pub use class::UnknownClass;
pub use command::homes::accounts_made;
pub use command::java::wrapper_folder;
pub use environment::{Named, named, steers};
pub use outcome::{Action, Derived, Outcome, Pruning, Test, What};
pub(crate) use path_set::is_below;

/// What a shell-form RUN touches; `script` is the text the shell is given.
#[must_use]
pub fn of_script(script: &str, state: &RunState) -> Footprint {
    let mut out = walk::script(script, state);
    out.outcome = outcome::of_script(script, state, &out);
    out
}

/// What an exec-form RUN touches; no shell expands `argv`.
#[must_use]
pub fn of_exec(argv: &[String], state: &RunState) -> Footprint {
    let mut out = walk::exec(argv, state);
    out.outcome = outcome::of_exec(argv, state, &out);
    out
}

/// How far a path claim reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Extent {
    /// This path alone.
    Exact,
    /// This path and everything below it.
    Subtree,
}

/// One absolute, lexically clean path and how far the claim reaches.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathClaim {
    /// Absolute, clean, `/` separated; `/` alone for the root.
    pub path: String,
    /// How far.
    pub extent: Extent,
}

/// A set of paths of the image's file system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PathSet {
    /// Sorted, no duplicates.
    pub claims: Vec<PathClaim>,
}

/// What kind of work a command is: the classes of the costs file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// apt, apk, dnf … install.
    SystemPackages,
    /// Fetching language dependencies.
    Install,
    /// Compiling or bundling.
    Build,
    /// Quick generators.
    LightBuild,
    /// COPY and ADD.
    Copy,
    /// WORKDIR.
    Workdir,
    /// Any other RUN.
    Other,
}

/// How sure the footprint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Certainty {
    /// Follows from the documented behaviour of the commands alone.
    Exact,
    /// True under the assumptions listed.
    Assumed,
}

/// Where a RUN stands: what its shell sees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunState {
    /// Working directory, absolute; `None` when the base image decides.
    pub cwd: Option<String>,
    /// USER as resolved so far; `None` is the base image's (mostly root).
    pub user: Option<String>,
    /// Variables with known values (ENV and declared ARG). A `PATH` that extends the base image's
    /// may keep the text `$PATH` for that part.
    pub vars: Vec<(String, String)>,
    /// Accounts that RUNs before it have made, and their home directories ([`accounts_made`]).
    pub homes: Vec<(String, String)>,
}

/// What one RUN touches. Where `opaque` is set, `reads`, `writes` and `uses` hold only what was
/// understood and prove nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Footprint {
    /// Paths whose content or presence the commands look at.
    pub reads: PathSet,
    /// Programs it starts and the libraries and settings those load.
    pub programs: PathSet,
    /// Paths the commands create, change or delete.
    pub writes: PathSet,
    /// Folders that it creates where they are missing, and only then, as its user and with mode 0755.
    pub makes: PathSet,
    /// Symbolic and hard links it may leave.
    pub links: Vec<Link>,
    /// Copies and moves that bring links along: from, to.
    pub carries: Vec<(PathClaim, PathClaim)>,
    /// Paths whose times, inode numbers, sizes on disk or order in their folder may show in what it
    /// leaves behind.
    pub observes: PathSet,
    /// Places that its paths climb out of with `..`: the other claims hold where none of them is a link.
    pub climbs: PathSet,
    /// Paths that are there before or since it, as it fails otherwise.
    pub requires: BTreeSet<String>,
    /// Everything that commands other than package managers touch, where there are package managers.
    pub beside_packages: Option<PathSet>,
    /// Environment variables that it may look at, those of [`steers`] left out.
    pub variables: Variables,
    /// What it leaves behind depends on when or where it runs: a clock, random numbers.
    pub varies: bool,
    /// It talks to the network.
    pub network: bool,
    /// Why nothing is known about it, if so: the step is then a barrier.
    pub opaque: Option<String>,
    /// It is opaque only because it builds the project with the project's own scripts: where it is known what those look
    /// at, the claims are complete.
    pub builds: bool,
    /// How sure `reads` and `writes` are.
    pub certainty: Certainty,
    /// What `Assumed` rests on, one sentence each, no full stop.
    pub assumptions: Vec<String>,
    /// Distinct classes of its commands, sorted; never empty.
    pub classes: Vec<Class>,
    /// The programs it runs that work on a project, in order.
    pub uses: Vec<Use>,
    /// What the recipes of its `make` run, as far as the project's Makefile says: approximate, and never a reason to take
    /// anything to be left alone. Empty until somebody who sees the project fills it in.
    pub recipes: Vec<Use>,
    /// Names of the commands it runs, in order, for reports.
    pub commands: Vec<String>,
    /// The commands that the claims came from, in order.
    pub evidence: Vec<Evidence>,
    /// What it leaves, where that can be told without running it.
    pub outcome: Option<Outcome>,
    /// The script that it is of, parsed; none for the exec form.
    pub script: Option<Arc<Script>>,
}

/// Which environment variables may count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Variables {
    /// Those that the script expands.
    Only(BTreeSet<String>),
    /// Those, and whatever its programs have a use for.
    AndThoseOfTools(BTreeSet<String>),
    /// Any.
    Any,
}

/// What one command of a RUN touches beside its program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Where it stands in the RUN's script text.
    pub span: Span,
    /// It is in a branch that this RUN never takes.
    pub idle: bool,
    /// What it reads.
    pub reads: Vec<PathClaim>,
    /// What it creates, changes or deletes.
    pub writes: Vec<PathClaim>,
}

/// A second name for a place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link {
    /// Where it may be.
    pub at: PathClaim,
    /// Where it leads, absolute and clean, for a hard link the other name; `None` where that is not known.
    pub to: Option<String>,
    /// It is a second name of one file, with nothing below.
    pub hard: bool,
    /// It is left there only where the link noted before it is not, since that place is a folder.
    pub instead: bool,
}

impl Footprint {
    /// What commands touch that work on no project.
    pub fn beside_uses(&self) -> impl Iterator<Item = &Evidence> {
        let of_use = |e: &&Evidence| self.uses.iter().any(|u| u.span == e.span);
        self.evidence.iter().filter(move |e| !of_use(e))
    }

    /// Everything that may be another than before.
    #[must_use]
    pub fn changes(&self) -> PathSet {
        self.writes.union(&self.makes)
    }
}

/// A program that works on a project, as the RUN calls it: what it needs of the project is for those to
/// say who see the project's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// The program's name without a directory.
    pub tool: String,
    /// The script of the project that it was started through, absolute: `./mvnw`, `./gradlew`.
    pub wrapper: Option<String>,
    /// Its arguments; `None` where one of them is not known.
    pub arguments: Option<Vec<String>>,
    /// Where it starts, absolute; `None` where the base image decides.
    pub dir: Option<String>,
    /// The variables it may see; `None` for a value that is not known.
    pub variables: BTreeMap<String, Option<String>>,
    /// What the claims say that it reads, its program and settings left out.
    pub reads: Vec<PathClaim>,
    /// What the claims say that it writes.
    pub writes: Vec<PathClaim>,
    /// The claims are complete.
    pub described: bool,
    /// Where it stands in the RUN's script text; empty in exec form.
    pub span: Span,
}

impl Use {
    /// What an install fetches, in words that two installs of the same have in common: the tool, the folder and the
    /// options that choose packages. `None` for a tool that would fetch again all the same.
    #[must_use]
    pub fn installs(&self) -> Option<Vec<String>> {
        const OF_THE_PROJECT: &[&str] = &[
            "--no-root",
            "--no-install-project",
            "--no-install-workspace",
            "--no-scripts",
            "--no-autoloader",
            "-o",
            "-a",
            "--optimize-autoloader",
            "--classmap-authoritative",
            "--no-progress",
            "--no-interaction",
            "-n",
            "-q",
            "--quiet",
            "--no-editable",
            "--compile-bytecode",
            "--compile",
            "--no-ansi",
        ];
        if !matches!(self.fetches(), Some(("poetry" | "uv" | "composer", _))) {
            return None;
        }
        let mut words = vec![self.tool.clone(), self.dir.clone()?];
        let chosen = self.arguments.as_deref()?.iter();
        words.extend(
            chosen
                .filter(|a| !OF_THE_PROJECT.contains(&a.as_str()))
                .cloned(),
        );
        words[2..].sort();
        Some(words)
    }

    /// Whether it only looks after the tool's own files: its cache, its version.
    #[must_use]
    pub fn is_housekeeping(&self) -> bool {
        let arguments = self.arguments.as_deref().unwrap_or_default();
        let first = arguments.iter().find(|a| !a.starts_with('-'));
        let asks = |a: &String| matches!(a.as_str(), "--version" | "-V" | "--help");
        match (self.tool.as_str(), first.map(String::as_str)) {
            ("composer", Some("clear-cache" | "clearcache" | "cc")) => true,
            ("uv" | "poetry" | "npm" | "yarn" | "pip" | "pip3", Some("cache")) => true,
            (_, None) => arguments.first().is_some_and(asks),
            _ => false,
        }
    }

    /// Whether it fetches the project's dependencies, by the name of its tool; and whether it builds the project too.
    /// `None` for a use that does neither, or that is told not to fetch.
    #[must_use]
    pub fn fetches(&self) -> Option<(&'static str, bool)> {
        let arguments = self.arguments.as_deref().unwrap_or_default();
        let has = |word: &str| arguments.iter().any(|a| a == word);
        let operands: Vec<&str> = arguments
            .iter()
            .map(String::as_str)
            .filter(|a| !a.starts_with(['-', '+']))
            .collect();
        let first = operands.first().copied().unwrap_or_default();
        let any = |wanted: &[&str]| operands.iter().any(|o| wanted.contains(o));
        match self.tool.as_str() {
            "go" => {
                let flags = self.variables.get("GOFLAGS").cloned().flatten();
                let vendored =
                    has("-mod=vendor") || flags.is_some_and(|f| f.contains("-mod=vendor"));
                // `go install x@v` builds another project.
                let other = operands.iter().any(|o| o.contains('@'));
                match first {
                    "mod" | "get" => Some(("go", false)),
                    "build" | "install" | "test" | "generate" | "vet" | "run" => {
                        (!vendored && !other).then_some(("go", true))
                    }
                    _ => None,
                }
            }
            "cargo" => match first {
                "fetch" | "vendor" => Some(("cargo", false)),
                "build" | "test" | "check" | "run" | "rustc" | "b" => Some(("cargo", true)),
                "install" => has("--path").then_some(("cargo", true)),
                "chef" => any(&["cook"]).then_some(("cargo", true)),
                _ => None,
            },
            "mvn" => {
                let fetches = operands.iter().any(|o| o.starts_with("dependency:"));
                let builds = any(&["package", "install", "verify", "compile", "deploy", "test"]);
                (fetches || builds).then_some(("mvn", builds))
            }
            "gradle" => {
                let fetches = operands.iter().any(|o| o.ends_with("dependencies"));
                (fetches || !operands.is_empty()).then_some(("gradle", !fetches))
            }
            "dotnet" => match first {
                "restore" => Some(("dotnet", false)),
                "build" | "publish" | "test" | "pack" | "run" => {
                    (!has("--no-restore") && !has("--no-build")).then_some(("dotnet", true))
                }
                _ => None,
            },
            "poetry" => matches!(first, "install" | "sync")
                .then(|| ("poetry", !has("--no-root") && !has("--only-root"))),
            "uv" => {
                let apart = ["--no-install-project", "--no-install-workspace"];
                (first == "sync").then(|| ("uv", !apart.iter().any(|a| has(a))))
            }
            "composer" => {
                matches!(first, "install" | "i").then(|| ("composer", !has("--no-autoloader")))
            }
            "sbt" => (!operands.is_empty()).then_some(("sbt", !any(&["update"]))),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
