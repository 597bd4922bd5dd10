//! Says how requests to AWS are signed, and where the keys for it are asked for.

use std::fmt;

use super::Place;

mod credentials;
mod sigv4;

pub use credentials::{
    Keys, Role, container, in_profile, machine, machine_role, machine_token, of_json, of_sts, role,
};
pub use sigv4::sign;

/// For whom a request is signed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Signing {
    /// Region; empty for that of the controller's environment.
    pub region: String,
    /// Service as AWS calls it: `aps`, `monitoring`, `sts`.
    pub service: &'static str,
    /// Section of the shared credentials file; empty for the way that the environment gives.
    pub profile: String,
    /// Role to take on with these keys; empty for none.
    pub role_arn: String,
}

/// Keys that sign, from wherever.
impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

/// Region and addresses of AWS in the environment of the controller: keys `region` and `endpoint`.
pub(super) fn profile() -> (Place, String) {
    (Place::Process, "aws".to_owned())
}

/// The domain of AWS for a region.
pub fn domain(region: &str) -> &'static str {
    if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" }
}
