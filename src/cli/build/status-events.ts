import type { Digest } from '../../base/index.ts';
import { millisecondsOf, toNumber, type wire } from '../../builder-api/index.ts';
import type { VertexEvent, VertexState } from '../../solver/ports.ts';
import type { ProgressEvent } from '../progress/model.ts';

type StatusResponse = wire.moby.buildkit.v1.StatusResponse;

/** What a builder's Status stream says, as the event union that displays read. The end of a step comes after all else that the same response has of it. */
export function* statusEvents(response: StatusResponse): Iterable<ProgressEvent> {
  const { vertexes, statuses, logs, warnings, missed } = response;
  const told = new Set([...statuses, ...logs, ...warnings].map(({ vertex }) => vertex));
  const ends: VertexEvent[] = [];
  for (const vertex of vertexes) {
    const state = stateOf(vertex);
    const completed = millisecondsOf(vertex.completed);
    const now: VertexEvent = {
      kind: 'vertex',
      vertex: {
        ...state,
        ...(completed === undefined ? {} : { completed }),
        ...(vertex.error ? { error: vertex.error } : {}),
      },
    };
    if (completed === undefined || !told.has(vertex.digest)) yield now;
    else {
      yield { kind: 'vertex', vertex: state };
      ends.push(now);
    }
  }
  for (const row of statuses) {
    const started = millisecondsOf(row.started);
    const completed = millisecondsOf(row.completed);
    yield {
      kind: 'status',
      vertex: row.vertex as Digest,
      id: row.id ?? '',
      name: row.name ?? '',
      current: toNumber(row.current),
      total: toNumber(row.total),
      timestamp: millisecondsOf(row.timestamp) ?? 0,
      ...(started === undefined ? {} : { started }),
      ...(completed === undefined ? {} : { completed }),
    };
  }
  for (const log of logs)
    yield {
      kind: 'log',
      vertex: log.vertex as Digest,
      stream: toNumber(log.stream) === 2 ? 2 : 1,
      data: log.msg ?? new Uint8Array(),
      timestamp: millisecondsOf(log.timestamp) ?? 0,
    };
  for (const warning of warnings)
    yield {
      kind: 'warning',
      vertex: warning.vertex as Digest,
      warning: {
        level: toNumber(warning.level),
        short: Buffer.from(warning.short ?? []).toString('utf8'),
        detail: (warning.detail ?? []).map((line) => Buffer.from(line).toString('utf8')),
        ...(warning.url ? { url: warning.url } : {}),
      },
    };
  for (const { vertex, cause, text, short } of missed)
    yield { kind: 'missed', vertex: vertex as Digest, cause: cause ?? '', text: text ?? '', short: short ?? '' };
  yield* ends;
}

/** All but how it ended. */
function stateOf(vertex: StatusResponse['vertexes'][number]): VertexState {
  const started = millisecondsOf(vertex.started);
  const group = vertex.progressGroup;
  return {
    digest: vertex.digest as Digest,
    inputs: (vertex.inputs ?? []) as Digest[],
    name: vertex.name ?? '',
    cached: vertex.cached ?? false,
    ...(started === undefined ? {} : { started }),
    ...(group == null
      ? {}
      : { progressGroup: { id: group.id ?? '', name: group.name ?? '', weak: group.weak ?? false } }),
  };
}
