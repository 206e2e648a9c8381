#!/bin/sh
# Writes golden/: what a real buildkitd (v0.34.2) makes of each corpus/NAME, as the answer to its convertllb request, and for entries
# with a file `build` the image config of a real build. Needs buildkitd and buildctl (argument 1: their folder), docker-registry,
# skopeo, busybox-static, and root. images/ gets the configs and digests of the base images, which it builds and pushes itself.
set -eu
tools=$1
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'kill $(cat "$work"/*.pid) 2>/dev/null || true; sleep 2; rm -rf "$work"' EXIT
mkdir "$work/registry" "$work/context" "$work/files"
printf 'version: 0.1\nstorage: {filesystem: {rootdirectory: %s/registry}}\nhttp: {addr: "127.0.0.1:5955"}\n' "$work" >"$work/registry.yml"
printf '[registry."localhost:5955"]\n  http = true\n' >"$work/buildkitd.toml"
docker-registry serve "$work/registry.yml" >"$work/registry.log" 2>&1 & echo $! >"$work/registry.pid"
"$tools/buildkitd" --root "$work/root" --addr "unix://$work/sock" --oci-worker-snapshotter=native --oci-worker-net=host \
  --config "$work/buildkitd.toml" --allow-insecure-entitlement security.insecure --allow-insecure-entitlement network.host \
  >"$work/buildkitd.log" 2>&1 & echo $! >"$work/buildkitd.pid"
buildctl() { "$tools/buildctl" --addr "unix://$work/sock" "$@"; }
for _ in 1 2 3 4 5 6 7 8 9 10; do buildctl debug workers >/dev/null 2>&1 && break; sleep 1; done

cp /bin/busybox "$work/context/busybox"
for image in base onbuild; do
  cp "$here/$image.dockerfile" "$work/context/Dockerfile"
  buildctl build --progress=quiet --frontend dockerfile.v0 --local context="$work/context" --local dockerfile="$work/context" \
    --opt build-arg:SOURCE_DATE_EPOCH=1700000000 --output "type=image,name=localhost:5955/$image:1,push=true" >/dev/null
  skopeo inspect --tls-verify=false --config --raw "docker://localhost:5955/$image:1" >"$here/images/$image.config.json"
  skopeo inspect --tls-verify=false --format '{{.Digest}}' "docker://localhost:5955/$image:1" >"$here/images/$image.digest"
done

for entry in "$here"/corpus/*/; do
  name=$(basename "$entry")
  set --
  if [ -f "$entry/options" ]; then while IFS= read -r line; do set -- "$@" --opt "$line"; done <"$entry/options"; fi
  run() { buildctl build --frontend dockerfile.v0 --local context="$entry" --local dockerfile="$entry" --local fileslocal="$work/files" "$@"; }
  if ! run "$@" --opt requestid=frontend.convertllb --progress=quiet >"$work/out" 2>"$work/err"; then
    echo "$name failed:"; tail -3 "$work/err"; continue
  fi
  sed -n '/^{/,$p' "$work/out" >"$here/golden/$name.json"
  if [ -f "$entry/build" ]; then
    mkdir -p "$work/oci"
    run "$@" --progress=quiet --output "type=oci,tar=false,dest=$work/oci/$name" >/dev/null
    skopeo inspect --config --raw "oci:$work/oci/$name" >"$here/golden/$name.config.json" 2>/dev/null || true
  fi
done

# errors.json: the message of each file of errors.in.json. lint.json: the findings of each file of lint.in.json.
python3 - "$tools" "$work" "$here" <<'PY'
import json, os, re, subprocess, sys
tools, work, here = sys.argv[1:]
def buildctl(text, *more):
    os.makedirs(f"{work}/one", exist_ok=True)
    with open(f"{work}/one/Dockerfile", "w") as f: f.write(text)
    return subprocess.run([f"{tools}/buildctl", "--addr", f"unix://{work}/sock", "build", "--progress=quiet", "--frontend", "dockerfile.v0",
        "--local", f"context={work}/one", "--local", f"dockerfile={work}/one", *more], capture_output=True, text=True)
errors = []
for text in json.load(open(f"{here}/errors.in.json")):
    err = buildctl(text, "--opt", "requestid=frontend.convertllb").stderr
    line = [l for l in err.splitlines() if l.startswith("error: ")]
    errors.append({"dockerfile": text, "message": line[-1].removeprefix("error: failed to solve: ") if line else None})
json.dump(errors, open(f"{here}/golden/errors.json", "w"), indent=1, ensure_ascii=False)
lint = []
for name, text in json.load(open(f"{here}/lint.in.json")).items():
    out = buildctl(text, "--opt", "requestid=frontend.lint").stdout
    found = re.findall(r"WARNING: (\w+)(?: - \S+)?\n(.*)\n(?:Dockerfile:(\d+))?", out)
    lint.append({"name": name, "dockerfile": text, "findings": sorted([int(line or 0), rule, detail] for rule, detail, line in found)})
json.dump(lint, open(f"{here}/golden/lint.json", "w"), indent=1, ensure_ascii=False)
PY
ls "$here/golden"
