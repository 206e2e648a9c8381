import { type Digest, mapFor } from '../../base/index.ts';
import type { Definition, OpMetadata, SourceInfo, SourceLocation, SourceMap, SourceRange } from '../op.ts';
import { assertBounded } from './bounds.ts';
import { bool, bytes, compact, list, num, record, str, sub, toMap } from './fields.ts';
import * as pb from './messages.ts';
import { encodeMessage, entryOf, fieldOf, type Schema, type WireMessage, type WireValue } from './schema.ts';
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

/** Entries of maps as the messages that they are. */
const METADATA_ENTRY = entryOf(pb.Definition, 'metadata');
const LOCATIONS_ENTRY = entryOf(pb.Source, 'locations');

/** Bytes of a definition, in pieces: fields in their order, entries of maps in that of the maps; its source as {@link sourcePieces} gives it. */
export function* definitionPieces(
  { ops, metadata }: Definition,
  source: readonly Uint8Array[],
): Generator<Uint8Array, void, void> {
  for (const op of ops) {
    yield headOf(pb.Definition, 'def', op.length);
    yield op;
  }
  for (const [key, value] of metadata) {
    const entry = encodeMessage(METADATA_ENTRY, { key, value: metadataToWire(value) });
    yield headOf(pb.Definition, 'metadata', entry.length);
    yield entry;
  }
  yield* source;
}

/** The source of a definition as a field of it, in pieces. Yields after each, as its length stands before it. */
export function* sourcePieces({ source }: Definition): Generator<void, readonly Uint8Array[], void> {
  const pieces = new Pieces();
  if (source !== undefined) yield* pieces.field(pb.Definition, 'source', addSource(pieces, source));
  return pieces.all;
}

function* addSource(pieces: Pieces, { locations, infos }: SourceMap): Generator<void, void, void> {
  for (const [digest, some] of locations) {
    const entry = encodeMessage(LOCATIONS_ENTRY, { key: digest, value: { locations: some.map(locationToWire) } });
    pieces.add(headOf(pb.Source, 'locations', entry.length));
    pieces.add(entry);
    yield;
  }
  for (const info of infos) yield* pieces.field(pb.Source, 'infos', addInfo(pieces, info));
}

function* addInfo(pieces: Pieces, { filename, data, definition, language }: SourceInfo): Generator<void, void, void> {
  pieces.add(encodeMessage(pb.SourceInfo, { filename }));
  if (data.length > 0) {
    pieces.add(headOf(pb.SourceInfo, 'data', data.length));
    pieces.add(data);
  }
  if (definition !== undefined) yield* pieces.field(pb.SourceInfo, 'definition', addDefinition(pieces, definition));
  pieces.add(encodeMessage(pb.SourceInfo, { language }));
  yield;
}

function* addDefinition(pieces: Pieces, definition: Definition): Generator<void, void, void> {
  for (const piece of definitionPieces(definition, [])) {
    pieces.add(piece);
    yield;
  }
  const { source } = definition;
  if (source !== undefined) yield* pieces.field(pb.Definition, 'source', addSource(pieces, source));
}

/** Pieces of bytes, one after the other. */
class Pieces {
  readonly all: Uint8Array[] = [];
  #length = 0;

  add(piece: Uint8Array): void {
    this.all.push(piece);
    this.#length += piece.length;
  }

  /** A field that consists of what is added by these steps. */
  *field(schema: Schema, name: string, steps: Iterable<void>): Generator<void, void, void> {
    const place = this.all.push(NOTHING) - 1;
    const before = this.#length;
    yield* steps;
    const head = headOf(schema, name, this.#length - before);
    this.all[place] = head;
    this.#length += head.length;
  }
}

const NOTHING = new Uint8Array();

/** What stands before a field of so many bytes. */
function headOf(schema: Schema, name: string, length: number): Uint8Array {
  const writer = new WireWriter(HEAD_BYTES);
  writer.tag(fieldOf(schema, name).number, 2);
  writer.varint(length);
  return writer.finish();
}

const HEAD_BYTES = 20;

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
