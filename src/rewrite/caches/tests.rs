use super::*;
use crate::footprint::{RunState, of_script};
use crate::rewrite::needs::Memory;

struct Case<'a> {
    line: &'a str,
    image: &'a str,
    variables: &'a [(&'a str, &'a str)],
    files: &'a [(&'a str, &'a str)],
    ids: Option<(u32, u32)>,
}

/// The folders of the last use of a line that keeps something, `*` where objects are in them; or `! ` and the reason.
fn shown(case: &Case<'_>) -> String {
    let own = |(n, v): &(&str, &str)| ((*n).to_owned(), (*v).to_owned());
    let state = RunState {
        cwd: Some("/app".to_owned()),
        user: None,
        vars: case.variables.iter().map(own).collect(),
        homes: Vec::new(),
    };
    let footprint = of_script(case.line, &state);
    let runner = Runner {
        home: Ok(match case.ids {
            None => "/root".to_owned(),
            Some(_) => "/home/node".to_owned(),
        }),
        ids: case.ids,
        assumption: None,
    };
    let files = Memory::of(case.files);
    let one = |used: &Use| {
        let arguments = used.arguments.as_deref()?;
        let found = kept(&Caller {
            used,
            arguments,
            script: case.line,
            image: case.image,
            runner: &runner,
            project: Some(&files),
        })?;
        Some(match found {
            Err(why) => format!("! {why}"),
            Ok(kept) => {
                assert_eq!(name_of(used), Some(kept.tool), "{}", case.line);
                let folder = |f: &Folder| match f.holds {
                    Holds::Downloads => f.path.clone(),
                    Holds::Objects => format!("{}*", f.path),
                };
                let mut words: Vec<String> = kept.folders.iter().map(folder).collect();
                words.extend(kept.off.iter().map(|o| format!("off:{o}")));
                words.extend(kept.locked.then(|| "locked".to_owned()));
                words.extend(kept.later.then(|| "later".to_owned()));
                words.join(" ")
            }
        })
    };
    let all = footprint.uses.iter().filter_map(one).next_back();
    all.unwrap_or_else(|| "nothing".to_owned())
}

fn at(line: &str, image: &str) -> String {
    shown(&Case {
        line,
        image: &format!("docker.io/library/{image}"),
        variables: &[],
        files: &[],
        ids: None,
    })
}

#[test]
fn every_tool_has_its_folder() {
    for (line, image, expected) in [
        ("npm ci", "node", "/root/.npm"),
        ("npm install -g x", "node", "/root/.npm"),
        ("npm run build", "node", "nothing"),
        ("npm ci --cache /c", "node", "/c"),
        ("npm ci --cache=~/c", "node", "/root/c"),
        ("npm ci --cache c", "node", "/app/c"),
        (
            "yarn install --frozen-lockfile",
            "node",
            "/usr/local/share/.cache/yarn locked",
        ),
        ("yarn", "node", "/usr/local/share/.cache/yarn locked"),
        ("yarn build", "node", "nothing"),
        ("yarn install --cache-folder /y", "node", "/y locked"),
        (
            "pnpm install --frozen-lockfile",
            "node",
            "/root/.local/share/pnpm/store",
        ),
        ("pnpm i --store-dir=/s", "node", "/s"),
        ("pnpm fetch --store-dir=/s", "node", "/s later"),
        ("pnpm build", "node", "nothing"),
        ("bun install", "node", "/root/.bun/install/cache"),
        ("pip install -r r.txt", "python", "/root/.cache/pip"),
        (
            "pip3 install --no-cache-dir -r r.txt",
            "python",
            "/root/.cache/pip off:--no-cache-dir",
        ),
        ("python -m pip install --cache-dir /p x", "python", "/p"),
        ("pip list", "python", "nothing"),
        (
            "poetry install --no-root",
            "python",
            "/root/.cache/pypoetry/artifacts /root/.cache/pypoetry/cache",
        ),
        ("uv sync --locked", "python", "/root/.cache/uv"),
        (
            "uv pip install --no-cache x",
            "python",
            "/root/.cache/uv off:--no-cache",
        ),
        ("pipenv install --deploy", "python", "/root/.cache/pipenv"),
        ("go mod download", "golang", "/go/pkg/mod later"),
        (
            "go build ./...",
            "golang",
            "/go/pkg/mod /root/.cache/go-build* later",
        ),
        (
            "go build -mod=vendor .",
            "golang",
            "/root/.cache/go-build* later",
        ),
        (
            "go build .",
            "debian",
            "/root/go/pkg/mod /root/.cache/go-build* later",
        ),
        ("go version", "golang", "nothing"),
        (
            "cargo build --release",
            "rust",
            "/usr/local/cargo/registry /usr/local/cargo/git locked later",
        ),
        (
            "cargo fetch",
            "debian",
            "/root/.cargo/registry /root/.cargo/git locked later",
        ),
        (
            "mvn -B package",
            "maven",
            "/root/.m2/repository locked later",
        ),
        (
            "mvn -Dmaven.repo.local=/m package",
            "maven",
            "/m locked later",
        ),
        (
            "gradle build",
            "gradle",
            "/home/gradle/.gradle/caches locked later",
        ),
        (
            "gradle build --build-cache",
            "eclipse-temurin",
            "/root/.gradle/caches /root/.gradle/caches* locked later",
        ),
        (
            "sbt compile",
            "eclipse-temurin",
            "/root/.cache/coursier /root/.ivy2/cache locked later",
        ),
        (
            "dotnet restore a.csproj",
            "debian",
            "/root/.nuget/packages locked later",
        ),
        ("dotnet restore --packages /n", "debian", "/n locked later"),
        ("composer install --no-dev", "composer", "/tmp/cache"),
        ("mix deps.get", "elixir", "/root/.hex/packages"),
    ] {
        assert_eq!(at(line, image), expected, "{line}");
    }
}

#[test]
fn what_is_not_known_is_a_reason() {
    for (line, image, reason) in [
        ("npm ci --offline", "node", "--offline"),
        ("pnpm install --offline", "node", "--offline"),
        ("uv sync --offline", "python", "--offline"),
        ("uv pip install --link-mode symlink x", "python", "link"),
        ("pip install --no-index x", "python", "--no-index"),
        ("cargo build --offline", "rust", "--offline"),
        ("cargo build --frozen", "rust", "--frozen"),
        ("cargo build", "buildpack", "CARGO_HOME"),
        ("go build .", "buildpack", "GOPATH"),
        ("GOPROXY=off go build .", "golang", "GOPROXY"),
        ("mvn -o package", "maven", "-o"),
        ("mvn install", "maven", "install"),
        ("mvn -s x.xml package", "maven", "settings"),
        ("gradle --offline build", "gradle", "--offline"),
        ("dotnet tool restore", "debian", "tools"),
        ("pnpm add -g x", "node", "global"),
        ("dotnet publish --no-restore", "debian", "--no-restore"),
        ("composer install", "php", "COMPOSER_CACHE_DIR"),
        (
            "export npm_config_cache=/x && npm ci",
            "node",
            "npm_config_cache",
        ),
        ("npm ci --cache", "node", "no value"),
        ("npm ci --cache='/x*'", "node", "stands for"),
    ] {
        let found = at(line, image);
        assert!(
            found.starts_with("! ") && found.contains(reason),
            "{line}: {found}"
        );
    }
}

#[test]
fn variables_and_settings_move_the_folder() {
    for (line, image, variable, expected) in [
        ("npm ci", "node", ("NPM_CONFIG_CACHE", "/v"), "/v"),
        ("npm ci", "node", ("HOME", "/h"), "/h/.npm"),
        ("npm ci", "node", ("XDG_CACHE_HOME", "/x"), "/root/.npm"),
        (
            "yarn install",
            "node",
            ("YARN_CACHE_FOLDER", "/v"),
            "/v locked",
        ),
        (
            "yarn install",
            "node",
            ("XDG_CACHE_HOME", "/x"),
            "/x/yarn locked",
        ),
        (
            "pnpm install",
            "node",
            ("PNPM_HOME", "/pnpm"),
            "/pnpm/store",
        ),
        (
            "pnpm install",
            "node",
            ("XDG_DATA_HOME", "/x"),
            "/x/pnpm/store",
        ),
        ("pnpm install", "node", ("npm_config_store_dir", "/s"), "/s"),
        ("bun install", "node", ("BUN_INSTALL_CACHE_DIR", "/v"), "/v"),
        (
            "bun install",
            "node",
            ("BUN_INSTALL", "/b"),
            "/b/install/cache",
        ),
        ("pip install x", "python", ("PIP_CACHE_DIR", "/v"), "/v"),
        (
            "pip install x",
            "python",
            ("XDG_CACHE_HOME", "/x"),
            "/x/pip",
        ),
        (
            "pip install x",
            "python",
            ("PIP_NO_CACHE_DIR", "0"),
            "! PIP_NO_CACHE_DIR is set",
        ),
        (
            "poetry install",
            "python",
            ("POETRY_CACHE_DIR", "/v"),
            "/v/artifacts /v/cache",
        ),
        ("uv sync", "python", ("UV_CACHE_DIR", "/v"), "/v"),
        (
            "uv sync",
            "python",
            ("UV_NO_CACHE", "1"),
            "! UV_NO_CACHE is set",
        ),
        (
            "uv sync",
            "python",
            ("UV_LINK_MODE", "copy"),
            "/root/.cache/uv",
        ),
        ("pipenv sync", "python", ("PIPENV_CACHE_DIR", "/v"), "/v"),
        (
            "go mod download",
            "golang",
            ("GOPATH", "/g:/h"),
            "/g/pkg/mod later",
        ),
        (
            "go mod download",
            "buildpack",
            ("GOMODCACHE", "/m"),
            "/m later",
        ),
        (
            "go build .",
            "golang",
            ("GOCACHE", "/c"),
            "/go/pkg/mod /c* later",
        ),
        (
            "cargo fetch",
            "buildpack",
            ("CARGO_HOME", "/c"),
            "/c/registry /c/git locked later",
        ),
        (
            "cargo fetch",
            "rust",
            ("CARGO_NET_OFFLINE", "true"),
            "! CARGO_NET_OFFLINE is set",
        ),
        (
            "mvn package",
            "maven",
            ("MAVEN_OPTS", "-Dmaven.repo.local=/x"),
            "! MAVEN_OPTS says something of maven.repo.local",
        ),
        (
            "mvn package",
            "maven",
            ("HOME", "/h"),
            "/root/.m2/repository locked later",
        ),
        (
            "gradle build",
            "gradle",
            ("GRADLE_USER_HOME", "/g"),
            "/g/caches locked later",
        ),
        (
            "sbt compile",
            "node",
            ("COURSIER_CACHE", "/c"),
            "/c /root/.ivy2/cache locked later",
        ),
        (
            "dotnet restore",
            "debian",
            ("NUGET_PACKAGES", "/n"),
            "/n locked later",
        ),
        (
            "composer install",
            "php",
            ("COMPOSER_CACHE_DIR", "/c"),
            "/c",
        ),
        (
            "composer install",
            "php",
            ("COMPOSER_HOME", "/c"),
            "/c/cache",
        ),
        ("mix deps.get", "elixir", ("HEX_HOME", "/h"), "/h/packages"),
        (
            "mix deps.get",
            "elixir",
            ("HEX_OFFLINE", "1"),
            "! HEX_OFFLINE is set",
        ),
    ] {
        let found = shown(&Case {
            line,
            image: &format!("docker.io/library/{image}"),
            variables: &[variable],
            files: &[],
            ids: None,
        });
        assert_eq!(found, expected, "{line} {variable:?}");
    }
}

#[test]
fn files_of_the_project_move_the_folder() {
    let berry = ("/app/package.json", r#"{"packageManager": "yarn@4.5.0"}"#);
    let third = ("/app/package.json", r#"{"packageManager": "yarn@3.6.0"}"#);
    for (line, files, expected) in [
        ("npm ci", &[("/app/.npmrc", "cache=/n\n")][..], "/n"),
        ("npm ci", &[("/app/.npmrc", "fund=false\n")], "/root/.npm"),
        ("npm ci", &[("/root/.npmrc", "cache = '/r'\n")], "/r"),
        ("pnpm install", &[("/app/.npmrc", "store-dir=/s\n")], "/s"),
        (
            "pnpm install",
            &[("/app/pnpm-workspace.yaml", "storeDir: /s\n")],
            "! pnpm-workspace.yaml says something of storeDir",
        ),
        (
            "bun install",
            &[("/app/bunfig.toml", "[install.cache]\ndir = 'x'\n")],
            "! bunfig.toml says something of cache",
        ),
        (
            "yarn install",
            &[berry, ("/app/.yarnrc.yml", "nodeLinker: node-modules\n")],
            "/root/.yarn/berry/cache",
        ),
        (
            "yarn install",
            &[berry],
            "! the project runs from yarn's cache (nodeLinker)",
        ),
        (
            "yarn install",
            &[
                berry,
                (
                    "/app/.yarnrc.yml",
                    "nodeLinker: node-modules\nenableGlobalCache: false\n",
                ),
            ],
            "! yarn's cache is in the project",
        ),
        (
            "yarn install",
            &[
                berry,
                (
                    "/app/.yarnrc.yml",
                    "nodeLinker: node-modules\ncacheFolder: ./c\n",
                ),
            ],
            "! .yarnrc.yml says something of cacheFolder",
        ),
        (
            "yarn install",
            &[third, ("/app/.yarnrc.yml", "nodeLinker: node-modules\n")],
            "! yarn's cache is in the project",
        ),
        (
            "yarn install",
            &[
                third,
                (
                    "/app/.yarnrc.yml",
                    "nodeLinker: node-modules\nenableGlobalCache: true\n",
                ),
            ],
            "/root/.yarn/berry/cache",
        ),
        (
            "yarn install",
            &[("/app/yarn.lock", "__metadata:\n  version: 6\n")],
            "! the project runs from yarn's cache (nodeLinker)",
        ),
        (
            "yarn install",
            &[("/app/yarn.lock", "# yarn lockfile v1\n")],
            "/usr/local/share/.cache/yarn locked",
        ),
        (
            "yarn install",
            &[("/app/.yarnrc", "cache-folder x\n")],
            "! .yarnrc says something of cache-folder",
        ),
        (
            "uv sync",
            &[("/app/pyproject.toml", "[tool.uv]\ncache-dir = './c'\n")],
            "! pyproject.toml says something of cache-dir",
        ),
        (
            "poetry install",
            &[("/app/poetry.toml", "cache-dir = 'x'\n")],
            "! poetry.toml says something of cache-dir",
        ),
        (
            "mvn package",
            &[("/app/.mvn/maven.config", "-Dmaven.repo.local=x\n")],
            "! .mvn/maven.config says something of maven.repo.local",
        ),
        (
            "dotnet restore",
            &[("/nuget.config", "globalPackagesFolder")],
            "! nuget.config says something of globalPackagesFolder",
        ),
        (
            "composer install",
            &[("/app/composer.json", "{\"config\":{\"cache-dir\":\"x\"}}")],
            "! composer.json says something of cache-dir",
        ),
    ] {
        let found = shown(&Case {
            line,
            image: "docker.io/library/composer",
            variables: &[],
            files,
            ids: None,
        });
        assert_eq!(found, expected, "{line} {files:?}");
    }
}

#[test]
fn another_user_has_another_home() {
    for (line, expected) in [
        ("npm ci", "/home/node/.npm"),
        ("yarn install", "/home/node/.cache/yarn locked"),
        ("mvn package", "/home/node/.m2/repository locked later"),
    ] {
        let found = shown(&Case {
            line,
            image: "docker.io/library/node",
            variables: &[],
            files: &[],
            ids: Some((1000, 1000)),
        });
        assert_eq!(found, expected, "{line}");
    }
}
