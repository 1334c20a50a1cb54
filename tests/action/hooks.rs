//! `.pre-commit-hooks.yaml`: which files the hooks take.

use crate::runner::yaml;
use regex::Regex;

#[test]
fn hooks_take_dockerfiles_by_all_their_names() {
    let hooks = yaml(".pre-commit-hooks.yaml");
    let hooks = hooks.as_array().expect("hooks");
    let ids: Vec<&str> = hooks.iter().filter_map(|h| h["id"].as_str()).collect();
    assert_eq!(
        ids,
        ["cacheplan-check", "cacheplan-check-system", "cacheplan-fix"]
    );
    for hook in hooks {
        let pattern = |key: &str| Regex::new(hook[key].as_str().expect(key)).expect("a pattern");
        let (files, exclude) = (pattern("files"), pattern("exclude"));
        let takes = |name: &str| files.is_match(name) && !exclude.is_match(name);
        for name in [
            "Dockerfile",
            "a/Dockerfile",
            "Dockerfile.dev",
            "web.Dockerfile",
            "web.dockerfile",
            "Containerfile",
            "b/Containerfile.arm",
            "x.Containerfile",
        ] {
            assert!(takes(name), "{name}");
        }
        for name in [
            "Dockerfile.dockerignore",
            ".dockerignore",
            "a/web.Dockerfile.dockerignore",
            "NotADockerfile",
            "Dockerfiles/a.txt",
            "Containerfile.dockerignore",
        ] {
            assert!(!takes(name), "{name}");
        }
    }
}
