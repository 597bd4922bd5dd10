//! Plays one rollout before the real judge and its rivals.

use serin_analysis::judge::error_rate::Settings;
use serin_analysis::simulation::questions::{Compared, Judge, Known, QUANTILES, failed};
use serin_analysis::simulation::rollout::HISTORY;
use serin_analysis::simulation::service::{Fleet, Pod, UNCHANGED};

use crate::cell::{Cell, LOOKS, SECONDS};
use crate::rivals::{Rivals, Times};

/// When each judge aborted one rollout, in looks from 0, and whether Serin would promote at the last look.
#[derive(Clone, Copy)]
pub(crate) struct Outcome {
    pub(crate) serin: Option<usize>,
    pub(crate) rivals: Times,
    pub(crate) promoted: bool,
    pub(crate) rho: f64,
}

/// How much slower the canary may be.
const SLOWER: f64 = 0.15;

pub(crate) fn play(cell: &Cell, seed: u64) -> Outcome {
    let service = cell.service();
    let mut fleet = Fleet::new(&service, seed, seed);
    let even = 1.0 / cell.pods as f64;
    let history: Vec<Vec<Pod>> = (0..HISTORY).map(|_| fleet.window(UNCHANGED, even)).collect();
    let settings = Settings { metrics: Compared::Both.questions(), ..Settings::default() };
    let known = Known::of(&history, (&service.ladder, &QUANTILES), (settings, SLOWER), Compared::Both);
    let known = if cell.unmeasured { known.unmeasured() } else { known };
    let mut judge = Judge::default();
    let mut rivals = Rivals::of(known.latencies().expect("a simulated ladder is one"));
    let (mut serin, mut promoted) = (None, false);
    for look in 0..LOOKS {
        let pods = fleet.window(cell.fault.at(look), cell.weight);
        let (canary, stable) = pods.split_at(1);
        rivals.see(look, canary, stable);
        if look < cell.fault.warmup() {
            continue;
        }
        let said = judge.look(&known, (look as f64, SECONDS), (canary, stable));
        let said = said.expect("simulated counts are valid");
        serin = serin.or(failed([&said], settings.alpha).then_some(look));
        promoted = said.passed() && serin.is_none();
    }
    Outcome { serin, rivals: rivals.times, promoted, rho: known.rho().unwrap_or(0.0) }
}
