//! Private keys and passwords among what is copied.

use super::place::{copies, ignore, instruction, is_in_image, line, swept_by, text};
use super::secret_kinds::{START, kind, may_be};
use crate::context::EntryKind;
use crate::diagnostic::Severity;
use crate::rewrite::Safety;
use crate::rules::{Check, Findings, Rule, View};

/// `context-secrets`.
pub static RULE: Rule = Rule {
    name: "context-secrets",
    severity: Severity::Warning,
    summary: "a private key or password of the context is copied, and can be read by whoever has the image or its cache",
    also: &[],
    check: Check::Dockerfile(check),
};

/// Files that are looked into.
const MOST: usize = 500;

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    let (Some(files), Some(disk)) = (view.files(), view.context.disk) else {
        return;
    };
    let mut looked = 0;
    for (index, entry) in files
        .entries
        .iter()
        .enumerate()
        .filter(|(_, e)| e.kind == EntryKind::File && e.size > 0)
    {
        let path = text(entry);
        if !may_be(&path) {
            continue;
        }
        let Some(first) = copies(view, index).next() else {
            continue;
        };
        looked += 1;
        if looked > MOST {
            return;
        }
        let Some(what) = disk.start(&entry.path, START).and_then(|s| kind(&path, &s)) else {
            continue;
        };
        let tracked = view
            .project
            .git
            .is_some_and(|g| g.is_tracked(&view.below_path(entry)));
        // Settings that come with the repository are known to everybody.
        let settings = path
            .rsplit('/')
            .next()
            .is_some_and(|n| n.starts_with(".env"));
        if tracked && settings {
            continue;
        }
        let in_image = copies(view, index).find(|s| is_in_image(view, s, &path));
        let Some((_, span, shown)) = instruction(view, in_image.unwrap_or(first)) else {
            continue;
        };
        let message = match in_image.is_some() {
            true => format!(
                "`{shown}` copies `{path}` into the image, and that holds {what}: whoever has the image can read it"
            ),
            false => format!(
                "`{shown}` copies `{path}`, and that holds {what}: it is in a layer of the build cache, wherever that is sent"
            ),
        };
        let swept = swept_by(view, index, &path).is_some();
        let found = out.at(span, message);
        if in_image.is_some() && !tracked {
            found.severity(Severity::Error);
        }
        found.help("leave it out by the ignore file; what needs it while building takes it as a secret: `RUN --mount=type=secret,id=…`");
        if swept && let Some(edit) = line(&path).and_then(|l| ignore(view, &[l])) {
            found.fix(Safety::Review, vec![edit]);
        }
    }
}
