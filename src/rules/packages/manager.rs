//! What a command asks of a package manager.
//!
//! Goes in: a [`Call`] and the RUN it stands in. Comes out: [`Deed`], with the packages told from the options and from the values of those. Linear.
//! Invariant: a word that may hold options nobody knows makes the deed unsure.

use crate::rules::Run;
use crate::rules::call::{Argument, Call};
use crate::source::Span;

/// Package managers, by what they have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manager {
    /// apt-get, apt, aptitude.
    Apt,
    /// apk.
    Apk,
    /// dnf, dnf5.
    Dnf,
    /// yum.
    Yum,
    /// microdnf.
    Microdnf,
    /// tdnf.
    Tdnf,
    /// zypper.
    Zypper,
    /// pip, also as a module of python.
    Pip,
    /// npm.
    Npm,
    /// yarn.
    Yarn,
    /// pnpm.
    Pnpm,
    /// gem.
    Gem,
    /// composer.
    Composer,
    /// go.
    Go,
    /// cargo.
    Cargo,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Packages are installed.
    Install,
    /// Lists of packages are fetched.
    Update,
    /// What is installed becomes newer.
    Upgrade,
    /// Packages are taken away.
    Remove,
    /// Caches are emptied.
    Clean,
    /// Something else.
    Other,
}

/// One use of a package manager.
#[derive(Debug)]
pub struct Deed<'a> {
    /// The command.
    pub call: &'a Call,
    /// Of whom.
    pub manager: Manager,
    /// What.
    pub what: What,
    /// The word that says what, `install`.
    pub verb: &'a Argument,
    /// Options, and their values as words of their own.
    pub options: Vec<String>,
    /// What the verb is given.
    pub packages: Vec<Package<'a>>,
    /// A word may hold more options.
    pub unsure: bool,
}

/// What is to be installed, as one word.
#[derive(Debug)]
pub struct Package<'a> {
    /// The word in the file; several packages may come from one.
    pub word: &'a Argument,
    /// The name with its version, where it is known.
    pub name: Option<String>,
}

impl Manager {
    /// Packages of a distribution.
    pub fn is_system(self) -> bool {
        matches!(self, Self::Apt | Self::Apk) || self.is_rpm()
    }

    /// Packages of the RPM kind.
    pub fn is_rpm(self) -> bool {
        matches!(
            self,
            Self::Dnf | Self::Yum | Self::Microdnf | Self::Tdnf | Self::Zypper
        )
    }

    /// dnf and those with its commands.
    pub fn is_dnf(self) -> bool {
        self.is_rpm() && self != Self::Zypper
    }
}

fn manager(program: &str) -> Option<Manager> {
    Some(match program {
        "apt-get" | "apt" | "aptitude" => Manager::Apt,
        "apk" => Manager::Apk,
        "dnf" | "dnf5" => Manager::Dnf,
        "yum" => Manager::Yum,
        "microdnf" => Manager::Microdnf,
        "tdnf" => Manager::Tdnf,
        "zypper" => Manager::Zypper,
        "npm" => Manager::Npm,
        "yarn" | "yarnpkg" => Manager::Yarn,
        "pnpm" => Manager::Pnpm,
        "gem" => Manager::Gem,
        "composer" => Manager::Composer,
        "go" => Manager::Go,
        "cargo" => Manager::Cargo,
        p if is_numbered(p, "pip") => Manager::Pip,
        _ => return None,
    })
}

/// `pip`, `pip3`, `pip3.12`.
fn is_numbered(program: &str, name: &str) -> bool {
    program
        .strip_prefix(name)
        .is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
}

/// Options that take the next word.
fn takes_word(manager: Manager, option: &str) -> bool {
    let list: &[&str] = match manager {
        Manager::Apt => &[
            "-o",
            "--option",
            "-t",
            "--target-release",
            "--default-release",
            "-c",
            "--config-file",
            "-a",
            "--host-architecture",
        ],
        Manager::Apk => &[
            "-X",
            "--repository",
            "-t",
            "--virtual",
            "-p",
            "--root",
            "--arch",
            "--keys-dir",
            "--repositories-file",
            "--cache-dir",
            "--cache-max-age",
            "--wait",
        ],
        Manager::Dnf | Manager::Yum | Manager::Microdnf | Manager::Tdnf => &[
            "-c",
            "--config",
            "--enablerepo",
            "--disablerepo",
            "--repo",
            "--repoid",
            "--installroot",
            "--releasever",
            "-x",
            "--exclude",
            "--setopt",
            "-d",
            "-e",
            "--forcearch",
            "--repofrompath",
            "--rpmverbosity",
            "--disableplugin",
            "--enableplugin",
        ],
        Manager::Zypper => &[
            "-t",
            "--type",
            "-r",
            "--repo",
            "--from",
            "-R",
            "--root",
            "-p",
            "--plus-repo",
            "-c",
            "--config",
        ],
        Manager::Pip => &[
            "-r",
            "--requirement",
            "-c",
            "--constraint",
            "-e",
            "--editable",
            "-i",
            "--index-url",
            "--extra-index-url",
            "-f",
            "--find-links",
            "-t",
            "--target",
            "--prefix",
            "--root",
            "--trusted-host",
            "--platform",
            "--python-version",
            "--implementation",
            "--abi",
            "--only-binary",
            "--no-binary",
            "--timeout",
            "--retries",
            "--proxy",
            "--cert",
            "--cache-dir",
            "--global-option",
            "--install-option",
            "--config-settings",
            "-C",
            "--src",
            "--progress-bar",
            "--upgrade-strategy",
            "--log",
            "--build",
            "-b",
            "--report",
            "--group",
            "--root-user-action",
            "--python",
            "--use-feature",
            "--exists-action",
        ],
        Manager::Npm => &[
            "--prefix",
            "-C",
            "--registry",
            "--loglevel",
            "--cache",
            "-w",
            "--workspace",
            "--omit",
            "--include",
            "--userconfig",
            "--tag",
            "--fetch-timeout",
            "--fetch-retries",
            "--maxsockets",
            "--os",
            "--cpu",
            "--libc",
            "--audit-level",
            "--before",
            "--install-strategy",
        ],
        Manager::Yarn => &[
            "--cwd",
            "--cache-folder",
            "--registry",
            "--network-timeout",
            "--modules-folder",
            "--prefix",
            "--global-folder",
            "--mutex",
            "--network-concurrency",
        ],
        Manager::Pnpm => &[
            "-C",
            "--dir",
            "--filter",
            "-F",
            "--store-dir",
            "--registry",
            "--reporter",
            "--loglevel",
        ],
        Manager::Gem => &[
            "-v",
            "--version",
            "-i",
            "--install-dir",
            "-n",
            "--bindir",
            "-s",
            "--source",
            "-P",
            "--trust-policy",
            "--platform",
            "-g",
            "--file",
        ],
        Manager::Composer => &["-d", "--working-dir"],
        Manager::Go => &[
            "-ldflags",
            "-tags",
            "-gcflags",
            "-mod",
            "-p",
            "-asmflags",
            "-C",
            "-toolexec",
        ],
        Manager::Cargo => &[
            "--version",
            "--vers",
            "--git",
            "--branch",
            "--tag",
            "--rev",
            "--path",
            "--root",
            "--index",
            "--registry",
            "-F",
            "--features",
            "--profile",
            "--target",
            "--target-dir",
            "-j",
            "--jobs",
            "--bin",
            "--example",
            "--config",
            "-Z",
            "--color",
        ],
    };
    list.contains(&option)
}

fn what(manager: Manager, verb: &str, next: Option<&str>) -> What {
    let of = |table: &[(What, &[&str])]| {
        let row = table.iter().find(|(_, verbs)| verbs.contains(&verb));
        row.map_or(What::Other, |(what, _)| *what)
    };
    match manager {
        Manager::Apt => of(&[
            (What::Install, &["install", "reinstall"]),
            (What::Update, &["update"]),
            (
                What::Upgrade,
                &["upgrade", "dist-upgrade", "full-upgrade", "safe-upgrade"],
            ),
            (
                What::Remove,
                &["remove", "purge", "autoremove", "autopurge"],
            ),
            (
                What::Clean,
                &["clean", "autoclean", "distclean", "dist-clean"],
            ),
        ]),
        Manager::Apk => match (verb, next) {
            ("cache", Some("clean" | "purge")) => What::Clean,
            _ => of(&[
                (What::Install, &["add"]),
                (What::Update, &["update"]),
                (What::Upgrade, &["upgrade"]),
                (What::Remove, &["del"]),
            ]),
        },
        Manager::Dnf | Manager::Yum | Manager::Microdnf | Manager::Tdnf => of(&[
            (
                What::Install,
                &["install", "in", "localinstall", "reinstall", "groupinstall"],
            ),
            (What::Update, &["makecache", "check-update"]),
            (
                What::Upgrade,
                &["upgrade", "update", "distro-sync", "dist-upgrade"],
            ),
            (What::Remove, &["remove", "erase", "autoremove"]),
            (What::Clean, &["clean"]),
        ]),
        Manager::Zypper => of(&[
            (What::Install, &["install", "in"]),
            (What::Update, &["refresh", "ref"]),
            (
                What::Upgrade,
                &["update", "up", "dist-upgrade", "dup", "patch"],
            ),
            (What::Remove, &["remove", "rm"]),
            (What::Clean, &["clean", "cc"]),
        ]),
        Manager::Pip => match (verb, next) {
            ("cache", Some("purge")) => What::Clean,
            _ => of(&[(What::Install, &["install"])]),
        },
        Manager::Npm => match (verb, next) {
            ("cache", Some("clean" | "clear" | "rm")) => What::Clean,
            _ => of(&[(
                What::Install,
                &[
                    "install",
                    "i",
                    "add",
                    "ci",
                    "clean-install",
                    "install-clean",
                ],
            )]),
        },
        Manager::Yarn => match (verb, next) {
            ("cache", Some("clean")) => What::Clean,
            ("global", Some("add")) => What::Install,
            _ => of(&[(What::Install, &["install", "add"])]),
        },
        Manager::Pnpm => of(&[(What::Install, &["install", "i", "add"])]),
        Manager::Gem => of(&[(What::Install, &["install", "i"])]),
        Manager::Composer => of(&[
            (
                What::Install,
                &["install", "i", "require", "create-project", "update"],
            ),
            (What::Clean, &["clear-cache", "clearcache", "cc"]),
        ]),
        Manager::Go | Manager::Cargo => of(&[(What::Install, &["install"])]),
    }
}

/// What a command asks of a package manager; `None` for other programs, and where the verb is not known.
pub fn deed<'a>(run: &Run<'_>, call: &'a Call) -> Option<Deed<'a>> {
    let mut words = call.arguments.as_slice();
    let manager = if is_numbered(&call.program, "python") {
        let module = |n: usize| words.get(n).and_then(|a| a.value.as_deref());
        if (module(0), module(1)) != (Some("-m"), Some("pip")) {
            return None;
        }
        words = words.get(2..).unwrap_or_default();
        Manager::Pip
    } else {
        manager(&call.program)?
    };
    let mut out = Sorted::default();
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        let fields = match &word.value {
            Some(value) => Some(vec![value.clone()]),
            None => fields(run, &word.text),
        };
        let Some(fields) = fields else {
            out.unknown(word);
            continue;
        };
        let mut takes = false;
        for field in fields {
            takes = false;
            if std::mem::take(&mut out.value_comes) {
                out.options.push(field);
            } else if field.starts_with('-') && field.len() > 1 {
                takes = takes_word(manager, &field);
                out.value_comes = takes;
                out.options.push(field);
            } else {
                out.operands.push(Package {
                    word,
                    name: Some(field),
                });
            }
        }
        if takes {
            out.value_comes = false;
            if let Some(value) = rest.next() {
                out.options.push(value.shown().to_owned());
            }
        }
    }
    if out.operands.is_empty() {
        return None;
    }
    let first = out.operands.remove(0);
    let verb = first.name?;
    let next = out.operands.first().and_then(|p| p.name.clone());
    let what = what(manager, &verb, next.as_deref());
    let second = manager == Manager::Yarn && verb == "global";
    if second && !out.operands.is_empty() {
        out.options.push("global".to_owned());
        out.operands.remove(0);
    }
    Some(Deed {
        call,
        manager,
        what,
        verb: first.word,
        options: out.options,
        packages: out.operands,
        unsure: out.unsure,
    })
}

/// Words by what they are.
#[derive(Default)]
struct Sorted<'a> {
    options: Vec<String>,
    operands: Vec<Package<'a>>,
    value_comes: bool,
    unsure: bool,
}

impl<'a> Sorted<'a> {
    /// A word with something nobody knows in it.
    fn unknown(&mut self, word: &'a Argument) {
        self.value_comes = false;
        if word.text.starts_with('-') {
            self.options.push(word.text.clone());
            return;
        }
        let name = word.text.to_ascii_lowercase();
        let telling = ["opt", "flag", "arg", "param"];
        // Before the verb there are options alone.
        if self.operands.is_empty() || telling.iter().any(|t| name.contains(t)) {
            self.unsure = true;
        } else {
            self.operands.push(Package { word, name: None });
        }
    }
}

/// The words that an unquoted variable becomes, where its value is known.
fn fields(run: &Run<'_>, text: &str) -> Option<Vec<String>> {
    let name = text.strip_prefix('$')?;
    let name = match name.strip_prefix('{') {
        Some(inner) => inner.strip_suffix('}')?,
        None => name,
    };
    let vars = &run.step?.written.vars;
    let var = vars.iter().rev().find(|v| v.name == name)?;
    let value = var.value.as_deref()?;
    match value.contains(['*', '?', '[', '\\', '$']) {
        true => None,
        false => Some(value.split_whitespace().map(str::to_owned).collect()),
    }
}

/// Everything that a RUN asks of package managers.
pub fn deeds<'a>(run: &'a Run<'_>) -> impl Iterator<Item = Deed<'a>> {
    run.calls.iter().filter_map(|call| deed(run, call))
}

impl Deed<'_> {
    /// Whether an option is given, with `=value` behind it or not.
    pub fn has_option(&self, name: &str) -> bool {
        self.options.iter().any(|o| {
            o.strip_prefix(name)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
        })
    }

    /// Whether a letter stands among the short options.
    pub fn has_letter(&self, letter: char) -> bool {
        self.options.iter().any(|o| {
            let letters = o.strip_prefix('-').unwrap_or_default();
            !letters.starts_with('-') && letters.contains(letter)
        })
    }

    /// Whether something stands in any option or its value, in any case.
    pub fn mentions(&self, text: &str) -> bool {
        self.options
            .iter()
            .any(|o| o.to_ascii_lowercase().contains(text))
    }

    /// The verb stands as it is in a script, so that an option may be put behind it.
    pub fn takes_option(&self, run: &Run<'_>) -> bool {
        !run.text.is_empty() && self.verb.value.as_deref() == Some(self.verb.text.as_str())
    }

    /// Program and verb, as messages name them.
    pub fn shown(&self) -> String {
        match self.options.iter().any(|o| o == "global") && self.manager == Manager::Yarn {
            true => format!("{} global add", self.call.program),
            false => {
                let module = match is_numbered(&self.call.program, "python") {
                    true => " -m pip",
                    false => "",
                };
                format!("{}{module} {}", self.call.program, self.verb.shown())
            }
        }
    }

    /// From the program's name to the end of the verb.
    pub fn head(&self) -> Span {
        Span {
            start: self.call.program_span.start,
            end: self.verb.span.end.max(self.call.program_span.end),
        }
    }

    /// It only shows what would be done, or fetches.
    pub fn is_dry(&self) -> bool {
        self.has_option("--dry-run")
            || self.has_option("--simulate")
            || self.has_option("--print-uris")
            || self.has_option("--download-only")
            || self.has_option("--downloadonly")
            || (self.manager == Manager::Apt && (self.has_letter('s') || self.has_letter('d')))
    }
}
