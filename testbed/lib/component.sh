# The command line of each component. Sourced by `cluster`, which sets STATE, BIN, NODE, NODE_ADDRESS.
# shellcheck shell=bash

start_etcd() {
  # Nothing here outlives the cluster, so nothing need reach the disk.
  start etcd "$BIN/etcd" --data-dir "$STATE/etcd" --unsafe-no-fsync --name testbed --log-level warn \
    --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
    --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 \
    --initial-cluster testbed=http://127.0.0.1:2380
}

start_apiserver() {
  local pki=$STATE/pki
  start kube-apiserver "$BIN/kube-apiserver" --etcd-servers http://127.0.0.1:2379 \
    --advertise-address "$NODE_ADDRESS" --secure-port 6443 --service-cluster-ip-range 10.96.0.0/16 \
    --authorization-mode Node,RBAC --kubelet-preferred-address-types InternalIP --enable-admission-plugins NodeRestriction --allow-privileged \
    --client-ca-file "$pki/ca.crt" --tls-cert-file "$pki/apiserver.crt" --tls-private-key-file "$pki/apiserver.key" \
    --service-account-issuer https://kubernetes.default.svc \
    --service-account-key-file "$pki/service-account.pub" --service-account-signing-key-file "$pki/service-account.key" \
    --audit-policy-file "$TESTBED/config/audit.yaml" --audit-log-path "$AUDIT_LOG" --profiling=false
}

start_controller_manager() {
  # Fake nodes need no address range, and one /24 for each would end at 256 of them.
  local addresses=()
  [[ $1 == kubelet ]] && addresses=(--allocate-node-cidrs --cluster-cidr 10.244.0.0/16)
  start kube-controller-manager "$BIN/kube-controller-manager" --kubeconfig "$STATE/controller-manager.kubeconfig" \
    --leader-elect=false --use-service-account-credentials --root-ca-file "$STATE/pki/ca.crt" \
    --service-account-private-key-file "$STATE/pki/service-account.key" \
    --cluster-signing-cert-file "$STATE/pki/ca.crt" --cluster-signing-key-file "$STATE/pki/ca.key" "${addresses[@]}" \
    --kube-api-qps 200 --kube-api-burst 400 --profiling=false
}

start_scheduler() {
  start kube-scheduler "$BIN/kube-scheduler" --kubeconfig "$STATE/scheduler.kubeconfig" --leader-elect=false \
    --kube-api-qps 200 --kube-api-burst 400 --profiling=false
}

# Replaces @NAME@, @STATE@ and @CNI_BIN@ in a file of testbed/config.
configure() { sed -e "s|@NAME@|$NAME|g; s|@STATE@|$STATE|g; s|@CNI_BIN@|$CNI_BIN|g" "$TESTBED/config/$1" >"$2"; }

# containerd gets a mount namespace of its own, which its shims, containers and the kubelet share. What these programs
# put at fixed places is laid into the cluster's state instead, and every mount goes away with the last process,
# also after kill -9.
start_containerd() {
  local name
  for name in /usr/lib/cni /opt/cni/bin; do [[ -x $name/ptp ]] && CNI_BIN=$name; done
  [[ -n ${CNI_BIN:-} ]] || die "no CNI plugins in /usr/lib/cni or /opt/cni/bin; install containernetworking-plugins (./dev does)"
  mkdir -p "$STATE"/{run,cni/net.d,fixed/{kubelet,run-containerd,cni,containers}} \
    /var/lib/kubelet /run/containerd /var/lib/cni /var/log/containers
  configure containerd.toml "$STATE/containerd.toml"
  configure pods.conflist "$STATE/cni/net.d/10-pods.conflist"
  # shellcheck disable=SC2016
  start containerd unshare --mount --propagation slave bash -euc '
    mount --bind "$1/fixed/kubelet" /var/lib/kubelet
    mount --bind "$1/fixed/run-containerd" /run/containerd
    mount --bind "$1/fixed/cni" /var/lib/cni
    mount --bind "$1/fixed/containers" /var/log/containers
    exec containerd --config "$1/containerd.toml"' containerd "$STATE"
}

containerd_ready() { ctr --address "$STATE/run/containerd.sock" version; }

import_image() { ctr --namespace k8s.io --address "$STATE/run/containerd.sock" images import "$1"; }

start_kubelet() {
  configure kubelet.yaml "$STATE/kubelet.yaml"
  start kubelet nsenter --mount --target "$(cat "$STATE/pid/containerd")" \
    "$BIN/kubelet" --config "$STATE/kubelet.yaml" --kubeconfig "$STATE/kubelet.kubeconfig" --root-dir /var/lib/kubelet \
    --cert-dir "$STATE/pki" --hostname-override "$NODE" --node-ip "$NODE_ADDRESS"
}

start_kube_proxy() {
  start kube-proxy "$BIN/kube-proxy" --kubeconfig "$STATE/proxy.kubeconfig" --hostname-override "$NODE" \
    --proxy-mode nftables --cluster-cidr 10.244.0.0/16 --conntrack-max-per-core 0
}

# What kwok does to a fake object is told by "stages"; its module holds them, its binary does not.
start_kwok() {
  local stages file
  stages=$(module . sigs.k8s.io/kwok)/kustomize/stage
  for file in "$stages"/{node/fast/node-*,node/heartbeat-with-lease/node-*,pod/fast/pod-*}.yaml; do
    printf -- '---\n'
    cat "$file"
  done >"$STATE/stages.yaml"
  start kwok "$BIN/kwok" --kubeconfig "$STATE/admin.kubeconfig" --config "$STATE/stages.yaml" --manage-all-nodes \
    --node-ip "$NODE_ADDRESS" --cidr 10.244.0.0/16 --node-lease-duration-seconds 40 --v warn
}

fake_nodes() {
  local number
  for ((number = 0; number < $1; number++)); do
    cat <<YAML
---
apiVersion: v1
kind: Node
metadata: {name: fake-$number, labels: {type: kwok, kubernetes.io/hostname: fake-$number, kubernetes.io/os: linux}}
status:
  allocatable: {cpu: "64", memory: 256Gi, pods: "1000"}
  capacity: {cpu: "64", memory: 256Gi, pods: "1000"}
YAML
  done
}
