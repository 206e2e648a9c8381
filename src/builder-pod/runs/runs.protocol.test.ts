import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBuilder } from '../../../e2e/support/builder.ts';
import { makeAuthority } from '../../../e2e/support/certificates.ts';
import { freePort } from '../../../e2e/support/ports.ts';
import { must } from '../../../e2e/support/run.ts';
import { tempFolder } from '../../../e2e/support/temp-folder.ts';
import { digestOf, formatPlatform, hostPlatform, KeyFilter, newId } from '../../base/index.ts';
import { type BuilderClient, openBuilderClient } from '../../builder-api/client/index.ts';
import { Auth, BUILD_ID_METADATA, hostSession, Metadata, toNumber } from '../../builder-api/index.ts';
import { encodeDefinition, FileActions, scratch } from '../../llb/index.ts';
import { RegistryServer } from '../../oci/registry-server/index.ts';
import { buildRefOf, runId } from './id.ts';
import {
  CANCELLED,
  collectLogs,
  EMBEDDED,
  FAILED,
  RUNNING,
  RunWorld,
  SUCCEEDED,
  serveSecrets,
  signal,
  UNKNOWN,
} from './testing/world.ts';

/** Says something, waits at the gate, says more. */
const GATED = `ARG GATE
ARG NAME
RUN echo before-the-gate && wget -q -O- $GATE/$NAME && echo after-the-gate
`;

let world: RunWorld;
beforeAll(async () => {
  world = await RunWorld.open(['--session-grace', '15s', '--max-runs', '4']);
});
afterAll(() => world[Symbol.asyncDispose]());

const builder = () => world.client.builder;

describe('a solve', () => {
  test('started twice is solved once, and its tags are there after Commit only', async () => {
    const commit = await world.repository('twice', GATED);
    const outputs = [['twice/a:one', 'twice/a:two'], ['twice/b:latest']];
    const request = world.request('twice', { outputs, attrs: { 'build-arg:NAME': 'twice' } });
    const { id } = request;
    expect(await builder().start(request, { signal })).toMatchObject({ state: RUNNING, alreadyKnown: false });
    await world.gate.reached('twice');
    expect(await builder().start(request, { signal })).toMatchObject({ state: RUNNING, alreadyKnown: true });
    expect(await builder().result({ id: id! }, { signal })).toMatchObject({ state: RUNNING, commit });
    await expect(builder().commit({ id: id! }, { signal })).rejects.toMatchObject({ reason: 'RUN_NOT_OVER' });
    const load = await builder().load({}, { signal });
    expect(load).toMatchObject({ running: 1, capacity: 4, draining: false });
    for (const field of ['diskTotal', 'inodesTotal', 'memoryLimit', 'memoryUsed', 'cpuMillis'] as const)
      expect(toNumber(load.usage?.[field]), field).toBeGreaterThan(0);
    expect(toNumber(load.usage?.diskFree)).toBeLessThanOrEqual(toNumber(load.usage?.diskTotal));
    expect(toNumber(load.startedMs)).toBeLessThanOrEqual(Date.now());
    expect(toNumber(load.busyMs)).toBeGreaterThan(0);
    // Whoever comes to the builder itself neither watches nor drives it.
    const foreign = { signal, metadata: new Metadata().add(BUILD_ID_METADATA, buildRefOf(runId(id))) };
    await Promise.all([
      expect(world.client.gateway.ping({}, foreign)).rejects.toMatchObject({ code: 'not_found' }),
      expect(
        Array.fromAsync(world.client.control.status({ ref: buildRefOf(runId(id)) }, { signal })),
      ).rejects.toMatchObject({ code: 'not_found' }),
    ]);
    world.gate.open('twice');
    const result = await world.result(id);
    expect(result.error?.message).toBe(undefined);
    expect(result).toMatchObject({ state: SUCCEEDED, commit, committed: false });
    expect(world.gate.visits('twice')).toBe(1);
    // Which steps are the slowest is the machine's to say.
    const durations = result.slowestSteps.map(({ durationMs }) => Number(durationMs));
    expect(durations).toHaveLength(5);
    expect(durations).toEqual(durations.toSorted((left, right) => right - left));
    expect(result.slowestSteps.map(({ name }) => name)).toContainEqual(expect.stringMatching(/^\[\d\/3\] /));
    expect(result.vertices).toBeGreaterThan(2);
    const [a, b] = result.outputs;
    expect(a).toMatchObject({ names: ['slipway.localhost/twice/a:one', 'slipway.localhost/twice/a:two'] });
    expect(a?.platforms).toHaveLength(1);
    expect(Number(a?.size)).toBeGreaterThan(500_000);
    expect(await world.digestOf(`twice/a@${a?.digest}`)).toBe(a?.digest);
    expect(await world.digestOf(`twice/b@${b?.digest}`)).toBe(b?.digest);
    for (const name of ['twice/a:one', 'twice/a:two', 'twice/b:latest'])
      expect(await world.digestOf(name)).toBe(undefined);

    const commits = await Promise.all([1, 2, 3].map(() => builder().commit({ id: id! }, { signal })));
    expect(commits[0]?.outputs.map(({ digest }) => digest)).toEqual([a?.digest, b?.digest]);
    for (const name of ['twice/a:one', 'twice/a:two']) expect(await world.digestOf(name)).toBe(a?.digest);
    expect(await world.digestOf('twice/b:latest')).toBe(b?.digest);
    expect(await builder().result({ id: id! }, { signal })).toMatchObject({ state: SUCCEEDED, committed: true });

    expect(await builder().start(request, { signal })).toMatchObject({ state: SUCCEEDED, alreadyKnown: true });
    await builder().acknowledge({ id: id! }, { signal });
    await builder().acknowledge({ id: id! }, { signal });
    expect(await builder().result({ id: id! }, { signal })).toMatchObject({ state: UNKNOWN });
    await expect(builder().start(request, { signal })).rejects.toMatchObject({ reason: 'RUN_OVER' });
    expect(world.gate.visits('twice')).toBe(1);
  });

  test('that is all cached still tells its commit and base images', async () => {
    await world.repository('base', 'RUN echo made > /made\n');
    const first = world.request('base', { outputs: [['base:1']] });
    await builder().start(first, { signal });
    const base = (await world.result(first.id)).outputs[0];
    await builder().commit({ id: first.id! }, { signal });
    const commit = await world.repository('app', 'FROM slipway.localhost/base:1\nRUN cat /made > /copy\n');
    for (const expected of ['built', 'cached']) {
      const request = world.request('app', { outputs: [['app:1']] });
      await builder().start(request, { signal });
      const result = await world.result(request.id);
      expect(result).toMatchObject({ state: SUCCEEDED, commit });
      expect(result.baseImages).toMatchObject([{ name: 'slipway.localhost/base:1', digest: base?.digest }]);
      if (expected === 'cached') expect(result.hits).toBeGreaterThan(0);
    }
  });

  test('tells which keys it needed, which the builder then holds, and what its steps used', async () => {
    await world.repository('needs', 'RUN i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo done\n');
    const first = world.request('needs');
    await builder().start(first, { signal });
    const { keys, peakMemory, cpuMs } = await world.result(first.id);
    expect(keys.length / 8).toBeGreaterThan(2);
    expect(toNumber(cpuMs)).toBeGreaterThan(0);
    expect(toNumber(peakMemory)).toBeGreaterThanOrEqual(0);
    const held = async (knownKeys = '') => await builder().load({ knownKeys }, { signal });
    await expect.poll(async () => (await held()).keysVersion).not.toBe('');
    const { keysFilter, keysVersion } = await held();
    expect(KeyFilter.read(keysFilter)?.share(keys)).toBe(1);
    const nothing = await held(keysVersion);
    expect([nothing.keysVersion, nothing.keysFilter.length, nothing.keysAdded.length]).toEqual([keysVersion, 0, 0]);
    // All cached, it needs the same.
    const again = world.request('needs');
    await builder().start(again, { signal });
    const cached = await world.result(again.id);
    expect(KeyFilter.read(keysFilter)?.share(cached.keys)).toBe(1);
    expect(toNumber(cached.cpuMs)).toBe(0);
    // Another scope has other marks for the same.
    const foreign = { ...world.request('needs'), writeScope: 'other', readScopes: ['other'] };
    await builder().start(foreign, { signal });
    const { keys: others } = await world.result(foreign.id);
    expect(KeyFilter.read(keysFilter)?.share(others)).toBeLessThan(0.2);
  });

  test('that is asked for attestations tells which its images have', async () => {
    await world.repository('attested', 'RUN true\n');
    const context = `${world.git.url}/attested.git`;
    const attrs = { context, 'attest:provenance': 'mode=min', 'attest:sbom': '' };
    const request = world.request('attested', { attrs, outputs: [['attested:1']] });
    await builder().start(request, { signal });
    const { outputs } = await world.result(request.id);
    expect(outputs[0]).toMatchObject({
      mediaType: 'application/vnd.oci.image.index.v1+json',
      attested: ['https://slsa.dev/provenance/v1', 'https://spdx.dev/Document'],
      images: [
        {
          platform: formatPlatform(hostPlatform()),
          digest: expect.stringMatching(/^sha256:/),
          attested: ['https://slsa.dev/provenance/v1', 'https://spdx.dev/Document'],
        },
      ],
    });
    expect(outputs[0]?.images?.[0]?.digest).not.toBe(outputs[0]?.digest);
    await builder().commit({ id: request.id! }, { signal });
    expect(await world.digestOf('attested:1')).toBe(outputs[0]?.digest);
  });

  test('that fails tells whose fault it was, the step, its exit code and the end of its log', async () => {
    await world.repository('fails', 'RUN yes überlang | head -c 9000 && echo the-end && exit 7\n');
    const request = world.request('fails', { outputs: [['fails:1']] });
    await builder().start(request, { signal });
    const result = await world.result(request.id);
    expect(result).toMatchObject({ state: FAILED, fault: 'user', reason: 'EXEC_FAILED', exitCode: 7 });
    expect(result.failedStep).toMatch(/RUN yes/);
    expect(result.error?.details?.map(({ typeUrl }) => typeUrl)).toEqual(
      expect.arrayContaining([expect.stringContaining('errdefs.Vertex'), expect.stringContaining('errdefs.Source')]),
    );
    const tail = new TextDecoder('utf-8', { fatal: true }).decode(result.logTail);
    expect(tail).toMatch(/the-end\n$/);
    expect(result.logTail.length).toBeLessThanOrEqual(2048);
    expect(result.logTail.length).toBeGreaterThan(2000);
    await expect(builder().commit({ id: request.id! }, { signal })).rejects.toMatchObject({ reason: 'RUN_FAILED' });
  });

  test('of a ref that the repository does not have says so', async () => {
    await world.repository('wrong', 'RUN true\n');
    const request = world.request('wrong', { attrs: { context: `${world.git.url}/wrong.git#no-such-branch` } });
    await builder().start(request, { signal });
    const result = await world.result(request.id);
    expect(result).toMatchObject({ state: FAILED, fault: 'user', reason: 'GIT_NOT_FOUND' });
  });

  test('is held to the limits that it came with, by name, while a neighbour without goes on', async () => {
    const limits = {
      stepProcesses: 20,
      stepMemory: 64 << 20,
      unpackedLayerBytes: 1 << 20,
      setBy: 'the BuilderPool ci',
    };
    const hint = (setting: string) => expect.stringContaining(`raise limits.${setting} of the BuilderPool ci`);
    await world.repository('limits', 'ARG WHO\nARG RUN\nRUN echo $WHO; eval "$RUN"\n');
    const solve = async (who: string, run: string, more = {}) => {
      const request = world.request('limits', { attrs: { 'build-arg:WHO': who, 'build-arg:RUN': run }, ...more });
      await builder().start(request, { signal });
      return await world.result(request.id);
    };
    const forks = 'for i in $(seq 60); do sleep 1 & done; wait';
    const memory = 'dd if=/dev/zero of=/dev/null bs=200M count=1';
    const [many, much, ...others] = await Promise.all([
      solve('one', forks, { limits }),
      solve('one', memory, { limits }),
      solve('another', forks),
      solve('another', memory),
    ]);
    expect(many).toMatchObject({ state: FAILED, reason: 'EXEC_OUT_OF_PROCESSES', hint: hint('stepProcesses') });
    expect(much).toMatchObject({ state: FAILED, reason: 'EXEC_OUT_OF_MEMORY', hint: hint('stepMemory') });
    expect(others).toMatchObject([{ state: SUCCEEDED }, { state: SUCCEEDED }]);

    await world.repository('archive', 'FROM scratch\nADD archive.tar.gz /\n');
    await world.git.commit('archive', (worktree) => {
      writeFileSync(path.join(worktree, 'zero'), Buffer.alloc(4 << 20));
      execFileSync('tar', ['-C', worktree, '-czf', path.join(worktree, 'archive.tar.gz'), 'zero']);
    });
    const add = async (more = {}) => {
      const request = world.request('archive', more);
      await builder().start(request, { signal });
      return await world.result(request.id);
    };
    const refused = await add({ limits });
    expect(refused).toMatchObject({ state: FAILED, reason: 'UNPACK_LIMIT', hint: hint('unpackedLayerBytes') });
    expect(refused.error?.message).toContain('1048576 bytes (limits.unpackedLayerBytes of the BuilderPool ci)');
    expect(await add()).toMatchObject({ state: SUCCEEDED });
    // What another build has made is used as it is.
    expect(await add({ limits })).toMatchObject({ state: SUCCEEDED });
  });

  test('ends at its timeout', async () => {
    await world.repository('slow', GATED);
    const request = world.request('slow', { attrs: { 'build-arg:NAME': 'slow' }, timeoutMs: 3000 });
    await builder().start(request, { signal });
    expect(await world.result(request.id)).toMatchObject({ state: FAILED, reason: 'RUN_TIMEOUT', fault: 'user' });
  });
});

test('a client that dies in mid-solve is replaced by another, which sees all logs and the result', async () => {
  await world.repository('reattach', GATED);
  const request = world.request('reattach', { attrs: { 'build-arg:NAME': 'reattach' } });
  {
    await using first = world.connect();
    await first.builder.start(request, { signal });
    const logs = collectLogs(first.builder.attach({ id: request.id! }, { signal }));
    await logs.has('before-the-gate');
    await world.gate.reached('reattach');
  }
  await using second = world.connect();
  const logs = collectLogs(second.builder.attach({ id: request.id! }, { signal }));
  await logs.has('before-the-gate');
  world.gate.open('reattach');
  const text = await logs.done;
  expect(text.match(/before-the-gate/g)).toHaveLength(1);
  expect(text).toContain('after-the-gate');
  expect(await second.builder.result({ id: request.id! }, { signal })).toMatchObject({ state: SUCCEEDED });
  // Late watchers get the same.
  expect(await collectLogs(second.builder.attach({ id: request.id! }, { signal })).done).toContain('after-the-gate');
});

describe('what must not be', () => {
  test('tags of a cancelled solve never appear, whenever it was cancelled', async () => {
    await world.repository('cancel', GATED);
    const running = world.request('cancel', { outputs: [['cancel:running']], attrs: { 'build-arg:NAME': 'cancel' } });
    await builder().start(running, { signal });
    await world.gate.reached('cancel');
    await builder().cancel({ id: running.id!, reason: 'superseded by a newer Build' }, { signal });
    const result = await world.result(running.id);
    expect(result).toMatchObject({ state: CANCELLED, fault: 'cancelled', reason: 'RUN_CANCELLED' });
    expect(result.error?.message).toContain('superseded by a newer Build');
    world.gate.open('cancel');
    const after = world.request('cancel', { outputs: [['cancel:after']], attrs: { 'build-arg:NAME': 'cancel' } });
    await builder().start(after, { signal });
    expect(await world.result(after.id)).toMatchObject({ state: SUCCEEDED });
    expect(await builder().cancel({ id: after.id! }, { signal })).toMatchObject({ state: CANCELLED });
    const before = world.request('cancel', { outputs: [['cancel:before']] });
    expect(await builder().cancel({ id: before.id! }, { signal })).toMatchObject({ state: CANCELLED });
    expect(await builder().start(before, { signal })).toMatchObject({ state: CANCELLED, alreadyKnown: true });
    for (const { id } of [running, after, before])
      await expect(builder().commit({ id: id! }, { signal })).rejects.toMatchObject({ reason: 'RUN_CANCELLED' });
    for (const name of ['cancel:running', 'cancel:after', 'cancel:before'])
      expect(await world.digestOf(name)).toBe(undefined);
  });

  test('an attempt is fenced by a newer one', async () => {
    await world.repository('fence', GATED);
    const uid = newId();
    const attempt = (n: number, name: string) =>
      world.request('fence', { uid, attempt: n, outputs: [[`fence:${n}`]], attrs: { 'build-arg:NAME': name } });
    world.gate.open('fence-1');
    await builder().start(attempt(1, 'fence-1'), { signal });
    expect(await world.result({ runUid: uid, attempt: 1 })).toMatchObject({ state: SUCCEEDED });
    await builder().start(attempt(3, 'fence-3'), { signal });
    await world.gate.reached('fence-3');
    await expect(builder().commit({ id: { runUid: uid, attempt: 1 } }, { signal })).rejects.toMatchObject({
      reason: 'RUN_SUPERSEDED',
    });
    await expect(builder().start(attempt(2, 'fence-2'), { signal })).rejects.toMatchObject({
      reason: 'RUN_SUPERSEDED',
    });
    world.gate.open('fence-4');
    await builder().start(attempt(4, 'fence-4'), { signal });
    expect(await world.result({ runUid: uid, attempt: 3 })).toMatchObject({
      state: CANCELLED,
      reason: 'RUN_SUPERSEDED',
    });
    expect(await world.result({ runUid: uid, attempt: 4 })).toMatchObject({ state: SUCCEEDED });
    await builder().commit({ id: { runUid: uid, attempt: 4 } }, { signal });
    expect(await world.digestOf('fence:4')).toBeDefined();
    for (const n of [1, 3]) expect(await world.digestOf(`fence:${n}`)).toBe(undefined);
  });

  test('direct clients read the blobs of their own builds, and nothing that a solve of another scope brought', async () => {
    const { content, control } = world.client;
    const read = async (digest: string, range: { offset?: number; size?: number } = {}) => {
      const parts: Uint8Array[] = [];
      for await (const { data } of content.read({ digest, ...range }, { signal })) parts.push(data);
      return Buffer.concat(parts);
    };
    const all = async () => {
      const digests: string[] = [];
      for await (const { info } of content.list({}, { signal })) digests.push(...info.map((one) => one.digest ?? ''));
      return digests;
    };
    const documents = async (digest: string, from: (digest: string) => Promise<Buffer>) => {
      const { config, layers } = JSON.parse((await from(digest)).toString()) as Record<string, { digest: string }[]> & {
        config: { digest: string };
      };
      return [digest, config.digest, ...layers!.map((layer) => layer.digest)];
    };
    await world.repository('theirs', 'RUN echo theirs > /theirs\n');
    const run = world.request('theirs', { outputs: [['theirs:1']] });
    await builder().start(run, { signal });
    const theirs = (await world.result(run.id)).outputs[0]!.digest ?? '';
    const inStore = async (digest: string) => readFileSync(path.join(world.root, 'blobs', digest.replace(':', '/')));
    const hidden = await documents(theirs, inStore);
    for (const digest of hidden) {
      await expect(content.info({ digest }, { signal })).rejects.toMatchObject({ code: 'not_found' });
      await expect(read(digest)).rejects.toMatchObject({ code: 'not_found' });
    }

    await world.repository('mine', 'RUN echo mine > /mine\n');
    const frontendAttrs = { context: `${world.git.url}/mine.git#main` };
    const exporters = [{ type: 'image', attrs: { name: `${EMBEDDED}/mine:1`, push: 'true' } }];
    const ref = newId();
    await control.solve({ ref, frontend: 'dockerfile.v0', frontendAttrs, exporters }, { signal });
    const events = await Array.fromAsync(control.listenBuildHistory({ ref, earlyExit: true }, { signal }));
    const { result, logs } = events[0]!.record!;
    const log = logs!.digest ?? '';
    const shown = await documents(result!.resultDeprecated!.digest ?? '', read);
    for (const digest of [...shown, log]) {
      const bytes = await read(digest);
      expect(digestOf(bytes)).toBe(digest);
      const { info } = await content.info({ digest }, { signal });
      expect(toNumber(info?.size)).toBe(bytes.length);
      expect(await read(digest, { offset: 2, size: 3 })).toEqual(bytes.subarray(2, 5));
    }
    const listed = await all();
    expect(listed).toEqual(expect.arrayContaining([...shown, log]));
    for (const digest of hidden) expect(shown.includes(digest) || !listed.includes(digest)).toBe(true);
    await expect(read(log, { offset: 1 << 30 })).rejects.toMatchObject({ code: 'out_of_range' });
    await expect(content.delete({ digest: theirs }, { signal })).rejects.toMatchObject({ code: 'permission_denied' });

    await control.updateBuildHistory({ ref, delete: true }, { signal });
    // What solves before this one are still letting go of is theirs for a moment.
    const left = async () => {
      for await (const _ of control.prune({ all: true }, { signal }));
      return await all();
    };
    await expect.poll(left).toEqual([]);
  });

  test('hostile requests are refused by field', async () => {
    const refused = async (change: (request: ReturnType<RunWorld['request']>) => void, message: RegExp) => {
      const request = world.request('none');
      change(request);
      await expect(builder().start(request, { signal })).rejects.toMatchObject({
        code: 'invalid_argument',
        message: expect.stringMatching(message),
      });
    };
    await refused((request) => (request.id = { runUid: 'a'.repeat(1000), attempt: 1 }), /run_uid/);
    await refused((request) => (request.id = { runUid: '../../x', attempt: 1 }), /run_uid/);
    await refused((request) => (request.id = { runUid: 'a', part: 'linux/amd64', attempt: 1 }), /part/);
    await refused((request) => (request.id = { runUid: 'a', attempt: 0 }), /attempt/);
    await refused((request) => (request.id = { runUid: 'a', attempt: -5 }), /attempt/);
    await refused((request) => (request.sessionId = 'x'.repeat(300)), /sessionId/);
    await refused((request) => (request.sessionId = 'other:session'), /sessionId/);
    await refused((request) => (request.writeScope = ''), /writeScope/);
    // What direct clients of the builder have made is theirs.
    await refused((request) => (request.writeScope = '.direct'), /writeScope/);
    await refused((request) => (request.readScopes = ['ns', '.direct']), /readScopes/);
    await refused((request) => (request.readScopes = Array.from({ length: 100 }, () => 'x')), /readScopes/);
    await refused((request) => (request.timeoutMs = -1), /timeoutMs/);
    await refused((request) => (request.timeoutMs = Number.MAX_SAFE_INTEGER), /timeoutMs/);
    await refused((request) => (request.subject = 'x'.repeat(10_000)), /subject/);
    await refused(
      (request) => (request.solve!.exporters = Array.from({ length: 50 }, () => ({ type: 'image' }))),
      /exporters/,
    );
    await refused((request) => (request.solve!.frontendAttrs = { x: 'y'.repeat(2 << 20) }), /frontendAttrs/);
    await refused((request) => (request.solve = {}), /frontend/);
    // Solves of an operator are no business of direct clients.
    for await (const { record } of world.client.control.listenBuildHistory({ earlyExit: true }, { signal }))
      expect(record?.ref).not.toMatch(/^run-/);
    await expect(builder().result({ id: null }, { signal })).rejects.toMatchObject({ code: 'invalid_argument' });
    await expect(
      collectLogs(builder().attach({ id: { runUid: 'nobody', attempt: 1 } }, { signal })).done,
    ).rejects.toMatchObject({ code: 'not_found', reason: 'RUN_UNKNOWN' });
    expect(await builder().load({}, { signal })).toMatchObject({ running: 0 });
  });
});

describe('the session of a solve', () => {
  const NEEDS_SECRET = 'RUN --mount=type=secret,id=token,required cat /run/secrets/token > /told\n';

  test('may be lost while a step waits for its secret, and come back', async () => {
    await world.repository('secret', NEEDS_SECRET);
    const session = newId();
    const request = world.request('secret', { session, outputs: [['secret:1']] });
    const asked = Promise.withResolvers<void>();
    const first = world.connect();
    const silent = serveSecrets(first, session, () => {
      asked.resolve();
      return new Promise(() => {});
    });
    await builder().start(request, { signal });
    await asked.promise;
    await first[Symbol.asyncDispose]();
    await sleep(500);
    expect(await builder().result({ id: request.id! }, { signal })).toMatchObject({ state: RUNNING });
    await using second = world.connect();
    await using _session = serveSecrets(second, session, async (id) => `value of ${id}`);
    const result = await world.result(request.id);
    expect(result.error?.message).toBe(undefined);
    expect(result).toMatchObject({ state: SUCCEEDED });
    void silent.ended.catch(() => {});
  });

  test('is taken over by a newer connection, though the older one still stands', async () => {
    await world.repository('takeover', `${NEEDS_SECRET}RUN echo takeover\n`);
    const session = newId();
    const request = world.request('takeover', { session, attrs: { 'no-cache': '' } });
    const asked = Promise.withResolvers<void>();
    await using first = world.connect();
    await using _older = serveSecrets(first, session, () => {
      asked.resolve();
      return new Promise(() => {});
    });
    await builder().start(request, { signal });
    await asked.promise;
    await using second = world.connect();
    await using _newer = serveSecrets(second, session, async () => 'new');
    expect(await world.result(request.id)).toMatchObject({ state: SUCCEEDED });
  });

  test('is not missed by a solve that does not need it', async () => {
    const request = world.request('alone', { session: newId() });
    const files = new FileActions().mkfile('/Dockerfile', 0o644, Buffer.from('FROM scratch\nCOPY Dockerfile /\n'));
    const context = encodeDefinition(scratch().file(files).marshal());
    request.solve = { frontend: 'dockerfile.v0', frontendInputs: { context, dockerfile: context } };
    await builder().start(request, { signal });
    expect(await world.result(request.id)).toMatchObject({ state: SUCCEEDED });
  });
});

test('results and tags to write outlive a builder that is killed; what ran is unknown then', async () => {
  await world.repository('restart', GATED);
  world.gate.open('restart');
  const uid = newId();
  const done = world.request('restart', { uid, outputs: [['restart:1']], attrs: { 'build-arg:NAME': 'restart' } });
  const other = world.request('restart', { outputs: [['restart:2']], attrs: { 'build-arg:NAME': 'restart' } });
  const cut = world.request('restart', { attempt: 2, attrs: { 'build-arg:NAME': 'restart-cut' } });
  const never = world.request('restart');
  for (const request of [done, other]) {
    await builder().start(request, { signal });
    expect(await world.result(request.id)).toMatchObject({ state: SUCCEEDED });
  }
  await builder().cancel({ id: never.id! }, { signal });
  await builder().start(cut, { signal });
  await world.gate.reached('restart-cut');
  await world.stop('SIGKILL');
  await world.start();
  expect(await builder().result({ id: cut.id! }, { signal })).toMatchObject({ state: UNKNOWN });
  await expect(builder().start({ ...cut, id: { ...cut.id!, attempt: 1 } }, { signal })).rejects.toMatchObject({
    reason: 'RUN_SUPERSEDED',
  });
  expect(await builder().start(never, { signal })).toMatchObject({ state: CANCELLED, alreadyKnown: true });
  const result = await builder().result({ id: done.id! }, { signal });
  expect(result).toMatchObject({ state: SUCCEEDED, committed: false });
  expect(await builder().start(done, { signal })).toMatchObject({ state: SUCCEEDED, alreadyKnown: true });
  // What it printed outlives the builder as well.
  const printed = await collectLogs(builder().attach({ id: done.id! }, { signal })).done;
  expect(printed).toContain('before-the-gate');
  expect(printed).toContain('after-the-gate');
  await builder().commit({ id: done.id! }, { signal });
  expect(await world.digestOf('restart:1')).toBe(result.outputs[0]?.digest);
  // Without the builder's own copy the manifest is what lies under its digest.
  const digest = (await builder().result({ id: other.id! }, { signal })).outputs[0]?.digest ?? '';
  rmSync(path.join(world.root, 'blobs', digest.replace(':', '/')));
  await builder().commit({ id: other.id! }, { signal });
  expect(await world.digestOf('restart:2')).toBe(digest);
  expect(world.gate.visits('restart')).toBe(1);
});

test('tags are written with the credentials of the session, once that is back, also by a builder that was restarted', async () => {
  const users = { ada: newId() };
  await using registry = await RegistryServer.start({
    root: path.join(world.folder, 'private'),
    access: { kind: 'token', users },
  });
  const image = `${registry.host}/private/app`;
  await world.repository('private', 'RUN echo private\n');
  const session = newId();
  const request = world.request('private', { session });
  request.solve!.exporters = [{ type: 'image', attrs: { name: `${image}:1`, push: 'true' } }];
  const connect = (client: BuilderClient) =>
    hostSession(client.channel, {
      id: session,
      signal,
      register: (server) => server.register(Auth, { credentials: () => ({ username: 'ada', secret: users.ada }) }),
    });
  {
    await using first = world.connect();
    await using _session = connect(first);
    await builder().start(request, { signal });
    const result = await world.result(request.id);
    expect(result.error?.message).toBe(undefined);
  }
  await world.stop('SIGTERM');
  await world.start();
  const commit = builder().commit({ id: request.id! }, { signal });
  await sleep(500);
  await using second = world.connect();
  await using _session = connect(second);
  const { outputs } = await commit;
  const shown = await must('skopeo', [
    ...['inspect', '--tls-verify=false', '--creds', `ada:${users.ada}`, `docker://${image}:1`],
  ]);
  expect(JSON.parse(shown.stdout)).toMatchObject({ Digest: outputs[0]?.digest });
});

test('a solve that nobody is attached to ends itself, and one whose session stays away; a busy builder takes no more; one that stops says so', async () => {
  await using small = await RunWorld.open(['--max-runs', '1', '--unattached-timeout', '5s', '--session-grace', '1s']);
  await small.repository('busy', GATED);
  const build = (name: string) => small.request('busy', { attrs: { 'build-arg:NAME': name } });
  const { builder } = small.client;
  const [attended, refused, alone, stopped] = [build('attended'), build('refused'), build('alone'), build('stopped')];
  await builder.start(attended, { signal });
  const logs = collectLogs(builder.attach({ id: attended.id! }, { signal }));
  await small.gate.reached('attended');
  await expect(builder.start(refused, { signal })).rejects.toMatchObject({
    code: 'resource_exhausted',
    reason: 'BUILDER_BUSY',
    fault: 'infrastructure',
  });
  await sleep(6000);
  small.gate.open('attended');
  expect(await logs.done).toContain('after-the-gate');

  await builder.start(alone, { signal });
  let state = RUNNING;
  while (state === RUNNING) {
    await sleep(200);
    state = (await builder.result({ id: alone.id! }, { signal })).state;
  }
  expect(await small.result(alone.id)).toMatchObject({
    state: FAILED,
    reason: 'RUN_UNATTACHED',
    fault: 'infrastructure',
  });

  // Attended, and the platform's failure all the same.
  const away = small.request('busy', { session: newId() });
  await builder.start(away, { signal });
  const waited = collectLogs(builder.attach({ id: away.id! }, { signal }));
  expect(await small.result(away.id)).toMatchObject({
    state: FAILED,
    reason: 'NO_SESSION',
    fault: 'infrastructure',
  });
  await waited.done.catch(() => {});

  await builder.start(stopped, { signal });
  const cut = collectLogs(builder.attach({ id: stopped.id! }, { signal }));
  await cut.has('before-the-gate');
  const ended = expect(cut.done).rejects.toMatchObject({ code: 'unavailable' });
  await small.stop('SIGTERM');
  await ended;
});

test('a client with the contents of its certificates is let in, one without is not', async () => {
  using folder = tempFolder('runs-tls');
  const authority = await makeAuthority(folder.path, 'ca');
  const [server, client] = await Promise.all([
    authority.issue('builder', { names: ['builder.test'] }),
    authority.issue('operator'),
  ]);
  const port = await freePort();
  const tls = ['--tlscert', server.cert, '--tlskey', server.key, '--tlscacert', authority.cert];
  await using _daemon = await startBuilder(folder.path, ['--addr', `tcp://127.0.0.1:${port}`, ...tls]);
  const ca = readFileSync(authority.cert);
  const own = { cert: readFileSync(client.cert), key: readFileSync(client.key) };
  const address = `tcp://127.0.0.1:${port}`;
  await using good = openBuilderClient(address, { ca, ...own, serverName: 'builder.test' });
  expect(await good.builder.load({}, { signal })).toMatchObject({ running: 0, draining: false });
  await using unnamed = openBuilderClient(address, { ca, ...own });
  await expect(unnamed.builder.load({}, { signal })).rejects.toMatchObject({ code: 'unavailable' });
  await using nobody = openBuilderClient(address, { ca, serverName: 'builder.test' });
  await expect(nobody.builder.load({}, { signal })).rejects.toMatchObject({ code: 'unavailable' });
  expect(() => openBuilderClient(address, { ca, cert: own.cert })).toThrow(/certificates/);
});
