//! Where in the image the files of the build context lie.
//!
//! Goes in: the steps of a stage, one by one, and the context at the newest commit. Comes out: which file of the
//! context a path of the image holds. Costs nothing until it is asked; then one look per COPY, or one pass over the
//! files of a folder. Invariant: a path that any other step may have written since is not answered.

mod cut;
mod places;

use super::ContextFiles;
use super::needs::Project;
use crate::footprint::{PathClaim, PathSet};
use crate::pattern::{ExcludeRules, SourceKind, SourcePattern};
use crate::plan::{Input, Plan, Step, StepKind};
use std::collections::BTreeSet;
use std::rc::Rc;

pub use places::{Arrivals, Places, Snapshot};

/// What one step left.
#[derive(Clone)]
enum Layer {
    /// Files of the context.
    Context(Rc<Brought>),
    /// Something else at these places; the files keep their bytes where the second says so.
    Other(Rc<PathSet>, bool),
}

/// A COPY or ADD of files of the context.
struct Brought {
    /// Absolute and clean.
    dest: String,
    /// Files get their own names below it.
    is_dir: bool,
    sources: Vec<SourcePattern>,
    excludes: Option<ExcludeRules>,
    /// They come by way of another stage, which takes some of them away.
    cut: Option<cut::Cut>,
}

/// The layers below some instruction.
#[derive(Clone, Default)]
pub struct Layout {
    layers: Vec<Layer>,
}

/// A layout with the context it was made from: what needs are asked of.
#[derive(Clone, Copy)]
pub struct Laid<'a> {
    /// The layers.
    pub layout: &'a Layout,
    /// The context.
    pub files: &'a dyn ContextFiles,
}

impl Layout {
    /// The layers so far, to come back to.
    #[must_use]
    pub fn len(&self) -> usize {
        self.layers.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    /// The first `count` layers.
    #[must_use]
    pub fn first(&self, count: usize) -> Self {
        Self {
            layers: self.layers.iter().take(count).cloned().collect(),
        }
    }

    /// Adds something that may have changed anything.
    pub fn lose(&mut self) {
        let everywhere = PathSet::new(vec![PathClaim::subtree("/")]);
        self.layers.push(Layer::Other(Rc::new(everywhere), false));
    }

    /// Adds what a step leaves; `writes` are its places, `None` for any.
    pub fn add(&mut self, plan: &Plan, step: &Step, writes: Option<&PathSet>) {
        if let Some(brought) = Brought::of(step).or_else(|| Brought::through(plan, step)) {
            self.layers.push(Layer::Context(Rc::new(brought)));
            return;
        }
        if matches!(step.kind, StepKind::From | StepKind::Workdir) {
            return;
        }
        let everywhere = || PathSet::new(vec![PathClaim::subtree("/")]);
        let places = writes.cloned().unwrap_or_else(everywhere);
        if !places.is_empty() {
            self.layers
                .push(Layer::Other(Rc::new(places), places::keeps_bytes(step)));
        }
    }
}

impl Laid<'_> {
    /// The file of the context at a path of the image.
    #[must_use]
    pub fn context_path(&self, path: &str) -> Option<String> {
        let claim = PathClaim::exact(path);
        for layer in self.layout.layers.iter().rev() {
            match layer {
                Layer::Other(set, _) => {
                    if set.claims.iter().any(|c| c.covers(&claim)) {
                        return None;
                    }
                }
                Layer::Context(brought) => {
                    let below = PathClaim::subtree(brought.top());
                    if below.covers(&claim) && brought.is_unclear(self.files) {
                        return None;
                    }
                    if let Some(found) = brought.origin(path, self.files) {
                        return Some(found);
                    }
                    if brought.empties(path, self.files) {
                        return None;
                    }
                }
            }
        }
        None
    }

    /// All files at or below a path of the image, each with its path in the context, sorted.
    #[must_use]
    pub fn files_at(&self, claim: &PathClaim) -> Vec<(String, String)> {
        let mut names = BTreeSet::new();
        for layer in &self.layout.layers {
            if let Layer::Context(brought) = layer {
                brought.list(claim, self.files, &mut names);
            }
        }
        let known = |p: String| self.context_path(&p).map(|c| (p, c));
        names.into_iter().filter_map(known).collect()
    }
}

impl Project for Laid<'_> {
    fn is_file(&self, path: &str) -> bool {
        self.context_path(path).is_some()
    }

    fn read(&self, path: &str) -> Option<Vec<u8>> {
        self.files.read(&self.context_path(path)?)
    }

    fn is_link(&self, path: &str) -> bool {
        self.context_path(path)
            .is_some_and(|p| self.files.is_link(&p))
    }

    fn is_executable(&self, path: &str) -> Option<bool> {
        self.files.is_executable(&self.context_path(path)?)
    }

    fn below(&self, dir: &str) -> Vec<String> {
        let all = self.files_at(&PathClaim::subtree(dir));
        all.into_iter()
            .map(|(p, _)| p)
            .filter(|p| p != dir)
            .collect()
    }
}

/// Whether a COPY brings files of the context by way of a stage that takes some of them away.
#[must_use]
pub fn comes_through(plan: &Plan, step: &Step) -> bool {
    Brought::through(plan, step).is_some()
}

/// The place of a file that a COPY brings; the repository, of which no file is listed, is a tree.
#[must_use]
pub fn claim_of((place, from): &(String, String)) -> PathClaim {
    match from.as_str() {
        ".git" => PathClaim::subtree(&**place),
        _ => PathClaim::exact(&**place),
    }
}

/// The files that a COPY of the context brings to a part of the image: path there, path in the context.
#[must_use]
pub fn brought_by(
    step: &Step,
    claim: &PathClaim,
    files: &dyn ContextFiles,
) -> Option<Vec<(String, String)>> {
    let brought = Brought::of(step)?;
    if brought.is_unclear(files) {
        return None;
    }
    let mut names = BTreeSet::new();
    brought.list(claim, files, &mut names);
    let from = |p: String| brought.origin(&p, files).map(|c| (p, c));
    let mut out: Vec<(String, String)> = names.into_iter().filter_map(from).collect();
    // The checkout's own repository is in no commit, so it is in no list of files.
    let git = format!("{}/.git", brought.dest);
    let meets = claim.covers(&PathClaim::exact(&*git))
        || PathClaim::subtree(&*git).covers(&PathClaim::exact(&*claim.path));
    let whole = |s: &SourcePattern| s.kind() == SourceKind::Root;
    if meets && files.holds_git() && brought.sources.iter().any(whole) {
        out.push((git, ".git".to_owned()));
    }
    Some(out)
}

impl Brought {
    /// `None` for a step that brings anything else.
    fn of(step: &Step) -> Option<Self> {
        // ADD unpacks archives, by whatever name.
        if step.kind != StepKind::Copy || step.parents || !step.inline.is_empty() {
            return None;
        }
        let [Input::Context(input)] = step.inputs.as_slice() else {
            return None;
        };
        let dest = step.dest.as_ref()?;
        let sources: Vec<SourcePattern> = input
            .sources
            .iter()
            .map(|s| SourcePattern::lenient(s))
            .collect();
        let excludes = match input.excludes.is_empty() {
            true => None,
            false => Some(ExcludeRules::new(&input.excludes).ok()?),
        };
        Some(Self {
            dest: dest.best()?.trim_end_matches('/').to_owned(),
            is_dir: dest.is_dir || sources.len() > 1,
            sources,
            excludes,
            cut: None,
        })
    }

    /// The folder that everything comes to lie in.
    fn top(&self) -> &str {
        match self.dest.as_str() {
            "" => "/",
            dest => dest,
        }
    }

    /// Whether it is not sure which files come where: a link is followed, a submodule holds nobody knows what, one file
    /// may land in a folder of the destination's name, or a wildcard has too many files to match.
    fn is_unclear(&self, files: &dyn ContextFiles) -> bool {
        if let Some(cut) = &self.cut {
            return cut.is_unclear(files);
        }
        const MOST_MATCHED: usize = 2000;
        let one = |source: &SourcePattern| match source.kind() {
            SourceKind::Root => files.links_in("").is_none(),
            SourceKind::Wildcard { prefix_dir } => {
                let below = files.below(prefix_dir);
                below.len() > MOST_MATCHED
                    || files.links_in(prefix_dir).is_none_or(|l| !l.is_empty())
            }
            SourceKind::Plain(path) => {
                let mut above =
                    std::iter::successors(Some(path), |p| p.rsplit_once('/').map(|(d, _)| d));
                if above.any(|p| files.is_link(p)) {
                    return true;
                }
                if files.is_file(path) {
                    let name = |p: &str| p.rsplit('/').next().unwrap_or(p).to_owned();
                    let dest = name(&self.dest);
                    return !self.is_dir && dest != name(path) && !dest.contains('.');
                }
                files.links_in(path).is_none()
            }
        };
        self.sources.iter().any(one)
    }

    /// Where a file of the context comes to lie.
    fn place(&self, source: &SourcePattern, file: &str) -> Option<String> {
        let found = source.select(file.as_bytes())?;
        let relative = std::str::from_utf8(found.relative).ok()?;
        if relative.is_empty() {
            // The source names or matches the file itself; exclude patterns don't speak about it.
            return Some(match self.is_dir {
                true => format!("{}/{}", self.dest, file.rsplit('/').next().unwrap_or(file)),
                false => self.dest.clone(),
            });
        }
        let excluded = |e: &ExcludeRules| e.is_excluded(found.relative);
        if self.excludes.as_ref().is_some_and(excluded) {
            return None;
        }
        Some(format!("{}/{relative}", self.dest))
    }

    /// The file of the context at a path of the image.
    fn origin(&self, path: &str, files: &dyn ContextFiles) -> Option<String> {
        if let Some(cut) = &self.cut {
            return cut.origin(below(path, &self.dest)?, files);
        }
        for source in self.sources.iter().rev() {
            let candidate = match source.kind() {
                SourceKind::Wildcard { .. } => {
                    let mut all = files.below(folder_of(source)).into_iter();
                    all.find(|f| self.place(source, f).as_deref() == Some(path))
                }
                SourceKind::Root => below(path, &self.dest).map(str::to_owned),
                SourceKind::Plain(file) if files.is_file(file) => Some((*file).to_owned()),
                SourceKind::Plain(folder) => {
                    below(path, &self.dest).map(|rest| format!("{folder}/{rest}"))
                }
            };
            let Some(candidate) = candidate.filter(|c| files.is_file(c)) else {
                continue;
            };
            if self.place(source, &candidate).as_deref() == Some(path) {
                return Some(candidate);
            }
        }
        None
    }

    /// Whether it brings a file to a path of the image that is one of the context's by its name alone.
    fn empties(&self, path: &str, files: &dyn ContextFiles) -> bool {
        let rest = below(path, &self.dest);
        let cut = self.cut.as_ref().zip(rest);
        cut.is_some_and(|(c, rest)| c.all(files).emptied.contains_key(rest))
    }

    /// Paths of the image at or below a claim that it brings files to.
    fn list(&self, claim: &PathClaim, files: &dyn ContextFiles, out: &mut BTreeSet<String>) {
        let own = PathClaim::subtree(match self.dest.as_str() {
            "" => "/",
            dest => dest,
        });
        if !own.covers(&PathClaim::exact(&*claim.path))
            && !claim.covers(&PathClaim::exact(&*own.path))
        {
            return;
        }
        if let Some(cut) = &self.cut {
            let all = cut.all(files).whole.iter();
            let places = all.map(|(rest, _)| format!("{}/{rest}", self.dest));
            out.extend(places.filter(|p| claim.covers(&PathClaim::exact(&**p))));
            return;
        }
        for source in &self.sources {
            let folder = match (source.kind(), below(&claim.path, &self.dest)) {
                (SourceKind::Root, Some(rest)) => rest.to_owned(),
                (SourceKind::Plain(folder), Some(rest)) if !files.is_file(folder) => {
                    format!("{folder}/{rest}")
                }
                (SourceKind::Plain(name), _) => (*name).to_owned(),
                (SourceKind::Root, None) => String::new(),
                _ => folder_of(source).to_owned(),
            };
            let placed = self.placed(source, folder, files).into_iter();
            let places = placed.map(|(place, _)| place);
            out.extend(places.filter(|p| claim.covers(&PathClaim::exact(&**p))));
        }
    }

    /// The files at or below a place of the context that a source takes: path in the image, path in the context.
    fn placed(
        &self,
        source: &SourcePattern,
        from: String,
        files: &dyn ContextFiles,
    ) -> Vec<(String, String)> {
        let mut list = files.below(&from);
        if files.is_file(&from) {
            list.push(from);
        }
        let place = |file: String| Some((self.place(source, &file)?, file));
        list.into_iter().filter_map(place).collect()
    }
}

/// The part of a path below a folder; `None` at the folder itself.
fn below<'p>(path: &'p str, folder: &str) -> Option<&'p str> {
    let rest = path.strip_prefix(folder)?.strip_prefix('/')?;
    (!rest.is_empty()).then_some(rest)
}

/// The folder in which a wildcard looks.
fn folder_of(source: &SourcePattern) -> &str {
    match source.kind() {
        SourceKind::Wildcard { prefix_dir } => prefix_dir,
        SourceKind::Plain(path) => path,
        SourceKind::Root => "",
    }
}
