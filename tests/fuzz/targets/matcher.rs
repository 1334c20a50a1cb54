//! Any ignore file, `--exclude` list and COPY source, on any paths.
//!
//! In: three parts, each ended by a line `%%`: an ignore file, paths, one source; lines of the
//! ignore file serve as `--exclude` values too. Checked: the memo agrees with the plain walk, a
//! deciding pattern has the answer's sign, a selection is a prefix of the path, and for patterns
//! without brackets and escapes a transcription of the walk that tries everything agrees.

#![no_main]

use cacheplan::pattern::{ExcludeRules, IgnoreRules, PathFilter, SourcePattern};
use cacheplan::source::SourceFile;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut parts = split(bytes).into_iter();
    let mut part = || parts.next().unwrap_or_default();
    let (ignore, paths, source) = (part(), part(), part());
    let (rules, diagnostics) = IgnoreRules::parse(&SourceFile::new("x", ignore));
    for label in diagnostics.iter().flat_map(|d| &d.labels) {
        assert!(label.span.start <= label.span.end && label.span.end as usize <= ignore.len());
    }
    let values: Vec<String> = String::from_utf8_lossy(ignore)
        .lines()
        .map(str::to_owned)
        .collect();
    let excludes = ExcludeRules::new(&values);
    let source = SourcePattern::new(&String::from_utf8_lossy(source));
    let list: Vec<(bool, &[u8])> = rules
        .patterns()
        .iter()
        .map(|p| (p.negated, p.body.as_bytes()))
        .collect();
    let comparable = diagnostics.is_empty() && list.iter().all(|(_, p)| is_simple(p));

    let mut filter = PathFilter::new(&rules);
    for path in paths.split(|b| *b == b'\n').filter(|p| is_path(p)).take(64) {
        let ignored = rules.is_ignored(path);
        let (memo, decided_by) = filter.verdict(path);
        assert_eq!(memo, ignored, "memo");
        let by_sign = decided_by.is_some_and(|i| !rules.patterns()[i].negated);
        assert_eq!(by_sign, ignored, "sign");
        if comparable && path.is_ascii() && path.len() < 40 {
            assert_eq!(ignored, walk(&list, path), "reference");
            assert_eq!(
                rules.is_ignored_flat(path),
                step(&list, path, None).0,
                "flat"
            );
        }
        if let Ok(excludes) = &excludes {
            let mut filter = PathFilter::for_excludes(excludes);
            assert_eq!(
                filter.ignored(path),
                excludes.is_excluded(path),
                "exclude memo"
            );
        }
        if let Ok(source) = &source
            && let Some(found) = source.select(path)
        {
            assert!(path.starts_with(found.matched) && path.ends_with(found.relative));
            let slash = usize::from(!found.relative.is_empty() && !found.matched.is_empty());
            assert_eq!(
                found.matched.len() + slash + found.relative.len(),
                path.len()
            );
        }
    }
});

/// The parts between lines `%%`.
fn split(bytes: &[u8]) -> Vec<&[u8]> {
    let mut out = Vec::new();
    let mut start = 0;
    let mut at = 0;
    for line in bytes.split_inclusive(|b| *b == b'\n') {
        if line == b"%%\n" {
            out.push(&bytes[start..at]);
            start = at + line.len();
        }
        at += line.len();
    }
    out.push(&bytes[start..]);
    out
}

/// What a walk can meet: no empty element, no dots.
fn is_path(path: &[u8]) -> bool {
    path.split(|b| *b == b'/')
        .all(|name| !matches!(name, b"" | b"." | b".."))
}

/// Cheap to try in every way, and free of what only regular expressions define.
fn is_simple(pattern: &[u8]) -> bool {
    pattern.len() < 24
        && pattern.iter().filter(|b| **b == b'*').count() <= 6
        && pattern
            .iter()
            .all(|b| (b' '..0x7f).contains(b) && !b"[]\\^".contains(b))
}

fn matches(pattern: &[u8], path: &[u8]) -> bool {
    let special = |text: &[u8]| text.iter().any(|b| b"*?".contains(b));
    // Without another wildcard a leading or trailing `**` is a plain suffix or prefix test.
    if let Some(suffix) = pattern.strip_prefix(b"**")
        && !special(suffix)
    {
        return path.ends_with(suffix) || suffix.strip_prefix(b"/") == Some(path);
    }
    if let Some(prefix) = pattern.strip_suffix(b"**")
        && !special(prefix)
    {
        return path.starts_with(prefix);
    }
    spread(pattern, path)
}

fn spread(pattern: &[u8], path: &[u8]) -> bool {
    if let Some(rest) = pattern.strip_prefix(b"**") {
        let rest = rest.strip_prefix(b"/").unwrap_or(rest);
        if rest.is_empty() {
            return true;
        }
        return spread(rest, path)
            || (0..path.len()).any(|i| path[i] == b'/' && spread(rest, &path[i + 1..]));
    }
    match (pattern.split_first(), path.split_first()) {
        (None, _) => path.is_empty(),
        (Some((b'*', rest)), _) => {
            let name = path.iter().position(|b| *b == b'/').unwrap_or(path.len());
            (0..=name).any(|i| spread(rest, &path[i..]))
        }
        (Some((b'?', rest)), Some((c, path))) => *c != b'/' && spread(rest, path),
        (Some((p, rest)), Some((c, path))) => p == c && spread(rest, path),
        (Some(_), None) => false,
    }
}

fn ancestors(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    (0..path.len())
        .filter(|i| path[*i] == b'/')
        .map(|i| &path[..i])
}

/// One step of the walk: the answer, and which patterns matched here.
fn step(list: &[(bool, &[u8])], path: &[u8], parent: Option<&[bool]>) -> (bool, Vec<bool>) {
    let mut ignored = false;
    let mut bits = vec![false; list.len()];
    for (i, (negated, pattern)) in list.iter().enumerate() {
        let inherited = parent.is_some_and(|bits| bits[i]);
        if !inherited && *negated != ignored {
            continue;
        }
        let own = || {
            let above = parent.is_none() && ancestors(path).any(|a| matches(pattern, a));
            matches(pattern, path) || above
        };
        if inherited || own() {
            bits[i] = true;
            ignored = !negated;
        }
    }
    (ignored, bits)
}

fn walk(list: &[(bool, &[u8])], path: &[u8]) -> bool {
    let mut bits: Option<Vec<bool>> = None;
    for dir in ancestors(path) {
        let (ignored, own) = step(list, dir, bits.as_deref());
        if ignored && is_pruned(list, dir) {
            return true;
        }
        bits = Some(own);
    }
    step(list, path, bits.as_deref()).0
}

/// Whether an ignored folder is not opened: no exception has a wildcard before its tail, and none
/// leads into the folder.
fn is_pruned(list: &[(bool, &[u8])], dir: &[u8]) -> bool {
    let with_slash = |path: &[u8]| [path, b"/"].concat();
    list.iter().filter(|(negated, _)| *negated).all(|(_, p)| {
        let p = p.strip_suffix(b"/**").unwrap_or(p);
        let p = p.strip_suffix(b"/*").unwrap_or(p);
        !p.iter().any(|b| b"*?".contains(b)) && !with_slash(p).starts_with(&with_slash(dir))
    })
}
