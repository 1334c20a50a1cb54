//! A variable that nothing has set where it is used.

use super::on_first_line;
use crate::diagnostic::{Severity, shorten};
use crate::dockerfile::{Kind, nearest};
use crate::rules::{Check, Findings, Rule, View};
use std::cell::OnceCell;
use std::collections::BTreeSet;

/// `UndefinedVar`.
pub static RULE: Rule = Rule {
    name: "UndefinedVar",
    severity: Severity::Warning,
    summary: "a variable is used that no ARG and no ENV has set up to there, so it is empty",
    also: &[],
    check: Check::Dockerfile(check),
};

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    let names = OnceCell::new();
    for command in view.commands() {
        for (name, span) in &command.missing {
            let short = shorten(name);
            let message = format!("nothing has set the `${short}` of {}", command.called());
            let span = match command.is_trigger {
                true => command.place.keyword_span(),
                false => *span,
            };
            let names = names.get_or_init(|| Names::new(view));
            out.at(on_first_line(view, command.place, span), message)
                .help(names.help(name));
        }
    }
}

/// The names that the file gives to variables.
struct Names<'a> {
    global: BTreeSet<&'a str>,
    all: BTreeSet<&'a str>,
}

impl<'a> Names<'a> {
    fn new(view: &View<'a>) -> Self {
        let (mut global, mut all) = (BTreeSet::new(), BTreeSet::new());
        let mut in_stage = false;
        for ins in view.tree.instructions() {
            match ins.kind() {
                Kind::From { .. } => in_stage = true,
                Kind::Arg(list) => {
                    let names = list.iter().map(|(n, _)| n.as_str());
                    if !in_stage {
                        global.extend(names.clone());
                    }
                    all.extend(names);
                }
                Kind::Env(list) => all.extend(list.iter().map(|(n, _)| n.as_str())),
                _ => {}
            }
        }
        Self { global, all }
    }

    fn help(&self, name: &str) -> String {
        // Every name is held against every other: only in files that people write.
        const MOST: usize = 200;
        let short = shorten(name);
        if self.global.contains(name) {
            return format!(
                "write `ARG {short}` in this stage: an ARG before the first FROM is for FROM lines alone"
            );
        }
        if self.all.contains(name) {
            return format!("set `{short}` in this stage, before this line");
        }
        let others = self.all.iter().copied().take(MOST);
        match nearest(name, others) {
            Some(near) => format!("did you mean `${near}`?"),
            None => format!(
                "declare it with `ARG {short}`, or write `\\$` where the sign itself is meant"
            ),
        }
    }
}
