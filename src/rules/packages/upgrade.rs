//! Upgrades of all packages in a build.

use super::around::says;
use super::manager::{Manager, What, deeds};
use crate::diagnostic::Severity;
use crate::rules::{Check, Findings, Rule, View};
use std::cell::OnceCell;

/// `upgrade`.
pub static RULE: Rule = Rule {
    name: "upgrade",
    severity: Severity::Note,
    summary: "an upgrade of all packages does nothing while its step is cached, and gives another image whenever it is not",
    also: &["DL3005", "DL3017", "DL3031", "DL3035", "DL3039"],
    check: Check::Dockerfile(check),
};

/// What a comment says where somebody means it.
const REASONS: &[&str] = &[
    "security",
    "cve",
    "vulnerab",
    "patch",
    "trivy",
    "upgrade",
    "update all",
];

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    for run in &view.runs {
        let said = OnceCell::new();
        let said = || *said.get_or_init(|| says(view, run, REASONS));
        for deed in deeds(run) {
            let names = deed.packages.iter().any(|p| p.name.as_deref() != Some("*"));
            // Named packages alone are upgraded.
            let partial = names && !(deed.manager == Manager::Zypper && deed.has_letter('t'));
            if deed.what != What::Upgrade
                || !deed.manager.is_system()
                || partial
                || deed.is_dry()
                || deed.unsure
                || deed.mentions("security")
                || deed.has_option("--installroot")
                || said()
            {
                continue;
            }
            // What another repository has newer comes by an upgrade alone.
            let sources = [
                "sources.list",
                "add-apt-repository",
                "/etc/apk/repositories",
                "yum.repos.d",
            ];
            if sources.iter().any(|s| run.text.contains(s)) {
                continue;
            }
            let of = base(view, run.stage);
            let message = format!(
                "`{}` replaces packages{of} in a layer above them, and only when this step happens to run",
                deed.shown()
            );
            // One with a digest is the same whatever is pulled.
            let pinned = run.stage.and_then(|s| view.base_image(s));
            let newer = match pinned.is_some_and(|image| image.contains('@')) {
                true => "raise the digest of the base image for its fixes",
                false => "start from a newer base image; rebuild with `--pull` for its fixes",
            };
            out.at(deed.head(), message).help(format!(
                "{newer}, or upgrade the one package that has to be newer"
            ));
            // One upgrade of a RUN is enough to speak of.
            break;
        }
    }
}

/// ` of IMAGE`, where its name is known.
fn base(view: &View<'_>, stage: Option<usize>) -> String {
    let Some(stage) = stage else {
        return String::new();
    };
    let last = view.chain(stage).last().copied().unwrap_or(stage);
    let from = view.plan.stages.get(last).map_or(0, |s| s.from);
    let written = view.tree.instructions().get(from).is_some_and(
        |i| matches!(i.kind(), crate::dockerfile::Kind::From { image, .. } if !image.contains('$')),
    );
    let image = view.base_image(stage).filter(|i| written && !i.is_empty());
    let name = image.map(|i| i.split('@').next().unwrap_or(i));
    name.map_or(String::new(), |n| format!(" of `{n}`"))
}
