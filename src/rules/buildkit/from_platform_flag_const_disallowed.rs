//! `--platform` with a platform that is written out.

use super::globals::Globals;
use super::{froms, on_first_line};
use crate::diagnostic::{Severity, shorten};
use crate::plan::parse_platform;
use crate::rules::{Check, Findings, Rule, View};
use std::cell::OnceCell;

/// `FromPlatformFlagConstDisallowed`.
pub static RULE: Rule = Rule {
    name: "FromPlatformFlagConstDisallowed",
    severity: Severity::Warning,
    summary: "a FROM names one platform, so that a build for any other starts from the wrong image",
    also: &["DL3029"],
    check: Check::Dockerfile(check),
};

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    let globals = OnceCell::new();
    for (_, ins, _, alias) in froms(view) {
        let Some(text) = ins.flag("platform").filter(|p| !p.is_empty()) else {
            continue;
        };
        let globals = globals.get_or_init(|| Globals::new(view, true));
        let word = globals.as_ref().and_then(|g| g.word(text));
        let Some(word) = word.filter(|w| w.known.is_empty() && w.unknown.is_empty()) else {
            continue;
        };
        let Ok(platform) = parse_platform(&word.value) else {
            continue;
        };
        // Its name says that the stage is for that platform.
        let name = alias.map_or("", |a| a.as_str());
        if name.contains(&platform.os) || name.contains(&platform.machine) {
            continue;
        }
        let Some(flag) = ins.flags().iter().find(|f| f.name() == "platform") else {
            continue;
        };
        let value = shorten(&word.value);
        let message = format!("this stage is for `{value}` whatever the build is asked for");
        let help = "take the flag out and build with `--platform`, write `$BUILDPLATFORM`, or name the platform in the stage's name";
        out.at(on_first_line(view, ins, flag.span()), message)
            .help(help);
    }
}
