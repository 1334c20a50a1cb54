//! Manifests first: copy what an install reads before the rest, so that it survives source edits.
//!
//! ```text
//! COPY . .                 COPY package.json package-lock.json ./
//! RUN npm ci        ->     RUN npm ci
//!                          COPY . .
//! ```
//!
//! Precondition: the RUN is an install that reads only its manifests (npm without lifecycle scripts,
//! workspaces and local dependencies; pip with requirement files that name no local path), the
//! manifests are in the context, and nothing of what it creates is. Safety: assumed.

use super::{ContextFiles, EditNote, Rewrite, Safety};
use crate::dockerfile::{Dockerfile, Kind};
use crate::footprint::{Install, InstallTool};
use crate::pattern::{SourceKind, SourcePattern};
use crate::plan::{Input, Plan, Step, StepKind};
use crate::source::SourceFile;
use std::collections::BTreeSet;

/// Largest manifest that is read, bytes.
const MAX_MANIFEST: usize = 4 << 20;

/// Every place where splitting may pay: the nearest broad COPY above each install.
#[must_use]
pub fn find(
    source: &SourceFile,
    file: &Dockerfile,
    plan: &Plan,
    files: &dyn ContextFiles,
) -> Vec<Rewrite> {
    let mut out: Vec<Rewrite> = Vec::new();
    for stage in plan.stages.iter().filter(|s| s.reachable) {
        let steps: Vec<&Step> = stage.steps.iter().map(|n| &plan.graph[*n]).collect();
        for (i, step) in steps.iter().enumerate() {
            let Some(footprint) = step.footprint.as_ref().filter(|f| f.opaque.is_none()) else {
                continue;
            };
            if footprint.installs.is_empty() {
                continue;
            }
            let rewrite = steps[..i].iter().rev().find_map(|broad| {
                splits(
                    &Site {
                        source,
                        file,
                        plan,
                        files,
                        broad,
                        install: step,
                    },
                    &footprint.installs,
                )
            });
            out.extend(rewrite);
        }
    }
    out.sort_by_key(|r| (r.broad, r.install));
    out.dedup_by(|b, a| a.broad == b.broad && a.text == b.text);
    out
}

struct Site<'a> {
    source: &'a SourceFile,
    file: &'a Dockerfile,
    plan: &'a Plan,
    files: &'a dyn ContextFiles,
    broad: &'a Step,
    install: &'a Step,
}

fn splits(site: &Site<'_>, installs: &[Install]) -> Option<Rewrite> {
    let broad = site.broad;
    if broad.kind != StepKind::Copy {
        return None;
    }
    let [Input::Context(input)] = broad.inputs.as_slice() else {
        return None;
    };
    let [only] = input.sources.as_slice() else {
        return None;
    };
    if !input.excludes.is_empty() {
        return None;
    }
    let pattern = SourcePattern::lenient(only);
    let from = match pattern.kind() {
        SourceKind::Root => String::new(),
        SourceKind::Plain(_) if site.files.has_below(pattern.cleaned()) => {
            format!("{}/", pattern.cleaned())
        }
        _ => return None,
    };
    let dest = broad.dest.as_ref()?.path.as_deref()?;
    let mut manifests = BTreeSet::new();
    let mut assumptions = BTreeSet::new();
    let mut dir = None;
    for install in installs {
        let below = install.dir.strip_prefix(dest.trim_end_matches('/'))?;
        if !(below.is_empty() || below.starts_with('/'))
            || dir.as_ref().is_some_and(|d| *d != install.dir)
        {
            return None;
        }
        dir = Some(install.dir.clone());
        let inside = below.trim_matches('/');
        let folder = if inside.is_empty() {
            from.clone()
        } else {
            format!("{from}{inside}/")
        };
        let needs = match install.tool {
            InstallTool::Npm => npm(install, &folder, site.files)?,
            InstallTool::Pip => pip(install, &folder, site.files)?,
        };
        manifests.extend(needs.files);
        assumptions.extend(needs.assumptions);
    }
    let dir = dir?;
    // All manifests lie in the folder itself, so that one COPY brings them to their places.
    let folder = {
        let below = dir
            .strip_prefix(dest.trim_end_matches('/'))?
            .trim_matches('/');
        if below.is_empty() {
            from
        } else {
            format!("{from}{below}/")
        }
    };
    if manifests.iter().any(|m| {
        m.strip_prefix(&folder)
            .is_none_or(|rest| rest.contains('/'))
    }) {
        return None;
    }
    let instruction = site.file.instructions.get(broad.instruction)?;
    let cwd = site
        .plan
        .states
        .get(broad.instruction)?
        .as_ref()?
        .cwd
        .clone();
    let target = if cwd.as_deref() == Some(&dir) {
        "./".to_owned()
    } else {
        format!("{}/", dir.trim_end_matches('/'))
    };
    let flags: Vec<&str> = instruction.flags.iter().map(|f| f.raw.as_str()).collect();
    let mut words = vec![site.source.text(instruction.keyword_span()).into_owned()];
    words.extend(flags.iter().map(|f| (*f).to_owned()));
    let plain = |w: &String| {
        w.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._-/@+".contains(&b))
    };
    if !manifests.iter().chain([&target]).all(plain) || !matches!(instruction.kind, Kind::Copy(_)) {
        return None;
    }
    words.extend(manifests.iter().cloned());
    words.push(target);
    let text = format!("{}{}", words.join(" "), site.source.line_end());
    let names: Vec<&str> = manifests
        .iter()
        .map(|m| m.rsplit('/').next().unwrap_or(m))
        .collect();
    let assumptions: Vec<String> = assumptions.into_iter().collect();
    Some(Rewrite {
        safety: Safety::Assumed,
        at: instruction
            .leading_comments
            .start
            .min(instruction.span.start),
        broad: broad.instruction,
        install: site.install.instruction,
        note: EditNote {
            rewrite: "split-copy",
            safety: Safety::Assumed,
            line: instruction.line,
            end_line: instruction.end_line,
            why: format!(
                "{} {} first, so that the install below no longer runs for every source edit",
                names.join(", "),
                if names.len() == 1 { "comes" } else { "come" }
            ),
            assumptions,
        },
        text,
    })
}

/// Most files of one name that are looked at.
const MAX_NAMED: usize = 200;

/// Why an install may look at more than its manifests, judged by every manifest of the context: its
/// own lifecycle scripts, included requirement files, local paths. Such a step stays where it is.
#[must_use]
pub fn looks_further(install: &Install, files: &dyn ContextFiles) -> Option<String> {
    let names: Vec<&str> = match install.tool {
        InstallTool::Npm => vec!["package.json"],
        InstallTool::Pip => install
            .named_files
            .iter()
            .filter_map(|f| f.rsplit('/').next())
            .collect(),
    };
    let found: Vec<String> = names.iter().flat_map(|n| files.named(n)).collect();
    if found.is_empty() || found.len() > MAX_NAMED {
        return Some("the manifests it reads are not known".to_owned());
    }
    for path in found {
        let further = match files.read(&path).map(String::from_utf8) {
            Some(Ok(text)) if install.tool == InstallTool::Npm => npm_looks_further(&text, install),
            Some(Ok(text)) => {
                let dir = path
                    .rsplit_once('/')
                    .map_or(String::new(), |(d, _)| format!("{d}/"));
                text.lines()
                    .map(str::trim)
                    .filter(|l| !l.is_empty() && !l.starts_with('#'))
                    .any(|l| included(l).is_some() || names_local_path(l, &dir, files))
            }
            _ => true,
        };
        if further {
            return Some(format!("what {path} names or runs may read other files"));
        }
    }
    None
}

fn npm_looks_further(text: &str, install: &Install) -> bool {
    let Ok(json) = serde_json::from_str::<serde_json::Value>(text) else {
        return true;
    };
    let scripts = json.get("scripts").and_then(serde_json::Value::as_object);
    let runs = scripts.is_some_and(|s| LIFECYCLE.iter().any(|l| s.contains_key(*l)));
    let groups = [
        "dependencies",
        "devDependencies",
        "optionalDependencies",
        "peerDependencies",
    ];
    let mut specs = groups
        .iter()
        .filter_map(|g| json.get(g))
        .filter_map(serde_json::Value::as_object);
    let local = specs.any(|list| list.values().any(|v| v.as_str().is_none_or(is_local)));
    (runs && !install.scripts_ignored) || local || json.get("workspaces").is_some()
}

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

/// A dependency that is a path of the project.
fn is_local(spec: &str) -> bool {
    let starts = ["file:", "link:", "portal:", "workspace:", ".", "/", "~"];
    starts.iter().any(|p| spec.starts_with(p)) && !is_tilde_range(spec)
}

/// Files an install reads, relative to the context, and what that rests on.
struct Needs {
    files: BTreeSet<String>,
    assumptions: Vec<String>,
}

fn npm(install: &Install, folder: &str, files: &dyn ContextFiles) -> Option<Needs> {
    let manifest = format!("{folder}package.json");
    let text = files.read(&manifest).filter(|t| t.len() <= MAX_MANIFEST)?;
    let json: serde_json::Value = serde_json::from_slice(&text).ok()?;
    let scripts = json.get("scripts").and_then(serde_json::Value::as_object);
    let runs_own = scripts.is_some_and(|s| LIFECYCLE.iter().any(|l| s.contains_key(*l)));
    if (runs_own || files.is_file(&format!("{folder}binding.gyp"))) && !install.scripts_ignored {
        return None;
    }
    if json.get("workspaces").is_some() || files.has_below(&format!("{folder}node_modules")) {
        return None;
    }
    let groups = [
        "dependencies",
        "devDependencies",
        "optionalDependencies",
        "peerDependencies",
    ];
    for group in groups {
        let Some(list) = json.get(group) else {
            continue;
        };
        let list = list.as_object()?;
        if list.values().any(|v| v.as_str().is_none_or(is_local)) {
            return None;
        }
    }
    let lock = ["package-lock.json", "npm-shrinkwrap.json"];
    let mut wanted = BTreeSet::from([manifest]);
    for name in lock.iter().chain(&[".npmrc"]) {
        let path = format!("{folder}{name}");
        if files.is_file(&path) {
            wanted.insert(path);
        }
    }
    if !install.may_write_lock
        && !lock
            .iter()
            .any(|l| wanted.contains(&format!("{folder}{l}")))
    {
        // npm ci refuses to work without a lock file: leave such a file alone.
        return None;
    }
    let mut assumptions = vec![
        "npm reads only package.json, the lock file and .npmrc of its folder: no lifecycle script of the project looks at the sources".to_owned(),
        "the build context holds no node_modules (none is in git)".to_owned(),
    ];
    if install.may_write_lock {
        assumptions
            .push("npm install leaves package-lock.json as it is: it is up to date".to_owned());
    }
    Some(Needs {
        files: wanted,
        assumptions,
    })
}

/// `~1.2` is a version range, `~/x` a path.
fn is_tilde_range(spec: &str) -> bool {
    spec.strip_prefix('~').is_some_and(|r| {
        r.trim_start()
            .starts_with(|c: char| c.is_ascii_digit() || c == 'v' || c == '>' || c == '=')
    })
}

fn pip(install: &Install, folder: &str, files: &dyn ContextFiles) -> Option<Needs> {
    let mut wanted = BTreeSet::new();
    let mut queue: Vec<String> = Vec::new();
    for name in &install.named_files {
        let inside = match name.strip_prefix(&format!("{}/", install.dir.trim_end_matches('/'))) {
            Some(rest) => rest,
            None if name.starts_with('/') => return None,
            None => name,
        };
        queue.push(join(folder, inside)?);
    }
    if queue.is_empty() {
        return None;
    }
    while let Some(path) = queue.pop() {
        if !wanted.insert(path.clone()) {
            continue;
        }
        if wanted.len() > 32 {
            return None;
        }
        let text = files.read(&path).filter(|t| t.len() <= MAX_MANIFEST)?;
        let text = String::from_utf8(text).ok()?;
        let dir = path
            .rsplit_once('/')
            .map_or(String::new(), |(d, _)| format!("{d}/"));
        for line in text.lines() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match included(line) {
                Some(name) => queue.push(join(&dir, name)?),
                None if names_local_path(line, &dir, files) => return None,
                None => {}
            }
        }
    }
    Some(Needs {
        files: wanted,
        assumptions: vec![
            "pip reads only the requirement files named: none of them names a path of the project"
                .to_owned(),
        ],
    })
}

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

fn names_local_path(line: &str, dir: &str, files: &dyn ContextFiles) -> bool {
    let first = line.split([' ', '\t', ';']).next().unwrap_or("");
    let bare = first.split('[').next().unwrap_or(first);
    line.starts_with("-e")
        || line.starts_with("--editable")
        || line.contains("file:")
        || line.contains("--find-links")
        || line.starts_with("-f")
        || first.starts_with(['.', '/', '~'])
        || (first.contains('/') && !first.contains("://"))
        || (!bare.is_empty() && files.has_below(&format!("{dir}{bare}")) && line.contains('@'))
        || line.contains("${")
}

/// Joins a relative path to a folder of the context; `None` when it leaves it.
fn join(folder: &str, name: &str) -> Option<String> {
    if name.starts_with('/') || name.contains("://") {
        return None;
    }
    let cleaned = crate::pattern::clean(&format!("{folder}{name}"));
    (!cleaned.starts_with("..") && cleaned != ".").then_some(cleaned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    struct Fake(BTreeMap<&'static str, &'static str>);

    impl ContextFiles for Fake {
        fn is_file(&self, path: &str) -> bool {
            self.0.contains_key(path)
        }
        fn is_link(&self, _: &str) -> bool {
            false
        }
        fn links_in(&self, _: &str) -> Option<Vec<String>> {
            Some(Vec::new())
        }
        fn has_below(&self, dir: &str) -> bool {
            self.0
                .keys()
                .any(|k| k.strip_prefix(dir).is_some_and(|r| r.starts_with('/')))
        }
        fn named(&self, name: &str) -> Vec<String> {
            self.0
                .keys()
                .filter(|k| k.rsplit('/').next() == Some(name))
                .map(|k| (*k).to_owned())
                .collect()
        }
        fn read(&self, path: &str) -> Option<Vec<u8>> {
            self.0.get(path).map(|t| t.as_bytes().to_vec())
        }
    }

    fn lines(dockerfile: &str, files: &[(&'static str, &'static str)]) -> Vec<String> {
        let source = SourceFile::new("Dockerfile", dockerfile);
        let tree = crate::dockerfile::parse(&source).tree;
        let plan = crate::plan::lower(&tree, &crate::plan::BuildOptions::default());
        let found = find(
            &source,
            &tree,
            &plan,
            &Fake(files.iter().copied().collect()),
        );
        found.into_iter().map(|r| r.text).collect()
    }

    const NPM: &str = "FROM node:22\nWORKDIR /app\nCOPY . .\nRUN npm ci\n";

    #[test]
    fn npm_reads_its_manifests() {
        let good = [
            ("package.json", r#"{"dependencies":{"a":"~1.2"}}"#),
            ("package-lock.json", "{}"),
            ("src/a.js", ""),
        ];
        assert_eq!(
            lines(NPM, &good),
            ["COPY package.json package-lock.json ./\n".replace(
                "package.json package-lock.json",
                "package-lock.json package.json"
            )]
        );
        let chown = NPM.replace("COPY .", "COPY --chown=node:node .");
        assert_eq!(
            lines(&chown, &good),
            ["COPY --chown=node:node package-lock.json package.json ./\n"]
        );
    }

    #[test]
    fn npm_projects_that_look_at_their_sources_are_left_alone() {
        let lock = ("package-lock.json", "{}");
        for manifest in [
            r#"{"scripts":{"postinstall":"node x.js"}}"#,
            r#"{"scripts":{"prepare":"husky"}}"#,
            r#"{"workspaces":["packages/*"]}"#,
            r#"{"dependencies":{"a":"file:../a"}}"#,
            r#"{"dependencies":{"a":"./a"}}"#,
            "not json",
        ] {
            assert!(
                lines(NPM, &[("package.json", manifest), lock]).is_empty(),
                "{manifest}"
            );
        }
        assert!(
            lines(NPM, &[("package.json", "{}")]).is_empty(),
            "npm ci without a lock file"
        );
        assert!(
            lines(
                NPM,
                &[("package.json", "{}"), lock, ("node_modules/a/b", "")]
            )
            .is_empty()
        );
    }

    const PIP: &str =
        "FROM python:3.13\nWORKDIR /app\nCOPY . .\nRUN pip install -r requirements.txt\n";

    #[test]
    fn pip_follows_included_files() {
        let files = [
            ("requirements.txt", "-r base.txt\nflask==3\n"),
            ("base.txt", "# x\nrequests>=2\n"),
            ("app.py", ""),
        ];
        assert_eq!(lines(PIP, &files), ["COPY base.txt requirements.txt ./\n"]);
    }

    #[test]
    fn pip_with_local_paths_is_left_alone() {
        for text in [
            "-e .\n",
            "./libs/x\n",
            "x @ file:///x\n",
            "-r missing.txt\n",
            "libs/x\n",
        ] {
            assert!(
                lines(PIP, &[("requirements.txt", text)]).is_empty(),
                "{text}"
            );
        }
    }
}
