//! What single commands touch: one file per family.
//!
//! A command that is not in a family, or is used in a way its family does not know, is an error
//! with a reason: the step is then opaque.

mod coreutils;
mod language;
mod system;

use super::walk::{Argument, Walk};
use super::{Install, PathClaim};

/// Where executables, libraries and their configuration live: every command that is no shell
/// built-in reads these.
pub const TOOLS: [&str; 17] = [
    "/bin", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/sbin", "/usr/bin", "/usr/games", "/usr/include",
    "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libexec", "/usr/local", "/usr/sbin", "/usr/share",
];

/// What one command touches.
#[derive(Debug, Default)]
pub struct Known {
    pub reads: Vec<PathClaim>,
    pub writes: Vec<PathClaim>,
    pub network: bool,
    pub install: Option<Install>,
    /// What the claims rest on, if they are not certain.
    pub assumption: Option<String>,
}

impl Known {
    /// A command from the image's system folders.
    fn tool() -> Self {
        Self { reads: TOOLS.into_iter().map(PathClaim::subtree).collect(), ..Self::default() }
    }
}

/// The effect of a command in the shell's present state.
///
/// # Errors
/// Why it is not known.
pub fn effect(name: &str, args: &[Argument], walk: &Walk) -> Result<Known, String> {
    let families = [coreutils::effect, system::effect, language::effect];
    for family in families {
        if let Some(result) = family(name, args, walk) {
            return result;
        }
    }
    Err(format!("what {name} touches is not known"))
}

/// Splits flags from operands; `with_value` names flags that take the next word. `None` when an
/// argument is not known.
fn operands(args: &[Argument], with_value: &[&str]) -> Option<(Vec<String>, Vec<Argument>)> {
    let (mut flags, mut rest) = (Vec::new(), Vec::new());
    let mut only_operands = false;
    let mut args = args.iter();
    while let Some(a) = args.next() {
        match a {
            Argument::Unknown => return None,
            Argument::Text(t) if t == "--" && !only_operands => only_operands = true,
            Argument::Text(t) if t.starts_with('-') && t.len() > 1 && !only_operands => {
                flags.push(t.clone());
                if with_value.contains(&t.as_str()) {
                    match args.next() {
                        Some(Argument::Text(v)) => flags.push(v.clone()),
                        _ => return None,
                    }
                }
            }
            other => rest.push(other.clone()),
        }
    }
    Some((flags, rest))
}

/// The claim of an operand: exactly it, or the folder that a pattern looks into.
fn claim(operand: &Argument, walk: &Walk, whole: bool) -> Result<PathClaim, String> {
    let unknown = || "it names a path that is not known".to_owned();
    match operand {
        Argument::Text(t) => {
            let path = walk.absolute(t).ok_or_else(unknown)?;
            Ok(if whole { PathClaim::subtree(path) } else { PathClaim::exact(path) })
        }
        Argument::Pattern(prefix) => {
            let folder = prefix.rfind('/').map_or("", |i| &prefix[..=i]);
            let folder = if folder.is_empty() { "." } else { folder };
            Ok(PathClaim::subtree(walk.absolute(folder).ok_or_else(unknown)?))
        }
        Argument::Unknown => Err(unknown()),
    }
}
