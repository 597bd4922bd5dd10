//! Chooses the windows of a comparison of what has just passed: the last ones, all under one weight.

use jiff::Timestamp;
use serin_analysis::comparison::horizon;

use super::weight::Weight;
use crate::moment::{clock, span};

/// What one metric asks for; all in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Length of a window.
    pub(super) length: i64,
    /// From the end of a window until it can be asked for.
    pub(super) delay: i64,
    /// How many.
    pub(super) windows: u32,
    /// How many in a row beyond the limit make a regression.
    pub(super) in_a_row: u32,
}

/// Neighbouring windows that have passed; seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) from: i64,
    pub(super) windows: u32,
    /// Why they are fewer than were asked for.
    pub(super) shorter: Option<String>,
}

impl Wanted {
    /// The last windows that lie behind `now`, those before or during the last change of the weight left out.
    ///
    /// # Errors
    /// Why what is left is too little, and what to do.
    pub(super) fn stretch(self, weight: &Weight, now: Timestamp) -> Result<Stretch, String> {
        let Self { length, delay, windows, in_a_row } = self;
        let second = now.as_second();
        let aligned =
            |second: i64| second.saturating_add(length - 1).div_euclid(length).saturating_mul(length);
        let end = second.saturating_sub(delay).div_euclid(length).saturating_mul(length);
        let asked = end.saturating_sub(length.saturating_mul(i64::from(windows)));
        let kept = aligned(second.saturating_sub(horizon(length, delay)));
        let (weight, changed) = match weight {
            Weight::Since { weight, at } => (*weight, at.as_second()),
            Weight::Moving { weight } => {
                return Err(format!(
                    "the weight of the canary is changing (the status shows {weight}), so that the windows now mix two splits: \
                     ask again when it is in force"
                ));
            }
            Weight::Unknown(_) => (0, i64::MIN),
        };
        // A sample after the change counts what happened since the sample before it.
        let settled = aligned(changed.saturating_add(delay));
        let from = asked.max(kept).max(settled);
        let left = u32::try_from(end.saturating_sub(from).div_euclid(length)).unwrap_or(0);
        let least = in_a_row.min(windows);
        let became =
            || format!("the weight of the canary became {weight} at {}", clock(moment(changed), now));
        if from == settled && left < least {
            let ready = settled.saturating_add(length.saturating_mul(i64::from(least))).saturating_add(delay);
            return Err(format!(
                "{} of {} under one weight: {}, and {in_a_row} in a row are needed to find a regression; ask again at {}, or \
                 give shorter windows with --window",
                counted(left),
                span(length),
                became(),
                clock(moment(ready), now)
            ));
        }
        let shorter = match from {
            _ if from == asked => None,
            _ if from == settled => Some(format!(
                "{} instead of {windows}: {}, and windows before that or with the change in them are of another split",
                counted(left),
                became()
            )),
            _ => Some(format!(
                "{} instead of {windows}: no more than {} are judged",
                counted(left),
                span(horizon(length, delay))
            )),
        };
        Ok(Stretch { from, windows: left, shorter })
    }
}

fn moment(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap_or_default()
}

/// `1 window`, `4 windows`.
pub(super) fn counted(windows: u32) -> String {
    if windows == 1 { "1 window".to_owned() } else { format!("{windows} windows") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(clock: &str) -> Timestamp {
        format!("2026-11-24T{clock}Z").parse().unwrap()
    }

    /// At 14:10:20 the window until 14:10 has just become readable.
    fn stretch(wanted: Wanted, changed: &str) -> Result<(Timestamp, u32, Option<String>), String> {
        let weight = Weight::Since { weight: 20, at: at(changed) };
        let found = wanted.stretch(&weight, at("14:10:20"))?;
        Ok((moment(found.from), found.windows, found.shorter))
    }

    const WANTED: Wanted = Wanted { length: 60, delay: 15, windows: 10, in_a_row: 3 };

    #[test]
    fn windows_before_the_last_change_of_the_weight_are_left_out() {
        for (changed, from, windows) in [
            ("13:00:00", "14:00:00", 10),
            ("13:59:45", "14:00:00", 10),
            ("13:59:46", "14:01:00", 9),
            ("14:03:31", "14:04:00", 6),
            ("14:03:46", "14:05:00", 5),
            ("14:06:45", "14:07:00", 3),
        ] {
            let (begins, left, shorter) = stretch(WANTED, changed).unwrap();
            assert_eq!((begins, left), (at(from), windows), "{changed}");
            assert_eq!(shorter.is_some(), windows < 10, "{changed}");
        }
        let (_, _, shorter) = stretch(WANTED, "14:03:31").unwrap();
        assert_eq!(
            shorter.unwrap(),
            "6 windows instead of 10: the weight of the canary became 20 at 14:03:31 UTC, and windows before that or with the \
             change in them are of another split"
        );
    }

    #[test]
    fn too_few_windows_under_one_weight_are_refused_with_the_time_to_come_again() {
        assert_eq!(
            stretch(WANTED, "14:07:46").unwrap_err(),
            "1 window of 1m under one weight: the weight of the canary became 20 at 14:07:46 UTC, and 3 in a row are needed to \
             find a regression; ask again at 14:12:15 UTC, or give shorter windows with --window"
        );
        assert!(stretch(WANTED, "14:10:19").unwrap_err().starts_with("0 windows of 1m"));
        let short = Wanted { length: 10, ..WANTED };
        assert_eq!(stretch(short, "14:08:05").unwrap().1, 10, "shorter windows fit");
        let few = Wanted { windows: 2, ..WANTED };
        assert_eq!(stretch(few, "14:07:46").unwrap_err().split(' ').next(), Some("1"));
        assert_eq!(stretch(few, "14:07:45").unwrap().1, 2, "no more than were asked for");
        let moving = WANTED.stretch(&Weight::Moving { weight: 20 }, at("14:10:20")).unwrap_err();
        assert!(moving.contains("is changing (the status shows 20)"), "{moving}");
    }

    #[test]
    fn an_unknown_change_cuts_nothing_and_an_hour_is_all() {
        let unknown = Weight::Unknown("no Rollout is named");
        let found = |windows| Wanted { windows, ..WANTED }.stretch(&unknown, at("14:10:20")).unwrap();
        assert_eq!(found(10), Stretch { from: at("14:00:00").as_second(), windows: 10, shorter: None });
        assert_eq!(found(59).shorter, None);
        let all = found(200);
        assert_eq!((moment(all.from), all.windows), (at("13:11:00"), 59));
        assert_eq!(all.shorter.unwrap(), "59 windows instead of 200: no more than 1h are judged");
    }
}
