//! What people and programs read: one file per format, all views of one value.

pub mod affected;
pub mod bootstrap;
pub mod detail;
pub mod diff;
pub mod escape;
pub mod explain;
pub mod findings;
pub mod html;
pub mod layers;
pub mod learned;
pub mod markdown;
pub mod minutes;
pub mod model;
pub mod number;
#[cfg(test)]
mod sample;
pub mod snippet;
pub mod text;
pub mod trend;
pub mod verify;
pub mod verify_plan;
#[cfg(test)]
mod verify_plan_tests;
pub mod wording;
