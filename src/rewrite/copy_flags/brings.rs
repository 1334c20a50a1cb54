//! What a COPY brings, with which owner and mode.
//!
//! Goes in: a step, and what is asked for. Comes out: whether that is about all of it, and the flags that say so. Linear in the files.
//! Invariant: a name decides what a file of another stage is only where nothing else can, and that is noted.

use super::attributes::{Change, Mode, Wish, applied, is_file_name, is_program};
use crate::footprint::PathClaim;
use crate::plan::{Input, Step};
use crate::rewrite::View;
use crate::rewrite::layout::brought_by;

/// Owner and mode of what a COPY brings, as its flags say or will say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Flags {
    pub(super) owner: Option<String>,
    pub(super) mode: Option<String>,
}

impl Flags {
    /// These flags with one more wish; `None` where they say something else, or where what that comes to is not known.
    pub(super) fn with(&self, change: &Change, brings: &Brings) -> Option<Self> {
        let mut new = self.clone();
        match change {
            Change::Owner(owner) => {
                let named = owner.contains(':');
                let owner = match named {
                    true => owner.clone(),
                    false => format!("{owner}:0"),
                };
                // Without a name the group stays; files of the context are of root's.
                let of_context = brings.files.is_some() || matches!(brings.what, What::Text(_));
                if !named && !of_context {
                    return None;
                }
                let same = self.owner.as_ref().is_none_or(|o| *o == owner);
                // Set-ID bits go with the old owner.
                let bits = self.mode.as_ref().is_some_and(|m| m.len() > 3);
                if !same || bits {
                    return None;
                }
                new.owner = Some(owner);
            }
            Change::Mode(mode) => {
                let mode = match mode {
                    Mode::Octal(mode) => mode.clone(),
                    Mode::Symbolic(text) => brings.after(text)?,
                };
                if self.mode.as_ref().is_some_and(|m| *m != mode) {
                    return None;
                }
                new.mode = Some(mode);
            }
        }
        Some(new)
    }
}

/// What a COPY brings, and to where.
pub(super) struct Brings {
    pub(super) what: What,
    /// Its files, by place and path in the context, where they come from there.
    pub(super) files: Option<Vec<(String, String)>>,
    /// Where it puts them.
    pub(super) at: String,
}

pub(super) enum What {
    /// Files of the context, one by one.
    Files,
    /// A text in the Dockerfile.
    Text(String),
    /// One file of another stage, as its name says.
    Named(String),
    /// A tree that becomes the folder which the COPY names.
    Tree,
}

impl Brings {
    pub(super) fn of(view: &View<'_>, step: &Step) -> Option<Self> {
        let dest = step.dest.as_ref()?;
        let at = dest.sure()?.to_owned();
        let inside = |name: &str| match dest.is_dir {
            true => format!("{}/{name}", at.trim_end_matches('/')),
            false => at.clone(),
        };
        let plain = |s: &String| !s.contains(['*', '?', '[', '\\']);
        let mut files = None;
        let what = match (step.inputs.as_slice(), step.inline.as_slice()) {
            ([], [(name, _)]) => What::Text(inside(name)),
            ([Input::Context(input)], []) => {
                let found = brought_by(step, &PathClaim::subtree("/"), view.files)?;
                let link = found.iter().any(|(_, from)| view.files.is_link(from));
                if !input.excludes.is_empty() || !input.sources.iter().all(plain) {
                    return None;
                }
                let is_file = |s: &String| {
                    view.files
                        .is_file(crate::pattern::clean(s).trim_start_matches('/'))
                };
                files = Some(found);
                match input.sources.as_slice() {
                    all if all.iter().all(is_file) && !link => What::Files,
                    [one] if !is_file(one) => What::Tree,
                    _ => return None,
                }
            }
            ([Input::Stage { sources, .. }], []) => match sources.as_slice() {
                [source] if plain(source) => {
                    let name = source.trim_end_matches('/').rsplit('/').next()?;
                    let place = inside(name);
                    let file = is_program(&place) || is_file_name(&place) && is_file_name(name);
                    match file && !source.ends_with('/') {
                        true => What::Named(place),
                        false => What::Tree,
                    }
                }
                _ => return None,
            },
            _ => return None,
        };
        Some(Self { what, files, at })
    }

    /// Whether a wish is about all that the COPY brings and nothing else.
    pub(super) fn is_all_of(&self, wish: &Wish, path: &str) -> bool {
        let named = |place: &String| wish.paths.iter().any(|(_, p)| p == place);
        match &self.what {
            What::Files => {
                let files = self.files.as_deref().unwrap_or_default();
                let mut places = files.iter().map(|(place, _)| place);
                places.clone().any(|p| p == path) && places.all(named)
            }
            What::Text(place) | What::Named(place) => place == path,
            What::Tree => wish.recursive && path == self.at,
        }
    }

    /// The file that a wish makes executable, where it is that already.
    pub(super) fn is_executable(
        &self,
        view: &View<'_>,
        flags: &Flags,
        wish: &Wish,
        path: &str,
    ) -> Option<&str> {
        let Change::Mode(Mode::Symbolic(text)) = &wish.change else {
            return None;
        };
        let mut files = self.files.as_ref()?.iter();
        let (_, from) = files.find(|(place, _)| place == path)?;
        let is = flags.mode.is_none()
            && !view.files.is_link(from)
            && view.files.is_executable(from) == Some(true)
            && applied(text, 0o755) == Some(0o755);
        is.then_some(from)
    }

    /// The mode that a symbolic one gives to every file, in octal: whether git says that one is executable may change.
    pub(super) fn after(&self, text: &str) -> Option<String> {
        let (plain, executable) = (applied(text, 0o644)?, applied(text, 0o755)?);
        let mode = match self.what {
            What::Text(_) => Some(plain),
            What::Files => (plain == executable).then_some(plain),
            _ => None,
        };
        mode.map(|m| format!("{m:o}"))
    }
}
