//! The engine that follows a history, against one that meets each of its states for the first time.

use super::inputs::{Context, InputMatrix, Selection, matrix};
use crate::history::{ChangeLog, CommitInfo, Entry, EntryKind, Oid, WORK_TREE};
use crate::pattern::IgnoreRules;
use crate::plan::{ContentRule, ContextInput};
use crate::source::SourceFile;
use proptest::prelude::*;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

const PATHS: [&str; 9] = [
    "a",
    "d/a",
    "d/b",
    "d/e/a",
    "d/e/f/c",
    "d/e/f/g/c",
    "k/x",
    "k/keep/x",
    "z/y/x/w",
];
const SOURCES: [&str; 10] = [
    ".", "a", "d", "d/e", "d/*", "d/e/f/g", "*", "k", "missing", "z/*/x",
];
const RULES: [&str; 5] = [
    "",
    "d/e\n",
    "k\n!k/keep\n",
    "**\n!d\nd/e/f\n",
    "foo\n!k/x\nk\n",
];

type State = BTreeMap<&'static str, Entry>;

/// Every path of every state, so that paths that are gone are told, too.
fn described(state: &State) -> Vec<(Vec<u8>, Option<Entry>)> {
    let one = |p: &&'static str| (p.as_bytes().to_vec(), state.get(p).copied());
    PATHS.iter().map(one).collect()
}

fn log(states: &[State]) -> ChangeLog {
    let mut log = ChangeLog::default();
    for state in states {
        let build = CommitInfo {
            id: WORK_TREE,
            parent_count: 1,
            parents: Vec::new(),
            seconds: 0,
            summary: String::new(),
        };
        log.append(build, described(state));
    }
    log
}

fn run(log: &ChangeLog, rules: &[IgnoreRules], selections: &[Selection]) -> InputMatrix {
    let links = FxHashMap::default();
    let archives: FxHashMap<Oid, bool> = FxHashMap::default();
    let context = Context {
        log,
        prefix: b"",
        rules,
        links: &links,
        dot_git: false,
        umask: 0o022,
        archives: &archives,
    };
    matrix(&context, selections, &[])
}

fn entry() -> impl Strategy<Value = Entry> {
    let kind = prop_oneof![Just(EntryKind::File), Just(EntryKind::Executable)];
    (kind, 1..3u8).prop_map(|(kind, oid)| Entry {
        kind,
        oid: [oid; 20],
    })
}

fn state() -> impl Strategy<Value = State> {
    let one = proptest::option::weighted(0.5, entry());
    proptest::collection::vec(one, PATHS.len()).prop_map(|list| {
        let pairs = PATHS.iter().zip(list);
        pairs.filter_map(|(p, e)| Some((*p, e?))).collect()
    })
}

fn selection() -> impl Strategy<Value = Selection> {
    let sources = proptest::sample::subsequence(SOURCES.to_vec(), 1..3);
    let excludes = proptest::sample::subsequence(vec!["e", "**/c", "x"], 0..2);
    let rule = prop_oneof![Just(ContentRule::default()), Just(ContentRule::Relative)];
    (sources, excludes, rule, 0..RULES.len()).prop_map(|(sources, excludes, rule, rules)| {
        let owned = |list: Vec<&str>| list.into_iter().map(str::to_owned).collect();
        Selection {
            input: ContextInput {
                sources: owned(sources),
                excludes: owned(excludes),
                literal: false,
                rule,
                ..ContextInput::default()
            },
            rules,
        }
    })
}

proptest! {
    /// What a selection is in a build depends on the files of that build alone.
    #[test]
    fn following_equals_starting_anew(
        states in proptest::collection::vec(state(), 1..8),
        selections in proptest::collection::vec(selection(), 1..5),
    ) {
        let rules: Vec<IgnoreRules> = RULES
            .iter()
            .map(|text| IgnoreRules::parse(&SourceFile::new(".dockerignore", *text)).0)
            .collect();
        let followed = run(&log(&states), &rules, &selections);
        for (build, state) in states.iter().enumerate() {
            let anew = run(&log(std::slice::from_ref(state)), &rules, &selections);
            for s in 0..selections.len() {
                prop_assert_eq!(followed.version[s][build], anew.version[s][0]);
                let at = u32::try_from(build).expect("few builds");
                prop_assert_eq!(followed.absence(s, at), anew.absence(s, 0));
            }
        }
    }
}
