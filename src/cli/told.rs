//! What a build is told beside its Dockerfile.
//!
//! Goes in: what a compose or bake file says of the target, and the command line. Comes out: the options
//! of its plan, and arguments that it should have been given. Costs nothing to speak of. Invariant: the command line wins, as with `bake --set`.

use super::args::BuildFlags;
use crate::diagnostic::{Diagnostic, Severity};
use crate::dockerfile::{Dockerfile, Kind};
use crate::plan::{BuildOptions, RunFlags, names_a_build};
use crate::project::Target;
use anyhow::{Result, bail};

/// `NAME=VALUE` flags of the command line.
///
/// # Errors
/// When one has no `=` or no name.
pub fn pairs(flag: &str, list: &[String]) -> Result<Vec<(String, String)>> {
    let pair = |text: &String| match text.split_once('=') {
        Some((k, v)) if !k.is_empty() => Ok((k.to_owned(), v.to_owned())),
        _ => bail!("{flag} {text}: write NAME=VALUE"),
    };
    list.iter().map(pair).collect()
}

/// The options of a target; `volatile` are arguments that differ in every build.
///
/// # Errors
/// When a flag is no pair of a name and a value.
pub fn options(flags: &BuildFlags, volatile: &[String], target: &Target) -> Result<BuildOptions> {
    let mut args = target.args.clone();
    let given = pairs("--build-arg", &flags.build_args)?;
    let per_build = target.volatile_args.iter();
    let per_build = per_build.filter(|name| !given.iter().any(|(n, _)| n == *name));
    let volatile_args = volatile.iter().chain(per_build).cloned().collect();
    args.extend(given);
    let mut contexts = target.contexts.clone();
    contexts.extend(pairs("--build-context", &flags.build_contexts)?);
    Ok(BuildOptions {
        target: flags.target.clone().or_else(|| target.stage.clone()),
        args,
        platform: flags
            .platform
            .clone()
            .or_else(|| target.platform.clone())
            .unwrap_or_else(|| "linux/amd64".to_owned()),
        volatile_args,
        contexts,
        no_cache: without_cache(target, flags),
        run: RunFlags {
            network: flags
                .network
                .as_ref()
                .unwrap_or(&target.run.network)
                .clone(),
            ..target.run.clone()
        },
        builder: flags.builder_profile.builder(),
    })
}

/// The stages of the project's file and those of the flag; a file without names means all of them.
fn without_cache(target: &Target, flags: &BuildFlags) -> Option<Vec<String>> {
    match &target.no_cache {
        Some(names) if names.is_empty() => Some(Vec::new()),
        names => {
            let names = names.iter().flatten().chain(&flags.no_cache_filter);
            let names: Vec<String> = names.cloned().collect();
            (!names.is_empty()).then_some(names)
        }
    }
}

/// Arguments without a value whose name says that they differ in every build.
pub fn unset_args(file: &Dockerfile, options: &BuildOptions) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for i in file.instructions() {
        let Kind::Arg(list) = i.kind() else { continue };
        for (name, _) in list {
            let given = options.args.iter().any(|(k, _)| name == k.as_str())
                || options.volatile_args.iter().any(|k| name == k.as_str());
            if names_a_build(&name) && !given {
                let message = format!(
                    "{name} looks like a value that differs in every build; it is replayed as constant"
                );
                let help = format!("pass --volatile-arg {name} to count what it costs");
                out.push(
                    Diagnostic::new(
                        Severity::Note,
                        "arg/per-build-name",
                        message,
                        i.keyword_span(),
                    )
                    .with_help(help),
                );
            }
        }
    }
    out
}
