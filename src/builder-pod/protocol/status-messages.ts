import { type AbortOptions, inSlices } from '../../base/index.ts';
import { delimited, EncodedMessage, timestampOf, wire } from '../../builder-api/index.ts';
import type { VertexEvent } from '../../solver/index.ts';

const { StatusResponse, Vertex } = wire.moby.buildkit.v1;
/** The number of StatusResponse's field of vertices. */
const VERTEXES = 1;

/** Of one message: clients take 16 MiB at most, and BuildKit's daemon splits logs here. */
const MAX_BYTES = 1 << 20;
const MAX_ROWS = 1000;
const INPUT_BYTES = 80;
/** Of one vertex, encoded at one go. */
const MAX_INPUTS = MAX_BYTES / INPUT_BYTES;

const optional = <K extends string>(key: K, ms: number | undefined) =>
  ms === undefined ? {} : ({ [key]: timestampOf(ms) } as Record<K, ReturnType<typeof timestampOf>>);

/**
 * Events as messages of the Status stream. Each state of a vertex names all its inputs, since clients keep the last as it stands: those of a step of very many are encoded in slices.
 */
export async function* statusMessages(
  events: readonly VertexEvent[],
  options: AbortOptions,
): AsyncGenerator<EncodedMessage, void, void> {
  for (const message of messages(events)) yield new EncodedMessage(await inSlices(encoded(message), options));
}

function* encoded(message: Building): Generator<void, readonly Uint8Array[], void> {
  const isWide = ({ inputs }: (typeof message.vertexes)[number]) => (inputs?.length ?? 0) > MAX_INPUTS;
  const wide = message.vertexes.filter(isWide);
  const vertexes = wide.length === 0 ? message.vertexes : message.vertexes.filter((vertex) => !isWide(vertex));
  const parts: Uint8Array[] = [StatusResponse.encode({ ...message, vertexes }).finish()];
  for (const { inputs = [], ...vertex } of wide) {
    const body = [Vertex.encode(vertex).finish()];
    for (let at = 0; at < inputs!.length; at += MAX_INPUTS) {
      yield;
      body.push(Vertex.encode({ inputs: inputs!.slice(at, at + MAX_INPUTS) }).finish());
    }
    parts.push(...delimited(VERTEXES, body));
  }
  return parts;
}

function* messages(events: readonly VertexEvent[]): Generator<Building, void, void> {
  let message = empty();
  let bytes = 0;
  let rows = 0;
  for (const event of events) {
    const size = sizeOf(event);
    if (rows >= MAX_ROWS || (bytes > 0 && bytes + size > MAX_BYTES)) {
      yield message;
      message = empty();
      bytes = 0;
      rows = 0;
    }
    rows++;
    bytes += size;
    add(message, event);
  }
  if (rows > 0) yield message;
}

/** What an event may take of a message, roughly: the parts whose length is not ours to choose. */
function sizeOf(event: VertexEvent): number {
  switch (event.kind) {
    case 'log':
      return event.data.length;
    case 'status':
      return event.id.length + event.name.length;
    case 'vertex':
      return event.vertex.name.length + (event.vertex.error?.length ?? 0) + event.vertex.inputs.length * INPUT_BYTES;
    case 'warning': {
      const { short, detail = [], sourceInfo } = event.warning;
      return detail.reduce((sum, line) => sum + line.length, short.length) + (sourceInfo?.data.length ?? 0);
    }
  }
}

interface Building {
  readonly vertexes: wire.moby.buildkit.v1.Vertex.$Properties[];
  readonly statuses: wire.moby.buildkit.v1.VertexStatus.$Properties[];
  readonly logs: wire.moby.buildkit.v1.VertexLog.$Properties[];
  readonly warnings: wire.moby.buildkit.v1.VertexWarning.$Properties[];
}

function empty(): Building {
  return { vertexes: [], statuses: [], logs: [], warnings: [] };
}

function add(message: Building, event: VertexEvent): void {
  switch (event.kind) {
    case 'vertex': {
      const { digest, inputs, name, cached, started, completed, error, progressGroup } = event.vertex;
      message.vertexes.push({
        digest,
        // Of megabytes where a step has very many; read only.
        inputs: inputs as string[],
        name,
        cached,
        ...optional('started', started),
        ...optional('completed', completed),
        ...(error === undefined ? {} : { error }),
        ...(progressGroup === undefined ? {} : { progressGroup }),
      });
      return;
    }
    case 'status': {
      const { vertex, id, name, current, total, timestamp, started, completed } = event;
      message.statuses.push({
        vertex,
        id,
        name,
        current: Math.round(current),
        total: Math.round(total),
        timestamp: timestampOf(timestamp),
        ...optional('started', started),
        ...optional('completed', completed),
      });
      return;
    }
    case 'log': {
      const { vertex, stream, data, timestamp } = event;
      message.logs.push({ vertex, stream, msg: data, timestamp: timestampOf(timestamp) });
      return;
    }
    case 'warning': {
      const { level, short, detail = [], url = '', sourceInfo, ranges = [] } = event.warning;
      message.warnings.push({
        vertex: event.vertex,
        level,
        short: Buffer.from(short),
        detail: detail.map((line) => Buffer.from(line)),
        url,
        ranges: ranges.map(({ start, end }) => ({ start, end })),
        ...(sourceInfo === undefined
          ? {}
          : { info: { filename: sourceInfo.filename, data: sourceInfo.data, language: sourceInfo.language } }),
      });
    }
  }
}
