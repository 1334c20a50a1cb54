//! Whether `npm install` would write another lock file than the one that is there.
//!
//! Goes in: the lock file and the manifests that it is of. Comes out: a reason where npm would not leave it as it is: what
//! comes behind the install would put the old one in its place. Source: npm 11, which writes into the lock file the name,
//! the version, the license, the engines and the dependencies of each manifest, and for a manifest without a name that of its
//! folder. Invariant: what is not looked at (the versions that npm would choose) is for the caller to assume.

use super::node::Package;
use super::{Project, inside, join, text};
use serde_json::Value;

/// What is in a lock file of a manifest, word for word.
const SAME: [&str; 7] = [
    "version",
    "license",
    "engines",
    "dependencies",
    "devDependencies",
    "optionalDependencies",
    "peerDependencies",
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
        for field in SAME {
            let empty = |v: &&Value| !v.as_object().is_some_and(|o| o.is_empty());
            let (own, there) = (package.json.get(field), entry.get(field));
            // Licenses and engines have old forms, which npm writes in its own way.
            let old = matches!(field, "license" | "engines")
                && own.is_some_and(|v| !v.is_string() && !v.is_object());
            if !old && own.filter(empty) != there.filter(empty) {
                return differs(field);
            }
        }
    }
    Ok(())
}
