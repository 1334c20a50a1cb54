//! A RUN that empties the very cache it mounts, or is told not to use it.

use super::around::{Around, Places};
use super::manager::{Deed, Manager, What, deeds};
use crate::diagnostic::Severity;
use crate::rewrite::Safety;
use crate::rules::call::Call;
use crate::rules::chain::cut;
use crate::rules::{Check, FileEdit, Findings, Rule, Run, View};
use crate::source::Span;

/// `cache-mount-cleaned`.
pub static RULE: Rule = Rule {
    name: "cache-mount-cleaned",
    severity: Severity::Warning,
    summary: "a cache mount is emptied, or not used, by the RUN that has it: no build finds anything in it",
    also: &[],
    check: Check::Dockerfile(check),
};

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    let around = Around::new(view);
    let kept = around.places(
        &[
            "docker-clean",
            "eep-Downloaded-Packages",
            "apt.conf.d",
            "APT_CONFIG",
        ],
        "/etc/apt/apt.conf",
    );
    for run in &view.runs {
        let targets: Vec<&str> = run
            .step
            .map(|s| {
                s.cache_targets
                    .iter()
                    .flatten()
                    .map(String::as_str)
                    .collect()
            })
            .unwrap_or_default();
        if targets.is_empty() {
            continue;
        }
        let mut told: Vec<&str> = Vec::new();
        for deed in deeds(run) {
            switched_off(run, &deed, &targets, out);
            emptied_by_tool(view, run, &deed, &targets, &mut told, out);
        }
        for call in run.calls.iter().filter(|c| c.program == "rm") {
            removed(view, run, call, &targets, &mut told, out);
        }
        docker_clean(&around, &kept, run, &targets, out);
    }
}

/// The folders of a tool's cache, as far as a mount's target tells.
fn is_cache_of(manager: Manager, target: &str) -> bool {
    let ends = |list: &[&str]| list.iter().any(|e| target.ends_with(e));
    match manager {
        Manager::Apt => target == "/var/cache/apt" || target == "/var/cache/apt/archives",
        Manager::Apk => target == "/var/cache/apk" || target == "/etc/apk/cache",
        Manager::Pip => ends(&["/.cache/pip", "/.cache", "/cache/pip", "/pip-cache"]),
        Manager::Npm => ends(&["/.npm", "/.npm/_cacache"]),
        Manager::Yarn => ends(&["/.cache/yarn", "/.cache", "/.yarn", "/.cache/yarn/v6"]),
        Manager::Composer => ends(&["/.composer/cache", "/.cache/composer", "/tmp/cache"]),
        Manager::Zypper => target == "/var/cache/zypp",
        m if m.is_dnf() => [
            "/var/cache/dnf",
            "/var/cache/yum",
            "/var/cache/libdnf5",
            "/var/cache/tdnf",
        ]
        .contains(&target),
        _ => false,
    }
}

/// `pip install --no-cache-dir` with a mount for pip's cache.
fn switched_off(run: &Run<'_>, deed: &Deed<'_>, targets: &[&str], out: &mut Findings<'_>) {
    let option = match deed.manager {
        Manager::Pip => "--no-cache-dir",
        Manager::Apk | Manager::Composer => "--no-cache",
        _ => return,
    };
    if deed.what != What::Install {
        return;
    }
    let Some(target) = targets.iter().find(|t| is_cache_of(deed.manager, t)) else {
        return;
    };
    let program = &deed.call.program;
    let words = &deed.call.arguments;
    if let Some(at) = words.iter().position(|a| a.text == option) {
        let message =
            format!("`{option}` keeps {program} from the cache that is mounted at `{target}`");
        let finding = out.at(words[at].span, message);
        finding.help(format!("drop `{option}`: a mount is no part of the image"));
        let before = match at.checked_sub(1) {
            Some(n) => words[n].span.end,
            None => deed.call.program_span.end,
        };
        let gone = Span {
            start: before,
            end: words[at].span.end,
        };
        if !run.text.is_empty() {
            finding.fix(Safety::Assumed, vec![FileEdit::here(gone, "")]);
        }
        return;
    }
    let set = run.step.is_some_and(|s| {
        let on = |v: &str| {
            !matches!(
                v.to_ascii_lowercase().as_str(),
                "" | "0" | "false" | "off" | "no"
            )
        };
        let mut vars = s.written.vars.iter();
        vars.any(|v| v.name == "PIP_NO_CACHE_DIR" && v.value.as_deref().is_some_and(on))
    });
    if set && deed.manager == Manager::Pip {
        let message = format!(
            "`PIP_NO_CACHE_DIR` keeps {program} from the cache that is mounted at `{target}`"
        );
        out.at(deed.head(), message)
            .help("run it with `PIP_NO_CACHE_DIR=0`, or do without the variable: a mount is no part of the image");
    }
}

/// `npm cache clean`, `dnf clean all` and the like.
fn emptied_by_tool<'t>(
    view: &View<'_>,
    run: &Run<'_>,
    deed: &Deed<'_>,
    targets: &[&'t str],
    told: &mut Vec<&'t str>,
    out: &mut Findings<'_>,
) {
    let all = match deed.manager {
        Manager::Apt => matches!(
            deed.verb.value.as_deref(),
            Some("clean" | "distclean" | "dist-clean")
        ),
        // Packages that are not needed any more are taken out of it.
        Manager::Apk => false,
        m if m.is_dnf() => deed
            .packages
            .iter()
            .any(|p| p.name.as_deref() == Some("all")),
        _ => true,
    };
    if deed.what != What::Clean || !all {
        return;
    }
    let Some(target) = targets.iter().find(|t| is_cache_of(deed.manager, t)) else {
        return;
    };
    emptied(view, run, deed.call, target, out);
    told.push(target);
}

fn emptied(view: &View<'_>, run: &Run<'_>, call: &Call, target: &str, out: &mut Findings<'_>) {
    let text = view.source.text(call.span);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let message = format!(
        "`{}` empties the cache that is mounted at `{target}`, so that the next build finds nothing there",
        crate::diagnostic::shorten(&text)
    );
    let finding = out.at(call.span, message);
    finding.help("drop it: a mount is no part of the image");
    if let Some(edits) = cut(view, run, call.span) {
        finding.fix(Safety::Assumed, edits);
    }
}

/// `rm -rf` of a mount, or of what is in it.
fn removed<'t>(
    view: &View<'_>,
    run: &Run<'_>,
    call: &Call,
    targets: &[&'t str],
    told: &mut Vec<&'t str>,
    out: &mut Findings<'_>,
) {
    if !call.has_letter('r') && !call.has_letter('R') && !call.has_option("--recursive") {
        return;
    }
    let words: Vec<_> = call.operands().collect();
    let hits: Vec<(usize, &'t str)> = words
        .iter()
        .enumerate()
        .filter_map(|(n, w)| {
            let path = w.value.as_deref().unwrap_or(&w.text);
            let path = path.replacen("~/", "/root/", usize::from(path.starts_with("~/")));
            let hit = targets.iter().find(|t| empties(&path, t))?;
            Some((n, *hit))
        })
        .collect();
    let Some((first, target)) = hits.first() else {
        return;
    };
    told.extend(hits.iter().map(|(_, t)| *t));
    if hits.len() == words.len() {
        emptied(view, run, call, target, out);
        return;
    }
    let word = words[*first];
    let message = format!(
        "`rm` of `{}` empties the cache that is mounted at `{target}`, so that the next build finds nothing there",
        word.shown()
    );
    let finding = out.at(word.span, message);
    finding.help("leave it out: a mount is no part of the image");
    let edits = hits.iter().filter_map(|(n, _)| {
        let at = call
            .arguments
            .iter()
            .position(|a| a.span == words[*n].span)?;
        let before = call.arguments.get(at.checked_sub(1)?)?.span.end;
        let gone = Span {
            start: before,
            end: words[*n].span.end,
        };
        Some(FileEdit::here(gone, ""))
    });
    let edits: Vec<FileEdit> = edits.collect();
    if edits.len() == hits.len() && !run.text.is_empty() {
        finding.fix(Safety::Assumed, edits);
    }
}

/// Whether taking a path away leaves nothing, or nothing of use, of a mount.
fn empties(path: &str, target: &str) -> bool {
    let main: &[&str] = match target {
        "/var/cache/apt" => &["/archives"],
        "/var/lib/apt" => &["/lists"],
        t if t.ends_with("/.npm") => &["/_cacache"],
        _ => &[],
    };
    let path = path.trim_end_matches("/*").trim_end_matches('/');
    let target = target.trim_end_matches('/');
    path == target || main.iter().any(|m| path.strip_prefix(target) == Some(*m))
}

/// Debian's images empty apt's archives behind every installation.
fn docker_clean(
    around: &Around<'_, '_>,
    kept: &Places,
    run: &Run<'_>,
    targets: &[&str],
    out: &mut Findings<'_>,
) {
    let Some(target) = targets.iter().find(|t| is_cache_of(Manager::Apt, t)) else {
        return;
    };
    let install = deeds(run).find(|d| d.manager == Manager::Apt && d.what == What::Install);
    let Some(install) = install else {
        return;
    };
    if !around.is_official_debian(run.stage) || around.is_set(kept, run) {
        return;
    }
    let image = around.image(run.stage);
    let message = format!(
        "the cache that is mounted at `{target}` stays empty: `/etc/apt/apt.conf.d/docker-clean` of `{image}` deletes packages behind every installation"
    );
    out.at(install.head(), message).help(
        "write `rm -f /etc/apt/apt.conf.d/docker-clean` before the installation, and `echo 'Binary::apt::APT::Keep-Downloaded-Packages \"true\";' > /etc/apt/apt.conf.d/keep-cache` where `apt` is used",
    );
}
