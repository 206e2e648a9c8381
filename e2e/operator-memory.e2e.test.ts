import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { RegistryServer } from '../src/oci/registry-server/index.ts';
import { unpackPublished } from '../test/published.ts';
import { type OperatorWorld, startOperatorWorld } from './support/operator.ts';
import { tempFolder } from './support/temp-folder.ts';

const work = tempFolder('operator-memory');
let world: OperatorWorld;
let registry: RegistryServer;

beforeAll(async () => {
  registry = await RegistryServer.start({ root: path.join(work.path, 'registry'), durable: false });
  const published = unpackPublished(path.join(work.path, 'published'));
  world = await startOperatorWorld(work.path, { command: published('slipway') });
});

afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
  await registry?.[Symbol.asyncDispose]();
  work[Symbol.dispose]();
});

const residentMib = () => {
  const status = readFileSync(`/proc/${world.operator.process.pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
};

/** As published, and started by its own command: what a pod's request for memory has to hold. */
test('an operator takes 160 MiB while there is nothing to do, before its first Build and after', async () => {
  // Its compiled code is kept from the first start on.
  await world.stopOperator();
  await world.startOperator();
  await expect.poll(() => world.metric('slipway_leader')).toBe(1);
  expect(residentMib()).toBeLessThan(160);
  await world.cluster.apply(`apiVersion: slipway.build/v1alpha1
kind: Build
metadata: { name: memory }
spec:
  dockerfile: { inline: "FROM scratch\\nCOPY <<EOF /x\\nx\\nEOF\\n" }
  outputs: [{ image: "${registry.host}/memory", tags: [v1] }]
`);
  await world.waitReady('memory');
  expect(residentMib()).toBeLessThan(160);
});
