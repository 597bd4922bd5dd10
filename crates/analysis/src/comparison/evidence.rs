//! Keeps what a comparison knows between two looks, in the status of the run.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ErrorRate;
use crate::judge::error_rate::{Look, Rejected, Settings, State, Verdict, Window, look};

/// Everything that must survive a restart; about 1.5 KiB of JSON, however long the comparison lasts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Evidence {
    /// What was compared, and how: evidence of anything else does not count.
    fingerprint: String,
    /// Times that the comparison was edited; each halves alpha.
    #[serde(default)]
    edits: i32,
    /// Since when evidence counts, seconds since 1970.
    pub(super) began: i64,
    /// End of the last window dealt with, seconds since 1970.
    pub(crate) until: i64,
    /// Windows judged.
    #[serde(default)]
    pub(crate) judged: i32,
    /// Times that the planned end came without a decision.
    #[serde(default)]
    pub(crate) extensions: i32,
    /// Since when there have been no data, seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) silent_since: Option<i64>,
    /// What the last look said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) said: Option<Verdict>,
    /// The last look was sure enough for the end of an extension.
    #[serde(default)]
    firm: bool,
    /// The judge's state before the oldest window that is still among the measurements: where a replay begins.
    pub(super) base: State,
    /// The judge's state now.
    pub(super) state: State,
}

/// An extension may end in success only on stronger proof (judge 1.3): three extensions stay below 0.03.
const EXTENSION_Z: f64 = -2.33;

impl Evidence {
    /// The evidence of a metric so far; none yet at its beginning. `true` when an edit of the comparison made older
    /// evidence worthless.
    pub(crate) fn of(stored: Option<&Value>, plan: &ErrorRate, begun: i64) -> (Self, bool) {
        let until = plan.span(plan.first(begun)).start;
        let fresh = Self {
            fingerprint: plan.fingerprint.clone(),
            edits: 0,
            began: until,
            until,
            judged: 0,
            extensions: 0,
            silent_since: None,
            said: None,
            firm: false,
            base: State::default(),
            state: State::default(),
        };
        let Some(stored) = stored.and_then(|stored| serde_json::from_value::<Self>(stored.clone()).ok())
        else {
            return (fresh, false);
        };
        if stored.fingerprint == plan.fingerprint {
            return (stored, false);
        }
        let until = stored.until.max(until);
        (Self { edits: stored.edits.saturating_add(1), began: until, until, ..fresh }, true)
    }

    /// The evidence as the status stores it.
    pub(crate) fn stored(&self) -> Option<Value> {
        serde_json::to_value(self).ok()
    }

    /// The settings with the alpha that edits have left.
    pub(crate) fn settings(&self, plan: &ErrorRate) -> Settings {
        Settings { alpha: plan.settings.alpha * 0.5_f64.powi(self.edits), ..plan.settings }
    }

    /// Judges the next window.
    ///
    /// # Errors
    /// [`Rejected`] with the numbers that cannot be; nothing is known more than before.
    pub(crate) fn look(&mut self, plan: &ErrorRate, window: &Window) -> Result<Look, Rejected> {
        let settings = self.settings(plan);
        let seen = look(&settings, &mut self.state, window)?;
        self.judged = self.judged.saturating_add(1);
        self.said = Some(seen.verdict);
        self.firm = seen.z.is_some_and(|z| z <= EXTENSION_Z);
        Ok(seen)
    }

    /// The last look showed that the canary is not worse by the limit, with the proof that this end needs.
    pub(crate) fn passes(&self) -> bool {
        self.said == Some(Verdict::Pass) && (self.extensions == 0 || self.firm)
    }

    /// Windows until the planned end, for a comparison of `count` windows and its extensions.
    pub(crate) fn remaining(&self, count: i32) -> i32 {
        count.saturating_mul(self.extensions.saturating_add(1)).saturating_sub(self.judged)
    }

    /// Moves the beginning of a replay behind `window`, whose measurement is dropped.
    pub(crate) fn forget(&mut self, plan: &ErrorRate, window: &Window) {
        if window.start >= self.began {
            let settings = self.settings(plan);
            // A window that was judged once is judged again.
            drop(look(&settings, &mut self.base, window));
        }
    }
}
