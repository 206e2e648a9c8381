import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { buildctl } from '../../e2e/support/paths.ts';
import { must } from '../../e2e/support/run.ts';
import type { BenchCluster } from './cluster.ts';

/** What is built: lines of a Dockerfile, and a file beside it. */
export interface Work {
  readonly name: string;
  readonly dockerfile: string;
  readonly word: string;
}

/** One way to have an image built on a cluster. Each resolves when the image is in the registry, and whoever asked for it knows. */
export interface Way {
  readonly name: string;
  run(work: Work): Promise<void>;
}

/** A Build, until it is Ready. */
export function byBuild(cluster: BenchCluster, cache: 'none' | 'shared' = 'none'): Way {
  const type = { group: 'slipway.build', version: 'v1alpha1', plural: 'builds', kind: 'Build' };
  return {
    name: 'a Build',
    run: async (work) => {
      const ref = { ref: `${cluster.registry}/cache:${work.name}`, insecure: true };
      await cluster.applied(type, {
        metadata: { name: `${work.name}-${randomUUID().slice(0, 8)}` },
        spec: {
          source: { inline: { files: { word: work.word } } },
          dockerfile: { inline: work.dockerfile },
          outputs: [{ image: `${cluster.registry}/out/${work.name}`, insecure: true }],
          ...(cache === 'none' ? {} : { cache: { from: [ref], to: [{ ...ref, mode: 'max' }] } }),
        },
      });
    },
  };
}

/** A Job whose pod starts `buildkitd`, builds by `buildctl` with its cache in the registry, and ends. */
export function byJob(cluster: BenchCluster): Way {
  const type = { group: 'batch', version: 'v1', plural: 'jobs', kind: 'Job' };
  return {
    name: 'a Job of buildkitd and buildctl',
    run: async (work) => {
      const name = `${work.name}-${randomUUID().slice(0, 8)}`;
      const container = {
        name: 'build',
        image: cluster.peerImage,
        imagePullPolicy: 'IfNotPresent',
        securityContext: { privileged: true },
        command: ['sh', '-c', jobScript(cluster, work)],
        env: [
          { name: 'DOCKERFILE', value: work.dockerfile },
          { name: 'WORD', value: work.word },
        ],
        volumeMounts: [{ name: 'state', mountPath: '/var/lib/buildkit' }],
      };
      await cluster.applied(type, {
        metadata: { name },
        spec: {
          backoffLimit: 0,
          ttlSecondsAfterFinished: 60,
          template: {
            spec: { restartPolicy: 'Never', containers: [container], volumes: [{ name: 'state', emptyDir: {} }] },
          },
        },
      });
    },
  };
}

function jobScript({ registry }: BenchCluster, { name }: Work): string {
  const cache = `type=registry,ref=${registry}/job-cache:${name}`;
  return `set -e
mkdir -p /w /tmp /run /etc/buildkit
printf '[registry."${registry}"]\\nhttp = true\\n' > /etc/buildkit/buildkitd.toml
printf %s "$DOCKERFILE" > /w/Dockerfile && printf %s "$WORD" > /w/word
buildkitd > /tmp/log 2>&1 &
until buildctl debug workers > /dev/null 2>&1; do sleep 0.05; done
buildctl build --progress=plain --frontend dockerfile.v0 --local context=/w --local dockerfile=/w \
  --output type=image,name=${registry}/out/${name},push=true,registry.insecure=true \
  --import-cache ${cache},registry.insecure=true --export-cache ${cache},mode=max,registry.insecure=true`;
}

/** buildctl on this machine, that drives the pool's builder directly. */
export function byBuildctl(cluster: BenchCluster, flags: readonly string[], folder: string): Way {
  return {
    name: 'buildctl on the same builder',
    run: async (work) => {
      writeFileSync(path.join(folder, 'Dockerfile'), work.dockerfile);
      writeFileSync(path.join(folder, 'word'), work.word);
      await must(buildctl, [
        ...flags,
        ...['build', '--progress=plain', '--frontend', 'dockerfile.v0'],
        ...['--local', `context=${folder}`, '--local', `dockerfile=${folder}`],
        ...['--output', `type=image,name=${cluster.registry}/out/${work.name},push=true,registry.insecure=true`],
      ]);
    },
  };
}
