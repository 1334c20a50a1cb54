//! What a command asks of a package manager.
//!
//! Goes in: a [`Call`] and the RUN it stands in. Comes out: [`Deed`], with the packages told from the options and from the values of those. Linear.
//! Invariant: a word that may hold options nobody knows makes the deed unsure.

use super::words::{takes_word, what};
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
    // A template that becomes a Dockerfile.
    let brace = |p: &Package<'_>| ["{{", "}}", "{%"].iter().any(|b| p.word.text.contains(b));
    if out.operands.is_empty() || out.operands.iter().any(brace) {
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
