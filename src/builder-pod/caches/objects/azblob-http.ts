import type { IncomingMessage } from 'node:http';
import type { HttpHeaders, HttpRequestBody, IHttpClient } from '@azure/storage-blob';
import { neverAborted } from '../../../base/index.ts';
import type { OutboundAgents } from '../../../base/outbound-agents.ts';
import { readAll } from './failures.ts';
import { answerOf } from './http.ts';

/** For a request with what is tried again of it. */
const REQUEST_MS = 60_000;
/** For one that carries part of a blob, which may be slow to send. */
const UPLOAD_MS = 600_000;
const SMALL_BODY = 1 << 20;
/** What is taken of an answer that is no blob. */
const MAX_ANSWER = 1 << 20;

/** How requests of Azure's library are sent here: by our agents, again where a failure may pass (so often in all, where that is said), and with no more taken of an answer than there may be. */
export function azureHttp(agents: OutboundAgents, { tries }: { readonly tries?: number } = {}): IHttpClient {
  return {
    sendRequest: async (request) => {
      const { method, url, streamResponseStatusCodes } = request;
      const what = `${method} of ${new URL(url).pathname}`;
      const body = bytesOf(request.body);
      const isSmall = (body?.length ?? 0) <= SMALL_BODY;
      const response = await answerOf(method, url, {
        ...{ what, agents, body, timeoutMs: isSmall ? REQUEST_MS : UPLOAD_MS },
        ...(tries === undefined ? {} : { tries }),
        // Those that are given to the library are real ones.
        signal: (request.abortSignal as AbortSignal | undefined) ?? neverAborted,
        headers: request.headers.toJson({ preserveCase: true }),
      });
      const status = response.statusCode ?? 0;
      const answer = { request, status, headers: headersOf(response, request.headers) };
      if (streamResponseStatusCodes?.has(status)) return { ...answer, readableStreamBody: response };
      return { ...answer, bodyAsText: Buffer.from(await readAll(response, what, MAX_ANSWER)).toString() };
    },
  };
}

function bytesOf(body: HttpRequestBody | undefined): Uint8Array | undefined {
  if (body === undefined || body === null) return undefined;
  if (typeof body === 'string') return Buffer.from(body);
  if (ArrayBuffer.isView(body)) return Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  throw new TypeError('a body that cannot be sent twice');
}

/** In a collection of the library's own. */
function headersOf(response: IncomingMessage, asked: HttpHeaders): HttpHeaders {
  const headers = asked.clone();
  for (const name of headers.headerNames()) headers.remove(name);
  for (const [name, values] of Object.entries(response.headersDistinct)) headers.set(name, values?.join(', ') ?? '');
  return headers;
}
