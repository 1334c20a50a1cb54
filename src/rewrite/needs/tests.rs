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
