//! cli
pub mod args;
pub mod subject;
pub mod timeline;
