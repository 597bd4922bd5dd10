# Installs what is missing on a Debian machine. Sourced by `dev`; needs common.sh.
# Every step first looks whether it has anything to do, so that a warm start costs milliseconds.
# shellcheck shell=bash

# packages WHY COMMAND=PACKAGE…: installs the Debian packages of the commands that are not there.
# A machine with Docker has containerd and runc from elsewhere: looking for the command leaves those alone.
packages() {
  local why=$1 pair missing=()
  shift
  for pair; do
    case $pair in
      /*) [[ -e ${pair%%=*} || -e /opt/cni/bin/${pair##*/} ]] || missing+=("${pair#*=}") ;;
      *) command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}") ;;
    esac
  done
  ((${#missing[@]})) || return 0
  say "Installing Debian packages for $why: ${missing[*]} (about 1 min)"
  command -v apt-get >/dev/null || die "this is no Debian: install by hand what these packages hold: ${missing[*]}"
  [[ $(id -u) == 0 ]] || die "installing packages needs root; run as root: apt-get install --no-install-recommends ${missing[*]}"
  apt_install "${missing[@]}"
}

# Without starting any service: the testbed runs its own processes, and Prometheus or containerd as services of the
# machine would only hold ports and memory. policy-rc.d is Debian's way to say so.
apt_install() {
  local policy=/usr/sbin/policy-rc.d unit
  local new_policy=false
  export DEBIAN_FRONTEND=noninteractive
  if [[ ! -e $policy ]]; then
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod +x $policy
    new_policy=true
    # shellcheck disable=SC2064
    trap "rm -f $policy" EXIT
  fi
  local log=$CACHE/apt.log
  mkdir -p "$CACHE"
  if ! { apt-get update -q && apt-get install -q -y --no-install-recommends "$@"; } </dev/null >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    die "apt-get failed (see above and $log); check the package sources and the free disk, then run the same command again"
  fi
  if [[ $new_policy == true ]]; then rm -f $policy; trap - EXIT; fi
  # Only what this call installed: a containerd or Prometheus that was there before was not in the list.
  if [[ -d /run/systemd/system ]]; then
    for unit in containerd prometheus; do
      [[ " $* " != *" $unit "* ]] || systemctl disable --quiet "$unit" || true
    done
  fi
}

# pypi PACKAGE==VERSION WHAT: unpacks a package into its own folder of the cache; nothing of the system's Python changes.
pypi() {
  local folder partial
  folder=$(tool_dir "$1")
  [[ -d $folder ]] && return 0
  say "Fetching $2 ($1) into $folder (seconds)"
  mkdir -p "$CACHE/tools"
  # Renamed when whole, so that an interrupted or a concurrent run leaves nothing half there.
  partial=$(mktemp -d "$CACHE/tools/.partial.XXXXXX")
  chmod 755 "$partial"
  if ! python3 -m pip install --quiet --no-input --disable-pip-version-check --root-user-action=ignore --no-deps \
    --no-compile --target "$partial" "$1" </dev/null; then
    rm -rf "$partial"
    die "pip could not fetch $1 (see above); is the package index reachable?"
  fi
  if [[ $1 == "$KUBECTL_HELM_PACKAGE" ]]; then unpack_kubectl_helm "$partial"; fi
  mv -T "$partial" "$folder" 2>/dev/null || rm -rf "$partial"
}

# The binaries lie in a zip file in a tar file in the package.
unpack_kubectl_helm() {
  python3 - "$1" <<'PYTHON' || die "$KUBECTL_HELM_PACKAGE does not hold kubectl and helm where they are expected; change the pin in testbed/versions"
import glob, io, os, sys, tarfile, zipfile
folder = sys.argv[1]
[archive] = glob.glob(folder + "/aws_cdk/*/_jsii/*.tgz")
with tarfile.open(archive) as package:
    layer = zipfile.ZipFile(io.BytesIO(package.extractfile("package/lib/layer.zip").read()))
os.mkdir(folder + "/unpacked")
for name in ("kubectl", "helm"):
    with open(f"{folder}/unpacked/{name}", "wb") as out:
        out.write(layer.read(f"{name}/{name}"))
    os.chmod(out.name, 0o755)
os.remove(archive)
PYTHON
}

# What every recipe needs.
install_base() {
  packages "building" git=git curl=curl cc=gcc make=make python3=python3 openssl=openssl flock=util-linux pgrep=procps
  python3 -m pip --version >/dev/null 2>&1 || apt_pip
  pypi "$JUST_PACKAGE" "just (runs the recipes)"
  pypi "$KUBECTL_HELM_PACKAGE" "kubectl and helm"
  install_rust
}

install_rust() {
  local bin=${CARGO_HOME:-${HOME:-/root}/.cargo}/bin
  command -v cargo >/dev/null || export PATH=$PATH:$bin
  command -v cargo >/dev/null && return
  pypi "$RUSTUP_PACKAGE" "rustup"
  say "Installing the stable Rust toolchain with rustup (about 1 min)"
  "$(tool_dir "$RUSTUP_PACKAGE")/bin/rustup-init" -y --quiet --no-modify-path --profile minimal \
    --default-toolchain stable --component clippy --component rustfmt </dev/null ||
    die "rustup could not fetch Rust; install a stable toolchain (1.89 or newer) in your own way, so that cargo is on PATH"
}

apt_pip() {
  [[ $(id -u) == 0 ]] || die "pip is missing; run as root: apt-get install python3-pip"
  say "Installing the Debian package python3-pip (about 1 min)"
  apt_install python3-pip
}

# What the cluster of testbed/ needs.
install_testbed() {
  packages "the testbed" containerd=containerd runc=runc /usr/lib/cni/ptp=containernetworking-plugins \
    iptables=iptables nft=nftables conntrack=conntrack ip=iproute2 prometheus=prometheus
  pypi "$TRAEFIK_PACKAGE" "Traefik (the gateway)"
  go_is_new_enough || { pypi "$GO_PACKAGE" "Go (builds the Kubernetes components)"; tools_on_path; }
}

install_cargo_deny() {
  local root=$CACHE/tools/cargo-deny-$CARGO_DENY_VERSION
  [[ -x $root/bin/cargo-deny ]] && return 0
  say "Building cargo-deny $CARGO_DENY_VERSION (checks licences and sources; about 4 min on 2 cores, once)"
  # It runs for a second per check: not worth the minutes that its own release profile spends on optimising.
  CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
    CARGO_TARGET_DIR=$CACHE/build/cargo-deny cargo install --quiet --locked --root "$root" \
    --version "$CARGO_DENY_VERSION" cargo-deny </dev/null ||
    die "cargo-deny did not build (see above)"
  rm -rf "$CACHE/build/cargo-deny"
}
