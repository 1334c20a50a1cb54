//! Findings that were there before: a file of them, so that only new ones are told.
//!
//! Goes in: findings with the text of the lines they are about. Comes out: fingerprints that stay the same when lines move, and a document that
//! holds how often each was found. Invariant: the same findings give the same bytes.

use super::Finding;
use crate::diagnostic::shorten;
use crate::source::{SourceFile, Span};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `cacheplan.baseline/1`.
#[derive(Clone, Debug, Default, Serialize, schemars::JsonSchema, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    schema: String,
    findings: Vec<Row>,
}

#[derive(Clone, Debug, Serialize, schemars::JsonSchema, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    file: String,
    rule: String,
    fingerprint: String,
    count: usize,
}

const SCHEMA: &str = "cacheplan.baseline/1";

/// What a finding is known by: its rule, its file, and the words of the lines it is about. Lines that move or are indented otherwise leave it as it is.
#[must_use]
pub fn fingerprint(finding: &Finding, file: &str, source: Option<&SourceFile>) -> String {
    let place = source.filter(|_| finding.span != Span::default());
    fingerprint_of(finding.rule.name, file, place.map(|s| (s, finding.span)))
}

/// As [`fingerprint`], of anything that has a name and a place.
#[must_use]
pub fn fingerprint_of(name: &str, file: &str, place: Option<(&SourceFile, Span)>) -> String {
    let mut hash = blake3::Hasher::new();
    let mut field = |text: &str| {
        hash.update(text.as_bytes());
        hash.update(&[0]);
    };
    field(name);
    field(file);
    if let Some((source, span)) = place {
        let (first, last) = (
            source.line(span.start),
            source.line(span.end.saturating_sub(1).max(span.start)),
        );
        for line in first..=last.min(first.saturating_add(200)) {
            let text = source.line_span(line).map(|s| source.text(s));
            for word in text.iter().flat_map(|t| t.split_whitespace()) {
                field(word);
            }
        }
    }
    hash.finalize().to_hex()[..16].to_owned()
}

type Key = (String, String, String);

impl Baseline {
    /// Of findings, each with its file and its fingerprint.
    #[must_use]
    pub fn of<'a>(findings: impl Iterator<Item = (&'a str, &'a Finding, String)>) -> Self {
        let mut counts: BTreeMap<Key, usize> = BTreeMap::new();
        for (file, finding, fingerprint) in findings {
            let key = (file.to_owned(), finding.rule.name.to_owned(), fingerprint);
            *counts.entry(key).or_default() += 1;
        }
        let row = |((file, rule, fingerprint), count)| Row {
            file,
            rule,
            fingerprint,
            count,
        };
        Self {
            schema: SCHEMA.to_owned(),
            findings: counts.into_iter().map(row).collect(),
        }
    }

    /// Reads a file of them.
    ///
    /// # Errors
    /// What is wrong with it, one sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let out: Self = serde_json::from_str(text).map_err(|e| e.to_string())?;
        match out.schema.as_str() {
            SCHEMA => Ok(out),
            other => Err(format!("its schema is {}, not {SCHEMA}", shorten(other))),
        }
    }

    /// How often each may still be found.
    #[must_use]
    pub fn allowance(&self) -> Allowance {
        let row = |r: &Row| {
            (
                (r.file.clone(), r.rule.clone(), r.fingerprint.clone()),
                r.count,
            )
        };
        Allowance(self.findings.iter().map(row).collect())
    }
}

/// What is left of a baseline while findings are held against it.
#[derive(Clone, Debug, Default)]
pub struct Allowance(BTreeMap<Key, usize>);

impl Allowance {
    /// Whether the baseline has this one, and has not been used up by others like it.
    pub fn takes(&mut self, file: &str, finding: &Finding, fingerprint: &str) -> bool {
        let key = (
            file.to_owned(),
            finding.rule.name.to_owned(),
            fingerprint.to_owned(),
        );
        match self.0.get_mut(&key) {
            Some(left) if *left > 0 => {
                *left -= 1;
                true
            }
            _ => false,
        }
    }
}
