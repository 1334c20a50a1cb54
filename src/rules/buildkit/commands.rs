//! The commands of all stages as the builder goes through them: triggers of ONBUILD first, variables replaced.
//!
//! Goes in: a view. Comes out: [`Command`]s in the builder's order, each with its words and with the variables that nothing has set so far. Costs one
//! pass. Source of the rules: grammar sections 6.1, 9.1, 9.2. Invariant: a variable that the base image may well have set is not called missing.

use super::globals::Globals;
use crate::dockerfile::{
    Instruction, Kind, Text, Transfer, expand_heredoc, expand_word, expand_words,
};
use crate::plan::{Base, image_name, mount_fields};
use crate::rules::View;
use crate::source::Span;
use rustc_hash::{FxHashMap, FxHashSet};
use std::cell::RefCell;
use std::rc::Rc;

/// One command of a stage.
pub struct Command<'a> {
    /// Index of its stage.
    pub stage: usize,
    /// The instruction; for a trigger the one inside of the ONBUILD.
    pub ins: Instruction<'a>,
    /// What findings stand at: the instruction, or for a trigger the FROM that brings it along.
    pub place: Instruction<'a>,
    /// It comes from an ONBUILD of the base stage.
    pub is_trigger: bool,
    /// With variables replaced: the keys of ENV, the sources of COPY and ADD, the ports of EXPOSE, the path of WORKDIR; and which word of the
    /// file each comes from.
    pub words: Vec<(usize, String)>,
    /// Variables that are not set, each with the word it stands in, once.
    pub missing: Vec<(String, Span)>,
    /// The base image may set one that nothing here does.
    pub is_unsure: bool,
    /// A SHELL came before it, in the stage or in one below.
    pub has_shell: bool,
    /// A WORKDIR came before it, in the stage or in one below.
    pub has_workdir: bool,
}

impl Command<'_> {
    /// What messages call it.
    pub fn called(&self) -> String {
        let keyword = &self.ins.keyword;
        match self.is_trigger {
            true => format!("the {keyword} that an ONBUILD brings along"),
            false => format!("this {keyword}"),
        }
    }
}

/// What is known at one point of a stage.
#[derive(Clone, Default)]
struct Scope {
    values: FxHashMap<String, String>,
    /// ARGs, with a value or without.
    declared: FxHashSet<String>,
    has_shell: bool,
    has_workdir: bool,
}

/// What the image at the bottom of a stage sets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bottom {
    /// PATH at most.
    Plain,
    /// What official images set.
    Official,
    /// Nobody knows.
    Unknown,
}

/// Arguments that never become variables, and are never called missing.
const HIDDEN: &[&str] = &["BUILDKIT_SBOM_SCAN_CONTEXT", "BUILDKIT_SBOM_SCAN_STAGE"];

/// Official images that set nothing but PATH.
const PLAIN: &[&str] = &[
    "almalinux",
    "alpine",
    "amazonlinux",
    "archlinux",
    "busybox",
    "centos",
    "debian",
    "oraclelinux",
    "rockylinux",
    "ubuntu",
];

/// How the variables begin that other official images set.
#[rustfmt::skip]
const OFFICIAL: &[&str] = &[
    "ACTIVEMQ", "APACHE", "ASPNET", "BUNDLE_", "CADDY", "CARGO_", "CATALINA", "COMPOSER", "CONDA", "COREPACK", "CUDA", "DOTNET", "ELASTIC", "ELIXIR",
    "ERLANG", "GEM_", "GHC", "GO", "GPG_", "GRADLE", "GROOVY", "HAPROXY", "HTTPD", "HY_", "JAVA", "JETTY", "JULIA", "JRUBY", "KIBANA", "LANG", "LC_",
    "LD_LIBRARY_PATH", "LOGSTASH", "MARIADB", "MAVEN", "MEMCACHED", "MONGO", "MYSQL", "NGINX", "NJS", "NODE", "NUGET", "NVIDIA", "NV_", "OTP_", "PG", "PHP",
    "POSTGRES", "PYPY", "PYTHON", "RABBITMQ", "RAKUDO", "REBAR", "REDIS", "RUBY", "RUST", "SOLR", "SWIFT", "TOMCAT", "TZ", "VARNISH", "YARN", "ZOO",
];

/// All commands of a file.
pub fn all<'a>(view: &View<'a>) -> Vec<Command<'a>> {
    let Some(globals) = Globals::new(view, true) else {
        return Vec::new();
    };
    let mut walk = Walk {
        view,
        globals,
        own: own_names(view),
        ends: Vec::new(),
        out: Vec::new(),
    };
    for stage in 0..view.plan.stages.len() {
        walk.stage(stage);
    }
    walk.out
}

/// Every name that the file itself gives to a variable.
fn own_names(view: &View<'_>) -> FxHashSet<String> {
    let names = view
        .tree
        .instructions()
        .iter()
        .flat_map(|i| match i.kind() {
            Kind::Arg(list) => list.iter().map(|(n, _)| n.to_string()).collect::<Vec<_>>(),
            Kind::Env(list) => list.iter().map(|(n, _)| n.to_string()).collect(),
            _ => Vec::new(),
        });
    names.collect()
}

/// `ENV NAME=more:$NAME`.
fn adds_to(ins: Instruction<'_>, name: &str) -> bool {
    match ins.kind() {
        Kind::Env(list) => list.iter().any(|(k, v)| k == name && v.contains(name)),
        _ => false,
    }
}

struct Walk<'v, 'a> {
    view: &'v View<'a>,
    globals: Globals,
    own: FxHashSet<String>,
    /// The scope at the end of each stage so far, and what is at its bottom.
    ends: Vec<(Rc<Scope>, Bottom)>,
    out: Vec<Command<'a>>,
}

impl<'a> Walk<'_, 'a> {
    fn stage(&mut self, index: usize) {
        let stage = &self.view.plan.stages[index];
        let below = match stage.base {
            Base::Stage(below) => self.ends.get(below).cloned().map(|end| (below, end)),
            _ => None,
        };
        let (mut scope, bottom) = match &below {
            Some((_, end)) => end.clone(),
            None => (Rc::default(), self.bottom(&stage.base)),
        };
        let all = self.view.tree.instructions();
        let Some(from) = all.get(stage.from) else {
            self.ends.push((scope, bottom));
            return;
        };
        // Triggers are only there for stages that are built.
        if let Some((below, _)) = below.filter(|_| stage.reachable) {
            let below = &self.view.plan.stages[below];
            for ins in all.slice(below.from + 1..below.end) {
                if let Kind::Onbuild(trigger) = ins.kind() {
                    self.command(index, trigger, Some(from), &mut scope, bottom);
                }
            }
        }
        for ins in all.slice(stage.from + 1..stage.end) {
            self.command(index, ins, None, &mut scope, bottom);
        }
        self.ends.push((scope, bottom));
    }

    fn bottom(&self, base: &Base) -> Bottom {
        let name = match base {
            Base::Scratch => return Bottom::Plain,
            Base::Image(name) => image_name(name),
            _ => return Bottom::Unknown,
        };
        match name.strip_prefix("docker.io/library/") {
            Some(short) if PLAIN.contains(&short) => Bottom::Plain,
            Some(_) => Bottom::Official,
            None => Bottom::Unknown,
        }
    }

    /// Whether the image at the bottom of a stage may well set a variable.
    fn may_be_set(&self, bottom: Bottom, name: &str, ins: Instruction<'_>) -> bool {
        let usual = || OFFICIAL.iter().any(|start| name.starts_with(start));
        match bottom {
            Bottom::Plain => false,
            Bottom::Official => usual(),
            // What the file sets elsewhere is the file's own, but for `ENV NAME=more:$NAME`.
            Bottom::Unknown => !self.own.contains(name) || usual() || adds_to(ins, name),
        }
    }

    fn command(
        &mut self,
        stage: usize,
        ins: Instruction<'a>,
        trigger: Option<Instruction<'a>>,
        scope: &mut Rc<Scope>,
        bottom: Bottom,
    ) {
        let escape = self.view.tree.directives.escape;
        let reading = Reading {
            escape,
            missing: RefCell::default(),
        };
        let mut words = Vec::new();
        let (has_shell, has_workdir) = (scope.has_shell, scope.has_workdir);
        match ins.kind() {
            Kind::Env(list) => {
                let pairs = list.iter().map(|(key, value)| {
                    let key = reading.word(scope, &key, key.span());
                    (key, reading.word(scope, &value, value.span()))
                });
                let pairs: Vec<(String, String)> = pairs.collect();
                for (i, (key, value)) in pairs.into_iter().enumerate() {
                    words.push((i, key.clone()));
                    Rc::make_mut(scope).values.insert(key, value);
                }
            }
            Kind::Arg(list) => {
                for (name, default) in list {
                    self.argument(&reading, Rc::make_mut(scope), &name, default.as_ref());
                }
            }
            Kind::Label(list) => {
                for (key, value) in list {
                    reading.names(scope, &key);
                    reading.names(scope, &value);
                }
            }
            Kind::Copy(transfer) | Kind::Add(transfer) => {
                words = reading.transfer(scope, ins, &transfer);
            }
            Kind::Run(_) => reading.mounts(scope, ins),
            Kind::Workdir(path) => {
                words.push((0, reading.word(scope, &path, path.span())));
                if !has_workdir {
                    Rc::make_mut(scope).has_workdir = true;
                }
            }
            Kind::Shell(_) if !has_shell => Rc::make_mut(scope).has_shell = true,
            Kind::User(text) | Kind::Stopsignal(text) => reading.names(scope, &text),
            Kind::Volume(list) => list.iter().for_each(|v| reading.names(scope, &v)),
            // The builder says nothing about variables here.
            Kind::Expose(list) => {
                for (i, port) in list.iter().enumerate() {
                    let ports = expand_words(&port, escape, &|name| scope.lookup(name));
                    words.extend(ports.unwrap_or_default().into_iter().map(|p| (i, p)));
                }
            }
            _ => {}
        }
        let mut missing = reading.missing.into_inner();
        let before = missing.len();
        missing.retain(|(name, _)| !self.may_be_set(bottom, name, ins));
        self.out.push(Command {
            stage,
            ins,
            place: trigger.unwrap_or(ins),
            is_trigger: trigger.is_some(),
            words,
            is_unsure: missing.len() < before,
            missing,
            has_shell,
            has_workdir,
        });
    }

    fn argument(&self, reading: &Reading, scope: &mut Scope, name: &Text, default: Option<&Text>) {
        let mut given = self.view.options.args.iter().rev();
        let given = given.find(|(n, _)| n == name.as_str()).map(|(_, v)| v);
        let value = match (given, default) {
            (Some(value), _) => Some(value.clone()),
            (None, Some(default)) => Some(reading.word(scope, default, default.span())),
            (None, None) => self.globals.values().get(name.as_str()).cloned(),
        };
        scope.declared.insert(name.to_string());
        if let Some(value) = value.filter(|_| !HIDDEN.contains(&name.as_str())) {
            scope.values.insert(name.to_string(), value);
        }
    }
}

impl Scope {
    fn lookup(&self, name: &str) -> Option<String> {
        match self.values.get(name) {
            Some(value) => Some(value.clone()),
            // Every image has one.
            None if name == "PATH" => Some(String::new()),
            None => None,
        }
    }
}

/// One command being read.
struct Reading {
    escape: char,
    missing: RefCell<Vec<(String, Span)>>,
}

impl Reading {
    /// Looks a name up, and notes it where nothing has set it.
    fn lookup(&self, scope: &Scope, name: &str, span: Span) -> Option<String> {
        let value = scope.lookup(name);
        let mut missing = self.missing.borrow_mut();
        if value.is_none()
            && !scope.declared.contains(name)
            && !HIDDEN.contains(&name)
            && !missing.iter().any(|(n, _)| n == name)
        {
            missing.push((name.to_owned(), span));
        }
        value
    }

    fn word(&self, scope: &Scope, word: &str, span: Span) -> String {
        expand_word(word, self.escape, &|name| self.lookup(scope, name, span)).unwrap_or_default()
    }

    /// For words whose value nobody asks for.
    fn names(&self, scope: &Scope, word: &Text) {
        if word.contains('$') {
            self.word(scope, word, word.span());
        }
    }

    fn transfer(
        &self,
        scope: &Scope,
        ins: Instruction<'_>,
        transfer: &Transfer,
    ) -> Vec<(usize, String)> {
        for flag in ins.flags() {
            if let ("chown" | "chmod" | "checksum", Some(value)) = (flag.name(), flag.value())
                && value.contains('$')
            {
                self.word(scope, value, flag.span());
            }
        }
        let sources = transfer.sources.iter().enumerate();
        let words = sources.map(|(i, s)| (i, self.word(scope, &s, s.span())));
        let words = words.collect();
        self.names(scope, &transfer.dest);
        for doc in transfer
            .inline
            .iter()
            .filter_map(|i| ins.heredocs().get(*i))
        {
            if doc.expand && doc.body.contains('$') {
                let span = doc.body_span;
                let _ = expand_heredoc(&doc.content(), &|name| self.lookup(scope, name, span));
            }
        }
        words
    }

    /// The values of all options of all mounts.
    fn mounts(&self, scope: &Scope, ins: Instruction<'_>) {
        for flag in ins.flags().iter().filter(|f| f.name() == "mount") {
            let value = flag.value().filter(|v| v.contains('$'));
            for field in mount_fields(value.unwrap_or_default()).unwrap_or_default() {
                if let Some((_, value)) = field.split_once('=') {
                    self.word(scope, value, flag.span());
                }
            }
        }
    }
}
