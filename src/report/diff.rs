//! A unified diff of two versions of one file, as git prints it.
//!
//! Goes in: the bytes before and after. Comes out: text that `git apply` and `patch` accept, with
//! three lines of context. Costs a Myers diff over lines (near-linear for the small edits of a
//! plan). Invariant: applying it to the old bytes gives the new bytes, if both are UTF-8.

use crate::source::{Edit, Span};
use similar::{Algorithm, DiffTag, capture_diff_slices, group_diff_ops};
use std::fmt::Write as _;
use std::ops::Range;

/// Lines of context around a change, as git has it.
const CONTEXT: usize = 3;

/// The unified diff from `old` to `new` under the names `a/PATH` and `b/PATH`; empty when the bytes
/// are equal.
///
/// Lines end at a line feed only, so carriage returns stay part of their line, and a missing last
/// line feed is marked. A `String` cannot hold bytes that are not UTF-8: on shown lines they become
/// U+FFFD, and such a diff is for reading only. Lines are compared as bytes in any case. Where a
/// file is created (`old` is empty) the diff is one of an empty file, which both tools also apply
/// where there is no file.
#[must_use]
pub fn unified(old: &[u8], new: &[u8], path: &str) -> String {
    if old == new {
        return String::new();
    }
    let (before, after) = (lines(old), lines(new));
    let ops = capture_diff_slices(Algorithm::Myers, &before, &after);
    let mut out = format!("--- {}\n+++ {}\n", name("a/", path), name("b/", path));
    for hunk in group_diff_ops(ops, CONTEXT) {
        let (Some(first), Some(last)) = (hunk.first(), hunk.last()) else {
            continue;
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "@@ -{} +{} @@",
            extent(first.old_range().start..last.old_range().end),
            extent(first.new_range().start..last.new_range().end),
        );
        for op in hunk {
            let (tag, old, new) = op.as_tag_tuple();
            if tag == DiffTag::Equal {
                push_lines(&mut out, ' ', &before[old]);
            } else {
                push_lines(&mut out, '-', &before[old]);
                push_lines(&mut out, '+', &after[new]);
            }
        }
    }
    out
}

/// The edits that turn `old` into `new`: whole lines, in order, apart from each other. Linear like [`unified`].
#[must_use]
pub fn edits(old: &[u8], new: &[u8]) -> Vec<Edit> {
    let (before, after) = (lines(old), lines(new));
    let starts = |lines: &[&[u8]]| {
        let sums = lines.iter().scan(0, |at, line| {
            *at += line.len();
            Some(*at)
        });
        std::iter::once(0).chain(sums).collect::<Vec<usize>>()
    };
    let (from, to) = (starts(&before), starts(&after));
    let mut out: Vec<Edit> = Vec::new();
    for op in capture_diff_slices(Algorithm::Myers, &before, &after) {
        let (tag, a, b) = op.as_tag_tuple();
        if tag == DiffTag::Equal {
            continue;
        }
        let span = Span::new(from[a.start], from[a.end]);
        let text = &new[to[b.start]..to[b.end]];
        // A deletion right before an insertion is one change.
        match out.last_mut().filter(|e| e.span.end == span.start) {
            Some(last) => {
                last.span.end = span.end;
                last.text.extend_from_slice(text);
            }
            None => out.push(Edit {
                span,
                text: text.to_vec(),
            }),
        }
    }
    out
}

fn lines(bytes: &[u8]) -> Vec<&[u8]> {
    bytes.split_inclusive(|b| *b == b'\n').collect()
}

fn push_lines(out: &mut String, sign: char, lines: &[&[u8]]) {
    for one in lines {
        out.push(sign);
        out.push_str(&String::from_utf8_lossy(one));
        if !one.ends_with(b"\n") {
            out.push_str("\n\\ No newline at end of file\n");
        }
    }
}

/// `start,count` of a hunk's head: 1-based, the count left out when it is one, and the line before
/// when it is none.
fn extent(lines: Range<usize>) -> String {
    match lines.len() {
        0 => format!("{},0", lines.start),
        1 => format!("{}", lines.start + 1),
        n => format!("{},{n}", lines.start + 1),
    }
}

/// A file name in a diff's head. Names with quotes, backslashes or control characters are quoted as
/// in C; after a name with a space a tab marks its end, as git does.
fn name(side: &str, path: &str) -> String {
    let special = |c: char| c.is_control() || c == '"' || c == '\\';
    if !path.contains(special) {
        let end = if path.contains(' ') { "\t" } else { "" };
        return format!("{side}{path}{end}");
    }
    let mut out = format!("\"{side}");
    for c in path.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            _ if c.is_control() => {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    let _ = write!(out, "\\{byte:03o}");
                }
            }
            _ => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::process::Command;

    fn applied(old: Option<&[u8]>, path: &str, diff: &str) -> Result<Vec<u8>, String> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(path);
        if let Some(parent) = file.parent() {
            std::fs::create_dir_all(parent).unwrap();
        }
        if let Some(old) = old {
            std::fs::write(&file, old).unwrap();
        }
        std::fs::write(dir.path().join("the.diff"), diff).unwrap();
        let out = Command::new("git")
            .args(["apply", "--whitespace=nowarn", "the.diff"])
            .current_dir(dir.path())
            .env("GIT_CEILING_DIRECTORIES", dir.path().parent().unwrap())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output()
            .unwrap();
        if !out.status.success() {
            return Err(String::from_utf8_lossy(&out.stderr).into_owned());
        }
        Ok(std::fs::read(file).unwrap_or_default())
    }

    #[test]
    fn a_moved_line() {
        let diff = unified(b"a\nb\nc\nd\ne\nf\n", b"a\nc\nd\ne\nf\nb", "Dockerfile");
        insta::assert_snapshot!(diff, @r"
        --- a/Dockerfile
        +++ b/Dockerfile
        @@ -1,6 +1,6 @@
         a
        -b
         c
         d
         e
         f
        +b
        \ No newline at end of file
        ");
        assert_eq!(unified(b"x", b"x", "f"), "");
    }

    #[test]
    fn odd_names_apply() {
        for path in ["a b/Docker file", "q\"uo\\te", "é/ü", "tab\tin"] {
            let diff = unified(b"a\nb\n", b"b\n", path);
            assert_eq!(
                applied(Some(b"a\nb\n"), path, &diff).unwrap(),
                b"b\n",
                "{diff}"
            );
        }
    }

    #[test]
    fn a_new_file_applies_with_and_without_an_empty_one() {
        let diff = unified(b"", b"*\n!src\n", ".dockerignore");
        for old in [None, Some(&b""[..])] {
            assert_eq!(applied(old, ".dockerignore", &diff).unwrap(), b"*\n!src\n");
        }
    }

    fn text() -> impl Strategy<Value = String> {
        let one = prop::sample::select(vec![
            "a\n",
            "b\n",
            "\n",
            "c\r\n",
            "a\rb\n",
            "-- x\n",
            "é\u{2028}\n",
        ]);
        let end = prop::sample::select(vec!["", "", "z", "a\r"]);
        (prop::collection::vec(one, 0..25), end).prop_map(|(l, e)| l.concat() + e)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn git_apply_gives_the_new_bytes(old in text(), new in text()) {
            let diff = unified(old.as_bytes(), new.as_bytes(), "Dockerfile");
            if old == new {
                prop_assert_eq!(diff, "");
            } else {
                let got = applied(Some(old.as_bytes()), "Dockerfile", &diff);
                prop_assert_eq!(got, Ok(new.into_bytes()), "{}", diff);
            }
        }
    }
}
