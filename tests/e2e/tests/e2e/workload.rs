//! What is done with pods besides rolling out: restarts, metadata of a role, rules against neighbours, and the pods of a
//! Deployment that a Rollout takes over.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use serin_e2e::{Cluster, manifest, play};

const ROLLOUT: (&str, &str) = ("argoproj.io/v1alpha1", "Rollout");
const PAUSED: &str = "      steps:\n      - setWeight: 25\n      - pause: {}\n";

/// A PodDisruptionBudget that keeps so many pods.
fn budget(namespace: &str, least: i32) -> String {
    format!(
        "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {{name: shop, namespace: {namespace}}}\n\
         spec:\n  minAvailable: {least}\n  selector: {{matchLabels: {{app: shop}}}}\n"
    )
}

fn gates(rollout: &Value) -> String {
    rollout["status"]["gates"].to_string()
}

#[test]
fn a_restart_replaces_every_pod_and_honours_a_disruption_budget() {
    play("workload-restart", async |scene| {
        let cluster = scene.cluster.clone();
        cluster.apply(&budget(scene.namespace(), 2)).await?;
        cluster.apply(&manifest::rollout(scene.namespace(), "v1", 2, "      maxUnavailable: 2\n")).await?;
        cluster.until_phase("shop", "Healthy", 60).await?;
        let before = cluster.pod_uids().await?;
        // Pods of the very second of a restart are new enough.
        tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
        let at = jiff::Timestamp::now().as_second();
        let at = jiff::Timestamp::from_second(at)?.to_string();
        cluster.merge(ROLLOUT.0, ROLLOUT.1, "shop", json!({"spec": {"restartAt": at}})).await?;
        let held = cluster
            .until("shop", "held by the budget", 30, |found| gates(found).contains("disruption budget"))
            .await?;
        ensure!(held["status"]["message"] == "rollout is restarting", "{}", held["status"]);
        ensure!(cluster.pod_uids().await? == before, "a pod is gone although the budget keeps both");
        cluster
            .merge("policy/v1", "PodDisruptionBudget", "shop", json!({"spec": {"minAvailable": 1}}))
            .await?;
        let done = cluster
            .until("shop", "restarted", 90, |found| {
                found["status"]["restartedAt"] == found["spec"]["restartAt"]
            })
            .await?;
        ensure!(
            done["metadata"]["annotations"]["rollout.argoproj.io/revision"] == "1",
            "no revision is made"
        );
        cluster.until_phase("shop", "Healthy", 60).await?;
        let after = cluster.pod_uids().await?;
        ensure!(after.len() == 2 && !after.iter().any(|uid| before.contains(uid)), "{before:?} {after:?}");
        Ok(())
    });
}

/// Value of the label `role` on each pod that is not on its way out, in order.
async fn roles(cluster: &Cluster) -> Result<Vec<String>> {
    let pods = cluster.list("v1", "Pod").await?;
    let alive = pods.iter().filter(|pod| pod["metadata"]["deletionTimestamp"].is_null());
    let mut roles: Vec<_> =
        alive.map(|pod| pod["metadata"]["labels"]["role"].as_str().unwrap_or("none").to_owned()).collect();
    roles.sort();
    Ok(roles)
}

async fn until_roles(cluster: &Cluster, wanted: &[&str]) -> Result<()> {
    let mut found = Vec::new();
    for _ in 0..100 {
        found = roles(cluster).await?;
        if found == wanted {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    anyhow::bail!("pods have the roles {found:?}, not {wanted:?}")
}

#[test]
fn pods_carry_their_role_and_keep_running() {
    play("workload-roles", async |scene| {
        let cluster = scene.cluster.clone();
        cluster.apply(&manifest::rollout(scene.namespace(), "v1", 2, PAUSED)).await?;
        cluster.until_phase("shop", "Healthy", 60).await?;
        let before = cluster.pod_uids().await?;
        let role = |role: &str| json!({"labels": {"role": role}, "annotations": {"example.com/role": role}});
        let rule = json!({"preferredDuringSchedulingIgnoredDuringExecution": {"weight": 5}});
        let canary = json!({
            "canaryMetadata": role("canary"), "stableMetadata": role("stable"), "antiAffinity": rule,
        });
        cluster
            .merge(ROLLOUT.0, ROLLOUT.1, "shop", json!({"spec": {"strategy": {"canary": canary}}}))
            .await?;
        until_roles(&cluster, &["stable", "stable"]).await?;
        ensure!(cluster.pod_uids().await? == before, "living pods keep running");
        let stable = cluster.rollout("shop").await?["status"]["stableRS"].clone();

        cluster.merge(ROLLOUT.0, ROLLOUT.1, "shop", manifest::version("v2", &[])).await?;
        cluster.until_phase("shop", "Paused", 60).await?;
        until_roles(&cluster, &["canary", "stable", "stable"]).await?;
        let sets = cluster.list("apps/v1", "ReplicaSet").await?;
        let rules: Vec<_> = sets
            .iter()
            .filter_map(|set| {
                set.pointer("/spec/template/spec/affinity/podAntiAffinity/preferredDuringSchedulingIgnoredDuringExecution/0")
            })
            .collect();
        ensure!(rules.len() == 1 && rules[0]["weight"] == 5, "{rules:?}");
        let names = rules[0].pointer("/podAffinityTerm/labelSelector/matchExpressions/0/values");
        ensure!(names == Some(&json!([stable])), "{names:?}");

        cluster.merge_status("shop", json!({"pauseConditions": null})).await?;
        cluster.until_phase("shop", "Healthy", 60).await?;
        until_roles(&cluster, &["stable", "stable"]).await?;
        let before = cluster.pod_uids().await?;
        let none = json!({"canaryMetadata": null, "stableMetadata": null, "antiAffinity": null});
        cluster.merge(ROLLOUT.0, ROLLOUT.1, "shop", json!({"spec": {"strategy": {"canary": none}}})).await?;
        until_roles(&cluster, &["none", "none"]).await?;
        ensure!(cluster.pod_uids().await? == before, "nothing is restarted for it");
        Ok(())
    });
}

/// The Rollout of the manifest, with its template in a Deployment instead.
fn as_deployment(namespace: &str, steps: &str, scale_down: &str) -> Result<(String, String)> {
    let mut rollout: Value = serde_yaml::from_str(&manifest::rollout(namespace, "v1", 2, steps))?;
    let mut deployment = rollout.clone();
    (deployment["apiVersion"], deployment["kind"]) = (json!("apps/v1"), json!("Deployment"));
    deployment["spec"].as_object_mut().map(|spec| spec.remove("strategy"));
    let spec = rollout["spec"].as_object_mut();
    spec.map(|spec| [spec.remove("template"), spec.remove("selector")]);
    rollout["spec"]["workloadRef"] =
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop", "scaleDown": scale_down});
    Ok((rollout.to_string(), deployment.to_string()))
}

#[test]
fn a_rollout_takes_over_the_pods_of_a_deployment_and_follows_its_template() {
    play("workload-reference", async |scene| {
        let cluster = scene.cluster.clone();
        let (rollout, deployment) = as_deployment(scene.namespace(), PAUSED, "progressively")?;
        cluster.apply(&rollout).await?;
        let missing = cluster
            .until("shop", "told that the Deployment is missing", 30, |found| {
                found["status"]["message"].as_str().is_some_and(|text| {
                    text.contains("deployments.apps \"e2e-workload-reference/shop\" not found")
                })
            })
            .await?;
        ensure!(missing["status"]["phase"] == "Degraded", "{}", missing["status"]);
        cluster.apply(&deployment).await?;
        let healthy = cluster.until_phase("shop", "Healthy", 90).await?;
        ensure!(healthy["status"]["selector"] == "app=shop", "{}", healthy["status"]);
        let given = cluster
            .until_object(("apps/v1", "Deployment", "shop"), "without pods", 30, |it| {
                it["spec"]["replicas"] == 0
            })
            .await?;
        let state = given["metadata"]["annotations"]["serin.dev/handover"].as_str().unwrap_or_default();
        ensure!(state.ends_with("/done"), "{state}");

        cluster.merge("apps/v1", "Deployment", "shop", manifest::version("v2", &[])).await?;
        let paused = cluster
            .until("shop", "paused in its second revision", 60, |found| {
                found["status"]["phase"] == "Paused"
                    && found["metadata"]["annotations"]["rollout.argoproj.io/revision"] == "2"
            })
            .await?;
        let deployment = cluster.get("apps/v1", "Deployment", "shop").await?;
        let generation = deployment["metadata"]["generation"].to_string();
        ensure!(
            paused["status"]["workloadObservedGeneration"] == generation.as_str(),
            "{}",
            paused["status"]
        );
        cluster.merge_status("shop", json!({"pauseConditions": null})).await?;
        cluster.until_phase("shop", "Healthy", 60).await?;
        ensure!(
            cluster.get("apps/v1", "Deployment", "shop").await?["spec"]["replicas"] == 0,
            "its pods do not come back"
        );
        Ok(())
    });
}

#[test]
fn an_autoscaler_scales_in_the_middle_of_a_canary_and_to_nothing_and_back() {
    play("workload-scale", async |scene| {
        let cluster = scene.cluster.clone();
        cluster.apply(&manifest::rollout(scene.namespace(), "v1", 4, PAUSED)).await?;
        cluster.until_phase("shop", "Healthy", 60).await?;
        cluster.merge(ROLLOUT.0, ROLLOUT.1, "shop", manifest::version("v2", &[])).await?;
        cluster.until_phase("shop", "Paused", 60).await?;
        for (replicas, updated) in [(8, 2), (0, 0), (4, 1)] {
            cluster.scale("shop", replicas).await?;
            let what = format!("{updated} of {replicas} pods updated");
            let found = cluster
                .until("shop", &what, 60, |found| {
                    let count = |field: &str| found["status"][field].as_i64().unwrap_or(0);
                    (count("HPAReplicas"), count("updatedReplicas")) == (replicas, updated)
                        && count("availableReplicas") == replicas
                })
                .await?;
            ensure!(found["status"]["selector"] == "app=shop", "{}", found["status"]);
            ensure!(found["status"]["phase"] == "Paused", "{}", found["status"]);
        }
        cluster.merge_status("shop", json!({"pauseConditions": null})).await?;
        cluster.until_phase("shop", "Healthy", 60).await?;
        Ok(())
    });
}
