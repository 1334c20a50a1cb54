//! RUNs of plain commands behind a COPY: which plans there are none of. Every case was built: moved, its RUN left another image,
//! or did not run.
//!
//! Invariant: each differs in one thing from a case for which there is a plan, the first test's.

#[path = "common/planned.rs"]
mod planned;

use planned::*;

const EDITS: &[&str] = &["src/a", "src/b", "src/run.sh", "src/a", "src/b", "src/a"];

/// The rewrites of the best plan for a file.
fn rewrites(steps: &str) -> Vec<String> {
    let file = format!("FROM busybase\n{steps}\n");
    let repo = Repo::new();
    for (path, text) in [
        ("Dockerfile", file.as_str()),
        ("src/a", "a\n"),
        ("src/b", "b\n"),
        ("src/run.sh", "#!/bin/sh\n"),
        ("src/deep/k", "k\n"),
        ("src/po/de/m.po", "m\n"),
        ("src/mo/de/m.po", "m\n"),
        ("src/mo/de/m.mo", "m\n"),
    ] {
        repo.write(path, text);
    }
    repo.link("li/f", "/app/a");
    repo.commit("first");
    for (n, edit) in EDITS.iter().enumerate() {
        repo.write(edit, &format!("{n}\n"));
        repo.commit(edit);
    }
    let allowed = ["--rewrites", "merge-run,reorder,split-copy,split-run"];
    let plan = best(&repo.root, &allowed);
    names(&plan).into_iter().map(str::to_owned).collect()
}

#[test]
fn what_a_run_does_not_see_of_a_copy_it_passes() {
    for (steps, found) in [
        ("WORKDIR /app\nCOPY src .\nRUN mkdir new", "reorder"),
        (
            "WORKDIR /app\nCOPY src .\nRUN cat deep/k > /etc/k",
            "split-copy",
        ),
        (
            "WORKDIR /app\nCOPY src .\nRUN cat /etc/passwd > /seen",
            "reorder",
        ),
        (
            "WORKDIR /app\nCOPY src/deep/k deep/\nCOPY src .\nRUN cat deep/k > /seen",
            "reorder",
        ),
        (
            "WORKDIR /app\nCOPY src .\nRUN pybabel compile -d po",
            "split-copy",
        ),
        (
            "WORKDIR /app\nCOPY src .\nRUN chmod 700 /srv && mkdir x",
            "reorder",
        ),
        (
            "WORKDIR /w\nCOPY src .\nUSER 5\nCOPY src/a /q/\nRUN touch /tmp/x",
            "reorder",
        ),
    ] {
        let mut all = rewrites(steps);
        all.sort();
        all.dedup();
        assert_eq!(all.join(","), found, "{steps}");
    }
}

#[test]
fn what_a_run_sees_beside_bytes_keeps_it_in_place() {
    for steps in [
        // Another owner or mode.
        "COPY --chown=1 src/a /d/\nCOPY src /d\nRUN stat -c %u /d/a > /seen",
        "WORKDIR /app\nCOPY --chmod=755 src/run.sh ./\nCOPY src .\nRUN test -x run.sh && echo y > /seen || echo n > /seen",
        "WORKDIR /app\nCOPY --chmod=600 src/deep/k deep/\nCOPY src .\nUSER 5\nRUN cat deep/k > /tmp/q",
        // Folders of the tree get its owner and mode.
        "WORKDIR /app\nCOPY src/deep ./deep\nCOPY src .\nRUN chown 7 deep",
        "WORKDIR /app\nCOPY src/deep ./deep\nRUN chmod 711 deep && chown 7:8 deep deep/k\nCOPY src .\nRUN cp -a deep /z",
        "WORKDIR /app/deep\nUSER 5\nCOPY --chown=5:5 src /app\nRUN touch x",
        "USER 5\nWORKDIR /app/deep\nUSER 0\nCOPY src /app\nRUN stat -c %u . > /q",
        // A folder that it brings would be a file by then.
        "WORKDIR /w\nCOPY src /w/\nRUN touch deep && touch /q",
        // Through a link that another COPY brought, or a RUN made.
        "WORKDIR /app\nCOPY li /z/\nCOPY src .\nRUN cat /z/f > /seen",
        "WORKDIR /app\nCOPY li /z/\nCOPY src .\nRUN echo hello >> /z/f",
        "RUN mkdir /app && ln -s /app /l\nCOPY src/deep /app/deep\nRUN echo x > /l/deep/k\nCOPY src /app\nRUN cat /app/deep/k > /seen",
        // What one command leaves alone another takes away.
        "WORKDIR /app\nCOPY src .\nRUN pybabel compile -d po && rm po/de/m.po",
        "WORKDIR /app\nCOPY src .\nRUN sed -i s/x/y/ po/de/m.po && pybabel compile -d po",
        // It writes over a file that the COPY brings.
        "WORKDIR /app\nCOPY src .\nRUN pybabel compile -d mo",
        "WORKDIR /app\nCOPY src/mo mo\nCOPY src .\nRUN pybabel compile -d mo",
        // A shell of its own starts in the folder that is there then.
        "WORKDIR /w\nCOPY src .\nRUN rm -rf /w && mkdir /w\nRUN mkdir x",
    ] {
        let all = rewrites(steps);
        assert!(all.is_empty(), "{steps}: {all:?}");
    }
}
