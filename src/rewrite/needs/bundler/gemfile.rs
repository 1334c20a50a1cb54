//! The Gemfile, a program in Ruby: which files it names.
//!
//! Goes in: its text, line by line. Comes out: claims on the files and gems of the project that it names. Invariant: a
//! line that may touch files and names none is a reason.

use crate::footprint::PathClaim;
use crate::rewrite::needs::shared::{self, is_in, parent};
use crate::rewrite::needs::{Needs, Project, join, text};

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

/// Parts of names: no file is looked at.
const NAMES: [&str; 4] = ["File.basename", "File.dirname", "File.extname", "File.join"];

/// Reads the Gemfile and what it includes.
pub(super) struct Reader<'a> {
    pub project: &'a dyn Project,
    /// The folder of the Gemfile.
    pub dir: &'a str,
    /// Files that were read.
    pub files: Vec<String>,
}

impl Reader<'_> {
    /// A file of Ruby that runs when the Gemfile is looked at.
    pub(super) fn ruby(&mut self, path: &str, needs: &mut Needs) -> Result<(), String> {
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
            } else if looks_at_files(&line) {
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
                shared::look_at_git(needs, parent(file));
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
    pub(super) fn locked(&self, lock: &str, needs: &mut Needs) -> Result<(), String> {
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

/// Whether a line reads files, or runs them.
fn looks_at_files(line: &str) -> bool {
    let mut rest = line.to_owned();
    // A name put together may be that of a file to read.
    let runs = ["load", "eval", "require"].iter().any(|r| line.contains(r));
    if !runs && NAMES.iter().any(|n| line.contains(n)) {
        for name in NAMES {
            rest = rest.replace(name, "");
        }
    }
    LOOKS.iter().any(|l| rest.contains(l))
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
