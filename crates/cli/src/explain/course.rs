//! Draws the evidence of the windows that a comparison still stores, in one line.

use serde::Serialize;
use serin_api::Measurement;

use crate::run;

/// The evidence after each stored window, oldest first.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Course {
    /// `None`: an outage, in which nothing was measured.
    evidence: Vec<Option<f64>>,
    /// The bar: an abort needs so much.
    needed: f64,
}

/// Below the bar, from no evidence at all upwards; the full block stands for the bar.
const BELOW: [char; 7] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇'];

impl Course {
    /// The course of a comparison; `None` with less than two windows, and for metrics that compare nothing. The bar is
    /// that of the newest window.
    pub(super) fn of(measurements: &[Measurement]) -> Option<Self> {
        let read: Vec<_> = measurements.iter().map(|measured| run::evidence(&measured.message)).collect();
        let known: Vec<(f64, f64)> = read.iter().copied().flatten().collect();
        let (_, needed) = known.last().filter(|_| known.len() > 1)?;
        let evidence = read.iter().map(|window| window.map(|(have, _)| have)).collect();
        Some(Self { evidence, needed: *needed })
    }

    /// `▁▂▅▇█  evidence of the last 5 windows, from 1 to the bar of 80 in logarithms (█ has reached it)`
    pub(super) fn line(&self) -> String {
        let chart: String = self.evidence.iter().map(|window| self.block(*window)).collect();
        let gaps = if self.evidence.contains(&None) { ", · an outage" } else { "" };
        format!(
            "{chart}  evidence of the last {} windows, from 1 to the bar of {} in logarithms (█ has reached it{gaps})",
            self.evidence.iter().flatten().count(),
            self.needed
        )
    }

    fn block(&self, window: Option<f64>) -> char {
        match window {
            None => '·',
            Some(have) if have >= self.needed => '█',
            Some(have) => {
                let share = have.max(1.0).ln() / self.needed.max(1.0).ln();
                let height = (share * BELOW.len() as f64) as usize;
                BELOW.get(height).copied().unwrap_or('▇')
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course(messages: &[&str]) -> Option<Course> {
        let measured =
            |message: &&str| Measurement { message: (*message).to_owned(), ..Measurement::default() };
        Course::of(&messages.iter().map(measured).collect::<Vec<_>>())
    }

    fn drawn(evidence: &[&str], needed: &str) -> String {
        let messages: Vec<_> =
            evidence.iter().map(|have| format!("breach 0/3 | evidence {have} of {needed} needed")).collect();
        let line = course(&messages.iter().map(String::as_str).collect::<Vec<_>>()).unwrap().line();
        line.split("  ").next().unwrap().to_owned()
    }

    #[test]
    fn evidence_rises_in_logarithms_up_to_the_bar() {
        for (evidence, needed, expected) in [
            (vec!["0.01", "1", "2", "9", "79", "80", "1.2e9"], "80", "▁▁▂▄▇██"),
            (vec!["9", "9"], "20", "▆▆"),
            (vec!["0.4", "19.9"], "20", "▁▇"),
            (vec!["0.5", "1"], "1", "▁█"),
        ] {
            assert_eq!(drawn(&evidence, needed), expected, "{evidence:?} of {needed}");
        }
    }

    #[test]
    fn outages_are_gaps_and_said_to_be() {
        let found =
            course(&["evidence 2 of 80 needed", "connection refused", "evidence 81 of 80 needed"]).unwrap();
        assert_eq!(
            found.line(),
            "▂·█  evidence of the last 2 windows, from 1 to the bar of 80 in logarithms (█ has reached it, · an outage)"
        );
        assert_eq!(found.evidence, [Some(2.0), None, Some(81.0)]);
    }

    #[test]
    fn one_window_and_other_metrics_have_no_course() {
        assert_eq!(course(&["evidence 2 of 80 needed"]), None);
        assert_eq!(course(&["", "0.02", "connection refused"]), None);
        assert_eq!(course(&[]), None);
    }
}
