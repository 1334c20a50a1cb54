//! Image names: which ones the builder takes, and how it spells them.
//!
//! Goes in: a name as it stands after FROM or `--from`, variables replaced. Comes out: whether it is
//! a reference, and its full spelling. Costs one pass. Source of the rules: the reference grammar
//! that all registries share, tried on the builder with `--call=outline`.

/// Why a name is no image reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// Sixty-four hexadecimal digits: an image id.
    #[error("an image cannot be named by its 64-digit id")]
    Identifier,
    /// `Alpine`.
    #[error("the repository name must be lowercase")]
    Uppercase,
    /// Longer than 255 characters.
    #[error("the repository name is longer than 255 characters")]
    TooLong,
    /// `@sha256:abc`.
    #[error("the digest is not valid")]
    Digest,
    /// Anything else.
    #[error("it is not an image reference")]
    Format,
}

/// `docker.io` and the rest, or the registry the name begins with.
fn split(name: &str) -> (&str, String) {
    const HUB: &str = "docker.io";
    let (domain, rest) = match name.split_once('/') {
        Some((first, rest))
            if first.contains(['.', ':'])
                || first == "localhost"
                || first.chars().any(char::is_uppercase) =>
        {
            (
                if first == "index.docker.io" {
                    HUB
                } else {
                    first
                },
                rest,
            )
        }
        _ => (HUB, name),
    };
    if domain == HUB && !rest.contains('/') {
        return (domain, format!("library/{rest}"));
    }
    (domain, rest.to_owned())
}

/// `alpine` becomes `docker.io/library/alpine:latest`; a digest or tag stays.
///
/// Source of the rule: experiments row 31 (spellings of one image share their key).
#[must_use]
pub fn normalize_reference(image: &str) -> String {
    let (domain, rest) = split(image);
    let (name, digest) = match rest.split_once('@') {
        Some((n, d)) => (n, Some(d)),
        None => (rest.as_str(), None),
    };
    let tagged = name
        .rsplit_once(':')
        .is_some_and(|(_, tag)| !tag.contains('/'));
    let mut out = format!("{domain}/{name}");
    match digest {
        Some(d) => {
            out.push('@');
            out.push_str(d);
        }
        None if !tagged => out.push_str(":latest"),
        None => {}
    }
    out
}

/// How named contexts are looked up: the short spelling, without `:latest`. `None` for a name that
/// is no reference.
#[must_use]
pub fn context_name(name: &str) -> Option<String> {
    check(name).ok()?;
    let full = normalize_reference(name);
    let full = full.strip_suffix(":latest").unwrap_or(&full);
    let short = full.strip_prefix("docker.io/").unwrap_or(full);
    Some(short.strip_prefix("library/").unwrap_or(short).to_owned())
}

/// Whether the builder takes the name.
///
/// # Errors
/// What is wrong with it.
pub fn check(name: &str) -> Result<(), ReferenceError> {
    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if name.len() == 64 && name.bytes().all(hex) {
        return Err(ReferenceError::Identifier);
    }
    let (domain, rest) = split(name);
    let path = rest.split(':').next().unwrap_or("");
    if path.chars().any(char::is_uppercase) {
        return Err(ReferenceError::Uppercase);
    }
    let (named, digest) = match rest.split_once('@') {
        Some((n, d)) => (n, Some(d)),
        None => (rest.as_str(), None),
    };
    let (path, tag) = match named.split_once(':') {
        Some((p, t)) => (p, Some(t)),
        None => (named, None),
    };
    let fine = is_domain(domain) && path.split('/').all(is_component) && tag.is_none_or(is_tag);
    if !fine {
        return Err(ReferenceError::Format);
    }
    if domain.len() + 1 + path.len() > 255 {
        return Err(ReferenceError::TooLong);
    }
    match digest {
        Some(d) if !super::check::is_digest(d) => Err(ReferenceError::Digest),
        _ => Ok(()),
    }
}

fn is_domain(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, port)) => {
                let address_fine = !address.is_empty()
                    && address.bytes().all(|b| b.is_ascii_hexdigit() || b == b':');
                return address_fine && (port.is_empty() || is_port(port));
            }
            None => return false,
        },
        None => match text.find(':') {
            Some(at) => (&text[..at], &text[at..]),
            None => (text, ""),
        },
    };
    let label = |l: &str| {
        !l.is_empty()
            && !l.starts_with('-')
            && !l.ends_with('-')
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    host.split('.').all(label) && (port.is_empty() || is_port(port))
}

fn is_port(text: &str) -> bool {
    text.strip_prefix(':')
        .is_some_and(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()))
}

/// Runs of letters and digits, joined by `.`, `_`, `__` or any number of `-`.
fn is_component(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_digit() || b.is_ascii_lowercase();
    let bytes = text.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else {
        return false;
    };
    if !word(*first) || !word(*last) {
        return false;
    }
    let mut joins = text.split(|c: char| c.is_ascii_digit() || c.is_ascii_lowercase());
    joins.all(|j| matches!(j, "" | "." | "_" | "__") || j.bytes().all(|b| b == b'-'))
}

fn is_tag(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    text.bytes().next().is_some_and(word)
        && text.len() <= 128
        && text.bytes().all(|b| word(b) || matches!(b, b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_image_are_equal() {
        for spelling in [
            "alpine",
            "alpine:latest",
            "docker.io/alpine",
            "library/alpine",
        ] {
            assert_eq!(
                normalize_reference(spelling),
                "docker.io/library/alpine:latest"
            );
            assert_eq!(context_name(spelling).as_deref(), Some("alpine"));
        }
        assert_eq!(normalize_reference("ghcr.io/a/b:1"), "ghcr.io/a/b:1");
        assert_eq!(
            normalize_reference("localhost:5000/a"),
            "localhost:5000/a:latest"
        );
        assert_eq!(
            normalize_reference("a/b@sha256:00"),
            "docker.io/a/b@sha256:00"
        );
        assert_eq!(context_name("a/b:1").as_deref(), Some("a/b:1"));
    }

    #[test]
    fn names_the_builder_takes() {
        let digest = format!("@sha256:{}", "0".repeat(64));
        for name in [
            "alpine",
            "x/a.b__c---d/e_f:Tag_1.0-x",
            "localhost/a",
            "localhost:5000/a/b",
            "Upper/a",
            "[::1]:5000/a",
            &format!("alpine:3.20{digest}"),
            &format!("alpine{digest}"),
        ] {
            assert_eq!(check(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn names_the_builder_refuses() {
        use ReferenceError::*;
        let rows = [
            ("Alpine", Uppercase),
            ("a/B", Uppercase),
            ("a b", Format),
            ("a:", Format),
            ("-a", Format),
            ("a..b", Format),
            ("a___b", Format),
            ("a/", Format),
            ("a:b:c", Format),
            ("a:-b", Format),
            ("http://a/b", Format),
            ("a@sha256:12", Digest),
            (&"a".repeat(64), Identifier),
            (&"g".repeat(250), TooLong),
        ];
        for (name, error) in rows {
            assert_eq!(check(name), Err(error), "{name}");
        }
    }
}
