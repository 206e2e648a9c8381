import { expect, test, vi } from 'vitest';
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
    const source = attesting.attested(build, { ref, metadata: new Map(), attestations }, []);
    const [document] = [...source.attestations!.values()].flat();
    return Buffer.from(await document!.content!({ signal: neverAborted, owner: HOUSE })).toString();
  };
  expect(await Promise.all([documentOf('first'), documentOf('first')])).toEqual(['/files/of/first', '/files/of/first']);
  expect(scans).toBe(1);
  expect(await documentOf('again')).toBe('/files/of/again');
});

test('a build is finished when its provenance is first told, which is after what it was made of was looked at', async () => {
  const clock = vi.spyOn(Date, 'now').mockReturnValue(1000);
  try {
    const attesting = new Attesting(new Map(), {} as never);
    const build = { job: { loaded: () => [] }, find: () => undefined } as unknown as Build;
    const parts = await attesting.capture(build, { metadata: new Map() }, { signal: neverAborted });
    for (const now of [5000, 9000]) {
      clock.mockReturnValue(now);
      expect(attesting.built(parts).times).toMatchObject({ startedAt: 1000, finishedAt: 5000 });
    }
  } finally {
    clock.mockRestore();
  }
});
