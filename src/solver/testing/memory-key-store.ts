import { type Digest, LargeMap } from '../../base/index.ts';
import { isVolatile } from '../key.ts';
import type { CacheLink, CacheRecord, KeyStore } from '../ports.ts';

interface Target {
  readonly link: CacheLink;
  readonly scopes: Map<string, Set<string>>;
}

/** A {@link KeyStore} that lives as long as the process: tests and throw-away solves. */
export class MemoryKeyStore implements KeyStore {
  /** Links of an id: targets by link, each with its scopes. */
  readonly #links = LargeMap.byText<string, Map<string, Target>>();
  /** The same by the record that they lead to. */
  readonly #byRecord = LargeMap.byText<Digest, Set<Target>>();
  readonly #back = LargeMap.byText<string, Map<string, { readonly from: string; readonly link: CacheLink }>>();
  readonly #results = LargeMap.byText<string, Map<string, { createdAt: number; readonly scopes: Set<string> }>>();
  readonly #keysOf = LargeMap.byText<string, Set<string>>();
  /** Scopes whose record of a key was dropped. */
  readonly #dropped = new Map<string, Set<string>>();

  links(id: string, link: CacheLink, scopes: readonly string[]): readonly string[] {
    const found = this.#links.get(id)?.get(linkName(link))?.scopes;
    if (found === undefined) return [];
    return [...found].filter(([, tags]) => scopes.some((scope) => tags.has(scope))).map(([target]) => target);
  }

  together(changes: () => void): void {
    changes();
  }

  addLink(id: string, link: CacheLink, target: string, scope: string): void {
    if (isVolatile(id) || isVolatile(target) || isVolatile(link.record)) return;
    const name = linkName(link);
    const byLink = getOrAdd(this.#links, id, () => new Map<string, Target>());
    const entry = getOrAdd(byLink, name, () => ({ link, scopes: new Map() }));
    getOrAdd(this.#byRecord, link.record, () => new Set<Target>()).add(entry);
    getOrAdd(entry.scopes, target, () => new Set<string>()).add(scope);
    getOrAdd(this.#back, target, () => new Map()).set(`${id} ${name}`, { from: id, link });
  }

  backlinks(id: string, scopes: readonly string[]): readonly { readonly from: string; readonly link: CacheLink }[] {
    return [...(this.#back.get(id)?.values() ?? [])].filter(({ from, link }) =>
      this.links(from, link, scopes).includes(id),
    );
  }

  results(id: string, scopes: readonly string[]): readonly CacheRecord[] {
    return [...(this.#results.get(id) ?? [])]
      .filter(([, record]) => scopes.some((scope) => record.scopes.has(scope)))
      .map(([resultId, { createdAt }]) => ({ resultId, createdAt }))
      .sort((a, b) => b.createdAt - a.createdAt);
  }

  addResult(id: string, resultId: string, createdAt: number, scope: string): void {
    if (isVolatile(id)) return;
    const records = getOrAdd(this.#results, id, () => new Map());
    const record = getOrAdd(records, resultId, () => ({ createdAt, scopes: new Set<string>() }));
    record.createdAt = Math.max(record.createdAt, createdAt);
    record.scopes.add(scope);
    getOrAdd(this.#keysOf, resultId, () => new Set<string>()).add(id);
  }

  dropResult(resultId: string): void {
    const bare = [...(this.#keysOf.get(resultId) ?? [])];
    this.#keysOf.delete(resultId);
    for (const id of bare) {
      const records = this.#results.get(id);
      const dropped = getOrAdd(this.#dropped, id, () => new Set<string>());
      for (const scope of records?.get(resultId)?.scopes ?? []) dropped.add(scope);
      records?.delete(resultId);
      if (records?.size === 0) this.#results.delete(id);
    }
    for (let id = bare.pop(); id !== undefined; id = bare.pop()) {
      if (this.#results.has(id) || this.#links.has(id)) continue;
      for (const { from, link } of this.#back.get(id)?.values() ?? []) {
        const byLink = this.#links.get(from);
        const entry = byLink?.get(linkName(link));
        entry?.scopes.delete(id);
        if (entry?.scopes.size === 0) {
          byLink?.delete(linkName(link));
          this.#byRecord.get(link.record)?.delete(entry);
        }
        if (byLink?.size === 0) this.#links.delete(from);
        bare.push(from);
      }
      this.#back.delete(id);
    }
  }

  absence(id: string, scopes: readonly string[]): 'dropped' | 'elsewhere' | undefined {
    if (this.results(id, scopes).length > 0) return undefined;
    if (scopes.some((scope) => this.#dropped.get(id)?.has(scope))) return 'dropped';
    return this.#results.has(id) ? 'elsewhere' : undefined;
  }

  scopesOf(id: string, most: number): readonly string[] {
    return [...new Set([...(this.#results.get(id)?.values() ?? [])].flatMap(({ scopes }) => [...scopes]))].slice(
      0,
      most,
    );
  }

  leadsTo(record: Digest, scopes: readonly string[]): boolean {
    for (const { scopes: targets } of this.#byRecord.get(record) ?? [])
      for (const tags of targets.values()) if (scopes.some((scope) => tags.has(scope))) return true;
    return false;
  }

  has(id: string, scopes: readonly string[]): boolean {
    const leads = [...(this.#links.get(id)?.values() ?? [])].some(({ scopes: found }) =>
      [...found.values()].some((tags) => scopes.some((scope) => tags.has(scope))),
    );
    return leads || this.backlinks(id, scopes).length > 0 || this.results(id, scopes).length > 0;
  }
}

function linkName(link: CacheLink): string {
  return `${link.input} ${link.record} ${link.selector}`;
}

function getOrAdd<K, V>(map: Map<K, V> | LargeMap<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}
