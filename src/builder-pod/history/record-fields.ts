import type { Descriptor } from '../../base/index.ts';
import { wire } from '../../builder-api/index.ts';
import type { Build, BuildEnd, SolveRequest } from '../engine/index.ts';
import type { BuildRecord, RecordEnd } from './store.ts';

const { Status } = wire.google.rpc;

/** Characters of a record's attributes or response, which others choose. */
const MOST_ATTRIBUTES = 16 << 10;
const MOST_RESPONSE = 64 << 10;
const MOST_MESSAGE = 12 << 10;
/** Of a failure with its details, encoded: the source of a Dockerfile is among them. */
const MOST_ERROR = 256 << 10;
/** Attributes of exporters and of caches that hold credentials: `secret_access_key`, `session_token`, `token`. Those of annotations have dots in their names. */
const CREDENTIAL = /^[\w-]*(key|token|secret|password)[\w-]*$/i;
const MASK = 'xxxxx';

/** What is known of a build when it begins. */
export function startFields(request: SolveRequest): BuildRecord {
  const { frontend = '', frontendAttrs, exporters, recorded } = request;
  const withAttributes = recorded !== 'outline';
  const attributes = (all: Iterable<readonly [string, string]>) =>
    withAttributes ? bounded(all, MOST_ATTRIBUTES) : {};
  return {
    frontend,
    frontendAttrs: attributes(
      [...frontendAttrs].map(([name, value]) => [name, name === 'cache-imports' ? withoutCredentials(value) : value]),
    ),
    exporters: exporters.map(({ type, attrs }) => ({
      type,
      attrs: attributes(Object.entries(attrs).map(([name, value]) => [name, CREDENTIAL.test(name) ? MASK : value])),
    })),
  };
}

/** How the steps of a build stand, those of frontends and exporters among them. Yields after each. */
export function* countSteps({ job, warnings }: Pick<Build, 'job' | 'warnings'>): Generator<void, BuildRecord, void> {
  const counts = { numTotalSteps: 0, numCompletedSteps: 0, numCachedSteps: 0, numWarnings: warnings };
  for (const { completed, cached } of job.progress.states()) {
    counts.numTotalSteps++;
    if (completed !== undefined) counts.numCompletedSteps++;
    if (cached) counts.numCachedSteps++;
    yield;
  }
  return counts;
}

export function resultFields({ outcome, exports }: Extract<BuildEnd, { kind: 'done' }>): RecordEnd {
  const results = exports.flatMap(({ descriptor }, n) =>
    descriptor === undefined ? [] : [{ exporter: n, descriptor: descriptorMessage(descriptor) }],
  );
  const [first] = results;
  return {
    fields: {
      exporterResponse: bounded(Object.entries(outcome.exporterResponse), MOST_RESPONSE),
      ...(first === undefined ? {} : { result: { resultDeprecated: first.descriptor, results } }),
    },
    blobs: exports.flatMap(({ kept = [] }) => kept),
  };
}

export function failureOf(status: wire.google.rpc.Status.$Properties): RecordEnd {
  const message = (status.message ?? '').slice(0, MOST_MESSAGE);
  const { code = 0 } = status;
  const whole = Status.encode(status).finish();
  const error = whole.length <= MOST_ERROR ? whole : Status.encode({ code, message }).finish();
  return { fields: { error: { code, message } }, error };
}

function descriptorMessage({ mediaType, digest, size, annotations }: Descriptor) {
  return { mediaType, digest, size, annotations: { ...annotations } };
}

/** Caches as JSON, with the credentials of their stores masked; as a whole where it cannot be read. What is too long to be kept is not looked at. */
function withoutCredentials(text: string): string {
  if (text.length > MOST_ATTRIBUTES) return text;
  try {
    return JSON.stringify(JSON.parse(text, (name, value: unknown) => (CREDENTIAL.test(name) ? MASK : value)));
  } catch {
    return MASK;
  }
}

/** The short ones, as many as there is room for, without the credentials and the signatures of addresses. */
function bounded(entries: Iterable<readonly [string, string]>, room: number): Record<string, string> {
  let left = room;
  const size = ([name, value]: readonly [string, string]) => name.length + value.length;
  return Object.fromEntries(
    [...entries]
      .sort((a, b) => size(a) - size(b))
      .filter((entry) => {
        left -= size(entry);
        return left >= 0;
      })
      .map(([name, value]) => [
        name,
        value.replace(/(?<=:\/\/)[^/@\s]+@/g, `${MASK}@`).replace(/(?<=[?&]sig=)[^&\s"]+/g, MASK),
      ]),
  );
}
