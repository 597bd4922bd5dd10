//! What others do with the same windows: thresholds, differences, naive tests.

use serin_analysis::judge::buckets::rank_sum;
use serin_analysis::judge::histogram::Histogram;
use serin_analysis::judge::mann_whitney::{Alternative, Continuity};
use serin_analysis::judge::tally::Tally;
use serin_analysis::judge::two_by_two::TwoByTwo;

use serin_analysis::simulation::service::{Pod, buckets, errors};

/// When each rival aborted, in looks from 0.
#[derive(Clone, Copy, Default)]
pub(crate) struct Times {
    /// Error rate above 1 % or p99 above 1.15 times the usual one, once (Argo `failureLimit: 0`).
    pub(crate) threshold: Option<usize>,
    /// The fourth such window (Argo `failureLimit: 3`).
    pub(crate) fourth: Option<usize>,
    /// Canary beyond the limit three windows in a row, errors or p99.
    pub(crate) in_a_row: Option<usize>,
    /// Cumulative chi-squared or Mann-Whitney with p < 0.05 and the canary worse, at any look.
    pub(crate) test: Option<usize>,
    /// The same at three looks in a row.
    pub(crate) tests_in_a_row: Option<usize>,
}

pub(crate) struct Rivals {
    pub(crate) times: Times,
    usual: f64,
    bounds: Vec<f64>,
    canary: (Tally, Vec<f64>),
    stable: (Tally, Vec<f64>),
    above: usize,
    beyond: usize,
    significant: usize,
}

impl Rivals {
    /// Tuned to the service's own p99.
    pub(crate) fn of(history: &Histogram) -> Self {
        let bounds = history.bounds().to_vec();
        let nothing = || (Tally::default(), vec![0.0; bounds.len()]);
        Self {
            times: Times::default(),
            usual: p99(&bounds, history.counts()),
            canary: nothing(),
            stable: nothing(),
            above: 0,
            beyond: 0,
            significant: 0,
            bounds,
        }
    }

    pub(crate) fn see(&mut self, look: usize, canary: &[Pod], stable: &[Pod]) {
        let (c, s) = ((errors(canary), buckets(canary).counts), (errors(stable), buckets(stable).counts));
        let (p, q) = (c.0.rate().unwrap_or(0.0), s.0.rate().unwrap_or(0.0));
        let (slow, usual) = (p99(&self.bounds, &c.1), p99(&self.bounds, &s.1));
        self.above += usize::from(p > 0.01 || slow > 1.15 * self.usual);
        let beyond = p - q > 0.005 || slow > 1.15 * usual;
        self.beyond = if beyond { self.beyond + 1 } else { 0 };
        for (sum, seen) in [(&mut self.canary, c), (&mut self.stable, s)] {
            sum.0 += seen.0;
            sum.1.iter_mut().zip(seen.1).for_each(|(all, count)| *all += count);
        }
        self.significant = if self.significant() { self.significant + 1 } else { 0 };
        let Times { threshold, fourth, in_a_row, test, tests_in_a_row } = &mut self.times;
        for (time, now) in [
            (threshold, self.above >= 1),
            (fourth, self.above >= 4),
            (in_a_row, self.beyond >= 3),
            (test, self.significant >= 1),
            (tests_in_a_row, self.significant >= 3),
        ] {
            *time = time.or(now.then_some(look));
        }
    }

    fn significant(&self) -> bool {
        let worse = self.canary.0.rate() > self.stable.0.rate();
        let p = TwoByTwo::new(self.canary.0, self.stable.0).yates().p().unwrap_or(1.0);
        let whole = |counts: &[f64]| counts.iter().map(|count| *count as u64).collect::<Vec<_>>();
        let slower = rank_sum(&whole(&self.canary.1), &whole(&self.stable.1)).is_some_and(|sum| {
            sum.superiority() > 0.5 && sum.p(Alternative::TwoSided, Continuity::Corrected) < 0.05
        });
        worse && p < 0.05 || slower
    }
}

fn p99(bounds: &[f64], counts: &[f64]) -> f64 {
    let mut below = 0.0;
    let cumulative: Vec<f64> = counts
        .iter()
        .map(|count| {
            below += count;
            below
        })
        .collect();
    serin_analysis::judge::quantile::classic(0.99, bounds, &cumulative)
}
