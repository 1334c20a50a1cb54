//! The expressions that `action.yml` uses, evaluated as the runner would.
//!
//! In: the text between `${{` and `}}`, and what names stand for. Out: a text (what is false or missing is empty). Anything that this
//! does not know is a panic, so that a new kind of expression is looked at before it goes in.

/// What names stand for, and whether an earlier step failed.
pub struct Scope<'a> {
    pub value: &'a dyn Fn(&str) -> String,
    pub failed: bool,
}

/// A text with expressions in it.
pub fn fill(text: &str, scope: &Scope<'_>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("${{") {
        let (inside, after) = behind.split_once("}}").expect("an end of the expression");
        out.push_str(before);
        out.push_str(&evaluate(inside, scope));
        rest = after;
    }
    out + rest
}

/// Whether a step runs: without a word about the state of the job, only while nothing failed.
pub fn condition(text: Option<&str>, scope: &Scope<'_>) -> bool {
    let Some(text) = text else {
        return !scope.failed;
    };
    let text = text.trim();
    let bare = text.strip_prefix("${{").and_then(|t| t.strip_suffix("}}"));
    let text = bare.unwrap_or(text);
    let asks = ["always()", "cancelled()", "failure()", "success()"];
    let asks = asks.iter().any(|a| text.contains(a));
    (asks || !scope.failed) && is_true(&evaluate(text, scope))
}

fn is_true(value: &str) -> bool {
    !value.is_empty() && value != "false"
}

fn evaluate(text: &str, scope: &Scope<'_>) -> String {
    let mut parser = Parser {
        words: words(text),
        at: 0,
        scope,
    };
    let value = parser.either();
    assert_eq!(parser.at, parser.words.len(), "all of `{text}` is read");
    value
}

fn words(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '\'' => 2 + rest[1..].find('\'').expect("an end of the text"),
            '(' | ')' => 1,
            '=' | '!' | '&' | '|' => match &rest[..2.min(rest.len())] {
                "==" | "!=" | "&&" | "||" => 2,
                _ => 1,
            },
            _ => {
                let word = |c: char| !c.is_ascii_alphanumeric() && !"._-".contains(c);
                let length = rest.find(word).unwrap_or(rest.len());
                assert!(length > 0, "`{text}`: what is `{first}`?");
                length
            }
        };
        out.push(rest[..length].to_owned());
        rest = rest[length..].trim_start();
    }
    out
}

struct Parser<'a> {
    words: Vec<String>,
    at: usize,
    scope: &'a Scope<'a>,
}

impl Parser<'_> {
    fn take(&mut self, word: &str) -> bool {
        let is = self.words.get(self.at).is_some_and(|w| w == word);
        self.at += usize::from(is);
        is
    }

    fn either(&mut self) -> String {
        let mut left = self.both();
        while self.take("||") {
            let right = self.both();
            left = if is_true(&left) { left } else { right };
        }
        left
    }

    fn both(&mut self) -> String {
        let mut left = self.compared();
        while self.take("&&") {
            let right = self.compared();
            left = if is_true(&left) { right } else { left };
        }
        left
    }

    fn compared(&mut self) -> String {
        let left = self.single();
        if self.take("==") {
            return left.eq_ignore_ascii_case(&self.single()).to_string();
        }
        if self.take("!=") {
            return (!left.eq_ignore_ascii_case(&self.single())).to_string();
        }
        left
    }

    fn single(&mut self) -> String {
        if self.take("!") {
            return (!is_true(&self.single())).to_string();
        }
        let word = self.words[self.at].clone();
        self.at += 1;
        if let Some(text) = word.strip_prefix('\'') {
            return text.trim_end_matches('\'').to_owned();
        }
        if self.take("(") {
            assert!(self.take(")"), "{word}: functions here take nothing");
            return match word.as_str() {
                "cancelled" => "false".to_owned(),
                "always" => "true".to_owned(),
                other => panic!("what is {other}()?"),
            };
        }
        (self.scope.value)(&word)
    }
}
