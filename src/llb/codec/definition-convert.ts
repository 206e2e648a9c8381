import type { Digest } from '../../base/index.ts';
import type { Definition, OpMetadata, SourceLocation, SourceMap, SourceRange } from '../op.ts';
import { bool, bytes, compact, list, num, record, str, sub, toMap } from './fields.ts';
import type { WireMessage, WireValue } from './schema.ts';

export function definitionFromWire(wire: WireMessage): Definition {
  const metadata = (wire['metadata'] ?? new Map()) as ReadonlyMap<string, WireMessage>;
  const source = sub(wire, 'source');
  return compact({
    ops: (wire['def'] ?? []) as readonly Uint8Array[],
    metadata: new Map([...metadata].map(([digest, value]) => [digest as Digest, metadataFromWire(value)])),
    source: source && sourceMapFromWire(source),
  });
}

export function definitionToWire(definition: Definition): WireMessage {
  return {
    def: definition.ops,
    metadata: new Map([...definition.metadata].map(([digest, value]) => [digest, metadataToWire(value)])),
    source: definition.source && sourceMapToWire(definition.source),
  };
}

export function metadataFromWire(wire: WireMessage): OpMetadata {
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

export function metadataToWire(metadata: OpMetadata): WireMessage {
  return {
    ignoreCache: metadata.ignoreCache,
    description: toMap(metadata.description, (value) => value),
    exportCache: metadata.exportCache === undefined ? undefined : { value: metadata.exportCache },
    caps: toMap(metadata.caps, (value) => value),
    progressGroup: metadata.progressGroup && { ...metadata.progressGroup },
    linuxResources: metadata.linuxResources && { ...metadata.linuxResources },
  };
}

export function sourceMapFromWire(wire: WireMessage): SourceMap {
  const locations = (wire['locations'] ?? new Map()) as ReadonlyMap<string, WireMessage>;
  return {
    infos: list(wire, 'infos').map((info) => {
      const definition = sub(info, 'definition');
      return compact({
        filename: str(info, 'filename'),
        data: bytes(info, 'data'),
        language: str(info, 'language'),
        definition: definition && definitionFromWire(definition),
      });
    }),
    locations: new Map(
      [...locations].map(([digest, value]) => [digest as Digest, list(value, 'locations').map(locationFromWire)]),
    ),
  };
}

export function sourceMapToWire(source: SourceMap): WireMessage {
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
