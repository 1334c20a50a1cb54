//! What a container of the image starts: ENTRYPOINT and CMD, and the script of the context that they name.
//!
//! Goes in: a view. Comes out: the commands of a shell form, of `sh -c` or of a script, each with its place. Costs one pass over the stages
//! that the image is made of, and one file. Invariant: what comes from another image or from a variable is not guessed.

use super::copied::in_context;
use super::script::{Commands, read};
use crate::dockerfile::{CommandForm, Instruction, Kind, Text};
use crate::rules::View;
use crate::rules::call::Call;
use crate::source::Span;

/// Programs that run another one and reap what is left of its children.
pub const INITS: &[&str] = &[
    "tini",
    "tini-static",
    "dumb-init",
    "docker-init",
    "catatonit",
];

/// Shells whose scripts are read here.
const SHELLS: &[&str] = &["sh", "bash", "dash", "ash"];

/// Programs that end by themselves, or that a person types into: none of them is a service.
const SHORT: &str = "echo printf cat ls cp mv rm mkdir chmod chown ln touch sed awk grep test [ [[ true false : exit return set export unset cd source . sleep \
    wait read shift trap curl wget find id env printenv date tar pwd kill pkill jq git eval wc head tail sh bash dash ash zsh fish csh tmux \
    screen local break continue pytest tox make ctest cypress jest phpunit rspec apt-get apk ulimit umask hostname whoami tee diff openssl \
    ssh-keygen chgrp install sync which command type logger service systemctl initctl update-rc.d a2enmod a2ensite ip iptables sysctl mount \
    umount setcap usermod groupmod useradd adduser addgroup psql mysql mysqladmin nc timeout unzip stty clear stat xargs sort basename dirname \
    envsubst gem typeset declare alias mysql_install_db ldconfig locale-gen getent ps uname expr let";

/// Words of commands that do one thing and end.
const ONCE: &str = "migrate migration init install build run-script ci db:migrate config collectstatic createsuperuser stop reload wait setup upgrade import \
    export";

/// Whether a word is in a list of words.
pub fn listed(list: &str, word: &str) -> bool {
    list.split_whitespace().any(|w| w == word)
}

/// A script that does one thing by its name: `make_certs.sh`.
fn is_errand(program: &str) -> bool {
    let names = [
        "run", "start", "serv", "entry", "main", "launch", "daemon", "app", "web", "work",
    ];
    program.ends_with(".sh") && !names.iter().any(|n| program.contains(n))
}

/// What stands in ENTRYPOINT and CMD of the image.
pub struct Start<'a> {
    /// The instruction, and its form.
    pub entrypoint: Option<(Instruction<'a>, CommandForm<'a>)>,
    /// The instruction, and its form.
    pub cmd: Option<(Instruction<'a>, CommandForm<'a>)>,
}

/// What the image starts.
pub fn start<'a>(view: &View<'a>) -> Start<'a> {
    let mut out = Start {
        entrypoint: None,
        cmd: None,
    };
    for stage in view.image_stages() {
        let list: Vec<(usize, Instruction<'a>)> = view.instructions(stage).collect();
        for (_, ins) in list.into_iter().rev() {
            match ins.kind() {
                Kind::Cmd(form) if out.cmd.is_none() => out.cmd = Some((ins, form)),
                Kind::Entrypoint(form) if out.entrypoint.is_none() => {
                    out.entrypoint = Some((ins, form));
                }
                _ => {}
            }
        }
        // An ENTRYPOINT takes away the CMD of what it starts from.
        if out.entrypoint.is_some() {
            break;
        }
    }
    out
}

impl<'a> Start<'a> {
    /// The words of the first process, where both instructions are in the exec form.
    pub fn argv(&self) -> Vec<Text<'a>> {
        let words = |part: &Option<(Instruction<'a>, CommandForm<'a>)>| match part {
            Some((_, CommandForm::Exec(words))) => words.iter().collect::<Vec<_>>(),
            _ => Vec::new(),
        };
        let mut out = words(&self.entrypoint);
        out.extend(words(&self.cmd));
        out
    }

    /// Where the first process is named.
    pub fn place(&self) -> Option<(Instruction<'a>, &'static str)> {
        let exec = |p: &Option<(Instruction<'a>, CommandForm<'a>)>| {
            p.as_ref()
                .filter(|(_, f)| !matches!(f, CommandForm::Exec(w) if w.is_empty()))
                .map(|(ins, _)| *ins)
        };
        match exec(&self.entrypoint) {
            Some(ins) => Some((ins, "ENTRYPOINT")),
            None => exec(&self.cmd).map(|ins| (ins, "CMD")),
        }
    }
}

/// A word's last part.
pub fn base(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

/// Whether a command may be a service: it runs on until it is stopped, as far as its name says.
pub fn serves(call: &Call) -> bool {
    let first = call.verb().map(|a| a.shown()).unwrap_or_default();
    let asks = ["--version", "-v", "--help", "-V", "-t", "version", "help"];
    let tests = |w: &str| w.contains("test") || w.contains("check") || w.contains("lint");

    !call.program.is_empty()
        && !listed(SHORT, &call.program)
        && !is_errand(&call.program)
        && !tests(&call.program)
        && !tests(first)
        && !ONCE
            .split(' ')
            .any(|o| first.starts_with(o) || call.program.contains(o))
        && !call.known().any(|a| asks.contains(&a))
        && !call.known().any(|a| listed(ONCE, a))
}

/// The shell script that the container runs, if it is in the Dockerfile or in the context.
pub fn commands(view: &View<'_>) -> Option<Commands> {
    let start = start(view);
    let (ins, keyword) = start.place()?;
    let form = match keyword {
        "ENTRYPOINT" => start.entrypoint?.1,
        _ => start.cmd?.1,
    };
    if let CommandForm::Shell(line) = form {
        let shell = set_shell(view).unwrap_or_else(|| "sh".to_owned());
        return SHELLS
            .contains(&shell.as_str())
            .then(|| inline(&line, ins, keyword, None, shell));
    }
    // With an ENTRYPOINT that is only an init, the CMD says the rest.
    let argv = start.argv();
    let mut words = argv.as_slice();
    let mut init = None;
    let name = |t: &Text<'_>| base(t).to_owned();
    if let Some((first, rest)) = words.split_first()
        && INITS.contains(&name(first).as_str())
    {
        let options = rest.iter().take_while(|w| w.starts_with('-')).count();
        let all = std::iter::once(first).chain(&rest[..options]);
        init = Some(all.map(|t| t.to_string()).collect::<Vec<_>>());
        words = &rest[options..];
        if words.is_empty() {
            let (ins, CommandForm::Shell(line)) = start.cmd? else {
                return None;
            };
            let shell = set_shell(view).unwrap_or_else(|| "sh".to_owned());
            return Some(inline(&line, ins, "CMD", init, shell));
        }
    }
    let (first, rest) = words.split_first()?;
    let first_name = name(first);
    if SHELLS.contains(&first_name.as_str()) {
        let options = rest.iter().take_while(|w| w.starts_with('-')).count();
        let letters: String = rest[..options].iter().map(|t| t.to_string()).collect();
        let text = *rest.get(options)?;
        if letters.contains('c') && !letters.contains('i') {
            let of_cmd = start.cmd.filter(|(_, f)| match f {
                CommandForm::Exec(w) => w.iter().any(|t| t.span() == text.span()),
                CommandForm::Shell(_) => false,
            });
            let (ins, keyword) = match of_cmd {
                Some((ins, _)) => (ins, "CMD"),
                None => (ins, keyword),
            };
            return Some(inline(&text, ins, keyword, init, first_name));
        }
        return from_file(view, &text, ins, keyword, init);
    }
    from_file(view, first, ins, keyword, init)
}

fn inline(
    line: &Text,
    ins: Instruction<'_>,
    keyword: &'static str,
    init: Option<Vec<String>>,
    shell: String,
) -> Commands {
    let text = line.to_string();
    let place = |s: Span| line.span_of(s.range());
    read(
        text,
        &place,
        None,
        (ins.keyword_span(), keyword),
        init,
        shell,
    )
}

/// The shell that SHELL sets for the image's own shell forms.
fn set_shell(view: &View<'_>) -> Option<String> {
    for stage in view.image_stages() {
        let list: Vec<_> = view.instructions(stage).collect();
        for (_, ins) in list.into_iter().rev() {
            if let Kind::Shell(argv) = ins.kind() {
                return argv.first().map(|t| base(&t).to_owned());
            }
        }
    }
    None
}

fn from_file(
    view: &View<'_>,
    word: &str,
    ins: Instruction<'_>,
    keyword: &'static str,
    init: Option<Vec<String>>,
) -> Option<Commands> {
    let file = in_context(view, word)?;
    let text = String::from_utf8(view.project.files.read(&file)?).ok()?;
    let shell = shebang(&text)?;
    let at = (ins.keyword_span(), keyword);
    Some(read(text, &|s| s, Some(file), at, init, shell))
}

/// The shell of a script's first line; `None` where that names none of ours.
fn shebang(text: &str) -> Option<String> {
    let line = text.lines().next()?.strip_prefix("#!")?;
    let mut words = line.split_whitespace().map(base);
    let first = words.next()?;
    let name = match first {
        "env" => words.find(|w| !w.starts_with('-'))?,
        other => other,
    };
    SHELLS.contains(&name).then(|| name.to_owned())
}
