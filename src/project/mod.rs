//! Finds what there is to analyse: Dockerfiles, and the builds that compose and bake files describe.
//!
//! Goes in: a [`Files`] source (a work tree, or a commit) and the files the user named. Comes out: a
//! [`Discovery`] with one [`Target`] a build. Cost: one listing, and one read of each compose or
//! bake file. Invariant: nothing is executed, no environment variable is read, and a file that
//! cannot be understood is a diagnostic, never the end of the search.

mod bake;
mod compose;
mod context;
mod files;
mod interpolate;

pub use context::{ContextChoice, choose_context};
pub use files::{Files, MAX_FILE_BYTES, MAX_FILES, MemoryFiles, WorkTree, join, normalize};

use crate::diagnostic::{Diagnostic, Severity};
use crate::plan::RunFlags;
use crate::source::Span;
use std::collections::{BTreeMap, BTreeSet};

/// Why nothing can be analysed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProjectError {
    /// A file the user named is not there.
    #[error("there is no file {file}")]
    NoSuchFile {
        /// As the user wrote it.
        file: String,
    },
}

/// A diagnostic and the file its spans index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// Relative to PATH, with `/`.
    pub file: String,
    /// What there is to say.
    pub diagnostic: Diagnostic,
}

/// One build of one Dockerfile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// What `contexts` of other targets call this one: `service:NAME` of a compose file,
    /// `target:NAME` of a bake file. Empty for a plain Dockerfile; several where equal builds are one.
    pub ids: Vec<String>,
    /// The Dockerfile, relative to PATH with `/`; the compose or bake file where the text is
    /// `inline`. A named file outside of PATH stays as the user wrote it.
    pub file: String,
    /// The build context a compose or bake file gives, relative to PATH, `.` for PATH itself. None
    /// means that nobody says: see [`choose_context`].
    pub context: Option<String>,
    /// The stage to build; none is the last one.
    pub stage: Option<String>,
    /// Build arguments, sorted by name.
    pub args: Vec<(String, String)>,
    /// Build arguments that have another value in every build, such as a time.
    pub volatile_args: Vec<String>,
    /// The first platform asked for, such as `linux/arm64`.
    pub platform: Option<String>,
    /// Network, extra hosts (by name, since the files give them no order), shared memory and ulimits
    /// of its RUNs.
    pub run: RunFlags,
    /// As in [`crate::plan::BuildOptions::no_cache`].
    pub no_cache: Option<Vec<String>>,
    /// `-f`, `discovered`, `compose.yaml: service web`, `docker-bake.hcl: target app`.
    pub origin: String,
    /// Named contexts of a compose or bake file: name, value; sorted by name, each name once.
    ///
    /// A value is one of: a local directory, relative to PATH and normalised, `.` for PATH itself;
    /// `service:NAME` or `target:NAME`, which stands in the `ids` of the target that it means, where
    /// that one is analysed; and, as written, `docker-image://REF`, `oci-layout://…`, or another URL
    /// or `git@…`. A directory outside of PATH is left out, with a note.
    pub contexts: Vec<(String, String)>,
    /// The Dockerfile's text where a compose or bake file holds it.
    pub inline: Option<String>,
    /// What is wrong with this target alone, such as a Dockerfile that is not there.
    pub diagnostics: Vec<Located>,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Discovery {
    /// What to analyse: named files as named; else those at the root, compose services by name,
    /// bake targets by name.
    pub targets: Vec<Target>,
    /// Dockerfiles below PATH that are not among the targets, sorted.
    pub not_analysed: Vec<String>,
    /// What was wrong with, or left out of, compose and bake files.
    pub diagnostics: Vec<Located>,
}

/// A build as a compose or bake file describes it, with paths as written there.
#[derive(Clone, Debug, Default)]
struct Build {
    context: Option<String>,
    dockerfile: Option<String>,
    inline: Option<String>,
    stage: Option<String>,
    args: Vec<(String, String)>,
    /// Names of arguments that differ in every build.
    volatile: Vec<String>,
    platforms: Vec<String>,
    run: RunFlags,
    no_cache: Option<Vec<String>>,
    contexts: Vec<(String, String)>,
    /// As in [`Target::ids`].
    id: String,
    origin: String,
    span: Span,
}

/// Finds the targets.
///
/// With `named` empty: a `Dockerfile` (or `dockerfile`, where the other is not there) and a
/// `Containerfile` at the root and whatever compose and bake files build; where there is none of these, every file called `*.Dockerfile`, `Dockerfile.*`,
/// `Containerfile*`, `Dockerfile` or `Containerfile` below the root. Compose and bake files are read
/// at the root only. Targets with the same file, context, stage, arguments, platform, named contexts and
/// flags are one.
///
/// `named` files are relative to PATH; a path that leads out of it, or an absolute one, is taken
/// unseen, and the caller meets the error when reading it. Their context is that of the first
/// compose or bake build of the same file, where there is one.
///
/// # Errors
/// [`ProjectError::NoSuchFile`] for a named file inside PATH that does not exist.
pub fn discover(files: &dyn Files, named: &[String]) -> Result<Discovery, ProjectError> {
    find(files, named, true)
}

/// As [`discover`] with named files, and no look at the others: nothing is listed, and `not_analysed` is empty.
///
/// # Errors
/// As [`discover`].
pub fn discover_named(files: &dyn Files, named: &[String]) -> Result<Discovery, ProjectError> {
    find(files, named, false)
}

fn find(files: &dyn Files, named: &[String], others: bool) -> Result<Discovery, ProjectError> {
    let mut diagnostics = Vec::new();
    let mut builds = compose::read(files, &mut diagnostics);
    builds.extend(bake::read(files, &mut diagnostics));
    let described: Vec<Target> = builds
        .into_iter()
        .filter_map(|(source, build)| place(files, &source, build, &mut diagnostics))
        .collect();
    let mut contexts: BTreeMap<String, String> = BTreeMap::new();
    for target in described.iter().filter(|target| target.inline.is_none()) {
        if let Some(context) = &target.context {
            let first = contexts.entry(target.file.clone());
            first.or_insert_with(|| context.clone());
        }
    }
    let plain = |file: &str, origin: &str| Target {
        context: contexts.get(file).cloned(),
        file: file.to_owned(),
        stage: None,
        args: Vec::new(),
        volatile_args: Vec::new(),
        platform: None,
        run: RunFlags::default(),
        no_cache: None,
        contexts: Vec::new(),
        ids: Vec::new(),
        origin: origin.to_owned(),
        inline: None,
        diagnostics: Vec::new(),
    };

    let mut targets = Targets::default();
    for name in named {
        let inside = normalize(name).filter(|_| !name.starts_with('/'));
        let file = match inside {
            Some(file) => present(files, &file)
                .ok_or_else(|| ProjectError::NoSuchFile { file: name.clone() })?,
            None => name.clone(),
        };
        targets.add(plain(&file, "-f"));
    }
    let list = if others { files.list() } else { &[] };
    let candidates = list.iter().filter(|path| is_dockerfile(path));
    if named.is_empty() {
        for file in ["Dockerfile", "Containerfile"] {
            if let Some(file) = present(files, file) {
                targets.add(plain(&file, "discovered"));
            }
        }
        for target in described {
            targets.add(target);
        }
        if targets.list.is_empty() {
            for file in candidates.clone() {
                targets.add(plain(file, "discovered"));
            }
        }
    }
    let targets = targets.list;
    let analysed: BTreeSet<&str> = targets.iter().map(|target| target.file.as_str()).collect();
    let not_analysed = candidates
        .filter(|file| !analysed.contains(file.as_str()))
        .cloned()
        .collect();
    diagnostics.sort_by(|a, b| {
        let key = |located: &Located| (located.file.clone(), located.diagnostic.span());
        key(a).cmp(&key(b))
    });
    Ok(Discovery {
        targets,
        not_analysed,
        diagnostics,
    })
}

/// The targets so far, each once.
#[derive(Default)]
struct Targets {
    list: Vec<Target>,
    seen: BTreeMap<Identity, usize>,
}

type Identity = (
    String,
    Option<String>,
    Option<String>,
    Vec<(String, String)>,
    Vec<String>,
    Option<String>,
    Vec<(String, String)>,
    Option<String>,
    (RunFlags, Option<Vec<String>>),
);

impl Targets {
    /// Adds a target unless an equal one is there already.
    fn add(&mut self, target: Target) {
        let identity = (
            target.file.clone(),
            target.context.clone(),
            target.stage.clone(),
            target.args.clone(),
            target.volatile_args.clone(),
            target.inline.clone(),
            target.contexts.clone(),
            target.platform.clone(),
            (target.run.clone(), target.no_cache.clone()),
        );
        match self.seen.get(&identity) {
            None => {
                self.seen.insert(identity, self.list.len());
                self.list.push(target);
            }
            // Two blocks of one name cannot be here, so the ids differ.
            Some(&at) => self.list[at].ids.extend(target.ids),
        }
    }
}

/// Resolves a build's paths against the root, or says why it is left out.
fn place(
    files: &dyn Files,
    source: &str,
    build: Build,
    diagnostics: &mut Vec<Located>,
) -> Option<Target> {
    let mut leave_out = |code, reason: String| {
        let message = format!("{} is left out: {reason}", build.origin);
        diagnostics.push(note(source, code, message, build.span));
    };
    if let Err(reason) = build.run.check() {
        leave_out("project/build-flags", reason);
        return None;
    }
    let written = build.context.as_deref().unwrap_or(".");
    if is_remote(written) {
        leave_out(
            "project/remote-context",
            format!("its context {written} is not a local directory"),
        );
        return None;
    }
    let Some(context) = normalize(written) else {
        leave_out(
            "project/outside",
            format!("its context {written} lies outside of the analysed directory"),
        );
        return None;
    };
    let dockerfile = build.dockerfile.as_deref();
    let file = match (&build.inline, dockerfile) {
        (Some(_), _) => Some(source.to_owned()),
        (None, Some(name)) if is_remote(name) => None,
        (None, Some(name)) => join(&context, name).map(|f| present(files, &f).unwrap_or(f)),
        (None, None) => {
            let containerfile = join(&context, "Containerfile").filter(|f| files.is_file(f));
            let default = join(&context, "Dockerfile");
            let found = default.as_deref().and_then(|f| present(files, f));
            found.or(containerfile).or(default)
        }
    };
    let Some(file) = file else {
        let name = dockerfile.unwrap_or_default();
        leave_out(
            "project/outside",
            format!("its Dockerfile {name} lies outside of the analysed directory"),
        );
        return None;
    };
    let mut own = Vec::new();
    if build.inline.is_none() && !files.is_file(&file) {
        let message = format!("{} names {file}, which does not exist", build.origin);
        let diagnostic = Diagnostic::error("project/missing-dockerfile", message, build.span);
        own.push(Located {
            file: source.to_owned(),
            diagnostic,
        });
    }
    // Other builders may have such a network.
    if !["", "default", "none", "host"].contains(&build.run.network.as_str()) {
        let message = format!(
            "{}: BuildKit refuses the network {}, it has default, none and host",
            build.origin, build.run.network
        );
        own.push(Located {
            file: source.to_owned(),
            diagnostic: Diagnostic::warning("project/network", message, build.span),
        });
    }
    if hosts(&build.run) > 1 {
        let message = format!(
            "{}: before 0.34 buildx hands several extra hosts on in any order, and RUNs may run again for that; here they are in the order of their names",
            build.origin
        );
        let code = "project/order-of-hosts";
        diagnostics.push(note(source, code, message, build.span));
    }
    let mut args = build.args;
    args.sort();
    let mut contexts = BTreeMap::new();
    for (name, value) in build.contexts {
        if is_remote(&value) || value.starts_with("service:") {
            contexts.insert(name, value);
        } else if let Some(dir) = normalize(&value) {
            contexts.insert(name, dir);
        } else {
            let message = format!(
                "{}: the named context {name} is left out: {value} lies outside of the analysed directory",
                build.origin
            );
            diagnostics.push(note(source, "project/outside", message, build.span));
        }
    }
    let platform = build.platforms.into_iter().next();
    Some(Target {
        file,
        context: Some(context),
        stage: build.stage.filter(|stage| !stage.is_empty()),
        args,
        volatile_args: build.volatile,
        platform: platform.filter(|platform| !platform.is_empty()),
        run: build.run,
        no_cache: build.no_cache,
        contexts: contexts.into_iter().collect(),
        ids: vec![build.id],
        origin: build.origin,
        inline: build.inline,
        diagnostics: own,
    })
}

/// How many hosts have addresses. Those of one host stand next to each other.
fn hosts(run: &RunFlags) -> usize {
    let names = run.hosts.iter().map(|host| host.split('=').next());
    names.collect::<BTreeSet<_>>().len()
}

/// The file of this name; for `Dockerfile`, where there is none, `dockerfile` (grammar section 1; buildx
/// looks for it too, and takes the ignore file by the name it found).
fn present(files: &dyn Files, path: &str) -> Option<String> {
    if files.is_file(path) {
        return Some(path.to_owned());
    }
    let folder = path.strip_suffix("Dockerfile")?;
    let lower = format!("{folder}dockerfile");
    ((folder.is_empty() || folder.ends_with('/')) && files.is_file(&lower)).then_some(lower)
}

/// Whether a context is a URL or a repository that the builder fetches.
fn is_remote(context: &str) -> bool {
    context.contains("://")
        || context.starts_with("git@")
        || context.starts_with("github.com/")
        || context == "-"
        || context.starts_with("target:")
        || context.starts_with("docker-image:")
}

/// Whether a path is called like a Dockerfile.
fn is_dockerfile(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let called = name == "Dockerfile"
        || name == "dockerfile"
        || name.starts_with("Dockerfile.")
        || name.ends_with(".Dockerfile")
        || name.starts_with("Containerfile");
    called && !name.ends_with(".dockerignore") && !name.ends_with(".containerignore")
}

/// The text of a file at the root that is wanted as UTF-8, or a diagnostic.
fn read_text(files: &dyn Files, file: &str, diagnostics: &mut Vec<Located>) -> Option<String> {
    let problem = match files.read(file).map(String::from_utf8) {
        Some(Ok(text)) => return Some(text),
        Some(Err(_)) => "is not UTF-8 text",
        None => "cannot be read, or is larger than 1 MiB",
    };
    let message = format!("{file} {problem}, so no target is taken from it");
    diagnostics.push(warning(file, message, Span::default()));
    None
}

fn warning(file: &str, message: String, span: Span) -> Located {
    Located {
        file: file.to_owned(),
        diagnostic: Diagnostic::warning("project/unreadable", message, span),
    }
}

fn note(file: &str, code: &'static str, message: String, span: Span) -> Located {
    Located {
        file: file.to_owned(),
        diagnostic: Diagnostic::new(Severity::Note, code, message, span),
    }
}

#[cfg(test)]
mod flag_tests;
#[cfg(test)]
mod tests;
