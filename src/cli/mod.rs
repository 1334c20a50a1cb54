//! The command line: arguments to calls, one file per command, exit codes in one place.
//!
//! Goes in: arguments. Comes out: text on stdout or in a file, notes on stderr, an exit code: 0 done,
//! 1 a gate failed, 2 wrong input or usage, 3 an external program failed.

mod analyze;
pub mod args;
mod cache_dir;
mod compare;
mod context;
mod context_digests;
mod inspect;
mod optimize;
mod output;
mod replay;
mod subject;
mod timeline;

use args::{Cli, Command};
use clap::{CommandFactory, Parser};

/// How a command ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// Nothing to complain about.
    Fine,
    /// A gate that the user asked for failed.
    GateFailed,
    /// The input has errors; they are in the output or on stderr already.
    WrongInput,
}

/// Runs the program with the process's arguments; gives its exit code.
#[must_use]
pub fn run() -> u8 {
    let cli = match Cli::try_parse() {
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
        Err(e) => {
            let text = crate::report::escape::terminal(&format!("{e:#}"));
            eprintln!("error: {text}");
            2
        }
    }
}

fn dispatch(cli: &Cli) -> anyhow::Result<Done> {
    match &cli.command {
        Command::Analyze(a) => a.place.build.builder_profile.simulated()?,
        Command::Optimize(a) => a.place.build.builder_profile.simulated()?,
        _ => {}
    }
    match &cli.command {
        Command::Analyze(a) => analyze::run(cli, a),
        Command::Optimize(a) => optimize::run(cli, a),
        Command::Replay(a) => replay::run(cli, a),
        Command::Compare(a) => compare::run(cli, a),
        Command::Inspect(a) => inspect::run(cli, a),
        Command::Context(a) => context::run(cli, a),
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "cacheplan", &mut text);
            output::write(None, &text)?;
            Ok(Done::Fine)
        }
        Command::Man => {
            let mut text = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut text)?;
            output::write(None, &text)?;
            Ok(Done::Fine)
        }
    }
}
