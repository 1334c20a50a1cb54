//! Rewrites as a user meets them: small repositories with a history, and the plans for them.

#[path = "common/planned.rs"]
mod planned;

use planned::*;

const SOURCES: &[&str] = &[
    "src/a.js", "src/a.js", "src/a.js", "src/a.js", "src/a.js", "src/a.js",
];

const BUILDER: &str = "FROM node:22 AS build\nWORKDIR /app\nCOPY . .\nRUN make\n\
                       FROM node:22\nCOPY --from=build /app/out /out\n";

#[test]
fn what_no_step_reads_is_not_sent() {
    let files = [
        ("Dockerfile", BUILDER),
        ("Makefile", "all:\n\tcp src/a.js out\n"),
        ("src/a.js", "a\n"),
        ("docs/x.md", "x\n"),
        (".github/ci.yml", "x\n"),
    ];
    let edits = [
        "docs/x.md",
        ".github/ci.yml",
        "docs/x.md",
        "src/a.js",
        "docs/x.md",
        "docs/x.md",
    ];
    let dir = repository(&files, &edits);
    let plan = best(&dir.root, &[]);
    assert_eq!(names(&plan), ["ignore-lines"]);
    assert_eq!(text(&plan, "safety"), "assumed");
    assert_eq!(
        text(&plan, "dockerignore"),
        ".github\n**/Dockerfile\ndocs\n.dockerignore\n"
    );
    assert_eq!(text(&plan, "dockerignore_file"), ".dockerignore");
    assert_eq!(text(&plan, "dockerfile"), BUILDER);
    assert!(text(&plan, "diff").contains("+++ b/.dockerignore"));
    assert!(plan["saving"].as_f64().expect("a number") > 0.6);
    // In place: the new file is there, and nothing else has changed.
    let out = cacheplan(&dir.root, &["optimize", "--write", "--dot-git", "absent"]);
    assert!(out.status.success());
    let written = std::fs::read_to_string(dir.root.join(".dockerignore")).expect("written");
    assert_eq!(written, ".github\n**/Dockerfile\ndocs\n.dockerignore\n");
    assert_eq!(
        std::fs::read_to_string(dir.root.join("Dockerfile")).expect("there"),
        BUILDER
    );
    // Then there is nothing left to do.
    let plan = best(&dir.root, &[]);
    assert!(names(&plan).is_empty(), "{plan}");
}

#[test]
fn what_is_mentioned_is_for_a_person_to_look_at() {
    for (path, mention) in [
        ("Makefile", "all:\n\tcp -r docs out\n"),
        ("src/a.js", "require('../docs/x.md')\n"),
        ("tools/build", "for f in ./docs/*; do cat $f; done\n"),
    ] {
        let files = [
            ("Dockerfile", BUILDER),
            ("docs/x.md", "x\n"),
            ("src/b.js", "b\n"),
            (path, mention),
        ];
        let dir = repository(
            &files,
            &["docs/x.md", "docs/x.md", "docs/x.md", "docs/x.md"],
        );
        let plan = best(&dir.root, &[]);
        assert!(
            !text(&plan, "dockerignore").contains("docs"),
            "{path}: {plan}"
        );
        let plan = best(&dir.root, &["--safety", "review"]);
        assert_eq!(text(&plan, "safety"), "review", "{path}");
        assert!(
            text(&plan, "dockerignore").contains("docs\n"),
            "{path}: {plan}"
        );
    }
}

#[test]
fn what_is_part_of_the_image_stays() {
    for dockerfile in [
        "FROM node:22\nWORKDIR /app\nCOPY . .\nRUN make\n",
        "FROM node:22 AS build\nWORKDIR /app\nCOPY . .\nRUN make\nFROM node:22\nCOPY --from=build /app /app\n",
        "FROM node:22 AS build\nWORKDIR /app\nCOPY . .\nRUN cp -r . /out\nFROM node:22\nCOPY --from=build /out /out\n",
        "FROM node:22 AS build\nWORKDIR /app\nCOPY . .\nRUN make\nFROM build AS more\nRUN true\n",
    ] {
        let files = [
            ("Dockerfile", dockerfile),
            ("docs/x.md", "x\n"),
            ("Makefile", "all:\n"),
        ];
        let dir = repository(
            &files,
            &["docs/x.md", "docs/x.md", "docs/x.md", "docs/x.md"],
        );
        for plan in plans(&dir.root, &["--safety", "review"]) {
            assert!(plan["dockerignore"].is_null(), "{dockerfile}{plan}");
        }
    }
}

#[test]
fn other_dockerfiles_keep_their_context() {
    let files = [
        ("Dockerfile", BUILDER),
        ("other/Dockerfile", "FROM node:22\nCOPY . .\n"),
        ("Makefile", "all:\n"),
        ("docs/x.md", "x\n"),
        (".dockerignore", "tmp\n"),
    ];
    let dir = repository(
        &files,
        &["docs/x.md", "docs/x.md", "docs/x.md", "docs/x.md"],
    );
    let plan = best(&dir.root, &["-f", "Dockerfile"]);
    assert_eq!(text(&plan, "dockerignore_file"), "Dockerfile.dockerignore");
    assert!(text(&plan, "dockerignore").starts_with("tmp\n"));
    let args = [
        "optimize",
        "-f",
        "Dockerfile",
        "--write",
        "--dot-git",
        "absent",
    ];
    assert!(cacheplan(&dir.root, &args).status.success());
    let old = std::fs::read_to_string(dir.root.join(".dockerignore")).expect("there");
    assert_eq!(old, "tmp\n");
    assert!(dir.root.join("Dockerfile.dockerignore").is_file());
}

#[test]
fn manifests_come_first_for_every_tool() {
    for (dockerfile, manifests, expected) in [
        (
            "FROM node:22\nWORKDIR /app\nCOPY . .\nRUN yarn install --frozen-lockfile\n",
            &[
                ("package.json", "{}"),
                ("yarn.lock", "# yarn lockfile v1\n"),
            ][..],
            "COPY package.json yarn.lock ./\nRUN yarn install --frozen-lockfile\nCOPY . .\n",
        ),
        (
            "FROM python:3.13\nWORKDIR /app\nCOPY . .\nRUN pip install -r requirements.txt\n",
            &[("requirements.txt", "flask==3\n")],
            "COPY requirements.txt ./\nRUN pip install -r requirements.txt\nCOPY . .\n",
        ),
        (
            "FROM golang:1.24\nWORKDIR /app\nCOPY . .\nRUN go mod download\n",
            &[
                ("go.mod", "module e.org/x\n"),
                ("go.sum", ""),
                ("main.go", "package main\n"),
            ],
            "COPY go.mod go.sum ./\nRUN go mod download\nCOPY . .\n",
        ),
        (
            "FROM ruby:3.4\nWORKDIR /app\nCOPY . .\nRUN bundle install\n",
            &[
                ("Gemfile", "source 'https://rubygems.org'\ngem 'rack'\n"),
                ("Gemfile.lock", "GEM\n"),
            ],
            "COPY Gemfile Gemfile.lock ./\nRUN bundle install\nCOPY . .\n",
        ),
        // A loop over folders has all of them as what it looks at.
        (
            "FROM python:3.13\nWORKDIR /app\nCOPY . .\nRUN pip install -r requirements.txt && \\\n    for d in plugins/*; do \\\n    \
             if [ -f \"$d/requirements.txt\" ]; then pip install -r \"$d/requirements.txt\"; fi; done\n",
            &[
                ("requirements.txt", "flask==3\n"),
                ("plugins/a/a.py", ""),
                ("plugins/b/requirements.txt", "x\n"),
            ],
            "COPY requirements.txt ./\nCOPY plugins plugins/\nRUN pip install -r requirements.txt && \\\n    for d in plugins/*; do \\\n    \
             if [ -f \"$d/requirements.txt\" ]; then pip install -r \"$d/requirements.txt\"; fi; done\nCOPY . .\n",
        ),
    ] {
        let mut files = vec![("Dockerfile", dockerfile), ("src/a.js", "a\n")];
        files.extend(manifests);
        let dir = repository(&files, SOURCES);
        let plan = best(&dir.root, &[]);
        assert_eq!(names(&plan), ["split-copy"], "{dockerfile}{plan}");
        let new = text(&plan, "dockerfile");
        assert!(new.ends_with(expected), "{new}");
    }
}

#[test]
fn a_folder_that_only_the_copy_makes_is_waited_for() {
    let files = [
        (
            "Dockerfile",
            "FROM python:3.13\nWORKDIR /app\nCOPY . .\nRUN cd sub && pip install -r ../requirements.txt\n",
        ),
        ("requirements.txt", "flask==3\n"),
        ("sub/a.py", ""),
        ("src/a.js", "a\n"),
    ];
    let dir = repository(&files, SOURCES);
    let plan = best(&dir.root, &[]);
    let text = text(&plan, "dockerfile");
    assert!(text.find("COPY . .") < text.find("RUN cd sub"), "{text}");
    // A download that is put before the sources starts where its manifests are.
    let files = [
        (
            "Dockerfile",
            "FROM golang:1.24 AS build\nWORKDIR /app\nCOPY . .\nRUN cd cmd/x && go build -o /x .\n\
             FROM scratch\nCOPY --from=build /x /x\n",
        ),
        ("go.mod", "module e.org/x\n"),
        ("go.sum", ""),
        ("cmd/x/main.go", "package main\n"),
    ];
    let dir = repository(&files, &["cmd/x/main.go"; 6]);
    let plan = best(&dir.root, &["--rewrites", "reorder,split-copy,prefetch"]);
    let expected =
        "WORKDIR /app\nCOPY go.mod go.sum ./\nRUN go mod download\nCOPY . .\nRUN cd cmd/x";
    assert!(
        plan["dockerfile"]
            .to_string()
            .contains(&expected.replace('\n', "\\n")),
        "{plan}"
    );
}

#[test]
fn downloads_come_before_builds() {
    let dockerfile = "FROM golang:1.24 AS build\nWORKDIR /app\nCOPY . .\nRUN CGO_ENABLED=0 go build -o /x .\n\
                      FROM scratch\nCOPY --from=build /x /x\n";
    let files = [
        ("Dockerfile", dockerfile),
        ("go.mod", "module e.org/x\n"),
        ("go.sum", ""),
        ("main.go", "package main\n\nfunc main() {}\n"),
    ];
    let edits = [
        "main.go", "main.go", "main.go", "main.go", "main.go", "main.go",
    ];
    // A cache mount would be another way, and the one excludes the other.
    let alone = ["--rewrites", "reorder,split-copy,prefetch"];
    let dir = repository(&files, &edits);
    let plan = best(&dir.root, &alone);
    assert_eq!(names(&plan), ["prefetch"], "{plan}");
    let expected = "WORKDIR /app\nCOPY go.mod go.sum ./\nRUN go mod download\nCOPY . .\n\
                    RUN CGO_ENABLED=0 go build -o /x .\n";
    assert!(text(&plan, "dockerfile").contains(expected), "{plan}");
    // The same where only the Makefile says so; a RUN that writes settings which no download reads is no matter.
    let by_make = dockerfile
        .replace("CGO_ENABLED=0 go build -o /x .", "make build")
        .replace("RUN", "RUN cat own.cnf > /etc/ssl/openssl.cnf\nRUN");
    let mut made = files.to_vec();
    made[0].1 = &by_make;
    made.push(("own.cnf", ""));
    made.push((
        "Makefile",
        "GO ?= go\nbuild: deps\n\t$(GO) build -ldflags \"-X main.rev=`git describe`\" -o /x .\ndeps:\n\t@echo $@\n",
    ));
    let dir = repository(&made, &edits);
    let plan = best(&dir.root, &alone);
    assert_eq!(names(&plan), ["split-copy", "prefetch"], "{plan}");
    let expected = "WORKDIR /app\nCOPY own.cnf ./\nCOPY go.mod go.sum ./\nRUN cat own.cnf > /etc/ssl/openssl.cnf\n\
                    RUN go mod download\nCOPY . .\nRUN make build\n";
    assert!(text(&plan, "dockerfile").contains(expected), "{plan}");
    let assumed = "make runs `go build` in /app, as the Makefile says";
    assert!(plan["assumptions"].to_string().contains(assumed), "{plan}");
    // A goal that builds something else downloads nothing.
    made[0].1 = "FROM golang:1.24 AS build\nWORKDIR /app\nCOPY . .\nRUN make deps\nFROM scratch\nCOPY --from=build /x /x\n";
    let dir = repository(&made, &edits);
    assert!(!names(&best(&dir.root, &alone)).contains(&"prefetch"));
    // A vendored module has nothing to fetch.
    let mut vendored = files.to_vec();
    vendored.push(("vendor/modules.txt", "# x\n"));
    let dir = repository(&vendored, &edits);
    assert!(!names(&best(&dir.root, &alone)).contains(&"prefetch"));
    // In the image itself the cache would show.
    let single = [(
        "Dockerfile",
        "FROM golang:1.24\nWORKDIR /app\nCOPY . .\nRUN go build -o /x .\n",
    )];
    let dir = repository(&[&single[..], &files[1..]].concat(), &edits);
    assert!(!names(&best(&dir.root, &alone)).contains(&"prefetch"));
}

#[test]
fn a_manifest_of_later_does_not_refuse_the_builds_before() {
    let files = [
        (
            "Dockerfile",
            "FROM ruby:3.4\nWORKDIR /app\nCOPY . .\nRUN bundle install\n",
        ),
        ("Gemfile", "source 'https://rubygems.org'\ngem 'rack'\n"),
        ("src/a.js", "a\n"),
    ];
    let edits = [
        "src/a.js",
        "src/a.js",
        "src/a.js",
        "Gemfile.lock",
        "src/a.js",
        "src/a.js",
    ];
    let dir = repository(&files, &edits);
    let plan = best(&dir.root, &[]);
    assert!(text(&plan, "dockerfile").contains("COPY Gemfile Gemfile.lock ./"));
    // Five of six builds touch the sources alone: what is left is the lock file's install and the copies.
    let saving = plan["saving"].as_f64().expect("a number");
    assert!((0.7..0.9).contains(&saving), "{saving}");
}

#[test]
fn a_plan_that_does_not_hold_up_is_not_recommended() {
    // The older builds speak for the lock file below the sources, the newer ones against it.
    let dockerfile = "FROM busybox\nCOPY a /a/\nRUN cat /a/a > /x\nCOPY b /b/\nRUN cat /b/b > /y\n";
    let files = [("Dockerfile", dockerfile), ("a", "a\n"), ("b", "b\n")];
    let older = ["a"; 28];
    let newer = ["b"; 12];
    let dir = repository(&files, &[&older[..], &newer[..]].concat());
    let plan = best(&dir.root, &[]);
    assert!(names(&plan).is_empty(), "{plan}");
    // The other way round nothing speaks against it.
    let dir = repository(&files, &[&["a"; 40][..], &["b"; 4][..]].concat());
    let plan = best(&dir.root, &[]);
    assert!(
        plan["held_out_saving"].as_f64().is_none_or(|s| s >= 0.0),
        "{plan}"
    );
}

#[test]
fn a_file_that_does_everything_right_is_left_alone() {
    let files = [
        (
            "Dockerfile",
            "FROM node:22 AS build\nWORKDIR /app\nCOPY package.json package-lock.json ./\nRUN npm ci\nCOPY src src/\nRUN make\n\
             FROM node:22\nCOPY --from=build /app/out /out\n",
        ),
        ("package.json", "{}"),
        ("package-lock.json", "{}"),
        ("src/a.js", "a\n"),
        ("README.md", "x\n"),
    ];
    let edits = [
        "src/a.js",
        "README.md",
        "src/a.js",
        "README.md",
        "src/a.js",
        "src/a.js",
    ];
    let dir = repository(&files, &edits);
    let all = plans(&dir.root, &["--safety", "review"]);
    assert_eq!(all.len(), 1);
    assert!(names(&all[0]).is_empty(), "{}", all[0]);
    let out = cacheplan(&dir.root, &["optimize", "--dot-git", "absent"]);
    assert!(out.stdout.is_empty());
}

/// What a reviewer found: plans that would have broken a build or changed an image without saying so.
#[test]
fn what_only_looks_free_is_left_alone() {
    const CARGO: &str = "[package]\nname = \"x\"\nversion = \"1.0.0\"\nedition = \"2021\"\n\n[dependencies]\nfnv = \"1\"\n";
    let source = ("src/main.rs", "fn main() {}\n");
    let manifests = [
        ("Cargo.toml", CARGO),
        ("Cargo.lock", "version = 3\n"),
        source,
    ];
    for (rewrite, dockerfile, files, edit) in [
        // The folder that a RUN works in is named by WORKDIR alone.
        (
            "ignore-lines",
            "FROM node:22 AS b\nCOPY . /src\nWORKDIR /src/website\nRUN make\nFROM node:22\nCOPY --from=b /src/website/out /x\n",
            &[("website/Makefile", "all:\n"), ("website/a.js", "a\n")][..],
            "website/a.js",
        ),
        // A tool that looks for its own files.
        (
            "ignore-lines",
            "FROM node:22 AS b\nWORKDIR /a\nCOPY . .\nRUN mkdocs build -d /out\nFROM node:22\nCOPY --from=b /out /x\n",
            &[("docs/a.md", "a\n"), ("mkdocs.yml", "site_name: a\n")],
            "docs/a.md",
        ),
        // Another target of the same file.
        (
            "ignore-lines",
            "FROM node:22 AS dev\nCOPY . .\nFROM node:22 AS b\nWORKDIR /a\nCOPY . .\nRUN make\nFROM node:22\nCOPY --from=b /a/out /x\n",
            &[("docs/a.md", "a\n"), ("Makefile", "all:\n")],
            "docs/a.md",
        ),
        // A link leads there.
        (
            "ignore-lines",
            "FROM node:22 AS b\nWORKDIR /a\nCOPY . .\nRUN make\nFROM node:22\nCOPY --from=b /a/out /x\n",
            &[
                ("docs/a.md", "a\n"),
                ("Makefile", "all:\n"),
                ("src/link", "-> ../docs/a.md"),
            ],
            "docs/a.md",
        ),
        // The script for a download makes sources for a moment: it must not meet any, and needs the manifests.
        (
            "prefetch",
            "FROM rust AS b\nWORKDIR /a\nCOPY src src\nCOPY Cargo.toml Cargo.lock ./\nRUN cargo build\nFROM scratch\nCOPY --from=b /a/target/debug/x /x\n",
            &manifests,
            "src/main.rs",
        ),
        (
            "prefetch",
            "FROM rust AS a\nCOPY --from=busybox /bin /a/src/gen\nFROM a AS b\nWORKDIR /a\nCOPY . .\nRUN cargo build\nFROM scratch\nCOPY --from=b /a/target/debug/x /x\n",
            &manifests,
            "src/main.rs",
        ),
        (
            "prefetch",
            "FROM rust AS b\nWORKDIR /w\nCOPY src other\nWORKDIR /w/a\nCOPY . .\nRUN cargo build\nFROM scratch\nCOPY --from=b /w/a/target/debug/x /x\n",
            &manifests,
            "src/main.rs",
        ),
        // All of the stage is copied on, its caches with it.
        (
            "prefetch",
            "FROM rust AS b\nWORKDIR /a\nCOPY . .\nRUN cargo build\nFROM scratch\nCOPY --from=b / /\n",
            &manifests,
            "src/main.rs",
        ),
        // What the download needs is set up in the RUN itself.
        (
            "prefetch",
            "FROM rust AS b\nWORKDIR /a\nCOPY . .\nRUN echo x > /root/.netrc && cargo build\nFROM scratch\nCOPY --from=b /a/target/debug/x /x\n",
            &manifests,
            "src/main.rs",
        ),
        (
            "prefetch",
            "FROM rust AS b\nWORKDIR /a\nCOPY . .\nRUN --network=none cargo build\nFROM scratch\nCOPY --from=b /a/target/debug/x /x\n",
            &manifests,
            "src/main.rs",
        ),
        // A line for a folder would bring what the COPY excludes.
        (
            "split-copy",
            "FROM node:22\nWORKDIR /a\nCOPY --exclude=*.orig . .\nRUN yarn install --frozen-lockfile\n",
            &[
                ("package.json", "{}"),
                ("yarn.lock", "# yarn lockfile v1\n"),
                ("a.js", "a\n"),
            ],
            "a.js",
        ),
    ] {
        let mut all = vec![("Dockerfile", dockerfile)];
        all.extend(files.iter().filter(|(_, text)| !text.starts_with("-> ")));
        let dir = repository(&all, &[]);
        for (path, text) in files {
            if let Some(target) = text.strip_prefix("-> ") {
                dir.link(path, target);
            }
        }
        for n in 0..6 {
            let text = std::fs::read_to_string(dir.root.join(edit)).expect("there");
            dir.write(edit, &format!("{text}// {n}\n"));
            dir.commit("edit");
        }
        for plan in plans(&dir.root, &[]) {
            let hidden = text(&plan, "dockerignore");
            let about = match rewrite {
                "ignore-lines" => ["docs", "website", "mkdocs"]
                    .iter()
                    .any(|n| hidden.contains(n)),
                other => names(&plan).contains(&other),
            };
            assert!(!about, "{rewrite}: {dockerfile}{plan}");
        }
    }
    // The plain case of the same project does get its download.
    let dockerfile = "FROM rust AS b\nWORKDIR /a\nCOPY . .\nRUN cargo build\nFROM scratch\nCOPY --from=b /a/target/debug/x /x\n";
    let files = [&[("Dockerfile", dockerfile)][..], &manifests].concat();
    let dir = repository(&files, &["src/main.rs"; 6]);
    let plan = best(&dir.root, &[]);
    assert_eq!(names(&plan), ["prefetch"], "{plan}");
    let new = text(&plan, "dockerfile");
    let expected = "WORKDIR /a\nCOPY Cargo.lock Cargo.toml ./\nRUN mkdir -p src && ";
    assert!(new.contains(expected), "{new}");
}

#[test]
fn a_project_is_installed_behind_its_dependencies() {
    let file = "FROM python:3.12\nWORKDIR /app\nCOPY . .\nRUN uv sync --frozen --no-dev\n";
    let pyproject = "[project]\nname = \"a\"\nversion = \"1\"\ndependencies = [\"x\"]\n\
                     [build-system]\nrequires = [\"hatchling\"]\nbuild-backend = \"hatchling.build\"\n";
    let lock =
        "version = 1\n[[package]]\nname = \"a\"\nversion = \"1\"\nsource = { editable = \".\" }\n";
    let files = [
        ("Dockerfile", file),
        ("pyproject.toml", pyproject),
        ("uv.lock", lock),
        ("a/__init__.py", "\n"),
    ];
    let edits = ["a/__init__.py"; 6];
    let dir = repository(&files, &edits);
    let plan = best(&dir.root, &[]);
    let text = text(&plan, "dockerfile");
    let first = text.find("RUN uv sync --frozen --no-dev --no-install-project");
    let then = text.find("COPY . .\nRUN uv sync --frozen --no-dev\n");
    assert!(first.is_some() && first < then, "{text}");
    assert!(names(&plan).contains(&"prefetch"), "{text}");
    // What is done already is not advised, and costs less: seconds of the second install are those of a light step.
    let repo = repository(&[files[0], files[1], files[2], files[3]], &edits);
    repo.write("Dockerfile", text);
    repo.commit("done");
    assert_eq!(names(&best(&repo.root, &[])), Vec::<&str>::new());
}

#[test]
fn scripts_count_once_something_starts_them() {
    let script = ("tools/sign.sh", "cat docs/x.md\n");
    for (starts, by) in [
        (None, "nobody"),
        (Some(("Makefile", "all:\n\tsh tools/sign.sh\n")), "a name"),
        (Some(("src/b.js", "run(`tools/${x}`)\n")), "its folder"),
        (Some(("src/b.js", "glob('tools/*.sh')\n")), "a wildcard"),
        (
            Some(("bootstrap.sh", "sh tools/sign.sh\n")),
            "another script",
        ),
    ] {
        let mut files = vec![
            ("Dockerfile", BUILDER),
            ("docs/x.md", "x\n"),
            ("src/a.js", "a\n"),
            script,
        ];
        files.extend(starts);
        let dir = repository(&files, &["docs/x.md"; 4]);
        let plan = best(&dir.root, &[]);
        let left_out = text(&plan, "dockerignore").contains("docs\n");
        assert_eq!(left_out, starts.is_none(), "{by}: {plan}");
        let assumed = plan["assumptions"].to_string();
        let said = assumed.contains("no step runs a script that nothing but documents names");
        assert_eq!(said, starts.is_none(), "{by}: {plan}");
    }
}

#[test]
fn halves_of_a_run_go_their_own_ways() {
    let dockerfile = "FROM python:3.13\nWORKDIR /app\nCOPY . .\nCOPY start.sh /\n\
                      RUN pip install -r requirements.txt && \\\n    # for everybody\n    chmod 775 /*.sh\n";
    let files = [
        ("Dockerfile", dockerfile),
        ("requirements.txt", "flask==3\n"),
        ("start.sh", "#!/bin/sh\n"),
        ("src/a.py", "a = 1\n"),
    ];
    let edits = ["src/a.py"; 8];
    let dir = repository(&files, &edits);
    let plan = best(&dir.root, &[]);
    assert!(names(&plan).contains(&"split-run"), "{plan}");
    assert_eq!(text(&plan, "safety"), "assumed");
    let expected = "COPY requirements.txt ./\nCOPY start.sh /\nRUN pip install -r requirements.txt\nCOPY . .\n\
                    # for everybody\nRUN chmod 775 /*.sh\n";
    let new = text(&plan, "dockerfile");
    assert!(new.ends_with(expected), "{new}");
    assert!(plan["saving"].as_f64().expect("a number") > 0.6, "{plan}");
    // What sets the shell up is said in both.
    let begun = dockerfile.replace("RUN pip", "RUN cd /app && umask 022 && pip");
    let mut other = files;
    other[0].1 = &begun;
    let again = repository(&other, &edits);
    let plan = best(&again.root, &[]);
    let new = text(&plan, "dockerfile");
    for line in [
        "RUN cd /app && umask 022 && pip install -r requirements.txt\n",
        "RUN cd /app && umask 022 && chmod 775 /*.sh\n",
    ] {
        assert!(new.contains(line), "{new}");
    }
    // Another shell may read the text in another way.
    let begun = dockerfile.replace("COPY . .", "SHELL [\"pwsh\", \"-Command\"]\nCOPY . .");
    other[0].1 = &begun;
    let again = repository(&other, &edits);
    for plan in plans(&again.root, &[]) {
        assert!(!names(&plan).contains(&"split-run"), "{plan}");
    }
    // Only where it is allowed.
    let plan = best(&dir.root, &["--rewrites", "reorder,split-copy"]);
    assert!(!names(&plan).contains(&"split-run"), "{plan}");
    for other in [
        // What is taken away in the second half would stay in the layer of the first.
        "pip install -r requirements.txt && rm -rf /root/.cache /*.sh",
        // The directory and the variable are the first half's.
        "mkdir -p x && cd x && pip install -r ../requirements.txt && chmod 775 /*.sh",
        "A=1 && pip install -r requirements.txt && chmod 775 /*.sh",
        // It goes on where the first has failed.
        "pip install -r requirements.txt || chmod 775 /*.sh",
        "pip install -r requirements.txt && chmod 775 /*.sh || true",
        // The cache may be empty where only the second runs.
        "--mount=type=cache,target=/tmp pip install -r requirements.txt && chmod 775 /*.sh",
        "--mount=type=tmpfs,target=/mnt pip install -r requirements.txt && chmod 775 /*.sh",
    ] {
        let dockerfile =
            format!("FROM python:3.13\nWORKDIR /app\nCOPY . .\nCOPY start.sh /\nRUN {other}\n");
        let mut files = files;
        files[0].1 = &dockerfile;
        let dir = repository(&files, &edits);
        for plan in plans(&dir.root, &[]) {
            assert!(!names(&plan).contains(&"split-run"), "{other}: {plan}");
        }
    }
}

#[test]
fn what_differs_in_every_build_goes_below_what_has_no_use_for_it() {
    let top = "FROM node:22\nARG COMMIT\nENV GIT_SHA=$COMMIT\nLABEL rev=$COMMIT\nENV NODE_ENV=production\n";
    let rest = "USER root\nWORKDIR /app\nCOPY package.json package-lock.json ./\nRUN npm ci\nCOPY src src/\n";
    fn files(dockerfile: &str) -> [(&str, &str); 4] {
        [
            ("Dockerfile", dockerfile),
            ("package.json", "{}"),
            ("package-lock.json", "{}"),
            ("src/a.js", "a\n"),
        ]
    }
    let volatile = ["--volatile-arg", "COMMIT"];
    // No step wants it: it stays in the image's configuration, at the end.
    let dockerfile = format!("{top}{rest}CMD [\"node\"]\n");
    let dir = repository(&files(&dockerfile), SOURCES);
    let plan = best(&dir.root, &volatile);
    assert_eq!(names(&plan), ["sink", "sink", "sink"], "{plan}");
    let expected = format!(
        "FROM node:22\nENV NODE_ENV=production\n{rest}ARG COMMIT\nENV GIT_SHA=$COMMIT\nLABEL rev=$COMMIT\nCMD [\"node\"]\n"
    );
    let place = text(&plan, "dockerfile");
    assert!(
        place.starts_with("FROM node:22\nENV NODE_ENV=production\nUSER root\n"),
        "{place}"
    );
    let lines = |text: &str| {
        let mut all: Vec<String> = text.lines().map(str::to_owned).collect();
        all.sort();
        all
    };
    assert_eq!(lines(place), lines(&expected));
    let at = |line: &str| place.find(line).expect("there");
    assert!(at("RUN npm ci") < at("ARG COMMIT"), "{place}");
    assert!(at("ARG COMMIT") < at("ENV GIT_SHA"), "{place}");
    assert!(plan["saving"].as_f64().expect("a number") > 0.8, "{plan}");
    assert!(plan["optimal"].as_bool().expect("known"), "{plan}");
    // A step wants it: the line stands above that one.
    let dockerfile = format!("{top}{rest}RUN mkdir /x && echo $COMMIT > /x/y\n");
    let dir = repository(&files(&dockerfile), SOURCES);
    for more in [&[][..], &["--rewrites", "sink"]] {
        let plan = best(&dir.root, &[&volatile[..], more].concat());
        let new = text(&plan, "dockerfile");
        let at = |line: &str| new.find(line).expect("there");
        assert!(at("RUN npm ci") < at("ARG COMMIT"), "{new}");
        assert!(at("ARG COMMIT") < at("RUN mkdir"), "{new}");
        assert!(names(&plan).iter().all(|n| *n == "sink"), "{plan}");
    }
    // Only where it is allowed, only where it differs, only where nobody looks at it.
    let reorder = [&volatile[..], &["--rewrites", "reorder"]].concat();
    for flags in [&reorder[..], &[]] {
        for plan in plans(&dir.root, flags) {
            assert!(!names(&plan).contains(&"sink"), "{plan}");
        }
    }
    for other in [
        dockerfile.replace("RUN npm ci", "RUN ./any && npm ci"),
        dockerfile
            .replace("COMMIT", "TOKEN")
            .replace("GIT_SHA", "TOKEN2"),
        dockerfile.replace("WORKDIR /app", "WORKDIR /$COMMIT"),
        dockerfile.replace("WORKDIR", "ENV COMMIT=1\nWORKDIR"),
    ] {
        let dir = repository(&files(&other), SOURCES);
        let more = ["--volatile-arg", "COMMIT", "--volatile-arg", "TOKEN"];
        for plan in plans(&dir.root, &more) {
            let new = text(&plan, "dockerfile");
            let at = |line: &str| new.find(line).expect("there");
            assert!(at("ARG ") < at("npm ci"), "{new}");
        }
    }
}

#[test]
fn installs_of_two_ecosystems_do_not_wait_for_each_other() {
    let file = "FROM ruby:3.4\nWORKDIR /app\nCOPY Gemfile Gemfile.lock ./\nRUN bundle install\nCOPY . .\nRUN npm ci\n";
    let files = [
        ("Dockerfile", file),
        // What it looks at is not known.
        (
            "Gemfile",
            "source 'https://rubygems.org'\ngem 'x' if Dir.glob('*').any?\n",
        ),
        ("Gemfile.lock", "GEM\n"),
        ("package.json", "{}"),
        ("package-lock.json", "{\"lockfileVersion\": 3}"),
        ("app/a.rb", ""),
    ];
    let edits = [
        "Gemfile.lock",
        "app/a.rb",
        "Gemfile.lock",
        "app/a.rb",
        "Gemfile.lock",
        "app/a.rb",
    ];
    let dir = repository(&files, &edits);
    let plan = best(&dir.root, &[]);
    let text = text(&plan, "dockerfile");
    let place = |what: &str| text.find(what).unwrap_or_else(|| panic!("{what}: {text}"));
    assert!(place("RUN npm ci") < place("COPY Gemfile"), "{text}");
    let assumed = "installs of npm packages and of gems look at nothing of each other";
    let all = plan["assumptions"].to_string();
    assert!(
        all.contains(assumed) || all.contains("installs of gems and of npm packages"),
        "{all}"
    );
    // A package of the project may be built by whatever is there.
    let python = file.replace("bundle install", "pip install .");
    let mut other = files;
    other[0].1 = &python;
    let dir = repository(&other, &edits);
    let plan = best(&dir.root, &["--rewrites", "reorder,split-copy"]);
    let new = plan["dockerfile"].as_str().unwrap_or_default();
    assert!(new.find("RUN pip") < new.find("RUN npm"), "{new}");
    // A second command in the RUN counts in full.
    let more = file.replace("npm ci", "npm ci && rm -rf vendor");
    let mut other = files;
    other[0].1 = &more;
    let dir = repository(&other, &edits);
    let plan = best(&dir.root, &["--rewrites", "reorder,split-copy"]);
    let new = plan["dockerfile"].as_str().unwrap_or_default();
    assert!(new.find("RUN bundle") < new.find("RUN npm"), "{new}");
}

#[test]
fn a_build_in_a_workspace_gets_the_packages_it_is_made_of() {
    let dockerfile = "FROM node:22 AS build\nWORKDIR /app\nCOPY . .\nRUN pnpm install --frozen-lockfile\n\
                      RUN pnpm build --filter=web\nFROM nginx:1.27\nCOPY --from=build /app/apps/web/dist /usr/share/nginx/html\n";
    let files = [
        ("Dockerfile", dockerfile),
        (
            "package.json",
            r#"{"packageManager":"pnpm@9.1.0","scripts":{"build":"turbo run build"},"devDependencies":{"turbo":"2"}}"#,
        ),
        ("pnpm-lock.yaml", "lockfileVersion: '9.0'\n"),
        (
            "pnpm-workspace.yaml",
            "packages:\n  - apps/*\n  - packages/*\n",
        ),
        (
            "turbo.json",
            r#"{"tasks":{"build":{"dependsOn":["^build"]}}}"#,
        ),
        (
            "apps/web/package.json",
            r#"{"name":"web","scripts":{"build":"tsc && vite build"},"dependencies":{"lib":"workspace:*"}}"#,
        ),
        (
            "apps/web/vite.config.ts",
            "const own = resolve(__dirname, '../../assets')\n",
        ),
        ("apps/web/src/a.ts", "import 'lib'\n"),
        (
            "apps/admin/package.json",
            r#"{"name":"admin","scripts":{"build":"vite build"}}"#,
        ),
        ("apps/admin/src/a.ts", "a\n"),
        (
            "packages/lib/package.json",
            r#"{"name":"lib","scripts":{"build":"tsup"}}"#,
        ),
        ("packages/lib/src/a.ts", "a\n"),
        ("assets/a.svg", "<svg/>\n"),
        ("docs/a.txt", "a\n"),
    ];
    let edits = [
        "docs/a.txt",
        "apps/admin/src/a.ts",
        "docs/a.txt",
        "apps/admin/src/a.ts",
        "apps/web/src/a.ts",
        "docs/a.txt",
    ];
    let dir = repository(&files, &edits);
    let allowed = ["--rewrites", "reorder,split-copy,narrow-copy"];
    let plan = best(&dir.root, &allowed);
    let new = text(&plan, "dockerfile");
    assert!(!new.contains("COPY . ."), "{new}");
    let place = |line: &str| {
        new.lines()
            .position(|l| l.starts_with(line))
            .unwrap_or_else(|| panic!("{line}: {new}"))
    };
    let (install, build) = (place("RUN pnpm install"), place("RUN pnpm build"));
    for line in ["COPY apps/web ", "COPY packages", "COPY assets "] {
        assert!(place(line) < build, "{new}");
    }
    assert!(place("COPY apps/admin/package.json") < install, "{new}");
    assert!(
        !new.contains("docs") && !new.contains("apps/admin "),
        "{new}"
    );
    assert_eq!(text(&plan, "safety"), "assumed");
    // A tool that nobody knows gets everything.
    let mut other = files;
    other[5].1 =
        r#"{"name":"web","scripts":{"build":"frobnicate"},"dependencies":{"lib":"workspace:*"}}"#;
    let dir = repository(&other, &edits);
    let new = best(&dir.root, &allowed);
    let new = text(&new, "dockerfile");
    let (copy, build) = (new.find("COPY . ."), new.find("RUN pnpm build"));
    assert!(copy.is_some() && copy < build, "{new}");
}
