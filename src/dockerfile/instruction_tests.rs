use crate::dockerfile::lists::{List, Lists};
use crate::dockerfile::text::{Joined, Part};
use crate::dockerfile::{CommandForm, Dockerfile, Instruction, Kind, Parsed, Texts, parse};
use crate::source::{SourceFile, Span};

fn file(text: impl Into<Vec<u8>>) -> Parsed<Dockerfile> {
    parse(&SourceFile::new("Dockerfile", text))
}

/// One instruction after a FROM, and the codes it earned (a `~` marks warnings).
fn one(text: &str) -> (Instruction<'static>, String) {
    let parsed = file(format!("FROM a\n{text}\n"));
    let codes: Vec<String> = parsed
        .diagnostics
        .iter()
        .map(|d| format!("{}{}", if d.is_error() { "" } else { "~" }, d.code))
        .collect();
    let tree = Box::leak(Box::new(parsed.tree));
    (tree.instructions().at(1), codes.join(" "))
}

fn kind(text: &str) -> Kind<'static> {
    let (i, codes) = one(text);
    assert_eq!(codes, "", "{text}");
    i.kind()
}

/// Words that stand in no file, and places where there is none.
fn words(words: impl Iterator<Item = Option<&'static str>>) -> Texts<'static> {
    let mut joined = Joined::default();
    let mut derive = |w| joined.derive(w, Span::default());
    let parts: Vec<Part> = words.map(|w| w.map_or(Part::NONE, &mut derive)).collect();
    let lists = Lists {
        joined,
        ..Lists::default()
    };
    List::new(Box::leak(Box::new(lists)), parts.leak())
}

fn list(list: &[&'static str]) -> Texts<'static> {
    words(list.iter().map(|w| Some(*w)))
}

fn shell(text: &str) -> CommandForm<'_> {
    CommandForm::Shell(text.into())
}

/// Verdicts that were taken from the real builder.
#[test]
fn refused_instructions() {
    let rows = [
        ("FORM a", "build/unknown-instruction"),
        ("FROM\u{a0}a", "build/unknown-instruction"),
        ("\\", "build/unknown-instruction"),
        ("FROM", "build/bad-from"),
        ("FROM a as", "build/bad-from"),
        ("FROM a ass x", "build/bad-from"),
        ("FROM a as x y", "build/bad-from"),
        ("FROM a as 1x", "build/bad-stage-name"),
        ("FROM a as x/y", "build/bad-stage-name"),
        ("FROM a as \"\"", "build/bad-stage-name"),
        ("FROM --foo=x a", "build/unknown-flag"),
        ("RUN []", "build/empty-command"),
        ("RUN [1]", "parse/json-not-strings"),
        ("RUN --network=foo x", "build/bad-flag-value"),
        ("SHELL bash", "build/shell-not-json"),
        ("SHELL", "build/missing-arguments"),
        ("SHELL []", "build/missing-arguments"),
        ("COPY", "build/missing-arguments"),
        ("COPY x", "build/missing-arguments"),
        ("COPY [\"a\"]", "build/missing-arguments"),
        ("COPY [\"a\",1]", "parse/json-not-strings"),
        ("COPY --from=$X a b", "build/copy-from-variable"),
        ("COPY --from='\"x\"' a b", "build/copy-from-variable"),
        ("COPY --from a b", "build/missing-flag-value"),
        ("COPY <<EOF\nEOF", "build/missing-arguments"),
        ("COPY <<EOF <<B\nEOF\nB", "build/heredoc-destination"),
        ("COPY <<EOF /x\nFROM", "parse/unterminated-heredoc"),
        ("ADD []", "build/missing-arguments"),
        ("WORKDIR", "build/missing-arguments"),
        ("USER --x y", "build/unknown-flag"),
        ("STOPSIGNAL", "build/missing-arguments"),
        ("MAINTAINER", "build/missing-arguments"),
        ("EXPOSE", "build/missing-arguments"),
        ("VOLUME", "build/missing-arguments"),
        ("VOLUME []", "build/missing-arguments"),
        ("VOLUME [\"a\",\" \"]", "build/empty-volume"),
        ("ENV", "build/missing-arguments"),
        ("ENV a", "parse/missing-value"),
        ("LABEL a", "parse/missing-value"),
        ("ENV a=b c", "parse/missing-equals"),
        ("ENV =x", "build/blank-name"),
        ("LABEL =x", "build/blank-name"),
        ("ARG", "build/missing-arguments"),
        ("ARG =x", "build/blank-name"),
        ("HEALTHCHECK", "build/missing-arguments"),
        ("HEALTHCHECK NONE x", "build/bad-healthcheck"),
        ("HEALTHCHECK CMD", "build/bad-healthcheck"),
        ("HEALTHCHECK CMD []", "build/bad-healthcheck"),
        ("HEALTHCHECK CMD [1]", "parse/json-not-strings"),
        ("HEALTHCHECK FOO x", "build/bad-healthcheck"),
        (
            "HEALTHCHECK --retries=1 --retries=2 CMD x",
            "build/duplicate-flag",
        ),
        ("ONBUILD", "build/missing-arguments"),
        ("ONBUILD --", "build/missing-arguments"),
        ("ONBUILD ONBUILD RUN x", "build/bad-onbuild"),
        ("ONBUILD from x", "build/bad-onbuild"),
        ("ONBUILD mainTAINER x", "build/bad-onbuild"),
        ("ONBUILD --x RUN y", "build/unknown-flag"),
        ("ONBUILD ENV bar", "parse/missing-value"),
        ("ONBUILD RUN [1]", "parse/json-not-strings"),
    ];
    for (text, code) in rows {
        let (i, codes) = one(text);
        assert_eq!(codes, code, "{text}");
        let invalid = i.kind() == Kind::Invalid || code == "parse/unterminated-heredoc";
        assert!(invalid, "{text}: {:?}", i.kind());
    }
}

#[test]
fn triggers_are_only_warned_about() {
    for (text, code) in [
        ("ONBUILD FOO bar", "~build/unknown-instruction"),
        ("ONBUILD COPY bar", "~build/missing-arguments"),
        ("ONBUILD RUN --foo bar", "~build/unknown-flag"),
    ] {
        let (i, codes) = one(text);
        assert_eq!(codes, code, "{text}");
        assert!(matches!(i.kind(), Kind::Onbuild(t) if t.kind() == Kind::Invalid));
    }
    let Kind::Onbuild(trigger) = kind("ONBUILD  copy --link <<E  /x\n1\nE") else {
        panic!("not a trigger")
    };
    assert_eq!(trigger.original(), "copy --link <<E  /x");
    assert_eq!(trigger.heredocs()[0].body, "1\n");
    assert!(matches!(trigger.kind(), Kind::Copy(t) if t.inline == [0] && t.dest == "/x"));
}

#[test]
fn accepted_commands() {
    let exec = |w: &[&'static str]| CommandForm::Exec(list(w));
    let rows = [
        ("RUN", Kind::Run(shell(""))),
        ("RUN [\"\"]", Kind::Run(exec(&[""]))),
        ("RUN ['a']", Kind::Run(shell("['a']"))),
        ("RUN [ \"a\" , \\\n \"b\"]", Kind::Run(exec(&["a", "b"]))),
        ("RUN [\"a\"] && b", Kind::Run(shell("[\"a\"] && b"))),
        (
            "RUN\ta && \\\n  # c\n\n  b \\",
            Kind::Run(shell("a &&   b")),
        ),
        ("CMD", Kind::Cmd(shell(""))),
        ("CMD []", Kind::Cmd(exec(&[]))),
        ("CMD -- --x", Kind::Cmd(shell("--x"))),
        ("ENTRYPOINT []", Kind::Entrypoint(exec(&[]))),
        ("SHELL [\"a\"]", Kind::Shell(list(&["a"]))),
        ("HEALTHCHECK --x none", Kind::Healthcheck(None)),
        (
            "HEALTHCHECK cmd a  b",
            Kind::Healthcheck(Some(shell("a  b"))),
        ),
        (
            "HEALTHCHECK CMD [\"a\"]",
            Kind::Healthcheck(Some(exec(&["a"]))),
        ),
    ];
    for (text, expected) in rows {
        assert_eq!(kind(text), expected, "{text}");
    }
}

#[test]
fn accepted_words() {
    let pairs = |p: &[(&'static str, &'static str)]| {
        words(p.iter().flat_map(|(k, v)| [Some(*k), Some(*v)])).in_pairs()
    };
    let from = |image: &'static str, alias: Option<&'static str>| Kind::From {
        image: image.into(),
        alias: alias.map(Into::into),
    };
    let arg = |p: &[(&'static str, Option<&'static str>)]| {
        Kind::Arg(words(p.iter().flat_map(|(k, v)| [Some(*k), *v])).in_pairs())
    };
    let rows = [
        ("from  $B As Web-1", from("$B", Some("web-1"))),
        ("FROM -- a", from("a", None)),
        ("FROM\u{b}a", from("a", None)),
        ("\u{a0}FROM a", from("a", None)),
        ("WOR\u{212a}DIR /a b ", Kind::Workdir("/a b".into())),
        ("USER a b", Kind::User("a b".into())),
        ("MAINTAINER a b", Kind::Maintainer("a b".into())),
        ("STOPSIGNAL --x 9", Kind::Stopsignal("9".into())),
        ("ENV a  b  c='d", Kind::Env(pairs(&[("a", "b  c='d")]))),
        (
            "ENV a=1 b='x y'  \"c d\"=$a e= f=g\\ h",
            Kind::Env(pairs(&[
                ("a", "1"),
                ("b", "'x y'"),
                ("\"c d\"", "$a"),
                ("e", ""),
                ("f", "g\\ h"),
            ])),
        ),
        ("ENV \"\"=x", Kind::Env(pairs(&[("\"\"", "x")]))),
        ("LABEL a=b=c", Kind::Label(pairs(&[("a", "b=c")]))),
        (
            "ARG a b= c='d e' --f",
            arg(&[
                ("a", None),
                ("b", Some("")),
                ("c", Some("'d e'")),
                ("--f", None),
            ]),
        ),
        (
            "ARG --f a=0 # no comment",
            arg(&[
                ("a", Some("0")),
                ("#", None),
                ("no", None),
                ("comment", None),
            ]),
        ),
        ("EXPOSE 80 $P", Kind::Expose(list(&["80", "$P"]))),
        ("VOLUME /a /b", Kind::Volume(list(&["/a", "/b"]))),
        ("VOLUME [\"/a b \"]", Kind::Volume(list(&["/a b"]))),
    ];
    for (text, expected) in rows {
        assert_eq!(kind(text), expected, "{text}");
    }
}

#[test]
fn sources_and_heredocs_of_copy() {
    // (text, sources, destination, inline names, all heredoc names)
    type Row<'a> = (
        &'a str,
        &'a [&'static str],
        &'a str,
        &'a [&'static str],
        &'a [&'a str],
    );
    let rows: [Row; 8] = [
        ("COPY a b c/", &["a", "b"], "c/", &[], &[]),
        ("COPY \"a b\" /x", &["\"a", "b\""], "/x", &[], &[]),
        ("COPY [\"a b\", \"/x\"]", &["a b"], "/x", &[], &[]),
        (
            "COPY <<A b <<-\"C\" /d/\n1\nA\n\t2\nC",
            &["b"],
            "/d/",
            &["A", "C"],
            &["A", "C"],
        ),
        ("ADD << A /d\n1\nA", &["<<", "A"], "/d", &[], &["A"]),
        (
            "COPY <<A <<A /d/\n1\nA\n2\nA",
            &[],
            "/d/",
            &["2", "2"],
            &["A", "A"],
        ),
        ("COPY [\"<<A\", \"/d\"]", &[], "/d", &[""], &["A"]),
        (
            "COPY <<'A B' /d\nx\nA B",
            &["<<'A", "B'"],
            "/d",
            &[],
            &["A B"],
        ),
    ];
    for (text, sources, dest, inline, names) in rows {
        let (i, codes) = one(text);
        assert_eq!(codes, "", "{text}");
        let i = &*Box::leak(Box::new(i));
        let (Kind::Copy(t) | Kind::Add(t)) = i.kind() else {
            panic!("{text}: {:?}", i.kind())
        };
        assert_eq!(
            (t.sources, t.dest.as_str()),
            (list(sources), dest),
            "{text}"
        );
        let all: Vec<&str> = i.heredocs().iter().map(|h| h.name.as_str()).collect();
        assert_eq!(all, names, "{text}");
        let bodies = t.inline.iter().map(|n| i.heredocs()[*n].content());
        let got: Vec<String> = bodies.map(|body| body.trim().to_owned()).collect();
        let wanted = match inline {
            ["A", "C"] => &["1", "2"],
            other => other,
        };
        assert_eq!(got, wanted, "{text}");
    }
}

#[test]
fn run_keeps_heredocs_apart_from_the_command() {
    let (i, codes) =
        one("RUN --network=none cat <<A | sh -s <<-'B'\n# a \\\nA\n\tFROM x\n\tB\nRUN x");
    assert_eq!(codes, "");
    assert_eq!(i.kind(), Kind::Run(shell("cat <<A | sh -s <<-'B'")));
    assert_eq!(i.heredocs()[0].body, "# a \\\n");
    assert_eq!(
        (i.heredocs()[1].content().as_str(), i.heredocs()[1].expand),
        ("FROM x\n", false)
    );
    assert_eq!((i.line, i.end_line), (2, 6));
    let (i, _) = one("RUN cat <<A # don't\nb\nA");
    assert_eq!(i.heredocs(), []);
}

#[test]
fn flags_are_cut_off_and_located() {
    let (i, codes) = one("COPY --link \\\n  --chown='a b' --exclude=x --exclude=y s d");
    assert_eq!(codes, "");
    assert!(i.has_flag("link") && !i.has_flag("parents"));
    assert_eq!(i.flag("chown"), Some("a b"));
    assert_eq!(i.flag_values("exclude").collect::<Vec<_>>(), ["x", "y"]);
    assert_eq!(i.arguments(), "s d");
    assert_eq!(i.flags().get(1).unwrap().raw, "--chown='a b'");
    let text = "FROM a\nCOPY --link \\\n  --chown='a b' --exclude=x --exclude=y s d\n";
    let cut = |span: Span| &text[span.range()];
    assert_eq!(cut(i.flags().get(1).unwrap().span()), "--chown='a b'");
    assert_eq!(cut(i.arguments().span_of(2..3)), "d");
    assert_eq!(cut(i.original().span_of(0..4)), "COPY");
    assert_eq!(cut(i.original().span_of(5..18)), "--link \\\n  --ch");
}

#[test]
fn directives_at_the_top_only() {
    let escape = |t: &str| file(t).tree.directives.escape;
    assert_eq!(escape("# escape=`\nFROM a"), '`');
    assert_eq!(escape("\u{feff}  # syntax=x\n# Escape = `\nFROM a"), '`');
    assert_eq!(escape("\n# escape=`\nFROM a"), '\\');
    assert_eq!(escape("# note\n# escape=`\nFROM a"), '\\');
    assert_eq!(escape("#!x\n# escape=`\nFROM a"), '\\');
    assert_eq!(escape("FROM a\n# escape=`"), '\\');
    let syntax = |t: &str| file(t).tree.directives.syntax.map(|s| s.0);
    assert_eq!(
        syntax("# escape=`\n# syntax=a/b x\nFROM a").as_deref(),
        Some("a/b x")
    );
    assert_eq!(syntax("#!x\n# syntax=a\nFROM a").as_deref(), Some("a"));
    assert_eq!(syntax(" # syntax=a\nFROM a"), None);
    let parsed = file("# check=skip=all\r\n# c\r\nFROM a\r\n");
    let (value, span) = parsed.tree.directives.check.unwrap();
    assert_eq!((value.as_str(), span.range()), ("skip=all", 8..16));
}

#[test]
fn whole_files() {
    let long = |n: usize| format!("FROM a\nRUN {}", "a".repeat(n));
    let rows = [
        (String::new(), "parse/empty-file"),
        ("\u{feff}".into(), "parse/no-instructions"),
        ("\n# a\n".into(), "parse/no-instructions"),
        ("ARG a\n".into(), "build/no-stages"),
        ("ARG a\nRUN x\nRUN y".into(), "build/no-build-stage"),
        ("ONBUILD RUN x\nFROM a".into(), "build/no-build-stage"),
        ("FORM a\nRUN x".into(), "build/unknown-instruction"),
        ("# escape=x\nFROM a".into(), "parse/bad-escape"),
        (
            "# escape=\\\n# ESCAPE=\\\nFROM a".into(),
            "parse/duplicate-directive",
        ),
        ("# check=foo\nFROM a".into(), "parse/bad-check"),
        (long(65531), ""),
        (long(65531) + "\n", ""),
        (long(65532), "parse/line-too-long"),
        (
            "FROM a\nRUN <<E\n".to_owned() + &"a".repeat(65536) + "\nE",
            "parse/line-too-long",
        ),
        ("FROM a\rRUN x\n".into(), "build/bad-from"),
        ("FROM a\nRUN a \\\r\r\nFOO\n".into(), ""),
        (
            "FROM a\nFOO\nCOPY x\nENV y\n".into(),
            "build/unknown-instruction build/missing-arguments parse/missing-value",
        ),
    ];
    for (text, codes) in rows {
        let found: Vec<&str> = file(text.clone())
            .diagnostics
            .iter()
            .map(|d| d.code)
            .collect();
        assert_eq!(found.join(" "), codes, "{}", &text[..text.len().min(40)]);
    }
    let d = &file("FORM a").diagnostics[0];
    assert_eq!(d.help.as_deref(), Some("did you mean `FROM`?"));
    assert_eq!(d.span().unwrap().range(), 0..4);
}

#[test]
fn pieces_and_leading_comments() {
    use crate::dockerfile::PieceKind::{Blank, Comment, Directive, Instruction};
    let text = "# syntax=x\n# a\n\n# b\n# c\nFROM a\n \nRUN <<E\n# d\nE\n# e";
    let tree = file(text).tree;
    let kinds: Vec<_> = tree.pieces().map(|p| p.kind).collect();
    let expected = [
        Directive,
        Comment,
        Blank,
        Comment,
        Comment,
        Instruction(0),
        Blank,
        Instruction(1),
        Comment,
    ];
    assert_eq!(kinds, expected);
    assert_eq!(
        &text[tree.instructions().at(0).leading_comments.range()],
        "# b\n# c\n"
    );
    assert!(tree.instructions().at(1).leading_comments.is_empty());
    assert_eq!(
        &text[tree.instructions().at(1).span.range()],
        "RUN <<E\n# d\nE\n"
    );
}

#[test]
fn bytes_that_are_not_text() {
    let parsed = file(
        b"FROM a\nENV a=\xff\xc3 b=\x00\nRUN <<\xfe\nx\n\xfe\nCOPY --chown=\xc3\xa0 a b\n".to_vec(),
    );
    // The blank hidden in the flag's second byte ends it, as in the builder.
    let codes: Vec<&str> = parsed.diagnostics.iter().map(|d| d.code).collect();
    assert_eq!(codes, [""; 0]);
    let i = Box::leak(Box::new(parsed.tree)).instructions();
    let wanted = Kind::Env(list(&["a", "\u{fffd}\u{fffd}", "b", "\0"]).in_pairs());
    assert_eq!(i.at(1).kind(), wanted);
    assert_eq!(i.at(2).heredocs()[0].body, "x\n");
    assert_eq!(i.at(3).flags().get(0).unwrap().value(), Some("\u{c3}"));
}

/// Megabytes of the worst lines stay quick; the test suite would hang if one were quadratic.
#[test]
fn long_inputs_take_linear_time() {
    let many = 1 << 17;
    let inputs = [
        format!(
            "FROM a\nCOPY [{}\"/x\"]",
            "\"<<A\",\\\n\"<<B\",\\\n".repeat(many)
        ),
        format!(
            "FROM a\nCOPY [{}\"/x\"]",
            "\"<<A\", \"\\u0061\",".repeat(many)
        ),
        format!("FROM a\nVOLUME [{}\"/x\"]", "\"\\u0061\",".repeat(many)),
        "CMD [\"\\u0061\"]\nCMD [\"\\u0061\" x\n".repeat(many),
        format!("FROM a\nRUN {}x", "a \\\n# c\n\n".repeat(many)),
        format!("FROM a\nENV {}", "a='b c' \\\n".repeat(many)),
        format!("FROM a\nRUN <<E {}", "${a:-\\\n".repeat(many)),
        format!("FROM a\nRUN {}", "--mount=\"x\" \\\n".repeat(many)),
        "FROM a\nRUN <<E\nE\n\n".repeat(many),
        "# c\n".repeat(many),
    ];
    for text in inputs {
        let size = text.len();
        assert_eq!(
            file(text).tree.pieces().last().unwrap().span.range().end,
            size
        );
    }
}

/// All at once, each with a help line and a place inside its own instruction.
#[test]
fn every_objection_is_reported_placed_and_helped() {
    let lines = [
        "FROM",
        "FROM a b",
        "FROM a AS 1",
        "FOO x",
        "RUN []",
        "RUN [1]",
        "RUN --x a",
        "RUN --network=x a",
        "RUN --network=none --network=none a",
        "RUN --network a",
        "COPY a",
        "COPY --from=$a b c",
        "COPY a <<E\nE",
        "COPY --link=x a b",
        "ADD",
        "ENV",
        "ENV a",
        "ENV =a",
        "ENV a=b c",
        "LABEL",
        "ARG",
        "ARG =a",
        "EXPOSE",
        "VOLUME []",
        "VOLUME [\"\"]",
        "WORKDIR",
        "USER",
        "STOPSIGNAL",
        "MAINTAINER",
        "SHELL",
        "SHELL a",
        "HEALTHCHECK",
        "HEALTHCHECK NONE a",
        "HEALTHCHECK CMD",
        "HEALTHCHECK FOO",
        "HEALTHCHECK --retries=x CMD a",
        "HEALTHCHECK --interval=1 CMD a",
        "ONBUILD",
        "ONBUILD FROM a",
        "ONBUILD COPY a",
        "USER --x a",
        "RUN <<EOF",
    ];
    let text = format!("FROM a\n{}\n", lines.join("\n"));
    let parsed = file(text.clone());
    assert_eq!(
        parsed.diagnostics.len(),
        lines.len(),
        "{:#?}",
        parsed.diagnostics
    );
    for (d, i) in parsed
        .diagnostics
        .iter()
        .zip(parsed.tree.instructions().slice(1..))
    {
        assert!(d.help.as_ref().is_some_and(|h| !h.is_empty()), "{d:?}");
        let (at, whole) = (d.span().unwrap(), i.span);
        assert!(
            whole.start <= at.start && at.end <= whole.end,
            "{d:?} in {}",
            i.original()
        );
        assert!(!at.is_empty() && d.message.len() < 200, "{d:?}");
    }
    for text in [
        "",
        "# a",
        "ARG a",
        "RUN a",
        "# escape=x\nFROM a",
        "# check=x\nFROM a",
        "# check=skip=a\n# check=skip=a\nFROM a",
    ] {
        let parsed = file(text);
        assert!(!parsed.diagnostics.is_empty(), "{text}");
        assert!(
            parsed.diagnostics.iter().all(|d| d.help.is_some()),
            "{text}"
        );
    }
}
