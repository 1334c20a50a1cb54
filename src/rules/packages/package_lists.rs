//! Lists of packages that a RUN fetches and leaves in a layer of the image.

use super::around::Around;
use super::manager::{Deed, Manager, What, deeds};
use crate::diagnostic::Severity;
use crate::rewrite::Safety;
use crate::rules::chain::append;
use crate::rules::{Check, FileEdit, Findings, Rule, Run, View};

/// `package-lists`.
pub static RULE: Rule = Rule {
    name: "package-lists",
    severity: Severity::Warning,
    summary: "lists of packages, which no program reads at run time, stay in a layer of the image",
    also: &["DL3009", "DL3019", "DL3032", "DL3036", "DL3040"],
    check: Check::Dockerfile(check),
};

/// What a manager leaves.
struct Left {
    /// The folder.
    folder: &'static str,
    /// Other places of it: a mount there, or a command that names one, is enough.
    places: &'static [&'static str],
    /// How it is emptied.
    command: String,
    /// About how much it is, where that was measured.
    bytes: Option<u64>,
}

/// RUNs that matter to what earlier ones leave.
struct Later<'r, 'a> {
    /// They remove something.
    remove: Vec<&'r Run<'a>>,
    /// They install by apt from lists of earlier steps, or run what may.
    need: Vec<&'r Run<'a>>,
}

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    let around = Around::new(view);
    let runs = view.runs.iter();
    let later = Later {
        remove: runs.clone().filter(|r| r.text.contains("rm ")).collect(),
        need: runs.filter(|r| needs_lists(r)).collect(),
    };
    for run in &view.runs {
        if !around.ships(run.stage) || run.ins.keyword != "RUN" {
            continue;
        }
        let mut told: Vec<Manager> = Vec::new();
        let all: Vec<Deed<'_>> = deeds(run).collect();
        for deed in &all {
            let Some(left) = left(deed).filter(|_| deed.call.always && !deed.is_dry()) else {
                continue;
            };
            if told.contains(&deed.manager) {
                continue;
            }
            // What cleans behind one of them cleans behind all.
            told.push(deed.manager);
            let mounted = left.places.iter().any(|p| run.is_mounted(p));
            if !mounted && !is_cleaned(run, &all, deed, &left) {
                found(view, (&around, &later), run, (&all, deed), &left, out);
            }
        }
    }
}

fn left(deed: &Deed<'_>) -> Option<Left> {
    let fetches = match deed.manager {
        // Only `update` fetches lists.
        Manager::Apt => deed.what == What::Update,
        Manager::Apk => {
            matches!(deed.what, What::Install | What::Update | What::Upgrade)
                && !deed.has_option("--no-cache")
                && !deed.has_option("--no-network")
                && !deed.has_option("--cache-dir")
                && !deed.has_option("--root")
                && !deed.has_letter('p')
        }
        Manager::Zypper | Manager::Dnf | Manager::Yum | Manager::Microdnf | Manager::Tdnf => {
            matches!(deed.what, What::Install | What::Update | What::Upgrade)
                && !deed.has_option("--installroot")
                && !deed.has_option("--root")
                && !deed.mentions("cachedir")
        }
        _ => false,
    };
    if !fetches || deed.unsure {
        return None;
    }
    let sudo = match deed.call.through.iter().any(|t| t == "sudo") {
        true => "sudo ",
        false => "",
    };
    let program = &deed.call.program;
    Some(match deed.manager {
        Manager::Apt => Left {
            folder: "/var/lib/apt/lists",
            places: &["/var/lib/apt/lists"],
            command: format!("{sudo}rm -rf /var/lib/apt/lists/*"),
            bytes: Some(19_900_000),
        },
        Manager::Apk => Left {
            folder: "/var/cache/apk",
            places: &["/var/cache/apk", "/etc/apk/cache"],
            command: format!("{sudo}rm -rf /var/cache/apk/*"),
            bytes: None,
        },
        Manager::Zypper => Left {
            folder: "/var/cache/zypp",
            places: &["/var/cache/zypp"],
            command: format!("{sudo}zypper clean --all"),
            bytes: None,
        },
        _ => Left {
            folder: match deed.manager {
                Manager::Yum => "/var/cache/yum",
                Manager::Tdnf => "/var/cache/tdnf",
                _ => "/var/cache/dnf",
            },
            places: &[
                "/var/cache/dnf",
                "/var/cache/yum",
                "/var/cache/libdnf5",
                "/var/cache/tdnf",
            ],
            command: format!("{sudo}{program} clean all"),
            bytes: None,
        },
    })
}

/// A command behind the last that fetches takes them away, or may.
fn is_cleaned(run: &Run<'_>, all: &[Deed<'_>], deed: &Deed<'_>, left: &Left) -> bool {
    let family =
        |o: &Deed<'_>| o.manager == deed.manager || (o.manager.is_dnf() && deed.manager.is_dnf());
    let fetch = all.iter().filter(|o| family(o) && self::left(o).is_some());
    let last = fetch
        .map(|o| o.call.span.start)
        .max()
        .unwrap_or(deed.call.span.start);
    let by_tool = all
        .iter()
        .any(|o| family(o) && o.what == What::Clean && takes_lists(o) && o.call.span.start > last);
    let words = [
        "/var/cache/*",
        "/var/cache ",
        "/var/{",
        "/var/lib/{",
        "/var/cache/{",
        "/var/lib/*",
    ];
    let later = run.calls.iter().filter(|c| c.span.start > last);
    let by_hand = later.into_iter().any(|c| {
        let mut texts = c.arguments.iter().map(|a| a.text.as_str());
        let names = texts.any(|t| {
            left.places.iter().any(|p| t.contains(p))
                || left
                    .folder
                    .starts_with(&format!("{}/", t.trim_end_matches("/*")))
                || words
                    .iter()
                    .any(|w| t.contains(w.trim_end()) && w.ends_with(['{', '*']))
        });
        // A script or function of this kind.
        names || c.program.contains("clean")
    });
    by_tool || by_hand
}

/// Whether a manager's own way to clean takes the lists too, and not the packages alone.
fn takes_lists(deed: &Deed<'_>) -> bool {
    let word = |list: &[&str]| {
        let mut names = deed.packages.iter().filter_map(|p| p.name.as_deref());
        names.any(|n| list.contains(&n))
    };
    match deed.manager {
        Manager::Apt => matches!(deed.verb.value.as_deref(), Some("distclean" | "dist-clean")),
        Manager::Zypper => {
            deed.has_letter('a')
                || deed.has_letter('m')
                || deed.has_option("--all")
                || deed.has_option("--metadata")
        }
        m if m.is_dnf() => word(&["all", "metadata"]),
        _ => true,
    }
}

fn found(
    view: &View<'_>,
    (around, later): (&Around<'_, '_>, &Later<'_, '_>),
    run: &Run<'_>,
    (all, deed): (&[Deed<'_>], &Deed<'_>),
    left: &Left,
    out: &mut Findings<'_>,
) {
    let mut behind = around.behind(run, &later.remove);
    let removed = behind
        .find(|r| r.text.contains(left.folder))
        .map(|r| r.ins.line);
    let message = match removed {
        Some(line) => format!(
            "`{}` leaves its lists in this layer's `{}`; line {line} removes them too late, the layer keeps them",
            deed.shown(),
            left.folder
        ),
        None => format!(
            "`{}` leaves its lists in `{}`, and so in the image",
            deed.shown(),
            left.folder
        ),
    };
    let by_flag = deed.manager == Manager::Apk && deed.what == What::Install;
    let flagged: Vec<&Deed<'_>> = all
        .iter()
        .filter(|o| o.manager == Manager::Apk && self::left(o).is_some())
        .collect();
    let flags = by_flag && flagged.iter().all(|o| o.what != What::Update);
    let finding = out.at(deed.head(), message);
    let needed = deed.manager == Manager::Apt && around.behind(run, &later.need).next().is_some();
    finding.help(match (flags, needed) {
        (true, _) => "add `--no-cache`: the index is then kept nowhere".to_owned(),
        (_, true) => format!(
            "a later RUN may install from them: fetch them in each RUN that installs, and end it with `{}`",
            left.command
        ),
        (_, false) => format!("end this RUN with `{}`", left.command),
    });
    if let Some(bytes) = left.bytes {
        finding.bytes(bytes);
    }
    if needed {
        return;
    }
    if flags && flagged.iter().all(|o| o.takes_option(run)) {
        let inserted = flagged
            .iter()
            .map(|o| FileEdit::insert(o.verb.span.end, " --no-cache"));
        finding.fix(Safety::Assumed, inserted.collect());
    } else if !flags && let Some(edits) = append(view, run, &left.command) {
        finding.fix(Safety::Assumed, edits);
    }
}

/// A RUN that installs from lists that an earlier one fetched: without them it fails.
fn needs_lists(run: &Run<'_>) -> bool {
    let own: Vec<Deed<'_>> = deeds(run).collect();
    let first = |what| {
        own.iter()
            .position(|d| d.manager == Manager::Apt && d.what == what)
    };
    match (first(What::Install), first(What::Update)) {
        (Some(install), Some(update)) => install < update,
        (Some(_), None) => true,
        // What it runs may install something.
        (None, update) => update.is_none() && run.calls.iter().any(|c| c.program.ends_with(".sh")),
    }
}
