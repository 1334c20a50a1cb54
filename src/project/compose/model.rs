//! Services of a compose file with what it includes and extends.
//!
//! Goes in: the name of a file. Comes out: its services, each with the build as merged. Cost: every
//! file is read once for each place that names it, up to a limit. Invariant: circles of `include` and
//! `extends` end, and break the service at hand only.
//!
//! The order is the compose command's (`loadYamlFile` in compose-go's loader): variables, then
//! `include`, then `extends`, then the merge with the files before.

use super::super::files::{Files, join};
use super::super::interpolate::{Environment, interpolate, read_env};
use super::super::{Located, is_remote, note, read_text, warning};
use super::service::{BuildMap, Extends, Service, Services};
use super::yaml::{self, Document, Node};
use crate::source::Span;
use std::collections::{BTreeMap, BTreeSet};

/// More files than this are not read for one project.
const MAX_FILES_READ: usize = 100;

/// Services that extend services, and files that include files, end here.
const MAX_DEPTH: usize = 32;

/// More services than this are not looked at.
pub(super) const MAX_SERVICES: usize = 2_000;

/// Reads files and remembers how many.
pub(super) struct Loader<'a> {
    pub(super) files: &'a dyn Files,
    pub(super) diagnostics: &'a mut Vec<Located>,
    read: usize,
    steps: usize,
    /// Said once, not once for each place that names a file.
    said: BTreeSet<(String, String)>,
}

impl<'a> Loader<'a> {
    pub(super) fn new(files: &'a dyn Files, diagnostics: &'a mut Vec<Located>) -> Self {
        Self {
            files,
            diagnostics,
            read: 0,
            steps: 0,
            said: BTreeSet::new(),
        }
    }

    pub(super) fn say(&mut self, file: &str, code: &'static str, message: String, span: Span) {
        if self.said.insert((file.to_owned(), message.clone())) {
            self.diagnostics.push(note(file, code, message, span));
        }
    }

    /// The values of a `.env` file, under those that are there already.
    pub(super) fn environment(&mut self, file: &str, environment: &mut Environment) {
        if self.files.is_file(file)
            && let Some(text) = read_text(self.files, file, self.diagnostics)
        {
            read_env(&text, environment);
        }
    }

    /// The services of files of which later ones are laid over earlier ones, with default contexts.
    pub(super) fn project(
        &mut self,
        files: &[String],
        dir: &str,
        environment: &Environment,
        open: &mut Vec<String>,
    ) -> Services {
        let mut all = Services::new();
        for file in files {
            let Some(document) = self.parse(file) else {
                continue;
            };
            // Services that the file takes away have no entry in it any more.
            for path in &document.cleared {
                match path.as_slice() {
                    [top] if top == "services" => all.clear(),
                    [top, name] if top == "services" => drop(all.remove(name)),
                    _ => {}
                }
            }
            let mut services = self.services(&document, file, dir, environment);
            let node = document.node;
            open.push(file.clone());
            self.include(&node, file, dir, environment, &mut services, open);
            open.pop();
            let mut done = Services::new();
            for name in services.keys() {
                let service = self.extended(
                    name,
                    &services,
                    dir,
                    environment,
                    &mut done,
                    &mut Vec::new(),
                );
                done.insert(name.clone(), service);
            }
            for (name, service) in done {
                lay_over(&mut all, name, service);
            }
        }
        for service in all.values_mut() {
            if let Some(build) = &mut service.build {
                build.context.get_or_insert_with(|| dir.to_owned());
            }
        }
        all
    }

    fn parse(&mut self, file: &str) -> Option<Document> {
        self.read += 1;
        if self.read > MAX_FILES_READ {
            let message = format!("more than {MAX_FILES_READ} compose files are not read");
            self.say(file, "project/too-many-files", message, Span::default());
            return None;
        }
        let text = read_text(self.files, file, self.diagnostics)?;
        match yaml::parse(&text) {
            Ok(document) if matches!(document.node, Node::Map(_) | Node::Null) => Some(document),
            Ok(_) => {
                let message = format!("no target is taken from {file}: it is not a mapping");
                self.diagnostics
                    .push(warning(file, message, Span::default()));
                None
            }
            Err((reason, span)) => {
                let message = format!("no target is taken from {file}: {reason}");
                self.diagnostics.push(warning(file, message, span));
                None
            }
        }
    }

    fn include(
        &mut self,
        node: &Node,
        file: &str,
        dir: &str,
        environment: &Environment,
        services: &mut Services,
        open: &mut Vec<String>,
    ) {
        let Some(entry) = node.entry("include") else {
            return;
        };
        let Node::List(includes) = &entry.value else {
            return;
        };
        for include in includes {
            let mut unset = BTreeSet::new();
            let mut texts = |node: Option<&Node>| -> Option<Vec<String>> {
                let items = match node {
                    None => return Some(Vec::new()),
                    Some(Node::List(items)) => items.iter().collect(),
                    Some(other) => vec![other],
                };
                let text = |item: &Node| interpolate(item.scalar()?, environment, &mut unset).ok();
                items.into_iter().map(text).collect()
            };
            let paths = match include {
                Node::Scalar(_) => texts(Some(include)),
                _ => texts(include.get("path")),
            };
            let project = texts(include.get("project_directory"));
            let env_files = texts(include.get("env_file"));
            let (Some(paths), Some(project), Some(env_files)) = (paths, project, env_files) else {
                let message = "an include is left out: it is not understood".to_owned();
                self.say(file, "project/include", message, entry.span);
                continue;
            };
            let reason = |what: &str, path: &str| format!("{path} is not included: {what}");
            let mut found = Vec::new();
            let mut problem = None;
            for path in &paths {
                match join(dir, path).filter(|_| !is_remote(path)) {
                    None => {
                        problem = Some(reason("it lies outside of the analysed directory", path))
                    }
                    Some(path) if open.contains(&path) => {
                        problem = Some(reason("the files include each other in a circle", &path));
                    }
                    Some(path) if !self.files.is_file(&path) => {
                        problem = Some(reason("it does not exist", &path));
                    }
                    Some(path) if open.len() >= MAX_DEPTH => {
                        problem = Some(reason("includes are nested too deeply", &path));
                    }
                    Some(path) => found.push(path),
                }
            }
            let directory = match (project.first(), found.first()) {
                (Some(project), _) => join(dir, project),
                (None, Some(first)) => Some(
                    first
                        .rsplit_once('/')
                        .map_or(".", |(dir, _)| dir)
                        .to_owned(),
                ),
                (None, None) => None,
            };
            if problem.is_none() && directory.is_none() {
                problem = Some(reason("its directory lies outside of the analysed one", ""));
            }
            if let Some(message) = problem {
                self.say(file, "project/include", message, entry.span);
                continue;
            }
            let Some(directory) = directory else {
                continue;
            };
            // What the including project knows wins.
            let mut inner = environment.clone();
            if env_files.is_empty()
                && let Some(env_file) = join(&directory, ".env")
            {
                self.environment(&env_file, &mut inner);
            }
            for env_file in env_files.iter().rev() {
                if let Some(env_file) = join(dir, env_file) {
                    self.environment(&env_file, &mut inner);
                }
            }
            let included = self.project(&found, &directory, &inner, open);
            for (name, service) in included {
                match services.remove(&name) {
                    None => drop(services.insert(name, service)),
                    Some(own) => {
                        let extends = own.extends.clone();
                        let mut merged = service;
                        merged.merge(own);
                        merged.extends = extends;
                        services.insert(name, merged);
                    }
                }
            }
        }
    }

    /// A service with everything it extends. `open` holds the file and service of those at work.
    fn extended(
        &mut self,
        name: &str,
        services: &Services,
        dir: &str,
        environment: &Environment,
        done: &mut Services,
        open: &mut Vec<(String, String)>,
    ) -> Service {
        if let Some(service) = done.get(name) {
            return service.clone();
        }
        let Some(service) = services.get(name) else {
            return Service::default();
        };
        let Some(extends) = service.extends.clone() else {
            return service.clone();
        };
        let broken = |reason: String| Service {
            broken: Some(reason),
            ..service.clone()
        };
        self.steps += 1;
        let key = (service.file.clone(), name.to_owned());
        if open.contains(&key) {
            return broken("services extend each other in a circle".to_owned());
        }
        if open.len() >= MAX_DEPTH || self.steps > 10 * MAX_SERVICES {
            return broken("services extend each other too often".to_owned());
        }
        open.push(key);
        let mut base = match &extends.file {
            None if services.contains_key(&extends.service) => {
                self.extended(&extends.service, services, dir, environment, done, open)
            }
            None => broken(format!(
                "it extends {}, which does not exist",
                extends.service
            )),
            Some(file) => {
                let path = join(dir, file).filter(|_| !is_remote(file));
                match path {
                    None => broken(format!("{file} lies outside of the analysed directory")),
                    Some(path) if !self.files.is_file(&path) => {
                        broken(format!("it extends {path}, which does not exist"))
                    }
                    Some(path) => {
                        let inner = path.rsplit_once('/').map_or(".", |(dir, _)| dir).to_owned();
                        let document = self.parse(&path).unwrap_or(Document {
                            node: Node::Null,
                            cleared: Vec::new(),
                        });
                        let others = self.services(&document, &path, &inner, environment);
                        match others.contains_key(&extends.service) {
                            false => broken(format!(
                                "it extends {} of {path}, which does not exist",
                                extends.service
                            )),
                            true => {
                                let mut fresh = Services::new();
                                let wanted = &extends.service;
                                self.extended(
                                    wanted,
                                    &others,
                                    &inner,
                                    environment,
                                    &mut fresh,
                                    open,
                                )
                            }
                        }
                    }
                }
            }
        };
        open.pop();
        base.merge(Service {
            extends: None,
            ..service.clone()
        });
        if open.is_empty() {
            done.insert(name.to_owned(), base.clone());
        }
        base
    }

    /// The services as written, variables replaced.
    fn services(
        &mut self,
        document: &Document,
        file: &str,
        dir: &str,
        environment: &Environment,
    ) -> Services {
        let mut out = Services::new();
        let node = &document.node;
        if let Some(entry) = node.entry("services")
            && !matches!(entry.value, Node::Map(_) | Node::Null)
        {
            let message = format!("no target is taken from {file}: services is not a mapping");
            self.diagnostics.push(warning(file, message, entry.span));
        }
        let services = node.get("services").map_or(&[][..], Node::entries);
        if services.len() > MAX_SERVICES {
            let message = format!("more than {MAX_SERVICES} services are not looked at");
            self.say(file, "project/too-many-services", message, Span::default());
        }
        let mut cleared: BTreeMap<&str, Vec<Vec<String>>> = BTreeMap::new();
        for path in &document.cleared {
            if let [top, name, below @ ..] = path.as_slice()
                && top == "services"
            {
                cleared.entry(name).or_default().push(below.to_vec());
            }
        }
        for entry in services.iter().take(MAX_SERVICES) {
            let build = entry.value.entry("build");
            let mut reader = Reader {
                environment,
                unset: BTreeSet::new(),
                problem: None,
            };
            let value = &entry.value;
            let service = Service {
                file: file.to_owned(),
                span: build.map_or(entry.span, |build| build.span),
                build: build.and_then(|build| reader.build(&build.value, dir)),
                platform: reader.text(value.get("platform"), "platform"),
                profiles: reader.texts(value.get("profiles"), "profiles"),
                extends: value.get("extends").and_then(|extends| {
                    Some(match extends {
                        Node::Scalar(name) => Extends {
                            file: None,
                            service: reader.value(name, "extends")?,
                        },
                        _ => Extends {
                            file: reader.text(extends.get("file"), "extends"),
                            service: reader.text(extends.get("service"), "extends")?,
                        },
                    })
                }),
                unset: BTreeSet::new(),
                broken: None,
                cleared: cleared.remove(entry.key.as_str()).unwrap_or_default(),
            };
            out.insert(
                entry.key.clone(),
                Service {
                    unset: reader.unset,
                    broken: reader.problem,
                    ..service
                },
            );
        }
        out
    }
}

fn lay_over(all: &mut Services, name: String, service: Service) {
    match all.get_mut(&name) {
        Some(below) => below.merge(service),
        None => drop(all.insert(name, service)),
    }
}

/// Reads the fields of one service.
pub(super) struct Reader<'a> {
    environment: &'a Environment,
    unset: BTreeSet<String>,
    problem: Option<String>,
}

impl Reader<'_> {
    fn value(&mut self, text: &str, what: &str) -> Option<String> {
        match interpolate(text, self.environment, &mut self.unset) {
            Ok(text) => Some(text),
            Err(reason) => {
                let problem = format!("its {what} depends on {reason}");
                self.problem.get_or_insert(problem);
                None
            }
        }
    }

    /// Says what makes it impossible to know the service; the first reason stays.
    pub(super) fn refuse(&mut self, reason: &str) {
        self.problem.get_or_insert_with(|| reason.to_owned());
    }

    pub(super) fn text(&mut self, node: Option<&Node>, what: &str) -> Option<String> {
        match node {
            None | Some(Node::Null) => None,
            Some(Node::Scalar(text)) => self.value(text, what),
            Some(_) => {
                let problem = format!("its {what} is not a text");
                self.problem.get_or_insert(problem);
                None
            }
        }
    }

    pub(super) fn texts(&mut self, node: Option<&Node>, what: &str) -> Vec<String> {
        match node {
            Some(Node::List(items)) => {
                let items = items.iter().filter_map(|item| self.text(Some(item), what));
                items.collect()
            }
            other => self.text(other, what).into_iter().collect(),
        }
    }

    /// A mapping, or a list of `NAME=VALUE`.
    fn pairs(&mut self, node: Option<&Node>, what: &str) -> BTreeMap<String, Option<String>> {
        match node {
            Some(Node::Map(entries)) => {
                let entries = entries.iter().map(|entry| {
                    let value = self.text(Some(&entry.value), what);
                    (entry.key.clone(), value)
                });
                entries.collect()
            }
            other => {
                let items = self.texts(other, what).into_iter();
                let pair = |item: String| match item.split_once('=') {
                    Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                    None => (item, None),
                };
                items.map(pair).collect()
            }
        }
    }

    fn build(&mut self, node: &Node, dir: &str) -> Option<BuildMap> {
        let below = |path: String| match is_remote(&path) || path.starts_with("service:") {
            true => path,
            false if path.starts_with('/') || path.starts_with('~') => path,
            false => format!("{dir}/{path}"),
        };
        match node {
            Node::Null => None,
            Node::Map(_) => {
                let contexts = self.pairs(node.get("additional_contexts"), "contexts");
                let set = contexts.into_iter();
                Some(BuildMap {
                    context: self
                        .text(node.get("context"), "context")
                        .filter(|context| !context.is_empty())
                        .map(below),
                    dockerfile: self
                        .text(node.get("dockerfile"), "dockerfile")
                        .filter(|file| !file.is_empty()),
                    inline: self
                        .text(node.get("dockerfile_inline"), "dockerfile_inline")
                        .filter(|text| !text.is_empty()),
                    target: self.text(node.get("target"), "target"),
                    args: self.pairs(node.get("args"), "args"),
                    contexts: set
                        .filter_map(|(name, value)| Some((name, below(value?))))
                        .collect(),
                    platforms: self.texts(node.get("platforms"), "platforms"),
                    network: self.text(node.get("network"), "network"),
                    hosts: self.hosts(node.get("extra_hosts")),
                    shm_size: self.text(node.get("shm_size"), "shm_size"),
                    ulimits: self.limits(node.get("ulimits")),
                    no_cache: self.truth(node.get("no_cache"), "no_cache"),
                    no_cache_filter: self.texts(node.get("no_cache_filter"), "no_cache_filter"),
                })
            }
            other => {
                let context = self.text(Some(other), "build")?;
                Some(BuildMap {
                    context: Some(context)
                        .filter(|context| !context.is_empty())
                        .map(below),
                    ..BuildMap::default()
                })
            }
        }
    }
}
