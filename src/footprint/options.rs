//! Command-line options the usual way: clusters of letters, long names, `--`, operands in between.
//!
//! Goes in: arguments and the options a command is known to have. Comes out: options and operands.
//! Linear. Invariant: an option that is not listed is an error, because it may change what the
//! command touches.

use super::argument::Argument;

/// The options a command is known to have.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spec {
    /// Letters without a value.
    pub(super) letters: &'static str,
    /// Letters with a value.
    pub(super) letters_with_value: &'static str,
    /// Long names that may stand without a value.
    pub(super) names: &'static [&'static str],
    /// Long names with a value.
    pub(super) names_with_value: &'static [&'static str],
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    /// Options in order: letter or long name without dashes, and the value.
    pub(super) options: Vec<(String, Option<Argument>)>,
    /// Everything else in order.
    pub(super) operands: Vec<Argument>,
}

impl Parsed {
    /// Whether one of these options is given.
    pub(super) fn has(&self, names: &[&str]) -> bool {
        self.options
            .iter()
            .any(|(n, _)| names.contains(&n.as_str()))
    }

    /// The values of these options, in order.
    pub(super) fn values<'a>(&'a self, names: &'a [&str]) -> impl Iterator<Item = &'a Argument> {
        self.options
            .iter()
            .filter(|(n, _)| names.contains(&n.as_str()))
            .filter_map(|(_, v)| v.as_ref())
    }
}

/// Takes the arguments apart.
///
/// # Errors
/// The option that is not in the table, as a reason.
pub(super) fn parse(arguments: &[Argument], spec: &Spec) -> Result<Parsed, String> {
    let mut out = Parsed::default();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let text = match argument {
            Argument::Known(text) => text.as_str(),
            Argument::Unknown { prefix } if prefix.starts_with('-') => {
                match long_value(prefix, spec) {
                    // `--name=$VALUE`
                    Some(name) => {
                        let value = Argument::Unknown {
                            prefix: prefix[name.len() + 3..].to_string(),
                        };
                        out.options.push((name.to_string(), Some(value)));
                        continue;
                    }
                    None => return Err(format!("option {}… is not known", prefix)),
                }
            }
            _ => {
                out.operands.push(argument.clone());
                continue;
            }
        };
        if text == "--" {
            out.operands.extend(rest.cloned());
            break;
        }
        if let Some(long) = text.strip_prefix("--") {
            let (name, value) = match long.split_once('=') {
                Some((name, value)) => (name, Some(Argument::Known(value.to_string()))),
                None => (long, None),
            };
            let value = if spec.names_with_value.contains(&name) {
                let value = value.or_else(|| rest.next().cloned());
                Some(value.ok_or_else(|| format!("option --{name} lacks its value"))?)
            } else if spec.names.contains(&name) {
                value
            } else {
                return Err(format!("option --{name} is not known"));
            };
            out.options.push((name.to_string(), value));
            continue;
        }
        let Some(cluster) = text.strip_prefix('-').filter(|c| !c.is_empty()) else {
            out.operands.push(argument.clone());
            continue;
        };
        for (at, letter) in cluster.char_indices() {
            if spec.letters.contains(letter) {
                out.options.push((letter.to_string(), None));
            } else if spec.letters_with_value.contains(letter) {
                let attached = &cluster[at + letter.len_utf8()..];
                let value = if attached.is_empty() {
                    rest.next().cloned()
                } else {
                    Some(Argument::Known(attached.to_string()))
                };
                let value = value.ok_or_else(|| format!("option -{letter} lacks its value"))?;
                out.options.push((letter.to_string(), Some(value)));
                break;
            } else {
                return Err(format!("option -{letter} is not known"));
            }
        }
    }
    Ok(out)
}

/// The long name of `--name=…` when it takes a value.
fn long_value<'a>(prefix: &'a str, spec: &Spec) -> Option<&'a str> {
    let (name, _) = prefix.strip_prefix("--")?.split_once('=')?;
    let known = spec.names_with_value.contains(&name) || spec.names.contains(&name);
    known.then_some(name)
}
