//! What a definition is made of, as text that a report can show.
//!
//! Goes in: the same values that a step's key digests. Comes out: named fields and the variables, so
//! that two versions of a step can be compared part by part. Invariant: nothing here is in any key;
//! where two keys differ and their texts do not, the difference is one of form.

use super::state::{Origin, State, VOLATILE, Variable};
use super::{Base, Plan};
use crate::dockerfile::{Instruction, Kind, expand_word};

/// A step's definition in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// What is in the key beside variables and files, in key order: a name people know, and the value.
    pub fields: Vec<(&'static str, String)>,
    /// Variables of a RUN in key order; other steps have none.
    pub vars: Vec<WrittenVar>,
}

/// A variable that is in a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenVar {
    /// Its name.
    pub name: String,
    /// Its value; `None` where it differs in every build.
    pub value: Option<String>,
    /// ARG or ENV.
    pub origin: Origin,
}

impl Written {
    /// Adds a field unless its value is empty.
    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        if !value.is_empty() {
            let value = value.replace(VOLATILE, "*");
            self.fields.push((name, value));
        }
        self
    }

    /// Adds every flag with its value, by its own name.
    pub(super) fn with_flags(mut self, ins: Instruction<'_>) -> Self {
        for flag in ins.flags() {
            let name = match flag.name() {
                "mount" => "--mount",
                "network" => "--network",
                "security" => "--security",
                "device" => "--device",
                // Shown expanded.
                "chown" | "chmod" => continue,
                "checksum" => "--checksum",
                "exclude" => "--exclude",
                "from" => "--from",
                "link" => "--link",
                "parents" => "--parents",
                _ => "flags",
            };
            self.fields
                .push((name, flag.value().unwrap_or(&flag.raw).to_owned()));
        }
        self
    }

    /// Adds one field for each value.
    pub(super) fn with_all(self, name: &'static str, values: &[String]) -> Self {
        values.iter().fold(self, |w, v| w.with(name, v))
    }

    /// Adds what a RUN sees of the state before it.
    pub(super) fn with_state(self, state: &State) -> Self {
        let var = |v: &Variable| WrittenVar {
            name: v.name.clone(),
            value: (!v.value.contains(VOLATILE)).then(|| v.value.clone()),
            origin: v.origin,
        };
        let vars = state.vars.iter().map(var).collect();
        let cwd = state.cwd.strip_prefix('?').unwrap_or(&state.cwd);
        let user = state.user.as_deref().unwrap_or_default();
        let ahead = state.vars[..state.ahead].iter().map(|v| v.name.as_str());
        let ahead: Vec<&str> = ahead.collect();
        let mut out = self.with("working directory", cwd).with("user", user);
        out = out.with("variables before those of the image", &ahead.join(" "));
        out.vars = vars;
        out
    }
}

/// An instruction that only changes the image's configuration, expanded; `None` for all others.
pub(super) fn configuration(ins: Instruction<'_>, escape: char, state: &State) -> Option<String> {
    let expands = match ins.kind() {
        Kind::Env(_)
        | Kind::Label(_)
        | Kind::Expose(_)
        | Kind::Stopsignal(_)
        | Kind::Volume(_)
        | Kind::User(_)
        | Kind::Workdir(_) => true,
        Kind::Cmd(_)
        | Kind::Entrypoint(_)
        | Kind::Healthcheck(_)
        | Kind::Maintainer(_)
        | Kind::Onbuild(_)
        | Kind::Shell(_) => false,
        _ => return None,
    };
    let words = ins.arguments().to_string();
    let text = match expands {
        true => expand_word(&words, escape, &|name| state.lookup(name)).unwrap_or(words),
        false => words,
    };
    let flags: Vec<&str> = ins.flags().iter().map(|f| f.raw.as_str()).collect();
    let all = [&[&*ins.keyword][..], &flags, &[text.as_str()]].concat();
    Some(all.join(" "))
}

impl Plan {
    /// What makes the image's configuration, oldest first: instructions of the target and of the
    /// stages it starts from, variables expanded. A NUL stands for what differs in every build. What
    /// the base image says of itself is not among it.
    #[must_use]
    pub fn configuration(&self) -> Vec<&str> {
        let mut chain = Vec::new();
        let mut at = self.stages.get(self.target).map(|_| self.target);
        while let Some(index) = at {
            chain.push(index);
            at = match self.stages[index].base {
                Base::Stage(base) if base < index => Some(base),
                _ => None,
            };
        }
        let parts = chain
            .iter()
            .rev()
            .flat_map(|s| &self.stages[*s].configuration);
        parts.map(String::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::dockerfile::parse;
    use crate::plan::{BuildOptions, Plan, StepId, lower};
    use crate::source::SourceFile;

    fn plan(text: &str) -> Plan {
        let options = BuildOptions {
            args: vec![("V".to_owned(), "2".to_owned())],
            volatile_args: vec!["NOW".to_owned()],
            ..BuildOptions::default()
        };
        lower(&parse(&SourceFile::new("Dockerfile", text)).tree, &options)
    }

    #[test]
    fn a_run_says_all_that_its_key_holds() {
        let plan = plan(
            "FROM a\nARG V=1\nENV E=$V x=y\nARG NOW\nWORKDIR /w\nUSER app\nSHELL [\"/bin/bash\",\"-c\"]\nRUN --network=none --mount=type=cache,target=/c make\n",
        );
        let id = StepId {
            stage: 0,
            instruction: 7,
            trigger: 0,
        };
        let step = &plan.graph[plan.find(id).expect("the RUN")];
        let fields: Vec<String> = step
            .written
            .fields
            .iter()
            .map(|(n, v)| format!("{n}={v}"))
            .collect();
        assert_eq!(
            fields,
            [
                "shell=/bin/bash -c",
                "command=make",
                "platform=linux/amd64",
                "--network=none",
                "--mount=type=cache,target=/c",
                "working directory=/w",
                "user=app"
            ]
        );
        let vars: Vec<String> = step
            .written
            .vars
            .iter()
            .map(|v| format!("{:?} {} {:?}", v.origin, v.name, v.value))
            .collect();
        assert_eq!(
            vars,
            [
                "Arg V Some(\"2\")",
                "Env E Some(\"2\")",
                "Env x Some(\"y\")",
                "Arg NOW None"
            ]
        );
    }

    #[test]
    fn the_configuration_is_that_of_the_target_and_its_bases() {
        let plan = plan(
            "FROM a AS b\nLABEL v=$V\nRUN x\nFROM z AS other\nLABEL no=1\nFROM b\nARG V=1\nENV A=$V\nHEALTHCHECK --interval=5s CMD true\nCMD [\"$V\"]\n",
        );
        assert_eq!(
            plan.configuration(),
            [
                "LABEL v=",
                "ENV A=2",
                "HEALTHCHECK --interval=5s CMD true",
                "CMD [\"$V\"]"
            ]
        );
    }
}
