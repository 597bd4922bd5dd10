//! Plays people, autoscalers and bad luck.

use jiff::Timestamp;
use serde_json::{Value, json};
use serin_api::{AnalysisPhase, Rollout, RolloutStatus, label};
use serin_core::seen::Seen;
use serin_core::world::{Service, Template, WriteRefusal};
use serin_core::write::{Effect, Write};

use super::traffic::Followed;
use super::truth::{Key, Kind, Object};
use super::{Cluster, Event};
use crate::merge_patch::merge_spec;

/// Something that happens to the cluster from outside.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    /// Fields of the spec are merged: a new template, replicas, steps, `paused`.
    Spec(Value),
    /// Pods of this image never become ready.
    Break(String),
    Promote,
    /// `resume` and `skip-current-step` of Argo CD.
    SkipStep,
    PromoteFull,
    Abort,
    Retry,
    /// `restart`, at once or in so many seconds.
    Restart(i64),
    LosePods(i64, bool),
    Crash,
    /// A watch says nothing for so long, then lists anew.
    WatchDown(Kind, i64),
    /// A Service is deleted, and comes back as its author wrote it.
    DeleteService(String, i64),
    DeleteTemplate(String, i64),
    /// A router does not answer.
    RouterDown(usize, i64),
    /// No ReplicaSet may be created.
    Quota(i64),
    /// Somebody annotates the Rollout: its version changes.
    Touch,
}

impl Cluster {
    pub(super) fn command(&mut self, command: &Command) {
        self.tell(|| format!("from outside: {command:?}"));
        match command {
            Command::Spec(fields) => self.edit_rollout(|rollout| merge_spec(rollout, fields)),
            Command::Break(image) => drop(self.truth.broken.insert(image.clone())),
            Command::Promote => self.promote(),
            Command::SkipStep => self.edit_status(|status, steps| {
                status.pause_conditions = None;
                skip(status, steps);
            }),
            Command::PromoteFull => self.edit_status(|status, _| {
                status.promote_full |= status.stable_rs.as_deref() != Some(status.current_pod_hash.as_str());
            }),
            Command::Abort => self.edit_status(|status, _| status.abort = true),
            Command::Retry => self.edit_status(|status, _| status.abort = false),
            Command::Restart(seconds) => {
                let at = self.moment().as_second() + seconds;
                let at = Timestamp::from_second(at).unwrap_or_default().to_string();
                self.edit_rollout(|rollout| merge_spec(rollout, &json!({"restartAt": at})));
            }
            Command::LosePods(count, evicted) => (0..*count).for_each(|_| self.lose_pod(*evicted)),
            Command::Crash => self.crash(),
            Command::WatchDown(kind, time) => self.watch_down(*kind, *time),
            Command::DeleteService(name, time) => self.delete_service(name, *time),
            Command::DeleteTemplate(name, time) => self.delete_template(name, *time),
            Command::RouterDown(index, time) => {
                self.process.blind_routes.insert(*index);
                self.at(self.now + time, Event::RouterUp(*index));
                self.think_soon(1);
            }
            Command::Quota(time) => self.quota_until = self.now + time,
            Command::Touch => self.edit_rollout(|rollout| {
                let notes = rollout.metadata.annotations.get_or_insert_default();
                notes.insert("example.com/note".to_owned(), "touched".to_owned());
            }),
        }
    }

    fn edit_rollout(&mut self, change: impl FnOnce(&mut Rollout)) {
        change(&mut self.truth.world.rollout);
        self.truth.remember_limits(self.now);
        self.touch(Key::rollout());
    }

    fn edit_status(&mut self, change: impl FnOnce(&mut RolloutStatus, usize)) {
        self.edit_rollout(|rollout| {
            let canary = rollout.spec.strategy.as_ref().and_then(|strategy| strategy.canary.as_ref());
            let steps = canary.and_then(|canary| canary.steps.as_ref()).map_or(0, Vec::len);
            change(rollout.status.get_or_insert_default(), steps);
        });
    }

    /// As the stock CLI decides what to send.
    fn promote(&mut self) {
        if self.truth.world.rollout.spec.paused {
            self.edit_rollout(|rollout| merge_spec(rollout, &json!({"paused": false})));
        }
        self.edit_status(|status, steps| {
            let run = status.canary.current_step_analysis_run_status.as_ref();
            let undecided = run.is_some_and(|run| run.status == AnalysisPhase::Inconclusive);
            let paused = status.pause_conditions.as_ref().is_some_and(|pauses| !pauses.is_empty());
            status.pause_conditions = None;
            if paused && undecided && status.controller_pause {
                status.controller_pause = false;
                skip(status, steps);
            } else if !paused {
                skip(status, steps);
            }
        });
    }

    fn watch_down(&mut self, kind: Kind, time: i64) {
        self.down.insert(kind, self.now + time);
        self.at(self.now + time, Event::Relist(kind));
    }

    /// A watch comes back: it lists what is there now.
    pub(super) fn relist(&mut self, kind: Kind) {
        if self.down.get(&kind).is_some_and(|until| *until > self.now) {
            return;
        }
        self.down.remove(&kind);
        let gone: Vec<Key> = self.process.cache.keys().filter(|key| key.kind == kind).cloned().collect();
        let mut keys: Vec<Key> = self.truth.keys().into_iter().filter(|key| key.kind == kind).collect();
        keys.extend(gone);
        for key in keys {
            let version = self.truth.versions.get(&key).copied().unwrap_or(0);
            self.take_in(key.clone(), version, self.truth.snapshot(&key));
        }
        self.think_soon(1);
    }

    fn delete_service(&mut self, name: &str, time: i64) {
        if self.truth.world.services.remove(name).is_some() {
            self.truth.endpoints.remove(name);
            self.touch(Key::new(Kind::Service, name));
            self.at(self.now + time, Event::RestoreService(name.to_owned()));
        }
    }

    pub(super) fn restore_service(&mut self, name: &str) {
        let selector = [("app".to_owned(), "shop".to_owned())].into();
        let service = Service { hash: None, managed_by: None, selector };
        self.truth.world.services.insert(name.to_owned(), Seen::Fresh(service));
        self.truth.endpoints.insert(name.to_owned(), None);
        self.follow_later(Key::new(Kind::Service, name), Followed::Endpoints(None));
    }

    fn delete_template(&mut self, name: &str, time: i64) {
        let Some(found) = self.truth.template(name).cloned() else { return };
        self.truth.world.templates.retain(|template| template.name != name);
        self.touch(Key::new(Kind::Template, name));
        self.at(self.now + time, Event::RestoreTemplate(Box::new(found)));
    }

    pub(super) fn restore_template(&mut self, template: Template) {
        let key = Key::new(Kind::Template, &template.name);
        self.truth.world.templates.push(template);
        self.touch(key);
    }

    pub(super) fn router_up(&mut self, index: usize) {
        self.process.blind_routes.remove(&index);
        self.think_soon(1);
    }

    /// Whether the API server refuses to create this ReplicaSet; the process remembers it for the next plan.
    pub(super) fn quota_refuses(&mut self, write: &Write) -> bool {
        if !matches!(write.effect, Effect::Create(_)) || self.now >= self.quota_until {
            return false;
        }
        self.process.refusals = vec![refusal(write, "exceeded quota: replicasets".to_owned(), false)];
        self.think_soon(5_000);
        true
    }

    /// Whether another object turns out to have the name of this ReplicaSet.
    pub(super) fn stranger_refuses(&mut self, write: &Write) -> bool {
        let name = &write.object.name;
        let known = self.truth.strangers.contains(name);
        let comes = !known && self.truth.strangers.len() < 3 && self.chance.chance(self.faults(3));
        if !matches!(write.effect, Effect::Create(_)) || !(known || comes) {
            return false;
        }
        self.truth.strangers.insert(name.clone());
        self.tell(|| format!("somebody else has {name}"));
        let message = format!("replicasets.apps \"{name}\" already exists");
        self.process.refusals = vec![refusal(write, message, true)];
        self.think_soon(100);
        true
    }

    /// What follows from a write of the process: controllers and analyses begin their work.
    pub(super) fn written(&mut self, key: &Key, before: Option<&Object>) {
        match (key.kind, self.truth.snapshot(key).as_deref(), before) {
            (Kind::Set, Some(Object::Set(set)), before) => {
                if !matches!(before, Some(Object::Set(old)) if old.pods.spec == set.pods.spec) {
                    self.sync_soon(&set.uid);
                    if set.pods.available <= set.pods.spec {
                        self.truth.spared.insert(set.uid.clone());
                    } else {
                        self.truth.spared.remove(&set.uid);
                    }
                }
                self.judge_set(set, before);
            }
            (Kind::Set, None, Some(Object::Set(set))) => self.sync_soon(&set.uid),
            (Kind::Run, Some(Object::Run(run)), None) => {
                let background = run.labels.get(label::ROLLOUT_TYPE).is_some_and(|role| role == "Background");
                self.script_run(&run.name, background);
            }
            (Kind::Run, Some(Object::Run(run)), Some(_)) if run.terminating => {
                let name = run.name.clone();
                self.at(self.now + 1_000, Event::RunPhase(name, AnalysisPhase::Successful));
            }
            (Kind::Experiment, Some(Object::Experiment(made)), None) => self.script_experiment(&made.name),
            (Kind::Experiment, Some(Object::Experiment(known)), Some(_)) if known.terminating => {
                self.end_experiment(&known.name);
            }
            (Kind::Rollout, ..) => self.truth.remember_limits(self.now),
            _ => {}
        }
    }

    /// How an AnalysisRun will go. A background run may also measure for as long as it is wanted.
    fn script_run(&mut self, name: &str, background: bool) {
        let begins = self.chance.between(100, 2_000);
        self.at(self.now + begins, Event::RunPhase(name.to_owned(), AnalysisPhase::Running));
        let bad = if self.fair { 0 } else { self.weather.bad_analysis };
        let ends = begins + self.chance.between(500, 20_000);
        let phase = match self.chance.between(0, 99) {
            chance if chance < bad => {
                self.chance.pick(&[AnalysisPhase::Failed, AnalysisPhase::Error, AnalysisPhase::Inconclusive])
            }
            chance if chance > 60 && background => return,
            _ => AnalysisPhase::Successful,
        };
        self.at(self.now + ends, Event::RunPhase(name.to_owned(), phase));
    }

    pub(super) fn run_phase(&mut self, name: &str, phase: AnalysisPhase) {
        let run = self.truth.world.analysis_runs.iter_mut().find(|run| run.name == name);
        if let Some(run) = run.filter(|run| !run.completed() && run.phase != phase) {
            run.phase = phase;
            self.touch(Key::new(Kind::Run, name));
        }
    }
}

fn skip(status: &mut RolloutStatus, steps: usize) {
    let last = i32::try_from(steps).unwrap_or(i32::MAX);
    status.current_step_index = status.current_step_index.map(|index| (index + 1).min(last));
}

fn refusal(write: &Write, message: String, name_taken: bool) -> WriteRefusal {
    let (kind, object) = (write.object.kind.clone(), write.object.to_string());
    WriteRefusal { kind, object, message, name_taken }
}
