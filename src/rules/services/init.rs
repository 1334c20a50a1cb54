//! Init scripts in images: `service x start` as a step of the build, or as what the container runs.

use super::script::Commands;
use super::start::{base, commands, serves, start};
use crate::diagnostic::Severity;
use crate::dockerfile::CommandForm;
use crate::rules::call::Call;
use crate::rules::{Check, Findings, Rule, Run, View};

/// `init-script`.
pub static RULE: Rule = Rule {
    name: "init-script",
    severity: Severity::Warning,
    summary: "an init script or an init system starts a service: in a RUN it ends with the step, in CMD nothing watches it",
    also: &[],
    check: Check::Dockerfile(check),
};

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    for run in &view.runs {
        in_run(view, run, out);
    }
    let started = start(view);
    if let Some((ins, keyword)) = started.place() {
        let form = match keyword {
            "ENTRYPOINT" => started.entrypoint.map(|(_, f)| f),
            _ => started.cmd.map(|(_, f)| f),
        };
        if let Some(CommandForm::Exec(argv)) = form
            && let Some(first) = argv.first()
            && (matches!(first.as_str(), "/sbin/init" | "/usr/sbin/init")
                || matches!(base(&first), "systemd"))
        {
            let message = format!(
                "`{}` is a whole init system: it wants privileges and mounts, and hides from the container's runtime how its services are",
                first.as_str()
            );
            out.at(ins.keyword_span(), message)
                .severity(Severity::Note)
                .help("start the one program of the image in the foreground");
            return;
        }
    }
    if let Some(found) = commands(view) {
        in_start(view, &found, out);
    }
}

/// The service that a command starts through an init script; `program` is as written.
pub fn started(call: &Call, program: &str) -> Option<String> {
    asked(call, program, &["start", "restart"])
}

/// The service that an init script is asked about, where it is asked for one of these.
fn asked(call: &Call, program: &str, verbs: &[&str]) -> Option<String> {
    let words: Vec<&str> = call.known().filter(|a| !a.starts_with('-')).collect();
    let is = |w: &str| verbs.contains(&w);
    let script = program.contains("/etc/init.d/");
    match (call.program.as_str(), words.as_slice()) {
        ("service" | "rc-service" | "invoke-rc.d", [name, verb, ..]) if is(verb) => {
            Some((*name).to_owned())
        }
        ("systemctl", [verb, name, ..]) if is(verb) => Some((*name).to_owned()),
        (name, [verb, ..]) if script && is(verb) => Some(name.to_owned()),
        _ => None,
    }
}

fn in_run(view: &View<'_>, run: &Run<'_>, out: &mut Findings<'_>) {
    let clean = |c: &Call| {
        matches!(c.program.as_str(), "rm" | "echo" | "true" | "set" | "exit")
            || (matches!(c.program.as_str(), "apt-get" | "apk" | "yum" | "dnf")
                && c.does(&["clean", "autoremove", "purge"]))
    };
    let Some(at) = run.calls.iter().rposition(|c| !clean(c)) else {
        return;
    };
    let call = &run.calls[at];
    let program = view.source.text(call.program_span);
    let Some(name) = started(call, &program).filter(|_| call.always && !call.guarded) else {
        return;
    };
    let message = match call.program.as_str() {
        "systemctl" => format!(
            "`systemctl` has no systemd to talk to in a build, and a `{name}` that is started here would end with this RUN"
        ),
        program => format!(
            "`{program}` starts `{name}` while the image is built: it ends with this RUN and does not run in a container"
        ),
    };
    out.at(call.span, message)
        .help(format!("start `{name}` in the foreground with CMD"));
}

fn in_start(view: &View<'_>, found: &Commands, out: &mut Findings<'_>) {
    let raw = |c: &Call| found.written(view, c);
    // What is stopped again was needed for a moment only.
    let stops = |name: &str| {
        let mut calls = found.calls.iter();
        calls.any(|c| asked(c, &raw(c), &["stop"]).is_some_and(|n| n == name))
    };
    let service = |c: &&Call| c.always && started(c, &raw(c)).is_some_and(|n| !stops(&n));
    let Some(call) = found.calls.iter().find(service) else {
        return;
    };
    let name = started(call, &raw(call)).unwrap_or_default();
    // Two services are another rule's.
    if found
        .last()
        .is_some_and(|l| l.span != call.span && serves(l))
    {
        return;
    }
    let last = found.last().is_some_and(|l| l.span == call.span);
    let message = match last {
        true => format!(
            "{} ends with `{}`, which returns once `{name}` is in the background: the container ends at once",
            found.shown(),
            found.text_of(view, call)
        ),
        false => format!(
            "{} starts `{name}` through its init script: nothing notices when it ends, and it gets no signal when the container stops",
            found.shown()
        ),
    };
    out.at(found.instruction, message).help(format!(
        "run `{name}` in the foreground as the container's one program"
    ));
}
