import { type Descriptor, digestOf, goJson, type Platform } from '../../base/index.ts';
import type { HistoryEntry, ImageIndex, ImageManifest } from './types.ts';

/** A document with what names it. */
export interface EncodedDocument {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

/** Keys bytewise sorted, as Go writes maps. */
export function sortedMap<T>(map: Readonly<Record<string, T>> | undefined): Record<string, T> | undefined {
  if (map === undefined) return undefined;
  const entries = Object.entries(map).sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

function platformJson(platform: Platform | undefined): object | undefined {
  if (platform === undefined) return undefined;
  const { architecture, os, variant } = platform;
  return {
    architecture,
    os,
    'os.version': platform['os.version'] || undefined,
    'os.features': platform['os.features']?.length ? platform['os.features'] : undefined,
    variant: variant || undefined,
  };
}

/** A descriptor in the field's key order. */
export function descriptorJson(descriptor: Descriptor): object {
  const { mediaType, digest, size, urls, annotations, data, platform, artifactType } = descriptor;
  return {
    mediaType,
    digest,
    size,
    urls: urls?.length ? urls : undefined,
    annotations: sortedMap(annotations),
    data,
    platform: platformJson(platform),
    artifactType,
  };
}

export function encodeManifest(manifest: ImageManifest): EncodedDocument {
  const { schemaVersion, mediaType, artifactType, config, layers, subject, annotations } = manifest;
  return encode(mediaType, {
    schemaVersion,
    mediaType,
    artifactType,
    config: descriptorJson(config),
    // As Go writes an empty list that nobody made.
    layers: layers.length > 0 ? layers.map(descriptorJson) : null,
    subject: subject === undefined ? undefined : descriptorJson(subject),
    annotations: sortedMap(annotations),
  });
}

export function encodeIndex(index: ImageIndex): EncodedDocument {
  const { schemaVersion, mediaType, artifactType, manifests, subject, annotations } = index;
  return encode(mediaType, {
    schemaVersion,
    mediaType,
    artifactType,
    manifests: manifests.map(descriptorJson),
    subject: subject === undefined ? undefined : descriptorJson(subject),
    annotations: sortedMap(annotations),
  });
}

/** An RFC 3339 time as Go writes it: without zeros at the end of its fraction. */
export function goTime(time: string): string {
  return time.replace(/\.(\d*?)0*(?=[Z+-]\S*$)/, (_, digits: string) => (digits === '' ? '' : `.${digits}`));
}

/** A history entry in the field's key order. */
export function historyJson(entry: HistoryEntry): object {
  const { created, created_by, author, comment, empty_layer } = entry;
  return {
    created: created ? goTime(created) : undefined,
    created_by: created_by || undefined,
    author: author || undefined,
    comment: comment || undefined,
    empty_layer: empty_layer || undefined,
  };
}

/** Bytes with their descriptor. */
export function describe(mediaType: string, bytes: Uint8Array): EncodedDocument {
  return { descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length }, bytes };
}

function encode(mediaType: string, value: object): EncodedDocument {
  return describe(mediaType, Buffer.from(goJson(value, '  ')));
}
