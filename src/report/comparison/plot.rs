//! Seconds added up from build to build: what the plots of all formats draw.
//!
//! Goes in: the comparison. Comes out: one rising line a variant, thinned out to so many places. Linear in builds
//! times variants. Invariant: the last place is the last build, so a line ends at its sum.

use crate::report::model::Comparison;

/// Seconds of each variant up to and with each build.
#[must_use]
pub fn cumulative(c: &Comparison) -> Vec<Vec<f64>> {
    let line = |v: usize| {
        let mut sum = 0.0;
        let rows = c.per_build.iter();
        let add = |row: &super::BuildRow| {
            sum += row.work_s.get(v).copied().unwrap_or(0.0);
            sum
        };
        rows.map(add).collect()
    };
    (0..c.variants.len()).map(line).collect()
}

/// At most `most` of `n` places, evenly apart, the last one among them.
#[must_use]
pub fn places(n: usize, most: usize) -> Vec<usize> {
    let k = n.min(most);
    (1..=k).map(|i| i * n / k - 1).collect()
}

/// A line of eighths of a cell; a space is zero, and what is more than that is seen.
#[must_use]
pub fn sparkline(values: &[f64], most: f64) -> String {
    const CELLS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let cell = |v: &f64| {
        let eighths = if most > 0.0 { v / most * 8.0 } else { 0.0 };
        let at = (eighths.round() as usize).min(8);
        CELLS[if *v > 0.0 { at.max(1) } else { at }]
    };
    values.iter().map(cell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_sparkline_shows_what_is_not_zero() {
        assert_eq!(sparkline(&[0.0, 0.001, 4.0, 8.0], 8.0), " ▁▄█");
        assert_eq!(sparkline(&[0.0], 0.0), " ");
    }

    proptest! {
        #[test]
        fn places_rise_to_the_last(n in 0usize..2000, most in 1usize..200) {
            let all = places(n, most);
            prop_assert_eq!(all.len(), n.min(most));
            prop_assert!(all.windows(2).all(|w| w[0] < w[1]));
            prop_assert_eq!(all.last().copied(), n.checked_sub(1));
        }
    }
}
