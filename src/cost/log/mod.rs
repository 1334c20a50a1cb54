//! Output of a real build, as `docker buildx build --progress=plain` or `rawjson` writes it.
//!
//! Goes in: the text of a log. Comes out: its vertices in order of first mention, with what became of
//! each and how long it took. Costs one pass. Invariant: the last word on a vertex counts, since the
//! builder corrects itself (progress formats, section 1), and nothing is guessed: a line
//! that should be readable and is not gives one error that names it.

mod plain;
mod rawjson;
mod record;
mod several;
mod trace;
mod vertices;

use rustc_hash::FxHashMap;

/// A log that can be read is shorter.
pub const MAX_LOG_BYTES: u64 = 256 << 20;

/// No step takes longer, whatever a log or a costs file says: sums stay finite.
pub const MAX_SECONDS: f64 = 1e9;

/// A format of build output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// `--progress=plain`.
    Plain,
    /// `--progress=rawjson`.
    RawJson,
    /// A build record, as `docker buildx history export` writes it.
    Record,
    /// An OpenTelemetry trace of a build.
    Trace,
}

impl LogFormat {
    /// The name the builder's flag has for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::RawJson => "rawjson",
            Self::Record => "record",
            Self::Trace => "trace",
        }
    }
}

/// What became of a vertex.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Announced, and never begun: nothing needed its result.
    NotStarted,
    /// Reported as cached.
    Cached,
    /// It ran.
    Ran,
    /// It ended with an error.
    Failed,
    /// It was stopped because another one failed.
    Canceled,
}

impl Seen {
    /// The word in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotStarted => "not-started",
            Self::Cached => "cached",
            Self::Ran => "executed",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }
}

/// A piece of a vertex's work that the builder tells of by itself: a layer, a file that is sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Part {
    /// What the builder calls it, e.g. `extracting sha256:…`.
    pub id: String,
    /// Bytes of it, as far as they are told.
    pub bytes: u64,
    /// Begin and end, nanoseconds since 1970, where the log says so.
    pub span: Option<(i128, i128)>,
    /// Seconds that it took, where the log says no more.
    pub seconds: Option<f64>,
}

/// Parts that are kept of a vertex.
const MOST_PARTS: usize = 4096;

/// Parts of a vertex under their names, to be told of again and again.
#[derive(Default)]
struct Parts {
    all: Vec<Part>,
    by_id: FxHashMap<String, usize>,
}

impl Parts {
    /// The part of a name; `None` where there are too many.
    fn of(&mut self, id: &str) -> Option<&mut Part> {
        if let Some(at) = self.by_id.get(id) {
            return self.all.get_mut(*at);
        }
        if self.all.len() >= MOST_PARTS {
            return None;
        }
        self.by_id.insert(id.to_owned(), self.all.len());
        self.all.push(Part {
            id: id.to_owned(),
            ..Part::default()
        });
        self.all.last_mut()
    }
}

/// One vertex of a log.
#[derive(Clone, Debug, PartialEq)]
pub struct LogStep {
    /// As printed, e.g. `[build 2/4] COPY go.mod ./`; a title of several lines keeps its line feeds.
    pub name: String,
    /// What became of it.
    pub seen: Seen,
    /// Seconds it was at work, if the log says so.
    pub seconds: Option<f64>,
    /// Line of the log that mentions it first, 1-based.
    pub line: usize,
    /// Pieces of its work, in order of first mention; none where the format does not tell.
    pub parts: Vec<Part>,
}

/// A log, read.
#[derive(Clone, Debug, PartialEq)]
pub struct Log {
    /// Which format it is in.
    pub format: LogFormat,
    /// All vertices, `[internal] …` and exporters among them.
    pub steps: Vec<LogStep>,
    /// The builder's final `ERROR: …` line, if there is one.
    pub error: Option<String>,
    /// What could not be read of it and was left out, one sentence each without a full stop.
    pub notes: Vec<String>,
    /// The last lines that the failed step printed, where the format tells whose a line is.
    pub last_words: Vec<String>,
}

/// Why a log could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// Neither format.
    #[error(
        "no line of this log is progress of a build (write one with --progress=plain or --progress=rawjson)"
    )]
    Unknown,
    /// An archive that is no build record.
    #[error("this archive is no build record: {0}")]
    Record(String),
    /// A line that is not what the format has there.
    #[error("line {line}: {reason}")]
    Line {
        /// 1-based.
        line: usize,
        /// One line.
        reason: String,
    },
}

/// Reads the logs that a file holds, in whichever format it is in: one for each build that wrote to it, or for each record of an archive.
///
/// # Errors
/// [`LogError`].
pub fn read_file(bytes: &[u8]) -> Result<Vec<Log>, LogError> {
    match record::is_record(bytes) {
        true => record::read(bytes),
        false => {
            let text = String::from_utf8_lossy(bytes);
            // Lines count from the beginning of the file.
            let read = |(before, part): (usize, &str)| {
                let mut log = read(part).map_err(|e| match e {
                    LogError::Line { line, reason } => LogError::Line {
                        line: line + before,
                        reason,
                    },
                    other => other,
                })?;
                log.steps.iter_mut().for_each(|s| s.line += before);
                Ok(log)
            };
            several::parts(&text).into_iter().map(read).collect()
        }
    }
}

/// Reads a log in whichever format of text it is in.
///
/// # Errors
/// [`LogError`].
pub fn read(text: &str) -> Result<Log, LogError> {
    if trace::is_trace(text) {
        return trace::read(text);
    }
    for line in text.lines() {
        let line = plain::bare(line);
        if rawjson::is_batch(&line) {
            return rawjson::read(text);
        }
        if plain::number(&line).is_some() {
            return plain::read(text);
        }
    }
    // A file that is cut off in its first line is rawjson all the same.
    match text.lines().find(|l| !l.trim().is_empty()) {
        Some(first) if first.starts_with("{\"vertexes\"") => rawjson::read(text),
        _ => Err(LogError::Unknown),
    }
}

/// `[stage i/n] TEXT` in its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Title<'a> {
    /// The stage's label; empty in a file with one stage. A platform or the name of a bake target in
    /// front of it is taken off where it can be told from a stage.
    pub stage: &'a str,
    /// The number in front of the slash.
    pub number: u32,
    /// What follows the brackets.
    pub text: &'a str,
}

/// Takes a step's name apart; `None` for `[internal] …`, exporters and the like.
#[must_use]
pub fn title(name: &str) -> Option<Title<'_>> {
    let (inside, text) = name.strip_prefix('[')?.split_once("] ")?;
    let (stage, count) = inside.rsplit_once(' ').unwrap_or(("", inside));
    let number = count.split_once('/')?.0.parse().ok()?;
    // A stage's name has neither blanks nor slashes.
    let stage = stage.trim().rsplit(' ').next().unwrap_or_default();
    let stage = if stage.contains('/') { "" } else { stage };
    Some(Title {
        stage,
        number,
        text,
    })
}

impl<'a> Title<'a> {
    /// The instruction's keyword as it is printed, its flags, and what follows them.
    #[must_use]
    pub fn instruction(&self) -> Option<(&'a str, Vec<&'a str>, &'a str)> {
        let text = self.text.strip_prefix("ONBUILD ").unwrap_or(self.text);
        let (keyword, rest) = text.split_once([' ', '\t'])?;
        let mut rest = rest.trim();
        let mut flags = Vec::new();
        while rest.starts_with("--") {
            let end = rest.find([' ', '\t', '\n']).unwrap_or(rest.len());
            flags.push(&rest[..end]);
            rest = rest[end..].trim_start();
        }
        Some((keyword, flags, rest))
    }
}

impl Log {
    /// The step with this name: by stage and number first, and where that place is not in the log by
    /// text, since the builder shows equal steps of two stages under one of them.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&LogStep> {
        let wanted = title(name)?;
        let titled = || {
            self.steps
                .iter()
                .filter_map(|s| title(&s.name).map(|t| (s, t)))
                .filter(|(_, t)| !t.text.starts_with("LINK "))
        };
        let at_place = |t: &Title<'_>| t.stage == wanted.stage && t.number == wanted.number;
        let found = titled().find(|(_, t)| at_place(t));
        let same_text = |t: &Title<'_>| {
            // Titles may be cut off (`PROGRESS_NO_TRUNC=0`).
            let cut = t.text.strip_suffix("...").filter(|c| c.len() > 20);
            t.text == wanted.text || cut.is_some_and(|c| wanted.text.starts_with(c))
        };
        found
            .or_else(|| titled().find(|(_, t)| same_text(t)))
            .map(|(s, _)| s)
    }
}

#[cfg(test)]
mod tests;
