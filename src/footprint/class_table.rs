//! Which tools and subcommands are which class of work.
//!
//! Goes in: a command's name without directory, and its arguments. Comes out: classes, or where in
//! the arguments another command starts. One table, grouped by ecosystem; a tool that is not in it has
//! no class. Costs one look at the arguments.

use super::Class::{self, Build, Install, LightBuild, SystemPackages};

/// What a look into the table gives.
pub(super) enum Found {
    /// The classes; none for cheap commands.
    Classes(Vec<Class>),
    /// The arguments hold a command, from this one on.
    Command(usize),
}

/// Subcommands of system package managers that install something.
const SYSTEM: &[&str] = &[
    "add",
    "build-dep",
    "builddep",
    "dist-upgrade",
    "distro-sync",
    "dup",
    "fix",
    "full-upgrade",
    "groupinstall",
    "in",
    "install",
    "localinstall",
    "reinstall",
    "satisfy",
    "up",
    "upgrade",
];

/// The class of a command by its name and arguments.
pub(super) fn of_command(name: &str, args: &[&str]) -> Found {
    let any = |wanted: &[&str]| args.iter().any(|a| wanted.contains(a));
    let first = subcommand(
        args,
        &["-C", "--directory", "-p", "--config", "--manifest-path"],
    );
    let sub = first.map_or("", |at| args[at]);
    let next = first.and_then(|at| args.get(at + 1)).copied().unwrap_or("");
    let when = |class: Class, hit: bool| Found::Classes(hit.then_some(class).into_iter().collect());
    if any(&["collectstatic", "compilemessages"]) {
        return when(LightBuild, true);
    }
    match versionless(name) {
        "apt" | "apt-get" | "aptitude" => {
            let sub = operand(args, &["-t", "-o", "-c", "--option", "--target-release"]);
            when(SystemPackages, SYSTEM.contains(&sub))
        }
        "apk" => {
            let values = [
                "-X",
                "--repository",
                "-p",
                "--root",
                "--repositories-file",
                "--arch",
            ];
            when(SystemPackages, SYSTEM.contains(&operand(args, &values)))
        }
        "dnf" | "yum" | "microdnf" | "tdnf" | "zypper" => {
            let sub = operand(
                args,
                &[
                    "-c",
                    "--enablerepo",
                    "--disablerepo",
                    "--setopt",
                    "--installroot",
                ],
            );
            when(SystemPackages, SYSTEM.contains(&sub) || sub == "update")
        }
        "pacman" => {
            let sync = |a: &&str| {
                (a.starts_with("-S") && !a.contains(['c', 's', 'i', 'l'])) || a.starts_with("-U")
            };
            when(
                SystemPackages,
                args.iter().any(sync) || any(&["--sync", "--upgrade"]),
            )
        }

        "pip" => pip(sub, args),
        "uv" => match (sub, next) {
            ("pip", _) => pip(next, args),
            ("run", _) => command_behind(args, "run"),
            ("sync" | "add", _) | ("tool" | "python", "install") => when(Install, true),
            _ => when(LightBuild, sub == "build"),
        },
        "poetry" | "pdm" | "pipenv" => match sub {
            "install" | "sync" if any(&["--only-root"]) => when(LightBuild, true),
            "install" | "sync" | "add" | "update" => when(Install, true),
            "run" => command_behind(args, "run"),
            _ => when(LightBuild, sub == "build"),
        },
        "conda" | "mamba" | "micromamba" | "conda-lock" => match (sub, next) {
            ("run", _) => command_behind(args, "run"),
            ("env", "create" | "update") => when(Install, true),
            _ => when(Install, matches!(sub, "install" | "create" | "update")),
        },
        "easy_install" | "playwright" => when(Install, name == "easy_install" || sub == "install"),
        "setup.py" => setup_py(sub),
        "maturin" => when(Build, matches!(sub, "build" | "develop")),
        "python" if sub.ends_with("setup.py") => setup_py(next),

        "npm" | "yarn" | "pnpm" | "bun" | "lerna" => node(name, args),
        "turbo" | "nx" => {
            let build = |a: &&str| *a == "build" || a.ends_with(":build") || a.ends_with("=build");
            when(Build, args.iter().any(build))
        }
        "vite" | "vue-cli-service" | "next" | "nuxt" | "nuxi" | "ng" | "astro" | "gatsby"
        | "react-scripts" | "remix" | "quasar" | "parcel" | "docusaurus" | "vuepress" | "hexo"
        | "expo" | "meteor" | "svelte-kit" | "jekyll" | "trunk" | "wasm-pack" => match sub {
            "npm" => Found::Command(first.unwrap_or(0)),
            _ => when(Build, matches!(sub, "build" | "generate" | "export")),
        },
        "tsc" | "webpack" | "webpack-cli" | "rollup" | "esbuild" | "tsup" | "swc" | "gulp"
        | "grunt" | "ncc" | "browserify" | "unbuild" | "rspack" | "vue-tsc" => {
            when(Build, !any(&["--version", "--noEmit"]))
        }
        "deno" => match sub {
            "cache" | "install" => when(Install, true),
            _ => when(Build, matches!(sub, "compile" | "bundle")),
        },

        "make" | "gmake" => {
            let clean = |a: &&&str| matches!(**a, "clean" | "distclean" | "mrproper");
            when(
                Build,
                !any(&["--version"]) && args.iter().find(clean).is_none(),
            )
        }
        "cmake" => when(Build, !any(&["-E", "--install", "--version"])),
        "meson" => when(Build, !matches!(sub, "install" | "")),
        "ninja" | "scons" | "bazel" | "bazelisk" | "xmake" | "configure" | "Configure"
        | "autogen.sh" | "autoreconf" | "qmake" | "nix-build" => when(Build, !any(&["--version"])),
        "gcc" | "g++" | "cc" | "c++" | "clang" | "clang++" | "gfortran" | "nvcc" | "rustc"
        | "javac" | "kotlinc" | "ghc" => {
            when(Build, !any(&["--version", "-dumpversion", "-dumpmachine"]))
        }

        "cargo" => {
            let at = args.iter().position(|a| !a.starts_with(['-', '+']));
            let sub = at.map_or("", |i| args[i]);
            match sub {
                "fetch" | "vendor" | "binstall" => when(Install, true),
                "chef" => when(Build, any(&["cook"])),
                "build" | "b" | "install" | "test" | "t" | "check" | "c" | "clippy" | "run"
                | "r" | "bench" | "rustc" | "doc" | "zigbuild" | "xtask" => when(Build, true),
                _ => when(Build, any(&["build"])),
            }
        }
        "go" => match (sub, next) {
            ("mod", "download" | "tidy" | "vendor") | ("work", "vendor" | "sync") => {
                when(Install, true)
            }
            ("get", _) => when(Install, true),
            ("generate", _) => when(LightBuild, true),
            _ => when(
                Build,
                matches!(sub, "build" | "install" | "test" | "run" | "vet"),
            ),
        },
        "goreleaser" | "tinygo" | "gox" | "xgo" => when(Build, true),

        "mvn" | "mvnw" | "gradle" | "gradlew" => Found::Classes(java(name, args)),
        "sbt" => {
            let mut out = Vec::new();
            for word in args.iter().flat_map(|a| a.split([' ', ';', '/', ':'])) {
                match word {
                    "update" => out.push(Install),
                    "assembly" | "compile" | "package" | "stage" | "dist" | "packageBin"
                    | "publishLocal" | "test" => out.push(Build),
                    _ => {}
                }
            }
            Found::Classes(out)
        }
        "lein" => match sub {
            "deps" => when(Install, true),
            _ => when(Build, matches!(sub, "uberjar" | "compile" | "jar")),
        },
        "dotnet" => match (sub, next) {
            ("restore", _) | ("tool" | "workload", "install" | "restore") => when(Install, true),
            _ => when(
                Build,
                matches!(sub, "build" | "publish" | "pack" | "test" | "msbuild"),
            ),
        },

        "bundle" | "bundler" => match sub {
            "exec" => command_behind(args, "exec"),
            "" => when(Install, !any(&["--version", "-v"])),
            _ => when(
                Install,
                matches!(sub, "install" | "update" | "package" | "cache"),
            ),
        },
        "gem" => when(Install, matches!(sub, "install" | "update")),
        "rake" | "rails" => {
            let task = |a: &&str| {
                let task = a.split('[').next().unwrap_or(a);
                task.ends_with(":precompile") || task.ends_with(":compile") || task == "compile"
            };
            when(Build, args.iter().any(task))
        }
        "bootsnap" => when(LightBuild, sub == "precompile"),
        "composer" | "composer.phar" => composer(sub, next),
        "php" if sub.ends_with("composer.phar") || sub.ends_with("/composer") => composer(
            next,
            args.get(first.map_or(0, |f| f + 2)).copied().unwrap_or(""),
        ),
        "docker-php-ext-install" | "pecl" | "install-php-extensions" => {
            when(Build, versionless(name) != "pecl" || sub == "install")
        }

        "mix" => {
            let mut out = Vec::new();
            for word in args.iter().map(|a| a.trim_matches(',')) {
                match word {
                    "deps.get" => out.push(Install),
                    "compile" | "deps.compile" | "release" | "assets.deploy" | "assets.build"
                    | "escript.build" => out.push(Build),
                    "phx.digest" => out.push(LightBuild),
                    _ => {}
                }
            }
            Found::Classes(out)
        }
        "rebar3" => match sub {
            "get-deps" => when(Install, true),
            _ => when(Build, matches!(sub, "compile" | "release" | "as")),
        },
        "cabal" | "stack" | "zig" | "dune" | "dub" | "crystal" | "nim" | "shards" | "opam" => {
            match (name, sub) {
                ("shards", "install") => when(Install, true),
                _ => when(Build, matches!(sub, "build" | "install" | "c" | "compile")),
            }
        }
        "swift" => match sub {
            "package" => when(Install, next == "resolve"),
            _ => when(Build, sub == "build"),
        },
        "flutter" | "dart" => match sub {
            "pub" => when(Install, next == "get"),
            _ => when(Build, matches!(sub, "build" | "compile")),
        },
        "R" | "Rscript" | "julia" => {
            let words = args.join(" ");
            let fetches = [
                "install.packages",
                "install_",
                "renv::restore",
                "pak::",
                "Pkg.add",
                "Pkg.instantiate",
            ];
            when(Install, fetches.iter().any(|f| words.contains(f)))
        }
        "luarocks" | "cpan" | "cpanm" | "bower" => when(
            Install,
            matches!(name, "cpan" | "cpanm") || sub == "install",
        ),
        "hugo" => when(Build, true),

        "protoc"
        | "swag"
        | "sqlc"
        | "gqlgen"
        | "wire"
        | "mockgen"
        | "templ"
        | "flatc"
        | "thrift"
        | "grpc_tools.protoc"
        | "openapi-generator"
        | "openapi-generator-cli"
        | "graphql-codegen"
        | "tailwindcss"
        | "sass"
        | "msgfmt"
        | "compileall"
        | "sphinx-build" => when(LightBuild, !any(&["--version"])),
        "prisma" | "buf" => when(LightBuild, sub == "generate"),
        "mkdocs" | "pybabel" => when(LightBuild, matches!(sub, "build" | "compile")),
        _ => when(Build, false),
    }
}

/// `gcc-12`, `pip3.11` and `python3` without their versions.
fn versionless(name: &str) -> &str {
    let bare = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let bare = bare.strip_suffix('-').unwrap_or(bare);
    match bare {
        "pip" | "python" | "gcc" | "g++" | "clang" | "clang++" => bare,
        _ => name,
    }
}

/// Index of the first argument that is neither a flag nor the value of one of these flags.
fn subcommand(args: &[&str], with_value: &[&str]) -> Option<usize> {
    let mut at = 0;
    while let Some(arg) = args.get(at) {
        if with_value.contains(arg) {
            at += 2;
        } else if arg.starts_with('-') {
            at += 1;
        } else {
            return Some(at);
        }
    }
    None
}

/// The subcommand as text.
fn operand<'a>(args: &[&'a str], with_value: &[&str]) -> &'a str {
    subcommand(args, with_value).map_or("", |at| args[at])
}

/// The command that follows `word`, with flags in between left out.
fn command_behind(args: &[&str], word: &str) -> Found {
    let start = args.iter().position(|a| *a == word).map_or(0, |at| at + 1);
    let rest = args.get(start..).unwrap_or_default();
    match subcommand(rest, &["-n", "--name", "--with", "--extra", "--group"]) {
        Some(at) => Found::Command(start + at),
        None => Found::Classes(Vec::new()),
    }
}

fn pip(sub: &str, args: &[&str]) -> Found {
    let own = |at: usize| {
        let file = at > 0 && matches!(args[at - 1], "-r" | "-c" | "-f" | "--requirement");
        let a = args[at];
        let place = a == "." || a.starts_with("./") || a.starts_with(".[") || a.starts_with('/');
        !file && place
    };
    let no_deps = args
        .iter()
        .any(|a| matches!(*a, "--no-deps" | "--no-dependencies"));
    Found::Classes(match sub {
        "install" | "wheel" if no_deps && (0..args.len()).any(own) => vec![LightBuild],
        "install" | "wheel" | "download" | "sync" => vec![Install],
        _ => Vec::new(),
    })
}

fn setup_py(sub: &str) -> Found {
    Found::Classes(match sub {
        "build_ext" => vec![Build],
        "install" | "develop" | "build" | "bdist_wheel" | "sdist" => vec![LightBuild],
        _ => Vec::new(),
    })
}

fn composer(sub: &str, next: &str) -> Found {
    Found::Classes(match (sub, next) {
        ("install" | "i" | "update" | "require" | "create-project", _) => vec![Install],
        ("global", "install" | "require" | "update") => vec![Install],
        ("dump-autoload" | "dumpautoload", _) => vec![LightBuild],
        _ => Vec::new(),
    })
}

/// npm, yarn, pnpm, bun, lerna.
fn node(name: &str, args: &[&str]) -> Found {
    const VALUES: &[&str] = &[
        "--prefix",
        "-C",
        "--dir",
        "--cwd",
        "--filter",
        "-F",
        "--workspace",
        "-w",
        "--loglevel",
        "--registry",
        "--cache",
        "--store-dir",
        "--scope",
        "--network-timeout",
        "--mutex",
    ];
    let Some(at) = subcommand(args, VALUES) else {
        let asks = args
            .iter()
            .any(|a| matches!(*a, "--version" | "-v" | "--help"));
        let classes = if name == "yarn" && !asks {
            vec![Install]
        } else {
            Vec::new()
        };
        return Found::Classes(classes);
    };
    let next = subcommand(&args[at + 1..], VALUES).map(|n| at + 1 + n);
    let install = Found::Classes(vec![Install]);
    match (name, args[at]) {
        (_, "install" | "i" | "add" | "ci" | "update" | "upgrade") => install,
        ("npm", "install-clean" | "clean-install" | "install-ci-test" | "cit" | "it") => install,
        ("pnpm", "fetch" | "deploy") | ("lerna", "bootstrap") => install,
        ("yarn", "global") => Found::Classes(
            next.filter(|n| args[*n] == "add")
                .map(|_| Install)
                .into_iter()
                .collect(),
        ),
        ("yarn", "workspaces") if next.is_some_and(|n| args[n] == "focus") => install,
        // `yarn workspace name task`
        ("yarn", "workspace") => node(name, args.get(at + 2..).unwrap_or_default()),
        ("yarn", "workspaces") => {
            script(args, args.iter().position(|a| *a == "run").map(|r| r + 1))
        }
        (_, "run" | "run-script") => script(args, next),
        (_, "exec" | "x" | "dlx") => next.map_or(Found::Classes(Vec::new()), Found::Command),
        ("bun", "build") => Found::Classes(vec![Build]),
        ("npm" | "lerna", _) => Found::Classes(Vec::new()),
        (
            "yarn" | "pnpm" | "bun",
            "cache" | "config" | "set" | "store" | "link" | "pack" | "prune",
        ) => Found::Classes(Vec::new()),
        // `yarn build` is the script, `yarn tsc` the program of a dependency.
        _ => match script(args, Some(at)) {
            Found::Classes(classes) if classes.is_empty() => Found::Command(at),
            found => found,
        },
    }
}

/// The class of a package's own script, by its name.
fn script(args: &[&str], at: Option<usize>) -> Found {
    let name = at.and_then(|at| args.get(at)).copied().unwrap_or("");
    let has = |parts: &[&str]| parts.iter().any(|p| name.contains(p));
    Found::Classes(
        if has(&["build", "compile", "bundle", "dist", "webpack", "tsc"]) {
            vec![Build]
        } else if has(&["generate", "codegen", "prisma"]) {
            vec![LightBuild]
        } else {
            Vec::new()
        },
    )
}

/// Goals of Maven and tasks of Gradle.
fn java(name: &str, args: &[&str]) -> Vec<Class> {
    let maven = name.starts_with("mvn");
    let mut out = Vec::new();
    let mut excluded = false;
    for arg in args {
        if std::mem::take(&mut excluded) || arg.starts_with('-') {
            excluded = !maven && matches!(*arg, "-x" | "--exclude-task" | "-p" | "-b");
            continue;
        }
        if maven {
            match *arg {
                "package"
                | "install"
                | "verify"
                | "compile"
                | "test-compile"
                | "test"
                | "deploy"
                | "process-classes"
                | "spring-boot:repackage"
                | "native:compile" => out.push(Build),
                goal if goal.contains("dependency") || goal.contains("go-offline") => {
                    out.push(Install);
                }
                _ => {}
            }
            continue;
        }
        let task = arg.rsplit(':').next().unwrap_or(arg);
        let starts = |parts: &[&str]| parts.iter().any(|p| task.starts_with(p));
        if matches!(task, "dependencies" | "deps") || starts(&["resolve", "download"]) {
            out.push(Install);
        } else if matches!(
            task,
            "jar" | "war" | "classes" | "test" | "check" | "stage" | "clean build"
        ) || starts(&[
            "build",
            "assemble",
            "boot",
            "shadow",
            "fat",
            "uber",
            "install",
            "dist",
            "publish",
            "compile",
            "nativeCompile",
            "bundle",
        ]) {
            out.push(Build);
        }
    }
    out
}
