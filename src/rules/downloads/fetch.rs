//! What `curl` and `wget` are asked for, and what becomes of the files.
//!
//! Goes in: calls of one RUN. Comes out: [`Fetch`]es with their URLs and where these land. Linear. Invariant: a file whose name hangs on
//! something unknown has its text as its name, so that it is known again where it is written the same way.

use crate::rules::Run;
use crate::rules::call::{Argument, Call};
use crate::shell::RedirectOperator;

/// Endings of archives and packages that are unpacked and then of no use.
const ARCHIVES: &str = ".tar .tar.gz .tgz .tar.xz .txz .tar.bz2 .tbz2 .tbz .tar.zst .zip .deb .rpm";

/// One download.
pub struct Fetch<'r> {
    /// The command.
    pub call: &'r Call,
    /// Its place among the RUN's calls.
    pub at: usize,
    /// What is asked for.
    pub urls: Vec<&'r Argument>,
    /// Where it lands.
    pub output: Output,
    /// Certificates are not looked at.
    pub insecure: Option<&'r Argument>,
}

/// Where a download lands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Standard output.
    Stream,
    /// A file, as written or by the name that the URL gives it.
    File(String),
}

const CURL_TAKES: &str = "oHduAexmwTFXbcECKtPQrUYyz";
const CURL_LONG: &str = "--output --header --data --user --user-agent --referer --proxy --retry --retry-delay --retry-max-time --connect-timeout --max-time \
    --write-out --request --cookie --cookie-jar --cacert --cert --key --output-dir --limit-rate --proto --proto-redir --ciphers --tls-max \
    --netrc-file --resolve --form --range --continue-at --speed-limit --speed-time --capath --max-redirs --config";
const WGET_TAKES: &str = "oOPtTUeiwQaAR";
const WGET_LONG: &str = "--output-document --directory-prefix --tries --timeout --header --user --password --user-agent --output-file --execute --input-file --wait \
    --accept --level --waitretry --dns-timeout --connect-timeout --read-timeout --ca-certificate --post-data";

/// Downloads of one RUN, and archives of one file, that are looked at; each is held against all commands behind it.
pub const MOST: usize = 200;

/// The downloads of a RUN.
pub fn fetches<'r>(run: &'r Run<'_>) -> Vec<Fetch<'r>> {
    let calls = run.calls.iter().enumerate();
    calls
        .filter_map(|(at, call)| fetch(at, call))
        .take(MOST)
        .collect()
}

fn fetch(at: usize, call: &Call) -> Option<Fetch<'_>> {
    let (takes, long) = match call.program.as_str() {
        "curl" => (CURL_TAKES, CURL_LONG),
        "wget" => (WGET_TAKES, WGET_LONG),
        _ => return None,
    };
    let curl = call.program == "curl";
    let mut urls = Vec::new();
    let (mut file, mut dir, mut remote, mut insecure) = (None, None, false, None);
    let mut words = call.arguments.iter();
    while let Some(word) = words.next() {
        let text = name(word);
        if let Some(body) = text.strip_prefix("--") {
            let (key, given) = match body.split_once('=') {
                Some((k, v)) => (format!("--{k}"), Some(v.to_owned())),
                None => (text.clone(), None),
            };
            let value = match given {
                Some(v) => Some(v),
                None if listed(long, &key) => words.next().map(name),
                None => None,
            };
            match key.as_str() {
                "--output" | "--output-document" => file = value,
                "--output-dir" | "--directory-prefix" => dir = value,
                "--remote-name" | "--remote-name-all" => remote = true,
                "--insecure" | "--no-check-certificate" => insecure = Some(word),
                "--spider" | "--head" | "--data" => return None,
                "--url" => urls.extend(words.next()),
                _ => {}
            }
            continue;
        }
        let Some(letters) = text.strip_prefix('-').filter(|l| !l.is_empty()) else {
            urls.push(word);
            continue;
        };
        if letters.starts_with("nv") || letters.starts_with("nc") {
            continue;
        }
        for (i, letter) in letters.char_indices() {
            match letter {
                'k' if curl => insecure = Some(word),
                'O' if curl => remote = true,
                'I' if curl => return None,
                _ => {}
            }
            if takes.contains(letter) {
                let rest = &letters[i + letter.len_utf8()..];
                let value = match rest {
                    "" => words.next().map(name),
                    rest => Some(rest.to_owned()),
                };
                match (curl, letter) {
                    (true, 'o') | (false, 'O') => file = value,
                    (false, 'P') => dir = value,
                    (true, 'd') => return None,
                    _ => {}
                }
                break;
            }
        }
    }
    let redirect = call.redirects.iter().find(|r| {
        matches!(
            r.operator,
            RedirectOperator::Write | RedirectOperator::Append
        )
    });
    let redirected = redirect.and_then(|r| r.target.clone());
    let of_url = || {
        urls.last()
            .map(|u| of_url(&name(u)))
            .filter(|n| !n.is_empty())
    };
    let output = match file {
        Some(f) if f == "-" || f == "/dev/stdout" => None,
        Some(f) => Some(f),
        None if !curl || remote => of_url(),
        None => None,
    };
    let output = match (output, dir) {
        (Some(f), Some(d)) if !f.starts_with('/') => {
            Some(format!("{}/{f}", d.trim_end_matches('/')))
        }
        (output, _) => output.or(redirected),
    };
    if urls.is_empty() {
        return None;
    }
    Some(Fetch {
        call,
        at,
        urls,
        output: output.map_or(Output::Stream, Output::File),
        insecure,
    })
}

/// Whether a word is in a list of words.
pub fn listed(list: &str, word: &str) -> bool {
    list.split_whitespace().any(|w| w == word)
}

/// A word without its quotes.
pub fn name(word: &Argument) -> String {
    word.shown().trim_matches(['"', '\'']).to_owned()
}

fn of_url(url: &str) -> String {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    path.rsplit('/').next().unwrap_or_default().to_owned()
}

/// The last part of a path.
pub fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Whether a name is that of an archive or a package.
pub fn is_archive(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ARCHIVES.split_whitespace().any(|a| name.ends_with(a))
}

/// Whether a command unpacks or installs a file; gives the word that names it.
pub fn unpacks<'c>(call: &'c Call, file: &str) -> Option<&'c Argument> {
    let program = call.program.as_str();
    let letters = |w: &Argument| {
        let w = w.shown();
        !w.starts_with("--") && !w.contains('/') && !w.contains('.') && w.contains('x')
    };
    let does = match program {
        "tar" | "bsdtar" => {
            call.arguments.first().is_some_and(letters)
                || call.has_letter('x')
                || call.has("--extract")
                || call.has("--get")
        }
        "unzip" => !call.has_letter('l') && !call.has_letter('p'),
        "7z" | "7za" => call.does(&["x", "e"]),
        "dpkg" => call.has("-i") || call.has("--install"),
        "rpm" => call
            .known()
            .any(|a| a.starts_with("-i") || a.starts_with("-U")),
        "apt-get" | "apt" | "yum" | "dnf" | "microdnf" => call.does(&["install", "localinstall"]),
        _ => false,
    };
    if !does {
        return None;
    }
    call.arguments.iter().find(|a| same(&name(a), file))
}

/// Whether two words name one file: the same text, or the same last part where one of them has no more than that.
pub fn same(a: &str, b: &str) -> bool {
    let (a, b) = (
        a.strip_prefix("./").unwrap_or(a),
        b.strip_prefix("./").unwrap_or(b),
    );
    a == b || (base(a) == base(b) && (!a.starts_with('/') || !b.starts_with('/')))
}

/// Whether a command may take the file away, or make it another one.
pub fn takes_away(call: &Call, file: &str) -> bool {
    let recursive = call.has_letter('r') || call.has_letter('R') || call.has("--recursive");
    match call.program.as_str() {
        "rm" | "unlink" => call.operands().any(|a| {
            // What can't be read may be it.
            if a.value.is_none() && !a.text.contains('/') {
                return true;
            }
            let text = name(a);
            let pattern = a.pattern || a.value.is_none() || text.contains(['*', '?', '[', '{']);
            same(&text, file)
                || pattern
                || (recursive
                    && (!file.starts_with('/') || crate::footprint::is_below(file, &text)))
        }),
        "mv" => call.operands().any(|a| same(&name(a), file) || a.pattern),
        "find" => call.has("-delete") || call.has("-exec"),
        "gunzip" | "unxz" | "bunzip2" | "xz" | "bzip2" | "gzip" => {
            call.operands().any(|a| same(&name(a), file))
        }
        _ => false,
    }
}

/// Whether what a RUN downloads is compared with something that was known before.
pub fn is_checked(run: &Run<'_>) -> bool {
    let words = |c: &Call, list: &[&str]| c.known().any(|a| list.iter().any(|w| a.contains(w)));
    let by_text = [
        "--checksum",
        "sha256:",
        "checksum",
        "SHA256",
        "sha256",
        "sha512",
        "SHA512",
    ];
    run.calls.iter().any(|c| match c.program.as_str() {
        "sha1sum" | "sha224sum" | "sha256sum" | "sha384sum" | "sha512sum" | "md5sum" | "b2sum"
        | "shasum" | "cksum" => true,
        "gpg" | "gpgv" | "gpg2" | "cosign" | "minisign" | "signify" | "rpmkeys" => {
            words(c, &["verify", "-V"]) || c.program == "gpgv"
        }
        "openssl" => c.does(&["dgst"]),
        _ => false,
    }) || by_text.iter().any(|w| run.text.contains(w))
}
