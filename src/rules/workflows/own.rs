//! Images that the project itself makes.
//!
//! Goes in: the name of an image, and workflows, scripts and pages of the project. Comes out: whether one of those makes it. Cost: the lines of those
//! files, asked only for bases that are named by tag. Invariant: a file that only runs an image does not make it.

use super::ci;
use crate::rules::Project;

/// Files at the top of a project that are looked at, and the bytes of one.
const MOST_FILES: usize = 100;
const MOST_BYTES: usize = 256 << 10;

/// Whether an image is the project's own: a workflow names it, and not to run it, or a script or page at the top builds it under that name.
pub fn is_own_image(project: &Project<'_>, reference: &str) -> bool {
    let name = reference.split('@').next().unwrap_or(reference);
    let (folder, last) = name.rsplit_once('/').unwrap_or(("", name));
    let last = last.split(':').next().unwrap_or(last);
    if last.is_empty() {
        return false;
    }
    // The registry is often put before it in another line.
    let owner = match folder.split_once('/') {
        Some((host, rest)) if host.contains(['.', ':']) => rest,
        _ => folder,
    };
    let path = match owner {
        "" => last.to_owned(),
        owner => format!("{owner}/{last}"),
    };
    let published = !owner.is_empty()
        && !owner.contains('.')
        && lines(&ci(project).texts).any(|l| names(l, &path) && !runs(l));
    published || built_beside(project, &path)
}

fn lines(texts: &[String]) -> impl Iterator<Item = &str> {
    let all = texts.iter().flat_map(|t| t.lines());
    all.filter(|l| !l.trim_start().starts_with('#'))
}

/// Whether a line has the name as a word, with a registry before it or none.
fn names(line: &str, path: &str) -> bool {
    let in_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '/');
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let behind = line[at + path.len()..].chars().next();
        let host = before == Some('/') && !line[..at].ends_with("//");
        (host || !before.is_some_and(in_name)) && !behind.is_some_and(in_name)
    })
}

/// Whether a line takes an image that is there.
fn runs(line: &str) -> bool {
    const USES: [&str; 6] = [
        "image:",
        "container:",
        "docker://",
        "docker run",
        "docker pull",
        "FROM ",
    ];
    USES.iter().any(|u| line.contains(u))
}

/// Whether a script, a Makefile or a page at the top says `build … -t NAME`.
fn built_beside(project: &Project<'_>, path: &str) -> bool {
    let is_one = |f: &String| {
        let text = [".md", ".sh", ".mk"].iter().any(|e| f.ends_with(e));
        text || matches!(f.as_str(), "Makefile" | "justfile" | "Justfile")
    };
    let files = project.files.below("").into_iter().filter(is_one);
    let texts = files
        .take(MOST_FILES)
        .filter_map(|f| project.files.read(&f));
    let texts = texts.filter(|t| t.len() <= MOST_BYTES);
    texts.filter_map(|t| String::from_utf8(t).ok()).any(|text| {
        let mut built = text.lines().filter(|l| l.contains("build"));
        built.any(|l| {
            let tagged = ["-t ", "--tag ", "--tag="].iter().any(|t| l.contains(t));
            tagged && names(l, path)
        })
    })
}
