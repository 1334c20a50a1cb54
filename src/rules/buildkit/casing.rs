//! Letter case of keywords: which one a file has, and the edits that give a FROM that one.

use super::words;
use crate::dockerfile::{Instruction, Instructions, Kind};
use crate::rules::{FileEdit, View};
use std::ops::Range;

/// The letter case of a file's instructions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Case {
    Upper,
    Lower,
}

impl Case {
    /// A keyword in it.
    pub fn of(self, word: &str) -> String {
        match self {
            Self::Upper => word.to_uppercase(),
            Self::Lower => word.to_lowercase(),
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Upper => "upper case",
            Self::Lower => "lower case",
        }
    }
}

/// A keyword as written.
pub fn keyword(ins: Instruction<'_>) -> &str {
    let end = ins
        .original()
        .char_indices()
        .nth(ins.keyword.chars().count())
        .map_or(ins.original().len(), |(at, _)| at);
    &ins.original().as_str()[..end]
}

/// The instructions that count, ARGs before the first FROM do not, and the case that most of them have; upper case where there are as many of
/// each. Words such as `Run` count for neither.
pub fn majority<'a>(view: &View<'a>) -> (Case, Instructions<'a>) {
    let all = view.tree.instructions();
    let is_from = |i: Instruction<'_>| matches!(i.kind(), Kind::From { .. });
    let first = all.iter().position(is_from);
    let counted = all.slice(first.unwrap_or(all.len())..);
    let (mut lower, mut upper) = (0, 0);
    for ins in counted {
        let word = keyword(ins);
        if word == word.to_lowercase() {
            lower += 1;
        } else if word == word.to_uppercase() {
            upper += 1;
        }
    }
    let case = if lower > upper {
        Case::Lower
    } else {
        Case::Upper
    };
    (case, counted)
}

/// Where the `AS` of a FROM stands in its arguments.
pub fn as_word(ins: Instruction<'_>) -> Option<Range<usize>> {
    let mut words = words(ins);
    let (_, word, _) = (words.next()?, words.next()?, words.next()?);
    Some(word)
}

/// Edits that give a keyword, and the `AS` of a FROM, another case; `None` where a word is continued on another line.
pub fn edits(view: &View<'_>, ins: Instruction<'_>, case: Case) -> Option<Vec<FileEdit>> {
    let mut spans = vec![ins.keyword_span()];
    if matches!(ins.kind(), Kind::From { .. }) {
        spans.extend(as_word(ins).map(|word| ins.arguments().span_of(word)));
    }
    let mut out = Vec::new();
    for span in spans {
        let old = super::one_line(view, span)?;
        let new = case.of(&old);
        if new != old {
            out.push(FileEdit::here(span, new));
        }
    }
    Some(out)
}
