use super::*;

/// Files in memory, those that start with `-> ` links.
struct Linked(Memory);

impl Project for Linked {
    fn is_file(&self, path: &str) -> bool {
        self.0.is_file(path)
    }

    fn read(&self, path: &str) -> Option<Vec<u8>> {
        let bytes = self.0.read(path)?;
        Some(
            bytes
                .strip_prefix(b"-> ")
                .map(<[u8]>::to_vec)
                .unwrap_or(bytes),
        )
    }

    fn below(&self, dir: &str) -> Vec<String> {
        self.0.below(dir)
    }

    fn is_link(&self, path: &str) -> bool {
        self.0.read(path).is_some_and(|b| b.starts_with(b"-> "))
    }
}

#[test]
fn links_lead_to_files_that_are_read_as_well() {
    let build = |target: &str| {
        let arguments = ["build", "-buildvcs=false", "./cmd"].map(str::to_owned);
        let command = Command {
            tool: "go",
            arguments: &arguments,
            dir: "/app",
            variables: &BTreeMap::new(),
        };
        let files = [
            ("/app/go.mod", "module a"),
            ("/app/cmd/main.go", "package main"),
            ("/app/cmd/b.txt", ""),
            ("/app/README.md", ""),
            ("/app/cmd/a.txt", target),
        ];
        of(&command, &Linked(Memory::of(&files)))
    };
    assert!(build("-> b.txt").is_ok());
    assert!(build("-> ../README.md").is_err());
    assert!(build("-> gone").is_err());
}

#[test]
fn a_project_in_a_home_directory_leaves_the_tool_its_files() {
    let files = [("/root/app/go.mod", "module a")];
    let text = shown("go mod download", "/root/app", &files);
    assert!(
        text.contains("/root/go/**") && text.contains("/root/.cache/**"),
        "{text}"
    );
    assert!(
        !shown(
            "go mod download",
            "/rooted",
            &[("/rooted/go.mod", "module a")]
        )
        .contains(".cache")
    );
}

#[test]
fn any_text_in_a_manifest_is_an_answer() {
    let names = [
        "go.mod",
        "go.work",
        "main.go",
        "Cargo.toml",
        "Cargo.lock",
        ".cargo/config.toml",
        "src/main.rs",
        "build.rs",
        "a.sln",
        "a.csproj",
        "Directory.Build.props",
        "nuget.config",
        "Gemfile",
        "Gemfile.lock",
        ".bundle/config",
        "pom.xml",
        ".mvn/extensions.xml",
        ".mvn/maven.config",
        "composer.json",
        "composer.lock",
        "mix.exs",
        "config/config.exs",
        "build.gradle",
        "settings.gradle",
        "build.sbt",
        "project/a.sbt",
    ];
    let lines = [
        "go build .",
        "go mod download",
        "cargo build",
        "cargo fetch",
        "dotnet restore a.sln",
        "dotnet build a.csproj",
        "bundle install",
        "mvn compile",
        "mvn dependency:resolve",
        "composer install",
        "mix deps.get",
        "gradle dependencies",
        "sbt update",
    ];
    let texts = [
        "",
        "\"",
        "'",
        "path",
        "path: 'ä",
        "\u{feff}",
        "=>",
        "replace =>",
        "use (",
        "import (",
        "//go:embed",
        "//go:embed \"",
        "package ä import \"",
        "<a>",
        "<Project><Import Project=\"\"/></Project>",
        "{}",
        "[]",
        "{\"repositories\": 1}",
        "Exists('ä",
        "<Project><A Condition=\"İExists('ä')\"/></Project>",
        "File.read('ä\"",
        "://",
        "include 'ä",
        "$(",
        "[package]",
        "[package]\nname = 1",
        "[workspace]\nmembers = [\"*\"]",
        "<project><modules><module/></modules></project>",
        "<Project><P>$([MSBuild]::GetPathOfFileAbove(</P></Project>",
        "Project(\"",
        "package a\nimport \"\"",
        "module\n",
        "module a\nreplace",
    ];
    for text in texts {
        let files: Vec<(String, &str)> =
            names.iter().map(|n| (format!("/app/{n}"), text)).collect();
        let files: Vec<(&str, &str)> = files.iter().map(|(n, t)| (n.as_str(), *t)).collect();
        for line in lines {
            assert!(!shown(line, "/app", &files).is_empty());
            assert!(!shown(line, "/", &files).is_empty());
        }
    }
}

#[test]
fn files_that_variables_name_are_needed() {
    let files = [
        ("/app/package.json", "{}"),
        ("/app/package-lock.json", "{}"),
        ("/app/pre.js", ""),
        ("/app/certs/ca.crt", ""),
    ];
    let with = |name: &str, value: &str| shown_with("npm ci", "/app", &files, &[(name, value)]);
    let text = with("NODE_OPTIONS", "--require /app/pre.js");
    assert_eq!(text, "(NODE_OPTIONS loads /app/pre.js)");
    assert!(with("NODE_OPTIONS", "-r ./pre.js").starts_with('('));
    assert!(with("NODE_PATH", "/app").starts_with('('));
    let text = with("NODE_EXTRA_CA_CERTS", "/app/certs/ca.crt");
    assert!(text.contains(" /app/certs/ca.crt "), "{text}");
    let text = with("SSL_CERT_DIR", "/app/certs");
    assert!(text.contains(" /app/certs/** "), "{text}");
    let text = with("NODE_OPTIONS", "--max-old-space-size=4096");
    assert!(text.contains("package.json"), "{text}");
    assert_eq!(text, with("APP_HOME", "/app"));
}
