//! Any word under any variables.
//!
//! In: lines `name=value`, an empty line, then the word. Checked: every reading of it comes back
//! within the size limit, and text without quotes, escapes and `$` is its own value.

#![no_main]

use cacheplan::dockerfile::{
    expand_heredoc, expand_word, expand_words, heredoc_variables, variables,
};
use libfuzzer_sys::fuzz_target;
use std::cell::RefCell;

/// The limit, and the last piece that may go beyond it before it is noticed.
const MOST: usize = 2 << 20;

fuzz_target!(|text: &str| {
    let (head, word) = text.split_once("\n\n").unwrap_or(("", text));
    let env: Vec<(&str, &str)> = head.lines().filter_map(|l| l.split_once('=')).collect();
    let asked = RefCell::new(Vec::new());
    let lookup = |name: &str| {
        asked.borrow_mut().push(name.to_owned());
        let found = env.iter().rev().find(|(key, _)| *key == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    for escape in ['\\', '`'] {
        asked.borrow_mut().clear();
        if let Ok(value) = expand_word(word, escape, &lookup) {
            assert!(value.len() <= MOST.max(text.len()));
            let known = variables(word, escape);
            for name in asked.borrow().iter() {
                let settable = name.starts_with(|c: char| c.is_alphabetic() || c == '_');
                assert!(!settable || known.contains(name), "{name} is not listed");
            }
            if !word.contains(['\'', '"', '$', escape]) {
                assert_eq!(value, word);
            }
        }
        if let Ok(words) = expand_words(word, escape, &lookup) {
            let total: usize = words.iter().map(String::len).sum();
            assert!(total <= MOST.max(text.len()));
            if !word.contains(['\'', '"', '$', '<', escape]) {
                let plain: Vec<&str> = word.split_whitespace().collect();
                assert_eq!(words, plain);
            }
        }
    }
    if let Ok(body) = expand_heredoc(word, &lookup) {
        assert!(body.len() <= MOST.max(text.len()));
        if !word.contains(['$', '\\']) {
            assert_eq!(body, word);
        }
    }
    let _ = heredoc_variables(word);
});
