import { readFileSync } from 'node:fs';
import path from 'node:path';
import { text as readAll } from 'node:stream/consumers';
import {
  CodedError,
  cancelledError,
  invalidArgument,
  neverAborted,
  newId,
  proxySettings,
  sleep,
  toCodedError,
} from '../../base/index.ts';
import { serveDirectories, serveRelayed } from '../../builder-api/index.ts';
import { Cluster } from '../../operator/index.ts';
import {
  API_VERSION,
  type Build,
  type BuildRun,
  checkBuild,
  parseBuild,
  RERUN_ANNOTATION,
} from '../../resources/index.ts';
import type { CliIo } from '../io.ts';
import type { ClusterBuildCommand } from './command.ts';
import { readKubeConfig } from './kube-config.ts';
import { showLogs } from './logs.ts';
import { newRun } from './runs.ts';

const AGAIN_MS = 1000;
/** For telling the cluster of an interruption. */
const CANCEL_MS = 10_000;

/**
 * `slipway build DIR --namespace NS`: applies the Build, serves its folders to the builder that the cluster chooses, follows the log and ends as the run does. An interruption cancels the run. @throws CodedError
 */
export async function runClusterBuild(command: ClusterBuildCommand, io: CliIo): Promise<void> {
  const { config, namespace } = readKubeConfig({ ...command.cluster, context: undefined });
  const build = await readBuild(command, namespace, io);
  const folders = foldersOf(build, command, io);
  using cluster = new Cluster({ config, namespace, proxies: proxySettings(io.env) });
  const { name } = build.metadata;
  const before = await lastNumber(cluster, name, io);
  await cluster.apply(build, io);
  const run = await newRun(cluster, name, before, io);
  io.stderr.write(`${run.metadata.name} of the Build ${namespace}/${name}\n`);
  const over = new AbortController();
  const uploading = serveFolders(cluster, run, folders, { ...io, signal: AbortSignal.any([io.signal, over.signal]) });
  const failed = uploading.then(() => new Promise<never>(() => {}));
  failed.catch(() => {});
  try {
    const { progress } = command;
    const all = { step: undefined, sinceSeconds: undefined, tail: undefined, timestamps: false, attempt: undefined };
    await Promise.race([showLogs(cluster, run, { ...all, follow: true, progress }, io), failed]);
  } catch (error) {
    const { fault } = toCodedError(error);
    // A run that has come to its end needs no other.
    await cancel(cluster, run, io.signal.aborted ? 'interrupted' : 'nobody uploads its files').catch(() => {});
    if (io.signal.aborted && fault !== 'cancelled') throw cancelledError('interrupted', { cause: error });
    throw error;
  } finally {
    over.abort(cancelledError('the run is over'));
    await uploading.catch(() => {});
  }
}

async function cancel(cluster: Cluster, run: BuildRun, why: string): Promise<void> {
  const signal = AbortSignal.any([neverAborted, AbortSignal.timeout(CANCEL_MS)]);
  const now = await cluster.run(run.metadata.name, 'run', { signal });
  await cluster.cancel(now, why, { signal });
}

async function lastNumber(cluster: Cluster, name: string, io: CliIo): Promise<number> {
  try {
    return (await cluster.build(name, 'build', io)).status?.lastRun?.number ?? 0;
  } catch (error) {
    if (toCodedError(error).code === 'not_found') return 0;
    throw error;
  }
}

/** Serves the folders to every builder that the run comes to, until it is over. @throws CodedError when the cluster refuses it */
async function serveFolders(
  cluster: Cluster,
  run: BuildRun,
  folders: ReadonlyMap<string, string>,
  { signal }: Pick<CliIo, 'signal'>,
): Promise<void> {
  while (!signal.aborted) {
    try {
      const stream = await cluster.upload(run, { signal });
      await serveRelayed(stream, (server) => serveDirectories(server, folders), { signal });
    } catch (error) {
      if (signal.aborted) return;
      const { code, message } = toCodedError(error);
      if (code === 'out_of_range') return;
      if (code !== 'unavailable' && code !== 'resource_exhausted')
        throw new CodedError(code, `the files cannot be uploaded: ${message}`, {
          cause: error,
          fault: 'user',
          hint: 'it needs the API of logs (logs.enabled of the chart), and the right to create builds/upload in logs.slipway.build',
        });
    }
    await sleep(AGAIN_MS, { signal }).catch(() => {});
  }
}

async function readBuild(command: ClusterBuildCommand, namespace: string, io: CliIo): Promise<Build> {
  const { file } = command;
  const given =
    file === undefined
      ? ofImage(command.image as string)
      : parseBuild(file === '-' ? await readAll(process.stdin) : read(path.resolve(io.cwd, file)), file);
  const { metadata, spec } = given;
  if (metadata.namespace !== undefined && metadata.namespace !== namespace)
    throw invalidArgument(`${file}: metadata.namespace is ${metadata.namespace}, and not ${namespace}`);
  const annotations = { ...metadata.annotations, [RERUN_ANNOTATION]: newId() };
  const source = spec.source ?? { upload: {} };
  return checkBuild(
    { ...given, metadata: { ...metadata, annotations }, spec: { ...spec, source } },
    file ?? 'the Build',
  );
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw invalidArgument(`the manifest cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

/** A Build of an image, named as that is. @throws CodedError invalid_argument */
function ofImage(name: string): Build {
  const [, image, tag] = /^(.+?)(?::([^/:]+))?$/.exec(name) ?? [];
  const last = (image ?? '').split('/').pop() ?? '';
  const metadata = {
    name: last
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-|-$/g, ''),
  };
  const spec = { source: { upload: {} }, outputs: [{ image, tags: [tag ?? 'latest'] }] };
  return checkBuild({ apiVersion: API_VERSION, kind: 'Build', metadata, spec }, `the Build of ${name}`);
}

/** @throws CodedError invalid_argument for a folder that is missing, or that nothing asks for */
function foldersOf({ spec }: Build, { contexts }: ClusterBuildCommand, io: CliIo): ReadonlyMap<string, string> {
  const folders = new Map<string, string>();
  const named = (spec.contexts ?? []).filter(({ upload }) => upload !== undefined).map(({ name }) => name);
  for (const name of [...(spec.source?.upload === undefined ? [] : ['context']), ...named]) {
    const folder = contexts.get(name);
    if (folder === undefined)
      throw invalidArgument(`the Build's ${name} is uploaded: name its folder`, {
        hint: name === 'context' ? 'slipway build DIR --namespace NS' : `--context ${name}=DIR`,
      });
    folders.set(name, path.resolve(io.cwd, folder));
  }
  for (const name of contexts.keys())
    if (!folders.has(name)) throw invalidArgument(`the Build has no source of kind upload named ${name}`);
  const main = folders.get('context');
  if (main !== undefined) folders.set('dockerfile', main);
  return folders;
}
