#!/bin/sh
# Makes the wire/ modules from proto/; they are not committed. Where they are made already it takes milliseconds, so what runs code of a checkout calls this first. Any
# number at once: one makes them, the others wait for it, and a module is replaced whole. `gen-proto.sh NODE` uses that Node instead of the pinned one.
set -eu
cd "$(dirname "$0")/.."
wire=src/builder-api/wire
making=$wire/.making

# The stamp is what the modules are made from: protos, generator and how it is called.
from=$({ cat proto/*.proto scripts/gen-proto.sh; grep '"protobufjs' package.json; } | sha256sum)
made() {
  [ -f $wire/messages.js ] && [ -f $wire/messages.d.ts ] && [ -f $wire/core.js ] && [ -f $wire/core.d.ts ] || return 1
  [ "$(cat $wire/.made-from 2>/dev/null)" = "$from" ]
}
if made; then exit; fi
node=${1:-$(sh scripts/npm-packages.sh)}
pbjs=node_modules/protobufjs-cli/bin/pbjs
[ -f $pbjs ] || { echo "slipway: $wire must be made from proto/, and the generator is missing: run 'npm ci' in $PWD" >&2; exit 1; }

# generate MODULE ROOT PROTO… : encode and decode only, no reflection. Types come from the commented form, the code itself is kept without comments.
# ROOT keeps the modules apart in protobufjs' table of roots.
generate() {
  module=$1
  root=$2
  shift 2
  for form in --dts --no-comments; do
    "$node" $pbjs -t static-module -w esm --es6 -r "$root" --dependency protobufjs/minimal.js --no-create --no-verify --no-convert \
      --no-delimited --no-typeurl --no-service -p proto -o "$making/$module" $form "$@"
  done
}

exec 9<proto
flock 9
if made; then exit; fi
rm -rf $making
mkdir -p $making
generate messages.js slipway-builder-api proto/control.proto proto/gateway.proto proto/filesync.proto \
  proto/secrets.proto proto/sshforward.proto proto/upload.proto proto/exporter.proto proto/policysession.proto proto/health.proto \
  proto/content.proto proto/trace.proto proto/builder.proto proto/explain.proto
# What a session's worker thread needs, so that it starts fast.
generate core.js slipway-core proto/status.proto proto/fsutil.proto
rm -f $wire/.made-from
mv -f $making/* $wire/
rmdir $making
echo "$from" >$wire/.made-from
