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
    let asks = |is_it: &dyn Fn(&str) -> bool| packages.iter().any(|p| p.asks_for(is_it));
    if asks(&|n| GIT_HOOKS.contains(&n)) {
        no_git(&top.dir, project, needs)?;
    }
    if asks(&|n| n == "nx" || n == "lerna" || n.starts_with("@nx/") || n.starts_with("@nrwl/")) {
        let settings = join(&top.dir, "nx.json");
        if project.is_file(&settings) {
            return Err(format!(
                "nx looks at the whole project of {settings} when it is installed"
            ));
        }
        needs.read(settings);
    }
    let worker = |p: &Package| p.json.get("msw").is_some();
    if asks(&|n| n == "msw") && packages.iter().any(worker) {
        return Err("msw writes its worker into the project when it is installed".to_owned());
    }
    for package in packages {
        looks_at(package, top, project, needs)?;
    }
    Ok(())
}

/// Those that look at the package that asks for them.
fn looks_at(
    package: &Package,
    top: &Package,
    project: &dyn Project,
    needs: &mut Needs,
) -> Result<(), String> {
    if package.asks_for(|n| n == "puppeteer") {
        if package.json.get("puppeteer").is_some() {
            return Err(format!(
                "{} tells puppeteer where to install",
                package.path()
            ));
        }
        for dir in [&package.dir, &top.dir] {
            if let Some(name) = PUPPETEER.iter().find(|n| project.is_file(&join(dir, n))) {
                return Err(format!(
                    "{} tells puppeteer where to install",
                    join(dir, name)
                ));
            }
            needs.read_all(dir, &PUPPETEER);
        }
    }
    if package.asks_for(|n| n == "@sveltejs/kit") {
        for name in ["svelte.config.js", "svelte.config.ts"] {
            let settings = join(&package.dir, name);
            if project.is_file(&settings) {
                return Err(format!(
                    "@sveltejs/kit runs {settings} when it is installed"
                ));
            }
            needs.read(settings);
        }
    }
    if package.asks_for(|n| n == "@prisma/client") {
        for place in [package, top] {
            prisma::generate(place, None, false, project, needs)?;
        }
    }
    Ok(())
}
