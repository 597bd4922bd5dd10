//! Says which limits of latencies the buckets of a histogram cannot tell: bounds that are too far apart, or not where the
//! quantile is.

use serin_analysis::comparison::{Quantile, Survey};
use serin_analysis::judge::histogram::Histogram;
use serin_analysis::judge::quantile::classic;
use serin_analysis::judge::tail::{Resolution, resolution};

use super::{Compared, Finding, metric};

/// Neighbouring bounds may differ by this factor: what is read between them is then a small part of a limit.
const WIDEST: f64 = 2.0;
/// Share of pairs of requests in one bucket above which nothing is said of all latencies together.
const MOST_TIES: f64 = 0.75;
const REMEDY: &str = "add bounds there, each at most twice the one before, or use native histograms";

/// A layout that is given, and where the quantiles of stable are, in the unit of the histogram.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Given {
    /// Upper bounds of the buckets.
    pub bounds: Vec<f64>,
    /// Quantiles (0.99) and their values.
    pub quantiles: Vec<(f64, f64)>,
}

/// What the given layout cannot tell of a comparison.
pub fn of_given(given: &Given, compared: &Compared) -> Vec<Finding> {
    let asked = Survey::of(&compared.metric, Some(&metric::arms()), 1, jiff::Timestamp::UNIX_EPOCH);
    let Ok(Some(survey)) = asked else { return Vec::new() };
    let mut bounds: Vec<f64> = given.bounds.iter().copied().filter(|bound| bound.is_finite()).collect();
    bounds.sort_by(f64::total_cmp);
    bounds.dedup();
    let path = &compared.path;
    if bounds.len() < 2 {
        let how_many =
            if bounds.is_empty() { "there is no bucket but +Inf" } else { "there is one finite bound only" };
        return vec![Finding::problem(format!(
            "{path}: {how_many}, and latencies are compared between two of them at least; {REMEDY}"
        ))];
    }
    let (limit, unit) = (survey.settings().limit, survey.unit());
    let mut findings = Vec::new();
    let asked = survey.quantiles();
    for (quantile, value) in given.quantiles.iter().filter(|(quantile, _)| asked.contains(quantile)) {
        let place = bounds.partition_point(|bound| bound < value);
        let below = place.checked_sub(1).and_then(|below| bounds.get(below)).copied().unwrap_or(0.0);
        match bounds.get(place) {
            None => findings.push(beyond(path, *quantile, below, unit)),
            Some(above) if above / below > WIDEST => {
                findings.push(wide(path, &name(*quantile), (below, *above), (limit, unit)));
            }
            Some(_) => {}
        }
    }
    let unknown = asked.iter().any(|asked| given.quantiles.iter().all(|(quantile, _)| quantile != asked));
    let widest = bounds.iter().zip(bounds.iter().skip(1)).max_by(|a, b| (a.1 / a.0).total_cmp(&(b.1 / b.0)));
    if let Some((below, above)) = widest.filter(|(below, above)| unknown && *above / *below > WIDEST) {
        findings.push(Finding::warning(format!(
            "{path}: some bounds are up to {:.1} times apart, such as {below}{unit} and {above}{unit}; whether a quantile that is \
             compared lies there is not known: give --p95 and --p99, or --prometheus",
            above / below
        )));
    }
    findings
}

/// What the buckets that stable has cannot tell.
pub fn of_stable(
    path: &str,
    stable: &Histogram,
    quantiles: &[Quantile],
    (limit, unit): (f64, &str),
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let last = stable.bounds().iter().copied().filter(|bound| bound.is_finite()).fold(0.0, f64::max);
    for Quantile { quantile, bound } in quantiles {
        let called = name(*quantile);
        match (resolution(stable, *quantile), bound) {
            (Some(Resolution::Beyond), _) => findings.push(beyond(path, *quantile, last, unit)),
            (_, None) => findings.push(Finding::problem(format!(
                "{path}: no bucket bound is near {called} of stable, so that it cannot be compared; {REMEDY}"
            ))),
            (Some(Resolution::Coarse { .. }), Some(_)) => {
                let around = around(stable, *quantile);
                findings.push(wide(path, &called, around, (limit, unit)));
            }
            _ => {}
        }
    }
    let total = stable.total();
    let ties: f64 = stable.counts().iter().map(|count| (count / total).powi(2)).sum();
    if ties > MOST_TIES {
        let most = stable.counts().iter().copied().fold(0.0, f64::max);
        findings.push(Finding::warning(format!(
            "{path}: {:.0} % of all requests of stable are in one bucket, so that nothing is said of all latencies together; {REMEDY}",
            100.0 * most / total
        )));
    }
    findings
}

/// The bounds around a quantile.
fn around(stable: &Histogram, quantile: f64) -> (f64, f64) {
    let cumulative: Vec<f64> = stable
        .counts()
        .iter()
        .scan(0.0, |below, count| {
            *below += count;
            Some(*below)
        })
        .collect();
    let value = classic(quantile, stable.bounds(), &cumulative);
    let below = stable.bounds().iter().copied().filter(|bound| *bound < value).fold(0.0, f64::max);
    let above = stable.bounds().iter().copied().filter(|bound| *bound >= value).fold(f64::INFINITY, f64::min);
    (below, above)
}

fn beyond(path: &str, quantile: f64, last: f64, unit: &str) -> Finding {
    Finding::problem(format!(
        "{path}: {} of stable is above the last bucket bound ({last}{unit}), where no slowdown is seen; {REMEDY}",
        name(quantile)
    ))
}

fn wide(path: &str, what: &str, (below, above): (f64, f64), (limit, unit): (f64, &str)) -> Finding {
    let times =
        if below > 0.0 { format!("{:.1} times apart", above / below) } else { "the first bucket".to_owned() };
    Finding::warning(format!(
        "{path}: the bounds around {what} are {below}{unit} and {above}{unit}, {times}: a limit of {}% is finer than that \
         bucket and only read by interpolation; {REMEDY}",
        (limit * 1000.0).round() / 10.0
    ))
}

fn name(quantile: f64) -> String {
    format!("p{}", (quantile * 1e6).round() / 1e4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const DEFAULT: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

    fn given(bounds: &[f64], quantiles: &[(f64, f64)]) -> Vec<String> {
        let metric = json!({"name": "latency", "interval": "1m", "provider": {"prometheus": {"address": "http://p"}},
                            "comparison": {"preset": "http", "latency": {}}});
        let metric = serde_json::from_value(metric).unwrap();
        let compared = Compared { path: "m".to_owned(), metric, open: None };
        let given = Given { bounds: bounds.to_vec(), quantiles: quantiles.to_vec() };
        of_given(&given, &compared).into_iter().map(|finding| finding.message).collect()
    }

    #[test]
    fn a_given_layout_is_held_against_the_quantiles_that_are_compared() {
        let fine: Vec<f64> = (0..20).map(|rung| 0.01 * 1.5_f64.powi(rung)).collect();
        for (bounds, quantiles, expected) in [
            (&DEFAULT[..], &[(0.95, 0.3), (0.99, 0.7)][..], vec![]),
            (&fine, &[], vec![]),
            (
                &DEFAULT,
                &[(0.95, 0.2), (0.99, 0.25), (0.999, 70.0)],
                vec![
                    "m: the bounds around p95 are 0.1s and 0.25s, 2.5 times apart: a limit of 15%",
                    "m: the bounds around p99 are 0.1s and 0.25s, 2.5 times apart: a limit of 15%",
                ],
            ),
            (
                &DEFAULT,
                &[(0.95, 0.003), (0.99, 0.3)],
                vec!["m: the bounds around p95 are 0s and 0.005s, the first bucket"],
            ),
            (
                &DEFAULT,
                &[(0.95, 0.3)],
                vec!["m: some bounds are up to 2.5 times apart, such as 1s and 2.5s; whether a quantile"],
            ),
            (
                &DEFAULT,
                &[(0.95, 0.3), (0.99, 12.0)],
                vec!["m: p99 of stable is above the last bucket bound (10s)"],
            ),
            (&[f64::INFINITY], &[], vec!["m: there is no bucket but +Inf"]),
            (&[1.0, f64::INFINITY], &[], vec!["m: there is one finite bound only"]),
        ] {
            let found = given(bounds, quantiles);
            let alike = found.iter().zip(&expected).all(|(found, begins)| found.starts_with(begins));
            assert!(alike && found.len() == expected.len(), "{bounds:?} {quantiles:?}: {found:?}");
        }
    }

    fn stable(bounds: &[f64], counts: &[f64], bound: Option<f64>) -> Vec<(bool, String)> {
        let bounds = bounds.iter().copied().chain([f64::INFINITY]).collect();
        let seen = Histogram::new(bounds, counts.to_vec()).unwrap();
        let quantiles = [Quantile { quantile: 0.99, bound }];
        of_stable("m", &seen, &quantiles, (0.15, "s"))
            .into_iter()
            .map(|finding| (finding.severity == super::super::Severity::Problem, finding.message))
            .collect()
    }

    #[test]
    fn the_layout_of_stable_is_held_against_where_its_requests_are() {
        assert_eq!(stable(&[0.1, 0.2, 0.3], &[500.0, 485.0, 10.0, 5.0], Some(0.2)), []);
        for (bounds, counts, bound, problem, expected) in [
            (
                [0.1, 0.2, 0.3],
                [500.0, 300.0, 100.0, 100.0],
                Some(0.3),
                true,
                "m: p99 of stable is above the last bucket bound (0.3s)",
            ),
            (
                [0.1, 0.2, 3.0],
                [500.0, 300.0, 200.0, 0.0],
                None,
                true,
                "m: no bucket bound is near p99 of stable",
            ),
            (
                [0.1, 0.2, 3.0],
                [500.0, 480.0, 15.0, 5.0],
                Some(0.2),
                false,
                "m: the bounds around p99 are 0.2s and 3s, 15.0 times apart: a limit of 15%",
            ),
            (
                [0.1, 0.2, 0.3],
                [5.0, 980.0, 10.0, 5.0],
                Some(0.2),
                false,
                "m: 98 % of all requests of stable are in one bucket",
            ),
        ] {
            let found = stable(&bounds, &counts, bound);
            assert!(
                found.len() == 1 && found[0].0 == problem && found[0].1.starts_with(expected),
                "{expected}: {found:?}"
            );
        }
    }
}
