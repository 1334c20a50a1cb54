//! What people and programs read: one file per format, all views of one value.

pub mod affected;
pub mod bootstrap;
pub mod compare_html;
pub mod comparison;
pub mod detail;
pub mod diff;
pub mod escape;
pub mod explain;
pub mod findings;
pub mod github;
pub mod gitlab;
pub mod html;
pub mod issue;
pub mod layers;
pub mod learned;
pub mod markdown;
pub mod minutes;
pub mod model;
pub mod number;
pub mod page;
pub mod place;
pub mod rdjson;
pub mod rule_pages;
#[cfg(test)]
mod sample;
pub mod sarif;
pub mod schemas;
pub mod snippet;
pub mod step_changes;
pub mod summary;
pub mod text;
pub mod trend;
pub mod verify;
pub mod verify_plan;
#[cfg(test)]
mod verify_plan_tests;
pub mod wording;
