//! What users set for rules, in `cacheplan.toml`.
//!
//! ```toml
//! [rules]
//! base-digest = "off"           # or "note", "warning", "error"
//! package-version = { severity = "warning" }
//! image-labels = { severity = "warning", required = ["org.opencontainers.image.source"] }
//! ```
//!
//! Goes in: the text of the file. Comes out: [`Settings`], or what is wrong with it and where. Invariant: a name that no rule has is an error, so
//! that a misspelt line silences nothing.

use super::{Finding, Rule, all, rule};
use crate::diagnostic::{Diagnostic, Severity, shorten};
use crate::dockerfile::nearest;
use crate::simulate::Size;
use crate::source::Span;
use std::collections::BTreeMap;

/// What is set for one rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleSettings {
    /// `None`: not looked for.
    pub severity: Option<Option<Severity>>,
    /// Options of the rule, by name.
    pub options: BTreeMap<String, Vec<String>>,
}

/// What is set for all rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    rules: BTreeMap<&'static str, RuleSettings>,
}

impl Settings {
    /// Reads the `[rules]` table of a `cacheplan.toml`.
    ///
    /// # Errors
    /// What is wrong with the text, with its place in it.
    pub fn parse(text: &str) -> Result<Self, Diagnostic> {
        let bad = |span: std::ops::Range<usize>, message: String| {
            Diagnostic::error("config/rules", message, Span::new(span.start, span.end))
        };
        let document: toml::Table = toml::from_str(text).map_err(|e| {
            let span = e.span().unwrap_or(0..0);
            bad(span, e.message().trim().to_owned())
        })?;
        let mut out = Self::default();
        let Some(table) = document.get("rules") else {
            return Ok(out);
        };
        let place = |name: &str| find(text, name);
        let Some(table) = table.as_table() else {
            return Err(bad(place("rules"), "`rules` is a table".to_owned()));
        };
        for (name, value) in table {
            let Some(rule) = rule(name) else {
                let known = all().map(|r| r.name);
                let near = nearest(name, known);
                let near = near.map_or(String::new(), |n| format!(", did you mean `{n}`?"));
                let message = format!("there is no rule `{}`{near}", shorten(name));
                return Err(bad(place(name), message));
            };
            let set = RuleSettings::of(value).map_err(|why| bad(place(name), why))?;
            out.rules.insert(rule.name, set);
        }
        Ok(out)
    }

    /// What is set for a rule.
    #[must_use]
    pub fn of(&self, rule: &Rule) -> Option<&RuleSettings> {
        self.rules.get(rule.name)
    }

    /// A list that is set for a rule.
    #[must_use]
    pub fn list(&self, rule: &Rule, option: &str) -> Option<&[String]> {
        let list = self.of(rule)?.options.get(option)?;
        Some(list)
    }

    /// The least number of bytes that a rule speaks up for: `bytes = "2MB"`, else its own.
    #[must_use]
    pub fn least_bytes(&self, rule: &Rule, own: u64) -> u64 {
        let set = self.list(rule, "bytes").and_then(|l| l.first());
        set.and_then(|text| text.parse::<Size>().ok())
            .map_or(own, |size| size.0)
    }

    /// Takes out what is switched off, and gives the others the severity that is set.
    pub fn apply(&self, findings: &mut Vec<Finding>) {
        findings.retain_mut(|f| match self.of(f.rule).and_then(|s| s.severity) {
            None => true,
            Some(None) => false,
            Some(Some(severity)) => {
                f.severity = severity;
                true
            }
        });
    }
}

impl RuleSettings {
    fn of(value: &toml::Value) -> Result<Self, String> {
        let mut out = Self::default();
        match value {
            toml::Value::String(word) => out.severity = Some(severity(word)?),
            toml::Value::Table(table) => {
                for (key, value) in table {
                    let list = match value {
                        toml::Value::String(word) if key == "severity" => {
                            out.severity = Some(severity(word)?);
                            continue;
                        }
                        toml::Value::String(word) => vec![word.clone()],
                        toml::Value::Array(list) => list
                            .iter()
                            .map(|v| v.as_str().map(str::to_owned))
                            .collect::<Option<_>>()
                            .ok_or_else(|| format!("`{}` is a list of strings", shorten(key)))?,
                        _ => {
                            return Err(format!(
                                "`{}` is a string or a list of strings",
                                shorten(key)
                            ));
                        }
                    };
                    out.options.insert(key.clone(), list);
                }
            }
            _ => {
                return Err("write \"off\", \"note\", \"warning\", \"error\" or a table".to_owned());
            }
        }
        Ok(out)
    }
}

fn severity(word: &str) -> Result<Option<Severity>, String> {
    Ok(match word {
        "off" => None,
        "note" => Some(Severity::Note),
        "warning" => Some(Severity::Warning),
        "error" => Some(Severity::Error),
        other => {
            return Err(format!(
                "`{}` is no severity: write \"off\", \"note\", \"warning\" or \"error\"",
                shorten(other)
            ));
        }
    })
}

/// Where a key of the table stands: the first line that starts with it behind `[rules`.
fn find(text: &str, name: &str) -> std::ops::Range<usize> {
    let table = text.find("[rules").unwrap_or(0);
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let bare = line.trim_start();
        let indent = line.len() - bare.len();
        let key = bare.trim_start_matches(['"', '\'', '[']);
        let key = key.strip_prefix("rules.").unwrap_or(key);
        if at + line.len() > table && key.starts_with(name) {
            return at + indent..at + line.trim_end().len();
        }
        at += line.len();
    }
    0..0
}
