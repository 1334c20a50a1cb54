//! Downloads that anybody on the way can answer.

use super::fetch::{fetches, is_checked, name};
use crate::diagnostic::Severity;
use crate::dockerfile::Kind;
use crate::rules::{Check, Findings, Rule, View};

/// `download-insecure`.
pub static RULE: Rule = Rule {
    name: "download-insecure",
    severity: Severity::Warning,
    summary: "a download over plain http, or without a look at the certificate, may come from anybody on the way",
    also: &[],
    check: Check::Dockerfile(check),
};

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    for run in &view.runs {
        let reached = run.stage.and_then(|s| view.plan.stages.get(s));
        if run.step.is_none() || !reached.is_some_and(|s| s.reachable) || is_checked(run) {
            continue;
        }
        for fetch in fetches(run) {
            if let Some(word) = fetch.insecure {
                let urls: Vec<String> = fetch.urls.iter().map(|u| name(u)).collect();
                if urls.iter().any(|u| is_local(u)) {
                    continue;
                }
                let message = format!(
                    "`{}` makes `{}` take the answer of any server",
                    word.shown(),
                    fetch.call.program
                );
                out.at(word.span, message)
                    .help("leave the flag out, and install `ca-certificates` where that is what is missing");
            }
            for url in &fetch.urls {
                let text = name(url);
                if text.starts_with("http://") && !is_local(&text) {
                    out.at(url.span, plain(&text))
                        .help("write `https://`, or check the file's sum");
                }
            }
        }
    }
    for (at, ins) in view.tree.instructions().iter().enumerate() {
        let Kind::Add(transfer) = ins.kind() else {
            continue;
        };
        let reached = view.stage_of(at).and_then(|s| view.plan.stages.get(s));
        if !reached.is_some_and(|s| s.reachable) || ins.flag("checksum").is_some() {
            continue;
        }
        for source in &transfer.sources {
            if source.starts_with("http://") && !is_local(&source) {
                out.at(source.span(), plain(&source))
                    .help("write `https://`, or give ADD the sum with `--checksum`");
            }
        }
    }
}

fn plain(url: &str) -> String {
    let host = url.trim_start_matches("http://").split('/').next();
    format!(
        "plain http from `{}`: whoever is on the way can send another file",
        host.unwrap_or_default()
    )
}

/// The machine itself, and names without a dot: servers of a network of one's own.
fn is_local(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, r)| r);
    let host = rest.split(['/', '?']).next().unwrap_or(rest);
    let host = host.split(':').next().unwrap_or(host);
    host.contains('$')
        || !host.contains('.')
        || host.starts_with("127.")
        || host.starts_with("10.")
        || host.starts_with("192.168.")
        || host.ends_with(".local")
        || host.ends_with(".internal")
        || host.ends_with(".onion")
}
