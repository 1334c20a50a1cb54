//! Files that one layer holds and a later one puts others in the place of.

use super::{hidden_by, image_steps, place};
use crate::diagnostic::Severity;
use crate::image::LossKind;
use crate::rules::measured::by_bytes;
use crate::rules::{Check, Findings, Rule, View, quoted};

/// `overwritten-later`.
pub static RULE: Rule = Rule {
    name: "overwritten-later",
    severity: Severity::Warning,
    summary: "a layer holds files that a later one overwrites, so the image has both",
    also: &[],
    check: Check::Dockerfile(check),
};

/// Manifests that are copied first and again with everything else are the price of a good cache.
const LEAST_BYTES: u64 = 2_000_000;

fn check(view: &View<'_>, out: &mut Findings<'_>) {
    let steps = image_steps(view);
    let least = view.settings.least_bytes(&RULE, LEAST_BYTES);
    for (_, by) in &steps {
        for (holder, bytes) in hidden_by(view, by, &[LossKind::Overwritten]) {
            if bytes < least {
                continue;
            }
            let made = view.tree.instructions().get(holder.instruction);
            let made = made.map_or_else(String::new, |i| quoted(&i.original()));
            let message = format!(
                "this puts other files in the place of what {made} (line {}) brought, and the image keeps both",
                holder.line
            );
            out.at(place(view, by), message)
                .help(format!("leave them out of line {}", holder.line))
                .bytes(bytes)
                .severity(by_bytes(bytes, RULE.severity));
        }
    }
}
