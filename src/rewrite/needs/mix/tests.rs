use super::super::shown;

fn of(line: &str, manifest: &str, more: &[(&str, &str)]) -> String {
    let mut files = vec![
        ("/app/mix.exs", manifest),
        ("/app/mix.lock", ""),
        ("/app/lib/a.ex", ""),
    ];
    files.extend(more);
    shown(line, "/app", &files)
}

const WRITES: &str = "/app/_build/** /app/deps/** /app/mix.lock";

#[test]
fn dependencies_need_manifests_and_configuration() {
    let plain = "def project do\n [app: :a, elixirc_paths: [\"lib\"], deps: [{:x, \"~> 1\"}]]\nend # File.read!(x)";
    let all = format!("/app/config/** /app/mix.exs /app/mix.lock | {WRITES}");
    for line in [
        "mix deps.get --only prod",
        "mix do local.hex --force, deps.get + deps.compile",
        "mix local.rebar --force",
    ] {
        assert_eq!(
            of(
                line,
                plain,
                &[(
                    "/app/config/config.exs",
                    "import_config \"#{config_env()}.exs\""
                )]
            ),
            all,
            "{line}"
        );
    }
    assert_eq!(
        of(
            "mix deps.get",
            "version: String.trim(File.read!(\"VERSION\"))",
            &[("/app/VERSION", "1")]
        ),
        format!("/app/VERSION {all}")
    );
    assert_eq!(
        of(
            "mix deps.get",
            "{:y, path: \"libs/y\"}",
            &[("/app/libs/y/mix.exs", "")]
        ),
        format!("/app/config/** /app/libs/y/** /app/mix.exs /app/mix.lock | {WRITES}")
    );
    let wild = of(
        "mix deps.get",
        "extras: Path.wildcard(\"guides/**/*.md\") ++",
        &[],
    );
    assert!(wild.contains("/app/guides/**"), "{wild}");
}

#[test]
fn umbrellas_have_more_manifests() {
    let child = (
        "/app/apps/c/mix.exs",
        "[build_path: \"../../_build\", config_path: \"../../config/config.exs\",\n lockfile: \"../../mix.lock\"]",
    );
    assert_eq!(
        of("mix deps.get", "[apps_path: \"apps\"]", &[child]),
        format!("/app/apps/c/mix.exs /app/config/** /app/mix.exs /app/mix.lock | {WRITES}")
    );
    assert!(of("mix deps.compile", "[apps_path: \"apps\"]", &[child]).starts_with('('));
}

#[test]
fn programs_are_left_alone() {
    for manifest in [
        "version: File.read!(path)",
        "System.cmd(\"git\", [\"describe\"])",
        "Path.wildcard(\"*.md\")",
        "{:y, path: \"gone\"}",
        "{:y, path: y()}",
        "aliases: [\"deps.get\": [\"x\"]]",
    ] {
        assert!(
            of("mix deps.get", manifest, &[]).starts_with('('),
            "{manifest}"
        );
    }
    for line in [
        "mix compile",
        "mix release",
        "mix assets.deploy",
        "mix deps.get --frob",
    ] {
        assert!(of(line, "", &[]).starts_with('('), "{line}");
    }
    assert!(of("mix deps.get", "", &[("/app/deps/x/mix.exs", "")]).starts_with('('));
    assert!(
        of(
            "mix deps.get",
            "",
            &[("/app/config/config.exs", "File.read!(\"x\")")]
        )
        .starts_with('(')
    );
}
