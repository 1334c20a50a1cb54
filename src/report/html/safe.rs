//! Text from a repository inside of HTML and of the data for the script.
//!
//! Goes in: any string. Comes out: markup that shows it and acts on nothing, neither in a browser nor in the log of a job that prints the page.
//! One pass each. Invariant: no `<`, no quote, no line end and no CI command comes out.

use super::super::{escape, number};
use maud::{Markup, PreEscaped, html};
use serde::Serialize;

/// A string on one line, for text and attribute values.
pub fn text(s: &str) -> PreEscaped<String> {
    PreEscaped(markup(&escape::line(s)))
}

/// The same, cut to so many characters.
pub fn short(s: &str, width: usize) -> PreEscaped<String> {
    PreEscaped(markup(&escape::shortened(s, width)))
}

/// A sentence in which backticks set code off.
pub fn prose(s: &str) -> Markup {
    let line = escape::line(s);
    let parts: Vec<&str> = line.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return text(s);
    }
    html! {
        @for (i, part) in parts.into_iter().enumerate() {
            @if i % 2 == 1 { code { (PreEscaped(markup(part))) } } @else { (PreEscaped(markup(part))) }
        }
    }
}

/// One line of a file, its spaces kept.
pub fn source(line: &str) -> PreEscaped<String> {
    let line = line.trim_end_matches(['\n', '\r']);
    PreEscaped(markup(&escape::terminal(line).replace('\t', "    ")))
}

/// Escapes for text and quoted attribute values. `::` at the start of a line and `##[` mean something to CI runners that see the page go by.
fn markup(s: &str) -> String {
    let mut out = String::with_capacity(s.len() + s.len() / 8);
    let mut before = ' ';
    for c in s.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            ':' if before == ':' => out.push_str("&#58;"),
            '#' if before == '#' => out.push_str("&#35;"),
            _ => out.push(c),
        }
        before = c;
    }
    out
}

/// A value as JSON on one line that can stand in a `script` element.
pub fn json(value: &impl Serialize) -> PreEscaped<String> {
    let plain = serde_json::to_string(value).unwrap_or_default();
    let mut out = String::with_capacity(plain.len());
    let mut before = ' ';
    for c in plain.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            ':' if before == ':' => out.push_str("\\u003a"),
            '#' if before == '#' => out.push_str("\\u0023"),
            _ => out.push(c),
        }
        before = c;
    }
    PreEscaped(out)
}

/// A string for [`json`], on one line and without what hides or turns round.
pub fn plain(s: &str, width: usize) -> String {
    escape::shortened(s, width)
}

/// A duration whose unit stays with it.
pub fn seconds(s: f64) -> String {
    number::seconds(s).replace(' ', "\u{a0}")
}

/// A share whose sign stays with it.
pub fn percent(share: f64) -> String {
    number::percent(share).replace(' ', "\u{a0}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_string_is_text(s in "(?s)[<>&\"'#:\\[\n\r\t\u{1b}\u{202e}/a-c ]{0,40}|.{0,40}") {
            for out in [text(&s).0, source(s.lines().next().unwrap_or_default()).0, short(&s, 10).0] {
                let acts = ['<', '>', '"', '\'', '\n', '\r', '\u{1b}', '\u{202e}'];
                prop_assert!(!out.contains(acts));
                prop_assert!(!out.contains("::") && !out.contains("##"));
            }
        }

        #[test]
        fn any_string_is_data(s in "(?s)[<>&\"'#:\\[\n\r\\\\\u{2028}/a-c ]{0,40}|.{0,40}") {
            let out = json(&vec![&s]).0;
            prop_assert!(!out.contains(['<', '>', '&', '\n', '\r']));
            prop_assert!(!out.contains("::") && !out.contains("##"));
            let back: Vec<String> = serde_json::from_str(&out).unwrap();
            prop_assert_eq!(&back[0], &s);
        }
    }
}
