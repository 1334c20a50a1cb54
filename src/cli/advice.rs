//! From a subject to what the rules find in it: settings, comments, baseline.

use super::args::RuleFlags;
use super::context_disk::Disk;
use super::subject::{Place, Subject};
use super::tip_files::TipFiles;
use super::work_files::WorkFiles;
use crate::context::{Context, Hashing, WalkOptions, walk};
use crate::cost::CostTable;
use crate::diagnostic::Diagnostic;
use crate::dockerfile::Dockerfile;
use crate::layers::sent::Source;
use crate::layers::{Model, Sent, store_of};
use crate::optimize::{Bytes, folded_runs, waiting_runs};
use crate::rules::baseline::{Allowance, Baseline, fingerprint};
use crate::rules::settings::Settings;
use crate::rules::suppress::Suppressions;
use crate::rules::{ContextDisk, ContextFiles, Finding, Git, Parts, Project, ProjectFile, View};
use crate::source::{SourceFile, Span};
use anyhow::{Context as _, Result, bail};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use rustc_hash::FxHashMap;
use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use std::rc::Rc;

/// Layers of a target with more steps are not worked out.
const MOST_STEPS: usize = 500;

/// A larger baseline is refused.
const MOST_BASELINE: u64 = 64 << 20;

/// What holds for all subjects of a run.
pub struct Advisor {
    /// The day that comments are held against.
    today: Date,
    /// What may be found without being told.
    allowance: Allowance,
}

/// What was found in one file, and what is wrong with comments in it.
pub struct Found {
    /// As reports show it.
    pub file: String,
    /// Its text.
    pub source: SourceFile,
    /// What was found, with fingerprints.
    pub findings: Vec<(Finding, String)>,
    /// About comments that silence rules.
    pub diagnostics: Vec<Diagnostic>,
}

impl Advisor {
    /// By the flags.
    ///
    /// # Errors
    /// When the baseline or the day can't be read.
    pub fn new(flags: &RuleFlags) -> Result<Self> {
        let allowance = match &flags.baseline {
            None => Allowance::default(),
            Some(file) => {
                let text = text_of(file, MOST_BASELINE)?;
                let read = Baseline::parse(&text);
                let read = read.map_err(|why| anyhow::anyhow!("{}: {why}", file.display()))?;
                read.allowance()
            }
        };
        Ok(Self {
            today: today(flags.today.as_deref())?,
            allowance,
        })
    }

    /// What is left of findings of one file.
    pub fn sift(
        &mut self,
        shown: &str,
        source: SourceFile,
        tree: Option<&Dockerfile>,
        settings: &Settings,
        mut findings: Vec<Finding>,
    ) -> Found {
        let mut comments = match tree {
            Some(tree) => Suppressions::of_dockerfile(&source, tree),
            None => Suppressions::of_lines(&source),
        };
        settings.apply(&mut findings);
        comments.apply(&mut findings, self.today);
        let mut left = Vec::with_capacity(findings.len());
        // A long line with many findings is read once for each rule.
        let mut known: FxHashMap<(&str, bool, u32, u32), String> = FxHashMap::default();
        for finding in findings {
            let (whole, span) = (finding.span == Span::default(), finding.span);
            let lines = [span.start, span.end.saturating_sub(1).max(span.start)];
            let [first, last] = lines.map(|at| source.line(at));
            let print = known.entry((finding.rule.name, whole, first, last));
            let print = print.or_insert_with(|| fingerprint(&finding, shown, Some(&source)));
            let print = print.clone();
            if !self.allowance.takes(shown, &finding, &print) {
                left.push((finding, print));
            }
        }
        Found {
            file: shown.to_owned(),
            source,
            findings: left,
            diagnostics: comments.diagnostics,
        }
    }
}

/// The project that subjects stand in.
#[must_use]
pub fn project<'a>(
    place: &'a Place,
    dockerfiles: Vec<ProjectFile<'a>>,
    git: Option<&'a dyn Git>,
    settings: &'a Settings,
) -> Project<'a> {
    Project {
        files: place.files.as_ref(),
        dockerfiles,
        git,
        settings,
        ci: std::cell::OnceCell::new(),
    }
}

/// What subjects of a place share.
pub struct Around<'a> {
    /// Where they are.
    pub place: &'a Place,
    /// The files beside them.
    pub project: &'a Project<'a>,
    /// What users set.
    pub settings: &'a Settings,
    /// What layers weigh.
    pub costs: &'a CostTable,
    /// Contexts are listed.
    pub listed: bool,
}

/// What the rules find in a subject's Dockerfile, and in files beside it that belong to it.
#[must_use]
pub fn of_subject(around: &Around<'_>, subject: &Subject) -> Vec<Finding> {
    let Around { place, costs, .. } = *around;
    let context: OnceCell<Option<Rc<Context>>> = OnceCell::new();
    let list = || -> Option<Rc<Context>> {
        let walked = || {
            if !around.listed || place.at.is_some() {
                return None;
            }
            let options = WalkOptions {
                hashing: Hashing::None,
            };
            let root = place.path.join(&subject.context);
            walk(&root, &subject.rules, options).ok().map(Rc::new)
        };
        context.get_or_init(walked).clone()
    };
    let tip = || {
        let commit = place.at.filter(|_| around.listed)?;
        let mut files = TipFiles::new(place.repository.as_ref()?, commit, subject).ok()?;
        files.holds_git = false;
        Some(files)
    };
    let layers = || {
        // Layers are held against each other; no store takes half as many.
        if subject.plan.order.len() > MOST_STEPS {
            return None;
        }
        let store = store_of(subject.plan.builder, costs.disk().unwrap_or_default());
        let of = |sent: &Sent<'_>| {
            let model = Model {
                plan: &subject.plan,
                sent,
                costs,
                store,
                ignored: None,
            };
            Some(model.layers())
        };
        if let Some(context) = list() {
            let files = super::layers::files::Files::new(place, subject, &context);
            return of(&Sent::new(files.entries(), &files));
        }
        match tip() {
            Some(files) => {
                let files = Bytes(&files);
                of(&Sent::new(files.entries(), &files))
            }
            None if around.listed => of(&Sent::new(Vec::new(), &NoFiles)),
            // Nothing but figures of our own table would come of it.
            None => None,
        }
    };
    let with_files = |run: &dyn Fn(&dyn crate::rewrite::ContextFiles)| {
        if let Some(context) = list() {
            let root = place.path.join(&subject.context);
            run(&WorkFiles::new(&context, root));
        } else if let Some(files) = tip() {
            run(&files);
        }
    };
    let (source, tree, plan) = (&subject.source, &subject.parsed.tree, &subject.plan);
    let waiting = || {
        let found = RefCell::default();
        with_files(&|files| *found.borrow_mut() = waiting_runs(source, tree, plan, files));
        found.into_inner()
    };
    let folds = || {
        let found = RefCell::default();
        with_files(&|files| *found.borrow_mut() = folded_runs(source, tree, plan, files));
        found.into_inner()
    };
    // As PATH knows it, for fixes.
    let ignore = subject
        .ignore_text
        .as_ref()
        .zip(subject.ignore_file.as_ref());
    let ignore = ignore.map(|(text, file)| SourceFile::new(file.clone(), text.bytes()));
    let disk = Disk::new(place.path.join(&subject.context));
    let on_disk = around.listed && place.at.is_none();
    let view = View::new(Parts {
        path: &subject.target.file,
        source: &subject.source,
        tree: &subject.parsed.tree,
        plan: &subject.plan,
        options: &subject.options,
        context: ContextFiles {
            dir: &subject.context,
            rules: &subject.rules,
            ignore_file: ignore.as_ref(),
            list: &list,
            layers: &layers,
            waiting: &waiting,
            folds: &folds,
            disk: on_disk.then_some(&disk as &dyn ContextDisk),
        },
        project: around.project,
        settings: around.settings,
    });
    crate::rules::of_dockerfile(&view)
}

/// A context of which no file is known.
struct NoFiles;

impl Source for NoFiles {
    fn sizes(&self, paths: &[String]) -> Vec<Option<u64>> {
        vec![None; paths.len()]
    }
}

/// The day that `until=` is held against.
fn today(given: Option<&str>) -> Result<Date> {
    if let Some(text) = given {
        return match text.parse::<Date>() {
            Ok(date) => Ok(date),
            Err(_) => bail!("--today {text}: write YYYY-MM-DD"),
        };
    }
    let epoch = std::env::var("SOURCE_DATE_EPOCH").ok();
    let epoch = epoch.and_then(|e| Timestamp::from_second(e.parse().ok()?).ok());
    let now = epoch.unwrap_or_else(Timestamp::now);
    Ok(now.to_zoned(TimeZone::UTC).date())
}

/// The text of a regular file, which may be something else in a repository of strangers.
fn text_of(file: &Path, most: u64) -> Result<String> {
    let shown = file.display();
    let why = || format!("cannot read {shown}");
    if !std::fs::metadata(file).with_context(why)?.is_file() {
        bail!("{shown} is no file");
    }
    let mut text = String::new();
    let file = std::fs::File::open(file).with_context(why)?;
    file.take(most + 1)
        .read_to_string(&mut text)
        .with_context(why)?;
    if text.len() as u64 > most {
        bail!("{shown} is larger than {most} bytes, more than is read");
    }
    Ok(text)
}

/// The `cacheplan.toml` that holds for a folder: the nearest one upward, to the top of the repository.
///
/// # Errors
/// When it can't be read or is wrong; the text names the place.
pub fn settings(dir: &Path, top: Option<&Path>) -> Result<Settings> {
    const MOST_BYTES: u64 = 1 << 20;
    let dir = std::path::absolute(dir)?;
    let mut at = Some(dir.as_path());
    while let Some(folder) = at {
        let file = folder.join("cacheplan.toml");
        if file.is_file() {
            let above = top.unwrap_or(folder);
            let (real, above) = (file.canonicalize()?, above.canonicalize()?);
            if !real.starts_with(&above) {
                bail!("{} leads out of {}", file.display(), above.display());
            }
            let text = text_of(&real, MOST_BYTES)?;
            return Settings::parse(&text).map_err(|d| {
                let name = file.display().to_string();
                let source = SourceFile::new(name.clone(), text.clone().into_bytes());
                let place = d.span().map(|s| source.position(s.start));
                match place {
                    Some(p) => anyhow::anyhow!("{name}:{}:{}: {}", p.line, p.column, d.message),
                    None => anyhow::anyhow!("{name}: {}", d.message),
                }
            });
        }
        if top.is_some_and(|t| t == folder) || folder.join(".git").exists() {
            break;
        }
        at = folder.parent().filter(|_| top.is_some());
    }
    Ok(Settings::default())
}

/// Findings by the file that they are in; those of the Dockerfile itself under its name.
#[must_use]
pub fn by_file(own: &str, findings: Vec<Finding>) -> BTreeMap<String, Vec<Finding>> {
    let mut out: BTreeMap<String, Vec<Finding>> = BTreeMap::new();
    for finding in findings {
        let file = finding.file.clone().unwrap_or_else(|| own.to_owned());
        out.entry(file).or_default().push(finding);
    }
    out
}
