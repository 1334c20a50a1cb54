//! What a container of the image starts: ENTRYPOINT and CMD, and the script of the context that they name.
//!
//! Goes in: a view. Comes out: the commands of a shell form, of `sh -c` or of a script, each with its place. Costs one pass over the stages
//! that the image is made of, and one file. Invariant: what comes from another image or from a variable is not guessed.

use crate::dockerfile::{CommandForm, Instruction, Kind, Text};
use crate::project::join;
use crate::rules::View;
use crate::rules::call::{Call, Reader, calls};
use crate::shell::{self, Script};
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
const SHORT: &[&str] = &[
    "",
    "echo",
    "printf",
    "cat",
    "ls",
    "cp",
    "mv",
    "rm",
    "mkdir",
    "chmod",
    "chown",
    "ln",
    "touch",
    "sed",
    "awk",
    "grep",
    "test",
    "[",
    "[[",
    "true",
    "false",
    ":",
    "exit",
    "return",
    "set",
    "export",
    "unset",
    "cd",
    "source",
    ".",
    "sleep",
    "wait",
    "read",
    "shift",
    "trap",
    "curl",
    "wget",
    "find",
    "id",
    "env",
    "printenv",
    "date",
    "tar",
    "pwd",
    "kill",
    "pkill",
    "jq",
    "git",
    "eval",
    "wc",
    "head",
    "tail",
    "sh",
    "bash",
    "dash",
    "ash",
    "zsh",
    "fish",
    "csh",
    "tmux",
    "screen",
    "local",
    "break",
    "continue",
    "pytest",
    "tox",
    "make",
    "ctest",
    "cypress",
    "jest",
    "phpunit",
    "rspec",
    "apt-get",
    "apk",
    "ulimit",
    "umask",
    "hostname",
    "whoami",
    "tee",
    "diff",
    "openssl",
    "ssh-keygen",
    "chgrp",
    "install",
    "sync",
    "which",
    "command",
    "type",
    "logger",
    "service",
    "systemctl",
    "initctl",
    "update-rc.d",
    "a2enmod",
    "a2ensite",
    "ip",
    "iptables",
    "sysctl",
    "mount",
    "umount",
    "setcap",
    "usermod",
    "groupmod",
    "useradd",
    "adduser",
    "addgroup",
    "psql",
    "mysql",
    "mysqladmin",
    "nc",
    "timeout",
    "unzip",
    "stty",
    "clear",
    "stat",
    "xargs",
    "sort",
    "basename",
    "dirname",
    "envsubst",
    "gem",
    "typeset",
    "declare",
    "alias",
    "mysql_install_db",
    "ldconfig",
    "locale-gen",
    "getent",
    "ps",
    "uname",
    "expr",
    "let",
];

/// What stands in ENTRYPOINT and CMD of the image.
pub struct Start<'a> {
    /// The instruction, and its form.
    pub entrypoint: Option<(&'a Instruction, &'a CommandForm)>,
    /// The instruction, and its form.
    pub cmd: Option<(&'a Instruction, &'a CommandForm)>,
}

/// A shell script that the container runs.
pub struct Commands {
    /// Its file relative to PATH; `None` is the Dockerfile.
    pub file: Option<String>,
    /// The whole of the file, or of the shell's argument.
    pub text: String,
    /// It parsed.
    pub script: Script,
    /// Its commands, placed in the file.
    pub calls: Vec<Call>,
    /// The first instruction that says so.
    pub instruction: Span,
    /// Which keyword that is.
    pub keyword: &'static str,
    /// The reaping program in front of the shell, with its options.
    pub init: Option<Vec<String>>,
    /// The shell that reads it: `sh`, `bash`; of a script that of its first line.
    pub shell: String,
}

/// What the image starts.
pub fn start<'a>(view: &View<'a>) -> Start<'a> {
    let mut out = Start {
        entrypoint: None,
        cmd: None,
    };
    for stage in view.image_stages() {
        let list: Vec<(usize, &'a Instruction)> = view.instructions(stage).collect();
        for (_, ins) in list.into_iter().rev() {
            match &ins.kind {
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
    pub fn argv(&self) -> Vec<&'a Text> {
        let words = |part: &Option<(&'a Instruction, &'a CommandForm)>| match part {
            Some((_, CommandForm::Exec(words))) => words.iter().collect::<Vec<_>>(),
            _ => Vec::new(),
        };
        let mut out = words(&self.entrypoint);
        out.extend(words(&self.cmd));
        out
    }

    /// Where the first process is named.
    pub fn place(&self) -> Option<(&'a Instruction, &'static str)> {
        let exec = |p: &Option<(&'a Instruction, &'a CommandForm)>| {
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
    let once = [
        "migrate",
        "migration",
        "init",
        "install",
        "build",
        "run-script",
        "ci",
        "db:migrate",
        "config",
        "collectstatic",
        "createsuperuser",
        "stop",
        "reload",
        "wait",
        "setup",
        "upgrade",
        "import",
        "export",
    ];
    !SHORT.contains(&call.program.as_str())
        && !tests(&call.program)
        && !tests(first)
        && !once
            .iter()
            .any(|o| first.starts_with(o) || call.program.contains(o))
        && !call.known().any(|a| asks.contains(&a))
        && !call.known().any(|a| once.contains(&a))
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
            .then(|| inline(line, ins, keyword, None, shell));
    }
    // With an ENTRYPOINT that is only an init, the CMD says the rest.
    let argv = start.argv();
    let mut words = argv.as_slice();
    let mut init = None;
    let name = |t: &Text| base(t).to_owned();
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
            return Some(inline(line, ins, "CMD", init, shell));
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
            return Some(inline(text, ins, keyword, init, first_name));
        }
        return from_file(view, text, ins, keyword, init);
    }
    from_file(view, first, ins, keyword, init)
}

fn inline(
    line: &Text,
    ins: &Instruction,
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

fn read(
    text: String,
    place: &dyn Fn(Span) -> Span,
    file: Option<String>,
    at: (Span, &'static str),
    init: Option<Vec<String>>,
    shell: String,
) -> Commands {
    let script = shell::parse(&text);
    let reader = Reader {
        place,
        lookup: &|_| None,
        text: &text,
    };
    let calls = calls(&script, &reader);
    Commands {
        file,
        script,
        calls,
        instruction: at.0,
        keyword: at.1,
        init,
        shell,
        text,
    }
}

/// The shell that SHELL sets for the image's own shell forms.
fn set_shell(view: &View<'_>) -> Option<String> {
    for stage in view.image_stages() {
        let list: Vec<_> = view.instructions(stage).collect();
        for (_, ins) in list.into_iter().rev() {
            if let Kind::Shell(argv) = &ins.kind {
                return argv.first().map(|t| base(t).to_owned());
            }
        }
    }
    None
}

fn from_file(
    view: &View<'_>,
    word: &str,
    ins: &Instruction,
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

/// The file of the context that stands at a path of the image.
fn in_context(view: &View<'_>, word: &str) -> Option<String> {
    if word.contains('$') {
        return None;
    }
    let cwd = || -> Option<String> {
        let stages = view.image_stages();
        let mut list = stages.iter().flat_map(|s| {
            let list: Vec<_> = view.instructions(*s).collect();
            list.into_iter().rev()
        });
        let (at, _) = list.find(|(_, i)| matches!(i.kind, Kind::Workdir(_)))?;
        let dest = view.step(at).and_then(|s| s.dest.as_ref());
        dest.and_then(|d| d.best()).map(str::to_owned)
    };
    let wanted: Vec<String> = match word {
        w if w.starts_with('/') => vec![w.to_owned()],
        w if w.contains('/') => {
            let below = crate::project::normalize(w)?;
            vec![format!("{}/{below}", cwd()?.trim_end_matches('/'))]
        }
        w => [
            "/usr/local/bin",
            "/usr/local/sbin",
            "/usr/bin",
            "/usr/sbin",
            "/bin",
            "/sbin",
        ]
        .iter()
        .map(|d| format!("{d}/{w}"))
        .chain(cwd().map(|c| format!("{}/{w}", c.trim_end_matches('/'))))
        .collect(),
    };
    for stage in view.image_stages() {
        let list: Vec<_> = view.instructions(stage).collect();
        for (at, ins) in list.into_iter().rev() {
            let found = copied(view, at, ins, &wanted);
            if found.is_some() {
                return found;
            }
        }
    }
    None
}

fn copied(view: &View<'_>, at: usize, ins: &Instruction, wanted: &[String]) -> Option<String> {
    let (Kind::Copy(transfer) | Kind::Add(transfer)) = &ins.kind else {
        return None;
    };
    if ins.flag("from").is_some() || ins.has_flag("parents") {
        return None;
    }
    let dest = view.step(at)?.dest.as_ref()?;
    let path = dest.best()?.trim_end_matches('/');
    for source in &transfer.sources {
        if source.contains(['$', '*', '?', '[']) {
            continue;
        }
        let source = source.trim_start_matches('/');
        let full = join(view.context.dir, source)?;
        if view.project.files.is_file(&full) {
            let name = match dest.is_dir || transfer.sources.len() > 1 {
                true => format!("{path}/{}", base(&full)),
                false => path.to_owned(),
            };
            if wanted.contains(&name) {
                return Some(full);
            }
            continue;
        }
        for want in wanted {
            if let Some(rest) = want.strip_prefix(path).and_then(|r| r.strip_prefix('/'))
                && let Some(inside) = join(&full, rest)
                && view.project.files.is_file(&inside)
            {
                return Some(inside);
            }
        }
    }
    None
}

impl Commands {
    /// The command that the script ends with, where that is plain: in no branch and no pipeline.
    pub fn last(&self) -> Option<&Call> {
        let end = self.script.commands.last()?;
        let call = self.calls.iter().filter(|c| c.always).next_back()?;
        let plain = matches!(
            end.kind,
            shell::CommandKind::Simple(_) | shell::CommandKind::List { .. }
        );
        let last = self.calls.last()?;
        (plain
            && last.span == call.span
            && call.pipes_into == 0
            && call.piped_from == 0
            && !call.background
            && !end.background)
            .then_some(call)
    }

    /// Whether it handles signals, or watches its children.
    pub fn handles_signals(&self) -> bool {
        self.calls.iter().any(|c| c.program == "trap")
    }

    /// Names of its functions.
    pub fn functions(&self) -> Vec<&str> {
        let mut out = Vec::new();
        self.script.visit(&mut |c| {
            if let shell::CommandKind::Function { name, .. } = &c.kind {
                out.push(name.as_str());
            }
        });
        out
    }

    /// As messages name it: the script's file, or the keyword.
    pub fn shown(&self) -> String {
        match &self.file {
            Some(file) => format!("`{file}`"),
            None => self.keyword.to_owned(),
        }
    }

    /// 1-based line of a call in a script's file.
    pub fn line(&self, call: &Call) -> usize {
        let upto = self
            .text
            .get(..call.span.start as usize)
            .unwrap_or_default();
        upto.matches('\n').count() + 1
    }
}
