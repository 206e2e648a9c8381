import { spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tool } from '../../../test/tools.ts';
import { OURS, type Output, outcome, REAL, TestDaemon } from '../../builder-pod/daemon/testing/test-daemon.ts';

// Who runs `buildctl` in a builder's container: the probes of pods, and clients that come in by `kubectl exec`.

const bin = resolve(import.meta.dirname, '../../../bin');
const temp = mkdtempSync(join(tmpdir(), 'slipway-buildctl-'));
const context = join(temp, 'context');
const daemons = { ours: new TestDaemon(temp, 'ours', OURS), theirs: new TestDaemon(temp, 'theirs', REAL) };
const PATH = `${temp}:${process.env['PATH']}`;

function call(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Output> {
  return outcome(
    spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, BUILDX_CONFIG: temp, PATH, ...env },
    }),
  );
}
const buildctl = (args: readonly string[], env?: Readonly<Record<string, string>>) =>
  call(join(bin, 'buildctl'), args, env);

beforeAll(async () => {
  mkdirSync(context);
  copyFileSync('/bin/busybox', join(context, 'busybox'));
  writeFileSync(
    join(context, 'Dockerfile'),
    'FROM scratch\nCOPY busybox /bin/\nRUN ["/bin/busybox", "touch", "/made"]\n',
  );
  // Into the one pod there is. What is after -- is run in it.
  const kubectl = `#!/bin/sh
while [ "$1" != -- ]; do shift; done
shift
PATH=${bin}:$PATH BUILDKIT_HOST=${daemons.ours.address} exec "$@"
`;
  writeFileSync(join(temp, 'kubectl'), kubectl, { mode: 0o755 });
  await Promise.all(Object.values(daemons).map((daemon) => daemon.ready()));
});
afterAll(async () => {
  await Promise.all(Object.values(daemons).map((daemon) => daemon.stop()));
  rmSync(temp, { recursive: true, force: true });
});

describe('debug workers', () => {
  test.each(['ours', 'theirs'] as const)('tells of %s what the real client tells', async (name) => {
    const { address } = daemons[name];
    const probe = await buildctl(['debug', 'workers'], { BUILDKIT_HOST: address });
    const real = await call(tool('buildctl'), ['--addr', address, 'debug', 'workers']);
    const cells = ({ text }: Output) =>
      text
        .trim()
        .split('\n')
        .map((line) => line.trim().split(/\s+/));
    expect(cells(probe)).toEqual(cells(real));
    expect(probe.code).toBe(0);
  });

  test('fails where nobody answers', async () => {
    const { code, text } = await buildctl(['--addr', `unix://${temp}/nobody`, '--timeout', '1', 'debug', 'workers']);
    expect(text).toMatch(/^error: the builder does not answer/);
    expect(code).toBe(1);
  });
});

describe('dial-stdio', () => {
  test('carries a build of buildctl', async () => {
    const made = join(temp, 'made');
    const { code, text } = await call(tool('buildctl'), [
      ...['--addr', 'kube-pod://builder-0', 'build', '--frontend', 'dockerfile.v0'],
      ...['--local', `context=${context}`, '--local', `dockerfile=${context}`, '--output', `type=local,dest=${made}`],
    ]);
    expect(code, text).toBe(0);
    expect(readFileSync(join(made, 'made'), 'utf8')).toBe('');
  });

  test('carries a build of buildx', async () => {
    const buildx = (...args: readonly string[]) => call(tool('buildx'), args);
    const created = await buildx('create', '--name', 'pod', '--driver', 'remote', 'kube-pod://builder-0');
    expect(created.code, created.text).toBe(0);
    const made = join(temp, 'made-by-buildx');
    const { code, text } = await buildx('build', '--builder', 'pod', '--output', `type=local,dest=${made}`, context);
    expect(code, text).toBe(0);
    expect(readFileSync(join(made, 'made'), 'utf8')).toBe('');
  });

  test('fails where nobody listens', async () => {
    const { code, text } = await buildctl(['--addr', `unix://${temp}/nobody`, 'dial-stdio']);
    expect(text).toMatch(/^error: the builder at unix:.*nobody cannot be reached/);
    expect(code).toBe(1);
  });
});
