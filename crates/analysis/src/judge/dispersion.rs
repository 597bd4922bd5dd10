//! Measures from history how much more pods and minutes vary than coin tosses would (judge 1.4).
//!
//! Without this correction the false abort rate at 1000 rps with heavy bursts is 6.5 % instead of 0.5 %.

use super::tally::Tally;

/// Intra-cluster correlation to assume without history; measured: moderate noise 0.0015, heavy 0.0071.
pub const ASSUMED_RHO: f64 = 0.002;
/// Pods needed for [`measure`]; with fewer, [`super::residual`] measures on the rollout itself.
pub const FEWEST_PODS: usize = 3;

/// What the history of the stable pods says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dispersion {
    /// Pearson dispersion within windows; 1 = binomial.
    pub phi: f64,
    /// Intra-cluster correlation `max(0, (PHI - 1) / (n_bar - 1))`: the number to carry, since cluster sizes differ
    /// per arm and step.
    pub rho: f64,
    /// Standard deviation of persistent differences between pods, as a rate.
    pub tau: f64,
    /// Lag-1 correlation of a pod's residuals; bursts that last are not covered by `rho` (judge 1.10).
    pub autocorrelation: f64,
}

/// Dispersion factor of one arm in one window: `1 + (n / P - 1) rho`, at least 1. `pods = 0` counts as one.
pub fn factor(trials: f64, pods: u32, rho: f64) -> f64 {
    (1.0 + (trials / f64::from(pods.max(1)) - 1.0) * rho).max(1.0)
}

/// What one pod did in one window: how many observations, and their mean.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Cell {
    /// Observations; 0 when the pod was absent.
    pub trials: f64,
    /// Their mean: a share, a mid-rank, or a value.
    pub mean: f64,
}

impl Cell {
    fn of(tally: Tally) -> Self {
        Self { trials: tally.trials, mean: tally.rate().unwrap_or(0.0) }
    }
}

/// Dispersion of shares from `history[window][pod]`, the same pod at the same place in every window (an absent pod has
/// no trials). `None` with fewer than [`FEWEST_PODS`] pods or without any window where some but not all requests failed.
///
/// `PHI = sum_t sum_p (x - n p_t)^2 / (n p_t (1 - p_t)) / sum_t (pods_t - 1)`, McCullagh and Nelder 1989;
/// `tau^2 = max(0, var_p(r_p) - PHI p (1-p) / n_p)`.
pub fn measure(history: &[Vec<Tally>]) -> Option<Dispersion> {
    let windows: Vec<(Vec<Cell>, f64)> = history
        .iter()
        .map(|window| {
            let mut all = Tally::default();
            window.iter().for_each(|pod| all += *pod);
            let variance = all.rate().map_or(0.0, |p| p * (1.0 - p));
            (window.iter().copied().map(Cell::of).collect(), variance)
        })
        .collect();
    measure_means(&windows)
}

/// The same for means of any kind: each window with the variance of one observation in it, 0 when the window says
/// nothing. With a variance of 1 everywhere, `phi` is the variance of one observation with dispersion in it.
pub fn measure_means(history: &[(Vec<Cell>, f64)]) -> Option<Dispersion> {
    let pods = history.iter().map(|(window, _)| window.len()).max().filter(|pods| *pods >= FEWEST_PODS)?;
    let mut sums = Sums::default();
    let mut residuals = vec![Vec::new(); pods];
    for (window, variance) in history {
        sums.add(window, *variance, &mut residuals);
    }
    let phi = (sums.freedom > 0.0).then(|| sums.chi_squared / sums.freedom)?;
    let mean_size = sums.trials / sums.count;
    let rho = if mean_size > 1.0 { ((phi - 1.0) / (mean_size - 1.0)).clamp(0.0, 1.0) } else { 0.0 };
    let tau = between_pods(history, pods, phi);
    Some(Dispersion { phi, rho, tau, autocorrelation: lag_one(&residuals) })
}

/// Windows of few pods from which dispersion over time is read, at least.
pub const FEWEST_WINDOWS: usize = 10;

/// As [`measure`]; with fewer than [`FEWEST_PODS`] pods, dispersion over time.
pub fn measure_any(history: &[Vec<Tally>]) -> Option<Dispersion> {
    if several(history) { measure(history) } else { over_time(measure(&by_pod(history)?)) }
}

/// The history of [`FEWEST_PODS`] pods or more.
pub(super) fn several<T>(history: &[Vec<T>]) -> bool {
    history.iter().map(Vec::len).max().unwrap_or(0) >= FEWEST_PODS
}

/// `history[window][pod]` as `[pod][window]`; `None` with fewer than [`FEWEST_WINDOWS`] windows.
///
/// The windows of one pod vary about its mean as pods do about theirs, and with the drift of the service on top: a cautious
/// stand-in for pods that are too few to be compared with each other.
pub(super) fn by_pod<T: Clone>(history: &[Vec<T>]) -> Option<Vec<Vec<T>>> {
    let pods = history.iter().map(Vec::len).max().filter(|_| history.len() >= FEWEST_WINDOWS)?;
    let row = |pod: usize| history.iter().filter_map(|window| window.get(pod).cloned()).collect();
    Some((0..pods).map(row).collect())
}

/// What pods differ by for ever is not known of so few. Calm windows are no proof of calm pods: then nothing is known.
pub(super) fn over_time(found: Option<Dispersion>) -> Option<Dispersion> {
    found.map(|found| Dispersion { tau: 0.0, ..found }).filter(|found| found.rho > ASSUMED_RHO)
}

#[derive(Default)]
struct Sums {
    chi_squared: f64,
    freedom: f64,
    trials: f64,
    count: f64,
}

impl Sums {
    fn add(&mut self, window: &[Cell], variance: f64, residuals: &mut [Vec<f64>]) {
        let present: Vec<_> = window.iter().zip(residuals).filter(|(pod, _)| pod.trials > 0.0).collect();
        if present.len() < 2 || variance <= 0.0 {
            return;
        }
        let trials: f64 = present.iter().map(|(pod, _)| pod.trials).sum();
        let mean = present.iter().map(|(pod, _)| pod.trials * pod.mean).sum::<f64>() / trials;
        self.freedom += present.len() as f64 - 1.0;
        self.trials += trials;
        self.count += present.len() as f64;
        for (pod, residuals) in present {
            let residual = (pod.mean - mean) * (pod.trials / variance).sqrt();
            residuals.push(residual);
            self.chi_squared += residual * residual;
        }
    }
}

/// Standard deviation of the pods' means over the whole history, less what dispersion within windows explains.
fn between_pods(history: &[(Vec<Cell>, f64)], pods: usize, phi: f64) -> f64 {
    let mut totals = vec![(0.0, 0.0, 0.0); pods];
    for (window, variance) in history {
        for ((sum, trials, spread), pod) in totals.iter_mut().zip(window) {
            *sum += pod.trials * pod.mean;
            *trials += pod.trials;
            *spread += pod.trials * variance;
        }
    }
    let seen: Vec<(f64, f64)> = totals
        .iter()
        .filter(|(_, trials, _)| *trials > 0.0)
        .map(|(sum, trials, spread)| (sum / trials, phi * spread / (trials * trials)))
        .collect();
    let count = seen.len() as f64;
    if count < 2.0 {
        return 0.0;
    }
    let mean = seen.iter().map(|(rate, _)| rate).sum::<f64>() / count;
    let spread = seen.iter().map(|(rate, _)| (rate - mean).powi(2)).sum::<f64>() / (count - 1.0);
    let chance = seen.iter().map(|(_, chance)| chance).sum::<f64>() / count;
    (spread - chance).max(0.0).sqrt()
}

/// Correlation of neighbouring residuals of the same pod, all pods together.
fn lag_one(residuals: &[Vec<f64>]) -> f64 {
    let (mut together, mut alone) = (0.0, 0.0);
    for series in residuals.iter().filter(|series| series.len() > 1) {
        let mean = series.iter().sum::<f64>() / series.len() as f64;
        together +=
            series.iter().zip(series.iter().skip(1)).map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>();
        alone += series.iter().map(|a| (a - mean).powi(2)).sum::<f64>();
    }
    if alone > 0.0 { (together / alone).clamp(-1.0, 1.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(events: [f64; 4]) -> Vec<Tally> {
        events.iter().map(|x| Tally::new(*x, 500.0)).collect()
    }

    #[test]
    fn a_hand_computed_history() {
        // p = 4/500 in both windows; chi2 = (16+16)/(4 (1-0.008)) + (4+4)/(4 (1-0.008)) = 10.0806; freedom 3 + 3.
        let found = measure(&[flat([0.0, 8.0, 4.0, 4.0]), flat([2.0, 6.0, 4.0, 4.0])]).unwrap();
        assert!((found.phi - 40.0 / 3.968 / 6.0).abs() < 1e-12);
        assert!((found.rho - (found.phi - 1.0) / 499.0).abs() < 1e-15);
        let spread = (2.0 * 0.006f64.powi(2)) / 3.0;
        let chance = found.phi * 0.008 * 0.992 / 1000.0;
        assert!((found.tau - (spread - chance).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn windows_without_errors_say_nothing() {
        assert_eq!(measure(&[flat([0.0; 4]), flat([500.0; 4])]), None);
        assert_eq!(measure(&[]), None);
        assert_eq!(measure(&[vec![Tally::new(1.0, 9.0); 2]]), None, "two pods are too few");
    }

    #[test]
    fn few_pods_are_measured_over_time() {
        let row = |events: f64| vec![Tally::new(events, 500.0)];
        let wild: Vec<_> = (0..12).map(|window| row(if window % 2 == 0 { 12.0 } else { 0.0 })).collect();
        // p = 6/500 everywhere; chi2 = 12 * 36 / (6 (1 - 0.012)); freedom 11.
        let found = measure_any(&wild).unwrap();
        assert!((found.phi - 72.0 / 0.988 / 11.0).abs() < 1e-12, "{found:?}");
        assert!((found.rho - (found.phi - 1.0) / 499.0).abs() < 1e-15);
        assert_eq!(found.tau, 0.0, "what one pod differs by for ever cannot be seen");
        let calm: Vec<_> = (0..12).map(|window| row(5.0 + f64::from(window % 2))).collect();
        assert_eq!(measure_any(&calm), None, "calm windows are no proof of calm");
        assert_eq!(measure_any(&wild[..9]), None);
        let many = [flat([0.0, 8.0, 4.0, 4.0]), flat([2.0, 6.0, 4.0, 4.0])];
        assert_eq!(measure_any(&many), measure(&many), "pods that are many are compared with each other");
    }

    #[test]
    fn the_factor_follows_the_cluster_size() {
        assert_eq!(factor(600.0, 1, 0.0), 1.0);
        assert!((factor(600.0, 1, 0.002) - 2.198).abs() < 1e-12);
        assert!((factor(600.0, 10, 0.002) - 1.118).abs() < 1e-12);
        assert_eq!(factor(0.3, 4, 0.5), 1.0);
        assert_eq!(factor(600.0, 0, 0.002), factor(600.0, 1, 0.002));
    }
}
