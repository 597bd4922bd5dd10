//! One test: a namespace of its own, a controller of its own, and everything worth knowing when it fails.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use anyhow::Result;
use futures::FutureExt;
use serde_json::json;

use crate::{Cluster, Controller};

/// What a test plays with.
pub struct Scene {
    /// The cluster, in the namespace of the test.
    pub cluster: Cluster,
    /// The controller of the test.
    pub controller: Controller,
}

impl Scene {
    /// Namespace of the test.
    pub fn namespace(&self) -> &str {
        &self.cluster.namespace
    }
}

/// Plays a test in the namespace `e2e-NAME`, and cleans up before it says how it went.
///
/// # Panics
/// When the test fails; the text holds the diagnosis.
pub fn play(name: &str, test: impl AsyncFnOnce(&mut Scene) -> Result<()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.unwrap_or_else(|error| panic!("{name}: no runtime: {error}"));
    runtime.block_on(async {
        let mut scene = open(name).await.unwrap_or_else(|error| panic!("{name}: {error:#}"));
        let outcome = AssertUnwindSafe(test(&mut scene)).catch_unwind().await;
        let failure = match outcome {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(format!("{error:#}")),
            Err(panic) => Some(said(panic.as_ref())),
        };
        let report = match failure {
            None => None,
            Some(failure) => Some(format!("{name}: {failure}\n{}", diagnose(&scene).await)),
        };
        close(&scene.cluster).await;
        if let Some(report) = report {
            panic!("{report}");
        }
    });
}

fn said(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "a panic without words".to_owned())
}

async fn open(name: &str) -> Result<Scene> {
    let cluster = Cluster::connect(&format!("e2e-{name}")).await?;
    close(&cluster).await;
    // Its pods may take their whole grace period.
    for _ in 0..450 {
        if cluster.get("v1", "Namespace", &cluster.namespace).await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": cluster.namespace}});
    cluster.apply(&namespace.to_string()).await?;
    let controller = Controller::start(&cluster.namespace).await?;
    Ok(Scene { cluster, controller })
}

/// Starts the deletion of the namespace; the next run of the same test waits for its end.
async fn close(cluster: &Cluster) {
    let _ = cluster.delete("v1", "Namespace", &cluster.namespace).await;
}

async fn diagnose(scene: &Scene) -> String {
    let mut text = String::new();
    for (api_version, kind) in [
        ("argoproj.io/v1alpha1", "Rollout"),
        ("argoproj.io/v1alpha1", "AnalysisRun"),
        ("apps/v1", "ReplicaSet"),
    ] {
        for object in scene.cluster.list(api_version, kind).await.unwrap_or_default() {
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            let status = serde_json::to_string_pretty(&object["status"]).unwrap_or_default();
            text.push_str(&format!("--- {kind} {name}\n{status}\n"));
        }
    }
    text.push_str("--- events\n");
    for event in scene.cluster.list("v1", "Event").await.unwrap_or_default() {
        text.push_str(&format!(
            "{} {} {}\n",
            event["involvedObject"]["name"], event["reason"], event["message"]
        ));
    }
    text.push_str("--- controller\n");
    text.push_str(&scene.controller.log_tail(60));
    text
}
