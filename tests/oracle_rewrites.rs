//! Plans of single rewrites, built beside the original by a real builder.
//!
//! In: a `docker` with buildx and the image `busybase:latest`; without them the live tests say so and pass (with
//! `CACHEPLAN_REQUIRE_BUILDER=1` they fail). Tools that fetch are scripts that stand in for them, so that nothing needs a network.
//! Invariant: a case counts only where the plan holds the rewrite it is about.

mod common;
#[path = "common/git.rs"]
mod git;

use common::builder;
use git::Repo;
use serde_json::Value;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

/// A small repository whose newest commits edit one file.
struct Case {
    rewrite: &'static str,
    dockerfile: &'static str,
    files: &'static [(&'static str, &'static str)],
    edited: &'static str,
    flags: &'static [&'static str],
}

/// Says what it was given, and leaves a file as an install would.
const PIP: (&str, &str) = (
    "tools/pip",
    "#!/bin/sh\nset -e\nmkdir -p /usr/local/lib/py\ncat requirements.txt > /usr/local/lib/py/installed\n\
     echo '#!/bin/sh' > /usr/local/lib/py/own.sh\n",
);

fn repository(case: &Case) -> Repo {
    let repo = Repo::new();
    repo.write("Dockerfile", case.dockerfile);
    for (path, text) in case.files {
        repo.write(path, text);
        if text.starts_with("#!") {
            let mode = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(repo.root.join(path), mode).expect("a file");
        }
    }
    for n in 0..8 {
        repo.write(case.edited, &format!("{n}\n"));
        repo.commit("edit");
    }
    repo
}

/// The verified plan of a case.
fn built(case: &Case) -> Value {
    let repo = repository(case);
    let output = Command::new(env!("CARGO_BIN_EXE_cacheplan"))
        .args([
            "verify",
            "--plan",
            "--format",
            "json",
            "--dot-git",
            "absent",
        ])
        .args(case.flags)
        .args([".", "--", "--network=none"])
        .current_dir(&repo.root)
        .output()
        .expect("runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    let document: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {errors}"));
    let plan = document["plan"].clone();
    assert_eq!(output.status.code(), Some(0), "{plan:#}{errors}");
    plan
}

fn holds(case: &Case) {
    let plan = built(case);
    let edits = plan["edits"].as_array().expect("edits");
    let is_it = |e: &Value| e["rewrite"] == case.rewrite;
    assert!(edits.iter().any(is_it), "{}: {plan:#}", case.dockerfile);
    assert_eq!(plan["equal"], true, "{}: {plan:#}", case.dockerfile);
    assert!(plan["paths"].as_u64() > Some(50), "{plan:#}");
}

#[test]
fn a_run_in_two_halves_builds_the_same_image() {
    if builder::version_or_skip().is_none() {
        return;
    }
    holds(&Case {
        rewrite: "split-run",
        dockerfile: "FROM busybase AS tools\nCOPY tools/pip /usr/bin/\nFROM tools\nWORKDIR /app\nCOPY . .\nCOPY start.sh /\n\
                     RUN pip install -r requirements.txt && \\\n    # for everybody\n    chmod 775 /*.sh\n",
        files: &[
            PIP,
            ("requirements.txt", "flask==3\n"),
            ("start.sh", "#!/bin/sh\n"),
        ],
        edited: "src/a.py",
        flags: &[],
    });
}

#[test]
fn variables_that_sink_leave_the_image_as_it_was() {
    if builder::version_or_skip().is_none() {
        return;
    }
    for dockerfile in [
        // Nothing wants it but the image's configuration.
        "FROM busybase\nARG COMMIT=abc\nENV GIT_SHA=$COMMIT\nLABEL rev=$COMMIT\nENV MODE=x\n\
         RUN mkdir /x && echo $MODE > /x/y\nCOPY src /src\nCMD [\"sh\"]\n",
        // The last step does.
        "FROM busybase\nARG COMMIT=abc\nENV GIT_SHA=$COMMIT\nUSER root\nENV MODE=x\n\
         RUN mkdir /x && echo $MODE > /x/y\nCOPY src /src\nRUN mkdir /c && echo $COMMIT $GIT_SHA $MODE > /c/d\n",
    ] {
        holds(&Case {
            rewrite: "sink",
            dockerfile,
            files: &[],
            edited: "src/a",
            flags: &["--volatile-arg", "COMMIT", "--rewrites", "reorder,sink"],
        });
    }
}

/// Says which manifests it was given, and leaves a file for each.
const NPM: (&str, &str) = (
    "tools/npm",
    "#!/bin/sh\nset -e\nmkdir -p node_modules\nfor f in package.json crates/*/package.json; do\n\
     echo $f >> node_modules/installed; cat $f >> node_modules/installed; done\n",
);

#[test]
fn manifests_by_way_of_a_stage_build_the_same_image() {
    if builder::version_or_skip().is_none() {
        return;
    }
    let mut files = vec![
        NPM,
        (
            "package.json",
            "{\"name\":\"x\",\"workspaces\":[\"crates/*\"]}\n",
        ),
        ("package-lock.json", "{\"lockfileVersion\":3}\n"),
        ("docs/deep/er/readme.md", "x\n"),
    ];
    for n in 0..30 {
        let manifest = format!("crates/c{n:02}/package.json");
        let source = format!("crates/c{n:02}/src/index.js");
        files.push((
            manifest.leak(),
            format!("{{\"name\":\"c{n:02}\"}}\n").leak(),
        ));
        files.push((source.leak(), "a\n"));
    }
    // In the image itself, for another owner; and in a stage below it.
    for dockerfile in [
        "FROM busybase AS tools\nCOPY tools/npm /usr/bin/\nFROM tools\nWORKDIR /app\nCOPY --chown=7:8 . .\nRUN npm ci\n",
        "FROM busybase AS tools\nCOPY tools/npm /usr/bin/\nFROM tools AS build\nCOPY . /srv/app\nRUN cd /srv/app && npm ci\n\
         FROM busybase\nCOPY --from=build /srv/app /app\n",
    ] {
        holds(&Case {
            rewrite: "projection",
            dockerfile,
            files: files.clone().leak(),
            edited: "crates/c03/src/index.js",
            flags: &["--rewrites", "reorder,split-copy,projection"],
        });
    }
}

#[test]
fn an_install_in_a_stage_of_its_own_builds_the_same_image() {
    if builder::version_or_skip().is_none() {
        return;
    }
    let dockerfile = "FROM busybase AS tools\nCOPY tools/* /usr/bin/\nFROM tools AS build\nRUN mkdir -p /srv && chmod 711 /srv\nWORKDIR /srv/app\n\
                      COPY requirements.txt ./\nRUN pip install -r requirements.txt\nCOPY package.json package-lock.json ./\nRUN npm ci\n\
                      COPY src src\nFROM busybase\nCOPY --from=build /srv /srv\nCOPY --from=build /usr/local/lib/py /py\n";
    const LONE: (&str, &str) = (
        "tools/npm",
        "#!/bin/sh\nset -e\nmkdir -p node_modules/x/.bin\ncat package.json > node_modules/x/y\nln -s ../y node_modules/x/.bin/z\n\
         chmod 640 node_modules/x/y\nchown -R 3:4 node_modules/x\n",
    );
    holds(&Case {
        rewrite: "move-to-stage",
        dockerfile,
        files: &[
            PIP,
            LONE,
            ("package.json", "{\"dependencies\":{\"x\":\"1\"}}\n"),
            ("package-lock.json", "{\"lockfileVersion\":3}\n"),
            ("src/a.js", "a\n"),
        ],
        edited: "requirements.txt",
        flags: &["--rewrites", "move-to-stage"],
    });
}

/// Says which files there are and what its manifests say, as an install that links to a folder does.
const LINKING_PIP: (&str, &str) = (
    "tools/pip",
    "#!/bin/sh\nset -e\nmkdir -p /usr/local/lib/py top.egg-info\nfind . -path ./top.egg-info -prune -o -print | sort > top.egg-info/SOURCES.txt\n\
     find . -path ./top.egg-info -prune -o -exec stat -c '%n %u:%g %a %F' {} + | sed 's/empty //' | sort > /usr/local/lib/py/installed\n\
     cat pyproject.toml LICENSE top/__init__.py > /usr/local/lib/py/METADATA\n",
);

#[test]
fn files_that_count_by_their_names_build_the_same_image_when_they_come_emptied() {
    if builder::version_or_skip().is_none() {
        return;
    }
    let manifest = "[build-system]\nrequires = [\"setuptools>=64\"]\nbuild-backend = \"setuptools.build_meta\"\n\
                    [project]\nname = \"top\"\ndynamic = [\"version\"]\n\
                    [tool.setuptools.dynamic]\nversion = {attr = \"top.__version__\"}\n";
    let files = vec![
        LINKING_PIP,
        ("pyproject.toml", manifest),
        ("LICENSE", "Take it.\n"),
        ("top/__init__.py", "\"\"\"Top.\"\"\"\n__version__ = \"1\"\n"),
        ("top/main.py", "x\n"),
        ("top/data/names.json", "[]\n"),
        ("top/run.sh", "#!/bin/sh\n"),
    ];
    let tools = "FROM busybase AS tools\nCOPY tools/pip /usr/bin/\n";
    for steps in [
        // Alone, and before what needs the sources; for another owner; by several lines; below what is copied; not at its top.
        "FROM tools\nWORKDIR /app\nCOPY . .\nRUN pip install -e .\n",
        "FROM tools\nWORKDIR /app\nCOPY . .\nRUN pip install -e . && cat top/main.py > /out\n",
        "FROM tools\nWORKDIR /app\nCOPY --chown=7:8 . /app/\nRUN pip install --no-build-isolation -e .[dev]\nRUN cat top/main.py > /out\n",
        "FROM tools\nWORKDIR /app\nCOPY pyproject.toml LICENSE ./\nCOPY top ./top\nCOPY docs docs/\nRUN pip install -e .\n",
        "FROM tools AS build\nCOPY . /srv/app\nRUN cd /srv/app && pip install -e .\nFROM busybase\nCOPY --from=build /srv /srv\n\
         COPY --from=build /usr/local/lib/py /py\n",
    ] {
        let mut files = files.clone();
        files.push(("docs/about.md", "x\n"));
        holds(&Case {
            rewrite: "projection",
            dockerfile: format!("{tools}{steps}").leak(),
            files: files.leak(),
            edited: "top/main.py",
            flags: &["--rewrites", "reorder,split-copy,split-run,projection"],
        });
    }
}

#[test]
fn what_is_written_over_the_files_of_a_copy_is_copied_over_them() {
    if builder::version_or_skip().is_none() {
        return;
    }
    const PYBABEL: (&str, &str) = (
        "tools/pybabel",
        "#!/bin/sh\nset -e\nfor f in $3/*/*.po; do { id -u; cat $f; } > ${f%.po}.mo; done\n",
    );
    let tools = "FROM busybase AS tools\nCOPY tools/pybabel /usr/bin/\n";
    for steps in [
        "FROM tools\nWORKDIR /app\nCOPY src .\nRUN pybabel compile -d po\nCMD [\"a\"]\n",
        "FROM tools AS last\nENV A=b\nCMD [\"a\"]\nCOPY --chown=5:6 --chmod=775 src /app/\nLABEL a=b\nWORKDIR /app\nUSER 5\n\
         RUN pybabel compile -d /app/po\nCOPY docs /docs/\n",
        "FROM tools AS build\nWORKDIR /q\nENTRYPOINT [\"x\"]\nCOPY src /app\nRUN pybabel compile -d /app/po\nFROM busybase\nCOPY --from=build /app /app\n",
    ] {
        holds(&Case {
            rewrite: "move-to-stage",
            dockerfile: format!("{tools}{steps}").leak(),
            files: &[
                PYBABEL,
                ("src/po/de/m.po", "de\n"),
                ("src/po/de/m.mo", "old\n"),
                ("src/po/fr/m.po", "fr\n"),
                ("src/a.py", "a\n"),
                ("docs/about.md", "x\n"),
            ],
            edited: "src/a.py",
            flags: &["--rewrites", "reorder,move-to-stage"],
        });
    }
}
