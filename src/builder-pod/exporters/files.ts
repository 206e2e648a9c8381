import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CodedError, formatPlatform } from '../../base/index.ts';
import { tarTrees } from '../../oci/layers/index.ts';
import { type Attributes, booleanAttribute, parseEpoch } from './attributes.ts';
import { exportInputs, type PlatformInput } from './inputs.ts';
import type { ExportContext, Exporter, ExporterDeps, ExportResult, ExportSource } from './ports.ts';
import { withRow } from './progress.ts';
import { epochOf } from './result.ts';
import { requireSender } from './sender.ts';

/** A platform's files, and the directory of the output they go to. */
interface Tree {
  readonly input: PlatformInput;
  readonly directory: string;
  readonly prefix: string | undefined;
}

/** The `local` exporter: the files of the result into a directory of the client. */
export function localExporter(attributes: Attributes, deps: ExporterDeps): Exporter {
  const epoch = parseEpoch(attributes['source-date-epoch']);
  const split = splitOf(attributes);
  const mode = attributes['mode'] ?? 'copy';
  if (mode !== 'copy')
    throw new CodedError(
      mode === 'delete' ? 'unimplemented' : 'invalid_argument',
      `local exporter mode ${JSON.stringify(mode)} is not supported`,
      {
        fault: 'user',
        reason: 'EXPORT_ATTRIBUTE',
        hint: 'use mode=copy into an empty directory',
      },
    );

  async function run(source: ExportSource, context: ExportContext): Promise<ExportResult> {
    const { isMap } = exportInputs(source);
    const sender = await requireSender(deps, context);
    const seconds = epochOf(epoch, source);
    await using trees = await mountTrees(source, split, deps, context);
    for (const { directory, prefix, input } of trees.list)
      await withRow(context, isMap ? `copying files ${input.id}` : 'copying files', (update) =>
        sender.sendTree({ exporterId: context.exporterId, response: {} }, directory, {
          signal: context.signal,
          onProgress: (bytes) => update(bytes),
          ...(prefix === undefined
            ? {}
            : { prefix: { name: prefix, mtimeNs: BigInt(seconds ?? Math.floor(Date.now() / 1000)) * 1_000_000_000n } }),
        }),
      );
    return { response: {} };
  }
  return { type: 'local', name: 'exporting to client directory', export: run };
}

/** The `tar` exporter: the files of the result as one archive to the client. */
export function tarExporter(attributes: Attributes, deps: ExporterDeps): Exporter {
  const epoch = parseEpoch(attributes['source-date-epoch']);
  const split = splitOf(attributes);

  async function run(source: ExportSource, context: ExportContext): Promise<ExportResult> {
    const sender = await requireSender(deps, context);
    await using trees = await mountTrees(source, split, deps, context);
    if (trees.list.length > 1 && trees.list.some(({ prefix }) => prefix === undefined))
      throw new CodedError('unimplemented', 'a tar of several platforms needs a directory for each', {
        fault: 'user',
        reason: 'EXPORT_ATTRIBUTE',
        hint: 'leave platform-split=false out',
      });
    await withRow(context, 'sending tarball', async (update) => {
      const { signal } = context;
      const stream = tarTrees(deps.streams, {
        trees: trees.list.map(({ directory, prefix }) => ({ directory, prefix })),
        sourceDateEpoch: epochOf(epoch, source),
        signal,
      });
      try {
        await sender.sendFile({ exporterId: context.exporterId, response: {} }, stream, {
          signal,
          onProgress: (bytes) => update(bytes),
        });
      } finally {
        // The mounts must not go while a worker still reads them.
        if (!stream.locked) await stream.cancel();
      }
    });
    return { response: {} };
  }
  return { type: 'tar', name: 'exporting to client tarball', export: run };
}

function splitOf(attributes: Attributes): boolean | undefined {
  return attributes['platform-split'] === undefined ? undefined : booleanAttribute(attributes, 'platform-split', true);
}

/** Mounts the result of each platform; disposing unmounts. */
async function mountTrees(
  source: ExportSource,
  split: boolean | undefined,
  { tempDirectory }: ExporterDeps,
  { signal, sessions }: ExportContext,
): Promise<{ readonly list: readonly Tree[] } & AsyncDisposable> {
  const { platforms, isMap } = exportInputs(source);
  await using stack = new AsyncDisposableStack();
  const list: Tree[] = [];
  for (const input of platforms) {
    let directory: string;
    if (input.ref === undefined) {
      const empty = await mkdtemp(join(tempDirectory, 'empty-'));
      stack.defer(() => rm(empty, { recursive: true, force: true }));
      directory = empty;
    } else directory = stack.use(await input.ref.mount({ signal, sessions })).root;
    const prefix = (split ?? isMap) ? formatPlatform(input.platform).replaceAll('/', '_') : undefined;
    list.push({ input, directory, prefix });
  }
  const owned = stack.move();
  return { list, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
