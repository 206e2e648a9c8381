import { expect, test } from 'vitest';
import { wire } from '../../builder-api/index.ts';
import { buildRunStatus } from '../../resources/index.ts';
import { outputsOf, recordOf } from './record.ts';

const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
const SLSA = 'https://slsa.dev/provenance/v1';

test('an index tells what it has for each platform, a single manifest itself; each repository its own signature', () => {
  const index = {
    names: ['r.example.com/app:1', 'r.example.com/app:2', 'other.example.com/app:1'],
    ...{ digest: digest('a'), mediaType: 'application/vnd.oci.image.index.v1+json', size: 30 },
    ...{ platforms: ['linux/amd64', 'linux/arm64'], attested: [SLSA], pushedBytes: 7, mountedBytes: 0 },
    images: [
      { platform: 'linux/amd64', digest: digest('b'), size: 10, attested: [SLSA] },
      { platform: 'linux/arm64', digest: digest('c'), size: 20, attested: [] },
    ],
    signatures: [
      `r.example.com/app:sha256-${'a'.repeat(64)}.sig`,
      `other.example.com/app:sha256-${'a'.repeat(64)}.sig`,
    ],
  };
  const single = {
    ...{ names: ['r.example.com/one:1'], digest: digest('d'), platforms: ['linux/amd64'] },
    images: [{ platform: 'linux/amd64', digest: digest('d'), size: 1, attested: [] }],
  };
  const outputs = outputsOf([index, single]);
  const images = [
    { platform: 'linux/amd64', digest: digest('b'), size: 10, attestations: [SLSA] },
    { platform: 'linux/arm64', digest: digest('c'), size: 20 },
  ];
  expect(outputs.map(({ image, tags, signature, images: parts }) => ({ image, tags, signature, parts }))).toEqual([
    { image: 'r.example.com/app', tags: ['1', '2'], signature: index.signatures[0], parts: images },
    { image: 'other.example.com/app', tags: ['1'], signature: index.signatures[1], parts: images },
    { image: 'r.example.com/one', tags: ['1'], signature: undefined, parts: undefined },
  ]);
  expect(buildRunStatus.safeParse({ outputs })).toMatchObject({ success: true });
});

test('what a record tells of very many platforms stays small', () => {
  const images = Array.from({ length: 16 }, (_, at) => ({ platform: `linux/p${at}`, digest: digest('b'), size: 1 }));
  const many = Array.from({ length: 16 }, (_, at) => ({
    names: [`r.example.com/a${at}:1`],
    digest: digest('a'),
    images,
  }));
  expect(JSON.stringify(outputsOf(many)).length).toBeLessThan(12 << 10);
});

test('a record tells where most of what was pulled came from', () => {
  const pulled = Array.from({ length: 20 }, (_, at) => ({ source: `r.example.com/a${at}`, bytes: at }));
  const record = recordOf(new wire.slipway.builder.v1.ResultResponse({ pulled }));
  expect(record.pulled?.slice(0, 2)).toEqual([
    { source: 'r.example.com/a19', bytes: 19 },
    { source: 'r.example.com/a18', bytes: 18 },
  ]);
  expect(record.pulled).toHaveLength(16);
  expect(buildRunStatus.safeParse(record)).toMatchObject({ success: true });
});
