//! `cacheplan check`: the rules alone, over directories and files, without a history.

mod files;
mod write;

use super::advice::{self, Advisor, by_file};
use super::args::{CheckArgs, Cli};
use super::git_view::GitView;
use super::subject::{self, Place, Subject};
use super::{Done, output};
use crate::diagnostic::{Diagnostic, Severity};
use crate::project;
use crate::report::findings::{Checked, CheckedFile, FindingRow, diagnostic, markdown, text};
use crate::report::html;
use crate::report::issue;
use crate::rules::settings::Settings;
use crate::rules::{Finding, Git, ProjectFile, all, of_project};
use crate::source::SourceFile;
use anyhow::{Result, bail};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub fn run(cli: &Cli, args: &CheckArgs) -> Result<Done> {
    if args.list_rules {
        output::write(args.output.as_deref(), list().as_bytes())?;
        return Ok(Done::Fine);
    }
    let outputs = formats(args)?;
    let gates = args.fail_on.iter().map(|g| gate(g));
    let gates: Vec<Severity> = gates.collect::<Result<_>>()?;
    let mut advisor = Advisor::new(&args.rules)?;
    let looked: Vec<Looked> = groups(args)?
        .into_par_iter()
        .map(|g| look(args, &g))
        .collect::<Result<_>>()?;
    if args.write {
        let done = write::fixes(&looked, &mut advisor, args.safety.into())?;
        output::note(cli, &done);
        return Ok(Done::Fine);
    }
    let mut refused = false;
    let mut found = Vec::new();
    for one in looked {
        refused |= one.refused();
        found.extend(one.sift(&mut advisor));
    }
    if let Some(file) = &args.write_baseline {
        let rows = found.iter().flat_map(|f| {
            let file = f.file.as_str();
            f.findings
                .iter()
                .map(move |(x, print)| (file, x, print.clone()))
        });
        let baseline = crate::rules::baseline::Baseline::of(rows);
        output::write(Some(file), &output::json(&baseline)?)?;
        return Ok(Done::Fine);
    }
    let fails = gates.iter().any(|bad| {
        let findings = found.iter().flat_map(|f| &f.findings);
        let said = found.iter().flat_map(|f| &f.said);
        findings
            .map(|(f, _)| f.severity)
            .chain(said.map(|d| d.severity))
            .any(|s| s >= *bad)
    });
    let document = Checked {
        schema: "cacheplan.check/1",
        files: found.into_iter().map(CheckedParts::document).collect(),
    };
    for (format, file) in outputs {
        let issues = || issue::of_check(&document);
        if let Some(bytes) = output::for_program(&format, &issues, "") {
            output::write(file.as_deref(), &bytes)?;
            continue;
        }
        let bytes = match format.as_str() {
            "json" => output::json(&document)?,
            "markdown" => markdown(&document).into_bytes(),
            "html" => html::check(&document).into_bytes(),
            _ => {
                let color = file.is_none() && output::color_stdout(cli);
                text(&document, color).into_bytes()
            }
        };
        output::write(file.as_deref(), &bytes)?;
    }
    Ok(match (refused, fails) {
        (true, _) => Done::WrongInput,
        (_, true) => Done::GateFailed,
        _ => Done::Fine,
    })
}

/// All rules with what they find.
fn list() -> String {
    let mut out = String::new();
    for rule in all() {
        let also = match rule.also {
            [] => String::new(),
            list => format!(" ({})", list.join(", ")),
        };
        let (name, severity) = (rule.name, rule.severity.as_str());
        let _ = writeln!(out, "{name:<34} {severity:<8} {}{also}", rule.summary);
    }
    out
}

fn formats(args: &CheckArgs) -> Result<Vec<(String, Option<PathBuf>)>> {
    super::analyze::formats_of(&args.format, args.output.as_deref())
}

fn gate(text: &str) -> Result<Severity> {
    match text.strip_prefix("severity=") {
        Some("error") => Ok(Severity::Error),
        Some("warning") => Ok(Severity::Warning),
        Some("note") => Ok(Severity::Note),
        _ => bail!("--fail-on {text}: severity=error|warning|note exist"),
    }
}

/// Files of one repository that are looked at together.
const MOST_AT_ONCE: usize = 8;

/// What is looked at together: a directory, or files of one repository.
enum Group {
    Directory(PathBuf),
    /// The top, and files as given with their paths below it.
    Files(PathBuf, Vec<(PathBuf, String)>),
}

/// # Errors
/// When a path is not there.
fn groups(args: &CheckArgs) -> Result<Vec<Group>> {
    let mut out = Vec::new();
    let mut files: BTreeMap<PathBuf, Vec<(PathBuf, String)>> = BTreeMap::new();
    let mut tops: BTreeMap<PathBuf, PathBuf> = BTreeMap::new();
    for path in &args.paths {
        let Ok(meta) = std::fs::metadata(path) else {
            bail!("there is no {}", path.display());
        };
        if meta.is_dir() {
            out.push(Group::Directory(path.clone()));
            continue;
        }
        let full = std::path::absolute(path)?;
        let dir = full.parent().unwrap_or(Path::new("/")).to_owned();
        let top = tops.entry(dir.clone()).or_insert_with(|| top(&dir)).clone();
        let below = full.strip_prefix(&top).unwrap_or(&full);
        let Some(below) = below.to_str() else {
            bail!("{}: its name is not UTF-8", path.display());
        };
        let below = below.to_owned();
        files.entry(top).or_default().push((path.clone(), below));
    }
    if !files.is_empty() && args.build.reference.is_some() {
        bail!("--ref reads directories: name a Dockerfile in one with -f");
    }
    // A few at a time, so that all cores have some of a repository with many.
    for (top, list) in files {
        let some = list.chunks(MOST_AT_ONCE);
        out.extend(some.map(|s| Group::Files(top.clone(), s.to_vec())));
    }
    Ok(out)
}

/// The folder of the repository that a folder is in, else the folder itself.
fn top(dir: &Path) -> PathBuf {
    let found = dir.ancestors().find(|d| d.join(".git").exists());
    found.unwrap_or(dir).to_owned()
}

/// One file with what was found.
struct Piece {
    /// As reports show it.
    shown: String,
    source: SourceFile,
    /// For comments.
    tree: Option<crate::dockerfile::Dockerfile>,
    findings: Vec<Finding>,
    /// About the file beside findings.
    said: Vec<Diagnostic>,
    /// Where it is on disk; `None` for text in a compose or bake file, and for commits.
    disk: Option<PathBuf>,
    /// It is part of another file, whose lines are others.
    inline: bool,
}

/// A group looked at.
struct Looked {
    pieces: Vec<Piece>,
    settings: Settings,
    /// Where files of fixes are.
    top: PathBuf,
    /// Files beside those of the findings, in which fixes have edits.
    beside: Beside,
}

type Beside = Arc<BTreeMap<String, SourceFile>>;

/// The files that fixes change beside the file of the finding; those that are not there are empty.
fn beside(place: &Place, pieces: &[Piece]) -> Beside {
    let findings = pieces.iter().flat_map(|p| &p.findings);
    let edits = findings.flat_map(|f| f.fix.iter().flat_map(|x| &x.edits));
    let names = edits.filter_map(|e| e.file.as_deref());
    let names: std::collections::BTreeSet<&str> = names.collect();
    let read = |name: &str| SourceFile::new(name, place.read(name).unwrap_or_default());
    Arc::new(names.into_iter().map(|n| (n.to_owned(), read(n))).collect())
}

/// As [`Piece`], sifted.
struct CheckedParts {
    file: String,
    source: SourceFile,
    findings: Vec<(Finding, String)>,
    said: Vec<Diagnostic>,
    inline: bool,
    beside: Beside,
}

impl CheckedParts {
    fn document(self) -> CheckedFile {
        let shown = |f: &str| f.to_owned();
        let read = |f: &str| match self.beside.get(f) {
            Some(source) => source.clone(),
            None => SourceFile::new(f, ""),
        };
        let mut rows = Vec::with_capacity(self.findings.len());
        for (f, print) in &self.findings {
            let mut row = FindingRow::new(f, &self.file, &self.source, print, &shown);
            row.locate(f, &read);
            if self.inline {
                row.without_places();
            }
            rows.push(row);
        }
        let mut list: Vec<Diagnostic> = self.said.clone();
        list.extend(self.findings.iter().map(|(f, _)| diagnostic(f)));
        list.sort_by_key(Diagnostic::span);
        let said: Vec<(SourceFile, Diagnostic)> = self
            .said
            .iter()
            .map(|d| (self.source.clone(), d.clone()))
            .collect();
        let mut diagnostics = output::rows(&self.file, &said);
        for d in diagnostics.iter_mut().filter(|_| self.inline) {
            d.spot.at = None;
        }
        CheckedFile {
            findings: rows,
            diagnostics,
            shown: list,
            file: self.file,
            source: self.source,
        }
    }
}

impl Looked {
    /// Whether the builder would refuse a file.
    fn refused(&self) -> bool {
        let said = self.pieces.iter().flat_map(|p| &p.said);
        said.into_iter().any(Diagnostic::is_error)
    }

    fn sift(self, advisor: &mut Advisor) -> Vec<CheckedParts> {
        let (settings, beside) = (self.settings, self.beside);
        let one = |p: Piece| {
            let found = advisor.sift(&p.shown, p.source, p.tree.as_ref(), &settings, p.findings);
            let mut said = p.said;
            said.extend(found.diagnostics);
            CheckedParts {
                file: found.file,
                source: found.source,
                findings: found.findings,
                said,
                inline: p.inline,
                beside: beside.clone(),
            }
        };
        self.pieces.into_iter().map(one).collect()
    }
}

fn look(args: &CheckArgs, group: &Group) -> Result<Looked> {
    match group {
        Group::Directory(path) => directory(args, path),
        Group::Files(top, list) => files::look(args, top, list),
    }
}

/// A directory: its targets, and the files beside them.
fn directory(args: &CheckArgs, path: &Path) -> Result<Looked> {
    let place = Place::open(path, args.build.reference.as_deref())?;
    let top = place
        .repository
        .as_ref()
        .and_then(|r| r.work_tree().map(Path::to_owned));
    let settings = advice::settings(path, top.as_deref())?;
    let mut flags = args.build.clone();
    let mut found = subject::load(&place, &flags, &[])?;
    if args.all {
        let discovery = project::discover(place.files.as_ref(), &[])?;
        flags.files.clone_from(&discovery.not_analysed);
        if !flags.files.is_empty() {
            found
                .subjects
                .extend(subject::load(&place, &flags, &[])?.subjects);
        }
    }
    let subjects = distinct(found.subjects);
    let files = subjects.iter().map(|s| ProjectFile {
        path: &s.target.file,
        source: &s.source,
        tree: &s.parsed.tree,
    });
    let git = GitView::open(&place);
    let git = git.as_ref().map(|g| g as &dyn Git);
    let project = advice::project(&place, files.collect(), git, &settings);
    let costs = super::analyze::costs_of(&place, args.costs.as_deref())?;
    let around = advice::Around {
        place: &place,
        project: &project,
        settings: &settings,
        costs: &costs,
        listed: true,
    };
    let mut pieces = Vec::new();
    let shown = |file: &str| place.shown(file);
    for subject in &subjects {
        let list = advice::of_subject(&around, subject);
        pieces.extend(pieces_of(&place, subject, list, &shown));
    }
    for (file, list) in by_file("", of_project(&project)) {
        let shown = place.shown(&file);
        let source = SourceFile::new(shown.clone(), place.read(&file).unwrap_or_default());
        let disk = place.at.is_none().then(|| place.path.join(&file));
        // A Dockerfile's own findings and those of all files together stand side by side.
        match pieces.iter_mut().find(|p: &&mut Piece| p.shown == shown) {
            Some(piece) => piece.findings.extend(list),
            None => pieces.push(Piece {
                shown,
                source,
                tree: None,
                findings: list,
                said: Vec::new(),
                disk,
                inline: false,
            }),
        }
    }
    for (source, d) in found.diagnostics {
        match pieces.iter_mut().find(|p| p.shown == source.name()) {
            Some(piece) => piece.said.push(d),
            None => pieces.push(Piece {
                shown: source.name().to_owned(),
                source,
                tree: None,
                findings: Vec::new(),
                said: vec![d],
                disk: None,
                inline: false,
            }),
        }
    }
    Ok(Looked {
        beside: beside(&place, &pieces),
        pieces,
        settings,
        top: path.to_owned(),
    })
}

/// One of the targets that a Dockerfile is built for: the rules look at all of it.
fn distinct(subjects: Vec<Subject>) -> Vec<Subject> {
    let mut out: Vec<Subject> = Vec::new();
    for subject in subjects {
        if !out.iter().any(|o| o.same_file(&subject)) {
            out.push(subject);
        }
    }
    out
}

/// What was found with one Dockerfile: in itself, and in its ignore file.
fn pieces_of(
    place: &Place,
    subject: &Subject,
    findings: Vec<Finding>,
    shown: &dyn Fn(&str) -> String,
) -> Vec<Piece> {
    let mut said: BTreeMap<String, (SourceFile, Vec<Diagnostic>)> = BTreeMap::new();
    // What replays are told is nothing to a reader of rules.
    let told = subject
        .diagnostics
        .iter()
        .filter(|(_, d)| d.code != "arg/per-build-name" && d.code != "project/context");
    for (source, d) in told {
        let name = source.name().to_owned();
        said.entry(name)
            .or_insert_with(|| (source.clone(), Vec::new()))
            .1
            .push(d.clone());
    }
    let own = shown(&subject.target.file);
    let on_disk = |file: &str| place.at.is_none().then(|| place.path.join(file));
    let mut out = vec![Piece {
        shown: own.clone(),
        source: subject.source.clone(),
        tree: Some(subject.parsed.tree.clone()),
        findings: Vec::new(),
        said: said
            .remove(&subject.file)
            .map_or(Vec::new(), |(_, list)| list),
        disk: on_disk(&subject.target.file).filter(|_| subject.target.inline.is_none()),
        inline: subject.target.inline.is_some(),
    }];
    for (file, list) in by_file(&subject.target.file, findings) {
        if file == subject.target.file {
            out[0].findings = list;
            continue;
        }
        let name = shown(&file);
        let bytes = place.read(&file).unwrap_or_default();
        out.push(Piece {
            said: said.remove(&name).map_or(Vec::new(), |(_, list)| list),
            source: SourceFile::new(name.clone(), bytes),
            shown: name,
            tree: None,
            findings: list,
            disk: on_disk(&file),
            inline: false,
        });
    }
    for (name, (source, list)) in said {
        out.push(Piece {
            shown: name,
            source,
            tree: None,
            findings: Vec::new(),
            said: list,
            disk: None,
            inline: false,
        });
    }
    out
}
