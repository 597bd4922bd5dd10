//! Simulates some seeds in every test run, and those that once showed something wrong.

use serin_testkit::simulate;

fn found(seed: u64) -> Vec<String> {
    simulate(seed, false).violations
}

#[test]
fn nothing_forbidden_happens_in_any_simulated_cluster() {
    for seed in 0..200 {
        let violations = found(seed);
        assert!(violations.is_empty(), "SEED={seed} ./dev sim: {violations:?}");
    }
}

/// What each showed is in the history; a change of the simulation gives a seed another meaning, so the rule itself is
/// held by a row of `crates/core/tests/plan`.
#[test]
fn what_was_found_once_stays_mended() {
    for (seed, what) in [
        (6, "subsets of a DestinationRule were waited for without end"),
        (825, "pods of a canary went with the strategy before stable had its own"),
        (1006, "the canary Service was pointed at a revision that lost its last pod in the same plan"),
        (1647, "a pod that was ready for less than minReadySeconds stood in for one that was evicted"),
        (
            1755,
            "the law took a pod that had come in the place of an evicted one for missing until its ReplicaSet said so",
        ),
        (
            2431,
            "a rollout that turned from blue-green to canary at rest was at its first step for ever, and too late",
        ),
        (3061, "two routers that differed after an abort waited for each other"),
        (3511, "weight went back to a subset that the data plane still took for the revision before"),
        (7271, "a canary shrank to a preview before stable had its pods"),
        (10424, "a revision before stable lost its pods while the data plane still reached it"),
        (15573, "a passed scale-down deadline kept the progress deadline from running"),
        (26068, "routers that differed before a higher weight never met"),
        (42143, "stable lost its last pod while its Service came back to it"),
        (50817, "an abort had no room for the first pod of stable"),
        (55691, "routers that differed met at the larger weight after an abort"),
    ] {
        assert_eq!(found(seed), Vec::<String>::new(), "{seed}: {what}");
    }
}
