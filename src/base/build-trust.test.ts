import { describe, expect, test } from 'vitest';
import { readTrust, withProxyAddress } from './build-trust.ts';
import { neverAborted as signal } from './signals.ts';

const through = (proxy: string) => readTrust({ caBundle: '', proxy, noProxy: '' })!;

describe('a proxy that a build names', () => {
  test('is taken by its address, with all else that it says', async () => {
    const { proxies } = await withProxyAddress(through('http://localhost:p@localhost:3128'), { signal });
    expect(proxies?.http).toMatch(/^http:\/\/localhost:p@(127\.0\.0\.1|\[::1\]):3128\/$/);
    const socks = await withProxyAddress(through('socks5://localhost'), { signal });
    expect(socks.proxies?.https).toMatch(/^socks5:\/\/(127\.0\.0\.1|\[::1\])/);
  });

  test.each([
    'http://169.254.169.254',
    'http://[fe80::1]:80',
    'socks5://169.254.169.254:80',
    'http://2852039166',
  ])('is not the metadata service: %s', async (proxy) => {
    await expect(withProxyAddress(through(proxy), { signal })).rejects.toMatchObject({ reason: 'HTTP_LINK_LOCAL' });
  });

  test('is known apart from another, and the same by the same id', () => {
    expect(through('http://a').id).toBe(through('http://a').id);
    expect(through('http://a').id).not.toBe(through('http://b').id);
    expect(readTrust({ caBundle: '', proxy: '', noProxy: '' })).toBeUndefined();
  });
});
