import type { ErrorDetail } from '../base/index.ts';
import type { Definition, SourceInfo, SourceLocation, SourceRange } from './op.ts';

/** Where a failure stands in the user's files. */
export interface SourcePlace {
  readonly info: SourceInfo;
  readonly ranges: readonly SourceRange[];
}

/**
 * Places as `errdefs.Source` details, in the form that Go's encoding/json reads (research wire-facts 14). As with BuildKit the last place comes first.
 */
export function sourceDetails(places: readonly SourcePlace[]): ErrorDetail[] {
  return places.toReversed().map(({ info, ranges }) => ({
    type: 'errdefs.Source',
    value: { info: infoJson(info), ranges },
  }));
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
