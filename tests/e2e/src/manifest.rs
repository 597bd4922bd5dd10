//! The objects that tests start from, as users would write them.

/// A Rollout named `shop` with the demo's service as its pods, and `strategy` as YAML indented by four spaces.
pub fn rollout(namespace: &str, version: &str, replicas: i32, strategy: &str) -> String {
    format!(
        r#"apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata:
  name: shop
  namespace: {namespace}
spec:
  replicas: {replicas}
  progressDeadlineSeconds: 60
  selector:
    matchLabels: {{app: shop}}
  template:
    metadata:
      labels: {{app: shop}}
    spec:
      terminationGracePeriodSeconds: 32
      containers:
      - name: shop
        image: local/serin-demo:1
        imagePullPolicy: IfNotPresent
        args: [serve]
        env:
        - {{name: VERSION, value: {version}}}
        ports:
        - {{name: http, containerPort: 8080}}
        readinessProbe:
          httpGet: {{path: /readyz, port: http}}
          periodSeconds: 1
        resources:
          requests: {{cpu: 10m, memory: 16Mi}}
  strategy:
    canary:
{strategy}
"#
    )
}

/// As [`rollout`], with blue-green instead of a canary; `strategy` is YAML indented by six spaces.
pub fn blue_green(namespace: &str, version: &str, replicas: i32, strategy: &str) -> String {
    rollout(namespace, version, replicas, strategy).replace("    canary:\n", "    blueGreen:\n")
}

/// A change of the version, as a merge patch of the Rollout: a new revision. `more` are further variables.
pub fn version(version: &str, more: &[(&str, &str)]) -> serde_json::Value {
    let mut env = vec![serde_json::json!({"name": "VERSION", "value": version})];
    env.extend(more.iter().map(|(name, value)| serde_json::json!({"name": name, "value": value})));
    serde_json::json!({"spec": {"template": {"spec": {"containers": [{
        "name": "shop",
        "image": "local/serin-demo:1",
        "imagePullPolicy": "IfNotPresent",
        "args": ["serve"],
        "env": env,
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": "http"}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}},
    }]}}}})
}

/// The Services of canary and stable.
pub fn services(namespace: &str) -> String {
    format!("{}---\n{}", service(namespace, "shop-stable"), service(namespace, "shop-canary"))
}

/// The active and the preview Service.
pub fn blue_green_services(namespace: &str) -> String {
    format!("{}---\n{}", service(namespace, "shop-active"), service(namespace, "shop-preview"))
}

fn service(namespace: &str, name: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: {namespace}}}\n\
         spec:\n  selector: {{app: shop}}\n  ports: [{{name: http, port: 80, targetPort: http}}]\n"
    )
}

/// A Gateway of the testbed's Traefik, and an HTTPRoute between the two Services for `NAMESPACE.example`.
pub fn http_route(namespace: &str) -> String {
    let backends = ["{name: shop-stable, port: 80, weight: 100}", "{name: shop-canary, port: 80, weight: 0}"];
    http_route_to(namespace, &backends)
}

/// As [`http_route`], to the active Service of blue-green.
pub fn http_route_to_active(namespace: &str) -> String {
    http_route_to(namespace, &["{name: shop-active, port: 80}"])
}

fn http_route_to(namespace: &str, backends: &[&str]) -> String {
    let backends = backends.iter().map(|backend| format!("    - {backend}\n")).collect::<String>();
    format!(
        r#"apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {{name: traefik}}
spec: {{controllerName: traefik.io/gateway-controller}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: web, namespace: {namespace}}}
spec:
  gatewayClassName: traefik
  listeners: [{{name: web, protocol: HTTP, port: 8000}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: shop, namespace: {namespace}}}
spec:
  parentRefs: [{{name: web}}]
  hostnames: [{namespace}.example]
  rules:
  - backendRefs:
{backends}"#
    )
}

/// An IngressRoute of Traefik to a TraefikService between the two Services, for `NAMESPACE.example`.
pub fn traefik_service(namespace: &str) -> String {
    format!(
        r#"apiVersion: traefik.io/v1alpha1
kind: TraefikService
metadata: {{name: shop, namespace: {namespace}}}
spec:
  weighted:
    services:
    - {{name: shop-stable, kind: Service, port: 80, weight: 100}}
    - {{name: shop-canary, kind: Service, port: 80, weight: 0}}
---
apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata: {{name: shop, namespace: {namespace}}}
spec:
  entryPoints: [web]
  routes:
  - match: Host(`{namespace}.example`)
    kind: Rule
    services: [{{name: shop, kind: TraefikService}}]
"#
    )
}

/// An Istio VirtualService between the two Services.
pub fn virtual_service(namespace: &str) -> String {
    format!(
        r#"apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: shop, namespace: {namespace}}}
spec:
  hosts: [shop.example]
  http:
  - name: primary
    route:
    - destination: {{host: shop-stable}}
      weight: 100
    - destination: {{host: shop-canary}}
      weight: 0
"#
    )
}

/// A Gateway of the testbed's Istio, a VirtualService for `NAMESPACE.example` with these destinations, and more.
fn istio(namespace: &str, stable: &str, canary: &str, more: &str) -> String {
    format!(
        r#"apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: web, namespace: {namespace}}}
spec:
  selector: {{istio: ingressgateway}}
  servers:
  - port: {{number: 8081, name: http, protocol: HTTP}}
    hosts: [{namespace}.example]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: shop, namespace: {namespace}}}
spec:
  hosts: [{namespace}.example]
  gateways: [web]
  http:
  - name: primary
    route:
    - destination: {stable}
      weight: 100
    - destination: {canary}
      weight: 0
{more}"#
    )
}

/// A VirtualService between the two Services, behind Istio's gateway.
pub fn istio_hosts(namespace: &str) -> String {
    istio(namespace, "{host: shop-stable}", "{host: shop-canary}", "")
}

/// A VirtualService between two subsets of one Service, behind Istio's gateway.
pub fn istio_subsets(namespace: &str) -> String {
    let more = format!(
        r#"---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: shop, namespace: {namespace}}}
spec:
  host: shop
  subsets:
  - {{name: stable, labels: {{app: shop}}}}
  - {{name: canary, labels: {{app: shop}}}}
---
apiVersion: v1
kind: Service
metadata: {{name: shop, namespace: {namespace}}}
spec:
  selector: {{app: shop}}
  ports: [{{name: http, port: 80, targetPort: http}}]
"#
    );
    istio(namespace, "{host: shop, subset: stable}", "{host: shop, subset: canary}", &more)
}
