import { CodedError, proxySettings, toCodedError } from '../../base/index.ts';
import { Cluster } from '../../operator/index.ts';
import type { CliIo } from '../io.ts';
import type { ClusterActCommand, ClusterCommand } from './command.ts';
import { describeRun } from './describe.ts';
import { readKubeConfig } from './kube-config.ts';
import { showLogs } from './logs.ts';
import { newRun } from './runs.ts';
import { listBuilds, listPools, listRuns } from './tables.ts';

const FOLLOW = { step: undefined, sinceSeconds: undefined, tail: undefined, timestamps: false, attempt: undefined };

/** What `kubectl slipway` does. @throws CodedError */
export async function runClusterCommand(command: ClusterCommand, io: CliIo): Promise<void> {
  try {
    await act(command, io);
  } catch (error) {
    const { code, message, reason } = toCodedError(error);
    // The operator's own calls are the platform's to answer for; these are the user's.
    if (reason !== 'KUBE_REFUSED' || code === 'unavailable') throw error;
    throw new CodedError(code, message, { cause: error, fault: 'user' });
  }
}

async function act(command: ClusterCommand, io: CliIo): Promise<void> {
  const { config, namespace } = readKubeConfig(command.cluster);
  using cluster = new Cluster({ config, namespace, proxies: proxySettings(io.env) });
  switch (command.kind) {
    case 'logs':
      await showLogs(cluster, await cluster.run(command.named.name, command.named.of, io), command, io);
      return;
    case 'get': {
      if (command.build === undefined) return io.stdout.write(listBuilds(await cluster.builds(io), command.output));
      const build = await cluster.build(command.build, 'build', io);
      return io.stdout.write(listRuns(await cluster.runs(build.metadata.name, io), command.output));
    }
    case 'pool': {
      const { pool, output } = command;
      const pools = (await cluster.pools(io)).filter(({ metadata }) => pool === undefined || metadata.name === pool);
      if (pool !== undefined && pools.length === 0)
        throw new CodedError('not_found', `there is no BuilderPool ${pool}`, { fault: 'user' });
      return io.stdout.write(listPools(pools, output));
    }
    case 'describe':
      return io.stdout.write(describeRun(await cluster.run(command.named.name, command.named.of, io)));
    case 'cancel': {
      const run = await cluster.run(command.named.name, command.named.of, io);
      const ended = await cluster.cancel(run, 'cancelled by kubectl slipway cancel', io);
      const { name } = run.metadata;
      return io.stdout.write(ended ? `${name} is being cancelled\n` : `${name} is over: ${run.status?.phase}\n`);
    }
    case 'rerun':
      await rerun(cluster, command, io);
  }
}

async function rerun(cluster: Cluster, { named, follow }: ClusterActCommand, io: CliIo): Promise<void> {
  const build = await cluster.build(named.name, named.of, io);
  await cluster.rerun(build, io);
  io.stdout.write(`${build.metadata.name} runs again\n`);
  if (!follow) return;
  const run = await newRun(cluster, build.metadata.name, build.status?.lastRun?.number ?? 0, io);
  await showLogs(cluster, run, { ...FOLLOW, follow: true, progress: 'auto' }, io);
}
