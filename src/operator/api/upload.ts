import type { Duplex } from 'node:stream';
import { type AbortOptions, CodedError, cancelledError, toCodedError } from '../../base/index.ts';
import { FileSync, Health, methodPath, relaySession } from '../../builder-api/index.ts';
import { type Attempt, isOver } from '../../resources/index.ts';
import type { KnownRun } from '../known.ts';
import type { RunBuilders } from '../logs/run-builders.ts';
import { changeOf } from '../logs/run-log.ts';
import { buildRunType, FIELD_MANAGER } from '../resource-types.ts';
import { clip, type Informer, type KubeClient, keyOf } from '../runtime/index.ts';
import { UPLOADER_ANNOTATION, uploadSession } from '../uploads.ts';
import { UPLOAD_PROTOCOL } from './names.ts';
import { switchTo } from './server.ts';

export interface UploadParts {
  readonly kube: Pick<KubeClient, 'patch'>;
  readonly runs: Informer<KnownRun>;
  readonly builders: Pick<RunBuilders, 'open'>;
}

/** What is called of whoever uploads: directories are asked for, and whether it is still there. */
const METHODS = [methodPath(FileSync, FileSync.methods.diffCopy), methodPath(Health, Health.methods.check)];
const MAX_NAME = 256;

/**
 * Takes the connection for one attempt of a run: says in the run that somebody uploads, waits until it is on a builder, and lets that one ask for files. Nothing is kept here; the builder asks for what has
 * changed, within its own bounds. @throws CodedError out_of_range when the run is over
 */
export async function relayUpload(
  { kube, runs, builders }: UploadParts,
  run: KnownRun,
  user: string,
  socket: Duplex,
  { signal }: AbortOptions,
): Promise<void> {
  const key = keyOf(run);
  const now = (): KnownRun => {
    const found = runs.get(key);
    if (found === undefined || found.metadata.uid !== run.metadata.uid || isOver(found.status?.phase))
      throw new CodedError('out_of_range', `the BuildRun ${key} is over`, { fault: 'user' });
    return found;
  };
  const running = (): Attempt | undefined => {
    const { status } = now();
    const attempt = status?.attempts?.at(-1);
    return status?.phase === 'Running' && attempt?.completedAt === undefined ? attempt : undefined;
  };
  if ((now().status?.phase ?? 'Pending') === 'Pending') {
    const metadata = { uid: run.metadata.uid, annotations: { [UPLOADER_ANNOTATION]: clip(user, MAX_NAME) } };
    await kube.patch(buildRunType, run.metadata, { metadata }, { signal, fieldManager: FIELD_MANAGER });
  }
  await changeOf(runs, key, () => running() !== undefined, { signal });
  const attempt = running() as Attempt;
  using builder = await builders.open(attempt, { signal });
  const over = new AbortController();
  const isOther = () => {
    try {
      return running()?.number !== attempt.number;
    } catch {
      return true;
    }
  };
  const life = AbortSignal.any([signal, over.signal]);
  changeOf(runs, key, isOther, { signal: life }).then(
    () => over.abort(cancelledError('the attempt is over')),
    () => {},
  );
  switchTo(UPLOAD_PROTOCOL, socket);
  try {
    await relaySession(builder.client.channel, socket, {
      id: uploadSession(`${run.metadata.uid}.${attempt.number}`),
      // Later runs of the Build send what has changed since.
      sharedKey: `${run.metadata.namespace}/${run.spec.buildRef.name}`,
      methods: METHODS,
      signal: life,
    });
  } catch (error) {
    if (!life.aborted) throw toCodedError(error);
  } finally {
    over.abort(cancelledError('the connection is over'));
    socket.destroy();
  }
}
