//! `.gitattributes` files, as far as they change what a checkout writes.
//!
//! Goes in: the bytes of the files and a path. Comes out: the [`Conversion`] that git applies to the
//! path's blob when it writes the work tree. Cost: one match per rule of the files above the path.
//! Invariant: parsing is total, and nothing a file names (a filter driver) is ever looked up or started.
//!
//! The rules are git's own (gitattributes(5)): the file nearest to the path wins, in a file the last
//! line; macros stand in the root's file only; lines that git refuses are left out as a whole. Compared
//! with `git check-attr` and with real checkouts in `tests/history_attributes.rs`.

use gix::bstr::ByteSlice;
use gix::glob::wildmatch::Mode;

/// The name of the files.
pub(super) const FILE_NAME: &[u8] = b".gitattributes";

/// Git ignores longer lines, in bytes.
const MAX_LINE: usize = 2048;

/// Longer files are not read, in bytes (git's own limit is 100 MiB).
pub(super) const MAX_FILE: usize = 16 << 20;

/// What one word of a line does to an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Set,
    Unset,
    Unspecified,
    Value(Vec<u8>),
}

type Assignment = (Vec<u8>, State);

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    pattern: Vec<u8>,
    /// Matches the last part of a path; else the whole path below the file's directory.
    base_name: bool,
    states: Vec<Assignment>,
}

/// One parsed file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct AttributeFile {
    /// As [`may_convert`] says.
    converts: bool,
    rules: Vec<Rule>,
    macros: Vec<Macro>,
}

/// A macro and what it stands for.
type Macro = (Vec<u8>, Vec<Assignment>);

/// When line feeds become CR LF.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum LineEnds {
    /// They stay as they are.
    #[default]
    Kept,
    /// Those without a CR before them do.
    Always,
    /// As `Always`, in what looks like text and has no CR at all.
    InText,
}

/// What a checkout does to a blob.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Conversion {
    pub(super) line_ends: LineEnds,
    /// `$Id$` is filled in.
    pub(super) ident: bool,
    /// The encoding files are written in, upper case; none for UTF-8.
    pub(super) encoding: Option<Vec<u8>>,
    /// Git LFS would put another file in place of a pointer.
    pub(super) lfs: bool,
}

impl Conversion {
    /// Whether the bytes of any blob differ in the checkout.
    pub(super) fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// Whether a file can lead to a [`Conversion`] at all; most hold `text=auto` and no more, and then nobody
/// has to look at paths.
pub(super) fn may_convert(file: &[u8]) -> bool {
    let words: [&[u8]; 4] = [b"crlf", b"ident", b"working-tree-encoding", b"lfs"];
    words.iter().any(|word| file.contains_str(word))
}

impl AttributeFile {
    /// As [`may_convert`] says of its bytes.
    pub(super) fn converts(&self) -> bool {
        self.converts
    }

    /// Reads a file.
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let mut file = Self {
            converts: may_convert(bytes),
            ..Self::default()
        };
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        // Git's text ends at a NUL.
        let bytes = bytes.split(|b| *b == 0).next().unwrap_or_default();
        for line in bytes.split(|b| *b == b'\n') {
            if line.len() < MAX_LINE {
                file.line(line);
            }
        }
        file
    }

    fn line(&mut self, line: &[u8]) {
        let line = trim_start(line);
        if line.is_empty() || line[0] == b'#' {
            return;
        }
        let quoted = match line[0] {
            b'"' => unquote(line),
            _ => None,
        };
        let (name, rest) = quoted.unwrap_or_else(|| {
            let end = line.iter().position(is_blank).unwrap_or(line.len());
            (line[..end].to_vec(), &line[end..])
        });
        let Some(states) = assignments(rest) else {
            return;
        };
        if let Some(name) = name.strip_prefix(b"[attr]").filter(|name| !name.is_empty()) {
            if is_name(name) {
                self.macros.push((name.to_vec(), states));
            }
            return;
        }
        if name.starts_with(b"!") || states.is_empty() {
            return;
        }
        // A pattern for directories never matches a file.
        if name.ends_with(b"/") {
            return;
        }
        let base_name = !name.contains(&b'/');
        let pattern = name.strip_prefix(b"/").unwrap_or(&name).to_vec();
        self.rules.push(Rule {
            pattern,
            base_name,
            states,
        });
    }
}

/// The files above a path, the root's first: each with the length of its directory, slash included.
pub(super) type Above<'a> = [(usize, &'a AttributeFile)];

/// What a checkout does to the blob of `path`. `macros` is the root's file, if there is one.
pub(super) fn conversion(above: &Above<'_>, path: &[u8]) -> Conversion {
    if !above.iter().any(|(_, file)| file.converts) {
        return Conversion::default();
    }
    let mut values: Values<'_> = Vec::new();
    let macros = above.first().filter(|(length, _)| *length == 0);
    let macros: &[Macro] = macros.map_or(&[], |(_, file)| &file.macros);
    let name = path.rsplit(|b| *b == b'/').next().unwrap_or(path);
    for (length, file) in above.iter().rev() {
        for rule in file.rules.iter().rev() {
            if rule.matches(&path[*length..], name) {
                fill(&mut values, &rule.states, macros);
            }
        }
    }
    decide(&values)
}

impl Rule {
    fn matches(&self, below: &[u8], name: &[u8]) -> bool {
        let (value, mode) = match self.base_name {
            true => (name, Mode::empty()),
            false => (below, Mode::NO_MATCH_SLASH_LITERAL),
        };
        gix::glob::wildmatch(self.pattern.as_bstr(), value.as_bstr(), mode)
    }
}

/// Whether an edit of a file from `old` to `new` can matter to a path: some line that is not in both of
/// them, at the same place from the start or from the end, matches it; or the macros differ.
pub(super) struct Edit<'a> {
    everything: bool,
    lines: Vec<&'a Rule>,
}

impl<'a> Edit<'a> {
    pub(super) fn new(old: &'a AttributeFile, new: &'a AttributeFile) -> Self {
        let pairs = || old.rules.iter().zip(&new.rules);
        let start = pairs().take_while(|(a, b)| a == b).count();
        let shorter = old.rules.len().min(new.rules.len()) - start;
        let ends = old.rules.iter().rev().zip(new.rules.iter().rev());
        let end = ends.take(shorter).take_while(|(a, b)| a == b).count();
        let middle = |file: &'a AttributeFile| &file.rules[start..file.rules.len() - end];
        Self {
            everything: old.macros != new.macros,
            lines: middle(old).iter().chain(middle(new)).collect(),
        }
    }

    /// `below` is the path below the directory of the file.
    pub(super) fn concerns(&self, below: &[u8]) -> bool {
        let name = below.rsplit(|b| *b == b'/').next().unwrap_or(below);
        self.everything || self.lines.iter().any(|rule| rule.matches(below, name))
    }
}

type Values<'a> = Vec<(&'a [u8], &'a State)>;

/// Attributes not yet decided take the states of a line, the last one first; a macro that is set brings
/// its own along at once. An explicit stack: a file may chain as many macros as it has lines.
fn fill<'a>(values: &mut Values<'a>, states: &'a [Assignment], macros: &'a [Macro]) {
    let binary: &'static [Macro] = binary_macro();
    let mut open = vec![states.iter().rev()];
    while let Some(states) = open.last_mut() {
        let Some((name, state)) = states.next() else {
            open.pop();
            continue;
        };
        if values.iter().any(|(known, _)| *known == name.as_slice()) {
            continue;
        }
        values.push((name, state));
        if *state == State::Set {
            let named = |m: &&Macro| m.0 == *name;
            let found = macros.iter().rev().find(named);
            if let Some((_, inside)) = found.or_else(|| binary.iter().find(named)) {
                open.push(inside.iter().rev());
            }
        }
    }
}

/// `binary` is built in.
fn binary_macro() -> &'static [Macro] {
    static BINARY: std::sync::OnceLock<Vec<Macro>> = std::sync::OnceLock::new();
    BINARY.get_or_init(|| {
        let unset = |name: &[u8]| (name.to_vec(), State::Unset);
        let states = vec![unset(b"diff"), unset(b"merge"), unset(b"text")];
        vec![(b"binary".to_vec(), states)]
    })
}

/// What `text`, `crlf`, `eol`, `ident` and the others come to on a machine without `core.autocrlf` and
/// `core.eol`, where the own line end is LF.
fn decide(values: &Values<'_>) -> Conversion {
    #[derive(Clone, Copy, PartialEq, Eq)]
    enum Text {
        Undefined,
        Binary,
        Yes,
        Auto,
    }
    let get = |name: &[u8]| {
        let found = values.iter().find(|(known, _)| *known == name);
        found.map(|(_, state)| *state)
    };
    let text = |name: &[u8]| match get(name) {
        Some(State::Set) => Text::Yes,
        Some(State::Unset) => Text::Binary,
        Some(State::Value(v)) if v == b"input" => Text::Yes,
        Some(State::Value(v)) if v == b"auto" => Text::Auto,
        _ => Text::Undefined,
    };
    let kind = match text(b"text") {
        Text::Undefined => text(b"crlf"),
        known => known,
    };
    let eol_crlf = matches!(get(b"eol"), Some(State::Value(v)) if v == b"crlf");
    let line_ends = match kind {
        Text::Binary => LineEnds::Kept,
        _ if !eol_crlf => LineEnds::Kept,
        Text::Auto => LineEnds::InText,
        Text::Yes | Text::Undefined => LineEnds::Always,
    };
    let encoding = match get(b"working-tree-encoding") {
        Some(State::Value(v)) if !v.is_empty() => {
            let upper = v.to_ascii_uppercase();
            (upper != b"UTF-8" && upper != b"UTF8").then_some(upper)
        }
        _ => None,
    };
    Conversion {
        line_ends,
        ident: get(b"ident") == Some(&State::Set),
        encoding,
        lfs: matches!(get(b"filter"), Some(State::Value(v)) if v == b"lfs"),
    }
}

fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r')
}

fn trim_start(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|b| !is_blank(b));
    &bytes[start.unwrap_or(bytes.len())..]
}

/// The attributes behind a pattern; none when one of them has no proper name.
fn assignments(rest: &[u8]) -> Option<Vec<Assignment>> {
    let words = rest.split(is_blank).filter(|word| !word.is_empty());
    let one = |word: &[u8]| {
        let (name, value) = match word.iter().position(|b| *b == b'=') {
            Some(at) => (&word[..at], Some(&word[at + 1..])),
            None => (word, None),
        };
        let (name, state) = match name.first() {
            Some(b'-') => (&name[1..], State::Unset),
            Some(b'!') => (&name[1..], State::Unspecified),
            _ => {
                let value = value.map(|v| State::Value(v.to_vec()));
                (name, value.unwrap_or(State::Set))
            }
        };
        is_name(name).then(|| (name.to_vec(), state))
    };
    words.map(one).collect()
}

fn is_name(name: &[u8]) -> bool {
    let proper = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    !name.is_empty() && name[0] != b'-' && name.iter().all(proper) && !name.starts_with(b"builtin_")
}

/// A name in double quotes with the escapes of C, and what follows it; none when it does not end.
fn unquote(line: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut out = Vec::new();
    let mut at = 1;
    loop {
        match *line.get(at)? {
            b'"' => return Some((out, &line[at + 1..])),
            b'\\' => {
                let (byte, length) = match *line.get(at + 1)? {
                    b'a' => (7, 2),
                    b'b' => (8, 2),
                    b'f' => (12, 2),
                    b'n' => (b'\n', 2),
                    b'r' => (b'\r', 2),
                    b't' => (b'\t', 2),
                    b'v' => (11, 2),
                    c @ (b'\\' | b'"') => (c, 2),
                    b'0'..=b'3' => {
                        let digits = line.get(at + 1..at + 4)?;
                        let octal = |d: &u8| (b'0'..=b'7').contains(d);
                        if !digits.iter().all(octal) {
                            return None;
                        }
                        let value = digits.iter().fold(0u8, |v, d| (v << 3) | (d - b'0'));
                        (value, 4)
                    }
                    _ => return None,
                };
                out.push(byte);
                at += length;
            }
            byte => {
                out.push(byte);
                at += 1;
            }
        }
    }
}
