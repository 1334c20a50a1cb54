//! Weights as whole numbers, so that sums are exact and ties are ties.
//!
//! Goes in: seconds of every step. Comes out: units a step, and how many of them make a second.
//! Seconds with few decimals, as costs files and prices have them, become whole numbers without
//! loss; others are rounded at about the twelfth digit of the largest.

/// Largest sum that may come up, so that nothing overflows.
const LARGEST: f64 = (1u64 << 62) as f64;
const DECIMALS: i32 = 9;

/// Weights in units.
#[derive(Clone, Debug)]
pub struct Units {
    pub weights: Vec<u64>,
    /// Units in a second.
    pub scale: f64,
    /// Nothing was rounded.
    pub exact: bool,
}

impl Units {
    /// Units of steps, each of which runs at most `builds` times.
    pub fn new(seconds: &[f64], builds: usize) -> Self {
        let usable = |w: &f64| {
            if w.is_nan() {
                0.0
            } else {
                w.clamp(0.0, LARGEST)
            }
        };
        let seconds: Vec<f64> = seconds.iter().map(usable).collect();
        let most = seconds.iter().sum::<f64>() * builds.max(1) as f64;
        let fits = |scale: f64| most * scale < LARGEST;
        let whole = |w: f64, scale: f64| {
            let units = (w * scale).round();
            (units / scale - w).abs() <= 2.0 * f64::EPSILON * w
        };
        let decimal = (0..=DECIMALS).map(|d| 10f64.powi(d)).find(|scale| {
            let all = seconds.iter().all(|w| whole(*w, *scale));
            all && fits(*scale)
        });
        let scale = decimal.unwrap_or_else(|| {
            let mut scale = 1.0f64;
            while most > 0.0 && fits(scale * 2.0) && scale < LARGEST {
                scale *= 2.0;
            }
            while !fits(scale) {
                scale /= 2.0;
            }
            scale
        });
        let weights = seconds.iter().map(|w| (w * scale).round() as u64).collect();
        Self {
            weights,
            scale,
            exact: decimal.is_some(),
        }
    }

    /// Seconds of a sum.
    pub fn seconds(&self, units: u64) -> f64 {
        units as f64 / self.scale
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_lose_nothing() {
        let units = Units::new(&[0.1, 0.2, 0.3, 12.75], 5000);
        assert_eq!(units.weights, [10, 20, 30, 1275]);
        assert!(units.exact);
        assert_eq!(units.weights[0] * 3, units.weights[2]);
    }

    #[test]
    fn any_range_fits() {
        for weights in [
            vec![1e-3 / 3.0, 1e7],
            vec![1e300, 1.0],
            vec![1e-300, 1e-301],
            vec![f64::NAN, -1.0, f64::INFINITY],
            vec![std::f64::consts::PI; 128],
        ] {
            let units = Units::new(&weights, 5000);
            let sum: u128 = units.weights.iter().map(|w| u128::from(*w)).sum();
            assert!(sum * 5000 < 1 << 63);
        }
    }
}
