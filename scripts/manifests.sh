#!/bin/sh
# Prints what the chart installs, as manifests for those who have no Helm: sh scripts/manifests.sh [HELM FLAG...] > slipway.yaml
# Without a cluster there are no certificates to keep, so they are Secrets that must be there (docs/install.md), unless the flags say otherwise.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
helm=${SLIPWAY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/slipway}/tools/helm
[ -x "$helm" ] || helm=helm
printf 'apiVersion: v1\nkind: Namespace\nmetadata:\n  name: slipway-system\n  labels: { pod-security.kubernetes.io/enforce: restricted }\n'
exec "$helm" template slipway "$root/charts/slipway" --namespace slipway-system --no-hooks \
  --set certificates.existing.builderSecret=slipway-builder-tls,certificates.existing.clientSecret=slipway-builder-client,logs.tlsSecret=slipway-api-tls "$@"
