use super::made::{Layer, archive, gzip, image};
use super::*;
use proptest::prelude::*;
use std::io::Cursor;

fn read(layers: &[Layer]) -> Image {
    Image::read(image(layers)).unwrap_or_else(|e| panic!("{e}"))
}

fn refused(layer: Layer) -> String {
    let error = Image::read(image(&[layer])).expect_err("it is hostile");
    error.to_string()
}

fn paths(image: &Image) -> Vec<String> {
    image.iter().map(|(path, _)| display(path)).collect()
}

fn layer() -> Layer {
    Layer::default()
}

#[test]
fn upper_layers_win_and_take_away() {
    let low = layer()
        .folder("d/")
        .file("d/a", "1")
        .file("d/b", "1")
        .folder("e")
        .file("e/x", "1")
        .folder("e/sub")
        .file("e/sub/y", "1")
        .file("d.txt", "1");
    // What a layer takes away is what lower ones have, in whatever order its members stand.
    let top = layer()
        .file("d/b", "new")
        .file("d/.wh.b", "")
        .file("d/.wh.a", "")
        .file("e/new", "2")
        .file("e/.wh..wh..opq", "")
        .file("e/.wh..wh.plnk", "")
        .file("d/c", "3");
    let image = read(&[low.clone(), top]);
    assert_eq!(
        paths(&image),
        ["", "d", "d.txt", "d/b", "d/c", "e", "e/new"]
    );
    let all = read(&[
        low,
        layer()
            .file(".wh.d", "")
            .file(".wh..wh..opq", "")
            .folder("e"),
    ]);
    assert_eq!(paths(&all), ["", "e"]);
    let Kind::File { size, .. } = image.get(b"d/b").expect("there").kind else {
        panic!("a file");
    };
    assert_eq!(size, 3);
}

#[test]
fn kinds_give_way_to_each_other() {
    let low = layer()
        .folder("a")
        .file("a/x", "1")
        .symlink("bin", "usr/bin")
        .folder("usr/bin");
    // A file takes the place of a folder with all it held; a name below a link goes where that leads.
    let image = read(&[low.clone(), layer().file("a", "1").file("bin/sh", "x")]);
    assert_eq!(
        paths(&image),
        ["", "a", "bin", "usr", "usr/bin", "usr/bin/sh"]
    );
    assert_eq!(image.get(b"usr").expect("there").mode, 0o755);
    // A folder in place of the link.
    let image = read(&[low, layer().folder("bin").file("bin/sh", "x")]);
    assert_eq!(
        paths(&image),
        ["", "a", "a/x", "bin", "bin/sh", "usr", "usr/bin"]
    );
    let absolute = layer()
        .folder("o/in")
        .symlink("l", "/o/../o/in")
        .file("l/f", "");
    assert_eq!(paths(&read(&[absolute])), ["", "l", "o", "o/in", "o/in/f"]);
}

#[test]
fn hard_links_are_groups() {
    let low = layer()
        .file("a", "1")
        .link("b", "a")
        .link("c", "./b")
        .file("alone", "1");
    let image = read(std::slice::from_ref(&low));
    let group = (&b"a"[..], 3);
    let expected = [(&b"a"[..], group), (b"b", group), (b"c", group)];
    assert_eq!(image.hard_links().into_iter().collect::<Vec<_>>(), expected);
    // A name that is written anew leaves the group.
    let image = read(&[low, layer().file("a", "2")]);
    let group = (&b"b"[..], 2);
    assert_eq!(
        image.hard_links().into_iter().collect::<Vec<_>>(),
        [(&b"b"[..], group), (b"c", group)]
    );
}

#[test]
fn headers_are_read_in_all_their_forms() {
    let long = format!("{}/{}", "d".repeat(200), "f".repeat(200));
    let image = read(&[layer()
        .extended(&[
            ("path", long.as_bytes()),
            ("uid", b"4000000"),
            ("SCHILY.xattr.security.capability", b"\x01\0\n="),
        ])
        .file("short", "x")
        .member(
            b'L',
            "././@LongLink",
            "",
            0,
            format!("{long}2\0").as_bytes(),
        )
        .raw(b'0', b"short", "", 0o4755, (7, 8), b"y")
        .member(b'5', "a/", "", 0o1777, b"")
        .member(b'0', "old-folder/", "", 0o755, b"")
        .member(b'6', "pipe", "", 0o600, b"")]);
    let one = image.get(long.as_bytes()).expect("there");
    assert_eq!((one.uid, one.gid), (4_000_000, 0));
    assert_eq!(one.xattrs[&b"security.capability"[..]], b"\x01\0\n=");
    let two = image.get(format!("{long}2").as_bytes()).expect("there");
    assert_eq!((two.mode, two.uid, two.gid), (0o4755, 7, 8));
    assert_eq!(image.get(b"a").expect("there").mode, 0o1777);
    assert_eq!(image.get(b"old-folder").expect("there").kind, Kind::Folder);
    assert_eq!(image.get(b"pipe").expect("there").kind, Kind::Pipe);
}

#[test]
fn contents_are_found_again() {
    let low = layer().file("a", "low").file("b", "text");
    let top = layer().file("a", "top").link("c", "a");
    let layers = [gzip(&low.0), top.0];
    let mut whole = archive(&layers, "{}");
    let image = Image::read(&mut whole).expect("reads");
    let wanted: [(&[u8], u64); 4] = [(b"a", 9), (b"b", 9), (b"c", 9), (b"nothing", 9)];
    let found = image.contents(&mut whole, wanted).expect("reads");
    assert_eq!(found[&b"a"[..]], b"top");
    assert_eq!(found[&b"b"[..]], b"text");
    assert_eq!(found[&b"c"[..]], b"top");
    assert_eq!(found.len(), 3);
    let small = image.contents(&mut whole, [(&b"b"[..], 3)]).expect("reads");
    assert!(small.is_empty(), "four bytes are more than three");
}

#[test]
fn configurations_lose_what_is_empty() {
    let config = r#"{"Env":["A=b"],"Cmd":null,"Volumes":{},"Hostname":"x","ArgsEscaped":false,"User":"app"}"#;
    let image = Image::read(archive(&[], config)).expect("reads");
    let names: Vec<&String> = image.config().keys().collect();
    assert_eq!(names, ["Env", "User", "architecture", "os"]);
}

#[test]
fn docker_archives_are_read_too() {
    let layer = layer().file("a", "1");
    let tar = Layer::default()
        .file(
            "manifest.json",
            r#"[{"Config":"c.json","Layers":["l.tar"]}]"#,
        )
        .file("c.json", r#"{"os":"linux","config":{"User":"u"}}"#)
        .member(b'0', "l.tar", "", 0o644, &layer.0);
    let image = Image::read(Cursor::new(tar.0)).expect("reads");
    assert_eq!(paths(&image), ["", "a"]);
    assert_eq!(image.config()["User"], "u");
}

#[test]
fn hostile_layers_are_refused_with_their_place() {
    let huge = layer().member(b'x', "p", "", 0, &vec![b'1'; 2 << 20]);
    let mut lying = layer().file("a", "content");
    lying.0.truncate(515);
    let cases: [(Layer, &str); 13] = [
        (
            layer().file("../x", ""),
            "layer 1, ../x: a path that leads out",
        ),
        (layer().file("a/../../x", ""), "leads out"),
        (layer().link("a", "../../etc/passwd"), "leads out"),
        (
            layer().link("a", "b"),
            "layer 1, a: a hard link to what is not there",
        ),
        (
            layer().file("a", "").link("a", "a"),
            "a hard link to itself",
        ),
        (
            layer().folder("d").link("a", "d"),
            "a hard link to a folder",
        ),
        (
            layer().file("a", "").file("a/b", ""),
            "what should be its folder is none",
        ),
        (
            layer().symlink("a", "b").symlink("b", "a").file("a/x", ""),
            "lead nowhere",
        ),
        (
            layer().file("before", "").member(b'Q', "a", "", 0, b""),
            "layer 1, before: behind this member: a member of the kind 'Q'",
        ),
        (
            layer()
                .extended(&[("size", b"99999999999999999999")])
                .file("a", ""),
            "a damaged size",
        ),
        (
            layer().member(b'x', "p", "", 0, b"99 a=b\n").file("a", ""),
            "a damaged extended header",
        ),
        (huge, "an extended header of 2097152 bytes"),
        (lying, "ends early"),
    ];
    for (layer, why) in cases {
        let said = refused(layer);
        assert!(said.contains(why), "{said} / {why}");
    }
    let long = "x/".repeat(3000);
    let said = refused(layer().extended(&[("path", long.as_bytes())]).file("a", ""));
    assert!(said.contains("too long"), "{said}");
    // An absolute name is one inside the image.
    assert_eq!(
        paths(&read(&[layer().file("/etc//./x", "")])),
        ["", "etc", "etc/x"]
    );
    // Twice the same name: the last one counts.
    let twice = read(&[layer().file("a", "1").file("a", "22")]);
    assert!(matches!(
        twice.get(b"a").expect("there").kind,
        Kind::File { size: 2, .. }
    ));
    let damaged = archive(&[b"\x28\xb5\x2f\xfdrest".to_vec()], "{}");
    let said = Image::read(damaged).expect_err("damaged").to_string();
    assert!(said.starts_with("the image archive, layer 1"), "{said}");
    let packed = zstd::encode_all(&layer().file("a", "1").0[..], 3).expect("packed");
    let two = archive(&[[packed.clone(), packed].concat()], "{}");
    assert_eq!(paths(&Image::read(two).expect("an image")), ["", "a"]);
}

/// What each layer holds, and what later ones take away, as text.
fn amounts(layers: &[Layer]) -> Vec<String> {
    let image = read(layers);
    let of_layer = image.made_of().iter().map(|l| {
        let a = l.amount;
        let stores = [Disk::Tmpfs, Disk::Ext4].map(|d| Store::Containerd(d).bytes(&a) / BLOCK);
        format!(
            "{} files, {} B, {} folders, {stores:?}",
            a.files, a.bytes, a.folders
        )
    });
    let losses = image.losses().iter().map(|l| {
        let (path, kind) = (display(&l.path), l.kind.as_str());
        format!("{path} {} of {} {kind} by {}", l.size, l.holder, l.by)
    });
    of_layer.chain(losses).collect()
}

#[test]
fn layers_are_weighed_and_what_they_hide_is_told() {
    let link = "x".repeat(60);
    let low = layer()
        .folder("d")
        .file("d/a", "12345")
        .file("d/b", "1")
        .file("d/e", "")
        .link("d/c", "d/b")
        .symlink("l", &link)
        .file("o/x", "12")
        .file("f/y", "1234");
    let high = layer()
        .file("d/.wh.a", "")
        .file("d/.wh.b", "")
        .file("o/.wh..wh..opq", "")
        .member(b'0', "f/y", "", 0o755, b"1234")
        .file("d/e", "new");
    let top = layer()
        .file("d/c", "2")
        .file("d/e", "old")
        .file("d/e", "odd");
    assert_eq!(
        amounts(&[low, high, top]),
        [
            "5 files, 12 B, 4 folders, [4, 9]",
            "2 files, 7 B, 3 folders, [2, 5]",
            "3 files, 7 B, 2 folders, [3, 5]",
            "f/y 4 of 0 attributes by 1",
            "d/e 0 of 0 overwritten by 1",
            "o/x 2 of 0 deleted by 1",
            "d/a 5 of 0 deleted by 1",
            "d/c 1 of 0 overwritten by 2",
            "d/e 3 of 1 overwritten by 2",
        ]
    );
}

#[test]
fn a_history_that_fits_names_the_layers() {
    let config = |history: &str| {
        let layers = [layer().file("a", "1").0, layer().file("b", "1").0];
        let config = format!(r#"{{}},"history":{history},"x":{{}}"#);
        let image = Image::read(archive(&layers, &config)).expect("an image");
        let one = |l: &ImageLayer| format!("{}={:?}", l.created_by, l.layer);
        image.made_of().iter().map(one).collect::<Vec<_>>()
    };
    assert_eq!(
        config(r#"[{"created_by":"A"},{"created_by":"E","empty_layer":true},{"created_by":"B"}]"#),
        ["A=Some(0)", "E=None", "B=Some(1)"]
    );
    for odd in ["7", "[]", r#"[{"created_by":"A"}]"#] {
        assert_eq!(config(odd), ["=Some(0)", "=Some(1)"], "{odd}");
    }
}

#[test]
fn hostile_archives_are_refused() {
    let of = |index: &str| {
        let tar = Layer::default().file("index.json", index);
        let error = Image::read(Cursor::new(tar.0)).expect_err("it is none");
        error.to_string()
    };
    for (index, why) in [
        ("{", "index.json: EOF"),
        (r#"{"manifests":[]}"#, "it holds no image"),
        (r#"{"manifests":[{},{}]}"#, "it holds 2 images"),
        (
            r#"{"manifests":[{"digest":"sha256:../x"}]}"#,
            "a digest that is none",
        ),
        (
            r#"{"manifests":[{"digest":"sha256:ab"}]}"#,
            "blobs/sha256/ab: it is not there",
        ),
        (r#"{"layers":{}}"#, "what should be a list is none"),
        ("[]", "a name is missing"),
    ] {
        let said = of(index);
        assert!(said.contains(why), "{said} / {why}");
    }
    let said = Image::read(Cursor::new(vec![]))
        .expect_err("nothing")
        .to_string();
    assert!(said.contains("manifest.json: it is not there"), "{said}");
    let said = Image::read(Cursor::new(vec![7; 2000]))
        .expect_err("noise")
        .to_string();
    assert!(said.contains("wrong checksum"), "{said}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_archive_makes_it_panic(flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6), cut in any::<prop::sample::Index>(), whole in any::<bool>()) {
        let low = layer().extended(&[("path", b"long")]).file("d/a", "text").link("b", "long").symlink("l", "d");
        let mut bytes = archive(&[gzip(&low.0), layer().file("d/.wh.a", "").folder("e").0], "{}").into_inner();
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if !whole {
            bytes.truncate(cut.index(bytes.len()));
        }
        let _ = Image::read(Cursor::new(bytes));
    }

    #[test]
    fn no_layer_makes_it_panic(names in prop::collection::vec(("[abdl./]{1,9}|[ab]/[.]wh[.][ab]|[.]wh[.][.]wh[.][.]opq", 0..5u8, "[abdl./]{0,5}"), 0..12)) {
        let mut one = layer();
        for (name, kind, target) in &names {
            one = one.member(b"01256"[usize::from(*kind)], name, target, 0o644, b"");
        }
        let read = Image::read(image(&[layer().folder("a").file("a/b", ""), one]));
        if let Ok(image) = read {
            for (path, _) in image.iter().filter(|(p, _)| !p.is_empty()) {
                let folder = path.iter().rposition(|b| *b == b'/').unwrap_or(0);
                let above = image.get(&path[..folder]);
                prop_assert_eq!(above.map(|i| &i.kind), Some(&Kind::Folder));
            }
        }
    }
}
