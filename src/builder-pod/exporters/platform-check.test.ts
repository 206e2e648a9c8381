import { expect, test } from 'vitest';
import { platformWarnings } from './platform-check.ts';
import { fakeRef } from './testing/fakes.ts';

const [amd64, arm64, windows] = [
  { ID: 'linux/amd64', Platform: { os: 'linux', architecture: 'amd64' } },
  { ID: 'linux/arm64', Platform: { os: 'linux', architecture: 'arm64' } },
  { ID: 'windows(1.2)/amd64', Platform: { os: 'windows', architecture: 'amd64', 'os.version': '1.2' } },
];

const metadata = (...platforms: unknown[]) =>
  new Map([['refs.platforms', Buffer.from(JSON.stringify({ Platforms: platforms }))]]);

/** The texts are those of buildkitd v0.34.2. */
test.each([
  [['linux/amd64'], [amd64], []],
  [['windows/amd64'], [windows], []],
  [
    ['windows(1.3)/amd64'],
    [windows],
    [/^Requested platform "windows\(1\.3\)\/amd64" does not match result platform "windows\(1\.2\)\/amd64"$/],
  ],
  [['linux/arm64'], [amd64], [/^Requested platform "linux\/arm64" does not match result platform "linux\/amd64"$/]],
  [['linux/amd64', 'linux/arm64'], [amd64], [/^Multiple platforms requested but result is not multi-platform$/]],
  [['linux/amd64', 'linux/x86_64'], [amd64], [/^Duplicate platform result requested "linux\/x86_64"$/]],
  [['bogus'], [amd64], [/^Invalid platform result requested "bogus": /]],
])('%j asked, %j made', (requested, made, warnings) => {
  const found = platformWarnings({ ref: fakeRef([]), metadata: metadata(...made) }, requested);
  expect(found).toEqual(warnings.map((warning) => expect.stringMatching(warning)));
});

test('a result for several platforms has those that were asked for', () => {
  const refs = new Map([amd64, arm64].map(({ ID }) => [ID, fakeRef([])] as const));
  const source = { refs, metadata: metadata(amd64, arm64) };
  expect(platformWarnings(source, ['linux/arm64', 'linux/amd64'])).toEqual([]);
  expect(platformWarnings(source, ['linux/amd64', 'linux/s390x'])).toEqual([
    'Requested platforms linux/amd64,linux/s390x do not match result platforms linux/amd64,linux/arm64',
  ]);
});

test('what is no file system has no platform', () => {
  expect(platformWarnings({ metadata: new Map() }, ['linux/amd64', 'linux/arm64'])).toEqual([]);
});
