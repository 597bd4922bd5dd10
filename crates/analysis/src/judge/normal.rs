//! Tails and quantiles of the standard normal distribution, accurate far out in the tail.

use statrs::function::beta::checked_beta_reg;
use statrs::function::erf::erfc_inv;
use statrs::function::gamma::checked_gamma_ur;
use std::f64::consts::{PI, SQRT_2};

/// `P(Z > z)`. Keeps its relative precision down to about 1e-300, where `1 - cdf` would be 0.
pub fn upper_tail(z: f64) -> f64 {
    let beyond = 0.5 * two_sided(z);
    if z < 0.0 { 1.0 - beyond } else { beyond }
}

/// `P(Z <= z)`.
pub fn lower_tail(z: f64) -> f64 {
    upper_tail(-z)
}

/// `P(|Z| >= |z|)`.
pub fn two_sided(z: f64) -> f64 {
    chi_squared_tail(z * z)
}

/// Upper tail of the chi-squared distribution with one degree of freedom, `erfc(sqrt(x / 2))`.
///
/// By the incomplete gamma function: statrs' own `erfc` is right to 1e-10 only, this to 1e-14.
pub fn chi_squared_tail(x: f64) -> f64 {
    match x {
        x if x.is_nan() => x,
        x if x <= 0.0 => 1.0,
        x => checked_gamma_ur(0.5, x / 2.0).unwrap_or(0.0),
    }
}

/// `P(T > t)` of Student's t with so many degrees of freedom, above 0.
pub fn student_tail(t: f64, freedom: f64) -> f64 {
    let beyond = 0.5 * checked_beta_reg(freedom / 2.0, 0.5, freedom / (freedom + t * t)).unwrap_or(1.0);
    if t < 0.0 { 1.0 - beyond } else { beyond }
}

/// The `z` with `P(Z <= z) = p`; infinite at 0 and 1.
///
/// The inverse error function gives the start and one Newton step the last digits.
pub fn quantile(p: f64) -> f64 {
    let start = -SQRT_2 * erfc_inv(2.0 * p);
    let density = (-0.5 * start * start).exp() / (2.0 * PI).sqrt();
    if !start.is_finite() || density == 0.0 {
        return start;
    }
    let miss = if start < 0.0 { lower_tail(start) - p } else { (1.0 - p) - upper_tail(start) };
    start - miss / density
}

/// The two-sided critical value: `quantile(1 - alpha / 2)`, 1.959964 for `alpha = 0.05`.
pub fn critical(alpha: f64) -> f64 {
    -quantile(alpha / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_critical_values_to_the_last_digits() {
        assert!((critical(0.05) - 1.959_963_984_540_054).abs() < 1e-14);
        assert!((quantile(0.95) - 1.644_853_626_951_472_2).abs() < 1e-14);
        assert!((quantile(1e-10) + 6.361_340_902_404_056).abs() < 1e-12);
    }

    #[test]
    fn the_far_tail_keeps_relative_precision() {
        let reference = 7.619_853_024_160_527e-24; // P(Z > 10)
        assert!((upper_tail(10.0) / reference - 1.0).abs() < 1e-10);
        assert_eq!(lower_tail(f64::NEG_INFINITY), 0.0);
        assert_eq!(quantile(0.0), f64::NEG_INFINITY);
    }
}
