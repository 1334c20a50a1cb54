//! Output of builds that the user names.

use super::args::Cli;
use super::output;
use crate::cost::log::{self, Log, MAX_LOG_BYTES};
use anyhow::{Context as _, Result, bail};
use std::io::Read as _;
use std::path::Path;

/// The bytes of one file, `-` being stdin, and what reports call it.
///
/// # Errors
/// It cannot be read, or is too large.
pub fn bytes(file: &Path) -> Result<(String, Vec<u8>)> {
    let stdin = file == Path::new("-");
    let shown = match stdin {
        true => "stdin".to_owned(),
        false => file.display().to_string(),
    };
    let mut bytes = Vec::new();
    let limit = MAX_LOG_BYTES + 1;
    match stdin {
        true => std::io::stdin().lock().take(limit).read_to_end(&mut bytes),
        false => std::fs::File::open(file).and_then(|f| f.take(limit).read_to_end(&mut bytes)),
    }
    .with_context(|| format!("cannot read {shown}"))?;
    if bytes.len() as u64 > MAX_LOG_BYTES {
        bail!("{shown} is larger than {MAX_LOG_BYTES} bytes, more than is read");
    }
    Ok((shown, bytes))
}

/// The logs of one file, `-` being stdin, and what reports call it; what could not be read of them is said on stderr.
///
/// # Errors
/// It cannot be read, is too large, or is no log.
pub fn read(cli: &Cli, file: &Path) -> Result<(String, Vec<Log>)> {
    let (shown, bytes) = bytes(file)?;
    let logs = logs(cli, &shown, &bytes)?;
    Ok((shown, logs))
}

/// The logs in some bytes; what could not be read of them is said on stderr.
///
/// # Errors
/// It is no log.
pub fn logs(cli: &Cli, shown: &str, bytes: &[u8]) -> Result<Vec<Log>> {
    let logs = log::read_file(bytes).with_context(|| shown.to_owned())?;
    for why in logs.iter().flat_map(|l| &l.notes) {
        output::note(
            cli,
            &format!("note: {shown}: {why}; what stands before it was read"),
        );
    }
    Ok(logs)
}
