//! Which variables of the environment a script may look at.
//!
//! Goes in: a parsed script. Comes out: the names it expands. Some names count for every program
//! whatever it is told: [`steers`]. Others name files that programs look at: [`named`]. Linear in the script.

use super::path_set::resolve;
use crate::shell::{Command, CommandKind, Operation, Part, Script, Word};
use std::collections::{BTreeMap, BTreeSet};

/// Variables that change what the shell, the loader, or the everyday programs do.
const STEERS: &[&str] = &[
    "BASHOPTS",
    "BASH_ENV",
    "BLOCKSIZE",
    "BLOCK_SIZE",
    "CDPATH",
    "COLUMNS",
    "EXECIGNORE",
    "ENV",
    "GCONV_PATH",
    "GLOBIGNORE",
    "GREP_COLOR",
    "GREP_COLORS",
    "GREP_OPTIONS",
    "GZIP",
    "HOME",
    "HOSTALIASES",
    "IFS",
    "LANG",
    "LANGUAGE",
    "LOCPATH",
    "NLSPATH",
    "OLDPWD",
    "OMP_NUM_THREADS",
    "OMP_THREAD_LIMIT",
    "PATH",
    "POSIXLY_CORRECT",
    "POSIX_ME_HARDER",
    "PS4",
    "PWD",
    "QUOTING_STYLE",
    "SHELL",
    "SHELLOPTS",
    "SHLVL",
    "SIMPLE_BACKUP_SUFFIX",
    "TABSIZE",
    "TAPE",
    "TERM",
    "TIMEFORMAT",
    "TIME_STYLE",
    "TMPDIR",
    "TZ",
    "TZDIR",
    "UNZIP",
    "VERSION_CONTROL",
    "XZ_DEFAULTS",
    "XZ_OPT",
    "ZIPOPT",
    "_",
];

/// How such names start.
const FAMILIES: &[&str] = &[
    "ASAN_",
    "AWK",
    "BASH_",
    "BUSYBOX",
    "COREUTILS_",
    "DU_",
    "FUNCNEST",
    "GAWK",
    "GLIBC_",
    "LC_",
    "LD_",
    "LS_",
    "MALLOC_",
    "OPENSSL_",
    "TAR_",
    "_POSIX",
];

/// Whether a variable of this name may change what a program does that was never told of it.
#[must_use]
pub fn steers(name: &str) -> bool {
    // The linker's flags are not the loader's.
    let family = |f: &&str| name.starts_with(*f) && name != "LD_FLAGS";
    STEERS.contains(&name) || FAMILIES.iter().any(family)
}

/// Variables that name files for programs to look at, whatever else they are told: certificates and settings.
const NAMES_FILES: &[&str] = &[
    "APT_CONFIG",
    "AWS_CA_BUNDLE",
    "CARGO_HTTP_CAINFO",
    "COMPOSER_CAFILE",
    "CURL_CA_BUNDLE",
    "CURL_HOME",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_SYSTEM",
    "GIT_SSL_CAINFO",
    "GIT_SSL_CAPATH",
    "NETRC",
    "NODE_EXTRA_CA_CERTS",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "WGETRC",
];

/// Variables that name code for programs to load before their own, which may load more.
const NAMES_CODE: &[&str] = &[
    "DOTNET_STARTUP_HOOKS",
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "NODE_OPTIONS",
    "NODE_PATH",
    "PERL5LIB",
    "PERL5OPT",
    "PERLLIB",
    "PHPRC",
    "PHP_INI_SCAN_DIR",
    "RUBYLIB",
    "RUBYOPT",
    "_JAVA_OPTIONS",
];

/// A file or folder that a variable names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named<'a> {
    /// The variable.
    pub variable: &'a str,
    /// The place, absolute; `None` where the value or the working directory is not known.
    pub path: Option<String>,
    /// Whether programs load it as code, which may load more.
    pub code: bool,
}

/// What variables name for programs to look at. Where they name code: what starts with `/`, `./` or `../`, alone or behind the
/// like of `-r`, `--require=` and `-javaagent:`.
#[must_use]
pub fn named<'a>(
    variables: &'a BTreeMap<String, Option<String>>,
    cwd: Option<&str>,
) -> Vec<Named<'a>> {
    let mut out = Vec::new();
    for (variable, value) in variables {
        let code = NAMES_CODE.contains(&variable.as_str());
        if !code && !NAMES_FILES.contains(&variable.as_str()) {
            continue;
        }
        let mut add = |path| {
            out.push(Named {
                variable,
                path,
                code,
            });
        };
        let Some(value) = value else {
            add(None);
            continue;
        };
        let separators = [' ', '\t', '\n', ':', ',', ';', '=', '"', '\''];
        for word in value.split(separators) {
            // `-r/x/a`, as Ruby and Node have it.
            let option = word.trim_start_matches('-');
            let word = match option.len() < word.len() {
                true => option.trim_start_matches(|c: char| c.is_ascii_alphabetic()),
                false => word,
            };
            let path = ["/", "./", "../"].iter().any(|s| word.starts_with(s));
            if path || (!code && !word.is_empty()) {
                add(resolve(cwd, word));
            }
        }
    }
    out
}

/// Adds the names that a script expands, at any depth.
pub(super) fn expanded(script: &Script, names: &mut BTreeSet<String>) {
    script.visit(&mut |command| {
        for word in words(command) {
            of_word(word, names);
        }
    });
}

/// The words of one command, those of its children left out.
fn words(command: &Command) -> Vec<&Word> {
    let mut all: Vec<&Word> = command.redirects.iter().map(|r| &r.target).collect();
    match &command.kind {
        CommandKind::Simple(simple) => {
            all.extend(simple.assignments.iter().map(|a| &a.value));
            all.extend(&simple.words);
        }
        CommandKind::For { words, .. } => all.extend(words.iter().flatten()),
        CommandKind::Case { subject, arms } => {
            all.push(subject);
            all.extend(arms.iter().flat_map(|a| &a.patterns));
        }
        _ => {}
    }
    all
}

fn of_word(word: &Word, names: &mut BTreeSet<String>) {
    let mut open: Vec<&Part> = word.parts.iter().collect();
    while let Some(part) = open.pop() {
        match part {
            Part::DoubleQuoted(parts) => open.extend(parts),
            Part::Variable(v) => {
                names.insert(v.name.clone());
                if let Operation::Default { word, .. } = &v.operation {
                    open.extend(&word.parts);
                }
            }
            _ => {}
        }
    }
}

/// Names that expansions of a script may give a value (`${x:=y}`), and whether it counts, which may set any.
pub(super) fn assigned(script: &Script) -> (BTreeSet<String>, bool) {
    let (mut names, mut any) = (BTreeSet::new(), false);
    script.visit(&mut |command| {
        any |= matches!(command.kind, CommandKind::Arithmetic(_));
        any |= matches!(command.kind, CommandKind::For { variable: None, .. });
        for word in words(command) {
            let mut open: Vec<&Part> = word.parts.iter().collect();
            while let Some(part) = open.pop() {
                match part {
                    Part::DoubleQuoted(parts) => open.extend(parts),
                    Part::Variable(v) => match &v.operation {
                        Operation::Default { operator, word, .. } => {
                            if *operator == '=' {
                                names.insert(v.name.clone());
                            }
                            open.extend(&word.parts);
                        }
                        Operation::Other(_) => any = true,
                        Operation::Value => {}
                    },
                    Part::Arithmetic(_) | Part::Opaque(_) => any = true,
                    _ => {}
                }
            }
        }
    });
    (names, any)
}

/// Whether the text of a script may expand names that its tree does not show: arithmetic, indirect
/// expansion, a pattern that holds another variable, or what was not understood.
pub(super) fn hides_names(script: &Script) -> bool {
    let mut found = false;
    script.visit(&mut |command| {
        found |= matches!(
            command.kind,
            CommandKind::Unknown | CommandKind::Arithmetic(_)
        );
        for word in words(command) {
            let mut open: Vec<&Part> = word.parts.iter().collect();
            while let Some(part) = open.pop() {
                match part {
                    Part::DoubleQuoted(parts) => open.extend(parts),
                    Part::Variable(v) => match &v.operation {
                        Operation::Default { word, .. } => open.extend(&word.parts),
                        Operation::Other(_) => found = true,
                        Operation::Value => {}
                    },
                    Part::Arithmetic(_) | Part::Opaque(_) => found = true,
                    _ => {}
                }
            }
        }
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::parse;

    #[test]
    fn names_are_found_at_every_depth() {
        for (text, names, hidden) in [
            ("echo $A \"${B:-$C}\" '$D'", "A B C", false),
            ("for i in $A; do x=$(cat $B); done > $C", "A B C", false),
            ("case $A in $B) :;; esac; cat <<E\n$C\nE", "A B C", false),
            ("cat <<'E'\n$C\nE", "", false),
            ("echo ${A#x}", "A", true),
            ("echo $((A + 1))", "", true),
            ("echo `echo $A`", "A", false),
        ] {
            let script = parse(text);
            let mut found = BTreeSet::new();
            expanded(&script, &mut found);
            let found: Vec<&str> = found.iter().map(String::as_str).collect();
            assert_eq!(found.join(" "), names, "{text}");
            assert_eq!(hides_names(&script), hidden, "{text}");
        }
    }

    #[test]
    fn files_that_variables_name_are_found() {
        for (name, value, paths) in [
            ("SSL_CERT_FILE", "/x/ca.crt", "/x/ca.crt"),
            ("NODE_EXTRA_CA_CERTS", "certs/../ca.crt", "/app/ca.crt"),
            ("NODE_OPTIONS", "--max-old-space-size=4096", ""),
            (
                "NODE_OPTIONS",
                "--require /x/a.js -r ./b.js",
                "/x/a.js /app/b.js",
            ),
            ("NODE_OPTIONS", "--require='/x/a.js'", "/x/a.js"),
            ("PERL5LIB", "/x:/y", "/x /y"),
            ("RUBYOPT", "-r/x/a -W0", "/x/a"),
            ("JAVA_TOOL_OPTIONS", "-javaagent:/x/a.jar=b", "/x/a.jar"),
            ("APP_HOME", "/app", ""),
        ] {
            let variables = BTreeMap::from([(name.to_owned(), Some(value.to_owned()))]);
            let found = named(&variables, Some("/app"));
            let found: Vec<String> = found.into_iter().filter_map(|n| n.path).collect();
            assert_eq!(found.join(" "), paths, "{name}={value}");
        }
        let unknown = BTreeMap::from([("NETRC".to_owned(), None)]);
        assert_eq!(named(&unknown, None)[0].path, None);
    }

    #[test]
    fn some_names_count_for_every_program() {
        for name in ["PATH", "LC_ALL", "LD_PRELOAD", "TZ"] {
            assert!(steers(name), "{name}");
        }
        for name in ["VERSION", "NODE_ENV", "APP_HOME"] {
            assert!(!steers(name), "{name}");
        }
    }
}
