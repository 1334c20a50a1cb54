//! A smaller variant of the same image: the same family, version and C library, without compilers and headers.

use crate::diagnostic::Severity;
use crate::plan::image_name;
use crate::rewrite::Safety;
use crate::rules::{Check, FileEdit, Findings, Rule, View};
use crate::source::Span;

/// `base-variant`.
pub static RULE: Rule = Rule {
    name: "base-variant",
    severity: Severity::Note,
    summary: "the image that is shipped stands on the large variant of its base, and there is a slim one with the same C library",
    also: &[],
    check: Check::Dockerfile(check),
};

/// Families on Debian with a slim variant, and whether `slim` stands before the name of the release.
const FAMILIES: &[(&str, bool)] = &[
    ("docker.io/library/debian", false),
    ("docker.io/library/node", false),
    ("docker.io/library/python", true),
    ("docker.io/library/ruby", true),
    ("docker.io/library/perl", true),
];

const RELEASES: &[&str] = &[
    "buster",
    "bullseye",
    "bookworm",
    "trixie",
    "forky",
    "sid",
    "stable",
    "oldstable",
];

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    let Some((base, image)) = view.bottom() else {
        return;
    };
    let name = image_name(base);
    let Some((_, before)) = FAMILIES.iter().find(|(n, _)| *n == name) else {
        return;
    };
    let last = base.rsplit('/').next().unwrap_or(base);
    let Some((_, tag)) = last.split('@').next().and_then(|l| l.split_once(':')) else {
        return;
    };
    let Some(slim) = slim(tag, *before) else {
        return;
    };
    if compiles(view) || view.is_windows() {
        return;
    }
    let family = name.rsplit('/').next().unwrap_or(&name).to_owned();
    let what = match family.as_str() {
        "debian" => "documentation and translations",
        _ => "compilers, headers and version control",
    };
    let message = format!(
        "`{base}` brings {what} into the image: `{family}:{slim}` is the same Debian, C library and version without them"
    );
    let finding = out.at(image.span(), message);
    finding.help("take it if no package of the image compiles anything; else keep the large one in a stage that builds");
    let text = view.source.text(image.span());
    if !text.contains('$')
        && !base.contains('@')
        && let Some(at) = text.rfind(tag)
    {
        let start = image.span().start + u32::try_from(at).unwrap_or(0);
        let span = Span {
            start,
            end: start + u32::try_from(tag.len()).unwrap_or(0),
        };
        finding.fix(Safety::Review, vec![FileEdit::here(span, slim)]);
    }
}

/// The tag of the slim variant; `None` for one that is none of these, or is slim already.
fn slim(tag: &str, before: bool) -> Option<String> {
    let parts: Vec<&str> = tag.split('-').collect();
    let is_version = |p: &str| p.bytes().all(|b| b.is_ascii_digit() || b == b'.') && !p.is_empty();
    let is_name = |p: &str| matches!(p, "lts" | "current" | "iron" | "jod" | "krypton");
    match parts.as_slice() {
        [version] if is_version(version) || is_name(version) || RELEASES.contains(version) => {
            Some(format!("{version}-slim"))
        }
        [version, release] if is_version(version) && RELEASES.contains(release) => {
            Some(match before {
                true => format!("{version}-slim-{release}"),
                false => format!("{version}-{release}-slim"),
            })
        }
        _ => None,
    }
}

/// Whether a RUN of the image builds something: then it may need what the large variant brings.
fn compiles(view: &View<'_>) -> bool {
    use crate::footprint::Class;
    let stages = view.image_stages();
    let runs = view
        .runs
        .iter()
        .filter(|r| r.stage.is_some_and(|s| stages.contains(&s)));
    let steps = runs.filter_map(|r| r.step);
    let builds = |s: &crate::plan::Step| s.classes.iter().any(|c| matches!(c, Class::Build));
    steps.into_iter().any(builds)
}
