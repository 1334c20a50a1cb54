//! pip: the requirement and constraint files that are named, and those they include.

use super::{Found, Needs, Project, join, text};
use crate::footprint::PathClaim;

/// Most files that include each other.
const MOST: usize = 32;

/// What pip needs; `arguments` start with its subcommand.
pub(super) fn needs(dir: &str, arguments: &[String], project: &dyn Project) -> Found {
    let mut named: Vec<String> = Vec::new();
    let mut operands: Vec<&str> = Vec::new();
    let mut words = arguments.iter().map(String::as_str);
    while let Some(word) = words.next() {
        let (flag, value) = match word.split_once('=') {
            Some((flag, value)) if flag.starts_with("--") => (flag, Some(value)),
            _ => (word, None),
        };
        match flag {
            "-r" | "--requirement" | "-c" | "--constraint" => {
                let file = value.or_else(|| words.next());
                named.push(file.ok_or("a requirements file is not known")?.to_owned());
            }
            "-e" | "--editable" | "-f" | "--find-links" => {
                return Err("it may build a package of the project".to_owned());
            }
            flag if VALUED.contains(&flag) && value.is_none() => {
                words.next();
            }
            flag if flag.starts_with("-r") && !flag.starts_with("--") => {
                named.push(flag["-r".len()..].to_owned());
            }
            flag if flag.starts_with('-') => {}
            operand => operands.push(operand),
        }
    }
    let Some((&"install", packages)) = operands.split_first() else {
        return Err("only an install is known".to_owned());
    };
    let local = |p: &&&str| {
        let bare = p.split('[').next().unwrap_or(p);
        bare.starts_with(['.', '/', '~'])
            || p.contains("file:")
            || (bare.contains('/') && !bare.contains("://"))
            || [".whl", ".tar.gz", ".zip"].iter().any(|e| p.ends_with(e))
    };
    if let Some(package) = packages.iter().find(local) {
        return Err(format!("{package} may be a package of the project"));
    }
    let mut needs = Needs::default();
    let mut queue: Vec<String> = Vec::new();
    for name in named.iter().filter(|n| !n.contains("://")) {
        queue.push(join(dir, name));
    }
    while let Some(path) = queue.pop() {
        if !needs.reads.insert(PathClaim::exact(&*path)) {
            continue;
        }
        if needs.reads.len() > MOST {
            return Err("its requirement files include too many others".to_owned());
        }
        let folder = path.rsplit_once('/').map_or("/", |(d, _)| d).to_owned();
        for line in text(project, &path)?.lines() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match included(line) {
                Some(name) if name.contains("://") => {}
                Some(name) => queue.push(join(&folder, name)),
                None if names_local_path(line, &folder, dir, project) => {
                    return Err(format!("{path} names a path of the project"));
                }
                None => {}
            }
        }
    }
    if needs.reads.is_empty() {
        return Ok(needs);
    }
    needs.assumptions.push(
        "pip reads only the requirement files named: none of them names a path of the project"
            .to_owned(),
    );
    Ok(needs)
}

/// Options with a value.
const VALUED: &[&str] = &[
    "-i",
    "--index-url",
    "--extra-index-url",
    "--trusted-host",
    "-t",
    "--target",
    "--prefix",
    "--cache-dir",
    "--timeout",
    "--retries",
    "--progress-bar",
    "--platform",
    "--python-version",
    "--implementation",
    "--abi",
    "--only-binary",
    "--no-binary",
    "--root",
    "--root-user-action",
    "--upgrade-strategy",
    "--config-settings",
    "--proxy",
    "--exists-action",
    "--use-feature",
    "--use-deprecated",
];

/// The file that `-r` or `-c` names.
fn included(line: &str) -> Option<&str> {
    for flag in ["-r", "--requirement", "-c", "--constraint"] {
        if let Some(rest) = line.strip_prefix(flag) {
            let long = flag.starts_with("--");
            let name = rest.strip_prefix('=').unwrap_or(rest);
            if !long || rest.starts_with(['=', ' ', '\t']) {
                let name = name.split(" #").next().unwrap_or(name).trim();
                return Some(name).filter(|n| !n.is_empty());
            }
        }
    }
    None
}

fn names_local_path(line: &str, folder: &str, dir: &str, project: &dyn Project) -> bool {
    let first = line.split([' ', '\t', ';']).next().unwrap_or("");
    let bare = first.split('[').next().unwrap_or(first);
    let there = |d: &str| !bare.is_empty() && project.has_below(&join(d, bare));
    line.starts_with("-e")
        || line.starts_with("--editable")
        || line.contains("file:")
        || line.contains("--find-links")
        || line.starts_with("-f")
        || first.starts_with(['.', '/', '~'])
        || (first.contains('/') && !first.contains("://"))
        || ((there(folder) || there(dir)) && line.contains('@'))
        || line.contains("${")
}

#[cfg(test)]
mod tests {
    use super::super::shown;

    #[test]
    fn pip_follows_included_files() {
        let files = [
            ("/app/requirements.txt", "-r base.txt\nflask==3\n"),
            ("/app/base.txt", "# x\nrequests>=2\n"),
            ("/app/app.py", ""),
        ];
        let both = "/app/base.txt /app/requirements.txt | ";
        for line in [
            "pip install -r requirements.txt",
            "pip install --no-cache-dir --requirement=requirements.txt",
            "pip3 install -i https://e.org/simple -r /app/requirements.txt gunicorn",
        ] {
            assert_eq!(shown(line, "/app", &files), both, "{line}");
        }
    }

    #[test]
    fn local_paths_are_left_alone() {
        for text in [
            "-e .\n",
            "./libs/x\n",
            "x @ file:///x\n",
            "-r missing.txt\n",
            "libs/x\n",
        ] {
            let files = [("/app/requirements.txt", text)];
            let found = shown("pip install -r requirements.txt", "/app", &files);
            assert!(found.starts_with('('), "{text}");
        }
        for line in [
            "pip install .",
            "pip install -e .[dev]",
            "pip install ./x.whl",
        ] {
            assert!(shown(line, "/app", &[]).starts_with('('), "{line}");
        }
    }
}
