//! Words: quotes, escapes and `$` substitutions of the builder's own small shell.
//!
//! Goes in: one word as written and a look-up for variables. Comes out: its value, or the value
//! split at blanks, or only the names it refers to. Costs one pass over the word plus the size of
//! what is inserted. Invariant: nesting, and the size of any result, are bounded.

use super::expand_error::{ExpandError, MAX_BYTES, MAX_DEPTH};
use super::glob;

/// How many bytes a pattern may have. The builder has no limit; a pattern that variables blew up takes
/// seconds to compile.
const MAX_PATTERN: usize = 4096;

/// Expands one word: quotes and escapes are removed, every `$` form is replaced, unset variables
/// become nothing.
///
/// # Errors
/// When the word is malformed, a `?` operator fires, or a limit is hit.
pub fn expand_word(
    word: &str,
    escape: char,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<String, ExpandError> {
    Lexer::new(word, Mode::values(escape), lookup).run(None)
}

/// Expands like [`expand_word`] and splits the result at blanks that are not quoted in `word`;
/// blanks that come out of variables do split (EXPOSE works like this).
///
/// # Errors
/// As [`expand_word`].
pub fn expand_words(
    word: &str,
    escape: char,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<String>, ExpandError> {
    let mut words = Words::default();
    Lexer::new(word, Mode::values(escape), lookup).run(Some(&mut words))?;
    Ok(words.finish())
}

/// Expands the body of a COPY or ADD heredoc: quotes are ordinary characters, the escape is always
/// the backslash, and every backslash goes away, keeping the character after it.
///
/// # Errors
/// As [`expand_word`].
pub fn expand_heredoc(
    body: &str,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<String, ExpandError> {
    Lexer::new(body, Mode::body(), lookup).run(None)
}

/// The command of a RUN as the builder's progress shows it: set variables are replaced, unset ones
/// and all quotes stay, escapes go away (cache keys section 2).
///
/// # Errors
/// As [`expand_word`]; the builder then shows the text as it stands.
pub fn expand_title(
    text: &str,
    escape: char,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<String, ExpandError> {
    let mode = Mode {
        keep_quotes: true,
        unset: Unset::Keep,
        ..Mode::values(escape)
    };
    Lexer::new(text, mode, lookup).run(None)
}

/// Names of the variables a word refers to, in order of first appearance, also those inside
/// operands (`${a:-$b}` names both). Positional and special parameters (`$1`, `$@`) can never be
/// set in a build and are left out. Of a malformed word, the names before the mistake.
#[must_use]
pub fn variables(word: &str, escape: char) -> Vec<String> {
    names(word, Mode::values(escape))
}

/// As [`variables`], for the body of a COPY or ADD heredoc, where quotes protect nothing.
#[must_use]
pub fn heredoc_variables(body: &str) -> Vec<String> {
    names(body, Mode::body())
}

fn names(text: &str, mode: Mode) -> Vec<String> {
    let mut lexer = Lexer::new(
        text,
        Mode {
            unset: Unset::Keep,
            ..mode
        },
        &|_| None,
    );
    // The error is the caller's business when it wants the value; here only names are asked for.
    let _ = lexer.run(None);
    lexer.names
}

/// The words of a logical line as the heredoc search sees them: quotes and escapes stay, variables
/// stay, and blanks right after an unquoted `<<` belong to the word.
pub(super) fn raw_words(line: &str) -> Result<Vec<String>, ExpandError> {
    let mut words = Words::default();
    let mode = Mode {
        keep_quotes: true,
        escapes: Escapes::Keep,
        unset: Unset::Keep,
        ..Mode::values('\\')
    };
    Lexer::new(line, mode, &|_| None).run(Some(&mut words))?;
    Ok(words.finish())
}

/// The name a heredoc word stands for: quotes and escapes removed, `$x` left alone. `None` unless
/// it is exactly one word; words with an operator (`${x:-y}`) never are, on the real builder.
pub(super) fn heredoc_name(word: &str) -> Option<String> {
    let mut words = Words::default();
    let mode = Mode {
        unset: Unset::KeepPlain,
        ..Mode::values('\\')
    };
    Lexer::new(word, mode, &|_| None)
        .run(Some(&mut words))
        .ok()?;
    let mut found = words.finish();
    if found.len() == 1 { found.pop() } else { None }
}

/// What becomes of a variable that is not set.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unset {
    /// Nothing, or what its operator says.
    Empty,
    /// It stays as written.
    Keep,
    /// It stays as written, and operators are refused.
    KeepPlain,
}

/// Whether escape characters stay in the result.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Escapes {
    Drop,
    Keep,
}

#[derive(Clone, Copy)]
struct Mode {
    escape: char,
    /// `'` and `"` mean something.
    quotes: bool,
    /// Quotes stay in the result.
    keep_quotes: bool,
    escapes: Escapes,
    unset: Unset,
}

impl Mode {
    fn values(escape: char) -> Self {
        Self {
            escape,
            quotes: true,
            keep_quotes: false,
            escapes: Escapes::Drop,
            unset: Unset::Empty,
        }
    }

    fn body() -> Self {
        Self {
            quotes: false,
            ..Self::values('\\')
        }
    }
}

/// Collects words while the text is read. A blank ends a word only when it was not quoted or
/// escaped; quoted nothing is no word.
#[derive(Default)]
struct Words {
    done: Vec<String>,
    word: String,
    open: bool,
    /// Unquoted `<` just read, counted in pairs: 2 means the word ends in `<<`.
    angles: u8,
}

impl Words {
    fn character(&mut self, c: char) {
        if c.is_whitespace() {
            // The builder lets `<< EOF` be one word.
            if self.angles == 2 && c.is_ascii() {
                self.word.push(c);
            } else if self.open && !self.word.is_empty() {
                self.done.push(std::mem::take(&mut self.word));
                self.open = false;
                self.angles = 0;
            }
            return;
        }
        self.word.push(c);
        self.open = true;
        self.angles = match (c, self.angles) {
            ('<', 1) => 2,
            ('<', _) => 1,
            _ => 0,
        };
    }

    fn raw(&mut self, text: &str) {
        self.word.push_str(text);
        self.open = true;
        self.angles = 0;
    }

    fn finish(mut self) -> Vec<String> {
        if !self.word.is_empty() {
            self.done.push(self.word);
        }
        self.done
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    mode: Mode,
    depth: u32,
    lookup: &'a dyn Fn(&str) -> Option<String>,
    names: Vec<String>,
    seen: std::collections::BTreeSet<String>,
}

impl<'a> Lexer<'a> {
    fn new(text: &'a str, mode: Mode, lookup: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self {
            text,
            at: 0,
            mode,
            depth: 0,
            lookup,
            names: Vec::new(),
            seen: std::collections::BTreeSet::new(),
        }
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn run(&mut self, words: Option<&mut Words>) -> Result<String, ExpandError> {
        self.until(None, words)
    }

    /// Reads up to `stop` (consumed) or, without one, to the end.
    fn until(
        &mut self,
        stop: Option<char>,
        mut words: Option<&mut Words>,
    ) -> Result<String, ExpandError> {
        let mut out = String::new();
        while let Some(c) = self.peek() {
            if stop == Some(c) {
                self.next();
                return Ok(out);
            }
            match c {
                '$' => {
                    let value = self.dollar()?;
                    out.push_str(&value);
                    if let Some(w) = words.as_deref_mut() {
                        value.chars().for_each(|c| w.character(c));
                    }
                }
                '\'' | '"' if self.mode.quotes => {
                    let start = out.len();
                    if c == '"' {
                        self.double_quoted(&mut out)?;
                    } else {
                        self.single_quoted(&mut out)?;
                    }
                    if let Some(w) = words.as_deref_mut() {
                        w.raw(&out[start..]);
                    }
                }
                _ => {
                    self.next();
                    self.plain(c, &mut out, words.as_deref_mut());
                }
            }
            if out.len() > MAX_BYTES {
                return Err(ExpandError::TooLong);
            }
        }
        match stop {
            None => Ok(out),
            Some('/') => Err(ExpandError::MissingSlash),
            Some(_) => Err(ExpandError::MissingBrace),
        }
    }

    /// One unquoted character that starts nothing, or an escape and what it protects.
    fn plain(&mut self, c: char, out: &mut String, words: Option<&mut Words>) {
        if c != self.mode.escape {
            out.push(c);
            if let Some(w) = words {
                w.character(c);
            }
            return;
        }
        let start = out.len();
        if self.mode.escapes == Escapes::Keep {
            out.push(c);
        }
        if let Some(protected) = self.next() {
            out.push(protected);
        }
        if let Some(w) = words
            && out.len() > start
        {
            w.raw(&out[start..]);
        }
    }

    fn single_quoted(&mut self, out: &mut String) -> Result<(), ExpandError> {
        self.quote_mark(out);
        loop {
            match self.peek() {
                None => return Err(ExpandError::UnclosedQuote('\'')),
                Some('\'') => {
                    self.quote_mark(out);
                    return Ok(());
                }
                Some(c) => {
                    self.next();
                    out.push(c);
                }
            }
        }
    }

    fn double_quoted(&mut self, out: &mut String) -> Result<(), ExpandError> {
        self.quote_mark(out);
        loop {
            if out.len() > MAX_BYTES {
                return Err(ExpandError::TooLong);
            }
            match self.peek() {
                None => return Err(ExpandError::UnclosedQuote('"')),
                Some('"') => {
                    self.quote_mark(out);
                    return Ok(());
                }
                Some('$') => out.push_str(&self.dollar()?),
                Some(c) => {
                    self.next();
                    if c == self.mode.escape {
                        let keep = self.mode.escapes == Escapes::Keep;
                        match self.peek() {
                            Some(p) if p == '"' || p == '$' || p == c => {
                                if keep {
                                    out.push(c);
                                }
                                self.next();
                                out.push(p);
                            }
                            // One that protects nothing is doubled where escapes are kept.
                            Some(_) if keep => out.extend([c, c]),
                            Some(_) => out.push(c),
                            None => {}
                        }
                    } else {
                        out.push(c);
                    }
                }
            }
        }
    }

    fn quote_mark(&mut self, out: &mut String) {
        if let Some(c) = self.next()
            && self.mode.keep_quotes
        {
            out.push(c);
        }
    }

    /// Reads an operand with its own nesting level; patterns and replacements keep their escapes,
    /// other operands inside them do not.
    fn operand(&mut self, stop: char, escapes: Escapes) -> Result<String, ExpandError> {
        if self.depth == MAX_DEPTH {
            return Err(ExpandError::TooDeep);
        }
        self.depth += 1;
        let outer = std::mem::replace(&mut self.mode.escapes, escapes);
        let out = self.until(Some(stop), None);
        self.mode.escapes = outer;
        self.depth -= 1;
        out.map_err(|e| match e {
            // A quote that runs to the end of the text swallowed the delimiter.
            ExpandError::UnclosedQuote(_) if stop == '}' => ExpandError::MissingBrace,
            ExpandError::UnclosedQuote(_) => ExpandError::MissingSlash,
            e => e,
        })
    }

    /// `$name`, `${…}`, or a `$` that means itself.
    fn dollar(&mut self) -> Result<String, ExpandError> {
        self.next();
        if self.peek() != Some('{') {
            let name = self.name();
            if name.is_empty() {
                return Ok("$".to_owned());
            }
            return Ok(self.value(&name).unwrap_or_else(|| match self.mode.unset {
                Unset::Empty => String::new(),
                _ => format!("${name}"),
            }));
        }
        self.next();
        match self.peek() {
            None => return Err(ExpandError::MissingBrace),
            Some('{' | '}' | ':') => return Err(ExpandError::BadSubstitution),
            Some(_) => {}
        }
        let name = self.name();
        match self.next() {
            None => Err(ExpandError::MissingBrace),
            Some('}') => Ok(self.value(&name).unwrap_or_else(|| match self.mode.unset {
                Unset::Empty => String::new(),
                _ => format!("${{{name}}}"),
            })),
            Some(_) if self.mode.unset == Unset::KeepPlain => Err(ExpandError::BadSubstitution),
            Some('/') => self.replace(&name),
            Some(':') => match self.next() {
                None => Err(ExpandError::MissingBrace),
                Some(c @ ('#' | '%')) => Err(ExpandError::UnsupportedModifier(format!(":{c}"))),
                Some(c) => self.modify(&name, c, true),
            },
            Some(c @ ('+' | '-' | '?' | '#' | '%')) => self.modify(&name, c, false),
            Some(c) => Err(ExpandError::UnsupportedModifier(c.to_string())),
        }
    }

    /// The operand and effect of `-`, `+`, `?`, `#`, `%`; `colon` makes empty count as unset.
    fn modify(&mut self, name: &str, operator: char, colon: bool) -> Result<String, ExpandError> {
        let escapes = match operator {
            '#' | '%' => Escapes::Keep,
            _ => Escapes::Drop,
        };
        let operand = self.operand('}', escapes)?;
        let value = self.value(name);
        if value.is_none() && self.mode.unset == Unset::Keep {
            let sign = if colon { ":" } else { "" };
            return Ok(format!("${{{name}{sign}{operator}{operand}}}"));
        }
        let usable = value.as_deref().filter(|v| !(colon && v.is_empty()));
        match operator {
            '-' => Ok(usable.map_or(operand, str::to_owned)),
            '+' => Ok(usable.map_or_else(String::new, |_| operand)),
            '?' => usable.map(str::to_owned).ok_or_else(|| {
                let reason = match &value {
                    None => "is not allowed to be unset",
                    Some(_) => "is not allowed to be empty",
                };
                ExpandError::Required {
                    name: name.to_owned(),
                    message: if operand.is_empty() {
                        reason.to_owned()
                    } else {
                        operand
                    },
                }
            }),
            '#' | '%' => {
                let (pattern, extent) = match operand.strip_prefix(operator) {
                    Some(rest) => (rest, glob::Extent::Longest),
                    None => (operand.as_str(), glob::Extent::Shortest),
                };
                if pattern.len() > MAX_PATTERN {
                    return Err(ExpandError::TooLong);
                }
                let value = value.unwrap_or_default();
                let cut = if operator == '#' {
                    glob::trim_prefix(&value, pattern, extent)
                } else {
                    glob::trim_suffix(&value, pattern, extent)
                };
                cut.ok_or_else(|| ExpandError::BadPattern(pattern.to_owned()))
            }
            other => Err(ExpandError::UnsupportedModifier(format!(":{other}"))),
        }
    }

    /// `${name/pattern/replacement}` and `${name//pattern/replacement}`, after the first slash.
    fn replace(&mut self, name: &str) -> Result<String, ExpandError> {
        let all = self.peek() == Some('/');
        if all {
            self.next();
        }
        let pattern = self.operand('/', Escapes::Keep)?;
        let replacement = self.operand('}', Escapes::Keep)?;
        let value = self.value(name);
        if value.is_none() && self.mode.unset == Unset::Keep {
            // The builder forgets that all were meant.
            return Ok(format!("${{{name}/{pattern}/{replacement}}}"));
        }
        if pattern.len() > MAX_PATTERN {
            return Err(ExpandError::TooLong);
        }
        let value = value.unwrap_or_default();
        let replaced = if all {
            glob::replace_all(&value, &pattern, &replacement, MAX_BYTES)
        } else {
            glob::replace_first(&value, &pattern, &replacement)
        };
        match replaced {
            Ok(text) => Ok(text),
            Err(glob::ReplaceError::Pattern) => Err(ExpandError::BadPattern(pattern)),
            Err(glob::ReplaceError::Size) => Err(ExpandError::TooLong),
        }
    }

    /// A name after `$` or `${`: letters, digits and `_`; a run of digits; or one special sign.
    fn name(&mut self) -> String {
        let rest = &self.text[self.at..];
        let run = |ok: &dyn Fn(char) -> bool| rest.find(|c| !ok(c)).unwrap_or(rest.len());
        let len = match rest.chars().next() {
            Some(c) if c.is_numeric() => run(&|c| c.is_numeric()),
            Some('@' | '*' | '#' | '?' | '-' | '$' | '!') => 1,
            _ => run(&|c| c.is_alphanumeric() || c == '_'),
        };
        self.at += len;
        let name = rest[..len].to_owned();
        let settable = name
            .chars()
            .next()
            .is_some_and(|c| c.is_alphabetic() || c == '_');
        if settable && self.seen.insert(name.clone()) {
            self.names.push(name.clone());
        }
        name
    }

    fn value(&self, name: &str) -> Option<String> {
        (self.lookup)(name)
    }
}

#[cfg(test)]
#[path = "expand_tests.rs"]
mod tests;
