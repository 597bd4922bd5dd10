//! Tests a difference of rates against a margin, and sums that test over windows without mixing them (judge 1.3).

use super::normal::{lower_tail, upper_tail};
use super::restricted::rates;
use super::tally::Tally;

/// Promote at the planned end of a step when `z` is at or below this: one-sided 5 %.
pub const PROMOTE_Z: f64 = -1.645;
/// The same at each of at most 3 extension looks: one-sided 1 % each, 3 % together.
pub const EXTENSION_Z: f64 = -2.33;

/// Which variance the score test uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variance {
    /// With the factor `N / (N - 1)` (Miettinen and Nurminen 1985).
    MiettinenNurminen,
    /// Without it (Farrington and Manning 1990).
    FarringtonManning,
}

/// A score test of `canary - stable` against a margin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// `(delta - margin) / se`; `None` when the variance is 0, for instance no errors at all and margin 0.
    pub z: Option<f64>,
    /// The rates of canary and stable that fit best under `canary - stable = margin`.
    pub restricted: (f64, f64),
}

impl Score {
    /// One-sided p of `delta <= margin`: small means the canary is worse by more than the margin.
    pub fn p_larger(self) -> Option<f64> {
        self.z.map(upper_tail)
    }

    /// One-sided p of `delta >= margin`: small means the canary is not worse by the margin.
    pub fn p_smaller(self) -> Option<f64> {
        self.z.map(lower_tail)
    }
}

/// Score test of one table against `margin` in `(-1, 1)`; `None` when an arm is empty.
pub fn score(canary: Tally, stable: Tally, margin: f64, variance: Variance) -> Option<Score> {
    let delta = canary.rate()? - stable.rate()?;
    let restricted = rates(canary, stable, margin);
    let total = canary.trials + stable.trials;
    let factor = match variance {
        Variance::MiettinenNurminen if total > 1.0 => total / (total - 1.0),
        _ => 1.0,
    };
    let spread = factor * restricted_variance(canary, stable, restricted);
    Some(Score { z: (spread > 0.0).then(|| (delta - margin) / spread.sqrt()), restricted })
}

/// `pC(1-pC)/nC + pS(1-pS)/nS`.
fn restricted_variance(canary: Tally, stable: Tally, (p, q): (f64, f64)) -> f64 {
    p * (1.0 - p) / canary.trials + q * (1.0 - q) / stable.trials
}

/// Mantel-Haenszel sums of `canary - stable` over windows, each window a stratum: weight and baseline may both move
/// during a ramp without any effect on the estimate (no Simpson's paradox).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Stratified {
    /// `sum w`, `w = nC nS / (nC + nS)`.
    weight: f64,
    /// `sum w d`.
    shift: f64,
    /// `sum w^2 var(d)` at the margin.
    variance: f64,
    /// `sum w (1/PC + 1/PS)`.
    inverse_pods: f64,
}

impl Stratified {
    /// Adds one window. `phi` = dispersion factors of canary and stable, `pods` = pods of both (0 counts as 1),
    /// `margin` the same in every window. A window with an empty arm adds nothing.
    pub fn add(&mut self, canary: Tally, stable: Tally, phi: (f64, f64), pods: (u32, u32), margin: f64) {
        let (Some(p), Some(q)) = (canary.rate(), stable.rate()) else { return };
        let (c, s) = (canary.thinned(phi.0), stable.thinned(phi.1));
        let variance = variance_at(c, s, margin);
        self.add_part(weight(canary.trials, stable.trials), p - q, variance, inverse_pods(pods));
    }

    /// Adds one window of any estimate: its weight, its value, its variance, and `1/PC + 1/PS`.
    pub fn add_part(&mut self, weight: f64, value: f64, variance: f64, inverse_pods: f64) {
        self.weight += weight;
        self.shift += weight * value;
        self.variance += weight * weight * variance;
        self.inverse_pods += weight * inverse_pods;
    }

    /// Variance of [`delta`](Self::delta), with what pods differ by persistently; 0 before the first window.
    pub fn variance(&self, tau: f64) -> f64 {
        if self.weight > 0.0 {
            self.variance / (self.weight * self.weight) + self.pod_variance(tau)
        } else {
            0.0
        }
    }

    /// Everything, as numbers to be stored.
    pub(super) fn numbers(&self) -> [f64; 4] {
        [self.weight, self.shift, self.variance, self.inverse_pods]
    }

    /// What [`numbers`](Self::numbers) gave.
    pub(super) fn of_numbers([weight, shift, variance, inverse_pods]: [f64; 4]) -> Self {
        Self { weight, shift, variance, inverse_pods }
    }

    /// `delta_MH = sum w d / sum w`, or `None` before the first window with both arms.
    pub fn delta(&self) -> Option<f64> {
        (self.weight > 0.0).then(|| self.shift / self.weight)
    }

    /// Variance that no amount of traffic removes, because pods differ persistently: `tau^2` times the weighted mean
    /// of `1/PC + 1/PS` over the windows (an upper bound when pods are added during the ramp).
    pub fn pod_variance(&self, tau: f64) -> f64 {
        if self.weight > 0.0 { tau * tau * self.inverse_pods / self.weight } else { 0.0 }
    }

    /// `(delta_MH - margin) / sqrt(V + tau^2 (1/PC + 1/PS))`; non-inferior when at or below [`PROMOTE_Z`]. `None`
    /// before the first window with both arms, or when the variance is 0.
    pub fn z(&self, margin: f64, tau: f64) -> Option<f64> {
        let delta = self.delta()?;
        let variance = self.variance(tau);
        (variance > 0.0).then(|| (delta - margin) / variance.sqrt())
    }
}

/// Weight of a window, `nC nS / (nC + nS)`; neither arm is empty.
pub fn weight(canary: f64, stable: f64) -> f64 {
    canary * stable / (canary + stable)
}

/// Variance of `canary - stable` when the difference is `margin`; the counts are effective ones.
pub fn variance_at(canary: Tally, stable: Tally, margin: f64) -> f64 {
    restricted_variance(canary, stable, rates(canary, stable, margin))
}

/// `1/PC + 1/PS`; an unknown number of pods (0) counts as one.
pub fn inverse_pods((canary, stable): (u32, u32)) -> f64 {
    1.0 / f64::from(canary.max(1)) + 1.0 / f64::from(stable.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(canary: Tally, stable: Tally) -> Stratified {
        let mut sums = Stratified::default();
        sums.add(canary, stable, (1.0, 1.0), (1, 9), 0.005);
        sums
    }

    #[test]
    fn one_window_is_the_farrington_manning_test() {
        let (canary, stable) = (Tally::new(9.0, 600.0), Tally::new(27.0, 5400.0));
        let z = one(canary, stable).z(0.005, 0.0).unwrap();
        let single = score(canary, stable, 0.005, Variance::FarringtonManning).unwrap().z.unwrap();
        assert!((z - single).abs() < 1e-12);
    }

    #[test]
    fn row_22_all_zeros_are_judged_from_the_interval() {
        let enough = one(Tally::new(0.0, 600.0), Tally::new(0.0, 5400.0)).z(0.005, 0.0).unwrap();
        let few = one(Tally::new(0.0, 500.0), Tally::new(0.0, 5400.0)).z(0.005, 0.0).unwrap();
        assert!((enough + 1.736).abs() < 1e-3 && enough <= PROMOTE_Z);
        assert!((few + 1.585).abs() < 1e-2 && few > PROMOTE_Z);
    }

    #[test]
    fn a_ramp_over_a_moving_baseline_does_not_fool_the_sum() {
        // The canary equals stable in both windows; pooled counts would say 1.4 % v 1.9 %.
        let mut sums = one(Tally::new(20.0, 1000.0), Tally::new(180.0, 9000.0));
        sums.add(Tally::new(50.0, 5000.0), Tally::new(50.0, 5000.0), (1.0, 1.0), (5, 5), 0.005);
        assert!(sums.delta().unwrap().abs() < 1e-12);
    }

    #[test]
    fn persistent_pod_differences_can_make_promotion_impossible() {
        let sums = one(Tally::new(3e6, 6e8), Tally::new(2.7e7, 5.4e9));
        assert!(sums.z(0.005, 0.0).unwrap() < -1000.0);
        assert!(sums.z(0.005, 0.004).unwrap() > PROMOTE_Z);
    }

    #[test]
    fn the_dispersion_of_each_arm_counts() {
        let z = |phi| {
            let mut sums = Stratified::default();
            sums.add(Tally::new(9.0, 600.0), Tally::new(2.0, 600.0), phi, (1, 9), 0.005);
            sums.z(0.005, 0.0).unwrap()
        };
        assert!(z((1.0, 1.0)) > z((2.0, 1.0)) && z((1.0, 1.0)) > z((1.0, 2.0)));
        assert!((z((1.0, 1.0)) / z((4.0, 4.0)) - 2.0).abs() < 1e-9);
    }

    #[test]
    fn an_empty_arm_adds_nothing() {
        assert_eq!(one(Tally::default(), Tally::new(3.0, 600.0)), Stratified::default());
        assert_eq!(Stratified::default().z(0.005, 0.0), None);
    }
}
