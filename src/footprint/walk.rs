//! From a script to its footprint: every command in order, with the state the shell has there.
//!
//! The first thing that is not understood makes the whole footprint opaque; classes and command
//! names are collected all the same, since they price the step.

use super::class::classify;
use super::command::{self, Known};
use super::{Certainty, Class, Footprint, PathClaim, PathSet, RunState};
use crate::pattern::clean;
use crate::shell::{Command, CommandKind, Redirect, RedirectOperator, Script, Simple, Word, parse};
use std::collections::BTreeMap;

/// How deep `sh -c` is looked into.
const MAX_NESTED: usize = 4;

/// Footprint of a shell script.
#[must_use]
pub fn of_script(script: &str, state: &RunState) -> Footprint {
    let tree = parse(script);
    let mut walk = Walk::new(state);
    walk.commands(&tree.commands);
    walk.finish(&tree)
}

/// Footprint of an exec-form command.
#[must_use]
pub fn of_exec(argv: &[String], state: &RunState) -> Footprint {
    if let [shell, flag, script] = argv
        && matches!(shell.rsplit('/').next(), Some("sh" | "bash" | "dash" | "ash"))
        && flag == "-c"
    {
        return of_script(script, state);
    }
    let mut walk = Walk::new(state);
    match argv.split_first() {
        Some((name, args)) => {
            let args: Vec<Argument> = args.iter().cloned().map(Argument::Text).collect();
            walk.named(name, &args);
            walk.class(argv);
        }
        None => walk.opaque("there is no command"),
    }
    walk.finish(&Script::default())
}

/// One argument of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Argument {
    /// Known text.
    Text(String),
    /// Files named by pattern; the text before the first pattern character.
    Pattern(String),
    /// Not known.
    Unknown,
}

/// State of the walk.
pub struct Walk {
    /// Working directory, where known.
    pub cwd: Option<String>,
    vars: BTreeMap<String, Option<String>>,
    out: Footprint,
    /// `cd` in here does not last.
    depth: usize,
}

impl Walk {
    fn new(state: &RunState) -> Self {
        let known = |(n, v): &(String, String)| (n.clone(), (!v.contains('\0')).then(|| v.clone()));
        Self {
            cwd: state.cwd.clone(),
            vars: state.vars.iter().map(known).collect(),
            out: Footprint {
                reads: PathSet::default(),
                writes: PathSet::default(),
                network: false,
                opaque: None,
                certainty: Certainty::Exact,
                assumptions: Vec::new(),
                classes: Vec::new(),
                installs: Vec::new(),
                commands: Vec::new(),
                evidence: Vec::new(),
            },
            depth: 0,
        }
    }

    fn finish(mut self, tree: &Script) -> Footprint {
        self.classes(tree, 0);
        if self.out.classes.is_empty() {
            self.out.classes.push(Class::Other);
        }
        self.out.classes.sort_unstable();
        self.out.classes.dedup();
        self.out.assumptions.sort();
        self.out.assumptions.dedup();
        self.out
    }

    fn lookup(&self, name: &str) -> Option<String> {
        self.vars.get(name).cloned().flatten()
    }

    fn opaque(&mut self, why: impl Into<String>) {
        if self.out.opaque.is_none() {
            self.out.opaque = Some(why.into());
        }
    }

    fn class(&mut self, words: &[String]) {
        self.out.classes.extend(classify(words));
    }

    /// Classes of every command at any depth, in `sh -c` too.
    fn classes(&mut self, tree: &Script, nested: usize) {
        let mut found = Vec::new();
        tree.visit(&mut |c| {
            if let CommandKind::Simple(s) = &c.kind {
                let words = s.words.iter().flat_map(|w| {
                    w.fields(&|n| self.lookup(n)).or_else(|| w.value(&|n| self.lookup(n)).map(|t| vec![t])).unwrap_or_else(|| vec!["?".to_owned()])
                });
                found.push(words.collect::<Vec<String>>());
            }
        });
        for words in found {
            self.class(&words);
            let script = match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
                [shell, .., flag, script] if matches!(shell.rsplit('/').next(), Some("sh" | "bash" | "dash" | "ash" | "su")) && flag.starts_with('-') && flag.ends_with('c') => Some((*script).to_owned()),
                _ => None,
            };
            if let Some(script) = script.filter(|_| nested < MAX_NESTED) {
                self.classes(&parse(&script), nested + 1);
            }
        }
    }

    fn commands(&mut self, list: &[Command]) {
        for c in list {
            self.command(c);
        }
    }

    /// Runs a part whose `cd` and assignments may or may not take effect.
    fn branch(&mut self, list: &[Command]) {
        let (cwd, vars) = (self.cwd.clone(), self.vars.clone());
        self.commands(list);
        if self.cwd != cwd {
            self.cwd = None;
        }
        for (name, value) in vars {
            if self.vars.get(&name) != Some(&value) {
                self.vars.insert(name, None);
            }
        }
    }

    fn command(&mut self, c: &Command) {
        self.depth += 1;
        if c.background {
            self.opaque("it runs something in the background");
        }
        for r in &c.redirects {
            self.redirect(r);
        }
        match &c.kind {
            CommandKind::Simple(simple) => self.simple(simple, c),
            CommandKind::List { first, rest } => {
                self.command(first);
                for (operator, next) in rest {
                    match operator {
                        crate::shell::ListOperator::And => self.command(next),
                        crate::shell::ListOperator::Or => self.branch(std::slice::from_ref(next)),
                    }
                }
            }
            CommandKind::Pipeline { commands, .. } => {
                if let [only] = commands.as_slice() {
                    self.command(only);
                } else {
                    for part in commands {
                        let (cwd, vars) = (self.cwd.clone(), self.vars.clone());
                        self.command(part);
                        (self.cwd, self.vars) = (cwd, vars);
                    }
                }
            }
            CommandKind::Subshell(list) => {
                let (cwd, vars) = (self.cwd.clone(), self.vars.clone());
                self.commands(list);
                (self.cwd, self.vars) = (cwd, vars);
            }
            CommandKind::Group(list) => self.commands(list),
            CommandKind::If { branches, otherwise } => {
                for b in branches {
                    self.branch(&b.condition);
                    self.branch(&b.body);
                }
                self.branch(otherwise);
            }
            CommandKind::For { variable, words, body } => {
                for w in words.iter().flatten() {
                    self.substitutions(w);
                }
                if let Some(v) = variable {
                    self.vars.insert(v.clone(), None);
                }
                self.branch(body);
                self.branch(body);
            }
            CommandKind::While { condition, body } => {
                self.branch(condition);
                self.branch(body);
                self.branch(condition);
                self.branch(body);
            }
            CommandKind::Case { subject, arms } => {
                self.substitutions(subject);
                for arm in arms {
                    self.branch(&arm.body);
                }
            }
            CommandKind::Function { name, .. } => self.opaque(format!("it defines the function {name}")),
            CommandKind::Arithmetic(_) | CommandKind::Unknown => self.opaque("part of the script is not understood"),
        }
        self.depth -= 1;
    }

    fn substitutions(&mut self, word: &Word) {
        for script in word.substitutions() {
            let (cwd, vars) = (self.cwd.clone(), self.vars.clone());
            self.commands(&script.commands);
            (self.cwd, self.vars) = (cwd, vars);
        }
    }

    fn argument(&mut self, word: &Word) -> Vec<Argument> {
        self.substitutions(word);
        let lookup = |n: &str| self.lookup(n);
        if let Some(fields) = word.fields(&lookup) {
            return fields.into_iter().map(Argument::Text).collect();
        }
        match word.pattern_prefix(&lookup) {
            Some(prefix) => vec![Argument::Pattern(prefix)],
            None => vec![Argument::Unknown],
        }
    }

    fn redirect(&mut self, r: &Redirect) {
        self.substitutions(&r.target);
        let writes = match r.operator {
            RedirectOperator::Read => false,
            RedirectOperator::Write | RedirectOperator::Append | RedirectOperator::WriteBoth | RedirectOperator::AppendBoth => true,
            RedirectOperator::HereDocument | RedirectOperator::HereString => return,
            RedirectOperator::DuplicateInput | RedirectOperator::DuplicateOutput => {
                let digits = r.target.literal().is_some_and(|t| t.bytes().all(|b| b.is_ascii_digit() || b == b'-'));
                if !digits {
                    self.opaque("it redirects to something not known");
                }
                return;
            }
        };
        let target = r.target.expand(&|n| self.lookup(n));
        match target.and_then(|t| self.absolute(&t)) {
            Some(path) if path.starts_with("/dev/") => {}
            Some(path) if writes => self.write(PathClaim::exact(path)),
            Some(path) => self.read(PathClaim::exact(path)),
            None => self.opaque("it redirects to a file whose path is not known"),
        }
    }

    fn simple(&mut self, simple: &Simple, c: &Command) {
        for a in &simple.assignments {
            self.substitutions(&a.value);
            let value = if a.append { None } else { a.value.value(&|n| self.lookup(n)) };
            if simple.words.is_empty() {
                self.vars.insert(a.name.clone(), value);
            }
        }
        let mut arguments = Vec::new();
        for w in &simple.words {
            arguments.extend(self.argument(w));
        }
        let Some((first, rest)) = arguments.split_first() else { return };
        self.out.evidence.push(c.span);
        match first {
            Argument::Text(name) => self.named(&name.clone(), rest),
            _ => self.opaque("which command it runs is not known"),
        }
    }

    fn named(&mut self, name: &str, args: &[Argument]) {
        self.out.commands.push(name.to_owned());
        match name {
            "cd" => {
                let to = match args {
                    [Argument::Text(dir)] => self.absolute(dir),
                    _ => None,
                };
                if to.is_none() {
                    self.opaque("it changes to a directory that is not known");
                }
                self.cwd = to;
                return;
            }
            "export" | "readonly" | "local" | "declare" => {
                for a in args {
                    match a {
                        Argument::Text(t) => {
                            if let Some((n, v)) = t.split_once('=') {
                                self.vars.insert(n.to_owned(), Some(v.to_owned()));
                            }
                        }
                        _ => self.vars.clear(),
                    }
                }
                return;
            }
            "unset" | "read" | "getopts" => {
                for a in args {
                    match a {
                        Argument::Text(t) => {
                            self.vars.insert(t.clone(), None);
                        }
                        _ => self.vars.clear(),
                    }
                }
                return;
            }
            _ => {}
        }
        match command::effect(name, args, self) {
            Ok(known) => self.apply(known),
            Err(why) => self.opaque(why),
        }
    }

    fn apply(&mut self, known: Known) {
        for claim in known.reads {
            self.read(claim);
        }
        for claim in known.writes {
            self.write(claim);
        }
        self.out.network |= known.network;
        self.out.installs.extend(known.install);
        if let Some(assumption) = known.assumption {
            self.out.certainty = Certainty::Assumed;
            self.out.assumptions.push(assumption);
        }
    }

    fn read(&mut self, claim: PathClaim) {
        self.out.reads.add(claim);
    }

    fn write(&mut self, claim: PathClaim) {
        self.out.writes.add(claim);
    }

    /// A path as an absolute one, where that is known.
    #[must_use]
    pub fn absolute(&self, path: &str) -> Option<String> {
        if path.starts_with('/') {
            return Some(clean(path));
        }
        if path.is_empty() {
            return None;
        }
        Some(clean(&format!("{}/{path}", self.cwd.as_deref()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn foot(script: &str) -> Footprint {
        let state = RunState {
            cwd: Some("/app".to_owned()),
            user: None,
            vars: vec![("V".to_owned(), "x".to_owned())],
        };
        of_script(script, &state)
    }

    #[test]
    fn opaque_table() {
        for script in [
            "./build.sh", "frobnicate", "eval ls", ". ./env", "$CMD x", "make", "cat $(mktemp) > $F", "f() { :; }; f",
            "sleep 1 &", "rm -rf $UNKNOWN", "find / -delete", "find . -exec rm {} +", "npm run build", "echo x > $U/y",
            "cd $U && touch a", "curl -o $U http://x", "tar xf a.tar -C $U", "sh script.sh", "xargs rm", "(( x ))",
            "npm install left-pad", "pip install .", "pip install ./x", "yarn", "perl -e 1",
        ] {
            assert!(foot(script).opaque.is_some(), "{script}");
        }
    }

    #[test]
    fn known_table() {
        for (script, reads, writes) in [
            ("true", vec![], vec![]),
            ("echo $UNKNOWN", vec![], vec![]),
            ("echo a > f", vec![], vec!["/app/f"]),
            ("mkdir -p /x/y", vec![], vec!["/x", "/x/y"]),
            ("cd /t && touch a && rm b", vec![], vec!["/t/a", "/t/b/"]),
            ("cp a /b/c", vec!["/app/a/"], vec!["/b/c/"]),
            ("mv a b", vec![], vec!["/app/a/", "/app/b/"]),
            ("cat /x/$V > /y", vec!["/x/x"], vec!["/y"]),
            ("if [ -f /q ]; then echo 1 > /z; fi", vec!["/q"], vec!["/z"]),
            ("rm -rf /c/*.log", vec![], vec!["/c/"]),
        ] {
            let f = foot(script);
            assert_eq!(f.opaque, None, "{script}");
            let show = |s: &PathSet| -> Vec<String> {
                let own = s.claims.iter().filter(|c| !command::TOOLS.contains(&c.path.as_str()));
                own.map(|c| format!("{}{}", c.path, if c.extent == super::super::Extent::Subtree { "/" } else { "" })).collect()
            };
            assert_eq!(show(&f.reads), reads, "{script}");
            assert_eq!(show(&f.writes), writes, "{script}");
        }
    }

    #[test]
    fn installs_are_recognised() {
        let f = foot("npm ci && npm cache clean --force");
        assert_eq!((f.opaque.clone(), f.installs.len(), f.certainty), (None, 1, Certainty::Assumed));
        assert_eq!(f.installs[0].dir, "/app");
        let f = foot("pip install --no-cache-dir -r requirements.txt -r dev.txt");
        assert_eq!(f.installs[0].named_files, ["requirements.txt", "dev.txt"]);
        let f = foot("apt-get update && apt-get install -y wget && rm -rf /var/lib/apt/lists/*");
        assert_eq!(f.opaque, None);
        assert_eq!(f.classes, [Class::SystemPackages]);
        assert!(f.network);
        let writes_app = f.writes.overlaps(&PathSet { claims: vec![PathClaim::subtree("/usr/src/app")] });
        assert_eq!(writes_app, None);
        assert!(f.writes.overlaps(&PathSet { claims: vec![PathClaim::subtree("/usr")] }).is_some());
    }

    #[test]
    fn classes_are_found_in_opaque_scripts() {
        assert_eq!(foot("if [ \"$X\" ]; then make && npm ci; fi").classes, [Class::Install, Class::Build].into_iter().collect::<std::collections::BTreeSet<_>>().into_iter().collect::<Vec<_>>());
        assert_eq!(foot("bash -c 'cargo build'").classes, [Class::Build]);
        assert_eq!(foot("./x").classes, [Class::Other]);
    }
}
