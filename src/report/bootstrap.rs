//! A paired bootstrap interval of a saving, the same for the same input.

/// Resamples drawn.
const RESAMPLES: usize = 1000;

/// 95 % interval of `1 - sum(b) / sum(a)` over builds drawn with replacement, pairs kept. `[0, 0]`
/// when there is nothing to draw from. The generator is seeded by the number of builds alone.
#[must_use]
pub fn saving_interval(a: &[f64], b: &[f64]) -> [f64; 2] {
    let n = a.len().min(b.len());
    if n == 0 || a.iter().sum::<f64>() <= 0.0 {
        return [0.0, 0.0];
    }
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ n as u64;
    let mut draw = || {
        // splitmix64
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    };
    let mut savings: Vec<f64> = (0..RESAMPLES)
        .filter_map(|_| {
            let (mut x, mut y) = (0.0, 0.0);
            for _ in 0..n {
                let i = draw();
                x += a[i];
                y += b[i];
            }
            (x > 0.0).then(|| 1.0 - y / x)
        })
        .collect();
    savings.sort_by(f64::total_cmp);
    if savings.is_empty() {
        return [0.0, 0.0];
    }
    let at = |q: f64| savings[((savings.len() - 1) as f64 * q).round() as usize];
    [at(0.025), at(0.975)]
}

#[cfg(test)]
mod tests {
    use super::saving_interval;

    #[test]
    fn a_constant_ratio_has_no_spread_and_noise_has() {
        let a: Vec<f64> = (1..100).map(f64::from).collect();
        let half: Vec<f64> = a.iter().map(|x| x / 2.0).collect();
        let [lo, hi] = saving_interval(&a, &half);
        assert!((lo - 0.5).abs() < 1e-9 && (hi - 0.5).abs() < 1e-9);
        let mixed: Vec<f64> = a
            .iter()
            .enumerate()
            .map(|(i, x)| if i % 2 == 0 { 0.0 } else { *x })
            .collect();
        let [lo, hi] = saving_interval(&a, &mixed);
        assert!(lo < 0.5 && 0.5 < hi && lo > 0.2 && hi < 0.8, "{lo} {hi}");
        assert_eq!(saving_interval(&[], &[]), [0.0, 0.0]);
    }
}
