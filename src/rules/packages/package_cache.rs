//! What pip, npm, yarn and composer fetched, kept a second time in a layer of the image.

use super::around::{is_set_before, is_variable_set, ships, up_to};
use super::manager::{Deed, Manager, What, deeds};
use crate::diagnostic::Severity;
use crate::rewrite::Safety;
use crate::rules::chain::append;
use crate::rules::{Check, FileEdit, Findings, Rule, Run, View};

/// `package-cache`.
pub static RULE: Rule = Rule {
    name: "package-cache",
    severity: Severity::Warning,
    summary: "what pip, npm, yarn or composer fetched is in the image twice: installed, and in its cache",
    also: &["DL3042", "DL3060"],
    check: Check::Dockerfile(check),
};

/// How a tool keeps a cache.
struct Keeps {
    /// The folder, below the home directory or absolute.
    folder: &'static str,
    /// Variables that switch it off or move it.
    variables: &'static [&'static str],
    /// Options that do.
    options: &'static [&'static str],
    /// What settings files call that.
    settings: &'static [&'static str],
    /// Texts that a command has which empties it.
    places: &'static [&'static str],
    /// The option that switches it off; else the command that empties it.
    remedy: Result<&'static str, &'static str>,
}

fn keeps(manager: Manager) -> Option<Keeps> {
    Some(match manager {
        Manager::Pip => Keeps {
            folder: "~/.cache/pip",
            variables: &["PIP_NO_CACHE_DIR", "PIP_CACHE_DIR", "XDG_CACHE_HOME"],
            options: &["--no-cache-dir", "--cache-dir", "--no-index", "--no-cache"],
            settings: &["no-cache-dir", "pip.conf"],
            places: &[".cache", "pip cache purge", "/tmp/*", "/root/*"],
            remedy: Ok("--no-cache-dir"),
        },
        Manager::Npm => Keeps {
            folder: "~/.npm",
            variables: &["npm_config_cache", "NPM_CONFIG_CACHE"],
            options: &["--cache"],
            settings: &["npm config set cache"],
            places: &[".npm", "npm cache", "_cacache"],
            remedy: Err("npm cache clean --force"),
        },
        Manager::Yarn => Keeps {
            folder: "/usr/local/share/.cache/yarn",
            variables: &["YARN_CACHE_FOLDER", "XDG_CACHE_HOME"],
            options: &[
                "--cache-folder",
                "--immutable",
                "--immutable-cache",
                "--check-cache",
            ],
            settings: &[
                "cache-folder",
                "yarn set version",
                "corepack",
                "yarn config set",
            ],
            places: &[".cache", "yarn cache"],
            remedy: Err("yarn cache clean"),
        },
        Manager::Composer => Keeps {
            folder: "composer's cache folder",
            variables: &["COMPOSER_CACHE_DIR", "COMPOSER_NO_CACHE"],
            options: &["--no-cache"],
            settings: &["cache-dir"],
            places: &[
                ".composer",
                ".cache",
                "composer clear",
                "/tmp/cache",
                "/tmp/*",
            ],
            remedy: Err("composer clear-cache"),
        },
        _ => return None,
    })
}

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    for run in &view.runs {
        if !ships(view, run.stage) {
            continue;
        }
        let all: Vec<Deed<'_>> = deeds(run).collect();
        let mut told = Vec::new();
        for deed in &all {
            let Some(keeps) = keeps(deed.manager) else {
                continue;
            };
            if !told.contains(&deed.manager) && is_left(view, run, &all, deed, &keeps) {
                told.push(deed.manager);
                found(view, run, &all, deed, &keeps, out);
            }
        }
    }
}

/// It installs something from elsewhere, keeps that, and nobody takes it away.
fn is_left(
    view: &View<'_>,
    run: &Run<'_>,
    all: &[Deed<'_>],
    deed: &Deed<'_>,
    keeps: &Keeps,
) -> bool {
    let installs = deed.what == What::Install && deed.call.always && !deed.unsure && !deed.is_dry();
    if !installs || !fetches(deed) {
        return false;
    }
    let off = keeps.options.iter().any(|o| deed.has_option(o))
        || keeps.variables.iter().any(|v| is_variable_set(run, v))
        || keeps
            .settings
            .iter()
            .any(|s| is_set_before(view, run, s, s));
    // Any mount in a home directory may be the cache.
    let mounts = run
        .step
        .map(|s| s.cache_targets.as_slice())
        .unwrap_or_default();
    let mounted = mounts.iter().any(|t| {
        t.as_deref().is_none_or(|t| {
            t.contains(".cache") || t.contains(".npm") || t.contains("cache") || t == "/root"
        })
    });
    let last = all
        .iter()
        .filter(|o| o.manager == deed.manager && o.what == What::Install);
    let last = last.map(|o| o.call.span.start).max().unwrap_or_default();
    let cleaned = run.calls.iter().filter(|c| c.span.start > last).any(|c| {
        let text = view.source.text(c.span);
        let names = keeps.places.iter().any(|p| text.contains(p));
        names || c.program.contains("clean")
    });
    !off && !mounted && !cleaned && !is_berry(view, deed) && !is_slight(deed)
}

/// Packages of files that are there already are not fetched.
fn fetches(deed: &Deed<'_>) -> bool {
    if deed.manager != Manager::Pip {
        return true;
    }
    let file = |n: &str| n.starts_with(['/', '.']) && n.len() > 1;
    let local = deed
        .packages
        .iter()
        .all(|p| p.name.as_deref().is_some_and(|n| file(n) || n == "."));
    let alone = local && !deed.has_option("-r") && !deed.has_option("--requirement");
    // A folder's own dependencies are fetched, wheels have theirs beside them.
    let wheels = deed.packages.iter().any(|p| p.word.text.ends_with(".whl"));
    !(alone && (deed.has_option("--no-deps") || wheels))
}

/// Newer yarns keep their cache elsewhere.
fn is_berry(view: &View<'_>, deed: &Deed<'_>) -> bool {
    let files = || view.project.files.list().iter();
    deed.manager == Manager::Yarn
        && files().any(|f| f.ends_with(".yarnrc.yml") || f.contains(".yarn/releases/"))
}

/// A tool or two that pip or npm installs for itself: not worth a line.
fn is_slight(deed: &Deed<'_>) -> bool {
    const TOOLS: &[&str] = &[
        "pip",
        "setuptools",
        "wheel",
        "npm",
        "corepack",
        "yarn",
        "pnpm",
    ];
    let name = |n: &str| {
        let end = n.find(['@', '=', '<', '>', '~', '[', '!']);
        TOOLS.contains(&n.get(..end.unwrap_or(n.len())).unwrap_or_default())
    };
    !deed.packages.is_empty()
        && !deed.has_option("-r")
        && deed
            .packages
            .iter()
            .all(|p| p.name.as_deref().is_some_and(name))
}

fn found(
    view: &View<'_>,
    run: &Run<'_>,
    all: &[Deed<'_>],
    deed: &Deed<'_>,
    keeps: &Keeps,
    out: &mut Findings<'_>,
) {
    let message = format!(
        "`{}` leaves what it fetched in `{}`, a second time beside what it installs",
        deed.shown(),
        keeps.folder
    );
    let message = message.replace("`composer's cache folder`", "composer's cache folder");
    let finding = out.at(deed.head(), message);
    let sudo = match deed.call.through.iter().any(|t| t == "sudo") {
        true => "sudo ",
        false => "",
    };
    match keeps.remedy {
        Ok(option) => {
            finding.help(format!(
                "add `{option}`, or mount a cache there: `RUN --mount=type=cache,target=…`"
            ));
            let same = |o: &&Deed<'_>| {
                o.manager == deed.manager
                    && o.what == What::Install
                    && !keeps.options.iter().any(|k| o.has_option(k))
            };
            let open: Vec<&Deed<'_>> = all.iter().filter(same).collect();
            if open.iter().all(|o| o.takes_option(run)) {
                let edit = |o: &&Deed<'_>| FileEdit::insert(o.verb.span.end, format!(" {option}"));
                finding.fix(Safety::Assumed, open.iter().map(edit).collect());
            }
        }
        Err(command) => {
            finding.help(format!(
                "end this RUN with `{command}`, or mount a cache there: `RUN --mount=type=cache,target=…`"
            ));
            // A later step may install from it without the network.
            let offline = up_to(view, run).len() < view.runs.len()
                && view
                    .runs
                    .iter()
                    .any(|r| r.text.contains("--offline") || r.text.contains("--prefer-offline"));
            if !offline && let Some(edits) = append(view, run, &format!("{sudo}{command}")) {
                finding.fix(Safety::Assumed, edits);
            }
        }
    }
}
