import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Digest, isDigest } from '../../base/index.ts';
import type { AccessControl } from './access.ts';
import { Problem } from './problem.ts';
import type { RegistryStorage } from './storage.ts';
import type { Uploads } from './uploads.ts';

/** What every handler works with. */
export interface RegistryParts {
  readonly storage: RegistryStorage;
  readonly uploads: Uploads;
  readonly access: AccessControl;
  /** Bytes of one manifest. */
  readonly maxManifestBytes: number;
}

/** One request with its route taken apart. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
  /** Repository name, valid. */
  readonly name: string;
  /** What follows the collection in the path: a digest, a tag or an upload id. */
  readonly reference: string;
}

const NAME = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^\w[\w.-]{0,127}$/;

export function validName(name: string): boolean {
  return name.length <= 255 && NAME.test(name);
}

export function validTag(tag: string): boolean {
  return TAG.test(tag);
}

/** @throws Problem 400 for anything but sha256 and sha512 digests. */
export function digestParameter(text: string | null): Digest {
  if (text === null || !isDigest(text) || text.startsWith('sha384:'))
    throw new Problem(400, 'DIGEST_INVALID', `invalid digest ${JSON.stringify(text ?? '')}`);
  return text;
}

/** Answers with a JSON body; HEAD gets its headers only. */
export function answerJson({ request, response }: Exchange, body: unknown, headers: Record<string, string> = {}): void {
  const bytes = Buffer.from(JSON.stringify(body));
  response.writeHead(200, { 'content-type': 'application/json', ...headers, 'content-length': bytes.length });
  response.end(request.method === 'HEAD' ? undefined : bytes);
}
