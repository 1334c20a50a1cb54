//! A Dockerfile and a plan of it, both built by a real builder.
//!
//! In: two texts and a folder with `context` in it. Out: whether the images are equal, every path by its content, mode, owner
//! and links.

use cacheplan::verify::{Comparison, ImageDifference, compare_files};
use std::path::{Path, PathBuf};
use std::process::Command;

/// How long one build may take.
const SECONDS: &str = "120";

/// One image as an archive; what the builder says where it refuses.
fn build(host: Option<&str>, folder: &Path, name: &str, text: &str) -> Result<PathBuf, String> {
    let file = folder.join(format!("{name}.Dockerfile"));
    let archive = folder.join(format!("{name}.tar"));
    std::fs::write(&file, text).map_err(|e| e.to_string())?;
    // A random command may read what it writes, through a link, and never end.
    let mut docker = Command::new("timeout");
    docker.args([
        SECONDS,
        "docker",
        "buildx",
        "build",
        "--network=none",
        "--provenance=false",
    ]);
    docker.args(["--progress=plain", "-f"]).arg(&file);
    docker.arg("--output").arg(format!(
        "type=oci,dest={},compression=uncompressed,force-compression=true",
        archive.display()
    ));
    docker.arg(folder.join("context"));
    if let Some(host) = host {
        docker.env("DOCKER_HOST", host);
    }
    let output = docker.output().map_err(|e| e.to_string())?;
    match output.status.success() {
        true => Ok(archive),
        false => {
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            let lines: Vec<&str> = text.lines().collect();
            let from = lines.len().saturating_sub(25);
            Err(lines[from..].join("\n"))
        }
    }
}

/// What became of a pair.
pub enum Outcome {
    Same,
    /// The original cannot be built.
    Refused(String),
    Different(String),
}

/// Builds two files with the context in a folder and compares the images.
pub fn built(host: Option<&str>, folder: &Path, original: &str, plan: &str) -> Outcome {
    let original = match build(host, folder, "original", original) {
        Ok(archive) => archive,
        Err(why) => return Outcome::Refused(why),
    };
    let plan = match build(host, folder, "plan", plan) {
        Ok(archive) => archive,
        Err(why) => return Outcome::Different(format!("the plan is refused: {why}")),
    };
    match compare_files(&original, &plan) {
        Ok(Comparison {
            differences, noise, ..
        }) if differences.is_empty() && noise.is_empty() => Outcome::Same,
        Ok(c) => {
            let noise = c.noise.into_iter().map(|n| n.difference);
            let all = c.differences.into_iter().chain(noise);
            let shown = |d: ImageDifference| {
                let path = String::from_utf8_lossy(&d.path).into_owned();
                format!("  {path}: {}: {} / {}", d.field.name(), d.original, d.plan)
            };
            let lines: Vec<String> = all.map(shown).take(20).collect();
            Outcome::Different(lines.join("\n"))
        }
        Err(why) => Outcome::Refused(why.to_string()),
    }
}
