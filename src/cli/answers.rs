//! The answer to a question that was asked before, over the same commits.
//!
//! Goes in: everything that an answer is made from. Comes out: the answer that was kept for just that, or a place to keep
//! it in. Costs a hash of what goes in, most of it the ids of commits, and a read of the answer. Invariant: an answer is
//! one of this very program, and of nothing but what was hashed and what ids of commits name; objects that are
//! missing from a clone may come later, so the list of what the object store holds is part of the question.

use super::args::Cli;
use super::cache_dir::cache_dir;
use super::commits::Commits;
use super::output;
use super::subject::{Place, Subject};
use crate::cost::CostTable;
use crate::diagnostic::{Diagnostic, Severity};
use crate::disk::{Kept, Reading, Writing};
use crate::source::SourceFile;
use anyhow::Result;
use serde::{Deserialize, Serialize};
use std::fmt::{self, Debug, Write as _};
use std::os::unix::fs::MetadataExt as _;

/// Changes with the format; an older file is a miss.
const MAGIC: &[u8] = b"cacheplan answer\x001";

/// Bytes that all answers together may take.
const ROOM: u64 = 256 << 20;

/// What an answer is made from.
pub struct Question(blake3::Hasher);

impl Question {
    /// A question of a command; `None` where this program can't tell itself from another one.
    #[must_use]
    pub fn new(command: &str) -> Option<Self> {
        let program = std::env::current_exe().ok()?.metadata().ok()?;
        let mut question = Self(blake3::Hasher::new());
        question.about(&(command, env!("CARGO_PKG_VERSION")));
        question.about(&(program.dev(), program.ino(), program.len()));
        question.about(&(
            program.mtime(),
            program.mtime_nsec(),
            program.ctime(),
            program.ctime_nsec(),
        ));
        Some(question)
    }

    /// Adds something by all that it says of itself.
    pub fn about(&mut self, what: &dyn Debug) {
        // A hash takes everything.
        let _ = write!(self, "{what:?}");
        self.0.update(&[0]);
    }

    /// Adds a file by its name and its bytes.
    pub fn file(&mut self, file: &SourceFile) {
        self.about(&(file.name(), file.bytes().len()));
        self.0.update(file.bytes());
    }

    /// Adds a build, and the commits that it is replayed over.
    ///
    /// # Errors
    /// When PATH is in no repository.
    pub fn replay(
        &mut self,
        place: &Place,
        subject: &Subject,
        costs: &CostTable,
        commits: &Commits,
    ) -> Result<()> {
        let repository = place.repository()?;
        self.about(&(&place.prefix, place.at, repository.held()));
        self.about(&(&subject.target, &subject.file, &subject.options));
        self.about(&(&subject.context, &subject.context_prefix));
        self.about(&(&subject.ignore_file, &subject.ignore_lookup));
        self.file(&subject.source);
        subject.ignore_text.iter().for_each(|f| self.file(f));
        self.about(&(costs, commits.tip));
        commits.chosen.name(|part| {
            self.0.update(part);
        });
        Ok(())
    }

    /// Where its answer is kept, if answers are.
    ///
    /// # Errors
    /// When the store was asked for in a place that is analysed.
    pub fn answers(self, cli: &Cli, place: &Place) -> Result<Option<Answers>> {
        let folder = cache_dir(cli, place)?.map(|dir| dir.join("answers"));
        let name = self.0.finalize();
        let kept = |folder| Kept::new(folder, name.as_bytes(), MAGIC).with_room(ROOM);
        Ok(folder.map(|folder| Answers(kept(folder))))
    }
}

impl fmt::Write for Question {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.update(text.as_bytes());
        Ok(())
    }
}

/// Where the answer to one question is kept.
pub struct Answers(Kept);

impl Answers {
    /// The answer, if the question was asked before.
    #[must_use]
    pub fn known(&self) -> Option<Answer> {
        let mut reading = self.0.open()?;
        let end = reading.bytes().checked_sub(size_of::<u64>() as u64)?;
        let text = bytes(&mut reading, end..end + size_of::<u64>() as u64)?;
        let text = u64::from_le_bytes(text.try_into().ok()?);
        let said = bytes(&mut reading, text..end)?;
        let said = postcard::from_bytes(&said).ok()?;
        Some(Answer {
            reading,
            text,
            said,
        })
    }

    /// Begins to keep one.
    #[must_use]
    pub fn begin(&self) -> Option<NewAnswer<'_>> {
        let writing = self.0.begin()?;
        Some(NewAnswer { writing, text: 0 })
    }
}

fn bytes(reading: &mut Reading, range: std::ops::Range<u64>) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let taken = reading.pieces(range, |piece| {
        out.extend_from_slice(piece);
        std::io::Result::Ok(())
    });
    taken.ok().map(|()| out)
}

/// What is said beside a text: diagnostics without a place in a file, those before it and those behind it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Said {
    before: Vec<Remark>,
    behind: Vec<Remark>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Remark {
    severity: u8,
    message: String,
    help: Option<String>,
}

const SEVERITIES: [Severity; 3] = [Severity::Note, Severity::Warning, Severity::Error];

impl Remark {
    /// `None` where it has a place in a file.
    fn of(d: &Diagnostic) -> Option<Self> {
        let severity = SEVERITIES.iter().position(|s| *s == d.severity)?;
        let severity = u8::try_from(severity).ok()?;
        d.labels.is_empty().then(|| Self {
            severity,
            message: d.message.clone(),
            help: d.help.clone(),
        })
    }

    fn diagnostic(&self) -> Diagnostic {
        let severity = SEVERITIES.get(usize::from(self.severity));
        let severity = severity.copied().unwrap_or(Severity::Note);
        // Codes are not printed where there is no place.
        let d = Diagnostic::whole(severity, "history/kept", self.message.clone());
        Diagnostic {
            help: self.help.clone(),
            ..d
        }
    }
}

/// An answer that was kept.
pub struct Answer {
    reading: Reading,
    /// Bytes of its text.
    text: u64,
    said: Said,
}

impl Answer {
    /// Gives it again.
    ///
    /// # Errors
    /// When it can't be written, or no longer be read.
    pub fn give(
        mut self,
        cli: &Cli,
        source: &SourceFile,
        mut to: output::Pieces<'_>,
    ) -> Result<()> {
        let say = |remarks: &[Remark]| {
            let one = |r: &Remark| (source.clone(), r.diagnostic());
            output::diagnostics(cli, &remarks.iter().map(one).collect::<Vec<_>>());
        };
        say(&self.said.before);
        self.reading.pieces(0..self.text, |piece| to.write(piece))?;
        say(&self.said.behind);
        Ok(())
    }
}

/// An answer on its way into the store. Dropped before its end, there was none.
pub struct NewAnswer<'a> {
    writing: Writing<'a>,
    text: u64,
}

impl NewAnswer<'_> {
    /// Adds a piece of the text.
    pub fn add(&mut self, piece: &[u8]) {
        self.writing.add(piece);
        self.text += piece.len() as u64;
    }

    /// Adds what was said beside the text, and keeps it all. A diagnostic that has a place is said anew each time, so
    /// that such an answer is not kept.
    pub fn finish(
        mut self,
        before: &[(SourceFile, Diagnostic)],
        behind: &[(SourceFile, Diagnostic)],
    ) {
        let remarks = |list: &[(SourceFile, Diagnostic)]| {
            let all: Option<Vec<Remark>> = list.iter().map(|(_, d)| Remark::of(d)).collect();
            all
        };
        let (Some(before), Some(behind)) = (remarks(before), remarks(behind)) else {
            return;
        };
        if let Ok(said) = postcard::to_stdvec(&Said { before, behind }) {
            self.writing.add(&said);
            self.writing.add(&self.text.to_le_bytes());
            self.writing.finish();
        }
    }
}
