use super::super::shown;

const PACKAGE: &str = "[package]\nname = \"a\"\n[dependencies]\nitoa = \"1\"\n";

/// Without what every command reads.
fn short(line: &str, files: &[(&str, &str)]) -> String {
    let text = shown(line, "/app", files);
    let always = |w: &str| {
        w.contains(".cargo/")
            || w.contains("rust-toolchain")
            || w == "/Cargo.toml"
            || w.contains("sqlx")
            || w.ends_with(".env")
    };
    text.split(' ')
        .filter(|w| !always(w))
        .collect::<Vec<_>>()
        .join(" ")
}

fn workspace() -> Vec<(&'static str, &'static str)> {
    vec![
        (
            "/app/Cargo.toml",
            "[workspace]\nmembers = [\"x/*\", \"cli\"]\n[workspace.dependencies]\nb = { path = \"x/b\" }\n",
        ),
        ("/app/Cargo.lock", ""),
        ("/app/README.md", ""),
        (
            "/app/cli/Cargo.toml",
            "[package]\nname = \"cli\"\n[dependencies]\nb = { workspace = true }\n",
        ),
        (
            "/app/cli/src/main.rs",
            "const A: &str = include_str!(\"../../README.md\");",
        ),
        (
            "/app/x/b/Cargo.toml",
            "[package]\nname = \"b\"\nbuild = \"build.rs\"\n",
        ),
        ("/app/x/b/src/lib.rs", ""),
        ("/app/x/b/build.rs", "fn main() {}"),
        (
            "/app/x/c/Cargo.toml",
            "[package]\nname = \"c\"\n[[example]]\nname = \"e\"\n",
        ),
        ("/app/x/c/src/lib.rs", ""),
        ("/app/x/c/examples/e.rs", ""),
    ]
}

#[test]
fn a_fetch_reads_manifests_and_what_makes_targets() {
    let manifests = "/app/Cargo.lock /app/Cargo.toml /app/cli/Cargo.toml /app/cli/src/main.rs /app/x/Cargo.toml \
                     /app/x/b/Cargo.toml /app/x/b/src/lib.rs /app/x/c/Cargo.toml /app/x/c/examples/e.rs \
                     /app/x/c/src/lib.rs";
    assert_eq!(
        short("cargo fetch --locked", &workspace()),
        format!("{manifests} | ")
    );
    assert_eq!(
        short("cargo +nightly fetch", &workspace()),
        format!("{manifests} | /app/Cargo.lock")
    );
    assert!(shown("cargo fetch", "/", &workspace()).starts_with('('));
}

#[test]
fn a_build_reads_the_packages_it_builds() {
    let one = "/app/Cargo.lock /app/Cargo.toml /app/README.md /app/cli/** /app/x/Cargo.toml /app/x/b/** \
               /app/x/c/Cargo.toml /app/x/c/examples/e.rs /app/x/c/src/lib.rs | /app/target/**";
    for line in [
        "cargo build --locked --release -p cli",
        "cargo install --locked --path cli",
        "cargo build --locked --manifest-path cli/Cargo.toml",
    ] {
        assert_eq!(short(line, &workspace()), one, "{line}");
    }
    let all = "/app/Cargo.lock /app/Cargo.toml /app/README.md /app/cli/** /app/x/Cargo.toml /app/x/b/** /app/x/c/** | \
               /app/Cargo.lock /app/target/**";
    assert_eq!(short("cargo build", &workspace()), all);
}

#[test]
fn a_package_alone_goes_without_papers() {
    let files = [
        ("/app/Cargo.toml", PACKAGE),
        ("/app/Cargo.lock", ""),
        ("/app/src/main.rs", "use x; // \"NOTES.md\""),
        ("/app/README.md", ""),
        ("/app/NOTES.md", ""),
        ("/app/docs/a.md", ""),
        ("/app/tests/t.rs", ""),
        ("/app/migrations/1.sql", ""),
    ];
    let parts = "/app/Cargo.lock /app/Cargo.toml /app/NOTES.md /app/build.rs /app/migrations/** /app/src/**";
    assert_eq!(
        short("cargo build --locked", &files),
        format!("{parts} | /app/target/**")
    );
    let tests = "/app/Cargo.lock /app/Cargo.toml /app/NOTES.md /app/build.rs /app/migrations/** /app/src/** /app/tests/**";
    assert_eq!(
        short("cargo check --tests --locked", &files),
        format!("{tests} | /app/target/**")
    );
}

#[test]
fn a_source_may_ask_for_the_readme() {
    let files = [
        ("/app/Cargo.toml", PACKAGE),
        ("/app/src/main.rs", "env!(\"CARGO_PKG_README\")"),
        ("/app/README.md", ""),
    ];
    assert!(short("cargo build", &files).contains("/app/README.md"));
}

#[test]
fn chef_cooks_a_recipe() {
    assert_eq!(
        short("cargo chef cook --release --recipe-path recipe.json", &[]),
        "/app/recipe.json | /app/**"
    );
    assert!(shown("cargo chef prepare", "/app", &workspace()).starts_with('('));
}

#[test]
fn what_is_not_understood_is_left_alone() {
    for line in [
        "cargo test",
        "cargo run",
        "cargo build --config x",
        "cargo build -p nope",
        "cargo rustc -- -C x",
    ] {
        assert!(shown(line, "/app", &workspace()).starts_with('('), "{line}");
    }
    let lib = ("/app/src/lib.rs", "");
    for (manifest, more) in [
        (
            "[package]\nname = \"a\"\n[build-dependencies]\nvergen = \"8\"\n",
            lib,
        ),
        (
            "[package]\nname = \"a\"\n[dependencies]\nb = { path = \"../b\" }\n",
            lib,
        ),
        ("[package]\nname = \"a\"\n[[bin]]\nname = \"x\"\n", lib),
        ("[workspace]\nmembers = [\"**\"]\n", lib),
        ("no toml", lib),
        ("[package]\nname = \"a\"\n", ("/app/x", "")),
        (
            "[package]\nname = \"a\"\n",
            ("/app/.cargo/config.toml", "include = \"x\""),
        ),
    ] {
        let files = [("/app/Cargo.toml", manifest), ("/app/Cargo.lock", ""), more];
        assert!(
            shown("cargo build", "/app", &files).starts_with('('),
            "{manifest}"
        );
    }
    let files = [
        ("/app/Cargo.toml", PACKAGE),
        lib,
        ("/app/build.rs", "Command::new(\"git\")"),
    ];
    assert!(shown("cargo build", "/app", &files).starts_with('('));
}
