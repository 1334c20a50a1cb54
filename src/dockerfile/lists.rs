//! The lists that the instructions of a file have in common, and the views of them.
//!
//! Goes in: the joined text of a file, and where instructions, words and flags stand in it. Comes out: views
//! that read like slices of texts. Costs no copy; a file's words are one list, of which an instruction has a
//! stretch. Invariant: an instruction's stretches are of its own file's lists.

use super::text::{Joined, Part, Text};
use super::{Instruction, InstructionParts, flags};
use crate::source::Span;
use std::fmt;
use std::slice::SliceIndex;

/// What all instructions of a file are made of, one after the other.
#[derive(Clone, Debug, Default)]
pub struct Lists {
    pub(super) joined: Joined,
    /// Words, and before those of an instruction its flags, each of them as so many parts.
    pub(super) words: Vec<Part>,
}

/// Where a flag stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct FlagParts {
    pub(super) raw: Part,
    /// Without quotes and escapes, or [`Part::NONE`] where that is the same text.
    pub(super) cooked: Part,
    /// Where the first `=` is, in `cooked` if there is one.
    pub(super) equals: Option<u32>,
}

impl FlagParts {
    /// How many parts a flag is kept as.
    pub(super) const COUNT: usize = 3;
    /// Which of them is the raw text, and which the cooked one.
    pub(super) const RAW: usize = 0;
    pub(super) const COOKED: usize = 1;

    pub(super) fn of([raw, cooked, equals]: &[Part; Self::COUNT]) -> Self {
        Self {
            raw: *raw,
            cooked: *cooked,
            equals: (*equals != Part::NONE).then_some(equals.start),
        }
    }

    pub(super) fn stored(self) -> [Part; Self::COUNT] {
        let place = |n| Part { start: n, end: n };
        [self.raw, self.cooked, self.equals.map_or(Part::NONE, place)]
    }
}

impl Lists {
    pub(super) fn text(&self, part: Part) -> Text<'_> {
        Text::piece(&self.joined, part)
    }

    pub(super) fn words(&self, stretch: Part) -> Texts<'_> {
        let words = self.words.get(stretch.range());
        List::new(self, words.unwrap_or_default())
    }

    pub(super) fn flags(&self, stretch: Part) -> Flags<'_> {
        let parts = self.words.get(stretch.range()).unwrap_or_default();
        List::new(self, parts.as_chunks().0)
    }
}

/// `--name=value` or `--name`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Flag<'a> {
    /// As written, `--mount=type=cache,target=/root`.
    pub raw: Text<'a>,
    /// `raw` without quotes and escapes.
    whole: &'a str,
    equals: Option<u32>,
}

impl<'a> Flag<'a> {
    /// Without the dashes, as written (names are case-sensitive).
    #[must_use]
    pub fn name(self) -> &'a str {
        flags::cut(self.whole, self.equals).0
    }

    /// Quotes and escapes removed; `None` without `=`.
    #[must_use]
    pub fn value(self) -> Option<&'a str> {
        flags::cut(self.whole, self.equals).1
    }

    /// Where it stands, from the dashes to the end of the value.
    #[must_use]
    pub fn span(self) -> Span {
        self.raw.span()
    }
}

impl fmt::Debug for Flag<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.raw, f)
    }
}

/// What a [`List`] is made of.
pub trait Entry<'a>: Sized {
    /// What it is kept as.
    type Stored: 'a;

    /// Finds its texts.
    fn read(lists: &'a Lists, stored: &'a Self::Stored) -> Self;
}

impl<'a> Entry<'a> for Text<'a> {
    type Stored = Part;

    fn read(lists: &'a Lists, stored: &'a Part) -> Self {
        lists.text(*stored)
    }
}

impl<'a> Entry<'a> for (Text<'a>, Text<'a>) {
    type Stored = [Part; 2];

    fn read(lists: &'a Lists, [key, value]: &'a [Part; 2]) -> Self {
        (lists.text(*key), lists.text(*value))
    }
}

impl<'a> Entry<'a> for (Text<'a>, Option<Text<'a>>) {
    type Stored = [Part; 2];

    fn read(lists: &'a Lists, [name, value]: &'a [Part; 2]) -> Self {
        let value = (*value != Part::NONE).then(|| lists.text(*value));
        (lists.text(*name), value)
    }
}

impl<'a> Entry<'a> for Flag<'a> {
    type Stored = [Part; FlagParts::COUNT];

    fn read(lists: &'a Lists, stored: &'a [Part; FlagParts::COUNT]) -> Self {
        let parts = FlagParts::of(stored);
        let raw = lists.text(parts.raw);
        let whole = match parts.cooked {
            Part::NONE => raw,
            cooked => lists.text(cooked),
        };
        Self {
            raw,
            whole: whole.as_str(),
            equals: parts.equals,
        }
    }
}

impl<'a> Entry<'a> for Instruction<'a> {
    type Stored = InstructionParts;

    fn read(lists: &'a Lists, parts: &'a InstructionParts) -> Self {
        Self { lists, parts }
    }
}

/// Some of what a file has, in order.
pub struct List<'a, T: Entry<'a>> {
    lists: &'a Lists,
    stored: &'a [T::Stored],
}

/// Words of an instruction.
pub type Texts<'a> = List<'a, Text<'a>>;
/// Keys and values.
pub type Pairs<'a> = List<'a, (Text<'a>, Text<'a>)>;
/// Names, with a value or without.
pub type Declared<'a> = List<'a, (Text<'a>, Option<Text<'a>>)>;
/// Flags of an instruction.
pub type Flags<'a> = List<'a, Flag<'a>>;
/// Instructions of a file.
pub type Instructions<'a> = List<'a, Instruction<'a>>;

impl<'a, T: Entry<'a>> List<'a, T> {
    pub(super) fn new(lists: &'a Lists, stored: &'a [T::Stored]) -> Self {
        Self { lists, stored }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.stored.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.stored.is_empty()
    }

    /// One after the other.
    #[must_use]
    pub fn iter(&self) -> Entries<'a, T> {
        Entries {
            lists: self.lists,
            rest: self.stored.iter(),
        }
    }

    /// The n-th, counted from 0.
    #[must_use]
    pub fn get(&self, n: usize) -> Option<T> {
        let stored = self.stored.get(n)?;
        Some(T::read(self.lists, stored))
    }

    /// The first.
    #[must_use]
    pub fn first(&self) -> Option<T> {
        self.get(0)
    }

    /// The last.
    #[must_use]
    pub fn last(&self) -> Option<T> {
        self.get(self.len().checked_sub(1)?)
    }

    /// The only one, if there are no others.
    #[must_use]
    pub fn only(&self) -> Option<T> {
        self.first().filter(|_| self.len() == 1)
    }
}

impl<'a> Instructions<'a> {
    /// The n-th, counted from 0.
    ///
    /// # Panics
    ///
    /// Where there are not as many.
    #[must_use]
    pub fn at(&self, n: usize) -> Instruction<'a> {
        Instruction::read(self.lists, &self.stored[n])
    }

    /// Those of a range.
    ///
    /// # Panics
    ///
    /// Where there are not as many, or it ends before it starts.
    #[must_use]
    pub fn slice<R>(&self, range: R) -> Self
    where
        R: SliceIndex<[InstructionParts], Output = [InstructionParts]>,
    {
        Self::new(self.lists, &self.stored[range])
    }
}

impl<'a> Texts<'a> {
    /// The n-th, where the form of the instruction says that there is one.
    pub(super) fn at(&self, n: usize) -> Text<'a> {
        self.get(n).unwrap_or(Text::from(""))
    }

    /// All but the last, and the last.
    pub(super) fn and_last(self) -> (Self, Text<'a>) {
        let n = self.len().saturating_sub(1);
        let stored = &self.stored[..n];
        (Self { stored, ..self }, self.at(n))
    }

    /// Two by two.
    pub(super) fn in_pairs<T: Entry<'a, Stored = [Part; 2]>>(self) -> List<'a, T> {
        List {
            lists: self.lists,
            stored: self.stored.as_chunks().0,
        }
    }
}

impl<'a, T: Entry<'a>> Clone for List<'a, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<'a, T: Entry<'a>> Copy for List<'a, T> {}

impl<'a, T: Entry<'a> + fmt::Debug> fmt::Debug for List<'a, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(*self).finish()
    }
}

impl<'a, T: Entry<'a> + PartialEq> PartialEq for List<'a, T> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(*other)
    }
}

impl<'a, T: Entry<'a> + Eq> Eq for List<'a, T> {}

impl<'a, T: Entry<'a>> IntoIterator for List<'a, T> {
    type Item = T;
    type IntoIter = Entries<'a, T>;

    fn into_iter(self) -> Entries<'a, T> {
        self.iter()
    }
}

impl<'a, T: Entry<'a>> IntoIterator for &List<'a, T> {
    type Item = T;
    type IntoIter = Entries<'a, T>;

    fn into_iter(self) -> Entries<'a, T> {
        self.iter()
    }
}

/// What is left of a [`List`].
pub struct Entries<'a, T: Entry<'a>> {
    lists: &'a Lists,
    rest: std::slice::Iter<'a, T::Stored>,
}

impl<'a, T: Entry<'a>> Clone for Entries<'a, T> {
    fn clone(&self) -> Self {
        Self {
            lists: self.lists,
            rest: self.rest.clone(),
        }
    }
}

impl<'a, T: Entry<'a>> Iterator for Entries<'a, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.rest.next().map(|stored| T::read(self.lists, stored))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rest.size_hint()
    }
}

impl<'a, T: Entry<'a>> DoubleEndedIterator for Entries<'a, T> {
    fn next_back(&mut self) -> Option<T> {
        let stored = self.rest.next_back()?;
        Some(T::read(self.lists, stored))
    }
}

impl<'a, T: Entry<'a>> ExactSizeIterator for Entries<'a, T> {}
