//! Plays rollouts of which errors, latencies or both are judged, as the comparisons of a run would judge them.

use super::questions::{Compared, Judge, Known};
use super::service::{Change, Fleet, Pod, Service, UNCHANGED};
use crate::comparison::LEAST;
use crate::judge::error_rate::{Rejected, Settings};

/// Windows of history that noise is measured in before a rollout.
pub const HISTORY: usize = 40;

/// A rollout that is to be played.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The service.
    pub service: Service,
    /// Share of the traffic that the canary gets, above 0 and below 1.
    pub weight: f64,
    /// What the canary does that stable does not.
    pub change: Change,
    /// What is compared.
    pub compared: Compared,
    /// Windows until the planned end, at least 1.
    pub count: u32,
    /// What counts as worse; noise and history are measured on the service itself.
    pub settings: Settings,
    /// How much slower the canary may be: 0.15 = 15 %.
    pub slower: f64,
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
    /// The lines of reasons of the last look, the strongest evidence first.
    pub reason: String,
}

impl Plan {
    /// Plays it once.
    ///
    /// # Errors
    /// [`Rejected`] for settings out of their range.
    pub fn play(&self, seed: u64) -> Result<Played, Rejected> {
        let mut fleet = Fleet::new(&self.service, seed);
        let even = 1.0 / self.service.pods as f64;
        let history: Vec<Vec<Pod>> = (0..HISTORY).map(|_| fleet.window(UNCHANGED, even)).collect();
        let limits = (self.settings, self.slower);
        let known = Known::of(&history, &self.service.ladder, limits, self.compared);
        let (mut judge, mut served) = (Judge::default(), 0.0);
        let mut played = Played { end: End::Undecided, windows: 0, reason: String::new() };
        for index in 0..self.count {
            let pods = fleet.window(self.change, self.weight);
            let Some((canary, stable)) = pods.split_at_checked(1) else { break };
            let said = judge.look(&known, (f64::from(index), self.service.window), (canary, stable))?;
            served += canary.iter().map(|pod| pod.errors.trials).sum::<f64>();
            let end = end((said.failed, said.passed), served);
            if end == End::Aborted || index + 1 == self.count {
                played = Played { end, windows: index + 1, reason: judge.reasons(&known, &said) };
                break;
            }
        }
        Ok(played)
    }
}

fn end((failed, passed): (bool, bool), served: f64) -> End {
    match passed && served >= f64::from(LEAST) {
        _ if failed => End::Aborted,
        true => End::Promoted,
        false => End::Undecided,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::service::{MODERATE, PODS, ladder};

    fn plan(more_errors: f64) -> Plan {
        let service = Service {
            rps: 100.0,
            rate: 0.005,
            pods: PODS,
            noise: MODERATE,
            ladder: ladder(false),
            window: 60.0,
            record: None,
        };
        let change = Change { errors: more_errors, ..UNCHANGED };
        let settings = Settings::default();
        Plan { service, weight: 0.1, change, compared: Compared::Errors, count: 20, settings, slower: 0.15 }
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
    fn latencies_are_judged_as_well() {
        let settings = Settings { metrics: 4, ..Settings::default() };
        let both = Plan { compared: Compared::Both, settings, ..plan(0.0) };
        assert!(ends(&both, End::Aborted) <= 2, "5 % of 40");
        let slow = Change { slower: 1.5, ..UNCHANGED };
        for compared in [Compared::Latency, Compared::Both] {
            let slow = Plan { change: slow, compared, ..both.clone() };
            assert!(ends(&slow, End::Aborted) >= 38, "{compared:?}");
        }
        let unseen = Plan { change: slow, compared: Compared::Errors, ..both.clone() };
        assert!(ends(&unseen, End::Aborted) <= 2, "nobody asked for latencies");
        let lines = both.play(1).unwrap().reason;
        assert_eq!(lines.lines().count(), 4, "{lines}");
    }

    #[test]
    fn few_requests_promote_nobody() {
        let quiet = Plan { count: 2, ..plan(0.0) };
        let idle = Service { rps: 0.1, ..quiet.service.clone() };
        assert_eq!(ends(&Plan { service: idle, ..quiet }, End::Undecided), 40);
        assert_eq!((end((false, true), 99.0), end((false, true), 100.0)), (End::Undecided, End::Promoted));
    }

    #[test]
    fn a_setting_out_of_range_is_refused() {
        let wrong = Plan { settings: Settings { limit: 0.0, ..Settings::default() }, ..plan(0.0) };
        assert_eq!(wrong.play(1).unwrap_err().to_string(), "limit is 0, must be above 0 and below 1");
    }
}
