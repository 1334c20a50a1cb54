//! Where symbolic links lead, inside one tree of files.
//!
//! Goes in: a path, which part of it is a link, and the link's text. Comes out: the path behind it. Who
//! calls decides what is a link and gives up after [`MOST`] of them. Invariant: nothing leaves the root.

/// More links on one way than this are a circle.
pub(super) const MOST: usize = 40;

/// The path's ancestors and the path itself, shortest first; none of the root.
pub(super) fn prefixes(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let slashes = path.iter().enumerate().filter(|(_, b)| **b == b'/');
    let ends = slashes.map(|(i, _)| i).chain(std::iter::once(path.len()));
    ends.filter(|end| *end > 0).map(|i| &path[..i])
}

/// The path that `path` is behind the link which its first `link` bytes name; `None` where a text is not
/// UTF-8.
pub(super) fn behind(path: &[u8], link: usize, target: &[u8]) -> Option<Vec<u8>> {
    let target = std::str::from_utf8(target).ok()?;
    let (link, rest) = path.split_at(link);
    let (link, rest) = (
        std::str::from_utf8(link).ok()?,
        std::str::from_utf8(rest).ok()?,
    );
    let joined = if target.starts_with('/') {
        format!("{target}{rest}")
    } else {
        let dir = link.rsplit_once('/').map_or("", |(d, _)| d);
        format!("/{dir}/{target}{rest}")
    };
    let cleaned = crate::pattern::clean(&joined);
    Some(cleaned.trim_start_matches('/').as_bytes().to_vec())
}
