//! Manifests by way of a stage, as a user meets them: workspaces with many members, and the plans for them.

#[path = "common/planned.rs"]
mod planned;

use planned::*;

/// The files of a workspace with more members than are worth naming.
fn workspace(kind: &str) -> Vec<(String, String)> {
    let mut files = Vec::new();
    for n in 0..30 {
        let dir = format!("crates/c{n:02}");
        match kind {
            "cargo" => {
                let text = format!(
                    "[package]\nname = \"c{n:02}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n"
                );
                files.push((format!("{dir}/Cargo.toml"), text));
                files.push((format!("{dir}/src/lib.rs"), "// a\n".to_owned()));
            }
            _ => {
                files.push((
                    format!("{dir}/package.json"),
                    format!("{{\"name\":\"c{n:02}\"}}\n"),
                ));
                files.push((format!("{dir}/index.js"), "a\n".to_owned()));
            }
        }
    }
    files
}

#[test]
fn many_manifests_come_by_way_of_a_stage() {
    let sources = ["crates/c03/src/lib.rs"; 8];
    let mut files = workspace("cargo");
    let mut put = |path: &str, text: &str| files.push((path.to_owned(), text.to_owned()));
    put(
        "Cargo.toml",
        "[workspace]\nmembers = [\"crates/*\"]\nresolver = \"2\"\n",
    );
    put("Cargo.lock", "version = 4\n");
    put(".cargo/config.toml", "[net]\nretry = 3\n");
    let dockerfile = "FROM rust:1.90 AS build\nRUN apt-get update && apt-get install -y cmake\nWORKDIR /app\n# all of it\nCOPY . .\n\
                      ENV CARGO_NET_RETRY=2\nRUN cargo build --release --locked\n\
                      FROM debian:13\nCOPY --from=build /app/target/release/x /x\n";
    put("Dockerfile", dockerfile);
    let borrowed: Vec<(&str, &str)> = files.iter().map(|(a, b)| (&**a, &**b)).collect();
    let dir = repository(&borrowed, &sources);
    let alone = ["--rewrites", "reorder,split-copy,prefetch,projection"];
    let plan = best(&dir.root, &alone);
    assert_eq!(names(&plan), ["projection"], "{plan}");
    let expected = "FROM rust:1.90 AS manifests\nWORKDIR /manifests\nCOPY . ./\n\
                    RUN find . ! -type d ! -name Cargo.lock ! -name Cargo.toml ! -name lib.rs ! -path './.cargo/*' -exec rm -f {} + && \\\n    \
                    find . -name '*.rs' -exec truncate -s 0 {} + && \\\n    \
                    find . -mindepth 1 -depth -type d -empty -exec rmdir {} \\;\n\n\
                    FROM rust:1.90 AS build\nRUN apt-get update && apt-get install -y cmake\nWORKDIR /app\n\
                    COPY --from=manifests /manifests ./\nENV CARGO_NET_RETRY=2\nRUN cargo fetch --locked\n# all of it\nCOPY . .\n\
                    RUN cargo build --release --locked\n";
    let text = text(&plan, "dockerfile");
    assert!(text.starts_with(expected), "{text}");
    // A stage that is named by its number would be another one.
    let numbered = dockerfile.replace("--from=build", "--from=0");
    dir.write("Dockerfile", &numbered);
    dir.commit("by number");
    assert!(!names(&best(&dir.root, &alone)).contains(&"projection"));
}

#[test]
fn an_install_waits_for_no_source_of_a_workspace_with_many_members() {
    let mut files = workspace("npm");
    let mut put = |path: &str, text: &str| files.push((path.to_owned(), text.to_owned()));
    put(
        "package.json",
        "{\"name\":\"x\",\"workspaces\":[\"crates/*\"]}\n",
    );
    put("package-lock.json", "{\"lockfileVersion\":3}\n");
    put(
        "Dockerfile",
        "FROM node:22\nWORKDIR /app\nCOPY --chown=node:node . .\nRUN npm ci\nCMD [\"node\", \"crates/c00\"]\n",
    );
    let borrowed: Vec<(&str, &str)> = files.iter().map(|(a, b)| (&**a, &**b)).collect();
    let dir = repository(&borrowed, &["crates/c03/index.js"; 8]);
    let plan = best(&dir.root, &["--rewrites", "reorder,split-copy,projection"]);
    assert!(names(&plan).contains(&"projection"), "{plan}");
    let text = text(&plan, "dockerfile");
    let expected = "FROM node:22\nWORKDIR /app\nCOPY --chown=node:node --from=manifests /manifests ./\nRUN npm ci\n\
                    COPY --chown=node:node . .\n";
    assert!(text.contains(expected), "{text}");
}
