use super::*;

#[test]
fn steps_of_real_histories() {
    for (created_by, step) in [
        ("RUN /bin/sh -c npm ci # buildkit", Some("RUN npm ci")),
        (
            "RUN |2 A=b C=d e /bin/sh -c echo $A # buildkit",
            Some("RUN echo $A"),
        ),
        (
            "RUN |2 A=b C=d e /bin/sh -e -c echo shell # buildkit",
            Some("RUN echo shell"),
        ),
        (
            "RUN /bin/bash -euxo pipefail -c a | b # buildkit",
            Some("RUN a | b"),
        ),
        ("RUN bash -o pipefail -c make # buildkit", Some("RUN make")),
        ("RUN |1 A=b echo x y # buildkit", Some("RUN echo x y")),
        // A value with a blank, and no shell that would tell where it ends.
        (
            "RUN |2 A=b C=d e echo x y # buildkit",
            Some("RUN e echo x y"),
        ),
        ("RUN |2 A=b c d # buildkit", None),
        ("RUN echo x y # buildkit", Some("RUN echo x y")),
        (
            "RUN /opt/run sh -c x # buildkit",
            Some("RUN /opt/run sh -c x"),
        ),
        (
            "RUN /bin/sh -c echo one\necho two > /two\n # buildkit",
            Some("RUN echo one\necho two > /two"),
        ),
        ("RUN cmd /S /C dir # buildkit", Some("RUN dir")),
        (
            "RUN powershell -NoProfile -Command ls # buildkit",
            Some("RUN ls"),
        ),
        ("COPY . . # buildkit", Some("COPY . .")),
        (
            "COPY --chown=app --chmod=755 a /m # buildkit",
            Some("COPY a /m"),
        ),
        ("ADD t.tar /t # buildkit", Some("ADD t.tar /t")),
        ("WORKDIR /w", Some("WORKDIR /w")),
        // The classic builder.
        ("/bin/sh -c apt-get update", Some("RUN apt-get update")),
        ("|1 A=b /bin/sh -c make", Some("RUN make")),
        ("/bin/sh -c #(nop) COPY dir:0a in /x ", None),
        ("/bin/sh -c #(nop)  CMD [\"sh\"]", None),
        ("ENV A=b", None),
        ("CMD [\"x\"]", None),
        ("", None),
        ("RUN", None),
    ] {
        let found = made_by(created_by).map(|(k, t)| format!("{k} {t}"));
        assert_eq!(found.as_deref(), step, "{created_by:?}");
    }
}

fn shown(sizes: &Sizes) -> Vec<String> {
    let layers = sizes.layers.iter();
    layers
        .map(|l| format!("{} {}: {}", l.keyword, l.text, l.bytes))
        .collect()
}

#[test]
fn histories_in_every_format() {
    let missing = "<missing>                                                                 Less than a second ago   ";
    let table = format!(
        "IMAGE                                                                     CREATED                  CREATED BY   SIZE      COMMENT\n\
         sha256:df37c4c2bc5f8f899294eaa51b397b0c6d7ad4a8f0ce74e6b50db3b529b60ceb   Less than a second ago   ENV A=b   0B        buildkit.dockerfile.v0\n\
         {missing}RUN /bin/sh -c cp -r /s     /s2 # buildkit   12.4kB    buildkit.dockerfile.v0\n\
         <missing>   2 days ago   RUN /bin/sh -c echo one\necho two > /two\n # buildkit   4B                       buildkit.dockerfile.v0\n\
         {missing}COPY a /new/ # buildkit   10B       \n\
         <missing>   6 minutes ago                                                                   2.07MB    Imported from -\n"
    );
    let expected = [
        "COPY a /new/: 10",
        "RUN echo one\necho two > /two: 4",
        "RUN cp -r /s     /s2: 12400",
    ];
    let found = read(&table).expect("a table");
    assert_eq!(shown(&found), expected);
    assert_eq!(found.disk, None);
    let json = "{\"CreatedBy\":\"RUN /bin/sh -c touch /x # buildkit\",\"Size\":\"12.3kB\",\"ID\":\"x\"}\n\n\
                {\"CreatedBy\":\"RUN /bin/sh -c a\\u2026\",\"Size\":\"1B\"}\n{\"CreatedBy\":\"\",\"Size\":\"2.07MB\"}\n";
    let found = read(json).expect("JSON lines");
    assert_eq!(shown(&found), ["RUN touch /x: 12300"]);
    assert!(found.notes[0].contains("--no-trunc"), "{:?}", found.notes);
    let podman = "[{\"CreatedBy\":\"/bin/sh -c make\",\"size\":7}]";
    assert_eq!(shown(&read(podman).expect("a list")), ["RUN make: 7"]);
    for other in [
        "",
        "#1 [internal] load\n",
        "{\"vertexes\":[]}\n",
        "[]",
        "{\"CreatedBy\":7}",
        "IMAGE\n",
        "[{]",
    ] {
        assert!(read(other).is_none(), "{other}");
    }
}

#[test]
fn sizes_in_blocks_tell_the_store() {
    for (sizes, disk) in [
        (&[8192, 12288, 4096][..], Some(Disk::Ext4)),
        (&[0, 12288, 4096], Some(Disk::Tmpfs)),
        (&[0, 12289, 4096], None),
        (&[0, 0, 0], None),
        (&[4096, 4096], None),
    ] {
        let exact: Vec<(u64, bool)> = sizes.iter().map(|s| (*s, false)).collect();
        assert_eq!(super::disk(&exact), disk, "{sizes:?}");
    }
    assert_eq!(
        super::disk(&[(8190, true), (12300, true), (4100, true)]),
        Some(Disk::Ext4)
    );
    assert_eq!(size("4.1kB"), Some((4100, true)));
    for odd in ["", "kB", "-1B", "1e400B", "NaNB", "9PB9", "99999999PB"] {
        assert_eq!(size(odd), None, "{odd}");
    }
}
