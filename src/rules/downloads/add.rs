//! ADD of files and folders, which is what COPY is for.

use crate::diagnostic::Severity;
use crate::dockerfile::{Instruction, Kind};
use crate::project::join;
use crate::rewrite::Safety;
use crate::rules::{Check, FileEdit, Findings, Rule, View};

/// `add-not-copy`.
pub static RULE: Rule = Rule {
    name: "add-not-copy",
    severity: Severity::Note,
    summary: "ADD copies local files, where COPY says the same and can do no more than that",
    also: &["DL3020"],
    check: Check::Dockerfile(check),
};

/// Endings of what ADD unpacks, or of what may be a tar below the compression.
const UNPACKED: &[&str] = &[
    ".tar", ".tgz", ".txz", ".tbz", ".tbz2", ".gz", ".xz", ".bz2", ".zst", ".tzst", ".lzma",
];

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    for (at, ins) in view.tree.instructions().iter().enumerate() {
        match ins.kind() {
            Kind::Onbuild(inner) => judge(view, at, inner, out),
            _ => judge(view, at, ins, out),
        }
    }
}

fn judge(view: &View<'_>, at: usize, ins: Instruction<'_>, out: &mut Findings<'_>) {
    let Kind::Add(transfer) = ins.kind() else {
        return;
    };
    let copies = ["chown", "chmod", "link", "exclude"];
    let own_flag = ins.flags().iter().any(|f| !copies.contains(&f.name()));
    if own_flag || (transfer.sources.is_empty() && transfer.inline.is_empty()) {
        return;
    }
    let mut safety = Safety::Proven;
    for source in &transfer.sources {
        match kind(view, &source) {
            Source::Plain => {}
            Source::Likely => safety = Safety::Assumed,
            Source::Other => return,
        }
    }
    // The files of a trigger are those of another build.
    if view.tree.instructions().at(at).keyword == "ONBUILD" {
        safety = Safety::Assumed;
    }
    let shown = match (transfer.sources.first(), transfer.sources.len()) {
        (None, _) => "a heredoc".to_owned(),
        (Some(one), 1) => format!("`{}`", one.trim_matches(['"', '\''])),
        (_, n) => format!("{n} sources"),
    };
    let message = format!(
        "ADD copies {shown} just as COPY does, and leaves readers to find out whether anything is unpacked or fetched"
    );
    let keyword = ins.keyword_span();
    let written = view.source.text(keyword);
    let lower = written.chars().all(|c| c.is_ascii_lowercase());
    let text = match lower {
        true => "copy",
        false => "COPY",
    };
    out.at(keyword, message)
        .help("write COPY")
        .fix(safety, vec![FileEdit::here(keyword, text)]);
}

enum Source {
    /// A folder, or a file that is seen to be no archive.
    Plain,
    /// By its name.
    Likely,
    /// An archive, something remote, or not known.
    Other,
}

fn kind(view: &View<'_>, source: &str) -> Source {
    let source = source.trim_matches(['"', '\'']);
    let lower = source.to_ascii_lowercase();
    let remote = source.contains("://") || source.starts_with("git@") || source.contains(".git#");
    if remote || source.contains('$') || UNPACKED.iter().any(|e| lower.ends_with(e)) {
        return Source::Other;
    }
    let last = source.rsplit('/').next().unwrap_or(source);
    if source.contains(['*', '?', '[']) {
        // Any file that it matches may be an archive; a plain ending says what they are.
        let ending = last.rsplit_once('.').map_or("", |(_, e)| e);
        let known = !ending.is_empty() && !ending.contains(['*', '?', '[']);
        return match known {
            true => Source::Likely,
            false => Source::Other,
        };
    }
    let Some(full) = join(view.context.dir, source.trim_start_matches('/')) else {
        return Source::Likely;
    };
    let files = view.project.files;
    if full == "." || (!files.is_file(&full) && files.exists(&full)) {
        return Source::Plain;
    }
    match files.read(&full) {
        Some(bytes) => match is_packed(&bytes) {
            true => Source::Other,
            false => Source::Plain,
        },
        // Not there, or large: a name without an ending may be anything.
        None if last.contains('.') && !last.starts_with('.') => Source::Likely,
        None if source.ends_with('/') || source == "." => Source::Likely,
        None => Source::Other,
    }
}

/// A tar, or something compressed that may be one.
fn is_packed(bytes: &[u8]) -> bool {
    let starts: [&[u8]; 4] = [
        &[0x1f, 0x8b],
        b"BZh",
        &[0xfd, b'7', b'z', b'X', b'Z'],
        &[0x28, 0xb5, 0x2f, 0xfd],
    ];
    starts.iter().any(|s| bytes.starts_with(s)) || bytes.get(257..262) == Some(b"ustar".as_slice())
}
