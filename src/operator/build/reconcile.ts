import { type AbortOptions, type Logger, toCodedError } from '../../base/index.ts';
import { API_VERSION, type Build, type BuildRun } from '../../resources/index.ts';
import { buildRunType, buildType, FIELD_MANAGER } from '../resource-types.ts';
import { type Informer, type KubeClient, keyOf, type Reconcile } from '../runtime/index.ts';
import { sameStatus, writeStatus } from '../status.ts';
import { type BuildAction, decideBuild, runName } from './decide.ts';

/** Index of runs by the uid of the Build that owns them. */
export const BY_OWNER = 'owner';
export const ownerOf = ({ metadata }: BuildRun): string | undefined =>
  metadata.ownerReferences?.find(({ controller, kind }) => controller === true && kind === 'Build')?.uid;

export interface BuildReconcilerParts {
  readonly client: KubeClient;
  readonly builds: Informer<Build>;
  /** Indexed by {@link BY_OWNER}. */
  readonly runs: Informer<BuildRun>;
  readonly log: Logger;
}

/** Build → BuildRuns, and the Build's summary of the newest. */
export function buildReconciler(parts: BuildReconcilerParts): Reconcile {
  const { client, builds, runs, log } = parts;
  return async (key, { signal }) => {
    const build = builds.get(key);
    if (build === undefined || build.metadata.deletionTimestamp !== undefined) return undefined;
    const uid = build.metadata.uid as string;
    const decide = () => decideBuild({ build, runs: runs.byIndex(BY_OWNER, uid), now: Date.now() });
    const { actions, status: now } = decide();
    for (const action of actions) await carryOut(action, build, { signal });
    // With what was just made or deleted.
    const status = actions.length === 0 ? now : decide().status;
    if (!sameStatus(build.status, status))
      await writeStatus({ client, informer: builds }, buildType, build, status, { signal });
    return undefined;
  };

  async function carryOut(action: BuildAction, build: Build, { signal }: AbortOptions): Promise<void> {
    const write = { signal, fieldManager: FIELD_MANAGER };
    const fields = { build: keyOf(build) };
    switch (action.kind) {
      case 'create': {
        const run = newRun(build, action.number, action.hash);
        runs.wrote(await client.create(buildRunType, run, write));
        log.info('a run was made', { ...fields, run: run.metadata.name });
        return;
      }
      case 'supersede': {
        const cancel = { reason: 'Superseded', message: action.message };
        runs.wrote(await client.patch(buildRunType, action.run.metadata, { spec: { cancel } }, write));
        log.info('a run is superseded', { ...fields, run: action.run.metadata.name });
        return;
      }
      case 'delete': {
        const { uid, name } = action.run.metadata;
        await client.delete(buildRunType, action.run.metadata, { signal, uid }).catch((error: unknown) => {
          if (toCodedError(error).code !== 'not_found') throw error;
        });
        runs.gone(keyOf(action.run), uid);
        log.debug('an old run was deleted', { ...fields, run: name });
      }
    }
  }
}

export function newRun(build: Build, number: number, hash: string): BuildRun {
  const { name, namespace, uid } = build.metadata;
  return {
    apiVersion: API_VERSION,
    kind: 'BuildRun',
    metadata: {
      name: runName(name, number, hash),
      namespace,
      labels: { 'slipway.build/build': name.slice(0, 63).replace(/[-.]+$/, '') },
      ownerReferences: [{ apiVersion: API_VERSION, kind: 'Build', name, uid: uid as string, controller: true }],
    },
    spec: { buildRef: { name }, number, hash, buildSpec: build.spec },
  };
}
