//! Random multi-stage Dockerfiles whose RUNs are real shell commands, and which pairs of their steps commute by construction.
//!
//! In: a seed. Out: a Dockerfile on the image `busybase` and the context of [`context`], and for every instruction what it
//! touches. Invariant: nothing random but the seed, no clock and no chance in a RUN, and nearly every file builds.

mod commands;
pub mod context;
mod instructions;
mod model;
mod trees;

use super::random_history::Random;
use model::{Files, Touch};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Raised whenever the generator's output for a seed changes.
pub const GENERATOR: u32 = 3;

/// Folders that steps meet in.
const POOL: [&str; 22] = [
    "/a",
    "/a/b",
    "/a/b/c",
    "/w",
    "/w/x",
    "/w/x/y",
    "/data",
    "/data/in",
    "/srv",
    "/srv/k",
    "/opt/t",
    "/home/app",
    "/home/app/k",
    "/usr/local/share/m",
    "/app",
    "/app/dist",
    "/app/src",
    "/mnt/k",
    "/srv/www",
    "/work",
    "/etc/app.d",
    "/tmp/t",
];

/// Names of files.
const NAMES: [&str; 7] = ["f", "g", "h.txt", "n.txt", "k.conf", "out", "log"];

/// Variables that are set or used.
const VARIABLES: [&str; 4] = ["V", "MODE", "NAME", "LEVEL"];

/// A stage while it is written.
#[derive(Clone, Default)]
struct Stage {
    files: Files,
    cwd: String,
    /// Files that `app` made.
    own: BTreeSet<String>,
    /// A WORKDIR was given.
    placed: bool,
    /// Commands run as `app`.
    app: bool,
    /// Without a shell.
    bare: bool,
    /// The tool is told about the image's links, or there is no image.
    told: bool,
    /// Later stages take from it or start from it.
    used: bool,
}

/// An instruction.
pub struct Instruction {
    pub text: String,
    /// What it touches; none for what sets the state of those behind it.
    touch: Option<Touch>,
}

/// A Dockerfile.
pub struct Plan {
    pub text: String,
    /// For each stage: whether its image's links are told of, and its instructions, FROM left out.
    pub stages: Vec<(bool, Vec<Instruction>)>,
}

impl Plan {
    /// Pairs of a stage's instructions that commute by construction.
    pub fn apart(&self, stage: usize) -> Vec<(usize, usize)> {
        let all = &self.stages[stage].1;
        let mut out = Vec::new();
        for (j, second) in all.iter().enumerate() {
            for (i, first) in all[..j].iter().enumerate() {
                if let (Some(a), Some(b)) = (&first.touch, &second.touch)
                    && a.apart(b)
                {
                    out.push((i, j));
                }
            }
        }
        out
    }
}

/// The state of one generation.
pub struct Generator {
    random: Random,
    counter: usize,
    stage: Stage,
    stages: Vec<Stage>,
    written: Vec<Instruction>,
    /// What the instruction being written touches.
    touch: Touch,
    /// The working directory inside a RUN.
    dir: String,
    set: BTreeSet<&'static str>,
}

/// The Dockerfile of a seed.
pub fn generate(seed: u64) -> Plan {
    let mut g = Generator {
        random: Random::new(seed ^ 0x51ab),
        counter: 0,
        stage: Stage::default(),
        stages: Vec::new(),
        written: Vec::new(),
        touch: Touch::default(),
        dir: String::new(),
        set: BTreeSet::new(),
    };
    let count = [1, 1, 2, 2, 3, 4][g.random.below(6)];
    let mut plan = Plan {
        text: format!("# seed {seed}\n"),
        stages: Vec::new(),
    };
    for index in 0..count {
        let from = g.begin(index, index + 1 == count);
        let size = 3 + g.random.below(7);
        if g.random.one_in(2) {
            g.workdir();
        }
        for _ in 0..size {
            g.instruction(index);
        }
        if index + 1 == count {
            for other in 0..index {
                if !g.stages[other].used {
                    g.take_all(other);
                }
            }
        }
        plan.text.push_str(&from);
        let written = std::mem::take(&mut g.written);
        for instruction in &written {
            let _ = writeln!(plan.text, "{}", instruction.text);
        }
        plan.stages.push((g.stage.told, written));
        g.stages.push(g.stage.clone());
    }
    plan
}
