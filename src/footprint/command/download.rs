//! curl and wget.

use super::super::Extent;
use super::super::argument::Argument;
use super::super::options::{Spec, parse};
use super::{Call, Described};

const CURL: Spec = Spec {
    letters: "fsSLkviIgqG#46NOR01",
    letters_with_value: "oHAXuemxwCd",
    names: &[
        "fail",
        "silent",
        "show-error",
        "location",
        "insecure",
        "compressed",
        "retry-connrefused",
        "retry-all-errors",
        "tlsv1.2",
        "tlsv1.3",
        "http1.1",
        "http2",
        "create-dirs",
        "remote-name",
        "fail-with-body",
        "progress-bar",
        "no-progress-meter",
        "location-trusted",
        "verbose",
        "ipv4",
        "ssl-reqd",
        "head",
    ],
    names_with_value: &[
        "output",
        "header",
        "user-agent",
        "request",
        "user",
        "connect-timeout",
        "max-time",
        "retry",
        "retry-delay",
        "retry-max-time",
        "proto",
        "proto-redir",
        "url",
        "proxy",
        "data",
        "output-dir",
        "write-out",
        "referer",
        "max-redirs",
    ],
};

const WGET: Spec = Spec {
    letters: "qcSv46",
    letters_with_value: "OPTtU",
    names: &[
        "quiet",
        "no-check-certificate",
        "https-only",
        "show-progress",
        "no-verbose",
        "continue",
        "retry-connrefused",
        "no-cache",
        "content-disposition",
        "no-hsts",
        "inet4-only",
    ],
    names_with_value: &[
        "output-document",
        "directory-prefix",
        "progress",
        "tries",
        "timeout",
        "header",
        "user-agent",
        "max-redirect",
        "secure-protocol",
        "waitretry",
        "read-timeout",
        "connect-timeout",
        "user",
        "password",
        "wait",
    ],
};

/// Describes curl.
pub(super) fn curl(call: &mut Call<'_>) -> Described {
    let parsed = parse(call.arguments, &CURL)?;
    call.claims.network = true;
    let mut urls = parsed.operands.iter().chain(parsed.values(&["url"]));
    if urls.any(|u| u.start().starts_with("file:")) {
        return Err("it reads a file".to_string());
    }
    let from_file = |a: &Argument| a.start().starts_with('@') || a.start().is_empty();
    if parsed.values(&["d", "data", "H", "header"]).any(from_file) {
        return Err("it may send a file".to_string());
    }
    let directory = parsed.values(&["output-dir"]).last();
    for output in parsed
        .values(&["o", "output"])
        .filter(|o| o.known() != Some("-"))
    {
        if directory.is_some() {
            return Err("it has an output directory".to_string());
        }
        if parsed.has(&["create-dirs"]) {
            call.create_directories(output)?;
        } else {
            call.write(output, Extent::Exact)?;
        }
    }
    if parsed.has(&["O", "remote-name"]) {
        let here = Argument::Known(".".to_string());
        let file = match (directory, parsed.operands.as_slice()) {
            // A question mark makes an address a pattern to the shell, which no file matches.
            (None, [Argument::Known(url) | Argument::Pattern { text: url, .. }]) => url_file(url),
            _ => None,
        };
        match file {
            Some(name) => call.write(&Argument::Known(name), Extent::Exact)?,
            None => call.write(directory.unwrap_or(&here), Extent::Subtree)?,
        }
    }
    let settings = call.home_entry(".curlrc")?;
    call.claims.read(settings.extent, settings.path);
    call.claims
        .assume("curl writes only the files its options name");
    Ok(())
}

/// The file name `curl -O` uses: the last part of the address's path.
fn url_file(url: &str) -> Option<String> {
    let path = url.split(['?', '#']).next()?;
    let (_, rest) = path.split_once("://").unwrap_or(("", path));
    let (_, name) = rest.rsplit_once('/')?;
    // Braces and brackets are ranges to curl.
    let plain = !name.is_empty() && !name.contains(['{', '[', '%']);
    plain.then(|| name.to_string())
}

/// Describes wget.
pub(super) fn wget(call: &mut Call<'_>) -> Described {
    let quiet = |a: &&Argument| !matches!(a.known(), Some("-nv" | "-nc" | "-nd" | "-nH"));
    let arguments: Vec<_> = call.arguments.iter().filter(quiet).cloned().collect();
    let parsed = parse(&arguments, &WGET)?;
    call.claims.network = true;
    let mut named = false;
    for output in parsed.values(&["O", "output-document"]) {
        named = true;
        if output.known() != Some("-") {
            call.write(output, Extent::Exact)?;
        }
    }
    if !named {
        // The name may get a number behind it, or come from the server.
        let here = Argument::Known(".".to_string());
        let directory = parsed
            .values(&["P", "directory-prefix"])
            .last()
            .unwrap_or(&here);
        call.write(directory, Extent::Subtree)?;
    }
    let home = call.home()?;
    let settings = call.home_entry(".wgetrc")?;
    call.claims.read(settings.extent, settings.path);
    match home.as_str() {
        "/home" => call.claims.write(Extent::Subtree, home),
        _ => call
            .claims
            .write(Extent::Exact, format!("{home}/.wget-hsts")),
    }
    call.claims
        .assume("wget writes only the files its options name and its own .wget-hsts");
    Ok(())
}
