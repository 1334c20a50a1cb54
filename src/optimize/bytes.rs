//! What an image weighs, as far as the build context and a costs file tell.
//!
//! Goes in: a plan and the context. Comes out: bytes, an estimate: the layers of [`crate::layers`], counted as the store of the builder's profile counts. The base image is left out. Linear in the files.
//! Invariant: sizes of files are looked up once.

use crate::cost::CostTable;
use crate::layers::sent::{Entry, Source, What};
use crate::layers::{ImageLayers, Model, Sent, pushed, store_of};
use crate::pattern::IgnoreRules;
use crate::plan::Plan;
use crate::rewrite::ContextFiles;
use crate::simulate::Outcome;
use crate::source::SourceFile;

/// Links whose texts are read: most lead nowhere that counts.
const MOST_LINKS: usize = 1000;

/// Files of a context as layers are made of them.
pub struct Bytes<'a>(pub &'a dyn ContextFiles);

impl Source for Bytes<'_> {
    fn sizes(&self, paths: &[String]) -> Vec<Option<u64>> {
        self.0.sizes(paths)
    }
}

impl Bytes<'_> {
    /// All entries.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        let links = self.0.links_in("").unwrap_or_default();
        let few = links.len() <= MOST_LINKS;
        let one = |path: String| Entry {
            what: match links.binary_search(&path).is_ok() || self.0.is_link(&path) {
                true => What::Link(match few {
                    true => self.0.link_text(&path).unwrap_or_default(),
                    false => String::new(),
                }),
                false => What::File,
            },
            path,
            digest: None,
            mode: None,
            same: None,
        };
        self.0.below("").into_iter().map(one).collect()
    }
}

/// Weighs images of one context.
pub struct Scales<'a> {
    sent: Sent<'a>,
    costs: &'a CostTable,
}

impl<'a> Scales<'a> {
    /// Scales that know no size yet.
    #[must_use]
    pub fn new(files: &'a Bytes<'a>, costs: &'a CostTable) -> Self {
        Self {
            sent: Sent::new(files.entries(), files),
            costs,
        }
    }

    /// The bytes of a target's image above its base image; `more` are further lines of the ignore file.
    #[must_use]
    pub fn bytes(&self, plan: &Plan, more: &[String]) -> u64 {
        self.layers(plan, more).bytes()
    }

    /// Mean bytes a build whose layers are made anew, and so pushed and pulled again; a step that may have run counts, as in seconds.
    #[must_use]
    pub fn pushed(&self, plan: &Plan, outcome: &Outcome, more: &[String]) -> f64 {
        let found = self.layers(plan, more);
        let (pushed, builds) = pushed(&found, plan, outcome);
        let layers = found.layers.iter().zip(pushed);
        layers
            .map(|(l, p)| p.per_build(l.bytes.unwrap_or(0), builds).0)
            .sum::<f64>()
            + 0.0
    }

    fn layers(&self, plan: &Plan, more: &[String]) -> ImageLayers {
        let text = more.join("\n");
        let (ignored, _) = IgnoreRules::parse(&SourceFile::new(".dockerignore", text));
        let model = Model {
            plan,
            sent: &self.sent,
            costs: self.costs,
            store: store_of(plan.builder, self.costs.disk().unwrap_or_default()),
            ignored: (!more.is_empty()).then_some(&ignored),
        };
        model.layers()
    }
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
        let files = Bytes(&Four);
        let scales = Scales::new(&files, &costs);
        for (text, more, runs, bytes) in [
            ("FROM a\nCOPY . /x\n", &[][..], 0, 11110),
            ("FROM a\nCOPY . /x\n", &["src"][..], 0, 10010),
            ("FROM a\nCOPY src /x\nCOPY a run.sh /x/\n", &[], 0, 11110),
            // Once more in a layer of its own, which holds nothing else.
            ("FROM a\nCOPY . /x\nRUN chmod +x /x/run.sh\n", &[], 0, 21110),
            (
                "FROM a\nCOPY . /x\nRUN mkdir /y && chown -R 1 /x/src\n",
                &[],
                0,
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
                0,
                1120,
            ),
        ] {
            let more: Vec<String> = more.iter().map(|m: &&str| (*m).to_owned()).collect();
            let plan = lower(
                &parse(&SourceFile::new("Dockerfile", text)).tree,
                &BuildOptions {
                    // Bytes of files, no more.
                    builder: crate::plan::Builder::BUILDKIT_OVERLAY2,
                    ..BuildOptions::default()
                },
            );
            assert_eq!(scales.bytes(&plan, &more), bytes + runs * run, "{text}");
        }
    }
}
