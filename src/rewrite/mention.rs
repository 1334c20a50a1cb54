//! Whether anything in the build context mentions a file or folder.
//!
//! Goes in: names, and the texts of a context. Comes out: for each name the first place that mentions it as a path of the
//! project. Costs one pass over every text. Invariant: a word is judged as a path, so that `docs/x`, `../docs` and `"docs"`
//! count, while `https://x/docs`, `/docs` (a route) and `lib/docs` do not; whole-line comments don't either, nor do files
//! that nothing opens (`live.rs`).

use super::ContextFiles;
use super::live::{Idle, Sleepers};
use aho_corasick::AhoCorasick;
use std::collections::{BTreeMap, BTreeSet};

/// A name that is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// A file's or folder's own name, or a phrase.
    pub text: String,
    /// What counts.
    pub sort: Sort,
}

/// What counts as a mention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// A path that starts at the top of the context.
    Top,
    /// A path with this as its last element, wherever.
    Anywhere,
    /// The phrase itself, between word boundaries.
    Phrase,
    /// The same in a script.
    Command,
    /// The same in a manifest, which names the packages that a build uses.
    Package,
}

/// Texts larger than this are data, not scripts.
const MAX_TEXT: usize = 1 << 20;
/// Texts and bytes that are looked through.
const MAX_TEXTS: usize = 30_000;
const MAX_BYTES: usize = 96 << 20;

/// Where names are mentioned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mentions {
    /// For every name that is mentioned, the first place.
    pub found: BTreeMap<usize, String>,
    /// Names that are mentioned in files that nothing opens, with the sorts of those.
    pub passed_over: BTreeMap<usize, BTreeSet<Idle>>,
}

/// Who mentions which of some names. `skip` says which files of the context do not count, `open` has further texts that a
/// build reads: what they name is opened, what they mention is looked for elsewhere.
///
/// # Errors
/// There is too much to look through.
pub fn mentions(
    files: &dyn ContextFiles,
    names: &[Name],
    homes: &[String],
    skip: &dyn Fn(&str) -> bool,
    open: &[(String, Vec<u8>)],
) -> Result<Mentions, String> {
    let Ok(search) = AhoCorasick::new(names.iter().map(|n| &n.text)) else {
        return Err("there are too many names".to_owned());
    };
    let mut paths = files.below("");
    paths.retain(|p| !skip(p) && is_looked_into(p));
    let sleepers = Sleepers::new(&paths, files);
    let sizes = files.sizes(&paths);
    let mut found = BTreeMap::new();
    // What is mentioned, and who is named, in each of those that may never be opened.
    let mut asleep: Vec<(&String, Idle, BTreeMap<usize, String>)> = Vec::new();
    let mut named: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    let mut awake: BTreeSet<usize> = open
        .iter()
        .flat_map(|(path, text)| sleepers.named_in(path, text))
        .collect();
    let (mut texts, mut bytes) = (0, 0);
    for (path, size) in paths.iter().zip(sizes) {
        if size.is_some_and(|s| s > MAX_TEXT as u64) {
            continue;
        }
        let Some(text) = files.read(path).filter(|t| t.len() <= MAX_TEXT) else {
            continue;
        };
        texts += 1;
        bytes += text.len();
        if texts > MAX_TEXTS || bytes > MAX_BYTES {
            return Err("the build context is too large to be looked through".to_owned());
        }
        if text.iter().take(8000).any(|b| *b == 0) {
            continue;
        }
        let names_others = sleepers.named_in(path, &text);
        let idle = sleepers.of(path);
        // A test may start scripts, and no script is taken for idle because a test is.
        match idle {
            Some(Idle::Script) => {
                named.insert(path.clone(), names_others);
            }
            _ => awake.extend(names_others),
        }
        match idle {
            Some(why) => {
                let mut own = BTreeMap::new();
                in_text(&search, names, homes, path, &text, &mut own);
                asleep.push((path, why, own));
            }
            None => in_text(&search, names, homes, path, &text, &mut found),
        }
        if found.len() == names.len() {
            break;
        }
    }
    let opened = sleepers.opened(awake, &named);
    let mut passed_over: BTreeMap<usize, BTreeSet<Idle>> = BTreeMap::new();
    for (path, why, own) in asleep {
        for (index, place) in own {
            if opened.contains(path) {
                found.entry(index).or_insert(place);
            } else {
                passed_over.entry(index).or_default().insert(why);
            }
        }
    }
    Ok(Mentions { found, passed_over })
}

/// The same for one text, as that of a RUN.
pub fn in_one(
    names: &[Name],
    homes: &[String],
    path: &str,
    text: &[u8],
    found: &mut BTreeMap<usize, String>,
) {
    if let Ok(search) = AhoCorasick::new(names.iter().map(|n| &n.text)) {
        in_text(&search, names, homes, path, text, found);
    }
}

fn in_text(
    search: &AhoCorasick,
    names: &[Name],
    homes: &[String],
    path: &str,
    text: &[u8],
    found: &mut BTreeMap<usize, String>,
) {
    let script = is_script(path);
    let file = path.rsplit('/').next().unwrap_or(path);
    for hit in search.find_overlapping_iter(text) {
        let index = hit.pattern().as_usize();
        if found.contains_key(&index) {
            continue;
        }
        let name = &names[index];
        let (start, end) = (hit.start(), hit.end());
        let boundary = |b: Option<&u8>| b.is_none_or(|b| !b.is_ascii_alphanumeric() && *b != b'_');
        let counts = match name.sort {
            Sort::Package if !is_manifest(file) => false,
            Sort::Command if !script || file.contains(".json") || file.contains(".y") => false,
            Sort::Phrase | Sort::Package | Sort::Command => {
                boundary(start.checked_sub(1).map(|i| &text[i])) && boundary(text.get(end))
            }
            sort => is_path(text, start, end, &name.text, sort, homes, script),
        };
        if counts && !is_comment(text, start) && !is_metadata(file, text, start, name.sort) {
            let line = text[..start].iter().filter(|b| **b == b'\n').count() + 1;
            found.insert(index, format!("{path}:{line}"));
        }
    }
}

/// Whether the word around a hit is a path with this name in it.
fn is_path(
    text: &[u8],
    start: usize,
    end: usize,
    name: &str,
    sort: Sort,
    homes: &[String],
    script: bool,
) -> bool {
    const LONGEST: usize = 512;
    let part = |b: &u8| b.is_ascii_alphanumeric() || b"_./-@+~${}:*?%\\".contains(b);
    let left = text[..start]
        .iter()
        .rev()
        .take(LONGEST)
        .take_while(|b| part(b))
        .count();
    let right = text[end..]
        .iter()
        .take(LONGEST)
        .take_while(|b| part(b))
        .count();
    let (from, to) = (start - left, end + right);
    let word = String::from_utf8_lossy(&text[from..to]).replace('\\', "/");
    if word.contains("://") || word.contains('@') && word.contains('.') && !word.contains('/') {
        return false;
    }
    let inner = homes.iter().find_map(|h| {
        let rest = word.strip_prefix(h.as_str())?.strip_prefix('/')?;
        Some(rest.to_owned())
    });
    // `$(ROOT)/docs` goes on from a variable.
    let goes_on = from.checked_sub(1).is_some_and(|i| text[i] == b')');
    let absolute = inner.is_none() && !goes_on && word.starts_with('/');
    let rest = inner.clone().unwrap_or_else(|| word.to_string());
    let rest = rest.trim_end_matches([':', '.', ',']);
    let elements: Vec<&str> = rest
        .split(['/', ':', '='])
        .filter(|e| !e.is_empty())
        .collect();
    if sort == Sort::Anywhere {
        return elements.contains(&name);
    }
    let at_top = elements
        .iter()
        .find(|e| {
            !matches!(**e, "." | ".." | "**" | "*" | "@" | "~" | "#")
                && !e.contains('$')
                && !e.contains('{')
        })
        .is_some_and(|e| *e == name);
    let quoted = |i: Option<&u8>| i.is_some_and(|b| b"\"'`".contains(b));
    let alone = rest == name;
    let in_quotes = quoted(from.checked_sub(1).map(|i| &text[i])) && quoted(text.get(to));
    !absolute && at_top && (!alone || in_quotes || script || inner.is_some())
}

/// Whether a hit lies in a line that is a comment.
pub(super) fn is_comment(text: &[u8], at: usize) -> bool {
    let start = text[..at]
        .iter()
        .rposition(|b| *b == b'\n')
        .map_or(0, |i| i + 1);
    let line = text[start..at].trim_ascii_start();
    let starts = |p: &[u8]| line.starts_with(p);
    let code = ["#include", "#[", "#!", "//go:", "*/", "# syntax"]
        .iter()
        .any(|c| starts(c.as_bytes()));
    !code
        && [&b"//"[..], b"#", b"*", b"/*", b"<!--"]
            .iter()
            .any(|p| starts(p))
}

/// Whether a hit lies in a line of a manifest that says what a package for others holds, or what it is about: no build of
/// the program reads that.
fn is_metadata(file: &str, text: &[u8], at: usize, sort: Sort) -> bool {
    let start = text[..at]
        .iter()
        .rposition(|b| *b == b'\n')
        .map_or(0, |i| i + 1);
    let end = text[at..]
        .iter()
        .position(|b| *b == b'\n')
        .map_or(text.len(), |i| at + i);
    let line = String::from_utf8_lossy(&text[start..end]);
    let line = line.trim();
    let key = line.split('=').next().unwrap_or_default().trim();
    match (file, sort) {
        ("Cargo.toml", Sort::Anywhere) => !line.contains("path") && key != "build",
        ("Cargo.toml", Sort::Top) => {
            matches!(
                key,
                "include" | "exclude" | "readme" | "documentation" | "license-file"
            ) || line.contains("file=")
                || line.contains("file =")
        }
        // An entry of `files`.
        ("package.json", Sort::Anywhere) => line.starts_with('"') && !line.contains(':'),
        ("package.json", Sort::Phrase) => ["\"type\"", "\"url\"", "\"repository\"", "\"homepage\""]
            .iter()
            .any(|k| line.starts_with(k)),
        _ => false,
    }
}

/// Files that name the packages a project is built with.
fn is_manifest(name: &str) -> bool {
    let ends = [
        ".gradle",
        ".gradle.kts",
        ".sbt",
        ".csproj",
        ".fsproj",
        ".props",
        ".targets",
        ".gemspec",
        ".toml",
        ".cfg",
        ".exs",
    ];
    ends.iter().any(|e| name.ends_with(e))
        || name.starts_with("requirements")
        || [
            "package.json",
            "pom.xml",
            "setup.py",
            "Pipfile",
            "Gemfile",
            "build.rs",
            "libs.versions.toml",
        ]
        .contains(&name)
}

/// Files whose words are commands: a name alone is a path there.
pub(super) fn is_script(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    let ends = [
        ".xml", ".yml", ".yaml", ".json", ".sln", ".slnx", ".sh", ".bash", ".mk", ".mak", ".cmake",
        ".ninja", ".in", ".just", ".bat", ".ps1",
    ];
    ends.iter().any(|e| name.ends_with(e))
        || [
            "makefile",
            "justfile",
            "rakefile",
            "dockerfile",
            "gnumakefile",
            "cmakelists.txt",
            "earthfile",
            "magefile.go",
            "taskfile.yml",
        ]
        .contains(&name.as_str())
        || !name.contains('.')
}

/// Documents, data and what tools wrote are not run and not compiled.
pub(super) fn is_looked_into(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    const DATA: &[&str] = &[
        "md", "mdx", "rst", "adoc", "png", "jpg", "jpeg", "gif", "svg", "ico", "webp", "woff",
        "woff2", "ttf", "otf", "eot", "mp3", "mp4", "webm", "pdf", "zip", "gz", "tgz", "xz", "bz2",
        "jar", "lock", "map", "po", "pot", "mo", "csv", "tsv", "ftl", "snap", "sum", "wasm", "pyc",
        "exe", "dll", "so", "a", "bin", "class", "key", "pem", "crt", "sql", "rtf", "xlf", "xliff",
        "arb", "strings",
    ];
    // Settings of linters, of assistants and of what starts containers.
    const NO_BUILD: &[&str] = &[
        ".coderabbit.yaml",
        ".coderabbit.yml",
        "reuse.toml",
        "tiltfile",
        "skaffold.yaml",
        ".typos.toml",
        "_typos.toml",
        "typos.toml",
        "lychee.toml",
        ".lycheeignore",
        ".markdownlint.json",
        ".markdownlint.yaml",
        ".markdownlint.yml",
        ".yamllint",
        ".yamllint.yml",
        "cspell.json",
        ".cspell.json",
        ".gitpod.yml",
        "vagrantfile",
        "sonar-project.properties",
        ".readthedocs.yaml",
        ".readthedocs.yml",
        ".gitmodules",
        "codecov.yml",
        "renovate.json",
        ".release-please-manifest.json",
        "release-please-config.json",
        ".releaserc",
        ".releaserc.json",
        "cliff.toml",
        ".goreleaser.yml",
        ".goreleaser.yaml",
        "deny.toml",
    ];
    const LOCKS: &[&str] = &[
        "package-lock.json",
        "npm-shrinkwrap.json",
        "pnpm-lock.yaml",
        "composer.lock",
        "license",
        "licence",
        "copying",
        "authors",
        "notice",
    ];
    if name.ends_with("ignore") || NO_BUILD.contains(&name.as_str()) {
        return false;
    }
    let ending = name.rsplit_once('.').map_or("", |(_, e)| e);
    let translated = [
        "/locales/",
        "/locale/",
        "/i18n/",
        "/translations/",
        "/lang/",
    ];
    if translated.iter().any(|t| format!("/{path}").contains(t))
        && matches!(ending, "json" | "yml" | "yaml")
    {
        return false;
    }
    let text = ending == "txt" && !name.starts_with("requirements") && name != "cmakelists.txt";
    !text && !DATA.contains(&ending) && !LOCKS.contains(&name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, file: &str, name: &str, sort: Sort) -> bool {
        let names = [Name {
            text: name.to_owned(),
            sort,
        }];
        let mut out = BTreeMap::new();
        in_one(
            &names,
            &["/app".to_owned()],
            file,
            text.as_bytes(),
            &mut out,
        );
        !out.is_empty()
    }

    #[test]
    fn words_are_judged_as_paths() {
        for (text, file, counts) in [
            ("x = open('docs/a.json')", "a.py", true),
            ("import x from '../../docs/a'", "a.ts", true),
            ("path.join(root, \"docs\")", "a.js", true),
            ("get('/docs')", "a.js", false),
            ("see https://e.org/docs/a", "a.js", false),
            ("lib/docs/a", "a.js", false),
            ("the docs are here", "a.js", false),
            ("\tcp -r docs /out", "Makefile", true),
            ("// see docs/a.md", "a.js", false),
            ("#include \"docs/a.h\"", "a.c", true),
            ("cp -r /app/docs /out", "x.sh", true),
            ("$(ROOT)/docs/x", "Makefile", true),
            ("mydocs/x docs-old/x", "x.sh", false),
            ("${ROOT}/docs", "x.sh", true),
        ] {
            assert_eq!(found(text, file, "docs", Sort::Top), counts, "{text}");
        }
        for (text, counts) in [
            ("include_str!(\"../README.md\")", true),
            ("a/b/README.md", true),
            ("OTHER_README.md", false),
        ] {
            assert_eq!(
                found(text, "a.rs", "README.md", Sort::Anywhere),
                counts,
                "{text}"
            );
        }
        assert!(found(
            "x = `git describe`",
            "a.mk",
            "git describe",
            Sort::Phrase
        ));
        assert!(!found(
            "legit describe",
            "a.mk",
            "git describe",
            Sort::Phrase
        ));
    }
}
