//! Archives of the context that bring a Java runtime or sources into the image.

use super::place::{copies, instruction, is_in_image, size, text};
use crate::context::EntryKind;
use crate::context::archive::kind_of;
use crate::diagnostic::Severity;
use crate::rules::{Check, Findings, Rule, View};

/// `context-archives`.
pub static RULE: Rule = Rule {
    name: "context-archives",
    severity: Severity::Warning,
    summary: "an archive that is copied into the image carries a Java runtime or sources",
    also: &[],
    check: Check::Dockerfile(check),
};

/// Sources from which on they are no accident.
const MANY: u64 = 10;
/// Archives that are looked into.
const MOST: usize = 300;

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    let (Some(files), Some(disk)) = (view.files(), view.context.disk) else {
        return;
    };
    let mut looked = 0;
    for (index, entry) in files.entries.iter().enumerate() {
        if entry.kind != EntryKind::File || kind_of(&entry.path).is_none() {
            continue;
        }
        if entry.path.starts_with(b".git/")
            || memchr::memmem::find(&entry.path, b"node_modules/").is_some()
        {
            continue;
        }
        let path = text(entry);
        let Some(step) = copies(view, index).find(|s| is_in_image(view, s, &path)) else {
            continue;
        };
        looked += 1;
        if looked > MOST {
            return;
        }
        let Some(carries) = disk.archive(&entry.path) else {
            continue;
        };
        // Whoever adds a runtime on purpose wants it to run; a compiler is more than that.
        let what = match (carries.development_kit, carries.runtime, carries.sources) {
            (true, _, _) => "a whole JDK with its compiler".to_owned(),
            (_, true, _) => "a Java runtime of its own".to_owned(),
            (_, _, n) if n >= MANY && !is_source_archive(&path) => format!("{n} source files"),
            _ => continue,
        };
        let Some((_, span, line)) = instruction(view, step) else {
            continue;
        };
        let shown = carries
            .evidence
            .first()
            .map(|e| String::from_utf8_lossy(e).into_owned())
            .unwrap_or_default();
        let message = format!(
            "`{line}` brings `{path}` ({}) into the image, and that carries {what}, such as `{shown}`",
            size(entry.size)
        );
        let help = match carries.runtime {
            true => {
                "start from an image that has a Java runtime (no compiler, where nothing is compiled), and package the program without one"
            }
            false => "package the program without its sources",
        };
        out.at(span, message).bytes(entry.size).help(help);
    }
}

/// Tars of sources are what is built; only programs have no use for them.
fn is_source_archive(path: &str) -> bool {
    let lower = path.to_lowercase();
    !(lower.ends_with(".jar") || lower.ends_with(".war") || lower.ends_with(".ear"))
        || lower.contains("sources")
}
