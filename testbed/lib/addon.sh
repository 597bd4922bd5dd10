# What a cluster can have besides Kubernetes: Prometheus, Traefik, and kinds of other projects. Sourced by `cluster`.
# shellcheck shell=bash

addon() {
  local what=${1:-} verb=${2:-}
  case $what-$verb in
    prometheus-start) start_prometheus "${@:3}" ;;
    traefik-start) start_traefik "${@:3}" ;;
    istio-start) start_istio ;;
    istio-stop) own_cluster; stop istio-gateway; stop istiod; say "istio is stopped" ;;
    prometheus-stop | traefik-stop) own_cluster; stop "$what"; say "$what is stopped" ;;
    gateway-api-) apply_kinds gateway-api "$(module crds sigs.k8s.io/gateway-api)/config/crd/standard" ;;
    traefik-crds-) apply_kinds traefik "$(module crds github.com/traefik/traefik/v3)/docs/content/reference/dynamic-configuration/kubernetes-crd-definition-v1.yml" ;;
    istio-crds-) apply_kinds istio "$(module crds istio.io/api)/kubernetes/customresourcedefinitions.gen.yaml" ;;
    *) die "usage: cluster addon prometheus start CONFIG | prometheus stop | traefik start [FLAG…] | traefik stop | istio start | istio stop | gateway-api | traefik-crds | istio-crds" ;;
  esac
}

# Prometheus and Traefik run as processes beside the components: the testbed cannot pull an image.
own_cluster() {
  [[ -z ${SERIN_KUBECONFIG:-} ]] || die "the testbed runs no Prometheus or Traefik for a cluster of your own; install them there and give their addresses"
  is_up || die "the cluster is not up; start it with: ./dev cluster up"
}

# start_prometheus CONFIG: in CONFIG, @KUBECONFIG@ stands for the admin kubeconfig and @STATE@ for the state folder.
# The samples survive stop and start, until the cluster goes down.
start_prometheus() {
  local bin
  own_cluster
  [[ -r ${1:-} ]] || die "cannot read the Prometheus configuration '${1:-}'; usage: cluster addon prometheus start CONFIG"
  running prometheus && { say "prometheus already runs; stop it first for another configuration"; return; }
  bin=$("$TESTBED/build" discover)
  sed -e "s|@KUBECONFIG@|$STATE/admin.kubeconfig|g; s|@STATE@|$STATE|g" "$1" | "$bin/discover" adapt >"$STATE/prometheus.yaml" ||
    die "the Prometheus configuration $1 cannot be used (see above)"
  running discover || start discover "$bin/discover" serve "$STATE/pki"
  start prometheus prometheus --config.file "$STATE/prometheus.yaml" --storage.tsdb.path "$STATE/prometheus" \
    --web.listen-address :9090 --web.enable-lifecycle --storage.tsdb.retention.time 6h \
    --enable-feature native-histograms
  WATCHED="discover prometheus" wait_until 30 "Prometheus ready" inside curl -fsS -m 2 http://127.0.0.1:9090/-/ready || exit 1
  say "prometheus serves http://127.0.0.1:9090 inside the cluster's network (for pods: http://$NODE_ADDRESS:9090)"
}

start_traefik() {
  own_cluster
  running traefik && { say "traefik already runs"; return; }
  inside kubectl get customresourcedefinition httproutes.gateway.networking.k8s.io >/dev/null 2>&1 ||
    die "Traefik needs the Gateway API kinds; install them first: ./dev cluster addon gateway-api"
  start traefik env KUBECONFIG="$STATE/admin.kubeconfig" "$(tool_dir "$TRAEFIK_PACKAGE")/bin/traefik" \
    --providers.kubernetesgateway=true --entrypoints.web.address=:8000 --entrypoints.traefik.address=:8082 \
    --ping=true --metrics.prometheus=true --metrics.prometheus.addserviceslabels=true \
    --global.checknewversion=false --global.sendanonymoususage=false --log.level=INFO "$@"
  WATCHED=traefik wait_until 30 "Traefik ready" inside curl -fsS -m 2 http://127.0.0.1:8082/ping || exit 1
  say "traefik serves gateways on port 8000, its metrics on http://127.0.0.1:8082/metrics (controllerName: traefik.io/gateway-controller)"
}

# istiod and a stock Envoy as its gateway. The switches turn off what only Istio's own build of the proxy has, and what needs
# a certificate authority, sidecars or webhooks.
start_istio() {
  local bin module
  own_cluster
  running istio-gateway && { say "istio already runs"; return; }
  bin=$("$TESTBED/istio/build")
  module=$(module istio istio.io/istio)
  # All of them: istiod waits for every kind that it knows.
  apply_kinds istio "$module/manifests/charts/base/files/crd-all.gen.yaml"
  inside kubectl create namespace istio-system --dry-run=client -o yaml | inside kubectl apply -f - >/dev/null
  printf 'enableAutoMtls: false\ndefaultConfig: {}\n' >"$STATE/mesh.yaml"
  start istiod env ENABLE_CA_SERVER=false INJECT_ENABLED=false PILOT_ENABLE_GATEWAY_API=false \
    PILOT_ENABLE_METADATA_EXCHANGE=false PILOT_ENABLE_ALPN_FILTER=false VALIDATION_WEBHOOK_CONFIG_NAME= \
    POD_NAMESPACE=istio-system CLUSTER_ID=Kubernetes \
    "$bin/pilot-discovery" discovery --kubeconfig "$STATE/admin.kubeconfig" --meshConfig "$STATE/mesh.yaml" \
    --networksConfig /dev/null --httpAddr 127.0.0.1:18080 --grpcAddr 127.0.0.1:15010 --secureGRPCAddr "" --httpsAddr "" \
    --monitoringAddr 127.0.0.1:15014 --ctrlz_port 0
  WATCHED=istiod wait_until 60 "istiod ready" inside curl -fsS -m 2 http://127.0.0.1:18080/ready || exit 1
  start istio-gateway "$(tool_dir "$ENVOY_PACKAGE")/envoy/_bin/envoy" --config-path "$TESTBED/config/istio-gateway-envoy.yaml" \
    --concurrency 1 --disable-hot-restart --log-level warning
  WATCHED="istiod istio-gateway" wait_until 30 "Envoy ready" inside curl -fsS -m 2 http://127.0.0.1:15000/ready || exit 1
  say "istio's gateway runs (selector istio: ingressgateway); its servers listen on the ports that Gateways give them"
}

# Server-side, because these definitions are too large for the annotation of a client-side apply.
apply_kinds() {
  local files=(-f "$2")
  # A policy of the same folder guards upgrades between release channels; a cluster thrown away has none.
  [[ -d $2 ]] && mapfile -t files < <(find "$2" -name '*.yaml' ! -name '*safeupgrades*' ! -name kustomization.yaml -printf '-f\n%p\n')
  inside kubectl apply --server-side --force-conflicts "${files[@]}" >/dev/null
  inside kubectl wait --for condition=Established --timeout 30s "${files[@]}" >/dev/null
  say "the kinds of $1 are installed"
}
