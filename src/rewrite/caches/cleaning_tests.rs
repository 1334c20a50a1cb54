//! Scripts, and what is left of them when a mount stands in for a cache.

use super::super::{Holds, Kept};
use super::*;
use crate::footprint::{RunState, of_script};

fn look() -> Look {
    Look {
        home: Some("/root".to_owned()),
        variables: [("POETRY_CACHE_DIR".to_owned(), "/tmp/pc".to_owned())].into(),
    }
}

/// What is left of a script, and what that says: `cleaned`, the folder around, or the reason.
fn shown(script: &str, tool: &'static str, folder: &str, off: &[&str]) -> String {
    let state = RunState {
        cwd: Some("/app".to_owned()),
        ..RunState::default()
    };
    let footprint = of_script(script, &state);
    let kept = |u: &Use| {
        let all = u.arguments.as_deref().unwrap_or_default();
        let off = all.iter().filter(|a| off.contains(&a.as_str())).cloned();
        Kept {
            tool,
            folders: vec![Folder {
                path: folder.to_owned(),
                holds: Holds::Downloads,
            }],
            off: off.collect(),
            whole: (tool == "poetry").then(|| "/tmp/pc".to_owned()),
            ..Kept::default()
        }
    };
    let uses: Vec<(&Use, Kept)> = footprint
        .uses
        .iter()
        .filter(|u| {
            u.tool == tool
                && !u
                    .arguments
                    .as_ref()
                    .is_some_and(|a| matches!(a[0].as_str(), "cache" | "store"))
        })
        .map(|u| (u, kept(u)))
        .collect();
    let uses: Vec<(&Use, &Kept)> = uses.iter().map(|(u, k)| (*u, k)).collect();
    assert!(!uses.is_empty(), "{script}");
    match cleaning(script, &uses, &look()) {
        Err(why) => format!("! {why}"),
        Ok(c) => {
            let mut left = script.to_owned();
            for cut in c.cuts.iter().rev() {
                left.replace_range(cut.clone(), "");
            }
            let words = [
                left,
                if c.cleaned { " | cleaned" } else { "" }.to_owned(),
                c.whole.map_or(String::new(), |w| format!(" | {w}")),
            ];
            words.concat()
        }
    }
}

#[test]
fn whole_parts_paths_and_flags_go() {
    for (script, tool, folder, off, expected) in [
        (
            "npm ci && npm cache clean --force",
            "npm",
            "/root/.npm",
            &[][..],
            "npm ci | cleaned",
        ),
        ("npm ci", "npm", "/root/.npm", &[], "npm ci"),
        (
            "npm ci && rm -rf ~/.npm && ls",
            "npm",
            "/root/.npm",
            &[],
            "npm ci && ls | cleaned",
        ),
        (
            "npm ci && rm -rf $HOME/.npm/_cacache",
            "npm",
            "/root/.npm",
            &[],
            "npm ci | cleaned",
        ),
        (
            "npm ci && rm -rf /root/.npm /var/x",
            "npm",
            "/root/.npm",
            &[],
            "npm ci && rm -rf /var/x | cleaned",
        ),
        (
            "pip install --no-cache-dir -r r.txt",
            "pip",
            "/root/.cache/pip",
            &["--no-cache-dir"],
            "pip install -r r.txt | cleaned",
        ),
        (
            "pip install --no-cache-dir -U pip && pip install x",
            "pip",
            "/root/.cache/pip",
            &["--no-cache-dir"],
            "pip install -U pip && pip install x",
        ),
        (
            "pip install x && rm -rf /root/.cache",
            "pip",
            "/root/.cache/pip",
            &[],
            "pip install x | cleaned | /root/.cache",
        ),
        (
            "pip install x && rm -rf /root/.cache/*",
            "pip",
            "/root/.cache/pip",
            &[],
            "pip install x | cleaned | /root/.cache",
        ),
        (
            "poetry install && rm -rf $POETRY_CACHE_DIR",
            "poetry",
            "/tmp/pc/artifacts",
            &[],
            "poetry install | cleaned | /tmp/pc",
        ),
        (
            "yarn install && yarn cache clean",
            "yarn",
            "/usr/local/share/.cache/yarn",
            &[],
            "yarn install | cleaned",
        ),
        (
            "pnpm install && pnpm store prune",
            "pnpm",
            "/p/store",
            &[],
            "pnpm install",
        ),
    ] {
        assert_eq!(shown(script, tool, folder, off), expected, "{script}");
    }
}

#[test]
fn what_would_fight_the_mount_is_a_reason() {
    for script in [
        "npm ci; rm -rf /root/.npm",
        "npm ci || rm -rf ~/.npm",
        "npm ci && (rm -rf ~/.npm)",
        "npm ci && rm -rf ~/.npm 2>/dev/null",
        "npm ci && rm -rf /root",
        "npm ci && rm -rf /root/.*",
        "npm ci && rm -rf ~/.npm/x",
        "npm ci && cp -r /root/.npm /x",
        "npm ci && chown -R node /root",
        "npm cache clean --force && npm ci",
        "npm ci && ls \"$HOME/.npm/_logs\"",
        "npm ci && if true; then npm cache clean --force; fi",
        "mkdir -p /root/.npm && npm ci",
        "npm ci && sh -c 'rm -rf /root/.npm'",
        "npm ci && find / -name x -delete",
        "npm ci && echo x > /root/.npm/x",
    ] {
        let found = shown(script, "npm", "/root/.npm", &[]);
        assert!(found.starts_with("! "), "{script}: {found}");
    }
}

#[test]
fn elsewhere_it_may_be_removed_but_not_read() {
    let folders = [Folder {
        path: "/root/.npm".to_owned(),
        holds: Holds::Downloads,
    }];
    for (script, expected) in [
        ("rm -rf /root/.npm", false),
        ("rm -rf /root/.npm /tmp/*", false),
        ("npm ci", false),
        ("cp x /root/.npmrc", false),
        ("echo x > ~/.npm/y", true),
        ("chown -R app /app", false),
        ("cp -r ~/.npm /x", true),
        ("tar c /root", true),
        ("find / -name x", false),
    ] {
        assert_eq!(
            named(script, &folders, &look()).is_some(),
            expected,
            "{script}"
        );
    }
}
