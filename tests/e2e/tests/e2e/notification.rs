//! Notifications that arrive, and the metrics that Argo's dashboards and alerts read, on a real cluster.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use serin_e2e::receiver::{Receiver, get};
use serin_e2e::{Scene, manifest, play};

const PORT: u16 = 18079;
const API: &str = "argoproj.io/v1alpha1";
const STRATEGY: &str = "      steps:\n      - setWeight: 50\n      - pause: {}\n";

/// Settings as users of Argo Rollouts have them.
async fn configure(scene: &mut Scene) -> Result<()> {
    let triggers = json!({
        "trigger.on-rollout-completed": "- send: [told]\n",
        "trigger.on-rollout-aborted": "- when: rollout.status.phase == 'Degraded'\n  send: [told]\n",
    });
    let body = "{{.rollout.metadata.name}} {{.rollout.status.phase}}: {{.event.message}}";
    tell(scene, PORT, body, triggers).await
}

/// Has the triggers send `body`, a template without single quotes, to the receiver at `port`.
pub(crate) async fn tell(scene: &mut Scene, port: u16, body: &str, triggers: Value) -> Result<()> {
    let service = format!("url: http://127.0.0.1:{port}\nheaders:\n- name: X-Token\n  value: $token\n");
    let template = format!("webhook:\n  receiver:\n    method: POST\n    path: /hook\n    body: '{body}'\n");
    let mut map = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "argo-rollouts-notification-configmap"},
        "data": triggers,
    });
    map["data"]["service.webhook.receiver"] = json!(service);
    map["data"]["template.told"] = json!(template);
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "argo-rollouts-notification-secret"},
        "stringData": {"token": "t-1"},
    });
    scene.cluster.apply(&map.to_string()).await?;
    scene.cluster.apply(&secret.to_string()).await?;
    restart(scene).await
}

/// Settings are read at the start, and otherwise within a minute.
async fn restart(scene: &mut Scene) -> Result<()> {
    scene.controller.kill().await?;
    scene.controller.resume().await
}

/// Names and labels of the queries of Argo's dashboard, and those of the metrics that alerts are made of.
const READ: [(&str, &[&str]); 15] = [
    ("rollout_info", &["namespace", "name", "strategy", "traffic_router", "phase"]),
    ("rollout_info_replicas_available", &["namespace", "name"]),
    ("rollout_info_replicas_unavailable", &["namespace", "name"]),
    ("rollout_info_replicas_desired", &["namespace", "name"]),
    ("rollout_info_replicas_updated", &["namespace", "name"]),
    ("rollout_reconcile_bucket", &["namespace", "name", "le"]),
    ("rollout_reconcile_count", &["namespace", "name"]),
    ("rollout_reconcile_error", &["namespace", "name"]),
    ("rollout_events_total", &["namespace", "name", "type", "reason"]),
    ("rollout_duration_seconds_bucket", &["status", "le"]),
    ("notification_send_success", &["namespace", "name", "type", "reason"]),
    ("controller_clientset_k8s_request_total", &["kind", "namespace", "name", "verb", "status_code"]),
    ("build_info", &["version", "goversion", "goarch", "commit"]),
    ("process_start_time_seconds", &[]),
    ("go_memstats_heap_alloc_bytes", &[]),
];

/// The labels of a series, in order.
fn labels(line: &str) -> Vec<&str> {
    let inside =
        line.split_once('{').and_then(|(_, rest)| rest.rsplit_once('}')).map_or("", |(inside, _)| inside);
    inside.split("\",").filter_map(|pair| Some(pair.split_once('=')?.0)).collect()
}

#[test]
fn people_are_told_once_of_what_they_subscribed_to_and_dashboards_find_their_metrics() {
    play("notification", async |scene| {
        let receiver = Receiver::start(PORT)?;
        configure(scene).await?;
        let (cluster, namespace) = (scene.cluster.clone(), scene.namespace().to_owned());
        cluster.apply(&manifest::rollout(&namespace, "v1", 2, STRATEGY)).await?;
        let subscribe = |trigger: &str| format!("notifications.argoproj.io/subscribe.{trigger}.receiver");
        let annotations = json!({subscribe("on-rollout-completed"): "", subscribe("on-rollout-aborted"): ""});
        cluster.merge(API, "Rollout", "shop", json!({"metadata": {"annotations": annotations}})).await?;
        cluster.until_phase("shop", "Healthy", 120).await?;
        let before = receiver.messages(0).await?.len();

        cluster.merge(API, "Rollout", "shop", manifest::version("v2", &[])).await?;
        cluster.until_phase("shop", "Paused", 120).await?;
        cluster.merge_status("shop", json!({"abort": true})).await?;
        let told = receiver.messages(before + 1).await?;
        let message = told.last().context("a message")?;
        let expected = json!({"path": "/hook", "token": "t-1", "body": "shop Degraded: Rollout aborted update to revision 2"});
        ensure!(message == &expected, "{message}");

        let page = get(&scene.controller.metrics()).await?;
        for (name, wanted) in READ {
            let line = page.lines().find(|line| line.split(['{', ' ']).next() == Some(name));
            let line = line.with_context(|| format!("{name} is not there:\n{page}"))?;
            ensure!(labels(line) == wanted, "{line}: its labels are not {wanted:?}");
        }
        ensure!(page.contains("rollout_duration_seconds_count{status=\"Aborted\"} 1"), "{page}");

        restart(scene).await?;
        cluster.merge_status("shop", json!({"abort": false})).await?;
        cluster.until_phase("shop", "Paused", 120).await?;
        cluster.merge_status("shop", json!({"promoteFull": true})).await?;
        cluster.until_phase("shop", "Healthy", 120).await?;
        let told = receiver.messages(before + 2).await?;
        let bodies: Vec<_> = told.iter().filter_map(|message| message["body"].as_str()).collect();
        let aborted = bodies.iter().filter(|body| body.contains("aborted")).count();
        ensure!(told.len() == before + 2 && aborted == 1, "a restart tells nothing again: {bodies:?}");
        ensure!(
            bodies.last().is_some_and(|body| body.contains("completed update to revision 2")),
            "{bodies:?}"
        );
        Ok(())
    });
}
