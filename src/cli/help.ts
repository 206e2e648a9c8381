const GENERAL = `slipway: container builds as Kubernetes resources

Usage:
  slipway build -f build.yaml    build a Build manifest on this machine (or a named builder) and push its image
  slipway builderd [flags]       run the builder daemon (the same as buildkitd)
  slipway cache ls|inspect|prune look at caches in a registry, and delete those that are not worth their room
  slipway explain [NAME]         tell why steps of a build or run were run instead of taken from the cache
  slipway operator [flags]       run the operator of a cluster
  slipway logs|get|describe      look at Builds of a cluster, and at the logs of their runs (also: kubectl slipway …)
  slipway cancel|rerun NAME      end a run of a cluster, or have a Build run again
  slipway pool                   look at the builders of a cluster
  slipway stop                   end the private builder that 'build' started
  slipway version
  slipway help build|cache|explain|logs|operator
`;

const BUILD = `slipway build: build a Build manifest

Usage:
  slipway build -f build.yaml [flags]
  slipway build DIR --namespace NAMESPACE (-f build.yaml | -t IMAGE) [flags]

The second has a cluster build it: the Build is applied, its folder served to the builder, which asks for what has changed since the last time, and the log followed to the end. An interruption cancels the run.

Without --builder, a private builder is started (root is needed) or joined if it runs already; it has a registry of its own on loopback, named
slipway.localhost in manifests, where images go whose names have no registry host.

Flags:
  -f, --file FILE                the manifest; - reads standard input
  -t, --tag IMAGE                of a cluster, in the place of a manifest: the image that is built
  -n, --namespace NAMESPACE      of a cluster: where the Build is
      --kubeconfig FILE          of a cluster (default: $KUBECONFIG, ~/.kube/config)
      --context DIR              folder for a source of kind upload; NAME=DIR for a named context
      --secret id=ID,src=FILE    value of a build secret; or id=ID,env=NAME; one for each of spec.secrets
      --provenance[=PARAMETERS]  attach provenance: min, max (the default), key=value,…, or false for none, whatever the manifest says
      --sbom[=PARAMETERS]        attach an SBOM: generator=IMAGE and its parameters, or false for none
      --attest type=KIND[,…]     the same: type=provenance or type=sbom, with parameters
      --sign-key FILE            sign the image with this key, e.g. cosign.key; its password is in COSIGN_PASSWORD
      --cache-sign-key FILE      the key for sign of spec.cache.to[] and mounts; its password is in COSIGN_PASSWORD
      --cache-verify-key FILE    public keys for verify.secretRef of spec.cache.from[], to[] and mounts
      --sign-identity-token FILE sign it for the identity of this OIDC token; else, of spec.sign.keyless, it is in SIGSTORE_ID_TOKEN
      --fulcio-url URL           the Fulcio that certifies the identity
      --rekor-url URL            the transparency log of signatures
      --no-tlog                  no transparency log
      --builder ADDRESS          a running builder, e.g. unix:///run/buildkit/buildkitd.sock or tcp://host:1234
      --progress MODE            auto, plain, tty, rawjson or quiet (default auto)
      --no-cache                 run every step again
      --default-registry HOST    registry for image names without a host (default: slipway.localhost)
      --metadata-file FILE       write digest, names and figures of the build as JSON

Environment:
  SLIPWAY_ROOT                   state of the private builder (default /var/lib/slipway)
  DOCKER_CONFIG                  folder of the config.json with registry credentials (default ~/.docker)
`;

const OPERATOR = `slipway operator: watch a cluster's Builds and have them built

Usage:
  slipway operator [flags]

In a pod it uses the pod's account; elsewhere the kubeconfig. Of several only one leads, by a Lease.

Flags:
      --kubeconfig FILE          cluster and credentials (default: $KUBECONFIG, ~/.kube/config, the pod's account)
      --lease-namespace NS       where the Lease is (default: the pod's namespace, else slipway-system)
      --lease-duration TIME      after which a silent leader is followed by another (default 15s)
      --builder-grace TIME       how long a builder may be silent before its runs go elsewhere (default 20s)
      --metrics-addr ADDRESS     host:port of /healthz, /readyz and /metrics (default :8080)
      --default-registry HOST    registry for image names without a host (default: none; such names are refused)
      --pools FILE               BuilderPools (YAML) that the operator makes, and sets back to what the file says when it begins to lead
      --api-addr ADDRESS         host:port of the API that serves the logs of runs, behind the APIService v1alpha1.logs.slipway.build (default: none)
      --api-tls DIR              its certificate: tls.crt, tls.key and ca.crt, which the APIService is given; read again as they turn
      --certificates FILE        certificates (YAML) that the operator makes and renews, each in a Secret, with the authority slipway-ca of its own (default: none)
      --registry-cache FILE      cache (YAML, as spec.cache of a BuilderPool) of all runs whose pool has none of its own
      --kueue                    runs of Builds with the label kueue.x-k8s.io/queue-name wait until Kueue admits them
      --builders-namespace NS    where the builders of managed BuilderPools run as pods (default: none; it runs no builders)
      --builder-image IMAGE      their image, where a pool names none
      --builder-secret NAME      Secret of that namespace with the builders' ca.crt, tls.crt and tls.key (default slipway-builder-tls)
      --builder-client-secret N  Secret of the Lease's namespace with the operator's own towards them (default slipway-builder-client)
      --builder-server-name N    the name that the builders' certificate has (default slipway-builder)
      --log-retention TIME       how long the logs of runs are kept beside their images, e.g. 168h (default: no longer than their builders have them)
      --workers N                objects of each kind in work at once (default 8)
      --log-format FORMAT        json or text (default json)
      --log-level LEVEL          debug, info, warn or error (default info)
`;

const EXPLAIN = `slipway explain: tell why steps of a build were run instead of taken from the cache

Usage:
  slipway explain [NAME] [flags]

NAME is the ref of a build of this machine's private builder (or of --builder), else a BuildRun of the cluster, else a Build, whose newest run is told of.
Without one it is the builder's newest build.

Each step that ran is told with the first thing that is not as in the nearest earlier record of it: a file, a variable, the command, a base image, ….

Flags:
      --builder ADDRESS          the builder that built it (default: the private one); also --addr
      --run NAME                 a BuildRun and nothing else; the builder of its last attempt is asked
  -n, --namespace NAMESPACE      of the BuildRun or Build, which NAME then is (default: the kubeconfig's)
      --kubeconfig FILE          cluster and credentials (default: $KUBECONFIG, ~/.kube/config)
  -o, --output FORMAT            text or json (default text)
`;

const CACHE = `slipway cache: look at caches in a repository of a registry, BuildKit's too, and delete some

Usage:
  slipway cache ls REPOSITORY[:TAG] [flags]       tags with their records, layers, size and age
  slipway cache inspect REPOSITORY:TAG [flags]    records, the steps that they are of as far as those are named, layers and who shares them
  slipway cache prune REPOSITORY [flags]          delete caches; images are never deleted

Prune deletes whole caches; with --blobs also the blobs that no tag, index or referrer in the repository needs any more. Say that only while nobody writes to the
repository (who found such a blob there does not send it again), and where no image lies without a tag: a registry does not list it.

Flags:
  -o, --output FORMAT            table, json or yaml (default table)
      --insecure                 also plain HTTP and certificates that nobody vouches for
      --keep-last N              the newest N stay; the others go, unless the next two say which
      --older-than AGE           those whose newest result is older go, e.g. 7d or 36h
      --max-size SIZE            the oldest go until what is left is no larger, e.g. 20GB
      --blobs                    delete blobs that nothing needs any more; else they are left to the registry's collection
      --dry-run                  tell what would go

Environment:
  DOCKER_CONFIG                  folder of the config.json with registry credentials (default ~/.docker)
`;

const CLUSTER = `slipway logs, get, describe, cancel, rerun, pool: Builds of a cluster

Usage (kubectl slipway … is the same):
  slipway logs NAME [flags]      the log of a BuildRun, or of the newest run of a Build
  slipway get [BUILD] [flags]    Builds and how they are, or the runs of one
  slipway describe NAME [flags]  all that is known of a run: why it waits, what it made, why it failed
  slipway cancel NAME [flags]    end a BuildRun, or the newest run of a Build
  slipway rerun NAME [flags]     have a Build run again though nothing of it has changed
  slipway pool [list|describe NAME] [flags]
                                 BuilderPools and their builders
  slipway explain NAME [flags]   why its steps were run (slipway help explain)

NAME is a BuildRun, else a Build; run/NAME and build/NAME say which.

Flags of all:
  -n, --namespace NAMESPACE      (default: that of the context)
      --context NAME             of the kubeconfig (default: its current one)
      --kubeconfig FILE          cluster and credentials (default: $KUBECONFIG, ~/.kube/config)

Flags of logs:
  -f, --follow                   to the end of the run, with whose outcome the command ends: 0, 1 where the build failed, 3 where the platform did, 130 where it was cancelled
      --step STEP                of one step: its number, or a part of its name
      --since TIME               of the last 5m, 30s, …
      --tail N                   the last N lines
      --attempt N                of one attempt
      --timestamps               with the time of each line
      --progress MODE            auto, plain, tty or json (default auto: a tree on a terminal while a run is followed)

Flag of rerun:
  -f, --follow                   and follow the new run

Flags of get and pool:
  -o, --output FORMAT            table or json (default table)
`;

const TOPICS = new Map([
  ['build', BUILD],
  ['cache', CACHE],
  ['explain', EXPLAIN],
  ['operator', OPERATOR],
  ...['logs', 'get', 'describe', 'cancel', 'rerun', 'pool'].map((name) => [name, CLUSTER] as const),
]);

export function helpText(topic: string | undefined): string {
  return TOPICS.get(topic ?? '') ?? GENERAL;
}
