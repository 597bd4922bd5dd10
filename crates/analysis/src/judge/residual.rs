//! Measures noise on the rollout itself, when stable has too few pods to measure it on their history (judge 1.4).
//!
//! Windows of one fault differ by chance and by noise, not by the fault: what the difference of the arms varies by about
//! its own mean, beyond chance, is noise. Every number is of earlier windows, so that the evidence keeps its guarantee.

use super::dispersion::ASSUMED_RHO;
use super::tally::Tally;
use super::window::Settings;
use serde::Serialize;

/// Windows from which noise is read, at least.
pub const FEWEST_WINDOWS: u32 = 10;

/// Where the noise of a question comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Source {
    /// The pods of stable before the rollout.
    History,
    /// So many windows of this rollout, which vary more than usual.
    Windows(u32),
    /// Nothing says more: as most services.
    Assumed,
}

/// Intra-cluster correlation of one question, and where it comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Noise {
    /// In `[0, 1]`.
    pub rho: f64,
    /// For the line of reasons.
    pub source: Source,
}

/// What one window shows of the noise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Residual {
    /// The difference of the arms.
    pub value: f64,
    /// Its variance by chance alone.
    pub variance: f64,
    /// By what share of `variance` the variance grows per unit of rho.
    pub growth: f64,
}

impl Residual {
    /// Of two shares under a common rate; `None` when an arm is empty, or no or all requests are events.
    pub fn of_shares(canary: Tally, stable: Tally, pods: (u32, u32)) -> Option<Self> {
        let value = canary.rate()? - stable.rate()?;
        let pooled = (canary.events + stable.events) / (canary.trials + stable.trials);
        let chance = 1.0 / canary.trials + 1.0 / stable.trials;
        let variance = pooled * (1.0 - pooled) * chance;
        let excess = |arm: Tally, pods: u32| (cluster(arm.trials, pods) - 1.0) / arm.trials;
        let growth = (excess(canary, pods.0) + excess(stable, pods.1)) / chance;
        (variance > 0.0).then_some(Self { value, variance, growth })
    }
}

/// Requests that one pod served, at least 1; `pods = 0` counts as one.
pub fn cluster(trials: f64, pods: u32) -> f64 {
    (trials / f64::from(pods.max(1))).max(1.0)
}

/// Numbers that [`Residuals::numbers`] gives.
pub(super) const NUMBERS: usize = 5;

/// Sums over the windows of a rollout.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Residuals {
    windows: u32,
    /// `sum 1/v`, `sum d/v`, `sum d^2/v`.
    weight: f64,
    shift: f64,
    square: f64,
    growth: f64,
}

impl Residuals {
    /// Takes one window.
    pub fn add(&mut self, residual: &Residual) {
        self.windows = self.windows.saturating_add(1);
        self.weight += 1.0 / residual.variance;
        self.shift += residual.value / residual.variance;
        self.square += residual.value * residual.value / residual.variance;
        self.growth += residual.growth;
    }

    /// `PHI = sum (d - mean)^2 / v / (n - 1)`, then `rho = (PHI - 1) / mean growth`, in `[0, 1]`. `None` with fewer than
    /// [`FEWEST_WINDOWS`] windows.
    pub fn rho(&self) -> Option<f64> {
        if self.windows < FEWEST_WINDOWS {
            return None;
        }
        let windows = f64::from(self.windows);
        let phi = (self.square - self.shift * self.shift / self.weight) / (windows - 1.0);
        let growth = self.growth / windows;
        (growth > 0.0 && phi.is_finite()).then(|| ((phi - 1.0) / growth).clamp(0.0, 1.0))
    }

    /// The noise of a question whose windows so far these are. Windows can only show more noise than is usual: ten calm
    /// ones are no proof of calm.
    pub fn noise(&self, settings: &Settings) -> Noise {
        match (settings.rho, self.rho()) {
            (Some(rho), _) => Noise { rho, source: Source::History },
            (None, Some(rho)) if rho > ASSUMED_RHO => Noise { rho, source: Source::Windows(self.windows) },
            _ => Noise { rho: ASSUMED_RHO, source: Source::Assumed },
        }
    }

    /// Everything, as numbers to be stored.
    pub(super) fn numbers(&self) -> [f64; NUMBERS] {
        [f64::from(self.windows), self.weight, self.shift, self.square, self.growth]
    }

    /// What [`numbers`](Self::numbers) gave.
    pub(super) fn of_numbers([windows, weight, shift, square, growth]: [f64; NUMBERS]) -> Self {
        Self { windows: windows as u32, weight, shift, square, growth }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(errors: impl IntoIterator<Item = f64>) -> Residuals {
        let mut residuals = Residuals::default();
        for errors in errors {
            let window =
                Residual::of_shares(Tally::new(errors, 600.0), Tally::new(27.0, 5400.0), (1, 1)).unwrap();
            residuals.add(&window);
        }
        residuals
    }

    #[test]
    fn a_hand_computed_window() {
        let found = Residual::of_shares(Tally::new(9.0, 600.0), Tally::new(21.0, 5400.0), (1, 3)).unwrap();
        assert!((found.value - (0.015 - 21.0 / 5400.0)).abs() < 1e-15);
        let chance = 1.0 / 600.0 + 1.0 / 5400.0;
        assert!((found.variance - 0.005 * 0.995 * chance).abs() < 1e-15);
        assert!((found.growth - (599.0 / 600.0 + 1799.0 / 5400.0) / chance).abs() < 1e-9);
    }

    #[test]
    fn calm_windows_leave_the_usual_noise_and_wild_ones_do_not() {
        let unknown = Settings::default();
        let assumed = Noise { rho: ASSUMED_RHO, source: Source::Assumed };
        assert_eq!(of([3.0; 12]).noise(&unknown), assumed);
        let wild = || (0..12).map(|index| if index % 2 == 0 { 15.0 } else { 3.0 });
        let noise = of(wild()).noise(&unknown);
        assert_eq!(noise.source, Source::Windows(12));
        assert!(noise.rho > 2.0 * ASSUMED_RHO, "{noise:?}");
        assert_eq!(of(wild().take(9)).noise(&unknown), assumed, "nine windows are too few");
        let measured = Settings { rho: Some(0.001), ..unknown };
        let known = Noise { rho: 0.001, source: Source::History };
        assert_eq!(of(wild()).noise(&measured), known, "the history knows better");
    }

    #[test]
    fn a_lasting_fault_is_no_noise() {
        assert_eq!(of([60.0; 12]).rho(), Some(0.0));
    }

    #[test]
    fn the_correlation_of_a_made_up_service_is_found() {
        // Errors of the canary alone vary: by sqrt(phi) times what chance would, in turn above and below.
        let (rate, n, rho) = (0.02, 600.0_f64, 0.01);
        let phi = 1.0 + (n - 1.0) * rho;
        let swing = (phi * n * rate * (1.0 - rate) * (1.0 + n / 1e9)).sqrt();
        let mut residuals = Residuals::default();
        for index in 0..40 {
            let errors = n * rate + if index % 2 == 0 { swing } else { -swing };
            let stable = Tally::new(1e9 * rate, 1e9);
            residuals.add(&Residual::of_shares(Tally::new(errors, n), stable, (1, 1_000_000)).unwrap());
        }
        let found = residuals.rho().unwrap();
        assert!((found / rho - 1.0).abs() < 0.1, "{found}");
    }

    #[test]
    fn windows_without_events_show_nothing() {
        let none = Tally::new(0.0, 600.0);
        assert_eq!(Residual::of_shares(none, none, (1, 1)), None);
        assert_eq!(Residual::of_shares(Tally::default(), Tally::new(2.0, 9.0), (1, 1)), None);
    }
}
