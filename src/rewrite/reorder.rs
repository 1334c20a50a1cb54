//! Prints a stage's instructions in another order, touching nothing else.
//!
//! Goes in: the file and, per stage, the new order of its instructions. Comes out: the new bytes.
//! Each instruction moves with the comment lines directly above it; blank lines stay where they are.
//! Precondition: `optimize` has shown that every pair that changes places commutes.

use crate::dockerfile::{Dockerfile, Instruction};
use crate::source::{Edit, SourceFile, Span, apply_edits};

/// New bytes; `orders` lists, for every stage that changes, the instruction indices in new order
/// (the same set as before, FROM left out).
#[must_use]
pub fn print(source: &SourceFile, file: &Dockerfile, orders: &[Vec<usize>]) -> Option<Vec<u8>> {
    let mut edits = Vec::new();
    for order in orders {
        let mut slots = order.clone();
        slots.sort_unstable();
        for (slot, moved) in slots.iter().zip(order) {
            if slot == moved {
                continue;
            }
            let from = block(source, file.instructions.get(*moved)?);
            edits.push(Edit {
                span: block(source, file.instructions.get(*slot)?),
                text: source.bytes().get(from.range())?.to_vec(),
            });
        }
    }
    apply_edits(source.bytes(), &edits).ok()
}

/// An instruction with its comments, without the line end, which belongs to the place.
fn block(source: &SourceFile, instruction: &Instruction) -> Span {
    let bytes = source.bytes();
    let start = instruction
        .leading_comments
        .start
        .min(instruction.span.start);
    let mut end = instruction.span.end as usize;
    if end > 0 && bytes.get(end - 1) == Some(&b'\n') {
        end -= 1;
        if end > 0 && bytes.get(end - 1) == Some(&b'\r') {
            end -= 1;
        }
    }
    Span::new(start as usize, end)
}

/// Indices (into `order`) of a smallest set of elements whose removal leaves the rest ascending:
/// those that a person would say were moved.
#[must_use]
pub fn moved(order: &[usize]) -> Vec<usize> {
    // Longest ascending subsequence, quadratic: stages are short.
    let mut best: Vec<(usize, Option<usize>)> = Vec::with_capacity(order.len());
    for i in 0..order.len() {
        let before = (0..i)
            .filter(|j| order[*j] < order[i])
            .max_by_key(|j| (best[*j].0, std::cmp::Reverse(*j)));
        best.push((before.map_or(1, |j| best[j].0 + 1), before));
    }
    let mut keep = vec![false; order.len()];
    let mut at = (0..order.len()).max_by_key(|i| (best[*i].0, std::cmp::Reverse(*i)));
    while let Some(i) = at {
        keep[i] = true;
        at = best[i].1;
    }
    (0..order.len())
        .filter(|i| !keep[*i])
        .map(|i| order[i])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dockerfile::parse;

    #[test]
    fn comments_travel_and_blank_lines_stay() {
        let text = "FROM a\n\n# one\nRUN one\n\nRUN two\n# three\nRUN three";
        let source = SourceFile::new("Dockerfile", text);
        let tree = parse(&source).tree;
        let out = print(&source, &tree, &[vec![2, 3, 1]]).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "FROM a\n\nRUN two\n\n# three\nRUN three\n# one\nRUN one"
        );
        assert_eq!(print(&source, &tree, &[]).unwrap(), text.as_bytes());
    }

    #[test]
    fn the_fewest_are_called_moved() {
        assert_eq!(moved(&[1, 2, 3]), Vec::<usize>::new());
        assert_eq!(moved(&[2, 3, 1]), vec![1]);
        assert_eq!(moved(&[3, 1, 2]), vec![3]);
    }
}
