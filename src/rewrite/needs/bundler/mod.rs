//! bundler and gem: the Gemfile, its lock file and what the Gemfile names.
//!
//! Goes in: a command of bundler. Comes out: the Gemfile and all files it reads, the folders of gems of the project, and
//! bundler's settings. Invariant: the Gemfile is a program; a line of it that may touch files and names none is a reason.

mod gemfile;

use super::shared::{self, Known, Words, assume, is_in, parent, read_upwards, subtree, variable};
use super::{Command, Found, Needs, Project, join, text};
use crate::footprint::PathClaim;
use gemfile::Reader;

const BUNDLE: Known = Known {
    valued: &[
        "-j",
        "--jobs",
        "--retry",
        "--without",
        "--with",
        "--path",
        "--gemfile",
        "--trust-policy",
    ],
    flags: &[
        "--deployment",
        "--frozen",
        "--local",
        "--quiet",
        "--system",
        "--no-cache",
        "--full-index",
        "--clean",
        "--prefer-local",
        "--no-prune",
        "--redownload",
        "--force",
        "--verbose",
        "--no-color",
        "-V",
        "--global",
        "--version",
        "--delete",
        "--conservative",
    ],
    starts: &[],
};

const GEM: Known = Known {
    valued: &[
        "-v",
        "--version",
        "-i",
        "--install-dir",
        "-n",
        "--bindir",
        "--source",
        "--platform",
    ],
    flags: &[
        "-N",
        "--no-document",
        "--no-ri",
        "--no-rdoc",
        "--force",
        "-f",
        "--conservative",
        "--user-install",
        "-q",
        "--no-verbose",
        "--quiet",
        "--silent",
        "--system",
        "--verbose",
        "--pre",
        "--prerelease",
        "--env-shebang",
        "--minimal-deps",
        "-a",
        "-x",
        "-E",
        "--all",
        "--executables",
        "--ignore-dependencies",
        "-V",
    ],
    starts: &[],
};

/// What bundler needs.
pub(super) fn needs(command: &Command<'_>, project: &dyn Project) -> Found {
    let words = Words::of(command.arguments, &BUNDLE)?;
    let mut needs = Needs::default();
    match words.operands.as_slice() {
        [] if words.has(&["--version"]) => return Ok(needs),
        ["config", ..] => {
            read_upwards(&mut needs.reads, command.dir, &["Gemfile", "gems.rb"]);
            places(command.dir, &mut needs);
            return Ok(needs);
        }
        // `--without a b` takes more than one name.
        ["install", ..] if words.has(&["--without", "--with"]) => {}
        [] | ["install" | "check" | "clean"] => {}
        other => {
            return Err(format!(
                "what `bundle {}` reads is not known",
                other.join(" ")
            ));
        }
    }
    let gemfile = gemfile(command, &words, project)?;
    let dir = parent(&gemfile).to_owned();
    let lock = match shared::name(&gemfile) {
        "gems.rb" => join(&dir, "gems.locked"),
        _ => format!("{gemfile}.lock"),
    };
    read_upwards(
        &mut needs.reads,
        &dir,
        &["Gemfile", "gems.rb", ".ruby-version", ".tool-versions"],
    );
    read_upwards(
        &mut needs.reads,
        command.dir,
        &["Gemfile", "gems.rb", ".ruby-version", ".tool-versions"],
    );
    let mut reader = Reader {
        project,
        dir: &dir,
        files: Vec::new(),
    };
    reader.ruby(&gemfile, &mut needs)?;
    reader.locked(&lock, &mut needs)?;
    needs.reads.insert(PathClaim::exact(&*lock));
    needs.writes.insert(PathClaim::exact(lock));
    for top in [dir.as_str(), command.dir] {
        places(top, &mut needs);
        settings(top, project, &mut needs)?;
        needs.reads.insert(subtree(top, "vendor/cache"));
        needs.writes.insert(subtree(top, "vendor/bundle"));
        needs.writes.insert(subtree(top, "vendor/cache"));
        if project.has_below(&join(top, "vendor/bundle")) {
            return Err(format!("{top}/vendor/bundle is in the build context"));
        }
    }
    for place in [words.value(&["--path"]), variable(command, "BUNDLE_PATH")?] {
        needs.writes.extend(place.map(|p| subtree(command.dir, p)));
    }
    if let Some(place) = variable(command, "BUNDLE_CACHE_PATH")? {
        needs.reads.insert(subtree(command.dir, place));
        needs.writes.insert(subtree(command.dir, place));
    }
    if command
        .variables
        .keys()
        .any(|n| n.starts_with("BUNDLE_LOCAL__"))
    {
        return Err("a variable names a local gem".to_owned());
    }
    if variable(command, "BUNDLE_APP_CONFIG")?
        .is_some_and(|p| is_in(&join(command.dir, p), command.dir))
    {
        return Err("BUNDLE_APP_CONFIG is a folder of the project".to_owned());
    }
    assume(
        &mut needs,
        "bundler leaves Gemfile.lock as it is: it is up to date",
    );
    assume(
        &mut needs,
        "the Gemfile and extensions that gems build look at no file of the project that is not named in it",
    );
    shared::prune(&mut needs.reads);
    shared::prune(&mut needs.writes);
    Ok(needs)
}

/// What gem needs: nothing, unless it is told to look at a file.
pub(super) fn gem(command: &Command<'_>) -> Found {
    let words = Words::of(command.arguments, &GEM)?;
    let is_file = |n: &&str| n.ends_with(".gem") || n.contains('/') || n.starts_with('.');
    match words.operands.as_slice() {
        ["install", names @ ..] if !names.is_empty() && !names.iter().any(is_file) => {}
        [
            "update" | "cleanup" | "uninstall" | "list" | "env" | "environment" | "sources",
            ..,
        ] => {}
        [] if words.has(&["--version"]) => {}
        other => return Err(format!("what `gem {}` reads is not known", other.join(" "))),
    }
    let mut needs = Needs::default();
    read_upwards(
        &mut needs.reads,
        command.dir,
        &[".ruby-version", ".tool-versions"],
    );
    Ok(needs)
}

fn gemfile(
    command: &Command<'_>,
    words: &Words<'_>,
    project: &dyn Project,
) -> Result<String, String> {
    let named = words
        .value(&["--gemfile"])
        .or(variable(command, "BUNDLE_GEMFILE")?);
    if let Some(file) = named {
        return Ok(join(command.dir, file));
    }
    for dir in shared::upwards(command.dir) {
        // gems.rb comes first.
        let places = ["gems.rb", "Gemfile"].map(|f| join(dir, f));
        if let Some(found) = places.into_iter().find(|p| project.is_file(p)) {
            return Ok(found);
        }
    }
    Err(format!("there is no Gemfile in {} or above", command.dir))
}

/// Bundler's own folder.
fn places(dir: &str, needs: &mut Needs) {
    needs.reads.insert(subtree(dir, ".bundle"));
    needs.writes.insert(subtree(dir, ".bundle"));
}

/// `.bundle/config`
fn settings(dir: &str, project: &dyn Project, needs: &mut Needs) -> Result<(), String> {
    let path = join(dir, ".bundle/config");
    if !project.is_file(&path) {
        return Ok(());
    }
    for line in text(project, &path)?.lines() {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.trim().trim_matches(['"', '\'']);
        match name.trim() {
            "BUNDLE_PATH" if !value.is_empty() => {
                needs.writes.insert(subtree(dir, value));
            }
            "BUNDLE_GEMFILE" | "BUNDLE_CACHE_PATH" | "BUNDLE_BIN" => {
                return Err(format!("{path} sets {name}"));
            }
            name if name.starts_with("BUNDLE_LOCAL__") => {
                return Err(format!("{path} names a local gem"));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
