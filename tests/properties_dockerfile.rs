//! What must hold for the Dockerfile parser on any bytes at all.

use cacheplan::dockerfile::{self, Instruction, Kind, PieceKind};
use cacheplan::source::{SourceFile, Span};
use proptest::prelude::*;

/// Lines and fragments that reach the corners of the grammar, glued in any order.
fn dockerfile_text() -> impl Strategy<Value = Vec<u8>> {
    let fragment = prop_oneof![
        prop::sample::select(vec![
            "FROM a AS b",
            "RUN ",
            "COPY ",
            "ADD ",
            "ENV ",
            "ARG ",
            "ONBUILD ",
            "HEALTHCHECK ",
            "SHELL ",
            "--mount=type=cache ",
            "--from=",
            "--",
            "# escape=`",
            "# syntax=x",
            "# c",
            "\\",
            "`",
            "\\\n",
            "\\ \t\n",
            "\n",
            "\r\n",
            "\n\n",
            " ",
            "\t",
            "<<E",
            "<<-E",
            "<< E",
            "<<'E'",
            "E\n",
            "\nE\n",
            "\tE",
            "[\"a\", ",
            "\"b\"]",
            "[1]",
            "'",
            "\"",
            "$x",
            "${x:-",
            "${x#",
            "}",
            "/",
            "=",
            "a=b ",
            "\u{feff}",
            "é",
            "\u{a0}",
            "\u{2028}",
            "CMD",
            "NONE",
        ])
        .prop_map(|s| s.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..3),
        "[A-Za-z ]{0,6}".prop_map(String::into_bytes),
    ];
    prop::collection::vec(fragment, 0..40).prop_map(|parts| parts.concat())
}

fn inside(span: Span, outer: Span) -> bool {
    outer.start <= span.start && span.start <= span.end && span.end <= outer.end
}

fn check_instruction(source: &SourceFile, i: Instruction<'_>) -> Result<(), TestCaseError> {
    prop_assert!(
        inside(i.keyword_span(), i.span),
        "keyword {:?} in {:?}",
        i.keyword_span(),
        i.span
    );
    prop_assert_eq!(i.line, source.line(i.span.start));
    prop_assert_eq!(i.end_line, source.line(i.span.end - 1));
    prop_assert!(i.original().contains(i.arguments().as_str()));
    for flag in i.flags() {
        prop_assert!(inside(flag.span(), i.span));
    }
    for heredoc in i.heredocs() {
        prop_assert!(inside(heredoc.body_span, i.span));
        prop_assert_eq!(source.text(heredoc.body_span), heredoc.body.as_str());
    }
    // Every character that is text in both must be the same byte in both.
    for (at, c) in i.original().char_indices().filter(|(_, c)| c.is_ascii()) {
        let span = i.original().span_of(at..at + 1);
        prop_assert!(inside(span, i.span));
        prop_assert_eq!(source.text(span), c.to_string());
    }
    for (at, c) in i.arguments().char_indices().filter(|(_, c)| c.is_ascii()) {
        prop_assert_eq!(
            source.text(i.arguments().span_of(at..at + 1)),
            c.to_string()
        );
    }
    if let Kind::Onbuild(trigger) = i.kind() {
        prop_assert!(!matches!(trigger.kind(), Kind::Onbuild(_)));
        check_instruction(source, trigger)?;
    }
    Ok(())
}

fn check_file(bytes: Vec<u8>) -> Result<(), TestCaseError> {
    let source = SourceFile::new("Dockerfile", bytes);
    let whole = Span::new(0, source.bytes().len());
    let parsed = dockerfile::parse(&source);
    let tree = &parsed.tree;
    let mut at = 0;
    let mut printed = Vec::new();
    let mut count = 0;
    for piece in tree.pieces() {
        prop_assert_eq!(piece.span.start, at, "pieces leave a gap");
        prop_assert!(!piece.span.is_empty());
        at = piece.span.end;
        printed.extend_from_slice(&source.bytes()[piece.span.range()]);
        if let PieceKind::Instruction(n) = piece.kind {
            prop_assert_eq!(n, count, "instructions out of order");
            count += 1;
            let i = tree.instructions().at(n);
            prop_assert!(inside(i.span, piece.span) && i.span.end == piece.span.end);
            prop_assert_eq!(i.leading_comments.end, i.span.start);
            check_instruction(&source, i)?;
        }
    }
    prop_assert_eq!(count, tree.instructions().len());
    prop_assert_eq!(printed.as_slice(), source.bytes());
    for d in &parsed.diagnostics {
        for label in &d.labels {
            prop_assert!(inside(label.span, whole), "{} at {:?}", d.code, label.span);
        }
    }
    let invalid = tree
        .instructions()
        .iter()
        .any(|i| i.kind() == Kind::Invalid);
    prop_assert!(!invalid || parsed.diagnostics.iter().any(|d| d.is_error()));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn any_bytes_parse(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check_file(bytes)?;
    }

    #[test]
    fn dockerfile_like_text_parses(bytes in dockerfile_text()) {
        check_file(bytes)?;
    }

    #[test]
    fn instructions_read_alike_alone_and_in_a_file(text in "(RUN|COPY|ENV) [a-z =\"'$]{0,12}") {
        let alone = dockerfile::parse(&SourceFile::new("f", format!("FROM a\n{text}")));
        let among = dockerfile::parse(&SourceFile::new("f", format!("FROM a\nUSER b\n\n# c\n{text}\nUSER d\n")));
        prop_assert_eq!(alone.tree.instructions().at(1).kind(), among.tree.instructions().at(2).kind());
        prop_assert_eq!(&alone.tree.instructions().at(1).original(), &among.tree.instructions().at(2).original());
    }

    #[test]
    fn expansion_is_total(word in "[a-c$\\{}:#%/?*+'\" \\\\-]{0,24}") {
        let lookup = |name: &str| (name != "b").then(|| "v/w".to_owned());
        let _ = dockerfile::expand_word(&word, '\\', &lookup);
        let _ = dockerfile::expand_words(&word, '`', &lookup);
        let _ = dockerfile::expand_heredoc(&word, &lookup);
        // What a word does not refer to cannot change its value.
        if dockerfile::variables(&word, '\\').is_empty() {
            let nothing = dockerfile::expand_word(&word, '\\', &|name| {
                // The empty name of `${+x}` is no variable either: both look-ups must agree on it.
                let special = name.is_empty() || name.starts_with(|c: char| !c.is_alphabetic());
                special.then(|| "v/w".to_owned())
            });
            prop_assert_eq!(dockerfile::expand_word(&word, '\\', &lookup), nothing);
        }
    }

    #[test]
    fn plain_words_expand_to_themselves(word in "[a-zA-Z0-9 é.,:/_-]{0,20}") {
        prop_assert_eq!(dockerfile::expand_word(&word, '\\', &|_| None), Ok(word.clone()));
        let words = dockerfile::expand_words(&word, '\\', &|_| None).unwrap();
        prop_assert_eq!(words, word.split_whitespace().collect::<Vec<_>>());
    }
}
