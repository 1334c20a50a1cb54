//! A shell as the first process, which hands no signal on to the program that it waits for.

use super::script::Commands;
use super::start::{commands, serves};
use crate::diagnostic::Severity;
use crate::rewrite::Safety;
use crate::rules::call::Call;
use crate::rules::{Check, FileEdit, Findings, Rule, View};
use crate::source::Span;

/// `shell-pid1`.
pub static RULE: Rule = Rule {
    name: "shell-pid1",
    severity: Severity::Warning,
    summary: "the first process of the container is a shell that hands no signal on, so the program is killed instead of stopped",
    also: &[],
    check: Check::Dockerfile(check),
};

/// What `/bin/sh` of an image is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sh {
    /// Starts each command of `sh -c` as a child.
    Dash,
    /// Becomes the last command of `-c` by itself (seen with busybox 1.35 and bash 5.2).
    Becomes,
    Unknown,
}

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    let Some(found) = commands(view) else { return };
    if found.handles_signals() || found.calls.iter().any(|c| c.background) {
        return;
    }
    // These two hand signals on to all of the group, not to the shell alone.
    if let Some(init) = &found.init
        && (super::start::base(&init[0]) == "dumb-init" || init.iter().any(|w| w == "-g"))
    {
        return;
    }
    let Some(last) = found.last() else { return };
    let whole = last.program.is_empty() && found.text_of(view, last).starts_with("\"$@\"");
    if last.through.iter().any(|t| t == "exec") || !(whole || serves(last)) {
        return;
    }
    if found.functions().contains(&last.program.as_str()) {
        return;
    }
    if found.file.is_none() && !stays(view, &found, last) {
        return;
    }
    let (message, help) = words(&found, last);
    let insert = match found.file {
        _ if !last.through.is_empty() => None,
        // Of text with escapes in JSON only the whole has a place.
        None if view.source.text(last.program_span).rsplit('/').next() != Some(&last.program) => {
            None
        }
        // Behind assignments, which then are in the program's environment all the same.
        _ => Some(last.program_span.start),
    };
    let finding = out.at(found.instruction, message);
    finding.help(help);
    let Some(at) = insert else { return };
    let place = Span { start: at, end: at };
    // What a script does behind `exec` is lost, and nothing stands there.
    let edit = match &found.file {
        Some(file) => FileEdit::elsewhere(file.clone(), place, "exec "),
        None => FileEdit::here(place, "exec "),
    };
    finding.fix(Safety::Assumed, vec![edit]);
}

fn words(found: &Commands, last: &Call) -> (String, String) {
    let (shown, killed) = match last.program.as_str() {
        "" => ("\"$@\"".to_owned(), "the program".to_owned()),
        name => {
            let first = last.through.first().map_or(name, String::as_str);
            (format!("{first} …"), format!("`{name}`"))
        }
    };
    let place = match &found.file {
        Some(file) => format!(
            "`{file}` starts {killed} in line {} without `exec`",
            found.line(last)
        ),
        None => format!(
            "{killed} of this {} runs as a child of `{}`",
            found.keyword, found.shell
        ),
    };
    let message = match &found.init {
        None => format!(
            "{place}: the shell stays the first process and passes no SIGTERM on, so stopping the container waits and then kills {killed}"
        ),
        Some(init) => format!(
            "{place}: `{}` stops the shell alone, and {killed} is killed without a SIGTERM of its own",
            super::start::base(&init[0])
        ),
    };
    let help = match found.file {
        Some(_) => format!("write `exec {shown}`, so that it takes the shell's place"),
        None => format!("write `exec {shown}`, or the exec form where no shell is needed"),
    };
    (message, help)
}

/// Whether the shell of `-c` stays there as the first process.
fn stays(view: &View<'_>, found: &Commands, last: &Call) -> bool {
    match found.shell.as_str() {
        "dash" => true,
        "sh" => match sh_of(view) {
            Sh::Dash => true,
            Sh::Becomes | Sh::Unknown => false,
        },
        // bash keeps a child for a command with a redirection.
        "bash" => !last.redirects.is_empty(),
        _ => false,
    }
}

/// By the package managers that the image's RUNs call, else by the name of the base image.
fn sh_of(view: &View<'_>) -> Sh {
    let stages = view.image_stages();
    for (run, call) in view.calls() {
        if !run.stage.is_some_and(|s| stages.contains(&s)) {
            continue;
        }
        match call.program.as_str() {
            "apt-get" | "apt" | "dpkg" => return Sh::Dash,
            "apk" | "dnf" | "yum" | "microdnf" | "zypper" => return Sh::Becomes,
            _ => {}
        }
    }
    let Some(image) = view.base_image(view.plan.target) else {
        return Sh::Unknown;
    };
    let image = image.split('@').next().unwrap_or(image);
    let last = image.rsplit('/').next().unwrap_or(image);
    let (name, tag) = last.split_once(':').unwrap_or((last, ""));
    let other = [
        "alpine", "busybox", "ubi", "oracle", "windows", "nano", "fedora", "rocky",
    ];
    if other.iter().any(|o| tag.contains(o) || name.contains(o)) {
        return Sh::Becomes;
    }
    let debian = [
        "debian",
        "ubuntu",
        "node",
        "python",
        "golang",
        "ruby",
        "rust",
        "perl",
        "php",
        "buildpack-deps",
    ];
    let official = !image.contains('/') || image.starts_with("docker.io/library/");
    match official && debian.contains(&name) {
        true => Sh::Dash,
        false => Sh::Unknown,
    }
}
