//! Values the builder checks when it converts an instruction: signals, ports, modes, digests.
//!
//! Goes in: a value with its variables replaced. Comes out: whether it is one. Costs one pass. The
//! rules were tried on the builder.

/// Signals of Linux by name, without `SIG`; their numbers are taken too.
const SIGNALS: [&str; 35] = [
    "ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "IOT", "KILL",
    "PIPE", "POLL", "PROF", "PWR", "QUIT", "SEGV", "STKFLT", "STOP", "SYS", "TERM", "TRAP", "TSTP",
    "TTIN", "TTOU", "URG", "USR1", "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ", "UNUSED",
];

/// `SIGTERM`, `term`, `15`, `SIGRTMIN+3`.
pub fn is_signal(text: &str) -> bool {
    if let Ok(number) = text.parse::<i64>() {
        return number != 0;
    }
    let upper = text.to_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let real_time = |from: &str, sign: char, most: u8| {
        name.strip_prefix(from).is_some_and(|rest| {
            rest.is_empty()
                || rest
                    .strip_prefix(sign)
                    .and_then(|n| n.parse::<u8>().ok())
                    .is_some_and(|n| (1..=most).contains(&n))
        })
    };
    SIGNALS.contains(&name) || real_time("RTMIN", '+', 15) || real_time("RTMAX", '-', 14)
}

/// A word of EXPOSE: `[[ip:]host:]port[-port][/protocol]`.
///
/// # Errors
/// What is wrong with it.
pub fn port(text: &str) -> Result<(), String> {
    let parts: Vec<&str> = text.rsplitn(3, ':').collect();
    let (container, host, ip) = (
        parts[0],
        parts.get(1).copied().unwrap_or(""),
        parts.get(2).copied().unwrap_or(""),
    );
    let (ports, protocol) = match container.split_once('/') {
        Some((p, protocol)) => (p, protocol),
        None => (container, ""),
    };
    if ports.is_empty() {
        return Err("there is no port".to_owned());
    }
    if !matches!(
        protocol.to_lowercase().as_str(),
        "" | "tcp" | "udp" | "sctp"
    ) {
        return Err(format!("`{}` is no protocol", shorten(protocol)));
    }
    let ip = match ip.strip_prefix('[').and_then(|i| i.strip_suffix(']')) {
        Some(inner) => inner,
        None => ip,
    };
    if !ip.is_empty() && ip.parse::<std::net::IpAddr>().is_err() {
        return Err(format!("`{}` is no address", shorten(ip)));
    }
    let inside = range(ports)?;
    if !host.is_empty() {
        let outside = range(host)?;
        if inside.1 - inside.0 != outside.1 - outside.0 && inside.0 != inside.1 {
            return Err("the two ranges differ in length".to_owned());
        }
    }
    Ok(())
}

fn range(text: &str) -> Result<(u16, u16), String> {
    let number = |t: &str| {
        t.parse::<u16>()
            .map_err(|_| format!("`{}` is no port", shorten(t)))
    };
    match text.split_once('-') {
        Some((start, end)) if start != end => {
            let (start, end) = (number(start)?, number(end)?);
            if end < start {
                return Err("the range runs backwards".to_owned());
            }
            Ok((start, end))
        }
        Some((start, _)) => Ok((number(start)?, number(start)?)),
        None => Ok((number(text)?, number(text)?)),
    }
}

/// A value of `--chmod`: octal up to 07777, or the symbols of `chmod`.
pub fn is_mode(text: &str) -> bool {
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return u32::from_str_radix(text, 8).is_ok_and(|m| m <= 0o7777);
    }
    text.split(',').all(|clause| {
        let rest = clause.trim_start_matches(['u', 'g', 'o', 'a']);
        let mut actions = rest;
        let mut any = false;
        while let Some(after) = actions.strip_prefix(['+', '-', '=']) {
            any = true;
            let copied = after.strip_prefix(['u', 'g', 'o']);
            actions =
                copied.unwrap_or_else(|| after.trim_start_matches(['r', 'w', 'x', 'X', 's', 't']));
        }
        any && actions.is_empty()
    })
}

/// `sha256:` and 64 hexadecimal digits, or one of its two longer relatives.
pub fn is_digest(text: &str) -> bool {
    let Some((algorithm, hex)) = text.split_once(':') else {
        return false;
    };
    let length = match algorithm {
        "sha256" => 64,
        "sha384" => 96,
        "sha512" => 128,
        _ => return false,
    };
    let lower = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    hex.len() == length && hex.bytes().all(lower)
}

/// A word for a message; a minified file must not fill the screen.
pub fn shorten(word: &str) -> String {
    const MOST: usize = 80;
    if word.chars().count() <= MOST {
        return word.to_owned();
    }
    word.chars().take(MOST).chain("...".chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals() {
        for fine in ["SIGTERM", "term", "15", "SIGRTMIN+3", "rtmax-1", "999"] {
            assert!(is_signal(fine), "{fine}");
        }
        for bad in ["", "0", "SIGNOPE", "TERM ", "RTMIN+", "RTMIN+99"] {
            assert!(!is_signal(bad), "{bad}");
        }
    }

    #[test]
    fn ports() {
        for fine in [
            "80",
            "80/TCP",
            "8000-8010/udp",
            "80-80",
            "127.0.0.1:80:80",
            "[::1]:80:81",
            "8000-8010:80",
            "80/",
            "1000-1001:80-81",
        ] {
            assert_eq!(port(fine), Ok(()), "{fine}");
        }
        for bad in [
            "",
            "/tcp",
            "http",
            "65536",
            "90-80",
            "80/icmp",
            "x:80:80",
            "80-81:1000-1003",
            "-1",
        ] {
            assert!(port(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn modes() {
        for fine in [
            "0",
            "755",
            "07777",
            "u=rw,go=",
            "+x",
            "a-w+x",
            "g=u",
            "u=rwX,go=rX",
        ] {
            assert!(is_mode(fine), "{fine}");
        }
        for bad in ["8", "10000", "rw", "u", "z=x", "u=q", ","] {
            assert!(!is_mode(bad), "{bad}");
        }
    }
}
