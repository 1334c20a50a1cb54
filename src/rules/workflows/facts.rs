//! What workflows say about builds of images.
//!
//! Plain values; `github.rs`, `gitlab.rs` and `command.rs` fill them.

use crate::source::Span;

/// Everything that workflows of a project say.
#[derive(Clone, Debug, Default)]
pub struct Ci {
    pub jobs: Vec<Job>,
    pub builds: Vec<Build>,
    /// Bake is used somewhere: caches may be set in its files.
    pub bakes: bool,
    /// The files themselves, as text.
    pub texts: Vec<String>,
}

/// Which machines a job runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runner {
    /// A fresh one each time, with nothing from before on it.
    Fresh,
    /// Nobody knows, or one that keeps its disk.
    Other,
}

/// What starts a workflow, as far as caches tell refs apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Triggers {
    pub pull_request: bool,
    pub branch: bool,
    pub tag: bool,
    /// By hand or by the clock, on a branch.
    pub at_will: bool,
}

impl Triggers {
    pub const ALL: Self = Self {
        pull_request: true,
        branch: true,
        tag: true,
        at_will: true,
    };

    /// Whether two workflows may run for one ref.
    pub fn meet(self, other: Self) -> bool {
        let on_branch = |t: Self| t.branch || t.at_will;
        self.pull_request && other.pull_request
            || on_branch(self) && on_branch(other)
            || self.tag && other.tag
    }
}

/// One job.
#[derive(Clone, Debug)]
pub struct Job {
    /// The workflow, relative to PATH.
    pub file: String,
    pub id: String,
    pub runner: Runner,
    pub triggers: Triggers,
    /// Actions that its steps use, without a version, in lower case.
    pub uses: Vec<String>,
    /// Something in it keeps cache mounts from one run to the next, or the builder is elsewhere.
    pub carries: bool,
    /// It names images again: `docker tag`, `imagetools create`.
    pub renames: bool,
    /// It pushes with a command of its own.
    pub pushes: bool,
}

/// A text with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// As written.
    pub text: String,
    /// With variables of the workflow put in.
    pub value: String,
    pub span: Span,
}

impl Item {
    /// Whether it depends on something that is not written here.
    pub fn is_open(&self) -> bool {
        is_open(&self.value)
    }

    /// The value of an attribute of `type=gha,mode=max`.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.value.split(',').find_map(|part| {
            let (key, value) = part.trim().split_once('=')?;
            (key.trim() == name).then(|| value.trim())
        })
    }

    /// The kind of cache: `registry` for a bare image name.
    pub fn cache_type(&self) -> &str {
        match self.attribute("type") {
            Some(kind) => kind,
            None if self.is_open() => "",
            None => "registry",
        }
    }

    /// Where a cache lies: its scope or reference. Nothing for kinds that have no place, and where the place is not written.
    pub fn cache_place(&self) -> Option<(&str, &str)> {
        let kind = self.cache_type();
        let place = match kind {
            "gha" => self.attribute("scope").unwrap_or("buildkit"),
            "registry" => match self.attribute("ref") {
                Some(reference) => reference,
                None if self.attribute("type").is_none() => &self.value,
                None => return None,
            },
            "local" => self.attribute("dest").or_else(|| self.attribute("src"))?,
            _ => return None,
        };
        Some((kind, place))
    }
}

/// Whether all expressions of a text mean the same in all jobs of a workflow run.
pub fn is_fixed(text: &str) -> bool {
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let Some(inner) = rest[at..].strip_prefix("${{") else {
            return false;
        };
        let Some(end) = inner.find("}}") else {
            return false;
        };
        let name = inner[..end].trim();
        const SAME: [&str; 6] = [
            "github.repository",
            "github.repository_owner",
            "github.actor",
            "github.ref_name",
            "github.ref",
            "github.event.repository.name",
        ];
        if !SAME.contains(&name) && !name.starts_with("vars.") && !name.starts_with("secrets.") {
            return false;
        }
        rest = &inner[end + 2..];
    }
    true
}

/// Whether a text holds an expression or a variable.
pub fn is_open(text: &str) -> bool {
    text.contains("${{") || text.contains('$')
}

/// What builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// `docker/build-push-action`.
    Action,
    /// `docker buildx build`.
    Buildx,
    /// `docker build`.
    Docker,
}

/// One build of one image, or of one per member of a matrix.
#[derive(Clone, Debug)]
pub struct Build {
    /// Index of its job.
    pub job: usize,
    pub tool: Tool,
    /// The step, or the command.
    pub span: Span,
    /// Dockerfiles that it may build, relative to PATH; none where nobody knows.
    pub dockerfiles: Vec<String>,
    pub target: Option<String>,
    pub tags: Vec<Item>,
    pub cache_from: Vec<Item>,
    pub cache_to: Vec<Item>,
    /// It may push its image.
    pub pushes: bool,
    /// Labels or annotations are given.
    pub labelled: bool,
    /// It asks for no cache.
    pub cold_by_choice: bool,
    /// It is given options that are not written here.
    pub opaque: bool,
    /// Keys of the matrix that choose what is built.
    pub chosen_by: Vec<String>,
    /// Their values are known, and can stand in a list of attributes.
    pub plain: bool,
    /// File, target, platforms and context as written: what makes it another build than others.
    pub what: String,
    /// Where inputs of an action start that are written one a line.
    pub inputs: Option<u32>,
}
