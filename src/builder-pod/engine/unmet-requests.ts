import { z } from 'zod';
import type { BridgeCacheImport } from '../frontends/index.ts';
import type { EngineJob } from './build-ref.ts';

/** What is told of in one build. */
const MAX_TOLD = 100;

/** The attribute that clients pass imports to frontends by. */
const attribute = z.array(z.object({ Type: z.string(), Attrs: z.record(z.string(), z.string()).nullish() }));

/** What the vertex of an import is called. */
export function importName(one: BridgeCacheImport): string {
  return `importing cache manifest from ${importedFrom(one)}`.slice(0, 1000);
}

/** What a cache that is read is called where people are told of it. */
export function importedFrom({ type, attrs }: BridgeCacheImport): string {
  const named = attrs['ref'] || attrs['src'];
  if (named) return named;
  const within = [attrs['bucket'] ?? attrs['container'], attrs['scope'] ?? attrs['name']].filter(Boolean).join('/');
  return [type, within || attrs['url']].filter(Boolean).join(' ');
}

/** Why a cache of this type is not read. */
export function unknownType({ type }: BridgeCacheImport): string {
  return `this builder does not read caches of type ${type} yet`;
}

/**
 * What a build asks for and goes on without, since its result is right all the same: remote caches of types that are not known, or not written
 * yet. The user is told of each, once.
 */
export class UnmetRequests {
  readonly #job: EngineJob;
  readonly #isImported: (type: string) => boolean;
  readonly #told = new Set<string>();

  constructor(job: EngineJob, isImported: (type: string) => boolean) {
    this.#job = job;
    this.#isImported = isImported;
  }

  /** `why` ends the sentence that begins with the cache's not being used. */
  tellImport(one: BridgeCacheImport, why: string): void {
    this.#tell(
      importName(one),
      `the cache ${importedFrom(one)} is not used: ${why}`,
      'The build goes on without it; what this builder has built before is still used.',
    );
  }

  /** Of a cache that a frontend names, with secrets of the client in it. */
  tellSecrets(one: BridgeCacheImport): void {
    this.#tell(
      importName(one),
      `the cache ${one.attrs['name'] ?? one.type} is not used: a frontend may not open it with secrets of the client`,
      'Name the cache in the request for the build itself, as --import-cache does.',
    );
  }

  tellExports(exports: readonly BridgeCacheImport[]): void {
    for (const { type, attrs } of exports) {
      const to = attrs['ref'] ?? attrs['dest'] ?? attrs['url'] ?? '';
      const target = to === '' ? type : to;
      this.#tell(
        `exporting cache to ${to === '' ? type : to}`,
        `the cache ${target} is not written: this builder does not write caches of type ${type} yet`,
        'The build goes on without it, as ignore-error=true asks.',
      );
    }
  }

  /** In a frontend's options: those imports as lists (`cache-imports`) or as references (`cache-from`) whose type is not known. */
  tellOptions(options: ReadonlyMap<string, string>): void {
    const listed = parseAttribute(options.get('cache-imports')).map(({ Type, Attrs }) => ({
      type: Type,
      attrs: Attrs ?? {},
    }));
    const references =
      options
        .get('cache-from')
        ?.split(',')
        .filter((ref) => ref !== '') ?? [];
    const imports = [...listed, ...references.map((ref) => ({ type: 'registry', attrs: { ref } }))];
    for (const one of imports) if (!this.#isImported(one.type)) this.tellImport(one, unknownType(one));
  }

  #tell(vertex: string, short: string, detail: string): void {
    const name = vertex.slice(0, 1000);
    if (this.#told.has(name) || this.#told.size >= MAX_TOLD) return;
    this.#told.add(name);
    void this.#job.inVertex({ name }, async (progress) => progress.warn({ level: 1, short, detail: [detail] }));
  }
}

function parseAttribute(text: string | undefined): z.infer<typeof attribute> {
  if (text === undefined) return [];
  try {
    return attribute.parse(JSON.parse(text));
  } catch {
    // Of another form: that an import was asked for is all that is known.
    return [{ Type: 'unknown' }];
  }
}
