//! Formats that are asked for, and gates.

use crate::cli::args::AnalyzeArgs;
use crate::report::model::{Analysis, Target, TargetReport};
use crate::report::number::{bytes as shown, count};
use crate::report::wording;
use crate::simulate::Size;
use anyhow::{Context as _, Result, bail};
use std::path::{Path, PathBuf};

/// Formats of other programs; [`crate::cli::output::for_program`] writes them.
const FOR_PROGRAMS: [&str; 4] = ["sarif", "rdjson", "gitlab", "github"];

/// Formats and where they go.
///
/// # Errors
/// When there is no such format, or two for stdout.
pub fn formats_of(
    asked: &[String],
    output: Option<&Path>,
) -> Result<Vec<(String, Option<PathBuf>)>> {
    let mut out: Vec<(String, Option<PathBuf>)> = Vec::new();
    for text in asked {
        let (name, file) = match text.split_once('=') {
            Some((n, f)) => (n, Some(PathBuf::from(f))),
            None => (text.as_str(), output.map(Path::to_owned)),
        };
        if !["text", "json", "markdown", "html"].contains(&name) && !FOR_PROGRAMS.contains(&name) {
            bail!(
                "--format {name}: text, json, markdown, html, {} exist",
                FOR_PROGRAMS.join(", ")
            );
        }
        if file.is_none() && out.iter().any(|(_, f)| f.is_none()) {
            bail!("only one --format can go to stdout: write --format {name}=FILE");
        }
        out.push((name.to_owned(), file));
    }
    Ok(out)
}

/// What `--fail-on` asks for.
pub enum Gate {
    Rebuild(f64),
    Severity(&'static [&'static str]),
    /// Bytes of a build context.
    Context(u64),
}

/// One gate.
///
/// # Errors
/// When there is no such gate, or nothing to hold it against.
pub fn gate(text: &str, args: &AnalyzeArgs) -> Result<Gate> {
    if let Some(rest) = text.strip_prefix("rebuild-cost+") {
        let percent = rest
            .strip_suffix('%')
            .and_then(|p| p.parse::<f64>().ok())
            .filter(|p| p.is_finite());
        let percent =
            percent.with_context(|| format!("--fail-on {text}: write rebuild-cost+10%"))?;
        if args.base.is_none() {
            bail!("--fail-on {text} compares with --base REV: name one");
        }
        return Ok(Gate::Rebuild(percent / 100.0));
    }
    if let Some(size) = text.strip_prefix("context-size=") {
        let size: Size = size.parse().with_context(|| format!("--fail-on {text}"))?;
        return Ok(Gate::Context(size.0));
    }
    match text.strip_prefix("severity=") {
        Some("error") => Ok(Gate::Severity(&["error"])),
        Some("warning") => Ok(Gate::Severity(&["error", "warning"])),
        Some("note") => Ok(Gate::Severity(&["error", "warning", "note"])),
        _ => bail!(
            "--fail-on {text}: rebuild-cost+N%, severity=error|warning|note and context-size=SIZE exist"
        ),
    }
}

impl Gate {
    /// Why it fails, if it does: one sentence for the first target that makes it fail.
    pub fn failure(&self, analysis: &Analysis) -> Option<String> {
        analysis.targets.iter().find_map(|t| match t {
            Target::Done(t) => self.of(t),
            Target::Failed(t) => match self {
                Self::Severity(_) => Some(format!("{} could not be analysed", t.file)),
                Self::Rebuild(_) | Self::Context(_) => None,
            },
        })
    }

    fn of(&self, t: &TargetReport) -> Option<String> {
        match self {
            Self::Rebuild(limit) => {
                let base = t.base.as_ref().filter(|b| -b.saving > *limit)?;
                let told = wording::against(base);
                Some(format!("{}: {told}", t.file))
            }
            Self::Severity(bad) => {
                let said = t.diagnostics.iter().filter(|d| bad.contains(&d.severity));
                let found = t.findings.iter().filter(|f| bad.contains(&f.severity));
                let (said, found) = (said.count(), found.count());
                let told = format!(
                    "{}: {} and {} as bad as that or worse",
                    t.file,
                    count(found, "finding"),
                    count(said, "message")
                );
                (said + found > 0).then_some(told)
            }
            Self::Context(limit) => {
                let bytes = t.context_bytes.filter(|b| b > limit)?;
                let told = format!("{}: the build context has {}", t.file, shown(bytes));
                Some(told)
            }
        }
    }
}
