//! The `cacheplan` program: see the library for everything it does.

#![forbid(unsafe_code)]

use std::process::ExitCode;

/// Parsing makes many small values, and the C library's allocator takes a fifth of the time of `check`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    ExitCode::from(cacheplan::cli::run())
}
