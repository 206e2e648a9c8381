import type { Digest } from '../../base/index.ts';
import type { CacheLink, KeyReader } from '../../solver/index.ts';

/** A record of a cache manifest as BuildKit writes it, of which only keys are read. */
export interface ManifestRecord {
  readonly digest: Digest;
  /** By input slot the ways to it. */
  readonly inputs?: readonly (readonly { readonly selector?: string; readonly link: number }[])[];
}

/** The keys of a manifest as it stands; `hasResult` says which records have one, named by their place. */
export function manifestKeys(
  records: readonly ManifestRecord[],
  hasResult: (record: ManifestRecord) => boolean,
): KeyReader {
  const linked = 'record ';
  const idOf = (n: number) => (records[n]!.inputs === undefined ? records[n]!.digest : `${linked}${n}`);
  const links = new Map<string, string[]>();
  const nameOf = (from: string, { input, record, selector }: CacheLink) => `${from} ${input} ${record} ${selector}`;
  const each = function* (): Generator<{ from: string; link: CacheLink; target: string }> {
    for (const [n, { digest, inputs = [] }] of records.entries())
      for (const [input, ways] of inputs.entries())
        for (const { selector = '', link } of ways)
          yield { from: idOf(link), link: { input, record: digest, selector }, target: idOf(n) };
  };
  for (const { from, link, target } of each()) {
    const name = nameOf(from, link);
    links.set(name, [...(links.get(name) ?? []), target]);
  }
  const ids = new Map(records.map((record, n) => [idOf(n), { record, resultId: `${linked}${n}` }]));
  return {
    links: (id, link) => links.get(nameOf(id, link)) ?? [],
    backlinks: (id) => [...each()].filter(({ target }) => target === id),
    results: (id) => {
      const found = ids.get(id);
      return found === undefined || !hasResult(found.record) ? [] : [{ resultId: found.resultId, createdAt: 1 }];
    },
  };
}
