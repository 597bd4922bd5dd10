//! Puts evidence into the status and reads it back, whichever version of Serin wrote it.
//!
//! Names and decimal numbers would take three times the room: all numbers are one packed text. Evidence that was written
//! before there was one, as JSON with a name for each number, is still read.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::packed::{Packer, Unpacker};
use super::super::past::Past;
use super::{Evidence, State};
use crate::judge::error_rate::{Assumption, Verdict};
use crate::judge::{location, proportion};

/// Evidence as the status holds it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    /// Digest of what was compared, and how.
    of: String,
    /// Times that the comparison was edited.
    #[serde(default, skip_serializing_if = "is_zero")]
    edits: i32,
    /// Canary requests judged: the plan of the Rollout reads them, too.
    served: i64,
    /// When the analysis ends for want of data: the plan of the Rollout reads it, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gives_up: Option<i64>,
    /// Everything else.
    packed: String,
}

fn is_zero(number: &i32) -> bool {
    *number == 0
}

/// Bits of one packed number: the last look was sure enough for the end of an extension; assumed noise is checked.
const FIRM: i64 = 1;
const CHECKED: i64 = 2;

/// A short name for everything by which evidence is comparable.
pub(super) fn digest(fingerprint: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, fingerprint.as_bytes());
    URL_SAFE_NO_PAD.encode(digest.as_ref().get(..9).unwrap_or_default())
}

pub(super) fn write(evidence: &Evidence) -> Option<Value> {
    let Evidence { fingerprint, edits, assumption, began, until, judged, .. } = evidence;
    let Evidence { served, extensions, silent_since, gives_up, .. } = evidence;
    let Evidence { said, firm, past, weight, changed, cut, base, state, .. } = evidence;
    let mut to = Packer::default();
    for number in [*began, *until, i64::from(*judged), i64::from(*extensions), i64::from(*cut)] {
        to.integer(number);
    }
    to.maybe(silent_since.map(|second| second as f64));
    to.integer(match said {
        None => 0,
        Some(Verdict::Fail) => 1,
        Some(Verdict::Pass) => 2,
        Some(Verdict::Undecided) => 3,
    });
    let checked = if *assumption == Assumption::Checked { CHECKED } else { 0 };
    to.integer(checked | if *firm { FIRM } else { 0 });
    to.maybe(weight.map(|(weight, _)| f64::from(weight)));
    to.maybe(weight.map(|(_, at)| at as f64));
    to.maybe(changed.map(|(from, _)| from as f64));
    to.maybe(changed.map(|(_, until)| until as f64));
    to.integer(i64::from(past.is_some()));
    past.iter().for_each(|past| past.pack(&mut to));
    put_states(&mut to, Some(state));
    put_states(&mut to, base.as_deref());
    serde_json::to_value(Stored {
        of: fingerprint.clone(),
        edits: *edits,
        served: *served,
        gives_up: *gives_up,
        packed: to.text(),
    })
    .ok()
}

pub(super) fn read(stored: &Value) -> Option<Evidence> {
    if stored.get("packed").is_none() {
        let named: Evidence = serde_json::from_value(stored.clone()).ok()?;
        return Some(Evidence { fingerprint: digest(&named.fingerprint), ..named });
    }
    let Stored { of, edits, served, gives_up, packed } = serde_json::from_value(stored.clone()).ok()?;
    let mut from = Unpacker::of(&packed)?;
    let small = |from: &mut Unpacker| i32::try_from(from.integer()?).ok();
    let (began, until) = (from.integer()?, from.integer()?);
    let (judged, extensions, cut) = (small(&mut from)?, small(&mut from)?, small(&mut from)?);
    let silent_since = from.maybe()?.map(|second| second as i64);
    let said = match from.integer()? {
        0 => None,
        1 => Some(Verdict::Fail),
        2 => Some(Verdict::Pass),
        3 => Some(Verdict::Undecided),
        _ => return None,
    };
    let flags = from.integer()?;
    let checked = flags & CHECKED != 0;
    let evidence = Evidence {
        fingerprint: of,
        edits,
        assumption: if checked { Assumption::Checked } else { Assumption::Believed },
        began,
        until,
        judged,
        served,
        extensions,
        silent_since,
        gives_up,
        said,
        firm: flags & FIRM != 0,
        weight: pair(&mut from)?.map(|(weight, at)| (weight as i32, at as i64)),
        changed: pair(&mut from)?.map(|(from, until)| (from as i64, until as i64)),
        cut,
        past: if from.integer()? == 1 { Some(Past::unpack(&mut from)?) } else { None },
        state: take_states(&mut from)??,
        base: take_states(&mut from)?,
    };
    from.ended().then_some(evidence)
}

fn pair(from: &mut Unpacker) -> Option<Option<(f64, f64)>> {
    let (one, other) = (from.maybe()?, from.maybe()?);
    Some(one.zip(other))
}

const SHARES: i64 = 0;
const LOCATION: i64 = 1;

fn put_states(to: &mut Packer, states: Option<&[State]>) {
    to.maybe(states.map(|states| states.len() as f64));
    for state in states.unwrap_or_default() {
        let (kind, (numbers, last_end)) = match state {
            State::Shares(state) => {
                let (numbers, last_end) = state.numbers();
                (SHARES, (numbers.to_vec(), last_end))
            }
            State::Location(state) => {
                let (numbers, last_end) = state.numbers();
                (LOCATION, (numbers.to_vec(), last_end))
            }
        };
        to.integer(kind);
        to.maybe(last_end.map(|second| second as f64));
        numbers.into_iter().for_each(|number| to.number(number));
    }
}

fn take_states(from: &mut Unpacker) -> Option<Option<Vec<State>>> {
    let Some(count) = from.maybe()? else { return Some(None) };
    let mut states = Vec::new();
    for _ in 0..count as usize {
        let kind = from.integer()?;
        let last_end = from.maybe()?.map(|second| second as i64);
        states.push(match kind {
            SHARES => State::Shares(proportion::State::of_numbers(from.numbers()?, last_end)),
            LOCATION => State::Location(location::State::of_numbers(from.numbers()?, last_end)),
            _ => return None,
        });
    }
    Some(Some(states))
}
