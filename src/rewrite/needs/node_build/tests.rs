use super::super::shown;

const ROOT: &str = r#"{"scripts":{"build":"turbo run build","ui":"pnpm --filter web run build && pnpm -F lib build",
    "nx":"nx build web","odd":"frobnicate","loop":"npm run loop","own":"vite build"}}"#;
const LIST: &str = "packages:\n  - apps/*\n  - packages/*\n";
const WEB: &str = r#"{"name":"web","scripts":{"build":"tsc && vite build"},"dependencies":{"lib":"workspace:*"}}"#;
const LIB: &str = r#"{"name":"lib","scripts":{"build":"tsup"}}"#;
const OTHER: &str = r#"{"name":"other","scripts":{"build":"vite build"}}"#;
const TURBO: &str = r#"{ // tasks
    "tasks": {"build": {"dependsOn": ["^build"],}}}"#;

/// A workspace of pnpm with files of a test's own.
fn project<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let own = [
        ("/app/package.json", ROOT),
        ("/app/pnpm-workspace.yaml", LIST),
        ("/app/pnpm-lock.yaml", ""),
        ("/app/turbo.json", TURBO),
        ("/app/tsconfig.json", "{}"),
        ("/app/README.md", ""),
        ("/app/apps/web/package.json", WEB),
        ("/app/apps/web/src/a.ts", "import x from 'lib'"),
        ("/app/packages/lib/package.json", LIB),
        ("/app/packages/lib/src/b.ts", ""),
        ("/app/packages/other/package.json", OTHER),
        ("/app/packages/other/src/c.ts", ""),
        ("/app/docs/guide.md", ""),
        ("/app/docs/openapi.yml", ""),
        ("/app/tools/x.js", ""),
        ("/app/assets/logo.svg", ""),
    ];
    let mut all = own.to_vec();
    all.retain(|(p, _)| !more.iter().any(|(m, _)| m == p));
    all.extend(more);
    all
}

/// What a command reads: folders, and files that are no manifest.
fn read(line: &str, dir: &str, more: &[(&str, &str)]) -> String {
    let found = shown(line, dir, &project(more));
    if found.starts_with('(') {
        return found;
    }
    let plain = [
        ".npmrc",
        "package.json",
        ".corepack.env",
        ".node-version",
        ".nvmrc",
        ".pnpmfile.cjs",
        ".pnpmfile.mjs",
        "pnpmfile.js",
        "pnpm-lock.yaml",
        "pnpm-workspace.yaml",
        "binding.gyp",
        ".turbo/**",
        ".yarn/**",
        "node_modules/**",
        ".pnp.cjs",
        ".pnp.loader.mjs",
        "turbo.json",
        "tsconfig.json",
    ];
    let reads = found.split(" | ").next().unwrap_or_default();
    let kept = reads
        .split(' ')
        .filter(|r| !plain.iter().any(|p| r.ends_with(&format!("/{p}"))));
    kept.map(|r| r.trim_start_matches("/app/"))
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn a_build_reads_its_package_and_those_it_asks_for() {
    for (line, dir) in [
        ("pnpm build --filter=web", "/app"),
        ("pnpm --filter web build", "/app"),
        ("pnpm run ui", "/app"),
        ("pnpm run build", "/app/apps/web"),
        ("npx turbo run build --filter=web... --no-daemon", "/app"),
        ("turbo build --filter ./apps/web", "/app"),
        ("pnpm exec vite build", "/app/apps/web"),
    ] {
        assert_eq!(read(line, dir, &[]), "apps/** packages/lib/**", "{line}");
    }
    assert_eq!(
        read("pnpm --filter lib build", "/app", &[]),
        "packages/lib/**"
    );
    assert_eq!(read("pnpm build", "/app", &[]), "apps/** packages/**");
    // Manifests of all members, settings of the top, but no papers of it.
    let all = shown("pnpm --filter lib build", "/app", &project(&[]));
    for path in [
        "/app/packages/other/package.json",
        "/app/tsconfig.json",
        "/app/turbo.json",
        "/app/node_modules/**",
    ] {
        assert!(all.split(' ').any(|r| r == path), "{path} {all}");
    }
    assert!(!all.contains("README"), "{all}");
    assert!(all.ends_with(" | "), "{all}");
}

#[test]
fn other_managers_have_workspaces_too() {
    let top = r#"{"workspaces":["apps/*","packages/*"],"scripts":{"build":"turbo run build"}}"#;
    let files = |lock: &'static str, text: &'static str| {
        let mut all = project(&[("/app/package.json", top), (lock, text)]);
        all.retain(|(p, _)| !p.contains("pnpm"));
        let web =
            r#"{"name":"web","scripts":{"build":"tsc && vite build"},"dependencies":{"lib":"*"}}"#;
        all.retain(|(p, _)| *p != "/app/apps/web/package.json");
        all.push(("/app/apps/web/package.json", web));
        all
    };
    for (line, lock, text) in [
        ("npm run build -w web", "/app/package-lock.json", "{}"),
        (
            "npm --prefix apps/web run build",
            "/app/package-lock.json",
            "{}",
        ),
        (
            "yarn workspace web build",
            "/app/yarn.lock",
            "# yarn lockfile v1\n",
        ),
        (
            "yarn build --filter=web --cache=local:,remote: --no-daemon",
            "/app/yarn.lock",
            "# yarn lockfile v1\n",
        ),
        (
            "yarn workspace web build",
            "/app/yarn.lock",
            "# x\n\n__metadata:\n  version: 8\n",
        ),
    ] {
        let found = shown(line, "/app", &files(lock, text));
        assert!(
            found.contains(" /app/apps/** ") && found.contains(" /app/packages/lib/** "),
            "{line} {found}"
        );
        assert!(
            !found.contains("/app/packages/other/** ") && !found.contains("/app/packages/** "),
            "{line} {found}"
        );
    }
}

#[test]
fn what_is_named_elsewhere_is_read() {
    for (path, text, expected) in [
        (
            "/app/apps/web/src/a.ts",
            "import d from '../../../docs/guide.md?raw'",
            "docs/guide.md",
        ),
        (
            "/app/apps/web/src/a.ts",
            "import d from '../../../tools/x'",
            "tools/x.js",
        ),
        (
            "/app/apps/web/tsconfig.json",
            r#"{"extends":"../../tools/x.js"}"#,
            "tools/x.js",
        ),
        (
            "/app/apps/web/a.css",
            "@import '../../assets';",
            "assets/**",
        ),
        (
            "/app/apps/web/vite.config.ts",
            "join(__dirname, '..', '..', 'assets')",
            "assets/**",
        ),
        (
            "/app/apps/web/vite.config.ts",
            "const top = join(__dirname, '../..'); read(join(top, 'assets'))",
            "assets/**",
        ),
        (
            "/app/apps/web/vite.config.ts",
            "alias: { x: 'assets/y' }",
            "",
        ),
        (
            "/app/apps/web/vite.config.ts",
            "publicDir: 'assets'",
            "assets/**",
        ),
        ("/app/postcss.config.js", "from: 'assets'", "assets/**"),
        (
            "/app/packages/lib/src/b.ts",
            "require('other')",
            "packages/**",
        ),
        ("/app/packages/lib/src/b.ts", "t('other')", ""),
        (
            "/app/packages/lib/src/b.ts",
            "import '@x/y'; import './gone'",
            "",
        ),
        // What is named names more.
        (
            "/app/apps/web/src/a.ts",
            "import '../../../tools/x'; // \"../../../docs/openapi\"",
            "docs/openapi.yml",
        ),
        // A pattern stands for all below it.
        (
            "/app/apps/web/tailwind.config.js",
            "content: ['../../packages/**/*.tsx']",
            "packages/**",
        ),
        (
            "/app/apps/web/tailwind.config.js",
            "content: ['../../docs/*.mdx']",
            "docs/**",
        ),
    ] {
        let found = read("pnpm --filter web build", "/app", &[(path, text)]);
        assert!(found.starts_with("apps/**"), "{text} {found}");
        match expected {
            "" => assert!(
                !found.contains("assets") && !found.ends_with("packages/**"),
                "{text} {found}"
            ),
            _ => assert!(found.split(' ').any(|r| r == expected), "{text} {found}"),
        }
    }
    // The whole of it.
    let all = read(
        "pnpm --filter web build",
        "/app",
        &[("/app/apps/web/tailwind.config.js", "['../../**/*.ts']")],
    );
    assert_eq!(all, "**");
}

#[test]
fn files_named_by_what_is_read_are_read_as_well() {
    let files = [
        ("/app/apps/web/src/a.ts", "import '../../../tools/x'"),
        ("/app/tools/x.js", "require('../docs/openapi')"),
    ];
    let found = read("pnpm --filter web build", "/app", &files);
    assert!(
        found.contains("docs/openapi.yml") && found.contains("tools/x.js"),
        "{found}"
    );
    // Two that name each other.
    let files = [
        ("/app/apps/web/src/a.ts", "import '../../../tools/x'"),
        ("/app/tools/x.js", "require('../assets/y')"),
        ("/app/assets/y.js", "require('../tools/x')"),
    ];
    assert!(read("pnpm --filter web build", "/app", &files).contains("assets/y.js"));
}

#[test]
fn git_is_read_where_it_is_asked() {
    for (path, text, asks) in [
        (
            "/app/apps/web/vite.config.ts",
            "execSync('git rev-parse HEAD')",
            true,
        ),
        ("/app/apps/web/vite.config.ts", "import './version'", true),
        ("/app/apps/web/src/a.ts", "show('git log')", false),
        (
            "/app/apps/web/package.json",
            r#"{"name":"web","scripts":{"build":"git describe && vite build"}}"#,
            true,
        ),
        (
            "/app/apps/web/package.json",
            r#"{"name":"web","scripts":{"build":"vite build"},"devDependencies":{"git-rev-sync":"1"}}"#,
            true,
        ),
        (
            "/app/apps/web/package.json",
            r#"{"name":"web","scripts":{"build":"vite build"},"repository":{"url":"https://e.org/x.git"}}"#,
            false,
        ),
    ] {
        let version = ("/app/apps/web/version.ts", "readFileSync('.git/HEAD')");
        let found = shown(
            "pnpm --filter web build",
            "/app",
            &project(&[(path, text), version]),
        );
        assert_eq!(found.contains("/app/.git/**"), asks, "{text} {found}");
    }
}

#[test]
fn scripts_are_followed() {
    let build = |script: &str, more: &[(&str, &str)]| {
        let web = format!(
            r#"{{"name":"web","scripts":{{"build":{},"build:a":"vite build","prebuild":"echo"}},"dependencies":{{"lib":"*"}}}}"#,
            serde_json::Value::String(script.to_owned())
        );
        let mut files = vec![("/app/apps/web/package.json", web.as_str())];
        files.extend(more);
        read("pnpm --filter web build", "/app", &files)
    };
    for script in [
        "cross-env NODE_ENV=production vite build",
        "dotenv -e ../../.env -- vite build",
        "run-s build:*",
        "concurrently \"npm:build:*\" \"tsc -p .\"",
        "rm -rf dist && node scripts/x.mjs",
        "./build.sh",
        "pnpm run build:a && tsc",
        "npx --yes vite@5 build",
        "if [ -d dist ]; then rm -rf dist; fi; vite build",
    ] {
        let files = [
            ("/app/apps/web/scripts/x.mjs", ""),
            (
                "/app/apps/web/build.sh",
                "#!/bin/sh\nset -e\ncd \"$(dirname \"$0\")\" || exit 1\ntsc --project a.json\n",
            ),
        ];
        assert_eq!(build(script, &files), "apps/** packages/lib/**", "{script}");
    }
    let named = [("/app/tools/x.js", "read('assets')")];
    let found = build("node ../../tools/x.js", &named);
    assert!(
        found.contains("tools/x.js") && found.contains("assets/**"),
        "{found}"
    );
    assert!(build("cp -r ../../assets dist", &[]).contains("assets/**"));
}

#[test]
fn what_is_not_understood_is_a_reason() {
    for (line, why) in [
        ("pnpm run nx", "looks at the whole project"),
        ("pnpm run odd", "what frobnicate looks at is not known"),
        ("pnpm run gone", "what gone looks at is not known"),
        (
            "pnpm build --filter=gone",
            "the filter gone is not understood",
        ),
        ("pnpm build --filter=[main]", "is not understood"),
        ("pnpm build --affected", "--affected is not known"),
        ("pnpm build --frob", "option --frob of turbo is not known"),
        ("pnpm --since=x build", "option --since is not known"),
        ("npx x", "what x looks at is not known"),
    ] {
        let found = read(line, "/app", &[]);
        assert!(
            found.starts_with('(') && found.contains(why),
            "{line} {found}"
        );
    }
    for (path, text, why) in [
        (
            "/app/apps/web/package.json",
            r#"{"name":"web","scripts":{"build":"make"}}"#,
            "what make looks at",
        ),
        (
            "/app/apps/web/package.json",
            r#"{"name":"web","scripts":{"build":"$X build"}}"#,
            "name of a command",
        ),
        (
            "/app/apps/web/package.json",
            r#"{"name":"web","scripts":{"build":"cd $X && tsc"}}"#,
            "where it goes to",
        ),
        (
            "/app/apps/web/package.json",
            r#"{"name":"web","scripts":{"prebuild":"docker ps","build":"tsc"}}"#,
            "docker",
        ),
        (
            "/app/apps/web/package.json",
            r#"{"name":"web","scripts":{"build":"node ../../gone.js"}}"#,
            "gone.js is not in",
        ),
        (
            "/app/apps/web/package.json",
            r#"{"name":"web","scripts":{"build":"../../x.py"}}"#,
            "is for",
        ),
        ("/app/turbo.json", "{", "turbo.json"),
        (
            "/app/turbo.json",
            r#"{"tasks":{"build":{"dependsOn":["gone#build"]}}}"#,
            "gone",
        ),
    ] {
        let files = [(path, text), ("/app/x.py", "#!/usr/bin/python3\n")];
        let found = read("pnpm build --filter=web", "/app", &files);
        assert!(
            found.starts_with('(') && found.contains(why),
            "{text} {found}"
        );
    }
    let large = "x".repeat((4 << 20) + 1);
    let found = read(
        "pnpm --filter web build",
        "/app",
        &[("/app/apps/web/src/a.ts", &large)],
    );
    assert!(found.contains("larger than"), "{found}");
}

#[test]
fn a_package_by_itself_is_read_with_what_it_names() {
    let files = [
        (
            "/app/web/package.json",
            r#"{"scripts":{"build":"vite build"}}"#,
        ),
        ("/app/web/package-lock.json", "{}"),
        ("/app/web/src/a.ts", "import '../../shared/x'"),
        ("/app/shared/x.ts", ""),
        ("/app/server/main.go", ""),
        ("/app/go.mod", ""),
    ];
    let found = shown("npm run build", "/app/web", &files);
    assert!(
        found.contains("/app/web/** ") || found.contains("/app/web/** |"),
        "{found}"
    );
    assert!(
        found.contains("/app/shared/x.ts")
            && !found.contains("server")
            && !found.contains("go.mod"),
        "{found}"
    );
}

#[test]
fn tasks_of_turbo_name_other_packages() {
    let turbo = r#"{"tasks":{"build":{"dependsOn":["other#build"]}}}"#;
    let found = read(
        "pnpm build --filter=web",
        "/app",
        &[("/app/turbo.json", turbo)],
    );
    assert_eq!(found, "apps/** packages/**");
    // Workspaces that ask for each other.
    let lib =
        r#"{"name":"lib","scripts":{"build":"tsup"},"devDependencies":{"web":"workspace:*"}}"#;
    let found = read(
        "pnpm build --filter=lib",
        "/app",
        &[("/app/packages/lib/package.json", lib)],
    );
    assert_eq!(found, "apps/** packages/lib/**");
}
