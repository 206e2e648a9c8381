#!/bin/sh
# Runs the project's own pinned Node (node-linux-<arch> from npm) with the given arguments; fails clearly where it is not installed.
root=$(cd "$(dirname "$0")/.." && pwd)
case $(uname -m) in x86_64) arch=x64 ;; aarch64) arch=arm64 ;; *) arch=$(uname -m) ;; esac
node=$root/node_modules/node-linux-$arch/bin/node
[ -x "$node" ] || { echo "slipway: the pinned Node is missing ($node): run 'npm ci' first" >&2; exit 1; }
exec "$node" "$@"
