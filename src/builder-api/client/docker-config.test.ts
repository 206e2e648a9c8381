import { describe, expect, test } from 'vitest';
import { neverAborted } from '../../base/index.ts';
import { dockerConfigCredentials } from './docker-config.ts';

const options = { signal: neverAborted };
const auth = (text: string) => Buffer.from(text).toString('base64');

describe('docker config.json', () => {
  const credentials = dockerConfigCredentials(
    JSON.stringify({
      auths: {
        'https://index.docker.io/v1/': { auth: auth('hub:se:cret') },
        'https://registry.example.com/v1/': { username: 'ada', password: 'lovelace' },
        'localhost:5000': { identitytoken: 'refresh' },
        'empty.example.com': {},
      },
    }),
  );
  test.each([
    ['registry-1.docker.io', { kind: 'basic', username: 'hub', secret: 'se:cret' }],
    ['docker.io', { kind: 'basic', username: 'hub', secret: 'se:cret' }],
    ['registry.example.com', { kind: 'basic', username: 'ada', secret: 'lovelace' }],
    ['localhost:5000', { kind: 'identity-token', token: 'refresh' }],
    ['localhost:5001', { kind: 'anonymous' }],
    ['empty.example.com', { kind: 'anonymous' }],
  ])('%s', async (host, expected) => {
    expect(await credentials(host, options)).toEqual(expected);
  });

  test('helpers go before entries, and may know nothing', async () => {
    const asked: string[] = [];
    const helped = dockerConfigCredentials(
      JSON.stringify({
        auths: { 'b.example.com': { auth: auth('b:b') } },
        credHelpers: { 'a.example.com': 'vault' },
        credsStore: 'store',
      }),
      async (helper, server) => {
        asked.push(`${helper} ${server}`);
        if (helper === 'vault') return JSON.stringify({ Username: '<token>', Secret: 'refresh' });
        return 'credentials not found in native keychain';
      },
    );
    expect(await helped('a.example.com', options)).toEqual({ kind: 'identity-token', token: 'refresh' });
    expect(await helped('b.example.com', options)).toEqual({ kind: 'basic', username: 'b', secret: 'b' });
    expect(asked).toEqual(['vault a.example.com', 'store b.example.com']);
  });

  test('a broken file is refused without repeating it', () => {
    expect(() => dockerConfigCredentials('{"auths": secret')).toThrow(/no JSON/);
    expect(() => dockerConfigCredentials('{"auths": secret')).not.toThrow(/secret/);
    expect(() => dockerConfigCredentials('null')).not.toThrow();
  });
});
