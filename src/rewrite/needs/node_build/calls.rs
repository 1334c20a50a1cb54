//! Which script of which packages a command line of a package manager runs.
//!
//! Goes in: a tool and its arguments. Comes out: a [`Call`], or none for a command that runs no script. Invariant: an
//! option in front of a script's name that is not listed is a reason.

use super::super::join;
use super::super::words::{Options, Words};

/// What is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    /// Where it starts.
    pub dir: String,
    /// In which packages.
    pub place: Place,
    /// A script by its name, or else a program.
    pub name: String,
    /// What follows.
    pub arguments: Vec<String>,
    /// It is a program, not a script.
    pub program: bool,
    /// A package without the script is passed over.
    pub lenient: bool,
}

/// The packages that a script runs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// That of the folder.
    Here,
    /// The top.
    Top,
    /// All.
    All,
    /// Those that are meant by name, folder or pattern.
    Chosen(Vec<String>),
}

/// Commands of managers that run no script, of both yarn and pnpm.
#[rustfmt::skip]
const OTHERS: &[&str] = &[
    "access", "add", "approve-builds", "audit", "autoclean", "bin", "cache", "ci", "clean-install", "completion",
    "config", "constraints", "create", "dedupe", "deploy", "dlx", "doctor", "env", "explain", "fetch", "focus",
    "generate-lock-entry", "global", "help", "i", "import", "info", "init", "install", "install-test", "it",
    "licenses", "link", "list", "ll", "ln", "login", "logout", "ls", "npm", "outdated", "owner", "pack", "patch",
    "patch-commit", "patch-remove", "plugin", "policies", "prune", "publish", "rb", "rebuild", "remove", "rm",
    "root", "search", "self-update", "server", "set", "setup", "stage", "store", "tag", "team", "un", "uninstall",
    "unlink", "unplug", "up", "update", "upgrade", "upgrade-interactive", "version", "versions", "view", "why",
];

#[rustfmt::skip]
const NPM: Options = Options {
    flags: &[
        "--silent", "-s", "--quiet", "-q", "--if-present", "--workspaces", "-ws", "--include-workspace-root",
        "--no-audit", "--no-fund", "--no-update-notifier", "--verbose", "-d", "-dd", "-ddd", "--no-color", "--color",
        "--foreground-scripts", "--offline", "--prefer-offline", "--no-progress", "--legacy-peer-deps", "--force",
        "--yes", "-y", "--no", "--production", "--unsafe-perm",
    ],
    valued: &["-w", "--workspace", "-C", "--prefix", "--loglevel", "--cache"],
};

/// What a command line runs; `None` where it runs no script.
///
/// # Errors
/// An option is not known.
pub(super) fn of(tool: &str, arguments: &[String], dir: &str) -> Result<Option<Call>, String> {
    match tool {
        "npm" => npm(arguments, dir),
        "pnpm" => pnpm(arguments, dir),
        "yarn" | "yarnpkg" => yarn(arguments, dir),
        "bun" => bun(arguments, dir),
        _ => Ok(None),
    }
}

fn call(dir: &str, place: Place, words: &[String], lenient: bool) -> Option<Call> {
    let (name, arguments) = words.split_first()?;
    Some(Call {
        dir: dir.to_owned(),
        place,
        name: name.clone(),
        arguments: arguments.to_vec(),
        program: false,
        lenient,
    })
}

fn npm(arguments: &[String], dir: &str) -> Result<Option<Call>, String> {
    let runs = |a: &String| matches!(a.as_str(), "run" | "run-script" | "exec");
    if !arguments.iter().any(runs) {
        return Ok(None);
    }
    let split = arguments
        .iter()
        .position(|a| a == "--")
        .unwrap_or(arguments.len());
    let words = Words::parse(&arguments[..split], &NPM)?;
    let behind = || arguments[split..].iter().skip(1).cloned();
    let owned = |words: &[&str]| -> Vec<String> {
        let words = words.iter().map(|w| (*w).to_owned());
        words.chain(behind()).collect()
    };
    let all = match words.operands.as_slice() {
        ["run" | "run-script", all @ ..] if !all.is_empty() => owned(all),
        ["exec", all @ ..] => {
            let found = call(dir, Place::Here, &owned(all), false);
            return Ok(found.map(|c| Call { program: true, ..c }));
        }
        _ => return Ok(None),
    };
    let chosen = words.values(&["-w", "--workspace"]);
    let place = match chosen.is_empty() {
        false => Place::Chosen(chosen.iter().map(|c| (*c).to_owned()).collect()),
        true if words.has(&["--workspaces", "-ws"]) => Place::All,
        true => Place::Here,
    };
    let dir = words
        .value(&["-C", "--prefix"])
        .map_or(dir.to_owned(), |p| join(dir, p));
    let lenient = words.has(&["--if-present", "--workspaces", "-ws"]);
    Ok(call(&dir, place, &all, lenient))
}

fn pnpm(arguments: &[String], dir: &str) -> Result<Option<Call>, String> {
    const FLAGS: [&str; 16] = [
        "-s",
        "--silent",
        "--stream",
        "--aggregate-output",
        "--parallel",
        "--if-present",
        "--no-bail",
        "--bail",
        "--sequential",
        "--color",
        "--no-color",
        "--offline",
        "--prefer-offline",
        "--reverse",
        "--no-sort",
        "--include-workspace-root",
    ];
    const VALUED: [&str; 6] = [
        "--reporter",
        "--loglevel",
        "--workspace-concurrency",
        "--store-dir",
        "--child-concurrency",
        "--network-concurrency",
    ];
    // Its own commands have options of their own.
    const INSTALLS: [&str; 8] = [
        "install", "i", "add", "fetch", "config", "store", "prune", "deploy",
    ];
    let any = |words: &[&str]| arguments.iter().any(|a| words.contains(&a.as_str()));
    if any(&INSTALLS) && !any(&["run", "run-script", "exec"]) {
        return Ok(None);
    }
    let (mut dir, mut place, mut lenient) = (dir.to_owned(), Place::Here, false);
    let (mut runs, mut program) = (false, false);
    let mut at = 0;
    while let Some(word) = arguments.get(at).map(String::as_str) {
        at += 1;
        let (option, inline) = match word.split_once('=') {
            Some((option, value)) if word.starts_with("--") => (option, Some(value.to_owned())),
            _ => (word, None),
        };
        let mut value = || {
            let next = inline.clone().or_else(|| {
                at += 1;
                arguments.get(at - 1).cloned()
            });
            next.ok_or_else(|| format!("{option} has no value"))
        };
        match option {
            "-F" | "--filter" | "--filter-prod" => {
                let chosen = value()?;
                lenient = true;
                match &mut place {
                    Place::Chosen(list) => list.push(chosen),
                    other => *other = Place::Chosen(vec![chosen]),
                }
            }
            "-C" | "--dir" => dir = join(&dir, &value()?),
            "-w" | "--workspace-root" => place = Place::Top,
            "-r" | "--recursive" | "recursive" | "multi" | "m" if !runs => {
                lenient = true;
                if place == Place::Here {
                    place = Place::All;
                }
            }
            "run" | "run-script" if !runs => runs = true,
            "exec" if !runs => (runs, program) = (true, true),
            "--" if runs => {}
            "--if-present" => lenient = true,
            _ if FLAGS.contains(&option) => {}
            _ if VALUED.contains(&option) => drop(value()?),
            _ if word.starts_with('-') => return Err(format!("option {option} is not known")),
            _ if !runs && OTHERS.contains(&word) => return Ok(None),
            _ => {
                let found = call(&dir, place, &arguments[at - 1..], lenient);
                return Ok(found.map(|c| Call { program, ..c }));
            }
        }
    }
    Ok(None)
}

fn yarn(arguments: &[String], dir: &str) -> Result<Option<Call>, String> {
    let (mut dir, mut rest) = (dir.to_owned(), arguments);
    loop {
        match rest {
            [option, value, more @ ..] if option == "--cwd" => {
                dir = join(&dir, value);
                rest = more;
            }
            [option, more @ ..]
                if matches!(option.as_str(), "-s" | "--silent" | "--non-interactive") =>
            {
                rest = more
            }
            _ => break,
        }
    }
    let first = rest.first().map_or("", String::as_str);
    match first {
        "workspace" => {
            let [_, name, more @ ..] = rest else {
                return Ok(None);
            };
            let found = yarn(more, &dir)?;
            Ok(found.map(|c| Call {
                place: Place::Chosen(vec![name.clone()]),
                ..c
            }))
        }
        "workspaces" => {
            let at = rest.iter().position(|w| w == "run");
            let each = matches!(rest.get(1).map(String::as_str), Some("run" | "foreach"));
            let Some(at) = at.filter(|_| each) else {
                return Ok(None);
            };
            let plain = |w: &String| {
                !matches!(w.as_str(), "--since" | "--from") && !w.starts_with("--since=")
            };
            if !rest[1..at.max(1)].iter().all(plain) {
                return Err("which workspaces it runs in is not known".to_owned());
            }
            Ok(call(&dir, Place::All, &rest[at + 1..], true))
        }
        "run" | "exec" => {
            let flags = rest[1..].iter().take_while(|w| w.starts_with('-'));
            let skipped: Vec<&String> = flags.collect();
            let plain = |w: &&String| {
                matches!(
                    w.as_str(),
                    "-T" | "--top-level" | "-B" | "--binaries-only" | "-s" | "--silent"
                )
            };
            if let Some(odd) = skipped.iter().find(|w| !plain(w)) {
                return Err(format!("option {odd} is not known"));
            }
            let found = call(&dir, Place::Here, &rest[1 + skipped.len()..], false);
            Ok(found.map(|c| Call {
                program: first == "exec",
                ..c
            }))
        }
        // `yarn node x.js` starts a program.
        "node" => Ok(call(&dir, Place::Here, rest, false).map(|c| Call { program: true, ..c })),
        "" => Ok(None),
        word if word.starts_with('-') || OTHERS.contains(&word) => Ok(None),
        _ => Ok(call(&dir, Place::Here, rest, false)),
    }
}

fn bun(arguments: &[String], dir: &str) -> Result<Option<Call>, String> {
    match arguments {
        [run, name, ..] if run == "run" && !name.starts_with('-') => {
            Ok(call(dir, Place::Here, &arguments[1..], false))
        }
        [x, name, ..] if x == "x" && !name.starts_with('-') => {
            Ok(call(dir, Place::Here, &arguments[1..], false).map(|c| Call { program: true, ..c }))
        }
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::{Place, of};

    fn shown(line: &str) -> String {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        match of(&words[0], &words[1..], "/app") {
            Ok(None) => "-".to_owned(),
            Ok(Some(c)) => {
                let place = match &c.place {
                    Place::Here => c.dir.clone(),
                    Place::Top => "top".to_owned(),
                    Place::All => "all".to_owned(),
                    Place::Chosen(list) => list.join(","),
                };
                let what = if c.program { "program " } else { "" };
                format!("{place}: {what}{} {}", c.name, c.arguments.join(" "))
                    .trim()
                    .to_owned()
            }
            Err(why) => format!("({why})"),
        }
    }

    #[test]
    fn scripts_are_told_from_other_commands() {
        for (line, expected) in [
            ("npm ci", "-"),
            ("npm run build", "/app: build"),
            (
                "npm run build -w a --workspace=b -- --x y",
                "a,b: build --x y",
            ),
            ("npm --prefix web run build", "/app/web: build"),
            ("npm run build --workspaces --if-present", "all: build"),
            (
                "npm run build --script-shell=x",
                "(what --script-shell=x does is not known)",
            ),
            ("npm exec -- vite build", "/app: program vite build"),
            ("pnpm install --frozen-lockfile", "-"),
            ("pnpm deploy --filter web out", "-"),
            ("pnpm -P --frob install", "-"),
            ("pnpm build --filter=x", "/app: build --filter=x"),
            (
                "pnpm --filter web... run build --mode x",
                "web...: build --mode x",
            ),
            ("pnpm -F a -F=b build", "(option -F=b is not known)"),
            ("pnpm -r build", "all: build"),
            (
                "pnpm -C web exec vite build",
                "/app/web: program vite build",
            ),
            ("pnpm --changed build", "(option --changed is not known)"),
            ("yarn", "-"),
            ("yarn install", "-"),
            ("yarn build --filter=x", "/app: build --filter=x"),
            ("yarn workspace @a/b run build", "@a/b: build"),
            ("yarn workspaces focus x", "-"),
            ("yarn workspaces foreach -Apt run build", "all: build"),
            (
                "yarn workspaces foreach --since run build",
                "(which workspaces it runs in is not known)",
            ),
            ("yarn --cwd web run -T build", "/app/web: build"),
            ("bun run build", "/app: build"),
            ("bun install", "-"),
        ] {
            assert_eq!(shown(line), expected, "{line}");
        }
    }
}
