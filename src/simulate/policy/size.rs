//! SIZE of the command line: bytes, or with kB, MB, GB, KiB, MiB, GiB.

use std::fmt;
use std::str::FromStr;

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(pub u64);

/// Text that is no size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write a size above 0 in bytes, or with kB, MB, GB, KiB, MiB or GiB")]
pub struct InvalidSize;

/// Largest units first, so that a size is shown in the largest one that it is a multiple of.
const UNITS: [(&str, u64); 6] = [
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("kB", 1000),
];

impl FromStr for Size {
    type Err = InvalidSize;

    fn from_str(text: &str) -> Result<Self, InvalidSize> {
        let (number, unit) = UNITS
            .iter()
            .find_map(|(name, unit)| Some((text.strip_suffix(name)?, *unit)))
            .unwrap_or((text, 1));
        let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        let fraction = number.contains('.');
        if !digits(whole) || fraction && !(digits(part) && part.len() <= 9 && unit > 1) {
            return Err(InvalidSize);
        }
        let whole: u64 = whole.parse().map_err(|_| InvalidSize)?;
        let tenths: u128 = if fraction {
            part.parse().map_err(|_| InvalidSize)?
        } else {
            0
        };
        let scale = 10u128.pow(u32::try_from(part.len()).map_err(|_| InvalidSize)?);
        let bytes = u128::from(whole) * u128::from(unit) + tenths * u128::from(unit) / scale;
        match u64::try_from(bytes) {
            Ok(bytes) if bytes > 0 => Ok(Self(bytes)),
            _ => Err(InvalidSize),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match UNITS.iter().find(|(_, unit)| self.0.is_multiple_of(*unit)) {
            Some((name, unit)) if self.0 > 0 => write!(f, "{}{name}", self.0 / unit),
            _ => write!(f, "{}", self.0),
        }
    }
}
