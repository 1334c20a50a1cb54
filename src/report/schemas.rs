//! JSON Schemas of the documents, made from their types.
//!
//! Goes in: nothing. Comes out: one schema (draft 2020-12) for each document, as it is written. `docs/schemas/` holds them for others; a test keeps
//! those equal, and another one holds real output against them. Invariant: whatever a schema names is in the document; a document may get more fields.

use super::affected::Affected;
use super::explain::Explanation;
use super::findings::Checked;
use super::layers::LayersReport;
use super::learned::LearnedReport;
use super::model::{Analysis, Comparison, Optimized};
use super::trend;
use super::verify::Verified;
use crate::rules::baseline::Baseline;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

/// Every document that has one, by the name in the middle of `cacheplan.NAME/1`, sorted.
#[must_use]
pub fn all() -> Vec<(&'static str, Value)> {
    vec![
        of::<Affected>("affected"),
        of::<Analysis>("analyze"),
        of::<Baseline>("baseline"),
        of::<LearnedReport>("calibrate"),
        of::<Checked>("check"),
        of::<Comparison>("compare"),
        of::<Explanation>("explain"),
        of::<LayersReport>("layers"),
        of::<Optimized>("optimize"),
        of::<trend::Document>("trend"),
        of::<Verified>("verify"),
    ]
}

fn of<T: JsonSchema>(name: &'static str) -> (&'static str, Value) {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let schema: Schema = settings.into_generator().into_root_schema_for::<T>();
    let mut schema = schema.to_value();
    let title = format!("cacheplan.{name}/1");
    let one = schema.pointer_mut("/properties/schema");
    if let Some(one) = one.and_then(Value::as_object_mut) {
        one.insert("const".to_owned(), json!(title));
    }
    schema["title"] = json!(title);
    name_words(&mut schema);
    (name, schema)
}

/// Fields that are one of a few words, in every document the same ones.
const WORDS: [(&str, [&str; 3]); 3] = [
    ("severity", ["error", "warning", "note"]),
    ("safety", ["proven", "assumed", "review"]),
    ("cost_source", ["prior", "learned", "measured"]),
];

fn name_words(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            let fields = map.get_mut("properties").and_then(Value::as_object_mut);
            for field in fields.into_iter().flatten() {
                let words = WORDS.iter().find(|(name, _)| name == field.0);
                let of_text = field.1["type"] == json!("string");
                if let Some((_, words)) = words.filter(|_| of_text) {
                    field.1["enum"] = json!(words);
                }
            }
            map.values_mut().for_each(name_words);
        }
        Value::Array(list) => list.iter_mut().for_each(name_words),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_schema_names_its_document() {
        let list = all();
        assert!(list.is_sorted_by_key(|(name, _)| *name));
        for (name, schema) in list {
            let schema_name = &schema["properties"]["schema"]["const"];
            assert_eq!(*schema_name, json!(format!("cacheplan.{name}/1")));
        }
    }
}
