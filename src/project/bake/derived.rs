//! Functions of bake files that are about addresses, tables, times and names.
//!
//! Goes in: a name and values. Comes out: a value, where bake has one. Cost and result: bounded by the
//! limit. Invariant: as for all functions, no clock, no random numbers, no environment.

use super::evaluate::{Value, number, text};
use super::{address, calendar, encoding, table};

const NAMES: [&str; 8] = [
    "cidrhost",
    "cidrnetmask",
    "cidrsubnet",
    "cidrsubnets",
    "csvdecode",
    "formatdate",
    "timeadd",
    "uuidv5",
];

/// `None` where the function is none of these, `Some(None)` for a call that bake refuses.
pub(super) fn call(name: &str, arguments: &[Value], limit: usize) -> Option<Option<Value>> {
    NAMES.contains(&name).then(|| value(name, arguments, limit))
}

fn value(name: &str, arguments: &[Value], limit: usize) -> Option<Value> {
    let string = |at: usize| text(arguments.get(at)?.clone()).ok();
    let num = |at: usize| arguments.get(at).and_then(number);
    let word = match name {
        "cidrhost" => address::host(&string(0)?, num(1)?),
        "cidrnetmask" => address::mask(&string(0)?),
        "cidrsubnet" => address::subnet(&string(0)?, num(1)?, num(2)?),
        "cidrsubnets" => {
            let by: Option<Vec<f64>> = arguments.iter().skip(1).map(number).collect();
            let found = address::subnets(&string(0)?, &by?)?;
            return Some(Value::List(found.into_iter().map(Value::Text).collect()));
        }
        "csvdecode" => return table::decode(&string(0)?, limit).map(Value::List),
        "formatdate" => {
            let format = string(0)?;
            // Three letters stand for nine at most.
            let fits = format.len().saturating_mul(9) <= limit;
            calendar::format(&format, &string(1)?).filter(|_| fits)
        }
        "timeadd" => calendar::add(&string(0)?, &string(1)?),
        _ => encoding::uuid_v5(&string(0)?, &string(1)?),
    };
    word.map(Value::Text)
}
