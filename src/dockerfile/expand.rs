//! Words and variable expansion (grammar section 6).
//!
//! Goes in: a word as written and a look-up. Comes out: the word with quotes removed and variables
//! replaced, or the builder's complaint. Costs one pass; nesting is bounded.

use thiserror::Error;

/// Deepest nesting of `${…}`.
const MAX_DEPTH: usize = 100;

/// Why a word can't be expanded.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ExpandError {
    /// A quote is left open.
    #[error("unexpected end of statement while looking for matching {0}-quote")]
    OpenQuote(&'static str),
    /// `${` without `}`.
    #[error("syntax error: missing '}}'")]
    MissingBrace,
    /// `${}` and the like.
    #[error("syntax error: bad substitution")]
    BadSubstitution,
    /// An operator that is not known.
    #[error("unsupported modifier ({0}) in substitution")]
    UnsupportedModifier(String),
    /// `${v:?message}` of an unset variable.
    #[error("{0}: {1}")]
    Required(String, String),
    /// `${v/p` without the second slash.
    #[error("unexpected end of statement while looking for '/'")]
    OpenReplacement,
    /// Nested too deeply.
    #[error("expansions are nested more than {MAX_DEPTH} deep")]
    TooDeep,
}

type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Expands a word: variables replaced, quotes and escapes removed.
///
/// # Errors
/// An open quote or brace, an unknown operator, a required variable that is unset.
pub fn expand_word(word: &str, escape: char, lookup: Lookup<'_>) -> Result<String, ExpandError> {
    let mut lexer = Lexer { chars: word.chars().collect(), at: 0, escape, lookup, words: None };
    lexer.until(None, 0)
}

/// Expands a word and splits the result on blanks outside quotes (EXPOSE).
///
/// # Errors
/// As [`expand_word`].
pub fn expand_words(word: &str, escape: char, lookup: Lookup<'_>) -> Result<Vec<String>, ExpandError> {
    let text = expand_word(word, escape, lookup)?;
    Ok(text.split_whitespace().map(str::to_owned).collect())
}

/// Expands a COPY or ADD heredoc body: quotes are ordinary, every backslash goes and keeps the
/// character behind it.
///
/// # Errors
/// As [`expand_word`], quotes aside.
pub fn expand_heredoc(body: &str, lookup: Lookup<'_>) -> Result<String, ExpandError> {
    let mut lexer = Lexer { chars: body.chars().collect(), at: 0, escape: '\\', lookup, words: Some(()) };
    lexer.until(None, 0)
}

/// Names a word refers to, in order of appearance, each once.
#[must_use]
pub fn variables(word: &str, escape: char) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let chars: Vec<char> = word.chars().collect();
    let mut at = 0;
    let mut single = false;
    while at < chars.len() {
        match chars[at] {
            '\'' => single = !single,
            c if c == escape && !single => at += 1,
            '$' if !single => {
                let start = if chars.get(at + 1) == Some(&'{') { at + 2 } else { at + 1 };
                let name: String =
                    chars[start.min(chars.len())..].iter().take_while(|c| is_name(**c)).collect();
                if !name.is_empty() && !out.contains(&name) {
                    out.push(name);
                }
            }
            _ => {}
        }
        at += 1;
    }
    out
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

struct Lexer<'a> {
    chars: Vec<char>,
    at: usize,
    escape: char,
    lookup: Lookup<'a>,
    /// Present: quotes are ordinary characters.
    words: Option<()>,
}

impl Lexer<'_> {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek();
        self.at += usize::from(c.is_some());
        c
    }

    /// Expands up to an unquoted `stop` (consumed) or the end.
    fn until(&mut self, stop: Option<char>, depth: usize) -> Result<String, ExpandError> {
        self.until_mode(stop, depth, false)
    }

    /// `raw`: escapes stay in the text, for patterns.
    fn until_mode(&mut self, stop: Option<char>, depth: usize, raw: bool) -> Result<String, ExpandError> {
        if depth > MAX_DEPTH {
            return Err(ExpandError::TooDeep);
        }
        let mut out = String::new();
        while let Some(c) = self.next() {
            match c {
                c if Some(c) == stop => return Ok(out),
                '\'' if self.words.is_none() => self.single(&mut out)?,
                '"' if self.words.is_none() => self.double(&mut out, depth)?,
                '$' => out.push_str(&self.dollar(depth)?),
                c if c == self.escape => {
                    if raw {
                        out.push('\\');
                    }
                    out.extend(self.next());
                }
                c => out.push(c),
            }
        }
        match stop {
            None => Ok(out),
            Some('/') => Err(ExpandError::OpenReplacement),
            Some(_) => Err(ExpandError::MissingBrace),
        }
    }

    fn single(&mut self, out: &mut String) -> Result<(), ExpandError> {
        loop {
            match self.next() {
                None => return Err(ExpandError::OpenQuote("single")),
                Some('\'') => return Ok(()),
                Some(c) => out.push(c),
            }
        }
    }

    fn double(&mut self, out: &mut String, depth: usize) -> Result<(), ExpandError> {
        loop {
            match self.next() {
                None => return Err(ExpandError::OpenQuote("double")),
                Some('"') => return Ok(()),
                Some('$') => out.push_str(&self.dollar(depth)?),
                Some(c) if c == self.escape => match self.peek() {
                    None => return Err(ExpandError::OpenQuote("double")),
                    Some(n) if n == '"' || n == '$' || n == self.escape => out.extend(self.next()),
                    Some(_) => out.push(c),
                },
                Some(c) => out.push(c),
            }
        }
    }

    fn name(&mut self) -> String {
        let mut name = String::new();
        match self.peek() {
            Some(c) if c.is_ascii_digit() => {
                while let Some(c) = self.peek().filter(char::is_ascii_digit) {
                    name.push(c);
                    self.at += 1;
                }
            }
            Some(c) if "@*#?-$!".contains(c) => {
                name.push(c);
                self.at += 1;
            }
            _ => {
                while let Some(c) = self.peek().filter(|c| is_name(*c)) {
                    name.push(c);
                    self.at += 1;
                }
            }
        }
        name
    }

    fn dollar(&mut self, depth: usize) -> Result<String, ExpandError> {
        if self.peek() != Some('{') {
            let name = self.name();
            return Ok(if name.is_empty() { "$".to_owned() } else { (self.lookup)(&name).unwrap_or_default() });
        }
        self.at += 1;
        match self.peek() {
            None => return Err(ExpandError::MissingBrace),
            Some('}' | '{' | ':') => return Err(ExpandError::BadSubstitution),
            Some(_) => {}
        }
        let name = self.name();
        let value = (self.lookup)(&name);
        let op = self.next().ok_or(ExpandError::MissingBrace)?;
        let set = match &value {
            Some(v) => !v.is_empty(),
            None => false,
        };
        match op {
            '}' => Ok(value.unwrap_or_default()),
            ':' => {
                let op = self.next().ok_or(ExpandError::MissingBrace)?;
                if !"-+?".contains(op) {
                    return Err(ExpandError::UnsupportedModifier(format!(":{op}")));
                }
                let word = self.until(Some('}'), depth + 1)?;
                choose(op, set, &name, value, word, "not allowed to be empty")
            }
            '-' | '+' | '?' => {
                let word = self.until(Some('}'), depth + 1)?;
                let set = value.is_some();
                choose(op, set, &name, value, word, "not allowed to be unset")
            }
            '#' | '%' => {
                let greedy = self.peek() == Some(op);
                self.at += usize::from(greedy);
                let pattern = self.until_mode(Some('}'), depth + 1, true)?;
                Ok(cut(&value.unwrap_or_default(), &pattern, op == '#', greedy))
            }
            '/' => {
                let all = self.peek() == Some('/');
                self.at += usize::from(all);
                let pattern = self.until_mode(Some('/'), depth + 1, true)?;
                let replacement = self.until(Some('}'), depth + 1)?;
                Ok(replace(&value.unwrap_or_default(), &pattern, &replacement, all))
            }
            c => Err(ExpandError::UnsupportedModifier(c.to_string())),
        }
    }
}

fn choose(op: char, set: bool, name: &str, value: Option<String>, word: String, default: &str) -> Result<String, ExpandError> {
    match (op, set) {
        ('-', true) | ('?', true) => Ok(value.unwrap_or_default()),
        ('-', false) | ('+', true) => Ok(word),
        ('+', false) => Ok(String::new()),
        _ => {
            let message = if word.is_empty() { default.to_owned() } else { word };
            Err(ExpandError::Required(name.to_owned(), message))
        }
    }
}

/// One element of a `#`, `%` or `/` pattern.
enum Glob {
    Any,
    One,
    Literal(char),
}

fn glob(pattern: &str) -> Vec<Glob> {
    let mut out = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        out.push(match c {
            '*' => Glob::Any,
            '?' => Glob::One,
            '\\' => Glob::Literal(chars.next().unwrap_or('\\')),
            c => Glob::Literal(c),
        });
    }
    out
}

/// Every length of a prefix of `text` that the pattern matches, ascending. O(text · pattern).
fn prefixes(pattern: &[Glob], text: &[char]) -> Vec<usize> {
    let mut reached = vec![false; text.len() + 1];
    reached[0] = true;
    for part in pattern {
        let mut next = vec![false; text.len() + 1];
        match part {
            Glob::Any => {
                let mut on = false;
                for i in 0..=text.len() {
                    on |= reached[i];
                    next[i] = on;
                    on &= text.get(i) != Some(&'\n');
                }
            }
            Glob::One => {
                for i in 0..text.len() {
                    next[i + 1] = reached[i] && text[i] != '\n';
                }
            }
            Glob::Literal(c) => {
                for i in 0..text.len() {
                    next[i + 1] = reached[i] && text[i] == *c;
                }
            }
        }
        reached = next;
    }
    (0..=text.len()).filter(|i| reached[*i]).collect()
}

fn cut(value: &str, pattern: &str, front: bool, greedy: bool) -> String {
    let mut text: Vec<char> = value.chars().collect();
    let mut parts = glob(pattern);
    if !front {
        text.reverse();
        parts.reverse();
    }
    let lengths = prefixes(&parts, &text);
    let n = if greedy { lengths.last() } else { lengths.first() }.copied().unwrap_or(0);
    let mut rest: Vec<char> = text[n..].to_vec();
    if !front {
        rest.reverse();
    }
    rest.into_iter().collect()
}

fn replace(value: &str, pattern: &str, replacement: &str, all: bool) -> String {
    let text: Vec<char> = value.chars().collect();
    let parts = glob(pattern);
    let mut out = String::new();
    let mut at = 0;
    while at <= text.len() {
        let longest = prefixes(&parts, &text[at..]).last().copied();
        match longest {
            Some(n) if n > 0 => {
                out.push_str(replacement);
                at += n;
                if !all {
                    out.extend(&text[at..]);
                    return out;
                }
            }
            _ => {
                out.extend(text.get(at));
                at += 1;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(word: &str) -> Result<String, ExpandError> {
        expand_word(word, '\\', &|n| match n {
            "v" => Some("/usr/lib/x.tar.gz".to_owned()),
            "e" => Some(String::new()),
            "a" => Some("b".to_owned()),
            _ => None,
        })
    }

    #[test]
    fn value_table() {
        for (word, want) in [
            ("$a", "b"), ("${a}c", "bc"), ("$ac", ""), ("'$a'", "$a"), ("\"$a\"", "b"), ("\\$a", "$a"),
            ("\"\\$a\\n\"", "$a\\n"), ("a\\ b", "a b"), ("$", "$"), ("$.", "$."), ("x\\", "x"),
            ("${v##*/}", "x.tar.gz"), ("${v%.*}", "/usr/lib/x.tar"), ("${v%%.*}", "/usr/lib/x"),
            ("${v#*/}", "usr/lib/x.tar.gz"), ("${v/usr/opt}", "/opt/lib/x.tar.gz"),
            ("${v//\\//-}", "-usr-lib-x.tar.gz"), ("\"a${u:-b c}d\"", "ab cd"),
            ("${u:-${a}x}", "bx"), ("${e:-x}", "x"), ("${e-x}", ""), ("${a:+y}", "y"), ("${e:+y}", ""),
            ("${e+y}", "y"), ("${u+y}", ""), ("$1x", "x"), ("${a:?no}", "b"), ("a\"b'c\"", "ab'c"),
        ] {
            assert_eq!(expand(word).as_deref(), Ok(want), "{word}");
        }
    }

    #[test]
    fn error_table() {
        for word in ["${", "${}", "${a", "'x", "\"x", "${a:=x}", "${a:#x}", "${!a}", "${u:?}", "${u?gone}", "${v/usr}"] {
            assert!(expand(word).is_err(), "{word}");
        }
        let deep = "${x:-".repeat(5000);
        assert_eq!(expand(&deep), Err(ExpandError::TooDeep));
    }

    #[test]
    fn heredoc_bodies_lose_backslashes_only() {
        let out = expand_heredoc("\"$a\" \\n \\$a '$a'\n", &|n| (n == "a").then(|| "1".to_owned()));
        assert_eq!(out.unwrap(), "\"1\" n $a '1'\n");
    }

    #[test]
    fn names_in_a_word() {
        assert_eq!(variables("$a/${b:-$c}/\\$d/'$e'", '\\'), ["a", "b", "c"]);
    }
}
