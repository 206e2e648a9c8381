import { describe, expect, test } from 'vitest';
import { checkRefName, cleanSubdir, gitError, parseRemote, sameRepository } from './remote.ts';

describe('addresses', () => {
  test.each([
    '--upload-pack=/bin/sh',
    '-oProxyCommand=id',
    'ext::sh -c id',
    'file:///etc',
    '/etc',
    'ssh://-oProxyCommand=id/x',
    'ssh://-user@host/x',
    'git@host:-x',
    '-u@host:x',
    'https://host/a b',
    'https://host/\n',
    'fd::17',
    'https://',
  ])('%s is refused', (text) => {
    expect(() => parseRemote(text)).toThrow(/invalid git URL/);
  });
  test('user names and passwords are kept apart', () => {
    expect(parseRemote('https://ada:s%40cret@host:8443/a/b.git#x')).toEqual({
      url: 'https://host:8443/a/b.git',
      scheme: 'https',
      host: 'host:8443',
      path: '/a/b.git',
      userInfo: 'ada:s@cret',
    });
    expect(parseRemote('git@github.com:org/repo.git').url).toBe('git@github.com:org/repo.git');
    expect(sameRepository(parseRemote('git@h:org/repo.git'), parseRemote('https://H/org/repo'))).toBe(true);
    expect(sameRepository(parseRemote('https://evil/org/repo'), parseRemote('https://h/org/repo'))).toBe(false);
  });
  test.each(['-x', 'a b', 'a..b', 'a^{}', 'x:y', 'a\n', 'x.lock', '/a', 'a/', '@{x'])('ref %j is refused', (ref) => {
    expect(() => checkRefName(ref)).toThrow(/invalid git ref/);
  });
  test('subdirectories stay inside', () => {
    expect(cleanSubdir('/../../a/./b/')).toBe('a/b');
    expect(() => cleanSubdir('a/.GIT/hooks')).toThrow(/\.git/);
  });
});

test.each([
  ["fatal: unable to access 'https://h/x.git/': SSL certificate problem: unable to get local issuer certificate"],
  ["fatal: unable to access 'https://h/x.git/': SSL: no alternative certificate subject name matches target host name"],
  ["fatal: unable to access 'https://h/x.git/': server certificate verification failed. CAfile: none CRLfile: none"],
])('an untrusted server is the user’s to mend, and not tried again: %s', (said) => {
  expect(gitError('git fetch', said)).toMatchObject({ reason: 'GIT_CERTIFICATE', fault: 'user' });
});
