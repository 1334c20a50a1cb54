//! Any bytes as a Dockerfile: the tree, its printing, its spans, and the plan made of it.
//!
//! In: bytes. Checked: pieces tile the file, spans lie inside it and nest, diagnostics are sorted
//! and inside too, errors and invalid instructions come together, lowering comes back.

#![no_main]

use cacheplan::diagnostic::{self, Diagnostic};
use cacheplan::dockerfile::{self, Instruction, Kind};
use cacheplan::plan::{self, BuildOptions};
use cacheplan::source::{SourceFile, Span};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let source = SourceFile::new("Dockerfile", bytes);
    let parsed = dockerfile::parse(&source);
    let mut printed = Vec::new();
    for piece in parsed.tree.pieces() {
        assert_eq!(piece.span.start as usize, printed.len());
        printed.extend_from_slice(&bytes[piece.span.range()]);
    }
    assert_eq!(printed, bytes);
    check_all(&parsed.diagnostics, bytes.len());
    for instruction in parsed.tree.instructions() {
        check(instruction, bytes.len());
    }
    let refused = parsed.diagnostics.iter().any(Diagnostic::is_error);
    let invalid = parsed
        .tree
        .instructions()
        .iter()
        .any(|i| i.kind() == Kind::Invalid);
    assert!(refused || !invalid, "an invalid instruction and no error");

    let options = BuildOptions {
        args: vec![("A".to_owned(), "a b".to_owned())],
        ..BuildOptions::default()
    };
    let plan = plan::lower(&parsed.tree, &options);
    check_all(&plan.diagnostics, bytes.len());
});

fn check_all(diagnostics: &[Diagnostic], len: usize) {
    let mut sorted = diagnostics.to_vec();
    diagnostic::sort(&mut sorted);
    assert_eq!(sorted, diagnostics);
    for label in diagnostics.iter().flat_map(|d| &d.labels) {
        inside(label.span, len);
    }
}

fn check(instruction: Instruction<'_>, len: usize) {
    inside(instruction.span, len);
    inside(instruction.leading_comments, len);
    let within = |span: Span| {
        assert!(instruction.span.start <= span.start && span.start <= span.end);
        assert!(span.end <= instruction.span.end);
    };
    within(instruction.keyword_span());
    assert!(instruction.line <= instruction.end_line);
    instruction.flags().iter().for_each(|flag| within(flag.span()));
    instruction
        .heredocs()
        .iter()
        .for_each(|h| within(h.body_span));
    within(instruction.original().span());
    within(instruction.arguments().span());
    for (at, c) in instruction.arguments().char_indices() {
        within(instruction.arguments().span_of(at..at + c.len_utf8()));
    }
    if let Kind::Onbuild(trigger) = instruction.kind() {
        check(trigger, len);
    }
}

fn inside(span: Span, len: usize) {
    assert!(span.start <= span.end && span.end as usize <= len);
}
