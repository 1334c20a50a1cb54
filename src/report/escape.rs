//! Makes text from a repository safe to print in a terminal, a log or a Markdown comment.
//!
//! Goes in: any string (names, instructions, messages; all of it is the repository's to choose).
//! Comes out: a string that shows the same characters but acts on nothing: no terminal control, no
//! reversed reading order, no mention, link, HTML, table cell, fence or CI command. One pass each.
//! Invariant: text without special characters comes out unchanged.

use std::borrow::Cow;
use std::fmt::Write as _;

/// An entity that shows nothing and keeps two characters from being read together.
const BREAK: &str = "&#8203;";

/// Whether a character moves the cursor, hides itself, or changes the order in which its
/// neighbours are shown (the bidirectional controls and the invisible format characters).
pub(super) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

/// Shows control characters as `\xNN` and invisible or direction-changing characters as `\u{…}`.
/// Tabs and line feeds stay: the caller knows whether a line may end here (see [`line()`]).
#[must_use]
pub fn terminal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' | '\n' => out.push(c),
            _ if is_hidden(c) => push_code(&mut out, c),
            _ => out.push(c),
        }
    }
    out
}

fn push_code(out: &mut String, c: char) {
    let n = u32::from(c);
    // Writing to a String cannot fail.
    let _ = if n < 0x100 {
        write!(out, "\\x{n:02x}")
    } else {
        write!(out, "\\u{{{n:x}}}")
    };
}

/// [`terminal`] on one line: every run of white space becomes one space, none at the ends.
#[must_use]
pub fn line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_ascii_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(&terminal(word));
    }
    out
}

/// [`line()`] cut to `width` characters, the last of them `…` when something is missing.
#[must_use]
pub fn shortened(text: &str, width: usize) -> String {
    let whole = line(text);
    if whole.chars().count() <= width {
        return whole;
    }
    let mut out: String = whole.chars().take(width.saturating_sub(1)).collect();
    out.truncate(out.trim_end().len());
    out.push('…');
    out
}

/// Takes the power from CI commands in a finished document: a line that would start with `::`, or
/// that holds `##[` or `##word[`, gets one character of it shown as a code. Runners read commands
/// from the output of any step, so every text or Markdown report goes through this last.
#[must_use]
pub fn without_commands(document: &str) -> Cow<'_, str> {
    if !document.contains("::") && !document.contains("##") {
        return Cow::Borrowed(document);
    }
    let mut out = String::with_capacity(document.len() + 16);
    for one in document.split_inclusive(['\n', '\r']) {
        let body = one.trim_start();
        let (indent, body) = one.split_at(one.len() - body.len());
        out.push_str(indent);
        let mut rest = match body.strip_prefix("::") {
            Some(rest) => {
                out.push_str("\\x3a:");
                rest
            }
            None => body,
        };
        while let Some(at) = rest.find("##") {
            let tail = &rest[at + 2..];
            let word = tail.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '-');
            out.push_str(&rest[..=at]);
            if word.starts_with('[') {
                out.push_str("\\x23");
                rest = tail;
            } else {
                rest = &rest[at + 1..];
            }
        }
        out.push_str(rest);
    }
    Cow::Owned(out)
}

/// Text for the middle of a Markdown line or table cell: shown as it is, read as nothing.
/// Line ends become spaces.
#[must_use]
pub fn markdown_text(text: &str) -> String {
    let text = line(text);
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    let mut rest = text.as_str();
    let mut before = ' ';
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '|' => out.push_str("&#124;"),
            '\\' => out.push_str("&#92;"),
            '*' | '_' | '~' | '[' | ']' | '!' | '`' | '$' => {
                out.push('\\');
                out.push(c);
            }
            '@' => {
                out.push(c);
                out.push_str(BREAK);
            }
            '#' => {
                out.push_str("\\#");
                out.push_str(BREAK);
            }
            // `scheme://`, `mailto:` and CI's `::`.
            ':' if !rest.starts_with(' ') && !rest.is_empty() => {
                out.push(c);
                out.push_str(BREAK);
            }
            // `www.` is a link without a scheme.
            '.' if before.eq_ignore_ascii_case(&'w') => {
                out.push_str(BREAK);
                out.push(c);
            }
            // `GH-1` is an issue.
            '-' if before.eq_ignore_ascii_case(&'h') => {
                out.push(c);
                out.push_str(BREAK);
            }
            _ if c.is_ascii_hexdigit() && !before.is_ascii_alphanumeric() => {
                let run = &rest[..rest.len() - after_word(rest).len()];
                out.push(c);
                // Seven to forty hexadecimal digits are a commit.
                if run.len() >= 6 && run.bytes().all(|b| b.is_ascii_hexdigit()) {
                    out.push_str(&run[..5]);
                    out.push_str(BREAK);
                    rest = &rest[5..];
                }
            }
            _ => out.push(c),
        }
        before = c;
    }
    out
}

fn after_word(text: &str) -> &str {
    text.trim_start_matches(|c: char| c.is_ascii_alphanumeric())
}

/// Text as Markdown code, good in a line and in a table cell. Line ends become spaces. With a `|`
/// the HTML element is used, since a code span cannot hold one both in and out of a table.
#[must_use]
pub fn markdown_code(text: &str) -> String {
    let shown = line(text);
    if shown.is_empty() {
        return String::new();
    }
    if shown.contains(['|', '\\']) {
        return format!("<code>{}</code>", markdown_text(&shown));
    }
    let ticks = "`".repeat(longest_run(&shown, '`') + 1);
    let pad = if shown.starts_with('`') || shown.ends_with('`') {
        " "
    } else {
        ""
    };
    format!("{ticks}{pad}{shown}{pad}{ticks}")
}

/// A fenced block that ends in a line feed. The fence is longer than any run of backticks inside;
/// control characters other than tab and line feed are shown as codes, so a diff with a carriage
/// return is for reading here and for applying from the JSON document.
#[must_use]
pub fn fence(text: &str, info: &str) -> String {
    // A carriage return at a line's end is what a CRLF file looks like; it shows nothing.
    let body = terminal(&text.replace("\r\n", "\n"));
    let ticks = "`".repeat((longest_run(&body, '`') + 1).max(3));
    let info: String = info.chars().filter(char::is_ascii_alphanumeric).collect();
    let end = if body.is_empty() || body.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    format!("{ticks}{info}\n{body}{end}{ticks}\n")
}

fn longest_run(text: &str, of: char) -> usize {
    let (mut longest, mut run) = (0, 0);
    for c in text.chars() {
        run = if c == of { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn controls_are_shown() {
        assert_eq!(
            terminal("a\x1b[31m\x07\r\u{202e}é\t\n\u{9b}"),
            "a\\x1b[31m\\x07\\x0d\\u{202e}é\t\n\\x9b"
        );
        assert_eq!(line(" a\n\tb\r\n c "), "a b c");
        assert_eq!(shortened("RUN echo hello", 8), "RUN ech…");
        assert_eq!(shortened("RUN", 3), "RUN");
    }

    #[test]
    fn commands_lose_their_power() {
        let cases = [
            ("a::b ## c", "a::b ## c"),
            (" ::stop-commands::x\n", " \\x3a:stop-commands::x\n"),
            ("x\r::y", "x\r\\x3a:y"),
            ("a ##[error]b", "a #\\x23[error]b"),
            ("###vso[task]", "##\\x23vso[task]"),
        ];
        for (from, to) in cases {
            assert_eq!(without_commands(from), to);
        }
    }

    #[test]
    fn markdown_text_acts_on_nothing() {
        let cases = [
            ("plain text, 45 s.", "plain text, 45 s."),
            ("@octo", "@&#8203;octo"),
            ("a|b <b>", "a&#124;b &lt;b&gt;"),
            ("#12 GH-3", "\\#&#8203;12 GH-&#8203;3"),
            ("https://x www.y", "https:&#8203;//x www&#8203;.y"),
            ("a\nb", "a b"),
            ("see deadbee1 and decade", "see deadbe&#8203;e1 and decade"),
            ("![x](y)", "\\!\\[x\\](y)"),
        ];
        for (from, to) in cases {
            assert_eq!(markdown_text(from), to, "{from}");
        }
    }

    #[test]
    fn code_and_fences_hold_backticks() {
        assert_eq!(markdown_code("a `b`"), "`` a `b` ``");
        assert_eq!(markdown_code("a | b"), "<code>a &#124; b</code>");
        assert_eq!(markdown_code("a\nb"), "`a b`");
        assert_eq!(fence("a\n````\n", "diff"), "`````diff\na\n````\n`````\n");
        assert_eq!(fence("a\x1bb\r\nc", "x y`"), "```xy\na\\x1bb\nc\n```\n");
    }

    proptest! {
        #[test]
        fn any_string_is_harmless_as_text(s in "(?s)[@#|<>:/wW.a-f0-9`\\\\\\[\\]\n\r\t ]{0,40}|.{0,40}") {
            let out = markdown_text(&s);
            prop_assert!(!out.contains(['\n', '\r', '|', '<', '>']));
            prop_assert!(!out.contains("::") && !out.contains("://") && !out.contains("##["));
            let chars: Vec<char> = out.chars().collect();
            for (i, c) in chars.iter().enumerate() {
                let next = chars.get(i + 1).copied().unwrap_or(' ');
                prop_assert!(*c != '@' || !next.is_alphanumeric());
                let before = if i == 0 { ' ' } else { chars[i - 1] };
                prop_assert!(!matches!(c, '`' | '[' | ']' | '*' | '_') || before == '\\');
            }
        }

        #[test]
        fn any_string_is_one_code_span(s in "(?s)[`|@<a \n]{0,20}|.{0,20}") {
            let out = markdown_code(&s);
            prop_assert!(!out.contains(['\n', '|']));
            if out.starts_with('`') {
                let n = out.len() - out.trim_start_matches('`').len();
                let inner = &out[n..out.len() - n];
                prop_assert!(longest_run(inner, '`') < n && !inner.starts_with('`') && !inner.ends_with('`'));
            }
        }

        #[test]
        fn no_line_is_a_command(s in "(?s)[:#a-c\\[ \r\n]{0,30}") {
            let out = without_commands(&s);
            for one in out.split(['\n', '\r']) {
                prop_assert!(!one.trim_start().starts_with("::") && !one.contains("##["));
                prop_assert!(!one.contains("##a["));
            }
            prop_assert_eq!(without_commands(&out), out.as_ref());
        }

        #[test]
        fn a_fence_ends_only_at_its_end(s in "(?s)[`\r\na~ ]{0,40}") {
            let out = fence(&s, "diff");
            let first = out.lines().next().unwrap_or_default().trim_end_matches("diff").to_owned();
            prop_assert_eq!(out.matches(first.as_str()).count(), 2);
        }
    }
}
