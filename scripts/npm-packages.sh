#!/bin/sh
# Installs the npm packages where they are missing or older than the lock file, and prints the path of the Node that is pinned among them (node-linux-<arch>).
set -eu
cd "$(dirname "$0")/.."
case $(uname -m) in x86_64) arch=x64 ;; aarch64) arch=arm64 ;; *) arch=$(uname -m) ;; esac
node=node_modules/node-linux-$arch/bin/node
# What we installed has the lock file beside it; what somebody installed by hand has npm's own mark.
stamp=node_modules/.slipway-lock
current() {
  [ -x "$node" ] || return 1
  if [ -f $stamp ]; then cmp -s package-lock.json $stamp; else [ ! package-lock.json -nt node_modules/.package-lock.json ]; fi
}
if ! current; then
  exec 9<package-lock.json
  flock 9
  if ! current; then
    echo "slipway: installing npm packages" >&2
    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2 || { echo "slipway: npm ci failed: is there network?" >&2; exit 1; }
    cp package-lock.json $stamp
    [ -x "$node" ] || { echo "slipway: no Node for $arch comes with the npm packages ($PWD/$node)" >&2; exit 1; }
  fi
fi
echo "$PWD/$node"
