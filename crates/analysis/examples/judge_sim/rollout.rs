//! Plays one rollout before the real judge and its rivals.

use serin_analysis::judge::combine::join;
use serin_analysis::judge::dispersion::{Dispersion, measure, measure_means};
use serin_analysis::judge::error_rate::{self, Look, Settings, Verdict};
use serin_analysis::judge::histogram::Histogram;
use serin_analysis::judge::latency::{self, Baseline, ShiftOf, Tail};
use serin_analysis::judge::placement::placement_cells;
use serin_analysis::judge::tail::bound;
use serin_analysis::judge::tally::Tally;
use serin_analysis::judge::{location, proportion};
use serin_analysis::simulation::errors::{HISTORY, known, window};
use serin_analysis::simulation::service::{Fleet, PODS, Pod, UNCHANGED, buckets};

use crate::cell::{Cell, LOOKS, SECONDS};
use crate::rivals::{Rivals, Times};

/// Error rate, shift, p95 and p99.
const QUESTIONS: u32 = 4;

/// When each judge aborted one rollout, in looks from 0, and whether Serin would promote at the last look.
#[derive(Clone, Copy)]
pub(crate) struct Outcome {
    pub(crate) serin: Option<usize>,
    pub(crate) rivals: Times,
    pub(crate) promoted: bool,
    pub(crate) rho: f64,
}

/// What the judge knows before the rollout, measured on stable pods alone.
struct Known {
    history: Histogram,
    bounds: [f64; 2],
    settings: [Settings; 4],
}

const QUANTILES: [f64; 2] = [0.95, 0.99];

pub(crate) fn play(cell: &Cell, seed: u64) -> Outcome {
    let service = cell.service();
    let mut fleet = Fleet::new(&service, seed);
    let even = 1.0 / PODS as f64;
    let history: Vec<Vec<Pod>> = (0..HISTORY).map(|_| fleet.window(UNCHANGED, even)).collect();
    let known = Known::of(&history, &service.ladder);
    let mut judge = Judge::default();
    let mut rivals = Rivals::of(&known.history);
    let (mut serin, mut promoted) = (None, false);
    for look in 0..LOOKS {
        let pods = fleet.window(cell.fault.at(look), cell.weight);
        let (canary, stable) = pods.split_at(1);
        rivals.see(look, canary, stable);
        if look < cell.fault.warmup() {
            continue;
        }
        let (failed, passed) = judge.look(&known, &service.ladder, look, canary, stable);
        serin = serin.or(failed.then_some(look));
        promoted = passed && serin.is_none();
    }
    let rho = known.settings[0].rho.unwrap_or(0.0);
    Outcome { serin, rivals: rivals.times, promoted, rho }
}

impl Known {
    fn of(history: &[Vec<Pod>], ladder: &[f64]) -> Self {
        let mut counts = vec![0.0; ladder.len()];
        for pod in history.iter().flatten() {
            counts.iter_mut().zip(&pod.buckets).for_each(|(all, count)| *all += count);
        }
        let all = Histogram::new(ladder.to_vec(), counts).expect("a simulated ladder is one");
        let bounds = QUANTILES.map(|q| bound(&all, q).expect("the ladder reaches the quantiles"));
        let ranks: Vec<_> = history
            .iter()
            .filter_map(|pods| {
                placement_cells(&pods.iter().map(|pod| pod.buckets.clone()).collect::<Vec<_>>())
            })
            .collect();
        let tails = |at: f64| -> Vec<Vec<Tally>> {
            let pod = |pod: &Pod| {
                let slow = ladder.iter().zip(&pod.buckets).filter(|(bound, _)| **bound > at);
                Tally::new(slow.map(|(_, count)| count).sum(), pod.buckets.iter().sum())
            };
            history.iter().map(|pods| pods.iter().map(pod).collect()).collect()
        };
        let errors = known(history, Settings { metrics: QUESTIONS, ..Settings::default() });
        let slower = Settings { limit: 0.15, history: None, ..errors };
        let settings = [
            errors,
            with(slower, measure_means(&ranks)),
            with(slower, measure(&tails(bounds[0]))),
            with(slower, measure(&tails(bounds[1]))),
        ];
        Self { history: all, bounds, settings }
    }
}

fn with(settings: Settings, noise: Option<Dispersion>) -> Settings {
    Settings { rho: noise.map(|noise| noise.rho), tau: noise.map_or(0.0, |noise| noise.tau), ..settings }
}

/// The states of the four questions.
#[derive(Default)]
struct Judge {
    errors: error_rate::State,
    shift: location::State,
    tails: [proportion::State; 2],
}

impl Judge {
    /// Whether the canary fails, and whether it passes.
    fn look(
        &mut self,
        known: &Known,
        ladder: &[f64],
        look: usize,
        canary: &[Pod],
        stable: &[Pod],
    ) -> (bool, bool) {
        let window = window(look as f64, SECONDS, (canary, stable));
        let times = latency::Window {
            start: window.start,
            end: window.end,
            bounds: ladder.to_vec(),
            canary: buckets(canary),
            stable: buckets(stable),
        };
        let baseline = Baseline { history: &known.history, unit: "s" };
        let valid = "simulated counts are valid";
        let mut looks: Vec<Look> = vec![
            error_rate::look(&known.settings[0], &mut self.errors, &window).expect(valid),
            ShiftOf { baseline: Some(baseline) }
                .look(&known.settings[1], &mut self.shift, &times)
                .expect(valid),
        ];
        for (place, state) in self.tails.iter_mut().enumerate() {
            let tail = Tail { quantile: QUANTILES[place], bound: known.bounds[place], baseline };
            looks.push(tail.look(&known.settings[2 + place], state, &times).expect(valid));
        }
        let standings: Vec<_> = looks.iter().map(Look::standing).collect();
        let failed = looks.iter().any(|look| look.verdict == Verdict::Fail)
            || join(&standings, known.settings[0].alpha).fail;
        (failed, looks.iter().all(|look| look.verdict == Verdict::Pass))
    }
}
