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
