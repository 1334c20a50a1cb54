//! turbo: which tasks of which packages run, by `--filter` and `turbo.json`.
//!
//! Goes in: a command line. Comes out: the scripts, in [`Tasks`]. Invariant: what a filter or `turbo.json` says that is
//! not understood is a reason; what turbo would leave out because nothing has changed is not left out.

use super::super::globs::fits;
use super::super::{Project, join, text};
use super::tasks::Tasks;
use super::workspace::Workspace;
use serde_json::Value;
use std::collections::{BTreeSet, VecDeque};

const FLAGS: [&str; 22] = [
    "--no-daemon",
    "--daemon",
    "--force",
    "--no-cache",
    "--no-color",
    "--color",
    "--continue",
    "--only",
    "--parallel",
    "--summarize",
    "--no-update-notifier",
    "--skip-infer",
    "--remote-only",
    "--framework-inference",
    "--go-fallback",
    "--dangerously-disable-package-manager-check",
    "--no-deps",
    "--include-dependencies",
    "--verbose",
    "-v",
    "-vv",
    "--prefer-offline",
];
const VALUED: [&str; 17] = [
    "--cache",
    "--concurrency",
    "--env-mode",
    "--output-logs",
    "--log-order",
    "--log-prefix",
    "--ui",
    "--cache-dir",
    "--cache-workers",
    "--remote-cache-timeout",
    "--token",
    "--team",
    "--api",
    "--profile",
    "--verbosity",
    "--remote-cache-read-only",
    "--log-file",
];

/// Most tasks of one run.
const MOST: usize = 10_000;

/// `turbo run build --filter=x`.
///
/// # Errors
/// What it runs is not known.
pub(super) fn run(
    tasks: &mut Tasks<'_>,
    arguments: &[String],
    dir: &str,
    depth: usize,
) -> Result<(), String> {
    let (mut names, mut filters): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let (option, inline) = match word.split_once('=') {
            Some((option, value)) if word.starts_with("--") => (option, Some(value.to_owned())),
            _ => (word.as_str(), None),
        };
        match option {
            "--" => break,
            "run" if names.is_empty() => {}
            "--filter" | "-F" | "--scope" => {
                let value = inline.or_else(|| words.next().cloned());
                filters.push(value.ok_or("--filter has no value")?);
            }
            "--since" | "--affected" | "--cwd" | "--root-turbo-json" | "--graph" | "--dry-run"
            | "--dry" => {
                return Err(format!("what turbo does with {option} is not known"));
            }
            _ if FLAGS.contains(&option) => {}
            _ if VALUED.contains(&option) => {
                // These may stand alone.
                let alone = matches!(option, "--remote-cache-read-only" | "--profile");
                if inline.is_none() && !alone {
                    words.next();
                }
            }
            _ if word.starts_with('-') => {
                return Err(format!("option {option} of turbo is not known"));
            }
            _ => names.push(word.clone()),
        }
    }
    if names.is_empty()
        || matches!(
            names[0].as_str(),
            "prune" | "gen" | "generate" | "query" | "watch" | "daemon"
        )
    {
        return Err("what turbo does is not known".to_owned());
    }
    let own = tasks.ws.around(dir);
    let from = match (filters.is_empty(), own) {
        (false, _) => chosen(tasks.ws, &filters, dir)?,
        (true, Some(own)) if own != 0 => vec![own],
        (true, _) => (1..tasks.ws.packages.len()).collect(),
    };
    let settings = Settings::read(tasks.ws, tasks.project)?;
    let mut queue: VecDeque<(usize, String)> = VecDeque::new();
    for name in &names {
        match name.split_once('#') {
            Some((package, task)) => {
                queue.push_back((package_of(tasks.ws, package)?, task.to_owned()))
            }
            None => queue.extend(from.iter().map(|p| (*p, name.clone()))),
        }
    }
    let mut seen: BTreeSet<(usize, String)> = BTreeSet::new();
    while let Some((at, name)) = queue.pop_front() {
        if !seen.insert((at, name.clone())) {
            continue;
        }
        if seen.len() > MOST {
            return Err("turbo runs too many tasks".to_owned());
        }
        // Task of the top that is not asked for by name is turbo itself.
        if tasks.ws.packages[at].script(&name).is_some() {
            tasks.script(at, &name, &[], depth + 1)?;
        }
        tasks.running.insert(at);
        for before in settings.before(tasks.ws, at, &name) {
            match (before.strip_prefix('^'), before.split_once('#')) {
                (Some(task), _) => {
                    let all = tasks.ws.closure(tasks.ws.asked(at)?)?;
                    queue.extend(all.into_iter().map(|p| (p, task.to_owned())));
                }
                (None, Some((package, task))) => {
                    queue.push_back((package_of(tasks.ws, package)?, task.to_owned()))
                }
                (None, None) if before.starts_with('$') => {}
                (None, None) => queue.push_back((at, before)),
            }
        }
    }
    Ok(())
}

fn package_of(ws: &Workspace, name: &str) -> Result<usize, String> {
    match name {
        "//" => Ok(0),
        _ => ws
            .named(name)
            .ok_or_else(|| format!("turbo.json names the package {name}, which is not there")),
    }
}

/// The packages that filters mean, those of turbo and of pnpm: `name`, `name...`, `./folder`, `{folder}`, `@scope/*`.
///
/// # Errors
/// A filter is not understood, or means nothing.
pub(super) fn chosen(ws: &Workspace, filters: &[String], dir: &str) -> Result<Vec<usize>, String> {
    let mut out: BTreeSet<usize> = BTreeSet::new();
    for filter in filters {
        let odd = || format!("the filter {filter} is not understood");
        // What a filter takes away is kept.
        if filter.starts_with('!') {
            continue;
        }
        if filter.contains(['[', '$']) {
            return Err(odd());
        }
        let (bare, below) = match filter.strip_suffix("...") {
            Some(rest) => (rest.trim_end_matches('^'), true),
            None => (filter.as_str(), false),
        };
        let (bare, above) = match bare.strip_prefix("...") {
            Some(rest) => (rest.trim_start_matches('^'), true),
            None => (bare, false),
        };
        let is_folder = bare.starts_with(['.', '{', '/']);
        let folder = bare
            .trim_matches(['{', '}'])
            .trim_end_matches("/**")
            .trim_end_matches("/*");
        let folder = join(dir, folder.strip_prefix("./").unwrap_or(folder));
        let fits = |at: &usize| {
            let package = &ws.packages[*at];
            if is_folder
                || bare
                    == package
                        .dir
                        .strip_prefix(ws.top())
                        .unwrap_or_default()
                        .trim_start_matches('/')
            {
                let own = package.dir == folder;
                return own
                    || !is_folder
                    || (bare.contains('*') && package.dir.starts_with(&format!("{folder}/")));
            }
            let name = package
                .json
                .get("name")
                .and_then(Value::as_str)
                .unwrap_or_default();
            fits(bare, name) || (!bare.starts_with('@') && name.rsplit('/').next() == Some(bare))
        };
        let hits: Vec<usize> = (0..ws.packages.len()).filter(fits).collect();
        if hits.is_empty() {
            return Err(odd());
        }
        if above {
            for at in 0..ws.packages.len() {
                if ws.closure([at])?.iter().any(|p| hits.contains(p)) {
                    out.insert(at);
                }
            }
        }
        match below {
            true => out.extend(ws.closure(hits)?),
            false => out.extend(hits),
        }
    }
    match out.is_empty() {
        true => Err("which packages a filter leaves is not known".to_owned()),
        false => Ok(out.into_iter().collect()),
    }
}

/// What the files `turbo.json` say of tasks.
struct Settings {
    /// By package; the top's hold for all.
    files: Vec<(usize, Value)>,
}

impl Settings {
    fn read(ws: &Workspace, project: &dyn Project) -> Result<Self, String> {
        let mut files = Vec::new();
        for (at, package) in ws.packages.iter().enumerate() {
            let found = ["turbo.json", "turbo.jsonc"].map(|n| join(&package.dir, n));
            let Some(path) = found.into_iter().find(|p| project.is_file(p)) else {
                continue;
            };
            let json = without_comments(&text(project, &path)?);
            let value = serde_json::from_str(&json).map_err(|e| format!("{path}: {e}"))?;
            files.push((at, value));
        }
        Ok(Self { files })
    }

    /// The tasks before one: `^build`, `lint`, `other#build`.
    fn before(&self, ws: &Workspace, at: usize, task: &str) -> BTreeSet<String> {
        let name = ws.packages[at]
            .json
            .get("name")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let mut out = BTreeSet::new();
        for (of, value) in self.files.iter().filter(|(of, _)| *of == 0 || *of == at) {
            let tasks = value.get("tasks").or_else(|| value.get("pipeline"));
            let keys = match of {
                0 => vec![
                    format!("{name}#{task}"),
                    task.to_owned(),
                    format!("//#{task}"),
                ],
                _ => vec![task.to_owned()],
            };
            for entry in keys.iter().filter_map(|k| tasks?.get(k)) {
                for list in ["dependsOn", "with"]
                    .iter()
                    .filter_map(|k| entry.get(k)?.as_array())
                {
                    out.extend(list.iter().filter_map(Value::as_str).map(str::to_owned));
                }
            }
        }
        out
    }
}

/// JSON without comments and without commas at the end of a list.
pub(super) fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    let (mut quoted, mut escaped) = (false, false);
    while let Some(c) = chars.next() {
        if quoted {
            (quoted, escaped) = (c != '"' || escaped, c == '\\' && !escaped);
            out.push(c);
            continue;
        }
        match (c, chars.peek()) {
            ('/', Some('/')) => {
                let _ = chars.by_ref().take_while(|c| *c != '\n').count();
                out.push('\n');
            }
            ('/', Some('*')) => {
                let mut last = ' ';
                chars.next();
                for c in chars.by_ref() {
                    if last == '*' && c == '/' {
                        break;
                    }
                    last = c;
                }
            }
            (']' | '}', _) => {
                let kept = out.trim_end().len();
                if out[..kept].ends_with(',') {
                    out.truncate(kept - 1);
                }
                out.push(c);
            }
            _ => {
                quoted = c == '"';
                out.push(c);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{fits, without_comments};

    #[test]
    fn comments_and_last_commas_go() {
        for (text, expected) in [
            ("{\"a\": 1, // x\n}", "{\"a\": 1}"),
            ("[1, /* , */ 2,]", "[1,  2]"),
            ("{\"a\": \"// \\\" ,}\"}", "{\"a\": \"// \\\" ,}\"}"),
        ] {
            assert_eq!(without_comments(text), expected);
        }
    }

    #[test]
    fn names_fit_patterns() {
        for (pattern, name, expected) in [
            ("@a/*", "@a/b", true),
            ("*", "x", true),
            ("@a/*-ui", "@a/b-ui", true),
            ("@a/*-ui", "@a/b-api", false),
            ("a", "ab", false),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }
}
