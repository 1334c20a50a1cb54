use super::super::{shown, shown_with};

const FILES: [(&str, &str); 13] = [
    (
        "/app/go.mod",
        "module ex.org/a // x\n\ngo 1.22\n\nrequire (\n\tgithub.com/x/y v1.0.0\n)\n",
    ),
    ("/app/go.sum", ""),
    ("/app/README.md", ""),
    (
        "/app/main.go",
        "package main\n\nimport \"ex.org/a/lib/c\"\n\n//go:embed web/index.html\nvar x string\n",
    ),
    (
        "/app/main_test.go",
        "package main\nimport \"ex.org/a/missing\"\n",
    ),
    ("/app/web/index.html", ""),
    (
        "/app/cmd/x/main.go",
        "// c\npackage main\nimport (\n\t\"fmt\"\n\t_ \"ex.org/a/internal/y\" // z\n)\n",
    ),
    (
        "/app/cmd/z/main.go",
        "package main\nimport \"ex.org/a/cmd/x/sub\"\n",
    ),
    ("/app/cmd/x/sub/s.go", "package sub"),
    (
        "/app/internal/y/y.go",
        "package y; import `ex.org/a/internal/w`\n",
    ),
    (
        "/app/internal/w/w.go",
        "/* a\n*/ package w\n//go:embed all:t *.sql\nvar f embed.FS\n",
    ),
    (
        "/app/lib/c/c.go",
        "package c\n\nimport \"github.com/x/y/z\"\n",
    ),
    ("/app/docs/a.md", ""),
];

/// Without the manifests and what is above the project, which all commands read.
fn short(line: &str, files: &[(&str, &str)]) -> String {
    let text = shown_with(line, "/app", files, &[("GOFLAGS", "-buildvcs=false")]);
    let sums = [
        "/app/go.mod",
        "/app/go.sum",
        "/app/go.work",
        "/app/go.work.sum",
        "/go.mod",
        "/go.sum",
        "/go.work",
    ];
    let keep = |w: &&str| !sums.contains(w) && *w != "/go.work.sum";
    text.split(' ').filter(keep).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_download_reads_manifests() {
    let all = "/app/go.mod /app/go.sum /app/go.work /app/go.work.sum /app/vendor/** /go.mod /go.sum /go.work \
               /go.work.sum | /app/go.sum /app/go.work.sum /go.sum /go.work.sum";
    assert_eq!(
        shown("go mod download -x", "/app", &FILES),
        all.replace("/app/vendor/** ", "")
    );
    assert_eq!(short("go version", &FILES), "| ");
    assert_eq!(short("go install ex.org/t@v1", &FILES), "| ");
    assert_eq!(
        shown("go mod download", "/", &FILES),
        "(there is no go.mod in / or above)"
    );
}

#[test]
fn replaced_and_used_modules_have_their_manifests() {
    let files = [
        (
            "/app/go.mod",
            "module a\nreplace (\n x => ./x\n y v1 => github.com/z/y v2\n)\nreplace \"z\" => \"../z\"\n",
        ),
        ("/app/x/go.mod", "module x"),
        ("/z/go.mod", "module z"),
    ];
    assert_eq!(
        short("go mod download", &files),
        "/app/x/go.mod /z/go.mod |"
    );
    assert_eq!(
        short("go mod download", &files[..2]),
        "(/z/go.mod is not in the build context)"
    );
    let files = [
        ("/app/go.work", "go 1.22\nuse (\n\t.\n\t./b\n)\n"),
        ("/app/go.mod", "module a"),
        ("/app/b/go.mod", "module b"),
    ];
    assert_eq!(
        short("go mod download", &files),
        "/app/b/go.mod /app/b/go.sum |"
    );
}

#[test]
fn a_build_reads_the_packages_that_are_imported() {
    assert_eq!(
        short("go build -o /bin/x ./cmd/x", &FILES),
        "/app/cmd/x/** /app/internal/** /app/vendor/** | /bin/x/**"
    );
    assert_eq!(
        short("go build -v ex.org/a/cmd/z", &FILES),
        "/app/cmd/x/sub/** /app/cmd/z/** /app/vendor/** | /app/z"
    );
    let root = "/app/default.pgo /app/lib/** /app/main.go /app/vendor/** /app/web/index.html";
    assert_eq!(short("go build .", &FILES), format!("{root} | /app/a"));
    assert_eq!(
        short("go build -o . main.go", &FILES),
        format!("{root} | /app/main")
    );
    assert_eq!(
        short("go build -o bin/a -ldflags -s", &FILES),
        format!("{root} | /app/bin/a/**")
    );
    assert_eq!(
        short("go install ./cmd/...", &FILES),
        "/app/cmd/** /app/internal/** /app/vendor/** |"
    );
}

#[test]
fn builds_of_everything_are_left_alone() {
    for line in [
        "go build ./...",
        "go build ../b",
        "go test ./cmd/x",
        "go generate ./...",
        "go build -modfile=x.mod .",
        "go build ./docs",
        "go mod tidy",
        "go get x",
    ] {
        assert!(shown(line, "/app", &FILES).starts_with('('), "{line}");
    }
    for text in [
        "package main\nimport \"ex.org/a/gone\"\n",
        "package main\n//go:embed *\nvar f embed.FS\n",
        "package main\n//go:embed ../x\nvar f embed.FS\n",
        "package main\n// #include \"../x.h\"\nimport \"C\"\n",
        "package main\nimport \"./x\"\n",
        "no go",
    ] {
        let files = [FILES[0], ("/app/main.go", text)];
        assert!(
            shown("go build .", "/app", &files).starts_with('('),
            "{text}"
        );
    }
    let changes = shown(
        "go build -mod=mod -buildvcs=false -o /x ./cmd/x",
        "/app",
        &FILES,
    );
    assert!(changes.contains(" | /app/go.mod /app/go.sum"), "{changes}");
    let set = |n, v| shown_with("go build .", "/app", &FILES, &[(n, v)]);
    assert!(set("GOFLAGS", "-overlay=x").starts_with('('));
    assert!(set("GOWORK", "/x").starts_with('('));
    assert!(set("GO111MODULE", "off").starts_with('('));
}

#[test]
fn git_and_gopath_count() {
    let text = shown("go build .", "/app", &FILES);
    assert!(text.contains("/app/.git/**"), "{text}");
    let files = [
        ("/go/src/a/go.mod", "module a"),
        ("/go/src/a/a.go", "package main"),
    ];
    let text = shown("go build -buildvcs=false", "/go/src/a", &files);
    assert!(text.contains("/go/pkg/**"), "{text}");
}
