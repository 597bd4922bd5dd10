//! `explain`: says why a Rollout is where it is.

use crate::cluster::Cluster;
use crate::explain::{explain, text};
use crate::failure::Failure;
use crate::flags::{ExplainArguments, Format};
use crate::paint::Paint;
use crate::print;

/// Performs the verb.
///
/// # Errors
/// When the Rollout cannot be read.
pub(crate) async fn run(
    cluster: &Cluster,
    arguments: &ExplainArguments,
    paint: Paint,
) -> Result<(), Failure> {
    let seen = cluster.observe(arguments.names.one().map_err(Failure::new)?).await?;
    let explanation = explain(&seen, &cluster.invocation);
    match arguments.output {
        Some(Format::Json) => print::json(&explanation),
        None => print::text(&text(&explanation, paint)),
    }
}
