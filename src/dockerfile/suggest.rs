//! The nearest known name to a misspelt one.
//!
//! Goes in: a name and the known ones. Comes out: at most one suggestion. Costs the product of two
//! lengths per known name; long names are not compared. Invariant: ties go to the earlier name.

/// A name longer than this is not a typing mistake.
const LONGEST: usize = 24;

/// The known name with the fewest edits (insert, delete, replace, swap neighbours; letter case does
/// not count), if they are few for its length.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name = Letters::of(name)?;
    if name.len == 0 || name.len > LONGEST {
        return None;
    }
    known
        .filter_map(|k| {
            let enough = |edits: usize| edits * 2 < k.len() && edits <= MOST_EDITS;
            let other = Letters::of(k)?;
            // As many as lengths differ are needed at least.
            if !enough(name.len.abs_diff(other.len)) {
                return None;
            }
            let edits = distance(&name, &other);
            enough(edits).then_some((edits, k))
        })
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, k)| k)
}

/// More than this are another name.
const MOST_EDITS: usize = 3;

/// The longest name that may be near.
const ROOM: usize = LONGEST + MOST_EDITS;

/// The letters of a name in lower case.
struct Letters {
    all: [char; ROOM],
    len: usize,
}

impl Letters {
    /// `None` of a name that is longer than any that may be near.
    fn of(name: &str) -> Option<Self> {
        let mut out = Self {
            all: ['\0'; ROOM],
            len: 0,
        };
        for letter in name.chars().flat_map(char::to_lowercase) {
            *out.all.get_mut(out.len)? = letter;
            out.len += 1;
        }
        Some(out)
    }
}

fn distance(a: &Letters, b: &Letters) -> usize {
    let mut before = [0; ROOM + 1];
    let mut last: [usize; ROOM + 1] = std::array::from_fn(|n| n);
    let (a, b) = (&a.all[..a.len], &b.all[..b.len]);
    for i in 1..=a.len() {
        let mut row = [i; ROOM + 1];
        for j in 1..=b.len() {
            let cost = usize::from(a[i - 1] != b[j - 1]);
            row[j] = (last[j] + 1).min(row[j - 1] + 1).min(last[j - 1] + cost);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_name() {
        let known = ["ADD", "ARG", "COPY", "ENTRYPOINT", "FROM", "RUN", "WORKDIR"];
        let rows = [
            ("FORM", Some("FROM")),
            ("runn", Some("RUN")),
            ("COYP", Some("COPY")),
            ("entrypont", Some("ENTRYPOINT")),
            ("WORKIDR", Some("WORKDIR")),
            ("apt-get", None),
            ("", None),
            ("if", None),
        ];
        for (name, near) in rows {
            assert_eq!(nearest(name, known.into_iter()), near, "{name}");
        }
        assert_eq!(nearest(&"R".repeat(1 << 20), known.into_iter()), None);
    }
}
