//! Any bake files.
//!
//! In: `docker-bake.hcl`, then maybe, after lines `%%`, the override and the JSON form. Checked: see
//! `memory.rs`; inheritance and evaluation run into limits.

#![no_main]

mod memory;

use libfuzzer_sys::fuzz_target;

const NAMES: [&str; 3] = [
    "docker-bake.hcl",
    "docker-bake.override.hcl",
    "docker-bake.json",
];

fuzz_target!(|text: &str| {
    let parts = text.split("\n%%\n").map(str::as_bytes);
    let files: Vec<(&str, &[u8])> = NAMES.into_iter().zip(parts).collect();
    memory::check(&memory::Memory::new(&files));
});
