//! The shell script that a container runs, and what can be asked of it.

use crate::rules::View;
use crate::rules::call::{Call, Reader, calls};
use crate::shell::{self, Command, CommandKind, Script};
use crate::source::Span;
use std::collections::BTreeMap;

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

/// Reads it.
pub fn read(
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

impl Commands {
    /// The command that the script ends with, where that is plain: in no branch and no pipeline.
    pub fn last(&self) -> Option<&Call> {
        let end = self.script.commands.last()?;
        let call = self.calls.iter().rfind(|c| c.always)?;
        let plain = matches!(end.kind, CommandKind::Simple(_) | CommandKind::List { .. });
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

    /// A command's program as written, with its folder.
    pub fn written(&self, view: &View<'_>, call: &Call) -> String {
        self.slice(view, call.program_span)
    }

    /// A command as written.
    pub fn text_of(&self, view: &View<'_>, call: &Call) -> String {
        self.slice(view, call.span)
    }

    fn slice(&self, view: &View<'_>, span: Span) -> String {
        match self.file {
            Some(_) => self.text.get(span.range()).unwrap_or_default().to_owned(),
            None => view.source.text(span).into_owned(),
        }
    }

    /// The commands of each list of its own: the script, and the bodies of each `if`; only those that are simple commands.
    pub fn lists(&self) -> Vec<Vec<&Call>> {
        let mut by_span: BTreeMap<Span, &Call> = BTreeMap::new();
        by_span.extend(self.calls.iter().map(|c| (c.span, c)));
        let mut bodies: Vec<&[Command]> = Vec::new();
        self.script.visit(&mut |c| {
            if let CommandKind::If {
                branches,
                otherwise,
            } = &c.kind
            {
                bodies.extend(branches.iter().map(|b| b.body.as_slice()));
                bodies.push(otherwise);
            }
        });
        let list = |commands: &&[Command]| {
            let simple = commands
                .iter()
                .filter(|c| matches!(c.kind, CommandKind::Simple(_)));
            simple
                .filter_map(|c| by_span.get(&c.span).copied())
                .collect()
        };
        bodies.iter().map(list).collect()
    }

    /// Names of its functions.
    pub fn functions(&self) -> Vec<&str> {
        let mut out = Vec::new();
        self.script.visit(&mut |c| {
            if let CommandKind::Function { name, .. } = &c.kind {
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
