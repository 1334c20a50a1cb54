//! Short histories in which every build may have flags of its own, with the verdict of a real builder beside each build.
//!
//! In: a text of many scenarios (`== NAME`, then the `history` format with `build`, `base` and `expect` lines). Out: the
//! verdicts of the model and those of a builder, in one notation. Cost: one repository a scenario. Invariant: FROM is
//! left out on both sides, as the builder says nothing of it that means anything.
//!
//! Notation of `expect`: one word a step, its place as the builder prints it (`2`, `b3` in stage `b`, `stage-1.2`) and `C` for
//! cached, `X` for executed, each followed by `?` where the model may leave it open; or `refused MESSAGE`.

use super::builder::{self, Built, Setup};
use super::history::{self, History};
use cacheplan::dockerfile;
use cacheplan::history::{CommitId, EntryKind, Limit, Oid, Repository, Walk, WalkMode, change_log};
use cacheplan::pattern::IgnoreRules;
use cacheplan::plan::{self, BuildOptions, Plan, normalize_reference};
use cacheplan::simulate::{
    BuildOutcome, Context, Facts, InputMatrix, Policy, Timeline, Verdict, matrix_in_pieces,
    prepare, replay, replay_growing,
};
use cacheplan::source::SourceFile;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

/// One scenario of a text.
pub struct Scenario {
    /// Behind `== `.
    pub name: String,
    /// Its lines.
    pub text: String,
    /// What they say.
    pub history: History,
}

/// Splits a text into scenarios.
pub fn read(text: &str) -> Vec<Scenario> {
    let mut out = Vec::new();
    for part in text.split("\n== ").skip(1) {
        let (name, body) = part.split_once('\n').unwrap_or((part, ""));
        let history = history::parse(body).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(!history.commits.is_empty(), "{name}: no builds");
        out.push(Scenario {
            name: name.to_string(),
            text: body.to_string(),
            history,
        });
    }
    out
}

/// The text again with other answers: one `expect` line at the end of each build.
pub fn with_answers(scenario: &Scenario, answers: &[String]) -> String {
    let mut out = format!("\n== {}\n", scenario.name);
    let mut answers = answers.iter();
    let mut started = false;
    let mut end: Option<String> = None;
    let mut lines: Vec<&str> = Vec::new();
    let flush = |lines: &mut Vec<&str>, out: &mut String, answer: Option<&String>| {
        let blank = lines
            .iter()
            .rev()
            .take_while(|l| l.trim().is_empty())
            .count();
        let tail = lines.split_off(lines.len() - blank);
        for line in lines.drain(..) {
            let _ = writeln!(out, "{line}");
        }
        if let Some(answer) = answer {
            let _ = writeln!(out, "expect {answer}");
        }
        for line in tail {
            let _ = writeln!(out, "{line}");
        }
    };
    for line in scenario.text.trim_end().lines() {
        let word = line.trim_start();
        if let Some(tag) = &end {
            if line == tag {
                end = None;
            }
        } else if word.starts_with("expect ") {
            continue;
        } else if word.starts_with("commit ") || word == "commit" {
            let answer = if started { answers.next() } else { None };
            flush(&mut lines, &mut out, answer);
            started = true;
        } else if let Some((_, tag)) = word.split_once(" <<")
            && (word.starts_with("write ") || word.starts_with("append "))
        {
            end = Some(tag.to_string());
        }
        lines.push(line);
    }
    flush(&mut lines, &mut out, answers.next());
    out
}

/// A step's place in its build and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// `2`, `b3`, `stage-1.2`.
    pub place: String,
    /// What follows the place in its title.
    pub text: String,
    /// Cached, executed, or either.
    pub verdict: Verdict,
}

/// One build: its steps in order, or the message with which it is refused.
pub type Result = std::result::Result<Vec<Step>, String>;

fn place(stage: &str, number: u32) -> String {
    let dot = if stage.ends_with(|c: char| c.is_ascii_digit()) {
        "."
    } else {
        ""
    };
    format!("{stage}{dot}{number}")
}

fn step(name: &str, verdict: Verdict) -> Option<Step> {
    let title = builder::title(name)?;
    (!title.text().starts_with("FROM ")).then(|| Step {
        place: place(title.stage(), title.number()),
        text: title.text().to_string(),
        verdict,
    })
}

/// What the builder did, in the notation; `?` where the model leaves it open.
pub fn answer(built: &Built, model: Option<&Result>) -> String {
    if let Some(message) = &built.fails {
        return format!("refused {}", message.trim());
    }
    let lists = [
        (&built.executed, Verdict::Executed),
        (&built.cached, Verdict::Cached),
    ];
    let mut steps: Vec<(&String, Step)> = lists
        .into_iter()
        .flat_map(|(list, v)| list.iter().filter_map(move |n| Some((n, step(n, v)?))))
        .collect();
    steps.sort_by(|a, b| builder::title(a.0).cmp(&builder::title(b.0)));
    let open = |s: &Step| {
        let Some(Ok(model)) = model else { return false };
        let mine = model.iter().find(|m| m.place == s.place);
        mine.is_some_and(|m| m.verdict == Verdict::Maybe)
    };
    let words: Vec<String> = steps
        .iter()
        .map(|(_, s)| {
            let letter = if s.verdict == Verdict::Cached {
                "C"
            } else {
                "X"
            };
            format!("{}{letter}{}", s.place, if open(s) { "?" } else { "" })
        })
        .collect();
    words.join(" ")
}

/// What an `expect` line and the model's build differ in; empty where they agree.
pub fn differences(expect: &str, model: &Result) -> Vec<String> {
    let steps = match (expect.strip_prefix("refused"), model) {
        (Some(_), Err(_)) => return Vec::new(),
        (Some(says), Ok(_)) => {
            return vec![format!("refused by the builder ({says}), not foreseen")];
        }
        (None, Err(why)) => return vec![format!("said to fail ({why}), but was built")],
        (None, Ok(steps)) => steps,
    };
    let mut wrong = Vec::new();
    let mut expected: BTreeMap<&str, (bool, bool)> = BTreeMap::new();
    for word in expect.split_whitespace() {
        let (word, open) = word.strip_suffix('?').map_or((word, false), |w| (w, true));
        let cut = word.len().saturating_sub(1);
        expected.insert(&word[..cut], (word.ends_with('C'), open));
    }
    for s in steps {
        // An equal step of another stage is the same vertex, shown under one of them only.
        let twin = || {
            let twins = steps.iter().filter(|t| t.text == s.text);
            twins.filter_map(|t| expected.get(t.place.as_str())).next()
        };
        let Some((cached, open)) = expected.get(s.place.as_str()).or_else(twin) else {
            wrong.push(format!("not in the build: {} {}", s.place, s.text));
            continue;
        };
        let said = if *cached { "cached" } else { "executed" };
        let fits = match s.verdict {
            Verdict::Cached => *cached,
            Verdict::Executed => !*cached,
            Verdict::Maybe => *open,
        };
        if !fits {
            wrong.push(format!(
                "{} is {said}, predicted {:?}: {}",
                s.place, s.verdict, s.text
            ));
        }
    }
    for place in expected.keys() {
        if !steps.iter().any(|s| s.place == *place) {
            wrong.push(format!("in the build, but not predicted: {place}"));
        }
    }
    wrong
}

/// What the flags of one build say to the model.
pub fn options(base: &BuildOptions, flags: &[String]) -> BuildOptions {
    let mut options = base.clone();
    // As the builder is run.
    options.run.network = "none".to_string();
    for flag in flags {
        let (name, value) = flag.split_once('=').unwrap_or((flag, ""));
        let value = value.to_string();
        match name {
            "--build-arg" => {
                let (k, v) = value.split_once('=').expect("K=V");
                options.args.push((k.to_string(), v.to_string()));
            }
            "--target" => options.target = Some(value),
            "--platform" => options.platform = value,
            "--no-cache" => options.no_cache = Some(Vec::new()),
            "--no-cache-filter" => {
                let names = value.split(',').map(str::to_string);
                options.no_cache.get_or_insert_default().extend(names);
            }
            "--network" => options.run.network = value,
            "--add-host" => options.run.hosts.push(value),
            "--shm-size" => options.run.shm_size = Some(value),
            "--ulimit" => options.run.ulimits.push(value),
            // No influence on any key (experiments row 103).
            "--label" | "--pull" | "--secret" | "--tag" | "--output" | "--memory" => {}
            _ => panic!("the model has nothing like {flag}"),
        }
    }
    options
}

/// The model's verdicts, build by build.
pub fn model(history: &History, base: &BuildOptions) -> Vec<Result> {
    let folder = tempfile::tempdir().expect("a folder");
    history::create_repository(history, folder.path()).expect("git works");
    let repository = Repository::discover(folder.path()).expect("a repository");
    let head = repository.head().expect("a commit");
    let log = change_log(
        &repository,
        &Walk {
            tip: head,
            limit: Limit::Count(usize::MAX),
            mode: WalkMode::FirstParent,
            prefixes: Vec::new(),
        },
    )
    .expect("a log");
    assert_eq!(log.commits.len(), history.commits.len());
    let links: rustc_hash::FxHashMap<Oid, Vec<u8>> = (0..log.commits.len())
        .flat_map(|i| log.changes(i).iter().map(move |c| (i, c)))
        .filter_map(|(i, c)| Some((i, c.path, c.new.filter(|e| e.kind == EntryKind::Symlink)?)))
        .filter_map(|(i, path, entry)| {
            let id: CommitId = log.commits[i].id;
            let blob = repository.read(id, &log.paths.bytes(path)).ok()??;
            Some((entry.oid, blob.bytes))
        })
        .collect();
    let (mut plans, mut rules): (Vec<Plan>, Vec<IgnoreRules>) = (Vec::new(), Vec::new());
    for commit in &history.commits {
        let of = |path: &str| commit.tree.get(path).map(|e| e.bytes.clone());
        let text = of("Dockerfile").expect("a Dockerfile in every build");
        let ignore = of("Dockerfile.dockerignore").filter(|_| !base.builder.is_classic());
        let ignore = ignore.or_else(|| of(".dockerignore")).unwrap_or_default();
        let parsed = dockerfile::parse(&SourceFile::new("Dockerfile", text));
        let mut plan = plan::lower(&parsed.tree, &options(base, &commit.flags));
        plan.diagnostics.extend(parsed.diagnostics);
        let (set, found) = IgnoreRules::parse(&SourceFile::new(".dockerignore", ignore));
        plan.diagnostics.extend(found);
        plans.push(plan);
        rules.push(set);
    }
    let archives = rustc_hash::FxHashMap::default();
    let context = Context {
        log: &log,
        prefix: b"",
        rules: &rules,
        links: &links,
        dot_git: false,
        umask: 0o022,
        archives: &archives,
    };
    let own: Vec<usize> = (0..plans.len()).collect();
    let each: Vec<Option<usize>> = own.iter().copied().map(Some).collect();
    let prepared = prepare(&context, &plans, &own, &each);
    let mut base_changes = Vec::new();
    for (i, commit) in history.commits.iter().enumerate().skip(1) {
        let build = u32::try_from(i).expect("few builds");
        let images = commit.bases.iter();
        base_changes.extend(images.map(|(image, _)| (normalize_reference(image), build)));
    }
    let timeline = Timeline {
        plan: each,
        base_changes,
        policy: Policy::Local,
        assume_reproducible: false,
    };
    let models = prepared.models(&plans);
    let outcome = replay(&models, &timeline, &prepared.matrix);
    in_pieces(&context, &prepared.matrix, |columns, pieces| {
        let facts = Facts::default();
        let mut told = Vec::new();
        let more = || pieces.next();
        let tell = |build: BuildOutcome| told.push(build);
        replay_growing(&models, &timeline, columns, &facts, more, tell);
        assert_eq!(told, outcome.builds);
    });
    let read = |build: &BuildOutcome| {
        if let Some(f) = &build.fails {
            return Err(f.message.clone());
        }
        let plan = &plans[build.plan.expect("no build is skipped")];
        let pairs = plan.order.iter().zip(&build.verdicts);
        Ok(pairs
            .filter_map(|(n, v)| step(&plan.graph[*n].name, *v))
            .collect())
    };
    outcome.builds.iter().map(read).collect()
}

/// The matrix computed in pieces is the same, and hands itself out build by build.
fn in_pieces(
    context: &Context<'_>,
    whole: &InputMatrix,
    replayed: impl FnOnce(InputMatrix, &mut dyn Iterator<Item = InputMatrix>),
) {
    let columns = InputMatrix::empty(whole.selections.clone(), whole.requests.clone());
    let mut pieces = columns.clone();
    matrix_in_pieces(context, &whole.selections, &whole.requests, |piece| {
        pieces.append(piece);
    });
    assert_eq!(pieces, *whole);
    replayed(columns, &mut (0..whole.builds).map(|b| whole.of(b..b + 1)));
}

/// One build of a work tree with these flags.
pub type Build<'a> = dyn Fn(&Path, &[String]) -> std::result::Result<Built, String> + 'a;

/// What a real builder does, on an emptied cache. `Err` where the builder itself is at fault.
pub fn real(history: &History, build: &Build) -> std::result::Result<Vec<Built>, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let repository = folder.path().join("repository");
    std::fs::create_dir(&repository).map_err(|error| error.to_string())?;
    history::create_repository(history, &repository)?;
    let setup: Setup = builder::setup(&history.replay)?;
    let mut out = Vec::new();
    for (index, commit) in history::first_parents(&repository)?.iter().enumerate() {
        let tree = folder.path().join(format!("build-{index}"));
        builder::check_out(&repository, commit, &tree, &setup)?;
        for (image, text) in &history.commits[index].bases {
            make_image(image, text)?;
        }
        out.push(build(&tree, &history.commits[index].flags)?);
    }
    Ok(out)
}

/// An image of busybase and one more file; the same text gives the same layers.
fn make_image(image: &str, text: &str) -> std::result::Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let file = format!("FROM busybase\nCOPY base /base\nENV BASE={text}\n");
    std::fs::write(folder.path().join("Dockerfile"), file)
        .and_then(|()| std::fs::write(folder.path().join("base"), text))
        .map_err(|error| error.to_string())?;
    let mut docker = Command::new("docker");
    docker
        .args([
            "buildx",
            "build",
            "-q",
            "--load",
            "--provenance=false",
            "-t",
            image,
        ])
        .arg(folder.path());
    history::output_of(&mut docker).map(drop)
}
