//! Programs that scripts of packages start, and what they do with other commands.
//!
//! Goes in: a name. Comes out: its [`Sort`]. Invariant: tools that are listed look for their files from the folder they
//! start in, in those above it, and where their settings say; one that is not listed is unknown.

/// What a program is to a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// It touches what its arguments name.
    Plain,
    /// It works on the package it is started in.
    Tool,
    /// It asks git.
    Git,
    /// It starts another command.
    Wrapper,
    /// It starts several scripts.
    Scripts,
    /// It runs a file.
    Runner,
    /// turbo.
    Turbo,
    /// It looks at everything.
    Whole,
    /// Nobody knows.
    Unknown,
}

#[rustfmt::skip]
const PLAIN: &[&str] = &[
    "echo", "printf", "true", "false", ":", "exit", "test", "[", "[[", "set", "export", "unset", "local", "return",
    "break", "continue", "shift", "read", "wait", "umask", "mkdir", "rm", "cp", "mv", "ln", "cat", "chmod", "touch",
    "ls", "pwd", "dirname", "basename", "date", "sleep", "sed", "grep", "head", "tail", "sort", "uniq", "tr", "cut",
    "wc", "tee", "awk", "jq", "which", "command", "type", "uname", "rmdir", "gzip", "realpath", "readlink", "trap",
    "mktemp", "cmp", "diff", "stat", "nproc", "expr", "seq", "source", ".", "popd",
    "rimraf", "mkdirp", "cpy", "cpx", "cpx2", "copyfiles", "copy", "ncp", "cpr", "del-cli", "del", "shx", "trash",
    "make-dir", "is-ci", "copyup", "renamer", "replace-in-file", "kill-port", "rimraf2", "sync-directory",
];

#[rustfmt::skip]
const TOOLS: &[&str] = &[
    "vite", "tsc", "vue-tsc", "tsgo", "nest", "next", "rollup", "rolldown", "webpack", "webpack-cli", "rspack",
    "rsbuild", "rslib", "tsup", "tsdown", "esbuild", "swc", "babel", "nuxt", "nuxi", "astro", "svelte-kit",
    "svelte-check", "svelte-package", "react-scripts", "react-router", "react-app-rewired", "craco", "remix", "vinxi",
    "ng", "ng-packagr", "postcss", "tailwindcss", "@tailwindcss/cli", "sass", "lessc", "stylus", "unbuild",
    "ncc", "@vercel/ncc", "pkgroll", "microbundle", "parcel", "bob", "tsc-alias", "resolve-tspaths", "ttsc",
    "tspc", "tsconfig-replace-paths", "dts", "dts-bundle-generator", "api-extractor", "prisma", "graphql-codegen",
    "gql-gen", "orval", "openapi-typescript", "openapi", "swagger-typescript-api", "openapi-ts", "typia",
    "quicktype", "json2ts", "protoc-gen-ts", "buf", "eslint", "prettier", "oxlint", "oxfmt", "biome", "stylelint",
    "tslint", "jest", "vitest", "mocha", "ava", "tap", "publint", "attw", "vue-cli-service", "quasar", "preact",
    "stencil", "lit", "wc-dev-server", "snowpack", "vitepress", "storybook", "build-storybook", "docusaurus",
    "lingui", "i18next", "i18next-parser", "formatjs", "paraglide-js", "typesafe-i18n", "svgr", "svgo", "svg-sprite",
    "terser", "uglifyjs", "uglify-js", "cleancss", "html-minifier", "html-minifier-terser", "workbox", "pwa-assets-generator",
    "browserify", "size-limit", "bundlesize", "madge", "typeorm", "sequelize", "knex", "drizzle-kit", "mikro-orm",
    "contentlayer", "velite", "fumadocs-mdx", "patch-package", "husky", "wasm-pack", "node-gyp", "node-gyp-build",
    "prebuild-install", "electron-builder", "adapt", "ember", "gatsby", "elm", "elm-test", "purs", "spago", "rescript",
    "ava", "zapatos", "kysely-codegen", "sentry-cli", "maildev", "email", "mjml", "marked", "typedoc", "nodemon",
    "pinst", "ts-patch", "relay-compiler", "houdini", "unocss", "windicss", "purgecss", "critters", "partytown",
    "serwist", "cap", "expo", "tamagui", "panda", "stitches", "sveltekit-sync", "sherif", "only-allow", "rimraf-glob",
];

/// What a program is.
pub(super) fn sort(name: &str) -> Sort {
    match name {
        "git" => Sort::Git,
        "turbo" => Sort::Turbo,
        "env" | "cross-env" | "cross-env-shell" | "dotenv" | "dotenvx" | "env-cmd" | "npx"
        | "bunx" | "pnpx" | "time" | "nice" | "exec" | "nohup" | "ionice" | "sudo" | "npx-cli" => {
            Sort::Wrapper
        }
        "concurrently" | "run-s" | "run-p" | "npm-run-all" | "npm-run-all2" => Sort::Scripts,
        "node" | "tsx" | "ts-node" | "ts-node-esm" | "babel-node" | "esno" | "jiti"
        | "swc-node" | "vite-node" | "zx" | "sh" | "bash" | "esbuild-register" | "esr"
        | "sucrase-node" | "bun" | "tsm" => Sort::Runner,
        "nx" | "lerna" | "rush" | "rushx" | "moon" | "lage" | "bazel" | "wireit"
        | "preconstruct" | "ultra" | "wsrun" | "manypkg" | "changeset" | "knip" | "syncpack" => {
            Sort::Whole
        }
        _ if PLAIN.contains(&name) => Sort::Plain,
        _ if TOOLS.contains(&name) => Sort::Tool,
        _ => Sort::Unknown,
    }
}

/// Whether it runs a script of a shell.
pub(super) fn is_shell(name: &str) -> bool {
    matches!(name, "sh" | "bash")
}

/// The command inside of one that starts another.
pub(super) fn inner<'a>(name: &str, arguments: &'a [String]) -> Option<&'a [String]> {
    let valued: &[&str] = match name {
        "dotenv" | "dotenvx" => &["-e", "-c", "-v", "-p", "-f", "--env-file"],
        "env-cmd" => &["-f", "-e", "-r", "--file", "--environments", "--rc-file"],
        "npx" | "bunx" | "pnpx" => &["-p", "--package", "-c"],
        "nice" | "ionice" => &["-n", "-c"],
        "env" => &["-u"],
        _ => &[],
    };
    if matches!(name, "npx") && arguments.iter().any(|a| a == "-c" || a == "--call") {
        return None;
    }
    let mut at = 0;
    while let Some(word) = arguments.get(at) {
        let assigns =
            matches!(name, "env" | "cross-env" | "cross-env-shell") && is_assignment(word);
        let own = matches!((name, at), ("dotenvx", 0)) && word == "run";
        match word.as_str() {
            "--" => {
                at += 1;
                break;
            }
            // `dotenv -c -- x`
            _ if valued.contains(&word.as_str())
                && arguments.get(at + 1).is_some_and(|n| n != "--") =>
            {
                at += 2
            }
            _ if word.starts_with('-') || assigns || own => at += 1,
            _ => break,
        }
    }
    arguments.get(at..).filter(|rest| !rest.is_empty())
}

fn is_assignment(word: &str) -> bool {
    let name = word.split_once('=').map(|(name, _)| name);
    name.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
}

/// What a program starts that starts several.
///
/// # Errors
/// An option is not known.
pub(super) fn started(name: &str, arguments: &[String]) -> Result<Vec<String>, String> {
    const VALUED: [&str; 8] = [
        "-n",
        "--names",
        "-c",
        "--prefix-colors",
        "-p",
        "--prefix",
        "-m",
        "--max-processes",
    ];
    let mut out = Vec::new();
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--" => break,
            _ if name == "concurrently" && VALUED.contains(&word.as_str()) => drop(words.next()),
            _ if word.starts_with('-') => {}
            // Placeholders for arguments: `build:* -- {1}`.
            _ if word.contains('{') => return Err(format!("what {word} stands for is not known")),
            _ => out.push(word.clone()),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::{Sort, inner, sort, started};

    #[test]
    fn commands_inside_others_are_found() {
        for (line, expected) in [
            ("dotenv -c production -- turbo run build", "turbo run build"),
            ("dotenv -c -- x", "x"),
            ("dotenv -e ../../.env -- tsx a.ts", "tsx a.ts"),
            ("cross-env A=b NODE_ENV=c vite build", "vite build"),
            ("npx --yes vite@5 build", "vite@5 build"),
            ("env A=b x", "x"),
            ("npx -c x", "-"),
            ("env A=b", "-"),
        ] {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            let found = inner(&words[0], &words[1..]).map(|rest| rest.join(" "));
            assert_eq!(found.as_deref().unwrap_or("-"), expected, "{line}");
        }
        let words = ["-n", "a,b", "npm:build:*", "vite build"].map(str::to_owned);
        assert_eq!(started("concurrently", &words), Ok(words[2..].to_vec()));
    }

    #[test]
    fn tools_that_look_at_everything_are_known_as_such() {
        assert_eq!(sort("vite"), Sort::Tool);
        assert_eq!(sort("nx"), Sort::Whole);
        assert_eq!(sort("lerna"), Sort::Whole);
        assert_eq!(sort("make"), Sort::Unknown);
    }
}
