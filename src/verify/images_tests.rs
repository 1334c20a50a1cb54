//! Two images that differ in one way, and what counts as noise.

use super::images::{Archive, Comparison, compare_archives};
use super::*;
use crate::image::made::{Layer, archive, image};
use std::io::Cursor;

type Bytes = Cursor<Vec<u8>>;

fn compare(a: Bytes, b: Bytes, again: Option<Bytes>) -> Comparison {
    let open = |bytes| Archive::read(bytes).unwrap_or_else(|e| panic!("{e}"));
    let again = again.map(open);
    let again = again.as_ref().map(|a| &a.image);
    compare_archives(&mut open(a), &mut open(b), again).expect("reads")
}

/// Path, field, original, plan.
fn rows(c: &Comparison) -> Vec<String> {
    let one = |d: &ImageDifference| {
        let name = match &d.field {
            Field::Config(n) | Field::ConfigOrder(n) | Field::Attribute(n) => format!(" {n}"),
            _ => String::new(),
        };
        let path = shown(&d.path);
        format!(
            "{path} {}{name}: {} | {}",
            d.field.name(),
            d.original,
            d.plan
        )
    };
    c.differences.iter().map(one).collect()
}

fn noise(c: &Comparison) -> Vec<(String, &'static str)> {
    let all = c.noise.iter();
    all.map(|n| (shown(&n.difference.path), n.kind)).collect()
}

fn layer() -> Layer {
    Layer::default()
}

#[test]
fn equal_images_have_no_rows_however_they_are_layered() {
    let a = image(&[layer().folder("d").file("d/a", "1").file("b", "2")]);
    let b = image(&[
        layer().file("b", "2"),
        layer().folder("d").file("d/gone", ""),
        layer().file("d/a", "1").file("d/.wh.gone", ""),
    ]);
    let c = compare(a, b, None);
    assert_eq!(
        c,
        Comparison {
            paths: 4,
            ..Comparison::default()
        }
    );
}

#[test]
fn every_way_to_differ_is_a_row() {
    let a = layer()
        .file("content", "one\n")
        .file("mode", "")
        .file("owner", "")
        .symlink("link", "a")
        .file("kind", "")
        .file("only-here", "x")
        .file("h1", "")
        .link("h2", "h1")
        .extended(&[("SCHILY.xattr.user.a", b"1")])
        .file("xattr", "")
        .member(b'6', "pipe", "", 0o600, b"");
    let b = layer()
        .file("content", "two\n")
        .member(b'0', "mode", "", 0o4755, b"")
        .raw(b'0', b"owner", "", 0o644, (1000, 5), b"")
        .symlink("link", "b")
        .folder("kind")
        .file("h1", "")
        .file("h2", "")
        .file("xattr", "")
        .member(b'6', "pipe", "", 0o600, b"")
        .symlink("there", "content");
    let c = compare(image(&[a]), image(&[b]), None);
    let digest = |text: &[u8]| blake3::hash(text).to_hex();
    let (one, two) = (digest(b"one\n"), digest(b"two\n"));
    let expected = [
        format!("/content content: 4 B, blake3 {one} | 4 B, blake3 {two}"),
        "/h1 hard links: 2 names, the first is /h1 | one name".to_owned(),
        "/h2 hard links: 2 names, the first is /h1 | one name".to_owned(),
        "/kind mode: 0644 | 0755".to_owned(),
        "/kind type: file | folder".to_owned(),
        "/link link target: a | b".to_owned(),
        "/mode mode: 0644 | 4755".to_owned(),
        "/only-here presence: file, 0644, 0:0, 1 B | absent".to_owned(),
        "/owner owner: 0:0 | 1000:5".to_owned(),
        "/there presence: absent | symbolic link to content, 0:0".to_owned(),
        "/xattr attribute user.a: 0x31 | absent".to_owned(),
    ];
    assert_eq!(rows(&c), expected);
    assert!(c.noise.is_empty());
    let texts = c.differences[0].texts.as_deref();
    assert_eq!(texts, Some(&("one\n".to_owned(), "two\n".to_owned())));
}

#[test]
fn configurations_differ_part_by_part() {
    let of = |config: &str| archive(&[], config);
    let a = of(r#"{"Env":["A=1","B=2"],"Labels":{"x":"1"},"Cmd":["sh"],"StopSignal":"9"}"#);
    let b = of(
        r#"{"Env":["A=1","B=3","C="],"Labels":{"x":"1","y":"2"},"Cmd":["ash"],"StopSignal":"9"}"#,
    );
    let c = compare(a, b, None);
    let expected = [
        r#"/ configuration Cmd: ["sh"] | ["ash"]"#,
        "/ configuration Env.B: 2 | 3",
        "/ configuration Env.C: absent | ",
        "/ configuration Labels.y: absent | 2",
    ];
    assert_eq!(rows(&c), expected);
    let order = compare(
        of(r#"{"Env":["A=1","B=2"]}"#),
        of(r#"{"Env":["B=2","A=1"]}"#),
        None,
    );
    assert_eq!(rows(&order), [""; 0]);
    assert_eq!(noise(&order), [("/".to_owned(), "order without a meaning")]);
    let twice = compare(
        of(r#"{"Env":["A=1","A=2"]}"#),
        of(r#"{"Env":["A=2","A=1"]}"#),
        None,
    );
    assert_eq!(rows(&twice).len(), 1);
}

#[test]
fn what_two_builds_of_the_original_differ_in_is_noise() {
    let of = |date: &str, mode: u32, name: &str, extra: &str| {
        image(&[layer()
            .folder("tmp")
            .file(&format!("tmp/{name}/f"), "")
            .file("date", date)
            .member(b'0', "mode", "", mode, b"")
            .file("same", extra)])
    };
    let a = || of("1", 0o644, "x1", "");
    let again = || of("2", 0o600, "x2", "");
    // Content may be anything then; a mode has to be the one of the other build.
    let c = compare(a(), of("3", 0o600, "x3", ""), Some(again()));
    assert_eq!(rows(&c), [""; 0], "{:?}", c.noise);
    assert_eq!(c.noise.len(), 6);
    assert!(c.noise.iter().all(|n| n.kind == NOT_REPRODUCIBLE));
    let c = compare(a(), of("2", 0o755, "x3", "changed"), Some(again()));
    let paths: Vec<String> = c.differences.iter().map(|d| shown(&d.path)).collect();
    assert_eq!(paths, ["/mode", "/same"]);
    // Without the evidence all of it is different.
    assert_eq!(compare(a(), again(), None).differences.len(), 6);
    // A name more than a build makes up is the plan's.
    let more = image(&[layer()
        .folder("tmp")
        .file("tmp/x3/f", "")
        .file("tmp/x4/f", "")
        .file("date", "1")
        .file("mode", "")
        .file("same", "")]);
    let c = compare(a(), more, Some(again()));
    let paths: Vec<String> = c.differences.iter().map(|d| shown(&d.path)).collect();
    assert_eq!(paths, ["/tmp/x3", "/tmp/x3/f", "/tmp/x4", "/tmp/x4/f"]);
}

#[test]
fn known_noise_is_narrow() {
    let python = |flags: u8, time: u8, code: &str| {
        let mut bytes = vec![
            0xa7, 0x0d, 0x0d, 0x0a, flags, 0, 0, 0, time, 1, 2, 3, 9, 0, 0, 0,
        ];
        bytes.extend(code.as_bytes());
        bytes
    };
    let id = "0123456789abcdef0123456789abcde";
    let of = |n: u8, more: &str| {
        let n = char::from(b'0' + n);
        image(&[layer()
            .file("var/log/dpkg.log", &format!("{n}"))
            .file("var/log/apt/history.log", &format!("{n}"))
            .file("root/.npm/_logs/a.log", &format!("{n}"))
            .file("home/app/.cache/pip/x", &format!("{n}"))
            .file("tmp/v8-compile-cache-0/1/yarn.js.MAP", &format!("{n}"))
            .file("tmp/v8-compile-cacheable", &format!("{n}"))
            .file("var/lib/rpm/rpmdb.sqlite", &format!("{n}"))
            .file(
                "etc/shadow",
                &format!("root:*:1978{n}:0:99999:7:::{more}\n"),
            )
            .file("etc/machine-id", &format!("{id}{n}\n"))
            .file("etc/ld.so.cache", &format!("{n}"))
            .file("var/log/app.log", &format!("{n}"))
            .member(b'0', "a.pyc", "", 0o644, &python(0, n as u8, more))
            .member(b'0', "hash.pyc", "", 0o644, &python(1, n as u8, more))])
    };
    let c = compare(of(1, ""), of(2, ""), None);
    let left: Vec<String> = c.differences.iter().map(|d| shown(&d.path)).collect();
    assert_eq!(
        left,
        [
            "/etc/ld.so.cache",
            "/hash.pyc",
            "/tmp/v8-compile-cacheable",
            "/var/log/app.log"
        ]
    );
    assert_eq!(c.noise.len(), 9);
    let c = compare(of(1, ""), of(2, "x"), None);
    let left: Vec<String> = c.differences.iter().map(|d| shown(&d.path)).collect();
    assert_eq!(
        left,
        [
            "/a.pyc",
            "/etc/ld.so.cache",
            "/etc/shadow",
            "/hash.pyc",
            "/tmp/v8-compile-cacheable",
            "/var/log/app.log"
        ]
    );
    // A log that is missing is noise, a database is not; another mode is never noise, nor is the content then.
    let a = layer()
        .file("var/log/dpkg.log", "1")
        .file("var/lib/rpm/x", "1")
        .file("var/log/apt/term.log", "1");
    let b = layer()
        .member(b'0', "var/log/apt/term.log", "", 0o600, b"2")
        .folder("var/lib/rpm");
    let c = compare(image(&[a]), image(&[b]), None);
    let left: Vec<_> = c
        .differences
        .iter()
        .map(|d| (shown(&d.path), d.field.name()))
        .collect();
    let expected = [
        ("/var/lib/rpm/x", "presence"),
        ("/var/log/apt/term.log", "mode"),
        ("/var/log/apt/term.log", "content"),
    ];
    assert_eq!(left, expected.map(|(p, f)| (p.to_owned(), f)));
    assert_eq!(
        noise(&c),
        [("/var/log/dpkg.log".to_owned(), "log with times")]
    );
}

#[test]
fn the_folder_around_caches_is_noise_and_nothing_else_in_it() {
    let of = |mode: u32, more: &str| {
        let a = layer().member(b'5', "root/.cache", "", mode, b"");
        image(&[a.file(more, "1")])
    };
    let c = compare(of(0o700, "root/a"), of(0o755, "root/a"), None);
    assert_eq!((c.differences.len(), c.noise.len()), (0, 1));
    let none = || image(&[layer().file("root/a", "1")]);
    let c = compare(of(0o700, "root/a"), none(), None);
    assert_eq!((c.differences.len(), c.noise.len()), (0, 1));
    let c = compare(of(0o700, "root/.cache/b"), none(), None);
    let left: Vec<String> = c.differences.iter().map(|d| shown(&d.path)).collect();
    assert_eq!(left, ["/root/.cache/b", "/root/a"]);
}

#[test]
fn only_the_order_of_packages_is_noise() {
    let of = |status: &str| image(&[layer().file("var/lib/dpkg/status", status)]);
    let c = compare(
        of("Package: a\n\nPackage: b\n"),
        of("Package: b\n\nPackage: a\n"),
        None,
    );
    assert_eq!((c.differences.len(), c.noise.len()), (0, 1));
    let c = compare(
        of("Package: a\n\nPackage: b\n"),
        of("Package: b\n\nPackage: c\n"),
        None,
    );
    assert_eq!((c.differences.len(), c.noise.len()), (1, 0));
}
