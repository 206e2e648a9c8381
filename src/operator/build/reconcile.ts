import { type AbortOptions, CodedError, type Logger, toCodedError } from '../../base/index.ts';
import { API_VERSION, type Build, type BuildRun, buildHash } from '../../resources/index.ts';
import type { Fault } from '../conditions.ts';
import { type KnownBuild, type KnownRun, knownBuildType, knownRunType, QUEUE_NAME_LABEL } from '../known.ts';
import { buildType, FIELD_MANAGER } from '../resource-types.ts';
import { type Informer, type KeyText, type KubeClient, keyOf, plainTexts, type Reconcile } from '../runtime/index.ts';
import { isRefused, sameStatus, writeStatus } from '../status.ts';
import { type BuildAction, decideBuild, runName, shortName } from './decide.ts';

/** Index of runs by the Build that owns them. */
export const BY_OWNER = 'owner';
/** Of the Build that a run says it is of, and that controls it: one alone would let a run be slipped to somebody else's Build. */
export function ownerOf({ metadata, spec }: KnownRun): string | undefined {
  const owner = metadata.ownerReferences?.find(
    ({ apiVersion, controller, kind }) =>
      controller === true && kind === 'Build' && apiVersion.split('/')[0] === API_VERSION.split('/')[0],
  );
  if (owner === undefined || owner.name !== spec.buildRef.name) return undefined;
  return ownerIndex(metadata.namespace, owner);
}

const ownerIndex = (
  namespace: string | undefined,
  { name, uid }: { readonly name: string; readonly uid?: string | undefined },
): string => `${namespace}/${name}/${uid}`;

interface BuildReconcilerParts {
  readonly client: KubeClient;
  readonly builds: Informer<KnownBuild>;
  /** Indexed by {@link BY_OWNER}. */
  readonly runs: Informer<KnownRun>;
  /** What keeps a Build or a run from coming on. */
  readonly troubleOf: (kind: 'build' | 'buildrun', key: KeyText) => Fault | undefined;
  readonly log: Logger;
}

/** Build → BuildRuns, and the Build's summary of the newest. */
export function buildReconciler(parts: BuildReconcilerParts): Reconcile {
  const { client, builds, runs, log, troubleOf } = parts;
  return async (key, { signal }) => {
    const build = builds.get(key);
    if (build === undefined || build.metadata.deletionTimestamp !== undefined) return undefined;
    const decide = (trouble?: Fault) => {
      const owned = runs
        .byIndex(BY_OWNER, ownerIndex(build.metadata.namespace, build.metadata))
        .filter(({ metadata }) => metadata.deletionTimestamp === undefined);
      const troubled = owned.map((run) => troubleOf('buildrun', keyOf(run))).findLast((one) => one !== undefined);
      return decideBuild({ build, runs: owned, now: client.now(), trouble: trouble ?? troubled });
    };
    let { actions, status } = decide();
    let refused: unknown;
    try {
      for (const action of actions) await carryOut(action, build, { signal });
      // With what was just made or deleted.
      if (actions.length > 0) ({ status } = decide());
    } catch (error) {
      // What fails again and again is told as well.
      if (!isRefused(error) && troubleOf('build', key) === undefined) throw error;
      refused = error;
      ({ status } = decide({ reason: 'RunRefused', message: toCodedError(error).message }));
    }
    status = plainTexts(status);
    if (!sameStatus(build.status, status))
      await writeStatus({ client, informer: builds }, knownBuildType, build, status, { signal });
    if (refused !== undefined) throw refused;
    return undefined;
  };

  async function carryOut(action: BuildAction, build: KnownBuild, { signal }: AbortOptions): Promise<void> {
    const write = { signal, fieldManager: FIELD_MANAGER };
    const fields = { build: keyOf(build) };
    switch (action.kind) {
      case 'create': {
        const whole = await client.get(buildType, build.metadata, { signal });
        if (whole.metadata.uid !== build.metadata.uid || buildHash(whole) !== action.hash)
          throw new CodedError('aborted', 'the Build is another by now');
        const run = newRun(whole, action.number, action.hash);
        runs.wrote(await client.create(knownRunType, run, write));
        log.info('a run was made', { ...fields, run: run.metadata.name });
        return;
      }
      case 'supersede': {
        const cancel = { reason: 'Superseded', message: action.message };
        runs.wrote(await client.patch(knownRunType, action.run.metadata, { spec: { cancel } }, write));
        log.info('a run is superseded', { ...fields, run: action.run.metadata.name });
        return;
      }
      case 'delete': {
        const { uid, name } = action.run.metadata;
        await client.delete(knownRunType, action.run.metadata, { signal, uid }).catch((error: unknown) => {
          if (toCodedError(error).code !== 'not_found') throw error;
        });
        runs.gone(keyOf(action.run), uid);
        log.debug('an old run was deleted', { ...fields, run: name });
      }
    }
  }
}

export function newRun(build: Build, number: number, hash: string): BuildRun {
  const { name, namespace, uid, labels } = build.metadata;
  const queueName = labels?.[QUEUE_NAME_LABEL];
  return {
    apiVersion: API_VERSION,
    kind: 'BuildRun',
    metadata: {
      name: runName(name, number, hash),
      namespace,
      labels: {
        'slipway.build/build': shortName(name, 63),
        ...(queueName === undefined ? {} : { [QUEUE_NAME_LABEL]: queueName }),
      },
      ownerReferences: [{ apiVersion: API_VERSION, kind: 'Build', name, uid: uid as string, controller: true }],
    },
    spec: { buildRef: { name }, number, hash, buildSpec: build.spec },
  };
}
