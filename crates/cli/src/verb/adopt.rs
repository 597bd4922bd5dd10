//! `adopt --check`: says beforehand what a takeover from Argo Rollouts would do, and writes nothing.

use crate::adopt::{Report, check, observe, text};
use crate::cluster::Cluster;
use crate::failure::{BAD, Failure};
use crate::flags::AdoptArguments;
use crate::paint::Paint;
use crate::print;

/// Performs the verb.
///
/// # Errors
/// Rollouts that need mending first, with exit code 1.
pub(crate) async fn run(cluster: &Cluster, arguments: &AdoptArguments, paint: Paint) -> Result<(), Failure> {
    if !arguments.check {
        return Err(Failure::new(
            "Serin adopts Rollouts by itself when its controller starts; `--check` says beforehand what would happen",
        ));
    }
    let (rollouts, unreadable) = match &arguments.name {
        Some(name) => {
            let name = crate::flags::plain_name(name).map_err(Failure::new)?;
            (vec![cluster.rollout(name).await?], Vec::new())
        }
        None => cluster.list(arguments.all_namespaces).await?,
    };
    let home = arguments.controller_namespace.as_deref();
    let leases = observe::leases(cluster, home).await;
    let extensions = observe::extensions(cluster, home, &leases).await;
    let mut checks = Vec::new();
    for rollout in rollouts {
        let cluster = cluster.of(rollout.metadata.namespace.as_deref().unwrap_or_default());
        let seeing = observe::rollout(&cluster, rollout, extensions.clone()).await?;
        checks.push(check(&seeing.world, &seeing.routes, seeing.notes));
    }
    let report = Report { leases, rollouts: checks };
    match arguments.output {
        Some(_) => print::json(&report)?,
        None => print::text(&text(&report, paint))?,
    }
    for note in &unreadable {
        eprintln!("note: {note}");
    }
    let blocked = !unreadable.is_empty() || report.rollouts.iter().any(|check| check.blocked);
    if blocked { Err(Failure::with_code(BAD, "")) } else { Ok(()) }
}
