//! Rewrites on small repositories: what the plan is, and that a real builder makes the same image of it.
//!
//! In: a `docker` with buildx and the image `busybase:latest`; without them the builds are left out and said so (with
//! `CACHEPLAN_REQUIRE_BUILDER=1` they fail). Invariant: every case names the rewrites its plan consists of, so none passes
//! by finding nothing to do.

mod common;
#[path = "common/planned.rs"]
mod planned;

use common::builder;
use planned::*;

/// What a case is about: files, edits, and the rewrites that its best plan has, sorted, each once.
struct Case<'c> {
    files: &'c [(&'c str, &'c str)],
    edits: &'c [&'c str],
    flags: &'c [&'c str],
    rewrites: &'c [&'c str],
}

impl Case<'_> {
    /// The best plan; where there is a builder, both files are built and the images compared.
    fn plan(&self) -> Value {
        let repo = repository(self.files, self.edits);
        let plan = best(&repo.root, self.flags);
        let mut found = names(&plan);
        found.sort_unstable();
        found.dedup();
        let shown = text(&plan, "diff").to_owned();
        assert_eq!(found, self.rewrites, "{shown}");
        if builder::version_or_skip().is_some() {
            builds_the_same_image(&repo.root, self.flags, &shown);
        }
        plan
    }
}

const ONCE: &[&str] = &["src/a", "src/a", "src/b", "src/a", "src/b", "src/a"];

#[test]
fn small_runs_become_one() {
    let file = "FROM busybase AS build\nWORKDIR /app\nCOPY src src\nRUN mkdir out && cp src/a out/a && cp -r src out/tree\n\
                FROM busybase\nWORKDIR /srv\n\
                COPY --from=build /app/out/a ./a\n# for everybody\nRUN chmod 755 ./a\n\
                COPY --from=build /app/out/tree ./tree\nRUN chown -R 7 ./tree && \\\n    chmod -R g=u ./tree\n\
                COPY --from=build /app/src/b ./b\n# b is nobody's\nRUN chmod 600 ./b\n";
    let case = Case {
        files: &[("Dockerfile", file), ("src/a", "a\n"), ("src/b", "b\n")],
        edits: ONCE,
        flags: &["--rewrites", "merge-run"],
        rewrites: &["merge-run"],
    };
    let plan = case.plan();
    let end = "# for everybody\nRUN chmod 755 ./a && \\\n    chown -R 7 ./tree && \\\n    chmod -R g=u ./tree && \\\n    # b is nobody's\n    chmod 600 ./b\n";
    assert!(
        text(&plan, "dockerfile").ends_with(end),
        "{}",
        text(&plan, "dockerfile")
    );
}

/// How many lines of a file with a history become part of others.
fn merges(steps: &str) -> usize {
    let file =
        format!("FROM busybase AS build\nCOPY src /src\nFROM busybase\nWORKDIR /srv\n{steps}");
    let repo = repository(
        &[("Dockerfile", &file), ("src/a", "a\n"), ("src/b", "b\n")],
        ONCE,
    );
    let all = plans(&repo.root, &["--rewrites", "merge-run"]);
    all.iter()
        .flat_map(names)
        .filter(|n| *n == "merge-run")
        .count()
}

#[test]
fn what_stands_between_keeps_runs_apart() {
    let copy = "COPY --from=build /src/b ";
    let two = |first: &str, between: &str| {
        format!("COPY --from=build /src ./s\nRUN {first}\n{between}\nRUN chmod 600 ./s/a\n")
    };
    // So that every other case fails for its own reason alone.
    assert!(merges(&two("chmod 755 ./s/b", &format!("{copy}./x/b"))) > 0);
    // The second file would get the first one's owner.
    assert_eq!(merges(&two("chown -R 7 ./s", &format!("{copy}./s/c"))), 0);
    assert_eq!(merges(&two("chmod 755 ./s/b", "USER 7")), 0);
    // A failure would no longer be one; what is set would be seen by the next.
    assert_eq!(merges(&two("chmod 755 ./s/b || true", "")), 0);
    assert_eq!(merges(&two("chmod 755 ./s/b; true", "")), 0);
    assert_eq!(merges(&two("cd ./s && chmod 755 ./b", "")), 0);
    assert_eq!(merges(&two("umask 077 && mkdir ./t", "")), 0);
    // What one sets, or the next asks about the one before, goes from shell to shell then.
    assert_eq!(merges(&two("mkdir ${D:=./t}", "")), 0);
    let asks = two("chmod 755 ./s/b", "").replace("chmod 600 ./s/a", "touch $_ ./s/a");
    assert_eq!(merges(&asks), 0);
    // A shell that may have no `&&`.
    let other = format!(
        "SHELL [\"/bin/other\", \"-c\"]\n{}",
        two("chmod 755 ./s/b", "")
    );
    assert_eq!(merges(&other), 0);
    // An entry of its own may be worth much.
    assert_eq!(merges(&two("wget -q -O ./s/d http://localhost/d", "")), 0);
    // The folder of the second COPY could be one that the first RUN fails without.
    assert_eq!(merges(&two("rm -rf ./x/y", &format!("{copy}./x/b"))), 0);
}

/// A package manager that takes no time: what it installs says what it saw.
const NPM: &str = "FROM busybase AS node\n\
    RUN printf '#!/bin/sh\\nmkdir -p node_modules && cat package.json >> node_modules/p && echo \"$@\" >> node_modules/p\\n' \
    > /bin/npm && chmod 755 /bin/npm\n";

#[test]
fn a_stage_stands_on_the_part_it_needs() {
    let file = format!(
        "{NPM}FROM node AS deps\nWORKDIR /app\nCOPY package.json package-lock.json ./\nRUN npm ci\nCOPY . .\n\
         FROM deps AS build\nRUN cat src/a src/b > /app/out\n\
         FROM deps AS production\nRUN npm ci --omit=dev\n\
         FROM busybase\nCOPY --from=production /app/node_modules /node_modules\nCOPY --from=build /app/out /out\n"
    );
    let files = [
        ("Dockerfile", file.as_str()),
        ("package.json", "{\"name\":\"a\",\"version\":\"1.0.0\"}"),
        (
            "package-lock.json",
            "{\"name\":\"a\",\"lockfileVersion\":3,\"packages\":{}}",
        ),
        ("src/a", "a\n"),
        ("src/b", "b\n"),
    ];
    let case = Case {
        files: &files,
        edits: ONCE,
        flags: &["--rewrites", "move-to-stage"],
        rewrites: &["move-to-stage"],
    };
    let plan = case.plan();
    let new = "FROM node AS deps-dependencies\nWORKDIR /app\nCOPY package.json package-lock.json ./\nRUN npm ci\n\n\
               FROM deps-dependencies AS deps\nCOPY . .\n";
    let text = text(&plan, "dockerfile");
    assert!(text.contains(new), "{text}");
    assert!(
        text.contains("FROM deps-dependencies AS production\n"),
        "{text}"
    );
    assert!(text.contains("FROM deps AS build\n"), "{text}");
    // A stage keeps all below it where somebody takes of that, where what it reads is not known, or where numbers count.
    for (from, to) in [
        ("/app/node_modules /node_modules", "/app /all"),
        ("RUN npm ci --omit=dev", "RUN npm run anything"),
        ("--from=production", "--from=3"),
        (
            "RUN npm ci --omit=dev",
            "RUN npm ci --omit=dev && cp src/a node_modules/a",
        ),
    ] {
        let other = file.replace(from, to);
        assert_ne!(other, file);
        let changed: Vec<(&str, &str)> = files
            .iter()
            .map(|(p, t)| {
                (
                    *p,
                    if *p == "Dockerfile" {
                        other.as_str()
                    } else {
                        *t
                    },
                )
            })
            .collect();
        let repo = repository(&changed, ONCE);
        let all = plans(&repo.root, &["--rewrites", "move-to-stage"]);
        assert!(all.iter().all(|p| names(p).is_empty()), "{to}");
    }
}

#[test]
fn what_nobody_reads_is_not_copied() {
    let file = format!(
        "{NPM}FROM node AS modules\nWORKDIR /app\nCOPY . .\nRUN npm ci\n\
         FROM busybase\nCOPY --from=modules /app/node_modules /node_modules\nCOPY src /src\n"
    );
    let files = [
        ("Dockerfile", file.as_str()),
        ("package.json", "{\"name\":\"a\",\"version\":\"1.0.0\"}"),
        (
            "package-lock.json",
            "{\"name\":\"a\",\"lockfileVersion\":3,\"packages\":{}}",
        ),
        ("src/a", "a\n"),
        ("src/b", "b\n"),
    ];
    let flags = ["--rewrites", "split-copy,reorder,narrow-copy"];
    let case = Case {
        files: &files,
        edits: ONCE,
        flags: &flags,
        rewrites: &["narrow-copy", "split-copy"],
    };
    let plan = case.plan();
    let new = "WORKDIR /app\nCOPY package-lock.json package.json ./\nRUN npm ci\nFROM busybase\n";
    assert!(
        text(&plan, "dockerfile").contains(new),
        "{}",
        text(&plan, "dockerfile")
    );
    let other = file.replace("/app/node_modules /node_modules", "/app /app");
    let mut changed = files;
    changed[0].1 = &other;
    let repo = repository(&changed, ONCE);
    let all = plans(&repo.root, &flags);
    assert!(all.iter().all(|p| !names(p).contains(&"narrow-copy")));
}
