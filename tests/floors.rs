//! The module map of `docs/architecture.md`, checked: no module uses one on a higher floor.

use std::path::{Path, PathBuf};

/// Module, floor, and modules of the same floor that it may use.
const FLOORS: [(&str, u8, &[&str]); 22] = [
    ("source", 0, &[]),
    ("diagnostic", 0, &["source"]),
    ("dockerfile", 1, &[]),
    ("shell", 1, &[]),
    ("disk", 1, &[]),
    ("pattern", 1, &[]),
    ("footprint", 2, &[]),
    ("plan", 2, &["footprint"]),
    ("project", 3, &[]),
    ("context", 3, &[]),
    ("history", 3, &[]),
    ("image", 3, &[]),
    ("cost", 3, &["image"]),
    ("simulate", 4, &[]),
    ("layers", 4, &["simulate"]),
    ("rewrite", 5, &[]),
    ("optimize", 5, &["rewrite"]),
    ("rules", 5, &["rewrite"]),
    ("verify", 5, &[]),
    ("report", 6, &[]),
    ("cli", 7, &[]),
    ("lsp", 7, &["cli"]),
];

fn files(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).expect("src is readable") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

fn floor(module: &str) -> Option<(u8, &'static [&'static str])> {
    FLOORS
        .iter()
        .find(|(m, _, _)| *m == module)
        .map(|(_, f, same)| (*f, *same))
}

/// Modules named behind `crate::` in a text.
fn used(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    for part in text.split("crate::").skip(1) {
        if let Some(list) = part.strip_prefix('{') {
            let list = list.split('}').next().unwrap_or_default();
            out.extend(
                list.split(',')
                    .map(|m| m.trim().split("::").next().unwrap_or_default().to_owned()),
            );
        } else {
            out.push(
                part.chars()
                    .take_while(|c| c.is_ascii_lowercase() || *c == '_')
                    .collect(),
            );
        }
    }
    out.retain(|m| floor(m).is_some());
    out
}

#[test]
fn no_module_uses_a_higher_floor() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = Vec::new();
    files(&src, &mut all);
    assert!(all.len() > 40, "src was not found");
    let mut wrong = Vec::new();
    for file in all {
        let relative = file.strip_prefix(&src).expect("below src");
        let first = relative
            .components()
            .next()
            .expect("a name")
            .as_os_str()
            .to_string_lossy()
            .into_owned();
        let module = first.trim_end_matches(".rs").to_owned();
        if module == "lib" || module == "main" {
            continue;
        }
        let (own, same) = floor(&module).unwrap_or_else(|| panic!("{module} is not in the map"));
        for other in used(&std::fs::read_to_string(&file).expect("readable")) {
            let (theirs, _) = floor(&other).expect("kept only known ones");
            let allowed =
                other == module || theirs < own || theirs == own && same.contains(&other.as_str());
            if !allowed {
                wrong.push(format!("{} uses {other}", relative.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_reader_of_use_lines_sees_both_forms() {
    assert_eq!(
        used("use crate::plan::Plan; use crate::{source, cost::X};"),
        ["plan", "source", "cost"]
    );
}
