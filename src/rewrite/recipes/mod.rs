//! What the recipes of a project run, where a RUN only says `make`.
//!
//! Goes in: a plan and the files of the build context. Comes out: the plan, its RUNs with the commands that their Makefiles
//! start ([`crate::footprint::Footprint::recipes`]). Costs a look at one file per `make`. Invariant: nothing is taken to be left
//! alone because of it; a RUN that runs recipes stays one that may touch anything. What is read is only which tools fetch
//! and build, for what that costs and for a download that may come before.

mod makefile;

use super::ContextFiles;
use super::layout::{Laid, Layout};
use super::needs::Project;
use crate::footprint::{self, Footprint, PathClaim, PathSet, RunState, Use};
use crate::plan::{Base, Dest, Plan, StepKind, with_recipes};
use makefile::Makefile;
use petgraph::graph::NodeIndex;
use std::collections::BTreeMap;

/// Largest Makefile that is read, bytes.
const MAX_SIZE: usize = 1 << 20;
/// `make` in the recipes of `make`.
const MAX_DEPTH: usize = 3;
/// Commands of one RUN that are looked at.
const MOST_USES: usize = 100;
/// Makefiles that are read for one RUN.
const MOST_FILES: usize = 20;

/// Whether a plan runs `make` at all.
#[must_use]
pub fn any(plan: &Plan) -> bool {
    let mut footprints = plan
        .graph
        .node_weights()
        .filter_map(|s| s.footprint.as_ref());
    footprints.any(|f| f.uses.iter().any(is_make))
}

/// Notes what the recipes of every `make` in a plan run.
pub fn note(plan: &mut Plan, files: &dyn ContextFiles) {
    if !any(plan) {
        return;
    }
    let mut found: Vec<(NodeIndex, Vec<Use>)> = Vec::new();
    let mut layouts: Vec<Layout> = Vec::new();
    for stage in &plan.stages {
        let mut layout = match stage.base {
            Base::Stage(b) => layouts[b].clone(),
            _ => Layout::default(),
        };
        for node in &stage.steps {
            let step = &plan.graph[*node];
            let footprint = step.footprint.as_ref();
            if let Some(footprint) = footprint {
                let laid = Laid {
                    layout: &layout,
                    files,
                };
                let makes = footprint.uses.iter().filter(|u| is_make(u));
                let mut followed = Followed::default();
                for used in makes {
                    followed.follow(used, &laid, MAX_DEPTH);
                }
                if !followed.uses.is_empty() {
                    found.push((*node, followed.uses));
                }
            }
            let run = footprint.filter(|f| f.opaque.is_none());
            let dest = step.dest.as_ref().and_then(Dest::best);
            let changes = match step.kind {
                StepKind::Run => run.map(Footprint::changes),
                _ => dest.map(|d| PathSet::new(vec![PathClaim::subtree(d)])),
            };
            layout.add(plan, step, changes.as_ref());
        }
        layouts.push(layout);
    }
    with_recipes(plan, found);
}

fn is_make(used: &Use) -> bool {
    matches!(used.tool.as_str(), "make" | "gmake")
}

/// What the `make`s of one RUN start.
#[derive(Default)]
struct Followed {
    uses: Vec<Use>,
    files: usize,
}

impl Followed {
    /// The commands that one of them starts, those of further ones in it included.
    fn follow(&mut self, used: &Use, project: &dyn Project, depth: usize) {
        self.files += 1;
        if self.files > MOST_FILES {
            return;
        }
        let (Some(arguments), Some(dir)) = (&used.arguments, &used.dir) else {
            return;
        };
        let Some(asked) = Asked::of(arguments, dir) else {
            return;
        };
        let named = ["GNUmakefile", "makefile", "Makefile"].map(str::to_owned);
        let mut candidates = match &asked.file {
            Some(file) => vec![super::needs::join(&asked.dir, file)],
            None => named.map(|n| super::needs::join(&asked.dir, &n)).to_vec(),
        };
        candidates.retain(|c| project.is_file(c));
        let text = candidates.first().and_then(|c| project.read(c));
        let Some(text) = text.filter(|t| t.len() <= MAX_SIZE) else {
            return;
        };
        let around = used.variables.iter();
        let around = around.filter_map(|(n, v)| Some((n.clone(), v.clone()?)));
        let around: BTreeMap<String, String> = around.collect();
        let file = Makefile::parse(&String::from_utf8_lossy(&text), &asked.variables, &around);
        let mut vars = around;
        vars.extend(file.environment());
        let state = RunState {
            cwd: Some(asked.dir.clone()),
            user: None,
            vars: vars.into_iter().collect(),
            homes: Vec::new(),
        };
        let goals: Vec<&str> = asked.goals.iter().map(String::as_str).collect();
        for line in file.recipes(&goals) {
            for inner in footprint::of_script(&line, &state).uses {
                if self.uses.len() >= MOST_USES {
                    return;
                }
                match is_make(&inner) {
                    true if depth > 0 => self.follow(&inner, project, depth - 1),
                    true => {}
                    false => self.uses.push(Use {
                        // It stands in another file.
                        span: used.span,
                        ..inner
                    }),
                }
            }
        }
    }
}

/// A command line of make.
struct Asked {
    dir: String,
    file: Option<String>,
    goals: Vec<String>,
    variables: BTreeMap<String, String>,
}

impl Asked {
    /// `None` for options that are not known.
    fn of(arguments: &[String], dir: &str) -> Option<Self> {
        let mut out = Self {
            dir: dir.to_owned(),
            file: None,
            goals: Vec::new(),
            variables: BTreeMap::new(),
        };
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            let (flag, attached) = match word.get(..2) {
                Some(short @ ("-C" | "-f" | "-j" | "-l" | "-o" | "-W")) => (short, &word[2..]),
                _ => (word.as_str(), ""),
            };
            let mut value = || match attached {
                "" => words.next().cloned(),
                text => Some(text.to_owned()),
            };
            match flag {
                "-C" => out.dir = super::needs::join(&out.dir, &value()?),
                "-f" => out.file = Some(value()?),
                "-o" | "-W" | "-l" => drop(value()?),
                "-j" => {
                    // A number may follow, or nothing.
                    let number = |w: &String| w.bytes().all(|b| b.is_ascii_digit());
                    if attached.is_empty() && words.as_slice().first().is_some_and(number) {
                        words.next();
                    }
                }
                "-s" | "-k" | "-B" | "-e" | "--silent" | "--no-print-directory" | "-i" | "-w" => {}
                flag if flag.starts_with("--directory=") => {
                    out.dir = super::needs::join(&out.dir, flag.strip_prefix("--directory=")?);
                }
                flag if flag.starts_with("--jobs") || flag.starts_with("--output-sync") => {}
                flag if flag.starts_with('-') => return None,
                word => match word.split_once('=') {
                    Some((name, value)) => {
                        let name = name.trim_end_matches([':', '?', '+']);
                        out.variables.insert(name.to_owned(), value.to_owned());
                    }
                    None => out.goals.push(word.to_owned()),
                },
            }
        }
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use super::super::needs::Memory;
    use super::*;

    fn uses(line: &str, files: &[(&str, &str)]) -> Vec<String> {
        let state = RunState {
            cwd: Some("/app".to_owned()),
            user: None,
            vars: vec![("TAGS".to_owned(), "x".to_owned())],
            homes: Vec::new(),
        };
        let mut followed = Followed::default();
        for used in &footprint::of_script(line, &state).uses {
            followed.follow(used, &Memory::of(files), MAX_DEPTH);
        }
        let shown = |u: &Use| {
            let words = u.arguments.as_ref().map(|a| a.join(" "));
            format!(
                "{}: {} {}",
                u.dir.as_deref().unwrap_or("?"),
                u.tool,
                words.unwrap_or_else(|| "?".to_owned())
            )
        };
        followed.uses.iter().map(shown).collect()
    }

    #[test]
    fn recipes_are_followed_into_folders() {
        let files = [
            (
                "/app/Makefile",
                "build:\n\tgo build -tags '$(TAGS)' .\n\t$(MAKE) -C ui dist\n",
            ),
            ("/app/ui/makefile", "dist:\n\tnpm ci && npm run build\n"),
            ("/app/ui/Makefile", "dist:\n\tno\n"),
        ];
        let all = [
            "/app: go build -tags x .",
            "/app/ui: npm ci",
            "/app/ui: npm run build",
        ];
        assert_eq!(uses("make", &files), all);
        assert_eq!(
            uses("make -j4 build TAGS=y", &files)[0],
            "/app: go build -tags y ."
        );
        assert_eq!(uses("cd ui && make -s", &files), all[1..]);
        assert_eq!(uses("make --directory=ui dist", &files), all[1..]);
        assert!(uses("make --frob build", &files).is_empty());
        assert!(uses("make -f other.mk", &files).is_empty());
    }

    #[test]
    fn a_make_that_calls_itself_ends() {
        let files = [("/app/Makefile", "x:\n\tmake x\n\tmake x\n\tcargo build\n")];
        let found = uses("make", &files);
        assert!(!found.is_empty() && found.len() <= MOST_USES);
    }
}
