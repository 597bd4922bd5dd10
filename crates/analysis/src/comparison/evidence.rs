//! Keeps what a comparison knows between two looks, in the status of the run.

use serde::Deserialize;
use serde_json::Value;

use super::question::{Question, State};
use super::{Past, Plan, Window};
use crate::judge::combine::Standing;
use crate::judge::error_rate::{Assumption, Look, Rejected, Settings, Verdict};
use crate::judge::margin::EXTENSION_Z;
use crate::judge::process::log_add;

mod stored;

/// Bytes of JSON that the evidence of all comparisons of a run takes at most.
pub(crate) const MOST_BYTES: usize = 4096;

/// Everything that must survive a restart; its size does not depend on how long the comparison lasts.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Evidence {
    /// What was compared, and how, as a digest: evidence of anything else does not count.
    fingerprint: String,
    /// Times that the comparison was edited; each halves alpha.
    #[serde(default)]
    edits: i32,
    /// By which rule assumed noise is dealt with: the one that was in force when the evidence began, so that a replay says
    /// what was said.
    #[serde(skip, default = "believed")]
    assumption: Assumption,
    /// Since when evidence counts, seconds since 1970.
    pub(crate) began: i64,
    /// End of the last window dealt with, seconds since 1970.
    pub(crate) until: i64,
    /// Windows judged.
    #[serde(default)]
    pub(crate) judged: i32,
    /// Canary requests in them.
    #[serde(default)]
    pub(crate) served: i64,
    /// Times that the planned end came without a decision.
    #[serde(default)]
    pub(crate) extensions: i32,
    /// Since when there have been no data, seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) silent_since: Option<i64>,
    /// When the analysis ends for want of data (`noDataTimeout`), seconds since 1970: the plan of the Rollout says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) gives_up: Option<i64>,
    /// What the last look said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) said: Option<Verdict>,
    /// The last look was sure enough for the end of an extension.
    #[serde(default)]
    firm: bool,
    /// What is known from before the first window; `None` until it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) past: Option<Past>,
    /// The weight of the canary at the last look, and when that was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    weight: Option<(i32, i64)>,
    /// Between which moments the weight changed last; windows that touch them are not judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    changed: Option<(i64, i64)>,
    /// Windows that were left out because the weight changed in them.
    #[serde(default)]
    pub(crate) cut: i32,
    /// The judge's state before the oldest window that is still among the measurements: where a replay begins. `None` when
    /// it had to go, so that the evidence of the run keeps its size.
    pub(super) base: Option<Vec<State>>,
    /// The judge's state now.
    pub(super) state: Vec<State>,
}

/// Evidence with a name for each number is older than any other rule.
fn believed() -> Assumption {
    Assumption::Believed
}

/// What one look at all questions of a comparison says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) verdict: Verdict,
    /// One look per question, in their order.
    pub(crate) looks: Vec<Look>,
}

impl Seen {
    fn of(looks: Vec<Look>) -> Self {
        let verdict = if looks.iter().any(|look| look.verdict == Verdict::Fail) {
            Verdict::Fail
        } else if !looks.is_empty() && looks.iter().all(|look| look.verdict == Verdict::Pass) {
            Verdict::Pass
        } else {
            Verdict::Undecided
        };
        Self { verdict, looks }
    }

    /// One line per question, the strongest evidence first.
    pub(crate) fn reasons(&self) -> String {
        let mut looks: Vec<&Look> = self.looks.iter().collect();
        looks.sort_by(|a, b| b.log_e.total_cmp(&a.log_e));
        looks.iter().map(|look| look.reason.as_str()).collect::<Vec<_>>().join("\n")
    }
}

impl Evidence {
    /// The evidence of a metric so far; none yet at its beginning. `true` when an edit of the comparison made older
    /// evidence worthless.
    pub(crate) fn of(stored: Option<&Value>, plan: &Plan, begun: i64) -> (Self, bool) {
        let until = plan.span(plan.first(begun)).start;
        let states: Vec<State> = plan.asking.iter().map(|asking| asking.fresh()).collect();
        let fresh = Self {
            fingerprint: stored::digest(&plan.fingerprint),
            edits: 0,
            assumption: Assumption::Checked,
            began: until,
            until,
            judged: 0,
            served: 0,
            extensions: 0,
            silent_since: None,
            gives_up: None,
            said: None,
            firm: false,
            past: None,
            weight: None,
            changed: None,
            cut: 0,
            base: Some(states.clone()),
            state: states,
        };
        let Some(stored) = stored.and_then(stored::read) else {
            return (fresh, false);
        };
        if stored.fingerprint == fresh.fingerprint {
            return (stored, false);
        }
        let until = stored.until.max(until);
        let edits = stored.edits.saturating_add(1);
        (Self { edits, began: until, until, weight: stored.weight, changed: stored.changed, ..fresh }, true)
    }

    /// What the last look said, as the status stores it.
    pub(crate) fn last_said(stored: &Value) -> Option<Verdict> {
        stored::read(stored)?.said
    }

    /// The evidence as the status stores it.
    pub(crate) fn stored(&self) -> Option<Value> {
        stored::write(self)
    }

    /// The settings with the alpha that edits have left.
    pub(crate) fn settings(&self, plan: &Plan) -> Settings {
        let alpha = plan.settings.alpha * 0.5_f64.powi(self.edits);
        Settings { alpha, assumption: self.assumption, ..plan.settings }
    }

    fn questions<'p>(&self, plan: &'p Plan, past: &'p Past, name: &'p str) -> Vec<Question<'p>> {
        let settings = self.settings(plan);
        let one = |(place, asking)| Question {
            asking,
            settings: past.settings(settings, place),
            past,
            place,
            name,
            unit: plan.unit,
        };
        plan.asking.iter().copied().enumerate().map(one).collect()
    }

    /// Judges the next window. `name` is the metric's, for the lines of reasons.
    ///
    /// # Errors
    /// [`Rejected`] with the numbers that cannot be; nothing is known more than before.
    pub(crate) fn look(&mut self, plan: &Plan, name: &str, window: &Window) -> Result<Seen, Rejected> {
        let past = self.past.clone().unwrap_or_default();
        let mut states = self.state.clone();
        let seen = self.judge(plan, (&past, name), &mut states, window)?;
        self.state = states;
        self.judged = self.judged.saturating_add(1);
        self.served = self.served.saturating_add(window.canary_trials().round() as i64);
        self.said = Some(seen.verdict);
        self.firm = seen.looks.iter().all(|look| look.z.is_some_and(|z| z <= EXTENSION_Z));
        Ok(seen)
    }

    /// What the questions say of one window, from other states than the newest: for replays.
    pub(super) fn judge(
        &self,
        plan: &Plan,
        (past, name): (&Past, &str),
        states: &mut [State],
        window: &Window,
    ) -> Result<Seen, Rejected> {
        let questions = self.questions(plan, past, name);
        let looks = questions.iter().zip(&mut *states).map(|(question, state)| question.look(state, window));
        let mut looks: Vec<Look> = looks.collect::<Result<_, _>>()?;
        // The other metrics of the run are silent here: what they say would not be known to a replay.
        let log_sum = looks.iter().map(|look| look.log_e).fold(f64::NEG_INFINITY, log_add);
        let log_mean = log_sum - f64::from(plan.settings.metrics).ln();
        for ((question, state), look) in questions.iter().zip(&*states).zip(&mut looks) {
            look.mean_e = log_mean.exp();
            look.reason = question.line(state, window, look, log_mean);
        }
        Ok(Seen::of(looks))
    }

    /// What each question brings to the joint verdict of the run.
    pub(crate) fn standings(&self, plan: &Plan) -> Vec<Standing> {
        let past = self.past.clone().unwrap_or_default();
        let questions = self.questions(plan, &past, "");
        questions.iter().zip(&self.state).map(|(question, state)| question.standing(state)).collect()
    }

    /// The last look showed that the canary is not worse by the limit, with the proof that this end needs.
    pub(crate) fn passes(&self, plan: &Plan) -> bool {
        let enough = self.served as f64 >= plan.least;
        self.said == Some(Verdict::Pass) && enough && (self.extensions == 0 || self.firm)
    }

    /// Windows until the planned end, for a comparison of `count` windows and its extensions.
    pub(crate) fn remaining(&self, count: i32) -> i32 {
        count.saturating_mul(self.extensions.saturating_add(1)).saturating_sub(self.judged)
    }

    /// Notes the weight of the canary at a look. Two looks with different weights have the change between them.
    pub(crate) fn weigh(&mut self, weight: Option<i32>, at: i64) {
        let Some(weight) = weight else { return };
        if let Some((_, seen)) = self.weight.filter(|(before, _)| *before != weight) {
            self.changed = Some((seen, at));
        }
        self.weight = Some((weight, at));
    }

    /// The weight changed in this window, or may have.
    pub(crate) fn mixed(&self, start: i64, end: i64) -> bool {
        self.changed.is_some_and(|(from, to)| end > from && start < to)
    }

    /// A verdict can be recomputed from the windows that the status holds.
    pub(crate) fn replayable(&self) -> bool {
        self.base.is_some()
    }

    /// Gives up the beginning of a replay, which is a third of the room or more.
    pub(crate) fn shorten(&mut self) {
        self.base = None;
    }

    /// Moves the beginning of a replay behind `window`, whose measurement is dropped.
    pub(crate) fn forget(&mut self, plan: &Plan, window: &Window) {
        if window.start() >= self.began {
            let past = self.past.clone().unwrap_or_default();
            let Some(mut base) = self.base.take() else { return };
            // A window that was judged once is judged again.
            drop(self.judge(plan, (&past, ""), &mut base, window));
            self.base = Some(base);
        }
    }
}
