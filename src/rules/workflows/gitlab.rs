//! Jobs of GitLab CI: their scripts are read like those of workflows. Which machines they run on is not written in the file.

use super::command::{self, Command, Given};
use super::facts::{Build, Ci, Item, Job, Runner, Tool, Triggers};
use super::input::{place, place_item};
use super::yaml::parse;
use crate::project::{Files, join};

/// Keys of the top that are no jobs.
const NO_JOBS: [&str; 9] = [
    "stages",
    "variables",
    "include",
    "workflow",
    "image",
    "services",
    "cache",
    "default",
    "pages",
];

/// Reads the file into the facts.
pub fn read(files: &dyn Files, file: &str, text: &str, out: &mut Ci) {
    let Some(tree) = parse(text) else { return };
    for entry in tree.entries() {
        if NO_JOBS.contains(&entry.key.as_str()) {
            continue;
        }
        let Some(script) = entry.value.get("script") else {
            continue;
        };
        let mut job = Job {
            file: file.to_owned(),
            id: entry.key.clone(),
            runner: Runner::Other,
            triggers: Triggers::ALL,
            uses: Vec::new(),
            carries: true,
            renames: false,
            pushes: false,
        };
        let at = out.jobs.len();
        let first = out.builds.len();
        for line in script.texts() {
            let mut from = line.span.start as usize;
            let shell = line.text().unwrap_or_default();
            for command in command::commands(shell) {
                match command {
                    Command::Build(given) => {
                        out.builds
                            .push(build(files, text, shell, &given, at, &mut from));
                    }
                    Command::Push => job.pushes = true,
                    Command::Rename => job.renames = true,
                    Command::Bake => out.bakes = true,
                    Command::Remote | Command::Builder => {}
                }
            }
        }
        if job.pushes {
            for build in &mut out.builds[first..] {
                build.pushes |= build.tool != Tool::Action;
            }
        }
        out.jobs.push(job);
    }
}

fn build(
    files: &dyn Files,
    text: &str,
    script: &str,
    given: &Given,
    job: usize,
    from: &mut usize,
) -> Build {
    let span = place(
        text,
        script.get(given.span.range()).unwrap_or_default(),
        from,
    );
    let items = |list: &[Item]| -> Vec<Item> {
        let one = |i: &Item| Item {
            text: i.text.clone(),
            value: i.value.clone(),
            span: place_item(text, script, given.span, i.span, span.start as usize),
        };
        list.iter().map(one).collect()
    };
    let file = match (&given.file, &given.context) {
        (Some(file), _) => join(".", file),
        (None, Some(context)) => join(context, "Dockerfile"),
        (None, None) => None,
    };
    // A line of its own may follow a `cd`.
    let file =
        file.filter(|f| files.is_file(f) && given.dir.as_deref() == Some("") && !given.opaque);
    let what = [&given.context, &given.file, &given.target, &given.platforms];
    let what: Vec<&str> = what
        .iter()
        .map(|w| w.as_deref().unwrap_or_default())
        .collect();
    Build {
        job,
        tool: given.tool,
        span,
        dockerfiles: file.into_iter().collect(),
        target: given.target.clone(),
        tags: items(&given.tags),
        cache_from: items(&given.cache_from),
        cache_to: items(&given.cache_to),
        pushes: given.pushes,
        labelled: given.labelled,
        cold_by_choice: given.no_cache,
        opaque: given.opaque,
        chosen_by: Vec::new(),
        plain: true,
        what: what.join("\n"),
        inputs: None,
    }
}
