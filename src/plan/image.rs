//! Image names, normalised the way the builder prints and compares them.

/// `alpine` becomes `docker.io/library/alpine:latest`; a digest or tag stays.
///
/// Source of the rule: experiments row 31 (spellings of one image share their key).
#[must_use]
pub fn normalize_reference(image: &str) -> String {
    let (name, digest) = match image.split_once('@') {
        Some((n, d)) => (n, Some(d)),
        None => (image, None),
    };
    let (host, rest) = match name.split_once('/') {
        Some((h, r)) if h.contains('.') || h.contains(':') || h == "localhost" => (h, r.to_owned()),
        Some(_) => ("docker.io", name.to_owned()),
        None => ("docker.io", format!("library/{name}")),
    };
    let host = if host == "index.docker.io" {
        "docker.io"
    } else {
        host
    };
    let rest = if host == "docker.io" && !rest.contains('/') {
        format!("library/{rest}")
    } else {
        rest
    };
    let tagged = rest
        .rsplit_once(':')
        .is_some_and(|(_, tag)| !tag.contains('/'));
    let mut out = format!("{host}/{rest}");
    if !tagged && digest.is_none() {
        out.push_str(":latest");
    }
    if let Some(d) = digest {
        out.push('@');
        out.push_str(d);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::normalize_reference;

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
    }
}
