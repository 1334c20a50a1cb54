//! Plans that are called proven, built beside the original by a real builder; and how many pairs that commute are found to.
//!
//! In: random Dockerfiles of `common::random_plan` by seed; a `docker` with buildx and the image `busybase:latest`; without them the
//! live test says so and passes (with `CACHEPLAN_REQUIRE_BUILDER=1` it fails). `CACHEPLAN_PLANS` pairs from seed
//! `CACHEPLAN_PLAN_SEED` on, on every daemon of `CACHEPLAN_PLAN_HOSTS` at a time. `CACHEPLAN_KEEP_PLANS=1` adds the counts to
//! `corpus/plans/built.list`. Invariant: a pair counts only where the plan has another text than the original.

mod common;

use cacheplan::dockerfile::{Dockerfile, parse};
use cacheplan::footprint::Certainty;
use cacheplan::optimize::certificate::{Swap, some_orders};
use cacheplan::optimize::precedence::{Relation, Scene};
use cacheplan::plan::{Base, BuildOptions, lower};
use cacheplan::rewrite::reorder;
use cacheplan::source::SourceFile;
use common::builder;
use common::pairs::{Outcome, built};
use common::random_history::Random;
use common::random_plan::{self, GENERATOR, context};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// A Dockerfile and a plan of it.
struct Pair {
    seed: u64,
    original: String,
    plan: String,
    stages: usize,
    swaps: Vec<Swap>,
    lines: Vec<u32>,
}

fn lines(file: &Dockerfile) -> Vec<u32> {
    file.instructions().iter().map(|i| i.line).collect()
}

/// A random plan of a seed that is proven; `None` where nothing may change places, or by chance nothing did.
fn pair(seed: u64) -> Option<Pair> {
    let original = random_plan::generate(seed).text;
    let source = SourceFile::new("Dockerfile", original.clone());
    let file = parse(&source).tree;
    let plan = lower(&file, &BuildOptions::default());
    let scene = Scene::new(&file, &plan, Some(&context::Context));
    let mut random = Random::new(seed ^ 0x77);
    // Half of the plans go as far from the author's order as they can.
    let far = random.one_in(2);
    let mut pick = |n: usize| match far && !random.one_in(3) {
        true => n - 1,
        false => random.below(n),
    };
    let (orders, swaps) = some_orders(&scene, plan.stages.len(), Certainty::Exact, &mut pick);
    let printed = reorder::print(&source, &file, &orders)?;
    let plan = String::from_utf8(printed).expect("text");
    (plan != original).then_some(Pair {
        seed,
        original,
        plan,
        stages: orders.len(),
        swaps,
        lines: lines(&file),
    })
}

fn described(pair: &Pair, what: &str) -> String {
    let swap = |s: &Swap| {
        format!(
            "  lines {} and {}: {}",
            pair.lines[s.first], pair.lines[s.second], s.because
        )
    };
    let swaps: Vec<String> = pair.swaps.iter().map(swap).collect();
    format!(
        "---- seed {}\n{what}\n-- original\n{}-- plan\n{}-- swaps\n{}\n",
        pair.seed,
        pair.original,
        pair.plan,
        swaps.join("\n")
    )
}

#[test]
fn plans_build_the_same_image() {
    let Some(version) = builder::version_or_skip() else {
        return;
    };
    let first = builder::number("CACHEPLAN_PLAN_SEED", 1);
    let wanted = usize::try_from(builder::number("CACHEPLAN_PLANS", 20)).expect("a count");
    let hosts = std::env::var("CACHEPLAN_PLAN_HOSTS").unwrap_or_default();
    let hosts: Vec<Option<&str>> = match hosts.is_empty() {
        true => vec![None],
        false => hosts.split(',').map(Some).collect(),
    };
    let (next, same) = (AtomicU64::new(first), AtomicUsize::new(0));
    let (wrong, refused) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let (stages, swaps) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for host in &hosts {
            scope.spawn(|| {
                let folder = tempfile::tempdir().expect("a folder");
                context::write(&folder.path().join("context")).expect("writable");
                let mut since = 0;
                while same.load(Ordering::SeqCst) < wanted
                    && wrong.lock().expect("no panic").len() < 5
                    && refused.lock().expect("no panic").len() < wanted + 5
                {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    let Some(pair) = pair(seed) else { continue };
                    match built(*host, folder.path(), &pair.original, &pair.plan) {
                        Outcome::Same => {
                            same.fetch_add(1, Ordering::SeqCst);
                            stages.fetch_add(pair.stages, Ordering::SeqCst);
                            swaps.fetch_add(pair.swaps.len(), Ordering::SeqCst);
                        }
                        Outcome::Refused(why) => {
                            let text = described(&pair, &why);
                            refused.lock().expect("no panic").push(text);
                        }
                        Outcome::Different(what) => {
                            let text = described(&pair, &what);
                            eprintln!("{text}");
                            wrong.lock().expect("no panic").push(text);
                        }
                    }
                    since += 1;
                    let done = same.load(Ordering::SeqCst);
                    if done % 50 == 0 {
                        eprintln!("{done} pairs, at seed {seed}");
                    }
                    if since % 200 == 0 {
                        prune(*host);
                    }
                }
            });
        }
    });
    let (same, last) = (same.into_inner(), next.into_inner() - 1);
    let (wrong, refused) = (wrong.into_inner(), refused.into_inner());
    let (wrong, refused) = (wrong.expect("no panic"), refused.expect("no panic"));
    let (stages, swaps) = (stages.into_inner(), swaps.into_inner());
    eprintln!(
        "plans: seeds {first} to {last}, {same} pairs identical, {} different, {} refused by the builder, {stages} stages \
         reordered, {swaps} swaps",
        wrong.len(),
        refused.len()
    );
    if let Ok(file) = std::env::var("CACHEPLAN_DIFFERENCES") {
        let text = [wrong.join("\n"), refused.join("\n")].join("\n==== refused\n");
        std::fs::write(file, text).expect("writable");
    }
    assert!(wrong.is_empty(), "{} plans differ", wrong.len());
    assert!(
        refused.len() * 5 <= same + refused.len(),
        "the builder refuses {} files of {}",
        refused.len(),
        same + refused.len()
    );
    if builder::is_on("CACHEPLAN_KEEP_PLANS") {
        keep(&format!(
            "generator {GENERATOR} builder {version} seeds {first}-{last} identical {same} different 0 refused {} swaps {swaps}\n",
            refused.len()
        ));
    }
}

fn prune(host: Option<&str>) {
    let mut docker = Command::new("docker");
    docker.args(["builder", "prune", "-af"]);
    if let Some(host) = host {
        docker.env("DOCKER_HOST", host);
    }
    let _ = docker.output();
}

fn record() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/plans/built.list")
}

fn keep(line: &str) {
    let mut text = std::fs::read_to_string(record()).unwrap_or_default();
    text.push_str(line);
    std::fs::write(record(), text).expect("corpus/plans is writable");
}

/// Every line of the record: identical pairs and swaps.
#[test]
fn pairs_in_the_docs_are_those_kept() {
    let text = std::fs::read_to_string(record()).expect("corpus/plans/built.list");
    let number = |line: &str, name: &str| {
        let mut words = line.split(' ').skip_while(|w| *w != name);
        let number = words.nth(1).and_then(|n| n.parse::<u64>().ok());
        number.unwrap_or_else(|| panic!("{name} in {line}"))
    };
    let sum = |name| text.lines().map(|line| number(line, name)).sum::<u64>();
    assert_eq!(sum("different"), 0);
    let said = format!(
        "| {} | {} | {} |",
        sum("identical"),
        sum("swaps"),
        sum("refused")
    );
    eprintln!("pairs built so far, swaps, refused: {said}");
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/conformance.md");
    let docs = std::fs::read_to_string(docs).expect("docs/conformance.md");
    assert!(docs.contains(&said), "docs/conformance.md lacks {said}");
}

/// Pairs that a real builder showed to be none: `# keeps 4 6: why` says which lines.
#[test]
fn pairs_that_a_builder_told_apart_keep_their_order() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/plans");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).expect("corpus/plans") {
        let path = entry.expect("readable").path().join("Dockerfile");
        let Ok(text) = std::fs::read_to_string(&path) else {
            continue;
        };
        let head = text.lines().next().and_then(|l| l.strip_prefix("# keeps "));
        let (pair, _) = head.and_then(|h| h.split_once(':')).expect("a first line");
        let pair: Vec<u32> = pair
            .split(' ')
            .map(|n| n.parse().expect("a line"))
            .collect();
        let source = SourceFile::new("Dockerfile", text.clone());
        let file = parse(&source).tree;
        let plan = lower(&file, &BuildOptions::default());
        let scene = Scene::new(&file, &plan, Some(&context::Context));
        let at = |line: u32| {
            let mut items = scene.stage(0).iter();
            items
                .position(|i| i.instruction.line == line)
                .expect("a line")
        };
        let found = scene.relation(0, at(pair[0]), at(pair[1]));
        let exact = matches!(
            found,
            Relation::Commute {
                certainty: Certainty::Exact,
                ..
            }
        );
        assert!(!exact, "{}: {found:?}", path.display());
        seen += 1;
    }
    assert!(seen > 5, "{seen} files");
}

/// What was found of the pairs that commute by construction.
#[derive(Default)]
struct Recognised {
    apart: usize,
    found: usize,
    /// By the reason for which one is not: how many, and the first.
    why: BTreeMap<String, (usize, String)>,
}

impl Recognised {
    fn add(mut self, other: Self) -> Self {
        self.apart += other.apart;
        self.found += other.found;
        for (reason, (n, example)) in other.why {
            self.why.entry(reason).or_insert((0, example)).0 += n;
        }
        self
    }
}

fn recognised(seed: u64) -> Recognised {
    let generated = random_plan::generate(seed);
    let source = SourceFile::new("Dockerfile", generated.text.clone());
    let file = parse(&source).tree;
    let plan = lower(&file, &BuildOptions::default());
    let scene = Scene::new(&file, &plan, Some(&context::Context));
    let mut out = Recognised::default();
    let unknown = |stage: usize| {
        let items = scene.stage(stage).iter();
        items.filter_map(|i| i.effect.as_ref()).any(Result::is_err)
    };
    for (stage, (told, instructions)) in generated.stages.iter().enumerate() {
        let items = scene.stage(stage).len();
        assert_eq!(items, instructions.len(), "{}", generated.text);
        let mut below = vec![stage];
        while let Base::Stage(b) = plan.stages[below[0]].base {
            below.insert(0, b);
        }
        // Of an image that nothing is told of, nothing that writes is proven.
        let pairs = generated.apart(stage).into_iter().filter(|_| *told);
        for (i, j) in pairs {
            out.apart += 1;
            let reasons = match scene.relation(stage, i, j) {
                Relation::Commute {
                    certainty: Certainty::Exact,
                    ..
                } => {
                    out.found += 1;
                    continue;
                }
                Relation::Commute { assumptions, .. } => assumptions,
                Relation::Keep(why) => vec![format!("kept: {why}")],
            };
            let texts = [&instructions[i].text, &instructions[j].text];
            let system = |t: &&String| t.contains("/etc") || t.contains("/usr");
            let mark = if below.iter().any(|s| unknown(*s)) {
                " (beside a step that is not understood)"
            } else if texts.iter().any(|t| t.starts_with("ADD")) {
                " (of an archive)"
            } else if texts.iter().any(system) {
                " (in system folders)"
            } else {
                ""
            };
            for reason in reasons {
                let example = format!("seed {seed}\n{}\n{}", texts[0], texts[1]);
                let row = out.why.entry(general(&reason) + mark);
                row.or_insert((0, example)).0 += 1;
            }
        }
        assert!(*told || nothing_proven(&scene, stage), "seed {seed}");
    }
    out
}

/// Whether no two steps of a stage that both write are called proven.
fn nothing_proven(scene: &Scene<'_>, stage: usize) -> bool {
    let items = scene.stage(stage);
    let writes = |n: usize| match &items[n].effect {
        Some(Ok(effect)) => !effect.writes.is_empty(),
        _ => false,
    };
    let pairs = (0..items.len()).flat_map(|j| (0..j).map(move |i| (i, j)));
    let mut both = pairs.filter(|(i, j)| writes(*i) && writes(*j));
    both.all(|(i, j)| {
        !matches!(
            scene.relation(stage, i, j),
            Relation::Commute {
                certainty: Certainty::Exact,
                ..
            }
        )
    })
}

/// The share of a sample of 400 files swings by four points either way, so the goal is for many files, the same ones in
/// every run.
#[test]
fn pairs_that_commute_are_recognised() {
    let (apart, found) = recognised_in(1, builder::number("CACHEPLAN_RECOGNISED", 2400));
    assert!(found * 100 >= apart * 70, "{found} of {apart}");
}

/// New files in every run: a kind of pair that is never recognised would show, a point or two would not.
#[test]
fn pairs_of_new_files_are_recognised_too() {
    let (apart, found) = recognised_in(builder::number("CACHEPLAN_PLAN_SEED", 1), 400);
    assert!(found * 100 >= apart * 60, "{found} of {apart}");
}

/// How many pairs of the files of some seeds commute by construction, and how many of these are recognised.
fn recognised_in(first: u64, count: u64) -> (usize, usize) {
    let seeds = (first..first + count).into_par_iter();
    let all = seeds
        .map(recognised)
        .reduce(Recognised::default, Recognised::add);
    let mut why: Vec<_> = all.why.into_iter().collect();
    why.sort_by_key(|(_, (n, _))| std::cmp::Reverse(*n));
    let (apart, found) = (all.apart, all.found);
    eprintln!(
        "seeds {first} on, {count} files: {apart} pairs commute by construction, {found} are recognised ({} %)",
        found * 100 / apart.max(1)
    );
    for (reason, (n, example)) in why.iter().take(20) {
        eprintln!("{n:6} {reason}\n{example}");
    }
    (apart, found)
}

/// A reason without the names in it.
fn general(reason: &str) -> String {
    let words = reason.split(' ').map(|w| match w.starts_with(['/', '`']) {
        true => "…".to_string(),
        false => w.chars().filter(|c| !c.is_ascii_digit()).collect(),
    });
    words.collect::<Vec<String>>().join(" ")
}
