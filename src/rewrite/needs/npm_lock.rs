//! Whether `npm install` would write another lock file than the one that is there.
//!
//! Goes in: the lock file and the manifests that it is of. Comes out: a reason where npm would not leave it as it is: what
//! comes behind the install would put the old one in its place. Source: npm 11 (`pkgMetaKeys` of its arborist, and what it
//! made of manifests that were tried). Invariant: what is not looked at (the versions that npm would choose) is for the caller to assume.

use super::node::Package;
use super::{Project, inside, join, text};
use serde_json::Value;

/// What is in a lock file of a manifest, word for word.
const SAME: [&str; 11] = [
    "version",
    "engines",
    "optionalDependencies",
    "peerDependencies",
    "peerDependenciesMeta",
    "acceptDependencies",
    "os",
    "cpu",
    "libc",
    "deprecated",
    "workspaces",
];

/// Nothing to say where there is no lock file.
pub(super) fn is_up_to_date(
    dir: &str,
    packages: &[Package],
    project: &dyn Project,
) -> Result<(), String> {
    let path = join(dir, "package-lock.json");
    if !project.is_file(&path) {
        return Ok(());
    }
    let odd = || format!("{path} is not understood");
    let lock: Value = serde_json::from_str(&text(project, &path)?).map_err(|_| odd())?;
    if lock.get("lockfileVersion").and_then(Value::as_u64) < Some(2) {
        return Err(format!("npm install writes {path} in a newer form"));
    }
    let listed = lock
        .get("packages")
        .and_then(Value::as_object)
        .ok_or_else(odd)?;
    for package in packages {
        let key = inside(&package.dir, dir).unwrap_or_default();
        let differs = |what: &str| {
            Err(format!(
                "npm install writes {path}: the {what} of {} is another there",
                package.path()
            ))
        };
        let Some(entry) = listed.get(key) else {
            return Err(format!(
                "npm install writes {path}: {} is not in it",
                package.path()
            ));
        };
        if key.is_empty() {
            let own = package.json.get("name").and_then(Value::as_str);
            let folder = dir.rsplit('/').next().unwrap_or_default();
            let name = lock.get("name").and_then(Value::as_str);
            if name != Some(own.unwrap_or(folder)) {
                return differs("name");
            }
            if lock.get("version") != package.json.get("version") {
                return differs("version");
            }
        }
        for (field, own) in written(package, key.is_empty(), project) {
            if own.as_ref() != entry.get(field) {
                return differs(field);
            }
        }
    }
    Ok(())
}

/// What npm writes of a manifest, by field; nothing where it leaves the field out.
fn written(
    package: &Package,
    is_top: bool,
    project: &dyn Project,
) -> Vec<(&'static str, Option<Value>)> {
    let json = &package.json;
    let full = |v: &Value| match v {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
        Value::Bool(true) | Value::Number(_) => true,
    };
    let own = |field: &str| json.get(field).filter(|v| full(v)).cloned();
    let mut out: Vec<_> = SAME.iter().map(|f| (*f, own(f))).collect();
    let name = own("name");
    let folder = folder_name(&package.dir);
    out.push((
        "name",
        name.clone()
            .filter(|n| is_top || n.as_str() != Some(&*folder)),
    ));
    let license = own("license");
    let kind = license.as_ref().and_then(|l| l.get("type")).cloned();
    out.push(("license", kind.or(license)));
    // What is optional as well is that alone.
    let optional = own("optionalDependencies");
    let mut all = own("dependencies");
    if let (Some(Value::Object(all)), Some(Value::Object(optional))) = (&mut all, &optional) {
        all.retain(|name, _| !optional.contains_key(name));
    }
    out.push(("dependencies", all.filter(full)));
    let any = |v: &Value| !matches!(v, Value::Null | Value::Bool(false));
    let dev = json.get("devDependencies").cloned();
    out.push(("devDependencies", dev.filter(any)));
    let funding = own("funding").map(|f| match f {
        Value::String(url) => serde_json::json!({ "url": url }),
        other => other,
    });
    out.push(("funding", funding));
    let bundled = own("bundleDependencies").or_else(|| own("bundledDependencies"));
    // True stands for all of them.
    if bundled != Some(Value::Bool(true)) {
        out.push(("bundleDependencies", bundled));
    }
    let clean = |path: &str| {
        let path = crate::pattern::clean(&format!("/{path}"));
        Value::from(path.trim_start_matches('/'))
    };
    let programs = own("bin").map(|bin| match bin {
        Value::String(path) => {
            let name = name.as_ref().and_then(Value::as_str).unwrap_or_default();
            let name = name.rsplit('/').next().unwrap_or_default();
            serde_json::json!({ name: clean(&path) })
        }
        Value::Object(list) => list
            .into_iter()
            .map(|(name, path)| (name, path.as_str().map_or(Value::Null, clean)))
            .collect(),
        other => other,
    });
    out.push(("bin", programs));
    // One that is compiled has a script that the manifest does not show.
    if !project.is_file(&join(&package.dir, "binding.gyp")) {
        let runs = ["preinstall", "install", "postinstall"];
        let runs = runs
            .iter()
            .any(|s| package.script(s).is_some_and(|t| !t.is_empty()));
        let said = own("hasInstallScript");
        out.push((
            "hasInstallScript",
            said.or(runs.then_some(Value::Bool(true))),
        ));
    }
    out
}

/// The name that a package has by its folder.
fn folder_name(dir: &str) -> String {
    let mut parts = dir.rsplit('/');
    let name = parts.next().unwrap_or_default();
    match parts.next() {
        Some(scope) if scope.starts_with('@') => format!("{scope}/{name}"),
        _ => name.to_owned(),
    }
}
