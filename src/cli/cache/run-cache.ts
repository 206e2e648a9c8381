import { dump as toYaml } from 'js-yaml';
import {
  CodedError,
  type Digest,
  familiarImageName,
  type ImageReference,
  invalidArgument,
  parseImageReference,
  proxySettings,
} from '../../base/index.ts';
import { dockerConfigCredentials } from '../../builder-api/client/index.ts';
import { readMount } from '../../cache/mounts/index.ts';
import {
  type CacheGroup,
  isCache,
  pruneCaches,
  type RecordGraph,
  readRecordGraphs,
  readTags,
  type Tagged,
} from '../../cache/repositories/index.ts';
import { anonymous, RegistryClient, type Repository } from '../../oci/registry-client/index.ts';
import { readDockerConfig } from '../build/docker-config.ts';
import { EMBEDDED_REGISTRY, embeddedRegistryAddress, privateRoot } from '../build/private-builder.ts';
import type { CacheCommand } from '../cache-command.ts';
import type { CliIo } from '../io.ts';
import { formatBytes, printable } from '../progress/text.ts';
import { mountJson, mountTable } from './mount-tables.ts';
import { formatAge, table } from './table.ts';

/** Characters of a digest that tell it apart in a table. */
const SHORT_DIGEST = 19;

/** `slipway cache ls|inspect|prune`: caches in a repository of a registry, of whoever wrote them. @throws CodedError */
export async function runCache(command: CacheCommand, io: CliIo): Promise<void> {
  const reference = parseImageReference(command.reference);
  using client = openClient(reference, io);
  const config = readDockerConfig(io);
  const credentials = config === undefined ? anonymous : { credentials: dockerConfigCredentials(config) };
  const repository = client.repository(reference, credentials, { insecure: command.insecure });
  switch (command.action) {
    case 'ls':
      return await list(repository, reference, command, io);
    case 'inspect':
      return await inspect(repository, reference, command, io);
    case 'prune':
      return await prune(repository, reference, command, io);
  }
}

function openClient({ domain }: ImageReference, io: CliIo): RegistryClient {
  const address = domain === EMBEDDED_REGISTRY ? embeddedRegistryAddress(privateRoot(io)) : undefined;
  if (domain === EMBEDDED_REGISTRY && address === undefined)
    throw new CodedError('unavailable', `no private builder runs, whose registry ${EMBEDDED_REGISTRY} is`, {
      fault: 'user',
      hint: 'slipway build starts one',
    });
  const hosts = address === undefined ? {} : { [domain]: { address, plainHttp: true } };
  return new RegistryClient({ hosts, proxies: proxySettings(io.env) });
}

async function list(
  repository: Repository,
  { tag }: ImageReference,
  { output }: CacheCommand,
  { stdout, signal }: CliIo,
): Promise<void> {
  const tags = [...(await readTags(repository, { signal, only: tag }))].sort(newestFirst);
  // What is attached to another is told with that.
  const named = tags.filter(({ kind }) => kind !== 'attached');
  if (output !== 'table') {
    stdout.write(encode(named.map(tagJson), output));
    return;
  }
  const rows = named.map((tagged) => [
    tagged.tag,
    tagged.kind,
    recordsOf(tagged),
    layersOf(tagged).toString(),
    formatBytes(sizeOf(tagged)),
    isCache(tagged) ? ageOf(tagged) : '',
    tagged.signed ? 'yes' : 'no',
    tagged.digest.slice(0, SHORT_DIGEST),
  ]);
  stdout.write(table(['TAG', 'KIND', 'RECORDS', 'LAYERS', 'SIZE', 'AGE', 'SIGNED', 'DIGEST'], rows));
  const all = new Map(tags.flatMap(({ blobs }) => [...blobs]));
  const caches = new Set(tags.filter(isCache).map(({ digest }) => digest));
  const sum = [...all.values()].reduce((total, size) => total + size, 0);
  stdout.write(`${caches.size} caches; ${formatBytes(sum)} in all, what several share counted once\n`);
}

function recordsOf({ kind, records, fault }: Tagged): string {
  if (kind === 'cache') return records?.toString() ?? 'unreadable';
  return fault === undefined ? '' : 'unreadable';
}

function tagJson(tagged: Tagged) {
  const { tag, kind, digest, records, createdAt, fault, signed } = tagged;
  return {
    ...{ tag, kind, digest, layers: layersOf(tagged), size: sizeOf(tagged), signed },
    ...(records === undefined ? {} : { records }),
    ...(createdAt === undefined ? {} : { createdAt: new Date(createdAt).toISOString() }),
    ...(fault === undefined ? {} : { fault }),
  };
}

async function inspect(
  repository: Repository,
  reference: ImageReference,
  { output }: CacheCommand,
  { stdout, signal }: CliIo,
): Promise<void> {
  const mount = await readMount(repository, reference.digest ?? reference.tag ?? 'latest', { signal });
  if (mount !== undefined) {
    const others = sharers(await readTags(repository, { signal }), [mount.manifest.digest]);
    stdout.write(output === 'table' ? mountTable(mount, others) : encode(mountJson(mount, others), output));
    return;
  }
  const graphs = await readRecordGraphs(repository, reference, { signal });
  const shared = sharers(
    await readTags(repository, { signal }),
    graphs.map(({ digest }) => digest),
  );
  if (output === 'table') {
    for (const graph of graphs) stdout.write(graphTable(graph, shared));
    return;
  }
  const told = graphs.map(({ digest, layers, records }) => ({
    digest,
    records,
    layers: layers.map((layer) => ({ ...layer, sharedWith: shared.get(layer.digest) ?? [] })),
  }));
  stdout.write(encode(told.length === 1 ? told[0] : told, output));
}

/** Tags of others by the blobs that they need, too. */
function sharers(tags: readonly Tagged[], own: readonly Digest[]): ReadonlyMap<Digest, readonly string[]> {
  const shared = new Map<Digest, string[]>();
  for (const { tag, digest, manifests, blobs } of tags) {
    if (own.includes(digest) || manifests.some((one) => own.includes(one))) continue;
    for (const blob of blobs.keys()) shared.set(blob, [...(shared.get(blob) ?? []), tag]);
  }
  return shared;
}

function graphTable({ digest, layers, records }: RecordGraph, shared: ReadonlyMap<Digest, readonly string[]>): string {
  const rows = records.map((record, at) => [
    `${at}`,
    record.digest.slice(0, SHORT_DIGEST),
    record.inputs.length === 0 ? '-' : record.inputs.map((ways) => ways.map((way) => way.record).join('|')).join(', '),
    record.results.map((result) => result.layers.join('+')).join(', ') || '-',
    record.results[0]?.createdAt ?? '',
    printable(record.step ?? ''),
  ]);
  const layerRows = layers.map((layer, at) => [
    `${at}`,
    layer.digest.slice(0, SHORT_DIGEST),
    formatBytes(layer.size),
    (shared.get(layer.digest) ?? []).map(printable).join(', ') || '-',
    printable(layer.step ?? ''),
  ]);
  return [
    `${digest}: ${records.length} records, ${layers.length} layers\n\n`,
    table(['RECORD', 'KEY', 'REACHED FROM', 'LAYERS', 'CREATED', 'STEP'], rows),
    '\n',
    table(['LAYER', 'DIGEST', 'SIZE', 'SHARED WITH', 'STEP'], layerRows),
  ].join('');
}

async function prune(
  repository: Repository,
  reference: ImageReference,
  { keep, blobs, dryRun, output }: CacheCommand,
  { stdout, stderr, signal }: CliIo,
): Promise<void> {
  if (reference.tag !== undefined || reference.digest !== undefined)
    throw invalidArgument(`slipway cache prune: name the repository alone: ${familiarImageName(nameOf(reference))}`);
  const told = dryRun ? 'would delete' : 'deleted';
  const onDeleted = ({ tags, digest, createdAt }: CacheGroup) => {
    if (output === 'table') stdout.write(`${told} ${tags.join(', ')} (${digest}, ${ageOf({ createdAt })})\n`);
  };
  const now = Date.now();
  const pruned = await pruneCaches(repository, { keep, blobs, dryRun, now, onDeleted, signal }).catch(
    (error: unknown) => {
      if (signal.aborted) stderr.write('cut off: what is still there by name is whole\n');
      throw error;
    },
  );
  const { count, bytes, left } = pruned.blobs;
  const { attached } = pruned;
  if (output !== 'table') {
    const names = (groups: readonly CacheGroup[]) => groups.map(({ tags, digest }) => ({ tags, digest }));
    const report = { dryRun, deleted: names(pruned.deleted), kept: names(pruned.kept), attached, blobs: pruned.blobs };
    stdout.write(encode(report, output));
    return;
  }
  stdout.write(`${told} ${pruned.deleted.length} of ${pruned.deleted.length + pruned.kept.length} caches`);
  if (attached.length > 0) stdout.write(` and ${attached.length} signatures and the like of what is gone`);
  if (pruned.deleted.length === 0 && attached.length === 0) stdout.write('\n');
  else if (left === undefined) stdout.write(`, and ${count} blobs of ${formatBytes(bytes)} that nothing else needs\n`);
  else stdout.write(`; ${count} blobs of ${formatBytes(bytes)} that nothing else needs were left: ${left}\n`);
}

function nameOf({ domain, path }: ImageReference): ImageReference {
  return { domain, path };
}

function encode(value: unknown, output: CacheCommand['output']): string {
  return output === 'yaml' ? toYaml(value) : `${JSON.stringify(value, null, 2)}\n`;
}

function layersOf({ kind, blobs, manifests }: Tagged): number {
  // Each manifest of an image has a config beside its layers; so has a cache.
  return Math.max(0, blobs.size - (kind === 'cache' ? 1 : manifests.length));
}

function sizeOf({ blobs, manifestBytes }: Tagged): number {
  return [...blobs.values()].reduce((sum, size) => sum + size, manifestBytes);
}

function newestFirst(a: Tagged, b: Tagged): number {
  return (b.createdAt ?? 0) - (a.createdAt ?? 0) || (a.tag < b.tag ? -1 : 1);
}

function ageOf({ createdAt }: { readonly createdAt?: number | undefined }): string {
  return createdAt === undefined ? 'of unknown age' : formatAge(Date.now() - createdAt);
}
