//! What a secret looks like: by the name of a file, and by what it starts with.
//!
//! Goes in: a path and the first bytes. Comes out: what it is, in words; `None` where nothing secret shows. Invariant: a name alone is never
//! enough, and names of examples and tests are passed over.

/// Bytes that are looked at.
pub const START: usize = 16 << 10;

/// Parts of names that say that nothing in there is real.
const UNREAL: [&str; 20] = [
    "test",
    "tests",
    "testing",
    "testdata",
    "fixture",
    "fixtures",
    "example",
    "examples",
    "sample",
    "samples",
    "mock",
    "mocks",
    "dummy",
    "fake",
    "dev",
    "development",
    "integration",
    "demo",
    "docs",
    "spec",
];

/// Whether a path is one of an example or a test.
fn is_unreal(path: &str) -> bool {
    let lower = path.to_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_alphanumeric());
    let template = [
        "dist",
        "template",
        "tmpl",
        "tpl",
        "default",
        "defaults",
        "e2e",
        "snakeoil",
        "localhost",
        "selfsigned",
    ];
    words
        .into_iter()
        .any(|w| UNREAL.contains(&w) || template.contains(&w))
}

/// Whether a file may hold a secret, by its name.
pub fn may_be(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let lower = name.to_lowercase();
    let folders = [
        "node_modules/",
        "site-packages/",
        "vendor/",
        ".git/",
        "third_party/",
    ];
    let inside = folders
        .iter()
        .any(|f| path.starts_with(f) || path.contains(&format!("/{f}")));
    let ends = [".pem", ".key", ".ppk", ".kubeconfig"]
        .iter()
        .any(|e| lower.ends_with(e));
    let names = [
        ".npmrc",
        ".yarnrc.yml",
        ".pypirc",
        ".netrc",
        "_netrc",
        ".git-credentials",
        ".dockercfg",
        "kubeconfig",
        "terraform.tfstate",
        ".env",
        "id_rsa",
        "id_dsa",
        "id_ecdsa",
        "id_ed25519",
    ];
    let paths = [".aws/credentials", ".docker/config.json", ".kube/config"];
    let json = lower.ends_with(".json")
        && [
            "credential",
            "service-account",
            "service_account",
            "serviceaccount",
            "gcp",
            "firebase",
        ]
        .iter()
        .any(|w| lower.contains(w));
    let env = lower.starts_with(".env.");
    !inside
        && !is_unreal(path)
        && (ends
            || json
            || env
            || names.contains(&lower.as_str())
            || paths
                .iter()
                .any(|p| path == *p || path.ends_with(&format!("/{p}"))))
}

/// What a file is, by its first bytes.
pub fn kind(path: &str, start: &[u8]) -> Option<&'static str> {
    let text = String::from_utf8_lossy(start);
    let name = path.rsplit('/').next().unwrap_or(path).to_lowercase();
    // Encrypted keys are of no use without their passphrase.
    let key = text.contains("-----BEGIN ")
        && text.contains("PRIVATE KEY-----")
        && !text.contains("ENCRYPTED");
    if name.ends_with(".json")
        && text.contains("\"private_key\"")
        && text.contains("PRIVATE KEY-----")
    {
        return Some("the key of a service account");
    }
    if key || text.starts_with("PuTTY-User-Key-File") {
        return Some("a private key");
    }
    let line = |names: &[&str]| {
        text.lines().any(|l| {
            setting(l)
                .is_some_and(|(k, v)| names.contains(&k.to_lowercase().as_str()) && is_real(v))
        })
    };
    match name.as_str() {
        ".npmrc" => {
            let token = |l: &str| {
                l.split_once("_authToken=")
                    .or_else(|| l.split_once("_password="))
                    .is_some_and(|(b, v)| !b.trim_start().starts_with(['#', ';']) && is_real(v))
            };
            text.lines()
                .any(token)
                .then_some("a token of a package registry")
        }
        ".yarnrc.yml" => line(&["npmauthtoken"]).then_some("a token of a package registry"),
        ".pypirc" => line(&["password"]).then_some("a password of a package registry"),
        ".netrc" | "_netrc" => {
            let words: Vec<&str> = text.split_whitespace().collect();
            let real = words
                .windows(2)
                .any(|w| w[0] == "password" && is_real(w[1]));
            real.then_some("a password")
        }
        ".git-credentials" => text
            .lines()
            .any(|l| l.contains("://") && l.contains('@'))
            .then_some("a password of a git server"),
        "credentials" => line(&["aws_secret_access_key"]).then_some("a key of AWS"),
        ".dockercfg" | "config.json" => {
            let auth = text
                .split("\"auth\"")
                .nth(1)
                .and_then(|r| r.split('"').nth(1));
            auth.is_some_and(|a| a.len() > 8)
                .then_some("a login of an image registry")
        }
        "terraform.tfstate" => (text.contains("\"password\"") || text.contains("\"secret"))
            .then_some("the state of Terraform with passwords"),
        n if n == "kubeconfig" || n == "config" || n.ends_with(".kubeconfig") => {
            line(&["client-key-data", "token"]).then_some("access to a Kubernetes cluster")
        }
        n if n.starts_with(".env") => {
            const WORDS: [&str; 8] = [
                "SECRET",
                "PASSWORD",
                "PASSWD",
                "TOKEN",
                "API_KEY",
                "APIKEY",
                "PRIVATE_KEY",
                "ACCESS_KEY",
            ];
            let secret = |l: &str| {
                setting(l).is_some_and(|(k, v)| {
                    let k = k.to_uppercase();
                    let public = k.starts_with("NEXT_PUBLIC_")
                        || k.starts_with("VITE_")
                        || k.starts_with("REACT_APP_")
                        || k.ends_with("_FILE");
                    !public && WORDS.iter().any(|w| k.contains(w)) && is_real(v)
                })
            };
            text.lines().any(secret).then_some("passwords or tokens")
        }
        _ => None,
    }
}

/// A name and its value, of `NAME=value` and `name: value`.
fn setting(line: &str) -> Option<(&str, &str)> {
    let line = line.trim();
    if line.starts_with(['#', ';', '/']) {
        return None;
    }
    let at = line.find(['=', ':'])?;
    let key = line[..at]
        .trim()
        .trim_start_matches("export ")
        .trim_matches(['"', '\'']);
    Some((key, line[at + 1..].trim().trim_matches(['"', '\'', ','])))
}

/// Whether a value is one that somebody keeps to themselves.
fn is_real(value: &str) -> bool {
    let value = value.trim().trim_matches(['"', '\'']);
    let lower = value.to_lowercase();
    let stands_in = [
        "change",
        "your",
        "example",
        "secret",
        "password",
        "passwd",
        "placeholder",
        "xxx",
        "todo",
        "dummy",
        "test",
        "sample",
        "<",
        "${",
        "$",
        "{{",
        "...",
        "***",
        "insert",
        "replace",
        "fake",
        "postgres",
        "admin",
        "root",
        "null",
        "none",
        "true",
        "false",
        "dev",
        "local",
    ];
    value.len() >= 8 && !stands_in.iter().any(|s| lower.contains(s))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_contents() {
        const KEY: &[u8] = b"-----BEGIN RSA PRIVATE KEY-----\nMIIE\n";
        for path in ["id_rsa", "certs/server.key", "a.pem"] {
            assert!(may_be(path), "{path}");
            assert_eq!(kind(path, KEY), Some("a private key"));
        }
        for path in [
            "tests/server.key",
            "certs/example.pem",
            "node_modules/x/id_rsa",
            "a.pub",
            "x/vendor/a.pem",
            ".env.example",
        ] {
            assert!(!may_be(path), "{path}");
        }
        assert_eq!(kind("a.pem", b"-----BEGIN CERTIFICATE-----\n"), None);
        assert!(kind(".npmrc", b"//r/:_authToken=npm_a1b2c3d4e5f6\n").is_some());
        assert!(kind(".npmrc", b"//r/:_authToken=${NPM_TOKEN}\n").is_none());
        assert!(kind(".env", b"DB_PASSWORD=hunter2hunter2\n").is_some());
        for none in [
            "DB_PASSWORD=changeme\n",
            "PORT=8080\n",
            "#API_TOKEN=abcdefghij\n",
            "SECRET_KEY=\n",
            "API_TOKEN=$X\n",
        ] {
            assert!(kind(".env", none.as_bytes()).is_none(), "{none}");
        }
    }
}
