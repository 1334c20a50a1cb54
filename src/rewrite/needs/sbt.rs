//! sbt: the build definition, which is all `*.sbt` files and the folder `project`.
//!
//! Goes in: `sbt update`. Comes out: that, and the folders sbt keeps for itself. Invariant: a definition that may look at
//! other files is a reason.

use super::shared::{assume, exact, is_in, parent, quoted_behind, subtree};
use super::{Command, Found, Needs, Project, join, text};
use crate::footprint::PathClaim;

/// What a definition says that looks at other files or programs.
const LOOKS: [&str; 10] = [
    "IO.read",
    "io.Source",
    "sys.process",
    "Process(",
    "Files.read",
    "FileInputStream",
    "dynver",
    "sbt-git",
    "git-versioning",
    "ProjectRef(",
];

/// What sbt needs.
pub(super) fn needs(command: &Command<'_>, project: &dyn Project) -> Found {
    for word in command.arguments {
        let plain = matches!(
            word.as_str(),
            "update" | "-batch" | "--batch" | "-no-colors" | "-v" | "-d" | "-error" | "-warn"
        );
        if !plain && !word.starts_with("-J-X") && !word.starts_with("-Dsbt.") {
            return Err(format!("what `sbt {word}` reads is not known"));
        }
    }
    if !command.arguments.iter().any(|a| a == "update") {
        return Err("sbt has no task".to_owned());
    }
    let top = command.dir;
    let mut needs = Needs::default();
    let definition = join(top, "project");
    for file in [".sbtopts", ".jvmopts", ".sbtrc", "build.sbt"] {
        needs.reads.insert(exact(top, file));
    }
    needs.reads.insert(PathClaim::subtree(&*definition));
    let mut found = false;
    for file in project.below(top) {
        let inside = is_in(&file, &definition);
        let own = file.ends_with(".sbt");
        let runs = own || (inside && file.ends_with(".scala"));
        if !runs || file.contains("/target/") {
            continue;
        }
        found = true;
        let text = text(project, &file)?;
        if let Some(look) = LOOKS.iter().find(|l| text.contains(**l)) {
            return Err(format!("{file} has {look}"));
        }
        // Each project of the build has a folder of its own.
        for folder in quoted_behind(&text, &["file(\"", "in file \""]) {
            needs
                .writes
                .insert(subtree(top, &format!("{folder}/target")));
        }
        if own && !inside {
            needs.writes.insert(subtree(parent(&file), "target"));
            needs.reads.insert(PathClaim::exact(file));
        }
    }
    if !found {
        return Err(format!("{top} holds no build of sbt"));
    }
    for folder in ["target", "project/target", "project/project", ".bsp"] {
        needs.writes.insert(subtree(top, folder));
    }
    super::shared::prune(&mut needs.writes);
    super::shared::prune(&mut needs.reads);
    assume(
        &mut needs,
        "the build definition of sbt looks at no file beside *.sbt and project",
    );
    Ok(needs)
}

#[cfg(test)]
mod tests {
    use super::super::shown;

    #[test]
    fn an_update_reads_the_definition() {
        let files = [
            (
                "/app/build.sbt",
                "lazy val core = (project in file(\"core\"))",
            ),
            ("/app/project/plugins.sbt", ""),
            ("/app/core/src/main/scala/A.scala", ""),
        ];
        assert_eq!(
            shown("sbt -batch update", "/app", &files),
            "/app/.jvmopts /app/.sbtopts /app/.sbtrc /app/build.sbt /app/project/** | /app/.bsp/** /app/core/target/** \
             /app/project/project/** /app/project/target/** /app/target/**"
        );
    }

    #[test]
    fn builds_and_readers_are_left_alone() {
        let files = [("/app/build.sbt", "version := IO.read(file(\"VERSION\"))")];
        assert!(shown("sbt update", "/app", &files).starts_with('('));
        let plain = [("/app/build.sbt", "")];
        for line in ["sbt compile", "sbt update stage", "sbt", "sbt -Dx=y update"] {
            assert!(shown(line, "/app", &plain).starts_with('('), "{line}");
        }
        assert!(shown("sbt update", "/app", &[]).starts_with('('));
    }
}
