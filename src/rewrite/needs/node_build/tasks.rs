//! Which scripts of which packages a command runs, one script from another.
//!
//! Goes in: a command line and the workspace. Comes out: [`Tasks`], the packages whose scripts run, their texts and the
//! files they start. Bounded in depth and in commands. Invariant: a program that is not known, or that looks at a
//! workspace as a whole, is a reason.

use super::super::{Project, join, shared};
use super::calls::{self, Call, Place};
use super::facts;
use super::programs::{self, Sort};
use super::turbo;
use super::workspace::Workspace;
use crate::shell::{self, CommandKind, Simple};
use std::collections::{BTreeMap, BTreeSet};

/// Scripts that start each other.
const DEEPEST: usize = 16;
/// Commands that are looked at.
const MOST: usize = 4_000;

/// What runs.
pub(super) struct Tasks<'a> {
    /// The workspace.
    pub ws: &'a Workspace,
    /// The files.
    pub project: &'a dyn Project,
    /// Packages in which some script runs.
    pub running: BTreeSet<usize>,
    /// Packages in which a program runs that may look at all of the package.
    pub working: BTreeSet<usize>,
    /// Texts of scripts, each with the folder it runs in.
    pub texts: BTreeSet<(String, String)>,
    /// Files that are started.
    pub files: BTreeSet<String>,
    /// Git is asked.
    pub git: bool,
    /// Names of programs, for a sentence.
    pub programs: BTreeSet<String>,
    pub(super) seen: BTreeSet<(usize, String)>,
    steps: usize,
}

impl<'a> Tasks<'a> {
    /// Nothing yet.
    pub(super) fn new(ws: &'a Workspace, project: &'a dyn Project) -> Self {
        Self {
            ws,
            project,
            running: BTreeSet::new(),
            working: BTreeSet::new(),
            texts: BTreeSet::new(),
            files: BTreeSet::new(),
            git: false,
            programs: BTreeSet::new(),
            seen: BTreeSet::new(),
            steps: 0,
        }
    }

    /// A command of a package manager.
    ///
    /// # Errors
    /// What it runs is not known.
    pub(super) fn call(&mut self, call: &Call, depth: usize) -> Result<(), String> {
        if self.project.is_file(&join(self.ws.top(), "nx.json")) && call.name == "nx" {
            return Err("nx looks at the whole project".to_owned());
        }
        let own = self.ws.around(&call.dir);
        let places: Vec<usize> = match &call.place {
            Place::Here => own.into_iter().collect(),
            Place::Top => vec![0],
            Place::All => (0..self.ws.packages.len()).collect(),
            Place::Chosen(list) => turbo::chosen(self.ws, list, &call.dir)?,
        };
        if places.is_empty() {
            return Err(format!("{} belongs to no package", call.dir));
        }
        let mut found = false;
        for at in places {
            let has = self.ws.packages[at].script(&call.name).is_some();
            found |= has;
            let dir = self.ws.packages[at].dir.clone();
            if has && !call.program {
                self.script(at, &call.name, &call.arguments, depth)?;
            } else if call.program || (!call.lenient && call.place == Place::Here) {
                found = true;
                let mut argv = vec![call.name.clone()];
                argv.extend(call.arguments.iter().cloned());
                let dir = if call.place == Place::Here {
                    call.dir.clone()
                } else {
                    dir
                };
                self.program(at, &argv, &dir, depth)?;
            }
        }
        match found || call.lenient {
            true => Ok(()),
            false => Err(format!("there is no script {}", call.name)),
        }
    }

    /// A script of a package by its name, with those before and after it.
    ///
    /// # Errors
    /// As above.
    pub(super) fn script(
        &mut self,
        at: usize,
        name: &str,
        arguments: &[String],
        depth: usize,
    ) -> Result<(), String> {
        if depth > DEEPEST {
            return Err("scripts start each other too often".to_owned());
        }
        self.running.insert(at);
        let package = &self.ws.packages[at];
        let quoted = |a: &String| format!(" '{}'", a.replace('\'', "'\\''"));
        let more: String = arguments.iter().map(quoted).collect();
        for event in [format!("pre{name}"), name.to_owned(), format!("post{name}")] {
            let Some(text) = package.script(&event) else {
                continue;
            };
            let own = event == name;
            let text = if own {
                format!("{text}{more}")
            } else {
                text.to_owned()
            };
            if self.seen.insert((at, text.clone())) {
                self.text(at, &text, &package.dir, depth + 1)
                    .map_err(|why| format!("script {event} of {}: {why}", package.path()))?;
            }
        }
        Ok(())
    }

    /// Commands as a shell would run them in a folder.
    pub(super) fn text(
        &mut self,
        at: usize,
        text: &str,
        dir: &str,
        depth: usize,
    ) -> Result<(), String> {
        if depth > DEEPEST {
            return Err("scripts start each other too often".to_owned());
        }
        self.texts.insert((dir.to_owned(), text.to_owned()));
        let script = shell::parse(text);
        if script.has_unknown() {
            return Err("it is not understood".to_owned());
        }
        let mut commands: Vec<(u32, Simple)> = Vec::new();
        let mut functions: BTreeSet<String> = BTreeSet::new();
        script.visit(&mut |c| match &c.kind {
            CommandKind::Simple(simple) => commands.push((c.span.start, simple.clone())),
            CommandKind::Function { name, .. } => drop(functions.insert(name.clone())),
            _ => {}
        });
        commands.sort_by_key(|(start, _)| *start);
        let mut dir = dir.to_owned();
        for (_, simple) in commands {
            self.steps += 1;
            if self.steps > MOST {
                return Err("it runs too many commands".to_owned());
            }
            let Some(first) = simple.words.first() else {
                continue;
            };
            let name = first
                .literal()
                .ok_or("the name of a command is not known")?;
            if functions.contains(&name) {
                continue;
            }
            if name == "cd" || name == "pushd" {
                dir = self.goes(text, simple.words.get(1).map(|w| w.literal()), &dir)?;
                continue;
            }
            // A value that is not known is none that a path or a package is named by.
            let argv: Vec<String> = simple
                .words
                .iter()
                .map(|w| {
                    w.literal()
                        .or_else(|| w.value(&|_| None))
                        .unwrap_or_else(|| "$".to_owned())
                })
                .collect();
            self.program(at, &argv, &dir, depth)?;
        }
        Ok(())
    }

    /// Where `cd` leads.
    fn goes(&self, text: &str, to: Option<Option<String>>, dir: &str) -> Result<String, String> {
        match to {
            Some(Some(path)) => Ok(join(dir, &path)),
            // `cd "$(dirname "$0")"`
            Some(None)
                if text.contains("dirname")
                    && (text.contains("$0") || text.contains("BASH_SOURCE")) =>
            {
                Ok(dir.to_owned())
            }
            _ => Err("where it goes to is not known".to_owned()),
        }
    }

    /// A program with its arguments.
    ///
    /// # Errors
    /// As above.
    pub(super) fn program(
        &mut self,
        at: usize,
        argv: &[String],
        dir: &str,
        depth: usize,
    ) -> Result<(), String> {
        if depth > DEEPEST {
            return Err("scripts start each other too often".to_owned());
        }
        let Some(path) = argv.first() else {
            return Ok(());
        };
        let at = self.ws.around(dir).unwrap_or(at);
        if path.contains('/') && !path.contains("node_modules/.bin/") {
            return self.file(at, &join(dir, path), dir, depth);
        }
        let name = path.rsplit('/').next().unwrap_or(path);
        // `vite@5`
        let name = match name.rfind('@') {
            Some(place) if place > 0 => &name[..place],
            _ => name,
        };
        let arguments = &argv[1..];
        if let Some(call) = calls::of(name, arguments, dir)? {
            return self.call(&call, depth + 1);
        }
        match programs::sort(name) {
            Sort::Plain => Ok(()),
            Sort::Tool => {
                self.programs.insert(name.to_owned());
                self.working.insert(at);
                self.running.insert(at);
                Ok(())
            }
            Sort::Git => {
                self.git = true;
                Ok(())
            }
            Sort::Wrapper => match programs::inner(name, arguments) {
                Some(rest) => self.program(at, rest, dir, depth + 1),
                None => Err(format!("what {name} starts is not known")),
            },
            Sort::Scripts => {
                for one in programs::started(name, arguments)? {
                    self.several(at, &one, dir, depth)?;
                }
                Ok(())
            }
            Sort::Runner => self.runner(at, name, arguments, dir, depth),
            Sort::Turbo => turbo::run(self, arguments, dir, depth),
            Sort::Whole => Err(format!("{name} looks at the whole project")),
            Sort::Unknown => match self.ws.with_program(name) {
                // It brings the program itself.
                Some(other) => {
                    self.running.extend([other, at]);
                    self.working.extend([other, at]);
                    Ok(())
                }
                None => Err(format!("what {name} looks at is not known")),
            },
        }
    }

    /// One of several commands: `npm:build:*`, `build:*`, or a text.
    fn several(&mut self, at: usize, one: &str, dir: &str, depth: usize) -> Result<(), String> {
        let name = one
            .strip_prefix("npm:")
            .or_else(|| one.strip_prefix("pnpm:"))
            .or_else(|| one.strip_prefix("yarn:"));
        let pattern = name.unwrap_or(one);
        let scripts: BTreeMap<String, ()> = match self.ws.packages[at]
            .json
            .get("scripts")
            .and_then(|s| s.as_object())
        {
            Some(list) => list.keys().map(|k| (k.clone(), ())).collect(),
            None => BTreeMap::new(),
        };
        let head = pattern.split('*').next().unwrap_or_default();
        let hits: Vec<&String> = match pattern.contains('*') {
            true => scripts.keys().filter(|k| k.starts_with(head)).collect(),
            false => scripts.keys().filter(|k| *k == pattern).collect(),
        };
        if hits.is_empty() {
            return self.text(at, one, dir, depth + 1);
        }
        for hit in hits {
            self.script(at, hit, &[], depth + 1)?;
        }
        Ok(())
    }

    /// `node`, `tsx`, `sh`: a file, or a text of its own.
    fn runner(
        &mut self,
        at: usize,
        name: &str,
        arguments: &[String],
        dir: &str,
        depth: usize,
    ) -> Result<(), String> {
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "-e" | "--eval" | "-p" | "--print" | "-c" => {
                    let text = words.next().ok_or("a text is missing")?;
                    if programs::is_shell(name) {
                        return self.text(at, text, dir, depth + 1);
                    }
                    self.texts.insert((dir.to_owned(), text.clone()));
                    self.working.insert(at);
                    self.running.insert(at);
                    return Ok(());
                }
                "-r"
                | "--require"
                | "--import"
                | "--loader"
                | "--experimental-loader"
                | "--tsconfig"
                | "--project"
                | "-P"
                | "--env-file" => drop(words.next()),
                "--run" => {
                    let script = words.next().ok_or("a script is missing")?;
                    return self.script(at, script, &[], depth + 1);
                }
                _ if word.starts_with('-') => {}
                _ => return self.file(at, &join(dir, word), dir, depth),
            }
        }
        Err(format!("what {name} runs is not known"))
    }

    /// A file of the project that is started.
    fn file(&mut self, at: usize, path: &str, dir: &str, depth: usize) -> Result<(), String> {
        self.working.insert(at);
        self.running.insert(at);
        let found = ["", ".js", ".ts", ".mjs", ".cjs", "/index.js"]
            .iter()
            .map(|e| format!("{path}{e}"))
            .find(|p| self.project.is_file(p));
        let Some(file) = found else {
            // What is not there yet is built before.
            return match self.ws.around(shared::parent(path)) {
                Some(own) if own != 0 || self.ws.packages.len() == 1 => {
                    self.running.insert(own);
                    self.working.insert(own);
                    Ok(())
                }
                _ => Err(format!("{path} is not in the build context")),
            };
        };
        if !self.files.insert(file.clone()) {
            return Ok(());
        }
        let text = super::super::text(self.project, &file)?;
        self.git |= facts::asks_git(text.as_bytes());
        let first = text.lines().next().unwrap_or_default();
        let shell = match first.strip_prefix("#!") {
            Some(rest) => rest.trim_end().ends_with("sh") || rest.contains("sh -"),
            None => file.ends_with(".sh") || file.ends_with(".bash"),
        };
        match shell {
            true => {
                // A script that goes to its own folder says so by its own name.
                let own = text.contains("dirname")
                    && (text.contains("$0") || text.contains("BASH_SOURCE"));
                let place = if own { shared::parent(&file) } else { dir };
                self.text(at, &text, place, depth + 1)
                    .map_err(|why| format!("{file}: {why}"))
            }
            false
                if first.starts_with("#!") && !first.contains("node") && !first.contains("tsx") =>
            {
                Err(format!(
                    "{file} is for {}",
                    first.trim_start_matches("#!").trim()
                ))
            }
            false => Ok(()),
        }
    }
}
