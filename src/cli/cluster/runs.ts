import { CodedError, sleep } from '../../base/index.ts';
import type { Cluster } from '../../operator/index.ts';
import { type BuildRun, isOver, PAUSED_ANNOTATION } from '../../resources/index.ts';
import type { CliIo } from '../io.ts';

const LOOK_MS = 500;

/** The run that follows one of this number, once the operator has made it. */
export async function newRun(cluster: Cluster, build: string, after: number, io: CliIo): Promise<BuildRun> {
  for (;;) {
    const { status, spec, metadata } = await cluster.build(build, 'build', io);
    const { lastRun } = status ?? {};
    if (lastRun !== undefined && lastRun.number > after) return await cluster.run(lastRun.name, 'run', io);
    const paused = metadata.annotations?.[PAUSED_ANNOTATION] === 'true';
    if (spec.suspend === true || paused)
      throw new CodedError(
        'failed_precondition',
        `the Build ${build} is ${paused ? `paused by its annotation ${PAUSED_ANNOTATION}` : 'suspended'}: it does not run`,
        { fault: 'user' },
      );
    await sleep(LOOK_MS, io);
  }
}

/** The run as it is once it is over. */
export async function ended(cluster: Cluster, name: string, io: CliIo): Promise<BuildRun> {
  for (;;) {
    const run = await cluster.run(name, 'run', io);
    if (isOver(run.status?.phase)) return run;
    await sleep(LOOK_MS, io);
  }
}
