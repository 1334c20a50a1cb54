use super::*;

fn env(name: &str) -> Option<String> {
    let value = match name {
        "v" => "/usr/lib/x.tar.gz",
        "w" => "a b",
        "s" => "a*b?c/d}e\\f[g]",
        "empty" => "",
        "home" => "~",
        _ => return None,
    };
    Some(value.to_owned())
}

fn word(text: &str) -> String {
    expand_word(text, '\\', &env).unwrap_or_else(|e| format!("error: {e}"))
}

#[test]
fn quotes_escapes_and_plain_names() {
    let rows = [
        ("a'b'\"c\"", "abc"),
        ("'$v'", "$v"),
        ("\"$w\"z", "a bz"),
        (r"z=a\ b", "z=a b"),
        (r#""a\$b\n\"""#, r#"a$b\n""#),
        (r"\$v", "$v"),
        (r"end\", "end"),
        ("$", "$"),
        ("a$ b", "a$ b"),
        ("$(x)", "$(x)"),
        ("$1x", "x"),
        ("$$", ""),
        ("$é", ""),
        ("$unset.", "."),
        ("${w}x", "a bx"),
        ("$wx", ""),
    ];
    for (input, value) in rows {
        assert_eq!(word(input), value, "{input}");
    }
    assert_eq!(expand_word("a`$b\\c", '`', &env).unwrap(), "a$b\\c");
}

#[test]
fn operators() {
    let rows = [
        ("${unset:-d}", "d"),
        ("${unset-d}", "d"),
        ("${empty:-d}", "d"),
        ("${empty-d}", ""),
        ("${w:+x}", "x"),
        ("${empty:+x}", ""),
        ("${empty+x}", "x"),
        ("${unset+x}", ""),
        ("${w:?no}", "a b"),
        ("${unset?}", "error: unset: is not allowed to be unset"),
        ("${empty:?}", "error: empty: is not allowed to be empty"),
        ("${unset:?say $home}", "error: unset: say ~"),
        ("${v#*/}", "usr/lib/x.tar.gz"),
        ("${v##*/}", "x.tar.gz"),
        ("${v%.*}", "/usr/lib/x.tar"),
        ("${v%%.*}", "/usr/lib/x"),
        ("${v/usr/opt}", "/opt/lib/x.tar.gz"),
        ("${v//\\//-}", "-usr-lib-x.tar.gz"),
        ("${v/\\//-}", "-usr/lib/x.tar.gz"),
        ("\"a${unset:-b c}d\"", "ab cd"),
        ("${unset:-\"x  y\"}", "x  y"),
        ("\"${unset:-\"x\"}\"", "x"),
        ("${unset:-${other:-$w}}", "a b"),
        ("${s#a\\*}", "b?c/d}e\\f[g]"),
        ("${s%\\\\f[g]}", "a*b?c/d}e"),
        ("${s#*\\}}", "e\\f[g]"),
        ("${s/\\?/x}", "a*bxc/d}e\\f[g]"),
        ("${s%\"[g]\"}", "a*b?c/d}e\\f"),
        ("${s%%b*}", "a*"),
        ("${s/\"a*\"/Q}", "Q"),
        // Escapes of the replacement stay; `$1` that survives is an (empty) group in `//` only.
        ("${w/a/\\$1}", "\\$1 b"),
        ("${w//a/\\$1}", "\\ b"),
        ("${w/a/\"q r\"}", "q r b"),
        ("${w/a/\"\\$\"}", "\\$ b"),
        ("${w/a/\"\\x\"}", "\\\\x b"),
        ("${w/a/${u:-\"\\$\"}\\z}", "$\\z b"),
        ("${s#${u:-\\*}}", "a*b?c/d}e\\f[g]"),
        (
            "${v#\"\\$\"}",
            "error: invalid pattern (\\$) in substitution",
        ),
        ("${v/s\\/}", "error: missing second '/' in substitution"),
        ("${v#\\a}", "error: invalid pattern (\\a) in substitution"),
    ];
    for (input, value) in rows {
        assert_eq!(word(input), value, "{input}");
    }
}

#[test]
fn malformed_words() {
    use ExpandError::*;
    let rows = [
        ("it's", UnclosedQuote('\'')),
        ("\"b", UnclosedQuote('"')),
        ("${", MissingBrace),
        ("${x", MissingBrace),
        ("${x:-a", MissingBrace),
        ("${x:-\"a}", MissingBrace),
        ("${}", BadSubstitution),
        ("${{x}}", BadSubstitution),
        ("${:x}", BadSubstitution),
        ("${v/a}", MissingSlash),
        ("${v^^}", UnsupportedModifier("^".into())),
        ("${v:=x}", UnsupportedModifier(":=".into())),
        ("${v:#x}", UnsupportedModifier(":#".into())),
        ("${!v}", UnsupportedModifier("v".into())),
        ("${#v}", UnsupportedModifier("v".into())),
        ("${v:1:2}", UnsupportedModifier(":1".into())),
    ];
    for (input, error) in rows {
        assert_eq!(expand_word(input, '\\', &env), Err(error), "{input}");
    }
}

#[test]
fn limits_hold() {
    let nested = |n: usize| "${x:-".repeat(n) + &"}".repeat(n);
    assert!(expand_word(&nested(100), '\\', &env).is_ok());
    assert_eq!(
        expand_word(&nested(101), '\\', &env),
        Err(ExpandError::TooDeep)
    );
    assert_eq!(
        expand_word(&nested(100_000), '\\', &env),
        Err(ExpandError::TooDeep)
    );
    let big = |_: &str| Some("x".repeat(1000));
    assert_eq!(
        expand_word(&"$a".repeat(2000), '\\', &big),
        Err(ExpandError::TooLong)
    );
    assert_eq!(
        expand_word(&format!("\"{}\"", "$a".repeat(2000)), '\\', &big),
        Err(ExpandError::TooLong)
    );
    assert_eq!(
        expand_word("${a//x/${a//x/$a}}", '\\', &big),
        Err(ExpandError::TooLong)
    );
}

#[test]
fn words_split_again_after_expansion() {
    let split = |t: &str| expand_words(t, '\\', &env).unwrap();
    assert_eq!(split("$w"), ["a", "b"]);
    assert_eq!(split("x$w 'c d' \"$w\""), ["xa", "b", "c d", "a b"]);
    assert_eq!(split("$unset"), [""; 0]);
    assert_eq!(split(r"a\ b"), ["a b"]);
}

#[test]
fn heredoc_bodies_lose_backslashes_and_keep_quotes() {
    let body = "\"$w\" '$w' ${u:-\"q\"} ${u:-it's} \\\\ \\$x \\n $ end\n";
    assert_eq!(
        expand_heredoc(body, &env).unwrap(),
        "\"a b\" 'a b' \"q\" it's \\ $x n $ end\n"
    );
}

#[test]
fn names_referred_to() {
    let rows: [(&str, &[&str]); 8] = [
        ("plain", &[]),
        ("$b$a$b", &["b", "a"]),
        ("${a:-$b}${c#${d}}", &["a", "b", "c", "d"]),
        ("'$a'\"$b\"\\$c", &["b"]),
        ("$1$@$$", &[]),
        ("${a:?no}$b", &["a", "b"]),
        ("$a ${b^^}$c", &["a", "b"]),
        ("${a/$b/$c}", &["a", "b", "c"]),
    ];
    for (input, names) in rows {
        assert_eq!(variables(input, '\\'), names, "{input}");
    }
    assert_eq!(heredoc_variables("'$a' \\$b"), ["a"]);
}

/// Found by fuzzing: replacements inside replacements made a pattern of a mebibyte.
#[test]
fn patterns_that_variables_blow_up_are_refused() {
    let long = "x".repeat(5000);
    let lookup = |name: &str| (name == "a").then(|| long.clone());
    for word in ["${a#$a}", "${a%%$a}", "${a/$a/b}", "${a//$a/b}"] {
        assert_eq!(
            expand_word(word, '\\', &lookup),
            Err(ExpandError::TooLong),
            "{word}"
        );
    }
}
