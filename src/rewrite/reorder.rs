//! Prints a stage's instructions in another order, touching nothing else.
//!
//! Goes in: the file and, per stage, the new order of its instructions. Comes out: the new bytes.
//! Each instruction moves with the comment lines directly above it. Paragraphs survive: blank lines, and comments
//! that one sets apart, stay between the instructions that stay; a paragraph of one instruction takes its blank line along.
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
    /// A rewrite put it there: it is in nobody's paragraph.
    pub added: bool,
}

impl Placed {
    /// The instruction alone.
    #[must_use]
    pub fn new(at: usize) -> Self {
        Self {
            at,
            before: Vec::new(),
            after: Vec::new(),
            added: false,
        }
    }
}

/// New bytes; `orders` lists, for every stage that changes, its instructions in new order (the same as
/// before, FROM left out). `None` where an index is not in the file.
#[must_use]
pub fn print(source: &SourceFile, file: &Dockerfile, orders: &[Vec<Placed>]) -> Option<Vec<u8>> {
    let mut edits = Vec::new();
    for order in orders {
        edits.push(Layout::of(source, file, order)?.edit(order)?);
    }
    apply_edits(source.bytes(), &edits).ok()
}

/// A stage's lines as they stand: instructions with their comments, and what is between them.
struct Layout<'a> {
    span: Span,
    end: &'static [u8],
    /// In the author's order.
    lines: Vec<Block<'a>>,
}

struct Block<'a> {
    at: usize,
    /// Blank lines, and comments that a blank line sets apart, in front of it.
    gap: &'a [u8],
    /// Comments directly above and the instruction, with its line end where it has one.
    text: &'a [u8],
    /// A paragraph begins with it.
    first: bool,
    /// It is a paragraph of its own.
    alone: bool,
    /// Number of the paragraph.
    paragraph: usize,
}

impl<'a> Layout<'a> {
    fn of(source: &'a SourceFile, file: &Dockerfile, order: &[Placed]) -> Option<Self> {
        let bytes = source.bytes();
        let mut slots: Vec<usize> = order.iter().map(|p| p.at).collect();
        slots.sort_unstable();
        let spans: Option<Vec<Span>> = slots
            .iter()
            .map(|at| Some(block(bytes, file.instructions().get(*at)?)))
            .collect();
        let spans = spans?;
        let above = slots.first()?.checked_sub(1);
        let above = above.and_then(|a| file.instructions().get(a));
        let start = above.map_or(0, |a| block(bytes, a).end as usize);
        let mut lines: Vec<Block<'_>> = Vec::new();
        let mut from = start;
        for (at, span) in slots.iter().zip(&spans) {
            let gap = bytes.get(from..span.start as usize)?;
            let above = lines.last();
            let added = |l: &Block<'_>| order.iter().any(|p| p.added && p.at == l.at);
            let first = !gap.is_empty() || above.is_some_and(|l| l.first && added(l));
            let paragraph = above.map_or(0, |l| l.paragraph);
            lines.push(Block {
                at: *at,
                gap,
                text: bytes.get(span.range())?,
                first,
                alone: first,
                paragraph: paragraph + usize::from(!gap.is_empty()),
            });
            from = span.end as usize;
        }
        let count = lines.len();
        for n in 0..count {
            lines[n].alone &= n + 1 == count || !lines[n + 1].gap.is_empty();
        }
        Some(Self {
            span: Span::new(start, from),
            end: line_end(bytes),
            lines,
        })
    }

    fn edit(&self, order: &[Placed]) -> Option<Edit> {
        let place = |at: usize| self.lines.iter().position(|l| l.at == at);
        let new: Option<Vec<usize>> = order.iter().map(|p| place(p.at)).collect();
        let new = new?;
        let moved = moved(&new);
        let mut text = Vec::new();
        let (mut at, mut above) = (0, None);
        while at <= new.len() {
            // What moved in between two instructions that stay.
            let rest = new[at..].iter();
            let count = rest.take_while(|n| moved.contains(n)).count();
            let stays = new.get(at + count).copied();
            let between = self.between(above, stays);
            let gaps = self.gaps(above, &new[at..at + count], stays, &between);
            for ((placed, n), gap) in order[at..].iter().zip(&new[at..]).zip(gaps) {
                text.extend_from_slice(&gap);
                self.put(placed, &self.lines[*n], &mut text);
            }
            if stays.is_none() && between.iter().any(|b| !b.is_ascii_whitespace()) {
                text.extend_from_slice(&between);
            }
            at += count + 1;
            above = stays;
        }
        let last = self.lines.last()?;
        if !last.text.ends_with(b"\n") && text.ends_with(self.end) {
            text.truncate(text.len() - self.end.len());
        }
        Some(Edit {
            span: self.span,
            text,
        })
    }

    fn put(&self, placed: &Placed, block: &Block<'_>, text: &mut Vec<u8>) {
        let mut line = |bytes: &[u8]| {
            text.extend_from_slice(bytes);
            if !bytes.ends_with(b"\n") {
                text.extend_from_slice(self.end);
            }
        };
        placed.before.iter().for_each(|l| line(l.as_bytes()));
        line(block.text);
        placed.after.iter().for_each(|l| line(l.as_bytes()));
    }

    /// What is between two instructions that stay once those between them are gone: all comments, or the
    /// most blank lines.
    fn between(&self, above: Option<usize>, below: Option<usize>) -> Vec<u8> {
        let from = above.map_or(0, |a| a + 1);
        let to = below.map_or(self.lines.len(), |b| b + 1);
        let gaps = || self.lines[from..to].iter().map(|l| l.gap);
        let says = |gap: &&[u8]| gap.iter().any(|b| !b.is_ascii_whitespace());
        let longest = gaps().rev().max_by_key(|g| g.len()).unwrap_or_default();
        match gaps().any(|g| says(&g)) {
            true => gaps().filter(says).flatten().copied().collect(),
            false => longest.to_vec(),
        }
    }

    /// What to put in front of each of some moved instructions, and of the one that stays below them.
    fn gaps(
        &self,
        above: Option<usize>,
        moved: &[usize],
        below: Option<usize>,
        between: &[u8],
    ) -> Vec<Vec<u8>> {
        let blank = |n: usize| -> Vec<u8> {
            let own = self.lines[n].gap;
            match own.iter().all(u8::is_ascii_whitespace) && !own.is_empty() {
                true => own.to_vec(),
                false => self.end.to_vec(),
            }
        };
        let group = |n: Option<usize>| n.map_or(0, |n| self.lines[n].paragraph);
        // In the middle of a paragraph nothing is set apart.
        let apart = |n: usize| self.lines[n].alone && (below.is_none() || !between.is_empty());
        // Those of the paragraph below, or from further down, join that one.
        let joins = |n: &usize| {
            let own = self.lines[*n].paragraph;
            let up = below.is_some_and(|b| *n > b);
            let there = own == group(above) || (own != group(below) && !up);
            below.is_some() && !apart(*n) && !there
        };
        let split = moved.iter().position(joins).unwrap_or(moved.len());
        let mut out = Vec::new();
        let mut after_one_apart = false;
        for (n, at) in moved.iter().copied().enumerate() {
            out.push(match n == split {
                true => between.to_vec(),
                false if apart(at) || after_one_apart => blank(at),
                false => Vec::new(),
            });
            after_one_apart = apart(at);
        }
        if let Some(below) = below {
            out.push(match moved.len() == split {
                true => between.to_vec(),
                false if after_one_apart => blank(below),
                false => Vec::new(),
            });
        }
        out
    }
}

/// How the file's first line ends.
fn line_end(bytes: &[u8]) -> &'static [u8] {
    let first = bytes.iter().position(|b| *b == b'\n');
    match first {
        Some(at) if at > 0 && bytes[at - 1] == b'\r' => b"\r\n",
        _ => b"\n",
    }
}

/// An instruction with the comments directly above it and its line end.
pub(super) fn block(bytes: &[u8], instruction: Instruction<'_>) -> Span {
    let start = instruction
        .leading_comments
        .start
        .min(instruction.span.start);
    let mut end = instruction.span.end as usize;
    if bytes.get(end.wrapping_sub(1)) != Some(&b'\n') {
        let rest = bytes.get(end..).unwrap_or_default();
        let ends = rest.iter().position(|b| *b == b'\n');
        end += ends.map_or(rest.len(), |n| n + 1);
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
    use proptest::strategy::Strategy as _;

    fn printed(text: &str, order: &[usize]) -> String {
        let source = SourceFile::new("Dockerfile", text);
        let tree = parse(&source).tree;
        let order = order.iter().copied().map(Placed::new).collect();
        String::from_utf8(print(&source, &tree, &[order]).unwrap()).unwrap()
    }

    #[test]
    fn comments_travel_and_paragraphs_stay() {
        for (text, order, expected) in [
            // One moves into a paragraph.
            (
                "FROM a\n\n# one\nRUN one\n\nRUN two\n# three\nRUN three",
                &[2, 3, 1][..],
                "FROM a\n\nRUN two\n# three\nRUN three\n\n# one\nRUN one",
            ),
            // One that stood alone stands alone.
            (
                "FROM a\n\nRUN one\n\nRUN two\n\nRUN three\n",
                &[2, 1, 3],
                "FROM a\n\nRUN two\n\nRUN one\n\nRUN three\n",
            ),
            // The last of a paragraph goes up into it, and one goes down within its own.
            (
                "FROM a\nRUN zero\n\nRUN one\nRUN two\nRUN three\n\nCMD x\n",
                &[1, 4, 2, 3, 5],
                "FROM a\nRUN zero\n\nRUN three\nRUN one\nRUN two\n\nCMD x\n",
            ),
            (
                "FROM a\nRUN zero\n\nRUN one\nRUN two\nRUN three\n\nCMD x\n",
                &[1, 3, 4, 2, 5],
                "FROM a\nRUN zero\n\nRUN two\nRUN three\nRUN one\n\nCMD x\n",
            ),
            // The first of a paragraph leaves its blank line there, and joins another without one.
            (
                "FROM a\nRUN zero\n\nRUN one\nRUN two\n\nRUN three\nRUN four\n",
                &[1, 3, 4, 2, 5],
                "FROM a\nRUN zero\n\nRUN two\n\nRUN three\nRUN one\nRUN four\n",
            ),
            // What a blank line sets apart is said once and stays.
            (
                "FROM a\n# About\n\nRUN one\n# More\n\nRUN two\nRUN three\n# End\n",
                &[2, 3, 1],
                "FROM a\n# About\n\n# More\n\nRUN two\nRUN three\n\nRUN one\n# End\n",
            ),
            (
                "FROM a\r\nRUN one\r\nRUN two",
                &[2, 1],
                "FROM a\r\nRUN two\r\nRUN one",
            ),
        ] {
            assert_eq!(printed(text, order), expected, "{text}");
            let same: Vec<usize> = (1..=order.len()).collect();
            assert_eq!(printed(text, &same), text);
        }
    }

    #[test]
    fn an_added_line_is_in_nobody_s_paragraph() {
        let text = "FROM a\nRUN zero\n\nCOPY added\nCOPY all\n\nRUN one\n\nRUN two\n";
        let source = SourceFile::new("Dockerfile", text);
        let tree = parse(&source).tree;
        let mut order = [1, 2, 4, 3, 5].map(Placed::new).to_vec();
        order[1].added = true;
        assert_eq!(
            String::from_utf8(print(&source, &tree, &[order]).unwrap()).unwrap(),
            "FROM a\nRUN zero\n\nCOPY added\n\nRUN one\n\nCOPY all\n\nRUN two\n"
        );
    }

    proptest::proptest! {
        #[test]
        fn no_line_is_lost(
            lines in proptest::collection::vec(0..5usize, 1..12),
            shuffled in proptest::prelude::Just((1..12usize).collect::<Vec<_>>()).prop_shuffle(),
            end in proptest::bool::ANY,
        ) {
            let mut text = "FROM a".to_owned();
            for (n, kind) in lines.iter().enumerate() {
                let before = ["", "\n", "# c\n", "# c\n\n", "\n\n# c\n\n# c\n"][*kind];
                text += &format!("\n{}RUN {n}", before.replace('c', &n.to_string()));
            }
            text += if end { "\n" } else { "" };
            let order: Vec<usize> = shuffled.into_iter().filter(|n| *n <= lines.len()).collect();
            let out = printed(&text, &order);
            let sorted = |t: &str| {
                let mut all: Vec<String> = t.lines().filter(|l| !l.is_empty()).map(str::to_owned).collect();
                all.sort();
                all
            };
            proptest::prop_assert_eq!(sorted(&out), sorted(&text));
            let file = parse(&SourceFile::new("Dockerfile", out)).tree;
            let found: Vec<String> = file.instructions().slice(1..).iter().map(|i| i.arguments().to_string()).collect();
            let expected: Vec<String> = order.iter().map(|n| (n - 1).to_string()).collect();
            proptest::prop_assert_eq!(found, expected);
        }
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
                "",
                "USER b",
                "RUN two",
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
