//! The history of the repository among what is copied.

use super::place::{copies, ignore, instruction, is_in_image, size, swept_by};
use crate::context::weight::{folders, vcs};
use crate::context::{ContextEntry, EntryKind};
use crate::diagnostic::Severity;
use crate::rewrite::ignore_lines::justified;
use crate::rewrite::{self, Safety};
use crate::rules::{Ask, Check, Findings, Rule, View};
use rustc_hash::FxHashMap;

/// `context-vcs`.
pub static RULE: Rule = Rule {
    name: "context-vcs",
    severity: Severity::Warning,
    summary: "the folder of the version control system is sent to the builder and copied with the sources",
    also: &[],
    check: Check::Dockerfile(check),
};

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    let Some(files) = view.files() else { return };
    let sums = folders(files.entries.iter());
    for folder in vcs(files.entries.iter(), &sums) {
        let path = String::from_utf8_lossy(&folder.path).into_owned();
        // Submodules have small ones of their own.
        if path.contains('/') || folder.weight.files < 2 {
            continue;
        }
        let inside = |e: &ContextEntry| {
            e.kind == EntryKind::File
                && e.path.starts_with(&folder.path)
                && e.path.get(folder.path.len()) == Some(&b'/')
        };
        let Some(index) = files.entries.iter().position(inside) else {
            continue;
        };
        let Some(step) = swept_by(view, index, &path) else {
            continue;
        };
        if path == ".git" && is_asked_for(view, &files.entries) {
            continue;
        }
        let Some((at, span, line)) = instruction(view, step) else {
            continue;
        };
        let image = match copies(view, index).any(|s| is_in_image(view, s, &path)) {
            true => ", all history is in the image",
            false => "",
        };
        // The size of a small one says nothing.
        let bytes = Some(folder.weight.bytes).filter(|b| *b >= 1_000_000);
        let shown = bytes.map_or(String::new(), |b| format!(" ({})", size(b)));
        let message = format!(
            "`{path}`{shown} is sent to the builder and taken by `{line}`: it differs in every build{image}, and that step and those behind it never come from the cache"
        );
        let found = out.at(span, message).ask(Ask::Git(at));
        if let Some(bytes) = bytes {
            found.bytes(bytes);
        }
        found.help(format!("leave it out: a line `{path}` in the ignore file"));
        if let Some(edit) = ignore(view, &[path]) {
            found.fix(Safety::Assumed, vec![edit]);
        }
    }
}

/// Whether something in the context may look at the repository, as the rewrite `ignore-lines` has it.
fn is_asked_for(view: &View<'_>, entries: &[ContextEntry]) -> bool {
    let tree = Tree::new(view, entries);
    let look = rewrite::View {
        source: view.source,
        file: view.tree,
        plan: view.plan,
        files: &tree,
        stages: Vec::new(),
        commute: Box::new(|_, _, _| None),
    };
    let found = justified(&look, &[".git".to_owned()]);
    !found.iter().any(|r| r.safety == Safety::Assumed)
}

/// The files of the project that are sent, without folders of dependencies.
struct Tree<'v, 'a> {
    view: &'v View<'a>,
    entries: FxHashMap<&'v str, &'v ContextEntry>,
    /// Sorted, relative to the context.
    files: Vec<String>,
    prefix: String,
}

impl<'v, 'a> Tree<'v, 'a> {
    fn new(view: &'v View<'a>, entries: &'v [ContextEntry]) -> Self {
        let by_path = entries
            .iter()
            .filter_map(|e| Some((std::str::from_utf8(&e.path).ok()?, e)));
        let entries: FxHashMap<&str, &ContextEntry> = by_path.collect();
        let prefix = match view.context.dir.trim_end_matches('/') {
            "." | "" => String::new(),
            dir => format!("{dir}/"),
        };
        let below = view
            .project
            .files
            .list()
            .iter()
            .filter_map(|f| f.strip_prefix(&prefix));
        let files = below.filter(|f| entries.get(f).is_some_and(|e| e.kind == EntryKind::File));
        Self {
            files: files.map(str::to_owned).collect(),
            view,
            entries,
            prefix,
        }
    }
}

impl rewrite::ContextFiles for Tree<'_, '_> {
    fn is_file(&self, path: &str) -> bool {
        self.entries
            .get(path)
            .is_some_and(|e| e.kind == EntryKind::File)
    }

    fn is_link(&self, path: &str) -> bool {
        self.entries
            .get(path)
            .is_some_and(|e| e.kind == EntryKind::Symlink)
    }

    fn links_in(&self, dir: &str) -> Option<Vec<String>> {
        let below = |p: &&str| match dir {
            "" => Some((*p).to_owned()),
            dir => Some(p.strip_prefix(dir)?.strip_prefix('/')?.to_owned()),
        };
        let mut out: Vec<String> = self
            .entries
            .iter()
            .filter(|(_, e)| e.kind == EntryKind::Symlink)
            .filter_map(|(p, _)| below(p))
            .collect();
        out.sort();
        Some(out)
    }

    fn has_below(&self, dir: &str) -> bool {
        let start = format!("{dir}/");
        self.files.iter().any(|f| f.starts_with(&start))
    }

    fn below(&self, dir: &str) -> Vec<String> {
        match dir {
            "" => self.files.clone(),
            dir => {
                let start = format!("{dir}/");
                self.files
                    .iter()
                    .filter_map(|f| f.strip_prefix(&start))
                    .map(str::to_owned)
                    .collect()
            }
        }
    }

    fn link_text(&self, path: &str) -> Option<String> {
        let text = self.entries.get(path)?.link_target.as_ref()?;
        String::from_utf8(text.clone()).ok()
    }

    fn sizes(&self, paths: &[String]) -> Vec<Option<u64>> {
        paths
            .iter()
            .map(|p| self.entries.get(p.as_str()).map(|e| e.size))
            .collect()
    }

    fn read(&self, path: &str) -> Option<Vec<u8>> {
        self.view
            .project
            .files
            .read(&format!("{}{path}", self.prefix))
    }
}
