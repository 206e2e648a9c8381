import type { CacheLink, CacheRecord, KeyReader } from '../../solver/index.ts';
import type { CacheConfig, CacheConfigResult } from './cache-config.ts';

const LINKED = 'record ';

/** A result of a config's record, as its key graph names it: see {@link resultNamed}. */
function resultName(record: number, result: number): string {
  return `${record}.${result}`;
}

/** Undefined where there is none of that name. */
export function resultNamed({ records }: CacheConfig, name: string): CacheConfigResult | undefined {
  const [record, result] = name.split('.').map(Number);
  return records[record ?? -1]?.results[result ?? -1];
}

/** The key graph of a cache config as it stands. Whoever reads it asks with what they know, so nothing in it is followed that nobody has a key for. */
export class ConfigKeys implements KeyReader {
  readonly #config: CacheConfig;
  readonly #targets = new Map<string, string[]>();
  readonly #records = new Map<string, number[]>();
  readonly #results = new Map<string, readonly CacheRecord[]>();

  private constructor(config: CacheConfig) {
    this.#config = config;
  }

  /** Yields after each record. */
  static *of(config: CacheConfig): Generator<void, ConfigKeys, void> {
    const keys = new ConfigKeys(config);
    for (const n of config.records.keys()) {
      keys.#enter(n);
      yield;
    }
    for (const id of keys.#records.keys()) {
      keys.#results.set(id, keys.#newest(id));
      yield;
    }
    return keys;
  }

  #enter(n: number): void {
    const { digest, inputs } = this.#config.records[n]!;
    push(this.#records, this.#idOf(n), n);
    for (const [input, ways] of inputs.entries())
      for (const { selector, link } of ways)
        push(this.#targets, nameOf(this.#idOf(link), { input, record: digest, selector }), this.#idOf(n));
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

  results(id: string): readonly CacheRecord[] {
    return this.#results.get(id) ?? [];
  }

  #newest(id: string): readonly CacheRecord[] {
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

/**
 * How many records nothing leads to from the roots: those that lead in circles, and what is reached from them alone. Whoever looks for a key finds none of them. Yields after each record.
 */
export function* unreachedRecords({ records }: CacheConfig): Generator<void, number, void> {
  const onwards = new Map<number, [record: number, slot: number][]>();
  const open = records.map(({ inputs }) => new Set(inputs.keys()));
  for (const [n, { inputs }] of records.entries()) {
    for (const [slot, ways] of inputs.entries()) for (const { link } of ways) push(onwards, link, [n, slot]);
    yield;
  }
  const reached = [...records.keys()].filter((n) => open[n]!.size === 0);
  for (let at = 0; at < reached.length; at++) {
    for (const [n, slot] of onwards.get(reached[at]!) ?? [])
      if (open[n]!.delete(slot) && open[n]!.size === 0) reached.push(n);
    yield;
  }
  return records.length - reached.length;
}

function nameOf(from: string, { input, record, selector }: CacheLink): string {
  return `${from} ${input} ${record} ${selector}`;
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
