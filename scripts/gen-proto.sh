#!/bin/sh
# Writes the wire/ modules from proto/: run after every change of a .proto file and commit the result. `gen-proto.sh ROOM` does one room.
set -eu
cd "$(dirname "$0")/.."

# generate OUT ROOT PROTO… : encode and decode only, no reflection. Types come from the commented form, the code itself is kept without comments.
# ROOT keeps the modules apart in protobufjs' table of roots.
generate() {
  out=$1
  root=$2
  shift 2
  mkdir -p "$(dirname "$out")"
  pbjs="sh scripts/with-node.sh node_modules/protobufjs-cli/bin/pbjs -t static-module -w esm --es6 -r $root --dependency protobufjs/minimal.js
    --no-create --no-verify --no-convert --no-delimited --no-typeurl --no-service -p proto"
  $pbjs -d -o "$out" "$@"
  $pbjs --no-comments -o "$out" "$@"
}

room=${1:-all}
if [ "$room" = all ] || [ "$room" = builder-api ]; then
  generate src/builder-api/wire/messages.js slipway-builder-api proto/control.proto proto/gateway.proto proto/filesync.proto \
    proto/secrets.proto proto/sshforward.proto proto/upload.proto proto/exporter.proto proto/policysession.proto proto/health.proto \
    proto/content.proto proto/trace.proto proto/builder.proto
  # What a session's worker thread needs, so that it starts fast.
  generate src/builder-api/wire/core.js slipway-core proto/status.proto proto/fsutil.proto
fi
