//! `cacheplan layers` as a user runs it, and what `calibrate` learns of sizes.

#[path = "common/planned.rs"]
mod planned;

use planned::{Value, cacheplan, repository};
use std::path::Path;
use std::process::Output;

fn good(out: &Output) -> String {
    let errors = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(0), "{errors}");
    String::from_utf8_lossy(&out.stdout).into_owned()
}

fn json(dir: &Path, args: &[&str]) -> Value {
    let all = [&["layers", "--format", "json", "--quiet"], args].concat();
    serde_json::from_str(&good(&cacheplan(dir, &all))).expect("JSON")
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let full = dir.path().join(name);
        std::fs::create_dir_all(full.parent().expect("a folder")).expect("a folder");
        std::fs::write(full, text).expect("a file");
    }
    dir
}

const DOCKERFILE: &str = "FROM node\nWORKDIR /app\nCOPY package.json ./\nRUN npm ci\nCOPY src src\nRUN rm -r src/data\nRUN chown -R node src\n\
                          COPY --from=other /x /x\n";

#[test]
fn a_folder_without_git_has_layers_too() {
    let dir = folder(&[
        ("Dockerfile", DOCKERFILE),
        ("package.json", "{}\n"),
        ("src/data/a", &"a".repeat(5000)),
        ("src/b", &"b".repeat(3000)),
        ("src/c", &"b".repeat(3000)),
    ]);
    // Not in the context.
    let costs = tempfile::NamedTempFile::new().expect("a file");
    let rule = r#"{"schema":"cacheplan.costs/1","steps":[{"match":{"class":"install"},"bytes":150000000}]}"#;
    std::fs::write(costs.path(), rule).expect("a file");
    let costs = costs.path().display().to_string();
    let told = good(&cacheplan(
        dir.path(),
        &["layers", "--costs", &costs, "--disk", "tmpfs"],
    ));
    let expected = "Dockerfile (context .), counted as blocks on tmpfs (buildkit)\non node, whose own layers are left out\n\n\
                    \x20line      bytes  source    layer\n\
                    \x20   2        0 B  context   WORKDIR /app\n\
                    \x20   3     4.1 kB  context   COPY package.json ./\n\
                    \x20   4   150.0 MB  learned   RUN npm ci\n\
                    \x20   5    16.4 kB  context   COPY src src\n\
                    \x20      8.2 kB of it deleted by line 6\n\
                    \x20      8.2 kB of it there once more, with another owner or mode, by line 7\n\
                    \x20   6        0 B  context   RUN rm -r src/data\n\
                    \x20   7     8.2 kB  context   RUN chown -R node src\n\
                    \x20   8          ?  unknown   COPY --from=other /x /x\n\n\
                    The image has 150.0 MB above its base, 1 layer of unknown size left out.\n\
                    Nobody sees 16.4 kB of that: later layers delete or cover it.\n\
                    Equal files at several places take 4.1 kB.\n\
                    \x20    4.1 kB  2 times 4.1 kB: /app/src/b, /app/src/c\n";
    assert_eq!(told, expected);
    let document = json(dir.path(), &["--builder-profile", "buildkit-overlay2"]);
    assert_eq!(document["schema"], "cacheplan.layers/1");
    assert_eq!(document["store"]["counts"], "file-bytes");
    let layer = &document["layers"][3];
    assert_eq!(
        (&layer["id"], &layer["bytes"]),
        (&"0.4".into(), &11000.into())
    );
    assert_eq!(layer["lost"][0]["kind"], "deleted");
    assert_eq!(layer["lost_bytes"], 11000);
    assert_eq!(document["history"], Value::Null);
    assert_eq!(document["totals"]["duplicate_bytes"], 3000);
    assert_eq!(document["totals"]["pushed_bytes_per_build"], Value::Null);
    // Folders take blocks on ext4: the root, /app, src and src/data.
    let document = json(dir.path(), &["--disk", "ext4"]);
    assert_eq!(document["layers"][3]["bytes"], 16384 + 4 * 4096);
    let told = good(&cacheplan(
        dir.path(),
        &["layers", "--format", "markdown", "--disk", "tmpfs"],
    ));
    assert!(
        told.contains(
            "| 5 | 16.4 kB | context | `COPY src src` | 8.2 kB of it deleted by line 6; "
        ),
        "{told}"
    );
}

#[test]
fn what_commits_push_again() {
    let repo = repository(
        &[
            (
                "Dockerfile",
                "FROM node AS made\nCOPY src /src\nRUN make -C /src\nFROM node\nCOPY --from=made /src/out /out\nCOPY package.json /\nCOPY src /src\n",
            ),
            ("package.json", "{}\n"),
            ("src/a", "a\n"),
            (
                "cacheplan.costs.json",
                r#"{"schema":"cacheplan.costs/1","steps":[{"match":{"keyword":"COPY","text":"/src/out /out"},"bytes":1000}]}"#,
            ),
        ],
        &["src/a", "README", "package.json", "src/a"],
    );
    let document = json(&repo.root, &["--builder-profile", "buildkit-overlay2"]);
    assert_eq!(document["history"]["builds"], 4);
    let layers = document["layers"].as_array().expect("layers");
    let shown: Vec<String> = layers
        .iter()
        .map(|l| {
            let p = &l["pushed"];
            format!(
                "{} {} {} {} {}",
                l["bytes"], p["anew"], p["maybe"], p["bytes_per_build"], p["bytes_per_build_min"]
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            // Its files may be the same: a RUN makes them.
            "1000 0 2 500.0 0.0",
            "7 1 2 5.25 1.75",
            // Behind package.json, and twice its own files.
            "10 3 0 7.5 7.5"
        ]
    );
    let total = &document["totals"];
    assert_eq!(total["pushed_bytes_per_build"], 512.75);
    assert_eq!(total["pushed_bytes_per_build_min"], 9.25);
    let told = good(&cacheplan(&repo.root, &["layers", "--quiet"]));
    assert!(told.contains("A build pushes "), "{told}");
    assert!(told.contains("1-3/4"), "{told}");
    // A commit, without a checkout.
    let document = json(
        &repo.root,
        &["--ref", "HEAD~1", "--builder-profile", "buildkit-overlay2"],
    );
    assert_eq!(document["layers"][2]["bytes"], 6);
    let out = cacheplan(&repo.root, &["layers", "--dockerfile-from", "each"]);
    assert_eq!(out.status.code(), Some(2));
    // What nobody knows is not nothing.
    let dockerfile = "FROM node\nCOPY src /src\nCOPY --from=other /x /x\n";
    let repo = repository(&[("Dockerfile", dockerfile), ("src/a", "a\n")], &["src/a"]);
    let pushed = &json(&repo.root, &[])["layers"][1]["pushed"];
    assert_eq!(pushed["anew"], 1);
    assert!(pushed["bytes_per_build"].is_null(), "{pushed}");
    let told = good(&cacheplan(&repo.root, &["layers", "--quiet"]));
    assert!(told.contains("1/1          ?  COPY --from"), "{told}");
}

#[test]
fn histories_teach_sizes_and_logs_seconds() {
    let log = "#1 [1/3] FROM docker.io/library/node\n#1 DONE 4.0s\n#2 [2/3] RUN npm ci\n#2 DONE 30.0s\n#3 [3/3] RUN npm run build\n#3 DONE 20.0s\n";
    let history = "{\"CreatedBy\":\"RUN /bin/sh -c npm run build # buildkit\",\"Size\":\"8192\"}\n{\"CreatedBy\":\"ENV A=b\",\"Size\":\"0\"}\n\
                   {\"CreatedBy\":\"RUN |1 A=b /bin/sh -c npm ci # buildkit\",\"Size\":\"40960\"}\n{\"CreatedBy\":\"WORKDIR /w\",\"Size\":\"8192\"}\n";
    let dir = folder(&[
        ("a.log", log),
        ("history.json", history),
        (
            "Dockerfile",
            "FROM node\nWORKDIR /w\nRUN npm ci\nRUN npm run build\nRUN npm ci --x\n",
        ),
    ]);
    let told = good(&cacheplan(
        dir.path(),
        &["calibrate", "a.log", "history.json"],
    ));
    let expected = "a.log (plain): 2 steps ran, 50.0 s of work\nhistory.json (history): 3 layers, 57.3 kB\n\n\
                    \x20 median      90 %      warm     layer  runs  step\n\
                    \x20 30.0 s    30.0 s         -   41.0 kB     1  RUN npm ci\n\
                    \x20 20.0 s    20.0 s         -    8.2 kB     1  RUN npm run build\n\
                    \x20 30.0 s    30.0 s         -   41.0 kB     1  any `install` step\n\
                    \x20 20.0 s    20.0 s         -    8.2 kB     1  any `build` step\n\n\
                    cacheplan.costs.json: 4 rules, 4 of them new\n";
    assert_eq!(told, expected);
    let costs =
        std::fs::read_to_string(dir.path().join("cacheplan.costs.json")).expect("a costs file");
    let start = "{\"schema\":\"cacheplan.costs/1\",\"disk\":\"ext4\",\"steps\":[\n\
                 {\"match\":{\"keyword\":\"RUN\",\"text\":\"npm ci\"},\"seconds\":{\"cold\":[30.0,30.0]},\"bytes\":40960,\"n\":1,\"between\":[\"FROM\",\"RUN npm run build\"]},\n";
    assert!(costs.starts_with(start), "{costs}");
    let document = json(dir.path(), &[]);
    assert_eq!(document["store"]["disk"], "ext4");
    let layers = document["layers"].as_array().expect("layers");
    let shown: Vec<String> = layers
        .iter()
        .map(|l| format!("{} {}", l["bytes"], l["bytes_source"]))
        .collect();
    assert_eq!(
        shown,
        [
            "8192 \"context\"",
            "40960 \"measured\"",
            "8192 \"measured\"",
            "40960 \"learned\""
        ]
    );
    // Sizes alone are a rule.
    good(&cacheplan(
        dir.path(),
        &[
            "calibrate",
            "history.json",
            "history.json",
            "-o",
            "sizes.json",
        ],
    ));
    let costs = std::fs::read_to_string(dir.path().join("sizes.json")).expect("a costs file");
    let rule = "{\"match\":{\"keyword\":\"RUN\",\"text\":\"npm ci\"},\"bytes\":40960,\"n\":2,\"bytes_n\":2},\n";
    assert!(costs.contains(rule), "{costs}");
    let cut = "IMAGE   CREATED   CREATED BY   SIZE   COMMENT\n0123456789ab   2 days ago   RUN /bin/sh -c npm run bui…   12.4kB   x\n";
    std::fs::write(dir.path().join("cut.txt"), cut).expect("a file");
    let out = cacheplan(dir.path(), &["calibrate", "cut.txt", "-o", "cut.json"]);
    let errors = String::from_utf8_lossy(&out.stderr);
    assert!(
        errors.contains("write it with `docker history --no-trunc`"),
        "{errors}"
    );
}

/// An image of layers of one file each: path and content, or what takes one away.
fn image(dir: &Path, history: &[&str], layers: &[&[(&str, &str)]]) {
    use sha2::{Digest as _, Sha256};
    let mut blobs: Vec<(String, Vec<u8>)> = Vec::new();
    let mut put = |bytes: Vec<u8>| {
        let sum = Sha256::digest(&bytes);
        let hex: String = sum.iter().map(|b| format!("{b:02x}")).collect();
        blobs.push((format!("blobs/sha256/{hex}"), bytes));
        format!("{{\"digest\":\"sha256:{hex}\"}}")
    };
    let tar = |files: &[(String, Vec<u8>)]| {
        let mut tar = tar::Builder::new(Vec::new());
        for (path, bytes) in files {
            let mut header = tar::Header::new_ustar();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            header.set_uid(0);
            header.set_gid(0);
            header.set_mtime(0);
            tar.append_data(&mut header, path, bytes.as_slice())
                .expect("a member");
        }
        tar.into_inner().expect("a tar")
    };
    let owned = |files: &[(&str, &str)]| -> Vec<(String, Vec<u8>)> {
        let one = |(path, text): &(&str, &str)| ((*path).to_owned(), text.as_bytes().to_vec());
        files.iter().map(one).collect()
    };
    let list: Vec<String> = layers.iter().map(|l| put(tar(&owned(l)))).collect();
    let history: Vec<Value> = history
        .iter()
        .map(|h| serde_json::json!({"created_by": h, "empty_layer": h.starts_with("ENV")}))
        .collect();
    let config = serde_json::json!({"os": "linux", "config": {}, "history": history});
    let config = put(config.to_string().into_bytes());
    let manifest =
        put(format!("{{\"config\":{config},\"layers\":[{}]}}", list.join(",")).into_bytes());
    blobs.push((
        "index.json".to_owned(),
        format!("{{\"manifests\":[{manifest}]}}").into_bytes(),
    ));
    std::fs::write(dir.join("image.tar"), tar(&blobs)).expect("a file");
}

#[test]
fn an_image_is_held_against_the_estimate() {
    let dir = folder(&[
        (
            "Dockerfile",
            "FROM node\nENV A=b\nCOPY a /\nRUN wget -q https://example.org/x.tgz\nRUN rm /x.tgz\n",
        ),
        ("a", "12345"),
    ]);
    let x = "x".repeat(10_000);
    let layers: [&[(&str, &str)]; 5] = [
        &[("bin/node", &x), ("b", "1")],
        &[("c", "1")],
        &[("a", "12345")],
        &[("x.tgz", &x)],
        &[(".wh.x.tgz", ""), (".wh.b", "")],
    ];
    let history = [
        "/bin/sh -c #(nop) ADD file:0 in / ",
        "RUN /bin/sh -c base # buildkit",
        "ENV A=b",
        "COPY a / # buildkit",
        "RUN /bin/sh -c wget -q https://example.org/x.tgz # buildkit",
        "RUN /bin/sh -c rm /x.tgz # buildkit",
    ];
    image(dir.path(), &history, &layers);
    let document = json(
        dir.path(),
        &[
            "--image",
            "image.tar",
            "--builder-profile",
            "buildkit-overlay2",
        ],
    );
    let found = &document["image"];
    assert_eq!(found["matches"], true, "{found}");
    assert_eq!(
        (&found["base_layers"], &found["base_bytes"]),
        (&2.into(), &10_002.into())
    );
    assert_eq!(found["bytes"], 10_005);
    let lost = |n: usize| {
        format!(
            "{} {} {}",
            found["lost"][n]["path"], found["lost"][n]["bytes"], found["lost"][n]["by"]
        )
    };
    assert_eq!([lost(0), lost(1)], ["\"/x.tgz\" 10000 4", "\"/b\" 1 4"]);
    let beside = |n: usize| &document["layers"][n]["image"];
    assert_eq!(
        (&beside(0)["bytes"], &beside(0)["difference_bytes"]),
        (&5.into(), &0.into())
    );
    // The estimate of a step of which nothing is known is the prior's.
    let prior = cacheplan::cost::PRIORS
        .iter()
        .find(|p| p.class.as_str() == "other");
    let prior = prior.and_then(|p| p.bytes).expect("a prior") as i64;
    assert_eq!(beside(1)["difference_bytes"], prior - 10_000);
    assert_eq!(beside(2)["layer"], 4);
    // What the image says is what the next estimate knows.
    let told = good(&cacheplan(dir.path(), &["calibrate", "image.tar"]));
    assert!(
        told.starts_with("image.tar (image): 4 layers, 36.9 kB\n"),
        "{told}"
    );
    let told = good(&cacheplan(
        dir.path(),
        &["layers", "--image", "image.tar", "--quiet"],
    ));
    assert!(
        told.contains("    4    16.4 kB  measured    16.4 kB       0 %  RUN wget -q https://example.org/x.tgz\n       12.3 kB of it deleted by line 5\n"),
        "{told}"
    );
    assert!(
        told.contains("    12.3 kB  /x.tgz of layer 3, deleted in layer 4\n"),
        "{told}"
    );
    // Of another Dockerfile.
    std::fs::write(
        dir.path().join("Dockerfile"),
        "FROM node\nCOPY a /\nRUN other\nRUN rm /x.tgz\n",
    )
    .expect("a file");
    let document = json(dir.path(), &["--image", "image.tar"]);
    assert_eq!(document["image"]["matches"], false);
    let told = good(&cacheplan(
        dir.path(),
        &["layers", "--image", "image.tar", "--format", "markdown"],
    ));
    assert!(
        told.contains("the image is of another Dockerfile"),
        "{told}"
    );
    // No image.
    std::fs::write(dir.path().join("text"), "text").expect("a file");
    for (file, why) in [
        ("text", "is no image archive"),
        ("gone", "cannot read gone"),
    ] {
        let out = cacheplan(dir.path(), &["layers", "--image", file]);
        assert_eq!(out.status.code(), Some(2));
        let errors = String::from_utf8_lossy(&out.stderr);
        assert!(errors.contains(why), "{errors}");
    }
}

#[test]
fn hostile_names_act_on_nothing() {
    let dir = folder(&[
        (
            "Dockerfile",
            "FROM a\nCOPY . /x\nRUN rm /x/a # \u{1b}[31m ::error:: \u{202e}\nCOPY [\"::error|`<b>`\", \"/y\"]\n",
        ),
        ("a", "same"),
        ("::error|`<b>`", "other"),
        ("\u{202e}gpj\nb", "other"),
    ]);
    let name = "RUN /bin/sh -c \u{1b}[31m@octo | <b> ::set-output # buildkit";
    image(
        dir.path(),
        &[name, name, name],
        &[
            &[("\u{1b}[2Ja", "same")],
            &[("::b", "same")],
            &[("c", "same")],
        ],
    );
    for format in ["text", "markdown"] {
        for more in [&[][..], &["--image", "image.tar"]] {
            let args = [&["layers", "--quiet", "--format", format], more].concat();
            let told = good(&cacheplan(dir.path(), &args));
            assert!(!told.contains(['\u{1b}', '\u{202e}']), "{told:?}");
            assert!(
                !told.lines().any(|l| l.trim_start().starts_with("::")),
                "{told}"
            );
            if format == "markdown" {
                assert!(!told.contains("<b>`") || told.contains('`'), "{told}");
                let rows = told.lines().filter(|l| l.starts_with('|'));
                let cells: Vec<usize> = rows.map(|r| r.matches('|').count()).collect();
                assert!(cells.windows(2).all(|w| w[0] == w[1]), "{told}");
            }
        }
    }
    // An archive cut off, or of nothing.
    let whole = std::fs::read(dir.path().join("image.tar")).expect("an image");
    for length in [600, whole.len() / 2, whole.len() - 2000] {
        std::fs::write(dir.path().join("cut.tar"), &whole[..length]).expect("a file");
        let out = cacheplan(dir.path(), &["layers", "--image", "cut.tar"]);
        let errors = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(
            matches!(out.status.code(), Some(0 | 2)),
            "{length}: {errors}"
        );
    }
}
