//! What FROM lines see: ARGs before the first FROM, and the arguments that every build has.
//!
//! Goes in: the file and the options of the build. Comes out: values by name, and the names that are declared without one. Source of the rules:
//! grammar section 9.1.

use crate::dockerfile::{Kind, expand_word};
use crate::plan::platform_arguments;
use crate::rules::View;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// The global scope.
pub struct Globals {
    values: BTreeMap<String, String>,
    /// Declared, with a value or without.
    pub declared: BTreeSet<String>,
    escape: char,
}

/// A word of a FROM, expanded.
pub struct Word {
    /// Its value.
    pub value: String,
    /// Variables in it that have one.
    pub known: BTreeSet<String>,
    /// Variables in it that have none.
    pub unknown: BTreeSet<String>,
}

impl Globals {
    /// Those of a build with the view's build arguments, or of one without any. `None` where a default can't be expanded.
    pub fn new(view: &View<'_>, with_arguments: bool) -> Option<Self> {
        let names = view.tree.instructions().iter().rev();
        let last = names.into_iter().find_map(|i| match i.kind() {
            Kind::From { alias, .. } => Some(alias.as_ref().map(ToString::to_string)),
            _ => None,
        });
        let target = view.options.target.clone().or(last.flatten());
        let target = target.unwrap_or_else(|| "default".to_owned());
        let mut out = Self {
            values: platform_arguments(&view.options.platform, &target),
            declared: BTreeSet::new(),
            escape: view.tree.directives.escape,
        };
        let given = |name: &str| {
            let mut all = view.options.args.iter().rev();
            all.find(|(n, _)| n == name).map(|(_, v)| v.clone())
        };
        for (name, value) in &mut out.values {
            if let Some(given) = given(name) {
                *value = given;
            }
        }
        for ins in view.tree.instructions() {
            let list = match ins.kind() {
                Kind::Arg(list) => list,
                Kind::From { .. } => break,
                _ => continue,
            };
            for (name, default) in list {
                let value = match given(&name).filter(|_| with_arguments) {
                    Some(value) => Some(value),
                    None => match default {
                        Some(default) => Some(out.word(&default)?.value),
                        None => None,
                    },
                };
                out.declared.insert(name.to_string());
                out.values.extend(value.map(|v| (name.to_string(), v)));
            }
        }
        Some(out)
    }

    /// A word with its variables replaced; `None` where it can't be expanded.
    pub fn word(&self, word: &str) -> Option<Word> {
        let (known, unknown) = (RefCell::default(), RefCell::default());
        let value = expand_word(word, self.escape, &|name| {
            let value = self.values.get(name).cloned();
            let set: &RefCell<BTreeSet<String>> = match value {
                Some(_) => &known,
                None => &unknown,
            };
            set.borrow_mut().insert(name.to_owned());
            value
        });
        Some(Word {
            value: value.ok()?,
            known: known.into_inner(),
            unknown: unknown.into_inner(),
        })
    }

    /// The value of a variable.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// What stages see of it; a name without a value is not there.
    pub fn values(&self) -> &BTreeMap<String, String> {
        &self.values
    }

    /// All names that mean something in a FROM.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let all = self.declared.iter().chain(self.values.keys());
        all.map(String::as_str)
    }
}
