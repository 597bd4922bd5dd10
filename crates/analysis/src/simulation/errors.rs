//! Plays rollouts of which the error rate is judged, as a comparison of a run would judge it.

use super::service::{Change, Fleet, Pod, Service, UNCHANGED, errors};
use crate::comparison::LEAST;
use crate::judge::dispersion::measure;
use crate::judge::error_rate::{Arm, Rejected, Settings, State, Verdict, Window, look};
use crate::judge::tally::Tally;

/// Windows of history that noise is measured in before a rollout.
pub const HISTORY: usize = 40;

/// A rollout that is to be played.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The service.
    pub service: Service,
    /// Share of the traffic that the canary gets, above 0 and below 1.
    pub weight: f64,
    /// Error rate of the canary more than that of stable; below 0: it fails less.
    pub more_errors: f64,
    /// Windows until the planned end, at least 1.
    pub count: u32,
    /// What counts as worse; noise and history are measured on the service itself.
    pub settings: Settings,
}

/// How a rollout ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// A look failed the canary.
    Aborted,
    /// At the planned end the canary was shown not to be worse by the limit, with enough requests.
    Promoted,
    /// Neither at the planned end.
    Undecided,
}

/// A rollout that was played.
#[derive(Clone, Debug, PartialEq)]
pub struct Played {
    /// How it ended.
    pub end: End,
    /// Windows judged.
    pub windows: u32,
    /// The line of reasons of the last look.
    pub reason: String,
}

impl Plan {
    /// Plays it once.
    ///
    /// # Errors
    /// [`Rejected`] for settings out of their range.
    pub fn play(&self, seed: u64) -> Result<Played, Rejected> {
        let mut fleet = Fleet::new(&self.service, seed);
        let even = 1.0 / super::service::PODS as f64;
        let history: Vec<Vec<Pod>> = (0..HISTORY).map(|_| fleet.window(UNCHANGED, even)).collect();
        let settings = known(&history, self.settings);
        let change = Change { errors: self.more_errors, ..UNCHANGED };
        let (mut state, mut served) = (State::default(), 0.0);
        let mut played = Played { end: End::Undecided, windows: 0, reason: String::new() };
        for index in 0..self.count {
            let pods = fleet.window(change, self.weight);
            let Some((canary, stable)) = pods.split_at_checked(1) else { break };
            let window = window(f64::from(index), self.service.window, (canary, stable));
            let look = look(&settings, &mut state, &window)?;
            served += window.canary.requests;
            let (end, windows) = (end(look.verdict, served), index + 1);
            played = Played { end, windows, reason: look.reason };
            if end == End::Aborted {
                break;
            }
        }
        Ok(played)
    }
}

fn end(verdict: Verdict, served: f64) -> End {
    match verdict {
        Verdict::Fail => End::Aborted,
        Verdict::Pass if served >= f64::from(LEAST) => End::Promoted,
        Verdict::Pass | Verdict::Undecided => End::Undecided,
    }
}

/// The settings with what is measured on stable pods before the rollout: `history` holds windows of pods.
pub fn known(history: &[Vec<Pod>], settings: Settings) -> Settings {
    let rates: Vec<Vec<Tally>> =
        history.iter().map(|pods| pods.iter().map(|pod| pod.errors).collect()).collect();
    let noise = measure(&rates);
    let mut total = Tally::default();
    history.iter().for_each(|pods| total += errors(pods));
    Settings {
        rho: noise.map(|noise| noise.rho),
        tau: noise.map_or(0.0, |noise| noise.tau),
        history: Some(Arm { requests: total.trials, errors: total.events, pods: 0 }),
        ..settings
    }
}

/// The window number `index` of so many seconds, of the pods of canary and of stable.
pub fn window(index: f64, seconds: f64, (canary, stable): (&[Pod], &[Pod])) -> Window {
    let arm = |pods: &[Pod]| {
        let all = errors(pods);
        Arm { requests: all.trials, errors: all.events, pods: u32::try_from(pods.len()).unwrap_or(u32::MAX) }
    };
    let (start, end) = ((index * seconds) as i64, ((index + 1.0) * seconds) as i64);
    Window { start, end, canary: arm(canary), stable: arm(stable) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::service::MODERATE;

    fn plan(more_errors: f64) -> Plan {
        let service = Service { rps: 100.0, rate: 0.005, noise: MODERATE, ladder: Vec::new(), window: 60.0 };
        Plan { service, weight: 0.1, more_errors, count: 20, settings: Settings::default() }
    }

    fn ends(plan: &Plan, end: End) -> usize {
        (0..40).filter(|seed| plan.play(*seed).unwrap().end == end).count()
    }

    #[test]
    fn the_same_seed_plays_the_same_rollout_and_another_one_does_not() {
        let once = plan(0.0).play(7).unwrap();
        assert_eq!(once, plan(0.0).play(7).unwrap());
        assert_ne!(once.reason, plan(0.0).play(8).unwrap().reason);
        assert_eq!(once.windows, 20);
    }

    #[test]
    fn an_equal_canary_is_hardly_ever_aborted_and_a_faulty_one_soon() {
        let equal = plan(0.0);
        assert!(ends(&equal, End::Aborted) <= 2, "5 % of 40");
        assert!(ends(&equal, End::Promoted) >= 30);
        let faulty = plan(0.05);
        assert!(ends(&faulty, End::Aborted) >= 38);
        assert!(faulty.play(1).unwrap().windows <= 6);
    }

    #[test]
    fn few_requests_promote_nobody() {
        let quiet = Plan { count: 2, ..plan(0.0) };
        let idle = Service { rps: 0.1, ..quiet.service.clone() };
        assert_eq!(ends(&Plan { service: idle, ..quiet }, End::Undecided), 40);
        assert_eq!((end(Verdict::Pass, 99.0), end(Verdict::Pass, 100.0)), (End::Undecided, End::Promoted));
    }

    #[test]
    fn a_setting_out_of_range_is_refused() {
        let wrong = Plan { settings: Settings { limit: 0.0, ..Settings::default() }, ..plan(0.0) };
        assert_eq!(wrong.play(1).unwrap_err().to_string(), "limit is 0, must be above 0 and below 1");
    }
}
