//! Workflows and composite actions of GitHub.
//!
//! Goes in: their texts. Comes out: jobs and builds. Costs one parse a file. Invariant: places are those of the file.

use super::command::{self, Command, Given};
use super::facts::{Build, Ci, Item, Job, Runner, Tool, Triggers};
use super::input::{Input, place, place_item};
use super::matrix::Values;
use super::yaml::{Kind, Yaml, parse};
use crate::project::{Files, join};
use crate::source::Span;

/// Reads one file into the facts.
pub fn read(files: &dyn Files, file: &str, text: &str, out: &mut Ci) {
    let Some(tree) = parse(text) else { return };
    let env = Values::default().with_env(tree.get("env"));
    if let Some(runs) = tree.get("runs") {
        // Whoever uses a composite action decides where it runs.
        let reader = Reader::new(files, file, text, env);
        let job = Job {
            id: "runs".to_owned(),
            ..reader.job(Runner::Other, Triggers::ALL)
        };
        return reader.steps(runs, job, None, out);
    }
    let triggers = triggers(tree.get("on"));
    for entry in tree.get("jobs").map_or(&[][..], Yaml::entries) {
        let job = &entry.value;
        let values = Values::new(job.get("strategy"));
        let values = values.with_env(tree.get("env")).with_env(job.get("env"));
        let runner = runner(job.get("runs-on"), &values);
        let dir = |y: &Yaml| {
            let run = y.get("defaults")?.get("run")?;
            run.text_of("working-directory").map(str::to_owned)
        };
        let dir = dir(job).or_else(|| dir(&tree));
        let reader = Reader::new(files, file, text, values);
        let facts = Job {
            id: entry.key.clone(),
            ..reader.job(runner, triggers)
        };
        reader.steps(job, facts, dir.as_deref(), out);
    }
}

fn triggers(on: Option<&Yaml>) -> Triggers {
    let mut out = Triggers::default();
    let Some(on) = on else { return Triggers::ALL };
    let mut one = |name: &str, filter: Option<&Yaml>| match name {
        "push" => {
            let has =
                |keys: [&str; 2]| filter.is_some_and(|f| keys.iter().any(|k| f.get(k).is_some()));
            let (tags, branches) = (
                has(["tags", "tags-ignore"]),
                has(["branches", "branches-ignore"]),
            );
            out.tag |= tags || !branches;
            out.branch |= branches || !tags;
        }
        // `pull_request_target` runs for the branch, where a cache would let strangers write for everybody.
        "pull_request" | "merge_group" => out.pull_request = true,
        "release" => out.tag = true,
        "workflow_call" => out = Triggers::ALL,
        _ => out.at_will = true,
    };
    on.texts()
        .iter()
        .filter_map(|t| t.text())
        .for_each(|t| one(t, None));
    on.entries()
        .iter()
        .for_each(|e| one(&e.key, Some(&e.value)));
    out
}

/// Labels of the machines that GitHub itself lends.
const LENT: [&str; 3] = ["ubuntu-", "windows-", "macos-"];

fn runner(on: Option<&Yaml>, values: &Values) -> Runner {
    let Some(on) = on else { return Runner::Other };
    if matches!(on.kind, Kind::Map(_)) {
        return Runner::Other;
    }
    let labels: Vec<&str> = on.texts().iter().filter_map(|t| t.text()).collect();
    let fresh = |label: &&str| {
        let all = values.all_of(label);
        !all.is_empty() && all.iter().all(|l| LENT.iter().any(|s| l.starts_with(s)))
    };
    match !labels.is_empty() && labels.iter().all(fresh) {
        true => Runner::Fresh,
        false => Runner::Other,
    }
}

/// Actions that bring cache mounts along, or build elsewhere.
const CARRIERS: [&str; 6] = [
    "cache-dance",
    "depot/",
    "namespacelabs/",
    "useblacksmith/",
    "warpbuilds/",
    "docker/setup-docker-cloud",
];

struct Reader<'a> {
    files: &'a dyn Files,
    file: &'a str,
    text: &'a str,
    values: Values,
}

impl<'a> Reader<'a> {
    fn new(files: &'a dyn Files, file: &'a str, text: &'a str, values: Values) -> Self {
        Self {
            files,
            file,
            text,
            values,
        }
    }

    fn job(&self, runner: Runner, triggers: Triggers) -> Job {
        Job {
            file: self.file.to_owned(),
            id: String::new(),
            runner,
            triggers,
            uses: Vec::new(),
            carries: false,
            renames: false,
            pushes: false,
        }
    }

    fn steps(&self, job: &Yaml, mut facts: Job, dir: Option<&str>, out: &mut Ci) {
        let at = out.jobs.len();
        let first = out.builds.len();
        for step in job.get("steps").map_or(&[][..], Yaml::items) {
            let reader = Reader {
                values: self.values.with_env(step.get("env")),
                ..*self
            };
            if let Some(uses) = step.get("uses") {
                reader.action(step, uses, at, &mut facts, out);
            } else if let Some(run) = step.get("run") {
                let dir = step.text_of("working-directory").or(dir);
                reader.script(run, dir.unwrap_or("."), at, &mut facts, out);
            }
        }
        // What a command pushes later is pushed.
        if facts.pushes {
            for build in &mut out.builds[first..] {
                build.pushes |= build.tool != Tool::Action;
            }
        }
        out.jobs.push(facts);
    }

    fn action(&self, step: &Yaml, uses: &Yaml, at: usize, job: &mut Job, out: &mut Ci) {
        let name = uses.text().unwrap_or_default().to_lowercase();
        let name = name.split('@').next().unwrap_or_default().to_owned();
        let none = Yaml {
            kind: Kind::Null,
            span: uses.span,
        };
        let with = step.get("with").unwrap_or(&none);
        let input = Input {
            with,
            text: self.text,
            values: &self.values,
        };
        job.carries |= CARRIERS.iter().any(|c| name.contains(c));
        match name.as_str() {
            "docker/setup-buildx-action" => {
                let driver = input.one("driver").unwrap_or("docker-container");
                let elsewhere = !matches!(driver, "docker-container" | "docker");
                job.carries |= elsewhere || input.one("endpoint").is_some();
            }
            "docker/bake-action" => out.bakes = true,
            "docker/build-push-action" => out.builds.push(self.build_push(&input, uses.span, at)),
            _ if name.starts_with("actions/cache") => {
                let path = input.one("path").unwrap_or_default();
                job.carries |= path.contains("/var/lib/docker") || path.contains("buildkit");
            }
            _ => {}
        }
        job.uses.push(name);
    }

    fn build_push(&self, input: &Input<'_>, span: Span, job: usize) -> Build {
        let context = input.one("context").unwrap_or(".");
        let file = input.one("file");
        let dockerfiles = self.dockerfiles(context, file, None);
        let parts = ["file", "context", "target", "platforms", "build-args"];
        let parts: Vec<&str> = parts.iter().filter_map(|k| input.one(k)).collect();
        let chosen_by = self.values.chosen_by(&parts.join("\n"));
        let outputs = input.one("outputs").unwrap_or_default();
        let is = |key: &str| input.one(key).is_some_and(|v| v != "false");
        let mut what: Vec<&str> = vec![context];
        what.extend(
            ["file", "target", "platforms"]
                .iter()
                .map(|k| input.one(k).unwrap_or_default()),
        );
        Build {
            job,
            tool: Tool::Action,
            span,
            dockerfiles,
            target: input.one("target").map(str::to_owned),
            tags: input.lines("tags"),
            cache_from: input.lines("cache-from"),
            cache_to: input.lines("cache-to"),
            pushes: is("push") || command::pushes(outputs),
            labelled: is("labels") || is("annotations"),
            cold_by_choice: is("no-cache") || is("no-cache-filters"),
            opaque: input.with.text().is_some(),
            plain: self.values.are_plain(&chosen_by),
            chosen_by,
            what: self.values.with_variables(&what.join("\n")),
            inputs: self.inputs(input.with),
        }
    }

    /// Where the first input starts, given that it is alone on its line.
    fn inputs(&self, with: &Yaml) -> Option<u32> {
        let first = with.entries().first()?.key_span.start;
        let before = self.text.get(..first as usize)?;
        let indent = &before[before.rfind('\n').map_or(0, |n| n + 1)..];
        indent.bytes().all(|b| b == b' ').then_some(first)
    }

    /// The Dockerfiles that are there of those that may be meant.
    fn dockerfiles(&self, context: &str, file: Option<&str>, dir: Option<&str>) -> Vec<String> {
        // Both may hang on one row of a matrix.
        const BOTH: &str = "\n";
        let context = context.replace("${{ github.workspace }}", ".");
        let context = context
            .replace("{{defaultContext}}:", "")
            .replace("{{defaultContext}}", ".");
        let file = file.map(|f| f.replace("${{ github.workspace }}/", ""));
        let text = format!("{context}{BOTH}{}", file.as_deref().unwrap_or_default());
        let mut out = Vec::new();
        for one in self.values.all_of(&text) {
            let Some((context, file)) = one.split_once(BOTH) else {
                continue;
            };
            let dir = dir.unwrap_or(".");
            let place = match file {
                "" => join(dir, context).and_then(|c| join(&c, "Dockerfile")),
                file => join(dir, file),
            };
            out.extend(place.filter(|p| self.files.is_file(p)));
        }
        out
    }

    fn script(&self, run: &Yaml, dir: &str, at: usize, job: &mut Job, out: &mut Ci) {
        let script = run.text().unwrap_or_default();
        let mut from = run.span.start as usize;
        for command in command::commands(script) {
            match command {
                Command::Build(given) => {
                    let build = self.command(&given, script, dir, at, &mut from);
                    out.builds.push(build);
                }
                Command::Push => job.pushes = true,
                Command::Rename => job.renames = true,
                Command::Bake => out.bakes = true,
                Command::Remote => job.carries = true,
                Command::Builder => {}
            }
        }
    }

    fn command(
        &self,
        given: &Given,
        script: &str,
        dir: &str,
        job: usize,
        from: &mut usize,
    ) -> Build {
        let dir = given.dir.as_deref().and_then(|d| match d {
            "" => join(".", dir),
            d => join(dir, d),
        });
        let context = given.context.as_deref();
        let dockerfiles = match (&dir, context) {
            (Some(dir), Some(context)) if !given.opaque => {
                self.dockerfiles(context, given.file.as_deref(), Some(dir))
            }
            _ => Vec::new(),
        };
        let call = script.get(given.span.range()).unwrap_or_default();
        let span = place(self.text, call, from);
        let items = |list: &[Item]| -> Vec<Item> {
            let one = |i: &Item| Item {
                value: self.values.with_variables(&i.text),
                text: i.text.clone(),
                span: place_item(self.text, script, given.span, i.span, span.start as usize),
            };
            list.iter().map(one).collect()
        };
        let chosen_by = self.values.chosen_by(call);
        let mut what = vec![dir.as_deref().unwrap_or_default()];
        what.extend(
            [
                context,
                given.file.as_deref(),
                given.target.as_deref(),
                given.platforms.as_deref(),
            ]
            .map(Option::unwrap_or_default),
        );
        Build {
            job,
            tool: given.tool,
            span,
            dockerfiles,
            target: given.target.clone(),
            tags: items(&given.tags),
            cache_from: items(&given.cache_from),
            cache_to: items(&given.cache_to),
            pushes: given.pushes,
            labelled: given.labelled,
            cold_by_choice: given.no_cache,
            opaque: given.opaque,
            plain: self.values.are_plain(&chosen_by),
            chosen_by,
            what: self.values.with_variables(&what.join("\n")),
            inputs: None,
        }
    }
}
