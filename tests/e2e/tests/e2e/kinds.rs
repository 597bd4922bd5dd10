//! Kinds of routers whose data planes do not run here: what their controllers would read, on a real API server.
//!
//! Nobody writes a status for them, as nobody does where their controllers are old; the weights count after their bound.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use serin_e2e::{Scene, manifest, play};

use crate::traffic::{change, paused_at, promoted};

/// A router, what a user has before the first Rollout, and where the weight of the canary is to be seen.
struct Kind {
    name: &'static str,
    /// Line of `trafficRouting`.
    routing: &'static str,
    /// Group, version and kinds that are not part of Kubernetes.
    custom: &'static [(&'static str, &'static str, &'static str)],
    /// Objects that the user has.
    objects: &'static str,
    /// API version, kind and name of the object that is weighted, and the place of the weight in it.
    weighted: (&'static str, &'static str, &'static str),
    at: &'static str,
    /// The weight as it is written there.
    text: fn(u32) -> Value,
}

const ALB: Kind = Kind {
    name: "alb",
    routing: "alb: {ingress: shop, servicePort: 80}",
    custom: &[],
    objects: include_str!("kinds/alb.yaml"),
    weighted: ("networking.k8s.io/v1", "Ingress", "shop"),
    at: "/metadata/annotations/alb.ingress.kubernetes.io~1actions.shop-stable",
    text: |weight| {
        let rest = 100 - weight;
        json!(format!(
            r#"{{"Type":"forward","ForwardConfig":{{"TargetGroups":[{{"ServiceName":"shop-canary","ServicePort":"80","Weight":{weight}}},{{"ServiceName":"shop-stable","ServicePort":"80","Weight":{rest}}}]}}}}"#
        ))
    },
};

const NGINX: Kind = Kind {
    name: "nginx",
    routing: "nginx: {stableIngress: shop}",
    custom: &[],
    objects: include_str!("kinds/nginx.yaml"),
    weighted: ("networking.k8s.io/v1", "Ingress", "shop-shop-canary"),
    at: "/metadata/annotations/nginx.ingress.kubernetes.io~1canary-weight",
    text: |weight| json!(weight.to_string()),
};

const SMI: Kind = Kind {
    name: "smi",
    routing: "smi: {}",
    custom: &[("split.smi-spec.io", "v1alpha1", "TrafficSplit")],
    objects: "",
    weighted: ("split.smi-spec.io/v1alpha1", "TrafficSplit", "shop"),
    at: "/spec/backends/0",
    text: |weight| json!({"service": "shop-canary", "weight": weight.to_string()}),
};

const AMBASSADOR: Kind = Kind {
    name: "ambassador",
    routing: "ambassador: {mappings: [shop]}",
    custom: &[("getambassador.io", "v2", "Mapping")],
    objects: include_str!("kinds/ambassador.yaml"),
    weighted: ("getambassador.io/v2", "Mapping", "shop-canary"),
    at: "/spec/weight",
    text: |weight| json!(weight),
};

const APP_MESH: Kind = Kind {
    name: "app-mesh",
    routing: "appMesh: {virtualService: {name: shop}, virtualNodeGroup: {canaryVirtualNodeRef: {name: shop-canary}, stableVirtualNodeRef: {name: shop-stable}}}",
    custom: &[
        ("appmesh.k8s.aws", "v1beta2", "VirtualService"),
        ("appmesh.k8s.aws", "v1beta2", "VirtualRouter"),
        ("appmesh.k8s.aws", "v1beta2", "VirtualNode"),
    ],
    objects: include_str!("kinds/app_mesh.yaml"),
    weighted: ("appmesh.k8s.aws/v1beta2", "VirtualRouter", "shop"),
    at: "/spec/routes/0/httpRoute/action/weightedTargets/0/weight",
    text: |weight| json!(weight),
};

const APISIX: Kind = Kind {
    name: "apisix",
    routing: "apisix: {route: {name: shop}}",
    custom: &[("apisix.apache.org", "v2", "ApisixRoute")],
    objects: include_str!("kinds/apisix.yaml"),
    weighted: ("apisix.apache.org/v2", "ApisixRoute", "shop"),
    at: "/spec/http/0/backends/1/weight",
    text: |weight| json!(weight),
};

impl Kind {
    /// The weight is written, also when it was never written before.
    async fn has(&self, scene: &Scene, weight: u32) -> Result<()> {
        let wanted = (self.text)(weight);
        let what = format!("giving the canary {weight}: {wanted} at {}", self.at);
        scene
            .cluster
            .until_object(self.weighted, &what, 60, |seen| seen.pointer(self.at) == Some(&wanted))
            .await?;
        Ok(())
    }

    /// Makes the kinds known as far as the cluster does not know them: any spec is taken.
    async fn introduce(&self, scene: &Scene) -> Result<()> {
        const CRD: (&str, &str) = ("apiextensions.k8s.io/v1", "CustomResourceDefinition");
        for (group, version, kind) in self.custom {
            let singular = kind.to_lowercase();
            let name = format!("{singular}s.{group}");
            if scene.cluster.get(CRD.0, CRD.1, &name).await.is_err() {
                let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
                let definition = json!({
                    "apiVersion": CRD.0, "kind": CRD.1, "metadata": {"name": name},
                    "spec": {
                        "group": group, "scope": "Namespaced",
                        "names": {"kind": kind, "plural": format!("{singular}s"), "singular": singular},
                        "versions": [{"name": version, "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}],
                    },
                });
                scene.cluster.apply(&definition.to_string()).await?;
            }
            let established = |seen: &Value| {
                let mut conditions = seen["status"]["conditions"].as_array().into_iter().flatten();
                conditions
                    .any(|condition| condition["type"] == "Established" && condition["status"] == "True")
            };
            scene.cluster.until_object((CRD.0, CRD.1, &name), "established", 30, established).await?;
        }
        Ok(())
    }

    /// The first revision, a canary that is promoted, and one that is aborted.
    fn play(&self) {
        play(&format!("kind-{}", self.name), async |scene| {
            self.introduce(scene).await?;
            scene.cluster.apply(&manifest::services(scene.namespace())).await?;
            scene.cluster.apply(&self.objects.replace("NAMESPACE", scene.namespace())).await?;
            let strategy = format!(
                "      canaryService: shop-canary\n      stableService: shop-stable\n      trafficRouting:\n        {}\n      \
                 scaleDownDelaySeconds: 3\n      steps:\n      - setWeight: 25\n      - pause: {{}}\n",
                self.routing
            );
            scene.cluster.apply(&manifest::rollout(scene.namespace(), "v1", 2, &strategy)).await?;
            scene.cluster.until_phase("shop", "Healthy", 90).await?;

            change(scene, "v2").await?;
            paused_at(scene, 1).await?;
            self.has(scene, 25).await?;
            scene.cluster.merge_status("shop", json!({"pauseConditions": null})).await?;
            let done = promoted(scene, "2").await?;
            self.has(scene, 0).await?;
            let stable = scene.cluster.get("v1", "Service", "shop-stable").await?;
            let selected = &stable["spec"]["selector"]["rollouts-pod-template-hash"];
            ensure!(*selected == done["status"]["stableRS"], "the stable Service selects {selected}");

            change(scene, "v3").await?;
            paused_at(scene, 1).await?;
            self.has(scene, 25).await?;
            scene.cluster.merge_status("shop", json!({"abort": true})).await?;
            self.has(scene, 0).await?;
            scene.cluster.until_phase("shop", "Degraded", 60).await?;
            Ok(())
        });
    }
}

#[test]
fn an_ingress_of_aws_gets_its_first_action_and_its_weights() {
    ALB.play();
}

#[test]
fn an_ingress_of_nginx_gets_a_canary_beside_it() {
    NGINX.play();
}

#[test]
fn a_traffic_split_is_made_and_weighted() {
    SMI.play();
}

#[test]
fn a_mapping_gets_a_canary_beside_it() {
    AMBASSADOR.play();
}

#[test]
fn a_virtual_router_is_weighted() {
    APP_MESH.play();
}

#[test]
fn a_route_of_apisix_is_weighted() {
    APISIX.play();
}
