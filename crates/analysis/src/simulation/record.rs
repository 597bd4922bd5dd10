//! A recorded service: what was seen in each of its windows, played again in another order.

mod run;
mod table;

pub use run::Recording;

#[cfg(test)]
mod tests;

use super::dice::Dice;
use crate::judge::histogram::Histogram;

/// What a service was like in one window.
#[derive(Clone, Debug, PartialEq)]
pub struct Moment {
    /// Requests a second, of all pods.
    pub rps: f64,
    /// Share that failed; `None` = not recorded.
    pub rate: Option<f64>,
    /// Latencies; `None` = not recorded.
    pub latencies: Option<Histogram>,
}

/// The windows of a service without any change, in their order; at least [`FEWEST`], alike in what was recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    moments: Vec<Moment>,
}

/// Windows of a record at least.
pub const FEWEST: usize = 2;

/// Chance that the next window is the recorded next one: runs of about five windows stay together, with their drift.
const FOLLOWS: f64 = 0.8;

impl Record {
    /// # Errors
    /// Fewer than [`FEWEST`] windows with requests.
    fn new(moments: Vec<Moment>) -> Result<Self, String> {
        let moments: Vec<Moment> = moments.into_iter().filter(|moment| moment.rps > 0.0).collect();
        if moments.len() < FEWEST {
            return Err(format!(
                "it has {} windows with requests, and at least {FEWEST} are needed: give a longer record",
                moments.len()
            ));
        }
        Ok(Self { moments })
    }

    /// Windows.
    pub fn windows(&self) -> usize {
        self.moments.len()
    }

    /// Error rates were recorded.
    pub fn has_errors(&self) -> bool {
        self.moments.iter().all(|moment| moment.rate.is_some())
    }

    /// Latencies were recorded.
    pub fn has_latencies(&self) -> bool {
        self.moments.iter().all(|moment| moment.latencies.is_some())
    }

    /// Requests a second, and the share that failed, over the whole record.
    pub fn usual(&self) -> (f64, f64) {
        let requests: f64 = self.moments.iter().map(|moment| moment.rps).sum();
        let failed: f64 = self.moments.iter().map(|moment| moment.rps * moment.rate.unwrap_or(0.0)).sum();
        (requests / self.moments.len() as f64, failed / requests)
    }

    /// The bucket bounds of its newest latencies; empty without latencies.
    pub fn ladder(&self) -> Vec<f64> {
        let newest = self.moments.iter().rev().find_map(|moment| moment.latencies.as_ref());
        newest.map(|latencies| latencies.bounds().to_vec()).unwrap_or_default()
    }

    /// The next window after the one at `place`: mostly the one that followed, sometimes any.
    pub(super) fn next(&self, place: usize, dice: &mut Dice) -> usize {
        let (jumps, any) = (dice.uniform() >= FOLLOWS, dice.uniform() * self.moments.len() as f64);
        let next = if jumps { any as usize } else { place + 1 };
        next % self.moments.len()
    }

    pub(super) fn at(&self, place: usize) -> Option<&Moment> {
        self.moments.get(place)
    }
}

impl Moment {
    /// Share of requests that take longer than `bound`. Beyond the last bound: as many as are beyond that one.
    pub(super) fn slower_than(&self, bound: f64) -> f64 {
        let Some(latencies) = &self.latencies else { return 0.0 };
        let last = || latencies.bounds().iter().rev().find(|bound| bound.is_finite()).copied();
        let found = latencies.survival(bound).or_else(|| latencies.survival(last()?));
        found.unwrap_or(0.0)
    }
}
