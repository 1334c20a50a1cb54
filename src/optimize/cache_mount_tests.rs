//! Small Dockerfiles: what a mount makes of them, or that there is none.

use super::precedence::Scene;
use crate::dockerfile::parse;
use crate::footprint::is_below;
use crate::plan::{BuildOptions, Builder, lower};
use crate::rewrite::cache_mount::find;
use crate::rewrite::{ContextFiles, Rewrite, Safety, apply, prefetch};
use crate::source::SourceFile;

struct Files(&'static [(&'static str, &'static str)]);

impl ContextFiles for Files {
    fn is_file(&self, path: &str) -> bool {
        self.0.iter().any(|(p, _)| *p == path)
    }
    fn is_link(&self, _: &str) -> bool {
        false
    }
    fn links_in(&self, _: &str) -> Option<Vec<String>> {
        Some(Vec::new())
    }
    fn has_below(&self, dir: &str) -> bool {
        !self.below(dir).is_empty()
    }
    fn below(&self, dir: &str) -> Vec<String> {
        let all = self.0.iter().map(|(p, _)| (*p).to_owned());
        all.filter(|p| dir.is_empty() || is_below(p, dir)).collect()
    }
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        let found = self.0.iter().find(|(p, _)| *p == path);
        found.map(|(_, text)| text.as_bytes().to_vec())
    }
}

const FILES: &[(&str, &str)] = &[
    ("package.json", "{}"),
    ("go.mod", "module e.org/x\n"),
    ("m2/settings.xml", "<settings/>"),
    ("src/a.js", ""),
];

/// What each rewrite promises, and the file with it.
fn found(text: &str, options: &BuildOptions) -> Vec<(Safety, String, Rewrite)> {
    let source = SourceFile::new("Dockerfile", text);
    let file = parse(&source).tree;
    let plan = lower(&file, options);
    assert!(!plan.has_errors(), "{text}: {:?}", plan.diagnostics);
    let files = Files(FILES);
    let scene = Scene::new(&file, &plan, Some(&files));
    let view = scene.view(&source, &file).expect("a view");
    let mut out = Vec::new();
    for rewrite in find(&view) {
        let applied = apply(&source, &file, &[&rewrite]).expect("edits do not meet");
        let new = String::from_utf8_lossy(applied.source.bytes()).into_owned();
        let again = lower(&parse(&applied.source).tree, options);
        assert!(!again.has_errors(), "{new}: {:?}", again.diagnostics);
        out.push((rewrite.safety, new, rewrite));
    }
    out
}

/// The lines that the only rewrite changes, with its safety in front; `none` without one.
fn shown(text: &str) -> String {
    let all = found(text, &BuildOptions::default());
    let Some((safety, new, _)) = all.first() else {
        return "none".to_owned();
    };
    assert_eq!(all.len(), 1, "{text}");
    let new = new.lines().filter(|l| !text.lines().any(|o| o == *l));
    let lines: Vec<&str> = new.map(str::trim_start).collect();
    format!(
        "{safety}: {}",
        lines
            .join(" / ")
            .replace("--mount=type=cache,", "+")
            .replace(" \\ / ", " ")
    )
}

/// A stage that only its output leaves.
fn builder(base: &str, lines: &str) -> String {
    format!(
        "FROM {base} AS build\nWORKDIR /app\nCOPY . .\n{lines}\nFROM scratch\nCOPY --from=build /app/out /\n"
    )
}

#[test]
fn a_builder_keeps_what_it_fetched() {
    for (base, lines, expected) in [
        (
            "node:22",
            "RUN npm ci",
            "assumed: RUN +target=/root/.npm npm ci",
        ),
        (
            "node:22",
            "RUN npm ci && npm run build",
            "assumed: RUN +target=/root/.npm npm ci && npm run build",
        ),
        (
            "node:22",
            "RUN --network=default npm ci",
            "assumed: RUN +target=/root/.npm --network=default npm ci",
        ),
        (
            "node:22",
            "USER node\nRUN npm ci",
            "assumed: RUN +target=/home/node/.npm,uid=1000,gid=1000 npm ci",
        ),
        (
            "node:22",
            "USER 1000\nRUN npm ci",
            "assumed: RUN +target=/home/node/.npm,uid=1000,gid=1000 npm ci",
        ),
        (
            "node:22",
            "ENV HOME=/home/x\nUSER 1001:1001\nRUN npm ci",
            "assumed: RUN +target=/home/x/.npm,uid=1001,gid=1001 npm ci",
        ),
        (
            "node:22",
            "ENV npm_config_cache=/c/d\nRUN npm ci",
            "assumed: RUN +id=npm-d,target=/c/d npm ci",
        ),
        (
            "node:22",
            "RUN <<EOF\nnpm ci\nEOF",
            "assumed: RUN +target=/root/.npm <<EOF",
        ),
        (
            "golang:1.24",
            "RUN go build -o out .",
            "assumed: RUN +target=/go/pkg/mod +target=/root/.cache/go-build go build -o out .",
        ),
        (
            "maven:3",
            "RUN mvn package",
            "assumed: RUN +target=/root/.m2/repository,sharing=locked mvn package",
        ),
        (
            "rust:1",
            "RUN cargo build --release",
            "assumed: RUN +target=/usr/local/cargo/registry,sharing=locked +target=/usr/local/cargo/git,sharing=locked cargo build --release",
        ),
        (
            "mcr.microsoft.com/dotnet/sdk:9.0",
            "RUN dotnet publish -o out",
            "assumed: RUN +target=/root/.nuget/packages,sharing=locked dotnet publish -o out",
        ),
    ] {
        assert_eq!(shown(&builder(base, lines)), expected, "{lines}");
    }
}

#[test]
fn in_the_image_it_must_be_cleaned_or_looked_at() {
    for (lines, expected) in [
        (
            "FROM node:22\nWORKDIR /app\nCOPY . .\nRUN npm ci\n",
            "review: RUN +target=/root/.npm npm ci",
        ),
        (
            "FROM node:22\nWORKDIR /app\nCOPY . .\nRUN npm ci \\\n  && npm cache clean --force\n",
            "assumed: RUN +target=/root/.npm npm ci",
        ),
        (
            "FROM node:22\nWORKDIR /app\nCOPY . .\nRUN npm ci \\\n  # why\n  && npm cache clean --force \\\n  && npm run build\n",
            "assumed: RUN +target=/root/.npm npm ci \\",
        ),
        (
            "FROM python:3.13\nCOPY . /app\nRUN pip install --no-cache-dir -r /app/r.txt\n",
            "assumed: RUN +id=pip-python-3.13,target=/root/.cache/pip pip install -r /app/r.txt",
        ),
        (
            "FROM python:3.13\nCOPY . /app\nRUN pip install -r /app/r.txt && rm -rf /root/.cache\n",
            "assumed: RUN +id=pip-cache-python-3.13,target=/root/.cache pip install -r /app/r.txt",
        ),
        // The base image's stage is the image.
        (
            "FROM node:22 AS a\nWORKDIR /app\nRUN npm ci\nFROM a\nRUN true\n",
            "review: RUN +target=/root/.npm npm ci",
        ),
    ] {
        assert_eq!(shown(lines), expected, "{lines}");
    }
}

#[test]
fn what_needs_the_cache_later_gets_it_in_every_step() {
    let two = builder("golang:1.24", "RUN go mod download\nRUN go build -o out .");
    assert_eq!(
        shown(&two),
        "assumed: RUN +target=/go/pkg/mod go mod download / RUN +target=/go/pkg/mod \
         +target=/root/.cache/go-build go build -o out ."
    );
    // A program that nobody looked into may run it.
    let make = builder(
        "golang:1.24",
        "RUN go mod download\nRUN apt-get update\nRUN make",
    );
    assert_eq!(
        shown(&make),
        "assumed: RUN +target=/go/pkg/mod go mod download / RUN +target=/go/pkg/mod make"
    );
    // In stages that stand on it as well.
    let stages = "FROM golang:1.24 AS a\nWORKDIR /app\nCOPY go.mod .\nRUN go mod download\nFROM a AS b\nCOPY . .\n\
                  RUN go build -o /out .\nFROM scratch\nCOPY --from=b /out /\n";
    assert!(
        shown(stages).contains("go mod download / RUN +target=/go/pkg/mod"),
        "{}",
        shown(stages)
    );
    for refused in [
        builder(
            "golang:1.24",
            "RUN go mod download\nENV GOPATH=/g\nRUN make",
        ),
        builder(
            "golang:1.24",
            "RUN go mod download\nENV GOPATH=/g\nRUN go build .",
        ),
        builder("golang:1.24", "RUN go mod download\nUSER nobody\nRUN make"),
        builder(
            "golang:1.24",
            "RUN go mod download && go clean -modcache\nRUN go build .",
        ),
        builder(
            "golang:1.24",
            "RUN go mod download\nRUN [\"go\", \"build\", \".\"]",
        ),
        builder(
            "golang:1.24",
            "RUN go mod download\nRUN GOPROXY=off go build .",
        ),
        builder("rust:1", "RUN cargo fetch\nRUN cargo build --offline"),
        builder(
            "maven:3",
            "RUN mvn dependency:go-offline\nRUN mvn -o package",
        ),
        builder(
            "mcr.microsoft.com/dotnet/sdk:9.0",
            "RUN dotnet restore\nRUN dotnet publish --no-restore",
        ),
        builder("node:22", "RUN pnpm fetch\nRUN pnpm install --offline"),
        builder(
            "golang:1.24",
            "RUN --mount=type=cache,id=x,target=/go/pkg/mod go mod download\nRUN go build .",
        ),
    ] {
        assert_eq!(shown(&refused), "none", "{refused}");
    }
}

#[test]
fn tools_of_one_run_get_their_mounts_together() {
    let both = builder("node:22", "RUN npm ci && pip install -r r.txt");
    assert_eq!(
        shown(&both),
        "assumed: RUN +target=/root/.npm +id=pip-node-22,target=/root/.cache/pip npm ci && pip install -r r.txt"
    );
    // What installs the tool alone is not worth a mount.
    for (lines, expected) in [
        ("RUN npm install -g pnpm@9", "none"),
        ("RUN pip install --no-cache-dir -U pip poetry==1.8", "none"),
        (
            "RUN npm i -g corepack && pnpm install",
            "assumed: RUN +target=/root/.local/share/pnpm/store npm i -g corepack && pnpm install",
        ),
        (
            "RUN npm i -g pnpm && npm i -g typescript",
            "assumed: RUN +target=/root/.npm npm i -g pnpm && npm i -g typescript",
        ),
    ] {
        assert_eq!(shown(&builder("node:22", lines)), expected, "{lines}");
    }
    let script = builder("node:22", "RUN pnpm install\nRUN ./build.sh");
    assert_eq!(
        shown(&script),
        "assumed: RUN +target=/root/.local/share/pnpm/store pnpm install"
    );
}

#[test]
fn what_looks_there_is_a_reason_to_leave_it() {
    for lines in [
        "RUN npm ci\nRUN cp -r /root/.npm /app/out",
        "RUN npm ci\nRUN tar cf out /root",
        "COPY src /root/.npm/x\nRUN npm ci",
        "RUN npm ci\nCOPY src /root/.npm/",
        "RUN --network=none npm ci",
        "RUN npm ci; npm cache clean --force",
        "RUN [\"npm\", \"ci\"]",
        "RUN --mount=type=cache,target=/root/.npm npm ci",
        "RUN --mount=type=cache,target=/root npm ci",
        "RUN --mount=type=tmpfs,target=/root/.npm npm ci",
        "RUN --mount=type=cache,target=/root/.npm/_cacache npm ci",
        "RUN --mount=type=bind,from=node:22,target=/root npm ci",
        "USER app\nRUN npm ci",
        "USER 1001\nRUN npm ci",
        "USER 1001:1001\nRUN npm ci",
        "USER node\nRUN yarn install",
        "RUN npm config set cache /x\nRUN npm ci",
        "RUN sudo npm ci",
        "RUN . ./env && npm ci",
        "RUN npm ci $X --cache $Y",
        "SHELL [\"pwsh\", \"-c\"]\nRUN npm ci",
        "WORKDIR /root/.npm\nRUN npm ci",
        "ENV npm_config_cache=/c\nRUN npm ci",
        "ENV npm_config_cache=\"/a b/c\"\nRUN npm ci",
    ] {
        assert_eq!(shown(&builder("node:22", lines)), "none", "{lines}");
    }
    for text in [
        "FROM node:22 AS build\nWORKDIR /app\nRUN npm ci\nFROM scratch\nCOPY --from=build /root /\n",
        "FROM node:22 AS build\nWORKDIR /app\nRUN npm ci\nFROM node:22 AS b\nCOPY --from=build /root/.npm /root/.npm\nRUN make\n\
         FROM scratch\nCOPY --from=b /app/out /\n",
        // What the clean-up takes away, an earlier step has left.
        "FROM node:22\nWORKDIR /app\nRUN [\"npm\", \"i\", \"-g\", \"x\"]\nRUN npm ci && npm cache clean --force\n",
        "FROM node:22\nWORKDIR /app\nRUN npm i -g x; true\nRUN npm ci && rm -rf ~/.npm\n",
        "# syntax=docker/dockerfile:1.1\nFROM node:22 AS build\nRUN npm ci\nFROM scratch\nCOPY --from=build /x /\n",
        "# syntax=e.org/frontend\nFROM node:22 AS build\nRUN npm ci\nFROM scratch\nCOPY --from=build /x /\n",
        "FROM maven:3 AS build\nCOPY m2 /root/.m2/repository\nRUN mvn package\nFROM scratch\nCOPY --from=build /x /\n",
        "ARG BASE\nFROM $BASE AS build\nRUN npm ci\nFROM scratch\nCOPY --from=build /x /\n",
    ] {
        let all = found(
            text,
            &BuildOptions {
                args: vec![("BASE".to_owned(), "scratch".to_owned())],
                ..BuildOptions::default()
            },
        );
        let cleaned = all
            .iter()
            .filter(|(_, new, _)| !new.contains("clean") && !new.contains("rm -rf"));
        assert_eq!(cleaned.count(), 0, "{text}");
    }
    // Beside the folder nothing is hidden.
    let beside = "FROM maven:3 AS build\nCOPY m2 /root/.m2/\nRUN mvn package\nFROM scratch\nCOPY --from=build /x /\n";
    assert!(shown(beside).starts_with("assumed"), "{}", shown(beside));
}

#[test]
fn builders_without_such_mounts_get_none() {
    let text = builder("node:22", "RUN npm ci");
    for (builder, count) in [
        (Builder::BUILDKIT, 1),
        (Builder::CLASSIC, 0),
        (Builder::BUILDAH, 0),
    ] {
        let options = BuildOptions {
            builder,
            ..BuildOptions::default()
        };
        assert_eq!(found(&text, &options).len(), count, "{}", builder.name);
    }
}

#[test]
fn it_says_what_it_rests_on() {
    let all = found(
        &builder("e.org/node", "RUN npm ci"),
        &BuildOptions::default(),
    );
    let (_, _, rewrite) = &all[0];
    let text = rewrite.note.assumptions.join("\n");
    for part in [
        "e.org/node runs commands as root",
        "e.org/node does not move npm's cache",
        "e.org/node holds nothing in /root/.npm",
        "nothing but npm looks into /root/.npm",
        "npm does the same with what it kept as without",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(rewrite.caches, [(0, "npm".to_owned())]);
}

/// A mount and a download of the same tool in the same stage name the same pair, by which the search keeps them apart.
#[test]
fn a_download_before_it_names_the_same_stage_and_tool() {
    let text = builder("golang:1.24", "RUN go build -o out .");
    let source = SourceFile::new("Dockerfile", text.as_str());
    let file = parse(&source).tree;
    let plan = lower(&file, &BuildOptions::default());
    let files = Files(FILES);
    let scene = Scene::new(&file, &plan, Some(&files));
    let view = scene.view(&source, &file).expect("a view");
    let (mounts, downloads) = (find(&view), prefetch::find(&view));
    assert_eq!((mounts.len(), downloads.len()), (1, 1));
    assert_eq!(mounts[0].caches, downloads[0].caches);
}
