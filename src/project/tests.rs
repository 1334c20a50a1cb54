use super::*;
use std::collections::BTreeMap;

/// Files in memory.
struct Memory {
    names: Vec<String>,
    texts: BTreeMap<String, Vec<u8>>,
}

impl Files for Memory {
    fn list(&self) -> &[String] {
        &self.names
    }
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        self.texts.get(path).cloned()
    }
}

fn memory(files: &[(&str, &str)]) -> Memory {
    let texts: BTreeMap<String, Vec<u8>> = files
        .iter()
        .map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec()))
        .collect();
    Memory {
        names: texts.keys().cloned().collect(),
        texts,
    }
}

pub(super) fn found(files: &[(&str, &str)]) -> Discovery {
    discover(&memory(files), &[]).expect("nothing was named")
}

/// `file|context|stage|args|platform|origin`, one string a target.
fn targets(discovery: &Discovery) -> Vec<String> {
    let line = |target: &Target| {
        let args: Vec<_> = target
            .args
            .iter()
            .map(|(n, v)| format!("{n}={v}"))
            .collect();
        format!(
            "{}|{}|{}|{}|{}|{}",
            target.file,
            target.context.as_deref().unwrap_or("?"),
            target.stage.as_deref().unwrap_or(""),
            args.join(","),
            target.platform.as_deref().unwrap_or(""),
            target.origin
        )
    };
    discovery.targets.iter().map(line).collect()
}

pub(super) fn codes(discovery: &Discovery) -> Vec<&'static str> {
    let code = |located: &Located| located.diagnostic.code;
    discovery.diagnostics.iter().map(code).collect()
}

#[test]
fn root_files_win_and_others_are_listed() {
    let discovery = found(&[
        ("Dockerfile", ""),
        ("Containerfile", ""),
        ("api/Dockerfile", ""),
        ("web.Dockerfile", ""),
        ("Dockerfile.dev", ""),
        ("Dockerfile.dev.dockerignore", ""),
        ("Containerfile.x", ""),
        ("Dockerfiles/readme", ""),
    ]);
    assert_eq!(
        targets(&discovery),
        [
            "Dockerfile|?||||discovered",
            "Containerfile|?||||discovered"
        ]
    );
    assert_eq!(
        discovery.not_analysed,
        [
            "Containerfile.x",
            "Dockerfile.dev",
            "api/Dockerfile",
            "web.Dockerfile"
        ]
    );
}

#[test]
fn others_are_targets_where_there_is_nothing_else() {
    let discovery = found(&[("b/x.Dockerfile", ""), ("a/Dockerfile", ""), ("c.txt", "")]);
    let expected = [
        "a/Dockerfile|?||||discovered",
        "b/x.Dockerfile|?||||discovered",
    ];
    assert_eq!(targets(&discovery), expected);
    assert!(discovery.not_analysed.is_empty());
    assert!(found(&[("README.md", "")]).targets.is_empty());
}

#[test]
fn named_files() {
    let files = memory(&[
        ("Dockerfile", ""),
        ("a/Dockerfile", ""),
        (
            "compose.yaml",
            "services:\n  a:\n    build: { context: ., dockerfile: a/Dockerfile }\n",
        ),
    ]);
    let named = [
        "./a//Dockerfile".to_owned(),
        "../x".to_owned(),
        "/abs".to_owned(),
    ];
    let discovery = discover(&files, &named).expect("they exist");
    assert_eq!(
        targets(&discovery),
        ["a/Dockerfile|.||||-f", "../x|?||||-f", "/abs|?||||-f"]
    );
    assert_eq!(discovery.not_analysed, ["Dockerfile"]);
    let error = discover(&files, &["b".to_owned()]).expect_err("no such file");
    assert_eq!(error.to_string(), "there is no file b");
}

#[test]
fn arguments_of_clocks_and_dice_differ_in_every_build() {
    let discovery = found(&[
        ("Dockerfile", ""),
        (
            "docker-bake.hcl",
            r#"
function "now" {
  params = []
  result = formatdate("YYYY", timestamp())
}
target "default" {
  args = {
    DIRECT  = "at ${timestamp()}"
    INNER   = now()
    TRIED   = try(uuidv4(), "none")
    STEADY  = "1"
    UNKNOWN = homedir()
  }
}"#,
        ),
    ]);
    let target = &discovery.targets[1];
    assert_eq!(target.volatile_args, ["DIRECT", "INNER", "TRIED"]);
    assert_eq!(target.args, [("STEADY".to_owned(), "1".to_owned())]);
    let left_out = &discovery.diagnostics[0].diagnostic.message;
    assert!(left_out.contains("UNKNOWN"), "{left_out}");
}

/// One line of many entries behind a tag, and a comment of half a file between a tag and its value.
#[test]
fn tags_are_looked_for_once() {
    let entries: String = (0..40_000).map(|n| format!("k{n}: 1, ")).collect();
    let comment = "#".repeat(200_000);
    let text = format!(
        "services:\n  a:\n    build: !override # {comment}\n      context: .\n    x: {{{entries}}}\n"
    );
    // Looking back from every entry took minutes.
    let discovery = found(&[("Dockerfile", ""), ("compose.yaml", &text)]);
    assert_eq!(targets(&discovery), ["Dockerfile|.||||discovered"]);
    assert_eq!(discovery.targets[0].ids, ["service:a"]);
}

#[test]
fn groups_of_matches_stay_within_the_limit() {
    let groups = "()".repeat(500);
    let text = format!(
        "target \"default\" {{\n  args = {{\n    A = jsonencode(regexall(\"{groups}\", \"{}\"))\n  }}\n}}\n",
        "x".repeat(100_000)
    );
    let discovery = found(&[("Dockerfile", ""), ("docker-bake.hcl", &text)]);
    let said = discovery
        .diagnostics
        .iter()
        .map(|d| d.diagnostic.message.as_str());
    let said: Vec<&str> = said.collect();
    assert!(
        said.iter().any(|m| m.contains("values that are too large")),
        "{said:?}"
    );
}

/// Checked with `docker buildx build`, with `-f Dockerfile`, without `-f`, and in a folder.
#[test]
fn a_small_letter_stands_in_for_a_missing_dockerfile() {
    let files = memory(&[
        ("dockerfile", ""),
        ("a/dockerfile", ""),
        ("b/xdockerfile", ""),
        ("compose.yaml", "services:\n  a:\n    build: a\n"),
    ]);
    let discovery = discover(&files, &[]).expect("nothing was named");
    assert_eq!(
        targets(&discovery),
        [
            "dockerfile|?||||discovered",
            "a/dockerfile|a||||compose.yaml: service a"
        ]
    );
    let named = ["a/Dockerfile".to_owned()];
    let discovery = discover(&files, &named).expect("it exists");
    assert_eq!(targets(&discovery), ["a/dockerfile|a||||-f"]);
    assert_eq!(discovery.not_analysed, ["dockerfile"]);
    assert!(discover(&files, &["b/xDockerfile".to_owned()]).is_err());
}

#[test]
fn compose_forms() {
    let discovery = found(&[
        ("Dockerfile", ""),
        ("api/Containerfile", ""),
        ("web/Dockerfile", ""),
        ("docker/prod.Dockerfile", ""),
        (
            "compose.yaml",
            r#"
x-build: &base
  context: ./web/
  args: { A: 1, B: 1.20, C: yes, D: null, E: "${E:-e}", F: "${F}" }
services:
  root: { build: . }
  api:
    build: api
    profiles: [dev]
  web:
    build:
      <<: *base
      target: prod
    platform: linux/arm64
  list:
    build:
      context: .
      dockerfile: docker/prod.Dockerfile
      args: ["X=1", "Y=a=b", "Z"]
      platforms: ["linux/386", "linux/amd64"]
  inline:
    build:
      dockerfile_inline: |
        FROM alpine
        RUN echo $$HOME
  remote: { build: "https://github.com/a/b.git" }
  outside: { build: ../elsewhere }
  unknown: { build: { context: "${DIR}" } }
  gone: { build: ./gone }
  image: { image: "alpine:3" }
  nothing:
"#,
        ),
    ]);
    let mut lines = targets(&discovery);
    let inline = discovery.targets.iter().find_map(|t| t.inline.as_deref());
    assert_eq!(inline, Some("FROM alpine\nRUN echo $HOME\n"));
    lines.sort();
    assert_eq!(
        lines,
        [
            "Dockerfile|.||||discovered",
            "api/Containerfile|api||||compose.yaml: service api (profile dev)",
            "compose.yaml|.||||compose.yaml: service inline",
            "docker/prod.Dockerfile|.||X=1,Y=a=b|linux/386|compose.yaml: service list",
            "gone/Dockerfile|gone||||compose.yaml: service gone",
            "web/Dockerfile|web|prod|A=1,B=1.2,C=yes,E=e,F=|linux/arm64|compose.yaml: service web",
        ]
    );
    let mut codes = codes(&discovery);
    codes.sort_unstable();
    assert_eq!(
        codes,
        [
            "project/outside",
            "project/remote-context",
            "project/unknown-argument",
            "project/unknown-argument",
            "project/unset-variable",
            "project/unset-variable",
        ]
    );
    let gone = discovery
        .targets
        .iter()
        .find(|t| t.file == "gone/Dockerfile");
    let gone = &gone.expect("it stays").diagnostics;
    assert_eq!(gone[0].diagnostic.code, "project/missing-dockerfile");
}

#[test]
fn a_broken_file_is_a_warning_with_its_place() {
    let bad = "services:\n  web:\n    build: [unclosed\n";
    let discovery = found(&[
        ("Dockerfile", ""),
        ("compose.yml", bad),
        ("docker-compose.yml", ""),
        ("docker-bake.hcl", "target \"a\" {\n  context = \n}\n"),
        ("docker-bake.json", "{\n \"target\": }"),
    ]);
    assert_eq!(targets(&discovery), ["Dockerfile|?||||discovered"]);
    for (file, line) in [
        ("compose.yml", 3),
        ("docker-bake.hcl", 2),
        ("docker-bake.json", 2),
    ] {
        let located = discovery.diagnostics.iter().find(|d| d.file == file);
        let diagnostic = &located.expect("a warning").diagnostic;
        assert_eq!(diagnostic.code, "project/unreadable");
        assert!(!diagnostic.message.contains('\n'), "{}", diagnostic.message);
        let text = memory(&[("compose.yml", bad)]);
        let text = match file {
            "compose.yml" => text.read(file).expect("it is there"),
            "docker-bake.hcl" => b"target \"a\" {\n  context = \n}\n".to_vec(),
            _ => b"{\n \"target\": }".to_vec(),
        };
        let at = diagnostic.span().expect("a place").start as usize;
        let lines = text[..at].iter().filter(|b| **b == b'\n').count() + 1;
        assert!(lines >= line, "{file}: {} at {at}", diagnostic.message);
    }
    assert!(codes(&discovery).contains(&"project/second-compose-file"));
}

#[test]
fn hostile_yaml_is_a_warning() {
    let mut bomb = String::from("a0: &a0 [x]\n");
    for n in 1..30 {
        let refs = vec![format!("*a{}", n - 1); 20].join(",");
        bomb += &format!("a{n}: &a{n} [{refs}]\n");
    }
    bomb += "services: { x: { build: { args: *a29 } } }\n";
    let deep = format!("services: {}{}", "[".repeat(50_000), "]".repeat(50_000));
    for text in [
        bomb.as_str(),
        deep.as_str(),
        "services: 5",
        "\u{0}",
        "a: b: c",
        "--- 1\n--- 2\n",
    ] {
        let discovery = found(&[("Dockerfile", ""), ("compose.yaml", text)]);
        assert_eq!(targets(&discovery).len(), 1);
        assert_eq!(
            codes(&discovery),
            ["project/unreadable"],
            "{}",
            &text[..5.min(text.len())]
        );
    }
    for text in ["", "# nothing\n", "services:\n", "version: '3'\n"] {
        let discovery = found(&[("Dockerfile", ""), ("compose.yaml", text)]);
        assert_eq!(codes(&discovery), Vec::<&str>::new(), "{text}");
    }
}

#[test]
fn bake_targets() {
    let discovery = found(&[
        ("app/Dockerfile", ""),
        ("Dockerfile", ""),
        ("docker/x.Dockerfile", ""),
        (
            "docker-bake.hcl",
            r#"
variable "TAG" { default = "1.2" }
variable "NAME" { default = "app-${TAG}" }
variable "DEBUG" { default = false }
variable "UNSET" {}
group "default" { targets = ["app", "chain"] }
target "_common" { args = { A = "common", B = NAME } }
target "base" {
  args = { C = "${DEBUG ? "yes" : "no"}" }
  platforms = ["linux/arm64", "linux/amd64"]
}
target "app" {
  inherits = ["_common", "base"]
  context = "app"
  tags = [notcalled("x")]
  args = { A = "own", GONE = null, EMPTY = UNSET, "QUOTED" = 5, FN = upper("x"), SHA = GITHUB_SHA }
}
target "chain" {
  inherits = ["app"]
  target = "test"
  dockerfile = "../docker/x.Dockerfile"
}
target "loop-a" { inherits = ["loop-b"] }
target "loop-b" {
  inherits = ["loop-a"]
  target = "b"
}
target "grid" {
  matrix = { v = ["1", "2"] }
  name = "grid-${v}"
}
target "fn" { context = lower("APP") }
target "orphan" { inherits = ["nobody"] }
target "git" { context = "https://example.com/x.git" }
target "inline" {
  dockerfile-inline = <<EOT
FROM scratch
EOT
}
"#,
        ),
        (
            "docker-bake.override.json",
            r#"{"target": {"app": {"args": {"A": "over-${TAG}"}}}, "variable": {"TAG": {"default": "9"}}}"#,
        ),
    ]);
    let mut lines = targets(&discovery);
    lines.sort();
    assert_eq!(
        lines,
        [
            "Dockerfile|.|b|||docker-bake.hcl: target loop-b",
            "Dockerfile|.||||discovered",
            "app/Dockerfile|app||A=over-9,B=app-9,C=no,EMPTY=,FN=X,QUOTED=5|linux/arm64|docker-bake.hcl: target app (group default)",
            "app/Dockerfile|app||||docker-bake.hcl: target fn",
            "docker-bake.hcl|.||||docker-bake.hcl: target inline",
            "docker/x.Dockerfile|app|test|A=over-9,B=app-9,C=no,EMPTY=,FN=X,QUOTED=5|linux/arm64|docker-bake.hcl: target chain (group default)",
        ]
    );
    let inline = discovery.targets.iter().find_map(|t| t.inline.as_deref());
    assert_eq!(inline, Some("FROM scratch\n"));
    let mut codes = codes(&discovery);
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(
        codes,
        [
            "project/remote-context",
            "project/unknown-argument",
            "project/unsupported-bake-target",
        ]
    );
    let text = format!("{:?}", discovery.diagnostics);
    for reason in ["GITHUB_SHA", "nobody"] {
        assert!(text.contains(reason), "{reason}");
    }
}

#[test]
fn bake_bombs_end() {
    let mut text = String::from("variable \"v0\" { default = \"0123456789\" }\n");
    for n in 1..60 {
        let refs = format!("${{v{}}}", n - 1).repeat(20);
        text += &format!("variable \"v{n}\" {{ default = \"{refs}\" }}\n");
    }
    text += "variable \"c\" { default = \"${c}\" }\n";
    text += "target \"a\" {\n args = { X = v59, C = c }\n}\n";
    let discovery = found(&[("Dockerfile", ""), ("docker-bake.hcl", &text)]);
    assert_eq!(codes(&discovery), ["project/unknown-argument"; 2]);
    for open in ["(", "[", "!", "-", "\"${", "a ? b : "] {
        let text = format!("target \"a\" {{ context = {} }}", open.repeat(50_000));
        let discovery = found(&[("Dockerfile", ""), ("docker-bake.hcl", &text)]);
        assert_eq!(codes(&discovery), ["project/unreadable"], "{open}");
    }
    let chain = |length: usize| {
        let mut text = String::new();
        for n in 0..length {
            let parent = n + 1;
            text += &format!("target \"t{n}\" {{ inherits = [\"t{parent}\", \"t{parent}\"] }}\n");
        }
        text += &format!("target \"t{length}\" {{ target = \"end\" }}\n");
        found(&[("Dockerfile", ""), ("docker-bake.hcl", &text)])
    };
    assert_eq!(chain(60).targets[1].stage.as_deref(), Some("end"));
    let long = chain(900);
    assert!(codes(&long).contains(&"project/unsupported-bake-target"));
    let huge = "target \"t\" {\n name = \"t${a}\"\n matrix = { a = range(0, 1000), b = range(0, 1000) }\n}\n";
    let discovery = found(&[("Dockerfile", ""), ("docker-bake.hcl", huge)]);
    assert_eq!(codes(&discovery), ["project/unsupported-bake-target"]);
}

#[test]
fn circles_of_compose_files_end() {
    let discovery = found(&[
        ("Dockerfile", ""),
        (
            "compose.yaml",
            "include: [a/x.yaml, ../out.yaml, gone.yaml]\nservices:\n  a: { extends: b, build: . }\n  b: { extends: a }\n  c: { extends: { file: compose.yaml, service: c }, build: . }\n  ok: { build: { context: ., target: ok } }\n",
        ),
        ("a/x.yaml", "include: [../compose.yaml]\nservices: {}\n"),
    ]);
    assert_eq!(
        targets(&discovery),
        [
            "Dockerfile|.||||discovered",
            "Dockerfile|.|ok|||compose.yaml: service ok"
        ]
    );
    let mut codes = codes(&discovery);
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes, ["project/include", "project/unknown-variable"]);
}

#[test]
fn equal_targets_are_one_and_the_first_origin_stays() {
    let discovery = found(&[
        ("Dockerfile", ""),
        (
            "compose.yaml",
            "services: { a: { build: . }, b: { build: { context: ./ } } }",
        ),
        (
            "docker-bake.hcl",
            "target \"t\" {}\ntarget \"u\" { target = \"dev\" }\n",
        ),
    ]);
    assert_eq!(
        targets(&discovery),
        [
            "Dockerfile|.||||discovered",
            "Dockerfile|.|dev|||docker-bake.hcl: target u"
        ]
    );
}

#[test]
fn paths() {
    for (path, expected) in [
        ("a/b", Some("a/b")),
        ("./a//b/", Some("a/b")),
        ("a/../b", Some("b")),
        ("..", None),
        ("a/../../b", None),
        ("/a", None),
        ("", Some(".")),
        ("a/..", Some(".")),
    ] {
        assert_eq!(normalize(path).as_deref(), expected, "{path}");
    }
    assert_eq!(join("a/b", "../c").as_deref(), Some("a/c"));
    assert_eq!(join(".", "c").as_deref(), Some("c"));
    assert_eq!(join("a", "/c"), None);
}

#[test]
fn contexts() {
    let files = memory(&[
        ("docker/Dockerfile", ""),
        ("docker/entry.sh", ""),
        ("package.json", ""),
        ("src/a.rs", ""),
        ("both", ""),
        ("docker/both", ""),
    ]);
    for (sources, dir) in [
        (&["entry.sh"][..], "docker"),
        (&["package.json", "src/"], "."),
        (&["package*.json"], "."),
        (&["/src/*.rs", "."], "."),
        (&["*.sh"], "docker"),
        (&["package.json", "entry.sh"], "docker"),
        (&["package.json", "dist/"], "."),
        (&["both", "dist"], "docker"),
        (&["../package.json"], "."),
        (&[], "docker"),
    ] {
        let sources: Vec<String> = sources.iter().map(|s| (*s).to_owned()).collect();
        let choice = choose_context(&files, "docker/Dockerfile", &sources);
        assert_eq!(choice.dir, dir, "{sources:?}");
        assert_eq!(choice.note.is_some(), dir == ".", "{sources:?}");
    }
    let choice = choose_context(&files, "Dockerfile", &["nothing".to_owned()]);
    assert_eq!((choice.dir.as_str(), choice.note), (".", None));
}

#[cfg(unix)]
#[test]
fn work_trees_are_walked_inside_their_root() {
    use std::os::unix::fs::symlink;
    let outside = tempfile::tempdir().expect("a directory");
    std::fs::write(outside.path().join("secret"), "x").expect("writable");
    let root = tempfile::tempdir().expect("a directory");
    for file in [
        "Dockerfile",
        "a/b/c",
        "node_modules/x",
        ".git/config",
        "a/target/y",
        "z/big",
    ] {
        let path = root.path().join(file);
        std::fs::create_dir_all(path.parent().expect("below the root")).expect("writable");
        std::fs::write(path, file).expect("writable");
    }
    let big = vec![b' '; usize::try_from(MAX_FILE_BYTES).expect("small") + 1];
    std::fs::write(root.path().join("z/big"), big).expect("writable");
    symlink("a", root.path().join("dirlink")).expect("writable");
    symlink("../Dockerfile", root.path().join("a/link")).expect("writable");
    symlink(outside.path().join("secret"), root.path().join("out")).expect("writable");
    symlink(outside.path(), root.path().join("outdir")).expect("writable");
    let tree = WorkTree::new(root.path());
    assert_eq!(tree.list(), ["Dockerfile", "a/b/c", "a/link", "z/big"]);
    assert!(!tree.truncated());
    assert_eq!(tree.read("a/link").as_deref(), Some(&b"Dockerfile"[..]));
    for path in [
        "out",
        "outdir/secret",
        "z/big",
        "../x",
        "/etc/passwd",
        "nothing",
        "a",
    ] {
        assert_eq!(tree.read(path), None, "{path}");
    }
    assert!(tree.exists("node_modules/x") && tree.exists("a") && tree.exists("."));
    assert!(!tree.exists("nothing") && !tree.exists("../x"));
}
