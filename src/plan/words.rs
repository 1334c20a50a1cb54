//! Words of instructions as the builder expands them, and how objections are said.
//!
//! Goes in: a word and the state before its instruction. Comes out: its value, with a diagnostic where it has none. Costs
//! one pass. Invariant: what a base image may set is never taken for known.

use super::lower::Lowering;
use super::state::State;
use crate::diagnostic::{Diagnostic, shorten};
use crate::dockerfile::check::Objection;
use crate::dockerfile::{Text, expand_word, variables};
use crate::source::Span;

impl Lowering<'_> {
    pub fn report(
        &mut self,
        code: &'static str,
        message: impl Into<String>,
        span: Span,
        help: impl Into<String>,
    ) {
        let d = Diagnostic::error(code, message, span).with_help(help);
        self.plan.diagnostics.push(d);
    }

    pub fn arg(&self, name: &str) -> Option<String> {
        if self.options.volatile_args.iter().any(|v| v == name) {
            return Some(super::VOLATILE.to_string());
        }
        let args = &self.options.args;
        args.iter()
            .rev()
            .find(|(k, _)| k == name)
            .map(|(_, v)| v.clone())
    }

    pub fn expand(&mut self, word: &Text, state: &State) -> String {
        self.expand_at(word, state, word.span())
    }

    /// Expands text that stands at a place of the file, such as the value of a flag.
    pub fn expand_at(&mut self, word: &str, state: &State, at: Span) -> String {
        match expand_word(word, self.escape, &|n| state.lookup(n)) {
            Ok(text) => text,
            Err(e) => {
                self.unexpanded(word, &e.to_string(), at);
                word.to_owned()
            }
        }
    }

    /// The value of a word, unless it depends on what a base image may set, or varies: such a value
    /// is no reason to refuse a file.
    pub fn certain(&mut self, word: &str, state: &State, at: Span) -> Option<String> {
        let value = self.expand_at(word, state, at);
        (self.known(word, state) && !value.contains(super::VOLATILE)).then_some(value)
    }

    /// Whether no variable of the word can come from a base image.
    pub fn known(&self, word: &str, state: &State) -> bool {
        let names = variables(word, self.escape);
        !state.open || names.iter().all(|name| state.lookup(name).is_some())
    }

    /// Whether a path, given as written and expanded, may lead elsewhere by a variable that only the base image sets.
    pub fn is_unsure(&self, written: &str, expanded: &str, state: &State) -> bool {
        !self.known(written, state) || (state.unsure_cwd && !expanded.starts_with('/'))
    }

    pub fn objection(&mut self, code: &'static str, found: Option<Objection>, span: Span) {
        if let Some(Objection { message, help }) = found {
            self.report(code, message, span, help);
        }
    }

    pub fn unexpanded(&mut self, word: &str, why: &str, at: Span) {
        self.report(
            "build/expansion",
            format!("`{}` cannot be expanded: {why}", shorten(word)),
            at,
            "variables are written $NAME or ${NAME}; put a backslash before a dollar sign that is none",
        );
    }
}
