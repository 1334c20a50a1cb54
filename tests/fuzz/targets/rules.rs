//! Rules over any text: no panic, places inside of the file, fixes that fit.

#![no_main]

use cacheplan::rewrite::Safety;
use cacheplan::rules::{apply, choose, of_text};
use cacheplan::source::SourceFile;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let source = SourceFile::new("Dockerfile", bytes);
    let (findings, _) = of_text(&source);
    for finding in &findings {
        assert!(finding.span.end as usize <= bytes.len());
        apply(bytes, &[finding], None).expect("the edits of one fix do not overlap");
    }
    apply(bytes, &choose(&findings, Safety::Review), None).expect("chosen fixes do not overlap");
});
