//! Rules for RUNs that other versions of a Dockerfile had.
//!
//! Goes in: a RUN that no rule is for. Comes out: the rule of the RUN that it was before, most likely: by its commands, by the beginning of a title that was cut
//! off, by its words, or by its neighbours. Linear in the rules. Invariant: what is found does the same classes of work.

use super::{CostTable, Rule, key, learn};
use crate::footprint::{self, Class, RunState};
use crate::plan::Between;

/// How much of the words of two RUNs has to be the same for one to be a version of the other.
const LIKELY: f64 = 0.8;
/// What stands for the rest of a title that was cut off (`PROGRESS_NO_TRUNC=0`, seen with buildx 0.29).
const CUT: &str = "...";
/// A shorter beginning tells too little.
const SHORTEST: usize = 20;

/// A RUN that a rule is for, to be held against others.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Likely {
    words: Vec<String>,
    commands: usize,
    classes: Vec<Class>,
    /// The beginning of its text, where a log showed no more.
    beginning: Option<String>,
    between: Option<Between>,
    rule: Rule,
}

impl Likely {
    pub fn of(text: &str, between: Option<Between>, rule: Rule) -> Self {
        let classes = footprint::of_script(text, &RunState::default()).classes;
        Self::with(text, &classes, between, rule)
    }

    fn with(text: &str, classes: &[Class], between: Option<Between>, rule: Rule) -> Self {
        let mut words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        words.sort();
        let beginning = text.strip_suffix(CUT).filter(|b| b.len() >= SHORTEST);
        Self {
            commands: text.split("&&").count(),
            classes: classes.to_vec(),
            words,
            beginning: beginning.map(str::to_owned),
            between,
            rule,
        }
    }

    /// Share of the words of both that both have.
    fn likeness(&self, other: &Self) -> f64 {
        let (mut a, mut b, mut same) = (
            self.words.iter().peekable(),
            other.words.iter().peekable(),
            0,
        );
        while let (Some(x), Some(y)) = (a.peek(), b.peek()) {
            match x.cmp(y) {
                std::cmp::Ordering::Less => drop(a.next()),
                std::cmp::Ordering::Greater => drop(b.next()),
                std::cmp::Ordering::Equal => {
                    same += 1;
                    a.next();
                    b.next();
                }
            }
        }
        2.0 * f64::from(same) / (self.words.len() + other.words.len()).max(1) as f64
    }
}

/// The rule for a RUN of other versions; `texts` are its own, as it is written last.
pub(super) fn find(
    table: &CostTable,
    texts: &[&str],
    classes: &[Class],
    between: Option<&Between>,
    states: fn(&Rule) -> bool,
) -> Option<Rule> {
    if table.likely.is_empty() {
        return None;
    }
    // As it is written: its variables other versions have too.
    let text = texts.last().copied().unwrap_or_default().trim();
    by_commands(table, text, states)
        .or_else(|| by_beginning(table, texts, states))
        .or_else(|| by_words(table, text, classes, states))
        .or_else(|| by_neighbours(table, between?, classes, states))
}

/// Rules for all of its commands, together.
fn by_commands(table: &CostTable, text: &str, states: fn(&Rule) -> bool) -> Option<Rule> {
    let parts: Vec<&str> = text.split("&&").map(str::trim).collect();
    if parts.len() < 2 {
        return None;
    }
    let rule = |part: &&str| table.by_text.get(&key("RUN", part)).copied();
    let rules: Option<Vec<Rule>> = parts.iter().map(|p| rule(p).filter(states)).collect();
    rules?.into_iter().reduce(|a, b| Rule {
        seconds: a.seconds.zip(b.seconds).map(|(a, b)| learn::Quantiles {
            p50: a.p50 + b.p50,
            p90: a.p90 + b.p90,
        }),
        warm: a.warm.zip(b.warm).map(|(a, b)| a + b),
        bytes: a.bytes.zip(b.bytes).map(|(a, b)| a.saturating_add(b)),
    })
}

/// The rule whose title was cut off, where the text begins like it and like no other.
fn by_beginning(table: &CostTable, texts: &[&str], states: fn(&Rule) -> bool) -> Option<Rule> {
    let begins = |l: &&Likely| {
        let beginning = l.beginning.as_deref();
        states(&l.rule) && beginning.is_some_and(|b| texts.iter().any(|t| t.starts_with(b)))
    };
    only(table.likely.iter().filter(begins))
}

/// The rule that has most words in common with it, the first of those that have equally many.
fn by_words(
    table: &CostTable,
    text: &str,
    classes: &[Class],
    states: fn(&Rule) -> bool,
) -> Option<Rule> {
    let own = Likely::with(text, classes, None, Rule::default());
    let alike = |other: &&Likely| {
        states(&other.rule) && other.commands == own.commands && other.classes == own.classes
    };
    let likeness = |other: &Likely| (other.likeness(&own), other.rule);
    let all = table.likely.iter().filter(alike).map(likeness);
    let best = all.fold(None, |best: Option<(f64, Rule)>, one| match best {
        Some((much, _)) if much >= one.0 => best,
        _ => Some(one),
    });
    best.filter(|(much, _)| *much >= LIKELY)
        .map(|(_, rule)| rule)
}

/// The one rule for a step that stood between the same two others and did the same work.
fn by_neighbours(
    table: &CostTable,
    between: &Between,
    classes: &[Class],
    states: fn(&Rule) -> bool,
) -> Option<Rule> {
    let stood = |other: &&Likely| {
        states(&other.rule) && other.between.as_ref() == Some(between) && other.classes == classes
    };
    only(table.likely.iter().filter(stood))
}

fn only<'a>(mut found: impl Iterator<Item = &'a Likely>) -> Option<Rule> {
    let first = found.next()?;
    found.next().is_none().then_some(first.rule)
}
