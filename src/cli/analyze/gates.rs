//! Formats that are asked for, and gates.

use crate::cli::args::AnalyzeArgs;
use crate::report::model::{Analysis, Target};
use anyhow::{Context as _, Result, bail};
use std::path::{Path, PathBuf};

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
        if !["text", "json", "markdown", "html"].contains(&name) {
            bail!("--format {name}: text, json, markdown and html exist");
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
    match text.strip_prefix("severity=") {
        Some("error") => Ok(Gate::Severity(&["error"])),
        Some("warning") => Ok(Gate::Severity(&["error", "warning"])),
        Some("note") => Ok(Gate::Severity(&["error", "warning", "note"])),
        _ => bail!("--fail-on {text}: rebuild-cost+N% and severity=error|warning|note exist"),
    }
}

impl Gate {
    /// Whether it fails.
    pub fn fails(&self, analysis: &Analysis) -> bool {
        analysis.targets.iter().any(|t| match (self, t) {
            (Self::Rebuild(limit), Target::Done(t)) => {
                t.base.as_ref().is_some_and(|b| -b.saving > *limit)
            }
            (Self::Severity(bad), Target::Done(t)) => {
                t.diagnostics.iter().any(|d| bad.contains(&d.severity))
                    || t.findings.iter().any(|f| bad.contains(&f.severity))
            }
            (Self::Severity(_), Target::Failed(_)) => true,
            (Self::Rebuild(_), Target::Failed(_)) => false,
        })
    }
}
