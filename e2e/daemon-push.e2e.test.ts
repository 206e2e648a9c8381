import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RegistryServer } from '../src/oci/registry-server/index.ts';
import { startBuilder, type TestBuilder } from './support/builder.ts';
import { building, makeContext } from './support/context.ts';
import { freePort } from './support/ports.ts';
import { must } from './support/run.ts';
import { tempFolder } from './support/temp-folder.ts';

describe('pushing with the client’s credentials', () => {
  const work = tempFolder('daemon-push');
  const folder = work.path;
  const context = path.join(folder, 'context');
  const users = { ada: 'lovelace' };
  let builder: TestBuilder;
  let tokens: RegistryServer;
  let debian: ChildProcess;
  let debianHost: string;
  const { succeeds, fails } = building(() => builder);

  /** A folder with a docker config.json, as DOCKER_CONFIG names it. */
  function dockerConfig(name: string, host: string, password: string): Record<string, string> {
    const at = path.join(folder, name);
    mkdirSync(at, { recursive: true });
    const auth = Buffer.from(`ada:${password}`).toString('base64');
    writeFileSync(path.join(at, 'config.json'), JSON.stringify({ auths: { [host]: { auth } } }));
    return { DOCKER_CONFIG: at };
  }

  beforeAll(async () => {
    makeContext(context, { Dockerfile: 'FROM scratch\nCOPY a.txt busybox /\n', 'a.txt': 'one\n' });
    tokens = await RegistryServer.start({
      root: path.join(folder, 'tokens'),
      durable: false,
      access: { kind: 'token', users },
    });
    const port = await freePort();
    debianHost = `127.0.0.1:${port}`;
    const { stdout } = await must('htpasswd', ['-nbB', 'ada', users.ada]);
    writeFileSync(path.join(folder, 'htpasswd'), stdout);
    const config = {
      version: '0.1',
      log: { level: 'error' },
      storage: { filesystem: { rootdirectory: path.join(folder, 'debian') } },
      http: { addr: debianHost },
      auth: { htpasswd: { realm: 'basic', path: path.join(folder, 'htpasswd') } },
    };
    writeFileSync(path.join(folder, 'registry.yml'), JSON.stringify(config));
    debian = spawn('docker-registry', ['serve', path.join(folder, 'registry.yml')], { stdio: 'ignore' });
    while ((await fetch(`http://${debianHost}/v2/`).catch(() => undefined)) === undefined) {
      if (debian.exitCode !== null) throw new Error('docker-registry ended');
      await sleep(50);
    }
    builder = await startBuilder(folder);
  });

  afterAll(async () => {
    await builder?.stop();
    await tokens?.[Symbol.asyncDispose]();
    debian?.kill();
    work[Symbol.dispose]();
  });

  const output = (host: string, tag: string) => ['--output', `type=image,name=${host}/some/app:${tag},push=true`];
  const digestAt = async (host: string, tag: string) =>
    (
      JSON.parse(
        (
          await must('skopeo', [
            ...['inspect', '--tls-verify=false', '--creds', `ada:${users.ada}`],
            `docker://${host}/some/app:${tag}`,
          ])
        ).stdout,
      ) as { Digest: string }
    ).Digest;

  test('Debian’s registry with basic authentication', async () => {
    const ran = await succeeds(context, output(debianHost, '1'), {
      env: dockerConfig('debian-config', debianHost, users.ada),
    });
    expect(ran.output).toContain(await digestAt(debianHost, '1'));
    // The client's password stays with the client.
    expect(builder.log() + ran.output).not.toContain(users.ada);
  });

  test('a registry that hands out tokens', async () => {
    const env = dockerConfig('token-config', tokens.host, users.ada);
    const ran = await succeeds(context, output(tokens.host, '1'), { env });
    expect(ran.output).toContain(await digestAt(tokens.host, '1'));
  });

  test('a wrong password and none are told apart from a broken push, and nothing is stored', async () => {
    for (const host of [debianHost, tokens.host]) {
      const wrong = await fails(context, output(host, '2'), { env: dockerConfig('wrong', host, 'guess') });
      expect(wrong.output).toMatch(/unauthorized|401|denied|authentication/i);
      const none = await fails(context, output(host, '2'), { env: { DOCKER_CONFIG: path.join(folder, 'nothing') } });
      expect(none.output).toMatch(/unauthorized|401|denied|authentication/i);
    }
    expect(readdirSync(path.join(folder, 'debian/docker/registry/v2/repositories/some/app/_manifests/tags'))).toEqual([
      '1',
    ]);
  });

  test('a private base is pulled with the credentials of the build that asks, and of no other', async () => {
    const env = dockerConfig('token-config', tokens.host, users.ada);
    const child = makeContext(path.join(folder, 'child'), {
      Dockerfile: `FROM ${tokens.host}/some/app:1\nCOPY b.txt /\n`,
      'b.txt': 'two\n',
    });
    await succeeds(context, output(tokens.host, '1'), { env });
    const out = path.join(folder, 'out');
    await builder.buildctl(['prune', '--all']);
    const refused = await fails(child, [], { env: { DOCKER_CONFIG: path.join(folder, 'nothing') } });
    expect(refused.output).toMatch(/unauthorized|401|denied|authentication/i);
    await succeeds(child, ['--output', `type=local,dest=${out}`], { env });
    expect(readdirSync(out).sort()).toEqual(['a.txt', 'b.txt', 'busybox']);
  });
});
