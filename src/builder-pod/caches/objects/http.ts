import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import { type AbortOptions, CodedError } from '../../../base/index.ts';
import type { OutboundAgents } from '../../../base/outbound-agents.ts';
import { mayPass, readAll, retryAfterMs, storeError } from './failures.ts';

interface SendOptions extends AbortOptions {
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | undefined;
  readonly agents: OutboundAgents;
  /** For people: the address may be signed. */
  readonly what: string;
  /** For the answer, and for waiting when the server asks for it. */
  readonly timeoutMs: number;
  /** How often it is sent; several times by default. */
  readonly tries?: number;
}

/** A connection on which nothing moves for so long is given up. */
const IDLE_MS = 30_000;
/** Requests that fail for now. */
const MAX_TRIES = 4;
const RETRY_MS = 500;
const MAX_SAID = 32 << 10;

interface Answer {
  readonly status: number;
  readonly response: IncomingMessage;
}

/** What a server says to a request, which {@link answerOf} gives where it is good. @throws CodedError with what the server says; already_exists for a conflict */
export async function send(method: string, url: string, options: SendOptions): Promise<Answer> {
  const response = await answerOf(method, url, options);
  const status = response.statusCode ?? 0;
  if (status >= 200 && status < 300) return { status, response };
  throw await refusal(response, status, options.what);
}

/**
 * A request that is sent again where its failure may pass, when the server says if it does.
 * @returns the last answer, whatever it says
 * @throws CodedError where none came
 */
export async function answerOf(method: string, url: string, options: SendOptions): Promise<IncomingMessage> {
  const { what, signal, timeoutMs, tries: most = MAX_TRIES } = options;
  const until = Date.now() + timeoutMs;
  for (let tries = 1; ; tries++) {
    const answer = await ask(method, url, options, Math.max(1, until - Date.now())).catch((error: Error) => {
      signal.throwIfAborted();
      return storeError(what, undefined, error.message, { cause: error });
    });
    const failed = answer instanceof CodedError;
    if (!failed && !mayPass(answer.statusCode)) return answer;
    const askedMs = failed ? undefined : retryAfterMs(answer.headers['retry-after']);
    const waitMs = askedMs ?? RETRY_MS * 2 ** (tries - 1);
    if (tries >= most || Date.now() + waitMs > until) {
      if (failed) throw answer;
      return answer;
    }
    if (!failed) answer.destroy();
    await delay(waitMs, undefined, { signal });
  }
}

async function ask(
  method: string,
  address: string,
  { headers, body, agents, signal }: SendOptions,
  leftMs: number,
): Promise<IncomingMessage> {
  const url = new URL(address);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new Error(`unsupported protocol ${url.protocol}`);
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const length = body === undefined ? {} : { 'content-length': body.length };
  const idleMs = Math.min(IDLE_MS, leftMs);
  const request = (url.protocol === 'https:' ? requestHttps : requestHttp)(url, {
    ...{ method, agent: agents.for(url), signal, timeout: idleMs },
    headers: { 'user-agent': 'slipway', ...headers, ...length },
  });
  request.on('timeout', () => request.destroy(new Error(`nothing came for ${idleMs / 1000} s`)));
  request.on('error', reject);
  request.on('response', resolve);
  const late = () => request.destroy(new Error(`it was not answered within ${leftMs / 1000} s`));
  const timer = setTimeout(late, leftMs);
  request.end(body);
  return await promise.finally(() => clearTimeout(timer));
}

async function refusal(response: IncomingMessage, status: number, what: string): Promise<CodedError> {
  const { said, conflict } = await readAll(response, what, MAX_SAID).then(wordsOf, () => NO_WORDS);
  if (status === 409 || conflict) return conflictError(what, said);
  return storeError(what, status, said, { retryAfter: response.headers['retry-after'] });
}

/** What somebody else was first with. */
export function conflictError(what: string, said: string): CodedError {
  return new CodedError('already_exists', `${what}: ${said}`, { fault: 'infrastructure' });
}

/** Whether these words say so. */
export function saysConflict(said: string): boolean {
  return /already[ _]?exists/i.test(said);
}

interface Words {
  readonly said: string;
  readonly conflict: boolean;
}

const NO_WORDS: Words = { said: '', conflict: false };

/** What a JSON answer says for people, and whether it names a conflict. */
function wordsOf(bytes: Uint8Array): Words {
  const text = Buffer.from(bytes).toString();
  try {
    const { message, msg, code, typeKey } = JSON.parse(text) as Readonly<Record<string, unknown>>;
    const said = String(message ?? msg ?? '');
    return { said, conflict: saysConflict(`${code} ${typeKey} ${said}`) };
  } catch {
    return { said: text, conflict: false };
  }
}
