//! What the RUNs of a plan touch.
//!
//! Goes in: scripts, and the state each sees. Comes out: a footprint for each. Parsing scripts is most of what a plan costs,
//! and none depends on another, so all cores share it.

use super::{Base, Likely, Plan};
use crate::footprint::{self, Certainty, Class, Footprint, RunState, Use};
use petgraph::graph::NodeIndex;
use rayon::prelude::*;
use std::collections::BTreeSet;

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
    /// The directory where it is not known, most likely.
    pub likely: Option<Likely>,
}

impl Command {
    /// The accounts it makes.
    pub fn accounts_made(&self) -> Vec<(String, String)> {
        let text = self.script.clone();
        footprint::accounts_made(&text.unwrap_or_else(|| self.argv.join(" ")))
    }

    fn footprint(&self) -> Footprint {
        let Some(likely) = &self.likely else {
            return self.footprint_in(&self.state);
        };
        let state = RunState {
            cwd: Some(likely.path.clone()),
            ..self.state.clone()
        };
        // What does not depend on the directory is sure.
        let unsure = self.footprint_in(&self.state);
        if unsure.opaque.is_none() {
            return unsure;
        }
        let mut out = self.footprint_in(&state);
        out.outcome = None;
        out.certainty = Certainty::Assumed;
        out.assumptions.insert(0, likely.because.clone());
        out
    }

    fn footprint_in(&self, state: &RunState) -> Footprint {
        let Some(text) = &self.script else {
            return footprint::of_exec(&self.argv, state);
        };
        let mut out = footprint::of_script(text, state);
        if !is_posix_shell(&self.shell) {
            out.opaque = Some(format!("the shell {} is not known", self.shell.join(" ")));
            out.builds = false;
            out.outcome = None;
        }
        out
    }
}

/// Adds their footprints to the steps.
pub fn fill(plan: &mut Plan, commands: &[(NodeIndex, Command)]) {
    let one = |(node, command): &(NodeIndex, Command)| (*node, command.footprint());
    // One script may take as long as all others together.
    let found: Vec<(NodeIndex, Footprint)> = commands.par_iter().with_max_len(1).map(one).collect();
    for (node, footprint) in found {
        let step = &mut plan.graph[node];
        step.classes.clone_from(&footprint.classes);
        step.footprint = Some(footprint);
    }
    fetch_first(plan);
}

/// Adds what recipes of the project run to the footprints of RUNs.
pub fn with_recipes(plan: &mut Plan, found: Vec<(NodeIndex, Vec<Use>)>) {
    if found.is_empty() {
        return;
    }
    for (node, uses) in found {
        if let Some(footprint) = &mut plan.graph[node].footprint {
            footprint.recipes = uses;
        }
    }
    // Who fetches first may be another now.
    for step in plan.graph.node_weights_mut() {
        if let Some(footprint) = &step.footprint {
            step.classes.clone_from(&footprint.classes);
        }
    }
    fetch_first(plan);
}

/// A build whose dependencies no earlier step of its stage, or of those below it, has fetched fetches them itself: it is an
/// install too. An install whose dependencies an earlier one has
/// fetched is none.
fn fetch_first(plan: &mut Plan) {
    type Before = (BTreeSet<&'static str>, BTreeSet<Vec<String>>);
    let mut fetched: Vec<Before> = Vec::new();
    for index in 0..plan.stages.len() {
        let (mut tools, mut installed) = match plan.stages[index].base {
            Base::Stage(b) => fetched.get(b).cloned().unwrap_or_default(),
            _ => Before::default(),
        };
        for node in plan.stages[index].steps.clone() {
            let step = &mut plan.graph[node];
            let Some(footprint) = &step.footprint else {
                continue;
            };
            let installs: Vec<Vec<String>> =
                footprint.uses.iter().filter_map(Use::installs).collect();
            let again = !installs.is_empty() && installs.iter().all(|i| installed.contains(i));
            let slight = footprint.uses.iter().filter(|u| u.is_housekeeping());
            if again && installs.len() + slight.count() == footprint.uses.len() {
                // The dependencies are there already: what is left is the project itself.
                for class in step.classes.iter_mut().filter(|c| **c == Class::Install) {
                    *class = Class::LightBuild;
                }
                step.classes.sort();
                step.classes.dedup();
                continue;
            }
            installed.extend(installs);
            let own = footprint.uses.iter().filter_map(Use::fetches);
            // A recipe that only fetches is no install by its name.
            let inner = footprint.recipes.iter().filter_map(Use::fetches);
            for (tool, builds) in own.chain(inner.map(|(tool, _)| (tool, true))) {
                if tools.insert(tool) && builds && !step.classes.contains(&Class::Install) {
                    step.classes.push(Class::Install);
                    step.classes.sort();
                }
            }
        }
        fetched.push((tools, installed));
    }
}

/// Whether a shell reads scripts as they are read here, and no file of its own first.
#[must_use]
pub fn is_posix_shell(shell: &[String]) -> bool {
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
