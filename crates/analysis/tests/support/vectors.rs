//! Translates each kind of vector file into calls of the judge's public functions.

use super::oracle::{Check, number};
use serde_json::Value;
use serin_analysis::judge::difference::{Interval, agresti_caffo, miettinen_nurminen, newcombe, wald};
use serin_analysis::judge::evidence::{self, Alternative as Bet};
use serin_analysis::judge::mann_whitney::{Alternative, Continuity, RankSum, hodges_lehmann};
use serin_analysis::judge::margin::{Score, Variance, score};
use serin_analysis::judge::process::{Process, log_cap};
use serin_analysis::judge::quantile::{Bucket, classic, native};
use serin_analysis::judge::tally::Tally;
use serin_analysis::judge::two_by_two::{Association, TwoByTwo, fisher_exact};
use serin_analysis::judge::{buckets, quantile};

/// Checks one case of one kind of file.
pub(crate) type Judge = fn(&Value, &mut Check);

const JUDGES: [(&str, Judge); 9] = [
    ("chi2_contingency", chi2_contingency),
    ("evalue_sequence", evalue_sequence),
    ("evalue_two_proportions", evalue_two_proportions),
    ("fisher_exact", fisher),
    ("histogram_quantile", histogram_quantile),
    ("mannwhitney_buckets", mannwhitney_buckets),
    ("mannwhitney_raw", mannwhitney_raw),
    ("noninferiority_score", noninferiority_score),
    ("prop_diff_ci", prop_diff_ci),
];

/// The names of [`JUDGES`], for messages.
pub(crate) const KNOWN: [&str; 9] = {
    let mut names = [""; 9];
    let mut index = 0;
    while index < names.len() {
        names[index] = JUDGES[index].0;
        index += 1;
    }
    names
};

/// The judge for a file name without its extension; a suffix is allowed (`fisher_exact_2`).
pub(crate) fn judge_of(name: &str) -> Option<Judge> {
    JUDGES.iter().find(|(known, _)| name.starts_with(known)).map(|(_, judge)| *judge)
}

fn at(value: &Value, key: &str) -> f64 {
    number(&value[key]).unwrap_or(f64::NAN)
}

fn whole(value: &Value, key: &str) -> u64 {
    count(&value[key]).unwrap_or(u64::MAX)
}

/// A count, however the reference writes it: `3` or `3.0`.
fn count(value: &Value) -> Option<u64> {
    let whole = |number: &f64| number.fract() == 0.0 && (0.0..1e15).contains(number);
    value.as_u64().or_else(|| value.as_f64().filter(whole).map(|number| number as u64))
}

fn arms(case: &Value) -> (Tally, Tally) {
    let arm = |errors, requests| Tally::new(at(case, errors), at(case, requests));
    (arm("canary_errors", "canary_requests"), arm("stable_errors", "stable_requests"))
}

fn numbers(list: &Value) -> Vec<f64> {
    list.as_array().into_iter().flatten().filter_map(number).collect()
}

fn no_data(case: &Value) -> bool {
    case["expect"] == "no-data"
}

fn chi2_contingency(case: &Value, check: &mut Check) {
    let (canary, stable) = arms(case);
    let table = TwoByTwo::new(canary, stable);
    check.each(&case["expect"], |check, key, expected| match key {
        "pearson" => association(check, key, expected, table.pearson()),
        "yates" => association(check, key, expected, table.yates()),
        "g_test" => association(check, key, expected, table.g_test()),
        "min_expected" => check.number(key, expected, table.smallest_expected()),
        _ => check.complain(format!("nothing computes {key}")),
    });
}

fn association(check: &mut Check, key: &str, expected: &Value, found: Association) {
    let (statistic, p) = match found {
        Association::Measured { statistic, p } => (Some(statistic), Some(p)),
        Association::Exact { p } => (None, Some(p)),
        Association::NoInformation => (None, None),
    };
    check.group(key, expected, &[("statistic", statistic), ("p", p)]);
}

fn fisher(case: &Value, check: &mut Check) {
    let found = fisher_exact(
        whole(case, "canary_errors"),
        whole(case, "canary_requests"),
        whole(case, "stable_errors"),
        whole(case, "stable_requests"),
    );
    check.each(&case["expect"], |check, key, expected| match key {
        "two-sided" => check.number(key, expected, Some(found.two_sided)),
        "greater" => check.number(key, expected, Some(found.greater)),
        "less" => check.number(key, expected, Some(found.less)),
        _ => check.complain(format!("nothing computes {key}")),
    });
}

fn prop_diff_ci(case: &Value, check: &mut Check) {
    let ((canary, stable), alpha) = (arms(case), at(case, "alpha"));
    if no_data(case) {
        let all = [newcombe, wald, agresti_caffo, miettinen_nurminen];
        return check.that("no-data", all.iter().all(|interval| interval(canary, stable, alpha).is_none()));
    }
    let ends = |interval: Option<Interval>| interval.map(|ends| (ends.low, ends.high));
    check.each(&case["expect"], |check, key, expected| match key {
        "newcomb" => check.pair(key, expected, ends(newcombe(canary, stable, alpha))),
        "wald" => check.pair(key, expected, ends(wald(canary, stable, alpha))),
        "agresti-caffo" => check.pair(key, expected, ends(agresti_caffo(canary, stable, alpha))),
        "miettinen_nurminen" => check.pair(key, expected, ends(miettinen_nurminen(canary, stable, alpha))),
        _ => check.complain(format!("nothing computes {key}")),
    });
}

fn noninferiority_score(case: &Value, check: &mut Check) {
    let ((canary, stable), margin) = (arms(case), at(case, "margin"));
    let tested = |variance| score(canary, stable, margin, variance);
    let (mn, fm) = (tested(Variance::MiettinenNurminen), tested(Variance::FarringtonManning));
    let (Some(mn), Some(fm)) = (mn, fm) else { return check.that("no-data", no_data(case)) };
    check.each(&case["expect"], |check, key, expected| match key {
        "mn" => scored(check, key, expected, mn),
        "farrington_manning" => scored(check, key, expected, fm),
        "restricted_mle" => check.pair(key, expected, Some(mn.restricted)),
        _ => check.complain(format!("nothing computes {key}")),
    });
}

fn scored(check: &mut Check, key: &str, expected: &Value, found: Score) {
    let found = [("z", found.z), ("p_larger", found.p_larger()), ("p_smaller", found.p_smaller())];
    check.group(key, expected, &found);
}

fn mannwhitney_raw(case: &Value, check: &mut Check) {
    let (canary, stable) = (numbers(&case["canary"]), numbers(&case["stable"]));
    let sum = RankSum::of_values(&canary, &stable);
    check.each(&case["expect"], |check, key, expected| match key {
        "hodges_lehmann" => check.number(key, expected, hodges_lehmann(&canary, &stable)),
        "probability_of_superiority" => check.number(key, expected, sum.map(RankSum::superiority)),
        "cliffs_delta" => check.number(key, expected, sum.map(RankSum::cliffs_delta)),
        test => raw_test(check, test, expected, sum),
    });
}

/// A key such as `asymptotic/greater/continuity` or `exact/less`.
fn raw_test(check: &mut Check, key: &str, expected: &Value, sum: Option<RankSum>) {
    let mut words = key.split('/');
    let (kind, side, form) = (words.next(), words.next(), words.next());
    let alternative = match side {
        Some("two-sided") => Alternative::TwoSided,
        Some("greater") => Alternative::Greater,
        Some("less") => Alternative::Less,
        _ => return check.complain(format!("nothing computes {key}")),
    };
    let p = match (kind, form) {
        (Some("exact"), None) => sum.and_then(|sum| sum.exact_p(alternative)),
        (Some("asymptotic"), Some("continuity")) => sum.map(|sum| sum.p(alternative, Continuity::Corrected)),
        // The reference has no p for equal values; the crate says so with `degenerate`.
        (Some("asymptotic"), Some("plain")) => {
            sum.filter(|sum| !sum.degenerate()).map(|sum| sum.p(alternative, Continuity::Plain))
        }
        _ => return check.complain(format!("nothing computes {key}")),
    };
    check.group(key, expected, &[("U", sum.map(RankSum::u)), ("p", p)]);
}

fn mannwhitney_buckets(case: &Value, check: &mut Check) {
    let list = |key: &str| case[key].as_array().into_iter().flatten().filter_map(count).collect::<Vec<_>>();
    let (canary, stable) = (list("canary_bucket_counts"), list("stable_bucket_counts"));
    let Some(sum) = buckets::rank_sum(&canary, &stable) else { return check.that("no-data", no_data(case)) };
    let float = |counts: &[u64]| counts.iter().map(|count| *count as f64).collect::<Vec<_>>();
    check.each(&case["expect"], |check, key, expected| {
        let found = match key {
            "U" => Some(sum.u()),
            "probability_of_superiority" => Some(sum.superiority()),
            "cliffs_delta" => Some(sum.cliffs_delta()),
            "variance_null" => Some(sum.null_variance()),
            "z" => Some(sum.z(Continuity::Plain)),
            "z_continuity" => Some(sum.z(Continuity::Corrected)),
            "p_two_sided" => Some(sum.p(Alternative::TwoSided, Continuity::Plain)),
            "p_greater" => Some(sum.p(Alternative::Greater, Continuity::Plain)),
            "p_two_sided_continuity" => Some(sum.p(Alternative::TwoSided, Continuity::Corrected)),
            "placement_variance" => buckets::placement_variance(&float(&canary), &float(&stable), (1.0, 1.0)),
            "degenerate" => return check.that(key, expected.as_bool() == Some(sum.degenerate())),
            _ => return check.complain(format!("nothing computes {key}")),
        };
        check.number(key, expected, found);
    });
}

fn histogram_quantile(case: &Value, check: &mut Check) {
    let q = at(case, "q");
    let found = match case["kind"].as_str() {
        Some("classic") => classic(q, &numbers(&case["le"]), &numbers(&case["cumulative"])),
        Some("native") => {
            let threshold = at(case, "zero_threshold");
            let zero = Bucket { lower: -threshold, upper: threshold, count: at(case, "zero_count") };
            native(
                q,
                &native_buckets(&case["negative_buckets"]),
                zero,
                &native_buckets(&case["positive_buckets"]),
            )
        }
        _ => return check.complain(format!("nothing computes kind {}", case["kind"])),
    };
    check.number("quantile", &case["expect"], Some(found));
}

fn native_buckets(list: &Value) -> Vec<quantile::Bucket> {
    let bucket = |b: &Value| Bucket { lower: at(b, "lower"), upper: at(b, "upper"), count: at(b, "count") };
    list.as_array().into_iter().flatten().map(bucket).collect()
}

fn evalue_two_proportions(case: &Value, check: &mut Check) {
    let input = &case["in"];
    let bet = Bet { canary: at(input, "p1c"), stable: at(input, "p1s") };
    let (canary, stable) =
        (Tally::new(at(input, "xc"), at(input, "nc")), Tally::new(at(input, "xs"), at(input, "ns")));
    let margin = at(input, "m");
    check.each(&case["expect"], |check, key, expected| match key {
        "qs" => {
            check.number(key, expected, Some(evidence::projection(canary.trials, stable.trials, bet, margin)))
        }
        "log_e" => check.number(key, expected, Some(evidence::log_e(canary, stable, bet, margin))),
        _ => check.complain(format!("nothing computes {key}")),
    });
}

/// The whole e-process at limit 0.005, null 0.0025, bar 80, 3 windows, dispersion 1.
fn evalue_sequence(case: &Value, check: &mut Check) {
    let rate = at(case, "prior_stable_rate");
    let history = Some(Tally::new(rate, 1.0));
    let windows = case["windows_xc_nc_xs_ns"].as_array().map(Vec::as_slice).unwrap_or_default();
    let expected = case["expect_wealth"].as_array().map(Vec::as_slice).unwrap_or_default();
    check.that("number of windows", !windows.is_empty() && windows.len() == expected.len());
    let (mut process, mut past) = (Process::default(), Tally::default());
    for (index, (window, expected)) in windows.iter().zip(expected).enumerate() {
        let &[xc, nc, xs, ns] = numbers(window).as_slice() else {
            return check.complain(format!("window {index} is {window}"));
        };
        let (canary, stable) = (Tally::new(xc, nc), Tally::new(xs, ns));
        let bets = evidence::shifts(evidence::stable_rate(history, 0.005, past), 0.005);
        process.update(evidence::log_e_all(canary, stable, bets, 0.0025), log_cap(4, 0.05, 3));
        past += stable;
        check.number(&format!("wealth after window {index}"), expected, Some(process.log_wealth().exp()));
    }
}
