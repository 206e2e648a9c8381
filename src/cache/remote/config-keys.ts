import type { CacheLink, KeyReader } from '../../solver/index.ts';
import type { CacheConfig } from './cache-config.ts';

const LINKED = 'record ';

/** A result of a config's record, as its key graph names it. */
export function resultName(record: number, result: number): string {
  return `${record}.${result}`;
}

/** The key graph of a cache config as it stands. Whoever reads it asks with what they know, so nothing in it is followed that nobody has a key for. */
export class ConfigKeys implements KeyReader {
  readonly #config: CacheConfig;
  readonly #targets = new Map<string, string[]>();
  readonly #records = new Map<string, number[]>();

  constructor(config: CacheConfig) {
    this.#config = config;
    const { records } = config;
    for (const [n, { digest, inputs }] of records.entries()) {
      push(this.#records, this.#idOf(n), n);
      for (const [input, ways] of inputs.entries())
        for (const { selector, link } of ways)
          push(this.#targets, nameOf(this.#idOf(link), { input, record: digest, selector }), this.#idOf(n));
    }
  }

  links(id: string, link: CacheLink): readonly string[] {
    return this.#targets.get(nameOf(id, link)) ?? [];
  }

  backlinks(id: string): readonly { readonly from: string; readonly link: CacheLink }[] {
    return (this.#records.get(id) ?? []).flatMap((n) => {
      const { digest, inputs } = this.#config.records[n]!;
      return inputs.flatMap((ways, input) =>
        ways.map(({ selector, link }) => ({ from: this.#idOf(link), link: { input, record: digest, selector } })),
      );
    });
  }

  results(id: string): readonly { readonly resultId: string; readonly createdAt: number }[] {
    return (this.#records.get(id) ?? [])
      .flatMap((n) =>
        this.#config.records[n]!.results.map(({ createdAt }, i) => ({ resultId: resultName(n, i), createdAt })),
      )
      .sort((a, b) => b.createdAt - a.createdAt);
  }

  /** A root is called as in all graphs. */
  #idOf(n: number): string {
    const { digest, inputs } = this.#config.records[n]!;
    return inputs.length === 0 ? digest : `${LINKED}${n}`;
  }
}

function nameOf(from: string, { input, record, selector }: CacheLink): string {
  return `${from} ${input} ${record} ${selector}`;
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
