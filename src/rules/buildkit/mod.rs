//! What the builder itself reports with `docker build --check`, under the same names.
//!
//! Goes in: one Dockerfile. Comes out: findings on the lines that the builder names (the first one of an instruction, for triggers of ONBUILD the
//! FROM that brings them along). Costs one walk over the commands of all stages, which the rules share. Invariant: where the base image is as the
//! file takes it to be, rules and lines are the builder's; `tests/oracle_checks.rs` holds them against one.

mod casing;
pub(super) mod commands;
mod consistent_instruction_casing;
mod copy_ignored_file;
mod duplicate_stage_name;
mod expose_invalid_format;
mod expose_proto_casing;
mod from_as_casing;
mod from_platform_flag_const_disallowed;
mod globals;
mod invalid_default_arg_in_from;
mod invalid_definition_description;
mod json_args_recommended;
mod legacy_key_value_format;
mod maintainer_deprecated;
mod multiple_instructions_disallowed;
mod no_empty_continuation;
mod redundant_target_platform;
mod reserved_stage_name;
mod secrets_used_in_arg_or_env;
mod stage_name_casing;
mod undefined_arg_in_from;
mod undefined_var;
mod workdir_relative_path;

use super::{Rule, View};
use crate::dockerfile::{Instruction, Kind, Text};
use crate::source::Span;
use std::ops::Range;

/// In the order of `docs/rules/README.md`.
pub static RULES: &[&Rule] = &[
    &consistent_instruction_casing::RULE,
    &copy_ignored_file::RULE,
    &duplicate_stage_name::RULE,
    &expose_invalid_format::RULE,
    &expose_proto_casing::RULE,
    &from_as_casing::RULE,
    &from_platform_flag_const_disallowed::RULE,
    &invalid_default_arg_in_from::RULE,
    &invalid_definition_description::RULE,
    &json_args_recommended::RULE,
    &legacy_key_value_format::RULE,
    &maintainer_deprecated::RULE,
    &multiple_instructions_disallowed::RULE,
    &no_empty_continuation::RULE,
    &redundant_target_platform::RULE,
    &reserved_stage_name::RULE,
    &secrets_used_in_arg_or_env::RULE,
    &stage_name_casing::RULE,
    &undefined_arg_in_from::RULE,
    &undefined_var::RULE,
    &workdir_relative_path::RULE,
];

/// Where a finding about `wanted` stands: there if that is on the instruction's first line, which is the one the builder names; else at the keyword.
fn on_first_line(view: &View<'_>, ins: Instruction<'_>, wanted: Span) -> Span {
    let keyword = ins.keyword_span();
    for span in [wanted, keyword] {
        if view.source.line(span.start) == ins.line && !span.is_empty() {
            return span;
        }
    }
    // A line of nothing but an escape character comes before the keyword.
    Span {
        start: ins.span.start,
        end: ins.span.end.min(ins.span.start + 1),
    }
}

/// Every FROM: its index among the instructions, itself, its image and its name.
fn froms<'a>(
    view: &View<'a>,
) -> impl Iterator<Item = (usize, Instruction<'a>, Text<'a>, Option<Text<'a>>)> {
    let all = view.tree.instructions().iter().enumerate();
    all.filter_map(|(at, ins)| match ins.kind() {
        Kind::From { image, alias } => Some((at, ins, image, alias)),
        _ => None,
    })
}

/// The words of an instruction's arguments, parted by blanks, as ranges of them.
fn words(ins: Instruction<'_>) -> impl Iterator<Item = Range<usize>> {
    let text = ins.arguments().as_str();
    let blank = |c: char| matches!(c, '\t' | '\u{b}' | '\u{c}' | '\r' | ' ');
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = text.get(at..)?;
        let start = at + rest.find(|c| !blank(c))?;
        let end = text[start..].find(blank).map_or(text.len(), |n| start + n);
        at = end;
        Some(start..end)
    })
}

/// The text of a span where it is one piece of one line: an edit may then put another in its place.
fn one_line(view: &View<'_>, span: Span) -> Option<String> {
    let text = view.source.text(span);
    (!text.contains('\n')).then(|| text.into_owned())
}
