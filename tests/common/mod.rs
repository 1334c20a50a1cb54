//! Shared by the integration tests that need a small git history or a real builder.
#![allow(dead_code)]

pub mod builder;
pub mod context_builder;
pub mod history;
pub mod other_builders;
pub mod pairs;
pub mod random_context;
pub mod random_dockerfile;
pub mod random_history;
pub mod random_plan;
pub mod scenario;

/// FNV-1a, 64 bits: enough to notice an edit.
pub fn fingerprint(text: &str) -> String {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    format!("{:016x}", text.bytes().fold(0xcbf2_9ce4_8422_2325, step))
}
