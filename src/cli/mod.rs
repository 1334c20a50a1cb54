//! The command line: arguments to calls, one file per command, exit codes in one place.
//!
//! Goes in: arguments. Comes out: text on stdout or in a file, notes on stderr, an exit code: 0 done,
//! 1 a gate failed, 2 wrong input or usage, 3 an external program failed.

mod advice;
mod affected;
mod analyze;
mod answers;
mod archives;
pub mod args;
mod build_file;
mod cache_dir;
mod calibrate;
mod check;
mod clock;
mod commits;
mod compare;
mod context;
mod context_digests;
mod context_disk;
mod epochs;
mod explain;
mod git_view;
mod history_notes;
mod ignore_place;
mod inspect;
mod layers;
mod log_file;
mod optimize;
mod output;
mod plugin;
mod progress;
mod replay;
mod scenario;
mod subject;
mod submodules;
mod timeline;
mod tip_files;
mod told;
mod trend;
mod verify;
mod what_if;
mod work_files;
mod worktree;

use anyhow::Context as _;
use args::{Cli, Command};
use clap::{CommandFactory, FromArgMatches};
use plugin::Asked;

/// How a command ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// Nothing to complain about.
    Fine,
    /// A gate that the user asked for failed.
    GateFailed,
    /// The input has errors; they are in the output or on stderr already.
    WrongInput,
    /// A builder could not be started, or failed; stderr says why.
    BuilderFailed,
}

/// Runs the program with the process's arguments; gives its exit code.
#[must_use]
pub fn run() -> u8 {
    run_from(std::env::args_os())
}

/// The same with other arguments, the program's name first; for tests that make thousands of calls.
#[must_use]
pub fn run_from(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> u8 {
    let arguments: Vec<_> = arguments.into_iter().collect();
    let (name, arguments) = match plugin::asked(&arguments) {
        Asked::Nothing => ("cacheplan", arguments),
        Asked::Command(arguments) => ("docker cacheplan", arguments),
        Asked::Answer(text) => {
            return match output::write(None, text.as_bytes()) {
                Ok(()) => 0,
                Err(_) => 2,
            };
        }
    };
    let command = Cli::command().bin_name(name);
    let matches = command.try_get_matches_from(arguments);
    let cli = match matches.and_then(|m| Cli::from_arg_matches(&m)) {
        Ok(cli) => cli,
        Err(e) => {
            let _ = e.print();
            return if e.use_stderr() { 2 } else { 0 };
        }
    };
    match dispatch(&cli) {
        Ok(Done::Fine) => 0,
        Ok(Done::GateFailed) => 1,
        Ok(Done::WrongInput) => 2,
        Ok(Done::BuilderFailed) => 3,
        Err(e) => {
            output::say(&format!("error: {e:#}"));
            2
        }
    }
}

fn dispatch(cli: &Cli) -> anyhow::Result<Done> {
    match &cli.command {
        Command::Analyze(a) => a.place.build.builder_profile.simulated()?,
        Command::Optimize(a) => a.place.build.builder_profile.simulated()?,
        Command::Trend(a) => a.place.build.builder_profile.simulated()?,
        _ => {}
    }
    match &cli.command {
        Command::Analyze(a) => analyze::run(cli, a),
        Command::Optimize(a) => optimize::run(cli, a),
        Command::Replay(a) => replay::run(cli, a),
        Command::Compare(a) => compare::run(cli, a),
        Command::Trend(a) => trend::run(cli, a),
        Command::Explain(a) => explain::run(cli, a),
        Command::Affected(a) => affected::run(cli, a),
        Command::WhatIf(a) => what_if::run(cli, a),
        Command::Verify(a) => verify::run(cli, a),
        Command::Calibrate(a) => calibrate::run(cli, a),
        Command::Record(a) => calibrate::record(cli, a),
        Command::Check(a) => check::run(cli, a),
        Command::Inspect(a) => inspect::run(cli, a),
        Command::Context(a) => context::run(cli, a),
        Command::Layers(a) => layers::run(cli, a),
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "cacheplan", &mut text);
            output::write(None, &text)?;
            Ok(Done::Fine)
        }
        Command::Man { dir: Some(dir) } => {
            std::fs::create_dir_all(dir)
                .and_then(|()| clap_mangen::generate_to(Cli::command(), dir))
                .with_context(|| format!("cannot write manual pages into {}", dir.display()))?;
            Ok(Done::Fine)
        }
        Command::Man { dir: None } => {
            let mut text = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut text)?;
            output::write(None, &text)?;
            Ok(Done::Fine)
        }
    }
}
