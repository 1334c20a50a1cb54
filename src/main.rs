//! The `cacheplan` program: see the library for everything it does.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(cacheplan::cli::run())
}
