import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newId } from '../src/base/index.ts';
import { RegistryServer } from '../src/oci/registry-server/index.ts';
import { startBuilder, type TestBuilder } from './support/builder.ts';
import { BASE, building, makeContext } from './support/context.ts';
import { tempFolder } from './support/temp-folder.ts';

/** All files below a folder whose bytes, or what they unpack to, hold one of the words. */
function holding(folder: string, words: readonly string[]): string[] {
  const found: string[] = [];
  let blobs = 0;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = path.join(entry.parentPath, entry.name);
    let bytes = readFileSync(file);
    if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
      bytes = gunzipSync(bytes);
      blobs++;
    }
    if (words.some((word) => bytes.includes(word))) found.push(file);
  }
  expect(blobs).toBeGreaterThan(0);
  return found;
}

describe('the value of a secret', () => {
  const work = tempFolder('daemon-secrets');
  const folder = work.path;
  const context = path.join(folder, 'context');
  // As it is, and as databases, JSON and gRPC details may carry it.
  const values = [`file-secret-${newId()}`, `environment-secret-${newId()}`];
  const words = values.flatMap((value) => [value, Buffer.from(value).toString('base64').slice(0, 20)]);
  const file = path.join(folder, 'token');
  const secrets = ['--secret', `id=token,src=${file}`, '--secret', 'id=variable,env=E2E_VARIABLE'];
  const env = { E2E_VARIABLE: values[1] as string };
  let builder: TestBuilder;
  let registry: RegistryServer;
  const { succeeds, fails } = building(() => builder);
  const mounts =
    '--mount=type=secret,id=token --mount=type=secret,id=variable,env=VARIABLE,required=true --mount=type=secret,id=token,target=/root/.deep/token,mode=0400';

  beforeAll(async () => {
    writeFileSync(file, values[0] as string);
    makeContext(context, {
      Dockerfile: `${BASE}
FROM base AS good
RUN ${mounts} wc -c < /run/secrets/token > /size && cmp /run/secrets/token /root/.deep/token && echo "\${#VARIABLE}" >> /size
RUN test ! -s /run/secrets/token && test -z "$VARIABLE" && find / -xdev -type f > /files
FROM good AS bad
RUN ${mounts} cat /run/secrets/token > /never-committed; exit 5
`,
    });
    registry = await RegistryServer.start({ root: path.join(folder, 'registry'), durable: false });
    builder = await startBuilder(folder, ['--debug']);
  });
  afterAll(async () => {
    await builder?.stop();
    await registry?.[Symbol.asyncDispose]();
    work[Symbol.dispose]();
  });

  test('is in no layer, blob, database, log, event, progress line, history or error', async () => {
    const image = `type=image,name=${registry.host}/secret:1,push=true`;
    const outputs = [
      await succeeds(context, [...secrets, '--opt', 'target=good', '--output', image], { env }),
      await succeeds(context, [...secrets, '--opt', 'target=good', '--no-cache', '--progress=rawjson'], { env }),
      await fails(context, [...secrets, '--opt', 'target=bad'], { env }),
      await fails(context, [...secrets, '--opt', 'target=bad', '--progress=rawjson'], { env }),
      await fails(context, ['--secret', `id=token,src=${file}`, '--no-cache'], { env }),
      await builder.buildctl(['debug', 'histories', '--format', '{{json .}}']),
      await builder.buildctl(['du', '--verbose']),
    ].map(({ output }) => output);
    for (const output of outputs) for (const word of words) expect(output).not.toContain(word);
    expect(outputs[4]).toMatch(/secret variable/);
    // While it runs, and when it has ended: nothing waits in memory to be written.
    expect(holding(path.join(folder, 'root'), words)).toEqual([]);
    expect(await builder.stop()).toBe(0);
    expect(holding(path.join(folder, 'root'), words)).toEqual([]);
    expect(holding(path.join(folder, 'registry'), words)).toEqual([]);
    for (const word of words) expect(builder.log()).not.toContain(word);
  });

  test('does not decide about the cache', async () => {
    builder = await startBuilder(folder);
    writeFileSync(file, 'another one');
    const { output } = await succeeds(context, [...secrets, '--opt', 'target=good'], { env });
    expect(output).toMatch(/RUN --mount=type=secret.*\n#\d+ CACHED/);
  });
});
