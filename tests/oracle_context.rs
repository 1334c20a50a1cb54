//! What a real builder is sent of a context, and the content keys it computes, on random trees.
//!
//! In: a `docker` with buildx; without one the live test says so and passes (with `CACHEPLAN_REQUIRE_BUILDER=1` it fails).
//! Each build copies one main context, where only what is named is sent, and eight named ones, sent whole. The builder's
//! keys are read out of its cache export: a content key K is there as the record sha256("K@-1"). `CACHEPLAN_KEEP_ANSWERS=1`
//! writes what it did to `corpus/contexts` and `corpus/digests`, which the other tests compare with on every run.
//! Invariant: nothing random but the seed. A failing copy would fail its whole build, so those are built alone.

mod common;

use cacheplan::context::digest::{
    Contents, Digest, OnDisk, Parents, Release, Sent, SentTree, copy_selectors, mount_selectors,
    slot_key,
};
use cacheplan::context::transfer::transferred;
use cacheplan::context::{Context, ContextEntry, EntryKind, Hashing, WalkOptions, walk};
use cacheplan::pattern::path::display;
use cacheplan::pattern::{IgnoreRules, SourceKind, SourcePattern};
use cacheplan::source::SourceFile;
use common::builder::version_or_skip;
use common::context_builder::{
    COPIES, GENERATOR, Kept, build, context_folder, exported_keys, instruction, keep, kept,
    listing_on_disk, new_name, record_of, short,
};
use common::random_context::{self, Copy, Tree, What};
use common::random_history::Random;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

/// Builds that answers are kept of, and those made anew in every run with a builder.
const KEPT: u64 = 26;
const LIVE: u64 = 9;
const NAMED: usize = 8;
/// Copies that fail are built one by one.
const FAILING: usize = 12;

/// A tree with its copies, written and walked.
struct Case {
    tree: Tree,
    copies: Vec<Copy>,
    context: Context,
    contents: WithAttributes,
}

/// The tree on disk, with the attributes it was meant to have: not every file system takes them.
struct WithAttributes {
    disk: OnDisk,
    tree: Tree,
}

impl Contents for WithAttributes {
    fn sent(&self, entry: &ContextEntry) -> io::Result<Sent> {
        let mut sent = self.disk.sent(entry)?;
        let path = String::from_utf8_lossy(&entry.path).into_owned();
        let node = self.tree.nodes.get(&path);
        let node = node.and_then(|n| match &n.what {
            What::HardLink(first) => self.tree.nodes.get(first),
            _ => Some(n),
        });
        if let Some(node) = node {
            sent.xattrs.retain(|(name, _)| !name.starts_with(b"user."));
            let pairs = node.xattrs.iter();
            sent.xattrs
                .extend(pairs.map(|(k, v)| (k.clone().into(), v.clone().into())));
        }
        Ok(sent)
    }

    fn open(&self, entry: &ContextEntry) -> io::Result<Box<dyn Read + '_>> {
        self.disk.open(entry)
    }
}

/// The main context's trees and copies, then the named ones'.
fn generate(seed: u64) -> Vec<(Tree, Vec<Copy>)> {
    let mut random = Random(seed.wrapping_mul(7919));
    let mut out = Vec::new();
    for place in 0..=NAMED {
        let mut tree = random_context::tree(&mut random);
        if let Some(text) = &tree.ignore
            && IgnoreRules::parse(&SourceFile::new("ignore", text.clone()))
                .1
                .iter()
                .any(|d| d.is_error())
        {
            tree.ignore = None;
        }
        let count = if place == 0 { 5 } else { COPIES };
        let copies = (0..count)
            .map(|_| random_context::copy(&mut random, &tree, place > 0))
            .collect();
        out.push((tree, copies));
    }
    out
}

fn fingerprint(trees: &[(Tree, Vec<Copy>)]) -> String {
    blake3::hash(format!("{trees:?}").as_bytes()).to_hex()[..16].to_owned()
}

fn make(folder: &Path, tree: Tree, copies: Vec<Copy>) -> Case {
    fs::create_dir(folder).expect("a folder");
    random_context::write(&tree, folder);
    let text = tree.ignore.clone().unwrap_or_default();
    let (rules, _) = IgnoreRules::parse(&SourceFile::new(".dockerignore", text));
    let options = WalkOptions {
        hashing: Hashing::None,
    };
    let context = walk(folder, &rules, options).expect("a walk");
    let disk = OnDisk {
        root: folder.to_owned(),
    };
    let contents = WithAttributes {
        disk,
        tree: tree.clone(),
    };
    Case {
        tree,
        copies,
        context,
        contents,
    }
}

/// The key of a copy when `all` is what the build names of the context.
fn key(case: &Case, copy: &Copy, all: &[String]) -> Result<Digest, String> {
    let entries = transferred(&case.context.entries, all);
    let tree = SentTree::new(&entries, &case.contents);
    let selectors = copy_selectors(&copy.sources, &copy.excludes, Parents::Dropped)
        .map_err(|e| e.to_string())?;
    slot_key(&tree, &selectors, Release::V0_25).map_err(|e| e.to_string())
}

/// What the builder may say of a copy that has no key: one of its sources.
fn missing(case: &Case, copy: &Copy) -> Vec<String> {
    let one = |s: &String| {
        let copy = Copy {
            sources: vec![s.clone()],
            excludes: copy.excludes.clone(),
        };
        key(case, &copy, &copy.sources).err()
    };
    let both = key(case, copy, &copy.sources).err();
    copy.sources.iter().filter_map(one).chain(both).collect()
}

/// Whether the step can be executed: the fixed part of each source has to be there even where the key does not need it,
/// and a link that a wildcard matches has to lead somewhere even if `--exclude` takes it off the list.
fn executes(case: &Case, copy: &Copy, all: &[String]) -> bool {
    let bare = Copy {
        sources: copy.sources.clone(),
        excludes: Vec::new(),
    };
    if key(case, &bare, all).is_err() {
        return false;
    }
    copy.sources.iter().all(|source| {
        let pattern = SourcePattern::new(source).expect("a source");
        let fixed = match pattern.kind() {
            SourceKind::Wildcard { prefix_dir } => prefix_dir.to_owned(),
            _ => pattern.cleaned().to_owned(),
        };
        key(
            case,
            &Copy {
                sources: vec![fixed],
                excludes: Vec::new(),
            },
            all,
        )
        .is_ok()
    })
}

/// One line a node, as far as an image shows it.
fn listing_of(context: &Context) -> Vec<String> {
    let line = |e: &ContextEntry| {
        let path = display(&e.path);
        match (e.kind, &e.link_target) {
            (EntryKind::Directory, _) => format!("d {:o} {path}", e.mode),
            (_, Some(target)) => format!("l {path} -> {}", display(target)),
            (EntryKind::Other, _) => format!("p {:o} {path}", e.mode),
            _ => format!("f {:o} {} {path}", e.mode, e.size),
        }
    };
    context.entries.iter().map(line).collect()
}

/// A build, and what is foreseen of it.
struct Prepared {
    text: String,
    /// Copies in file order: context, copy and key.
    expected: Vec<(usize, Copy, Result<Digest, String>)>,
    cases: Vec<Case>,
    /// Copies that fail: context, number, copy and why.
    refused: Vec<(usize, usize, Copy, String)>,
}

/// Writes the trees into folders `c0`, `c1` … and foresees what becomes of their copies.
fn prepare(folder: &Path, run: &str, generated: Vec<(Tree, Vec<Copy>)>) -> Prepared {
    let mut text = "FROM scratch\n".to_owned();
    let (mut expected, mut cases, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    for (i, (tree, copies)) in generated.into_iter().enumerate() {
        let case = make(&folder.join(context_folder(run, i)), tree, copies);
        let all = Copy {
            sources: vec![".".to_owned()],
            excludes: Vec::new(),
        };
        if i > 0 {
            text += &instruction(run, i, COPIES, &all, &format!("/{run}/{i}/all"));
            expected.push((i, all.clone(), key(&case, &all, &all.sources)));
        }
        // What the main context is sent hangs on all copies of it, so one that is taken out may change the others.
        let mut kept: Vec<usize> = (0..case.copies.len()).collect();
        loop {
            let named = |kept: &[usize], n: usize| -> Vec<String> {
                let of = |n: &usize| case.copies[*n].sources.clone();
                if i > 0 {
                    of(&n)
                } else {
                    kept.iter().flat_map(of).collect()
                }
            };
            let works = |n: &usize| {
                let all = named(&kept, *n);
                key(&case, &case.copies[*n], &all).is_ok()
                    && executes(&case, &case.copies[*n], &all)
            };
            let next: Vec<usize> = kept.iter().copied().filter(works).collect();
            if next.len() == kept.len() {
                for n in &kept {
                    let copy = &case.copies[*n];
                    text += &instruction(run, i, *n, copy, &format!("/{run}/{i}/{n}"));
                    expected.push((i, copy.clone(), key(&case, copy, &named(&kept, *n))));
                }
                break;
            }
            kept = next;
        }
        for (n, copy) in case
            .copies
            .iter()
            .enumerate()
            .filter(|(n, _)| !kept.contains(n))
        {
            if let Err(reason) = key(&case, copy, &copy.sources) {
                refused.push((i, n, copy.clone(), reason));
            }
        }
        cases.push(case);
    }
    Prepared {
        text,
        expected,
        cases,
        refused,
    }
}

#[test]
fn contexts_and_keys_are_those_of_a_real_builder() {
    let set = |name: &str| std::env::var(name).is_ok_and(|value| value == "1");
    let Some(version) = version_or_skip() else {
        return;
    };
    let number = |name: &str, default: u64| {
        std::env::var(name)
            .ok()
            .and_then(|n| n.parse().ok())
            .unwrap_or(default)
    };
    let first = number("CACHEPLAN_ORACLE_SEED", 1);
    let mut wrong = Vec::new();
    let (mut keys, mut trees, mut failing) = (0, 0, 0);
    let builds = if set("CACHEPLAN_KEEP_ANSWERS") {
        KEPT
    } else {
        LIVE
    };
    for seed in first..first + number("CACHEPLAN_ORACLE_CONTEXTS", builds) {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        let generated = generate(seed);
        let mark = fingerprint(&generated);
        // Names of its own for every run, or an earlier run's results would be taken instead.
        let run = new_name();
        let Prepared {
            text,
            expected,
            cases,
            refused,
        } = prepare(folder.path(), &run, generated);
        if let Err(why) = build(&run, folder.path(), cases.len(), &text) {
            wrong.push(format!("seed {seed}: {why}\n{text}"));
            continue;
        }
        let exported = exported_keys(&at("cache"));
        if exported.len() != expected.len() {
            wrong.push(format!(
                "seed {seed}: {} keys for {} copies",
                exported.len(),
                expected.len()
            ));
            continue;
        }
        for ((i, copy, key), record) in expected.iter().zip(&exported) {
            keys += 1;
            let own = key.as_ref().map(record_of);
            if own != Ok(short(record)) {
                wrong.push(format!(
                    "seed {seed}: key of {copy:?}\n{:?}",
                    cases[*i].tree
                ));
            }
        }
        let mut sent = Vec::new();
        for (i, case) in cases.iter().enumerate().skip(1) {
            trees += 1;
            let real = listing_on_disk(&at(&format!("out/{run}/{i}/all")));
            let own = listing_of(&case.context);
            if own != real {
                wrong.push(format!(
                    "seed {seed}: sent {real:#?}, not {own:#?}\n{:?}",
                    case.tree
                ));
            }
            sent.push(real);
        }
        for (i, n, copy, reason) in refused {
            if failing < FAILING {
                failing += 1;
                let text = format!("FROM scratch\n{}", instruction(&run, i, n, &copy, "/x"));
                match build(&run, folder.path(), cases.len(), &text) {
                    // Of several missing sources the builder names any.
                    Err(why) if missing(&cases[i], &copy).iter().any(|m| why.contains(m)) => {}
                    other => wrong.push(format!(
                        "seed {seed}: {copy:?}: {reason:?} foreseen, {other:?}\n{:?}",
                        cases[i].tree
                    )),
                }
            }
        }
        if set("CACHEPLAN_KEEP_ANSWERS") {
            keep("contexts", seed, &mark, &version, sent);
            keep(
                "digests",
                seed,
                &mark,
                &version,
                exported.iter().map(|r| short(r)).collect(),
            );
        }
    }
    eprintln!(
        "{keys} keys, {trees} contexts and {failing} refused copies compared with builder {version}"
    );
    assert!(
        wrong.is_empty(),
        "{} differences\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
}

/// The same comparison with what the builder did when the answers were kept; it needs none.
#[test]
fn contexts_and_keys_are_those_kept() {
    let (mut keys, mut trees) = (0, 0);
    for seed in 1..=KEPT {
        let folder = tempfile::tempdir().expect("a folder");
        let generated = generate(seed);
        let mark = fingerprint(&generated);
        let sent: Kept<Vec<String>> = kept("contexts", seed);
        let digests: Kept<String> = kept("digests", seed);
        for (generator, fingerprint) in [
            (sent.generator, &sent.fingerprint),
            (digests.generator, &digests.fingerprint),
        ] {
            assert_eq!(
                (generator, fingerprint),
                (GENERATOR, &mark),
                "seed {seed}: kept for other trees"
            );
        }
        let prepared = prepare(folder.path(), "", generated);
        let own: Vec<String> = prepared
            .expected
            .iter()
            .map(|(_, _, key)| key.as_ref().map_or_else(Clone::clone, record_of))
            .collect();
        assert_eq!(own, digests.answers, "seed {seed}\n{}", prepared.text);
        let own: Vec<Vec<String>> = prepared
            .cases
            .iter()
            .skip(1)
            .map(|c| listing_of(&c.context))
            .collect();
        assert_eq!(own, sent.answers, "seed {seed}");
        keys += digests.answers.len();
        trees += sent.answers.len();
    }
    assert!(keys >= 200 && trees >= 200, "{keys} keys, {trees} contexts");
}

/// Runs a chain of instructions over one context and compares their keys.
fn compare_chain(run: &str, folder: &Path, head: &str, lines: &[(String, Digest)]) -> Vec<String> {
    let text: String = lines.iter().map(|(line, _)| format!("{line}\n")).collect();
    build(run, folder, 1, &format!("{head}\n{text}")).expect("a build");
    let exported = exported_keys(&folder.join("cache"));
    assert_eq!(exported.len(), lines.len(), "{text}");
    let wrong = lines
        .iter()
        .zip(exported)
        .filter(|((_, own), real)| record_of(own) != short(real));
    wrong.map(|((line, _), _)| line.clone()).collect()
}

/// All bind mounts of the context in one RUN share a key.
#[test]
fn keys_of_bind_mounts_are_those_of_a_real_builder() {
    if version_or_skip().is_none() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let stamp = new_name();
    let root = folder.path().join(context_folder(&stamp, 0));
    fs::create_dir_all(root.join("a/b")).expect("a folder");
    for (path, text) in [("f", "1"), ("a/g", "2"), ("a/b/h", ""), ("a*", "3")] {
        fs::write(root.join(path), text).expect("a file");
    }
    symlink("a/b", root.join("l")).expect("a link");
    let context = all_of(&root);
    let disk = OnDisk { root };
    let mounts: [&[&str]; 8] = [
        &["f"],
        &["a"],
        &["a/b", "f"],
        &["f", "a/b"],
        &["l", "a/g"],
        &["a", "a/b", "l"],
        &["/"],
        &["a*", "f", "/"],
    ];
    let line = |sources: &&[&str]| {
        let sources: Vec<String> = sources.iter().map(|s| (*s).to_owned()).collect();
        let mut line = "RUN".to_owned();
        for (i, source) in sources.iter().enumerate() {
            let _ = write!(line, " --mount=type=bind,source={source},target=/m{i}");
        }
        let tree = SentTree::new(&context.entries, &disk);
        let key = slot_key(&tree, &mount_selectors(&sources), Release::V0_25).expect("a key");
        (format!("{line} : {stamp}"), key)
    };
    let lines: Vec<_> = mounts.iter().map(line).collect();
    assert_eq!(
        compare_chain(&stamp, folder.path(), "FROM busybase:latest", &lines),
        Vec::<String>::new()
    );
}

/// What random trees do not have: capabilities, devices, long chains of links, a file hashed in several reads.
#[test]
fn keys_of_odd_files_are_those_of_a_real_builder() {
    if version_or_skip().is_none() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let stamp = new_name();
    let root = folder.path().join(context_folder(&stamp, 0));
    fs::create_dir(&root).expect("a folder");
    fs::write(root.join("cap"), "x").expect("a file");
    fs::write(root.join("big"), vec![7; 300_000]).expect("a file");
    symlink("big", root.join("l0")).expect("a link");
    for i in 1..=256 {
        symlink(format!("l{}", i - 1), root.join(format!("l{i}"))).expect("a link");
    }
    let capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut copies = vec!["big", "cap", "l0", "l100", "l254"];
    if xattr::set(root.join("cap"), "security.capability", &capability).is_err() {
        eprintln!("no capability can be set here");
    }
    let device = Command::new("mknod")
        .arg(root.join("dev"))
        .args(["c", "1", "3"])
        .status();
    if device.is_ok_and(|s| s.success()) {
        copies.push("dev");
    } else {
        eprintln!("no device can be made here");
    }
    let context = all_of(&root);
    let disk = OnDisk { root };
    let tree = SentTree::new(&context.entries, &disk);
    let key = |source: &str| {
        let selectors =
            copy_selectors(&[source.to_owned()], &[], Parents::Dropped).expect("a source");
        slot_key(&tree, &selectors, Release::V0_25)
    };
    let line = |source: &&str| {
        (
            format!("COPY {source} /{stamp}/{source}x/"),
            key(source).expect("a key"),
        )
    };
    let lines: Vec<_> = copies.iter().map(line).collect();
    assert_eq!(
        compare_chain(&stamp, folder.path(), "FROM scratch", &lines),
        Vec::<String>::new()
    );
    assert_eq!(
        key("l256").map_err(|e| e.to_string()),
        Err("too many links".to_owned())
    );
}

/// Everything in a folder, without digests.
fn all_of(root: &Path) -> Context {
    let options = WalkOptions {
        hashing: Hashing::None,
    };
    walk(root, &IgnoreRules::empty(), options).expect("a walk")
}
