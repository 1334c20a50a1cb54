//! Small Dockerfiles: which COPY gives way to a mount, which may be linked, and which neither.

use super::precedence::Scene;
use crate::dockerfile::parse;
use crate::footprint::is_below;
use crate::plan::{BuildOptions, Builder, lower};
use crate::rewrite::{ContextFiles, Rewrite, Safety, View, apply, bind_mount, link};
use crate::source::SourceFile;

struct Files(&'static [(&'static str, &'static str)]);

impl ContextFiles for Files {
    fn is_file(&self, path: &str) -> bool {
        self.0.iter().any(|(p, _)| *p == path)
    }
    fn is_link(&self, path: &str) -> bool {
        path.starts_with("link")
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
    fn is_executable(&self, _: &str) -> Option<bool> {
        Some(true)
    }
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        let found = self.0.iter().find(|(p, _)| *p == path);
        found.map(|(_, text)| text.as_bytes().to_vec())
    }
}

const FILES: &[(&str, &str)] = &[
    ("package.json", "{\"packageManager\": \"pnpm@9.0.0\"}"),
    (
        "package-lock.json",
        "{\"lockfileVersion\": 3, \"packages\": {}}",
    ),
    ("pnpm-lock.yaml", "lockfileVersion: '9.0'\n"),
    ("requirements.txt", "flask==3\n"),
    ("link.txt", "flask==3\n"),
    ("go.mod", "module e.org/x\n\ngo 1.22\n"),
    ("go.sum", ""),
    ("main.go", "package main\n\nfunc main() {}\n"),
    ("src/a", ""),
    ("src/b", ""),
    ("data/one", ""),
];

type Finder = fn(&View<'_>) -> Vec<Rewrite>;

/// What each rewrite promises, and the file with it.
fn found(text: &str, options: &BuildOptions, find: Finder) -> Vec<(Safety, String, Rewrite)> {
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
        // What bounds all plans has to know of everything that is found.
        let all = view.stages.iter();
        let may = |s: &crate::rewrite::StageView<'_>| {
            (0..s.lines.len()).any(|at| match rewrite.note.rewrite {
                "link" => link::may_link(&view, s, at) == Some(rewrite.safety),
                _ => bind_mount::may_replace(&view, s, at),
            })
        };
        assert!(all.clone().any(may), "{text}");
        out.push((rewrite.safety, new, rewrite));
    }
    out
}

/// The lines that the only rewrite changes, with its safety in front; `none` without one.
fn shown(text: &str, find: Finder) -> String {
    let all = found(text, &BuildOptions::default(), find);
    let Some((safety, new, _)) = all.first() else {
        return "none".to_owned();
    };
    assert_eq!(all.len(), 1, "{text}: {all:#?}");
    let new = new.lines().filter(|l| !text.lines().any(|o| o == *l));
    let lines: Vec<&str> = new.map(str::trim_start).collect();
    let lines = lines.join(" / ");
    let lines = lines
        .replace("--mount=type=bind,", "+")
        .replace(" \\ / ", " ");
    format!("{safety}: {lines}")
}

/// A stage whose image is the result.
fn image(base: &str, lines: &str) -> String {
    format!("FROM {base}\nWORKDIR /app\n{lines}\n")
}

/// A stage that only `/out` leaves.
fn builder(base: &str, lines: &str) -> String {
    format!("FROM {base} AS build\nWORKDIR /app\n{lines}\nFROM scratch\nCOPY --from=build /out /\n")
}

const NPM: &str = "COPY package.json package-lock.json ./\nRUN npm ci\n";
const MOUNTED: &str = "assumed: RUN +source=package-lock.json,target=package-lock.json \
                       +source=package.json,target=package.json npm ci";

#[test]
fn files_that_come_again_are_mounted() {
    for (lines, expected) in [
        (format!("{NPM}COPY . ."), MOUNTED),
        (
            "COPY requirements.txt .\nRUN pip install -r requirements.txt\nCOPY . .".to_owned(),
            "assumed: RUN +source=requirements.txt,target=requirements.txt pip install -r requirements.txt",
        ),
        // By the place where they lie, from another folder.
        (
            "COPY requirements.txt /app/r/\nWORKDIR /\nRUN pip install -r /app/r/requirements.txt\n\
             COPY requirements.txt /app/r/\nCOPY src src"
                .to_owned(),
            "assumed: RUN +source=requirements.txt,target=/app/r/requirements.txt pip install -r /app/r/requirements.txt",
        ),
        // Lines between that have no use for it.
        (
            format!("{NPM}RUN mkdir -p /data\nENV A=1\nCOPY src /src\nCOPY . ."),
            MOUNTED,
        ),
        // The mounts that are there stay.
        (
            format!("{NPM}COPY . .").replace("npm ci", "--mount=type=cache,target=/root/.npm npm ci"),
            "assumed: RUN +source=package-lock.json,target=package-lock.json \
             +source=package.json,target=package.json --mount=type=cache,target=/root/.npm npm ci",
        ),
        // The folder is there before, so that it stays root's.
        (format!("{NPM}COPY --chown=7:7 . ."), MOUNTED),
        (
            "COPY go.mod go.sum ./\nRUN go mod download\nCOPY . .".to_owned(),
            "assumed: RUN +source=go.mod,target=go.mod +source=go.sum,target=go.sum go mod download",
        ),
    ] {
        let base = match lines.contains("pip") {
            true => "python:3.12",
            false => match lines.contains("go ") {
                true => "golang:1.24",
                false => "node:22",
            },
        };
        assert_eq!(shown(&image(base, &lines), bind_mount::find), expected, "{lines}");
    }
}

#[test]
fn files_that_stay_are_copied() {
    for lines in [
        // The image keeps them.
        NPM.to_owned(),
        format!("{NPM}COPY src src"),
        format!("{NPM}COPY package.json ./"),
        format!("{NPM}COPY . /other/"),
        // Somebody else has a use for them before they come again, or may have.
        format!("{NPM}RUN cat package.json > /x\nCOPY . ."),
        format!("{NPM}RUN ./anything\nCOPY . ."),
        format!("RUN ./anything\n{NPM}RUN npm ci --omit=dev\nCOPY . ."),
        // Other files are in their place, or they get another owner or mode in between.
        format!("{NPM}RUN chmod 600 package.json\nCOPY . ."),
        // What would be made by the COPY that is left belongs to another.
        format!("{NPM}COPY --chown=7:7 . .").replace("COPY package", "WORKDIR /\nCOPY package").replace("./\nRUN", "/w/\nWORKDIR /w\nRUN").replace("7:7 . .", "7:7 . /w/"),
        // A mount has neither an owner nor a mode of its own.
        format!("{NPM}COPY . .").replace("COPY package", "COPY --chown=7:7 package"),
        format!("{NPM}COPY . .").replace("COPY package", "COPY --chmod=600 package"),
        // It cannot be written to: the tool may.
        format!("{NPM}COPY . .").replace("ci", "install"),
        format!("{NPM}COPY . .").replace("npm ci", "npm ci && sed -i s/a/b/ package.json"),
        format!("{NPM}COPY . .").replace("npm ci", "npm ci && rm package-lock.json"),
        format!("{NPM}COPY . .").replace("npm ci", "npm ci && chown -R 7:7 /app"),
        // Nor taken away, or given a second name elsewhere.
        "COPY data/one /tmp/\nRUN cp /tmp/one /x && rm -rf /tmp/*\nCOPY data/one /tmp/".to_owned(),
        "COPY data/one /d/\nRUN ln /d/one /x\nCOPY data/one /d/".to_owned(),
        // Not understood.
        format!("{NPM}COPY . .").replace("npm ci", "npm ci && ./anything"),
        // Which file a link leads to may change.
        "COPY link.txt ./\nRUN pip install -r link.txt\nCOPY . .".to_owned(),
        // Too many lines to read.
        "COPY src/a src/b data/one requirements.txt main.go /d/\nRUN cp /d/src/a /x\nCOPY src/a src/b data/one requirements.txt main.go /d/"
            .to_owned(),
    ] {
        assert_eq!(shown(&image("node:22", &lines), bind_mount::find), "none", "{lines}");
    }
    let python = image(
        "python:3.12",
        "COPY requirements.txt .\nRUN pip install -e . -r requirements.txt\nCOPY . .",
    );
    assert_eq!(shown(&python, bind_mount::find), "none");
    let old = format!(
        "# syntax=docker/dockerfile:1.1\n{}",
        image("node:22", &format!("{NPM}COPY . ."))
    );
    assert_eq!(shown(&old, bind_mount::find), "none");
    let text = image("node:22", &format!("{NPM}COPY . ."));
    for builder in [Builder::CLASSIC, Builder::BUILDAH] {
        let options = BuildOptions {
            builder,
            ..BuildOptions::default()
        };
        assert!(found(&text, &options, bind_mount::find).is_empty());
    }
}

#[test]
fn tools_that_write_no_manifest() {
    for (command, reads) in [
        ("npm ci", true),
        ("npm ci --omit=dev", true),
        ("npm install", false),
        ("npm install --no-save", false),
        ("pnpm install --frozen-lockfile", true),
        ("pnpm install", false),
        ("pnpm fetch", true),
        ("npm ci && npm cache clean --force", true),
        ("npm ci && npm run build", false),
    ] {
        let lines = format!(
            "COPY package.json package-lock.json pnpm-lock.yaml ./\nRUN {command}\nCOPY . ."
        );
        let found = shown(&image("node:22", &lines), bind_mount::find);
        assert_eq!(found != "none", reads, "{command}: {found}");
    }
}

#[test]
fn a_folder_is_mounted_where_nothing_is_written() {
    for (lines, expected) in [
        (
            "COPY . .\nRUN go build -o /out .",
            "assumed: RUN +target=. go build -o /out .",
        ),
        (
            "COPY ./ /app/\nRUN go build -o /out .",
            "assumed: RUN +target=. go build -o /out .",
        ),
        (
            "COPY src /data\nRUN cp -r /data /out",
            "assumed: RUN +source=src,target=/data cp -r /data /out",
        ),
        // What was there before comes again with the rest.
        (
            "COPY --chown=7:7 src/a src/\nRUN cp src/a /first\nCOPY . .\nRUN go build -o /out .",
            "assumed: RUN +target=. go build -o /out .",
        ),
        // The program would lie in it.
        ("COPY . .\nRUN go build -o bin/x . && cp bin/x /out", "none"),
        (
            "COPY src /data\nRUN mkdir /data/x && cp -r /data /out",
            "none",
        ),
        (
            "COPY go.mod go.sum ./\nRUN go mod download\nRUN cat go.mod\nCOPY . .\nRUN go build -o /out .",
            "assumed: RUN +target=. go build -o /out .",
        ),
        // go may change them.
        ("COPY . .\nRUN go build -mod=mod -o /out .", "none"),
        // It would hide what lies there.
        (
            "RUN mkdir vendor && touch vendor/x\nCOPY . .\nRUN go build -o /out .",
            "none",
        ),
        ("RUN ./anything\nCOPY . .\nRUN go build -o /out .", "none"),
        // Places of the system.
        ("COPY src /usr\nRUN cp -r /usr/a /out", "none"),
        ("COPY src /\nRUN cp -r /a /out", "none"),
        // Two have a use for it.
        (
            "COPY src /data\nRUN cp -r /data /out\nRUN cp -r /data /more",
            "none",
        ),
    ] {
        assert_eq!(
            shown(&builder("golang:1.24", lines), bind_mount::find),
            expected,
            "{lines}"
        );
    }
    // Somebody takes of it.
    let taken =
        builder("golang:1.24", "COPY . .\nRUN go build -o /out .").replace("/out /\n", "/app /\n");
    assert_eq!(shown(&taken, bind_mount::find), "none");
    let stood_on =
        builder("golang:1.24", "COPY . .\nRUN go build -o /out .").replace("scratch", "build");
    assert_eq!(shown(&stood_on, bind_mount::find), "none");
}

#[test]
fn a_path_of_a_stage_is_mounted() {
    let file = |copy: &str, run: &str| {
        format!(
            "FROM busybox AS first\nRUN mkdir /w && touch /w/recipe\n{}",
            builder("busybox", &format!("{copy}\nRUN {run}"))
        )
    };
    let reads = "cp /app/recipe /out";
    for (copy, run, expected) in [
        (
            "COPY --from=first /w/recipe recipe",
            reads,
            "assumed: RUN +from=first,source=/w/recipe,target=recipe cp /app/recipe /out",
        ),
        // Which name it has there depends on whether it is a folder.
        ("COPY --from=first /w/recipe ./", reads, "none"),
        (
            "COPY --from=first /w/recipe other",
            "cp /app/other /out",
            "none",
        ),
        ("COPY --from=first /w/rec* recipe", reads, "none"),
        (
            "COPY --from=first /w/recipe recipe",
            "mv /app/recipe /out",
            "none",
        ),
    ] {
        assert_eq!(
            shown(&file(copy, run), bind_mount::find),
            expected,
            "{copy} {run}"
        );
    }
}

#[test]
fn a_copy_over_known_folders_is_linked() {
    for (base, lines, expected) in [
        ("scratch", "COPY src/a /a", "assumed: COPY --link src/a /a"),
        ("scratch", "COPY src /", "assumed: COPY --link src /"),
        (
            "scratch",
            "COPY src/a /etc/x/a",
            "assumed: COPY --link src/a /etc/x/a",
        ),
        (
            "busybox",
            "WORKDIR /app\nCOPY src/a ./",
            "assumed: COPY --link src/a ./",
        ),
        (
            "busybox",
            "WORKDIR /app\nCOPY src ./src",
            "assumed: COPY --link src ./src",
        ),
        (
            "busybox",
            "WORKDIR /app\nUSER 7\nCOPY src/a x/",
            "assumed: COPY --link src/a x/",
        ),
        (
            "busybox",
            "RUN mkdir -p /data\nCOPY src /opt/x/",
            "assumed: COPY --link src /opt/x/",
        ),
        ("own", "COPY src /app/", "review: COPY --link src /app/"),
        // Places of the system: with links, and with modes of their own.
        ("busybox", "COPY src/a /usr/local/bin/", "none"),
        ("busybox", "COPY src/a /tmp/a", "none"),
        ("busybox", "COPY src /", "none"),
        ("own", "COPY src/a /etc/a", "none"),
        // The folder has another owner or mode, or may have, or be a link.
        (
            "busybox",
            "USER 7\nWORKDIR /app\nUSER 0\nCOPY src/a ./",
            "none",
        ),
        ("busybox", "RUN mkdir -m 700 /app\nCOPY src/a /app/", "none"),
        (
            "busybox",
            "RUN mkdir /app && chown 7 /app\nCOPY src/a /app/",
            "none",
        ),
        ("busybox", "RUN ln -s /srv /app\nCOPY src/a /app/", "none"),
        ("busybox", "RUN ./anything\nCOPY src/a /app/", "none"),
        // A file would be laid over a folder, in place of going into it.
        ("busybox", "WORKDIR /app\nCOPY src/a /app", "none"),
        ("busybox", "WORKDIR /app/x\nCOPY src/a /app", "none"),
        // It would own the folders too; a mode makes a plain COPY of it.
        ("busybox", "COPY --chown=7:7 src /app/", "none"),
        ("busybox", "COPY --chmod=700 src /app/", "none"),
        ("busybox", "COPY --link src /app/", "none"),
    ] {
        assert_eq!(
            shown(&format!("FROM {base}\n{lines}\n"), link::find),
            expected,
            "{base} {lines}"
        );
    }
}

#[test]
fn folders_of_the_context_have_their_own_modes() {
    let linked = |lines: &str| {
        let text = format!("FROM busybox AS b\nRUN touch /x\nFROM busybox\n{lines}\n");
        let all = found(&text, &BuildOptions::default(), link::find);
        all.iter()
            .map(|(_, _, r)| r.note.line)
            .collect::<Vec<u32>>()
    };
    assert_eq!(linked("COPY src /app/\nCOPY data /app/"), [4, 5]);
    assert_eq!(linked("COPY . /app/\nCOPY --from=b /x /app/new"), [4, 5]);
    // `/app/src` is what the first one brought.
    assert_eq!(linked("COPY . /app/\nCOPY --from=b /x /app/src/"), [4]);
    assert_eq!(
        linked("COPY . /app/\nCOPY --from=b /x /app/src/deep/x"),
        [4]
    );
    // Nobody knows what that is.
    assert_eq!(linked("COPY --from=b /x /app\nCOPY data /app/d/"), [4]);
    assert_eq!(linked("COPY --from=b /x /app/x\nCOPY data /app/d/"), [4, 5]);
    assert_eq!(linked("ADD src /app/\nCOPY data /srv/d/"), [5]);
    let text = "FROM busybox\nCOPY src /app/\n";
    let builder = Builder {
        link: false,
        ..Builder::default()
    };
    let options = BuildOptions {
        builder,
        ..BuildOptions::default()
    };
    assert!(found(text, &options, link::find).is_empty());
    let old = format!("# syntax=docker/dockerfile:1.3\n{text}");
    assert!(found(&old, &BuildOptions::default(), link::find).is_empty());
}
