//! Every folder of `corpus/dockerfile` parsed once, with the dump as a snapshot beside the file.

use cacheplan::dockerfile::{self, Instruction, Kind};
use cacheplan::source::SourceFile;
use std::fmt::Write as _;

fn dump(out: &mut String, i: Instruction<'_>, indent: &str) {
    let _ = writeln!(out, "{indent}{}-{} {:?}", i.line, i.end_line, i.original());
    for f in i.flags() {
        let _ = writeln!(out, "{indent}  flag {} = {:?}", f.name(), f.value());
    }
    for h in i.heredocs() {
        let expand = if h.expand { "expanded" } else { "literal" };
        let _ = writeln!(
            out,
            "{indent}  heredoc {} {expand} {:?}",
            h.word,
            h.content()
        );
    }
    match i.kind() {
        Kind::Onbuild(trigger) => dump(out, trigger, &format!("{indent}  ")),
        kind => {
            let _ = writeln!(out, "{indent}  {kind:?}");
        }
    }
}

#[test]
fn corpus() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/dockerfile");
    let mut cases: Vec<_> = std::fs::read_dir(&root)
        .expect("the corpus folder")
        .map(|e| e.expect("a folder entry").path())
        .filter(|p| p.is_dir())
        .collect();
    cases.sort();
    assert!(!cases.is_empty());
    for case in cases {
        let bytes = std::fs::read(case.join("Dockerfile")).expect("a Dockerfile per case");
        let source = SourceFile::new("Dockerfile", bytes);
        let parsed = dockerfile::parse(&source);
        let mut out = format!("{:?}\n", parsed.tree.directives);
        for i in parsed.tree.instructions() {
            dump(&mut out, i, "");
        }
        for d in &parsed.diagnostics {
            let place = d.span().map_or_else(String::new, |s| {
                let p = source.position(s.start);
                format!("{}:{} {:?} ", p.line, p.column, source.text(s))
            });
            let _ = writeln!(
                out,
                "{} {} {place}{}",
                d.severity.as_str(),
                d.code,
                d.message
            );
            if let Some(help) = &d.help {
                let _ = writeln!(out, "  help: {help}");
            }
        }
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(&case);
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!("parse", out));
    }
}
