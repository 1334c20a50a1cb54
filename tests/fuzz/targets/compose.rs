//! Any compose file.
//!
//! In: the bytes of `compose.yaml`. Checked: see `memory.rs`; aliases and depth run into limits.

#![no_main]

mod memory;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    memory::check(&memory::Memory::new(&[("compose.yaml", bytes)]));
});
