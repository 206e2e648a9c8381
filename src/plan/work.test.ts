import { expect, test } from 'vitest';
import type { BuildSpec } from '../resources/index.ts';
import { planBuild } from './plan.ts';
import { workDigest } from './work.ts';

const spec: BuildSpec = {
  source: { git: { url: 'https://git.example/app.git', ref: 'main' } },
  args: [
    { name: 'A', value: '1' },
    { name: 'B', value: '2' },
  ],
  secrets: [{ id: 'token', secretRef: { name: 'one' } }],
  outputs: [{ image: 'registry.example/app', tags: ['v1'] }],
};
const work = (change: Partial<BuildSpec>, scope = 'ns') =>
  workDigest(planBuild({ spec: { ...spec, ...change } }, { defaultRegistry: undefined }), scope);

test('outputs, caches, the order of arguments and where secrets come from make no other work', () => {
  const same = work({});
  expect(same).toMatch(/^sha256:/);
  expect(work({ outputs: [{ image: 'registry.example/other', tags: ['v2'] }] })).toBe(same);
  expect(work({ cache: { from: [{ ref: 'registry.example/cache' }] } })).toBe(same);
  expect(work({ args: [...spec.args!].reverse() })).toBe(same);
  expect(work({ secrets: [{ id: 'token', secretRef: { name: 'two' } }] })).toBe(same);
  expect(work({ priority: 3, timeout: '3h' })).toBe(same);
});

test('whatever steps are made of does, and so does the scope', () => {
  const all = [
    work({}),
    work({}, 'other'),
    work({ args: [{ name: 'A', value: '2' }] }),
    work({ source: { git: { url: 'https://git.example/app.git', ref: 'dev' } } }),
    work({ dockerfile: { inline: 'FROM scratch' } }),
    work({ dockerfile: { inline: 'FROM scratch\n' } }),
    work({ dockerfile: { target: 'x' } }),
    work({ platforms: ['linux/arm64'] }),
    work({ network: 'none' }),
    work({ entitlements: ['network.host'] }),
  ];
  expect(new Set(all).size).toBe(all.length);
});

test('what a client uploads is not known', () => {
  expect(work({ source: { upload: {} } })).toBeUndefined();
});
