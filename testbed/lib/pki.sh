# Makes the certificates and kubeconfig files of one cluster. Sourced by `cluster`, which sets STATE and NODE_ADDRESS.
# shellcheck shell=bash

# certificate NAME SUBJECT [SUBJECT_ALTERNATIVE_NAMES]
certificate() {
  local usage=clientAuth
  [[ -n ${3:-} ]] && usage=serverAuth,clientAuth
  openssl req -x509 -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 \
    -CA ca.crt -CAkey ca.key -keyout "$1.key" -out "$1.crt" -subj "$2" \
    -addext basicConstraints=critical,CA:FALSE -addext keyUsage=digitalSignature -addext "extendedKeyUsage=$usage" \
    ${3:+-addext "subjectAltName=$3"} 2>>openssl.log || die "openssl failed; see $PWD/openssl.log"
}

# kubeconfig NAME: a file that uses the certificate NAME, self-contained, so that it can be copied anywhere.
kubeconfig() {
  cat >"$STATE/$1.kubeconfig" <<YAML
apiVersion: v1
kind: Config
clusters:
- name: testbed
  cluster: {server: "https://127.0.0.1:6443", certificate-authority-data: $(base64 -w0 ca.crt)}
users:
- name: $1
  user: {client-certificate-data: $(base64 -w0 "$1.crt"), client-key-data: $(base64 -w0 "$1.key")}
contexts:
- name: testbed
  context: {cluster: testbed, user: $1}
current-context: testbed
YAML
}

make_pki() (
  umask 077
  mkdir -p "$STATE/pki"
  cd "$STATE/pki"
  openssl req -x509 -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -keyout ca.key -out ca.crt \
    -subj "/CN=testbed" 2>>openssl.log || die "openssl failed; see $PWD/openssl.log"
  openssl genrsa -out service-account.key 2048 2>>openssl.log
  openssl rsa -in service-account.key -pubout -out service-account.pub 2>>openssl.log
  certificate apiserver /CN=kube-apiserver \
    "DNS:localhost,DNS:kubernetes.default.svc,IP:127.0.0.1,IP:$NODE_ADDRESS,IP:10.96.0.1"
  certificate admin /O=system:masters/CN=admin
  certificate controller-manager /CN=system:kube-controller-manager
  certificate scheduler /CN=system:kube-scheduler
  certificate proxy /CN=system:kube-proxy
  certificate kubelet "/O=system:nodes/CN=system:node:$NODE"
  for user in admin controller-manager scheduler proxy kubelet; do kubeconfig "$user"; done
)
