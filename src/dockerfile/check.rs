//! Values that the builder only looks at once variables are filled in: ports, modes, signals, image
//! names, checksums.
//!
//! Goes in: one value after expansion. Comes out: nothing, or what is wrong with it and what would be
//! right. Costs one pass. Invariant: a value is refused here only where the builder refuses it; rows
//! in the tests were put to the real builder.

/// What is wrong with a value, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Objection {
    /// One sentence without a full stop.
    pub message: String,
    /// The help line.
    pub help: &'static str,
}

fn object(message: String, help: &'static str) -> Option<Objection> {
    Some(Objection { message, help })
}

/// The value of `--chmod`: octal up to 7777, or symbolic.
#[must_use]
pub fn chmod(value: &str) -> Option<Objection> {
    let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
    let octal = digits && u32::from_str_radix(value, 8).is_ok_and(|mode| mode <= 0o7777);
    if value.is_empty() || octal || (!digits && value.split(',').all(is_symbolic)) {
        return None;
    }
    object(
        format!("`{value}` is no file mode"),
        "write an octal number up to 7777, or a symbolic mode such as `u+x,go-w`",
    )
}

/// A truth value as `strconv.ParseBool` of Go reads it.
#[must_use]
pub fn truth(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// Nanoseconds of a duration as `time.ParseDuration` of Go reads it: an optional sign, then numbers each with
/// a unit.
#[must_use]
pub fn duration(text: &str) -> Option<i64> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    let mut total = 0i64;
    loop {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, behind) = rest.split_at(end);
        let end = behind
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(end);
        let nanos: i64 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
            return None;
        }
        let whole: i64 = if whole.is_empty() {
            0
        } else {
            whole.parse().ok()?
        };
        // Further digits are less than a nanosecond of an hour.
        let fraction: String = fraction.chars().take(13).collect();
        let scale = 10i128.pow(u32::try_from(fraction.len()).ok()?);
        let fraction: i128 = if fraction.is_empty() {
            0
        } else {
            fraction.parse().ok()?
        };
        let part = i64::try_from(fraction * i128::from(nanos) / scale).ok()?;
        total = whole
            .checked_mul(nanos)?
            .checked_add(part)?
            .checked_add(total)?;
        rest = behind;
        if rest.is_empty() {
            return Some(sign * total);
        }
    }
}

/// `[ugoa]*` and one or more of `+`, `-`, `=` with `[rwxXst]*` or one of `[ugo]`.
fn is_symbolic(part: &str) -> bool {
    let mut rest = part.trim_start_matches(['u', 'g', 'o', 'a']);
    let mut clauses = 0;
    while let Some(after) = rest.strip_prefix(['+', '-', '=']) {
        let copied = after.strip_prefix(['u', 'g', 'o']);
        rest = copied.unwrap_or_else(|| after.trim_start_matches(['r', 'w', 'x', 'X', 's', 't']));
        clauses += 1;
    }
    clauses > 0 && rest.is_empty()
}

/// One word of EXPOSE, `[[ip:]host:]container[/protocol]`, each port maybe a range.
#[must_use]
pub fn port(word: &str) -> Option<Objection> {
    let mut parts = word.rsplitn(3, ':');
    let container = parts.next().unwrap_or_default();
    let host = parts.next().filter(|host| !host.is_empty());
    let address = parts.next().filter(|ip| !ip.is_empty());
    let (ports, protocol) = container.split_once('/').unwrap_or((container, ""));
    let protocol = protocol.to_lowercase();
    let known = matches!(protocol.as_str(), "" | "tcp" | "udp" | "sctp");
    let inner = port_range(ports);
    let outer = host.map(port_range);
    let addressed = address.is_none_or(|ip| {
        let bare = ip.strip_prefix('[').and_then(|ip| ip.strip_suffix(']'));
        bare.unwrap_or(ip).parse::<std::net::IpAddr>().is_ok()
    });
    let fits = match (inner, outer) {
        (Some((a, b)), None) => a <= b,
        (Some((a, b)), Some(Some((c, d)))) => a <= b && c <= d && (a == b || b - a == d - c),
        _ => false,
    };
    if known && fits && addressed {
        return None;
    }
    object(
        format!("`{word}` is no port"),
        "write a number up to 65535 or a range, and `/tcp`, `/udp` or `/sctp` behind it if you like",
    )
}

fn port_range(text: &str) -> Option<(i64, i64)> {
    let number = |text: &str| text.parse::<i64>().ok().filter(|n| (0..=65535).contains(n));
    match text.split_once('-') {
        Some((start, end)) => Some((number(start)?, number(end)?)),
        None => number(text).map(|n| (n, n)),
    }
}

/// STOPSIGNAL: any number but 0, or a name with or without `SIG`.
#[must_use]
pub fn signal(value: &str) -> Option<Objection> {
    const NAMES: [&str; 35] = [
        "ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "IOT",
        "KILL", "PIPE", "POLL", "PROF", "PWR", "QUIT", "SEGV", "STKFLT", "STOP", "SYS", "TERM",
        "TRAP", "TSTP", "TTIN", "TTOU", "URG", "USR1", "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ",
        "RTMIN",
    ];
    let upper = value.to_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let offset = |text: &str, most: u32| {
        !text.starts_with(['0', '+']) && text.parse::<u32>().is_ok_and(|n| n <= most)
    };
    let ok = match value.parse::<i64>() {
        Ok(number) => number != 0,
        Err(_) => {
            NAMES.contains(&name)
                || name == "RTMAX"
                || name.strip_prefix("RTMIN+").is_some_and(|n| offset(n, 15))
                || name.strip_prefix("RTMAX-").is_some_and(|n| offset(n, 14))
        }
    };
    if ok {
        return None;
    }
    object(
        format!("`{value}` is no signal"),
        "write a name such as `SIGTERM`, or a number",
    )
}

/// The image of a FROM: `[host[:port]/]path[:tag][@digest]`.
#[must_use]
pub fn image(name: &str) -> Option<Objection> {
    if is_reference(name) {
        return None;
    }
    let upper = name.chars().any(char::is_uppercase);
    let help = if upper {
        "image names are in lower case; stage names are compared in lower case too"
    } else {
        "an image is `name`, `name:tag` or `host/path/name:tag`"
    };
    object(format!("`{name}` is no image name"), help)
}

fn is_reference(name: &str) -> bool {
    let (name, digest) = match name.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (name, None),
    };
    let has_host = |first: &str| {
        first.contains(['.', ':']) || first == "localhost" || first.chars().any(char::is_uppercase)
    };
    let (host, path) = match name.split_once('/') {
        Some((first, rest)) if has_host(first) => (Some(first), rest),
        _ => (None, name),
    };
    let (path, tag) = match path.rsplit_once(':') {
        Some((path, tag)) => (path, Some(tag)),
        None => (path, None),
    };
    let identifier = host.is_none()
        && tag.is_none()
        && name.len() == 64
        && name.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    !identifier
        && host.is_none_or(is_host)
        && path.split('/').all(is_path_part)
        && tag.is_none_or(is_tag)
        && digest.is_none_or(is_digest)
}

fn is_host(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (host, None),
    };
    let label = |label: &str| {
        let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        !label.is_empty()
            && label.bytes().all(inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let address = name.strip_prefix('[').and_then(|n| n.strip_suffix(']'));
    let named = match address {
        Some(address) => {
            let sign = |b: u8| b.is_ascii_hexdigit() || b == b':';
            !address.is_empty() && address.bytes().all(sign)
        }
        None => name.split('.').all(label),
    };
    let digits = |port: &str| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    named && port.is_none_or(digits)
}

/// Lower-case letters and digits, parted by one `.`, one or two `_`, or any number of `-`.
fn is_path_part(part: &str) -> bool {
    let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = part.as_bytes();
    let ends = bytes.first().zip(bytes.last());
    ends.is_some_and(|(first, last)| word(*first) && word(*last))
        && bytes.chunk_by(|a, b| word(*a) == word(*b)).all(|run| {
            word(run[0]) || matches!(run, b"." | b"_" | b"__") || run.iter().all(|b| *b == b'-')
        })
}

fn is_tag(tag: &str) -> bool {
    let sign = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
    (1..=128).contains(&tag.len()) && tag.bytes().all(sign) && !tag.starts_with(['.', '-'])
}

/// `algorithm:hex` of the algorithms the builder knows.
fn is_digest(digest: &str) -> bool {
    let Some((algorithm, hex)) = digest.split_once(':') else {
        return false;
    };
    let len = match algorithm {
        "sha256" => 64,
        "sha384" => 96,
        "sha512" => 128,
        _ => return false,
    };
    hex.len() == len && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// What a COPY or ADD source is by its looks alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remote {
    /// A git repository.
    Git,
    /// A download.
    Download,
}

/// Whether a source is remote. `./x`, `../x` and bare `github.com/…` are local.
#[must_use]
pub fn remote(source: &str) -> Option<Remote> {
    let scheme = |name: &str| source.strip_prefix(name);
    if let Some(rest) = scheme("http://").or_else(|| scheme("https://")) {
        let path = rest.split(['#', '?']).next().unwrap_or_default();
        return Some(if path.ends_with(".git") {
            Remote::Git
        } else {
            Remote::Download
        });
    }
    let repository = ["git://", "ssh://", "git@"];
    let git = repository.iter().any(|start| source.starts_with(start));
    git.then_some(Remote::Git)
}

/// `ADD --checksum`: for exactly one source, which is remote.
#[must_use]
pub fn checksum(value: &str, sources: &[String]) -> Option<Objection> {
    let kind = match sources {
        [one] => remote(one),
        _ => {
            return object(
                "`--checksum` is for one source".to_owned(),
                "give every download an ADD of its own",
            );
        }
    };
    match kind {
        None => object(
            "`--checksum` is for downloads and git repositories".to_owned(),
            "files of the context are compared by content anyway; leave the flag out",
        ),
        Some(Remote::Download) if !is_digest(value) => object(
            format!("`{value}` is no checksum"),
            "write `sha256:` and 64 hexadecimal digits",
        ),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(check: fn(&str) -> Option<Objection>, good: &[&str], bad: &[&str]) {
        for value in good {
            assert_eq!(check(value), None, "{value}");
        }
        for value in bad {
            assert!(check(value).is_some(), "{value}");
        }
    }

    #[test]
    fn values() {
        rows(
            chmod,
            &[
                "755",
                "07777",
                "0",
                "u+rwX,go-w",
                "a=r",
                "+x",
                "g=u",
                "u+r-w",
                "=",
                "",
            ],
            &[
                "999", "10000", "-1", "0o755", "u+y", "rwx", "u", "abc", "u+x,",
            ],
        );
        rows(
            port,
            &[
                "80",
                "0",
                "443/UDP",
                "9/sctp",
                "5-10/udp",
                "80/",
                "1.2.3.4:80:80",
                "8080:80/tcp",
                "1-2:3-4",
                "1-9:3",
                ":80",
                "+80",
                "080",
                "[::1]:1:2",
                "5-5",
            ],
            &[
                "",
                "80/foo",
                "65536",
                "-1",
                "10-5",
                "a",
                "x:80",
                "1-3:3-4",
                "/tcp",
                "80/tcp/udp",
                "1:2:3",
            ],
        );
        rows(
            signal,
            &[
                "SIGKILL",
                "kill",
                "65",
                "-1",
                "RTMIN+3",
                "sigrtmax-14",
                "RTMAX",
            ],
            &["0", "SIGFOO", "SIGRTMIN+16", "", "9 9", "RTMIN+"],
        );
        rows(
            image,
            &[
                "busybase",
                "a/b:c",
                "localhost:5000/a",
                "Host.com/a",
                "a/a.b__c--d/e:T_1",
                "Foo/bar",
                "a@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            ],
            &[
                "a:",
                "a:b:c",
                "BusyBase",
                "Scratch",
                "a@sha256:aa",
                "a/",
                "/a",
                "a..b",
                "a___b",
                "-a",
                "a b",
                "a]",
                "a:.x",
                "a$b",
            ],
        );
    }

    #[test]
    fn durations() {
        let rows = [
            ("1m30s", Some(90_000_000_000)),
            ("1.5h", Some(5_400_000_000_000)),
            (".5us", Some(500)),
            ("1.h", Some(3_600_000_000_000)),
            ("-1ns", Some(-1)),
            ("+0", Some(0)),
            ("0", Some(0)),
            ("2562047h", Some(9_223_369_200_000_000_000)),
            ("2562048h", None),
            ("", None),
            ("-", None),
            ("1", None),
            ("1x", None),
            (".s", None),
            ("1.2.3s", None),
            ("1e3s", None),
        ];
        for (text, nanoseconds) in rows {
            assert_eq!(duration(text), nanoseconds, "{text}");
        }
    }

    #[test]
    fn remote_sources() {
        let rows = [
            ("a", None),
            ("./a", None),
            ("github.com/a/b", None),
            ("https://x.com/a", Some(Remote::Download)),
            ("https://github.com/a/b.git", Some(Remote::Git)),
            ("https://github.com/a/b.git#v1:d", Some(Remote::Git)),
            ("git@github.com:a/b.git", Some(Remote::Git)),
        ];
        for (source, kind) in rows {
            assert_eq!(remote(source), kind, "{source}");
        }
        let one = |source: &str| vec![source.to_owned()];
        let sha = format!("sha256:{}", "a".repeat(64));
        assert_eq!(checksum(&sha, &one("https://x.com/a")), None);
        assert_eq!(checksum("abc", &one("git@github.com:a/b")), None);
        assert!(checksum("sha256:aa", &one("https://x.com/a")).is_some());
        assert!(checksum(&sha, &one("a")).is_some());
        assert!(
            checksum(
                &sha,
                &[one("https://x.com/a"), one("https://x.com/b")].concat()
            )
            .is_some()
        );
    }
}
