//! bundler and gem: the Gemfile, its lock file and what the Gemfile names.
//!
//! Goes in: a command of bundler. Comes out: the Gemfile and all files it reads, the folders of gems of the project, and
//! bundler's settings. Invariant: the Gemfile is a program; a line of it that may touch files and names none is a reason.

use super::shared::{self, Known, Words, assume, is_in, parent, read_upwards, subtree, variable};
use super::{Command, Found, Needs, Project, join, text};
use crate::footprint::PathClaim;

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

/// Most files that a Gemfile reads.
const MOST: usize = 64;

/// What looks at files in a way that no word of the line tells.
const OPAQUE: [&str; 10] = [
    "Dir[",
    "Dir.",
    "Dir ",
    "Pathname",
    "open(",
    "system(",
    "system ",
    "`",
    "%x",
    "ObjectSpace",
];

/// What looks at the files that the line names.
const LOOKS: [&str; 12] = [
    "File.",
    "File::",
    "IO.",
    "load ",
    "load(",
    "require_relative",
    "instance_eval",
    "eval ",
    "eval(",
    "eval_gemfile",
    "YAML.",
    "file:",
];

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

/// Reads the Gemfile and what it includes.
struct Reader<'a> {
    project: &'a dyn Project,
    /// The folder of the Gemfile.
    dir: &'a str,
    files: Vec<String>,
}

impl Reader<'_> {
    fn ruby(&mut self, path: &str, needs: &mut Needs) -> Result<(), String> {
        needs.reads.insert(PathClaim::exact(path));
        if self.files.iter().any(|f| f == path) {
            return Ok(());
        }
        self.files.push(path.to_owned());
        if self.files.len() > MOST {
            return Err("the Gemfile includes too many files".to_owned());
        }
        for line in text(self.project, path)?.lines() {
            let line = code(line);
            let wrong = |why: &str| Err(format!("{path}: {why} in `{}`", line.trim()));
            if line.trim_start().starts_with("plugin ") || line.contains("Bundler::Plugin") {
                return wrong("a plugin");
            }
            if OPAQUE.iter().any(|o| line.contains(o)) {
                return wrong("a look at files");
            }
            let literals = literals(&line);
            if names_path(&line) {
                self.local(&line, needs)?;
            } else if starts_statement(&line, "gemspec") {
                return wrong("the gemspec of the project");
            } else if line.contains("require ")
                && literals.iter().any(|l| l.starts_with(['.', '/']))
            {
                return wrong("a library of the project");
            } else if LOOKS.iter().any(|l| line.contains(l)) {
                self.looks(path, &line, &literals, needs)?;
            }
        }
        Ok(())
    }

    /// A gem that is a folder.
    fn local(&self, line: &str, needs: &mut Needs) -> Result<(), String> {
        let rest = line.split_once("path").map_or("", |(_, r)| r);
        let rest = rest.strip_prefix(['"', '\'']).unwrap_or(rest);
        let plain = rest.trim_start_matches([':', ' ', '=', '>', '(', '\t']);
        let folder = literals(plain).first().copied();
        match folder.filter(|f| plain.starts_with(['"', '\'']) && !f.contains("#{")) {
            Some(folder) => self.folder(folder, needs),
            None => Err(format!("the folder in `{}` is not known", line.trim())),
        }
    }

    fn folder(&self, path: &str, needs: &mut Needs) -> Result<(), String> {
        let place = join(self.dir, path);
        if is_in(self.dir, &place) {
            return Err(format!("{place} is a gem and the project"));
        }
        let files = self.project.below(&place);
        if files.is_empty() {
            return Err(format!("{place} is not in the build context"));
        }
        for file in files.iter().filter(|f| f.ends_with(".gemspec")) {
            let text = text(self.project, file)?;
            let own = literals(&text).into_iter().filter(|l| l.contains("../"));
            for place in own.flat_map(|l| [join(parent(file), l), join(file, l)]) {
                if self.project.is_file(&place) {
                    needs.reads.insert(PathClaim::exact(place));
                } else if is_in(self.dir, &place) {
                    return Err(format!("{file} looks above its folder"));
                }
            }
            if text.contains("git ") {
                shared::look_at_git(needs, parent(file), "a gemspec");
            }
        }
        needs.reads.insert(PathClaim::subtree(place));
        Ok(())
    }

    /// A line that reads the files it names.
    fn looks(
        &mut self,
        path: &str,
        line: &str,
        literals: &[&str],
        needs: &mut Needs,
    ) -> Result<(), String> {
        let mut named = false;
        for literal in literals {
            if literal.contains("#{") || literal.contains('*') {
                return Err(format!(
                    "{path}: the file in `{}` is not known",
                    line.trim()
                ));
            }
            let mut candidates = vec![join(parent(path), literal), join(self.dir, literal)];
            if literal.starts_with("..") {
                // As `File.expand_path` takes it, from the file itself.
                candidates.push(join(path, literal));
            }
            if line.contains("require_relative") {
                candidates = vec![join(parent(path), &format!("{literal}.rb"))];
                candidates.extend(Some(join(parent(path), literal)).filter(|p| p.ends_with(".rb")));
            }
            for place in candidates {
                if self.project.is_file(&place) {
                    let runs = ["eval", "require", "load"].iter().any(|r| line.contains(r));
                    match runs {
                        true => self.ruby(&place, needs)?,
                        false => {
                            needs.reads.insert(PathClaim::exact(place));
                        }
                    }
                    named = true;
                } else if !is_in(self.dir, &place) {
                    needs.reads.insert(match self.project.has_below(&place) {
                        true => PathClaim::subtree(place),
                        false => PathClaim::exact(place),
                    });
                    named |= line.contains("exist") || literal.starts_with('.');
                }
            }
        }
        match named {
            true => Ok(()),
            false => Err(format!(
                "{path}: the file in `{}` is not known",
                line.trim()
            )),
        }
    }

    /// Gems of the project that the lock file names.
    fn locked(&self, lock: &str, needs: &mut Needs) -> Result<(), String> {
        if !self.project.is_file(lock) {
            return Ok(());
        }
        let text = text(self.project, lock)?;
        let mut local = false;
        for line in text.lines() {
            if !line.starts_with(' ') {
                local = line.trim() == "PATH" || line.trim() == "PLUGIN SOURCE";
            } else if let Some(remote) = line.trim().strip_prefix("remote: ").filter(|_| local) {
                self.folder(remote, needs)?;
            }
        }
        Ok(())
    }
}

/// A line without its comment.
fn code(line: &str) -> String {
    let mut quote = None;
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(q), c) if q == c => quote = None,
            (None, '#') => return line[..at].to_owned(),
            _ => {}
        }
    }
    line.to_owned()
}

/// Texts in quotes.
fn literals(line: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut rest = line;
    while let Some(at) = rest.find(['"', '\'']) {
        let quote = &rest[at..=at];
        let inner = &rest[at + 1..];
        let Some(end) = inner.find(quote) else {
            break;
        };
        out.push(&inner[..end]);
        rest = &inner[end + 1..];
    }
    out
}

fn starts_statement(line: &str, word: &str) -> bool {
    let rest = line.trim_start().strip_prefix(word);
    rest.is_some_and(|r| r.is_empty() || r.starts_with([' ', '(', '\t']))
}

/// Whether a gem of a line is a folder, by `path`, `:path` or a git repository that is one.
fn names_path(line: &str) -> bool {
    let option = ["path:", ":path", "'path'", "\"path\""]
        .iter()
        .any(|p| line.contains(p));
    option || starts_statement(line, "path")
}

#[cfg(test)]
mod tests;
