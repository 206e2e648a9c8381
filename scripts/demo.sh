#!/bin/sh
# The main job with nothing but this machine: sets up, builds a base image from Debian packages, then examples/hello, and runs it.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
sh scripts/setup.sh demo
exec sh scripts/with-node.sh scripts/demo.ts "$@"
