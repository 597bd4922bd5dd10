//! Foretells how long a verdict will take at a given traffic, for `plan` and `lint` (judge 1.12).

use super::evidence::{Alternative, PRIOR, projection};
use super::normal::{quantile as normal_quantile, upper_tail};
use super::process::log_bar;

/// Traffic and noise that a plan assumes, per window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Traffic {
    /// Canary requests per window.
    pub canary: f64,
    /// Stable requests per window.
    pub stable: f64,
    /// Stable error rate.
    pub rate: f64,
    /// Dispersion factors of canary and stable (`dispersion::factor`).
    pub phi: (f64, f64),
}

/// Information per window against the null at `margin` when the canary is worse by `delta`:
/// `nC/phiC KL(pC||c) + nS/phiS KL(pS||q)`, nats. 0 when `delta` is within the margin.
pub fn information(traffic: Traffic, delta: f64, margin: f64) -> f64 {
    let truth = Alternative { canary: (traffic.rate + delta).min(1.0), stable: traffic.rate };
    let (canary, stable) = (traffic.canary / traffic.phi.0, traffic.stable / traffic.phi.1);
    if delta <= margin || canary <= 0.0 || stable <= 0.0 {
        return 0.0;
    }
    let q = projection(canary, stable, truth, margin);
    canary * divergence(truth.canary, q + margin) + stable * divergence(truth.stable, q)
}

/// Windows until the abort with probability 50 % and 80 %, after the fault begins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Delay {
    /// `(N - 1) + L / g`.
    pub half: f64,
    /// `(N - 1) + ((z80 sqrt 2 + sqrt(2 z80^2 + 4 L)) / 2)^2 / g`.
    pub most: f64,
}

/// Windows until a canary that is worse by `delta` is aborted; `None` when it never will be (within the margin, or no
/// traffic). `consecutive`, `metrics`, `alpha` as in the settings, `margin = kappa * limit`.
pub fn delay(
    traffic: Traffic,
    delta: f64,
    margin: f64,
    (consecutive, metrics, alpha): (u32, u32, f64),
) -> Option<Delay> {
    let per_window = information(traffic, delta, margin);
    if per_window <= 0.0 {
        return None;
    }
    let bar = bar(metrics, alpha);
    let spread = Z80 * 2f64.sqrt();
    let most = ((spread + (2.0 * Z80 * Z80 + 4.0 * bar).sqrt()) / 2.0).powi(2);
    let wait = f64::from(consecutive.saturating_sub(1));
    Some(Delay { half: wait + bar / per_window, most: wait + most / per_window })
}

/// Evidence to gather: the bar plus what splitting the stake over time and alternatives costs.
fn bar(metrics: u32, alpha: f64) -> f64 {
    let shares = PRIOR.iter().copied().fold(0.0, f64::max) * 0.5;
    log_bar(metrics, alpha) - shares.ln()
}

const Z80: f64 = 0.841_621_233_572_914_3;
/// `(1.645 + z80)^2`.
const PROMOTE: f64 = 6.18;

/// Windows until an unchanged canary is shown with probability 80 % to be below `limit`; `None` = cannot be shown
/// with that many pods at any duration: `T = 6.18 s^2 / (M^2 - 6.18 tau^2 (1/PC + 1/PS))`.
pub fn promotion(traffic: Traffic, limit: f64, tau: f64, inverse_pods: f64) -> Option<f64> {
    let worse = (traffic.rate + limit).min(1.0);
    let variance = traffic.phi.0 * worse * (1.0 - worse) / traffic.canary
        + traffic.phi.1 * traffic.rate * (1.0 - traffic.rate) / traffic.stable;
    let room = limit * limit - PROMOTE * tau * tau * inverse_pods;
    (room > 0.0 && variance.is_finite()).then(|| PROMOTE * variance / room)
}

/// Windows until a share that lies `room` below its limit is shown with probability 80 % to be below it, where both
/// arms vary as much as at `traffic.rate`: for tails, whose stable share is a virtual one at the limit (judge 1.6), and
/// for business rates. `None` without traffic or room, or when pods differ too much for ever (`tau`, `inverse_pods`).
pub fn shown(traffic: Traffic, room: f64, tau: f64, inverse_pods: f64) -> Option<f64> {
    let spread = traffic.rate * (1.0 - traffic.rate);
    let variance = spread * (traffic.phi.0 / traffic.canary + traffic.phi.1 / traffic.stable);
    let left = room * room - PROMOTE * tau * tau * inverse_pods;
    (room > 0.0 && left > 0.0 && variance.is_finite() && variance > 0.0).then(|| PROMOTE * variance / left)
}

/// Share of requests above the `quantile` of stable when they all are `slower` times as slow, for latencies whose
/// logarithm is normal with standard deviation `spread`.
pub fn lognormal_tail(quantile: f64, slower: f64, spread: f64) -> f64 {
    upper_tail(normal_quantile(quantile) - slower.ln() / spread)
}

/// Kullback-Leibler divergence of two Bernoulli distributions, nats.
fn divergence(p: f64, q: f64) -> f64 {
    let part = |p: f64, q: f64| if p > 0.0 { p * (p / q).ln() } else { 0.0 };
    part(p, q) + part(1.0 - p, 1.0 - q)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Weight 10 %, no dispersion; a window is one canary request, so windows are canary requests.
    fn traffic(rate: f64) -> Traffic {
        Traffic { canary: 1.0, stable: 9.0, rate, phi: (1.0, 1.0) }
    }

    #[test]
    fn the_canary_requests_of_the_design_table() {
        let table = [
            (0.001, [4124.0, 2071.0, 539.0, 132.0], 1502.0),
            (0.005, [7841.0, 3772.0, 886.0, 189.0], 2584.0),
            (0.01, [12281.0, 5765.0, 1268.0, 247.0], 3924.0),
            (0.05, [45684.0, 20616.0, 4009.0, 627.0], 14154.0),
        ];
        for (rate, aborts, promote) in table {
            for (delta, requests) in [0.0075, 0.01, 0.02, 0.05].into_iter().zip(aborts) {
                let found = delay(traffic(rate), delta, 0.0025, (1, 4, 0.05)).unwrap().most;
                assert!((found - requests).abs() <= 1.0, "{rate} {delta}: {found}");
            }
            let found = promotion(traffic(rate), 0.005, 0.0, 10.0 / 9.0).unwrap();
            assert!((found - promote).abs() <= 1.5, "{rate}: {found}");
        }
    }

    #[test]
    fn the_canary_requests_that_show_a_tail_or_a_business_rate_not_to_be_worse() {
        for (quantile, spread, requests) in [
            (0.99, 0.3, 456.0),
            (0.99, 0.6, 1840.0),
            (0.99, 1.0, 5060.0),
            (0.95, 0.3, 151.0),
            (0.95, 0.6, 595.0),
            (0.95, 1.0, 1626.0),
        ] {
            let limit = lognormal_tail(quantile, 1.15, spread);
            let found = shown(traffic(limit), limit - (1.0 - quantile), 0.0, 10.0 / 9.0).unwrap();
            assert!((found / requests - 1.0).abs() < 0.005, "{quantile} {spread}: {found}");
        }
        for (rate, requests) in [(0.03, 555_000.0), (0.1, 154_000.0), (0.5, 17_000.0)] {
            let found = shown(traffic(rate), 0.02 * rate, 0.0, 10.0 / 9.0).unwrap();
            assert!((found / requests - 1.0).abs() < 0.02, "{rate}: {found}");
        }
        assert_eq!(shown(traffic(0.03), 0.0, 0.0, 1.0), None);
        assert_eq!(shown(Traffic { canary: 0.0, ..traffic(0.03) }, 0.01, 0.0, 1.0), None);
    }

    #[test]
    fn differences_between_pods_can_make_promotion_impossible() {
        assert_eq!(promotion(traffic(0.005), 0.005, 0.003, 10.0 / 9.0), None);
        assert_eq!(shown(traffic(0.01), 0.005, 0.003, 10.0 / 9.0), None);
        assert!(
            shown(traffic(0.01), 0.005, 0.001, 10.0 / 9.0) > shown(traffic(0.01), 0.005, 0.0, 10.0 / 9.0)
        );
    }

    #[test]
    fn a_difference_within_the_margin_is_never_aborted() {
        let traffic = Traffic { canary: 600.0, stable: 5400.0, rate: 0.005, phi: (1.0, 1.0) };
        assert_eq!(delay(traffic, 0.0025, 0.0025, (3, 4, 0.05)), None);
        let quick = delay(traffic, 0.05, 0.0025, (3, 4, 0.05)).unwrap();
        assert!(quick.half < 3.0 && quick.most < 3.0);
    }
}
