//! Installs that get a stage of their own, as a user meets them.

#[path = "common/planned.rs"]
mod planned;

use planned::*;

const ONLY: [&str; 2] = ["--rewrites", "reorder,move-to-stage"];

/// Both manifests change, each by itself.
const EDITS: [&str; 10] = [
    "requirements.txt",
    "package.json",
    "requirements.txt",
    "package.json",
    "requirements.txt",
    "package.json",
    "requirements.txt",
    "src/a.js",
    "package.json",
    "requirements.txt",
];

fn repository_with(dockerfile: &str) -> Repo {
    let lock = "{\"name\":\"app\",\"lockfileVersion\":3,\"packages\":{\"\":{}}}\n";
    let files = [
        ("Dockerfile", dockerfile),
        ("package.json", "{\"dependencies\":{\"left-pad\":\"1\"}}\n"),
        ("package-lock.json", lock),
        ("requirements.txt", "flask==3\n"),
        ("src/a.js", "a\n"),
    ];
    let repo = Repo::new();
    for (path, text) in files {
        repo.write(path, text);
    }
    repo.commit("first");
    for (n, edit) in EDITS.iter().enumerate() {
        let text = match *edit {
            "package.json" => format!("{{\"dependencies\":{{\"left-pad\":\"1.{n}\"}}}}\n"),
            "requirements.txt" => format!("flask==3.{n}\n"),
            _ => format!("{n}\n"),
        };
        repo.write(edit, &text);
        repo.commit(edit);
    }
    repo
}

const BOTH: &str = "FROM nikolaik/python-nodejs AS build\nWORKDIR /app\nCOPY requirements.txt ./\nRUN pip install -r requirements.txt\n\
                    # packages\nCOPY package.json package-lock.json ./\nRUN npm ci\nCOPY . .\nRUN make\n\
                    FROM debian:13\nCOPY --from=build /app/out /out\n";

#[test]
fn two_installs_no_longer_wait_for_each_other() {
    let plan = best(&repository_with(BOTH).root, &ONLY);
    assert!(names(&plan).contains(&"move-to-stage"), "{plan}");
    let expected = "FROM nikolaik/python-nodejs AS build-packages\nWORKDIR /app\n# packages\nCOPY package.json package-lock.json ./\n\
                    RUN npm ci\n\n\
                    FROM nikolaik/python-nodejs AS build\nWORKDIR /app\nCOPY requirements.txt ./\nRUN pip install -r requirements.txt\n\
                    # packages\nCOPY package.json package-lock.json ./\n\
                    COPY --from=build-packages /app/node_modules /app/node_modules\nCOPY . .\nRUN make\n";
    let text = text(&plan, "dockerfile");
    assert!(text.starts_with(expected), "{text}");
    assert!(plan["saving"].as_f64() > Some(0.05), "{plan}");
}

#[test]
fn what_both_need_stays_below_both() {
    let dockerfile = BOTH.replace(
        "WORKDIR /app\nCOPY req",
        "RUN apt-get update && apt-get install -y gcc\nWORKDIR /app\nCOPY req",
    );
    let plan = best(&repository_with(&dockerfile).root, &ONLY);
    let text = text(&plan, "dockerfile");
    let expected =
        "FROM nikolaik/python-nodejs AS build-base\nRUN apt-get update && apt-get install -y gcc\n";
    assert!(text.starts_with(expected), "{text}");
    let split = "FROM build-base AS build-packages\n";
    assert!(
        text.contains(split) && text.contains("\nFROM build-base AS build\n"),
        "{text}"
    );
}

#[test]
fn a_folder_that_may_not_be_there_is_not_copied() {
    let repo = repository_with(BOTH);
    for (manifest, install, is_sure) in [
        ("{\"devDependencies\":{\"x\":\"1\"}}\n", "npm ci", true),
        (
            "{\"devDependencies\":{\"x\":\"1\"}}\n",
            "npm ci --omit=dev",
            false,
        ),
        ("{\"dependencies\":{}}\n", "npm ci", false),
    ] {
        repo.write("package.json", manifest);
        repo.write("Dockerfile", &BOTH.replace("npm ci", install));
        repo.commit("another manifest");
        let plan = best(&repo.root, &ONLY);
        assert_eq!(
            names(&plan).contains(&"move-to-stage"),
            is_sure,
            "{manifest} {install}"
        );
    }
}

#[test]
fn an_install_stays_where_it_would_be_missed() {
    for (from, to) in [
        // It is part of the image.
        ("FROM debian:13\nCOPY --from=build /app/out /out\n", ""),
        // The tool's own folder is.
        ("/app/out /out", "/root /out"),
        // There is nothing else that is heavy.
        ("RUN pip install -r requirements.txt\n", ""),
        // It does something else as well.
        ("RUN npm ci", "RUN npm ci && cp package.json /x"),
        ("RUN npm ci", "RUN npm ci > /srv/npm.log"),
        // A stage has a number.
        ("--from=build", "--from=0"),
        // What it leaves is its user's, and what is copied is root's.
        ("WORKDIR /app\nCOPY req", "USER pn\nWORKDIR /app\nCOPY req"),
        // Whoever stands on the ground runs this.
        (
            "WORKDIR /app\nCOPY req",
            "ONBUILD RUN make clean\nRUN apt-get update && apt-get install -y gcc\nWORKDIR /app\nCOPY req",
        ),
        // A build argument that it may look at ends with its stage.
        (
            "WORKDIR /app\nCOPY req",
            "ARG NPM_CONFIG_LOGLEVEL\nRUN make tools\nWORKDIR /app\nCOPY req",
        ),
    ] {
        let dockerfile = BOTH.replace(from, to);
        assert_ne!(dockerfile, BOTH);
        for plan in plans(&repository_with(&dockerfile).root, &ONLY) {
            assert!(
                !names(&plan).contains(&"move-to-stage"),
                "{dockerfile}\n{plan}"
            );
        }
    }
}

#[test]
fn a_new_stage_has_no_name_of_an_image() {
    for (from, to) in [
        ("FROM debian:13", "FROM build-packages"),
        (
            "FROM debian:13",
            "FROM debian:13\nCOPY --from=build-packages /x /x",
        ),
        (
            "FROM debian:13",
            "FROM debian:13\nRUN --mount=type=bind,from=build-packages,target=/x ls /x",
        ),
        (
            "FROM nikolaik",
            "ARG NAME=build-packages\nFROM $NAME AS other\nFROM nikolaik",
        ),
    ] {
        let dockerfile = BOTH.replace(from, to);
        assert_ne!(dockerfile, BOTH);
        let plan = best(&repository_with(&dockerfile).root, &ONLY);
        let text = text(&plan, "dockerfile");
        assert!(text.contains(" AS build-packages-2\n"), "{text}");
    }
}

/// Catalogues that are compiled behind all sources, with compiled ones in the repository.
const CATALOGUES: &str = "FROM python:3.12\nRUN pip install babel\nENV A=b\nCMD [\"a\"]\n# the app\nCOPY src /app\n\
                          # catalogues\nRUN pybabel compile -d /app/po\nWORKDIR /app\n";

fn catalogues(dockerfile: &str) -> Value {
    let files = [
        ("Dockerfile", dockerfile),
        ("src/po/de/m.po", "m\n"),
        ("src/po/de/m.mo", "m\n"),
        ("src/a.py", "a\n"),
    ];
    let repo = repository(&files, &["src/a.py"; 6]);
    best(&repo.root, &ONLY)
}

#[test]
fn what_is_written_over_files_of_the_project_is_made_in_a_stage_of_its_own() {
    let plan = catalogues(CATALOGUES);
    let expected = "FROM python:3.12 AS final-base\nRUN pip install babel\nENV A=b\nCMD [\"a\"]\n\n\
                    FROM final-base AS final-po\nCOPY src/po /app/po/\n# catalogues\nRUN pybabel compile -d /app/po\n\n\
                    FROM final-base\n# the app\nCOPY src /app\nCOPY --from=final-po /app/po /app/po\nWORKDIR /app\n";
    assert_eq!(text(&plan, "dockerfile"), expected, "{plan}");
}

#[test]
fn it_stays_where_a_stage_of_its_own_would_change_something() {
    for (from, to) in [
        // An ENTRYPOINT takes away the CMD of the image below.
        ("WORKDIR /app\n", "ENTRYPOINT [\"e\"]\n"),
        // Build arguments end with their stage.
        ("ENV A=b", "ARG A=b"),
        // A trigger would run in both.
        ("ENV A=b", "ONBUILD RUN x"),
        // There is nothing below.
        ("RUN pip install babel\nENV A=b\nCMD [\"a\"]\n", ""),
        // It does something else as well, or sees something else.
        ("-d /app/po", "-d /app/po && rm /app/a.py"),
        ("-d /app/po", "-d /app/po > /build.log 2>&1"),
        ("RUN pybabel", "RUN > /marker; pybabel"),
        ("RUN pybabel", "RUN --mount=type=bind,target=/c pybabel"),
        // The COPY brings nothing else.
        ("COPY src /app", "COPY src/po /app/po"),
        ("-d /app/po", "-d /other/po"),
    ] {
        let dockerfile = CATALOGUES.replace(from, to);
        assert_ne!(dockerfile, CATALOGUES);
        let plan = catalogues(&dockerfile);
        assert!(
            !names(&plan).contains(&"move-to-stage"),
            "{dockerfile}\n{plan}"
        );
    }
}
