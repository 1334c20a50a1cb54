//! The state an instruction sees: variables in order, working directory, user, shell.
//!
//! ENV and ARG share one ordered list; assigning a name again moves it to the end, and a child stage
//! assigns the image configuration's variables once more (grammar section 9.1, cache keys 3.1,
//! experiments rows 45-71).

use super::key::Key;
use std::collections::BTreeMap;

/// Stands in the value of a build arg that differs in every build; it can't occur in a Dockerfile
/// line's value by accident since a NUL byte is refused there.
pub const VOLATILE: char = '\0';

/// Where a variable's value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// An ARG: for the build only.
    Arg,
    /// An ENV: in the image configuration too.
    Env,
}

/// One variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    pub name: String,
    pub value: String,
    pub origin: Origin,
    /// A stage that this one starts from has set it. Where the image has a variable of that name, it stands among the
    /// image's own.
    pub inherited: bool,
}

use super::Likely;

/// Everything later instructions of a stage inherit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// In key order.
    pub vars: Vec<Variable>,
    /// The base image may set variables that nobody here knows, beside PATH, which every image has.
    pub open: bool,
    /// How many of `vars` stand before those of the image: ARGs of a stage that this one starts from.
    pub ahead: usize,
    /// The image configuration's ENV, in its own order.
    pub config_env: Vec<(String, String)>,
    /// Working directory as written (a trailing slash stays: it is in the key of every RUN,
    /// experiments row 39); starts with `?` where the base image's own directory is part of it.
    pub cwd: String,
    /// It may be another, by a variable that the base image sets.
    pub unsure_cwd: bool,
    /// `None`: the base image decides.
    pub user: Option<String>,
    /// Accounts that RUNs have made so far, and their home directories; no part of any key.
    pub homes: Vec<(String, String)>,
    /// `None`: the default `/bin/sh -c` (or what the base image says).
    pub shell: Option<Vec<String>>,
    /// Digest of the instructions since the last step, for builders to which all of them count.
    pub chain: u128,
    /// A per-build value is among them.
    pub volatile_chain: bool,
    /// Where the base image most likely starts, and its name.
    pub likely_start: Option<(&'static str, String)>,
}

/// The PATH of an image that has none of its own.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl State {
    /// State right after FROM of an image (`known` false) or of scratch (`known` true).
    pub fn new(known: bool) -> Self {
        // An empty image's configuration has this one variable.
        let path = known.then(|| ("PATH".to_owned(), DEFAULT_PATH.to_owned()));
        Self {
            vars: path
                .iter()
                .map(|(name, value)| Variable {
                    name: name.clone(),
                    value: value.clone(),
                    origin: Origin::Env,
                    inherited: false,
                })
                .collect(),
            open: !known,
            ahead: 0,
            config_env: path.into_iter().collect(),
            cwd: if known { "/" } else { "?" }.to_owned(),
            unsure_cwd: false,
            // None given is not root given: a folder made for no user has another key (experiments row 48).
            user: None,
            homes: Vec::new(),
            shell: None,
            chain: 0,
            volatile_chain: false,
            likely_start: None,
        }
    }

    /// The same for an image whose own working directory may be known by its name.
    pub fn of_image(reference: &str) -> Self {
        let start = super::image::working_directory(reference);
        Self {
            likely_start: start.map(|dir| (dir, reference.to_owned())),
            ..Self::new(false)
        }
    }

    /// State of a stage that starts from the stage this one ended: configuration variables are
    /// assigned again in configuration order, the image's own first, so ARG-only ones end up in front.
    pub fn child(&self) -> Self {
        let mut out = self.clone();
        let configured = |v: &Variable| self.config_env.iter().any(|(name, _)| *name == v.name);
        out.vars.retain(|v| !configured(v));
        out.ahead = if self.open { out.vars.len() } else { 0 };
        for (name, value) in self.config_env.clone() {
            out.assign(&name, value, Origin::Env);
        }
        for v in &mut out.vars[out.ahead..] {
            v.inherited = self.open;
        }
        out
    }

    fn assign(&mut self, name: &str, value: String, origin: Origin) {
        if let Some(at) = self.vars.iter().position(|v| v.name == name) {
            self.vars.remove(at);
            self.ahead -= usize::from(at < self.ahead);
        }
        self.vars.push(Variable {
            name: name.to_owned(),
            value,
            origin,
            inherited: false,
        });
    }

    /// Which variables may stand among those of the image, as a number: where two differ in nothing else, only the
    /// image could tell whether they are the same. `None` where nothing does.
    pub fn places(&self) -> Option<u128> {
        if !self.open || self.vars.is_empty() {
            return None;
        }
        let mut key = Key::new("places");
        for v in self.vars.iter().filter(|v| v.inherited) {
            key.text(&v.name);
        }
        Some(key.finish())
    }

    /// ENV.
    pub fn set_env(&mut self, name: &str, value: String) {
        match self.config_env.iter_mut().find(|(n, _)| n == name) {
            Some((_, v)) => v.clone_from(&value),
            None => self.config_env.push((name.to_owned(), value.clone())),
        }
        self.assign(name, value, Origin::Env);
    }

    /// ARG with an effective value, where an ENV of its name hides it whatever comes first.
    pub fn set_hidden_arg(&mut self, name: &str, value: String) {
        let env = |v: &Variable| v.name == name && v.origin == Origin::Env;
        if !self.vars.iter().any(env) {
            self.set_arg(name, value);
        }
    }

    /// ARG with an effective value.
    pub fn set_arg(&mut self, name: &str, value: String) {
        self.assign(name, value, Origin::Arg);
    }

    /// Value of a variable, PATH's default included.
    pub fn lookup(&self, name: &str) -> Option<String> {
        match self.vars.iter().find(|v| v.name == name) {
            Some(v) => Some(v.value.clone()),
            None if name == "PATH" => Some(DEFAULT_PATH.to_owned()),
            None => None,
        }
    }

    /// Joins a path to the working directory and cleans it. The result starts with `?` when the
    /// base image's working directory is part of it.
    pub fn resolve(&self, path: &str) -> String {
        if path.starts_with('/') {
            return crate::pattern::clean(path);
        }
        match self.cwd.strip_prefix('?') {
            Some(rest) => {
                let joined = crate::pattern::clean(&format!("{rest}/{path}"));
                format!("?{joined}")
            }
            None => crate::pattern::clean(&format!("{}/{path}", self.cwd)),
        }
    }

    /// The same where the whole path is known.
    pub fn absolute(&self, path: &str) -> Option<String> {
        Some(self.resolve(path)).filter(|p| p.starts_with('/'))
    }

    /// A path that the base image's own working directory is part of, where that is known by the image's name, and the
    /// sentence that says so.
    pub fn likely(&self, resolved: &str) -> Option<Likely> {
        let rest = resolved.strip_prefix('?')?;
        let (dir, image) = self.likely_start.as_ref()?;
        Some(Likely {
            path: crate::pattern::clean(&format!("{dir}/{rest}")),
            because: format!(
                "the working directory of {image} is {dir}, as that of the official image is"
            ),
        })
    }

    /// A key that starts with the chain up to here.
    pub fn chain_key(&self, kind: &str) -> Key {
        let mut key = Key::new(kind);
        key.number(self.chain);
        key.volatile = self.volatile_chain;
        key
    }

    /// The working directory, clean, where it is known.
    pub fn known_cwd(&self) -> Option<String> {
        self.absolute(".").filter(|_| !self.unsure_cwd)
    }
}

/// Global scope: ARGs before the first FROM, and the predefined platform arguments.
#[derive(Clone, Debug, Default)]
pub struct Globals {
    /// Effective values of global ARGs.
    pub args: BTreeMap<String, String>,
    /// BUILDPLATFORM, TARGETARCH and so on.
    pub platform: BTreeMap<String, String>,
}

impl Globals {
    pub fn lookup(&self, name: &str) -> Option<String> {
        self.args
            .get(name)
            .or_else(|| self.platform.get(name))
            .cloned()
    }
}
