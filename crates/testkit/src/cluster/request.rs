//! Plays the API server towards the process: requests arrive one after the other, or not, or are not answered.

use serin_api::RolloutStatus;
use serin_core::write::Write;

use super::process::{Act, Mark};
use super::traffic::Turn;
use super::truth::{Key, Kind};
use super::{Cluster, Event};
use crate::api_server::{self, Refusal};

/// A request without an answer is given up after this time, in milliseconds.
const ANSWER: i64 = 30_000;
/// A cache that does not show a write is waited for so long, in milliseconds.
const PATIENCE: i64 = 10_000;

impl Cluster {
    /// The next request reaches the API server, or does not; or it does, and the answer never comes.
    pub(super) fn act(&mut self) {
        if !self.process.alive {
            return;
        }
        let Some(act) = self.process.flight.pop_front() else { return };
        let mut lag = self.chance.between(1, self.weather.request_lag);
        if self.chance.chance(self.faults(3)) {
            self.tell(|| "a request is not answered and not done".to_owned());
            self.give_up(&act);
        } else if self.chance.chance(self.faults(1)) {
            self.tell(|| "a request is done and not answered".to_owned());
            let marks = self.process.marks.clone();
            self.request(&act);
            self.process.marks = marks;
            self.give_up(&act);
            lag = ANSWER;
        } else {
            self.request(&act);
        }
        if self.process.flight.is_empty() {
            self.process.busy_until = if lag == ANSWER { self.now + lag } else { 0 };
            self.think_soon(if lag == ANSWER { lag } else { 100 });
        } else {
            self.at(self.now + lag, Event::Act);
        }
    }

    /// Without an answer about the status, nothing of its plan is done.
    fn give_up(&mut self, act: &Act) {
        if matches!(act, Act::Status(..)) {
            self.process.flight.clear();
        }
        self.think_soon(1_500);
    }

    fn request(&mut self, act: &Act) {
        let (key, done) = match act {
            Act::Status(status, version) => {
                let key = Key::rollout();
                let current = self.truth.versions.get(&key) == Some(version);
                if current {
                    self.truth.world.rollout.status = Some(RolloutStatus::clone(status));
                    self.touch(key.clone());
                    self.abort_is_known();
                } else {
                    self.tell(|| "409: the Rollout was changed meanwhile".to_owned());
                    self.process.flight.clear();
                    self.wait_for(&key);
                }
                (key, current)
            }
            Act::Service(target, seen) => {
                (Key::new(Kind::Service, &target.service), self.write_service(target, *seen))
            }
            Act::Route(turn) => {
                let key = match turn {
                    Turn::Route { route, .. } => Key::new(Kind::Route, route.to_string()),
                    Turn::Rule { .. } => Key::new(Kind::Rule, ""),
                };
                match self.write_route(turn) {
                    None => return,
                    Some(done) => (key, done),
                }
            }
            Act::Write(write) if write.object.kind == "Pod" => return self.write_pod(write),
            Act::Write(write) => (self.key_of(write), self.write(write)),
        };
        if done {
            self.wait_for(&key);
        } else {
            self.think_soon(300);
        }
    }

    /// Nothing is decided before the cache shows the object as it is now.
    fn wait_for(&mut self, key: &Key) {
        let version = self.truth.versions.get(key).copied().unwrap_or(0);
        let known = self.process.cache.get(key).map(|(known, _)| *known);
        let mark = match self.truth.snapshot(key) {
            Some(_) if known == Some(version) => return,
            Some(_) => Mark::Version(version),
            None if known.is_none() => return,
            None => Mark::Gone,
        };
        self.process.marks.insert(key.clone(), (mark, self.now + PATIENCE));
    }

    fn key_of(&self, write: &Write) -> Key {
        let kind = match write.object.kind.as_str() {
            "ReplicaSet" => Kind::Set,
            "AnalysisRun" => Kind::Run,
            "Experiment" => Kind::Experiment,
            _ => Kind::Rollout,
        };
        Key::new(kind, &write.object.name)
    }

    fn write(&mut self, write: &Write) -> bool {
        let key = self.key_of(write);
        if key.kind == Kind::Set && (self.quota_refuses(write) || self.stranger_refuses(write)) {
            return false;
        }
        let number = self.truth.number();
        self.truth.world.now = self.moment();
        let before = self.truth.snapshot(&key);
        match api_server::perform(&mut self.truth.world, write, number) {
            Ok(()) => {
                self.touch(key.clone());
                self.written(&key, before.as_deref());
                true
            }
            Err(Refusal::Unguarded) => {
                self.violation(format!("a patch of {} without precondition", write.object));
                false
            }
            Err(refusal) => {
                self.tell(|| format!("{} is refused: {refusal:?}", write.object));
                self.wait_for(&key);
                false
            }
        }
    }
}
