import { setTimeout } from 'node:timers/promises';
import { CodedError, type Digest, onAbort, parseImageReference } from '../../base/index.ts';
import { RegistryError } from '../../oci/registry-client/index.ts';
import type { BlobFetchers, BlobPlace } from '../ports.ts';

/** The repository of an image's name. */
export function repositoryPlace(reference: string): BlobPlace {
  const { domain, path } = parseImageReference(reference);
  return { kind: 'registry', host: domain, repository: path };
}

/** A repository of a test: what was asked of it, and what it is to do. */
export interface TestRepository {
  readonly place: BlobPlace;
  readonly opened: Digest[];
  readonly sessions: string[][];
  fail?: Error;
  hang?: boolean;
}

/** What a registry says of a blob that its repository does not have. */
export function blobUnknown(): RegistryError {
  return new RegistryError('not_found', 'blob unknown', {
    ...{ status: 404, url: 'http://registry.example/v2/' },
    diagnostics: [{ code: 'BLOB_UNKNOWN', message: '' }],
  });
}

/** The rest comes a little later, or never from one that hangs. */
async function* slowly(all: Uint8Array, asked: TestRepository, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  yield all.slice(0, 10);
  using aborted = onAbort(signal);
  await Promise.race([asked.hang ? new Promise(() => {}) : setTimeout(20), aborted.promise]);
  yield all.slice(10);
}

/** Repositories that hold bytes in memory. The newest of a name is the one that is asked. */
export class TestRepositories {
  readonly #byName = new Map<string, TestRepository & { readonly bytes: ReadonlyMap<Digest, Uint8Array> }>();

  repository(bytes: ReadonlyMap<Digest, Uint8Array>, reference = 'registry.example/image'): TestRepository {
    const place = repositoryPlace(reference);
    const made = { place, bytes, opened: [], sessions: [] };
    this.#byName.set(JSON.stringify(place), made);
    return made;
  }

  readonly fetchers: BlobFetchers = {
    registry: {
      lasting: true,
      host: ({ host }) => host,
      open: async (place, { digest }, { sessions, signal }) => {
        signal.throwIfAborted();
        const asked = this.#byName.get(JSON.stringify(place));
        if (asked === undefined) throw new CodedError('unavailable', `nobody serves ${JSON.stringify(place)}`);
        asked.opened.push(digest);
        asked.sessions.push([...sessions()]);
        if (asked.fail) throw asked.fail;
        const all = asked.bytes.get(digest);
        if (all === undefined) throw blobUnknown();
        return ReadableStream.from(slowly(all, asked, signal));
      },
    },
  };
}
