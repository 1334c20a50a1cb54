//! `package.json`: dependencies, scripts, programs and workspaces.
//!
//! Goes in: the text of a manifest. Comes out: a [`Package`], and of each dependency where it comes from. Invariant:
//! a way to name a dependency that is not listed is [`Source::Odd`].

use super::globs::Globs;
use super::{Project, inside, join, text};
use serde_json::Value;

/// A manifest.
#[derive(Clone, Debug)]
pub(super) struct Package {
    /// Its folder.
    pub dir: String,
    /// What it says.
    pub json: Value,
}

/// Where a dependency comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A registry, a repository, an address.
    Remote,
    /// Another member of the workspace.
    Member,
    /// A path: `file:`, `link:`, `portal:`, or empty where only the path is given.
    Path(&'static str, String),
    /// What the catalog says.
    Catalog,
    /// Patch files of yarn, as they are written.
    Patch(Vec<String>),
    /// Anything else.
    Odd,
}

const GROUPS: [&str; 4] = [
    "dependencies",
    "devDependencies",
    "optionalDependencies",
    "peerDependencies",
];

const REMOTE: [&str; 14] = [
    "npm:",
    "git:",
    "git+ssh:",
    "git+https:",
    "git+http:",
    "http:",
    "https:",
    "github:",
    "gitlab:",
    "bitbucket:",
    "gist:",
    "jsr:",
    "ssh:",
    "git@",
];

impl Package {
    /// Reads the manifest of a folder.
    ///
    /// # Errors
    /// It is not there or not understood.
    pub(super) fn read(project: &dyn Project, dir: &str) -> Result<Self, String> {
        let path = join(dir, "package.json");
        let json: Value =
            serde_json::from_str(&text(project, &path)?).map_err(|e| format!("{path}: {e}"))?;
        if !json.is_object() {
            return Err(format!("{path} is no object"));
        }
        let dir = dir.to_owned();
        Ok(Self { dir, json })
    }

    /// Its path.
    pub(super) fn path(&self) -> String {
        join(&self.dir, "package.json")
    }

    /// The text of a script.
    pub(super) fn script(&self, name: &str) -> Option<&str> {
        self.json.get("scripts")?.get(name)?.as_str()
    }

    /// Names and versions of all dependencies.
    ///
    /// # Errors
    /// A list that is none.
    pub(super) fn dependencies(&self) -> Result<Vec<(&str, &str)>, String> {
        let mut out = Vec::new();
        for group in GROUPS {
            let Some(list) = self.json.get(group) else {
                continue;
            };
            let odd = || format!("{group} of {} is not understood", self.path());
            for (name, version) in list.as_object().ok_or_else(odd)? {
                out.push((name.as_str(), version.as_str().ok_or_else(odd)?));
            }
        }
        Ok(out)
    }

    /// Whether it asks for a package of this name.
    pub(super) fn asks_for(&self, is_it: impl Fn(&str) -> bool) -> bool {
        let list = self.dependencies().unwrap_or_default();
        list.iter().any(|(name, _)| is_it(name))
    }

    /// Versions that `resolutions` and `overrides` put in the place of others.
    pub(super) fn replacements(&self) -> Vec<&str> {
        let pnpm = self.json.get("pnpm");
        let lists = [
            self.json.get("resolutions"),
            self.json.get("overrides"),
            pnpm.and_then(|p| p.get("overrides")),
        ];
        let mut out = Vec::new();
        lists.iter().flatten().for_each(|l| leaves(l, &mut out));
        out
    }

    /// Programs that it brings, relative to its folder.
    ///
    /// # Errors
    /// They are not listed one by one.
    pub(super) fn programs(&self) -> Result<Vec<&str>, String> {
        let directories = self.json.get("directories");
        if directories.is_some_and(|d| d.get("bin").is_some()) {
            return Err(format!("{} has a folder of programs", self.path()));
        }
        let odd = || format!("bin of {} is not understood", self.path());
        match self.json.get("bin") {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::String(path)) => Ok(vec![path]),
            Some(Value::Object(list)) => {
                list.values().map(|v| v.as_str().ok_or_else(odd)).collect()
            }
            Some(_) => Err(odd()),
        }
    }

    /// Patterns of `workspaces`; `None` where it has none.
    ///
    /// # Errors
    /// They are not understood.
    pub(super) fn workspaces(&self) -> Result<Option<Vec<&str>>, String> {
        let Some(value) = self.json.get("workspaces") else {
            return Ok(None);
        };
        let list = match value {
            Value::Object(map) => match map.get("packages") {
                None => return Ok(None),
                Some(list) => list,
            },
            list => list,
        };
        let odd = || format!("workspaces of {} is not understood", self.path());
        let list = list.as_array().ok_or_else(odd)?;
        let texts = list.iter().map(|v| v.as_str().ok_or_else(odd));
        texts.collect::<Result<_, _>>().map(Some)
    }
}

/// A YAML file as a tree; an empty one is no value.
///
/// # Errors
/// It is not there or not understood.
pub(super) fn yaml(project: &dyn Project, path: &str) -> Result<Value, String> {
    let text = text(project, path)?;
    let options = serde_saphyr::options! { with_snippet: false };
    serde_saphyr::from_str_with_options(&text, options)
        .map_err(|e| format!("{path}: {}", e.without_snippet()))
}

/// All texts of a tree of objects.
pub(super) fn leaves<'v>(value: &'v Value, out: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => out.push(text),
        Value::Object(map) => map.values().for_each(|v| leaves(v, out)),
        Value::Array(list) => list.iter().for_each(|v| leaves(v, out)),
        _ => {}
    }
}

/// The members of a workspace: folders below its top that match and have a manifest of this name, the top left out.
pub(super) fn members(
    project: &dyn Project,
    top: &str,
    globs: &Globs,
    manifest: &str,
) -> Vec<String> {
    if globs.is_empty() {
        return Vec::new();
    }
    let mut out = Vec::new();
    for file in project.below(top) {
        let Some(folder) = file
            .strip_suffix(manifest)
            .and_then(|f| f.strip_suffix('/'))
        else {
            continue;
        };
        let Some(relative) = inside(folder, top).filter(|r| !r.is_empty()) else {
            continue;
        };
        if !relative.split('/').any(|p| p == "node_modules") && globs.matches(relative) {
            out.push(folder.to_owned());
        }
    }
    out
}

/// Where a version comes from.
pub(super) fn source(version: &str) -> Source {
    let version = version.trim();
    let starts = |list: &[&str]| list.iter().any(|p| version.starts_with(p));
    if let Some(patch) = version.strip_prefix("patch:") {
        return patches(patch);
    }
    for kind in ["file:", "link:", "portal:"] {
        if let Some(path) = version.strip_prefix(kind) {
            // `file:///x` and `file:/x` are the same.
            let path = path.strip_prefix("//").unwrap_or(path);
            return Source::Path(kind, path.to_owned());
        }
    }
    if version.starts_with("workspace:") {
        return Source::Member;
    }
    if version.starts_with("catalog:") {
        return Source::Catalog;
    }
    if starts(&REMOTE) {
        return Source::Remote;
    }
    let packed = [".tgz", ".tar.gz", ".tar"]
        .iter()
        .any(|e| version.ends_with(e));
    if starts(&[".", "/"]) || (version.starts_with('~') && !is_tilde_range(version)) || packed {
        return Source::Path("", version.to_owned());
    }
    match version.contains([':', '\\']) {
        true => Source::Odd,
        false => Source::Remote,
    }
}

/// `~1.2` is a version range, `~/x` a path.
fn is_tilde_range(version: &str) -> bool {
    let rest = version.trim_start_matches(['~', '>', '=']).trim_start();
    rest.starts_with(|c: char| c.is_ascii_digit() || matches!(c, 'v' | 'x' | 'X' | '*'))
}

/// `lodash@npm%3A4.17.21#~/.yarn/patches/a.patch&./b.patch::version=…`
fn patches(text: &str) -> Source {
    let Some((what, list)) = text.split_once('#') else {
        return Source::Odd;
    };
    let inner = what.rsplit_once('@').map_or(what, |(_, range)| range);
    let inner = inner.replace("%3A", ":").replace("%3a", ":");
    if source(&inner) != Source::Remote {
        // A patch upon a patch, or upon a local package.
        return Source::Odd;
    }
    let list = list.split("::").next().unwrap_or(list);
    let one = |p: &str| p.trim_start_matches("optional!").to_owned();
    let files = list.split('&').map(one);
    Source::Patch(files.filter(|p| !p.starts_with("builtin<")).collect())
}

#[cfg(test)]
mod tests {
    use super::{Source, source};

    #[test]
    fn versions_tell_where_packages_come_from() {
        for version in [
            "^1.2",
            "~1.2",
            "~ 1",
            "~>2",
            "*",
            "",
            "latest",
            "npm:x@1",
            "1 || 2",
            "user/repo#v1",
            "git+https://e.org/x.git",
            "https://e.org/x.tgz",
            "git@e.org:x/y.git",
            "github:x/y",
        ] {
            assert_eq!(source(version), Source::Remote, "{version}");
        }
        for (version, kind, path) in [
            ("file:../a", "file:", "../a"),
            ("file:///a", "file:", "/a"),
            ("link:./a", "link:", "./a"),
            ("portal:a", "portal:", "a"),
            ("./a", "", "./a"),
            ("~/a", "", "~/a"),
            ("a.tgz", "", "a.tgz"),
        ] {
            assert_eq!(
                source(version),
                Source::Path(kind, path.to_owned()),
                "{version}"
            );
        }
        assert_eq!(source("workspace:^"), Source::Member);
        assert_eq!(source("catalog:x"), Source::Catalog);
        let patch = "patch:a@npm%3A1.0.0#~/.yarn/patches/a.patch&optional!builtin<compat/x>";
        let files = vec!["~/.yarn/patches/a.patch".to_owned()];
        assert_eq!(source(patch), Source::Patch(files));
        for odd in [
            "exec:./x.js",
            "patch:a@patch%3Aa#x",
            "git+file:///x",
            "c:\\x",
        ] {
            assert_eq!(source(odd), Source::Odd, "{odd}");
        }
    }
}
