//! npm: `package.json`, the lock file and `.npmrc` of its folder and of the workspaces.
//!
//! Scripts that npm runs by itself in the project (`postinstall`, `prepare` …) may look at any file of it: what the
//! project's own manifests name there is a reason to leave the command alone, unless `--ignore-scripts` is given.

use super::{Command, Found, Needs, Project, join, text};
use crate::footprint::PathClaim;
use serde_json::Value;

/// Scripts of a project that npm runs by itself when it installs.
const LIFECYCLE: [&str; 8] = [
    "preinstall",
    "install",
    "postinstall",
    "prepare",
    "preprepare",
    "postprepare",
    "prepublish",
    "dependencies",
];

const LOCKS: [&str; 2] = ["package-lock.json", "npm-shrinkwrap.json"];

/// What npm needs.
pub(super) fn needs(command: &Command<'_>, project: &dyn Project) -> Found {
    let mut operands = Vec::new();
    let mut dir = command.dir.to_owned();
    let mut ignores_scripts = false;
    let mut words = command.arguments.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--ignore-scripts" => ignores_scripts = true,
            "--prefix" | "-C" => dir = join(&dir, words.next().ok_or("--prefix has no value")?),
            "-g" | "--global" | "--location=global" => {
                return match operands
                    .iter()
                    .any(|o: &&str| o.contains(['.', '/']) && !o.starts_with('@'))
                {
                    true => Err("it may install a local package".to_owned()),
                    false => Ok(Needs::default()),
                };
            }
            flag if flag.starts_with('-') => {
                if let Some(value) = flag.strip_prefix("--prefix=") {
                    dir = join(&dir, value);
                }
            }
            operand => operands.push(operand),
        }
    }
    let keeps_lock = match operands.as_slice() {
        ["ci" | "clean-install" | "install-clean"] => true,
        ["install" | "i" | "add"] => false,
        _ => return Err("only an install of the project's own dependencies is known".to_owned()),
    };
    let top = dir.trim_end_matches('/').to_owned();
    let manifest = format!("{top}/package.json");
    let json: Value =
        serde_json::from_str(&text(project, &manifest)?).map_err(|e| format!("{manifest}: {e}"))?;
    if json.get("workspaces").is_some() {
        return Err(format!("{manifest} has workspaces"));
    }
    let runs = runs_scripts(&json) || project.is_file(&format!("{top}/binding.gyp"));
    if runs && !ignores_scripts {
        return Err(format!("{manifest} has scripts that run with an install"));
    }
    if let Some(local) = local_dependency(&json) {
        return Err(format!("{manifest} names the local package {local}"));
    }
    if project.has_below(&format!("{top}/node_modules")) {
        return Err(format!("{top}/node_modules is in the build context"));
    }
    let mut needs = Needs::default();
    let locks: Vec<String> = LOCKS.iter().map(|l| format!("{top}/{l}")).collect();
    if keeps_lock && !locks.iter().any(|l| project.is_file(l)) {
        // npm ci refuses to work without one.
        return Err("there is no lock file".to_owned());
    }
    needs.reads.insert(PathClaim::exact(manifest));
    needs.reads.extend(locks.into_iter().map(PathClaim::exact));
    needs
        .reads
        .insert(PathClaim::exact(format!("{top}/.npmrc")));
    needs
        .writes
        .insert(PathClaim::subtree(format!("{top}/node_modules")));
    needs.assumptions.push(
        "npm reads only package.json, the lock file and .npmrc of its folder: no lifecycle script of the project \
         looks at the sources"
            .to_owned(),
    );
    needs
        .assumptions
        .push("the build context holds no node_modules (none is in git)".to_owned());
    if !keeps_lock {
        needs
            .assumptions
            .push("npm install leaves package-lock.json as it is: it is up to date".to_owned());
    }
    Ok(needs)
}

/// Whether the manifest has scripts that run with an install.
fn runs_scripts(json: &Value) -> bool {
    let scripts = json.get("scripts").and_then(Value::as_object);
    scripts.is_some_and(|s| LIFECYCLE.iter().any(|l| s.contains_key(*l)))
}

/// A dependency that is a path of the project.
fn local_dependency(json: &Value) -> Option<String> {
    let groups = [
        "dependencies",
        "devDependencies",
        "optionalDependencies",
        "peerDependencies",
    ];
    for group in groups.iter().filter_map(|g| json.get(g)) {
        let Some(list) = group.as_object() else {
            return Some("of a list that is none".to_owned());
        };
        let local = |(_, v): &(&String, &Value)| v.as_str().is_none_or(is_local);
        if let Some((name, _)) = list.iter().find(local) {
            return Some(name.clone());
        }
    }
    None
}

fn is_local(spec: &str) -> bool {
    let starts = ["file:", "link:", "portal:", "workspace:", ".", "/", "~"];
    starts.iter().any(|p| spec.starts_with(p)) && !is_tilde_range(spec)
}

/// `~1.2` is a version range, `~/x` a path.
fn is_tilde_range(spec: &str) -> bool {
    spec.strip_prefix('~').is_some_and(|r| {
        r.trim_start()
            .starts_with(|c: char| c.is_ascii_digit() || c == 'v' || c == '>' || c == '=')
    })
}

#[cfg(test)]
mod tests {
    use super::super::shown;

    #[test]
    fn npm_reads_its_manifests() {
        let files = [
            ("/app/package.json", r#"{"dependencies":{"a":"~1.2"}}"#),
            ("/app/package-lock.json", "{}"),
            ("/app/src/a.js", ""),
        ];
        let all = "/app/.npmrc /app/npm-shrinkwrap.json /app/package-lock.json /app/package.json | \
                   /app/node_modules/**";
        assert_eq!(shown("npm ci", "/app", &files), all);
        assert_eq!(shown("npm install --omit=dev", "/app", &files), all);
        assert_eq!(shown("npm --prefix app ci", "/", &files), all);
    }

    #[test]
    fn projects_that_look_at_their_sources_are_left_alone() {
        let lock = ("/app/package-lock.json", "{}");
        for manifest in [
            r#"{"scripts":{"postinstall":"node x.js"}}"#,
            r#"{"scripts":{"prepare":"husky"}}"#,
            r#"{"dependencies":{"a":"file:../a"}}"#,
            r#"{"dependencies":{"a":"./a"}}"#,
            "not json",
        ] {
            let files = [("/app/package.json", manifest), lock];
            assert!(
                shown("npm ci", "/app", &files).starts_with('('),
                "{manifest}"
            );
        }
        let plain = ("/app/package.json", "{}");
        assert!(
            shown("npm ci", "/app", &[plain]).starts_with('('),
            "no lock"
        );
        let own = ("/app/node_modules/a/b", "");
        assert!(shown("npm ci", "/app", &[plain, lock, own]).starts_with('('));
    }
}
