//! The nearest known name to a misspelt one.
//!
//! Goes in: a name and the known ones. Comes out: at most one suggestion. Costs the product of two
//! lengths per known name; long names are not compared. Invariant: ties go to the earlier name.

/// A name longer than this is not a typing mistake.
const LONGEST: usize = 24;

/// The known name with the fewest edits (insert, delete, replace, swap neighbours; letter case does
/// not count), if they are few for its length.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name: Vec<char> = name
        .chars()
        .take(LONGEST + 1)
        .flat_map(char::to_lowercase)
        .collect();
    if name.is_empty() || name.len() > LONGEST {
        return None;
    }
    known
        .map(|k| {
            let other: Vec<char> = k.chars().flat_map(char::to_lowercase).collect();
            (distance(&name, &other), k)
        })
        .filter(|(edits, k)| *edits * 2 < k.len() && *edits <= 3)
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, k)| k)
}

fn distance(a: &[char], b: &[char]) -> usize {
    let width = b.len() + 1;
    let mut before: Vec<usize> = vec![0; width];
    let mut last: Vec<usize> = (0..width).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; width];
        for j in 1..width {
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
