//! Parser directives: `# syntax=`, `# escape=`, `# check=` at the top of a file.
//!
//! Goes in: one comment line at a time while directives are still possible. Comes out: its name and
//! value. Costs one pass over the line. Invariant: only known names are directives; any other line
//! ends them for the rest of the file.

use super::check;
use super::lines::after_mark;
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use std::collections::BTreeMap;

/// A directive line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Directive {
    pub(super) name: Name,
    pub(super) value: String,
    /// Bytes of the value within the line.
    pub(super) at: std::ops::Range<usize>,
}

/// The known names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Syntax,
    Escape,
    Check,
}

impl Name {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Syntax => "syntax",
            Self::Escape => "escape",
            Self::Check => "check",
        }
    }
}

/// Reads `# name = value`, with ASCII white space as the builder's pattern has it; `line` has no line end and starts with `#`.
pub(super) fn read(line: &str) -> Option<Directive> {
    read_after(line, "#")
}

/// The `syntax` of a file that is no Dockerfile: `// syntax = value` at the top, or a JSON object with
/// that key. The builder looks for them where there is no `# syntax` (`DetectSyntax` in its `parser`).
pub(super) fn foreign_syntax(bytes: &[u8]) -> Option<(String, Span)> {
    let mut start = after_mark(bytes);
    // Nearly all files start with a comment or a keyword.
    if let [b'#', b'\t' | b' ' | b'A'..=b'z', ..] | [b'A'..=b'z', ..] = &bytes[start..] {
        return None;
    }
    if bytes[start..].starts_with(b"#!") {
        start += bytes[start..].iter().position(|b| *b == b'\n')? + 1;
    }
    let rest = &bytes[start..];
    if rest.trim_ascii_start().starts_with(b"{") {
        let object: BTreeMap<String, serde_json::Value> = serde_json::from_slice(rest).ok()?;
        let value = object.get("syntax")?.as_str()?.to_owned();
        return Some((value, Span::new(start, start)));
    }
    // Nearly all files.
    if !rest.starts_with(b"//") {
        return None;
    }
    let mut seen = Vec::new();
    let mut found = None;
    for line in rest.split_inclusive(|b| *b == b'\n') {
        let text = String::from_utf8_lossy(line.trim_ascii_end());
        let Some(directive) = read_after(&text, "//") else {
            break;
        };
        // Of two of one name the builder takes neither, nor any other.
        if seen.contains(&directive.name) {
            return None;
        }
        seen.push(directive.name);
        if directive.name == Name::Syntax {
            let end = start + line.len();
            let place = |at: usize| (start + at).min(end);
            found = Some((
                directive.value,
                Span::new(place(directive.at.start), place(directive.at.end)),
            ));
        }
        start += line.len();
    }
    found
}

fn read_after(line: &str, comment: &str) -> Option<Directive> {
    let rest = line.strip_prefix(comment)?.trim_ascii_start();
    let (name, value) = rest.split_once('=')?;
    let name = name.trim_ascii_end();
    let names = [Name::Syntax, Name::Escape, Name::Check];
    let name = names
        .into_iter()
        .find(|n| n.as_str().eq_ignore_ascii_case(name))?;
    let rest = value.trim_ascii_start();
    let trimmed = rest.trim_ascii_end();
    let (start, end) = match trimmed.is_empty() {
        // All blanks: the builder's pattern needs a value and finds the last blank.
        true => (
            line.len() - value.chars().next_back()?.len_utf8(),
            line.len(),
        ),
        false => {
            let start = line.len() - rest.len();
            (start, start + trimmed.len())
        }
    };
    Some(Directive {
        name,
        value: line[start..end].to_owned(),
        at: start..end,
    })
}

/// What is wrong with a value, if anything.
pub(super) fn objection(directive: &Directive, span: Span) -> Option<Diagnostic> {
    let value = &directive.value;
    match directive.name {
        Name::Syntax => None,
        Name::Escape => (!matches!(value.as_str(), "\\" | "`")).then(|| {
            Diagnostic::error(
                "parse/bad-escape",
                format!("`{value}` cannot be the escape character"),
                span,
            )
            .with_help("it is a backslash or a backtick")
        }),
        Name::Check => {
            let bad = value.splitn(3, ';').find(|part| !check_option(part))?;
            let bad = bad.trim();
            Some(
                Diagnostic::error(
                    "parse/bad-check",
                    format!("`{bad}` is no option of the check directive"),
                    span,
                )
                .with_help("options are `skip=<rules>`, `error=<bool>`, `experimental=<rules>`"),
            )
        }
    }
}

fn check_option(part: &str) -> bool {
    match part.trim().split_once('=') {
        // Blanks before `=` are part of the name, so the builder does not know it.
        Some(("skip" | "experimental", _)) => true,
        Some(("error", value)) => check::truth(value.trim()).is_some(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let rows = [
            ("# escape=`", Some(("escape", "`"))),
            ("#ESCAPE  =  `  ", Some(("escape", "`"))),
            ("# syntax = a/b:1 c=d ", Some(("syntax", "a/b:1 c=d"))),
            ("# escape= ", Some(("escape", " "))),
            ("# escape=", None),
            ("# escape", None),
            ("# escap=`", None),
            ("# es cape=`", None),
            ("#", None),
        ];
        for (line, expected) in rows {
            let found = read(line);
            let found = found.as_ref().map(|d| (d.name.as_str(), d.value.as_str()));
            assert_eq!(found, expected, "{line}");
        }
    }

    /// Rows of `TestDetectSyntax`, put to the real builder.
    #[test]
    fn syntax_of_other_formats() {
        let rows: [(&str, Option<(&str, usize)>); 11] = [
            ("//syntax=foo\n//key=value", Some(("foo", 9))),
            ("// check=x\n// syntax = a b \n", Some(("a b", 23))),
            ("#!/bin/sh\n//syntax=x", Some(("x", 19))),
            ("#!/bin/sh\n\n//syntax=x", None),
            ("\u{feff}//syntax=x", Some(("x", 12))),
            ("//key=v\n//syntax=x", None),
            ("//syntax=a\n//syntax=b", None),
            ("FROM a\n//syntax=b", None),
            (r#"{"syntax": "foo", "bar": ["abc"]}"#, Some(("foo", 0))),
            (r#"{"syntax": "foo""#, None),
            ("{\"syntax\": \"foo\"}\n# syntax=bar", None),
        ];
        for (text, wanted) in rows {
            let found = foreign_syntax(text.as_bytes());
            let found = found.as_ref().map(|(v, s)| (v.as_str(), s.start as usize));
            assert_eq!(found, wanted, "{text}");
        }
    }

    #[test]
    fn check_values() {
        let rows = [
            ("skip=all", true),
            ("skip= A,B ; error= true ;experimental=all", true),
            ("skip = all", false),
            ("skip=all; error =true", false),
            ("skip=a;error=true;experimental=all;", true),
            ("skip=a;", false),
            ("foo", false),
            ("SKIP=a", false),
            ("error=maybe", false),
        ];
        for (value, ok) in rows {
            let d = read(&format!("# check={value}")).unwrap();
            assert_eq!(objection(&d, Span::default()).is_none(), ok, "{value}");
        }
    }
}
