import { describe, expect, test } from 'vitest';
import { outboundSettings, proxyFor, proxySettings } from './proxy.ts';

describe('the environment', () => {
  test('capitals before small letters; ALL_PROXY where there is no other; a bare host is http', () => {
    expect(proxySettings({ HTTP_PROXY: 'a:1', http_proxy: 'b:1', https_proxy: 'https://c:2', NO_PROXY: 'x' })).toEqual({
      http: 'http://a:1',
      https: 'https://c:2',
      noProxy: 'x',
    });
    expect(proxySettings({ ALL_PROXY: 'socks5://s:1080', HTTPS_PROXY: 'c:2' })).toEqual({
      http: 'socks5://s:1080',
      https: 'http://c:2',
      noProxy: '',
    });
    expect(proxySettings({ HTTP_PROXY: '' })).toEqual({ noProxy: '' });
  });

  test.each([
    { HTTP_PROXY: 'ftp://a' },
    { HTTPS_PROXY: 'http://' },
    { ALL_PROXY: 'http://a:99999' },
  ])('what names no proxy is refused by the name of its variable: %j', (env) => {
    const [name = ''] = Object.keys(env);
    expect(() => proxySettings(env)).toThrow(expect.objectContaining({ message: expect.stringContaining(name) }));
  });

  test('certificates for processes that read them by other names', () => {
    expect(outboundSettings({ SSL_CERT_FILE: '/ca.pem', SSL_CERT_DIR: '/a:/b' })).toMatchObject({
      certificateFile: '/ca.pem',
      certificateDirectories: '/a:/b',
    });
  });
});

describe('which proxy', () => {
  const settings = { http: 'http://plain:1', https: 'http://tls:2' };
  const via = (url: string, noProxy = '') => proxyFor(new URL(url), { ...settings, noProxy })?.host;

  test('by scheme', () => {
    expect(via('http://a.example/')).toBe('plain:1');
    expect(via('https://a.example/')).toBe('tls:2');
    expect(proxyFor(new URL('https://a.example'), { http: 'http://plain:1', noProxy: '' })).toBeUndefined();
  });

  test.each([
    'http://localhost:5000',
    'http://127.0.0.1:5000',
    'http://127.8.8.8',
    'http://registry.localhost:5000',
    'http://[::1]:5000',
  ])('never to this machine: %s', (url) => expect(via(url)).toBeUndefined());

  test.each<[string, string, boolean]>([
    ['*', 'https://a.example', true],
    ['example', 'https://a.example', true],
    ['a.example', 'https://A.example.', true],
    ['a.example', 'https://b.a.example', true],
    ['a.example', 'https://ba.example', false],
    ['.a.example', 'https://b.a.example', true],
    ['.a.example', 'https://a.example', false],
    ['*.a.example', 'https://b.a.example', true],
    ['*.a.example', 'https://a.example', false],
    ['x, a.example ,y', 'https://a.example', true],
    ['a.example:8443', 'https://a.example:8443', true],
    ['a.example:8443', 'https://a.example', false],
    ['a.example:443', 'https://a.example', true],
    ['10.1.2.3', 'http://10.1.2.3:80', true],
    ['10.1.2.3:81', 'http://10.1.2.3:80', false],
    ['10.0.0.0/8', 'http://10.1.2.3', true],
    ['10.0.0.0/8', 'http://11.1.2.3', false],
    ['10.0.0.0/8', 'http://10.example', false],
    ['fd00::/8', 'http://[fd12::1]:5000', true],
    ['fd12::1', 'http://[fd12::1]', true],
    ['[fd12::1]:5000', 'http://[fd12::1]:5000', true],
    ['[fd12::1]:5001', 'http://[fd12::1]:5000', false],
    ['10.0.0.0/99,', 'http://10.1.2.3', false],
  ])('NO_PROXY %s, %s: direct %s', (noProxy, url, direct) => {
    expect(via(url, noProxy) === undefined).toBe(direct);
  });
});
