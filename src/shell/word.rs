//! What a word stands for: its literal text, or its fields under known variables.
//!
//! Goes in: a [`Word`] and a look-up of variables. Comes out: text, or `None` where it depends on
//! something not known. Linear in the word and the values. Invariant: `Some` is exactly what a POSIX
//! shell with the default `IFS` would pass on.

use super::{Operation, Part, Script, Variable, Word};

/// Characters that make an expanded, unquoted value subject to file name expansion.
const ACTIVE: &[char] = &['*', '?', '[', '\\'];

impl Word {
    /// The text when nothing in the word is expanded.
    #[must_use]
    pub fn literal(&self) -> Option<String> {
        self.expand(&|_: &str| None)
    }

    /// The text when every variable is known and the word stays one field. `~` is the value of `HOME`.
    pub fn expand(&self, lookup: &dyn Fn(&str) -> Option<String>) -> Option<String> {
        let mut fields = self.fields(lookup)?;
        match fields.len() {
            1 => fields.pop(),
            _ => None,
        }
    }

    /// The fields the word becomes: unquoted values are split at blanks, and an empty one vanishes.
    /// `None` where a part is unknown or names files by pattern.
    pub fn fields(&self, lookup: &dyn Fn(&str) -> Option<String>) -> Option<Vec<String>> {
        let mut done = Vec::new();
        let mut open: Option<String> = None;
        for part in &self.parts {
            match part {
                Part::Variable(v) => {
                    let value = variable(v, lookup)?;
                    if value.contains(ACTIVE)
                        || (value.contains([' ', '\t', '\n']) && has_quotes(v))
                    {
                        return None;
                    }
                    if value.starts_with([' ', '\t', '\n']) {
                        done.extend(open.take());
                    }
                    let mut pieces = value.split([' ', '\t', '\n']).filter(|p| !p.is_empty());
                    if let Some(first) = pieces.next() {
                        open.get_or_insert_default().push_str(first);
                    }
                    for piece in pieces {
                        done.extend(open.replace(piece.to_string()));
                    }
                    if value.ends_with([' ', '\t', '\n']) {
                        done.extend(open.take());
                    }
                }
                other => {
                    let text = quoted(other, lookup)?;
                    open.get_or_insert_default().push_str(&text);
                }
            }
        }
        done.extend(open);
        Some(done)
    }

    /// The value as an assignment takes it: neither split nor matched against files.
    pub fn value(&self, lookup: &dyn Fn(&str) -> Option<String>) -> Option<String> {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Glob(c) => out.push(*c),
                Part::Brace => out.push('{'),
                other => out.push_str(&quoted(other, lookup)?),
            }
        }
        Some(out)
    }

    /// For a word that names files by pattern: the text before the first pattern character. `None`
    /// where there is no pattern, or where any part is unknown or climbs with `..` behind it.
    pub fn pattern_prefix(&self, lookup: &dyn Fn(&str) -> Option<String>) -> Option<String> {
        let mut out = String::new();
        let mut behind: Option<String> = None;
        for part in &self.parts {
            let text = match part {
                // The alternatives of a leading brace may start anywhere.
                Part::Brace if out.is_empty() => return None,
                Part::Glob(_) | Part::Brace => {
                    behind.get_or_insert_default();
                    continue;
                }
                other => quoted(other, lookup)?,
            };
            // An unquoted value with blanks would be several words.
            if matches!(part, Part::Variable(_)) && text.contains([' ', '\t', '\n']) {
                return None;
            }
            // A value may itself hold the first pattern character.
            match (&mut behind, part) {
                (None, Part::Variable(_)) if text.contains(ACTIVE) => return None,
                (None, _) => out.push_str(&text),
                (Some(rest), _) => rest.push_str(&text),
            }
        }
        behind.filter(|rest| !rest.contains("..")).map(|_| out)
    }

    /// The scripts of all command and process substitutions in the word, outermost ones.
    #[must_use]
    pub fn substitutions(&self) -> Vec<&Script> {
        let mut out = Vec::new();
        let mut open: Vec<&Part> = self.parts.iter().rev().collect();
        while let Some(part) = open.pop() {
            match part {
                Part::Substitution(script) => out.push(script),
                Part::Arithmetic(scripts) | Part::Opaque(scripts) => out.extend(scripts),
                Part::DoubleQuoted(parts) => open.extend(parts.iter().rev()),
                Part::Variable(v) => match &v.operation {
                    Operation::Default { word, .. } => open.extend(word.parts.iter().rev()),
                    Operation::Other(scripts) => out.extend(scripts),
                    Operation::Value => {}
                },
                Part::Literal(_) | Part::SingleQuoted(_) => {}
                Part::Glob(_) | Part::Brace | Part::Tilde => {}
            }
        }
        out
    }
}

/// Whether the word of `${name:-word}` has quotes, which keep blanks in it together.
fn has_quotes(v: &Variable) -> bool {
    let quoted = |p: &Part| matches!(p, Part::DoubleQuoted(_) | Part::SingleQuoted(_));
    matches!(&v.operation, Operation::Default { word, .. } if word.parts.iter().any(quoted))
}

/// The text of a part that is not split.
fn quoted(part: &Part, lookup: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    match part {
        Part::Literal(text) | Part::SingleQuoted(text) => Some(text.clone()),
        Part::DoubleQuoted(parts) => parts.iter().map(|p| quoted(p, lookup)).collect(),
        Part::Variable(v) => variable(v, lookup),
        Part::Tilde => lookup("HOME"),
        Part::Substitution(_) | Part::Arithmetic(_) | Part::Opaque(_) => None,
        Part::Glob(_) | Part::Brace => None,
    }
}

/// The value of `${name…}`. An unknown variable may be set by the base image, so its default is not
/// taken either.
fn variable(v: &Variable, lookup: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    match &v.operation {
        Operation::Value => lookup(&v.name),
        Operation::Default {
            operator,
            colon,
            word,
        } => {
            let value = lookup(&v.name)?;
            let usable = !*colon || !value.is_empty();
            match (operator, usable) {
                ('+', true) | ('-', false) => word.value(lookup),
                ('+', false) => Some(String::new()),
                ('-' | '=' | '?', true) => Some(value),
                // `=` would also assign and `?` would stop the script.
                _ => None,
            }
        }
        Operation::Other(_) => None,
    }
}
