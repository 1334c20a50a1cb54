//! Heredocs: found by lexing the logical line into shell words, read from the lines below it
//! (grammar section 4).

use super::Heredoc;
use super::lines::Line;
use crate::source::Span;

/// A heredoc word before its body is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    pub name: String,
    pub word: String,
    pub fd: String,
    pub strip_tabs: bool,
    pub expand: bool,
}

/// The heredoc words of a logical line, in order. None at all when a quote is left open.
pub fn openings(line: &str) -> Vec<Opening> {
    words(line).unwrap_or_default().iter().filter_map(|w| opening(w)).collect()
}

/// Shell words with quotes kept; `<<` takes the word behind it along. `None` for an open quote.
fn words(line: &str) -> Option<Vec<String>> {
    let mut out = Vec::new();
    let mut word = String::new();
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            c if c.is_whitespace() => {
                if !word.is_empty() {
                    out.push(std::mem::take(&mut word));
                }
            }
            '\\' => {
                word.push(c);
                word.extend(chars.next());
            }
            '\'' | '"' => {
                word.push(c);
                loop {
                    let q = chars.next()?;
                    word.push(q);
                    if q == c {
                        break;
                    }
                    if q == '\\' && c == '"' {
                        word.push(chars.next()?);
                    }
                }
            }
            '<' => {
                word.push(c);
                if chars.peek() != Some(&'<') {
                    continue;
                }
                word.extend(chars.next());
                if chars.peek() == Some(&'<') {
                    continue;
                }
                if chars.peek() == Some(&'-') {
                    word.extend(chars.next());
                }
                while chars.peek().is_some_and(|c| c.is_whitespace()) {
                    word.extend(chars.next());
                }
            }
            _ => word.push(c),
        }
    }
    if !word.is_empty() {
        out.push(word);
    }
    Some(out)
}

fn opening(word: &str) -> Option<Opening> {
    let digits = word.find(|c: char| !c.is_ascii_digit())?;
    let (fd, rest) = word.split_at(digits);
    let rest = rest.strip_prefix("<<")?;
    let (strip_tabs, rest) = match rest.strip_prefix('-') {
        Some(r) => (true, r),
        None => (false, rest),
    };
    let quoted = rest.trim();
    if quoted.contains('<') {
        return None;
    }
    let mut name = String::new();
    let mut chars = quoted.chars();
    let mut quote: Option<char> = None;
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None | Some('"'), '\\') => name.extend(chars.next()),
            _ => name.push(c),
        }
    }
    (!name.is_empty()).then(|| Opening {
        expand: !quoted.contains(['\'', '"']),
        word: word.to_owned(),
        fd: fd.to_owned(),
        name,
        strip_tabs,
    })
}

/// Reads the bodies below a logical line. The second value is the physical line after them, the
/// third the name of a heredoc that is not closed.
pub fn bodies(bytes: &[u8], lines: &[Line], mut at: usize, openings: Vec<Opening>) -> (Vec<Heredoc>, usize, Option<String>) {
    let mut out = Vec::new();
    for open in openings {
        let start = lines.get(at).map_or(bytes.len(), |l| l.span.start as usize);
        let mut end = start;
        let mut closed = false;
        while let Some(line) = lines.get(at) {
            at += 1;
            let mut content = &bytes[line.content.range()];
            if open.strip_tabs {
                let tabs = content.iter().take_while(|b| **b == b'\t').count();
                content = &content[tabs..];
            }
            if content == open.name.as_bytes() {
                closed = true;
                break;
            }
            end = line.span.end as usize;
        }
        let unterminated = (!closed).then(|| open.name.clone());
        out.push(Heredoc {
            name: open.name,
            word: open.word,
            fd: open.fd,
            strip_tabs: open.strip_tabs,
            expand: open.expand,
            body: String::from_utf8_lossy(&bytes[start..end]).into_owned(),
            body_span: Span::new(start, end),
        });
        if unterminated.is_some() {
            return (out, at, unterminated);
        }
    }
    (out, at, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn word_table() {
        let names = |line: &str| openings(line).into_iter().map(|o| o.name).collect::<Vec<_>>();
        assert_eq!(names("RUN <<EOF"), ["EOF"]);
        assert_eq!(names("RUN << EOF cat"), ["EOF"]);
        assert_eq!(names("RUN <<-EOF 3<<A"), ["EOF", "A"]);
        assert_eq!(names("RUN <<E\"O\"F"), ["EOF"]);
        for none in ["RUN <<<x", "RUN foo<<EOF", "RUN \"<<EOF\"", "RUN <<\"\"", "RUN <<", "RUN <<EOF 'open"] {
            assert!(names(none).is_empty(), "{none}");
        }
        let quoted = &openings("COPY <<'EOF' /x")[0];
        assert!(!quoted.expand);
        assert!(openings("COPY 3<<-X /x")[0].strip_tabs);
    }
}
