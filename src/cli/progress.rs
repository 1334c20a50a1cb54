//! What the program is at, on stderr, where that takes over a second.
//!
//! Goes in: a phase's name and how many parts it has. Comes out: a line that is redrawn, and gone when the phase ends. Only on a terminal and without
//! `--quiet`. Cost: one thread that sleeps. Invariant: nothing of it stays on the screen, and nothing goes to stdout.

use super::args::Cli;
use crate::report::escape;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal as _;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// Nobody waits for less.
const PATIENCE: Duration = Duration::from_secs(1);

/// A phase; it ends when this is dropped.
pub struct Phase {
    bar: Option<ProgressBar>,
    /// Its end tells the thread that nothing is to be shown any more.
    _end: Option<Sender<()>>,
}

/// Begins one.
pub fn phase(cli: &Cli, name: &str) -> Phase {
    part(cli, name, 0, 1)
}

/// Begins a part of something: a bar shows how many were done before it.
pub fn part(cli: &Cli, name: &str, done: usize, of: usize) -> Phase {
    if cli.quiet || !std::io::stderr().is_terminal() {
        return Phase {
            bar: None,
            _end: None,
        };
    }
    let (length, template) = match of {
        0 | 1 => (None, "{spinner} {msg} ({elapsed})"),
        n => (
            Some(n as u64),
            "{spinner} {msg} {bar:30} {pos} of {len} done ({elapsed})",
        ),
    };
    let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::hidden());
    bar.set_position(done as u64);
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("█░░"));
    }
    bar.set_message(escape::line(name));
    let (end, ended) = channel::<()>();
    let shown = bar.clone();
    std::thread::spawn(move || {
        if ended.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            shown.set_draw_target(ProgressDrawTarget::stderr());
            shown.enable_steady_tick(Duration::from_millis(120));
        }
    });
    Phase {
        bar: Some(bar),
        _end: Some(end),
    }
}

impl Drop for Phase {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
