//! One instruction: flags, argument forms, arity (grammar sections 3, 5 and 7).
//!
//! Goes in: keyword and the rest of a logical line. Comes out: flags, arguments, [`Kind`], and what
//! the builder would refuse. Flags are checked per keyword by [`check_flags`].

use super::{CommandForm, Flag, Heredoc, Kind, Transfer};

/// A refusal: stable code, message, help.
pub type Refusal = (&'static str, String, Option<String>);

fn refuse<T>(code: &'static str, message: impl Into<String>) -> Result<T, Refusal> {
    Err((code, message.into(), None))
}

fn refuse_with<T>(code: &'static str, message: impl Into<String>, help: &str) -> Result<T, Refusal> {
    Err((code, message.into(), Some(help.to_owned())))
}

/// Every keyword.
pub const KEYWORDS: [&str; 18] = [
    "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL",
    "MAINTAINER", "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
];

/// Takes the flags off the front of the rest of a line.
pub fn take_flags(rest: &str, escape: char) -> (Vec<Flag>, &str) {
    let mut flags = Vec::new();
    let mut rest = rest.trim_start_matches(is_ws1);
    while rest.starts_with("--") {
        let (value, len) = flag_word(rest, escape);
        let raw = &rest[..len];
        rest = rest[len..].trim_start_matches(is_ws1);
        if raw == "--" {
            break;
        }
        let body = &value[2..];
        let (name, value) = match body.split_once('=') {
            Some((n, v)) => (n.to_owned(), Some(v.to_owned())),
            None => (body.to_owned(), None),
        };
        flags.push(Flag { name, value, raw: raw.to_owned() });
    }
    (flags, rest.trim())
}

/// One flag word with quotes and escapes removed, and its length as written.
fn flag_word(text: &str, escape: char) -> (String, usize) {
    let mut out = String::new();
    let mut quote: Option<char> = None;
    let mut chars = text.char_indices();
    while let Some((i, c)) = chars.next() {
        match quote {
            None if c.is_whitespace() => return (out, i),
            None if c == '\'' || c == '"' => quote = Some(c),
            Some(q) if c == q => quote = None,
            _ if c == escape => out.extend(chars.next().map(|(_, c)| c)),
            _ => out.push(c),
        }
    }
    (out, text.len())
}

/// The ASCII blanks that separate words.
pub fn is_ws1(c: char) -> bool {
    matches!(c, '\t' | '\u{b}' | '\u{c}' | '\r' | ' ')
}

/// Flags each keyword knows: name and kind (`=` value, `?` boolean, `*` repeatable value).
fn known_flags(keyword: &str) -> &'static [(&'static str, char)] {
    match keyword {
        "FROM" => &[("platform", '=')],
        "RUN" => &[("mount", '*'), ("network", '='), ("security", '='), ("device", '*')],
        "COPY" => &[("from", '='), ("chown", '='), ("chmod", '='), ("link", '?'), ("exclude", '*'), ("parents", '?')],
        "ADD" => &[
            ("chown", '='), ("chmod", '='), ("link", '?'), ("exclude", '*'), ("keep-git-dir", '?'),
            ("checksum", '='), ("unpack", '?'),
        ],
        "HEALTHCHECK" => &[("interval", '='), ("timeout", '='), ("start-period", '='), ("start-interval", '='), ("retries", '=')],
        _ => &[],
    }
}

/// Checks names, values and repetition of flags.
pub fn check_flags(keyword: &str, flags: &[Flag]) -> Vec<Refusal> {
    let mut out: Vec<Refusal> = Vec::new();
    // These never look at their flags: any is dropped silently.
    if matches!(keyword, "ARG" | "STOPSIGNAL") {
        return out;
    }
    let known = known_flags(keyword);
    for (i, flag) in flags.iter().enumerate() {
        let Some((_, kind)) = known.iter().find(|(n, _)| *n == flag.name) else {
            let near = closest(&flag.name, known.iter().map(|(n, _)| *n));
            let help = near.map(|n| format!("did you mean --{n}?"));
            out.push(("build/unknown-flag", format!("unknown flag: --{}", flag.name), help));
            continue;
        };
        if *kind != '*' && flags[..i].iter().any(|f| f.name == flag.name) {
            out.push(("build/duplicate-flag", format!("duplicate flag specified: --{}", flag.name), None));
        }
        match (kind, flag.value.as_deref()) {
            ('?', None) => {}
            ('?', Some(v)) if v.eq_ignore_ascii_case("true") || v.eq_ignore_ascii_case("false") => {}
            ('?', Some(v)) => {
                let m = format!("expecting boolean value for flag --{}, not: {v}", flag.name);
                out.push(("build/flag-value", m, None));
            }
            (_, None) => out.push(("build/flag-value", format!("missing a value on flag: --{}", flag.name), None)),
            (_, Some(v)) => {
                if let Some(m) = bad_value(keyword, &flag.name, v) {
                    out.push(("build/flag-value", m, None));
                }
            }
        }
    }
    out
}

fn bad_value(keyword: &str, name: &str, value: &str) -> Option<String> {
    match (keyword, name) {
        ("RUN", "network") if !matches!(value, "default" | "none" | "host") => {
            Some(format!("unsupported network mode \"{value}\""))
        }
        ("RUN", "security") if !matches!(value, "sandbox" | "insecure") => {
            Some(format!("security {value} is not valid"))
        }
        ("COPY", "from") if value.contains('$') => {
            Some(format!("'{value}' can't be expanded: variables are not allowed in --from"))
        }
        _ => None,
    }
}

/// The nearest of some names, if it is near enough to be meant.
pub fn closest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let near = names.map(|n| (distance(&word, &n.to_lowercase()), n)).min_by_key(|(d, _)| *d)?;
    (near.0 <= 2 && near.0 < word.len()).then_some(near.1)
}

fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().take(64).collect();
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let cost = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// Reads a JSON array of strings. `Ok(None)`: it is no JSON array, so the shell form is meant.
fn json(text: &str) -> Result<Option<Vec<String>>, Refusal> {
    if !text.trim_start().starts_with('[') {
        return Ok(None);
    }
    let Ok(values) = serde_json::from_str::<Vec<serde_json::Value>>(text) else { return Ok(None) };
    let strings: Option<Vec<String>> = values.iter().map(|v| v.as_str().map(str::to_owned)).collect();
    match strings {
        Some(s) => Ok(Some(s)),
        None => refuse_with(
            "parse/json-strings",
            "when using JSON array syntax, arrays must be comprised of strings only",
            "put every element in double quotes",
        ),
    }
}

fn command(text: &str) -> Result<CommandForm, Refusal> {
    Ok(match json(text)? {
        Some(argv) => CommandForm::Exec(argv),
        None => CommandForm::Shell(text.to_owned()),
    })
}

fn split(text: &str) -> Vec<String> {
    text.split(is_ws1).filter(|w| !w.is_empty()).map(str::to_owned).collect()
}

fn json_or_words(text: &str) -> Result<Vec<String>, Refusal> {
    Ok(json(text)?.unwrap_or_else(|| split(text)))
}

/// Quote-aware words with quotes and escapes kept.
fn quoted_words(text: &str, escape: char) -> Vec<String> {
    let mut out = Vec::new();
    let mut word = String::new();
    let mut quote: Option<char> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match quote {
            None if c.is_whitespace() => {
                if !word.is_empty() {
                    out.push(std::mem::take(&mut word));
                }
                continue;
            }
            None if c == '\'' || c == '"' => quote = Some(c),
            Some(q) if c == q => quote = None,
            _ if c == escape && quote != Some('\'') => {
                let Some(next) = chars.next() else { break };
                word.push(c);
                word.push(next);
                continue;
            }
            _ => {}
        }
        word.push(c);
    }
    if !word.is_empty() {
        out.push(word);
    }
    out
}

fn pairs(keyword: &str, text: &str, escape: char) -> Result<Vec<(String, String)>, Refusal> {
    let words = quoted_words(text, escape);
    let Some(first) = words.first() else {
        return refuse("parse/missing-arguments", format!("{keyword} requires at least one argument"));
    };
    if !first.contains('=') {
        let (key, value) = match text.find(is_ws1) {
            Some(i) => (&text[..i], text[i..].trim_start_matches(is_ws1)),
            None => return refuse_with("parse/two-arguments", format!("{keyword} must have two arguments"), "write KEY=value"),
        };
        return Ok(vec![(key.to_owned(), value.to_owned())]);
    }
    let mut out = Vec::new();
    for word in words {
        let Some((key, value)) = word.split_once('=') else {
            let m = format!("Syntax error - can't find = in \"{word}\". Must be of the form: name=value");
            return refuse_with("parse/missing-equals", m, "quote a value that has blanks in it");
        };
        if key.is_empty() {
            return refuse("build/blank-name", format!("{keyword} names can not be blank"));
        }
        out.push((key.to_owned(), value.to_owned()));
    }
    Ok(out)
}

fn arg(text: &str, escape: char) -> Result<Vec<(String, Option<String>)>, Refusal> {
    let words = quoted_words(text, escape);
    if words.is_empty() {
        return refuse("build/arity", "ARG requires at least one argument");
    }
    let mut out = Vec::new();
    for word in words {
        let (name, value) = match word.split_once('=') {
            Some((n, v)) => (n.to_owned(), Some(v.to_owned())),
            None => (word, None),
        };
        if name.is_empty() {
            return refuse("build/blank-name", "ARG names can not be blank");
        }
        out.push((name, value));
    }
    Ok(out)
}

fn from(text: &str) -> Result<Kind, Refusal> {
    let words = split(text);
    let alias = match words.as_slice() {
        [_] => None,
        [_, by, name] if by.eq_ignore_ascii_case("as") => {
            let lower = name.to_lowercase();
            let mut chars = lower.chars();
            let starts = chars.next().is_some_and(|c| c.is_ascii_lowercase());
            if !starts || !chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_.-".contains(c)) {
                let m = format!("invalid name for build stage: \"{name}\", name can't start with a number or contain symbols");
                return refuse("build/stage-name", m);
            }
            Some(lower)
        }
        _ => return refuse_with("build/arity", "FROM requires either one or three arguments", "write FROM image AS name"),
    };
    Ok(Kind::From { image: words[0].clone(), alias })
}

fn transfer(keyword: &str, text: &str, heredocs: &[Heredoc]) -> Result<Transfer, Refusal> {
    let is_json = json(text)?;
    let plain = is_json.is_none();
    let mut words = match is_json {
        Some(w) => w,
        None => {
            // A heredoc word may hold blanks (`<< EOF`): take such words out before splitting.
            let mut rest = text.to_owned();
            for h in heredocs {
                rest = rest.replacen(h.word.as_str(), &h.word.replace(char::is_whitespace, ""), 1);
            }
            split(&rest)
        }
    };
    if words.len() < 2 {
        return refuse("build/arity", format!("{keyword} requires at least two arguments, but only {} provided", words.len()));
    }
    let dest = words.pop().unwrap_or_default();
    let is_heredoc = |w: &String| plain && heredocs.iter().any(|h| h.word.replace(char::is_whitespace, "") == *w);
    if is_heredoc(&dest) {
        return refuse("build/heredoc-destination", format!("{keyword} cannot accept a heredoc as a destination"));
    }
    let mut inline = Vec::new();
    let mut sources = Vec::new();
    for word in words {
        if is_heredoc(&word) {
            inline.push(inline.len());
        } else {
            sources.push(word);
        }
    }
    if keyword == "COPY" {
        for s in &sources {
            if s.starts_with("http://") || s.starts_with("https://") {
                return refuse_with("build/url-source", "source can't be a URL for COPY", "use ADD, with --checksum");
            }
        }
    }
    Ok(Transfer { sources, dest, inline })
}

fn one(keyword: &str, text: &str) -> Result<String, Refusal> {
    if text.is_empty() {
        return refuse("build/arity", format!("{keyword} requires exactly one argument"));
    }
    Ok(text.to_owned())
}

fn some(keyword: &str, words: Vec<String>) -> Result<Vec<String>, Refusal> {
    if words.is_empty() {
        return refuse("build/arity", format!("{keyword} requires at least one argument"));
    }
    Ok(words)
}

/// Understands the arguments of every instruction but ONBUILD.
pub fn kind(keyword: &str, text: &str, heredocs: &[Heredoc], escape: char) -> Result<Kind, Refusal> {
    Ok(match keyword {
        "FROM" => from(text)?,
        // With a heredoc the JSON form is not looked for.
        "RUN" if !heredocs.is_empty() => Kind::Run(CommandForm::Shell(text.to_owned())),
        "RUN" => Kind::Run(command(text)?),
        "CMD" => Kind::Cmd(command(text)?),
        "ENTRYPOINT" => Kind::Entrypoint(command(text)?),
        "SHELL" => match json(text)? {
            Some(argv) if !argv.is_empty() => Kind::Shell(argv),
            Some(_) => return refuse("build/arity", "SHELL requires at least one argument"),
            None => {
                let help = "write SHELL [\"/bin/bash\", \"-c\"]";
                return refuse_with("build/shell-json", "SHELL requires the arguments to be in JSON form", help);
            }
        },
        "COPY" => Kind::Copy(transfer("COPY", text, heredocs)?),
        "ADD" => Kind::Add(transfer("ADD", text, heredocs)?),
        "WORKDIR" => Kind::Workdir(one(keyword, text)?),
        "USER" => Kind::User(one(keyword, text)?),
        "STOPSIGNAL" => Kind::Stopsignal(one(keyword, text)?),
        "MAINTAINER" => Kind::Maintainer(one(keyword, text)?),
        "ENV" => Kind::Env(pairs(keyword, text, escape)?),
        "LABEL" => Kind::Label(pairs(keyword, text, escape)?),
        "ARG" => Kind::Arg(arg(text, escape)?),
        "EXPOSE" => Kind::Expose(some(keyword, split(text))?),
        "VOLUME" => {
            let words = some(keyword, json_or_words(text)?)?;
            if words.iter().any(String::is_empty) {
                return refuse("build/blank-name", "VOLUME specified can not be an empty string");
            }
            Kind::Volume(words)
        }
        "HEALTHCHECK" => healthcheck(text)?,
        _ => {
            let help = closest(keyword, KEYWORDS.into_iter()).map(|k| format!("did you mean {k}?"));
            return Err(("build/unknown-instruction", format!("unknown instruction: {keyword}"), help));
        }
    })
}

fn healthcheck(text: &str) -> Result<Kind, Refusal> {
    let (word, rest) = match text.find(is_ws1) {
        Some(i) => (&text[..i], text[i..].trim()),
        None => (text, ""),
    };
    match word.to_ascii_uppercase().as_str() {
        "NONE" if rest.is_empty() => Ok(Kind::Healthcheck(None)),
        "NONE" => refuse("build/arity", "HEALTHCHECK NONE takes no arguments"),
        "CMD" if rest.is_empty() => refuse("build/arity", "missing command after HEALTHCHECK CMD"),
        "CMD" => Ok(Kind::Healthcheck(Some(command(rest)?))),
        "" => refuse("build/arity", "HEALTHCHECK requires at least one argument"),
        other => refuse("build/healthcheck", format!("unknown type \"{other}\" in HEALTHCHECK (try CMD)")),
    }
}
