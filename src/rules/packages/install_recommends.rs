//! An `apt-get install` that brings the recommended packages along.

use super::around::{Around, Places, says};
use super::manager::{Deed, Manager, Package, What, deeds};
use crate::diagnostic::Severity;
use crate::rewrite::Safety;
use crate::rules::{Check, FileEdit, Findings, Rule, Run, View};

/// `install-recommends`.
pub static RULE: Rule = Rule {
    name: "install-recommends",
    severity: Severity::Note,
    summary: "apt installs what packages recommend beside what they need",
    also: &["DL3015"],
    check: Check::Dockerfile(check),
};

/// Images whose settings leave recommended packages out.
const LEAN: &[&str] = &["minideb", "bitnami/", "phusion/baseimage"];

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    let around = Around::new(view);
    let set = around.places(&["nstall-Recommends", "APT_CONFIG"], "/etc/apt/apt.conf");
    for run in &view.runs {
        let image = around.image(run.stage);
        if !LEAN.iter().any(|l| image.contains(l)) {
            of_run(&around, &set, view, run, out);
        }
    }
}

fn of_run(
    around: &Around<'_, '_>,
    set: &Places,
    view: &View<'_>,
    run: &Run<'_>,
    out: &mut Findings<'_>,
) {
    let open: Vec<Deed<'_>> = deeds(run).filter(takes_all).collect();
    let Some(first) = open.first() else { return };
    // Set for all of apt, or meant.
    let meant = says(view, run, &["recommend"]) || around.is_set(set, run);
    if meant {
        return;
    }
    let ships = around.ships(run.stage);
    let name = first.shown();
    let message = match ships {
        true => format!("`{name}` also installs what these packages only recommend"),
        false => format!(
            "`{name}` also fetches what these packages only recommend, for a stage that is not in the image"
        ),
    };
    let finding = out.at(first.head(), message);
    finding
        .help("add `--no-install-recommends`, and name the recommended packages that are needed");
    if !ships {
        finding.severity(Severity::Note);
    }
    if open.iter().all(|d| d.takes_option(run)) {
        let edit = |d: &Deed<'_>| FileEdit::insert(d.verb.span.end, " --no-install-recommends");
        finding.fix(Safety::Review, open.iter().map(edit).collect());
    }
}

/// An installation by apt that says nothing about recommended packages.
fn takes_all(deed: &Deed<'_>) -> bool {
    let said = deed.mentions("recommends")
        || deed.unsure
        || deed.is_dry()
        || deed.has_option("--only-upgrade")
        || deed.has_option("-c")
        || (deed.call.program == "aptitude" && deed.has_letter('R'));
    let small = |p: &Package| p.name.as_deref().is_some_and(|n| SMALL.contains(&n));
    // Of names that are not known nobody knows what they recommend.
    let much = deed.packages.iter().any(|p| p.name.is_some() && !small(p));
    deed.manager == Manager::Apt && deed.what == What::Install && much && !said
}

/// Packages that recommend nothing, or less than 1 MB (Debian 12).
const SMALL: &[&str] = &[
    "apt-transport-https",
    "bash",
    "bzip2",
    "ca-certificates",
    "curl",
    "file",
    "gzip",
    "iproute2",
    "jq",
    "locales",
    "lsb-release",
    "nano",
    "netcat-openbsd",
    "openssl",
    "patch",
    "procps",
    "rsync",
    "sudo",
    "tar",
    "tini",
    "tzdata",
    "unzip",
    "wget",
    "xz-utils",
    "zip",
    "zstd",
];
