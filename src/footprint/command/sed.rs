//! sed: reads its files, and with `-i` writes them, if its script does nothing else.

use super::super::Extent;
use super::super::options::{Spec, parse};
use super::{Call, Described};

const SED: Spec = Spec {
    letters: "nErsuz",
    letters_with_value: "e",
    names: &["quiet", "silent", "regexp-extended", "in-place"],
    names_with_value: &["expression"],
};

/// Describes sed.
pub(super) fn run(call: &mut Call<'_>) -> Described {
    // `-i` takes its suffix attached: `-i.bak`, `-i`, and clusters that end in it such as `-ri`.
    let mut in_place = false;
    let mut arguments = Vec::new();
    for argument in call.arguments {
        let cluster = argument.known().and_then(|a| a.strip_prefix('-'));
        match cluster.and_then(|c| c.strip_suffix('i')) {
            Some(flags) if flags.bytes().all(|b| b"nErsuz".contains(&b)) => in_place = true,
            _ if cluster.is_some_and(|c| c.starts_with('i')) => {
                return Err("it keeps copies of the files".to_string());
            }
            _ => arguments.push(argument.clone()),
        }
    }
    let parsed = parse(&arguments, &SED)?;
    if parsed
        .options
        .iter()
        .any(|(n, v)| n == "in-place" && v.is_some())
    {
        return Err("it keeps copies of the files".to_string());
    }
    in_place |= parsed.has(&["in-place"]);
    let mut scripts: Vec<_> = parsed.values(&["e", "expression"]).cloned().collect();
    let mut files = parsed.operands.as_slice();
    if scripts.is_empty()
        && let Some((script, rest)) = files.split_first()
    {
        scripts.push(script.clone());
        files = rest;
    }
    for script in &scripts {
        if !script.known().is_some_and(only_edits) {
            return Err("its script may read or write other files".to_string());
        }
    }
    for file in files.iter().filter(|f| f.known() != Some("-")) {
        call.read(file, Extent::Exact)?;
        if in_place {
            call.write(file, Extent::Exact)?;
        }
    }
    Ok(())
}

/// Whether a script consists of commands that edit the text alone: `s` without `w` and `e`, `y`, `d`,
/// `p`, `q`, `n`, `g`, `h`, `x`, `=`, and `a`, `i`, `c` with their text.
fn only_edits(script: &str) -> bool {
    let mut rest = script;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\n', ';', '}']);
        if rest.is_empty() {
            return true;
        }
        let Some(behind) = addresses(rest) else {
            return false;
        };
        let mut chars = behind.chars();
        let Some(command) = chars.next() else {
            return false;
        };
        let tail = chars.as_str();
        rest = match command {
            '{' | 'd' | 'D' | 'p' | 'P' | 'q' | 'n' | 'N' | 'g' | 'G' | 'h' | 'H' | 'x' | '=' => {
                tail
            }
            '#' => tail.split_once('\n').map_or("", |(_, r)| r),
            'a' | 'i' | 'c' => match tail.find('\n') {
                // A text may go on over several lines; with anything behind the first it is unclear.
                Some(at) if !tail[..at].ends_with('\\') || tail[at + 1..].contains('\n') => {
                    return false;
                }
                _ => "",
            },
            's' | 'y' => {
                let Some(flags) = substitution(tail) else {
                    return false;
                };
                let end = flags.find([';', '\n', '}', ' ']).unwrap_or(flags.len());
                if !flags[..end]
                    .bytes()
                    .all(|b| b"gpiIm0123456789".contains(&b))
                {
                    return false;
                }
                &flags[end..]
            }
            _ => return false,
        };
        // Only a separator may follow.
        if command != '{' && !rest.is_empty() && !rest.starts_with([' ', '\t', '\n', ';', '}']) {
            return false;
        }
    }
}

/// What is behind the addresses of a command.
fn addresses(mut rest: &str) -> Option<&str> {
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',', '!']);
        let mut chars = rest.chars();
        match chars.next()? {
            '0'..='9' | '$' | '+' | '~' => rest = chars.as_str(),
            '/' => rest = closing(chars.as_str(), '/')?,
            '\\' => {
                let mark = chars.next()?;
                rest = closing(chars.as_str(), mark)?;
            }
            'I' | 'M' => rest = chars.as_str(),
            _ => return Some(rest),
        }
    }
}

/// What is behind the two parts of `s` or `y`.
fn substitution(tail: &str) -> Option<&str> {
    let mut chars = tail.chars();
    let mark = chars.next().filter(|c| *c != '\\' && *c != '\n')?;
    closing(closing(chars.as_str(), mark)?, mark)
}

/// What is behind the next unescaped mark; a mark inside `[…]` ends the part too, which is how a
/// stricter reading than sed's own errs.
fn closing(text: &str, mark: char) -> Option<&str> {
    let mut chars = text.chars();
    let mut escaped = false;
    while let Some(c) = chars.next() {
        if !escaped && c == mark {
            return Some(chars.as_str());
        }
        // Some seds take a mark inside brackets for the end, others do not.
        if !escaped && c == '[' {
            let rest = chars.as_str();
            let inside = rest.strip_prefix('^').unwrap_or(rest);
            let end = inside.get(1..).and_then(|i| i.find(']'));
            if end.is_none_or(|end| inside[..=end].contains(mark)) {
                return None;
            }
        }
        escaped = !escaped && c == '\\';
    }
    None
}

#[cfg(test)]
mod tests {
    use super::only_edits;

    #[test]
    fn scripts_that_touch_other_files_are_told_apart() {
        for (script, expected) in [
            ("s/a/b/g", true),
            ("s|/a|/b|;s#x#y#", true),
            ("1,3d; /x/I p", true),
            ("/^#/d", true),
            ("$ a text", true),
            ("s/a\\/b/c/2p", true),
            ("/x/{s/a/b/;d}", true),
            ("s/a/b/w out", false),
            ("s/a/id/e", false),
            ("1r /etc/x", false),
            ("w out", false),
            ("e id", false),
            ("s/[/]/x/w y", false),
            ("1a x\nw out", false),
            ("s/a/b", false),
        ] {
            assert_eq!(only_edits(script), expected, "{script}");
        }
    }
}
