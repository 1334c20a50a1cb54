//! What an image weighs, as far as the build context and a costs file tell.
//!
//! Goes in: a plan and the context. Comes out: bytes, an estimate: files that COPY takes from the context, once more where a RUN
//! gives them another owner or mode, and what the costs file says of RUNs. The base image is left out. Linear in the files.
//! Invariant: sizes of files are looked up once.

use crate::cost::CostTable;
use crate::footprint::PathClaim;
use crate::pattern::IgnoreRules;
use crate::plan::{Input, Plan, Step, StepKind};
use crate::rewrite::ContextFiles;
use crate::rewrite::flow::chain;
use crate::rewrite::layout::brought_by;
use crate::source::SourceFile;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// Weighs images of one context.
pub struct Scales<'a> {
    files: &'a dyn ContextFiles,
    costs: &'a CostTable,
    sizes: RefCell<BTreeMap<String, u64>>,
}

impl<'a> Scales<'a> {
    /// Scales that know no size yet.
    #[must_use]
    pub fn new(files: &'a dyn ContextFiles, costs: &'a CostTable) -> Self {
        Self {
            files,
            costs,
            sizes: RefCell::default(),
        }
    }

    /// The bytes of a target's image above its base image; `more` are further lines of the ignore file.
    #[must_use]
    pub fn bytes(&self, plan: &Plan, more: &[String]) -> u64 {
        let text = more.join("\n");
        let (ignored, _) = IgnoreRules::parse(&SourceFile::new(".dockerignore", text));
        let size = |from: &String| match ignored.is_ignored(from.as_bytes()) {
            true => 0,
            false => self.sizes.borrow().get(from).copied().unwrap_or(0),
        };
        let mut total = 0u64;
        let mut laid: Vec<(String, String)> = Vec::new();
        for step in steps(plan) {
            match step.kind {
                StepKind::Run => {
                    let own = self.costs.of(step).bytes;
                    let again = changed_in_place(step);
                    let meets = |place: &String| {
                        again.iter().any(|c| c.covers(&PathClaim::exact(&**place)))
                    };
                    let copies = laid.iter().filter(|(place, _)| meets(place));
                    total += own.unwrap_or(0) + copies.map(|(_, from)| size(from)).sum::<u64>();
                }
                StepKind::Copy | StepKind::Add => {
                    let brought = self.taken(step);
                    self.look_up(&brought);
                    total += brought.iter().map(|(_, from)| size(from)).sum::<u64>();
                    laid.retain(|(place, _)| !brought.iter().any(|(p, _)| p == place));
                    laid.extend(brought);
                }
                _ => {}
            }
        }
        total
    }

    /// Looks up what is not known yet.
    fn look_up(&self, brought: &[(String, String)]) {
        let mut sizes = self.sizes.borrow_mut();
        let new = brought.iter().map(|(_, from)| from);
        let new: Vec<String> = new.filter(|f| !sizes.contains_key(*f)).cloned().collect();
        let found = self.files.sizes(&new);
        sizes.extend(new.into_iter().zip(found).map(|(p, s)| (p, s.unwrap_or(0))));
    }

    /// What a COPY or ADD takes from the context: place and path there.
    fn taken(&self, step: &Step) -> Vec<(String, String)> {
        if let Some(brought) = brought_by(step, &PathClaim::subtree("/"), self.files) {
            return brought;
        }
        // Where exactly it goes is not known.
        let mut out = Vec::new();
        for input in &step.inputs {
            let Input::Context(context) = input else {
                continue;
            };
            let sources: Vec<_> = context
                .sources
                .iter()
                .map(|s| crate::pattern::SourcePattern::lenient(s))
                .collect();
            let all = self.files.below("").into_iter();
            let taken = all.filter(|p| sources.iter().any(|s| s.select(p.as_bytes()).is_some()));
            out.extend(taken.map(|p| (String::new(), p)));
        }
        out
    }
}

/// The steps that the target's image consists of, first to last.
fn steps(plan: &Plan) -> impl Iterator<Item = &Step> {
    let stages: Vec<usize> = chain(plan, plan.target).collect();
    let steps = stages.into_iter().rev().flat_map(|s| &plan.stages[s].steps);
    steps.map(|n| &plan.graph[*n])
}

/// Where a RUN gives files another owner or mode: a layer holds such a file once more.
fn changed_in_place(step: &Step) -> Vec<PathClaim> {
    let Some(footprint) = &step.footprint else {
        return Vec::new();
    };
    let of_mode = |e: &&crate::footprint::Evidence| {
        let text = step.text.get(e.span.range()).unwrap_or_default();
        let name = text.split_whitespace().next();
        matches!(name, Some("chmod" | "chown" | "chgrp")) && !e.idle
    };
    let found = footprint.evidence.iter().filter(of_mode);
    found.flat_map(|e| e.writes.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dockerfile::parse;
    use crate::plan::{BuildOptions, lower};

    /// A context of four files of 10, 100, 1000 and 10000 bytes.
    struct Four;

    const FILES: [(&str, u64); 4] = [
        ("a", 10),
        ("src/b", 100),
        ("src/c", 1000),
        ("run.sh", 10000),
    ];

    impl ContextFiles for Four {
        fn is_file(&self, path: &str) -> bool {
            FILES.iter().any(|(f, _)| *f == path)
        }
        fn is_link(&self, _: &str) -> bool {
            false
        }
        fn links_in(&self, _: &str) -> Option<Vec<String>> {
            Some(Vec::new())
        }
        fn has_below(&self, dir: &str) -> bool {
            !self.below(dir).is_empty()
        }
        fn below(&self, dir: &str) -> Vec<String> {
            let start = format!("{dir}/");
            let inside = |f: &&(&str, u64)| dir.is_empty() || f.0.starts_with(&start);
            FILES
                .iter()
                .filter(inside)
                .map(|f| f.0.to_owned())
                .collect()
        }
        fn sizes(&self, paths: &[String]) -> Vec<Option<u64>> {
            let size = |p: &String| FILES.iter().find(|f| f.0 == p).map(|f| f.1);
            paths.iter().map(size).collect()
        }
        fn read(&self, _: &str) -> Option<Vec<u8>> {
            None
        }
    }

    #[test]
    fn files_count_where_they_come_to_lie_and_where_they_change() {
        let costs = CostTable::default();
        let run = costs
            .step("RUN", "true", &[crate::footprint::Class::Other])
            .bytes
            .unwrap_or(0);
        let scales = Scales::new(&Four, &costs);
        for (text, more, runs, bytes) in [
            ("FROM a\nCOPY . /x\n", &[][..], 0, 11110),
            ("FROM a\nCOPY . /x\n", &["src"][..], 0, 10010),
            ("FROM a\nCOPY src /x\nCOPY a run.sh /x/\n", &[], 0, 11110),
            // Once more in a layer of its own.
            ("FROM a\nCOPY . /x\nRUN chmod +x /x/run.sh\n", &[], 1, 21110),
            (
                "FROM a\nCOPY . /x\nRUN mkdir /y && chown -R 1 /x/src\n",
                &[],
                1,
                12210,
            ),
            (
                "FROM a\nCOPY . /x\nRUN chmod +x /y/run.sh && touch /x/a\n",
                &[],
                1,
                11110,
            ),
            ("FROM a\nCOPY --chmod=755 . /x\n", &[], 0, 11110),
            // Stages that the image does not stand on.
            (
                "FROM a AS b\nCOPY . /x\nRUN true\nFROM a\nCOPY a /\n",
                &[],
                0,
                10,
            ),
            (
                "FROM a AS b\nCOPY src /x\nRUN true\nFROM b\nCOPY a /\nRUN chown 1 /a\n",
                &[],
                2,
                1120,
            ),
        ] {
            let more: Vec<String> = more.iter().map(|m: &&str| (*m).to_owned()).collect();
            let plan = lower(
                &parse(&SourceFile::new("Dockerfile", text)).tree,
                &BuildOptions::default(),
            );
            assert_eq!(scales.bytes(&plan, &more), bytes + runs * run, "{text}");
        }
    }
}
