//! Asks the judge one question of a comparison, and keeps what it knows of it.

use serde::{Deserialize, Serialize};

use super::past::Past;
use super::window::Window;
use crate::judge::combine::Standing;
use crate::judge::error_rate::{Look, Rejected, Settings};
use crate::judge::latency::{Baseline, ShiftOf, Tail};
use crate::judge::mean::Worse;
use crate::judge::{business, error_rate, location, mean, proportion};

/// What a comparison asks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Asking {
    ErrorRate,
    BusinessRate,
    Mean(Worse),
    /// All latencies.
    Shift,
    /// Latencies beyond a quantile.
    Tail(f64),
}

/// What is known of one question.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum State {
    Shares(proportion::State),
    Location(location::State),
}

impl Asking {
    /// What is known at the beginning.
    pub(crate) fn fresh(self) -> State {
        match self {
            Self::ErrorRate | Self::BusinessRate | Self::Tail(_) => State::Shares(Default::default()),
            Self::Mean(_) | Self::Shift => State::Location(Default::default()),
        }
    }
}

/// One question with all that its answer depends on.
pub(crate) struct Question<'p> {
    pub(crate) asking: Asking,
    /// With the noise of this question.
    pub(crate) settings: Settings,
    pub(crate) past: &'p Past,
    /// Place of the question in the comparison.
    pub(crate) place: usize,
    pub(crate) name: &'p str,
    pub(crate) unit: &'p str,
}

impl Question<'_> {
    /// Takes one window; the line of reasons is made afterwards, when all questions have been asked.
    ///
    /// # Errors
    /// [`Rejected`] with the numbers that cannot be.
    pub(crate) fn look(&self, state: &mut State, window: &Window) -> Result<Look, Rejected> {
        let settings = &self.settings;
        match (self.asking, state, window) {
            (Asking::ErrorRate, State::Shares(state), Window::Rates(window)) => {
                error_rate::look(settings, state, window)
            }
            (Asking::BusinessRate, State::Shares(state), Window::Rates(window)) => {
                business::look(settings, state, window)
            }
            (Asking::Mean(worse), State::Location(state), Window::Means(window)) => {
                mean::look(settings, (worse, self.past.spread()), state, window)
            }
            (Asking::Shift, State::Location(state), Window::Latency(window)) => {
                ShiftOf { baseline: self.baseline() }.look(settings, state, window)
            }
            (Asking::Tail(quantile), State::Shares(state), Window::Latency(window)) => {
                self.tail(quantile).ok_or(Rejected::Foreign)?.look(settings, state, window)
            }
            _ => Err(Rejected::Foreign),
        }
    }

    /// The line of reasons of a look; `log_mean` = logarithm of the mean evidence over all questions.
    pub(crate) fn line(&self, state: &State, window: &Window, look: &Look, log_mean: f64) -> String {
        let (name, settings) = (self.name, &self.settings);
        match (self.asking, state, window) {
            (Asking::ErrorRate, _, Window::Rates(window)) => {
                error_rate::line(name, settings, window, look, log_mean)
            }
            (Asking::BusinessRate, _, Window::Rates(window)) => {
                business::line(name, settings, window, look, log_mean)
            }
            (Asking::Mean(worse), _, Window::Means(window)) => {
                mean::line(name, settings, (worse, self.past.spread()), window, look, log_mean)
            }
            (Asking::Shift, State::Location(state), Window::Latency(window)) => {
                ShiftOf { baseline: self.baseline() }.line(name, settings, (window, state), look, log_mean)
            }
            (Asking::Tail(quantile), State::Shares(state), Window::Latency(window)) => self
                .tail(quantile)
                .map(|tail| tail.line(name, settings, (window, state), look, log_mean))
                .unwrap_or_default(),
            _ => String::new(),
        }
    }

    /// Without a bound near the quantile nothing is ever counted, and the line says so.
    fn tail(&self, quantile: f64) -> Option<Tail<'_>> {
        let bound = self.past.bound(self.place).unwrap_or(f64::NAN);
        Some(Tail { quantile, bound, baseline: self.baseline()? })
    }

    /// What the question brings to the joint verdict.
    pub(crate) fn standing(&self, state: &State) -> Standing {
        match state {
            State::Shares(state) => state.standing(&self.settings, self.harmless_margin()),
            State::Location(state) => state.standing(&self.settings),
        }
    }

    /// What is harmless above the null: of errors, whose null is stable as it is, a part of the limit.
    fn harmless_margin(&self) -> f64 {
        match self.asking {
            Asking::ErrorRate => self.settings.kappa * self.settings.limit,
            _ => 0.0,
        }
    }

    fn baseline(&self) -> Option<Baseline<'_>> {
        Some(Baseline { history: self.past.histogram()?, unit: self.unit })
    }
}
