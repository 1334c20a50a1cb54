//! Data that the program writes into the container's own layer, since no volume is declared for it.

use super::fetch::listed;
use crate::diagnostic::Severity;
use crate::dockerfile::{CommandForm, Instruction, Kind};
use crate::footprint::is_below;
use crate::rules::{Check, Findings, Rule, View};
use crate::source::Span;

/// `runtime-data`.
pub static RULE: Rule = Rule {
    name: "runtime-data",
    severity: Severity::Note,
    summary: "the program keeps its data in the image's own file system, where it is gone with the container",
    also: &[],
    check: Check::Dockerfile(check),
};

/// Names of variables that hold where data is kept.
const VARIABLES: &str = "DATA_DIR DATA_PATH DATADIR DATA_FOLDER DB_PATH DATABASE_PATH DB_FILE DATABASE_FILE SQLITE_PATH SQLITE_FILE UPLOAD_DIR UPLOADS_DIR \
    UPLOAD_PATH STORAGE_DIR STORAGE_PATH MEDIA_ROOT";

/// Options that say the same.
const OPTIONS: &str = "--data-dir -data-dir --datadir -datadir --data --data-path --storage.tsdb.path --dbpath --db-path --db-file --storage-dir --upload-dir";

/// Images of languages and systems: they declare no volume of their own.
const PLAIN: &str = "debian ubuntu alpine node python golang ruby rust php openjdk eclipse-temurin busybox busybase fedora rockylinux almalinux amazonlinux \
    static base cc static-debian12 base-debian12 bun deno perl elixir erlang nginx ubi ubi-minimal aspnet runtime";

/// Roots that are never where a program's data is.
const NEVER: &[&str] = &[
    "/tmp", "/var/tmp", "/dev", "/proc", "/run", "/usr", "/etc", "/bin", "/lib",
];

/// Places that are looked at.
const MOST: usize = 50;

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    let stages = view.image_stages();
    match stages
        .last()
        .and_then(|s| view.plan.stages.get(*s))
        .map(|s| &s.base)
    {
        // Who is not root can make nothing there: it needs a mount before it starts.
        Some(crate::plan::Base::Scratch) => {
            let all = stages.iter().flat_map(|s| view.instructions(*s));
            let mut all = all.into_iter();
            if all.any(
                |(_, i)| matches!(i.kind(), Kind::User(u) if !matches!(u.as_str(), "root" | "0")),
            ) {
                return;
            }
        }
        _ => {
            let Some(image) = view.base_image(view.plan.target) else {
                return;
            };
            let name = image.split('@').next().unwrap_or(image);
            let name = name.rsplit('/').next().unwrap_or(name);
            if !listed(PLAIN, name.split(':').next().unwrap_or(name)) {
                return;
            }
        }
    }
    let mut volumes: Vec<String> = Vec::new();
    let mut named: Vec<(String, String, Span)> = Vec::new();
    for stage in stages {
        for (_, ins) in view.instructions(stage) {
            match ins.kind() {
                // What a variable decides may be any of them.
                Kind::Volume(list) if list.iter().any(|v| v.contains('$')) => return,
                Kind::Volume(list) => {
                    volumes.extend(list.iter().map(|v| v.trim_end_matches('/').to_owned()))
                }
                _ => collect(ins, &mut named),
            }
        }
    }
    named.retain(|(_, path, _)| {
        !volumes
            .iter()
            .any(|v| is_below(path, v) || is_below(v, path))
    });
    named.truncate(MOST);
    let mut seen: Vec<String> = Vec::new();
    for (by, path, span) in named {
        let dir = folder(&path);
        if seen.iter().any(|s| is_below(&dir, s) || is_below(s, &dir)) || is_mounted(view, &dir) {
            continue;
        }
        let message = format!(
            "{by} keeps data in `{path}`, and no VOLUME covers it: it fills the container's own layer and is gone with the container"
        );
        out.at(span, message)
            .help(format!("declare `VOLUME {dir}`, or mount a volume there"));
        seen.push(dir);
    }
}

/// The folder that a volume would be at.
fn folder(path: &str) -> String {
    let path = path.trim_end_matches('/');
    let last = path.rsplit('/').next().unwrap_or_default();
    match last.contains('.') {
        true => path
            .rsplit_once('/')
            .map_or(path, |(dir, _)| dir)
            .to_owned(),
        false => path.to_owned(),
    }
}

fn collect(ins: Instruction<'_>, out: &mut Vec<(String, String, Span)>) {
    let mut add = |by: String, value: &str, span: Span| {
        let value = value.trim_matches(['"', '\'']);
        let depth = value.matches('/').count();
        let plain = value.starts_with('/') && !value.contains(['$', ' ', ':']) && value.len() > 1;
        let file_at_top = depth == 1 && value.contains('.');
        if plain && !file_at_top && !NEVER.iter().any(|n| is_below(value, n)) {
            out.push((by, value.to_owned(), span));
        }
    };
    match ins.kind() {
        Kind::Env(pairs) => {
            for (key, value) in pairs {
                let name = key.as_str();
                let known = VARIABLES
                    .split_whitespace()
                    .any(|v| name == v || name.ends_with(&format!("_{v}")));
                if known {
                    add(format!("`{name}`"), &value, key.span());
                }
            }
        }
        Kind::Cmd(CommandForm::Exec(words)) | Kind::Entrypoint(CommandForm::Exec(words)) => {
            for (i, word) in words.iter().enumerate() {
                let (option, value) = match word.split_once('=') {
                    Some((o, v)) => (o, Some(v)),
                    None => (word.as_str(), words.get(i + 1).map(|w| w.as_str())),
                };
                if listed(OPTIONS, option)
                    && let Some(value) = value
                {
                    add(
                        format!("`{option}` of this {}", ins.keyword),
                        value,
                        word.span(),
                    );
                }
            }
        }
        _ => {}
    }
}

/// Whether a compose file, a manifest or a page of the project mounts something there.
fn is_mounted(view: &View<'_>, dir: &str) -> bool {
    const MOST: usize = 400;
    let speaks = |f: &&String| {
        let lower = f.to_ascii_lowercase();
        let last = lower.rsplit('/').next().unwrap_or(&lower);
        [".yml", ".yaml", ".md", ".rst", ".adoc"]
            .iter()
            .any(|e| last.ends_with(e))
    };
    let files = view.project.files.list().iter().filter(speaks);
    let wanted = [
        format!(":{dir}"),
        format!("target: {dir}"),
        format!("mountPath: {dir}"),
        format!("target={dir}"),
        format!("dst={dir}"),
    ];
    files.take(MOST).any(|f| {
        let text = view.project.files.read(f);
        text.is_some_and(|t| {
            let text = String::from_utf8_lossy(&t);
            wanted.iter().any(|w| text.contains(w.as_str()))
        })
    })
}
