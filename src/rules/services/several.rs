//! More than one service in a container: a supervisor, or a script that starts several programs.

use super::init::started;
use super::script::Commands;
use super::start::{base, commands, serves, start};
use crate::diagnostic::Severity;
use crate::dockerfile::Kind;
use crate::project::join;
use crate::rules::call::Call;
use crate::rules::{Check, Findings, Rule, View};

/// `several-services`.
pub static RULE: Rule = Rule {
    name: "several-services",
    severity: Severity::Note,
    summary: "a container of the image runs several services, which then start, scale, fail and log together",
    also: &[],
    check: Check::Dockerfile(check),
};

/// Programs that run others from a list.
const SUPERVISORS: &[&str] = &[
    "supervisord",
    "s6-svscan",
    "runsvdir",
    "runit",
    "monit",
    "circusd",
    "foreman",
    "honcho",
    "overmind",
    "goreman",
];

/// Those whose list is a `Procfile`.
const PROCFILES: &[&str] = &["foreman", "honcho", "overmind", "goreman"];

const HELP: &str = "give each service an image or a CMD of its own, and let compose or Kubernetes start them side by side";

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    let started = start(view);
    let Some((ins, _)) = started.place() else {
        return;
    };
    let argv = started.argv();
    let word = argv.iter().find(|w| SUPERVISORS.contains(&base(w)));
    if let Some(word) = word {
        let listed = match PROCFILES.contains(&base(word)) {
            true => procfile(view),
            false => programs(view),
        };
        let message = match listed {
            Some(list) if list.len() < 2 => return,
            Some(list) => format!(
                "`{}` runs {} services in one container: {}",
                base(word),
                list.len(),
                quoted(&list)
            ),
            None => format!("`{}` runs several services in one container", base(word)),
        };
        out.at(ins.keyword_span(), message).help(HELP);
        return;
    }
    let Some(found) = commands(view) else { return };
    let supervisor = found
        .calls
        .iter()
        .find(|c| c.always && SUPERVISORS.contains(&c.program.as_str()));
    if let Some(call) = supervisor {
        let message = match programs(view) {
            Some(list) if list.len() < 2 => return,
            Some(list) => format!(
                "`{}`, started by {}, runs {} services in one container: {}",
                call.program,
                found.shown(),
                list.len(),
                quoted(&list)
            ),
            None => return,
        };
        out.at(found.instruction, message).help(HELP);
        return;
    }
    in_script(view, &found, out);
}

fn in_script(view: &View<'_>, found: &Commands, out: &mut Findings<'_>) {
    let all: Vec<&Call> = found.calls.iter().filter(|c| c.always).collect();
    let last = found.last();
    let functions = found.functions();
    let mut names = services(view, found, &functions, &all, last);
    // A branch that starts several is a way of starting the container as well.
    for list in found.lists() {
        if names.len() < 2 {
            let last = list.last().copied().filter(|c| !c.background);
            names = services(view, found, &functions, &list, last);
        }
    }
    if names.len() < 2 {
        return;
    }
    let watched = found
        .calls
        .iter()
        .any(|c| c.program == "trap" || (c.program == "wait" && c.has("-n")));
    let end = match watched {
        true => "which start, scale and fail together",
        false => "and nothing notices when one of those in the background ends",
    };
    let message = format!(
        "{} starts {} services in one container, {}, {end}",
        found.shown(),
        names.len(),
        quoted(&names)
    );
    out.at(found.instruction, message).help(HELP);
}

/// What a list of commands leaves running beside each other, the last of them in the foreground.
fn services(
    view: &View<'_>,
    found: &Commands,
    functions: &[&str],
    list: &[&Call],
    last: Option<&Call>,
) -> Vec<String> {
    let own = |c: &Call| functions.contains(&c.program.as_str());
    let mut names: Vec<String> = Vec::new();
    for call in list {
        let piped = call.pipes_into > 0 || call.piped_from > 0;
        match started(call, &found.written(view, call)) {
            Some(name) => names.push(name),
            None if call.background && serves(call) && !own(call) && !piped => {
                names.push(call.program.clone());
            }
            None => {}
        }
    }
    if !names.is_empty()
        && let Some(last) = last.filter(|c| serves(c) && !c.background)
        && started(last, &found.written(view, last)).is_none()
    {
        names.push(last.program.clone());
    }
    names.dedup();
    names
}

/// The processes of the `Procfile` in the context.
fn procfile(view: &View<'_>) -> Option<Vec<String>> {
    let file = join(view.context.dir, "Procfile")?;
    let text = String::from_utf8(view.project.files.read(&file)?).ok()?;
    let name = |line: &str| {
        let (name, command) = line.split_once(':')?;
        let word = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
        let plain = !name.is_empty() && name.chars().all(word) && !command.trim().is_empty();
        plain.then(|| name.to_owned())
    };
    Some(text.lines().filter_map(name).collect())
}

/// The programs in the supervisor's configuration, where that comes from the context; `None` where it is not seen.
fn programs(view: &View<'_>) -> Option<Vec<String>> {
    let mut out: Vec<String> = Vec::new();
    let mut seen = false;
    let mut more = false;
    for stage in view.image_stages() {
        for (_, ins) in view.instructions(stage) {
            let (Kind::Copy(t) | Kind::Add(t)) = ins.kind() else {
                continue;
            };
            if ins.flag("from").is_some() {
                continue;
            }
            for file in t.sources.iter().flat_map(|s| configuration(view, &s)) {
                let text = view.project.files.read(&file);
                let text = text
                    .and_then(|t| String::from_utf8(t).ok())
                    .unwrap_or_default();
                seen |= text.contains("[supervisord]") || text.contains("[program:");
                more |= text.contains("[include]");
                out.extend(services_of(&text));
            }
        }
    }
    out.sort();
    out.dedup();
    // What is included from elsewhere is not counted.
    (seen && !(more && out.len() < 2)).then_some(out)
}

/// The programs of a supervisor's configuration that go on running: one that is not started again and may end at once
/// is a job.
fn services_of(text: &str) -> Vec<String> {
    let mut out: Vec<(String, bool, bool)> = Vec::new();
    let mut inside = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            let name = line.strip_prefix("[program:");
            let name = name.and_then(|l| l.strip_suffix(']'));
            inside = name.is_some();
            out.extend(name.map(|n| (n.to_owned(), false, false)));
        } else if let (true, Some((key, value)), Some(last)) =
            (inside, line.split_once('='), out.last_mut())
        {
            match (key.trim(), value.trim()) {
                ("autorestart", "false") => last.1 = true,
                ("startsecs", "0") => last.2 = true,
                _ => {}
            }
        }
    }
    let stay = out
        .into_iter()
        .filter(|(_, once, short)| !(*once && *short));
    stay.map(|(name, ..)| name).collect()
}

/// The files of a source that may be a supervisor's: it, or what lies right below it.
fn configuration(view: &View<'_>, source: &str) -> Vec<String> {
    const MOST: usize = 50;
    let Some(full) = join(view.context.dir, source.trim_start_matches('/')) else {
        return Vec::new();
    };
    let is_one = |f: &str| f.ends_with(".conf") || f.ends_with(".ini");
    if view.project.files.is_file(&full) {
        return is_one(&full).then_some(full).into_iter().collect();
    }
    if full == "." || !full.contains("supervis") {
        return Vec::new();
    }
    let top = format!("{full}/");
    let below = view.project.files.list().iter();
    let below = below.filter(|f| f.starts_with(&top) && is_one(f));
    below.take(MOST).cloned().collect()
}

fn quoted(names: &[String]) -> String {
    const MOST: usize = 4;
    let shown: Vec<String> = names.iter().take(MOST).map(|n| format!("`{n}`")).collect();
    let more = names.len().saturating_sub(MOST);
    match more {
        0 => shown.join(", "),
        n => format!("{} and {n} more", shown.join(", ")),
    }
}
