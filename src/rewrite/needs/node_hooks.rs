//! Packages of the registry whose install scripts look at the project that asks for them.
//!
//! Goes in: the packages of the project. Comes out: what those scripts read, or the reason why that is not known.
//! Invariant: the packages listed are those that are known to do so; that there are no others is an assumption.

use super::node::Package;
use super::node_scripts::no_git;
use super::{Needs, Project, join, prisma};

/// They set up git hooks, where there is a repository.
const GIT_HOOKS: [&str; 8] = [
    "husky",
    "pre-commit",
    "pre-push",
    "simple-git-hooks",
    "lefthook",
    "yorkie",
    "ghooks",
    "@vue/cli-service",
];

const PUPPETEER: [&str; 14] = [
    ".puppeteerrc",
    ".puppeteerrc.json",
    ".puppeteerrc.yaml",
    ".puppeteerrc.yml",
    ".puppeteerrc.js",
    ".puppeteerrc.cjs",
    ".puppeteerrc.mjs",
    ".puppeteerrc.ts",
    ".config/puppeteerrc",
    ".config/puppeteerrc.json",
    "puppeteer.config.js",
    "puppeteer.config.cjs",
    "puppeteer.config.mjs",
    "puppeteer.config.ts",
];

/// Lock files, which name the packages that nobody asks for by name.
const LOCKS: [&str; 6] = [
    "package-lock.json",
    "npm-shrinkwrap.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "bun.lock",
    "bun.lockb",
];

/// Looks for them.
///
/// # Errors
/// What one of them does is not known.
pub(super) fn check(
    packages: &[Package],
    project: &dyn Project,
    needs: &mut Needs,
) -> Result<(), String> {
    let Some(top) = packages.first() else {
        return Ok(());
    };
    let lock = |l: &&str| project.read(&join(&top.dir, l));
    let scene = Scene {
        top,
        locks: LOCKS.iter().filter_map(lock).collect(),
        project,
    };
    for package in packages {
        scene.hooks(package, needs)?;
        scene.nx(package, needs)?;
        scene.browsers(package, needs)?;
        scene.svelte(package, needs)?;
        if scene.asks(package, "@prisma/client") {
            for place in [package, top] {
                prisma::generate(place, None, false, project, needs)?;
            }
        }
        if package.json.get("msw").is_some() && scene.asks(package, "msw") {
            return Err("msw writes its worker into the project when it is installed".to_owned());
        }
    }
    Ok(())
}

struct Scene<'a> {
    top: &'a Package,
    locks: Vec<Vec<u8>>,
    project: &'a dyn Project,
}

impl Scene<'_> {
    /// Whether a package asks for another; what only others ask for counts for the top.
    fn asks(&self, package: &Package, name: &str) -> bool {
        let is_top = package.dir == self.top.dir;
        let locked = || self.locks.iter().any(|l| mentions(l, name));
        package.asks_for(|n| n == name) || (is_top && locked())
    }

    fn hooks(&self, package: &Package, needs: &mut Needs) -> Result<(), String> {
        match GIT_HOOKS.iter().any(|n| self.asks(package, n)) {
            true => no_git(&package.dir, self.project, needs),
            false => Ok(()),
        }
    }

    fn nx(&self, package: &Package, needs: &mut Needs) -> Result<(), String> {
        let family = |n: &str| n.starts_with("@nx/") || n.starts_with("@nrwl/") || n == "lerna";
        if !package.asks_for(family) && !self.asks(package, "nx") {
            return Ok(());
        }
        let settings = join(&self.top.dir, "nx.json");
        if self.project.is_file(&settings) {
            return Err(format!(
                "nx looks at the whole project of {settings} when it is installed"
            ));
        }
        needs.read(settings);
        Ok(())
    }

    fn browsers(&self, package: &Package, needs: &mut Needs) -> Result<(), String> {
        if !self.asks(package, "puppeteer") {
            return Ok(());
        }
        let odd = |path: &str| format!("{path} tells puppeteer where to install");
        for place in [package, self.top] {
            if place.json.get("puppeteer").is_some() {
                return Err(odd(&place.path()));
            }
            let there = |n: &&&str| self.project.is_file(&join(&place.dir, n));
            if let Some(name) = PUPPETEER.iter().find(there) {
                return Err(odd(&join(&place.dir, name)));
            }
            needs.read_all(&place.dir, &PUPPETEER);
        }
        Ok(())
    }

    fn svelte(&self, package: &Package, needs: &mut Needs) -> Result<(), String> {
        if !self.asks(package, "@sveltejs/kit") {
            return Ok(());
        }
        for name in ["svelte.config.js", "svelte.config.ts"] {
            let settings = join(&package.dir, name);
            if self.project.is_file(&settings) {
                return Err(format!(
                    "@sveltejs/kit runs {settings} when it is installed"
                ));
            }
            needs.read(settings);
        }
        Ok(())
    }
}

/// Whether a lock file has a package of this name; it may find one too many.
fn mentions(lock: &[u8], name: &str) -> bool {
    memchr::memmem::find_iter(lock, name).any(|at| {
        let before = at.checked_sub(1).and_then(|b| lock.get(b));
        let after = lock.get(at + name.len());
        // A file of bytes has names one behind the other.
        let part =
            |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_alphanumeric() || b"-_.".contains(b));
        lock.contains(&0) || (!part(before) && !part(after))
    })
}

#[cfg(test)]
mod tests {
    use super::super::shown;

    #[test]
    fn lock_files_name_what_nobody_asks_for() {
        let files = |lock: &'static str| {
            [
                ("/app/package.json", r#"{"dependencies":{"a":"1"}}"#),
                ("/app/package-lock.json", lock),
                ("/app/nx.json", "{}"),
                ("/app/svelte.config.js", ""),
            ]
        };
        for (lock, expected) in [
            (r#"{"packages":{"node_modules/nx":{}}}"#, "(nx looks"),
            (
                r#"{"packages":{"node_modules/@sveltejs/kit":{}}}"#,
                "(@sveltejs/kit runs",
            ),
            (r#"{"packages":{"node_modules/nx-x":{}}}"#, "/app"),
            (
                r#"{"packages":{"node_modules/husky":{}}}"#,
                "/.git/** /app/.git/**",
            ),
        ] {
            let found = shown("npm ci", "/app", &files(lock));
            assert!(found.starts_with(expected), "{lock} {found}");
        }
    }
}
