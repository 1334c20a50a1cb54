//! What lies outside of the packages that a build is made of, and is named in them.
//!
//! Goes in: folders of packages, and the scripts that run. Comes out: claims on everything they name, and on what that
//! names in turn. Costs one look at every text, which are kept. Invariant: a folder is read as a whole or not at all; where
//! a path may mean a folder that packages lie in, all of that is read.

use super::super::node::Package;
use super::super::{Project, above, join, shared};
use super::facts::{self, Facts, MAX_TEXT};
use super::names::{GIT_PACKAGES, UNDERSTOOD, before_star, is_settings, is_test};
use super::workspace::Workspace;
use crate::rewrite::mention;
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;

/// Most texts that are looked into.
const MOST_FILES: usize = 20_000;
/// Most files of settings that others name.
const MOST_SETTINGS: usize = 2_000;

/// What is found.
pub(super) struct Scan<'a> {
    pub(super) ws: &'a Workspace,
    pub(super) project: &'a dyn Project,
    /// All files, sorted.
    pub(super) all: Vec<String>,
    /// Folders that are read as a whole.
    pub units: BTreeSet<String>,
    /// Single files.
    pub files: BTreeSet<String>,
    /// Packages among the units.
    pub packages: BTreeSet<usize>,
    /// The repository is asked.
    pub git: bool,
    queue: VecDeque<String>,
    seen: BTreeSet<String>,
    /// Scripts that nothing starts.
    idle: BTreeSet<String>,
    settings: usize,
}

impl<'a> Scan<'a> {
    /// Nothing yet.
    pub(super) fn new(ws: &'a Workspace, project: &'a dyn Project) -> Self {
        let mut all = project.below("/");
        all.sort();
        Self {
            ws,
            project,
            all,
            units: BTreeSet::new(),
            files: BTreeSet::new(),
            packages: BTreeSet::new(),
            git: false,
            queue: VecDeque::new(),
            seen: BTreeSet::new(),
            idle: BTreeSet::new(),
            settings: 0,
        }
    }

    /// Takes packages, with those that they ask for.
    ///
    /// # Errors
    /// One is not understood.
    pub(super) fn take(&mut self, packages: impl IntoIterator<Item = usize>) -> Result<(), String> {
        for at in self.ws.closure(packages)? {
            if self.packages.insert(at) {
                self.find_idle(at);
                self.folder(self.ws.packages[at].dir.clone());
            }
        }
        Ok(())
    }

    /// Scripts of a package that only its manifest names: none of its files loads them.
    fn find_idle(&mut self, at: usize) {
        let package = &self.ws.packages[at];
        let Some(scripts) = package.json.get("scripts").and_then(|s| s.as_object()) else {
            return;
        };
        let texts = scripts.values().filter_map(|s| s.as_str());
        let words = texts.flat_map(|t| facts::words(t.as_bytes(), true));
        let mut named: BTreeSet<String> = words.map(|w| join(&package.dir, &w)).collect();
        named.retain(|p| self.is_file(p) && !is_settings(p));
        if named.is_empty() {
            return;
        }
        for path in self.below(&package.dir) {
            if named.is_empty() || is_test(path) || !mention::is_looked_into(path) {
                continue;
            }
            let Some(facts) = self.project.facts(path) else {
                continue;
            };
            for word in facts.beside.iter().chain(&facts.climbs) {
                let last = shared::name(word);
                named.retain(|p| {
                    let name = shared::name(p);
                    let stem = name.split('.').next().unwrap_or(name);
                    p == path || last.split('.').next() != Some(stem)
                });
            }
        }
        self.idle.extend(named);
    }

    /// Takes a folder as a whole.
    pub(super) fn folder(&mut self, dir: String) {
        if !self.is_read(&dir) {
            self.units.retain(|u| !shared::is_in(u, &dir));
            self.units.insert(dir.clone());
            self.queue.push_back(dir);
        }
    }

    /// Takes a file.
    pub(super) fn file(&mut self, path: &str) {
        if !self.is_read(path) && self.files.insert(path.to_owned()) {
            self.queue.push_back(path.to_owned());
        }
    }

    pub(super) fn is_read(&self, path: &str) -> bool {
        self.files.contains(path)
            || std::iter::once(path)
                .chain(above(path))
                .any(|d| self.units.contains(d))
    }

    /// Looks into everything that is read until nothing new is named.
    ///
    /// # Errors
    /// There is too much, or something is not understood.
    pub(super) fn run(
        &mut self,
        texts: &BTreeSet<(String, String)>,
        started: &BTreeSet<String>,
    ) -> Result<(), String> {
        for (dir, text) in texts {
            self.git |= facts::asks_git(text.as_bytes());
            self.commands(dir, text)?;
        }
        for path in started {
            self.file(path);
            self.settings(path, true)?;
        }
        while let Some(place) = self.queue.pop_front() {
            let listed: Vec<String> = match self.is_file(&place) {
                true => vec![place.clone()],
                false => self.below(&place).to_vec(),
            };
            for path in listed {
                self.text(&path, started)?;
            }
        }
        let asks = |p: &&Package| p.asks_for(|n| GIT_PACKAGES.contains(&n));
        self.git |= self
            .packages
            .iter()
            .filter_map(|p| self.ws.packages.get(*p))
            .any(|p| asks(&p));
        Ok(())
    }

    pub(super) fn below(&self, dir: &str) -> &[String] {
        let start = format!("{}/", dir.trim_end_matches('/'));
        let from = self.all.partition_point(|p| **p < *start);
        let rest = &self.all[from..];
        &rest[..rest.partition_point(|p| p.starts_with(&start))]
    }

    pub(super) fn is_file(&self, path: &str) -> bool {
        self.all.binary_search_by(|p| p.as_str().cmp(path)).is_ok()
    }

    /// One text of what is read.
    fn text(&mut self, path: &str, started: &BTreeSet<String>) -> Result<(), String> {
        let text = mention::is_looked_into(path) || path.ends_with(".mdx");
        if !text || self.project.is_link(path) || !self.seen.insert(path.to_owned()) {
            return Ok(());
        }
        if self.seen.len() > MOST_FILES {
            return Err("the packages have too many files to be looked into".to_owned());
        }
        let name = shared::name(path);
        if self.ws.at(shared::parent(path)).is_some() && UNDERSTOOD.contains(&name) {
            return Ok(());
        }
        let facts = match name {
            "package.json" => self.manifest(path),
            _ => self.project.facts(path),
        };
        let facts = facts
            .ok_or_else(|| format!("{path} cannot be read or is larger than {MAX_TEXT} bytes"))?;
        let folder = shared::parent(path).to_owned();
        let own = self
            .ws
            .around(&folder)
            .map(|at| self.ws.packages[at].dir.clone());
        let tells = is_settings(path) || started.contains(path);
        let mut bases = vec![folder];
        bases.extend(own.filter(|o| tells && *o != bases[0]));
        // Folders that packages lie in, and that are meant without what is in them.
        let mut around: BTreeSet<String> = BTreeSet::new();
        // What a test opens it opens when it is run, and so does a script that nobody starts.
        let asleep = is_test(path) || (self.idle.contains(path) && !started.contains(path));
        let climbs = match asleep {
            true => &facts.imports,
            false => &facts.climbs,
        };
        for climb in climbs {
            for base in &bases {
                if let Some(level) = self.climb(base, climb)? {
                    around.insert(level);
                }
            }
        }
        if facts.wanders && !asleep {
            around.extend(self.around_of(path));
        }
        for name in &facts.packages {
            self.package(name)?;
        }
        if !around.is_empty() {
            let bytes = self.project.read(path).unwrap_or_default();
            for word in facts::words(&bytes, false) {
                for level in &around {
                    let place = join(level, before_star(&word));
                    // Only settings and scripts go through all packages.
                    if tells || !self.units.iter().any(|u| shared::is_in(u, &place)) {
                        self.word(level, &word)?;
                    }
                }
            }
        }
        match tells {
            true => self.settings(path, started.contains(path)),
            false => Ok(()),
        }
    }

    /// A manifest without what is understood of it: who is asked for is known, and which of its scripts run.
    fn manifest(&self, path: &str) -> Option<Rc<Facts>> {
        let known = self
            .ws
            .at(shared::parent(path))
            .and_then(|at| self.ws.packages.get(at));
        let Some(serde_json::Value::Object(mut json)) = known.map(|p| p.json.clone()) else {
            return self.project.facts(path);
        };
        const KNOWN: [&str; 17] = [
            "scripts",
            "dependencies",
            "devDependencies",
            "peerDependencies",
            "optionalDependencies",
            "resolutions",
            "overrides",
            "pnpm",
            "workspaces",
            "files",
            "repository",
            "jest",
            "name",
            "lint-staged",
            "bin",
            "directories",
            "man",
        ];
        json.retain(|key, _| !KNOWN.contains(&key.as_str()));
        Facts::of(serde_json::Value::Object(json).to_string().as_bytes()).map(Rc::new)
    }

    /// Folders above a file up to the top.
    fn around_of(&self, path: &str) -> Vec<String> {
        let top = self.ws.top();
        let mut out: Vec<String> = above(path)
            .filter(|d| shared::is_in(d, top))
            .map(str::to_owned)
            .collect();
        out.retain(|d| !self.is_read(d));
        out
    }

    /// A file of settings, or a script: it may name folders of the top, and load files beside it that do.
    fn settings(&mut self, path: &str, script: bool) -> Result<(), String> {
        self.settings += 1;
        if self.settings > MOST_SETTINGS {
            return Err("there are too many files of settings".to_owned());
        }
        let Some(bytes) = self.project.read(path).filter(|b| b.len() <= MAX_TEXT) else {
            return Ok(());
        };
        self.git |= facts::asks_git(&bytes);
        let folder = shared::parent(path).to_owned();
        let own = self
            .ws
            .around(&folder)
            .map_or("/", |at| &self.ws.packages[at].dir)
            .to_owned();
        let top = self.ws.top().to_owned();
        let plain = script && !path.ends_with("js") && !path.ends_with("ts");
        for word in facts::words(
            &bytes,
            plain || mention::is_script(path) && path.ends_with("sh"),
        ) {
            let beside = [&folder, &own]
                .into_iter()
                .any(|d| *d != top && self.exists(&join(d, before_star(&word))));
            if !beside {
                self.word(&top, &word)?;
            }
        }
        let Some(facts) = self.project.facts(path) else {
            return Ok(());
        };
        // What it loads is settings too.
        for name in facts.beside.iter().chain(&facts.climbs) {
            let place = join(&folder, name);
            let found = ["", ".js", ".ts", ".mjs", ".cjs", ".mts", ".json"]
                .iter()
                .map(|e| format!("{place}{e}"));
            let loads = |p: &String| {
                let data = p.ends_with(".json") && !is_settings(p);
                self.is_file(p) && mention::is_looked_into(p) && !data
            };
            let found: Vec<String> = found.filter(loads).collect();
            for file in found {
                if self.seen.insert(format!("settings {file}")) {
                    self.file(&file);
                    self.settings(&file, false)?;
                }
            }
        }
        Ok(())
    }

    /// The text of commands that run in a folder.
    fn commands(&mut self, dir: &str, text: &str) -> Result<(), String> {
        let facts = Facts::of(text.as_bytes()).ok_or("a script is too large")?;
        for climb in &facts.climbs {
            if let Some(level) = self.climb(dir, climb)? {
                for word in facts::words(text.as_bytes(), true) {
                    self.word(&level, &word)?;
                }
            }
        }
        for word in facts::words(text.as_bytes(), true) {
            let place = join(dir, before_star(&word));
            if self.exists(&place) {
                self.place(&place, word.contains('*'))?;
            }
        }
        Ok(())
    }

    pub(super) fn exists(&self, path: &str) -> bool {
        self.is_file(path) || !self.below(path).is_empty()
    }
}
