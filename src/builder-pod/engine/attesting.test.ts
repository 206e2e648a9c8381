import { expect, test } from 'vitest';
import { HOUSE, neverAborted } from '../../base/index.ts';
import type { ImmutableRef } from '../../cache/ports.ts';
import { Attesting } from './attesting.ts';
import type { Build } from './build.ts';

test('an SBOM is made once for all exporters, and anew for a result that was lost and made again', async () => {
  let scans = 0;
  const run = async (_: unknown, { root }: { root: string }) => {
    scans++;
    return Buffer.from(root);
  };
  const attesting = new Attesting(new Map([['attest:sbom', '']]), { pools: { bulk: { run } } } as never);
  const job = { inVertex: (_: unknown, work: () => unknown) => work(), limits: {}, sessions: () => [] };
  const build = { job, scansBeside: () => [] } as unknown as Build;
  const asked = await attesting.withScans(
    build,
    { ref: { id: 'asked' }, metadata: new Map() },
    { signal: neverAborted },
  );
  const documentOf = async (id: string): Promise<string> => {
    const mount = async () => ({ root: `/files/of/${id}`, [Symbol.asyncDispose]: async () => {} });
    const ref = { id, mount } as unknown as ImmutableRef;
    const attestations = new Map(
      [...asked.attestations!].map(([name, all]) => [name, all.map((one) => ({ ...one, ref }))]),
    );
    const source = attesting.attested(
      build,
      { ref, metadata: new Map(), attestations },
      { parts: [], times: {} as never, builderId: '' },
    );
    const [document] = [...source.attestations!.values()].flat();
    return Buffer.from(await document!.content!({ signal: neverAborted, owner: HOUSE })).toString();
  };
  expect(await Promise.all([documentOf('first'), documentOf('first')])).toEqual(['/files/of/first', '/files/of/first']);
  expect(scans).toBe(1);
  expect(await documentOf('again')).toBe('/files/of/again');
});
