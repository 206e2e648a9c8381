import { type Digest, mapFor } from '../../base/index.ts';
import type { Definition, OpMetadata, SourceInfo, SourceLocation, SourceMap, SourceRange } from '../op.ts';
import { assertBounded } from './bounds.ts';
import { bool, bytes, compact, list, num, record, str, sub, toMap } from './fields.ts';
import * as pb from './messages.ts';
import { encodeMessage, type WireMessage, type WireValue } from './schema.ts';
import { WireWriter } from './writer.ts';

export function definitionFromWire(wire: WireMessage): Definition {
  const steps = definitionSteps(wire);
  let step = steps.next();
  while (step.done !== true) step = steps.next();
  return step.value;
}

/** {@link definitionFromWire} that yields after each entry. */
export function* definitionSteps(wire: WireMessage): Generator<void, Definition, void> {
  const described = (wire['metadata'] ?? new Map()) as ReadonlyMap<string, WireMessage>;
  const metadata = mapFor<Digest, OpMetadata>(described.size);
  for (const [digest, value] of described) {
    assertBounded(pb.OpMetadata, value, `the metadata of ${digest}`);
    metadata.set(digest as Digest, metadataFromWire(value));
    yield;
  }
  const source = sub(wire, 'source');
  return compact({
    ops: (wire['def'] ?? []) as readonly Uint8Array[],
    metadata,
    source: source && (yield* sourceMapSteps(source)),
  });
}

export function definitionToWire(definition: Definition): WireMessage {
  return {
    def: definition.ops,
    metadata: new Map([...definition.metadata].map(([digest, value]) => [digest, metadataToWire(value)])),
    source: definition.source && sourceMapToWire(definition.source),
  };
}

/** Bytes of a definition, in pieces: fields in their order, entries of maps in that of the maps; those of its source come as {@link sourcePieces} gives them. */
export function* definitionPieces(
  { ops, metadata }: Definition,
  source: readonly Uint8Array[] | undefined,
): Generator<Uint8Array, void, void> {
  for (const op of ops) yield encodeMessage(pb.Definition, { def: [op] });
  for (const [digest, value] of metadata)
    yield encodeMessage(pb.Definition, { metadata: new Map([[digest, metadataToWire(value)]]) });
  if (source === undefined) return;
  const head = new WireWriter();
  head.tag(SOURCE_FIELD, 2);
  head.varint(source.reduce((bytes, { length }) => bytes + length, 0));
  yield head.finish();
  yield* source;
}

const SOURCE_FIELD = pb.Definition.fields.find(({ name }) => name === 'source')!.number;

/** The same of a source map. Yields after each entry, as its length stands before it. */
export function* sourcePieces(source: SourceMap): Generator<void, readonly Uint8Array[], void> {
  const pieces: Uint8Array[] = [];
  for (const [digest, locations] of source.locations) {
    const each = { locations: locations.map(locationToWire) };
    pieces.push(encodeMessage(pb.Source, { locations: new Map([[digest, each]]) }));
    yield;
  }
  const { infos } = sourceMapToWire({ ...source, locations: new Map() });
  return [...pieces, encodeMessage(pb.Source, { infos })];
}

function metadataFromWire(wire: WireMessage): OpMetadata {
  const exportCache = sub(wire, 'exportCache');
  const group = sub(wire, 'progressGroup');
  const resources = sub(wire, 'linuxResources');
  return compact({
    ignoreCache: bool(wire, 'ignoreCache'),
    description: record(wire, 'description', (value) => value as string),
    exportCache: exportCache && bool(exportCache, 'value'),
    caps: record(wire, 'caps', (value) => value as boolean),
    progressGroup: group && { id: str(group, 'id'), name: str(group, 'name'), weak: bool(group, 'weak') },
    linuxResources: resources && {
      memory: num(resources, 'memory'),
      memorySwap: num(resources, 'memorySwap'),
      cpuShares: num(resources, 'cpuShares'),
      cpuPeriod: num(resources, 'cpuPeriod'),
      cpuQuota: num(resources, 'cpuQuota'),
      cpusetCpus: str(resources, 'cpusetCpus'),
      cpusetMems: str(resources, 'cpusetMems'),
    },
  });
}

function metadataToWire(metadata: OpMetadata): WireMessage {
  return {
    ignoreCache: metadata.ignoreCache,
    description: toMap(metadata.description, (value) => value),
    exportCache: metadata.exportCache === undefined ? undefined : { value: metadata.exportCache },
    caps: toMap(metadata.caps, (value) => value),
    progressGroup: metadata.progressGroup && { ...metadata.progressGroup },
    linuxResources: metadata.linuxResources && { ...metadata.linuxResources },
  };
}

function* sourceMapSteps(wire: WireMessage): Generator<void, SourceMap, void> {
  const located = (wire['locations'] ?? new Map()) as ReadonlyMap<string, WireMessage>;
  const locations = mapFor<Digest, readonly SourceLocation[]>(located.size);
  for (const [digest, value] of located) {
    assertBounded(pb.Locations, value, `the source locations of ${digest}`);
    locations.set(digest as Digest, list(value, 'locations').map(locationFromWire));
    yield;
  }
  const infos: SourceInfo[] = [];
  for (const info of list(wire, 'infos')) {
    const definition = sub(info, 'definition');
    infos.push(
      compact({
        filename: str(info, 'filename'),
        data: bytes(info, 'data'),
        language: str(info, 'language'),
        definition: definition && (yield* definitionSteps(definition)),
      }),
    );
    yield;
  }
  return { infos, locations };
}

function sourceMapToWire(source: SourceMap): WireMessage {
  return {
    locations: new Map<string, WireValue>(
      [...source.locations].map(([digest, locations]) => [digest, { locations: locations.map(locationToWire) }]),
    ),
    infos: source.infos.map((info) => ({
      filename: info.filename,
      data: info.data,
      definition: info.definition && definitionToWire(info.definition),
      language: info.language,
    })),
  };
}

function locationFromWire(wire: WireMessage): SourceLocation {
  return { sourceIndex: num(wire, 'sourceIndex'), ranges: list(wire, 'ranges').map(rangeFromWire) };
}

function locationToWire(location: SourceLocation): WireMessage {
  return { sourceIndex: location.sourceIndex, ranges: location.ranges.map(rangeToWire) };
}

function rangeFromWire(wire: WireMessage): SourceRange {
  const position = (name: string) => {
    const at = sub(wire, name) ?? {};
    return { line: num(at, 'line'), character: num(at, 'character') };
  };
  return { start: position('start'), end: position('end') };
}

function rangeToWire(range: SourceRange): WireMessage {
  return { start: { ...range.start }, end: { ...range.end } };
}
