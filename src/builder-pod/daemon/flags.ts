import { parseArgs } from 'node:util';
import { invalidArgument } from '../../base/index.ts';

const text = { type: 'string' } as const;
const many = { type: 'string', multiple: true } as const;
const flag = { type: 'boolean' } as const;

/** buildkitd's flags, and a few of ours. What is done with each stands in docs/buildkitd.md. */
export const FLAGS = {
  config: text,
  addr: many,
  root: text,
  debug: flag,
  trace: flag,
  'log-format': text,
  'log-level': text,
  group: text,
  debugaddr: text,
  tlscert: text,
  tlskey: text,
  tlscacert: text,
  'allow-insecure-entitlement': many,
  'proxy-network': flag,
  'otel-socket-path': text,
  'cdi-disabled': flag,
  'cdi-spec-dir': many,
  'save-cache-debug': flag,
  rootless: flag,
  'oci-worker': text,
  'oci-worker-labels': many,
  'oci-worker-platform': many,
  'oci-worker-snapshotter': text,
  'oci-worker-binary': text,
  'oci-worker-net': text,
  'oci-worker-no-process-sandbox': flag,
  'oci-worker-rootless': text,
  'oci-worker-gc': text,
  'oci-worker-gc-keepstorage': text,
  'oci-worker-gc-reserved-space': text,
  'oci-worker-gc-max-used-space': text,
  'oci-worker-gc-min-free-space': text,
  'oci-worker-proxy-snapshotter-path': text,
  'oci-worker-selinux': text,
  'oci-worker-apparmor-profile': text,
  'oci-max-parallelism': text,
  'oci-cni-config-path': text,
  'oci-cni-binary-dir': text,
  'oci-cni-pool-size': text,
  'containerd-worker': text,
  'containerd-worker-addr': text,
  'containerd-worker-labels': many,
  'containerd-worker-platform': many,
  'containerd-worker-namespace': text,
  'containerd-worker-snapshotter': text,
  'containerd-worker-net': text,
  'containerd-worker-rootless': text,
  'containerd-worker-gc': text,
  'containerd-worker-gc-keepstorage': text,
  // Ours.
  'embedded-registry': text,
  'idle-timeout': text,
  'max-runs': text,
  'max-unpacked-bytes': text,
  'max-unpacked-entries': text,
  'max-context-bytes': text,
  'unattached-timeout': text,
  'session-grace': text,
  'drain-timeout': text,
  'metrics-addr': text,
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' },
} as const;

export type Flags = ReturnType<typeof parseFlags>;

/** @throws CodedError invalid_argument naming the flag */
export function parseFlags(args: readonly string[]) {
  try {
    // Go's flags take `--name=true` for booleans, and `-name` like `--name`.
    const normal = args.map((arg) => arg.replace(/^-(?=[a-z]{2})/, '--').replace(/^(--[a-z-]+)=true$/, booleanOf));
    return parseArgs({ args: normal, options: FLAGS, strict: true, allowPositionals: false }).values;
  } catch (error) {
    throw invalidArgument((error as Error).message, {
      cause: error,
      hint: 'run buildkitd --help for the flags there are',
    });
  }
}

function booleanOf(match: string, name: string): string {
  const option = FLAGS[name.slice(2) as keyof typeof FLAGS];
  return option?.type === 'boolean' ? name : match;
}

export const USAGE = `buildkitd: the Slipway builder daemon, for BuildKit's clients

  --addr ADDRESS              listen on unix:///path or tcp://host:port; repeatable
  --root DIRECTORY            state directory (default /var/lib/buildkit)
  --config FILE               buildkitd.toml (default /etc/buildkit/buildkitd.toml, if it is there)
  --group GROUP               group (name or id) that may use the unix socket
  --tlscert, --tlskey FILE    certificate and key for tcp addresses
  --tlscacert FILE            clients must show a certificate of this CA
  --allow-insecure-entitlement network.host|security.insecure
                              what builds may ask for; repeatable
  --debug, --log-level LEVEL, --log-format text|json
  --oci-worker-platform P     platforms to offer, e.g. linux/amd64; repeatable
  --oci-worker-labels K=V     labels of the worker; repeatable
  --oci-worker-gc=false       no garbage collection
  --oci-max-parallelism N     steps that run at once (default: no limit)
  --embedded-registry HOST:PORT
                              serve a registry below the root; port 0 picks one, see registry-address there
  --max-runs N                solves of an operator at once (default: half as many again as processors); Start of more is refused
  --max-unpacked-bytes SIZE   what one layer or archive may grow to when it is unpacked (default 32GiB)
  --max-unpacked-entries N    how many entries one may have (default 2000000)
  --max-context-bytes SIZE    what the files of one directory that a client sends may come to (default: no limit but the disk)
  --unattached-timeout DURATION
                              end an operator's solve after so long with nobody attached (default 5m)
  --session-grace DURATION    wait so long for the session of an operator's solve to come back (default 2m)
  --drain-timeout DURATION    on SIGTERM take no new builds, and let those under way go on for so long (default 0: they end at once)
  --metrics-addr HOST:PORT    serve /metrics for Prometheus, /healthz, and /readyz while new builds are taken
  --idle-timeout DURATION     end after so long without a build or client, e.g. 15m
`;
