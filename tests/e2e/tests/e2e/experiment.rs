//! Experiments: on their own and as a step of a canary, good and bad ways, to the last pod.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use serin_e2e::{Cluster, Scene, manifest, play};

use crate::fast::quiet;

const EXPERIMENT: (&str, &str) = ("argoproj.io/v1alpha1", "Experiment");

/// A template of an Experiment that runs the demo's service; `more` is YAML of the template.
fn template(name: &str, version: &str, more: &str) -> String {
    format!(
        r#"  - name: {name}
{more}    selector: {{matchLabels: {{app: trial, part: {name}}}}}
    template:
      metadata: {{labels: {{app: trial, part: {name}}}}}
      spec:
        containers:
        - name: shop
          image: local/serin-demo:1
          imagePullPolicy: IfNotPresent
          args: [serve]
          env: [{{name: VERSION, value: {version}}}]
          ports: [{{name: http, containerPort: 8080}}]
          readinessProbe: {{httpGet: {{path: /readyz, port: http}}, periodSeconds: 1}}
          resources: {{requests: {{cpu: 10m, memory: 16Mi}}}}
"#
    )
}

/// An Experiment `compare` of two templates; `more` is YAML of its spec.
pub(crate) fn experiment(namespace: &str, more: &str) -> String {
    format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: Experiment\nmetadata: {{name: compare, namespace: {namespace}}}\nspec:\n  scaleDownDelaySeconds: 2\n{more}  templates:\n{}{}",
        template("baseline", "v1", ""),
        template("canary", "v2", "    service: {}\n"),
    )
}

/// An AnalysisTemplate that measures once; good when `value` is 1.
pub(crate) fn measure(namespace: &str, name: &str, value: i32) -> String {
    format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: AnalysisTemplate\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec:\n  args: [{{name: hash, value: none}}]\n  metrics:\n  - name: value\n    successCondition: result[0] == 1\n    provider: {{prometheus: {{address: 'http://127.0.0.1:9090', query: vector({value})}}}}\n"
    )
}

/// The Experiment `name`, once it has this phase.
async fn in_phase(cluster: &Cluster, name: &str, phase: &str, seconds: u64) -> Result<Value> {
    let key = (EXPERIMENT.0, EXPERIMENT.1, name);
    cluster.until_object(key, phase, seconds, |found| found["status"]["phase"] == phase).await
}

/// Pods of Experiments, those that are on their way out too.
async fn pods(scene: &Scene) -> Result<usize> {
    let pods = scene.cluster.list("v1", "Pod").await?;
    let of_trial = |pod: &&Value| pod["metadata"]["labels"]["app"] == "trial";
    Ok(pods.iter().filter(of_trial).count())
}

async fn until_no_pods(scene: &Scene) -> Result<()> {
    for _ in 0..300 {
        if pods(scene).await? == 0 {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    anyhow::bail!("there are {} pods of the experiment left after 60 s", pods(scene).await?)
}

/// Type, reason and message of the events of an object, in the order in which they were told.
async fn told(scene: &Scene, kind: &str, name: &str) -> Result<Vec<String>> {
    let events = scene.cluster.list("v1", "Event").await?;
    let about =
        |event: &&Value| event["involvedObject"]["kind"] == kind && event["involvedObject"]["name"] == name;
    let mut about: Vec<_> = events.iter().filter(about).collect();
    about.sort_by_key(|event| event["metadata"]["name"].as_str().unwrap_or_default().to_owned());
    let text = |event: &Value, field: &str| event[field].as_str().unwrap_or_default().to_owned();
    let line = |event: &Value| {
        format!("{} {}: {}", text(event, "type"), text(event, "reason"), text(event, "message"))
    };
    Ok(about.into_iter().map(line).collect())
}

/// Waits until the Rollout has told all of this: events are sent beside the work.
async fn until_told(scene: &Scene, expected: &[String]) -> Result<()> {
    let mut events = Vec::new();
    for _ in 0..25 {
        events = told(scene, "Rollout", "shop").await?;
        if expected.iter().all(|line| events.contains(line)) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    anyhow::bail!("the events are {events:#?}, not all of {expected:#?}")
}

#[test]
fn an_experiment_measures_two_templates_and_leaves_nothing_behind() {
    play("experiment-good", async |scene| {
        let cluster = scene.cluster.clone();
        cluster.apply(&measure(scene.namespace(), "good", 1)).await?;
        let analyses = "  analyses:\n  - name: value\n    templateName: good\n    requiredForCompletion: true\n    args: [{name: hash, value: '{{templates.canary.podTemplateHash}}'}]\n";
        cluster.apply(&experiment(scene.namespace(), analyses)).await?;
        let ended = in_phase(&cluster, "compare", "Successful", 60).await?;
        ensure!(ended["status"]["message"].is_null(), "{}", ended["status"]);
        let statuses = ended["status"]["templateStatuses"].as_array().cloned().unwrap_or_default();
        ensure!(statuses.len() == 2, "{statuses:?}");
        let set = cluster.get("apps/v1", "ReplicaSet", "compare-canary").await?;
        let hash = &set["metadata"]["labels"]["rollouts-pod-template-hash"];
        let annotations = json!({"experiment.argoproj.io/name": "compare", "experiment.argoproj.io/template-name": "canary"});
        for (key, value) in annotations.as_object().into_iter().flatten() {
            ensure!(set["metadata"]["annotations"][key] == *value, "{set}");
        }
        let run = cluster.get("argoproj.io/v1alpha1", "AnalysisRun", "compare-value").await?;
        ensure!(run["spec"]["args"][0]["value"] == *hash, "{}", run["spec"]["args"]);
        until_no_pods(scene).await?;
        let services = cluster.list("v1", "Service").await?;
        ensure!(services.is_empty(), "the Service is left: {services:?}");
        let expected = [
            "Normal TemplateProgressing: Template 'baseline' transitioned from  -> Progressing",
            "Normal TemplateProgressing: Template 'canary' transitioned from  -> Progressing",
            "Normal ExperimentPending: Experiment transitioned from  -> Pending",
            "Normal ScalingReplicaSet: Scaled up ReplicaSet compare-baseline from 0 to 1",
            "Normal ScalingReplicaSet: Scaled up ReplicaSet compare-canary from 0 to 1",
            "Normal TemplateRunning: Template 'baseline' transitioned from Progressing -> Running",
            "Normal TemplateRunning: Template 'canary' transitioned from Progressing -> Running",
            "Normal ExperimentRunning: Experiment transitioned from Pending -> Running",
            "Normal AnalysisRunPending: AnalysisRun 'value' transitioned from  -> Pending",
            "Normal AnalysisRunSuccessful: AnalysisRun 'value' transitioned from Pending -> Successful",
            "Normal ExperimentSuccessful: Experiment transitioned from Running -> Successful",
        ];
        let mut events = told(scene, "Experiment", "compare").await?;
        // Which of the two templates runs first is chance.
        for line in events.iter_mut().skip(5).take(2) {
            *line = line.replace("'canary'", "'?'").replace("'baseline'", "'?'");
        }
        let expected = expected.map(|line| match line.contains("TemplateRunning") {
            true => line.replace("'canary'", "'?'").replace("'baseline'", "'?'"),
            false => line.to_owned(),
        });
        ensure!(events.iter().take(expected.len()).eq(&expected), "{events:#?}");
        let down = events.iter().filter(|line| line.contains("Scaled down ReplicaSet compare-")).count();
        ensure!(down == 2 && events.len() == expected.len() + 2 + 2, "{events:#?}");
        quiet(scene, Duration::from_secs(8)).await
    });
}

#[test]
fn an_experiment_ends_with_its_time_and_a_failed_analysis_ends_it_before() {
    play("experiment-ends", async |scene| {
        let cluster = scene.cluster.clone();
        cluster.apply(&experiment(scene.namespace(), "  duration: 5s\n")).await?;
        let running = in_phase(&cluster, "compare", "Running", 60).await?;
        let service = &running["status"]["templateStatuses"][1];
        ensure!(service["serviceName"] == "compare-canary", "{service}");
        let selector = cluster.get("v1", "Service", "compare-canary").await?["spec"]["selector"].clone();
        // As Argo Rollouts: the labels of the template's selector, and the hash.
        let expected = json!({"app": "trial", "part": "canary", "rollouts-pod-template-hash": service["podTemplateHash"]});
        ensure!(selector == expected, "{selector}");
        in_phase(&cluster, "compare", "Successful", 20).await?;
        until_no_pods(scene).await?;
        cluster.delete(EXPERIMENT.0, EXPERIMENT.1, "compare").await?;

        cluster.apply(&measure(scene.namespace(), "bad", 0)).await?;
        let analyses = "  duration: 10m\n  analyses: [{name: value, templateName: bad}]\n";
        cluster.apply(&experiment(scene.namespace(), analyses)).await?;
        let failed = in_phase(&cluster, "compare", "Failed", 60).await?;
        let message = failed["status"]["message"].as_str().unwrap_or_default();
        ensure!(
            message == "Metric \"value\" assessed Failed due to failed (1) > failureLimit (0)",
            "{message}"
        );
        until_no_pods(scene).await
    });
}

#[test]
fn a_person_ends_an_experiment_and_pods_that_never_get_ready_fail_it() {
    play("experiment-late", async |scene| {
        let cluster = scene.cluster.clone();
        cluster.apply(&experiment(scene.namespace(), "")).await?;
        let running = in_phase(&cluster, "compare", "Running", 60).await?;
        let gate = running["status"]["gates"][0]["waitsFor"].as_str().unwrap_or_default();
        ensure!(
            gate.contains("a person"),
            "it says that nothing but a person ends it: {}",
            running["status"]
        );
        cluster.merge(EXPERIMENT.0, EXPERIMENT.1, "compare", json!({"spec": {"terminate": true}})).await?;
        in_phase(&cluster, "compare", "Successful", 20).await?;
        until_no_pods(scene).await?;
        cluster.delete(EXPERIMENT.0, EXPERIMENT.1, "compare").await?;

        let late = experiment(scene.namespace(), "  progressDeadlineSeconds: 8\n")
            .replace("path: /readyz", "path: /nothing-here");
        cluster.apply(&late).await?;
        let failed = in_phase(&cluster, "compare", "Failed", 60).await?;
        let message = failed["status"]["message"].as_str().unwrap_or_default();
        let expected = "exceeded its progressDeadlineSeconds (8)";
        ensure!(message.ends_with(expected) && message.starts_with("Template '"), "{message}");
        until_no_pods(scene).await
    });
}

#[test]
fn a_spec_that_cannot_work_is_an_error_that_says_field_and_remedy() {
    play("experiment-invalid", async |scene| {
        let cluster = scene.cluster.clone();
        let twice = experiment(scene.namespace(), "").replace("name: baseline\n", "name: canary\n");
        cluster.apply(&twice).await?;
        let wrong = in_phase(&cluster, "compare", "Error", 20).await?;
        let message = wrong["status"]["message"].as_str().unwrap_or_default();
        for part in ["spec.templates[1].name", "repeated template name 'canary'", "rename"] {
            ensure!(message.contains(part), "{message}");
        }
        ensure!(pods(scene).await? == 0, "nothing runs");
        cluster.apply(&experiment(scene.namespace(), "")).await?;
        in_phase(&cluster, "compare", "Running", 60).await?;
        Ok(())
    });
}

fn steps(template: &str) -> String {
    format!(
        "      steps:\n      - setWeight: 50\n      - experiment:\n          scaleDownDelaySeconds: 2\n          templates:\n          - {{name: baseline, specRef: stable}}\n          - {{name: canary, specRef: canary, metadata: {{labels: {{trial: 'yes'}}}}}}\n          analyses:\n          - {{name: value, templateName: {template}, requiredForCompletion: true}}\n      - pause: {{}}\n"
    )
}

#[test]
fn an_experiment_step_goes_on_when_it_is_good_and_takes_back_what_is_bad() {
    play("experiment-step", async |scene| {
        let cluster = scene.cluster.clone();
        cluster.apply(&measure(scene.namespace(), "good", 1)).await?;
        cluster.apply(&measure(scene.namespace(), "bad", 0)).await?;
        cluster.apply(&manifest::rollout(scene.namespace(), "v1", 2, &steps("good"))).await?;
        cluster.until_phase("shop", "Healthy", 60).await?;
        ensure!(cluster.list(EXPERIMENT.0, EXPERIMENT.1).await?.is_empty(), "the first revision has none");

        cluster.merge("argoproj.io/v1alpha1", "Rollout", "shop", manifest::version("v2", &[])).await?;
        let paused = cluster.until_phase("shop", "Paused", 90).await?;
        ensure!(paused["status"]["currentStepIndex"] == 2, "{}", paused["status"]);
        let name = format!("shop-{}-2-1", paused["status"]["currentPodHash"].as_str().unwrap_or_default());
        let experiment = in_phase(&cluster, &name, "Successful", 5).await?;
        ensure!(experiment["metadata"]["annotations"]["rollout.argoproj.io/revision"] == "2");
        let expected = [
            format!("Normal ExperimentCreated: Created Experiment '{name}'"),
            "Normal AnalysisRunSuccessful: AnalysisRun 'value' transitioned from Pending -> Successful"
                .to_owned(),
            "Normal RolloutStepCompleted: Rollout step 2/3 completed (experiment)".to_owned(),
        ];
        until_told(scene, &expected).await?;

        cluster.merge_status("shop", json!({"pauseConditions": null})).await?;
        cluster.until_phase("shop", "Healthy", 60).await?;
        let bad = json!({"spec": {"strategy": {"canary": {"steps": bad_steps("bad")}}}});
        cluster.merge("argoproj.io/v1alpha1", "Rollout", "shop", bad).await?;
        cluster.merge("argoproj.io/v1alpha1", "Rollout", "shop", manifest::version("v3", &[])).await?;
        let degraded = cluster.until_phase("shop", "Degraded", 90).await?;
        let message = degraded["status"]["message"].as_str().unwrap_or_default();
        let expected = "RolloutAborted: Rollout aborted update to revision 3: Experiment analysis phase is error/failed: Metric \"value\" assessed Failed due to failed (1) > failureLimit (0)";
        ensure!(message == expected, "{message}");
        until_scaled_down(scene).await
    });
}

/// Every ReplicaSet of an Experiment has come to have no pods.
async fn until_scaled_down(scene: &Scene) -> Result<()> {
    for _ in 0..300 {
        let sets = scene.cluster.list("apps/v1", "ReplicaSet").await?;
        let of_trial =
            |set: &&Value| set["metadata"]["annotations"]["experiment.argoproj.io/name"].is_string();
        let left = sets.iter().filter(of_trial).any(|set| set["status"]["replicas"] != 0);
        if !left {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    anyhow::bail!("ReplicaSets of experiments still have pods after 60 s")
}

/// Steps whose experiment fails.
fn bad_steps(template: &str) -> Value {
    json!([
        {"setWeight": 50},
        {"experiment": {
            "scaleDownDelaySeconds": 2,
            "templates": [{"name": "baseline", "specRef": "stable"}, {"name": "canary", "specRef": "canary"}],
            "analyses": [{"name": "value", "templateName": template}],
        }},
        {"pause": {}},
    ])
}

#[test]
fn an_abort_in_the_middle_ends_the_experiment() {
    play("experiment-abort", async |scene| {
        let cluster = scene.cluster.clone();
        let endless = "      steps:\n      - experiment:\n          scaleDownDelaySeconds: 2\n          duration: 10m\n          templates:\n          - {name: canary, specRef: canary}\n";
        cluster.apply(&manifest::rollout(scene.namespace(), "v1", 1, endless)).await?;
        cluster.until_phase("shop", "Healthy", 60).await?;
        cluster.merge("argoproj.io/v1alpha1", "Rollout", "shop", manifest::version("v2", &[])).await?;
        let found = cluster
            .until("shop", "an experiment", 30, |found| {
                found["status"]["canary"]["currentExperiment"].is_string()
            })
            .await?;
        let name = found["status"]["canary"]["currentExperiment"].as_str().unwrap_or_default().to_owned();
        in_phase(&cluster, &name, "Running", 60).await?;
        cluster.merge_status("shop", json!({"abort": true})).await?;
        let ended = in_phase(&cluster, &name, "Successful", 20).await?;
        ensure!(ended["spec"]["terminate"] == true);
        until_scaled_down(scene).await?;
        cluster.merge_status("shop", json!({"abort": false})).await?;
        in_phase(&cluster, &format!("{name}-1"), "Running", 60).await?;
        cluster.merge("argoproj.io/v1alpha1", "Rollout", "shop", manifest::version("v1", &[])).await?;
        cluster.until_phase("shop", "Healthy", 60).await?;
        until_scaled_down(scene).await
    });
}
