//! Numbers for people: three significant digits and a unit.
//!
//! Goes in: seconds, shares, counts. Comes out: short text, the same everywhere. Invariant: a value
//! that is not zero is never shown as zero, nor a share under one as all.

/// `n` with three significant digits, whole numbers without a fraction.
fn significant(n: f64) -> String {
    let size = n.abs();
    if size >= 99.95 || (n.fract() == 0.0) {
        format!("{n:.0}")
    } else if size >= 9.995 {
        format!("{n:.1}")
    } else {
        format!("{n:.2}")
    }
}

/// A duration in seconds: `0 s`, `18.9 s`, and from ten minutes on `12.5 min`.
#[must_use]
pub fn seconds(s: f64) -> String {
    if !s.is_finite() {
        return "? s".to_owned();
    }
    if s != 0.0 && s.abs() < 0.01 {
        return "<0.01 s".to_owned();
    }
    if s.abs() >= 600.0 {
        return format!("{} min", significant(s / 60.0));
    }
    format!("{} s", significant(s))
}

/// A share as `42 %`, with one decimal below ten and where rounding would claim all.
#[must_use]
pub fn percent(share: f64) -> String {
    if !share.is_finite() {
        return "? %".to_owned();
    }
    let p = share * 100.0;
    let size = p.abs();
    if size == 0.0 {
        "0 %".to_owned()
    } else if size < 0.05 {
        format!("{}<0.1 %", if p < 0.0 { "-" } else { "" })
    } else if size < 9.95 && (size - size.round()).abs() > 1e-9 {
        format!("{p:.1} %")
    } else if (99.5..100.0).contains(&size) {
        // Rounded towards zero: 99.99 is not all.
        format!("{:.1} %", (p * 10.0).trunc() / 10.0)
    } else {
        format!("{p:.0} %")
    }
}

/// `1 step`, `2 steps`.
#[must_use]
pub fn count(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

/// `4,812`.
#[must_use]
pub fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number of something that was counted up: whole from 10 on, `1,234`.
#[must_use]
pub fn amount(n: f64) -> String {
    if !n.is_finite() {
        "?".to_owned()
    } else if n >= 9.95 {
        grouped(n.round() as usize)
    } else if n != 0.0 && n < 0.05 {
        "<0.1".to_owned()
    } else if (n - n.round()).abs() < 1e-9 {
        format!("{n:.0}")
    } else {
        format!("{n:.1}")
    }
}

/// Money: `$1.86`, `1.86 CHF`, and without a currency the figure alone.
#[must_use]
pub fn money(n: f64, currency: &str) -> String {
    let digits = if !n.is_finite() {
        "?".to_owned()
    } else if n != 0.0 && n < 0.005 {
        "<0.01".to_owned()
    } else {
        let cents = (n * 100.0).round();
        format!("{}.{:02}", grouped((cents / 100.0) as usize), cents % 100.0)
    };
    match currency {
        "USD" => format!("${digits}"),
        "EUR" => format!("€{digits}"),
        "GBP" => format!("£{digits}"),
        "" => digits,
        code => format!("{digits} {code}"),
    }
}

/// A bar of `width` cells, at least one full cell for a share above zero.
#[must_use]
pub fn bar(share: f64, width: usize) -> String {
    let share = share.clamp(0.0, 1.0);
    let mut full = (share * width as f64).round() as usize;
    if share > 0.0 {
        full = full.max(1);
    }
    let full = full.min(width);
    "█".repeat(full) + &"░".repeat(width - full)
}

/// One character of eight heights for each of `width` equal parts of the values, by their mean; the highest part is full. Fewer
/// values than `width` have one each.
#[must_use]
pub fn spark(values: &[f64], width: usize) -> String {
    const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let width = width.min(values.len());
    let part = |i: usize| &values[i * values.len() / width..(i + 1) * values.len() / width];
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len().max(1) as f64;
    let means: Vec<f64> = (0..width).map(|i| mean(part(i))).collect();
    let most = means.iter().copied().fold(0.0, f64::max);
    let height = |m: &f64| match most > 0.0 {
        true => HEIGHTS[((m / most * 8.0).ceil() as usize).clamp(1, 8) - 1],
        false => HEIGHTS[0],
    };
    means.iter().map(height).collect()
}

/// A size with a decimal unit, `1.2 MB`.
#[must_use]
pub fn bytes(n: u64) -> String {
    let mut value = n as f64;
    let mut unit = "B";
    for next in ["kB", "MB", "GB", "TB"] {
        if value < 1000.0 {
            break;
        }
        value /= 1000.0;
        unit = next;
    }
    if unit == "B" {
        format!("{n} B")
    } else {
        format!("{value:.1} {unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_significant_digits() {
        let cases = [
            (0.0, "0 s"),
            (0.001, "<0.01 s"),
            (0.456, "0.46 s"),
            (9.999, "10.0 s"),
            (45.0, "45 s"),
            (18.94, "18.9 s"),
            (180.4, "180 s"),
            (599.0, "599 s"),
            (750.0, "12.5 min"),
            (-3.0, "-3 s"),
            (f64::NAN, "? s"),
        ];
        for (s, text) in cases {
            assert_eq!(seconds(s), text);
        }
    }

    #[test]
    fn shares_never_round_to_none_or_all() {
        let cases = [
            (0.0, "0 %"),
            (0.0001, "<0.1 %"),
            (0.042, "4.2 %"),
            (0.05, "5 %"),
            (0.42, "42 %"),
            (0.9999, "99.9 %"),
            (1.0, "100 %"),
            (-0.24, "-24 %"),
        ];
        for (p, text) in cases {
            assert_eq!(percent(p), text);
        }
        for (n, text) in [
            (0.0, "0"),
            (0.01, "<0.1"),
            (4.25, "4.2"),
            (4.0, "4"),
            (9.96, "10"),
            (1234.4, "1,234"),
            (f64::INFINITY, "?"),
        ] {
            assert_eq!(amount(n), text);
        }
        for (n, currency, text) in [
            (1.856, "USD", "$1.86"),
            (0.999, "", "1.00"),
            (12345.6, "CHF", "12,345.60 CHF"),
            (0.001, "EUR", "€<0.01"),
            (0.0, "GBP", "£0.00"),
        ] {
            assert_eq!(money(n, currency), text);
        }
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(123), "123");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(bar(0.01, 4), "█░░░");
        assert_eq!(bar(1.5, 4), "████");
    }
}
