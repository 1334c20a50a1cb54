//! Flags after the keyword: `--name=value`.
//!
//! Goes in: the text after a keyword. Comes out: flag words and where the arguments begin; then a
//! verdict per flag from one table. Costs one pass. Invariant: a name is in the table if and only
//! if some instruction of the newest grammar takes it.

use super::bytes::{Bytes, byte_set};
use super::check;
use super::keyword::Keyword;
use super::suggest;
use std::ops::Range;

/// One flag as lexed.
pub(super) struct Word {
    /// Bytes of the text it was read from.
    pub(super) range: Range<usize>,
    /// Without quotes and escapes, where it had some.
    pub(super) cooked: Option<String>,
    /// Where the first `=` is, in `cooked` if there is one, else from the start of the range.
    pub(super) equals: Option<usize>,
}

/// Where name and value of a flag word are, from its dashes on, the first `=` being at `equals`.
fn halves(len: usize, equals: Option<u32>) -> (Range<usize>, Option<Range<usize>>) {
    let equals = equals.map(|n| n as usize);
    (2..equals.unwrap_or(len), equals.map(|n| n + 1..len))
}

/// Name and value of a flag word.
pub(super) fn cut(whole: &str, equals: Option<u32>) -> (&str, Option<&str>) {
    let (name, value) = halves(whole.len(), equals);
    let value = value.and_then(|range| whole.get(range));
    (whole.get(name).unwrap_or_default(), value)
}

/// As [`cut`], of bytes.
pub(super) fn cut_bytes(whole: &[u8], equals: Option<u32>) -> (&[u8], Option<&[u8]>) {
    let (name, value) = halves(whole.len(), equals);
    let value = value.and_then(|range| whole.get(range));
    (whole.get(name).unwrap_or_default(), value)
}

/// Takes flags from the start of `part` of the text; returns the offset of the arguments.
///
/// The builder reads bytes here and widens each to a character, so a value outside ASCII comes out
/// mangled, and two bytes of such characters even count as blanks.
#[inline]
pub(super) fn split(text: &str, part: Range<usize>, escape: char, each: impl FnMut(Word)) -> usize {
    // Most arguments start without flags.
    let sign = text.as_bytes()[part.clone()].first();
    if sign.is_none_or(|b| b.is_ascii_graphic() && *b != b'-') {
        return part.start;
    }
    split_slowly(text, part, escape, each)
}

fn split_slowly(text: &str, part: Range<usize>, escape: char, mut each: impl FnMut(Word)) -> usize {
    let bytes = &text.as_bytes()[..part.end];
    let mut at = part.start;
    loop {
        while bytes.get(at).is_some_and(|b| is_blank(*b)) {
            at += 1;
        }
        if !bytes[at..].starts_with(b"--") {
            break;
        }
        let (cooked, equals, end) = match plain(bytes, at) {
            Some((equals, end)) => (None, equals, end),
            None => {
                let (word, end) = lex(bytes, at, escape);
                let equals = word.bytes().position(|b| b == b'=');
                (Some(word), equals, end)
            }
        };
        let len = cooked.as_ref().map_or(end - at, String::len);
        if len == b"--".len() {
            at = end;
            break;
        }
        each(Word {
            range: at..end,
            equals,
            cooked,
        });
        at = end;
    }
    while !text.is_char_boundary(at) {
        at += 1;
    }
    at
}

/// A byte as the builder widens it: the two Latin-1 blanks are blanks.
fn is_blank(byte: u8) -> bool {
    static BLANK: Bytes = byte_set!(b'\t'..=b'\r' | b' ' | 0x85 | 0xa0);
    BLANK.has(byte)
}

/// Blanks, quotes, both escape characters, and what is not ASCII.
pub(super) static SPECIAL: Bytes = byte_set!(0..=b' ' | b'\'' | b'"' | b'\\' | b'`' | 0x80..);

/// The first `=` of a word that stands for itself, from its start, and where the word ends.
fn plain(bytes: &[u8], start: usize) -> Option<(Option<usize>, usize)> {
    let special = |b: &u8| SPECIAL.has(*b);
    let (name, mut end) = (&bytes[start..], bytes.len());
    let equals = name.iter().position(|b| *b == b'=' || special(b));
    let equals = match equals {
        Some(n) if name[n] == b'=' => {
            let value = &name[n + 1..];
            end = value
                .iter()
                .position(special)
                .map_or(end, |m| start + n + 1 + m);
            Some(n)
        }
        Some(n) => {
            end = start + n;
            None
        }
        None => None,
    };
    let stands = bytes.get(end).is_none_or(|b| is_blank(*b));
    stands.then_some((equals, end))
}

fn lex(bytes: &[u8], start: usize, escape: char) -> (String, usize) {
    let mut word = String::new();
    let mut quote = None;
    let mut at = start;
    while let Some(b) = bytes.get(at).copied() {
        match quote {
            None if is_blank(b) => break,
            None if b == b'\'' || b == b'"' => quote = Some(b),
            Some(q) if b == q => quote = None,
            _ if char::from(b) == escape => {
                at += 1;
                if let Some(protected) = bytes.get(at) {
                    word.push(char::from(*protected));
                }
            }
            _ => word.push(char::from(b)),
        }
        at += 1;
    }
    (word, at.min(bytes.len()))
}

/// What values a flag takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    Text,
    List,
    Bool,
    OneOf(&'static [&'static str]),
    Duration,
    Count,
}

fn table(keyword: Keyword) -> &'static [(&'static str, Takes)] {
    use Takes::{Bool, Count, Duration, List, OneOf, Text};
    match keyword {
        Keyword::From => &[("platform", Text)],
        Keyword::Run => &[
            ("mount", List),
            ("network", OneOf(&["default", "none", "host"])),
            ("security", OneOf(&["sandbox", "insecure"])),
            ("device", List),
        ],
        Keyword::Copy => &[
            ("from", Text),
            ("chown", Text),
            ("chmod", Text),
            ("link", Bool),
            ("exclude", List),
            ("parents", Bool),
        ],
        Keyword::Add => &[
            ("chown", Text),
            ("chmod", Text),
            ("link", Bool),
            ("exclude", List),
            ("keep-git-dir", Bool),
            ("checksum", Text),
            ("unpack", Bool),
        ],
        Keyword::Healthcheck => &[
            ("interval", Duration),
            ("timeout", Duration),
            ("start-period", Duration),
            ("start-interval", Duration),
            ("retries", Count),
        ],
        _ => &[],
    }
}

/// Whether an instruction takes a flag of this name and value; then the bit that stands for it, or none if it
/// may be repeated. What is not known at a glance is not said.
#[inline]
pub(super) fn fits(keyword: Keyword, name: &[u8], value: Option<&[u8]>) -> Option<u32> {
    let mut known = table(keyword).iter().zip(0..);
    let ((_, takes), n) = known.find(|((known, _), _)| known.as_bytes() == name)?;
    match (takes, value) {
        (Takes::List, Some(_)) => Some(0),
        (Takes::Text, Some(_)) | (Takes::Bool, None) => Some(1 << n),
        (Takes::Duration, Some([digits @ .., b's' | b'm' | b'h']))
            if (1..6).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit) =>
        {
            Some(1 << n)
        }
        _ => None,
    }
}

/// One objection to a flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Objection {
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) help: String,
    /// Which flag.
    pub(super) index: usize,
}

/// Checks so many flags of an instruction by their names and values. ARG and STOPSIGNAL take
/// anything, and so does `HEALTHCHECK NONE`; callers know that one.
pub(super) fn check<'a>(
    keyword: Keyword,
    count: usize,
    flag: impl Fn(usize) -> (&'a str, Option<&'a str>),
) -> Vec<Objection> {
    if matches!(keyword, Keyword::Arg | Keyword::Stopsignal) {
        return Vec::new();
    }
    let table = table(keyword);
    let mut out = Vec::new();
    for index in 0..count {
        let (name, value) = flag(index);
        let mut object = |code, message: String, help| {
            out.push(Objection {
                code,
                message,
                help,
                index,
            });
        };
        let Some((_, takes)) = table.iter().find(|(known, _)| *known == name) else {
            let names = table.iter().map(|(known, _)| *known);
            let help = match suggest::nearest(name, names) {
                Some(near) => format!("did you mean `--{near}`?"),
                None if table.is_empty() => format!("{keyword} takes no flags"),
                None => {
                    let names: Vec<_> = table.iter().map(|(n, _)| format!("`--{n}`")).collect();
                    format!("{keyword} takes {}", names.join(", "))
                }
            };
            object(
                "build/unknown-flag",
                format!("{keyword} has no flag `--{name}`"),
                help,
            );
            continue;
        };
        let again = || (0..index).any(|n| flag(n).0 == name);
        if *takes != Takes::List && again() {
            object(
                "build/duplicate-flag",
                format!("flag `--{name}` is given twice"),
                "leave one of them out".to_owned(),
            );
            continue;
        }
        match (takes, value) {
            (Takes::Bool, None) => {}
            (Takes::Bool, Some("")) | (_, None) => object(
                "build/missing-flag-value",
                format!("flag `--{name}` has no value"),
                format!("write `--{name}=...`"),
            ),
            (takes, Some(value)) => {
                if let Some(wanted) = refusal(*takes, value) {
                    object(
                        "build/bad-flag-value",
                        format!("`{value}` is no value for `--{name}`"),
                        format!("it takes {wanted}"),
                    );
                }
            }
        }
    }
    out
}

/// What would have been right, if the value is not.
fn refusal(takes: Takes, value: &str) -> Option<String> {
    let ok = match takes {
        Takes::Text | Takes::List => true,
        Takes::Bool => ["true", "false"].contains(&value.to_lowercase().as_str()),
        Takes::OneOf(names) => names.contains(&value),
        Takes::Duration => {
            value.is_empty() || check::duration(value).is_some_and(|n| n == 0 || n >= 1_000_000)
        }
        Takes::Count => value.is_empty() || value.parse::<i32>().is_ok_and(|n| n >= 0),
    };
    (!ok).then(|| match takes {
        Takes::Bool => "`true` or `false`".to_owned(),
        Takes::OneOf(names) => format!("one of {}", names.join(", ")),
        Takes::Duration => "0, or a duration of at least 1ms such as `1m30s`".to_owned(),
        Takes::Count => "a whole number from 0".to_owned(),
        Takes::Text | Takes::List => "text".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Flags without quotes and escapes, and where the arguments begin.
    fn read(text: &str, escape: char) -> (Vec<(String, Option<u32>)>, usize) {
        let mut flags = Vec::new();
        let end = split(text, 0..text.len(), escape, |word| {
            let raw = || text[word.range].to_owned();
            let equals = word.equals.map(|n| u32::try_from(n).unwrap());
            flags.push((word.cooked.unwrap_or_else(raw), equals));
        });
        (flags, end)
    }

    fn show(text: &str) -> (Vec<String>, &str) {
        let (flags, at) = read(text, '\\');
        let word = |(whole, equals): &(String, Option<u32>)| {
            let (name, value) = cut(whole, *equals);
            format!("{name}={}", value.unwrap_or("-"))
        };
        (flags.iter().map(word).collect(), text[at..].trim())
    }

    fn verdict(keyword: Keyword, text: &str) -> Vec<Objection> {
        let (flags, _) = read(text, '\\');
        check(keyword, flags.len(), |n| cut(&flags[n].0, flags[n].1))
    }

    #[test]
    fn flag_words() {
        let rows: [(&str, &[&str], &str); 11] = [
            ("--from=a b c", &["from=a"], "b c"),
            ("--link  --x=1=2 a", &["link=-", "x=1=2"], "a"),
            ("--x=\"a b\"'c d' e", &["x=a bc d"], "e"),
            (r"--x=a\ b\' e", &["x=a b'"], "e"),
            (r#"--x="a\"b" e"#, &["x=a\"b"], "e"),
            ("-- --x y", &[], "--x y"),
            ("a --x", &[], "a --x"),
            ("-x --y", &[], "-x --y"),
            ("--=x y", &["=x"], "y"),
            ("--x=\u{e9} y", &["x=\u{c3}\u{a9}"], "y"),
            ("--x='a", &["x=a"], ""),
        ];
        for (text, flags, rest) in rows {
            assert_eq!(
                show(text),
                (flags.iter().map(|s| (*s).to_owned()).collect(), rest),
                "{text}"
            );
        }
        let text = "--x=a` b c";
        let (flags, _) = read(text, '`');
        assert_eq!(cut(&flags[0].0, flags[0].1).1, Some("a b"));
    }

    #[test]
    fn verdicts() {
        let rows = [
            (
                "COPY",
                "--from=a --chown= --link --exclude=a --exclude=b",
                "",
            ),
            ("COPY", "--link=TRUE --parents=false", ""),
            ("COPY", "--link=", "missing-flag-value"),
            ("COPY", "--link=yes", "bad-flag-value"),
            ("COPY", "--from", "missing-flag-value"),
            ("COPY", "--from=a --from=b", "duplicate-flag"),
            ("COPY", "--From=a", "unknown-flag"),
            ("COPY", "--checksum=a", "unknown-flag"),
            ("ADD", "--from=a", "unknown-flag"),
            (
                "RUN",
                "--network=none --mount=a --mount=b --security=insecure",
                "",
            ),
            ("RUN", "--network=NONE", "bad-flag-value"),
            ("RUN", "--network=", "bad-flag-value"),
            (
                "HEALTHCHECK",
                "--interval=1.5m --timeout=0 --retries= --start-period=",
                "",
            ),
            ("HEALTHCHECK", "--interval=1us", "bad-flag-value"),
            ("HEALTHCHECK", "--interval=5", "bad-flag-value"),
            ("HEALTHCHECK", "--interval=-1s", "bad-flag-value"),
            ("HEALTHCHECK", "--retries=-1", "bad-flag-value"),
            ("HEALTHCHECK", "--retries=1x", "bad-flag-value"),
            ("USER", "--x", "unknown-flag"),
            ("CMD", "--=x", "unknown-flag"),
            ("ARG", "--x", ""),
            ("STOPSIGNAL", "--x", ""),
        ];
        for (keyword, text, code) in rows {
            let keyword = Keyword::read(keyword).unwrap();
            let found = verdict(keyword, text);
            let codes: Vec<&str> = found.iter().map(|o| &o.code["build/".len()..]).collect();
            assert_eq!(codes.join(" "), code, "{keyword} {text}");
        }
        let near = verdict(Keyword::Copy, "--chonw=1");
        assert_eq!(near[0].help, "did you mean `--chown`?");
    }
}
