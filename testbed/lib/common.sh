# Words that every script of the testbed shares: where things lie, how to speak, how to lock. Sourced, not run.
# shellcheck shell=bash

TESTBED=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
CHECKOUT=$(dirname "$TESTBED")
CACHE=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/serin
# shellcheck source=testbed/versions
. "$TESTBED/versions"

say() { printf '%s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# The first characters of a hash of standard input: short, because the path of a unix socket may have 107 bytes.
short_hash() { sha256sum | cut -c1-"${1:-12}"; }

# Packages from PyPI are unpacked below a folder named by package and version, so an upgrade never meets old files.
tool_dir() { printf '%s/tools/%s' "$CACHE" "${1/==/-}"; }

kubectl_helm_dir() { printf '%s/unpacked' "$(tool_dir "$KUBECTL_HELM_PACKAGE")"; }

# Puts the tools of the cache in front of PATH: a user's own kubectl or just may be of any age.
tools_on_path() {
  PATH=$(tool_dir "$JUST_PACKAGE")/bin:$(tool_dir "$TRAEFIK_PACKAGE")/bin:$(kubectl_helm_dir):$PATH
  if [[ -d $(tool_dir "$GO_PACKAGE") ]] && ! go_is_new_enough; then PATH=$(tool_dir "$GO_PACKAGE")/go/bin:$PATH; fi
  PATH=$PATH:$CACHE/tools/cargo-deny-$CARGO_DENY_VERSION/bin:/usr/sbin:/sbin
  export PATH
}

# True if the Go on PATH can build the testbed's modules by itself.
go_is_new_enough() {
  local wanted found
  wanted=$(awk '$1 == "go" {print $2}' "$TESTBED/go.mod")
  found=$(GOTOOLCHAIN=local go version 2>/dev/null | awk '{sub("go", "", $3); print $3}')
  [[ -n $found && $(printf '%s\n%s\n' "$wanted" "$found" | sort -V | head -n 1) == "$wanted" ]]
}

# Takes the lock FILE on descriptor 9 until the shell ends. A holder that died has released it: the kernel sees to that.
# The file is checked after the lock was won, because the previous holder may have removed it.
lock() {
  local file=$1 why=$2 mine theirs
  mkdir -p "$(dirname "$file")"
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    exec 9>>"$file"
    if ! flock -n 9; then
      say "waiting for $why (lock $file, at most 40 minutes)"
      flock -w 2400 9 || die "$why did not end in 40 minutes; find it with: fuser -v $file"
    fi
    mine=$(stat -Lc %i /proc/self/fd/9 2>/dev/null || true)
    theirs=$(stat -c %i "$file" 2>/dev/null || true)
    [[ -n $mine && $mine == "$theirs" ]] && return 0
  done
  die "the lock $file changes hands all the time; run the command again"
}

# module FOLDER MODULE: where the files of a Go module lie that testbed/FOLDER/go.mod pins; fetched once.
module() (
  cd "$TESTBED/$1"
  export GOFLAGS='' GOWORK=off
  go mod download "$2" >&2 || die "cannot fetch the Go module $2; is the module proxy reachable?"
  go list -m -f '{{.Dir}}' "$2"
)
