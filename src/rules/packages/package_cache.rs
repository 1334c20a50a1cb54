//! What pip, npm, yarn and composer fetched, kept a second time in a layer of the image.

use super::around::{Around, Places, is_variable_set};
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

/// The managers that keep one here.
const MANAGERS: [Manager; 4] = [Manager::Pip, Manager::Npm, Manager::Yarn, Manager::Composer];

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    let around = Around::new(view);
    let offline = view.runs.iter().any(|r| r.text.contains("-offline"));
    let files = view.project.files;
    for manager in MANAGERS {
        let Some(keeps) = keeps(manager) else {
            continue;
        };
        let set = around.places(keeps.settings, "");
        for run in view.runs.iter().filter(|r| around.ships(r.stage)) {
            let all: Vec<Deed<'_>> = deeds(run).filter(|d| d.manager == manager).collect();
            let Some(deed) = all.iter().find(|d| is_kept(d, &keeps)) else {
                continue;
            };
            // Newer yarns keep their cache elsewhere.
            let berry = || {
                let mut list = files.list().iter();
                list.any(|f| f.ends_with(".yarnrc.yml") || f.contains(".yarn/releases/"))
            };
            let elsewhere = manager == Manager::Yarn && berry();
            if !elsewhere && is_left(view, run, &all, &keeps, (&around, &set)) {
                found(view, run, &all, (deed, &keeps), offline, out);
            }
        }
    }
}

/// It installs something from elsewhere and says nothing about the cache.
fn is_kept(deed: &Deed<'_>, keeps: &Keeps) -> bool {
    deed.what == What::Install
        && deed.call.always
        && !deed.unsure
        && !deed.is_dry()
        && fetches(deed)
        && !is_slight(deed)
        && !keeps.options.iter().any(|o| deed.has_option(o))
}

/// Nothing else switches the cache off, and nobody takes it away.
fn is_left(
    view: &View<'_>,
    run: &Run<'_>,
    all: &[Deed<'_>],
    keeps: &Keeps,
    (around, set): (&Around<'_, '_>, &Places),
) -> bool {
    let off = keeps.variables.iter().any(|v| is_variable_set(run, v)) || around.is_set(set, run);
    // Any mount in a home directory may be the cache.
    let mounts = run
        .step
        .map(|s| s.cache_targets.as_slice())
        .unwrap_or_default();
    let mounted = mounts.iter().any(|t| {
        t.as_deref()
            .is_none_or(|t| t.contains("cache") || t.contains(".npm") || t == "/root")
    });
    let last = all.iter().filter(|o| o.what == What::Install);
    let last = last.map(|o| o.call.span.start).max().unwrap_or_default();
    let cleaned = run.calls.iter().filter(|c| c.span.start > last).any(|c| {
        let text = view.source.text(c.span);
        keeps.places.iter().any(|p| text.contains(p)) || c.program.contains("clean")
    });
    !off && !mounted && !cleaned
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
    // An address is checked out and built: of that nothing is kept.
    let address = |text: &str| text.contains("git+");
    let addresses = deed.packages.iter().all(|p| address(&p.word.text));
    !(alone && (deed.has_option("--no-deps") || wheels) || addresses && !deed.packages.is_empty())
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
    (deed, keeps): (&Deed<'_>, &Keeps),
    offline: bool,
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
                o.what == What::Install && !keeps.options.iter().any(|k| o.has_option(k))
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
            if !offline && let Some(edits) = append(view, run, &format!("{sudo}{command}")) {
                finding.fix(Safety::Assumed, edits);
            }
        }
    }
}
