//! What the RUNs of a plan touch.
//!
//! Goes in: scripts, and the state each sees. Comes out: a footprint for each. Parsing scripts is most of what a plan costs,
//! and none depends on another, so all cores share it.

use super::Plan;
use crate::footprint::{self, Footprint, RunState};
use petgraph::graph::NodeIndex;
use rayon::prelude::*;

/// The command of a RUN.
pub struct Command {
    /// What its shell is given; `None` for the exec form.
    pub script: Option<String>,
    /// The shell.
    pub shell: Vec<String>,
    /// Its arguments, the shell's included.
    pub argv: Vec<String>,
    /// Directory, user and variables.
    pub state: RunState,
}

impl Command {
    fn footprint(&self) -> Footprint {
        let Some(text) = &self.script else {
            return footprint::of_exec(&self.argv, &self.state);
        };
        let mut out = footprint::of_script(text, &self.state);
        if !is_posix_shell(&self.shell) {
            out.opaque = Some(format!("the shell {} is not known", self.shell.join(" ")));
        }
        out
    }
}

/// Adds their footprints to the steps.
pub fn fill(plan: &mut Plan, commands: &[(NodeIndex, Command)]) {
    let one = |(node, command): &(NodeIndex, Command)| (*node, command.footprint());
    let found: Vec<(NodeIndex, Footprint)> = commands.par_iter().map(one).collect();
    for (node, footprint) in found {
        let step = &mut plan.graph[node];
        step.classes.clone_from(&footprint.classes);
        step.footprint = Some(footprint);
    }
}

fn is_posix_shell(shell: &[String]) -> bool {
    let name = shell
        .first()
        .map_or("", |s| s.rsplit('/').next().unwrap_or(""));
    // A login or interactive shell reads files of its own first.
    let plain = |flag: &String| {
        matches!(flag.as_str(), "pipefail" | "errexit" | "nounset" | "xtrace")
            || flag.strip_prefix('-').is_some_and(|letters| {
                !letters.is_empty() && letters.bytes().all(|b| b"ceuxvo".contains(&b))
            })
    };
    matches!(name, "sh" | "bash" | "dash" | "ash")
        && shell.last().is_some_and(|s| s.ends_with('c'))
        && shell[1..].iter().all(plain)
}
