import { type Digest, parseImageReference } from '../../base/index.ts';
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
      open: async (place, { digest }, { sessions }) => {
        const asked = this.#byName.get(JSON.stringify(place));
        if (asked === undefined) throw new Error(`nobody serves ${JSON.stringify(place)}`);
        asked.opened.push(digest);
        asked.sessions.push([...sessions()]);
        if (asked.fail) throw asked.fail;
        return new ReadableStream({
          async start(controller) {
            const all = asked.bytes.get(digest) as Uint8Array;
            controller.enqueue(all.slice(0, 10));
            await new Promise((resolve) => setTimeout(resolve, 20));
            if (asked.hang) return;
            controller.enqueue(all.slice(10));
            controller.close();
          },
        });
      },
    },
  };
}
