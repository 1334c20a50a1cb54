//! Prints a stage's instructions in another order, touching nothing else.
//!
//! Goes in: the file and, per stage, the new order of its instructions. Comes out: the new bytes.
//! Each instruction moves with the comment lines directly above it; blank lines stay where they are.
//! Precondition: `optimize` has shown that every pair that changes places commutes.

use crate::dockerfile::{Dockerfile, Instruction};
use crate::source::{Edit, SourceFile, Span, apply_edits};

/// An instruction in its new place, and lines that are added around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Index into the file's instructions.
    pub at: usize,
    /// Lines in front of it, above its comments.
    pub before: Vec<String>,
    /// Lines behind it.
    pub after: Vec<String>,
}

impl Placed {
    /// The instruction alone.
    #[must_use]
    pub fn new(at: usize) -> Self {
        Self {
            at,
            before: Vec::new(),
            after: Vec::new(),
        }
    }
}

/// New bytes; `orders` lists, for every stage that changes, its instructions in new order (the same as
/// before, FROM left out). `None` where an index is not in the file.
#[must_use]
pub fn print(source: &SourceFile, file: &Dockerfile, orders: &[Vec<Placed>]) -> Option<Vec<u8>> {
    let end = line_end(source.bytes());
    let mut edits = Vec::new();
    for order in orders {
        let mut slots: Vec<usize> = order.iter().map(|p| p.at).collect();
        slots.sort_unstable();
        for (slot, placed) in slots.iter().zip(order) {
            if *slot == placed.at && placed.before.is_empty() && placed.after.is_empty() {
                continue;
            }
            let from = block(source, file.instructions.get(placed.at)?);
            let mut text = Vec::new();
            for line in &placed.before {
                text.extend_from_slice(line.as_bytes());
                text.extend_from_slice(end);
            }
            text.extend_from_slice(source.bytes().get(from.range())?);
            for line in &placed.after {
                text.extend_from_slice(end);
                text.extend_from_slice(line.as_bytes());
            }
            let span = block(source, file.instructions.get(*slot)?);
            edits.push(Edit { span, text });
        }
    }
    apply_edits(source.bytes(), &edits).ok()
}

/// How the file's first line ends.
fn line_end(bytes: &[u8]) -> &'static [u8] {
    let first = bytes.iter().position(|b| *b == b'\n');
    match first {
        Some(at) if at > 0 && bytes[at - 1] == b'\r' => b"\r\n",
        _ => b"\n",
    }
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
        let order = [2, 3, 1].map(Placed::new).to_vec();
        let out = print(&source, &tree, &[order]).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "FROM a\n\nRUN two\n\n# three\nRUN three\n# one\nRUN one"
        );
        assert_eq!(print(&source, &tree, &[]).unwrap(), text.as_bytes());
    }

    #[test]
    fn added_lines_end_as_the_file_does() {
        for end in ["\n", "\r\n"] {
            let text = ["FROM a", "# one", "RUN one \\", "  more", "", "RUN two"].join(end);
            let source = SourceFile::new("Dockerfile", text);
            let tree = parse(&source).tree;
            let mut order = [2, 1].map(Placed::new).to_vec();
            order[0].before = vec!["USER b".to_owned()];
            order[1].before = vec!["USER c".to_owned()];
            order[1].after = vec!["USER d".to_owned()];
            let out = print(&source, &tree, &[order]).unwrap();
            let expected = [
                "FROM a",
                "USER b",
                "RUN two",
                "",
                "USER c",
                "# one",
                "RUN one \\",
                "  more",
                "USER d",
            ];
            assert_eq!(String::from_utf8(out).unwrap(), expected.join(end));
        }
    }

    #[test]
    fn the_fewest_are_called_moved() {
        assert_eq!(moved(&[1, 2, 3]), Vec::<usize>::new());
        assert_eq!(moved(&[2, 3, 1]), vec![1]);
        assert_eq!(moved(&[3, 1, 2]), vec![3]);
    }
}
