//! A Makefile as far as it says which commands a goal runs.
//!
//! Goes in: its text, variables, goals. Comes out: the recipe lines that make would hand to a shell, in order, with what only
//! running it can tell replaced by a word. Costs O(lines) and the recipes of the goals, bounded by [`MOST_RECIPES`].
//! Invariant: a rule that is not understood has no recipes; nothing is run.

use std::collections::{BTreeMap, BTreeSet};

/// Recipe lines of one goal and what it needs.
const MOST_RECIPES: usize = 200;
/// Variables that are made from each other.
const MAX_DEPTH: usize = 16;
/// Longest text that an expansion may make, bytes.
const MAX_TEXT: usize = 1 << 16;

/// Stands for a value that is not known.
const SOMETHING: &str = "something";

/// Rules and variables.
#[derive(Clone, Debug, Default)]
pub(super) struct Makefile {
    variables: BTreeMap<String, String>,
    /// Set by the caller: an assignment of the file changes nothing.
    given: BTreeSet<String>,
    /// Those that recipes see as variables of the environment.
    exported: BTreeSet<String>,
    rules: BTreeMap<String, Rule>,
    /// The first goal.
    first: Option<String>,
}

#[derive(Clone, Debug, Default)]
struct Rule {
    needs: Vec<String>,
    recipe: Vec<String>,
}

impl Makefile {
    /// Reads a text. `given` are variables of the command line, `environment` those around.
    pub(super) fn parse(
        text: &str,
        given: &BTreeMap<String, String>,
        environment: &BTreeMap<String, String>,
    ) -> Self {
        let mut out = Self {
            variables: environment.clone(),
            given: given.keys().cloned().collect(),
            ..Self::default()
        };
        out.variables
            .extend(given.iter().map(|(n, v)| (n.clone(), v.clone())));
        out.variables.insert("MAKE".to_owned(), "make".to_owned());
        let mut targets: Vec<String> = Vec::new();
        // Inside `define` nothing is a rule; of both sides of a condition all is read.
        let mut defining = false;
        for line in logical_lines(text) {
            let word = line.split_whitespace().next().unwrap_or_default();
            match word {
                "define" => defining = true,
                "endef" => defining = false,
                _ if defining => {}
                _ if line.starts_with('\t') => {
                    for target in &targets {
                        let rule = out.rules.entry(target.clone()).or_default();
                        rule.recipe.push(line[1..].to_owned());
                    }
                }
                "" | "ifeq" | "ifneq" | "ifdef" | "ifndef" | "else" | "endif" | "include"
                | "-include" | "sinclude" | "vpath" | "undefine" => {}
                _ => targets = out.statement(strip_comment(&line)).unwrap_or(targets),
            }
        }
        out
    }

    /// An assignment or the head of a rule; the targets of a rule.
    fn statement(&mut self, line: &str) -> Option<Vec<String>> {
        let line = line.trim();
        let (line, exports) = match line.strip_prefix("export ") {
            Some(rest) => (rest.trim(), true),
            None => (line.strip_prefix("override ").unwrap_or(line).trim(), false),
        };
        if let Some((name, operator, value)) = assignment(line) {
            if exports {
                self.exported.insert(name.to_owned());
            }
            self.assign(name, operator, value);
            return None;
        }
        if exports {
            self.exported
                .extend(line.split_whitespace().map(str::to_owned));
            return None;
        }
        let (head, rest) = line.split_once(':')?;
        // `target: NAME = value` holds for one goal; `a: b: c` and `a:: b` are other kinds of rules.
        if rest.starts_with(':') || assignment(rest.trim()).is_some() {
            return Some(Vec::new());
        }
        let (needs, own) = match rest.split_once(';') {
            Some((needs, recipe)) => (needs, Some(recipe.trim().to_owned())),
            None => (rest, None),
        };
        let needs = self.expand(needs, 0);
        let needs: Vec<String> = needs
            .split_whitespace()
            .filter(|n| *n != "|")
            .map(str::to_owned)
            .collect();
        let targets: Vec<String> = self
            .expand(head, 0)
            .split_whitespace()
            .filter(|t| !t.contains('%'))
            .map(str::to_owned)
            .collect();
        for target in &targets {
            let rule = self.rules.entry(target.clone()).or_default();
            rule.needs.extend(needs.iter().cloned());
            rule.recipe.extend(own.clone());
            if self.first.is_none() && !target.starts_with('.') {
                self.first = Some(target.clone());
            }
        }
        Some(targets)
    }

    fn assign(&mut self, name: &str, operator: &str, value: &str) {
        if self.given.contains(name) {
            return;
        }
        let value = match operator {
            "?=" if self.variables.contains_key(name) => return,
            ":=" | "::=" => self.expand(value, 0),
            "+=" => {
                let before = self.variables.get(name).cloned().unwrap_or_default();
                format!("{before} {value}")
            }
            "!=" => SOMETHING.to_owned(),
            _ => value.to_owned(),
        };
        if value.len() <= MAX_TEXT {
            self.variables.insert(name.to_owned(), value);
        }
    }

    /// The variables that recipes see beside those around make.
    pub(super) fn environment(&self) -> BTreeMap<String, String> {
        let seen = self.exported.iter().chain(&self.given);
        seen.filter_map(|n| Some((n.clone(), self.expand(self.variables.get(n)?, 0))))
            .collect()
    }

    /// The recipe lines of goals and of what they need, in order; of the first goal where none is named.
    pub(super) fn recipes(&self, goals: &[&str]) -> Vec<String> {
        let first = self.first.as_deref();
        let goals = match goals {
            [] => first.into_iter().collect(),
            named => named.to_vec(),
        };
        let (mut out, mut seen) = (Vec::new(), BTreeSet::new());
        // A goal comes once more behind what it needs.
        let mut open: Vec<(&str, bool)> = goals.iter().rev().map(|g| (*g, false)).collect();
        while let Some((goal, ready)) = open.pop() {
            let Some((name, rule)) = self.rules.get_key_value(goal) else {
                continue;
            };
            if ready {
                let shown = rule.recipe.iter().map(|r| self.line(r, name));
                out.extend(shown);
                if out.len() > MOST_RECIPES {
                    out.truncate(MOST_RECIPES);
                    return out;
                }
            } else if seen.insert(name.as_str()) {
                open.push((name, true));
                let needs = rule.needs.iter().rev();
                open.extend(needs.map(|n| (n.as_str(), false)));
            }
        }
        out
    }

    /// A recipe line as a shell gets it.
    fn line(&self, recipe: &str, goal: &str) -> String {
        let plain = recipe.trim_start_matches(['@', '-', '+', ' ', '\t']);
        let plain = plain.replace("$@", goal).replace("$(@)", goal);
        told(&self.expand(&plain, 0))
    }

    /// A text with its variables in place. `$$` stays as it is: it is the shell's.
    fn expand(&self, text: &str, depth: usize) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            out.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            let Some(next) = rest.chars().next() else {
                break;
            };
            if out.len() > MAX_TEXT || depth > MAX_DEPTH {
                return SOMETHING.to_owned();
            }
            match next {
                '$' => {
                    out.push_str("$$");
                    rest = &rest[1..];
                }
                '(' | '{' => {
                    let Some(end) = closing(rest) else {
                        return out;
                    };
                    out.push_str(&self.reference(&rest[1..end], depth));
                    rest = &rest[end + 1..];
                }
                c => {
                    // `$<`, `$^` and their like name files; other single letters are variables.
                    let name = c.to_string();
                    match self.variables.get(&name) {
                        Some(value) => out.push_str(&self.expand(value, depth + 1)),
                        None if c.is_ascii_alphanumeric() => {}
                        None => out.push_str(SOMETHING),
                    }
                    rest = &rest[c.len_utf8()..];
                }
            }
        }
        out.push_str(rest);
        match out.len() > MAX_TEXT {
            true => SOMETHING.to_owned(),
            false => out,
        }
    }

    /// What `$(…)` stands for: a variable, or a function, of which nothing is known.
    fn reference(&self, inner: &str, depth: usize) -> String {
        let is_name = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
        if inner.is_empty() || !inner.bytes().all(is_name) {
            return SOMETHING.to_owned();
        }
        // What nobody has set is empty.
        let value = self.variables.get(inner).map_or("", String::as_str);
        self.expand(value, depth + 1)
    }
}

/// `NAME = value` with any of make's operators.
fn assignment(line: &str) -> Option<(&str, &str, &str)> {
    let at = line.find('=')?;
    let before = &line[..at];
    let operators = ["::", ":", "?", "+", "!"];
    let prefix = operators.into_iter().find(|o| before.ends_with(o));
    let name = before[..before.len() - prefix.map_or(0, str::len)].trim();
    let is_name = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
    let operator = match prefix {
        Some("::") => "::=",
        Some(":") => ":=",
        Some("?") => "?=",
        Some("+") => "+=",
        Some("!") => "!=",
        _ => "=",
    };
    let named = !name.is_empty() && name.bytes().all(is_name);
    named.then(|| (name, operator, line[at + 1..].trim()))
}

/// Lines with those that go on behind a backslash. Recipes keep their tab.
fn logical_lines(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut open = false;
    for line in text.lines() {
        let (line, goes_on) = match line.strip_suffix('\\') {
            Some(line) => (line, true),
            None => (line, false),
        };
        match out.last_mut().filter(|_| open) {
            Some(last) => {
                last.push(' ');
                last.push_str(line.trim_start());
            }
            None => out.push(line.to_owned()),
        }
        open = goes_on;
    }
    out
}

fn strip_comment(line: &str) -> &str {
    line.find('#').map_or(line, |at| &line[..at])
}

/// Where the bracket at the start ends.
fn closing(text: &str) -> Option<usize> {
    let (open, close) = match text.as_bytes().first()? {
        b'(' => (b'(', b')'),
        _ => (b'{', b'}'),
    };
    let mut depth = 0_usize;
    for (at, b) in text.bytes().enumerate() {
        if b == open {
            depth += 1;
        } else if b == close {
            depth -= 1;
            if depth == 0 {
                return Some(at);
            }
        }
    }
    None
}

/// A shell line without what only running it can tell: substitutions, and variables that the shell sets.
fn told(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find(['`', '$']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(inner) = rest.strip_prefix('`') {
            let end = inner.find('`').map_or(inner.len(), |e| e + 1);
            out.push_str(SOMETHING);
            rest = &inner[end..];
        } else if let Some(inner) = rest.strip_prefix("$$").filter(|i| i.starts_with('(')) {
            let end = closing(inner).map_or(inner.len(), |e| e + 1);
            out.push_str(SOMETHING);
            rest = &inner[end..];
        } else if let Some(inner) = rest.strip_prefix("$$") {
            out.push('$');
            rest = inner;
        } else {
            out.push('$');
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipes(text: &str, goals: &[&str], given: &[(&str, &str)]) -> Vec<String> {
        let given = given
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect();
        let around = [("HOME".to_owned(), "/root".to_owned())].into();
        Makefile::parse(text, &given, &around).recipes(goals)
    }

    #[test]
    fn goals_run_what_they_need_first() {
        let text = "GO=go\nFLAGS ?= -v\nGOBUILD = $(GO) build ${FLAGS}\n.PHONY: all\nall: build \\\n  ui\n\
                    build: deps # x\n\t@cd cmd; $(GOBUILD) -o $@\n\ndeps:\n\t-$(GO) get -d ./...\n\
                    ui: ; $(MAKE) -C less\n";
        let all = [
            "go get -d ./...",
            "cd cmd; go build -v -o build",
            "make -C less",
        ];
        assert_eq!(recipes(text, &[], &[]), all);
        assert_eq!(recipes(text, &["ui"], &[]), all[2..]);
        assert_eq!(
            recipes(text, &["build"], &[("FLAGS", "-x")])[1],
            "cd cmd; go build -x -o build"
        );
        assert!(recipes(text, &["gone"], &[]).is_empty());
    }

    #[test]
    fn what_only_running_tells_is_a_word() {
        let text = "REV=`git describe`\nTAG := $(shell git tag)\nx:\n\tgo build -ldflags \"$(REV) $(TAG)\" $$A $$(pwd) $<\n";
        assert_eq!(
            recipes(text, &["x"], &[]),
            ["go build -ldflags \"something something\" $A something something"]
        );
    }

    #[test]
    fn what_is_no_rule_is_left_out() {
        let text = "define t\nx:\n\trm -rf /\nendef\n%.o: %.c\n\tcc\nifeq ($(A),b)\nx:\n\tcargo build\nendif\n\
                    x: VAR = 1\ny:: z\n\tno\nz: z\n\t$(call f,$(A))\n";
        assert_eq!(recipes(text, &["x"], &[]), ["cargo build"]);
        assert_eq!(recipes(text, &["z"], &[]), ["something"]);
        assert!(recipes(text, &["y"], &[]).is_empty());
    }

    #[test]
    fn odd_texts_end() {
        assert_eq!(
            recipes("A = $(A)\nx:\n\techo $(A)$\n", &["x"], &[]),
            ["echo something"]
        );
        let wide = format!("A = {}\n", "$(B)".repeat(2000));
        let text = format!("{wide}B = {}\nx:\n\techo $(A)\n", "b".repeat(2000));
        assert!(recipes(&text, &["x"], &[])[0].len() < MAX_TEXT);
        assert!(recipes("x:\n\techo $(A\n", &["x"], &[])[0].starts_with("echo"));
    }
}
