#!/bin/sh
# All tests on a machine that has nothing yet but npm: sets up, then runs every layer. Last line: `N passed, N failed`.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
if ! sh scripts/setup.sh tests; then
  echo "0 passed, 1 failed"
  exit 1
fi
exec sh scripts/with-node.sh scripts/test.ts "$@"
