//! The pages of `docs/rules/`, for formats that bring a rule's help along.
//!
//! Goes in: a rule's name. Comes out: its page, or parts of it. The pages are part of the program (95 kB), so that help and rules are of one
//! version and nothing is fetched. Invariant: every rule has one (a test in `tests/formats.rs` compares with the registry); links to other pages are
//! taken out, since nobody can follow them from elsewhere.

use std::borrow::Cow;

/// Most characters of a description that code scanning shows.
const MOST_CHARACTERS: usize = 1000;

/// The page of a rule without its title.
#[must_use]
pub fn page(rule: &str) -> Option<Cow<'static, str>> {
    let at = PAGES.binary_search_by_key(&rule, |(name, _)| name).ok()?;
    let text = PAGES[at].1;
    let body = text.split_once('\n').map_or("", |(_, body)| body);
    Some(without_links(body.trim()))
}

/// What a rule finds and why that matters: the page up to how it is measured, in plain text.
#[must_use]
pub fn description(rule: &str) -> Option<String> {
    let page = page(rule)?;
    let paragraphs = page.split("\n\n");
    let about = paragraphs.take_while(|p| !p.starts_with("**How it is measured"));
    let mut out = String::new();
    for one in about.filter(|p| !p.starts_with(['|', '`', '-'])) {
        let text = one.replace("**Why.** ", "").replace('\n', " ");
        if out.chars().count() + text.chars().count() > MOST_CHARACTERS {
            break;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(text.trim());
    }
    (!out.is_empty()).then_some(out)
}

/// `[text](where)` as `text`, but for addresses that stand for themselves.
fn without_links(text: &'static str) -> Cow<'static, str> {
    if !text.contains("](") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(middle) = rest.find("](") {
        let (open, close) = (rest[..middle].rfind('['), rest[middle..].find(')'));
        let (Some(open), Some(close)) = (open, close) else {
            break;
        };
        let end = middle + close + 1;
        let target = &rest[middle + 2..end - 1];
        if target.starts_with("https://") {
            out.push_str(&rest[..end]);
        } else {
            out.push_str(&rest[..open]);
            out.push_str(&rest[open + 1..middle]);
        }
        rest = &rest[end..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Sorted by name.
static PAGES: &[(&str, &str)] = &[
    (
        "ConsistentInstructionCasing",
        include_str!("../../docs/rules/ConsistentInstructionCasing.md"),
    ),
    (
        "CopyIgnoredFile",
        include_str!("../../docs/rules/CopyIgnoredFile.md"),
    ),
    (
        "DuplicateStageName",
        include_str!("../../docs/rules/DuplicateStageName.md"),
    ),
    (
        "ExposeInvalidFormat",
        include_str!("../../docs/rules/ExposeInvalidFormat.md"),
    ),
    (
        "ExposeProtoCasing",
        include_str!("../../docs/rules/ExposeProtoCasing.md"),
    ),
    (
        "FromAsCasing",
        include_str!("../../docs/rules/FromAsCasing.md"),
    ),
    (
        "FromPlatformFlagConstDisallowed",
        include_str!("../../docs/rules/FromPlatformFlagConstDisallowed.md"),
    ),
    (
        "InvalidDefaultArgInFrom",
        include_str!("../../docs/rules/InvalidDefaultArgInFrom.md"),
    ),
    (
        "InvalidDefinitionDescription",
        include_str!("../../docs/rules/InvalidDefinitionDescription.md"),
    ),
    (
        "JSONArgsRecommended",
        include_str!("../../docs/rules/JSONArgsRecommended.md"),
    ),
    (
        "LegacyKeyValueFormat",
        include_str!("../../docs/rules/LegacyKeyValueFormat.md"),
    ),
    (
        "MaintainerDeprecated",
        include_str!("../../docs/rules/MaintainerDeprecated.md"),
    ),
    (
        "MultipleInstructionsDisallowed",
        include_str!("../../docs/rules/MultipleInstructionsDisallowed.md"),
    ),
    (
        "NoEmptyContinuation",
        include_str!("../../docs/rules/NoEmptyContinuation.md"),
    ),
    (
        "RedundantTargetPlatform",
        include_str!("../../docs/rules/RedundantTargetPlatform.md"),
    ),
    (
        "ReservedStageName",
        include_str!("../../docs/rules/ReservedStageName.md"),
    ),
    (
        "SecretsUsedInArgOrEnv",
        include_str!("../../docs/rules/SecretsUsedInArgOrEnv.md"),
    ),
    (
        "StageNameCasing",
        include_str!("../../docs/rules/StageNameCasing.md"),
    ),
    (
        "UndefinedArgInFrom",
        include_str!("../../docs/rules/UndefinedArgInFrom.md"),
    ),
    (
        "UndefinedVar",
        include_str!("../../docs/rules/UndefinedVar.md"),
    ),
    (
        "WorkdirRelativePath",
        include_str!("../../docs/rules/WorkdirRelativePath.md"),
    ),
    (
        "add-not-copy",
        include_str!("../../docs/rules/add-not-copy.md"),
    ),
    (
        "archive-copied",
        include_str!("../../docs/rules/archive-copied.md"),
    ),
    (
        "archive-kept",
        include_str!("../../docs/rules/archive-kept.md"),
    ),
    (
        "arg-before-run",
        include_str!("../../docs/rules/arg-before-run.md"),
    ),
    ("assume-yes", include_str!("../../docs/rules/assume-yes.md")),
    (
        "base-digest",
        include_str!("../../docs/rules/base-digest.md"),
    ),
    ("base-tag", include_str!("../../docs/rules/base-tag.md")),
    (
        "base-variant",
        include_str!("../../docs/rules/base-variant.md"),
    ),
    (
        "build-tools",
        include_str!("../../docs/rules/build-tools.md"),
    ),
    (
        "cache-mode-min",
        include_str!("../../docs/rules/cache-mode-min.md"),
    ),
    (
        "cache-mount-cleaned",
        include_str!("../../docs/rules/cache-mount-cleaned.md"),
    ),
    (
        "cache-mount-on-ephemeral",
        include_str!("../../docs/rules/cache-mount-on-ephemeral.md"),
    ),
    (
        "cache-one-sided",
        include_str!("../../docs/rules/cache-one-sided.md"),
    ),
    (
        "cache-scope-clash",
        include_str!("../../docs/rules/cache-scope-clash.md"),
    ),
    ("cd-workdir", include_str!("../../docs/rules/cd-workdir.md")),
    (
        "chown-layer",
        include_str!("../../docs/rules/chown-layer.md"),
    ),
    (
        "compiler-base",
        include_str!("../../docs/rules/compiler-base.md"),
    ),
    (
        "context-archives",
        include_str!("../../docs/rules/context-archives.md"),
    ),
    (
        "context-duplicates",
        include_str!("../../docs/rules/context-duplicates.md"),
    ),
    (
        "context-heavy",
        include_str!("../../docs/rules/context-heavy.md"),
    ),
    (
        "context-leak",
        include_str!("../../docs/rules/context-leak.md"),
    ),
    (
        "context-output",
        include_str!("../../docs/rules/context-output.md"),
    ),
    (
        "context-secrets",
        include_str!("../../docs/rules/context-secrets.md"),
    ),
    (
        "context-vcs",
        include_str!("../../docs/rules/context-vcs.md"),
    ),
    (
        "copy-before-install",
        include_str!("../../docs/rules/copy-before-install.md"),
    ),
    (
        "copy-too-broad",
        include_str!("../../docs/rules/copy-too-broad.md"),
    ),
    (
        "deleted-later",
        include_str!("../../docs/rules/deleted-later.md"),
    ),
    (
        "dockerfile-generated",
        include_str!("../../docs/rules/dockerfile-generated.md"),
    ),
    (
        "dockerfile-ignored",
        include_str!("../../docs/rules/dockerfile-ignored.md"),
    ),
    (
        "dockerfile-untracked",
        include_str!("../../docs/rules/dockerfile-untracked.md"),
    ),
    (
        "download-insecure",
        include_str!("../../docs/rules/download-insecure.md"),
    ),
    (
        "download-unchecked",
        include_str!("../../docs/rules/download-unchecked.md"),
    ),
    (
        "empty-layer",
        include_str!("../../docs/rules/empty-layer.md"),
    ),
    (
        "epoch-workdir",
        include_str!("../../docs/rules/epoch-workdir.md"),
    ),
    (
        "image-labels",
        include_str!("../../docs/rules/image-labels.md"),
    ),
    (
        "init-script",
        include_str!("../../docs/rules/init-script.md"),
    ),
    (
        "install-recommends",
        include_str!("../../docs/rules/install-recommends.md"),
    ),
    ("jdk-base", include_str!("../../docs/rules/jdk-base.md")),
    ("lost-state", include_str!("../../docs/rules/lost-state.md")),
    (
        "no-cache-export",
        include_str!("../../docs/rules/no-cache-export.md"),
    ),
    ("output-tag", include_str!("../../docs/rules/output-tag.md")),
    (
        "overwritten-later",
        include_str!("../../docs/rules/overwritten-later.md"),
    ),
    (
        "package-cache",
        include_str!("../../docs/rules/package-cache.md"),
    ),
    (
        "package-list-order",
        include_str!("../../docs/rules/package-list-order.md"),
    ),
    (
        "package-lists",
        include_str!("../../docs/rules/package-lists.md"),
    ),
    (
        "package-version",
        include_str!("../../docs/rules/package-version.md"),
    ),
    (
        "pod-containers",
        include_str!("../../docs/rules/pod-containers.md"),
    ),
    (
        "removes-nothing",
        include_str!("../../docs/rules/removes-nothing.md"),
    ),
    (
        "repeated-literal",
        include_str!("../../docs/rules/repeated-literal.md"),
    ),
    (
        "repeated-prefix",
        include_str!("../../docs/rules/repeated-prefix.md"),
    ),
    (
        "repeated-step",
        include_str!("../../docs/rules/repeated-step.md"),
    ),
    (
        "runtime-data",
        include_str!("../../docs/rules/runtime-data.md"),
    ),
    (
        "several-services",
        include_str!("../../docs/rules/several-services.md"),
    ),
    ("shell-pid1", include_str!("../../docs/rules/shell-pid1.md")),
    (
        "swallowed-instruction",
        include_str!("../../docs/rules/swallowed-instruction.md"),
    ),
    (
        "update-apart",
        include_str!("../../docs/rules/update-apart.md"),
    ),
    ("upgrade", include_str!("../../docs/rules/upgrade.md")),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_a_page_and_a_description() {
        assert!(PAGES.is_sorted_by_key(|(name, _)| name));
        for rule in crate::rules::all() {
            let text = page(rule.name).unwrap_or_else(|| panic!("{}: no page", rule.name));
            assert!(!text.starts_with('#') && text.len() > 100, "{}", rule.name);
            let about = description(rule.name).unwrap_or_default();
            assert!(
                about.len() > 40 && !about.contains("**"),
                "{}: {about:?}",
                rule.name
            );
        }
        assert_eq!(PAGES.len(), crate::rules::all().count());
        assert_eq!(page("no-such-rule"), None);
    }

    #[test]
    fn links_become_their_words() {
        assert_eq!(
            without_links("see [a](b.md), [c](https://x) [d]."),
            "see a, [c](https://x) [d]."
        );
    }
}
