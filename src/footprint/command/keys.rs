//! Keys and certificates: gpg, openssl, ssh-keygen and ssh-keyscan. What they make is random; the paths
//! are not.

use super::super::Extent;
use super::super::argument::Argument;
use super::super::options::{Spec, parse};
use super::{Call, Described, common};

#[rustfmt::skip]
const GPG: Spec = Spec {
    letters: "qvaed",
    letters_with_value: "ou",
    names: &[
        "batch", "yes", "no-tty", "quiet", "verbose", "armor", "dearmor", "import", "export",
        "verify", "recv-keys", "recv-key", "recv", "receive-keys", "refresh-keys", "fetch-keys",
        "fetch-key", "list-keys", "fingerprint", "with-fingerprint", "with-colons",
        "no-default-keyring", "allow-non-selfsigned-uid", "list-secret-keys", "show-keys",
        "no-auto-check-trustdb", "import-ownertrust", "check-trustdb", "ignore-time-conflict",
        "delete-keys", "delete-key", "keyid-format", "enarmor", "no-permission-warning",
    ],
    names_with_value: &[
        "keyserver", "keyring", "output", "homedir", "keyserver-options", "trust-model",
        "import-options", "export-options", "options-file", "primary-keyring",
    ],
};

/// Describes gpg.
pub(super) fn gpg(call: &mut Call<'_>) -> Described {
    if matches!(call.arguments, [a] if matches!(a.known(), Some("--version" | "--help"))) {
        return Ok(());
    }
    let parsed = parse(call.arguments, &GPG)?;
    let home = match parsed.values(&["homedir"]).last() {
        Some(value) => value
            .known()
            .ok_or("the home directory is not known")?
            .to_string(),
        None => match call.setting("GNUPGHOME")? {
            Some(place) => place,
            None => call.home_entry(".gnupg")?.path,
        },
    };
    call.keep_in(&home)?;
    let fetches = [
        "keyserver",
        "recv-keys",
        "recv-key",
        "recv",
        "receive-keys",
        "refresh-keys",
        "fetch-keys",
        "fetch-key",
    ];
    call.claims
        .assume("gpg's settings name no file outside of its home directory");
    // Verifying may fetch a key where a setting says so.
    call.claims.network |= parsed.has(&fetches) || parsed.has(&["verify"]);
    for ring in parsed.values(&["keyring", "primary-keyring"]) {
        let text = ring.known().ok_or("a keyring is not known")?;
        let text = text.strip_prefix("gnupg-ring:").unwrap_or(text);
        if text.contains('/') {
            let file = Argument::Known(text.to_string());
            call.read(&file, Extent::Exact)?;
            call.write(&file, Extent::Exact)?;
            call.write(&Argument::Known(format!("{text}~")), Extent::Exact)?;
            call.write(&Argument::Known(format!("{text}.lock")), Extent::Exact)?;
        }
    }
    let mut named = false;
    for output in parsed.values(&["o", "output"]).cloned().collect::<Vec<_>>() {
        named = true;
        if output.known() != Some("-") {
            call.write(&output, Extent::Exact)?;
        }
    }
    let keys = fetches[1..].iter().chain(&[
        "export",
        "list-keys",
        "fingerprint",
        "delete-keys",
        "delete-key",
        "list-secret-keys",
    ]);
    if parsed.has(&keys.copied().collect::<Vec<_>>()) {
        // Operands are names of keys.
        return Ok(());
    }
    for file in &parsed.operands {
        call.read(file, Extent::Exact)?;
        if parsed.has(&["dearmor", "enarmor"]) && !named {
            let text = file.known().ok_or("a path is not known")?;
            call.write(&Argument::Known(format!("{text}.gpg")), Extent::Exact)?;
            call.write(&Argument::Known(format!("{text}.asc")), Extent::Exact)?;
        }
        if parsed.has(&["verify"]) {
            // The signed file lies beside its signature.
            if let Some(data) = file.known().and_then(|f| f.rsplit_once('.')) {
                call.read(&Argument::Known(data.0.to_string()), Extent::Exact)?;
            }
        }
    }
    if parsed.has(&["d", "e"]) {
        return Err("what it decrypts or encrypts is not known".to_string());
    }
    Ok(())
}

/// Its options have one dash; the table has them as long names.
#[rustfmt::skip]
const OPENSSL: Spec = Spec {
    letters: "",
    letters_with_value: "",
    names: &[
        "hex", "base64", "x509", "new", "nodes", "noenc", "batch", "sha1", "sha256", "sha384",
        "sha512", "md5", "req", "noout", "text", "fingerprint", "subject", "issuer", "dates",
        "hash", "1", "5", "6", "apr1", "stdin", "a", "d", "verbose", "quiet", "2", "r", "pubout",
        "serial", "subject_hash", "subject_hash_old",
    ],
    names_with_value: &[
        "out", "keyout", "in", "newkey", "days", "subj", "addext", "extensions", "reqexts",
        "config", "key", "inform", "outform", "set_serial", "CA", "CAkey", "extfile", "salt",
        "signkey", "pkeyopt", "algorithm", "name", "inkey", "keyform",
    ],
};

/// Describes openssl.
pub(super) fn openssl(call: &mut Call<'_>) -> Described {
    let Some(sub) = call.arguments.first().and_then(Argument::known) else {
        return Err("the subcommand is not known".to_string());
    };
    let known = [
        "version", "rand", "req", "genrsa", "genpkey", "rsa", "x509", "dhparam", "dgst", "passwd",
        "sha256", "base64", "ecparam", "pkey",
    ];
    if !known.contains(&sub) {
        return Err(format!("what `{sub}` does is not known"));
    }
    let sub = sub.to_string();
    call.refuse(|n| matches!(n, "OPENSSL_ENGINES" | "OPENSSL_MODULES"))?;
    for place in ["OPENSSL_CONF", "RANDFILE"] {
        if let Some(value) = call.setting(place)? {
            call.keep_in(&value)?;
        }
    }
    let parsed = parse(&common::with_two_dashes(&call.arguments[1..]), &OPENSSL);
    let parsed = match parsed {
        Ok(parsed) => parsed,
        Err(_) if sub == "version" => return Ok(()),
        Err(why) => return Err(why),
    };
    for file in parsed.values(&[
        "in", "config", "key", "CA", "CAkey", "extfile", "signkey", "inkey",
    ]) {
        call.read(file, Extent::Exact)?;
    }
    for file in parsed.values(&["out", "keyout"]) {
        call.write(file, Extent::Exact)?;
    }
    if sub == "req" && !parsed.has(&["key", "keyout"]) {
        // The configuration names the file for the key.
        let directory = call.directory()?.to_string();
        call.claims.write(Extent::Subtree, directory);
    }
    if matches!(sub.as_str(), "dgst" | "sha256" | "base64") {
        for file in &parsed.operands {
            call.read(file, Extent::Exact)?;
        }
    }
    let seed = call.home_entry(".rnd")?;
    call.claims.write(seed.extent, seed.path);
    call.claims
        .assume("openssl's configuration names no other file and no module outside of the system");
    Ok(())
}

/// Describes ssh-keygen and ssh-keyscan.
pub(super) fn ssh(call: &mut Call<'_>) -> Described {
    if call.name == "ssh-keyscan" {
        let spec = Spec {
            letters: "46cHvqD",
            letters_with_value: "pTtf",
            ..Spec::default()
        };
        let parsed = parse(call.arguments, &spec)?;
        for file in parsed.values(&["f"]) {
            call.read(file, Extent::Exact)?;
        }
        call.claims.network = true;
        return Ok(());
    }
    let spec = Spec {
        letters: "qAoHlyv",
        letters_with_value: "fNtbCRmaPE",
        ..Spec::default()
    };
    let parsed = parse(call.arguments, &spec)?;
    if parsed.has(&["A"]) {
        call.claims.write_all(&["/etc/ssh"]);
        for prefix in parsed.values(&["f"]) {
            call.write(prefix, Extent::Subtree)?;
        }
        return Ok(());
    }
    let file = parsed.values(&["f"]).last().cloned();
    if parsed.has(&["l", "y"]) {
        let file = file.ok_or("the key is not known")?;
        return call.read(&file, Extent::Exact);
    }
    let own = call.home_entry(".ssh")?.path;
    call.keep_in(&own)?;
    if let Some(file) = file {
        let text = file.known().ok_or("a path is not known")?.to_string();
        call.read(&file, Extent::Exact)?;
        for end in ["", ".pub", ".old"] {
            call.write(&Argument::Known(format!("{text}{end}")), Extent::Exact)?;
        }
        if parsed.has(&["R", "H"]) {
            let claim = call.path(&file, Extent::Exact)?;
            let above = claim.path.rsplit_once('/').map_or("", |(d, _)| d);
            let above = if above.is_empty() { "/" } else { above }.to_string();
            call.claims.write(Extent::Subtree, above);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::lines::{Line, check};

    #[rustfmt::skip]
    const LINES: &[Line] = &[
        ("gpg --dearmor -o /usr/share/keyrings/x.gpg", "", "/root/.gnupg/**", "/root/.gnupg/** /usr/share/keyrings/x.gpg"),
        ("curl -fsSL https://e.org/k | gpg --dearmor > /k.gpg", "", "net", "/k.gpg /root/.gnupg/**"),
        ("gpg --dearmor k", "", "/app/k", "/app/k.asc /app/k.gpg /root/.gnupg/**"),
        ("gpg --batch --keyserver hkps://k --recv-keys ABC", "", "net", "/root/.gnupg/**"),
        ("GNUPGHOME=/g gpg --batch --verify x.asc x", "", "net /app/x /app/x.asc /g/**", "/g/**"),
        ("gpg --no-default-keyring --keyring /r.gpg --import k", "", "/app/k /r.gpg", "/r.gpg /r.gpg.lock /r.gpg~ /root/.gnupg/**"),
        ("gpg --import k && gpg --batch --yes --output o --export X", "", "/app/k", "/app/o /root/.gnupg/**"),
        ("GNUPGHOME=$(mktemp -d) gpg --import k", "mktemp", "", ""),
        ("GNUPGHOME=$X gpg --import k", "GNUPGHOME is not known", "", ""),
        ("gpg --gen-key", "option --gen-key", "", ""),
        ("gpg -o x -d y", "decrypts", "", ""),
        ("openssl version", "", "", "/root/.rnd/**"),
        ("openssl rand -hex 16", "", "", "/root/.rnd/**"),
        ("openssl req -x509 -newkey rsa:4096 -nodes -days 9 -keyout k.pem -out c.pem -subj /CN=x", "", "/etc/**", "/app/c.pem /app/k.pem /root/.rnd/**"),
        ("openssl req -new -newkey rsa:2048 -out c", "", "", "/app/** /root/.rnd/**"),
        ("openssl dhparam -out /d.pem 2048", "", "", "/d.pem /root/.rnd/**"),
        ("openssl dgst -sha256 f", "", "/app/f", "/root/.rnd/**"),
        ("openssl enc -in x", "`enc`", "", ""),
        ("openssl req -engine x", "option --engine", "", ""),
        ("ssh-keygen -A", "", "", "/etc/ssh/**"),
        ("ssh-keygen -t ed25519 -N '' -f /k", "", "/k", "/k /k.old /k.pub /root/.ssh/**"),
        ("ssh-keygen -s ca x", "option -s", "", ""),
        ("ssh-keyscan -t rsa github.com >> /h", "", "net", "/h"),
    ];

    #[test]
    fn keys_have_their_footprints() {
        check(LINES);
    }
}
