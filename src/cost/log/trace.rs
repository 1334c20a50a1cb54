//! OpenTelemetry traces of builds: OTLP as JSON, and the spans that BuildKit keeps with its records.
//!
//! Goes in: the text. Comes out: the vertices whose spans it holds. BuildKit names the span of a vertex that ran like the vertex, that of a
//! result it had `load cache: …`, and that of the question for one `cache request: …` (progress formats, section 3). A vertex that has
//! only the last of these was not needed. One pass; a text that ends too early keeps what stands before.

use super::vertices::{Update, Vertices};
use super::{Log, LogError, LogFormat};
use serde::Deserialize;
use serde_json::Value;

/// One span of either shape.
struct Span {
    name: String,
    vertex: String,
    start: i128,
    end: i128,
    error: String,
}

/// OTLP: a request with all spans, or one a line.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Otlp {
    resource_spans: Vec<ResourceSpans>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans {
    #[serde(default)]
    scope_spans: Vec<ScopeSpans>,
}

#[derive(Deserialize)]
struct ScopeSpans {
    #[serde(default)]
    spans: Vec<OtlpSpan>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OtlpSpan {
    #[serde(default)]
    name: String,
    #[serde(default)]
    start_time_unix_nano: Value,
    #[serde(default)]
    end_time_unix_nano: Value,
    #[serde(default)]
    attributes: Vec<OtlpAttribute>,
    #[serde(default)]
    status: OtlpStatus,
}

#[derive(Deserialize)]
struct OtlpAttribute {
    key: String,
    #[serde(default)]
    value: Value,
}

#[derive(Default, Deserialize)]
struct OtlpStatus {
    #[serde(default)]
    code: Value,
    #[serde(default)]
    message: String,
}

/// A span as BuildKit stores it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Stored {
    name: String,
    start_time: String,
    end_time: String,
    #[serde(default)]
    attributes: Option<Vec<StoredAttribute>>,
    #[serde(default)]
    status: StoredStatus,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StoredAttribute {
    key: String,
    #[serde(default)]
    value: Value,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StoredStatus {
    #[serde(default)]
    code: Value,
    #[serde(default)]
    description: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Document {
    Otlp(Otlp),
    Stored(Box<Stored>),
}

/// Whether a text begins like one.
pub(super) fn is_trace(text: &str) -> bool {
    let start = text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n', '[']);
    let head: String = start
        .chars()
        .take(400)
        .filter(|c| !c.is_whitespace())
        .collect();
    head.starts_with("{\"resourceSpans\":")
        || (head.starts_with("{\"Name\":") && head.contains("\"SpanContext\":"))
}

/// Reads a trace.
///
/// # Errors
/// Nothing in it is a span.
pub(super) fn read(text: &str) -> Result<Log, LogError> {
    let mut spans = Vec::new();
    let mut notes = Vec::new();
    let text = text.trim_start_matches('\u{feff}').trim_start();
    // A list of them is one document.
    let list = text.starts_with('[');
    let mut documents = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    loop {
        match documents.next() {
            None => break,
            Some(Ok(Value::Array(all))) if list => {
                for one in all {
                    take(one, &mut spans)?;
                }
            }
            Some(Ok(one)) => take(one, &mut spans)?,
            Some(Err(e)) if e.is_eof() && !spans.is_empty() => {
                notes.push("the trace is cut off".to_owned());
                break;
            }
            Some(Err(e)) => {
                return Err(LogError::Line {
                    line: e.line(),
                    reason: format!("this is no trace: {e}"),
                });
            }
        }
    }
    spans.sort_by_key(|s| s.start);
    let mut vertices = Vertices::default();
    for span in spans.into_iter().filter(|s| !s.vertex.is_empty()) {
        let asked = span.name.strip_prefix("cache request: ");
        let loaded = span.name.strip_prefix("load cache: ");
        let name = asked.or(loaded).unwrap_or(&span.name).to_owned();
        vertices.update(
            Update {
                digest: span.vertex,
                name,
                started: asked.is_none().then_some(span.start),
                completed: asked.is_none().then_some(span.end),
                cached: loaded.is_some(),
                error: span.error,
            },
            0,
        );
    }
    Ok(Log {
        format: LogFormat::Trace,
        steps: vertices.steps(),
        error: None,
        notes,
        last_words: Vec::new(),
    })
}

fn take(document: Value, spans: &mut Vec<Span>) -> Result<(), LogError> {
    let document: Document = serde_json::from_value(document).map_err(|_| LogError::Line {
        line: 1,
        reason: "this is no span of a trace".to_owned(),
    })?;
    match document {
        Document::Stored(span) => spans.extend(of_stored(*span)),
        Document::Otlp(all) => {
            let scopes = all.resource_spans.into_iter().flat_map(|r| r.scope_spans);
            spans.extend(scopes.flat_map(|s| s.spans).filter_map(of_otlp));
        }
    }
    Ok(())
}

fn of_stored(span: Stored) -> Option<Span> {
    let attributes = span.attributes.unwrap_or_default();
    let vertex = attributes.iter().find(|a| a.key == "vertex");
    let vertex = vertex.and_then(|a| a.value.get("Value")?.as_str());
    let failed = matches!(span.status.code.as_str(), Some("Error")) || span.status.code == 1;
    Some(Span {
        vertex: vertex.unwrap_or_default().to_owned(),
        start: super::rawjson::nanoseconds(&span.start_time)?,
        end: super::rawjson::nanoseconds(&span.end_time)?,
        name: span.name,
        error: match failed {
            true => format!("failed: {}", span.status.description),
            false => String::new(),
        },
    })
}

fn of_otlp(span: OtlpSpan) -> Option<Span> {
    let nanos = |v: &Value| match v {
        Value::String(text) => text.parse::<u64>().ok().map(i128::from),
        Value::Number(number) => number.as_u64().map(i128::from),
        _ => None,
    };
    let vertex = span.attributes.iter().find(|a| a.key == "vertex");
    let vertex = vertex.and_then(|a| a.value.get("stringValue")?.as_str());
    let code = &span.status.code;
    let failed = *code == 2 || code.as_str() == Some("STATUS_CODE_ERROR");
    Some(Span {
        vertex: vertex.unwrap_or_default().to_owned(),
        start: nanos(&span.start_time_unix_nano)?,
        end: nanos(&span.end_time_unix_nano)?,
        name: span.name,
        error: match failed {
            true => format!("failed: {}", span.status.message),
            false => String::new(),
        },
    })
}
