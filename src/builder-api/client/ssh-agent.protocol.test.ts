import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { serveAgent } from './ssh-agent.ts';
import { parseSshKey, type SshKey } from './ssh-key.ts';

const execFile = promisify((await import('node:child_process')).execFile);

/** OpenSSH's own tools against the agent. */
describe('an ssh agent with the keys of a Secret', () => {
  const work = mkdtempSync(path.join(tmpdir(), 'slipway-agent-'));
  const at = (name: string) => path.join(work, name);
  let keys: readonly SshKey[] = [];
  let server: Server;

  beforeAll(async () => {
    server = createServer((socket: Socket) => {
      void (async () => {
        const requests = (async function* () {
          for await (const data of socket as AsyncIterable<Buffer>) yield { data };
        })();
        for await (const answer of serveAgent(requests, keys)) socket.write(answer);
        socket.end();
      })();
    });
    await new Promise<void>((resolve) => server.listen(at('sock'), resolve));
  });
  afterAll(() => {
    server.close();
    rmSync(work, { recursive: true });
  });

  test.each([
    ['ed25519', []],
    ['rsa', []],
    ['rsa', ['-m', 'PEM']],
    ['ecdsa', ['-b', '256']],
    ['ecdsa', ['-b', '521']],
  ])('signs with a key of type %s %j', async (type, flags) => {
    const file = at(`${type}${flags.join('')}`);
    execFileSync('ssh-keygen', ['-q', '-t', type, '-N', '', '-f', file, ...flags]);
    keys = [await parseSshKey(readFileSync(file, 'utf8'))];
    // Only the agent has the private half now.
    rmSync(file);
    writeFileSync(at('data'), 'words');
    const env = { ...process.env, SSH_AUTH_SOCK: at('sock') };
    const { stdout } = await execFile('ssh-add', ['-L'], { env });
    expect(stdout.split(' ').slice(0, 2)).toEqual(readFileSync(`${file}.pub`, 'utf8').split(' ').slice(0, 2));
    // An integer of a signature may be shorter, or have its sign bit set: several times.
    for (let round = 0; round < 5; round++) {
      rmSync(at('data.sig'), { force: true });
      await execFile('ssh-keygen', ['-Y', 'sign', '-n', 'file', '-f', `${file}.pub`, at('data')], { env });
      const checked = execFileSync('ssh-keygen', ['-Y', 'check-novalidate', '-n', 'file', '-s', at('data.sig')], {
        input: 'words',
        encoding: 'utf8',
      });
      expect(checked).toContain('Good "file" signature');
    }
  });

  test('refuses what is no usable key, and quotes nothing of it', async () => {
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', 'secret', '-f', at('locked')]);
    await expect(parseSshKey(readFileSync(at('locked'), 'utf8'))).rejects.toThrow('has a passphrase');
    await expect(parseSshKey(readFileSync(at('locked.pub'), 'utf8'))).rejects.toThrow('public one');
    await expect(parseSshKey('hunter2')).rejects.toThrow(/^not a private ssh key$/);
    await expect(parseSshKey('')).rejects.toThrow('not a private ssh key');
  });

  test('a broken request gets a refusal or the end, never a crash', async () => {
    const ask = async (bytes: Buffer) => {
      const answers: Uint8Array[] = [];
      for await (const answer of serveAgent(
        (async function* () {
          for (const byte of bytes) yield { data: Buffer.from([byte]) };
        })(),
        keys,
      ))
        answers.push(answer);
      return Buffer.concat(answers).toString('hex');
    };
    expect(await ask(Buffer.from('0000000113ff', 'hex'))).toBe('0000000105');
    expect(await ask(Buffer.from('000000050dffffffff', 'hex'))).toBe('0000000105');
    expect(await ask(Buffer.from('ffffffff0b', 'hex'))).toBe('');
    expect(await ask(Buffer.from('000000011b', 'hex'))).toBe('0000000105');
  });
});
