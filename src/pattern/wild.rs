//! Names with `*` and `?`, as shells and `find` know them, without lists of characters and escapes.
//!
//! Goes in: a pattern and a name. Comes out: whether it fits. Costs their product at most, however many stars there are.

/// Whether a name fits a pattern: `*` is anything, slashes too, `?` is any one byte.
#[must_use]
pub fn wild(pattern: &[u8], name: &[u8]) -> bool {
    // Where the last star stands, and where what it takes begins.
    let (mut p, mut n, mut star) = (0, 0, None);
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == b'?' || *c == name[n] => (p, n) = (p + 1, n + 1),
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    (p, n) = (at + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::wild;

    #[test]
    fn names_fit_patterns() {
        for (pattern, name, fit) in [
            ("a*b", "ab", true),
            ("a*b", "axxb", true),
            ("a*b", "axbc", false),
            ("*.toml", ".toml", true),
            ("*a*a*", "banana", true),
            ("*a*a*a*a", "banana", false),
            ("?", "", false),
            ("", "", true),
            ("*", "", true),
            ("Cargo.*", "Cargo.lock", true),
        ] {
            assert_eq!(
                wild(pattern.as_bytes(), name.as_bytes()),
                fit,
                "{pattern} {name}"
            );
        }
    }
}
