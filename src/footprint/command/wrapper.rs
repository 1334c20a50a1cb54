//! Programs that run another program with little change: `env`, `sudo`, `timeout` and their like.
//!
//! Goes in: a command line. Comes out: where the inner command starts. [`inner`] is for footprints and
//! knows only wrappers that change nothing that counts; [`start`] is for classes and knows many more.

use super::super::argument::Argument;
use super::super::shell_state::Shell;
use super::super::walk::is_steering;

/// What is inside.
pub(in super::super) enum Inner {
    /// It is no wrapper, or wraps nothing.
    None,
    /// The inner command starts at this argument.
    At(usize),
    /// It is a wrapper, but what it changes is not known.
    Unclear(String),
}

/// Where a transparent wrapper's command starts; argument 0 is the wrapper.
pub(in super::super) fn inner(arguments: &[Argument], shell: &Shell) -> Inner {
    let texts: Vec<&str> = arguments.iter().map(Argument::start).collect();
    let Some(name) = texts.first().and_then(|t| t.rsplit('/').next()) else {
        return Inner::None;
    };
    let at = match name {
        "env" => {
            let assigns = |t: &&&str| t.contains('=') && !t.starts_with('-');
            let variables: Vec<&str> = texts[1..].iter().take_while(assigns).copied().collect();
            for text in &variables {
                let variable = text.split('=').next().unwrap_or_default();
                if is_steering(variable) || super::common::is_setting(variable) {
                    return Inner::Unclear(format!("it sets {variable}"));
                }
            }
            1 + variables.len()
        }
        "command" | "exec" | "time" => 1,
        "nice" if texts.get(1) == Some(&"-n") => 3,
        "nice" => 1,
        "timeout" => 2,
        "sudo" => {
            if !shell.is_root() {
                return Inner::Unclear(
                    "the inner command's home directory is not known".to_string(),
                );
            }
            let flag = |t: &&&str| matches!(**t, "-E" | "-n" | "-H");
            let flags = texts[1..].iter().take_while(flag).count();
            // Without -E it starts with few variables.
            let set = |n: &&String| {
                super::common::is_setting(n) && *n != "HOME" && !n.ends_with("_VERSION")
            };
            let dropped = shell.variables.keys().find(set);
            if let Some(name) = dropped
                && !texts[1..=flags].contains(&"-E")
            {
                return Inner::Unclear(format!("it may drop {name}"));
            }
            1 + flags
        }
        _ => return Inner::None,
    };
    match texts.get(at) {
        None => Inner::None,
        Some(t) if t.starts_with('-') => Inner::Unclear(format!("option {t} is not known")),
        Some(_) => Inner::At(at),
    }
}

/// Where the command inside any kind of wrapper starts, for classes only.
pub(in super::super) fn start(argv: &[String]) -> Option<usize> {
    let name = argv.first()?.rsplit('/').next()?;
    let (values, positional): (&[&str], usize) = match name {
        "env" => (&["-u", "-C", "-S", "--unset", "--chdir"], 0),
        "command" | "exec" | "time" | "nohup" | "fakeroot" | "ccache" | "sccache" | "tini"
        | "dumb-init" | "catchsegv" | "stdbuf" | "setarch" | "linux32" | "linux64" | "xvfb-run"
        | "busybox" | "eatmydata" | "retry" | "doppler" | "corepack" | "npx" | "bunx" | "pnpx" => {
            (&["-p", "--package", "-n", "-a"], 0)
        }
        "nice" | "ionice" => (&["-n", "-c"], 0),
        "sudo" | "doas" => (&["-u", "-g", "--user", "--group"], 0),
        "gosu" | "su-exec" | "timeout" | "chroot" | "runuser" | "setpriv" => {
            (&["-u", "-k", "-s"], 1)
        }
        "xargs" => (&["-n", "-I", "-P", "-L", "-d", "-a", "-r0"], 0),
        _ => return None,
    };
    let mut at = 1;
    let mut positional = positional;
    while let Some(word) = argv.get(at) {
        if values.contains(&word.as_str()) {
            at += 2;
        } else if word.starts_with('-') || (matches!(name, "env" | "sudo") && word.contains('=')) {
            at += 1;
        } else if positional > 0 {
            positional -= 1;
            at += 1;
        } else {
            return Some(at);
        }
    }
    None
}
