//! A download that is run or unpacked without a look at what came.

use super::fetch::{Fetch, Output, base, fetches, is_archive, is_checked, name, same};
use crate::diagnostic::Severity;
use crate::dockerfile::Kind;
use crate::rules::call::{Argument, Call};
use crate::rules::{Check, Findings, Rule, Run, View};
use std::collections::BTreeMap;

/// `download-unchecked`.
pub static RULE: Rule = Rule {
    name: "download-unchecked",
    severity: Severity::Note,
    summary: "a program from the network goes into the image, and nothing says which bytes it has to be",
    also: &[],
    check: Check::Dockerfile(check),
};

/// Programs that run what they read.
const INTERPRETERS: &[&str] = &[
    "sh", "bash", "dash", "ash", "zsh", "python", "python3", "perl", "ruby", "node", "php",
];

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    for run in &view.runs {
        let reached = run.stage.and_then(|s| view.plan.stages.get(s));
        if run.step.is_none() || !reached.is_some_and(|s| s.reachable) || is_checked(run) {
            continue;
        }
        // What stands behind a way out may never run.
        if run.calls.iter().any(|c| c.program == "exit") {
            continue;
        }
        // One for each RUN: the first that is run as a script, else the first that is used.
        let mut list = fetches(run);
        list.retain(|f| !f.urls.iter().any(|u| is_of_commit(u.shown())));
        let found = list.iter().find_map(|f| piped(run, f));
        let found = found.or_else(|| list.iter().find_map(|f| used(run, f)));
        if let Some((fetch, message, help)) = found {
            out.at(fetch.span, message).help(help);
        }
    }
    // A file that ADD brings may be checked by a RUN behind it.
    let mut last: BTreeMap<usize, usize> = BTreeMap::new();
    for run in view.runs.iter().filter(|r| is_checked(r)) {
        last.extend(run.stage.map(|s| (s, run.instruction)));
    }
    for (at, ins) in view.tree.instructions().iter().enumerate() {
        let Kind::Add(transfer) = ins.kind() else {
            continue;
        };
        let stage = view.stage_of(at);
        let reached = stage.and_then(|s| view.plan.stages.get(s));
        if !reached.is_some_and(|s| s.reachable) || ins.flag("checksum").is_some() {
            continue;
        }
        for source in &transfer.sources {
            let web = source.starts_with("https://") || source.starts_with("http://");
            // A repository is checked out, and its commit is what is to be pinned there.
            let path = source.split(['?', '#']).next().unwrap_or(&source);
            let api = source.contains("//api.");
            if !web || path.ends_with(".git") || is_key(path) || is_text(path) || api {
                continue;
            }
            if stage.and_then(|s| last.get(&s)).is_some_and(|l| *l > at) {
                continue;
            }
            let message = format!("nothing says which bytes `{}` has to be", base(path));
            out.at(source.span(), message)
                .help("give ADD the sum: `ADD --checksum=sha256:… URL DEST`");
        }
    }
}

/// Whether a whole commit id is part of an address: it says what is to come.
fn is_of_commit(url: &str) -> bool {
    let mut parts = url.split(['/', '.', '-', '_', '@']);
    parts.any(|p| p.len() == 40 && p.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Pages and pictures: nothing in the container runs them.
fn is_text(path: &str) -> bool {
    let endings = [
        ".md", ".txt", ".png", ".jpg", ".svg", ".html", ".css", ".pdf", ".rst",
    ];
    endings.iter().any(|e| path.ends_with(e))
}

type Found<'c> = (&'c Call, String, &'static str);

fn piped<'c>(run: &'c Run<'_>, fetch: &Fetch<'c>) -> Option<Found<'c>> {
    // Scripts that set up a repository of packages, whose keys then say what is installed, have no versions.
    const SETUP: &[&str] = &[
        "deb.nodesource.com",
        "rpm.nodesource.com",
        "packagecloud.io",
    ];
    let of_setup = |u: &&Argument| SETUP.iter().any(|s| u.shown().contains(s));
    if fetch.call.pipes_into == 0 || fetch.urls.iter().any(of_setup) {
        return None;
    }
    let behind = run.calls.get(fetch.at + 1..)?;
    let behind = behind.iter().take(fetch.call.pipes_into);
    let shell = behind.into_iter().find(|c| {
        let options = ["-s", "-", "-e", "-x", "-se", "-eu"];
        INTERPRETERS.contains(&c.program.as_str())
            && c.piped_from > 0
            && c.arguments
                .first()
                .is_none_or(|a| options.contains(&a.shown()) || a.shown() == "--")
    })?;
    let message = format!(
        "`{}` runs whatever {} answers on the day of the build",
        shell.program,
        host(fetch.urls.first()?)
    );
    Some((
        fetch.call,
        message,
        "download a named version to a file, check it with `sha256sum -c`, then run it",
    ))
}

fn used<'c>(run: &'c Run<'_>, fetch: &Fetch<'c>) -> Option<Found<'c>> {
    let Output::File(file) = &fetch.output else {
        return None;
    };
    if is_key(file) || is_key(&name(fetch.urls.first()?)) {
        return None;
    }
    let behind = run.calls.get(fetch.at + 1..)?;
    let does = behind.iter().find_map(|c| use_of(c, file))?;
    let message = format!(
        "`{}` is {does} and nothing says which bytes it has to be",
        base(file)
    );
    Some((
        fetch.call,
        message,
        "check it before it is used: `echo \"SUM  FILE\" | sha256sum -c -`, or ADD with `--checksum`",
    ))
}

fn use_of(call: &Call, file: &str) -> Option<&'static str> {
    let word = call.arguments.iter().any(|a| same(&name(a), file));
    let own = !call.program.is_empty() && call.program == base(file);
    match call.program.as_str() {
        "chmod"
            if word
                && call
                    .known()
                    .any(|a| a.contains('x') || a.starts_with(['7', '0', '5'])) =>
        {
            Some("made a program")
        }
        p if INTERPRETERS.contains(&p) && call.verb().is_some_and(|a| same(&name(a), file)) => {
            Some("run")
        }
        _ if is_archive(file) && super::fetch::unpacks(call, file).is_some() => {
            match call.program.as_str() {
                "tar" | "bsdtar" | "unzip" | "7z" | "7za" => Some("unpacked"),
                _ => Some("installed"),
            }
        }
        _ if own => Some("run"),
        _ => None,
    }
}

/// Keys and lists of package repositories are what packages are checked with.
fn is_key(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    [
        ".asc", ".gpg", ".pub", ".key", ".pem", ".crt", ".list", ".sha256", ".sig", ".json",
        "keyring", "/gpg",
    ]
    .iter()
    .any(|e| name.ends_with(e) || (*e == "keyring" && name.contains(e)))
}

fn host(url: &Argument) -> String {
    let text = name(url);
    let behind = text.split_once("://").map_or(text.as_str(), |(_, r)| r);
    let host = behind.split(['/', '?']).next().unwrap_or(behind);
    match host.contains('$') || host.is_empty() {
        true => "the server".to_owned(),
        false => format!("`{host}`"),
    }
}
