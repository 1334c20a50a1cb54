//! The page's structure; `tests/html.rs` has it in a browser.

use super::super::sample;
use super::*;

fn shown(t: TargetReport) -> String {
    analysis(&sample::analysis(t))
}

#[test]
fn a_report_without_detail_is_whole() {
    let out = shown(sample::target());
    assert!(out.starts_with("<!DOCTYPE html>") && out.contains("What to change"));
    for part in [
        "73.2\u{a0}s",
        "RUN npm run build",
        "+COPY package*.json ./",
        "t0-L7",
    ] {
        assert!(out.contains(part), "{part}");
    }
}

#[test]
fn every_link_leads_somewhere() {
    let mut with = sample::target();
    with.plans.push(sample::no_plan());
    with.diagnostics.push(sample::warning());
    let out = shown(with);
    let ids: Vec<&str> = out
        .split(" id=\"")
        .skip(1)
        .filter_map(|s| s.split('"').next())
        .collect();
    for (i, id) in ids.iter().enumerate() {
        assert!(!ids[i + 1..].contains(id), "{id} twice");
    }
    // Lines of the file are only there with its text.
    let lines = |l: &&str| !l.contains("-L");
    for link in out
        .split("href=\"#")
        .skip(1)
        .filter_map(|s| s.split('"').next())
        .filter(lines)
    {
        assert!(ids.contains(&link), "{link}");
    }
    assert!(!out.contains("href=\"http") && !out.contains(" style=\"") && !out.contains(" src="));
}

#[test]
fn the_policy_names_the_style_and_the_script() {
    let out = shown(sample::target());
    assert!(out.contains("default-src &#39;none&#39;") || out.contains("default-src 'none'"));
    assert!(out.contains(&hash(STYLE)) && out.contains(&hash(SCRIPT)));
    assert_eq!(out.matches("<script").count(), 1);
    assert_eq!(
        hash(""),
        "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    );
}

#[test]
fn failed_targets_and_none_are_told() {
    let failed = FailedTarget {
        file: "<b>".to_owned(),
        diagnostics: vec![sample::warning()],
    };
    let mut a = sample::analysis(sample::target());
    a.targets.push(super::super::model::Target::Failed(failed));
    let out = analysis(&a);
    assert!(out.contains("&lt;b&gt; could not be analysed") && out.contains("\\x1b[2J"));
    a.targets.clear();
    assert!(analysis(&a).contains("No Dockerfile found."));
}

#[test]
fn nothing_in_a_document_is_markup() {
    const EVIL: &str =
        "\u{1b}[31m<script>x</script>\"'`|@a \u{202e}\n::set-output name=a::b ##[error]";
    let evil = || EVIL.to_owned();
    let mut t = sample::target();
    t.file = evil();
    t.context = evil();
    t.target = Some(evil());
    for s in &mut t.steps {
        s.name = format!("[{EVIL} 2/5] RUN {EVIL}");
        s.hot_paths.iter_mut().for_each(|p| p.path = evil());
    }
    t.plans[0].assumptions = vec![evil()];
    t.plans[0].edits[0].why = evil();
    t.plans[0].diff = format!("+{EVIL}\n{EVIL}\n");
    let mut d = sample::warning();
    d.message = evil();
    d.help = Some(evil());
    d.file = Some(evil());
    t.diagnostics = vec![d];
    let out = shown(t);
    assert_eq!(out.matches("<script").count(), 1);
    assert!(!out.contains(['\u{1b}', '\u{202e}']));
    for line in out.lines() {
        assert!(
            !line.trim_start().starts_with("::") && !line.contains("##["),
            "{line}"
        );
    }
}
