//! Where output goes: stdout or a file, with colour or without; diagnostics to stderr.

use super::args::{Cli, Color};
use crate::diagnostic::{Diagnostic, Severity};
use crate::report::issue::Issue;
use crate::report::model::{DiagnosticRow, Spot};
use crate::report::place::Extent;
use crate::report::{escape, github, gitlab, rdjson, sarif, snippet};
use crate::rules::baseline::fingerprint_of;
use crate::source::SourceFile;
use anyhow::{Context as _, Result};
use std::fs::{File, Permissions};
use std::io::{IsTerminal, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use tempfile::NamedTempFile;

/// Opens a file, or stdout, for a text that comes in pieces; a reader that went away is no error.
///
/// # Errors
/// When the file can't be written.
pub fn open(file: Option<&Path>) -> Result<Pieces<'_>> {
    let to: Box<dyn Write + Send> = match file {
        Some(path) => Box::new(File::create(path).with_context(|| cannot(file))?),
        None => Box::new(std::io::stdout()),
    };
    Ok(Pieces { file, to: Some(to) })
}

/// Where pieces of a text go, until their reader has gone away.
pub struct Pieces<'a> {
    file: Option<&'a Path>,
    to: Option<Box<dyn Write + Send>>,
}

impl Pieces<'_> {
    /// Writes a piece.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn write(&mut self, piece: &[u8]) -> Result<()> {
        let Some(to) = &mut self.to else {
            return Ok(());
        };
        match to.write_all(piece).and_then(|()| to.flush()) {
            Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe && self.file.is_none() => {
                self.to = None;
                Ok(())
            }
            written => written.with_context(|| cannot(self.file)),
        }
    }
}

fn cannot(file: Option<&Path>) -> String {
    let place = file.map_or("to stdout".to_owned(), |f| f.display().to_string());
    format!("cannot write {place}")
}

/// Writes to a file, or to stdout; a reader that went away is no error.
///
/// # Errors
/// When the file can't be written.
pub fn write(file: Option<&Path>, text: &[u8]) -> Result<()> {
    open(file)?.write(text)
}

/// A file that is ready to take the place of another, beside it: it has the mode of that one, and that of a file as git would check it
/// out where there is none yet (a temporary file is its owner's alone).
///
/// # Errors
/// When nothing can be written there.
pub fn beside(path: &Path, text: &[u8]) -> Result<NamedTempFile> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let mut new = NamedTempFile::new_in(folder)
        .with_context(|| format!("cannot write in {}", folder.display()))?;
    new.write_all(text)?;
    let mode = match std::fs::metadata(path) {
        Ok(old) => old.permissions(),
        Err(_) => Permissions::from_mode(0o644),
    };
    new.as_file().set_permissions(mode)?;
    Ok(new)
}

/// Puts it there, all or not at all.
///
/// # Errors
/// When the other can't be replaced.
pub fn put(new: NamedTempFile, path: &Path) -> Result<()> {
    new.persist(path)
        .with_context(|| format!("cannot replace {}", path.display()))?;
    Ok(())
}

/// Whether text gets colour.
#[must_use]
pub fn color(cli: &Cli, terminal: bool) -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|v| !v.is_empty() && v != "0");
    match cli.color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto if set("CLICOLOR_FORCE") => true,
        Color::Auto => terminal && !set("NO_COLOR"),
    }
}

/// Whether stdout is a terminal that gets colour.
#[must_use]
pub fn color_stdout(cli: &Cli) -> bool {
    color(cli, std::io::stdout().is_terminal())
}

/// Columns to fill: those of `COLUMNS`, else of the terminal, 100 where stdout is none.
#[must_use]
pub fn width() -> usize {
    let named = std::env::var("COLUMNS").ok();
    let named = named.and_then(|c| c.parse::<usize>().ok());
    let own = || terminal_size::terminal_size_of(std::io::stdout()).map(|(w, _)| w.0.into());
    named.or_else(own).unwrap_or(100).clamp(60, 140)
}

/// Prints diagnostics to stderr in the compiler's style: errors always, the rest unless `--quiet`.
pub fn diagnostics(cli: &Cli, list: &[(SourceFile, Diagnostic)]) {
    let color = color(cli, std::io::stderr().is_terminal());
    for (source, d) in list {
        if cli.quiet && d.severity != Severity::Error {
            continue;
        }
        if d.labels.is_empty() {
            let help = d.help.as_ref().map_or(String::new(), |h| format!(" ({h})"));
            let text = format!("{}: {}{help}", d.severity.as_str(), d.message);
            say(&text);
        } else {
            let shown = snippet::diagnostics(source, std::slice::from_ref(d), color);
            let shown = escape::without_commands(&shown);
            // As in `say`.
            let _ = std::io::stderr().lock().write_all(shown.as_bytes());
        }
    }
}

/// A note on stderr unless `--quiet`.
pub fn note(cli: &Cli, text: &str) {
    if !cli.quiet {
        say(text);
    }
}

/// A line on stderr. Nobody may be reading there any more, or the disk behind it is full: that changes
/// nothing in what a command found, nor in its exit code.
pub fn say(text: &str) {
    let line = escape::terminal(text) + "\n";
    // Runners of CI systems read commands from here too.
    let line = escape::without_commands(&line);
    let _ = std::io::stderr().lock().write_all(line.as_bytes());
}

/// Diagnostics as JSON rows; `own` is the target's file.
#[must_use]
pub fn rows(own: &str, list: &[(SourceFile, Diagnostic)]) -> Vec<DiagnosticRow> {
    let one = |(source, d): &(SourceFile, Diagnostic)| {
        let place = d
            .span()
            .map(|s| (source.position(s.start), source.position(s.end)));
        DiagnosticRow {
            severity: d.severity.as_str(),
            code: d.code.to_owned(),
            message: d.message.clone(),
            help: d.help.clone(),
            file: (source.name() != own).then(|| source.name().to_owned()),
            line: place.map(|p| p.0.line),
            column: place.map(|p| p.0.column),
            end_line: place.map(|p| p.1.line),
            end_column: place.map(|p| p.1.column),
            spot: Spot {
                at: d.span().map(|s| Extent::shown(source, s)),
                fingerprint: fingerprint_of(d.code, source.name(), d.span().map(|s| (source, s))),
            },
        }
    };
    list.iter().map(one).collect()
}

/// A document in the format of another program; `about` is what holds for all issues. `None` where the format is none of these.
#[must_use]
pub fn for_program(format: &str, issues: &dyn Fn() -> Vec<Issue>, about: &str) -> Option<Vec<u8>> {
    match format {
        "sarif" => Some(sarif::render(&issues(), about)),
        "rdjson" => Some(rdjson::render(&issues())),
        "gitlab" => Some(gitlab::render(&issues())),
        "github" => Some(github::render(&issues()).into_bytes()),
        _ => None,
    }
}

/// A document as JSON with a line end.
///
/// # Errors
/// Never for our own types.
pub fn json<T: serde::Serialize>(value: &T) -> Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(value)?;
    text.push(b'\n');
    Ok(text)
}
