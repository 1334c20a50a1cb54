//! The JSON document of `context`.

use super::archives::archives;
use super::{View, kind};
use crate::cli::output;
use crate::context::weight::{self, Weight};
use crate::pattern::display;
use serde::Serialize;
use serde_json::{Value, json};

/// Folders listed: enough to see where the bytes are.
const FOLDERS: usize = 50;
/// Groups of equal files listed.
const GROUPS: usize = 200;

/// The document; the long list is typed, since tens of thousands of maps take their time.
#[derive(Serialize)]
pub struct Document {
    files: Vec<Row>,
    #[serde(flatten)]
    rest: Value,
}

/// One entry of the context.
#[derive(Serialize)]
struct Row {
    path: String,
    kind: &'static str,
    mode: u32,
    size: u64,
    digest: Option<String>,
    link: Option<String>,
    steps: Vec<String>,
    sent: bool,
}

pub fn document(view: &View<'_>) -> Document {
    let reads = view.reads;
    let sent = |i: usize| reads.sent[i];
    let is_read = |i: usize| !reads.steps[i].is_empty();
    let all = weight::total(view.only(|_| true));
    let folders = weight::folders(view.only(|_| true));
    let sent_folders = weight::folders(view.only(sent));
    let sent_bytes = |path: &[u8]| sent_folders.get(path).map_or(0, |w| w.bytes);
    let files = view
        .shown()
        .map(|(i, e)| Row {
            path: display(&e.path),
            kind: kind(e.kind),
            mode: e.mode,
            size: e.size,
            digest: e.digest.map(hex),
            link: e.link_target.as_deref().map(display),
            steps: reads.steps[i].iter().map(ToString::to_string).collect(),
            sent: reads.sent[i],
        })
        .collect();
    let ignored: Vec<Value> = view
        .context
        .ignored
        .iter()
        .map(|e| {
            json!({"path": display(&e.path), "kind": kind(e.kind), "line": e.line,
                "pattern": view.pattern(e)})
        })
        .collect();
    let largest: Vec<Value> = weight::largest_folders(&folders, FOLDERS)
        .iter()
        .map(|f| {
            json!({"path": display(&f.path), "bytes": f.weight.bytes, "files": f.weight.files,
                "sent_bytes": sent_bytes(&f.path)})
        })
        .collect();
    let duplicates: Vec<Value> = weight::duplicates(view.only(|_| true))
        .iter()
        .take(GROUPS)
        .map(|d| {
            let paths: Vec<String> = d.paths.iter().map(|p| display(p)).collect();
            json!({"digest": hex(d.digest), "size": d.size, "wasted_bytes": d.wasted(), "paths": paths})
        })
        .collect();
    let is_sent = |path: &[u8]| {
        let entries = &view.context.entries;
        let found = entries.binary_search_by(|e| e.path.as_slice().cmp(path));
        found.is_ok_and(sent)
    };
    let vcs: Vec<Value> = weight::vcs(view.only(|_| true), &folders)
        .iter()
        .map(|f| {
            json!({"path": display(&f.path), "bytes": f.weight.bytes, "files": f.weight.files,
                "sent": is_sent(&f.path)})
        })
        .collect();
    let archives: Vec<Value> = archives(view)
        .iter()
        .map(|(i, e, c)| {
            let evidence: Vec<String> = c.evidence.iter().map(|p| display(p)).collect();
            json!({"path": display(&e.path), "size": e.size, "java_runtime": c.runtime,
                "java_development_kit": c.development_kit, "source_files": c.sources,
                "evidence": evidence, "partial": c.partial, "sent": sent(*i)})
        })
        .collect();
    let bytes = |w: Weight| w.bytes;
    let rest = json!({
        "schema": "cacheplan.context/1",
        "context": view.place.shown(&view.subject.context),
        "commit": view.place.at.map(|c| c.to_string()),
        "ignore_file": view.subject.ignore_file.as_ref().map(|f| view.place.shown(f)),
        "ignored": ignored,
        "total_bytes": bytes(all),
        "sent_bytes": bytes(weight::total(view.only(sent))),
        "read_bytes": bytes(weight::total(view.only(is_read))),
        "largest_folders": largest,
        "duplicates": duplicates,
        "vcs": vcs,
        "archives": archives,
        "diagnostics": output::rows(&view.subject.file, &view.subject.diagnostics),
    });
    Document { files, rest }
}

fn hex(digest: [u8; 32]) -> String {
    blake3::Hash::from_bytes(digest).to_hex().to_string()
}
