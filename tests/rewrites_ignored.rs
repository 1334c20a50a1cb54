//! Lines for the ignore file as a user meets them: what tools look for without being told, and the ignore file itself.

#[path = "common/planned.rs"]
mod planned;

use planned::*;

const BUILDER: &str = "FROM node:22 AS build\nWORKDIR /app\nCOPY . .\nRUN make\n\
                       FROM node:22\nCOPY --from=build /app/out /out\n";

/// The same commits for all: documents change, and so does what git ignores.
const EDITS: &[&str] = &["docs/x.md", "docs/x.md", ".gitignore", "docs/x.md"];

fn project(more: &[(&str, &str)]) -> Repo {
    let files = [
        ("Dockerfile", BUILDER),
        ("Makefile", "all:\n\tcp src/a.js out\n"),
        ("src/a.js", "a\n"),
        ("docs/x.md", "x\n"),
        (".gitignore", "out\n"),
        (".gitattributes", "*.png binary\n"),
    ];
    repository(&[&files, more].concat(), EDITS)
}

/// The plans of a checkout that has its repository beside it.
fn with_git(dir: &Repo, more: &[&str]) -> Vec<Value> {
    let all = [&["analyze", "--format", "json", "--quiet"], more].concat();
    let out = cacheplan(&dir.root, &all);
    let document: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    document["targets"][0]["plans"]
        .as_array()
        .expect("plans")
        .clone()
}

fn lines(plan: &Value) -> Vec<&str> {
    text(plan, "dockerignore").lines().collect()
}

#[test]
fn what_git_ignores_is_still_told() {
    let dir = project(&[]);
    for safety in ["assumed", "review"] {
        let plans = with_git(&dir, &["--safety", safety]);
        let offered: Vec<&str> = plans.iter().flat_map(lines).collect();
        assert!(offered.contains(&".git"), "{offered:?}");
        assert!(
            !offered
                .iter()
                .any(|l| l.contains(".gitignore") || l.contains(".gitattributes")),
            "{offered:?}"
        );
    }
}

#[test]
fn tools_that_look_at_the_repository_are_for_a_person_to_judge() {
    for (path, manifest) in [
        (
            "pyproject.toml",
            "[build-system]\nrequires = [\"poetry-core>=1\"]\n",
        ),
        (
            "pyproject.toml",
            "[build-system]\nrequires = [\"hatchling\", \"hatch-vcs\"]\n",
        ),
        (
            "core/pyproject.toml",
            "[build-system]\nrequires = [\"maturin>=1,<2\"]\n",
        ),
        (
            "setup.py",
            "setup(setup_requires=['setuptools-git-versioning'])\n",
        ),
        (
            "package.json",
            "{\"devDependencies\": {\"nextra\": \"4\"}}\n",
        ),
        ("gen.sh", "rg --files src > list\n"),
    ] {
        let dir = project(&[
            (path, manifest),
            ("build.mk", "all:\n\tpip install .\n\tsh gen.sh\n"),
        ]);
        for plan in with_git(&dir, &[]) {
            assert!(!lines(&plan).contains(&".git"), "{manifest}: {plan}");
        }
        let plans = with_git(&dir, &["--safety", "review"]);
        let edits = |p: &Value| p["edits"].as_array().expect("edits").clone();
        let all: Vec<Value> = plans.iter().flat_map(edits).collect();
        let told = format!(".git ({path}:");
        assert!(
            all.iter().any(|e| text(e, "why").contains(&told)),
            "{manifest}: {all:?}"
        );
    }
}

/// A manifest for wheels beside a program that is built without them.
#[test]
fn backends_count_where_something_starts_them() {
    let wheel = "[build-system]\nrequires = [\"maturin>=1,<2\"]\n";
    for (script, offered) in [("cargo build", true), ("pip wheel .", false)] {
        let script = format!("all:\n\t{script}\n");
        let dir = project(&[("py/pyproject.toml", wheel), ("build.mk", &script)]);
        let plans = with_git(&dir, &[]);
        let found = plans.iter().any(|p| lines(p).contains(&".git"));
        assert_eq!(found, offered, "{script}: {plans:?}");
    }
}

#[test]
fn tailwind_looks_through_documents_too() {
    for (path, content) in [
        (
            "package.json",
            "{\"devDependencies\": {\"@tailwindcss/vite\": \"^4.1.0\"}}\n",
        ),
        (
            "package.json",
            "{\"dependencies\": {\"tailwindcss\": \"^4.1.0\"}}\n",
        ),
        ("src/app.css", "@import \"tailwindcss\" source(\"..\");\n"),
    ] {
        let dir = project(&[(path, content)]);
        for plan in with_git(&dir, &[]) {
            assert!(plan["dockerignore"].is_null(), "{content}: {plan}");
        }
    }
    // Up to the third it is told where to look.
    let third =
        "{\"devDependencies\": {\"tailwindcss\": \"^3.4.0\", \"@tailwindcss/forms\": \"^0.5\"}}\n";
    let dir = project(&[
        ("package.json", third),
        (
            "src/app.css",
            "@import \"tailwindcss/base\";\n@tailwind utilities;\n",
        ),
    ]);
    let plan = best(&dir.root, &[]);
    assert!(lines(&plan).contains(&"docs"), "{plan}");
}

#[test]
fn packages_take_their_authors_along() {
    for (path, offered) in [("pyproject.toml", false), ("x.toml", true)] {
        let dir = project(&[(path, "[project]\nname = \"x\"\n"), ("AUTHORS", "a\n")]);
        let plan = best(&dir.root, &[]);
        assert_eq!(lines(&plan).contains(&"AUTHORS"), offered, "{path}: {plan}");
    }
}

#[test]
fn a_new_ignore_file_is_in_no_image() {
    let dockerfile = "FROM node:22 AS build\nWORKDIR /app\nCOPY . .\nRUN make\n\
                      FROM node:22\nCOPY ops /ops\nCOPY --from=build /app/out /out\n";
    let files = [
        ("ops/Dockerfile", dockerfile),
        ("Dockerfile", "FROM node:22\nCOPY . .\n"),
        ("ops/run.sh", "x\n"),
        ("Makefile", "all:\n"),
        ("docs/x.md", "x\n"),
        (".dockerignore", "tmp\n"),
    ];
    let dir = repository(
        &files,
        &["docs/x.md", "docs/x.md", "docs/x.md", "docs/x.md"],
    );
    let plan = best(&dir.root, &["-f", "ops/Dockerfile", "--context", "."]);
    assert_eq!(
        text(&plan, "dockerignore_file"),
        "ops/Dockerfile.dockerignore"
    );
    let last = lines(&plan).last().copied();
    assert_eq!(last, Some("ops/Dockerfile.dockerignore"), "{plan}");
    // One that is there stays what it is, and one that a line names is not named again.
    for (ignore, own) in [("tmp\n", 1), ("tmp\nops/*.dockerignore\n", 0)] {
        let files = [
            ("ops/Dockerfile", dockerfile),
            ("Dockerfile", "FROM node:22\nCOPY . .\n"),
            ("ops/run.sh", "x\n"),
            ("Makefile", "all:\n"),
            ("docs/x.md", "x\n"),
            (".dockerignore", ignore),
        ];
        let dir = repository(
            &files,
            &["docs/x.md", "docs/x.md", "docs/x.md", "docs/x.md"],
        );
        let plan = best(&dir.root, &["-f", "ops/Dockerfile", "--context", "."]);
        let named = |l: &&&str| l.starts_with("ops/Dockerfile");
        assert_eq!(lines(&plan).iter().filter(named).count(), own, "{plan}");
    }
}

/// Hooks are set up in a repository, where a COPY brings one.
#[test]
fn hooks_want_the_repository() {
    let dockerfile = "FROM node:22\nWORKDIR /app\nCOPY . .\nRUN npm ci\nCMD node a.js\n";
    let manifest = "{\"name\": \"x\", \"scripts\": {\"prepare\": \"husky\"}, \"devDependencies\": {\"husky\": \"9\"}}\n";
    let lock = "{\"name\": \"x\", \"lockfileVersion\": 3, \"packages\": {\"\": {\"name\": \"x\", \"devDependencies\": {\"husky\": \"9\"}}, \
                \"node_modules/husky\": {\"version\": \"9.0.0\", \"resolved\": \"https://registry.npmjs.org/husky/-/husky-9.0.0.tgz\", \"dev\": true}}}\n";
    for (ignore, split) in [(".git\n", true), ("tmp\n", false)] {
        let files = [
            ("Dockerfile", dockerfile),
            ("package.json", manifest),
            ("package-lock.json", lock),
            ("a.js", "a\n"),
            (".dockerignore", ignore),
        ];
        let dir = repository(&files, &["a.js", "a.js", "a.js", "a.js"]);
        let plans = with_git(&dir, &[]);
        let found = plans.iter().any(|p| names(p).contains(&"split-copy"));
        assert_eq!(found, split, "{ignore}: {plans:?}");
        for plan in plans {
            let said = plan["assumptions"].to_string();
            assert!(!said.contains("holds no .git"), "{said}");
        }
    }
}
