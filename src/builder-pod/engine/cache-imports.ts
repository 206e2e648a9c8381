import { z } from 'zod';
import type { BridgeCacheImport } from '../frontends/index.ts';
import type { EngineJob } from './build-ref.ts';

/** Imports of one build that are told of. */
const MAX_IMPORTS = 100;

/** The attribute that clients pass imports to frontends by (wire-facts 8.4). */
const attribute = z.array(z.object({ Type: z.string(), Attrs: z.record(z.string(), z.string()).nullish() }));

/** Remote caches are not read yet: tells the user of each that was asked for, once, and the build goes on. */
export class UnreadCacheImports {
  readonly #job: EngineJob;
  readonly #told = new Set<string>();

  constructor(job: EngineJob) {
    this.#job = job;
  }

  tell(imports: readonly BridgeCacheImport[]): void {
    for (const { type, attrs } of imports) this.#tell(type, attrs['ref'] ?? attrs['src'] ?? attrs['url'] ?? '');
  }

  /** Those named in a frontend's options, as lists (`cache-imports`) or as references (`cache-from`). */
  tellOptions(options: ReadonlyMap<string, string>): void {
    for (const { Type, Attrs } of parseAttribute(options.get('cache-imports'))) {
      this.tell([{ type: Type, attrs: Attrs ?? {} }]);
    }
    for (const ref of options.get('cache-from')?.split(',') ?? []) if (ref !== '') this.#tell('registry', ref);
  }

  #tell(type: string, from: string): void {
    const name = `importing cache manifest from ${from === '' ? type : from}`.slice(0, 1000);
    if (this.#told.has(name) || this.#told.size >= MAX_IMPORTS) return;
    this.#told.add(name);
    void this.#job.inVertex({ name }, async (progress) => {
      progress.warn({
        level: 1,
        short: `the cache ${from === '' ? `of type ${type}` : from} is not used: this builder does not read remote caches yet`,
        detail: ['The build goes on without it; what this builder has built before is still used.'],
      });
    });
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
