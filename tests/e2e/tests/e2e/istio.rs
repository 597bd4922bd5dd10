//! The same traffic through a real Istio: istiod, and Envoy as its gateway; by hosts and by subsets.

use serin_e2e::way::{ISTIO, ISTIO_SUBSETS};

use crate::traffic::affinity::users_stay;
use crate::traffic::mirror::copies;
use crate::traffic::{aborts, canary, matched_users, third_version};

#[test]
fn a_canary_loses_no_request_and_gets_what_is_asked_by_hosts() {
    canary(ISTIO);
}

#[test]
fn a_canary_loses_no_request_and_gets_what_is_asked_by_subsets() {
    canary(ISTIO_SUBSETS);
}

#[test]
fn an_abort_takes_traffic_back_within_two_seconds() {
    // Each takes a minute: weights are waited for as long as istiod may gather changes.
    aborts(ISTIO, 4);
}

#[test]
fn a_third_version_loses_no_request_by_hosts() {
    third_version(ISTIO);
}

#[test]
fn a_third_version_loses_no_request_by_subsets() {
    third_version(ISTIO_SUBSETS);
}

#[test]
fn matched_users_are_on_the_canary_from_the_step_to_the_abort() {
    matched_users(ISTIO);
}

#[test]
fn half_of_the_requests_are_copied_from_the_step_to_the_abort() {
    copies(ISTIO);
}

#[test]
fn users_stay_with_the_canary_until_the_abort_by_hosts() {
    users_stay(ISTIO);
}

#[test]
fn users_stay_with_the_canary_until_the_abort_by_subsets() {
    users_stay(ISTIO_SUBSETS);
}
