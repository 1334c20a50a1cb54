//! Shared by the integration tests that need a small git history or a real builder.
#![allow(dead_code)]

pub mod builder;
pub mod context_builder;
pub mod history;
pub mod other_builders;
pub mod random_context;
pub mod random_dockerfile;
pub mod random_history;
pub mod scenario;
