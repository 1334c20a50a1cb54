//! Texts as other texts: base64, URL escapes, hashes.
//!
//! Goes in: a text. Comes out: another one, linear in its length. Invariant: the same as the functions
//! of bake, which are those of `go-cty-funcs`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::Digest as _;

/// What `url.QueryEscape` of Go escapes; it makes a plus of a blank, too.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b' ');

pub(super) fn base64(text: &str) -> String {
    STANDARD.encode(text)
}

/// None where it is no base64, or no text.
pub(super) fn from_base64(text: &str) -> Option<String> {
    String::from_utf8(STANDARD.decode(text).ok()?).ok()
}

pub(super) fn url(text: &str) -> String {
    utf8_percent_encode(text, QUERY)
        .to_string()
        .replace(' ', "+")
}

/// `md5`, `sha1`, `sha256` or `sha512` in small hexadecimal digits.
pub(super) fn hash(name: &str, text: &str) -> String {
    let digest = match name {
        "md5" => md5::Md5::digest(text).to_vec(),
        "sha1" => sha1::Sha1::digest(text).to_vec(),
        "sha256" => sha2::Sha256::digest(text).to_vec(),
        _ => sha2::Sha512::digest(text).to_vec(),
    };
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A name in a namespace, which has a short name or is itself a UUID (`uuid.Parse` of Go).
pub(super) fn uuid_v5(namespace: &str, name: &str) -> Option<String> {
    let namespace = match namespace {
        "dns" => "6ba7b8109dad11d180b400c04fd430c8",
        "url" => "6ba7b8119dad11d180b400c04fd430c8",
        "oid" => "6ba7b8129dad11d180b400c04fd430c8",
        "x500" => "6ba7b8149dad11d180b400c04fd430c8",
        other => other,
    };
    let braced = namespace
        .strip_prefix('{')
        .and_then(|n| n.strip_suffix('}'));
    let plain = braced.or_else(|| namespace.strip_prefix("urn:uuid:"));
    let plain = plain.unwrap_or(namespace);
    let digits: String = match plain.len() {
        32 if plain == namespace => plain.to_owned(),
        36 if [8, 13, 18, 23]
            .iter()
            .all(|at| plain.as_bytes()[*at] == b'-') =>
        {
            plain.replace('-', "")
        }
        _ => return None,
    };
    let number = u128::from_str_radix(&digits, 16)
        .ok()
        .filter(|_| digits.len() == 32)?;
    let digest = sha1::Sha1::new()
        .chain_update(number.to_be_bytes())
        .chain_update(name)
        .finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(digest.get(..16)?);
    bytes[6] = bytes[6] & 0x0f | 0x50;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let parts = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ];
    Some(parts.join("-"))
}
