import { describe, expect, test } from 'vitest';
import { parseBuildctl } from './command.ts';

const parse = (args: readonly string[], env: Readonly<Record<string, string>> = {}, files: readonly string[] = []) =>
  parseBuildctl(args, env, (path) => files.includes(path));
const SOCKET = { address: 'unix:///run/buildkit/buildkitd.sock', timeoutMs: 5000, tls: undefined };

describe('the command line of the probe', () => {
  test.each<[string, readonly string[], Readonly<Record<string, string>>, string]>([
    ['the usual socket', [], {}, SOCKET.address],
    ['BUILDKIT_HOST', [], { BUILDKIT_HOST: 'tcp://10.0.0.1:1234' }, 'tcp://10.0.0.1:1234'],
    ['an empty BUILDKIT_HOST as none', [], { BUILDKIT_HOST: '' }, SOCKET.address],
    ['what --addr says', ['--addr', 'unix:///b'], { BUILDKIT_HOST: 'unix:///a' }, 'unix:///b'],
  ])('reaches %s', (_, args, env, address) => {
    expect(parse([...args, 'debug', 'workers'], env)).toMatchObject({ kind: 'workers', endpoint: { address } });
    expect(parse([...args, 'dial-stdio'], env)).toMatchObject({ kind: 'dial-stdio', endpoint: { address } });
  });

  test('takes the flags of a client before and behind the command', () => {
    expect(parse(['--timeout=9', '--wait', 'debug', 'workers', '--filter', 'id==a', '-f', 'id==b'])).toEqual({
      kind: 'workers',
      endpoint: { ...SOCKET, timeoutMs: 9000 },
      filters: ['id==a', 'id==b'],
    });
  });

  test('finds certificates by file and by folder', () => {
    const given = ['--tlscacert', '/ca', '--tlscert', '/c', '--tlskey', '/k', '--tlsservername', 'b', 'dial-stdio'];
    expect(parse(given)).toMatchObject({ endpoint: { tls: { ca: '/ca', cert: '/c', key: '/k', serverName: 'b' } } });
    const secret = ['/t/ca.crt', '/t/tls.crt', '/t/tls.key'];
    expect(parse(['--tlsdir', '/t', 'dial-stdio'], {}, secret)).toMatchObject({
      endpoint: { tls: { ca: '/t/ca.crt', cert: '/t/tls.crt', key: '/t/tls.key' } },
    });
  });

  test.each<[readonly string[], RegExp]>([
    [['build'], /has debug workers and dial-stdio alone/],
    [['debug', 'logs'], /buildctl debug logs/],
    [['debug', 'workers', '--format={{json .}}'], /--format/],
    [['--timeout=soon', 'debug', 'workers'], /--timeout: must be seconds/],
    [['--tlsdir', '/t', 'debug', 'workers'], /--tlsdir \/t: there is neither ca.pem/],
    [['--tlsdir', '/t', '--tlskey', '/k', 'debug', 'workers'], /goes without/],
  ])('refuses %j', (args, message) => {
    expect(() => parse(args)).toThrow(message);
  });

  test('tells of itself without a command', () => {
    expect(parse([])).toEqual({ kind: 'help' });
    expect(parse(['debug', 'workers', '-h'])).toEqual({ kind: 'help' });
    expect(parse(['--version'])).toEqual({ kind: 'version' });
  });
});
