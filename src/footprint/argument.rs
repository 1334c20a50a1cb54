//! An argument as far as it is known before the command runs.
//!
//! Goes in: a word and the shell's state. Comes out: its text, a pattern, or what its text starts
//! with. Invariant: `Known` is exactly what the command receives.

use super::shell_state::Shell;
use crate::shell::{Operation, Part, Word};

/// One argument, or one word that becomes some arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Argument {
    /// The text.
    Known(String),
    /// A file name pattern: the text before the first pattern character, and the whole text, which is
    /// passed on as it is where no file matches.
    Pattern {
        /// Before the pattern.
        prefix: String,
        /// All of it.
        text: String,
        /// It is one argument whatever matches.
        one: bool,
    },
    /// Not known beyond its beginning.
    Unknown {
        /// How it starts; often empty.
        prefix: String,
    },
}

impl Argument {
    /// The arguments of a word.
    pub(super) fn of_word(word: &Word, shell: &Shell) -> Vec<Self> {
        let lookup = |name: &str| shell.lookup(name);
        if let Some(fields) = word.fields(&lookup) {
            return fields.into_iter().map(Self::Known).collect();
        }
        if let Some(prefix) = word.pattern_prefix(&lookup) {
            let text = word.value(&lookup).unwrap_or_default();
            return vec![Self::Pattern {
                prefix,
                text,
                one: false,
            }];
        }
        if let Some(pattern) = Self::of_element(word, shell) {
            return vec![pattern];
        }
        let mut prefix = String::new();
        for part in &word.parts {
            match part {
                Part::Literal(t) | Part::SingleQuoted(t) => prefix.push_str(t),
                Part::DoubleQuoted(parts) => match parts.as_slice() {
                    [Part::Literal(t)] => prefix.push_str(t),
                    [Part::Literal(t), ..] => {
                        prefix.push_str(t);
                        break;
                    }
                    _ => break,
                },
                _ => break,
            }
        }
        vec![Self::Unknown { prefix }]
    }

    /// A word with the variable of a loop over files: a pattern for the one that it is in some round.
    fn of_element(word: &Word, shell: &Shell) -> Option<Self> {
        let is_element = |part: &Part| match part {
            Part::Variable(v) => shell.elements.contains_key(&v.name),
            _ => false,
        };
        let plain = |part: &Part| match part {
            Part::Literal(_) | Part::SingleQuoted(_) => true,
            Part::Variable(v) => matches!(v.operation, Operation::Value),
            _ => false,
        };
        // Without quotes any other value may be several words, or a pattern of its own.
        let whole = |part: &Part| match part {
            Part::Variable(v) if !is_element(part) => {
                let value = shell.lookup(&v.name).unwrap_or_default();
                !value.contains([' ', '\t', '\n', '*', '?', '['])
            }
            _ => true,
        };
        let mut held = false;
        let simple = word.parts.iter().all(|part| match part {
            Part::DoubleQuoted(inner) => {
                held |= inner.iter().any(is_element);
                inner.iter().all(plain)
            }
            other => {
                held |= is_element(other);
                plain(other) && whole(other)
            }
        });
        if !held || !simple {
            return None;
        }
        let lookup = |name: &str| {
            let element = shell.elements.get(name).cloned();
            element.or_else(|| shell.lookup(name))
        };
        let text = word.value(&lookup)?;
        let (prefix, behind) = text.split_at(text.find(['*', '?', '['])?);
        let climbs = behind.split('/').any(|name| name == "..");
        (!climbs).then(|| Self::Pattern {
            prefix: prefix.to_owned(),
            text: text.clone(),
            one: true,
        })
    }

    /// The text if it is known or a pattern; the beginning otherwise, with a `$` for the rest.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Known(text) | Self::Pattern { text, .. } => text.clone(),
            Self::Unknown { prefix } => format!("{prefix}$"),
        }
    }

    /// The text if it is known.
    pub(super) fn known(&self) -> Option<&str> {
        match self {
            Self::Known(text) => Some(text),
            _ => None,
        }
    }

    /// How it certainly starts.
    pub(super) fn start(&self) -> &str {
        match self {
            Self::Known(text) | Self::Pattern { text, .. } => text,
            Self::Unknown { prefix } => prefix,
        }
    }
}

/// Whether a word holds `~` or `$HOME`.
pub(super) fn uses_home(word: &Word) -> bool {
    let mut open: Vec<&Part> = word.parts.iter().collect();
    while let Some(part) = open.pop() {
        match part {
            Part::Tilde => return true,
            Part::Variable(v) if v.name == "HOME" => return true,
            Part::DoubleQuoted(parts) => open.extend(parts),
            _ => {}
        }
    }
    false
}
