#!/bin/sh
# Runs the project's own pinned Node (from npm) with the given arguments, in a checkout that is ready for it: packages installed, wire code made.
set -eu
scripts=$(dirname "$0")
node=$(sh "$scripts/npm-packages.sh")
sh "$scripts/gen-proto.sh" "$node"
exec "$node" "$@"
