import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Certificate } from '../certificates.ts';
import type { Addresses } from './addresses.ts';
import { DOMAIN } from './name-server.ts';

/** Name of the node. */
export const NODE = 'node';
/** What holds the namespaces of a pod; brought in before any pod starts. */
export const PAUSE = 'localhost/pause:1';

export interface NodeFiles {
  readonly containerd: string;
  readonly containerdSocket: string;
  readonly kubelet: string;
  readonly proxy: string;
}

/** Writes the configuration of all that runs on the node below `folder`. `registry` is pulled from without TLS. */
export function writeConfiguration(
  folder: string,
  { name, node, pods }: Addresses,
  given: {
    readonly registry: string;
    readonly clientCa: string;
    readonly serving: Certificate;
    readonly proxyKubeconfig: string;
  },
): NodeFiles {
  const write = (file: string, content: string | object): string => {
    const at = path.join(folder, file);
    mkdirSync(path.dirname(at), { recursive: true });
    writeFileSync(at, typeof content === 'string' ? content : JSON.stringify(content, undefined, 1));
    return at;
  };
  const containerdSocket = path.join(folder, 'containerd.sock');
  const registry = `http://${given.registry}`;
  write(
    `registries/${given.registry}/hosts.toml`,
    `server = "${registry}"\n[host."${registry}"]\ncapabilities = ["pull", "resolve"]\n`,
  );
  write('cni/bridge.conflist', {
    cniVersion: '0.4.0',
    name: 'pods',
    plugins: [
      {
        type: 'bridge',
        bridge: 'pods',
        isGateway: true,
        hairpinMode: true,
        ipam: {
          type: 'host-local',
          dataDir: '/run/cni',
          ranges: [[{ subnet: pods }]],
          routes: [{ dst: '0.0.0.0/0' }],
        },
      },
      { type: 'portmap', capabilities: { portMappings: true } },
    ],
  });
  const containerd = `version = 2
root = "${folder}/containerd"
state = "/run/containerd"
oom_score = 0
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.tracing.processor.v1.otlp", ${[
    'aufs',
    'btrfs',
    'devmapper',
    'zfs',
  ]
    .map((one) => `"io.containerd.snapshotter.v1.${one}"`)
    .join(', ')}]
[grpc]
address = "${containerdSocket}"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "${PAUSE}"
# This machine may not let anybody lower it.
restrict_oom_score_adj = true
stream_server_address = "127.0.0.1"
stream_server_port = "0"
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "${folder}/cni"
[plugins."io.containerd.grpc.v1.cri".registry]
config_path = "${folder}/registries"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false
`;
  const kubelet = {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    address: node,
    healthzBindAddress: '127.0.0.1',
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: given.clientCa },
    },
    authorization: { mode: 'Webhook' },
    tlsCertFile: given.serving.cert,
    tlsPrivateKeyFile: given.serving.key,
    containerRuntimeEndpoint: `unix://${containerdSocket}`,
    clusterDomain: DOMAIN,
    clusterDNS: [node],
    resolvConf: write('resolv.conf', ''),
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/${name}`,
    enforceNodeAllocatable: ['pods'],
    failCgroupV1: false,
    failSwapOn: false,
    oomScoreAdj: 0,
    serializeImagePulls: false,
    // Neither the machine's memory nor its disk are this cluster's: it must not evict for what others use.
    evictionHard: {
      'memory.available': '0%',
      'nodefs.available': '0%',
      'nodefs.inodesFree': '0%',
      'imagefs.available': '0%',
    },
    imageGCHighThresholdPercent: 100,
    registryPullQPS: 0,
    eventRecordQPS: 0,
  };
  const proxy = {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    mode: 'iptables',
    bindAddress: node,
    healthzBindAddress: '127.0.0.1:10256',
    metricsBindAddress: '127.0.0.1:10249',
    clientConnection: { kubeconfig: given.proxyKubeconfig },
    clusterCIDR: pods,
    hostnameOverride: NODE,
    oomScoreAdj: 0,
    // Rules of services change at once, not at the next of some interval.
    iptables: { minSyncPeriod: '0s', syncPeriod: '30s' },
    // Settings of the kernel that are not a namespace's own.
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
  };
  return {
    containerd: write('containerd.toml', containerd),
    containerdSocket,
    kubelet: write('kubelet.json', kubelet),
    proxy: write('proxy.json', proxy),
  };
}
