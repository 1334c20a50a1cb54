use super::super::{Command, Memory};
use super::prefetch;

fn of(line: &str, files: &[(&str, &str)]) -> String {
    let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    let command = Command {
        tool: &words[0],
        arguments: &words[1..],
        dir: "/app",
        variables: &std::collections::BTreeMap::new(),
    };
    match prefetch(&command, &Memory::of(files)) {
        Ok(found) => found.script,
        Err(why) => format!("({why})"),
    }
}

#[test]
fn cargo_fetches_with_empty_sources() {
    let package = ("/app/Cargo.toml", "[package]\nname = \"a\"\n");
    let lock = ("/app/Cargo.lock", "");
    let main = ("/app/src/main.rs", "");
    let one = "mkdir -p src && touch src/main.rs && cargo fetch --locked && rm -r src";
    assert_eq!(
        of("cargo build --release --locked", &[package, lock, main]),
        one
    );
    assert_eq!(
        of(
            "cargo +nightly install --path . --target x86_64-unknown-linux-musl",
            &[package, lock, main]
        ),
        "mkdir -p src && touch src/main.rs && cargo +nightly fetch --target x86_64-unknown-linux-musl --manifest-path \
         ./Cargo.toml && rm -r src"
    );
    let files = [
        ("/app/Cargo.toml", "[workspace]\nmembers = [\"m/*\"]\n"),
        lock,
        (
            "/app/m/b/Cargo.toml",
            "[package]\nname = \"b\"\n[lib]\npath = \"x.rs\"\n",
        ),
        (
            "/app/m/c/Cargo.toml",
            "[package]\nname = \"c\"\n[[bin]]\nname = \"q\"\n",
        ),
        ("/app/m/c/src/bin/q.rs", ""),
        ("/app/m/c/src/lib.rs", ""),
    ];
    assert_eq!(
        of("cargo build -p c", &files),
        "mkdir -p m/c/src m/c/src/bin && touch m/c/src/bin/q.rs m/c/src/lib.rs && cargo fetch && rm -r m/c/src"
    );
    let explicit = (
        "/app/Cargo.toml",
        "[package]\nname = \"a\"\n[[bin]]\nname = \"b\"\npath = \"b.rs\"\n",
    );
    assert_eq!(of("cargo build", &[explicit, lock]), "cargo fetch");
    for line in [
        "cargo test",
        "cargo fetch",
        "cargo install x",
        "cargo build --offline",
    ] {
        assert!(of(line, &[package, lock, main]).starts_with('('), "{line}");
    }
    assert!(
        of("cargo build", &[package, main]).starts_with('('),
        "no lock file"
    );
}

#[test]
fn go_downloads_its_modules() {
    let module = ("/app/go.mod", "module a");
    assert_eq!(of("go build -o /x ./...", &[module]), "go mod download");
    assert_eq!(of("go test ./...", &[module]), "go mod download");
    for line in [
        "go build -mod=vendor .",
        "go install x@v1",
        "go mod download",
        "go build -modfile=x .",
    ] {
        assert!(of(line, &[module]).starts_with('('), "{line}");
    }
    assert!(of("go build .", &[module, ("/app/vendor/modules.txt", "")]).starts_with('('));
}

#[test]
fn dotnet_restores_first() {
    let files = [("/app/a/a.csproj", "<Project/>")];
    assert_eq!(
        of(
            "dotnet publish a/a.csproj -c Release -o /out -r linux-x64 /p:X=1 --self-contained true",
            &files
        ),
        "dotnet restore a/a.csproj -r linux-x64 -p:X=1 -p:Configuration=Release -p:SelfContained=true"
    );
    assert!(of("dotnet build a --no-restore", &files).starts_with('('));
}

#[test]
fn the_others_have_their_downloads() {
    let pom = (
        "/app/pom.xml",
        "<project><artifactId>a</artifactId></project>",
    );
    assert_eq!(
        of("mvn -q package -DskipTests -P x", &[pom]),
        "mvn -B dependency:go-offline -P x -DskipTests"
    );
    let many = (
        "/app/pom.xml",
        "<project><artifactId>a</artifactId><modules><module>b</module></modules></project>",
    );
    let more = (
        "/app/b/pom.xml",
        "<project><artifactId>b</artifactId></project>",
    );
    assert!(of("mvn package", &[many, more]).starts_with('('));
    let gradle = [
        ("/app/settings.gradle", "include 'web'"),
        ("/app/web/build.gradle", ""),
    ];
    assert_eq!(
        of("gradle build -x test", &gradle),
        "gradle --no-daemon dependencies :web:dependencies"
    );
    assert_eq!(
        of("sbt -batch assembly", &[("/app/build.sbt", "")]),
        "sbt -batch update"
    );
    let composer = [
        (
            "/app/composer.json",
            r#"{"scripts":{"post-install-cmd":"x"}}"#,
        ),
        ("/app/composer.lock", "{}"),
    ];
    assert_eq!(
        of("composer install --no-dev -o", &composer),
        "composer install --no-dev --no-scripts --no-autoloader"
    );
    let each = [
        (
            "/app/composer.json",
            r#"{"scripts":{"post-package-install":"x"}}"#,
        ),
        composer[1],
    ];
    assert!(of("composer install", &each).starts_with('('));
    for line in [
        "composer install --no-scripts --no-autoloader",
        "bundle install",
        "npm ci",
        "mix release",
        "yarn build",
    ] {
        assert!(of(line, &composer).starts_with('('), "{line}");
    }
}
