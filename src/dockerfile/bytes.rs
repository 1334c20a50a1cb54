//! Sets of bytes.
//!
//! Goes in: a byte. Comes out: whether it is one of a set. Costs one look in a table, where several comparisons
//! would each be a branch that no processor foresees at the end of a word.

/// Which of all bytes match a pattern.
macro_rules! byte_set {
    ($pattern:pat) => {{
        let mut out = [false; 256];
        let mut byte = 0;
        while byte < 256 {
            out[byte] = matches!(byte as u8, $pattern);
            byte += 1;
        }
        $crate::dockerfile::bytes::Bytes(out)
    }};
}
pub(super) use byte_set;

/// A set of bytes, made by [`byte_set`].
pub(super) struct Bytes(pub(super) [bool; 256]);

impl Bytes {
    #[inline]
    pub(super) fn has(&self, byte: u8) -> bool {
        self.0[usize::from(byte)]
    }
}
