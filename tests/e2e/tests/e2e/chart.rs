//! The chart: clean, taken by an API server as it is, and serving from inside of the cluster.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use serin_e2e::controller::target_binary;
use serin_e2e::receiver::Receiver;
use serin_e2e::{Scene, manifest, play};

/// Tag of the images that the tests load.
const TAG: &str = "e2e";

/// Port of the receiver of notifications.
const RECEIVER: u16 = 18080;

fn chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../charts/serin")
}

/// Runs a program to its end, with `input`; its output, or what it complained of.
fn run(program: &str, arguments: &[&str], input: &str) -> Result<String> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("{program} is not on the path: run the tests with `./dev e2e`"))?;
    if let Some(mut pipe) = child.stdin.take() {
        pipe.write_all(input.as_bytes())?;
    }
    let done = child.wait_with_output()?;
    let (out, complaint) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    if !done.status.success() {
        bail!("{program} {}: {}\n{out}{complaint}", arguments.join(" "), done.status);
    }
    Ok(out.into_owned())
}

fn helm(verb: &str, scene: &Scene, settings: &[&str]) -> Result<String> {
    let chart = chart();
    let mut arguments = vec![verb];
    if verb != "lint" {
        arguments.push("serin");
    }
    if verb != "uninstall" {
        arguments.push(chart.to_str().unwrap_or_default());
    }
    arguments.extend(["--namespace", scene.namespace()]);
    arguments.extend(settings.iter().flat_map(|setting| ["--set", *setting]));
    run("helm", &arguments, "")
}

mod fast {
    use super::*;

    #[test]
    fn the_chart_is_clean_and_an_api_server_takes_it_with_every_kind_of_settings() {
        play("chart", async |scene| {
            let lint = helm("lint", scene, &[])?;
            ensure!(lint.contains("0 chart(s) failed"), "{lint}");
            for settings in [&["dashboard.enabled=true"][..], &["controller.namespaced=true", "replicas=2"]] {
                let objects = helm("template", scene, settings)?;
                ensure!(objects.contains("kind: Deployment"), "{objects}");
                let wildcards = objects.lines().filter(|line| {
                    let line = line.trim();
                    ["verbs:", "resources:", "apiGroups:"].iter().any(|key| line.contains(key))
                        && line.contains('*')
                });
                ensure!(wildcards.count() == 0, "a role has a wildcard:\n{objects}");
                run(
                    "kubectl",
                    &["apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", "-"],
                    &objects,
                )?;
            }
            Ok(())
        });
    }

    /// A patch changes one variable of one container: without the schema Kustomize would replace both lists.
    #[test]
    fn kustomize_merges_containers_of_a_rollout_by_name() -> Result<()> {
        let folder = std::env::temp_dir().join(format!("serin-e2e-kustomize-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        std::fs::copy(chart().join("files/kustomize/rollouts.json"), folder.join("rollouts.json"))?;
        let containers = |containers: &str| {
            format!(
                "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {{name: shop}}\n\
                 spec: {{template: {{spec: {{containers: {containers}}}}}}}\n"
            )
        };
        let base = containers(
            "[{name: shop, image: 'shop:1', env: [{name: A, value: a}]}, {name: side, image: 'side:1'}]",
        );
        std::fs::write(folder.join("rollout.yaml"), base)?;
        std::fs::write(folder.join("patch.yaml"), containers("[{name: shop, env: [{name: B, value: b}]}]"))?;
        std::fs::write(
            folder.join("kustomization.yaml"),
            "openapi: {path: rollouts.json}\nresources: [rollout.yaml]\npatches: [{path: patch.yaml}]\n",
        )?;
        let built = run("kubectl", &["kustomize", folder.to_str().unwrap_or_default()], "")?;
        std::fs::remove_dir_all(&folder)?;
        for kept in ["shop:1", "side:1", "name: A", "name: B"] {
            ensure!(built.contains(kept), "{kept} is lost:\n{built}");
        }
        Ok(())
    }
}

/// Loads the controller as an image; its setting for the chart.
fn image() -> Result<String> {
    load("serin-controller")?;
    Ok(format!("image.tag={TAG}"))
}

/// Makes an image of its name around a program and loads it.
fn load(program: &str) -> Result<()> {
    let tool = std::env::var("SERIN_CLUSTER").context("run the tests with `./dev e2e`")?;
    let binary = target_binary(program);
    let image = format!("{program}:{TAG}");
    run(&tool, &["image", &image, binary.to_str().unwrap_or_default(), "--with-libs"], "").map(drop)
}

#[test]
fn a_release_serves_from_inside_of_the_cluster_and_hands_over_when_its_leader_goes() {
    play("chart-serves", async |scene| {
        scene.controller.kill().await?;
        let cluster = scene.cluster.clone();
        let tag = image()?;
        let settings = [tag.as_str(), "controller.namespaced=true", "replicas=2", "crds.install=false"];
        helm("install", scene, &settings)?;
        let key = ("apps/v1", "Deployment", "serin");
        let both = |found: &Value| found["status"]["readyReplicas"] == 2;
        cluster.until_object(key, "ready twice", 120, both).await?;

        let steps = "      steps:\n      - setWeight: 50\n      - pause: {}\n";
        cluster.apply(&manifest::rollout(scene.namespace(), "v1", 2, steps)).await?;
        cluster.until_phase("shop", "Healthy", 90).await?;

        let lease = ("coordination.k8s.io/v1", "Lease", "argo-rollouts-controller-lock");
        let holder = cluster.get(lease.0, lease.1, lease.2).await?["spec"]["holderIdentity"].clone();
        let leader = holder
            .as_str()
            .and_then(|identity| identity.rsplit_once('_'))
            .context("nobody leads")?
            .0
            .to_owned();
        cluster.delete("v1", "Pod", &leader).await.with_context(|| format!("the leader {leader}"))?;
        cluster.merge("argoproj.io/v1alpha1", "Rollout", "shop", manifest::version("v2", &[])).await?;
        cluster.until_phase("shop", "Paused", 120).await?;
        let other = |found: &Value| found["spec"]["holderIdentity"] != holder;
        cluster.until_object(lease, "held by the other", 60, other).await?;

        helm("uninstall", scene, &[])?;
        ensure!(cluster.rollout("shop").await.is_ok(), "Rollouts outlive the release");
        Ok(())
    });
}

/// A team's namespace, with settings of its own, in a cluster that another namespace's controller serves.
#[test]
fn a_team_is_told_by_its_own_services_when_the_release_lets_it() {
    play("chart-self-service", async |scene| {
        scene.controller.kill().await?;
        let receiver = Receiver::start(RECEIVER)?;
        let (team, instance) = (format!("{}-team", scene.namespace()), scene.namespace().to_owned());
        let tag = image()?;
        let id = format!("controller.instanceId={instance}");
        let settings = [&tag, &id, "controller.selfServiceNotifications=true", "crds.install=false"];
        // One that a broken run left behind has old objects in it.
        run("kubectl", &["delete", "namespace", &team, "--ignore-not-found"], "")?;
        run("kubectl", &["create", "namespace", &team], "")?;
        let node = "jsonpath={.items[0].status.addresses[?(@.type=='InternalIP')].address}";
        let address = run("kubectl", &["get", "nodes", "-o", node], "")?;
        let own = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "argo-rollouts-notification-configmap"},
            "data": {
                "service.webhook.team": format!("url: http://{}:{RECEIVER}\nheaders: [{{name: X-Token, value: $token}}]\n", address.trim()),
                "template.told": "webhook: {team: {method: POST, path: /team, body: '{{.rollout.metadata.name | upper}}'}}",
                "trigger.on-rollout-completed": "- send: [told]",
            },
        });
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "argo-rollouts-notification-secret"},
            "stringData": {"token": "of-the-team"},
        });
        for object in [own, secret] {
            run("kubectl", &["apply", "--namespace", &team, "-f", "-"], &object.to_string())?;
        }
        helm("install", scene, &settings)?;
        let ready = |found: &Value| found["status"]["readyReplicas"] == 1;
        scene.cluster.until_object(("apps/v1", "Deployment", "serin"), "ready", 120, ready).await?;

        let mut rollout: Value =
            serde_yaml::from_str(&manifest::rollout(&team, "v1", 1, "      maxSurge: 1\n"))?;
        rollout["metadata"]["labels"] = json!({"argo-rollouts.argoproj.io/controller-instance-id": instance});
        rollout["metadata"]["annotations"] =
            json!({"notifications.argoproj.io/subscribe.on-rollout-completed.team": "any"});
        run("kubectl", &["apply", "--namespace", &team, "-f", "-"], &rollout.to_string())?;
        let told = receiver.messages(1).await?;
        ensure!(told == [json!({"path": "/team", "token": "of-the-team", "body": "SHOP"})], "{told:?}");
        run("kubectl", &["delete", "namespace", &team, "--wait=false"], "")?;
        helm("uninstall", scene, &[])?;
        Ok(())
    });
}

/// A service account of the namespace that may do this to what the dashboard shows; a token of it.
fn person(scene: &Scene, name: &str, verbs: &str) -> Result<String> {
    let namespace = scene.namespace();
    run("kubectl", &["create", "serviceaccount", name, "-n", namespace], "")?;
    if !verbs.is_empty() {
        let (verbs, account) = (format!("--verb={verbs}"), format!("--serviceaccount={namespace}:{name}"));
        let shown = "--resource=rollouts.argoproj.io,rollouts.argoproj.io/status,analysisruns.argoproj.io,replicasets.apps,pods";
        run("kubectl", &["create", "role", name, "-n", namespace, &verbs, shown], "")?;
        let role = format!("--role={name}");
        run("kubectl", &["create", "rolebinding", name, "-n", namespace, &role, &account], "")?;
    }
    Ok(run("kubectl", &["create", "token", name, "-n", namespace], "")?.trim().to_owned())
}

/// The code and the body that the dashboard answers to somebody.
fn asked(address: &str, method: &str, path: &str, token: &str) -> Result<(String, String)> {
    let url = format!("http://{address}:3100/rollouts/api/v1/{path}");
    let header = format!("Authorization: Bearer {token}");
    let mut arguments =
        vec!["-sS", "-m", "10", "-H", "x-serin-dashboard: 1", "-X", method, "-w", "\n%{http_code}", &url];
    if !token.is_empty() {
        arguments.extend(["-H", &header]);
    }
    let answer = run("curl", &arguments, "")?;
    let (body, code) = answer.rsplit_once('\n').context("no code")?;
    Ok((code.to_owned(), body.to_owned()))
}

#[test]
fn a_dashboard_of_the_release_shows_and_does_what_the_person_may() {
    play("chart-dashboard", async |scene| {
        let (cluster, namespace) = (scene.cluster.clone(), scene.namespace().to_owned());
        let steps = "      steps:\n      - setWeight: 50\n      - pause: {}\n";
        cluster.apply(&manifest::rollout(&namespace, "v1", 1, steps)).await?;
        cluster.until_phase("shop", "Healthy", 90).await?;
        cluster.merge("argoproj.io/v1alpha1", "Rollout", "shop", manifest::version("v2", &[])).await?;
        cluster.until_phase("shop", "Paused", 90).await?;
        let tag = image()?;
        load("kubectl-serin")?;
        let dashboard = ["dashboard.enabled=true", "dashboard.allowActions=true"];
        let base = [tag.as_str(), "controller.namespaced=true", "crds.install=false"];
        helm("install", scene, &[&base[..], &dashboard[..]].concat())?;
        let ready = |found: &Value| found["status"]["readyReplicas"] == 1;
        let key = ("apps/v1", "Deployment", "serin-dashboard");
        cluster.until_object(key, "ready", 120, ready).await?;
        let select = ["get", "pods", "-n", &namespace, "-l", "app.kubernetes.io/name=serin-dashboard"];
        let address =
            run("kubectl", &[&select[..], &["-o", "jsonpath={.items[0].status.podIP}"]].concat(), "")?;

        let (stranger, viewer) = (person(scene, "stranger", "")?, person(scene, "viewer", "list")?);
        let (editor, list) =
            (person(scene, "editor", "list,get,patch")?, format!("rollouts/{namespace}/info"));
        for (token, code) in [("", "401"), ("nonsense", "401"), (&stranger, "403"), (&viewer, "200")] {
            let (found, body) = asked(&address, "GET", &list, token)?;
            ensure!(found == code, "{token:.9} gets {found}: {body}");
            ensure!(body.contains("\"shop\"") == (code == "200"), "{token:.9} is told {body}");
        }
        let abort = format!("rollouts/{namespace}/shop/abort");
        for (token, code) in [(&viewer, "403"), (&editor, "200")] {
            let (found, body) = asked(&address, "PUT", &abort, token)?;
            ensure!(found == code, "{token:.9} gets {found}: {body}");
        }
        cluster.until_phase("shop", "Degraded", 60).await?;
        helm("uninstall", scene, &[])?;
        Ok(())
    });
}
