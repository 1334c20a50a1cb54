//! What is said of each line that a new order moves.
//!
//! Goes in: a stage's order and what allows it. Comes out: a note per line that moved, with where it goes, why, and what
//! that rests on. Linear in lines per note. Invariant: a move that the note of a rewrite tells is not told twice.

use super::lines::Pairs;
use super::order::Problem;
use super::partition::Partition;
use super::precedence::{Item, NEEDS_LITTLE, Relation};
use super::sink::Sinking;
use super::stage::{Ordered, Request, original_line, original_lines};
use crate::dockerfile::Kind;
use crate::footprint::Certainty;
use crate::rewrite::{EditNote, Safety};
use rustc_hash::FxHashMap;

/// What the notes of a stage are made from.
pub struct Noted<'a> {
    pub request: &'a Request<'a>,
    pub list: &'a [Item<'a>],
    pub pairs: &'a Pairs,
    pub order: &'a [usize],
    pub steps: &'a [usize],
    pub problem: &'a Problem,
    pub sinking: &'a Sinking,
}

/// One note per moved instruction.
pub fn note(noted: &Noted<'_>, moved: &[usize], out: &mut Ordered) {
    let place: FxHashMap<usize, usize> = noted
        .order
        .iter()
        .enumerate()
        .map(|(p, i)| (*i, p))
        .collect();
    let passes = |j: &usize| place.contains_key(j);
    let builds = noted.request.counted.len().saturating_sub(1);
    for i in moved {
        let item = &noted.list[*i];
        let mut assumptions = Vec::new();
        let mut safety = Safety::Proven;
        let mut passed: Vec<usize> = Vec::new();
        for j in (0..noted.list.len()).filter(passes) {
            let (first, second) = (j.min(*i), j.max(*i));
            let changed = first != second && place[&first] > place[&second];
            if !changed {
                continue;
            }
            passed.push(j);
            if let Relation::Commute {
                certainty,
                assumptions: why,
                ..
            } = noted.pairs.of(first, second)
            {
                assumptions.extend(why.iter().cloned());
                if *certainty == Certainty::Assumed {
                    safety = Safety::Assumed;
                }
            }
        }
        assumptions.sort();
        assumptions.dedup();
        out.assumptions.extend(assumptions.iter().cloned());
        let Some((line, end_line)) = original_lines(noted.request, item.at) else {
            continue;
        };
        // The note of a COPY that was split tells that the rest of it comes behind the RUN.
        let of_split = |j: &usize| {
            let (first, second) = (i.min(j), i.max(j));
            let free = noted.pairs.of(*first, *second);
            let little =
                matches!(free, Relation::Commute { because, .. } if because == NEEDS_LITTLE);
            little || noted.request.is_added(noted.list[*j].at)
        };
        let split = noted.list.iter().any(|i| noted.request.is_added(i.at));
        if split && !passed.is_empty() && passed.iter().all(of_split) {
            continue;
        }
        let own = noted.steps.iter().position(|s| s == i).map(|s| {
            Partition::trivial(noted.problem.base.len())
                .refine(&noted.problem.rows[s])
                .executed(noted.problem.policy)
        });
        let why = match own {
            _ if noted.sinking.has(*i) => {
                "it differs in every build, and what it passes has no use for it".to_owned()
            }
            Some(n) => format!("its own inputs change in {n} of {builds} builds"),
            None => "it goes with what depends on it".to_owned(),
        };
        let why = format!("{} {}: {why}", shown(item), way(noted, *i, &passed));
        out.edits.push(EditNote {
            rewrite: noted.named(*i, &passed),
            safety,
            line,
            end_line,
            why,
            assumptions,
        });
    }
}

impl Noted<'_> {
    /// What a move is called: lines that differ in every build sink, with what is made of them, or all that is passed
    /// are such lines.
    fn named(&self, i: usize, passed: &[usize]) -> &'static str {
        let label = |i: usize| matches!(self.list[i].instruction.kind(), Kind::Label(_));
        let sinks = |i: usize| self.sinking.has(i) || label(i) && !self.sinking.is_empty();
        match sinks(i) || passed.iter().all(|j| sinks(*j)) {
            true => "sink",
            false => "reorder",
        }
    }
}

/// Where an instruction goes: below the last line it passes, or above the first.
fn way(noted: &Noted<'_>, i: usize, passed: &[usize]) -> String {
    let line = |j: usize| original_line(noted.request, noted.list[j].at);
    let (below, above): (Vec<usize>, Vec<usize>) = passed.iter().partition(|j| **j > i);
    let (way, line) = match below.len() > above.len() {
        true => ("below", below.into_iter().filter_map(line).max()),
        false => ("above", above.into_iter().filter_map(line).min()),
    };
    line.map_or_else(
        || "moves".to_owned(),
        |line| format!("moves {way} line {line}"),
    )
}

/// An instruction in a few words.
fn shown(item: &Item<'_>) -> String {
    const WIDTH: usize = 60;
    let instruction = item.instruction;
    let from = instruction.flags().iter().map(|f| f.raw.as_str());
    let from = from.filter(|f| f.starts_with("--from="));
    let words = std::iter::once(&*instruction.keyword)
        .chain(from)
        .chain(instruction.arguments().as_str().split_whitespace());
    let whole = words.collect::<Vec<_>>().join(" ");
    let mut text: String = whole.chars().take(WIDTH).collect();
    if text.len() < whole.len() {
        text.push('…');
    }
    text
}
