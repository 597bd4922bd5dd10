//! Plays rollouts of which errors, latencies or both are judged, as the comparisons of a run would judge them.

use super::questions::{Compared, Judge, Known, Said, failed};
use super::service::{Change, Fleet, Pod, Service, UNCHANGED};
use crate::comparison::LEAST;
use crate::judge::error_rate::{Rejected, Settings};

/// Windows of history that noise is measured in before a rollout.
pub const HISTORY: usize = 40;

/// A rollout that is to be played: of everything that is compared in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What is compared, at least one.
    pub parts: Vec<Part>,
    /// Share of the traffic that the canary gets, above 0 and below 1.
    pub weight: f64,
    /// Windows until the planned end, at least 1.
    pub count: u32,
}

/// What is counted of a service in one place, and compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Name of the comparison; `None` = each question has its own.
    pub name: Option<String>,
    /// The service.
    pub service: Service,
    /// What the canary does that stable does not.
    pub change: Change,
    /// What is compared.
    pub compared: Compared,
    /// What counts as worse; noise and history are measured on the service itself.
    pub settings: Settings,
    /// How much slower the canary may be: 0.15 = 15 %.
    pub slower: f64,
    /// Quantiles of the latencies that are compared.
    pub quantiles: Vec<f64>,
    /// The judge measures the noise before the rollout; otherwise it must assume some.
    pub measured: bool,
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

/// One part while it is played.
struct Player<'p> {
    part: &'p Part,
    fleet: Fleet<'p>,
    known: Known,
    judge: Judge,
    /// Requests of the canary.
    served: f64,
}

impl<'p> Player<'p> {
    /// Parts of one rollout pass through their records together, with dice of their own.
    fn new(part: &'p Part, place: u64, seed: u64) -> Self {
        let own = seed.wrapping_add(place.wrapping_mul(APART));
        let mut fleet = Fleet::new(&part.service, own, seed);
        let even = 1.0 / part.service.pods as f64;
        let history: Vec<Vec<Pod>> = (0..HISTORY).map(|_| fleet.window(UNCHANGED, even)).collect();
        let (settings, slower) = (part.settings, part.slower);
        let found =
            Known::of(&history, (&part.service.ladder, &part.quantiles), (settings, slower), part.compared);
        let known = if part.measured { found } else { found.unmeasured() };
        Self { part, fleet, known, judge: Judge::default(), served: 0.0 }
    }

    fn look(&mut self, index: u32, weight: f64) -> Result<Said, Rejected> {
        let pods = self.fleet.window(self.part.change, weight);
        let (canary, stable) = pods.split_at_checked(1).unwrap_or((&[], &pods));
        self.served += canary.iter().map(|pod| pod.errors.trials).sum::<f64>();
        self.judge.look(&self.known, (f64::from(index), self.part.service.window), (canary, stable))
    }
}

/// Between the seeds of the parts of one rollout, far from those of other rollouts.
const APART: u64 = 0x9E37_79B9_7F4A_7C15;

impl Plan {
    /// Plays it once.
    ///
    /// # Errors
    /// [`Rejected`] for settings out of their range.
    pub fn play(&self, seed: u64) -> Result<Played, Rejected> {
        let mut players: Vec<Player> =
            (0..).zip(&self.parts).map(|(place, part)| Player::new(part, place, seed)).collect();
        let mut played = Played { end: End::Undecided, windows: 0, reason: String::new() };
        for index in 0..self.count {
            let said: Vec<Said> =
                players.iter_mut().map(|player| player.look(index, self.weight)).collect::<Result<_, _>>()?;
            let least = players.iter().map(|player| player.served).fold(f64::INFINITY, f64::min);
            let end = end((failed(&said, self.alpha()), said.iter().all(Said::passed)), least);
            if end == End::Aborted || index + 1 == self.count {
                played = Played { end, windows: index + 1, reason: reasons(&players, &said) };
                break;
            }
        }
        Ok(played)
    }

    /// Share of false aborts that the judge keeps.
    pub fn alpha(&self) -> f64 {
        self.parts.iter().map(|part| part.settings.alpha).fold(f64::INFINITY, f64::min)
    }
}

/// The lines of all parts, the strongest evidence first.
fn reasons(players: &[Player], said: &[Said]) -> String {
    let lines = |(player, said): (&Player, &Said)| {
        player.judge.reasons(&player.known, said, player.part.name.as_deref())
    };
    let mut lines: Vec<(f64, String)> = players.iter().zip(said).flat_map(lines).collect();
    lines.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    lines.into_iter().map(|(_, line)| line).collect::<Vec<_>>().join("\n")
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
    use crate::simulation::questions::QUANTILES;
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
        let part = Part {
            name: None,
            service,
            change,
            compared: Compared::Errors,
            settings,
            slower: 0.15,
            quantiles: QUANTILES.to_vec(),
            measured: true,
        };
        Plan { parts: vec![part], weight: 0.1, count: 20 }
    }

    /// The plan with its only part changed.
    fn with(mut plan: Plan, change: impl Fn(&mut Part)) -> Plan {
        plan.parts.iter_mut().for_each(change);
        plan
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
        let both = with(plan(0.0), |part| (part.compared, part.settings) = (Compared::Both, settings));
        assert!(ends(&both, End::Aborted) <= 2, "5 % of 40");
        let slow = Change { slower: 1.5, ..UNCHANGED };
        for compared in [Compared::Latency, Compared::Both] {
            let slow = with(both.clone(), |part| (part.change, part.compared) = (slow, compared));
            assert!(ends(&slow, End::Aborted) >= 38, "{compared:?}");
        }
        let unseen = with(both.clone(), |part| (part.change, part.compared) = (slow, Compared::Errors));
        assert!(ends(&unseen, End::Aborted) <= 2, "nobody asked for latencies");
        let lines = both.play(1).unwrap().reason;
        assert_eq!(lines.lines().count(), 4, "{lines}");
    }

    #[test]
    fn few_requests_promote_nobody() {
        let quiet = Plan { count: 2, ..plan(0.0) };
        assert_eq!(ends(&with(quiet, |part| part.service.rps = 0.1), End::Undecided), 40);
        assert_eq!((end((false, true), 99.0), end((false, true), 100.0)), (End::Undecided, End::Promoted));
    }

    #[test]
    fn a_setting_out_of_range_is_refused() {
        let wrong = with(plan(0.0), |part| part.settings.limit = 0.0);
        assert_eq!(wrong.play(1).unwrap_err().to_string(), "limit is 0, must be above 0 and below 1");
    }
}
