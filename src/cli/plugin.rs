//! `docker cacheplan …`: the program as a plugin of the docker command.
//!
//! Goes in: the arguments of a process called `docker-cacheplan`. Comes out: what docker asks of plugins, or the arguments without what docker adds.
//! Constant cost. The protocol is that of docker's `cli-plugins/metadata` and `cli-plugins/plugin` packages: the metadata as JSON, and for a command the
//! global flags of docker, the plugin's name, the user's arguments.

use super::args::Cli;
use clap::CommandFactory as _;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::Path;

/// What docker calls plugins for a command `cacheplan`.
const FILE: &str = "docker-cacheplan";

/// What docker asks for.
pub enum Asked {
    /// Nothing: the process was not started by docker.
    Nothing,
    /// A text on stdout.
    Answer(String),
    /// A command, the program's name first.
    Command(Vec<OsString>),
}

/// Reads the arguments of the process.
#[must_use]
pub fn asked(arguments: &[OsString]) -> Asked {
    let own = arguments.first().map(Path::new).and_then(Path::file_stem);
    if own.is_none_or(|n| n != FILE) {
        return Asked::Nothing;
    }
    let first = arguments.get(1).and_then(|a| a.to_str());
    match first {
        Some("docker-cli-plugin-metadata") => return Asked::Answer(metadata()),
        Some("__complete" | "__completeNoDesc") => {
            return Asked::Answer(completions(&arguments[2..]));
        }
        _ => {}
    }
    // Flags of docker itself stand before the plugin's name.
    let name = arguments.iter().skip(1).position(|a| a == "cacheplan");
    let rest = match name {
        Some(at) => &arguments[at + 2..],
        None => &arguments[1..],
    };
    let mut command = vec![OsString::from("cacheplan")];
    command.extend_from_slice(rest);
    Asked::Command(command)
}

fn metadata() -> String {
    let value = serde_json::json!({
        "SchemaVersion": "0.1.0",
        "Vendor": "the cacheplan authors",
        "Version": env!("CARGO_PKG_VERSION"),
        "ShortDescription": "What a commit rebuilds, why, at what price, and the cheapest Dockerfile",
    });
    format!("{value}\n")
}

/// The words that may stand where the last argument is, one a line, and the directive that ends the list: 4 for no files, 0 where files fit.
fn completions(arguments: &[OsString]) -> String {
    let words: Vec<&str> = arguments.iter().filter_map(|a| a.to_str()).collect();
    let words = match words.first() {
        Some(&"cacheplan") => &words[1..],
        _ => &words[..],
    };
    let typed = words.last().copied().unwrap_or_default();
    let root = Cli::command();
    let command = match words.len() {
        0 | 1 => None,
        _ => root.find_subcommand(words[0]),
    };
    let mut out = String::new();
    let mut put = |word: &str, about: Option<String>| {
        if word.starts_with(typed) {
            let about = about.unwrap_or_default();
            let first = about.lines().next().unwrap_or_default();
            // Writing to a String cannot fail.
            let _ = writeln!(out, "{word}\t{first}");
        }
    };
    match command {
        None => {
            for c in root.get_subcommands() {
                put(c.get_name(), c.get_about().map(ToString::to_string));
            }
        }
        Some(command) => {
            for flag in command.get_arguments().filter(|a| !a.is_hide_set()) {
                if let Some(long) = flag.get_long().filter(|_| typed.starts_with('-')) {
                    let about = flag.get_help().map(ToString::to_string);
                    put(&format!("--{long}"), about);
                }
            }
        }
    }
    let files = command.is_some() && !typed.starts_with('-');
    out.push_str(if files { ":0\n" } else { ":4\n" });
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(arguments: &[&str]) -> Asked {
        let list: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        asked(&list)
    }

    #[test]
    fn docker_adds_its_flags_and_the_name() {
        assert!(matches!(
            of(&["/usr/bin/cacheplan", "cacheplan"]),
            Asked::Nothing
        ));
        let Asked::Command(rest) = of(&[
            "/root/.docker/cli-plugins/docker-cacheplan",
            "--context",
            "other",
            "cacheplan",
            "analyze",
            "cacheplan",
        ]) else {
            panic!("a command");
        };
        assert_eq!(rest, ["cacheplan", "analyze", "cacheplan"]);
    }

    #[test]
    fn words_are_completed() {
        let Asked::Answer(text) = of(&["docker-cacheplan", "__complete", "cacheplan", "an"]) else {
            panic!("an answer");
        };
        assert!(text.starts_with("analyze\t"), "{text}");
        assert!(text.ends_with("\n:4\n"), "{text}");
        let Asked::Answer(text) = of(&[
            "docker-cacheplan",
            "__complete",
            "cacheplan",
            "analyze",
            "--hist",
        ]) else {
            panic!("an answer");
        };
        assert!(text.starts_with("--history\t"), "{text}");
    }
}
