import { join, posix } from 'node:path';
import { CodedError } from '../../base/index.ts';
import { tarTrees } from '../../oci/layers/index.ts';
import { makeScratch, siblingModule, tasksOf } from '../../sys/index.ts';
import { attestationTask, isInlineOnly, readAttestations } from './attestations.ts';
import { type Attributes, ExportOptions } from './attributes.ts';
import type { TreeFiles } from './files-task.ts';
import { exportInputs, type PlatformInput } from './inputs.ts';
import type { ExportContext, Exporter, ExporterDeps, ExportResult, ExportSource, SentTree } from './ports.ts';
import { withRow } from './progress.ts';
import { requireSender } from './sender.ts';

const task = tasksOf<typeof import('./files-task.ts')>(siblingModule(import.meta.url, './files-task'));
const SEVERAL_PLATFORMS = 'unable to export multiple platforms without map';

/** A platform's files, and the directory of the output they go to. */
interface Tree {
  readonly input: PlatformInput;
  readonly directory: string;
  readonly prefix: string | undefined;
}

/** The `local` exporter: the files of the result into a directory of the client. */
export function localExporter(attributes: Attributes, deps: ExporterDeps): Exporter {
  const options = new ExportOptions('local', attributes);
  const epoch = options.epoch();
  const split = splitOf(options);
  const from = sourceOf(options);
  const attesting = options.text('attestation-prefix') ?? '';
  const mode = modeOf(options);

  async function run(source: ExportSource, context: ExportContext): Promise<ExportResult> {
    options.tellUnused(context);
    const inputs = exportInputs(source, epoch, SEVERAL_PLATFORMS);
    const isSplit = split ?? inputs.isMap;
    const sender = await requireSender(deps, context);
    await using trees = await mountTrees(
      inputs.platforms,
      { isSplit, from, prefix: attesting, withPlatform: inputs.isMap && !isSplit },
      deps,
      context,
    );
    if (!isSplit && trees.list.length > 1) await checkOverlap(trees.list, deps, context);
    const send = (row: string, sent: readonly Tree[]) =>
      withRow(context, row, (update) =>
        sender.sendTrees(
          { exporterId: context.exporterId, response: {}, ...(mode === 'delete' ? { multiPlatform: true } : {}) },
          sent.map(sentTree),
          { signal: context.signal, onProgress: (bytes) => update(bytes) },
        ),
      );
    // The client removes what does not come in the one transfer, where the first of two files with one name is taken; of several transfers it is the last.
    if (mode === 'delete') await send('copying files', trees.list.toReversed());
    else
      for (const tree of trees.list) await send(isSplit ? `copying files ${tree.input.id}` : 'copying files', [tree]);
    return { response: {} };
  }
  return { type: 'local', name: 'exporting to client directory', export: run };
}

/** The `tar` exporter: the files of the result as one archive to the client, several platforms in a directory each. */
export function tarExporter(attributes: Attributes, deps: ExporterDeps): Exporter {
  const options = new ExportOptions('tar', attributes);
  const epoch = options.epoch();
  const split = splitOf(options);
  const from = sourceOf(options);
  const attesting = options.text('attestation-prefix') ?? '';
  modeOf(options);

  async function run(source: ExportSource, context: ExportContext): Promise<ExportResult> {
    const inputs = exportInputs(source, epoch, SEVERAL_PLATFORMS);
    options.tellUnused(context, {
      ...(split === undefined || split === inputs.isMap
        ? {}
        : { 'platform-split': 'several platforms have a directory each, one has none' }),
      mode: 'an archive is always written anew',
    });
    const sender = await requireSender(deps, context);
    await using trees = await mountTrees(
      inputs.platforms,
      { isSplit: inputs.isMap, from, prefix: attesting, withPlatform: inputs.isMap && split === false },
      deps,
      context,
    );
    await withRow(context, 'sending tarball', async (update) => {
      const { signal } = context;
      const stream = tarTrees(deps.streams, {
        trees: trees.list.map(({ directory, prefix, input }) => ({ directory, prefix, mtimeNs: timeOf(input) })),
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

type Statements = Omit<Parameters<typeof import('./attestation-task.ts').writeStatements>[0], 'directory'>;

/** The time that everything of the output gets, in nanoseconds. */
function timeOf({ epoch }: PlatformInput): bigint | undefined {
  return epoch === undefined ? undefined : BigInt(epoch) * 1_000_000_000n;
}

function splitOf(options: ExportOptions): boolean | undefined {
  if (options.text('platform-split') === undefined) return undefined;
  return options.boolean('platform-split', true, { saying: (value) => `non-bool value for platform-split: ${value}` });
}

/** The directory of the result that is wanted; all of it when nothing is said. */
function sourceOf(options: ExportOptions): string | undefined {
  const from = options.text('src');
  if (from === '')
    throw CodedError.of('EXPORT_ATTRIBUTE', 'empty value for src; omit it to export the entire filesystem');
  return from;
}

/** Whether what is in the client's directory and not in the result goes. */
function modeOf(options: ExportOptions): 'copy' | 'delete' {
  const text = options.text('mode') ?? '';
  const mode = text.trim().toLowerCase();
  if (mode === '' || mode === 'copy') return 'copy';
  if (mode === 'delete') return mode;
  throw CodedError.of('EXPORT_ATTRIBUTE', `invalid local exporter mode ${JSON.stringify(text)}`);
}

function sentTree({ directory, prefix, input }: Tree): SentTree {
  const mtimeNs = timeOf(input);
  return {
    directory,
    ...(mtimeNs === undefined ? {} : { mtimeNs }),
    ...(prefix === undefined ? {} : { prefix: { name: prefix, mtimeNs: mtimeNs ?? 0n } }),
  };
}

/** A platform's id as one component of a path. */
function directoryName(id: string): string {
  const name = id.replace(/[/\\:]/g, '_');
  return name === '.' || name === '..' ? '_'.repeat(name.length) : name;
}

interface TreeOptions {
  readonly isSplit: boolean;
  readonly from: string | undefined;
  /** Of the names of the files that attestations become… */
  readonly prefix: string;
  /** …and whether their platform is in them. */
  readonly withPlatform: boolean;
}

/** Mounts the result of each platform, with a tree of its attestations where it has any; disposing unmounts. */
async function mountTrees(
  platforms: readonly PlatformInput[],
  options: TreeOptions,
  deps: ExporterDeps,
  context: ExportContext,
): Promise<{ readonly list: readonly Tree[] } & AsyncDisposable> {
  const { isSplit, from } = options;
  const { signal, owner, sessions, limits } = context;
  await using stack = new AsyncDisposableStack();
  const list: Tree[] = [];
  for (const input of platforms) {
    let directory: string;
    if (input.ref === undefined) {
      const empty = await makeScratch(deps.bulk, { parent: deps.tempDirectory, prefix: 'empty-' }, { signal, owner });
      directory = stack.use(empty).path;
    } else directory = stack.use(await input.ref.mount({ signal, owner, sessions, limits })).root;
    if (from !== undefined) {
      const inside = await deps.bulk.run(task('findSource'), { directory, from }, { signal, owner });
      directory = join(directory, inside);
    }
    const tree = { input, directory, prefix: isSplit ? directoryName(input.id) : undefined };
    list.push(tree);
    const statements = await statementsOf(tree, options, deps, context);
    if (statements.names.length === 0) continue;
    const scratch = await makeScratch(deps.bulk, { parent: deps.tempDirectory, prefix: 'statements-' }, context);
    list.push({ ...tree, directory: stack.use(scratch).path });
    await deps.bulk.run(attestationTask('writeStatements'), { directory: scratch.path, ...statements }, context);
  }
  const owned = stack.move();
  return { list, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** The attestations of a tree, of all that is in it, and the names of the files that they are to be. */
async function statementsOf(
  { input, directory }: Tree,
  { withPlatform, prefix }: TreeOptions,
  deps: ExporterDeps,
  context: ExportContext,
): Promise<Statements> {
  const given = input.attestations.filter((attestation) => !isInlineOnly(attestation));
  if (given.length === 0) return { attested: [], self: [], names: [] };
  const attested = await readAttestations(given, deps, context);
  const self = await deps.bulk.run(attestationTask('digestFiles'), { directory }, context);
  const names = attested.map(({ path }) => {
    const { name: base, ext } = posix.parse(prefix + posix.basename(path));
    return withPlatform ? `${base}.${input.id.replaceAll('/', '_')}${ext}` : `${base}${ext}`;
  });
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) throw CodedError.of('EXPORT_ATTESTATION', `duplicate attestation path name ${twice}`);
  return { attested, self, names };
}

/** Several trees in one directory must not write over each other. */
async function checkOverlap(trees: readonly Tree[], { bulk }: ExporterDeps, context: ExportContext): Promise<void> {
  const files: readonly TreeFiles[] = trees.map(({ directory, input }) => ({ directory, id: input.id }));
  await bulk.run(task('checkOverlap'), { trees: files }, context);
}
