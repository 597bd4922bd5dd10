//! Plays the controller of Experiments: pods of the templates come, the time passes, and it ends one way or another.

use serin_api::AnalysisPhase;

use super::truth::{Key, Kind};
use super::{Cluster, Event};

impl Cluster {
    /// How an Experiment will go that has just been made.
    pub(super) fn script_experiment(&mut self, name: &str) {
        let begins = self.chance.between(100, 10_000);
        self.at(self.now + begins, Event::ExperimentPhase(name.to_owned(), AnalysisPhase::Running));
        let bad = if self.fair { 0 } else { self.weather.bad_analysis };
        let phase = match self.chance.between(0, 99) {
            chance if chance < bad => {
                self.chance.pick(&[AnalysisPhase::Failed, AnalysisPhase::Error, AnalysisPhase::Inconclusive])
            }
            _ => AnalysisPhase::Successful,
        };
        let ends = begins + self.chance.between(500, 40_000);
        self.at(self.now + ends, Event::ExperimentPhase(name.to_owned(), phase));
    }

    /// Somebody ends it: what was measured until then counts.
    pub(super) fn end_experiment(&mut self, name: &str) {
        self.at(self.now + 1_000, Event::ExperimentPhase(name.to_owned(), AnalysisPhase::Successful));
    }

    pub(super) fn experiment_phase(&mut self, name: &str, phase: AnalysisPhase) {
        let experiment = self.truth.world.experiments.iter_mut().find(|known| known.name == name);
        let Some(experiment) = experiment.filter(|known| !known.phase.completed()) else { return };
        experiment.phase = phase;
        for template in &mut experiment.templates {
            template.running = phase == AnalysisPhase::Running;
            template.pods = i32::from(template.running);
        }
        self.touch(Key::new(Kind::Experiment, name));
    }
}
