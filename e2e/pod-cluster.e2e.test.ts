import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBuilder } from './support/builder.ts';
import { BASE, building, makeContext } from './support/context.ts';
import { openPodCluster, type PodCluster } from './support/pod-cluster.ts';
import { copyProgram } from './support/program.ts';
import { must } from './support/run.ts';
import { tempFolder } from './support/temp-folder.ts';

const NAMESPACE = 'slipway-e2e-pods';

/** What a privileged pod does: a step of a build as the engine runs it, with a file system of layers in a container. */
const STEP = `set -eu
cd /scratch
mkdir -p lower/bin upper work bundle/rootfs
cp /bin/busybox lower/bin/sh
mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work bundle/rootfs
cd bundle
runc spec
sed -i -e 's/"terminal": true/"terminal": false/' -e 's/"readonly": true/"readonly": false/' -e 's|"sh"|"sh", "-c", "echo made by a step > /made"|' config.json
runc --root /scratch/runc run step
cat /scratch/upper/made
`;

/** The cluster that other tests stand on does what they ask of one, and leaves this machine as it was. */
describe('a cluster that runs pods', () => {
  const work = tempFolder('pods');
  let cluster: PodCluster;
  let shell: string;

  beforeAll(async () => {
    cluster = await openPodCluster(work.path);
    shell = `${cluster.registry}/shell:1`;
    const context = makeContext(path.join(work.path, 'shell'), { Dockerfile: `${BASE}COPY root /\n` });
    for (const program of ['runc']) await copyProgram(program, path.join(context, 'root'));
    await using builder = await startBuilder(work.path);
    const output = `type=image,name=${shell},push=true,registry.insecure=true`;
    await building(() => builder).succeeds(context, ['--output', output]);
    await cluster.must(['create', 'namespace', NAMESPACE]);
    await cluster.must(['label', 'namespace', NAMESPACE, 'pod-security.kubernetes.io/enforce=privileged']);
  });
  afterAll(async () => {
    // One of our own has ended by now, or ends with all that is in it.
    if (cluster !== undefined && cluster.ownName === undefined)
      await cluster.kubectl(['delete', 'namespace', NAMESPACE, '--ignore-not-found', '--wait=false']);
    await cluster?.[Symbol.asyncDispose]();
    work[Symbol.dispose]();
  });

  const apply = async (...objects: object[]) => {
    const list = { apiVersion: 'v1', kind: 'List', items: objects };
    const ran = await cluster.kubectl(['apply', '-n', NAMESPACE, '-f', '-'], { input: JSON.stringify(list) });
    expect(ran.code, ran.output).toBe(0);
  };
  const container = (script: string, more: object = {}) => ({
    name: 'main',
    image: shell,
    command: ['sh', '-c', script],
    ...more,
  });
  const pod = (name: string, spec: object) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: { restartPolicy: 'Never', ...spec },
  });
  /** What a pod that must succeed has printed. */
  const outputOf = async (name: string): Promise<string> => {
    const ended = [
      'wait',
      '-n',
      NAMESPACE,
      '--for=jsonpath={.status.phase}=Succeeded',
      '--timeout=240s',
      `pod/${name}`,
    ];
    const ran = await cluster.kubectl(ended);
    const { output } = await cluster.kubectl(['logs', '-n', NAMESPACE, name]);
    if (ran.code !== 0)
      throw new Error(`${output}\n${(await cluster.kubectl(['describe', 'pod', '-n', NAMESPACE, name])).output}`);
    return output;
  };

  test('a privileged pod mounts layers and runs a container on them', async () => {
    await apply(
      pod('step', {
        containers: [
          container(STEP, {
            securityContext: { privileged: true },
            volumeMounts: [{ name: 'scratch', mountPath: '/scratch' }],
          }),
        ],
        volumes: [{ name: 'scratch', emptyDir: {} }],
      }),
    );
    expect(await outputOf('step')).toBe('made by a step\n');
  });

  test('a service answers for its deployment, by its address and by its name', async () => {
    const labels = { app: 'web' };
    await apply(
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'web' },
        spec: {
          replicas: 2,
          selector: { matchLabels: labels },
          template: {
            metadata: { labels },
            spec: {
              terminationGracePeriodSeconds: 1,
              containers: [
                container('mkdir /www; echo served > /www/index.html; exec httpd -f -p 8080 -h /www', {
                  readinessProbe: { httpGet: { path: '/', port: 8080 }, periodSeconds: 1 },
                }),
              ],
            },
          },
        },
      },
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'web' },
        spec: { selector: labels, ports: [{ port: 80, targetPort: 8080 }] },
      },
    );
    await cluster.must(['rollout', 'status', '-n', NAMESPACE, 'deployment/web', '--timeout=240s']);
    // Rules of the node's follow the endpoints a moment later.
    const ask = (host: string) => `until wget -q -O - http://${host}/; do sleep 0.2; done`;
    await apply(
      pod('ask', {
        containers: [
          container(`${ask('$WEB_SERVICE_HOST')}; ${ask('web')}; ${ask(`web.${NAMESPACE}.svc.cluster.local`)}`),
        ],
      }),
    );
    expect(await outputOf('ask')).toBe('served\nserved\nserved\n');
  });

  test('its end leaves nothing on this machine', async () => {
    const { ownName } = cluster;
    if (ownName === undefined) return;
    await cluster[Symbol.asyncDispose]();
    const { stdout: links } = await must('ip', ['-o', 'link']);
    expect(links).not.toContain(ownName);
    expect((await must('ip', ['route'])).stdout).not.toContain(cluster.registry.split(':')[0]);
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(work.path);
    // What entered the namespaces for each of their programs ends a moment after it.
    await expect.poll(() => commandsWith(work.path)).toEqual([]);
    const trees = ['', ...readdirSync('/sys/fs/cgroup')].map((tree) => path.join('/sys/fs/cgroup', tree, ownName));
    expect(trees.filter((tree) => existsSync(tree))).toEqual([]);
  });
});

function commandsWith(text: string): string[] {
  const found: string[] = [];
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      if (command.includes(text)) found.push(command);
    } catch {
      // ended meanwhile
    }
  }
  return found;
}
