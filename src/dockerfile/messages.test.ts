import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { buildDockerfile } from './build.ts';
import { DockerfileError } from './location.ts';
import { FakeClient } from './testing/fake-client.ts';

const golden = join(import.meta.dirname, 'testdata/golden');
const call = { signal: new AbortController().signal };

interface GoldenError {
  readonly dockerfile: string;
  readonly message: string | null;
}

/** Where a library of the real frontend words the message, or the network does. */
const OWN_WORDS = ['FROM UPPER', 'ENV A=${B\n', '--checksum=bad'];

const errors = (JSON.parse(readFileSync(join(golden, 'errors.json'), 'utf8')) as GoldenError[]).filter(
  ({ dockerfile, message }) => message !== null && !OWN_WORDS.some((text) => dockerfile.includes(text)),
);

test.each(errors)('$dockerfile fails as with the real frontend', async ({ dockerfile, message }) => {
  const client = new FakeClient({ Dockerfile: dockerfile });
  const error: unknown = await buildDockerfile(client, call).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect((error as Error | undefined)?.message).toBe(message);
  expect(error).toBeInstanceOf(DockerfileError);
  expect((error as DockerfileError).fault).toBe('user');
  expect((error as DockerfileError).locations.length).toBeGreaterThan(0);
});

interface GoldenLint {
  readonly name: string;
  readonly dockerfile: string;
  readonly findings: readonly (readonly [line: number, rule: string, detail: string])[];
}

const lints = JSON.parse(readFileSync(join(golden, 'lint.json'), 'utf8')) as GoldenLint[];

test.each(lints)('the checks of $name find what the real frontend finds', async ({ dockerfile, findings }) => {
  const client = new FakeClient({ Dockerfile: dockerfile }, { requestid: 'frontend.lint' });
  const { metadata } = await buildDockerfile(client, call);
  const { warnings } = JSON.parse(new TextDecoder().decode(metadata.get('result.json'))) as {
    warnings: { ruleName: string; detail: string; location: { ranges: { start: { line: number } }[] } }[];
  };
  const ours = warnings.map(({ ruleName, detail, location }) => [location.ranges[0]!.start.line, ruleName, detail]);
  expect(ours.map(String).sort()).toEqual(findings.map(String).sort());
  const text = new TextDecoder().decode(metadata.get('result.txt'));
  for (const [, rule] of findings) expect(text).toContain(`WARNING: ${rule}`);
  expect(new TextDecoder().decode(metadata.get('result.statuscode'))).toBe('1');
});
