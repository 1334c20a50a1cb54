//! What a job's matrix and environment make of a text.
//!
//! Goes in: `strategy:` and `env:`. Comes out: the rows of the matrix, and texts with what is known put in. Invariant: a value that nobody knows
//! stays an expression.

use super::facts::is_open;
use super::yaml::{Kind, Yaml};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// More rows than this are not told apart.
const MAX_ROWS: usize = 256;

/// Values of all rows together.
const MAX_CELLS: usize = 20_000;

/// Bytes of one variable.
const MAX_VALUE: usize = 16 << 10;

/// Bytes of a text that values are put into; behind them expressions stay what they are.
const MAX_TEXT: usize = 1 << 20;

type Row = BTreeMap<String, String>;

/// A matrix, with the environment around it.
#[derive(Clone, Debug, Default)]
pub struct Values {
    /// One a job; empty without a matrix, or where it is made up while it runs.
    pub rows: Rc<Vec<Row>>,
    /// It is made up while it runs.
    pub unknown: bool,
    env: Rc<Scope>,
}

/// Variables, and those around them: a step shares what its job has.
#[derive(Clone, Debug, Default)]
struct Scope {
    own: BTreeMap<String, Option<String>>,
    outer: Option<Rc<Scope>>,
}

impl Scope {
    fn get(&self, name: &str) -> Option<&String> {
        match (self.own.get(name), &self.outer) {
            (Some(value), _) => value.as_ref(),
            (None, outer) => outer.as_ref()?.get(name),
        }
    }
}

impl Values {
    pub fn new(strategy: Option<&Yaml>) -> Self {
        let mut out = Self::default();
        let Some(matrix) = strategy.and_then(|s| s.get("matrix")) else {
            return out;
        };
        if matrix.text().is_some() {
            out.unknown = true;
            return out;
        }
        let mut rows: Vec<Row> = vec![Row::new()];
        let mut keys = BTreeSet::new();
        for entry in matrix.entries() {
            if entry.key == "include" || entry.key == "exclude" {
                out.unknown |= entry.value.text().is_some();
                continue;
            }
            let Kind::List(items) = &entry.value.kind else {
                out.unknown = true;
                continue;
            };
            keys.insert(entry.key.clone());
            if rows.len().saturating_mul(items.len()) > MAX_ROWS {
                out.unknown = true;
                return out;
            }
            let mut next = Vec::new();
            for row in &rows {
                for item in items {
                    let mut row = row.clone();
                    flatten(&entry.key, item, &mut row);
                    next.push(row);
                }
            }
            rows = next;
            if cells(&rows) > MAX_CELLS {
                out.unknown = true;
                return out;
            }
        }
        let include = matrix.get("include").map_or(&[][..], Yaml::items);
        if keys.is_empty() && !include.is_empty() {
            rows.clear();
        }
        for extra in include.iter().take(MAX_ROWS) {
            let mut own = Row::new();
            for entry in extra.entries() {
                flatten(&entry.key, &entry.value, &mut own);
            }
            let fits = |row: &Row| {
                let mut same = own.iter().filter(|(k, _)| keys.contains(*k));
                same.all(|(k, v)| row.get(k) == Some(v))
            };
            let fitting = rows.iter().filter(|r| fits(r)).count();
            if fitting == 0 || keys.is_empty() {
                rows.push(own);
                continue;
            }
            for row in rows.iter_mut().filter(|r| fits(r)) {
                row.extend(own.clone());
            }
            if cells(&rows) > MAX_CELLS {
                out.unknown = true;
                return out;
            }
        }
        out.rows = Rc::new(rows);
        out
    }

    /// With variables, later ones over earlier ones.
    pub fn with_env(&self, env: Option<&Yaml>) -> Self {
        let mut out = self.clone();
        let entries = env.map_or(&[][..], Yaml::entries);
        if entries.is_empty() {
            return out;
        }
        let mut scope = Scope {
            own: BTreeMap::new(),
            outer: Some(Rc::clone(&self.env)),
        };
        for entry in entries {
            if let Some(text) = entry.value.text() {
                // One that doubles what another says, again and again, has no end: such a value is not known.
                let text = replace(text, |name| scope.get(name.strip_prefix("env.")?).cloned());
                let text = Some(text).filter(|t| t.len() <= MAX_VALUE);
                scope.own.insert(entry.key.clone(), text);
            }
        }
        out.env = Rc::new(scope);
        out
    }

    /// Keys that have several values; `*` where nobody knows.
    pub fn varies(&self) -> Vec<String> {
        let mut seen: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (key, value) in self.rows.iter().flatten() {
            seen.entry(key).or_default().insert(value);
        }
        let several = seen.into_iter().filter(|(_, values)| values.len() > 1);
        let mut out: Vec<String> = several.map(|(key, _)| key.to_owned()).collect();
        if self.unknown {
            out.push("*".to_owned());
        }
        out
    }

    /// A text with the variables of `env:` put in.
    pub fn with_variables(&self, text: &str) -> String {
        replace(text, |name| {
            let key = name.strip_prefix("env.")?;
            self.env.get(key).cloned()
        })
    }

    /// Everything that a text may become; nothing where that depends on what is not written here.
    pub fn all_of(&self, text: &str) -> Vec<String> {
        let text = self.with_variables(text);
        if !is_open(&text) {
            return vec![text];
        }
        let mut out = BTreeSet::new();
        for row in self.rows.iter() {
            let one = replace(&text, |name| {
                let key = name.strip_prefix("matrix.")?;
                row.get(key).cloned()
            });
            if is_open(&one) {
                return Vec::new();
            }
            out.insert(one);
        }
        out.into_iter().collect()
    }

    /// Whether all values of some keys are known and can stand in a list of attributes.
    pub fn are_plain(&self, keys: &[String]) -> bool {
        let plain = |v: &String| {
            let mut chars = v.chars();
            !v.is_empty() && chars.all(|c| c.is_alphanumeric() || "._-/".contains(c))
        };
        let mut all = self.rows.iter();
        !self.unknown && all.all(|r| keys.iter().all(|k| r.get(k).is_some_and(plain)))
    }

    /// The keys with several values that a text depends on.
    pub fn chosen_by(&self, text: &str) -> Vec<String> {
        let text = self.with_variables(text);
        let varies = self.varies();
        let mut out = Vec::new();
        names(&text, |name| {
            for part in name.split(|c: char| !(c.is_alphanumeric() || "_-.".contains(c))) {
                if let Some(key) = part.strip_prefix("matrix.")
                    && (self.unknown
                        || varies
                            .iter()
                            .any(|v| v == key || key.starts_with(&format!("{v}."))))
                {
                    out.push(key.to_owned());
                }
            }
        });
        out.sort();
        out.dedup();
        out
    }
}

/// Values of all rows.
fn cells(rows: &[Row]) -> usize {
    rows.iter().map(Row::len).sum()
}

fn flatten(key: &str, value: &Yaml, row: &mut Row) {
    match &value.kind {
        Kind::Text(text) => drop(row.insert(key.to_owned(), text.clone())),
        Kind::Map(entries) => {
            for entry in entries {
                flatten(&format!("{key}.{}", entry.key), &entry.value, row);
            }
        }
        Kind::List(items) => {
            let texts: Vec<&str> = items.iter().filter_map(Yaml::text).collect();
            row.insert(key.to_owned(), texts.join(","));
        }
        Kind::Null => drop(row.insert(key.to_owned(), String::new())),
    }
}

/// Every expression of a text, without its braces.
fn names(text: &str, mut each: impl FnMut(&str)) {
    replace(text, |name| {
        each(name);
        None
    });
}

/// A text with those expressions replaced that something is known for.
fn replace(text: &str, mut by: impl FnMut(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${{") {
        let Some(end) = rest[at..].find("}}").map(|n| at + n) else {
            break;
        };
        out.push_str(&rest[..at]);
        match by(rest[at + 3..end].trim()) {
            Some(value) if out.len() + value.len() <= MAX_TEXT => out.push_str(&value),
            _ => out.push_str(&rest[at..end + 2]),
        }
        rest = &rest[end + 2..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::workflows::yaml::parse;

    fn values(text: &str) -> Values {
        Values::new(parse(text).as_ref())
    }

    #[test]
    fn rows_of_lists_and_includes() {
        let v = values(
            "matrix:\n  a: [x, y]\n  b: [1]\n  include:\n    - a: x\n      f: D\n    - a: z\n      f: E\n",
        );
        assert_eq!(v.rows.len(), 3);
        assert_eq!(v.varies(), ["a", "f"]);
        assert_eq!(
            v.all_of("${{ matrix.a }}-${{matrix.b}}"),
            Vec::<String>::new()
        );
        assert_eq!(v.all_of("${{ matrix.a }}"), ["x", "y", "z"]);
        assert_eq!(
            v.chosen_by("f ${{ matrix.a || 'q' }} ${{ matrix.b }}"),
            ["a"]
        );
        let objects = values("matrix:\n  image: [{n: p, d: q}, {n: r, d: s}]\n");
        assert_eq!(objects.all_of("${{ matrix.image.d }}/x"), ["q/x", "s/x"]);
        assert!(values("matrix: ${{ fromJSON(x) }}").unknown);
    }

    #[test]
    fn variables() {
        let env = parse("A: one\nB: ${{ env.A }}/two\n");
        let v = Values::default().with_env(env.as_ref());
        assert_eq!(v.all_of("${{ env.B }}"), ["one/two"]);
        assert!(v.all_of("${{ env.C }}").is_empty());
    }

    #[test]
    fn what_grows_without_end_is_not_known() {
        let mut env = "A0: aaaaaaaa\n".to_owned();
        for i in 0..60 {
            env += &format!("A{}: ${{{{ env.A{i} }}}}${{{{ env.A{i} }}}}\n", i + 1);
        }
        let v = Values::default().with_env(parse(&env).as_ref());
        assert_eq!(v.all_of("${{ env.A1 }}"), ["a".repeat(16)]);
        assert!(v.all_of("${{ env.A60 }}").is_empty());
        // Ten lists of forty, and many keys that all rows take over.
        let list = format!("[{}]", vec!["x"; 40].join(", "));
        let lists: String = (0..10).map(|i| format!("  k{i}: {list}\n")).collect();
        assert!(values(&format!("matrix:\n{lists}")).unknown);
        let keys: String = (0..200).map(|i| format!("      j{i}: 1\n")).collect();
        let one: String = (0..200).map(|n| format!("    - n{n}: 1\n{keys}")).collect();
        let wide = values(&format!(
            "matrix:\n  a: {list}\n  b: [1, 2, 3, 4, 5]\n  include:\n{one}"
        ));
        assert!(wide.unknown && wide.rows.is_empty());
    }
}
