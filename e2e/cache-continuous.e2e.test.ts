import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { RegistryServer } from '../src/oci/registry-server/index.ts';
import { startBuilder } from './support/builder.ts';
import { BASE, building, dockerfileArgs, makeContext, steps } from './support/context.ts';
import { type Gate, startGate } from './support/gate.ts';
import { tempFolder } from './support/temp-folder.ts';

const work = tempFolder('cache-continuous');
let registry: RegistryServer;
let gate: Gate;

beforeAll(async () => {
  registry = await RegistryServer.start({ root: path.join(work.path, 'registry'), durable: false });
  gate = await startGate();
});

afterAll(async () => {
  await gate?.[Symbol.asyncDispose]();
  await registry?.[Symbol.asyncDispose]();
  work[Symbol.dispose]();
});

/** A folder of a builder's own. */
function made(name: string): string {
  const folder = path.join(work.path, name);
  mkdirSync(folder);
  return folder;
}

/** Layers of the cache that is there now. */
async function layers(repository: string): Promise<number> {
  const answer = await fetch(`${registry.url}/v2/${repository}/manifests/cache`);
  const manifest = (await answer.json()) as { layers?: unknown[] };
  return answer.ok ? (manifest.layers ?? []).length : 0;
}

test('the machine is lost in the fifth of six steps: another builder with nothing runs what was unfinished, and no more', async () => {
  const wait = `wget -q -O /dev/null ${gate.url}/fifth`;
  const step = (n: number) => `RUN ${n === 5 ? `${wait} && ` : ''}echo ${n} > /${n}`;
  const runs = [1, 2, 3, 4, 5, 6].map(step);
  const context = makeContext(path.join(work.path, 'context'), {
    Dockerfile: `${BASE}FROM base\n${runs.join('\n')}\n`,
  });
  const cache = `type=registry,ref=${new URL(registry.url).host}/six:cache`;
  const lost = await startBuilder(made('lost'));
  const ended = lost.buildctl(
    dockerfileArgs(context, ['--export-cache', `${cache},mode=continuous,continuous-interval=200ms`]),
  );
  await gate.reached('fifth');
  // The two of the base, and four.
  while ((await layers('six')) < 6) await sleep(50);
  await lost.stop('SIGKILL');
  expect((await ended).code).not.toBe(0);

  gate.open('fifth');
  await using other = await startBuilder(made('other'));
  const { succeeds } = building(() => other);
  const { output } = await succeeds(context, ['--import-cache', cache]);
  const { ran, cached } = steps(output);
  expect(ran).toEqual(runs.slice(4));
  expect(cached).toEqual(expect.arrayContaining(runs.slice(0, 4)));
});

test('a step fails: what was finished is left to another builder, and the failure is told as ever', async () => {
  const context = makeContext(path.join(work.path, 'failing'), {
    Dockerfile: `${BASE}FROM base\nRUN echo first > /first\nRUN exit 7\n`,
  });
  const cache = `type=registry,ref=${new URL(registry.url).host}/failing:cache`;
  const first = await startBuilder(made('first'));
  const { output } = await building(() => first).fails(context, ['--export-cache', `${cache},mode=continuous`]);
  expect(output).toContain('exit code: 7');
  await first.stop();
  writeFileSync(path.join(context, 'Dockerfile'), `${BASE}FROM base\nRUN echo first > /first\nRUN exit 0\n`);
  await using second = await startBuilder(made('second'));
  const again = await building(() => second).succeeds(context, ['--import-cache', cache]);
  expect(steps(again.output).ran).toEqual(['RUN exit 0']);
});
