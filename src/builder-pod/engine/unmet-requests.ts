import { z } from 'zod';
import type { BridgeCacheImport } from '../frontends/index.ts';
import type { EngineJob } from './build-ref.ts';

/** What is told of in one build. */
const MAX_TOLD = 100;
const ATTEST = 'attest:';

/** The attribute that clients pass imports to frontends by (wire-facts 8.4). */
const attribute = z.array(z.object({ Type: z.string(), Attrs: z.record(z.string(), z.string()).nullish() }));

/**
 * What a build asks for and goes on without, since its result is right all the same: remote caches are not read or written yet, and attestations not made. The user
 * is told of each, once.
 */
export class UnmetRequests {
  readonly #job: EngineJob;
  readonly #told = new Set<string>();

  constructor(job: EngineJob) {
    this.#job = job;
  }

  tellImports(imports: readonly BridgeCacheImport[]): void {
    for (const { type, attrs } of imports) this.#tellImport(type, attrs['ref'] ?? attrs['src'] ?? attrs['url'] ?? '');
  }

  tellExports(exports: readonly BridgeCacheImport[]): void {
    for (const { type, attrs } of exports) {
      const to = attrs['ref'] ?? attrs['dest'] ?? attrs['url'] ?? '';
      const target = to === '' ? `of type ${type}` : to;
      this.#tell(
        `exporting cache to ${to === '' ? type : to}`,
        `the cache ${target} is not written: this builder does not write remote caches yet`,
        'The build goes on without it, as ignore-error=true asks.',
      );
    }
  }

  /** In a frontend's options: imports as lists (`cache-imports`) or as references (`cache-from`), and attestations. */
  tellOptions(options: ReadonlyMap<string, string>): void {
    for (const { Type, Attrs } of parseAttribute(options.get('cache-imports'))) {
      this.tellImports([{ type: Type, attrs: Attrs ?? {} }]);
    }
    for (const ref of options.get('cache-from')?.split(',') ?? []) if (ref !== '') this.#tellImport('registry', ref);
    for (const [key, value] of options) {
      // Clients ask for a minimal provenance by themselves, to be left out where it would change the kind of result.
      const unasked = /\b(disabled|inline-only)=true\b/.test(value) || value === 'false';
      if (!key.startsWith(ATTEST) || unasked) continue;
      const kind = key.slice(ATTEST.length).slice(0, 100);
      const short = `the attestation ${kind} is not made: this builder makes no attestations yet`;
      this.#tell(`attestation ${kind}`, short, 'The image is built and pushed without it.');
    }
  }

  #tellImport(type: string, from: string): void {
    const source = from === '' ? `of type ${type}` : from;
    this.#tell(
      `importing cache manifest from ${from === '' ? type : from}`,
      `the cache ${source} is not used: this builder does not read remote caches yet`,
      'The build goes on without it; what this builder has built before is still used.',
    );
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
