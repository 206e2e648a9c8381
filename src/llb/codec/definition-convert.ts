import type { Digest } from '../../base/index.ts';
import type { Definition, OpMetadata, SourceInfo, SourceLocation, SourceMap, SourceRange } from '../op.ts';
import { assertBounded } from './bounds.ts';
import { bool, bytes, compact, list, num, record, str, sub, toMap } from './fields.ts';
import * as pb from './messages.ts';
import { encodeMessage, message, one, type WireMessage, type WireValue } from './schema.ts';

export function definitionFromWire(wire: WireMessage): Definition {
  const steps = definitionSteps(wire);
  let step = steps.next();
  while (step.done !== true) step = steps.next();
  return step.value;
}

/** {@link definitionFromWire} that yields after each entry. */
export function* definitionSteps(wire: WireMessage): Generator<void, Definition, void> {
  const metadata = new Map<Digest, OpMetadata>();
  for (const [digest, value] of (wire['metadata'] ?? new Map()) as ReadonlyMap<string, WireMessage>) {
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

/** Bytes of a definition, in pieces, one a step: fields in their order, entries of maps in that of the maps. */
export function* definitionPieces({ ops, metadata, source }: Definition): Generator<Uint8Array, void, void> {
  for (const op of ops) yield encodeMessage(pb.Definition, { def: [op] });
  for (const [digest, value] of metadata)
    yield encodeMessage(pb.Definition, { metadata: new Map([[digest, metadataToWire(value)]]) });
  if (source === undefined) return;
  const pieces: Uint8Array[] = [];
  for (const [digest, locations] of source.locations) {
    const one = { locations: locations.map(locationToWire) };
    pieces.push(encodeMessage(pb.Source, { locations: new Map([[digest, one]]) }));
    yield new Uint8Array();
  }
  const { infos } = sourceMapToWire({ ...source, locations: new Map() });
  const all = Buffer.concat([...pieces, encodeMessage(pb.Source, { infos })]);
  yield encodeMessage(WRAPPED, { source: all });
}

/** A definition whose source is encoded already. */
const WRAPPED = message('Definition', [one(3, 'source', 'bytes')]);

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
  const locations = new Map<Digest, readonly SourceLocation[]>();
  for (const [digest, value] of (wire['locations'] ?? new Map()) as ReadonlyMap<string, WireMessage>) {
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
