//! Lines of text for a terminal.
//!
//! Goes in: text that is escaped already, and a style. Comes out: lines of about the given width. Linear. Invariant: without colour there is no escape
//! sequence, and no line acts as a command of a CI runner.

use super::escape::without_commands;
use anstyle::{AnsiColor, Effects};

/// How to print.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// With ANSI colours.
    pub color: bool,
    /// Columns to fill; at least 60 are used.
    pub width: usize,
}

impl Default for Style {
    fn default() -> Self {
        Self {
            color: false,
            width: 100,
        }
    }
}

pub(super) const BOLD: anstyle::Style = anstyle::Style::new().effects(Effects::BOLD);
pub(super) const DIM: anstyle::Style = anstyle::Style::new().effects(Effects::DIMMED);
pub(super) const GREEN: anstyle::Style = AnsiColor::Green.on_default();
pub(super) const YELLOW: anstyle::Style = AnsiColor::Yellow.on_default();
pub(super) const RED: anstyle::Style = AnsiColor::Red.on_default();
pub(super) const CYAN: anstyle::Style = AnsiColor::Cyan.on_default();

/// The text under construction.
pub(super) struct Page {
    pub out: String,
    pub style: Style,
}

impl Page {
    pub fn new(style: Style) -> Self {
        let width = style.width.max(60);
        Self {
            out: String::new(),
            style: Style { width, ..style },
        }
    }

    pub fn paint(&self, style: anstyle::Style, text: &str) -> String {
        if self.style.color && !text.is_empty() {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }

    pub fn line(&mut self, text: &str) {
        self.out.push_str(text.trim_end());
        self.out.push('\n');
    }

    pub fn painted(&mut self, style: anstyle::Style, text: &str) {
        let text = self.paint(style, text.trim_end());
        self.line(&text);
    }

    /// Words of `text` on lines of the width; `hang` stands before all lines but the first.
    pub fn wrapped(&mut self, style: anstyle::Style, first: &str, hang: &str, text: &str) {
        let mut now = first.to_owned();
        let mut fresh = true;
        for word in words(text) {
            let length = now.chars().count() + 1 + word.chars().count();
            if !fresh && length > self.style.width {
                self.painted(style, &now);
                now = hang.to_owned();
                fresh = true;
            }
            if !fresh {
                now.push(' ');
            }
            now.push_str(&word);
            fresh = false;
        }
        self.painted(style, &now);
    }

    /// An empty line, unless there is one.
    pub fn gap(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }

    /// Lines so far.
    pub fn lines(&self) -> usize {
        self.out.lines().count()
    }

    pub fn done(self) -> String {
        without_commands(&self.out).into_owned()
    }
}

/// Words between spaces; a unit stays with the number before it.
fn words(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for word in text.split(' ').filter(|w| !w.is_empty()) {
        let unit = matches!(
            word.trim_end_matches(['.', ',', ';', ':', ')']),
            "s" | "min" | "%"
        );
        match out.last_mut() {
            Some(last) if unit && last.ends_with(|c: char| c.is_ascii_digit()) => {
                last.push(' ');
                last.push_str(word);
            }
            _ => out.push(word.to_owned()),
        }
    }
    out
}
