//! What people and programs read: one file per format, all views of one value.

pub mod bootstrap;
pub mod model;
