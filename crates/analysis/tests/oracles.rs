//! Proves the judge's statistics against independent references: scipy, statsmodels, promtool, 40-digit mpmath.

#[path = "support/oracle.rs"]
mod oracle;
#[path = "support/vectors.rs"]
mod vectors;

use std::path::PathBuf;

#[test]
fn every_vector_agrees() {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/oracles");
    let folder = std::env::var_os("SERIN_ORACLES").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    let score = oracle::run_folder(&folder).unwrap();
    assert_eq!(score.failed, 0, "{} of {} vectors disagree", score.failed, score.failed + score.passed);
}

/// A table whose one-sided p is 5/6: the runner must count what is wrong as failed, or its other counts say nothing.
#[test]
fn a_wrong_vector_is_counted_as_failed() {
    let fisher = |counts: &str, expect: &str| {
        format!("{{\"cases\": [{{\"name\": \"c\", {counts}, \"expect\": {expect}}}]}}")
    };
    let halves = r#""canary_errors": 1, "canary_requests": 2, "stable_errors": 1.0, "stable_requests": 2"#;
    let nothing = r#""canary_errors": 0, "canary_requests": 6, "stable_errors": 0, "stable_requests": 5"#;
    let right = fisher(halves, r#"{"greater": 0.8333333333333334}"#);
    assert_eq!(
        oracle::run_file("fisher_exact_2", Ok(right)),
        (oracle::Score { passed: 1, failed: 0 }, vec![])
    );
    for (file, text, complaint) in [
        (
            "fisher_exact",
            fisher(halves, r#"{"greater": 0.83333334}"#),
            "c: greater: expected 0.83333334, found Some(0.8",
        ),
        ("fisher_exact", fisher(halves, r#"{"greater": null}"#), "c: greater: expected null, found Some(0.8"),
        ("fisher_exact", fisher(halves, r#"{"one-sided": 0.5}"#), "c: nothing computes one-sided"),
        ("fisher_exact", fisher(halves, "{}"), "c: expected values are {}"),
        ("chi2_contingency", fisher(nothing, r#"{"pearson": 0.5}"#), "c: expected values are 0.5"),
        ("chi2_contingency", fisher(nothing, r#"{"pearson": {"df": 1}}"#), "c: nothing computes pearson df"),
        (
            "chi2_contingency",
            fisher(halves, r#"{"pearson": null}"#),
            "c: pearson statistic: expected null, found Some(0",
        ),
        (
            "fisher_exact",
            r#"{"cases": []}"#.to_owned(),
            "fisher_exact.json has no list of cases, or an empty one",
        ),
        ("fisher_exact", "{".to_owned(), "fisher_exact.json cannot be read: "),
        ("anova", fisher(halves, "{}"), "anova.json: no judge for this file; known are chi2_contingency, "),
    ] {
        let (score, complaints) = oracle::run_file(file, Ok(text));
        assert_eq!(score, oracle::Score { passed: 0, failed: 1 }, "{file}: {complaint}");
        assert!(complaints[0].starts_with(complaint), "{complaints:?}");
    }
}
