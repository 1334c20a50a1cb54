//! What kind of work a command is, from its words alone.
//!
//! Goes in: words, wrappers such as `sudo` and `env` included. Comes out: a class, or none for
//! commands of no particular kind. A table: it only prices a step and is in no proof.

use super::Class;

/// Words that run the words behind them.
const WRAPPERS: [&str; 12] =
    ["sudo", "env", "time", "nice", "exec", "command", "xargs", "corepack", "npx", "bunx", "nohup", "timeout"];

/// The class of one simple command.
pub fn classify(words: &[String]) -> Option<Class> {
    let mut words = words;
    while let Some(first) = words.first() {
        let wrapper = WRAPPERS.contains(&base(first));
        let assignment = first.split_once('=').is_some_and(|(n, _)| !n.is_empty() && n.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
        let number = words.len() > 1 && first.bytes().all(|b| b.is_ascii_digit());
        if !(wrapper || assignment || number) {
            break;
        }
        words = &words[1..];
        while words.first().is_some_and(|w| w.starts_with('-')) {
            words = &words[1..];
        }
    }
    let (name, args) = words.split_first()?;
    let name = base(name);
    if name.starts_with("python") {
        return match args {
            [m, module, rest @ ..] if m == "-m" => tool(module, rest),
            _ if has(args, &["collectstatic", "compilemessages"]) => Some(Class::LightBuild),
            _ => None,
        };
    }
    tool(name, args)
}

fn base(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

fn has(args: &[String], any: &[&str]) -> bool {
    args.iter().any(|a| any.contains(&a.as_str()))
}

/// The first word that is no flag.
fn verb(args: &[String]) -> &str {
    args.iter().find(|a| !a.starts_with('-')).map_or("", String::as_str)
}

fn builds(args: &[String]) -> bool {
    args.iter().any(|a| {
        let a = a.rsplit(':').next_back().unwrap_or(a);
        ["build", "compile", "bundle", "dist", "prod", "production"].iter().any(|b| a == *b || a.starts_with(&format!("{b}:")) || a.starts_with(&format!("{b}-")))
    })
}

fn tool(name: &str, args: &[String]) -> Option<Class> {
    let verb = verb(args);
    let pick = |yes: bool, class: Class| yes.then_some(class);
    match name {
        "apt" | "apt-get" | "aptitude" | "dnf" | "yum" | "microdnf" | "tdnf" => {
            pick(has(args, &["install", "upgrade", "dist-upgrade", "full-upgrade", "groupinstall", "build-dep"]), Class::SystemPackages)
        }
        "apk" => pick(has(args, &["add", "upgrade"]), Class::SystemPackages),
        "zypper" => pick(has(args, &["install", "in", "update", "up"]), Class::SystemPackages),
        "pacman" => pick(args.iter().any(|a| a.starts_with("-S")), Class::SystemPackages),
        "npm" => match verb {
            "ci" | "install" | "i" | "add" | "clean-install" => Some(Class::Install),
            "run" | "run-script" => pick(builds(args), Class::Build),
            _ => None,
        },
        "yarn" => match verb {
            "" | "install" | "add" => Some(Class::Install),
            _ => pick(builds(args), Class::Build),
        },
        "pnpm" | "bun" => {
            if has(args, &["install", "i", "add", "fetch"]) {
                Some(Class::Install)
            } else {
                pick(builds(args), Class::Build)
            }
        }
        "pip" | "pip2" | "pip3" => match verb {
            "install" if has(args, &["--no-deps"]) && local(args) => Some(Class::LightBuild),
            "install" | "download" | "wheel" => Some(Class::Install),
            _ => None,
        },
        "uv" => match verb {
            "sync" => Some(Class::Install),
            "pip" => tool("pip", args.split_first()?.1),
            _ => None,
        },
        "poetry" | "pipenv" | "pdm" => pick(matches!(verb, "install" | "sync"), Class::Install),
        "conda" | "mamba" | "micromamba" => {
            pick(has(args, &["install", "create", "update", "env"]), Class::Install)
        }
        "bundle" | "bundler" => match verb {
            "install" | "" => Some(Class::Install),
            "exec" => tool("rake", args),
            _ => None,
        },
        "gem" => pick(verb == "install", Class::Install),
        "composer" => pick(matches!(verb, "install" | "require" | "update"), Class::Install),
        "go" => match verb {
            "mod" => pick(has(args, &["download"]), Class::Install),
            "get" => Some(Class::Install),
            "build" | "install" | "test" => Some(Class::Build),
            "generate" => Some(Class::LightBuild),
            _ => None,
        },
        "cargo" | "cross" => match verb {
            "fetch" => Some(Class::Install),
            "chef" => pick(has(args, &["cook"]), Class::Build),
            _ => pick(has(args, &["build", "b", "install", "rustc", "auditable"]), Class::Build),
        },
        "mvn" | "mvnw" => {
            if args.iter().any(|a| a.starts_with("dependency:")) {
                Some(Class::Install)
            } else {
                pick(has(args, &["package", "install", "compile", "verify", "deploy"]), Class::Build)
            }
        }
        "gradle" | "gradlew" => {
            let task = |a: &String| a.rsplit(':').next().unwrap_or("").to_lowercase();
            if args.iter().any(|a| task(a) == "dependencies") {
                Some(Class::Install)
            } else {
                let any = ["build", "assemble", "jar", "install", "publish", "compile", "distribution", "war"];
                pick(args.iter().any(|a| !a.starts_with('-') && any.iter().any(|w| task(a).contains(w))), Class::Build)
            }
        }
        "dotnet" => match verb {
            "restore" => Some(Class::Install),
            "build" | "publish" => Some(Class::Build),
            _ => None,
        },
        "mix" => {
            if has(args, &["deps.get", "local.hex", "archive.install"]) && has(args, &["deps.get"]) {
                Some(Class::Install)
            } else {
                pick(has(args, &["compile", "release", "deps.compile", "assets.deploy", "phx.digest"]), Class::Build)
            }
        }
        "sbt" => {
            if verb == "update" {
                Some(Class::Install)
            } else {
                pick(!verb.is_empty(), Class::Build)
            }
        }
        "rake" | "rails" => pick(args.iter().any(|a| a.contains("assets:precompile")), Class::Build),
        "manage.py" | "django-admin" => pick(has(args, &["collectstatic", "compilemessages"]), Class::LightBuild),
        "make" | "gmake" | "ninja" | "meson" | "configure" | "gcc" | "g++" | "cc" | "c++" | "clang" | "clang++" | "rustc"
        | "tsc" | "webpack" | "vite" | "rollup" | "esbuild" | "parcel" | "javac" | "msbuild" | "bazel" | "turbo" => Some(Class::Build),
        "cmake" => Some(Class::Build),
        "next" | "nuxt" | "ng" | "gatsby" | "nx" => pick(builds(args), Class::Build),
        "protoc" | "buf" | "sqlc" | "swag" => Some(Class::LightBuild),
        _ => None,
    }
}

fn local(args: &[String]) -> bool {
    args.iter().any(|a| a == "." || a.starts_with("./") || a == "-e" || a == "--editable")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table() {
        for (line, class) in [
            ("apt-get install -y wget", Some(Class::SystemPackages)),
            ("apt-get update", None),
            ("apk add --no-cache curl", Some(Class::SystemPackages)),
            ("npm ci --omit=dev", Some(Class::Install)),
            ("npm run build:prod", Some(Class::Build)),
            ("npm test", None),
            ("NODE_ENV=production yarn", Some(Class::Install)),
            ("corepack yarn build", Some(Class::Build)),
            ("python3 -m pip install -r r.txt", Some(Class::Install)),
            ("pip install --no-deps -e .", Some(Class::LightBuild)),
            ("uv pip install x", Some(Class::Install)),
            ("go mod download", Some(Class::Install)),
            ("go build ./...", Some(Class::Build)),
            ("cargo chef cook --release", Some(Class::Build)),
            ("cargo chef prepare", None),
            ("./mvnw -B package", Some(Class::Build)),
            ("mvn dependency:go-offline", Some(Class::Install)),
            ("./gradlew :app:bootJar", Some(Class::Build)),
            ("sudo make -j4", Some(Class::Build)),
            ("timeout 60 npm ci", Some(Class::Install)),
            ("bundle exec rake assets:precompile", Some(Class::Build)),
            ("python manage.py collectstatic", Some(Class::LightBuild)),
            ("echo apt-get install", None),
        ] {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            assert_eq!(classify(&words), class, "{line}");
        }
    }
}
