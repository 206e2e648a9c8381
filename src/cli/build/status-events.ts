import type { Digest } from '../../base/index.ts';
import { millisecondsOf, toNumber, type wire } from '../../builder-api/index.ts';
import type { VertexEvent } from '../../solver/ports.ts';

type StatusResponse = wire.moby.buildkit.v1.StatusResponse;

/** What a builder's Status stream says, as the event union that displays read. */
export function* statusEvents(response: StatusResponse): Iterable<VertexEvent> {
  for (const vertex of response.vertexes) {
    const started = millisecondsOf(vertex.started);
    const completed = millisecondsOf(vertex.completed);
    const group = vertex.progressGroup;
    yield {
      kind: 'vertex',
      vertex: {
        digest: vertex.digest as Digest,
        inputs: (vertex.inputs ?? []) as Digest[],
        name: vertex.name ?? '',
        cached: vertex.cached ?? false,
        ...(started === undefined ? {} : { started }),
        ...(completed === undefined ? {} : { completed }),
        ...(vertex.error ? { error: vertex.error } : {}),
        ...(group == null
          ? {}
          : { progressGroup: { id: group.id ?? '', name: group.name ?? '', weak: group.weak ?? false } }),
      },
    };
  }
  for (const row of response.statuses) {
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
  for (const log of response.logs)
    yield {
      kind: 'log',
      vertex: log.vertex as Digest,
      stream: toNumber(log.stream) === 2 ? 2 : 1,
      data: log.msg ?? new Uint8Array(),
      timestamp: millisecondsOf(log.timestamp) ?? 0,
    };
  for (const warning of response.warnings)
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
}
