//! Image names as the builder spells them.
//!
//! Goes in: a name as it stands after FROM or `--from`, variables replaced. Comes out: its full or its
//! short spelling. Costs one pass. Source of the rules: the reference grammar that all registries
//! share; whether a name is one at all is told by [`crate::dockerfile::check::image`].

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
    if crate::dockerfile::check::image(name).is_some() {
        return None;
    }
    let full = normalize_reference(name);
    let full = full.strip_suffix(":latest").unwrap_or(&full);
    let short = full.strip_prefix("docker.io/").unwrap_or(full);
    Some(short.strip_prefix("library/").unwrap_or(short).to_owned())
}

/// Where official images start (`docker image inspect`, 2026): a guess for their derivatives of another time.
#[rustfmt::skip]
const WORKING_DIRECTORIES: &[(&str, &str)] = &[
    ("docker.io/library/alpine", "/"), ("docker.io/library/amazoncorretto", "/"), ("docker.io/library/buildpack-deps", "/"),
    ("docker.io/library/busybox", "/"), ("docker.io/library/debian", "/"), ("docker.io/library/eclipse-temurin", "/"),
    ("docker.io/library/elixir", "/"), ("docker.io/library/erlang", "/"), ("docker.io/library/fedora", "/"), ("docker.io/library/gcc", "/"),
    ("docker.io/library/golang", "/go"), ("docker.io/library/gradle", "/home/gradle"), ("docker.io/library/maven", "/"),
    ("docker.io/library/nginx", "/"), ("docker.io/library/node", "/"), ("docker.io/library/openjdk", "/"),
    ("docker.io/library/python", "/"), ("docker.io/library/ruby", "/"), ("docker.io/library/rust", "/"),
    ("docker.io/library/ubuntu", "/"), ("mcr.microsoft.com/dotnet/aspnet", "/"), ("mcr.microsoft.com/dotnet/runtime", "/"),
    ("mcr.microsoft.com/dotnet/sdk", "/"),
];

/// The working directory of an image, if its name is that of a well-known one.
pub fn working_directory(reference: &str) -> Option<&'static str> {
    let name = image_name(reference);
    WORKING_DIRECTORIES
        .iter()
        .find(|(n, _)| *n == name)
        .map(|(_, dir)| *dir)
}

/// The whole name of an image, without tag and digest.
#[must_use]
pub fn image_name(reference: &str) -> String {
    let full = normalize_reference(reference);
    let name = full.split('@').next().unwrap_or(&full);
    let slash = name.rfind('/').map_or(0, |i| i + 1);
    match name[slash..].find(':') {
        Some(colon) => &name[..slash + colon],
        None => name,
    }
    .to_owned()
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
}
