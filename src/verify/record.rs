//! A build that the user runs anyway, watched.
//!
//! Goes in: the command. Comes out: what the builder's own record says of it. The command's progress goes where it always goes: it is started
//! as it stands, but for `--metadata-file`, which names the record (`buildx.build.ref`, progress formats, section 4); the progress is read from the record
//! afterwards (`docker buildx history logs`, section 3). Invariant: the command's own exit decides, whatever can be learned.

use super::BuilderError;
use super::process::{Client, last_line};
use crate::cost::log::{self, Log, MAX_LOG_BYTES};
use serde_json::Value;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// What came of it.
#[derive(Debug, Default)]
pub struct Recorded {
    /// The command ended well.
    pub success: bool,
    /// A log for every build of it that has a record.
    pub logs: Vec<Log>,
    /// Why there is none, or not all.
    pub notes: Vec<String>,
}

/// How long the builder may take to give a record.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs a build and reads its record.
///
/// # Errors
/// The command is no build of `docker`, or cannot be started.
pub fn build(words: &[OsString]) -> Result<Recorded, BuilderError> {
    let at = build_word(words).ok_or_else(|| {
        BuilderError::Fault(
            "this command is not recorded: it has to be `docker buildx build …`, `docker build …` or `docker buildx bake …`"
                .to_owned(),
        )
    })?;
    let folder = tempfile::tempdir().map_err(|e| BuilderError::Fault(e.to_string()))?;
    let (mut words, own) = (words.to_vec(), folder.path().join("metadata.json"));
    let file = match metadata_file(&words[at..]) {
        Some(file) => file,
        None => {
            words.splice(
                at + 1..at + 1,
                ["--metadata-file".into(), own.clone().into()],
            );
            own
        }
    };
    let status = Command::new(&words[0])
        .args(&words[1..])
        .status()
        .map_err(|e| BuilderError::NotStarted {
            builder: "docker",
            reason: e.to_string(),
        })?;
    let mut out = Recorded {
        success: status.success(),
        ..Recorded::default()
    };
    let references = references(&file);
    if references.is_empty() {
        out.notes.push(match out.success {
            true => "nothing is learned: this builder names no record of its builds".to_owned(),
            false => "nothing is learned from a build that failed".to_owned(),
        });
    }
    for reference in references {
        match progress(&words[0], &reference) {
            Ok(log) => out.logs.push(log),
            Err(e) => out.notes.push(format!("nothing is learned: {e}")),
        }
    }
    Ok(out)
}

/// Options of docker and buildx that take the next word.
const VALUED: [&str; 11] = [
    "--builder",
    "--config",
    "--context",
    "--host",
    "--log-level",
    "--tlscacert",
    "--tlscert",
    "--tlskey",
    "-H",
    "-c",
    "-l",
];

/// Where the word `build` or `bake` of a command stands.
fn build_word(words: &[OsString]) -> Option<usize> {
    let name = Path::new(words.first()?).file_name()?.to_str()?;
    let first = |mut at: usize| loop {
        let word = words.get(at)?.to_str()?;
        match word {
            w if VALUED.contains(&w) => at += 2,
            w if w.starts_with('-') => at += 1,
            w => return Some((at, w)),
        }
    };
    let build = |(at, word): (usize, &str)| matches!(word, "build" | "b" | "bake").then_some(at);
    match (name, first(1)?) {
        ("docker", (at, "buildx" | "builder")) => first(at + 1).and_then(build),
        ("docker", (at, "build")) => Some(at),
        ("docker-buildx" | "buildx", found) => build(found),
        _ => None,
    }
}

/// The file that the user wants the metadata in.
fn metadata_file(words: &[OsString]) -> Option<PathBuf> {
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if word == "--metadata-file" {
            return words.next().map(PathBuf::from);
        }
        if let Some(file) = word
            .to_str()
            .and_then(|w| w.strip_prefix("--metadata-file="))
        {
            return Some(PathBuf::from(file));
        }
    }
    None
}

/// `builder/node/record` of every build that a metadata file tells of.
fn references(file: &Path) -> Vec<String> {
    const KEY: &str = "buildx.build.ref";
    let Ok(bytes) = std::fs::read(file) else {
        return Vec::new();
    };
    let Ok(Value::Object(all)) = serde_json::from_slice::<Value>(&bytes) else {
        return Vec::new();
    };
    // That of bake has an object for each target.
    let own = all.get(KEY).into_iter();
    let targets = all.values().filter_map(|v| v.get(KEY));
    own.chain(targets)
        .filter_map(|v| v.as_str().map(str::to_owned))
        .collect()
}

fn progress(program: &OsString, reference: &str) -> Result<Log, BuilderError> {
    let mut parts = reference.split('/');
    let (Some(builder), Some(record)) = (parts.next(), parts.next_back()) else {
        return Err(BuilderError::Fault(format!(
            "`{reference}` names no record"
        )));
    };
    let mut command = Command::new(program);
    if Path::new(program)
        .file_name()
        .is_some_and(|n| n == "docker")
    {
        command.arg("buildx");
    }
    command.args([
        "--builder",
        builder,
        "history",
        "logs",
        "--progress",
        "rawjson",
        record,
    ]);
    let client = Client {
        name: "docker",
        timeout: PATIENCE,
    };
    let (success, text) = client.run(&mut command, None, MAX_LOG_BYTES)?;
    match log::read(&text) {
        Ok(log) if success => Ok(log),
        Ok(_) | Err(log::LogError::Unknown) => Err(BuilderError::Fault(last_line(&text))),
        Err(e) => Err(BuilderError::Fault(e.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_build_in_a_command_is_found() {
        let at = |line: &str| {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            build_word(&words)
        };
        for (line, found) in [
            ("docker buildx build .", Some(2)),
            ("docker build .", Some(1)),
            (
                "/usr/bin/docker --context x buildx --builder b build -t x .",
                Some(6),
            ),
            ("docker buildx bake", Some(2)),
            ("docker-buildx build .", Some(1)),
            ("docker run build", None),
            ("docker -l info builder build .", Some(4)),
            ("podman build .", None),
            ("make", None),
            ("docker", None),
        ] {
            assert_eq!(at(line), found, "{line}");
        }
        let file = |line: &str| {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            metadata_file(&words)
        };
        assert_eq!(
            file("build --metadata-file m.json ."),
            Some("m.json".into())
        );
        assert_eq!(
            file("build --metadata-file=m.json ."),
            Some("m.json".into())
        );
        assert_eq!(file("build ."), None);
    }
}
