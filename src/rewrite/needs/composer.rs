//! Composer: `composer.json`, its lock file and the folders of packages that lie in the project.
//!
//! Goes in: an install by composer. Comes out: the manifests, `vendor` and what else it writes. Invariant: scripts,
//! plugins and autoloaders that look at the sources are reasons, unless the command leaves them out.

use super::shared::{Known, Words, assume, exact, is_in, look_at_git, subtree, variable};
use super::{Command, Found, Needs, Project, join, text};
use crate::footprint::PathClaim;
use serde_json::Value;

const OPTIONS: Known = Known {
    valued: &[
        "-d",
        "--working-dir",
        "--ignore-platform-req",
        "--prefer-install",
    ],
    flags: &[
        "-n",
        "-o",
        "-q",
        "-v",
        "-vv",
        "-vvv",
        "-a",
        "--no-dev",
        "--dev",
        "--no-scripts",
        "--no-autoloader",
        "--no-plugins",
        "--no-progress",
        "--no-interaction",
        "--no-ansi",
        "--ansi",
        "--no-suggest",
        "--no-cache",
        "--no-audit",
        "--prefer-dist",
        "--prefer-source",
        "--optimize-autoloader",
        "--classmap-authoritative",
        "--apcu-autoloader",
        "--ignore-platform-reqs",
        "--quiet",
        "--verbose",
        "--profile",
        "--optimize",
    ],
    starts: &[],
};

/// Symfony's plugin: recipes put files into the project after the installs of a command, and only then.
const FLEX: &str = "symfony/flex";

/// Plugins that keep to `vendor`.
const QUIET_PLUGINS: [&str; 7] = [
    "phpstan/extension-installer",
    "pestphp/pest-plugin",
    "symfony/runtime",
    "infection/extension-installer",
    "composer/package-versions-deprecated",
    "ergebnis/composer-normalize",
    "php-http/discovery",
];

/// Scripts of single packages and downloads: they run when a package is installed, and only then.
pub(super) const PACKAGE_EVENTS: [&str; 7] = [
    "pre-package-install",
    "post-package-install",
    "pre-package-update",
    "post-package-update",
    "pre-operations-exec",
    "pre-file-download",
    "post-file-download",
];

const INSTALL_EVENTS: [&str; 6] = [
    "pre-install-cmd",
    "post-install-cmd",
    "init",
    "command",
    "pre-command-run",
    "pre-pool-create",
];

const AUTOLOAD_EVENTS: [&str; 2] = ["pre-autoload-dump", "post-autoload-dump"];

/// What composer needs.
pub(super) fn needs(command: &Command<'_>, project: &dyn Project) -> Found {
    let words = Words::of(command.arguments, &OPTIONS)?;
    match words.operands.as_slice() {
        ["install" | "i"] => {}
        other => {
            return Err(format!(
                "what `composer {}` reads is not known",
                other.join(" ")
            ));
        }
    }
    if variable(command, "COMPOSER")?.is_some() {
        return Err("COMPOSER names the manifest".to_owned());
    }
    let dir = words
        .value(&["-d", "--working-dir"])
        .map_or_else(|| command.dir.to_owned(), |d| join(command.dir, d));
    let manifest = Manifest::of(&dir, project)?;
    let dumps = !words.has(&["--no-autoloader"]);
    if !words.has(&["--no-scripts"]) {
        manifest.no_scripts(dumps)?;
    }
    if dumps {
        manifest.no_scan(&words)?;
    }
    let mut needs = Needs::default();
    if !words.has(&["--no-plugins"]) {
        let flex = manifest.no_plugins()?;
        if flex && !words.has(&["--no-scripts"]) {
            return Err(format!("the plugin {FLEX} may look at the project"));
        }
        if flex {
            // Without scripts it is never called; behind it nothing is new to it.
            let recipes = join(&dir, "symfony.lock");
            if !project.is_file(&recipes) {
                return Err(format!("{recipes} is not in the build context"));
            }
            needs.reads.insert(exact(&dir, "symfony.lock"));
            assume(
                &mut needs,
                "symfony.lock names the recipes of all packages in composer.lock: none is left for a later install to apply",
            );
        }
    }
    for file in ["composer.json", "composer.lock", "auth.json"] {
        needs.reads.insert(exact(&dir, file));
    }
    manifest.repositories(&mut needs)?;
    manifest.outputs(command, &mut needs)?;
    if variable(command, "COMPOSER_ROOT_VERSION")?.is_none() {
        look_at_git(&mut needs, &dir);
    }
    assume(
        &mut needs,
        "composer and its plugins look at no file of the project beside composer.json and composer.lock",
    );
    super::shared::prune(&mut needs.reads);
    Ok(needs)
}

/// Whether the manifest has scripts that run once for every package.
pub(super) fn runs_for_packages(dir: &str, project: &dyn Project) -> Result<bool, String> {
    let manifest = Manifest::of(dir, project)?;
    Ok(PACKAGE_EVENTS.iter().any(|e| manifest.has_script(e)))
}

/// The manifest and what is locked.
struct Manifest<'a> {
    dir: &'a str,
    json: Value,
    lock: Value,
    project: &'a dyn Project,
}

impl<'a> Manifest<'a> {
    fn of(dir: &'a str, project: &'a dyn Project) -> Result<Self, String> {
        let read = |file: &str| -> Result<Value, String> {
            let path = join(dir, file);
            serde_json::from_str(&text(project, &path)?).map_err(|e| format!("{path}: {e}"))
        };
        let found = Self {
            dir,
            json: read("composer.json")?,
            lock: read("composer.lock")?,
            project,
        };
        match project.has_below(&join(dir, found.config("vendor-dir").unwrap_or("vendor"))) {
            true => Err("the packages are in the build context".to_owned()),
            false => Ok(found),
        }
    }

    fn config(&self, name: &str) -> Option<&str> {
        self.json.get("config")?.get(name)?.as_str()
    }

    fn has_script(&self, event: &str) -> bool {
        self.json
            .get("scripts")
            .and_then(|s| s.get(event))
            .is_some_and(|s| !is_empty(s))
    }

    fn no_scripts(&self, dumps: bool) -> Result<(), String> {
        let dumped = AUTOLOAD_EVENTS.iter().filter(|_| dumps);
        let mut all = INSTALL_EVENTS.iter().chain(&PACKAGE_EVENTS).chain(dumped);
        match all.find(|e| self.has_script(e)) {
            Some(event) => Err(format!("composer.json has a script for {event}")),
            None => Ok(()),
        }
    }

    /// A plain map of namespaces, and files by name, are noted without a look at the sources.
    fn no_scan(&self, words: &Words<'_>) -> Result<(), String> {
        let flags = [
            "-o",
            "--optimize-autoloader",
            "--optimize",
            "-a",
            "--classmap-authoritative",
        ];
        let set = |n: &str| {
            self.json
                .get("config")
                .and_then(|c| c.get(n))
                .is_some_and(|v| v != &Value::Bool(false))
        };
        if words.has(&flags) || set("optimize-autoloader") || set("classmap-authoritative") {
            return Err("the autoloader is made from a look at the sources".to_owned());
        }
        let groups = ["autoload", "autoload-dev"];
        for group in groups.iter().filter_map(|g| self.json.get(g)) {
            if group.get("classmap").is_some_and(|v| !is_empty(v)) {
                return Err("composer.json has sources looked through".to_owned());
            }
        }
        Ok(())
    }

    /// Whether Symfony's plugin is among them.
    fn no_plugins(&self) -> Result<bool, String> {
        let mut flex = false;
        if self.json.get("config").and_then(|c| c.get("allow-plugins")) == Some(&Value::Bool(false))
        {
            return Ok(false);
        }
        let lists = ["packages", "packages-dev"]
            .into_iter()
            .filter_map(|l| self.lock.get(l)?.as_array());
        for package in lists.flatten() {
            let name = package.get("name").and_then(Value::as_str).unwrap_or("");
            flex |= name == FLEX;
            if package.get("type").and_then(Value::as_str) == Some("composer-plugin")
                && name != FLEX
                && !QUIET_PLUGINS.contains(&name)
            {
                return Err(format!("the plugin {name} may look at the project"));
            }
        }
        Ok(flex)
    }

    /// Packages that lie in the project.
    fn repositories(&self, needs: &mut Needs) -> Result<(), String> {
        let list: Vec<&Value> = match self.json.get("repositories") {
            None => Vec::new(),
            Some(Value::Array(list)) => list.iter().collect(),
            Some(Value::Object(map)) => map.values().collect(),
            Some(_) => {
                return Err("the repositories of composer.json are not understood".to_owned());
            }
        };
        for repository in list {
            let kind = repository.get("type").and_then(Value::as_str).unwrap_or("");
            let url = repository.get("url").and_then(Value::as_str).unwrap_or("");
            if !matches!(kind, "path" | "artifact") {
                if url.starts_with(['.', '/']) || url.starts_with("file:") {
                    return Err(format!("the repository {url} is a folder"));
                }
                continue;
            }
            let fixed: Vec<&str> = url
                .split('/')
                .take_while(|p| !p.contains(['*', '?', '[', '{', '$']))
                .collect();
            let place = join(self.dir, &fixed.join("/"));
            if url.contains(['~', '$', '%']) || is_in(self.dir, &place) {
                return Err(format!("the repository {url} is not understood"));
            }
            if !self.project.has_below(&place) {
                return Err(format!("{place} is not in the build context"));
            }
            needs.reads.insert(PathClaim::subtree(place));
        }
        Ok(())
    }

    fn outputs(&self, command: &Command<'_>, needs: &mut Needs) -> Result<(), String> {
        let vendor = match variable(command, "COMPOSER_VENDOR_DIR")? {
            Some(dir) => dir,
            None => self.config("vendor-dir").unwrap_or("vendor"),
        };
        let bin = match variable(command, "COMPOSER_BIN_DIR")? {
            Some(dir) => Some(dir),
            None => self.config("bin-dir"),
        };
        for place in [Some(vendor), bin].into_iter().flatten() {
            if place.contains(['$', '~']) || is_in(self.dir, &join(self.dir, place)) {
                return Err(format!("the folder {place} is not understood"));
            }
            needs.writes.insert(subtree(self.dir, place));
        }
        Ok(())
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::shown_with;

    fn of(line: &str, manifest: &str, lock: &str, more: &[(&str, &str)]) -> String {
        let mut files = vec![
            ("/app/composer.json", manifest),
            ("/app/composer.lock", lock),
            ("/app/src/a.php", ""),
        ];
        files.extend(more);
        shown_with(line, "/app", &files, &[("COMPOSER_ROOT_VERSION", "1")])
    }

    const BARE: &str = "composer install --no-scripts --no-autoloader";
    const MANIFESTS: &str = "/app/auth.json /app/composer.json /app/composer.lock";

    #[test]
    fn packages_alone_need_the_manifests() {
        let script = r#"{"scripts":{"post-install-cmd":"x"},"autoload":{"classmap":["src"]}}"#;
        assert_eq!(
            of(BARE, script, "{}", &[]),
            format!("{MANIFESTS} | /app/vendor/**")
        );
        let plain = r#"{"autoload":{"psr-4":{"A\\":"src/"},"files":["f.php"]},"config":{"vendor-dir":"lib","bin-dir":"bin"}}"#;
        assert_eq!(
            of("composer install --no-dev -n", plain, "{}", &[]),
            format!("{MANIFESTS} | /app/bin/** /app/lib/**")
        );
        let path = r#"{"repositories":[{"type":"path","url":"packages/*"},{"type":"vcs","url":"https://x/y"}]}"#;
        let text = of(BARE, path, "{}", &[("/app/packages/a/composer.json", "{}")]);
        assert_eq!(
            text,
            format!("{MANIFESTS} /app/packages/** | /app/vendor/**")
        );
    }

    #[test]
    fn looks_at_the_sources_are_left_alone() {
        let flex = r#"{"packages":[{"name":"symfony/flex","type":"composer-plugin"}]}"#;
        for (line, manifest, lock) in [
            (
                "composer install",
                r#"{"scripts":{"post-autoload-dump":["x"]}}"#,
                "{}",
            ),
            (
                "composer install",
                r#"{"autoload":{"classmap":["src"]}}"#,
                "{}",
            ),
            ("composer install -o", "{}", "{}"),
            (
                "composer install",
                r#"{"config":{"optimize-autoloader":true}}"#,
                "{}",
            ),
            (BARE, "{}", flex),
            (
                BARE,
                r#"{"repositories":[{"type":"path","url":"*"}]}"#,
                "{}",
            ),
            (
                BARE,
                r#"{"repositories":[{"type":"path","url":"gone"}]}"#,
                "{}",
            ),
            (BARE, "no json", "{}"),
            ("composer update", "{}", "{}"),
            ("composer install --frob", "{}", "{}"),
        ] {
            assert!(
                of(line, manifest, lock, &[]).starts_with('('),
                "{line} {manifest}"
            );
        }
        assert!(!of(&format!("{BARE} --no-plugins"), "{}", flex, &[]).starts_with('('));
        assert!(of(BARE, "{}", "{}", &[("/app/vendor/a", "")]).starts_with('('));
    }

    #[test]
    fn recipes_that_are_noted_are_not_applied_again() {
        let flex = r#"{"packages":[{"name":"symfony/flex","type":"composer-plugin"}]}"#;
        let noted = [("/app/symfony.lock", "{}")];
        assert_eq!(
            of(BARE, "{}", flex, &noted),
            format!("{MANIFESTS} /app/symfony.lock | /app/vendor/**")
        );
        let scripts = of("composer install --no-autoloader", "{}", flex, &noted);
        assert!(scripts.starts_with("(the plugin symfony/flex"), "{scripts}");
    }
}
