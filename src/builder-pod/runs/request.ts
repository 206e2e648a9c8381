import { z } from 'zod';
import { type AbortOptions, BUILD_LIMITS, type BuildLimits, CodedError, tighterLimits } from '../../base/index.ts';
import { toNumber, type wire } from '../../builder-api/index.ts';
import type { SolveRequest } from '../engine/index.ts';
import { solveRequest } from '../protocol/index.ts';
import { buildRefOf, type RunId, runId } from './id.ts';

/** A Start, checked. */
export interface RunRequest {
  readonly id: RunId;
  /** Logical; empty for none. */
  readonly session: string;
  /** 0 for none. */
  readonly timeoutMs: number;
  /** For logs. */
  readonly subject: string;
  readonly solve: SolveRequest;
}

const MAX_TIMEOUT_MS = 14 * 24 * 3600 * 1000;

/** A namespace, or what lies below one. Those of the builder itself begin with a dot. */
const scope = z
  .string()
  .regex(/^[a-z0-9]/)
  .max(256);
const attributes = z
  .record(z.string().min(1).max(1024), z.string().max(1 << 20))
  .refine((all) => Object.keys(all).length <= 1000, 'more than 1000 entries');
const inputs = z.custom<object>().refine((all) => Object.keys(all).length <= 200, 'more than 200 entries');

const limit = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

const limits = z.object({
  stepProcesses: limit,
  stepMemory: limit,
  stepCpuMillis: limit,
  unpackedLayerBytes: limit,
  unpackedLayerEntries: limit,
  contextBytes: limit,
  setBy: z.string().max(600),
});

/** Bounds of what the protocol leaves open; the whole is at most one gRPC message. */
const schema = z.object({
  sessionId: z.string().regex(/^[\w.-]{0,200}$/),
  writeScope: scope,
  readScopes: z.array(scope).max(64),
  timeoutMs: z.number().int().min(0).max(MAX_TIMEOUT_MS),
  subject: z.string().max(600),
  limits,
  resources: limits,
  solve: z.object({
    frontend: z.string().max(1024),
    frontendAttrs: attributes,
    frontendInputs: inputs,
    exporters: z.array(z.object({ type: z.string().max(64), attrs: attributes })).max(20),
    entitlements: z.array(z.string().max(64)).max(20),
  }),
});

/** @throws CodedError invalid_argument naming the field; unimplemented for what is not built */
export async function readStart(
  message: wire.slipway.builder.v1.StartRequest.$Properties,
  options: AbortOptions,
): Promise<RunRequest> {
  const id = runId(message.id);
  const given = message.solve ?? {};
  const checked = schema.safeParse({
    sessionId: message.sessionId ?? '',
    writeScope: message.writeScope ?? '',
    readScopes: message.readScopes ?? [],
    timeoutMs: toNumber(message.timeoutMs),
    subject: message.subject ?? '',
    limits: numbersOf(message.limits),
    resources: numbersOf(message.resources),
    solve: {
      frontend: given.frontend ?? '',
      frontendAttrs: given.frontendAttrs ?? {},
      frontendInputs: given.frontendInputs ?? {},
      exporters: (given.exporters ?? []).map(({ type, attrs }) => ({ type: type ?? '', attrs: attrs ?? {} })),
      entitlements: given.entitlements ?? [],
    },
  });
  if (!checked.success) {
    const [issue] = checked.error.issues;
    throw CodedError.of('RUN_REQUEST', `${issue?.path.join('.')}: ${issue?.message}`, { cause: checked.error });
  }
  const { sessionId: session, writeScope, readScopes, timeoutMs, subject } = checked.data;
  const ref = buildRefOf(id);
  const solve = await solveRequest({ ...given, ref, session }, { write: writeScope, read: readScopes }, options);
  if (solve.frontend === '' && solve.definition === undefined)
    throw CodedError.of('RUN_REQUEST', 'solve: neither a frontend nor a definition');
  const limits = buildLimits(checked.data.limits, (name) => `limits.${name}`);
  const resources = buildLimits(checked.data.resources, (name) => `resources.limits.${RESOURCES[name] ?? name}`);
  const limited = { ...solve, limits: tighterLimits(limits, resources), deferTags: true, recorded: 'outline' } as const;
  return { id, session, timeoutMs, subject, solve: limited };
}

/** What a Build calls its bounds. */
const RESOURCES: { readonly [name in keyof BuildLimits]?: string } = {
  stepCpuMillis: 'cpu',
  stepMemory: 'memory',
  stepProcesses: 'pids',
};

function numbersOf(given: wire.slipway.builder.v1.Limits.$Properties | null | undefined) {
  const numbers = BUILD_LIMITS.map((name) => [name, toNumber(given?.[name])] as const);
  return { ...Object.fromEntries(numbers), setBy: given?.setBy ?? '' };
}

function buildLimits(
  { setBy, ...given }: z.infer<typeof limits>,
  nameOf: (name: (typeof BUILD_LIMITS)[number]) => string,
): BuildLimits {
  const by = setBy === '' ? 'the request' : setBy;
  return Object.fromEntries(
    BUILD_LIMITS.filter((name) => given[name] > 0).map((name) => [
      name,
      { most: given[name], name: `${nameOf(name)} of ${by}` },
    ]),
  );
}
