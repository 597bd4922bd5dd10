//! Measures noise on the rollout itself, when stable has too few pods to measure it on their history (judge 1.4).
//!
//! Windows of one fault differ by chance and by noise, not by the fault: what the difference of the arms varies by about
//! its own mean, beyond chance, is noise. Every number is of earlier windows, so that the evidence keeps its guarantee. While
//! there are few windows, they forbid a FAIL that rests on the assumed noise alone.

use super::dispersion::ASSUMED_RHO;
use super::normal::student_tail;
use super::tally::Tally;
use super::window::Settings;
use serde::Serialize;

/// Windows from which noise is read, at least.
pub const FEWEST_WINDOWS: u32 = 10;

/// Windows after which their own spread is asked no more before a FAIL.
const ENOUGH_WINDOWS: u32 = 15;
/// The noise that [`Residuals::p_above`] begins with, that of one pod with bursts at 2 % errors, and for how many windows it
/// counts. Chosen by simulation, on other seeds than those in decision 003.
const ROUGH_RHO: f64 = 0.02;
const ROUGH_WINDOWS: f64 = 3.0;
/// Noisier than this is no service: windows that differ by more do so because of the fault.
const MOST_RHO: f64 = 0.05;

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

    /// One-sided p of "the mean of the windows is `harmless` or less", by Student's t with their own spread: nothing need be
    /// known of their noise. Few windows may be alike by chance, so that rough noise counts as some windows more. `None` when
    /// there are [`ENOUGH_WINDOWS`]: from then on the noise that they show is in the evidence itself.
    pub(super) fn p_above(&self, harmless: f64) -> Option<f64> {
        if self.windows == 0 {
            return Some(1.0);
        }
        let windows = f64::from(self.windows);
        let mean = self.shift / self.weight;
        let spread = self.square - self.shift * mean;
        let phi_at = |rho: f64| 1.0 + rho * self.growth / windows;
        let freedom = ROUGH_WINDOWS + windows - 1.0;
        let phi = (ROUGH_WINDOWS * phi_at(ROUGH_RHO) + spread) / freedom;
        let phi = phi.min(phi_at(MOST_RHO)).max(1.0);
        let t = (mean - harmless) / (phi / self.weight).sqrt();
        (self.windows < ENOUGH_WINDOWS).then(|| student_tail(t, freedom))
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
    fn windows_that_agree_prove_a_fault_and_windows_that_differ_do_not() {
        let p = |residuals: Residuals| residuals.p_above(0.0025).unwrap();
        assert_eq!(Residuals::default().p_above(0.0), Some(1.0));
        // 5 pp more than stable, three times; and as many errors in one window of three.
        assert!(p(of([33.0; 3])) < 0.004, "{}", p(of([33.0; 3])));
        assert!(p(of([93.0, 3.0, 3.0])) > 0.1, "{}", p(of([93.0, 3.0, 3.0])));
        assert!(p(of([3.0; 3])) > 0.5, "like stable");
        let growing: Vec<f64> = (1..8).map(|windows| p(of(vec![15.0; windows]))).collect();
        assert!(growing.is_sorted_by(|one, next| one > next), "{growing:?}");
        assert_eq!(of([3.0; 15]).p_above(0.0), None, "enough windows tell by themselves");
        assert!(of([3.0; 14]).p_above(0.0).is_some());
    }

    #[test]
    fn a_p_by_hand() {
        // Two windows, d = 0.02 and 0.03 with v = pooled; no other test would notice a wrong sum.
        let windows = [(15.0, 27.0), (21.0, 27.0)].map(|(canary, stable)| {
            Residual::of_shares(Tally::new(canary, 600.0), Tally::new(stable, 5400.0), (1, 1)).unwrap()
        });
        let mut residuals = Residuals::default();
        windows.iter().for_each(|window| residuals.add(window));
        let weight: f64 = windows.iter().map(|window| 1.0 / window.variance).sum();
        let mean = windows.iter().map(|window| window.value / window.variance).sum::<f64>() / weight;
        let spread: f64 = windows.iter().map(|window| (window.value - mean).powi(2) / window.variance).sum();
        let growth = (windows[0].growth + windows[1].growth) / 2.0;
        let phi = (3.0 * (1.0 + 0.02 * growth) + spread) / 4.0;
        let t = mean / (phi / weight).sqrt();
        // P(T > t) with 4 degrees of freedom: 1/2 - x (1 - x^2 / 3) 3/4, x = t / sqrt(4 + t^2).
        let x = t / (4.0 + t * t).sqrt();
        let expected = 0.5 - 0.75 * x * (1.0 - x * x / 3.0);
        assert!((residuals.p_above(0.0).unwrap() - expected).abs() < 1e-12, "{expected}");
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
