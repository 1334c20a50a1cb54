//! What a search has worked out before.
//!
//! Goes in: problems and texts. Comes out: orders and relations of pairs that are known already. Costs one hash of what is
//! asked. Invariant: what comes out is what would be worked out.

use super::order::{Problem, Solution, solve};
use super::precedence::{Lines, Relation};
use crate::source::SourceFile;
use rustc_hash::FxHashMap;
use std::cell::RefCell;
use std::rc::Rc;

/// A digest of all that an answer depends on.
pub type Key = [u8; 32];

/// Answers by what they depend on. Stages separate, so two plans that differ in one stage have all other problems in
/// common.
#[derive(Debug, Default)]
pub struct Memo {
    orders: RefCell<FxHashMap<Key, Solution>>,
    pairs: RefCell<FxHashMap<Key, Rc<Vec<Relation>>>>,
}

impl Memo {
    /// [`solve`], once per problem and budget.
    #[must_use]
    pub fn solve(&self, problem: &Problem, budget: usize) -> Solution {
        let key = problem_key(problem, budget);
        if let Some(known) = self.orders.borrow().get(&key) {
            return known.clone();
        }
        let solution = solve(problem, budget);
        self.orders.borrow_mut().insert(key, solution.clone());
        solution
    }

    /// What the relations of a stage's instructions depend on: the text of the file, all else being one and the same.
    #[must_use]
    pub fn pairs_key(&self, source: &SourceFile, stage: usize, lines: Lines) -> Key {
        let mut hash = blake3::Hasher::new();
        hash.update(source.bytes());
        hash.update(&(stage as u64).to_le_bytes());
        hash.update(&[u8::from(lines == Lines::Repeat)]);
        hash.finalize().into()
    }

    /// The relations, where they are known.
    #[must_use]
    pub fn pairs(&self, key: &Key) -> Option<Rc<Vec<Relation>>> {
        self.pairs.borrow().get(key).cloned()
    }

    /// Keeps relations.
    pub fn keep_pairs(&self, key: Key, relations: Rc<Vec<Relation>>) {
        self.pairs.borrow_mut().insert(key, relations);
    }
}

fn problem_key(problem: &Problem, budget: usize) -> Key {
    let mut hash = blake3::Hasher::new();
    let mut number = |n: u64| {
        hash.update(&n.to_le_bytes());
    };
    number(budget as u64);
    number(problem.weights.len() as u64);
    number(problem.base.len() as u64);
    problem.weights.iter().for_each(|w| number(w.to_bits()));
    problem.alone.iter().for_each(|a| number(u64::from(*a)));
    for mask in &problem.before {
        hash.update(&mask.to_le_bytes());
    }
    let rows = problem.rows.iter().map(Vec::as_slice);
    for row in rows.chain([problem.base.ids()]) {
        for version in row {
            hash.update(&version.to_le_bytes());
        }
    }
    hash.update(problem.policy.to_string().as_bytes());
    hash.finalize().into()
}
