//! The packages that a build of go takes in: imports are followed from file to file.
//!
//! Goes in: the packages named and the modules of the project. Comes out: claims on their folders. Cost: every Go file
//! that takes part is read once. Invariant: files are taken whatever their build tags say; only tests are left out.

use super::modules::Modules;
use crate::footprint::PathClaim;
use crate::rewrite::needs::shared::{self, assume, direct, exact, is_in, name, parent};
use crate::rewrite::needs::{Needs, Project, join, text};
use std::collections::BTreeSet;

/// Most packages.
const MOST: usize = 4096;

/// Endings of files that go looks at beside its own.
const COMPILED: [&str; 19] = [
    "go", "c", "cc", "cpp", "cxx", "m", "h", "hh", "hpp", "hxx", "f", "F", "for", "f90", "s", "S",
    "sx", "swig", "syso",
];

/// Claims all packages that take part; the names that programs among the named ones may get.
pub(super) fn claim(
    dir: &str,
    named: &[&str],
    modules: &Modules,
    project: &dyn Project,
    needs: &mut Needs,
) -> Result<Vec<String>, String> {
    let top = &modules.all.first().ok_or("there is no module")?.dir;
    let mut walk = Walk {
        modules,
        project,
        seen: BTreeSet::new(),
        queue: Vec::new(),
        named: BTreeSet::new(),
        top,
    };
    let mut names = Vec::new();
    let here = ["."];
    for word in if named.is_empty() { &here[..] } else { named } {
        names.extend(walk.start(dir, word, needs)?);
    }
    while let Some(package) = walk.queue.pop() {
        walk.package(&package, needs)?;
    }
    modules.claim_vendored(needs);
    assume(
        needs,
        "packages of the module that are imported later lie in the folders that are copied",
    );
    Ok(names)
}

struct Walk<'a> {
    modules: &'a Modules,
    project: &'a dyn Project,
    seen: BTreeSet<String>,
    queue: Vec<String>,
    /// Folders that the command names.
    named: BTreeSet<String>,
    /// The folder of the module.
    top: &'a str,
}

impl Walk<'_> {
    /// A word of the command line; the names of what is built.
    fn start(&mut self, dir: &str, word: &str, needs: &mut Needs) -> Result<Vec<String>, String> {
        if let Some(start) = word.strip_suffix("...") {
            let above = self.resolve(dir, start.trim_end_matches('/'))?;
            if !(start.is_empty() || start.ends_with('/')) || is_in(self.top, &above) {
                return Err(format!("{word} may be the whole module"));
            }
            needs.reads.insert(PathClaim::subtree(&*above));
            let files = self.project.below(&above);
            let folders: BTreeSet<&str> = files
                .iter()
                .filter(|f| is_source(f))
                .map(|f| parent(f))
                .collect();
            self.named.insert(above);
            folders.iter().for_each(|f| self.push((*f).to_owned()));
            return Ok(folders.iter().map(|f| name(f).to_owned()).collect());
        }
        let (folder, own) = match word.strip_suffix(".go") {
            Some(bare) => (parent(&join(dir, word)).to_owned(), name(bare).to_owned()),
            None => {
                let folder = self.resolve(dir, word)?;
                let own = self.program(&folder);
                (folder, own)
            }
        };
        self.named.insert(folder.clone());
        self.push(folder);
        Ok(vec![own])
    }

    fn resolve(&self, dir: &str, word: &str) -> Result<String, String> {
        let found = match word.starts_with('.') || word.starts_with('/') {
            true => Some(join(dir, word)).filter(|f| self.modules.around(f).is_some()),
            false => self.modules.folder(word),
        };
        found.ok_or_else(|| format!("{word} is no package of the project"))
    }

    /// A program is named after the last part of its package's name that is no version.
    fn program(&self, folder: &str) -> String {
        let is_version = |n: &str| {
            n.strip_prefix('v')
                .is_some_and(|d| d.bytes().all(|b| b.is_ascii_digit()))
        };
        let module = self.modules.around(folder);
        let full = match module {
            Some(m) => format!(
                "{}/{}",
                m.names[0],
                folder.strip_prefix(m.dir.as_str()).unwrap_or("")
            ),
            None => folder.to_owned(),
        };
        let parts: Vec<&str> = full.split('/').filter(|p| !p.is_empty()).collect();
        let last = parts.iter().rfind(|p| !is_version(p)).or(parts.last());
        last.copied().unwrap_or("main").to_owned()
    }

    fn push(&mut self, folder: String) {
        if self.seen.insert(folder.clone()) {
            self.queue.push(folder);
        }
    }

    fn package(&mut self, dir: &str, needs: &mut Needs) -> Result<(), String> {
        if self.seen.len() > MOST {
            return Err("there are too many packages".to_owned());
        }
        let files = direct(self.project, dir);
        let sources: Vec<&String> = files.iter().filter(|f| is_source(f)).collect();
        if sources.is_empty() {
            return Err(format!("{dir} holds no Go file of the build context"));
        }
        let mut foreign = files.iter().any(|f| ["s", "S", "sx"].contains(&ending(f)));
        for file in &sources {
            let text = text(self.project, file)?;
            let found = File::of(&text).ok_or_else(|| format!("{file} is not understood"))?;
            for import in &found.imports {
                foreign |= *import == "C";
                if import.starts_with('.') {
                    return Err(format!("{file} imports by a path"));
                }
                if let Some(folder) = self.modules.folder(import) {
                    self.push(folder);
                }
            }
            for pattern in embedded(&text) {
                self.embed(dir, pattern, needs)
                    .map_err(|why| format!("{file} {why}"))?;
            }
        }
        if foreign && is_in(self.top, dir) {
            return Err(format!("{dir} itself holds sources of other compilers"));
        }
        if foreign {
            self.no_headers_elsewhere(&files)?;
        }
        self.take(dir, &files, needs);
        Ok(())
    }

    /// Claims the folder of a package.
    fn take(&self, dir: &str, files: &[String], needs: &mut Needs) {
        if is_in(self.top, dir) {
            let takes_part = |f: &&String| is_source(f) || COMPILED[1..].contains(&ending(f));
            let part = files
                .iter()
                .filter(|f| !f.ends_with("_test.go"))
                .filter(takes_part);
            needs.reads.extend(part.map(|f| PathClaim::exact(&**f)));
            needs.reads.insert(exact(dir, "default.pgo"));
            assume(
                needs,
                format!("no Go file is added to {dir} itself that the build needs"),
            );
            return;
        }
        // What is imported may lie beside it tomorrow, so its topmost folder is taken if that holds no named one.
        let mut wide = dir;
        while !is_in(self.top, parent(wide))
            && self.modules.around(dir).is_some_and(|m| m.dir == self.top)
        {
            wide = parent(wide);
        }
        if self.named.iter().any(|n| is_in(n, wide)) {
            wide = dir;
        }
        needs.reads.insert(PathClaim::subtree(wide));
    }

    /// `//go:embed`
    fn embed(&self, dir: &str, pattern: &str, needs: &mut Needs) -> Result<(), String> {
        let pattern = pattern.strip_prefix("all:").unwrap_or(pattern);
        let parts: Vec<&str> = pattern.split('/').collect();
        if parts.contains(&"..") || pattern.starts_with('/') {
            return Err("embeds by a path that is not understood".to_owned());
        }
        let globs = |p: &&str| p.contains(['*', '?', '[', '\\']);
        let fixed: Vec<&str> = parts.iter().copied().take_while(|p| !globs(p)).collect();
        let base = join(dir, &fixed.join("/"));
        if !is_in(self.top, &base) {
            let file = fixed.len() == parts.len() && self.project.is_file(&base);
            needs.reads.insert(if file {
                PathClaim::exact(base)
            } else {
                PathClaim::subtree(base)
            });
            return Ok(());
        }
        Err("embeds files of the module's own folder by a pattern".to_owned())
    }

    /// Headers and flags that leave the folder are not followed.
    fn no_headers_elsewhere(&self, files: &[String]) -> Result<(), String> {
        for file in files
            .iter()
            .filter(|f| COMPILED.contains(&ending(f)) && ending(f) != "syso")
        {
            let text = text(self.project, file)?;
            let elsewhere =
                |l: &str| (l.contains("#include") || l.contains("#cgo")) && l.contains("..");
            if text.lines().any(elsewhere) {
                return Err(format!("{file} includes files of another folder"));
            }
        }
        Ok(())
    }
}

fn ending(path: &str) -> &str {
    shared::name(path).rsplit_once('.').map_or("", |(_, e)| e)
}

fn is_source(path: &str) -> bool {
    path.ends_with(".go") && !path.ends_with("_test.go") && !name(path).starts_with(['_', '.'])
}

/// Patterns of `//go:embed` lines.
fn embedded(text: &str) -> Vec<&str> {
    let lines = text
        .lines()
        .filter_map(|l| l.trim().strip_prefix("//go:embed"));
    let rest = lines.filter(|l| l.starts_with([' ', '\t']));
    rest.flat_map(str::split_whitespace)
        .map(|w| w.trim_matches(['"', '`']))
        .collect()
}

/// The head of a Go file.
struct File<'a> {
    imports: Vec<&'a str>,
}

impl<'a> File<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let mut tokens = Tokens(text.strip_prefix('\u{feff}').unwrap_or(text));
        let mut imports = Vec::new();
        if tokens.next()? != "package" {
            return None;
        }
        tokens.next()?;
        let mut token = tokens.next();
        loop {
            match token {
                Some(";") => {}
                Some("import") => {
                    let mut next = tokens.next()?;
                    if next == "(" {
                        while next != ")" {
                            imports.extend(quoted(next));
                            next = tokens.next()?;
                        }
                    } else {
                        if quoted(next).is_none() {
                            next = tokens.next()?;
                        }
                        imports.push(quoted(next)?);
                    }
                }
                _ => return Some(Self { imports }),
            }
            token = tokens.next();
        }
    }
}

fn quoted(token: &str) -> Option<&str> {
    let inner = token.strip_prefix(['"', '`'])?;
    inner.strip_suffix(['"', '`'])
}

/// Words of a Go file without its comments, as far as imports go.
struct Tokens<'a>(&'a str);

impl<'a> Tokens<'a> {
    fn next(&mut self) -> Option<&'a str> {
        loop {
            self.0 = self.0.trim_start();
            if self.0.starts_with("//") {
                self.0 = self.0.split_once('\n').map_or("", |(_, rest)| rest);
            } else if self.0.starts_with("/*") {
                self.0 = self.0.split_once("*/").map_or("", |(_, rest)| rest);
            } else {
                break;
            }
        }
        let first = self.0.chars().next()?;
        let end = match first {
            '"' | '`' => self.0[1..].find(first)? + 2,
            '(' | ')' | ';' => 1,
            _ => {
                let ends =
                    |c: char| c.is_whitespace() || matches!(c, '(' | ')' | ';' | '"' | '`' | '/');
                let at = self.0.find(ends).unwrap_or(self.0.len());
                at.max(first.len_utf8())
            }
        };
        let (token, rest) = self.0.split_at(end);
        self.0 = rest;
        Some(token)
    }
}
