//! Tools that find files of a project which nothing in the project names.
//!
//! Goes in: nothing. Comes out: names to look for in the texts of a build context. Costs nothing. Invariant: where one of
//! them is named, what it may look for counts as mentioned.

use super::mention::Sort;

/// What looks at the repository itself, in any text of the context.
#[rustfmt::skip]
pub(super) const GIT: &[&str] = &[
    "git rev-parse", "git describe", "git log", "git show", "git status", "git ls-files", "git tag", "git rev-list", "git branch",
    "git diff", "git submodule", "git config", "git symbolic-ref", "git name-rev", "git shortlog", "git --version",
    "git version", "'git'", "\"git\"", "`git", ".git/", "\".git\"", "'.git'", "GIT_DIR",
    "sentry-cli", "nx affected", "find_package(Git", "VersionFromGit", "flit build", "cargo package", "ratchetFrom", "enableGitInfo",
];

/// Packages that do, where a manifest names them.
#[rustfmt::skip]
pub(super) const GIT_PACKAGES: &[&str] = &[
    "setuptools_scm", "setuptools-scm", "hatch-vcs", "versioneer", "poetry-dynamic-versioning", "dynamic_versioning", "dunamai", "pbr",
    "vergen", "vergen-git2", "vergen-gitcl", "vergen-gix", "git2", "gix", "shadow-rs", "built", "git-version", "git_version", "gitversion",
    "GitVersion", "MinVer", "SourceLink", "Nerdbank", "git-commit-id-plugin", "git-commit-id-maven-plugin", "buildnumber-maven-plugin",
    "jgitver", "jgit", "gradle-git-properties", "nebula.release", "axion-release", "grgit", "simple-git", "isomorphic-git", "git-rev-sync",
    "git-revision-webpack-plugin", "git-describe", "git-repo-info", "git-last-commit", "@sentry/nextjs", "@sentry/webpack-plugin",
    "@sentry/vite-plugin", "@sentry/sveltekit", "@sentry/nuxt", "@sentry/remix", "husky", "lefthook", "simple-git-hooks", "lerna", "sbt-git",
    "sbt-dynver", "reckon", "git-versioning", "maven-git-versioning-extension",
    // They tell when a page was last changed.
    "@docusaurus/core", "vitepress", "nextra", "@astrojs/starlight", "@11ty/eleventy", "sphinx-last-updated-by-git",
    "mkdocs-git-revision-date-localized-plugin", "mkdocs-git-authors-plugin", "mkdocs-git-committers-plugin-2",
    // `.git` marks the project's top for it, where there is no lock file.
    "parcel",
];

/// Build backends of Python that leave out what git ignores, or number what they build by a tag. hatchling is none: it looks
/// for `.gitignore`, and `.git` is no more to it than where it stops looking upwards.
#[rustfmt::skip]
pub(super) const BACKENDS: &[&str] = &[
    "poetry-core", "poetry.core", "poetry_core", "maturin", "scikit-build-core", "scikit_build_core", "flit-scm", "flit_scm",
    "setuptools-git-versioning", "setuptools-git", "setuptools_git", "uv-dynamic-versioning", "versioningit", "source = \"scm\"",
];

/// What starts them, in a RUN or a script. A manifest alone does not: that of a Rust program may make a wheel elsewhere.
#[rustfmt::skip]
pub(super) const STARTERS: &[&str] = &[
    "pip", "pip3", "pipx", "pipenv", "poetry", "uv", "maturin", "flit", "hatch", "pdm", "rye", "tox", "nox", "setup.py", "-m build", "pyproject-build",
];

/// Commands that leave out what git ignores, which they only do in a repository.
pub(super) const GIT_COMMANDS: &[&str] = &["rg", "fdfind"];

/// Tailwind 4, which looks through all texts that git does not ignore for names of classes: those of a document count.
#[rustfmt::skip]
pub(super) const SCANNERS: &[(&str, Sort)] = &[
    ("@tailwindcss/vite", Sort::Package), ("@tailwindcss/postcss", Sort::Package), ("@tailwindcss/cli", Sort::Package),
    ("@tailwindcss/webpack", Sort::Package), ("@tailwindcss/oxide", Sort::Package), ("\"tailwindcss\": \"^4", Sort::Package),
    ("\"tailwindcss\": \"~4", Sort::Package), ("\"tailwindcss\": \"4", Sort::Package),
    // The third has `tailwindcss/base` and `tailwindcss/components`, and is told where to look.
    ("@import \"tailwindcss\"", Sort::Phrase), ("@import 'tailwindcss'", Sort::Phrase), ("tailwindcss/theme", Sort::Phrase),
    ("tailwindcss/preflight", Sort::Phrase),
];
