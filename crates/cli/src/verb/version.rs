//! `version`: which Serin this is, and which Kubernetes its types are from.

use serde_json::json;

use crate::failure::Failure;
use crate::flags::VersionArguments;
use crate::print;

/// The version of Serin.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The Kubernetes that pods and ReplicaSets are read as; see the features of k8s-openapi in the workspace.
const KUBERNETES: &str = "v1.36";
/// The API that is served.
const API: &str = "argoproj.io/v1alpha1";

/// Performs the verb.
///
/// # Errors
/// When the output cannot be written.
pub(crate) fn run(arguments: &VersionArguments) -> Result<(), Failure> {
    if arguments.output.is_some() {
        return print::json(&json!({"version": VERSION, "kubernetes": KUBERNETES, "api": API}));
    }
    if arguments.short {
        return print::line(VERSION);
    }
    print::line(&format!("kubectl-serin {VERSION}, for {API}, with the types of Kubernetes {KUBERNETES}"))
}
