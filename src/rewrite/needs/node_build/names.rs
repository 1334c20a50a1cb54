//! What files are by their names: settings, tests, papers.
//!
//! Goes in: a path. Comes out: whether tools of a build look at it by themselves. Invariant: a file that is none of these is
//! a source like any other.

use super::super::shared;

/// Files of a package that are understood as what they are.
pub(super) const UNDERSTOOD: [&str; 3] = ["pnpm-workspace.yaml", "turbo.json", "turbo.jsonc"];

/// Packages that ask git what they are built from.
#[rustfmt::skip]
pub(super) const GIT_PACKAGES: &[&str] = &[
    "simple-git", "git-rev", "git-rev-sync", "git-revision-webpack-plugin", "git-describe", "git-last-commit",
    "git-commit-info", "git-repo-info", "git-repo-version", "git-branch", "git-version", "gitlog", "gitinfo",
    "isomorphic-git", "nodegit", "last-commit-log", "vite-plugin-git-revision", "vite-plugin-git-version",
    "unplugin-info", "next-build-id", "git-hash", "git-sha1", "git-last-updated", "@semantic-ui/git",
    "vite-plugin-version-mark", "rollup-plugin-git-version", "babel-plugin-git-version", "git-url-parse-sha",
];

/// The part of a path before its first `*`, up to a slash.
pub(super) fn before_star(word: &str) -> &str {
    match word.split_once('*') {
        Some((fixed, _)) => fixed.rsplit_once('/').map_or("", |(d, _)| d),
        None => word.trim_end_matches('/'),
    }
}

/// Whether a file is a test.
pub(super) fn is_test(path: &str) -> bool {
    let name = shared::name(path);
    name.contains(".test.") || name.contains(".spec.") || path.contains("/__tests__/")
}

/// Files that tell tools of a build what to look at; not those that only tests, formatters and editors look at.
pub(super) fn is_settings(path: &str) -> bool {
    const OTHERS: [&str; 19] = [
        "jest",
        "vitest",
        "playwright",
        "cypress",
        "prettier",
        ".prettier",
        "lint-staged",
        ".lintstaged",
        "commitlint",
        ".commitlint",
        ".release",
        "release.",
        "stylelint",
        ".stylelint",
        "knip",
        ".oxlint",
        ".oxfmt",
        ".npmrc",
        ".yarnrc",
    ];
    let name = shared::name(path);
    if OTHERS.iter().any(|o| name.starts_with(o)) {
        return false;
    }
    let code = [
        "js", "cjs", "mjs", "ts", "cts", "mts", "json", "jsonc", "yml", "yaml", "toml",
    ];
    let ending = name.rsplit_once('.').map_or("", |(_, e)| e);
    let is_code = code.contains(&ending);
    const STARTS: [&str; 12] = [
        "tsconfig",
        "jsconfig",
        "vite.",
        "webpack.",
        "rollup.",
        "nest-cli.json",
        "angular.json",
        "project.json",
        "svelte.",
        "gulpfile.",
        "esbuild.",
        "build.",
    ];
    let rc = name.starts_with('.') && name.contains("rc");
    let tells = name.contains(".config.")
        || name.contains(".tsconfig")
        || rc
        || STARTS.iter().any(|s| name.starts_with(s));
    tells && (is_code || rc && !name[1..].contains('.'))
}

/// Papers, and settings of what is no part of a build: they are read where they are named.
pub(super) fn is_paper(name: &str) -> bool {
    const NAMES: [&str; 11] = [
        ".mailmap",
        "REUSE.toml",
        "sonar-project.properties",
        ".git-blame-ignore-revs",
        ".gitattributes",
        ".typos.toml",
        "_typos.toml",
        ".coderabbit.yaml",
        ".coderabbit.yml",
        "CODEOWNERS",
        ".lgtm.yml",
    ];
    const STARTS: [&str; 5] = [
        "AUTHORS",
        "CONTRIBUTORS",
        "NOTICE",
        "MAINTAINERS",
        "Makefile",
    ];
    shared::is_paper(name, false)
        || NAMES.contains(&name)
        || name.ends_with(".license")
        || STARTS.iter().any(|s| name.starts_with(s))
}

/// Files that package managers and tools look for in the folders above.
pub(super) fn is_looked_for(name: &str) -> bool {
    const NAMES: [&str; 22] = [
        "package.json",
        "package-lock.json",
        "yarn.lock",
        "pnpm-lock.yaml",
        "pnpm-workspace.yaml",
        "bun.lock",
        "bun.lockb",
        "lerna.json",
        "nx.json",
        "turbo.json",
        "turbo.jsonc",
        ".npmrc",
        ".yarnrc",
        ".yarnrc.yml",
        ".nvmrc",
        ".node-version",
        ".tool-versions",
        ".gitignore",
        ".editorconfig",
        ".browserslistrc",
        "browserslist",
        "components.json",
    ];
    NAMES.contains(&name) || name == ".env" || name.starts_with(".env.")
}

#[cfg(test)]
mod tests {
    use super::{before_star, is_settings};

    #[test]
    fn settings_are_told_from_other_files() {
        for (path, tells) in [
            ("/a/vite.config.ts", true),
            ("/a/tsconfig.build.json", true),
            ("/a/.babelrc", true),
            ("/a/.eslintrc.cjs", true),
            ("/a/nest-cli.json", true),
            ("/a/postcss.config.mjs", true),
            ("/a/jest.config.js", false),
            ("/a/playwright.config.ts", false),
            ("/a/src/config.ts", false),
            ("/a/.gitignore", false),
        ] {
            assert_eq!(is_settings(path), tells, "{path}");
        }
        assert_eq!(before_star("a/b/*.ts"), "a/b");
        assert_eq!(before_star("a*"), "");
    }
}
