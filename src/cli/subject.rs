//! From a PATH and flags to what is analysed: files at a place, targets, one [`Subject`] each.
//!
//! Everything here reads; nothing decides. Errors of the world are `anyhow` with context, what is
//! wrong with a user's file is a diagnostic on the subject.

use super::args::{BuildFlags, DockerfileFrom, HistoryFlags};
use super::build_file::{self, BuildFile};
use super::told;
use crate::context::{IgnoreLookup, ignore_file_for};
use crate::diagnostic::{Diagnostic, Severity};
use crate::dockerfile::{self, Dockerfile, Kind, Parsed};
use crate::history::{CommitId, HistoryError, Repository};
use crate::pattern::IgnoreRules;
use crate::plan::{self, Base, BuildOptions, Input, Plan};
use crate::project::{self, Discovery, Files, Target, WorkTree, choose_context};
use crate::source::SourceFile;
use anyhow::{Context as _, Result, bail};
use std::path::{Path, PathBuf};

/// Where files come from.
pub struct Place {
    /// PATH as given.
    pub path: PathBuf,
    /// The repository, if PATH is in one.
    pub repository: Option<Repository>,
    /// PATH relative to the repository root, `""` or `a/b`.
    pub prefix: String,
    /// The commit files are read at; `None`: the work tree.
    pub at: Option<CommitId>,
    /// The files below PATH.
    pub files: Box<dyn Files>,
}

impl Place {
    /// Opens PATH.
    ///
    /// # Errors
    /// When PATH can't be read, or a revision is asked for where there is none.
    pub fn open(path: &Path, reference: Option<&str>) -> Result<Self> {
        let repository = match Repository::discover(path) {
            Ok(r) => Some(r),
            Err(HistoryError::NotARepository { .. }) => None,
            Err(e) => return Err(e.into()),
        };
        let prefix = repository.as_ref().map_or(String::new(), |r| {
            String::from_utf8_lossy(r.prefix()).into_owned()
        });
        let at = match (&repository, reference) {
            (Some(r), Some(rev)) => Some(r.resolve(rev)?),
            (Some(r), None) if r.is_bare() => Some(r.head()?),
            (None, Some(rev)) => {
                bail!("--ref {rev}: {} is not in a git repository", path.display())
            }
            _ => None,
        };
        let files: Box<dyn Files> = match (&repository, at) {
            (Some(r), Some(commit)) => Box::new(CommitFiles::new(r, commit, &prefix)?),
            _ => Box::new(WorkTree::new(path)),
        };
        Ok(Self {
            path: path.to_owned(),
            repository,
            prefix,
            at,
            files,
        })
    }

    /// The repository.
    ///
    /// # Errors
    /// When PATH is not in one.
    pub fn repository(&self) -> Result<&Repository> {
        self.repository.as_ref().with_context(|| {
            format!(
                "{} is not in a git repository: this command replays commits",
                self.path.display()
            )
        })
    }

    /// A path below PATH as reports show it: relative to the repository root.
    #[must_use]
    pub fn shown(&self, file: &str) -> String {
        match (self.prefix.as_str(), file) {
            ("", f) => f.to_owned(),
            (p, "." | "") => p.to_owned(),
            (p, f) => format!("{p}/{f}"),
        }
    }

    /// The rules for a context, that of a Dockerfile or of none.
    #[must_use]
    pub fn ignore(&self, dockerfile: Option<&str>, context: &str, lookup: IgnoreLookup) -> Ignore {
        // A link is followed inside the folder it is looked up in, and is as good as nothing elsewhere.
        let bytes = |f: &str| {
            let suffix = dockerfile.and_then(|d| f.strip_prefix(d));
            let beside = suffix.is_some_and(|s| s.starts_with('.') && !s.contains('/'));
            let (dir, name) = build_file::split(f);
            let root = if beside { dir } else { context };
            build_file::read(self, root, name).bytes()
        };
        let file = ignore_file_for(dockerfile, context, lookup, |f| bytes(f).is_some());
        let text = file
            .as_ref()
            .map(|f| SourceFile::new(self.shown(f), bytes(f).unwrap_or_default()));
        let (rules, said) = match &text {
            Some(text) => {
                let (rules, said) = IgnoreRules::parse(text);
                (rules, said.into_iter().map(|d| (text.clone(), d)).collect())
            }
            None => (IgnoreRules::empty(), Vec::new()),
        };
        Ignore {
            file,
            text,
            rules,
            said,
        }
    }

    /// A file below PATH, or an absolute one.
    #[must_use]
    pub fn read(&self, file: &str) -> Option<Vec<u8>> {
        if file.starts_with('/') || file.starts_with("..") {
            let path = self.path.join(file);
            let size = std::fs::metadata(&path).ok()?;
            return (size.is_file() && size.len() <= project::MAX_FILE_BYTES)
                .then(|| std::fs::read(&path).ok())?;
        }
        self.files.read(file)
    }
}

/// The ignore file of a context, read.
pub struct Ignore {
    /// Relative to PATH; none is no rules.
    pub file: Option<String>,
    /// Its text, under the name that reports show.
    pub text: Option<SourceFile>,
    /// Its rules.
    pub rules: IgnoreRules,
    /// What is wrong with them, and the file that is about.
    pub said: Vec<(SourceFile, Diagnostic)>,
}

/// The files of a commit below a folder.
struct CommitFiles {
    repository: Repository,
    commit: CommitId,
    prefix: String,
    list: Vec<String>,
}

impl CommitFiles {
    fn new(repository: &Repository, commit: CommitId, prefix: &str) -> Result<Self> {
        let entries = repository.list(commit, prefix.as_bytes())?;
        let below = |path: &Vec<u8>| {
            let text = String::from_utf8(path.clone()).ok()?;
            match prefix {
                "" => Some(text),
                p => text.strip_prefix(p)?.strip_prefix('/').map(str::to_owned),
            }
        };
        let mut list: Vec<String> = entries.iter().filter_map(|(path, _)| below(path)).collect();
        list.sort();
        Ok(Self {
            repository: Repository::discover(repository.git_dir())?,
            commit,
            prefix: prefix.to_owned(),
            list,
        })
    }
}

impl Files for CommitFiles {
    fn list(&self) -> &[String] {
        &self.list
    }

    fn read(&self, path: &str) -> Option<Vec<u8>> {
        let full = if self.prefix.is_empty() {
            path.to_owned()
        } else {
            format!("{}/{path}", self.prefix)
        };
        let blob = self
            .repository
            .read_following(self.commit, full.as_bytes())
            .ok()??;
        (blob.bytes.len() as u64 <= project::MAX_FILE_BYTES).then_some(blob.bytes)
    }
}

/// One build: a Dockerfile with its context, ignore rules and options.
pub struct Subject {
    /// As discovered.
    pub target: Target,
    /// The Dockerfile as reports show it.
    pub file: String,
    /// Its bytes.
    pub source: SourceFile,
    /// Its tree.
    pub parsed: Parsed<Dockerfile>,
    /// Its steps.
    pub plan: Plan,
    /// What the Makefiles of the newest commit run is in them.
    pub recipes_noted: bool,
    /// What the build is told.
    pub options: BuildOptions,
    /// The context relative to PATH, `.` for PATH.
    pub context: String,
    /// The context in the repository, no slashes at the ends.
    pub context_prefix: String,
    /// The ignore file relative to PATH.
    pub ignore_file: Option<String>,
    /// Its text, under the name that reports show.
    pub ignore_text: Option<SourceFile>,
    /// Whose idea of ignore files.
    pub ignore_lookup: IgnoreLookup,
    /// Its rules.
    pub rules: IgnoreRules,
    /// Everything there is to say, the parser's included: file it is about, and what.
    pub diagnostics: Vec<(SourceFile, Diagnostic)>,
}

impl Subject {
    /// Whether both are built from the same text under the same name: two targets of one Dockerfile.
    #[must_use]
    pub fn same_file(&self, other: &Self) -> bool {
        self.file == other.file && self.source.bytes() == other.source.bytes()
    }

    /// Whether the builder would refuse it, or we decline it.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.diagnostics.iter().any(|(_, d)| d.is_error())
    }

    /// A path of the repository relative to the context, if it lies in there.
    #[must_use]
    pub fn in_context<'p>(&self, path: &'p [u8]) -> Option<&'p [u8]> {
        match self.context_prefix.as_str() {
            "" => Some(path),
            prefix => path.strip_prefix(prefix.as_bytes())?.strip_prefix(b"/"),
        }
    }
}

/// Everything found at a place.
pub struct Found {
    /// One per target.
    pub subjects: Vec<Subject>,
    /// Dockerfiles left alone.
    pub not_analysed: Vec<String>,
    /// About compose and bake files.
    pub diagnostics: Vec<(SourceFile, Diagnostic)>,
}

/// Finds and loads all targets.
///
/// # Errors
/// When a named file is not there, or nothing is found.
pub fn load(place: &Place, flags: &BuildFlags, volatile: &[String]) -> Result<Found> {
    let discovery = discover(place, flags)?;
    let one = |t| subject(place, flags, volatile, t);
    let subjects: Result<Vec<Subject>> = discovery.targets.iter().map(one).collect();
    let not_analysed = discovery.not_analysed.iter().map(|f| place.shown(f));
    Ok(Found {
        subjects: subjects?,
        not_analysed: not_analysed.collect(),
        diagnostics: about_files(place, &discovery),
    })
}

fn discover(place: &Place, flags: &BuildFlags) -> Result<Discovery> {
    let odd = |file: &str| match dockerfile_at(place, file) {
        BuildFile::Odd(why) => Some(format!("{} {why}", place.shown(file))),
        _ => None,
    };
    let discovery = match project::discover(place.files.as_ref(), &flags.files) {
        Ok(found) => found,
        Err(e) => match flags.files.iter().find_map(|f| odd(f)) {
            Some(why) => bail!(why),
            None => return Err(e.into()),
        },
    };
    if discovery.targets.is_empty() {
        if let Some(why) = odd("Dockerfile") {
            bail!(why);
        }
        bail!(
            "no Dockerfile found in {} (name one with -f)",
            place.path.display()
        );
    }
    Ok(discovery)
}

/// What there is to say about compose and bake files.
fn about_files(place: &Place, discovery: &Discovery) -> Vec<(SourceFile, Diagnostic)> {
    let list = discovery.diagnostics.iter();
    list.map(|l| located(place, l)).collect()
}

/// Loads the one target of commands that take one: `-f`, else `Dockerfile` in PATH, else the only one.
///
/// # Errors
/// As [`load`], and when there are several and none is named.
pub fn load_one(place: &Place, flags: &BuildFlags, volatile: &[String]) -> Result<Subject> {
    one_of(place, flags, volatile, &discover(place, flags)?)
}

fn one_of(
    place: &Place,
    flags: &BuildFlags,
    volatile: &[String],
    discovery: &Discovery,
) -> Result<Subject> {
    let targets = &discovery.targets;
    let default =
        |t: &&Target| t.file.eq_ignore_ascii_case("Dockerfile") && t.origin == "discovered";
    let only = targets.first().filter(|_| targets.len() == 1);
    let Some(target) = only.or_else(|| targets.iter().find(default)) else {
        let list: Vec<String> = targets.iter().map(|t| place.shown(&t.file)).collect();
        bail!(
            "there are several targets, name one with -f: {}",
            list.join(", ")
        );
    };
    subject(place, flags, volatile, target)
}

/// A diagnostic with the file that it is about.
#[must_use]
pub fn located(place: &Place, l: &project::Located) -> (SourceFile, Diagnostic) {
    let bytes = place.read(&l.file).unwrap_or_default();
    let source = SourceFile::new(place.shown(&l.file), bytes);
    (source, l.diagnostic.clone())
}

/// As [`load`], for commands that replay builds: a target whose steps take files from a folder or a
/// build that a named context stands for is declined, since nothing tells when those files changed.
///
/// # Errors
/// As [`load`].
pub fn load_replayed(place: &Place, flags: &BuildFlags, history: &HistoryFlags) -> Result<Found> {
    let mut found = load(place, flags, &history.volatile_args)?;
    let subjects = found.subjects.iter_mut();
    subjects.for_each(|s| decline_foreign(s, history));
    Ok(found)
}

/// As [`load_one`], for commands that replay builds; and what there is to say about compose and bake files.
///
/// # Errors
/// As [`load_one`].
pub fn load_one_replayed(
    place: &Place,
    flags: &BuildFlags,
    history: &HistoryFlags,
) -> Result<(Subject, Vec<(SourceFile, Diagnostic)>)> {
    let discovery = discover(place, flags)?;
    let mut subject = one_of(place, flags, &history.volatile_args, &discovery)?;
    decline_foreign(&mut subject, history);
    Ok((subject, about_files(place, &discovery)))
}

fn decline_foreign(subject: &mut Subject, history: &HistoryFlags) {
    // Each commit's own Dockerfile may use what today's does not.
    let used = match history.dockerfile_from {
        DockerfileFrom::Frozen => foreign_files(&subject.plan),
        DockerfileFrom::Each => {
            let folders = subject.options.contexts.iter();
            let mut folders = folders.filter(|(_, v)| !v.starts_with("docker-image:"));
            folders.next().map(|(name, _)| name.clone())
        }
    };
    if let Some(name) = used {
        let message =
            format!("the named context {name} is no image: its changes are not in this history");
        let d = Diagnostic::whole(Severity::Error, "build/named-context", message);
        let help = "`inspect` and `context` read such a build, it cannot be replayed";
        let about = (subject.source.clone(), d.with_help(help));
        subject.diagnostics.push(about);
    }
}

/// A named context whose files a step of the target needs.
fn foreign_files(plan: &Plan) -> Option<String> {
    let steps = plan.order.iter().flat_map(|n| &plan.graph[*n].inputs);
    let taken = steps.filter_map(|i| match i {
        Input::Named(n) => Some(n.context.clone()),
        _ => None,
    });
    let stages = plan
        .stages
        .iter()
        .filter(|s| s.reachable && s.root.is_none());
    let based = stages.filter_map(|s| match &s.base {
        Base::Context(name) => Some(name.clone()),
        _ => None,
    });
    taken.chain(based).next()
}

/// A Dockerfile as the builder finds it, from its own folder.
fn dockerfile_at(place: &Place, file: &str) -> BuildFile {
    let (root, name) = build_file::split(file);
    build_file::read(place, root, name)
}

/// One target, loaded.
///
/// # Errors
/// When flags can't be used with it.
pub fn subject(
    place: &Place,
    flags: &BuildFlags,
    volatile: &[String],
    target: &Target,
) -> Result<Subject> {
    let options = told::options(flags, volatile, target)?;
    let mut target = target.clone();
    target.stage.clone_from(&options.target);
    let found = match &target.inline {
        Some(text) => BuildFile::Bytes(text.clone().into_bytes()),
        None => dockerfile_at(place, &target.file),
    };
    let odd = match found {
        BuildFile::Odd(why) => Some(why),
        _ => None,
    };
    let bytes = found.bytes();
    let file = place.shown(&target.file);
    let missing = bytes.is_none();
    let source = SourceFile::new(file.clone(), bytes.unwrap_or_default());
    let mut diagnostics: Vec<(SourceFile, Diagnostic)> = target
        .diagnostics
        .iter()
        .map(|l| located(place, l))
        .collect();
    let parsed = if missing {
        Parsed {
            tree: Dockerfile::default(),
            diagnostics: Vec::new(),
        }
    } else {
        dockerfile::parse(&source)
    };
    let plan = plan::lower(&parsed.tree, &options);
    let mut own: Vec<Diagnostic> = parsed
        .diagnostics
        .iter()
        .chain(&plan.diagnostics)
        .cloned()
        .collect();
    if missing && !diagnostics.iter().any(|(_, d)| d.is_error()) {
        let message = format!("{file} {}", odd.unwrap_or("cannot be read"));
        own.push(Diagnostic::whole(
            Severity::Error,
            "project/unreadable",
            message,
        ));
    }
    if let Some(foreign) = foreign_frontend(&parsed.tree, &options) {
        // What this grammar has to say about the file means nothing then.
        own = vec![foreign];
    }
    own.extend(told::unset_args(&parsed.tree, &options));
    let (context, note) = match (&flags.context, &target.context) {
        (Some(dir), _) => {
            let folder = project::normalize(dir)
                .with_context(|| format!("--context {dir} lies outside of PATH"))?;
            let on_disk = place.at.is_none() && place.path.join(&folder).is_dir();
            if !on_disk && !place.files.exists(&folder) {
                bail!("--context {dir}: there is no such folder");
            }
            (folder, None)
        }
        (None, Some(dir)) => (dir.clone(), None),
        (None, None) => {
            let sources = literal_sources(&parsed.tree);
            let choice = choose_context(place.files.as_ref(), &target.file, &sources);
            (choice.dir, choice.note)
        }
    };
    if let Some(note) = note {
        let d = Diagnostic::whole(Severity::Note, "project/context", note);
        own.push(d.with_help("name another one with --context"));
    }
    let beside = target.inline.is_none().then_some(&*target.file);
    let lookup = flags.builder_profile.ignore_lookup();
    let Ignore {
        file: ignore_file,
        text: ignore_text,
        rules,
        said,
    } = place.ignore(beside, &context, lookup);
    diagnostics.extend(said);
    diagnostics.extend(own.into_iter().map(|d| (source.clone(), d)));
    let context_prefix = match place.shown(&context).as_str() {
        "." | "" => String::new(),
        p => p.trim_matches('/').to_owned(),
    };
    Ok(Subject {
        ignore_lookup: lookup,
        target,
        file,
        source,
        parsed,
        plan,
        recipes_noted: false,
        options,
        context,
        context_prefix,
        ignore_file,
        ignore_text,
        rules,
        diagnostics,
    })
}

/// Sources of COPY and ADD without variables, taken from the context.
fn literal_sources(file: &Dockerfile) -> Vec<String> {
    let mut out = Vec::new();
    for i in file.instructions() {
        if let Kind::Copy(t) | Kind::Add(t) = i.kind()
            && i.flag("from").is_none()
        {
            out.extend(
                t.sources
                    .iter()
                    .filter(|s| !s.contains('$') && !s.contains("://"))
                    .map(String::from),
            );
        }
    }
    out
}

/// A `# syntax=` or `BUILDKIT_SYNTAX` that names another grammar than the Dockerfile's.
fn foreign_frontend(file: &Dockerfile, options: &BuildOptions) -> Option<Diagnostic> {
    // The build argument takes the place of the directive (grammar section 2).
    let given = options
        .args
        .iter()
        .rfind(|(name, _)| name == "BUILDKIT_SYNTAX");
    let directive = file.directives.syntax.as_ref();
    let (value, span) = match (given, directive) {
        (Some((_, value)), _) => (value, None),
        (None, Some((value, span))) => (value, Some(*span)),
        (None, None) => return None,
    };
    let image = value.split(' ').next().unwrap_or("");
    let bare = image.split('@').next().unwrap_or("");
    let name = match bare.rsplit_once(':') {
        Some((n, tag)) if !tag.contains('/') => n,
        _ => bare,
    };
    let own = [
        "docker/dockerfile",
        "docker/dockerfile-upstream",
        "dockerfile.v0",
    ];
    let known = own
        .iter()
        .any(|o| name == *o || name.ends_with(&format!("/{o}")));
    (!known && !image.is_empty()).then(|| {
        let message =
            format!("the frontend {image} has another grammar: this file is not analysed");
        let code = "build/foreign-frontend";
        let d = match span {
            Some(span) => Diagnostic::error(code, message, span),
            None => Diagnostic::whole(Severity::Error, code, message),
        };
        d.with_help("only docker/dockerfile frontends are understood")
    })
}
