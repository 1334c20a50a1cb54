//! go: `go.mod`, `go.sum` and `go.work` for what is fetched; for a build the packages that the named ones import.
//!
//! Goes in: a command of go. Comes out: its manifests, and the folder of every package of the project that takes part,
//! whatever its build tags say. Invariant: a folder that is copied is copied whole, so that files added to it later
//! take part; only the folder of the module itself, which holds everything, is taken file by file.

mod modules;
mod packages;

use super::shared::{self, Known, Words, assume, exact, read_upwards, subtree, variable};
use super::{Command, Found, Needs, Project, join};
use crate::footprint::PathClaim;
use modules::Modules;

const OPTIONS: Known = Known {
    valued: &[
        "-C",
        "-o",
        "-p",
        "-asmflags",
        "-buildmode",
        "-compiler",
        "-covermode",
        "-coverpkg",
        "-gccgoflags",
        "-gcflags",
        "-installsuffix",
        "-ldflags",
        "-mod",
        "-tags",
        "-pgo",
    ],
    flags: &[
        "-a",
        "-n",
        "-race",
        "-msan",
        "-asan",
        "-cover",
        "-v",
        "-x",
        "-i",
        "-trimpath",
        "-linkshared",
        "-buildvcs",
        "-json",
        "-modcacherw",
        "-cache",
        "-modcache",
        "-testcache",
        "-w",
        "-u",
    ],
    starts: &[],
};

const MANIFESTS: [&str; 4] = ["go.mod", "go.sum", "go.work", "go.work.sum"];

/// What go needs.
pub(super) fn needs(command: &Command<'_>, project: &dyn Project) -> Found {
    let arguments: Vec<String> = command.arguments.iter().map(|a| one_dash(a)).collect();
    let mut words = Words::of(&arguments, &OPTIONS)?;
    // Programs of the project may follow; their words are none of go's.
    let operands = std::mem::take(&mut words.operands);
    let settings = Settings::of(command, &words)?;
    let dir = words
        .value(&["-C"])
        .map_or_else(|| command.dir.to_owned(), |c| join(command.dir, c));
    let mut needs = Needs::default();
    // Which release of go runs is for these to say, whatever it is asked.
    read_upwards(&mut needs.reads, &dir, &MANIFESTS);
    match operands.as_slice() {
        ["version" | "env" | "clean", ..] if !words.has(&["-i"]) => {}
        ["mod", "download" | "verify" | "graph", ..] => {
            Modules::of(&dir, &settings, project)?.claim(&mut needs);
            sums(&mut needs, &dir, &settings);
        }
        ["install", named @ ..] if !named.is_empty() && named.iter().all(|n| n.contains('@')) => {}
        ["build" | "install", named @ ..] => {
            let modules = Modules::of(&dir, &settings, project)?;
            modules.claim(&mut needs);
            sums(&mut needs, &dir, &settings);
            let build = Build {
                dir: &dir,
                words: &words,
                settings: &settings,
                modules: &modules,
            };
            build.claim(operands[0] == "build", named, project, &mut needs)?;
        }
        _ => {
            return Err(format!(
                "what `go {}` reads is not known",
                operands.join(" ")
            ));
        }
    }
    own_places(command, &mut needs)?;
    shared::prune(&mut needs.reads);
    Ok(needs)
}

/// go takes its options with one dash or two.
fn one_dash(word: &str) -> String {
    match word.strip_prefix("--") {
        Some(rest) if !rest.is_empty() => format!("-{rest}"),
        _ => word.to_owned(),
    }
}

/// What options and variables say about modules.
struct Settings {
    /// `go.work` is not looked at.
    no_workspace: bool,
    /// No version is taken from git.
    unstamped: bool,
    /// go.mod is brought up to date.
    changes: bool,
}

impl Settings {
    fn of(command: &Command<'_>, words: &Words<'_>) -> Result<Self, String> {
        let mut unstamped = false;
        let mut changes = words.value(&["-mod"]) == Some("mod");
        for flag in variable(command, "GOFLAGS")?
            .unwrap_or("")
            .split_whitespace()
        {
            match one_dash(flag).as_str() {
                "-buildvcs=false" => unstamped = true,
                "-mod=mod" => changes = true,
                "-trimpath" | "-modcacherw" | "-v" | "-x" | "-a" | "-race" => {}
                f if ["-mod=", "-tags=", "-p=", "-buildvcs=", "-ldflags="]
                    .iter()
                    .any(|s| f.starts_with(s)) => {}
                _ => return Err(format!("GOFLAGS has {flag}")),
            }
        }
        if let Some(value) = words.options.iter().rfind(|(n, _)| *n == "-buildvcs") {
            unstamped = value.1 == Some("false");
        }
        if variable(command, "GO111MODULE")?.is_some_and(|v| !matches!(v, "on" | "auto")) {
            return Err("GO111MODULE switches modules off".to_owned());
        }
        let no_workspace = match variable(command, "GOWORK")? {
            None => false,
            Some("off") => true,
            Some(_) => return Err("GOWORK names a file".to_owned()),
        };
        Ok(Self {
            no_workspace,
            unstamped,
            changes,
        })
    }
}

/// go before 1.16 adds to go.sum what is missing, as all releases do with `-mod=mod`.
fn sums(needs: &mut Needs, dir: &str, settings: &Settings) {
    for above in shared::upwards(dir) {
        let all = if settings.changes {
            &MANIFESTS[..]
        } else {
            &["go.sum", "go.work.sum"]
        };
        for file in all {
            needs.writes.insert(exact(above, file));
        }
    }
    assume(
        needs,
        "go leaves go.mod and go.sum as they are: they are up to date",
    );
}

/// Projects that lie in GOPATH have go's own places beside them.
fn own_places(command: &Command<'_>, needs: &mut Needs) -> Result<(), String> {
    let path = variable(command, "GOPATH")?.unwrap_or("/go");
    for root in path
        .split(':')
        .filter(|r| r.starts_with('/') && shared::is_in(command.dir, r))
    {
        for own in ["pkg", "bin"] {
            needs.reads.insert(subtree(root, own));
            needs.writes.insert(subtree(root, own));
        }
    }
    Ok(())
}

struct Build<'a> {
    dir: &'a str,
    words: &'a Words<'a>,
    settings: &'a Settings,
    modules: &'a Modules,
}

impl Build<'_> {
    fn claim(
        &self,
        keeps: bool,
        named: &[&str],
        project: &dyn Project,
        needs: &mut Needs,
    ) -> Result<(), String> {
        let main = packages::claim(self.dir, named, self.modules, project, needs)?;
        if let Some(profile) = self
            .words
            .value(&["-pgo"])
            .filter(|p| !matches!(*p, "auto" | "off"))
        {
            needs.reads.insert(exact(self.dir, profile));
        }
        if !self.settings.unstamped {
            shared::look_at_git(needs, self.dir);
        }
        let Some(output) = self.words.value(&["-o"]) else {
            // A program is named after its folder or module; several packages leave nothing.
            if keeps {
                needs
                    .writes
                    .extend(main.iter().map(|name| exact(self.dir, name)));
            }
            return Ok(());
        };
        let place = join(self.dir, output);
        let holds = |c: &PathClaim| shared::is_in(&c.path, &place);
        if shared::is_in(self.dir, &place) || needs.reads.iter().any(holds) {
            needs
                .writes
                .extend(main.iter().map(|name| exact(&place, name)));
        } else {
            needs.writes.insert(PathClaim::subtree(place));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
