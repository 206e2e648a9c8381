import { copyFileSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { startBuilder } from '../../../e2e/support/builder.ts';
import { type Authority, makeAuthority } from '../../../e2e/support/certificates.ts';
import { BASE, dockerfileArgs, makeContext } from '../../../e2e/support/context.ts';
import { startGate } from '../../../e2e/support/gate.ts';
import { buildctl } from '../../../e2e/support/paths.ts';
import { freePort } from '../../../e2e/support/ports.ts';
import { run } from '../../../e2e/support/run.ts';
import { tempFolder } from '../../../e2e/support/temp-folder.ts';

test('certificates renewed in mid-build: the build goes on, new clients meet the new ones, and a broken pair changes nothing', async () => {
  using work = tempFolder('certificates');
  await using gate = await startGate();
  const [old, renewed] = await Promise.all([makeAuthority(work.path, 'old'), makeAuthority(work.path, 'renewed')]);
  // As a Secret's volume has them: files are links through one link, which is swapped.
  const volume = path.join(work.path, 'volume');
  mkdirSync(volume);
  for (const name of ['ca.crt', 'tls.crt', 'tls.key']) symlinkSync(`..data/${name}`, path.join(volume, name));
  let version = 0;
  const swap = (fill: (directory: string) => void) => {
    const name = `..${++version}`;
    mkdirSync(path.join(volume, name));
    fill(path.join(volume, name));
    symlinkSync(name, path.join(volume, '..data_tmp'));
    renameSync(path.join(volume, '..data_tmp'), path.join(volume, '..data'));
  };
  const put = async (authority: Authority) => {
    const server = await authority.issue('builder', { names: ['localhost'] });
    swap((directory) => {
      copyFileSync(authority.cert, path.join(directory, 'ca.crt'));
      copyFileSync(server.cert, path.join(directory, 'tls.crt'));
      copyFileSync(server.key, path.join(directory, 'tls.key'));
    });
    return server;
  };
  await put(old);
  const address = `tcp://127.0.0.1:${await freePort()}`;
  const file = (name: string) => path.join(volume, name);
  await using builder = await startBuilder(work.path, [
    ...['--addr', address, '--tlscert', file('tls.crt'), '--tlskey', file('tls.key'), '--tlscacert', file('ca.crt')],
  ]);
  const clients = new Map([
    [old, await old.issue('client')] as const,
    [renewed, await renewed.issue('client')] as const,
  ]);
  const as = (authority: Authority, args: readonly string[]) => {
    const own = clients.get(authority)!;
    return run(buildctl, [
      ...['--addr', address, '--tlscacert', authority.cert, '--tlsservername', 'localhost', '--timeout', '10'],
      ...['--tlscert', own.cert, '--tlskey', own.key, ...args],
    ]);
  };
  const letsIn = async (authority: Authority) => (await as(authority, ['debug', 'workers'])).code === 0;
  expect([await letsIn(old), await letsIn(renewed)]).toEqual([true, false]);

  const context = makeContext(path.join(work.path, 'context'), {
    Dockerfile: `${BASE}FROM base\nRUN wget -q -O- ${gate.url}/renewed && echo still-there > /said\n`,
  });
  const out = path.join(work.path, 'out');
  const building = as(old, dockerfileArgs(context, ['--output', `type=local,dest=${out}`]));
  await gate.reached('renewed');
  const server = await put(renewed);
  await expect.poll(() => letsIn(renewed), { timeout: 60_000 }).toBe(true);
  expect(await letsIn(old)).toBe(false);

  // A key of another certificate, and no certificate at all.
  for (const broken of [clients.get(old)!.key, undefined]) {
    const before = builder.log().split('cannot be used').length;
    swap((directory) => {
      copyFileSync(renewed.cert, path.join(directory, 'ca.crt'));
      if (broken === undefined) writeFileSync(path.join(directory, 'tls.crt'), 'none');
      else copyFileSync(server.cert, path.join(directory, 'tls.crt'));
      copyFileSync(broken ?? server.key, path.join(directory, 'tls.key'));
    });
    await expect.poll(() => builder.log().split('cannot be used').length, { timeout: 60_000 }).toBe(before + 1);
    expect(await letsIn(renewed)).toBe(true);
  }
  // What the build of the client that is let in no more still has to send, it sends over its connection.
  gate.open('renewed');
  const { code, output } = await building;
  expect(code, output).toBe(0);
});
