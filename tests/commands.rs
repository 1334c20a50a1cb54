//! The page of each command is what its types say: `UPDATE_COMMANDS=1 cargo test --test commands` writes them anew.

use cacheplan::cli::args::Cli;
use clap::{Arg, Command, CommandFactory};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// A command's page.
fn page(command: &Command) -> String {
    let name = command.get_name();
    let about = |c: &Command| {
        c.get_long_about()
            .or(c.get_about())
            .map(ToString::to_string)
    };
    let usage = command.clone().bin_name(format!("cacheplan {name}"));
    let usage = usage.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").trim();
    let mut out = format!(
        "# cacheplan {name}\n\n{}\n\n```\n{usage}\n```\n",
        about(command).unwrap_or_default()
    );
    let (named, placed): (Vec<&Arg>, Vec<&Arg>) = command
        .get_arguments()
        .filter(|a| !a.is_hide_set() && a.get_id() != "help" && a.get_id() != "version")
        .partition(|a| a.get_long().is_some());
    for (title, list) in [("Arguments", placed), ("Flags", named)] {
        if list.is_empty() {
            continue;
        }
        let _ = writeln!(out, "\n## {title}\n");
        for arg in list {
            out.push_str(&row(arg));
        }
    }
    out
}

/// One argument, as an item of a list.
fn row(arg: &Arg) -> String {
    let values = arg.get_value_names().unwrap_or_default();
    let takes = arg.get_action().takes_values();
    let value = match takes {
        true => values.iter().map(|v| format!(" {v}")).collect::<String>(),
        false => String::new(),
    };
    let mut head = match (arg.get_short(), arg.get_long()) {
        (Some(s), Some(l)) => format!("`-{s}`, `--{l}{value}`"),
        (None, Some(l)) => format!("`--{l}{value}`"),
        _ => format!("`{}`", value.trim()),
    };
    let default: Vec<String> = arg
        .get_default_values()
        .iter()
        .map(|v| format!("`{}`", v.to_string_lossy()))
        .collect();
    if takes && !default.is_empty() {
        let _ = write!(head, " (default {})", default.join(", "));
    }
    if let Some(env) = arg.get_env() {
        let _ = write!(head, " (also `{}`)", env.to_string_lossy());
    }
    let help = arg.get_long_help().or(arg.get_help());
    let help = help.map(ToString::to_string).unwrap_or_default();
    let mut out = format!("- {head}: {}\n", help.replace('\n', " "));
    for possible in arg.get_possible_values().iter().filter(|_| takes) {
        if let Some(text) = possible.get_help() {
            let _ = writeln!(out, "  - `{}`: {text}", possible.get_name());
        }
    }
    out
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/commands")
}

#[test]
fn pages_are_up_to_date() {
    let mut root = Cli::command();
    root.build();
    let mut pages: BTreeMap<String, String> = BTreeMap::new();
    let mut list = String::from(
        "# Commands\n\nOne page each, made from the program's own types. [cli.md](../cli.md) says more about what comes out.\n\n",
    );
    for command in root.get_subcommands().filter(|c| c.get_name() != "help") {
        let name = command.get_name();
        let about = command
            .get_about()
            .map(ToString::to_string)
            .unwrap_or_default();
        let _ = writeln!(
            list,
            "- [{name}]({name}.md): {}",
            about.trim_end_matches('.')
        );
        pages.insert(format!("{name}.md"), page(command));
    }
    pages.insert("README.md".to_owned(), list);
    if std::env::var_os("UPDATE_COMMANDS").is_some() {
        let _ = std::fs::remove_dir_all(folder());
        std::fs::create_dir_all(folder()).expect("a folder");
        for (name, text) in &pages {
            std::fs::write(folder().join(name), text).expect("written");
        }
    }
    let there = std::fs::read_dir(folder()).expect("docs/commands");
    let mut there: Vec<String> = there
        .map(|e| {
            e.expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    there.sort();
    let names: Vec<String> = pages.keys().cloned().collect();
    assert_eq!(there, names, "UPDATE_COMMANDS=1 cargo test --test commands");
    for (name, text) in &pages {
        let kept = std::fs::read_to_string(folder().join(name)).expect("a page");
        assert!(
            kept == *text,
            "{name}: UPDATE_COMMANDS=1 cargo test --test commands"
        );
    }
}
