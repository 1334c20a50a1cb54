//! What descriptions of several tools need: settings by environment, the home directory, the project's
//! files and the tree that a build reads.
//!
//! Goes in: a [`Call`] and names. Comes out: claims, or a reason. Invariant: a variable without a known
//! value is a reason, and a directory's default is claimed beside the one a variable names, because a
//! shell's variable need not reach the program.

use super::super::argument::Argument;
use super::super::options::Parsed;
use super::super::path_set::ancestors;
use super::super::{Extent, PathClaim};
use super::{Call, Described};

/// Beginnings of variables that move what some tool touches: those that `env` may not set.
#[rustfmt::skip]
const SETTINGS: &[&str] = &[
    "ARTIFACTSPATH", "BUN_", "BUNDLE_", "CARGO_", "CC", "CGO_", "COMPOSER", "CONDA_", "COREPACK_",
    "COURSIER_", "CPATH", "CXX", "DOTNET_", "ERL_", "GCC_", "GEM_", "GIT_", "GNUPGHOME", "GO",
    "GRADLE_", "HEX_", "HOME", "JAVA_", "JDK_JAVA_", "LIBRARY_PATH", "M2_", "MAMBA_", "MAVEN_",
    "MIX_", "MSBUILD", "NODE_", "NPM_CONFIG_", "NUGET_", "PIP_", "PNPM_", "POETRY_", "PYTHON",
    "REBAR_", "RUBY", "RUST", "SBT_", "UV_", "VIRTUALENV_", "VIRTUAL_ENV", "XDG_", "YARN_",
    "_JAVA_",
];

/// Whether a variable may move what some tool touches.
pub(super) fn is_setting(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    SETTINGS.iter().any(|s| upper.starts_with(s))
}

/// Go and a few others write long options with one dash: adds the other one, so that they parse.
pub(super) fn with_two_dashes(arguments: &[Argument]) -> Vec<Argument> {
    let longer = |text: &str| match text.strip_prefix('-') {
        Some(rest) if !rest.is_empty() && !rest.starts_with('-') => format!("-{text}"),
        _ => text.to_string(),
    };
    let one = |argument: &Argument| match argument {
        Argument::Known(text) => Argument::Known(longer(text)),
        Argument::Unknown { prefix } => Argument::Unknown {
            prefix: longer(prefix),
        },
        Argument::Pattern { .. } => argument.clone(),
    };
    arguments.iter().map(one).collect()
}

/// Texts of all operands. `name[extra]` and `name==1.*` are patterns to a shell, which no file matches;
/// of `name@$VERSION` the beginning is enough.
pub(super) fn texts(operands: &[Argument]) -> Result<Vec<&str>, String> {
    let one = |a: &'_ Argument| {
        let plain = match a {
            Argument::Known(_) => true,
            Argument::Pattern { text, .. } => !text.contains(['*', '?']) || text.contains('='),
            Argument::Unknown { prefix } => {
                let named = prefix.ends_with('@') || prefix.ends_with("==");
                named
                    && prefix.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '@')
                    && prefix.len() > 2
            }
        };
        match plain {
            true => Ok(()),
            false => Err(format!("argument {} is not known", a.shown())),
        }
    };
    operands.iter().try_for_each(one)?;
    Ok(operands.iter().map(Argument::start).collect())
}

/// Refuses flags that a value may flip.
pub(super) fn no_values(parsed: &Parsed, flags: &[&str]) -> Described {
    let flipped = |(name, value): &&(String, Option<Argument>)| {
        flags.contains(&name.as_str()) && value.is_some()
    };
    match parsed.options.iter().find(flipped) {
        Some((name, _)) => Err(format!("option --{name} has a value")),
        None => Ok(()),
    }
}

/// Whether the only argument asks for the version or for help.
fn only_asks(arguments: &[Argument]) -> bool {
    let asks = ["--version", "-V", "-v", "-version", "--help", "-h"];
    matches!(arguments, [one] if one.known().is_some_and(|t| asks.contains(&t)))
}

/// Directories that hold projects and are none.
#[rustfmt::skip]
const HOLDERS: &[&str] = &[
    "/home", "/mnt", "/opt", "/srv", "/tmp", "/usr", "/usr/local", "/usr/local/src", "/usr/share",
    "/usr/src", "/var", "/var/lib", "/var/www",
];

/// The top of the project that a directory is taken to belong to: the entry of the root, or of a
/// directory that holds projects.
pub(super) fn top_of(path: &str) -> String {
    let below = |holder: &&&str| {
        let rest = path.strip_prefix(**holder);
        rest.is_some_and(|r| r.is_empty() || r.starts_with('/'))
    };
    let holder = HOLDERS.iter().filter(below).max_by_key(|h| h.len());
    let holder = holder.copied().unwrap_or("");
    let rest = path.get(holder.len()..).unwrap_or_default();
    match rest.split('/').find(|p| !p.is_empty()) {
        Some(entry) => format!("{holder}/{entry}"),
        None if holder.is_empty() => "/".to_string(),
        None => holder.to_string(),
    }
}

impl Call<'_> {
    /// Whether it is only asked for its version or for help. Some tools make their own directories
    /// even then.
    pub(super) fn asks(&mut self) -> bool {
        let asks = only_asks(self.arguments);
        if asks {
            let name = self.name;
            self.claims
                .assume(format!("{name} changes nothing when asked for its version"));
        }
        asks
    }

    /// A variable's value; `None` where the Dockerfile does not set it or sets it empty.
    ///
    /// # Errors
    /// The value is not known.
    pub(super) fn setting(&self, name: &str) -> Result<Option<String>, String> {
        match self.shell.variables.get(name) {
            None => Ok(None),
            Some(None) => Err(format!("{name} is not known")),
            Some(Some(value)) => Ok(Some(value.clone()).filter(|v| !v.is_empty())),
        }
    }

    /// Refuses variables that are not understood.
    pub(super) fn refuse(&self, is_unclear: impl Fn(&str) -> bool) -> Described {
        let set = |name: &&String| {
            let value = self.shell.variables.get(*name);
            is_unclear(name) && value.is_some_and(|v| v.as_deref() != Some(""))
        };
        match self.shell.variables.keys().find(set) {
            Some(name) => Err(format!("{name} is set")),
            None => Ok(()),
        }
    }

    /// Reads and writes below the directories that these variables name.
    pub(super) fn moved(&mut self, names: &[&str]) -> Described {
        for name in names {
            if let Some(value) = self.setting(name)? {
                self.keep_in(&value)
                    .map_err(|why| format!("{name}: {why}"))?;
            }
        }
        Ok(())
    }

    /// Reads and writes below a directory.
    pub(super) fn keep_in(&mut self, directory: &str) -> Described {
        // Tools have their own placeholders.
        if directory.contains(['{', '$', '~', '%', '*', '?']) {
            return Err(format!("what {directory} stands for is not known"));
        }
        let path = self.resolve(directory)?;
        self.claims.read(Extent::Subtree, path.clone());
        self.claims.write(Extent::Subtree, path);
        Ok(())
    }

    /// Reads and writes below every value of these options.
    pub(super) fn keep_in_values(&mut self, parsed: &Parsed, options: &[&str]) -> Described {
        for value in parsed.values(options) {
            let text = value.known().ok_or("a directory is not known")?;
            self.keep_in(text)?;
        }
        Ok(())
    }

    /// What a language's tool touches beside its project: its installation, settings and caches below
    /// the home directory, and temporary files. `own` are its entries of the home directory, claimed
    /// alone where the working directory is inside it.
    pub(super) fn tool(&mut self, own: &[&str]) -> Described {
        let usual = [
            ".cache",
            ".config",
            ".local",
            ".gitconfig",
            ".netrc",
            ".ssh",
        ];
        self.tool_with(&usual, own)
    }

    /// The same for a tool that uses less than others do of the home directory; without caches it has no temporary files.
    pub(super) fn tool_with(&mut self, usual: &[&str], own: &[&str]) -> Described {
        let home = self.home()?;
        let cwd = self.shell.cwd.clone().unwrap_or_default();
        let inside = |top: &str| cwd == top || cwd.starts_with(&format!("{top}/"));
        let name = self.name;
        if home != "/home" && home != "/" && inside(&home) {
            for entry in usual.iter().chain(own) {
                self.claims.read(Extent::Subtree, format!("{home}/{entry}"));
                self.claims
                    .write(Extent::Subtree, format!("{home}/{entry}"));
            }
            self.claims.assume(format!(
                "of the home directory {name} touches only the project and {}",
                [usual, own].concat().join(", ")
            ));
        } else {
            self.claims.read(Extent::Subtree, home.clone());
            self.claims.write(Extent::Subtree, home);
        }
        if inside("/opt") {
            self.claims.assume(format!("no part of {name} is in /opt"));
        } else {
            self.claims.read(Extent::Subtree, "/opt");
        }
        for root in self.roots()? {
            self.claims.read(Extent::Subtree, root);
        }
        if usual.contains(&".cache") {
            self.claims.write(Extent::Subtree, "/tmp");
            self.claims.write(Extent::Subtree, "/var/tmp");
        }
        self.moved(&[
            "TMPDIR",
            "XDG_CACHE_HOME",
            "XDG_CONFIG_HOME",
            "XDG_DATA_HOME",
            "XDG_STATE_HOME",
            "XDG_RUNTIME_DIR",
        ])
    }

    /// Directories above the `bin` directories that PATH names.
    pub(super) fn roots(&self) -> Result<Vec<String>, String> {
        let Some(path) = self.setting("PATH").ok().flatten() else {
            return Ok(Vec::new());
        };
        let known = |e: &&str| e.starts_with('/') && !matches!(*e, "/" | "/bin");
        path.split(':')
            .filter_map(|e| e.strip_suffix("/bin").or(e.strip_suffix("/sbin")))
            .filter(known)
            .filter(|e| *e != "/usr" && *e != "/usr/local")
            .map(|e| self.resolve(e))
            .collect()
    }

    /// Reads files of a directory, wherever they are.
    pub(super) fn read_files(&mut self, directory: &str, names: &[&str]) {
        let top = directory.trim_end_matches('/');
        for name in names {
            self.claims.read(Extent::Exact, format!("{top}/{name}"));
        }
    }

    /// Reads files of these names in a directory and all above it, as tools do that look for the top of
    /// a project or for settings.
    pub(super) fn read_upwards(&mut self, directory: &str, names: &[&str]) {
        self.read_files(directory, names);
        for above in ancestors(directory) {
            self.read_files(above, names);
        }
    }

    /// Writes files of these names in a directory and all above it.
    pub(super) fn write_upwards(&mut self, directory: &str, names: &[&str], extent: Extent) {
        for place in std::iter::once(directory).chain(ancestors(directory)) {
            let top = place.trim_end_matches('/');
            // Above a project the root is none.
            let counts = !top.is_empty() || place == directory;
            for name in names.iter().filter(|_| counts) {
                self.claims.write(extent, format!("{top}/{name}"));
            }
        }
    }

    /// Reads and writes the whole tree a project is in. Manifests may name other members of a workspace
    /// and local packages, and have scripts, and nobody looks into the manifests of these tools.
    pub(super) fn keep_in_tree(&mut self, directory: &str) {
        self.read_tree(directory);
        self.claims.write(Extent::Subtree, top_of(directory));
    }

    /// Reads the whole tree a project is in, so that the top of a workspace and its other members are
    /// there.
    pub(super) fn read_tree(&mut self, directory: &str) {
        let top = top_of(directory);
        if top != "/" {
            self.claims.assume(format!(
                "the project of {directory} does not reach above {top}"
            ));
        }
        self.claims.read(Extent::Subtree, top);
    }

    /// An entry of the home directory; all home directories where the user's is not known exactly.
    pub(super) fn home_entry(&mut self, name: &str) -> Result<PathClaim, String> {
        let home = self.home()?;
        Ok(match home.as_str() {
            "/home" => PathClaim::subtree(home),
            _ => PathClaim::subtree(format!("{}/{name}", home.trim_end_matches('/'))),
        })
    }

    /// The directory an option names, or the working directory.
    pub(super) fn directory_of(&self, parsed: &Parsed, options: &[&str]) -> Result<String, String> {
        match parsed.values(options).last() {
            None => Ok(self.directory()?.to_string()),
            Some(value) => {
                let text = value.known().ok_or("the directory is not known")?;
                self.resolve(text)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{is_setting, top_of};
    use crate::footprint::{RunState, of_exec};

    #[test]
    fn projects_have_their_tops() {
        for (path, top) in [
            ("/", "/"),
            ("/app", "/app"),
            ("/app/web/x", "/app"),
            ("/usr/src/app/x", "/usr/src/app"),
            ("/usr/src", "/usr/src"),
            ("/usr/lib/x/y", "/usr/lib"),
            ("/home/node/app", "/home/node"),
            ("/home", "/home"),
            ("/opt/app", "/opt/app"),
            ("/optical/x", "/optical"),
            ("/var/www/html/x", "/var/www/html"),
        ] {
            assert_eq!(top_of(path), top, "{path}");
        }
    }

    #[test]
    fn settings_are_told_from_other_variables() {
        for (name, expected) in [
            ("CARGO_HOME", true),
            ("npm_config_cache", true),
            ("GOPATH", true),
            ("DEBIAN_FRONTEND", false),
            ("A", false),
        ] {
            assert_eq!(is_setting(name), expected, "{name}");
        }
    }

    /// Whatever is asked of whatever tool wherever: claims are clean paths.
    #[test]
    fn claims_are_clean_paths() {
        let names = "7z apt-key apt-mark awk bun bundle cargo cmake compileall composer conda corepack dotnet \
                     dpkg envsubst gcc gem getent git go gpg gradle gunzip gzip jq ldconfig localedef mix mvn \
                     node openssl patch pnpm poetry python3 rebar3 rsync rustup sbt setcap ssh-keygen strip \
                     systemctl update-alternatives uv virtualenv xz yarn zstd";
        let lines = "|install|build|compile|x|x /k|-f /k -R h|build --manifest-path /Cargo.toml|-A|sync|venv|fetch|\
                     -f /pom.xml compile|restore /x.csproj|x /x.7z|-o /k /k|-d / -i /k|clone https://e.org/x|\
                     -m venv /|-m compileall /x.py|. /|req -new|--import /k|pip install -r /r|env create -f /e|\
                     install --path /|mod vendor|config --global a.b c|-r /x|chef cook|new /x|--gemfile /Gemfile";
        for (cwd, user, home) in [
            (Some("/"), None, "/"),
            (None, Some("node"), "/"),
            (Some("/x"), Some("node"), ""),
            (Some("/root/x"), None, ""),
        ] {
            let vars = vec![("HOME".to_string(), home.to_string())];
            let state = RunState {
                cwd: cwd.map(str::to_string),
                user: user.map(str::to_string),
                vars: vars.into_iter().filter(|_| !home.is_empty()).collect(),
                homes: Vec::new(),
            };
            for name in names.split_whitespace() {
                for line in lines.split('|') {
                    let mut argv = vec![name.to_string()];
                    argv.extend(line.split_whitespace().map(str::to_string));
                    let f = of_exec(&argv, &state);
                    for claim in f.reads.claims.iter().chain(&f.writes.claims) {
                        let path = &claim.path;
                        let clean = path.starts_with('/') && !path.contains("//");
                        assert!(
                            clean && (path == "/" || !path.ends_with('/')),
                            "{argv:?} {path}"
                        );
                    }
                }
            }
        }
    }
}
