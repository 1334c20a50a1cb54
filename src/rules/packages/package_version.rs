//! Packages that are installed in whatever version there is on that day.

use super::around::{Around, Places, says};
use super::manager::{Deed, Manager, Package, What, deeds};
use crate::diagnostic::Severity;
use crate::rules::{Check, Findings, Rule, Run, View};
use crate::source::Span;

/// `package-version`.
pub static RULE: Rule = Rule {
    name: "package-version",
    severity: Severity::Note,
    summary: "packages come in whatever version there is on the day of the build",
    also: &[
        "DL3008", "DL3013", "DL3016", "DL3018", "DL3028", "DL3033", "DL3037", "DL3041", "DL3062",
    ],
    check: Check::Dockerfile(check),
};

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    let around = Around::new(view);
    let dated = around.places(&["snapshot"], "");
    for run in &view.runs {
        // Somebody has thought about it, and says so.
        if !says(view, run, &["version", "latest", "unpinned", "not pinned"]) {
            of_run(&around, &dated, run, out);
        }
    }
}

/// One finding for what a RUN takes from distributions, one for each kind of the others.
fn of_run(around: &Around<'_, '_>, dated: &Places, run: &Run<'_>, out: &mut Findings<'_>) {
    let mut told: Vec<(Manager, Span, Vec<String>)> = Vec::new();
    let dated = around.is_set(dated, run);
    for deed in deeds(run) {
        if deed.what != What::Install || deed.is_dry() || is_settled(&deed, dated) {
            continue;
        }
        let open = deed.packages.iter().filter(|p| is_open(&deed, p));
        let names: Vec<String> = open.filter_map(|p| p.name.clone()).collect();
        if names.is_empty() {
            continue;
        }
        match told.iter_mut().find(|(m, ..)| *m == deed.manager) {
            Some((.., list)) => list.extend(names),
            None => told.push((deed.manager, deed.head(), names)),
        }
    }
    for (manager, span, names) in told {
        let list = shown(&names);
        let breaks = match manager {
            // The major version is part of a module's path.
            Manager::Go => "",
            _ => ", with changes that break the build",
        };
        let (message, help) = match manager {
            m if m.is_system() => (
                format!(
                    "{list} without a version: what is installed depends on the day this step last ran"
                ),
                system_help(m),
            ),
            _ => (
                format!(
                    "{list} without a fixed version: whenever this step runs again it may be another one{breaks}"
                ),
                language_help(manager),
            ),
        };
        let finding = out.at(span, message);
        finding.help(help);
        if !manager.is_system() {
            finding.severity(Severity::Warning);
        }
    }
}

fn shown(names: &[String]) -> String {
    let few: Vec<String> = names.iter().take(3).map(|n| format!("`{n}`")).collect();
    match (few.as_slice(), names.len()) {
        ([one], _) => format!("{one} is installed"),
        ([a, b], _) => format!("{a} and {b} are installed"),
        (_, 3) => format!("{} are installed", few.join(", ")),
        (_, n) => format!("{} and {} more are installed", few.join(", "), n - 3),
    }
}

fn system_help(manager: Manager) -> &'static str {
    match manager {
        Manager::Apt => {
            "an exact version breaks the build once the archive drops it; for equal builds pin the base image by digest and take packages from a dated snapshot, else let updates come"
        }
        Manager::Apk => {
            "an exact version breaks the build once Alpine drops it, within weeks often; `name~1.2` keeps to a version and takes its fixes, and a base tag such as `alpine:3.20` keeps to a branch"
        }
        _ => {
            "write `name-1.2*` where the version matters; the base image's release keeps the rest to its branch"
        }
    }
}

fn language_help(manager: Manager) -> &'static str {
    match manager {
        Manager::Pip => {
            "write `name==1.2.3`, or a requirements file with versions and `-r` (or `-c`)"
        }
        Manager::Gem => "write `name:1.2.3`",
        Manager::Cargo => "write `name@1.2.3`, with `--locked` for what it depends on",
        Manager::Composer => "write `name:1.2.3`",
        Manager::Go => "write `@v1.2.3` in place of `@latest`",
        _ => "write `name@1.2.3`",
    }
}

/// The whole command is about one version, or about versions that stand elsewhere.
fn is_settled(deed: &Deed<'_>, dated: bool) -> bool {
    match deed.manager {
        Manager::Apt => deed.has_option("-t") || deed.has_option("--target-release") || dated,
        Manager::Pip => {
            deed.has_option("-c")
                || deed.has_option("--constraint")
                || deed.has_option("--require-hashes")
                || deed.has_option("--no-index")
                || deed.has_option("--dry-run")
        }
        Manager::Npm => deed
            .verb
            .value
            .as_deref()
            .is_some_and(|v| v.contains("ci") || v.contains("clean")),
        Manager::Gem => {
            deed.has_option("-v") || deed.has_option("--version") || deed.has_option("-g")
        }
        Manager::Cargo => ["--version", "--vers", "--path", "--rev", "--tag"]
            .iter()
            .any(|o| deed.has_option(o)),
        Manager::Yarn => !matches!(deed.verb.value.as_deref(), Some("add" | "global")),
        Manager::Composer => !matches!(
            deed.verb.value.as_deref(),
            Some("require" | "create-project")
        ),
        Manager::Dnf | Manager::Yum => deed.verb.value.as_deref() == Some("groupinstall"),
        _ => false,
    }
}

/// A package whose version nobody says.
fn is_open(deed: &Deed<'_>, package: &Package<'_>) -> bool {
    let Some(name) = package.name.as_deref() else {
        return false;
    };
    // Files, addresses, and what is to be taken away.
    let file = name.starts_with(['.', '/', '~', '-', '@'])
        && !(name.starts_with('@')
            && matches!(deed.manager, Manager::Npm | Manager::Yarn | Manager::Pnpm));
    let odd =
        name.is_empty() || name.contains("://") || name.contains(['*', '$', '?', '{', '(', '|']);
    if file || odd || package.word.pattern {
        return false;
    }
    match deed.manager {
        Manager::Apt => {
            !name.contains(['=', '/', ':'])
                && !name.ends_with(['-', '+'])
                && !name.ends_with(".deb")
        }
        Manager::Apk => !name.contains(['=', '~', '<', '>', '/']) && !name.ends_with(".apk"),
        Manager::Dnf | Manager::Yum | Manager::Microdnf | Manager::Tdnf | Manager::Zypper => {
            !is_versioned_rpm(name)
                && !name.ends_with(".rpm")
                && !name.contains(['=', '<', '>', '/', ':'])
        }
        Manager::Pip => is_open_python(name),
        Manager::Npm | Manager::Yarn | Manager::Pnpm => is_open_node(name),
        Manager::Gem => !name.contains(':') && !name.ends_with(".gem"),
        Manager::Composer => !name.contains([':', '=']) && package_is_first(deed, package),
        Manager::Go => name.ends_with("@latest"),
        Manager::Cargo => !name.contains('@') && !deed.has_option("--git"),
    }
}

/// `create-project` has a folder and a version behind the package.
fn package_is_first(deed: &Deed<'_>, package: &Package<'_>) -> bool {
    let creates = deed.verb.value.as_deref() == Some("create-project");
    let first = deed
        .packages
        .first()
        .is_some_and(|p| p.word.span == package.word.span);
    !creates || (first && deed.packages.len() < 3)
}

/// `nginx-1.24.0`, `nginx-1.24*`: a part that starts with a digit and has a point in it.
fn is_versioned_rpm(name: &str) -> bool {
    name.split('-')
        .skip(1)
        .any(|part| part.starts_with(|c: char| c.is_ascii_digit()) && part.contains(['.', '*']))
}

/// Tools that pip itself consists of, or that build what is asked for: any version does.
fn is_open_python(name: &str) -> bool {
    const TOOLS: &[&str] = &["pip", "setuptools", "wheel"];
    let local = name.contains('/') || [".whl", ".gz", ".zip"].iter().any(|e| name.ends_with(e));
    let said = name.contains(['=', '<', '>', '~', '!', '@', ';']);
    !local && !said && !TOOLS.contains(&name)
}

/// `name`, `@scope/name`, with `latest` and the like behind an `@` or nothing.
fn is_open_node(name: &str) -> bool {
    const MOVING: &[&str] = &["latest", "next", "*"];
    let bare = name.strip_prefix('@').unwrap_or(name);
    let address = name.contains(':')
        || name.ends_with(".tgz")
        || (bare.contains('/') && !name.starts_with('@'));
    if address {
        return false;
    }
    match bare.split_once('@') {
        None => true,
        Some((_, version)) => MOVING.contains(&version),
    }
}
