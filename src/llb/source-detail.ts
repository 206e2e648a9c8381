import { z } from 'zod';
import type { ErrorDetail } from '../base/index.ts';
import type { Definition, SourceInfo, SourceLocation, SourceRange } from './op.ts';

/** Where a failure stands in the user's files. */
export interface SourcePlace {
  readonly info: SourceInfo;
  readonly ranges: readonly SourceRange[];
}

/**
 * Places as `errdefs.Source` details, in the form that Go's encoding/json reads. As with BuildKit the last place comes first.
 */
export function sourceDetails(places: readonly SourcePlace[]): ErrorDetail[] {
  return places.toReversed().map(({ info, ranges }) => ({
    type: 'errdefs.Source',
    value: { info: infoJson(info), ranges },
  }));
}

/** A place as an error tells it, for a person. */
export interface ToldPlace {
  readonly filename: string | undefined;
  /** Of the whole file; undefined where it did not come with the error. */
  readonly lines: readonly string[] | undefined;
  /** From 1. */
  readonly startLine: number;
  readonly endLine: number;
}

const line = z.number().int().min(1);
const toldPlace = z.object({
  info: z.object({ filename: z.string().optional(), data: z.base64().optional() }).optional(),
  ranges: z.array(z.object({ start: z.object({ line }), end: z.object({ line: line.optional() }).optional() })),
});

/** The places that the details of an error tell, in their order. What has another form, since a frontend may have made it, is left out. */
export function toldPlaces(details: readonly ErrorDetail[]): ToldPlace[] {
  const places: ToldPlace[] = [];
  for (const { type, value } of details) {
    if (type !== 'errdefs.Source') continue;
    const { info, ranges = [] } = toldPlace.safeParse(value).data ?? {};
    const startLine = ranges[0]?.start.line;
    if (startLine === undefined) continue;
    const endLine = ranges.reduce((last, { start, end }) => Math.max(last, end?.line ?? start.line), startLine);
    const lines = info?.data === undefined ? undefined : Buffer.from(info.data, 'base64').toString('utf8').split('\n');
    places.push({ filename: info?.filename, lines, startLine, endLine });
  }
  return places;
}

function infoJson({ filename, data, definition, language }: SourceInfo): object {
  return {
    filename,
    data: base64(data),
    ...(definition === undefined ? {} : { definition: definitionJson(definition) }),
    ...(language === '' ? {} : { language }),
  };
}

/** The graph that brought the file. Of an op's metadata only what names it and says what it needs. */
function definitionJson({ ops, metadata, source }: Definition): object {
  return {
    def: ops.map(base64),
    metadata: Object.fromEntries(
      [...metadata].map(([digest, { description, caps }]) => [digest, { description, caps }]),
    ),
    ...(source === undefined
      ? {}
      : {
          Source: {
            locations: Object.fromEntries(
              [...source.locations].map(([digest, locations]) => [
                digest,
                { locations: locations as SourceLocation[] },
              ]),
            ),
            infos: source.infos.map(infoJson),
          },
        }),
  };
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
