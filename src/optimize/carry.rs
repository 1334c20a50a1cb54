//! Lines that say again who runs, where, and in which shell, so that a step that moved runs as before.
//!
//! ```text
//! USER root                  USER root
//! RUN apt-get install x      RUN apt-get install x
//! USER app                   RUN mkdir /data
//! COPY --chown=app . .   ->  USER app
//! USER root                  COPY --chown=app . .
//! RUN mkdir /data            USER root
//! ```
//!
//! Goes in: the instructions of a stage and an order of them without USER and SHELL. Comes out: the same
//! with those lines where they are needed, repeated ones marked. Linear in the stage. Invariants: each
//! instruction is reached in the state the author gave it, and so is the end of the stage; a WORKDIR is
//! repeated only where its folder is surely there already.

use super::precedence::Item;
use crate::dockerfile::{CommandForm, Kind};
use crate::footprint::{PathClaim, PathSet};
use crate::plan::{Plan, Stage};
use crate::rewrite::reorder::Placed;

/// Who runs, where, in which shell; `None` is what the stage starts with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct State {
    cwd: Option<String>,
    user: Option<String>,
    shell: Option<String>,
}

/// What an instruction depends on.
#[derive(Clone, Copy, Default)]
struct Needs {
    cwd: bool,
    user: bool,
    shell: bool,
}

/// Whether an instruction only says who runs or in which shell: such lines are placed here.
#[must_use]
pub fn is_setter(kind: &Kind) -> bool {
    matches!(kind, Kind::User(_) | Kind::Shell(_))
}

/// Whether repeating lines could free anything in a stage.
#[must_use]
pub fn may_help(items: &[Item<'_>]) -> bool {
    let setters = items.iter().filter(|i| is_setter(&i.instruction.kind()));
    let folders = items
        .iter()
        .filter(|i| matches!(i.instruction.kind(), Kind::Workdir(_)));
    setters.count() > 0 || folders.count() > 1
}

/// An order with the lines it needs; `None` where a line cannot be repeated, or one would be left over.
#[must_use]
pub fn compose(
    plan: &Plan,
    stage: &Stage,
    items: &[Item<'_>],
    order: &[usize],
) -> Option<Vec<Placed>> {
    let (states, end) = states(plan, stage, items)?;
    let mut unused: Vec<usize> = (0..items.len())
        .filter(|i| is_setter(&items[*i].instruction.kind()))
        .collect();
    let mut now = states.first().cloned()?;
    let mut out: Vec<Placed> = Vec::new();
    for (place, i) in order.iter().enumerate() {
        let item = &items[*i];
        let needs = needs(item);
        let mut line = Placed::new(item.at);
        let wanted = &states[*i];
        let mut writer = Writer {
            items,
            before: &order[..place],
            unused: &mut unused,
            out: &mut out,
            repeated: &mut line.before,
        };
        writer.establish(&mut now, wanted, needs)?;
        out.push(line);
        if let Kind::Workdir(_) = item.instruction.kind() {
            now.cwd = after_workdir(item);
        }
    }
    let mut tail = Vec::new();
    let all = Needs {
        cwd: true,
        user: true,
        shell: true,
    };
    let mut writer = Writer {
        items,
        before: order,
        unused: &mut unused,
        out: &mut out,
        repeated: &mut tail,
    };
    writer.establish(&mut now, &end, all)?;
    out.last_mut()?.after = tail;
    unused.is_empty().then_some(out)
}

struct Writer<'a, 'b> {
    items: &'a [Item<'b>],
    before: &'a [usize],
    unused: &'a mut Vec<usize>,
    out: &'a mut Vec<Placed>,
    repeated: &'a mut Vec<String>,
}

impl Writer<'_, '_> {
    /// Brings the state to what is wanted, as far as it counts.
    fn establish(&mut self, now: &mut State, wanted: &State, needs: Needs) -> Option<()> {
        if needs.shell && now.shell != wanted.shell {
            let text = wanted.shell.as_ref()?;
            self.setter(|k| matches!(k, Kind::Shell(_)), text)?;
            now.shell.clone_from(&wanted.shell);
        }
        // A folder belongs to whoever is the user when WORKDIR makes it, but a repeated one makes none.
        if needs.cwd && now.cwd != wanted.cwd {
            let path = wanted.cwd.as_deref()?;
            if !self.is_there(path) || path.contains(['$', '\\', '"', '\'', '\n']) {
                return None;
            }
            self.repeated.push(format!("WORKDIR {path}"));
            now.cwd.clone_from(&wanted.cwd);
        }
        if needs.user && now.user != wanted.user {
            let text = wanted.user.as_ref()?;
            self.setter(|k| matches!(k, Kind::User(_)), text)?;
            now.user.clone_from(&wanted.user);
        }
        Some(())
    }

    /// The author's own line with this value, or it once more.
    fn setter(&mut self, kind: impl Fn(&Kind) -> bool, value: &str) -> Option<()> {
        let same = |i: &usize| {
            let instruction = self.items[*i].instruction;
            kind(&instruction.kind()) && setter_value(&instruction.kind()).as_deref() == Some(value)
        };
        if let Some(at) = self.unused.iter().position(same) {
            let mut line = Placed::new(self.items[self.unused.remove(at)].at);
            line.before = std::mem::take(self.repeated);
            self.out.push(line);
            return Some(());
        }
        let mut all = self.items.iter();
        let known = all.find(|i| {
            kind(&i.instruction.kind())
                && setter_value(&i.instruction.kind()).as_deref() == Some(value)
        })?;
        self.repeated.push(known.instruction.original().to_string());
        Some(())
    }

    /// Whether a WORKDIR made this folder and nothing since can have taken it away.
    fn is_there(&self, path: &str) -> bool {
        let folder = PathSet::new(vec![PathClaim::exact(path)]);
        let places = folder.union(&folder.ancestors());
        let mut made = false;
        let effects = self
            .before
            .iter()
            .filter_map(|i| self.items[*i].effect.as_ref());
        let linked = effects
            .flatten()
            .any(|e| !e.links.is_empty() || !e.carries.is_empty());
        for i in self.before {
            match &self.items[*i].effect {
                Some(Err(_)) => made = false,
                Some(Ok(e)) if e.run && e.writes.overlaps(&places).is_some() => made = false,
                // Behind a link it would have another name.
                Some(Ok(e)) if e.run && linked && !e.writes.is_empty() => made = false,
                Some(Ok(_)) if after_workdir(&self.items[*i]).as_deref() == Some(path) => {
                    made = true;
                }
                _ => {}
            }
        }
        made
    }
}

fn needs(item: &Item<'_>) -> Needs {
    let shell_form = |c: &CommandForm| matches!(c, CommandForm::Shell(_));
    match item.instruction.kind() {
        Kind::Run(form) => Needs {
            cwd: true,
            user: true,
            shell: shell_form(&form),
        },
        Kind::Copy(_) | Kind::Add(_) => Needs {
            cwd: item.is_relative(),
            ..Needs::default()
        },
        Kind::Workdir(_) => Needs {
            cwd: item.is_relative(),
            user: true,
            shell: false,
        },
        Kind::Cmd(form) | Kind::Entrypoint(form) | Kind::Healthcheck(Some(form)) => Needs {
            shell: shell_form(&form),
            ..Needs::default()
        },
        _ => Needs::default(),
    }
}

/// The value a USER or SHELL line sets; `None` where variables are part of it.
fn setter_value(kind: &Kind) -> Option<String> {
    let text = match kind {
        Kind::User(name) => name.to_string(),
        Kind::Shell(words) => {
            let words: Vec<String> = words.iter().map(|w| format!("{w:?}")).collect();
            words.join(" ")
        }
        _ => return None,
    };
    (!text.contains('$')).then_some(text)
}

/// The folder a WORKDIR leads to.
fn after_workdir(item: &Item<'_>) -> Option<String> {
    let Kind::Workdir(path) = item.instruction.kind() else {
        return None;
    };
    match item.step {
        Some((_, step)) => step.dest.as_ref()?.sure().map(str::to_owned),
        // It makes no step where it is the root.
        None => path.starts_with('/').then(|| "/".to_owned()),
    }
}

/// The state each instruction is in, and that behind the last one.
fn states(plan: &Plan, stage: &Stage, items: &[Item<'_>]) -> Option<(Vec<State>, State)> {
    let first = plan.states.get(stage.from)?.as_ref()?;
    let mut now = State {
        cwd: first.cwd.clone(),
        user: first.user.clone(),
        shell: None,
    };
    let mut out = Vec::with_capacity(items.len());
    for item in items {
        out.push(now.clone());
        let kind = item.instruction.kind();
        match kind {
            Kind::User(_) => now.user = Some(setter_value(&kind)?),
            Kind::Shell(_) => now.shell = Some(setter_value(&kind)?),
            Kind::Workdir(_) => now.cwd = Some(after_workdir(item)?),
            _ => {}
        }
    }
    Some((out, now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dockerfile::parse;
    use crate::optimize::precedence::Scene;
    use crate::plan::{BuildOptions, lower};
    use crate::rewrite::reorder::print;
    use crate::source::SourceFile;

    /// The text with the instructions of the last stage in another order, by their places in it.
    fn reordered(text: &str, order: &[usize]) -> Option<String> {
        let source = SourceFile::new("Dockerfile", text);
        let file = parse(&source).tree;
        let plan = lower(&file, &BuildOptions::default());
        let scene = Scene::new(&file, &plan, None);
        let last = plan.stages.len() - 1;
        let lines = compose(&plan, &plan.stages[last], scene.stage(last), order)?;
        let bytes = print(&source, &file, &[lines])?;
        Some(String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn users_and_shells_follow_the_steps() {
        let text = "FROM busybox\nUSER root\nRUN a\n# why\nUSER app\nRUN b\n\nUSER root\nRUN c\n";
        // The third RUN before the second: no line has to be repeated.
        assert_eq!(
            reordered(text, &[1, 5, 3]).unwrap(),
            "FROM busybox\nUSER root\nRUN a\nRUN c\n# why\nUSER app\nRUN b\n\nUSER root\n"
        );
        let text =
            "FROM busybox\nUSER app\nRUN a\nSHELL [\"sh\", \"-c\"]\nRUN b\nUSER root\nRUN c\n";
        assert_eq!(
            reordered(text, &[1, 5, 3]).unwrap(),
            "FROM busybox\nUSER app\nRUN a\nSHELL [\"sh\", \"-c\"]\nUSER root\nRUN c\nUSER app\nRUN b\nUSER root\n"
        );
    }

    #[test]
    fn a_state_that_nobody_knows_cannot_be_said_again() {
        // The base image's user.
        let text = "FROM busybox\nRUN a\nUSER app\nRUN b\n";
        assert_eq!(reordered(text, &[2, 0]), None);
        // A name in a variable.
        let text = "FROM busybox\nARG U=x\nUSER $U\nRUN a\nUSER app\nRUN b\n";
        assert_eq!(reordered(text, &[0, 4, 2]), None);
    }

    #[test]
    fn folders_are_said_again_where_they_are() {
        let text = "FROM busybox\nWORKDIR /a\nCOPY x .\nWORKDIR /b\nCOPY y .\n";
        assert_eq!(
            reordered(text, &[2, 3, 0, 1]).unwrap(),
            "FROM busybox\nWORKDIR /b\nCOPY y .\nWORKDIR /a\nCOPY x .\nWORKDIR /b\n"
        );
        // Somebody may have taken the folder away.
        let text = "FROM busybox\nWORKDIR /a\nCOPY x .\nWORKDIR /b\nRUN rm -rf /b\n";
        assert_eq!(reordered(text, &[2, 3, 0, 1]), None);
        let text = "FROM busybox\nWORKDIR /a\nCOPY x .\nWORKDIR /b\nRUN ./any\n";
        assert_eq!(reordered(text, &[2, 3, 0, 1]), None);
        // A step does not run in a folder that is not made yet.
        let text = "FROM busybox\nWORKDIR /a\nCOPY x .\n";
        assert_eq!(reordered(text, &[1, 0]), None);
    }
}
