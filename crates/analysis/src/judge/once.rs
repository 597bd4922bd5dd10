//! Compares two samples once, at a fixed end: for a check in CI, where nobody looks again after every window.
//!
//! Do not call it again on growing data until it says what one hopes for: that is what the e-processes of the other
//! modules are for.

use super::difference::{Interval, miettinen_nurminen};
use super::dispersion::{ASSUMED_RHO, factor};
use super::histogram::Histogram;
use super::margin::{Variance, score};
use super::normal::{critical, lower_tail, upper_tail};
use super::placement::{shift, slowed_superiority};
use super::tail::{bound, slow, virtually_slow};
use super::tally::Tally;
use super::window::Settings;
use serde::Serialize;

/// What two samples say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Finding {
    /// The second sample is worse: by more than is harmless with proof, and its estimate is beyond the limit.
    Worse,
    /// It is shown not to be worse by the limit.
    NotWorse,
    /// Neither: more requests are needed.
    Unclear,
}

/// One comparison with its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Once {
    /// The conclusion at `settings.alpha`, one-sided in both directions (they cannot both be true: Berger 1982).
    pub finding: Finding,
    /// Canary less stable: shares for errors, shares above the bound (stable at the limit) for a tail, the probability
    /// that a canary request is the slower one for a shift.
    pub estimate: f64,
    /// 95 % interval of `estimate`.
    pub interval: Interval,
    /// Where the limit lies on the scale of `estimate`.
    pub limit: f64,
    /// p of "worse by no more than is harmless" (`kappa * limit`): small when worse.
    pub p_worse: f64,
    /// p of "worse by the limit or more": small when not worse.
    pub p_not_worse: f64,
}

impl Once {
    fn of(settings: &Settings, estimate: f64, interval: Interval, limit: f64, p: (f64, f64)) -> Self {
        let (p_worse, p_not_worse) = p;
        let finding = if p_worse <= settings.alpha && estimate > limit {
            Finding::Worse
        } else if p_not_worse <= settings.alpha {
            Finding::NotWorse
        } else {
            Finding::Unclear
        };
        Self { finding, estimate, interval, limit, p_worse, p_not_worse }
    }
}

/// Compares error rates: `settings.limit` as a share (0.005), `pods` of canary and stable (0 = unknown).
///
/// `None` when an arm has no requests.
pub fn error_rates(settings: &Settings, canary: Tally, stable: Tally, pods: (u32, u32)) -> Option<Once> {
    let (canary, stable) = (thin(settings, canary, pods.0), thin(settings, stable, pods.1));
    let p_at = |margin: f64| score(canary, stable, margin, Variance::FarringtonManning);
    Some(Once::of(
        settings,
        canary.rate()? - stable.rate()?,
        miettinen_nurminen(canary, stable, 0.05)?,
        settings.limit,
        (
            p_at(settings.kappa * settings.limit)?.p_larger().unwrap_or(1.0),
            p_at(settings.limit)?.p_smaller().unwrap_or(1.0),
        ),
    ))
}

/// Compares the tails at `quantile`: `settings.limit` as a slowdown (0.15). Gives the bucket bound that stands for the
/// quantile, too.
///
/// `None` when an arm is empty, the ladders share too little, or no bound of stable is near the quantile.
pub fn tails(
    settings: &Settings,
    quantile: f64,
    (canary, stable): (&Histogram, &Histogram),
    pods: (u32, u32),
) -> Option<(f64, Once)> {
    let (canary, stable) = canary.on_common_ladder(stable)?;
    let at = bound(&stable, quantile)?;
    let slower = 1.0 + settings.limit;
    let slow = thin(settings, slow(&canary, at)?, pods.0);
    let virtual_slow =
        |factor: f64| virtually_slow(&stable, &stable, at, factor).map(|tally| thin(settings, tally, pods.1));
    let (null, limit) = (virtual_slow(slower.powf(settings.kappa))?, virtual_slow(slower)?);
    let p_at = |other: Tally| score(slow, other, 0.0, Variance::FarringtonManning);
    let once = Once::of(
        settings,
        slow.rate()? - limit.rate()?,
        miettinen_nurminen(slow, limit, 0.05)?,
        0.0,
        (p_at(null)?.p_larger().unwrap_or(1.0), p_at(limit)?.p_smaller().unwrap_or(1.0)),
    );
    Some((at, once))
}

/// Compares all latencies (Mann-Whitney with a margin): `settings.limit` as a slowdown (0.15).
///
/// `None` when an arm is empty or everything is in one bucket.
pub fn latencies(
    settings: &Settings,
    (canary, stable): (&Histogram, &Histogram),
    pods: (u32, u32),
) -> Option<Once> {
    let (canary, stable) = canary.on_common_ladder(stable)?;
    let rho = settings.rho.unwrap_or(ASSUMED_RHO);
    let phi = (factor(canary.total(), pods.0, rho), factor(stable.total(), pods.1, rho));
    let slower = 1.0 + settings.limit;
    let found = shift(&canary, &stable, slower.powf(settings.kappa), phi, 0.0)?;
    let limit = slowed_superiority(&stable, slower)?;
    let spread = found.variance.sqrt();
    let reach = critical(0.05) * spread;
    (spread > 0.0).then(|| {
        Once::of(
            settings,
            found.superiority,
            Interval { low: found.superiority - reach, high: found.superiority + reach },
            limit,
            (
                upper_tail((found.superiority - found.null) / spread),
                lower_tail((found.superiority - limit) / spread),
            ),
        )
    })
}

fn thin(settings: &Settings, tally: Tally, pods: u32) -> Tally {
    tally.thinned(factor(tally.trials, pods, settings.rho.unwrap_or(ASSUMED_RHO)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::histogram::tests::{DEFAULT_LADDER, lognormal};

    fn settings(limit: f64) -> Settings {
        Settings { limit, rho: Some(0.0), ..Settings::default() }
    }

    #[test]
    fn error_rates_are_told_apart_with_proof_only() {
        let stable = Tally::new(27.0, 5400.0);
        for (errors, finding) in [
            (33.0, Finding::Worse),
            (3.0, Finding::NotWorse),
            (9.0, Finding::Unclear),
            (0.0, Finding::NotWorse),
        ] {
            let found = error_rates(&settings(0.005), Tally::new(errors, 1200.0), stable, (1, 9)).unwrap();
            assert_eq!(found.finding, finding, "{errors}: {found:?}");
        }
        assert_eq!(error_rates(&settings(0.005), Tally::default(), stable, (1, 9)), None);
    }

    #[test]
    fn dispersion_asks_for_more() {
        let (canary, stable) = (Tally::new(16.0, 1000.0), Tally::new(27.0, 5400.0));
        let finding = |rho| {
            let settings = Settings { rho: Some(rho), ..settings(0.005) };
            error_rates(&settings, canary, stable, (1, 9)).unwrap().finding
        };
        assert_eq!((finding(0.0), finding(0.01)), (Finding::Worse, Finding::Unclear));
    }

    #[test]
    fn latencies_and_tails_find_a_slow_canary_and_let_an_equal_one_go() {
        let of = |slower, total| lognormal(&DEFAULT_LADDER, slower, 0.6, total);
        let stable = of(1.0, 50_000.0);
        for (slower, finding) in [(1.5, Finding::Worse), (1.0, Finding::NotWorse)] {
            let canary = of(slower, 20_000.0);
            let shifted = latencies(&settings(0.15), (&canary, &stable), (1, 9)).unwrap();
            assert_eq!(shifted.finding, finding, "{shifted:?}");
            let (at, tail) = tails(&settings(0.15), 0.99, (&canary, &stable), (1, 9)).unwrap();
            assert_eq!((at, tail.finding), (0.25, finding), "{tail:?}");
        }
        let empty = of(1.0, 0.0);
        assert_eq!(latencies(&settings(0.15), (&empty, &stable), (1, 9)), None);
    }
}
