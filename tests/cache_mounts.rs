//! Cache mounts as a user meets them: when they are worth a plan, and what it says.

#[path = "common/planned.rs"]
mod planned;

use planned::{Repo, Value, best, names, target};

/// A repository of a Dockerfile and a project whose sources change six times.
fn repository(dockerfile: &str) -> Repo {
    let repo = Repo::new();
    for (path, text) in [
        ("Dockerfile", dockerfile),
        ("package.json", "{}\n"),
        ("package-lock.json", "{\"lockfileVersion\": 3}\n"),
        ("requirements.txt", "flask==3\n"),
        ("go.mod", "module e.org/x\n"),
        ("go.sum", ""),
        ("main.go", "package main\n\nfunc main() {}\n"),
        ("costs-cold.json", COLD),
        ("costs-warm.json", WARM),
        ("costs-text.json", TEXT),
    ] {
        repo.write(path, text);
    }
    repo.commit("first");
    for n in 0..6 {
        repo.write(
            "main.go",
            &format!("package main\n\nfunc main() {{}}\n// {n}\n"),
        );
        repo.commit("edit");
    }
    repo
}

// A COPY is half a second in all of them.
const COLD: &str = r#"{"schema":"cacheplan.costs/1","steps":[
  {"match":{"class":"install"},"seconds":{"cold":[45,45]}},{"match":{"class":"build"},"seconds":{"cold":[90,90]}},
  {"match":{"class":"copy"},"seconds":{"cold":[0.5,0.5]}}]}"#;
const WARM: &str = r#"{"schema":"cacheplan.costs/1","steps":[
  {"match":{"class":"install"},"seconds":{"cold":[40,40],"warm":[10,10]}},
  {"match":{"class":"build"},"seconds":{"cold":[90,90],"warm":[50,50]}},
  {"match":{"class":"copy"},"seconds":{"cold":[0.5,0.5]}}]}"#;
const TEXT: &str = r#"{"schema":"cacheplan.costs/1","steps":[
  {"match":{"class":"install"},"seconds":{"cold":[40,40]}},
  {"match":{"keyword":"RUN","text":"npm ci"},"seconds":{"cold":[40,40],"warm":[4,4]}},
  {"match":{"class":"copy"},"seconds":{"cold":[0.5,0.5]}}]}"#;

const NODE: &str = "FROM node:22 AS build\nWORKDIR /app\nCOPY . .\nRUN npm ci\nFROM node:22\nCOPY --from=build /app/out /out\n";
const GO: &str = "FROM golang:1.24 AS build\nWORKDIR /app\nCOPY . .\nRUN go build -o /x .\nFROM scratch\nCOPY --from=build /x /x\n";

const ALONE: [&str; 2] = ["--rewrites", "cache-mount"];

fn work(value: &Value) -> f64 {
    value["baseline"]["work_s_per_build"]
        .as_f64()
        .expect("a number")
}

#[test]
fn a_mount_is_advised_where_a_figure_speaks_for_it() {
    let repo = repository(NODE);
    let dir = &repo.root;
    let with = |costs: &'static str| [&ALONE[..], &["--costs", costs]].concat();
    // COPY, npm, COPY --from: 0.5 + 40 + 0.5 becomes 0.5 + 10 + 0.5.
    let plan = best(dir, &with("costs-warm.json"));
    assert_eq!(names(&plan), ["cache-mount"]);
    assert!(
        plan["dockerfile"]
            .as_str()
            .expect("text")
            .contains("RUN --mount=type=cache,target=/root/.npm npm ci\n")
    );
    let saving = plan["saving"].as_f64().expect("a number");
    assert!((saving - 30.0 / 41.0).abs() < 1e-6, "{saving}");
    assert!(
        !plan.to_string().contains("seen on other projects"),
        "{plan}"
    );
    // The same by the priors, which it says.
    let plan = best(dir, &ALONE);
    assert_eq!(names(&plan), ["cache-mount"]);
    assert!(
        plan["assumptions"]
            .to_string()
            .contains("seen on other projects"),
        "{plan}"
    );
    // A figure of this very step.
    let plan = best(dir, &with("costs-text.json"));
    let saving = plan["saving"].as_f64().expect("a number");
    assert!((saving - 36.0 / 41.0).abs() < 1e-6, "{saving}");
    // No figure, no advice; nor where no builder lives on.
    assert!(names(&best(dir, &with("costs-cold.json"))).is_empty());
    for policy in ["registry-max", "gha", "none"] {
        let plan = best(
            dir,
            &[&with("costs-warm.json")[..], &["--cache-policy", policy]].concat(),
        );
        assert!(names(&plan).is_empty(), "{policy}: {plan}");
    }
    let plan = best(
        dir,
        &[
            &with("costs-warm.json")[..],
            &["--cache-policy", "previous"],
        ]
        .concat(),
    );
    assert_eq!(names(&plan), ["cache-mount"]);
    // Other rewrites alone leave it out.
    assert!(!names(&best(dir, &["--rewrites", "reorder"])).contains(&"cache-mount"));
}

#[test]
fn a_mount_counts_for_the_class_whose_cache_it_holds() {
    for (dockerfile, seconds) in [
        (
            "FROM node:22\nCOPY . .\nRUN npm ci && npm run build\n",
            130.0,
        ),
        (
            "FROM node:22\nCOPY . .\nRUN --mount=type=cache,target=/root/.npm npm ci && npm run build\n",
            100.0,
        ),
        (
            "FROM node:22\nCOPY . .\nRUN --mount=type=cache,target=/root npm ci && npm run build\n",
            100.0,
        ),
        (
            "FROM node:22\nCOPY . .\nRUN --mount=type=cache,target=/var/cache/apt npm ci && npm run build\n",
            130.0,
        ),
        (
            "FROM node:22\nUSER node\nCOPY . .\nRUN --mount=type=cache,target=/root/.npm npm ci\n",
            40.0,
        ),
        (
            "FROM python:3\nCOPY . .\nRUN --mount=type=cache,target=/root/.cache pip install -r requirements.txt\n",
            10.0,
        ),
        (
            "FROM python:3\nCOPY . .\nRUN --mount=type=cache,target=/root/.cache pip install --no-cache-dir -r requirements.txt\n",
            40.0,
        ),
        (
            "FROM golang:1\nWORKDIR /a\nCOPY . .\nRUN --mount=type=cache,target=/go/pkg/mod go build .\n",
            100.0,
        ),
        (
            "FROM golang:1\nWORKDIR /a\nCOPY . .\nRUN --mount=type=cache,target=/root/.cache/go-build go build .\n",
            90.0,
        ),
        (
            "FROM golang:1\nWORKDIR /a\nCOPY . .\nRUN --mount=type=cache,target=/go/pkg/mod \
             --mount=type=cache,target=/root/.cache/go-build go build .\n",
            60.0,
        ),
        (
            "FROM rust:1\nWORKDIR /a\nCOPY . .\nRUN --mount=type=cache,target=/a/target cargo build\n",
            90.0,
        ),
        (
            "FROM node:22\nWORKDIR /a\nCOPY . .\nRUN --mount=type=cache,target=/a/node_modules/.cache npm run build\n",
            50.0,
        ),
    ] {
        let repo = repository(dockerfile);
        let found = target(
            &repo.root,
            &["--costs", "costs-warm.json", "--rewrites", "reorder"],
        );
        // Beside the RUN there is one COPY.
        assert!(
            (work(&found) - 0.5 - seconds).abs() < 1e-6,
            "{dockerfile}{}",
            work(&found)
        );
    }
}

#[test]
fn a_download_and_a_mount_of_one_tool_exclude_each_other() {
    let repo = repository(GO);
    let both = ["--rewrites", "prefetch,cache-mount"];
    for (costs, expected) in [
        ("costs-warm.json", "cache-mount"),
        ("costs-cold.json", "prefetch"),
    ] {
        for plan in target(&repo.root, &[&both[..], &["--costs", costs]].concat())["plans"]
            .as_array()
            .expect("plans")
        {
            let all = names(plan);
            assert!(
                !(all.contains(&"prefetch") && all.contains(&"cache-mount")),
                "{plan}"
            );
        }
        let plan = best(&repo.root, &[&both[..], &["--costs", costs]].concat());
        assert_eq!(names(&plan), [expected], "{costs}");
    }
}

#[test]
fn what_the_image_loses_is_for_a_person() {
    let repo = repository("FROM node:22\nWORKDIR /app\nCOPY . .\nRUN npm ci\n");
    assert!(names(&best(&repo.root, &ALONE)).is_empty());
    let plan = best(&repo.root, &[&ALONE[..], &["--safety", "review"]].concat());
    assert_eq!(
        (names(&plan), plan["safety"].as_str()),
        (vec!["cache-mount"], Some("review"))
    );
    assert!(
        plan["edits"]
            .to_string()
            .contains("the image no longer holds /root/.npm"),
        "{plan}"
    );
    // Done, there is nothing left to say.
    repo.write("Dockerfile", plan["dockerfile"].as_str().expect("text"));
    repo.commit("plan");
    assert!(
        names(&best(
            &repo.root,
            &[&ALONE[..], &["--safety", "review"]].concat()
        ))
        .is_empty()
    );
}

#[test]
fn a_clean_up_goes_with_the_mount() {
    let repo = repository(
        "FROM node:22\nWORKDIR /app\nCOPY . .\n\
         RUN apt-get update \\\n    # for the project\n    && npm ci \\\n    && npm cache clean --force \\\n    && rm -rf /var/lib/apt/lists/*\n",
    );
    let plan = best(&repo.root, &ALONE);
    let expected = "RUN --mount=type=cache,target=/root/.npm apt-get update \\\n    # for the project\n    && npm ci \\\n    \
                    && rm -rf /var/lib/apt/lists/*\n";
    assert!(
        plan["dockerfile"]
            .as_str()
            .expect("text")
            .ends_with(expected),
        "{plan}"
    );
    assert_eq!(plan["safety"].as_str(), Some("assumed"));
}
