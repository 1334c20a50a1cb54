//! `RUN --device`.
//!
//! Goes in: the value of the flag. Comes out: nothing, or what the builder refuses it for. Costs one pass.
//! Invariant: the rules are those of `ParseDevice` in the builder's `instructions` package; rows in
//! `corpus/verdicts` were put to it.

use super::mount;
use crate::dockerfile::check::truth;

pub const HELP: &str =
    "write `--device=vendor.com/device=name`, and `,required` behind it if the build needs it";

/// # Errors
/// A sentence that says which field is wrong.
pub fn check(value: &str) -> Result<(), String> {
    if value.is_empty() {
        return Err("it is empty".to_owned());
    }
    let mut name = String::new();
    for field in mount::fields(value)? {
        let (key, text) = match field.split_once('=') {
            Some((key, text)) => (key.to_lowercase(), Some(text)),
            None => (field.to_lowercase(), None),
        };
        match (key.as_str(), text) {
            ("required", None) => {}
            ("required", Some(text)) if truth(text).is_some() => {}
            ("required", Some(text)) => return Err(format!("`{text}` is neither true nor false")),
            ("name", Some(_)) if !name.is_empty() => {
                return Err(format!("it names two devices, `{name}` and another"));
            }
            ("name", Some(text)) => text.clone_into(&mut name),
            (_, _) if name.is_empty() => field.clone_into(&mut name),
            (_, None) => return Err(format!("`{field}` has no `=`")),
            (_, Some(_)) => return Err(format!("there is no option `{key}`")),
        }
    }
    Ok(())
}
