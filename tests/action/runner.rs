//! A stand-in of the runner: reads `action.yml` and runs its steps as a job would.
//!
//! In: inputs, an event, a checkout. Out: the log, the commands in it that a runner would act on, outputs, the job summary, and the other
//! actions that would have been used. Each step is run by `bash --noprofile --norc -eo pipefail FILE`, as `shell: bash` is, with nothing in its
//! environment but what a runner sets. Invariant: no step leaves anything for later steps of the job (variables, PATH).

use crate::api::{Api, TOKEN};
use crate::expression::{self, Scope};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The top of this project: where the action is.
pub const TOP: &str = env!("CARGO_MANIFEST_DIR");

/// A YAML file of the project.
pub fn yaml(file: &str) -> Value {
    let text = std::fs::read_to_string(Path::new(TOP).join(file)).expect(file);
    serde_saphyr::from_str(&text).unwrap_or_else(|e| panic!("{file}: {e}"))
}

pub struct Job {
    pub root: tempfile::TempDir,
    pub inputs: BTreeMap<String, String>,
    pub event: Value,
    /// What a runner sets.
    pub env: BTreeMap<String, String>,
    /// What other actions give: by name, then outputs.
    pub used: BTreeMap<String, BTreeMap<String, String>>,
}

#[derive(Debug, Default)]
pub struct Ran {
    pub log: String,
    /// Commands that a runner would act on.
    pub commands: Vec<String>,
    /// Exit code of the first step that failed.
    pub failed: Option<i32>,
    pub outputs: BTreeMap<String, String>,
    pub summary: String,
    /// Other actions, with what they were given.
    pub uses: Vec<(String, BTreeMap<String, String>)>,
    /// Names of the steps that ran.
    pub steps: Vec<String>,
}

impl Ran {
    pub fn output(&self, name: &str) -> &str {
        self.outputs.get(name).map_or("", String::as_str)
    }

    pub fn number(&self, name: &str) -> f64 {
        let text = self.output(name);
        text.parse()
            .unwrap_or_else(|_| panic!("{name}: `{text}`\n{}", self.log))
    }

    /// Whether one of the commands says this.
    pub fn says(&self, kind: &str, text: &str) -> bool {
        let start = format!("::{kind} ");
        let mut all = self.commands.iter();
        all.any(|c| c.starts_with(&start) && c.contains(text))
    }
}

impl Job {
    /// A job on a pull request, with the test binary on PATH.
    pub fn new(api: &Api) -> Self {
        let root = tempfile::tempdir().expect("a folder");
        for folder in ["workspace", "temp", "home", "bin", "files"] {
            std::fs::create_dir(root.path().join(folder)).expect("a folder");
        }
        let job = Self {
            inputs: BTreeMap::from([("token".to_owned(), TOKEN.to_owned())]),
            event: serde_json::json!({"pull_request": {"number": 7}}),
            env: BTreeMap::new(),
            used: BTreeMap::new(),
            root,
        };
        let log = job.path("arguments").display().to_string();
        for (name, and) in [("curl", "exec \"$real\" \"$@\""), ("sleep", "exit 0")] {
            let real = find(name);
            job.program(
                name,
                &format!("real='{real}'\nprintf '%s\\n' {name} \"$@\" >>'{log}'\n{and}\n"),
            );
        }
        job.tool();
        let text = |p: &str| job.path(p).display().to_string();
        let env = [
            (
                "PATH",
                format!("{}:{}", text("bin"), std::env::var("PATH").expect("PATH")),
            ),
            ("HOME", text("home")),
            ("GITHUB_WORKSPACE", text("workspace")),
            ("RUNNER_TEMP", text("temp")),
            ("RUNNER_OS", "Linux".to_owned()),
            ("RUNNER_ARCH", "X64".to_owned()),
            ("GITHUB_ACTION_PATH", TOP.to_owned()),
            ("GITHUB_ACTIONS", "true".to_owned()),
            ("GITHUB_REPOSITORY", "some/project".to_owned()),
            ("GITHUB_EVENT_NAME", "pull_request".to_owned()),
            ("GITHUB_API_URL", api.url.clone()),
            ("GITHUB_GRAPHQL_URL", format!("{}/graphql", api.url)),
            ("GITHUB_SERVER_URL", api.url.clone()),
        ];
        let env = env.map(|(k, v)| (k.to_owned(), v));
        Self {
            env: env.into(),
            ..job
        }
    }

    /// The test binary on PATH.
    fn tool(&self) {
        let tool = env!("CARGO_BIN_EXE_cacheplan");
        let place = self.path("bin").join("cacheplan");
        std::os::unix::fs::symlink(tool, place).expect("a link");
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub fn input(&mut self, name: &str, value: &str) -> &mut Self {
        self.inputs.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Puts a script on PATH before all others.
    pub fn program(&self, name: &str, script: &str) {
        let file = self.path("bin").join(name);
        let _ = std::fs::remove_file(&file);
        std::fs::write(&file, format!("#!/bin/bash\n{script}")).expect("written");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).expect("a mode");
    }

    /// What `curl` and `sleep` were given.
    pub fn arguments(&self) -> String {
        std::fs::read_to_string(self.path("arguments")).unwrap_or_default()
    }

    /// All that the job left on disk, apart from the checkout's own git folder: path and content.
    pub fn left(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut out = Vec::new();
        let mut folders = vec![self.root.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).expect("a folder").flatten() {
                let kind = entry.file_type().expect("a type");
                if kind.is_dir() {
                    folders.push(entry.path());
                } else if kind.is_file() {
                    let bytes = std::fs::read(entry.path()).expect("readable");
                    out.push((entry.path(), bytes));
                }
            }
        }
        out
    }

    pub fn run(&self) -> Ran {
        let action = yaml("action.yml");
        let mut ran = Ran::default();
        let mut steps: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        let event = self.path("files/event.json");
        std::fs::write(&event, self.event.to_string()).expect("written");
        for step in action["runs"]["steps"].as_array().expect("steps") {
            let value = |name: &str| self.value(&action, &steps, name);
            let scope = Scope {
                value: &value,
                failed: ran.failed.is_some(),
            };
            if !expression::condition(step["if"].as_str(), &scope) {
                continue;
            }
            let filled = |key: &str| -> BTreeMap<String, String> {
                let map = step[key].as_object().into_iter().flatten();
                map.map(|(k, v)| {
                    (
                        k.clone(),
                        expression::fill(v.as_str().expect("a text"), &scope),
                    )
                })
                .collect()
            };
            ran.steps
                .push(step["name"].as_str().expect("a name").to_owned());
            let outputs = match step["uses"].as_str() {
                Some(other) => {
                    ran.uses.push((other.to_owned(), filled("with")));
                    let name = other.split('@').next().expect("a name");
                    self.used.get(name).cloned().unwrap_or_default()
                }
                None => self.script(step, &filled("env"), &mut ran),
            };
            if let Some(id) = step["id"].as_str() {
                steps.insert(id.to_owned(), outputs);
            }
        }
        for (name, output) in action["outputs"].as_object().expect("outputs") {
            let value = |name: &str| self.value(&action, &steps, name);
            let scope = Scope {
                value: &value,
                failed: false,
            };
            let text = expression::fill(output["value"].as_str().expect("a text"), &scope);
            ran.outputs.insert(name.clone(), text);
        }
        ran.commands = commands(&ran.log);
        ran
    }

    /// What a name in an expression stands for.
    fn value(
        &self,
        action: &Value,
        steps: &BTreeMap<String, BTreeMap<String, String>>,
        name: &str,
    ) -> String {
        if let Some(input) = name.strip_prefix("inputs.") {
            let declared = &action["inputs"][input];
            assert!(declared.is_object(), "{name} is an input");
            let set = self.inputs.get(input).cloned();
            return set
                .unwrap_or_else(|| declared["default"].as_str().unwrap_or_default().to_owned());
        }
        let parts: Vec<&str> = name.split('.').collect();
        let ["steps", id, "outputs", output] = parts[..] else {
            panic!("what is {name}?");
        };
        let known = action["runs"]["steps"].as_array().expect("steps").iter();
        assert!(
            known.filter_map(|s| s["id"].as_str()).any(|i| i == id),
            "{name}: no such step"
        );
        let outputs = steps.get(id);
        outputs
            .and_then(|o| o.get(output))
            .cloned()
            .unwrap_or_default()
    }

    fn script(
        &self,
        step: &Value,
        env: &BTreeMap<String, String>,
        ran: &mut Ran,
    ) -> BTreeMap<String, String> {
        assert_eq!(step["shell"], "bash");
        let number = ran.steps.len();
        let file = |name: &str| self.path("files").join(format!("{number}-{name}"));
        std::fs::write(file("script"), step["run"].as_str().expect("a text")).expect("written");
        let written = [
            "GITHUB_OUTPUT",
            "GITHUB_STEP_SUMMARY",
            "GITHUB_ENV",
            "GITHUB_PATH",
            "GITHUB_STATE",
        ];
        for name in written {
            std::fs::write(file(name), "").expect("written");
        }
        let log = std::fs::File::create(file("log")).expect("a file");
        let mut command = Command::new("bash");
        command
            .args(["--noprofile", "--norc", "-e", "-o", "pipefail"])
            .arg(file("script"))
            .current_dir(self.path("workspace"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("the file"))
            .stderr(log)
            .env_clear()
            .envs(&self.env)
            .envs(written.map(|n| (n, file(n))))
            .env("GITHUB_EVENT_PATH", self.path("files/event.json"))
            .envs(env);
        let status = command.status().expect("bash");
        let read = |name: &str| {
            String::from_utf8_lossy(&std::fs::read(file(name)).expect("a file")).into_owned()
        };
        let said = read("log");
        let _ = writeln!(ran.log, "# {}\n{said}", step["name"]);
        for name in ["GITHUB_ENV", "GITHUB_PATH", "GITHUB_STATE"] {
            assert_eq!(read(name), "", "{name} stays as it is");
        }
        let summary = read("GITHUB_STEP_SUMMARY");
        assert!(summary.len() <= 1 << 20, "a summary is kept up to 1 MiB");
        ran.summary += &summary;
        if !status.success() {
            assert!(
                step["continue-on-error"] != true,
                "nothing counts on that: {}",
                ran.log
            );
            let code = status.code().expect("an end by itself");
            ran.failed.get_or_insert(code);
        }
        let outputs = read("GITHUB_OUTPUT");
        let one = |line: &str| {
            let (name, value) = line.split_once('=').expect("NAME=VALUE");
            assert!(
                !name.contains("<<"),
                "one line an output, as far as this action goes"
            );
            (name.to_owned(), value.to_owned())
        };
        outputs.lines().map(one).collect()
    }
}

/// The lines of a log that a runner acts on: `::name …::` at the start of a line and `##[name …]` anywhere in it, unless they are between
/// `stop-commands` and its word.
fn commands(log: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut until: Option<String> = None;
    for line in log.lines() {
        let line = line.trim();
        if let Some(word) = &until {
            if line == format!("::{word}::") {
                until = None;
            }
            continue;
        }
        if let Some(word) = line.strip_prefix("::stop-commands::") {
            assert!(word.len() >= 32, "a word that nobody guesses: {word}");
            until = Some(word.to_owned());
        } else if line.starts_with("::") || line.contains("##[") {
            out.push(line.to_owned());
        }
    }
    assert_eq!(until, None, "commands are heard again at the end");
    out
}

/// Where a program is.
fn find(name: &str) -> String {
    let path = std::env::var("PATH").expect("PATH");
    let mut places = path.split(':').map(|p| Path::new(p).join(name));
    let found = places.find(|p| p.is_file());
    found
        .unwrap_or_else(|| panic!("{name} is needed for this test"))
        .display()
        .to_string()
}
