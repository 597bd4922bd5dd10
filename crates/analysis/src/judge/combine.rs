//! Joins the evidence of several metrics into one verdict and says which metric is to blame (judge 1.9).

use super::process::log_add;

/// What one metric brings to the joint verdict.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standing {
    /// Logarithm of its e-process; a metric without data keeps its last value (0 when it never had any).
    pub log_e: f64,
    /// Its cumulative estimate is beyond the full limit, and so is each of its last N windows.
    pub sustained: bool,
}

/// The joint verdict.
#[derive(Debug, Clone, PartialEq)]
pub struct Joint {
    /// Logarithm of the mean e-value: an e-value for "no metric is beyond its null margin", whatever the dependence
    /// between metrics (Vovk and Wang 2021).
    pub log_mean: f64,
    /// Abort: the mean reached `1 / alpha` and the metric with the largest e is `sustained`.
    pub fail: bool,
    /// Index of the metric with the largest e (the first one on a tie); `None` without metrics.
    pub loudest: Option<usize>,
    /// Metrics that are to blame on their own, `e >= K / alpha` (e-Holm, first step); empty with `fail` = "joint".
    pub named: Vec<usize>,
}

/// Joins the metrics of one look at level `alpha`. The number of metrics K must not change during a rollout.
pub fn join(metrics: &[Standing], alpha: f64) -> Joint {
    let log_mean = log_mean(metrics.iter().map(|metric| metric.log_e));
    let loudest =
        metrics.iter().enumerate().fold(None, |best: Option<(usize, &Standing)>, next| match best {
            Some(best) if best.1.log_e >= next.1.log_e => Some(best),
            _ => Some(next),
        });
    let alone = (metrics.len() as f64 / alpha).ln() - ROUNDING;
    let fail = log_mean >= -alpha.ln() - ROUNDING && loudest.is_some_and(|(_, metric)| metric.sustained);
    let named =
        (0..).zip(metrics).filter(|(_, metric)| metric.log_e >= alone).map(|(index, _)| index).collect();
    Joint { log_mean, fail, loudest: loudest.map(|(index, _)| index), named }
}

/// N windows at the cap reach the bar exactly; their rounded logarithms may miss it by this much.
pub(super) const ROUNDING: f64 = 1e-9;

/// `ln` of the mean of `exp`: dominates Bonferroni, since the mean is at least the largest divided by K. Minus
/// infinity for nothing.
pub fn log_mean(log_e: impl IntoIterator<Item = f64>) -> f64 {
    let (sum, count) =
        log_e.into_iter().fold((f64::NEG_INFINITY, 0.0), |(sum, n), l| (log_add(sum, l), n + 1.0));
    if count > 0.0 { sum - f64::ln(count) } else { f64::NEG_INFINITY }
}

/// Holm 1979 adjusted p-values, for the report at a fixed end only; same order as given.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<(usize, f64)> = p.iter().copied().enumerate().collect();
    order.sort_by(|a, b| a.1.total_cmp(&b.1));
    let (mut hypotheses, mut highest) = (p.len() as f64, 0.0);
    for (_, p) in &mut order {
        highest = (*p * hypotheses).clamp(highest, 1.0);
        hypotheses -= 1.0;
        *p = highest;
    }
    order.sort_by_key(|(index, _)| *index);
    order.into_iter().map(|(_, p)| p).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(e: f64, sustained: bool) -> Standing {
        Standing { log_e: f64::ln(e), sustained }
    }

    #[test]
    fn one_loud_metric_of_four_needs_eighty() {
        let quiet = standing(1e-9, false);
        let loud = join(&[quiet, standing(80.0, true), quiet, quiet], 0.05);
        assert!(loud.fail);
        assert_eq!((loud.loudest, loud.named), (Some(1), vec![1]));
        assert!(!join(&[quiet, standing(79.0, true), quiet, quiet], 0.05).fail);
    }

    #[test]
    fn several_half_loud_metrics_fail_jointly_and_nobody_is_named() {
        let joint = join(
            &[standing(30.0, true), standing(20.0, false), standing(18.0, false), standing(15.0, true)],
            0.05,
        );
        assert!(joint.fail && joint.named.is_empty());
        assert_eq!(joint.loudest, Some(0));
    }

    #[test]
    fn evidence_without_a_sustained_breach_does_not_abort() {
        assert!(!join(&[standing(1e9, false), standing(5.0, true)], 0.05).fail);
        let nothing = join(&[], 0.05);
        assert!(!nothing.fail && nothing.loudest.is_none());
    }

    #[test]
    fn holm_steps_down() {
        assert_eq!(holm(&[0.04, 0.01, 0.03]), vec![0.06, 0.03, 0.06]);
        assert_eq!(holm(&[0.9, 0.8]), vec![1.0, 1.0]);
        assert!(holm(&[]).is_empty());
    }
}
