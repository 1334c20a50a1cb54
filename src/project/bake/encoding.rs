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
