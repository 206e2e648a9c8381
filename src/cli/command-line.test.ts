import { describe, expect, test } from 'vitest';
import { CodedError, cancelledError, invalidArgument } from '../base/index.ts';
import { resolveSecrets, signingSecrets } from './build/secrets.ts';
import { parseCommandLine } from './command-line.ts';
import { exitCodeOf, renderError } from './print-error.ts';

const failure = (...args: string[]) => {
  try {
    parseCommandLine(args);
  } catch (error) {
    return (error as Error).message;
  }
  return 'no error';
};

describe('parseCommandLine', () => {
  test('reads a build with folders and secrets', () => {
    expect(
      parseCommandLine([
        'build',
        '-f',
        'b.yaml',
        '--context',
        '.',
        '--context',
        'lib=../lib',
        '--secret',
        'id=a,src=/f',
        '--secret',
        'id=b,env=B',
      ]),
    ).toMatchObject({
      kind: 'build',
      file: 'b.yaml',
      contexts: new Map([
        ['context', '.'],
        ['lib', '../lib'],
      ]),
      secrets: [
        { id: 'a', from: { file: '/f' } },
        { id: 'b', from: { env: 'B' } },
      ],
      progress: 'auto',
    });
  });

  test.each([
    [['build'], 'name the manifest'],
    [['build', '-f', 'x', '--progress', 'loud'], 'must be auto, plain, tty, rawjson or quiet'],
    [['build', '-f', 'x', '--nope'], "Unknown option '--nope'"],
    [['build', '-f', 'x', '--secret', 'src=/f'], 'id is missing'],
    [['build', '-f', 'x', '--secret', 'id=a,file=/f'], 'unknown key file'],
    [['build', '-f', 'x', '--context', 'a', '--context', 'b'], '--context context is given twice'],
    [['biuld'], 'unknown command "biuld"'],
  ])('%j is refused', (args, message) => {
    expect(failure(...args)).toContain(message);
  });

  test('help needs no manifest', () => {
    expect(parseCommandLine(['build', '--help'])).toEqual({ kind: 'help', topic: 'build' });
    expect(parseCommandLine([])).toEqual({ kind: 'help', topic: undefined });
  });
});

describe('resolveSecrets', () => {
  const planned = {
    secrets: [{ id: 'token', secretRef: { name: 'ci' }, field: 'spec.secrets[token]' }],
    cacheSecrets: [],
    gitAuth: [],
    ssh: [],
  };

  test('takes a value from the environment', () => {
    const values = resolveSecrets(planned, [{ id: 'token', from: { env: 'T' } }], { T: 'v' });
    expect(Buffer.from(values.get('token') ?? []).toString()).toBe('v');
  });

  test('names what is missing, and the flag that gives it', () => {
    expect(() => resolveSecrets(planned, [], {})).toThrow(
      expect.objectContaining({ hint: 'give it with --secret id=token,src=FILE' }),
    );
  });

  test('refuses a flag that nothing asks for', () => {
    expect(() => resolveSecrets({ ...planned, secrets: [] }, [{ id: 'x', from: { env: 'T' } }], {})).toThrow(
      'has no secret of this id',
    );
  });

  test('of caches: a flag named by Secret and key, else the environment; a session’s token may be missing', () => {
    const field = 'spec.cache.to[0].s3.secretRef';
    const keys = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN'];
    const cacheSecrets = keys.map((key, at) => ({
      ...{ id: `slipway.build/cache/bucket/${key}`, secretRef: { name: 'bucket', key }, field, optional: at === 2 },
    }));
    const plan = { secrets: [], gitAuth: [], ssh: [], cacheSecrets };
    const flag = { id: 'bucket/AWS_SECRET_ACCESS_KEY', from: { env: 'S' } } as const;
    const values = resolveSecrets(plan, [flag], { AWS_ACCESS_KEY_ID: 'id', S: 'secret', AWS_SECRET_ACCESS_KEY: 'x' });
    expect([...values].map(([id, value]) => `${id}=${Buffer.from(value)}`)).toEqual([
      'slipway.build/cache/bucket/AWS_ACCESS_KEY_ID=id',
      'slipway.build/cache/bucket/AWS_SECRET_ACCESS_KEY=secret',
      'slipway.build/cache/bucket/AWS_SESSION_TOKEN=',
    ]);
    expect(() => resolveSecrets(plan, [], {})).toThrow(
      'no value for AWS_ACCESS_KEY_ID for spec.cache.to[0].s3.secretRef (Secret bucket on a cluster), AWS_SECRET_ACCESS_KEY for',
    );
  });

  test('says why a file cannot be read', () => {
    expect(() => resolveSecrets(planned, [{ id: 'token', from: { file: '/nonexistent' } }], {})).toThrow(
      'cannot be read',
    );
  });
});

describe('errors', () => {
  test('show the lines they are about, and what to do next', () => {
    const data = Buffer.from('FROM scratch\nRUN false\nCMD x').toString('base64');
    const error = invalidArgument('boom', {
      hint: 'try again',
      details: [
        {
          type: 'errdefs.Source',
          value: { info: { filename: 'Dockerfile', data }, ranges: [{ start: { line: 2 }, end: { line: 2 } }] },
        },
      ],
    });
    expect(renderError(error)).toBe(
      'error: boom\nDockerfile:2\n--------------------\n   1 |     FROM scratch\n   2 | >>> RUN false\n   3 |     CMD x\n--------------------\nhint: try again\n',
    );
  });

  test('have exit codes by whose fault they are', () => {
    expect(exitCodeOf(invalidArgument('x'), 'command-line')).toBe(2);
    expect(exitCodeOf(invalidArgument('x'), 'run')).toBe(1);
    expect(exitCodeOf(cancelledError(), 'run')).toBe(130);
    expect(exitCodeOf(new CodedError('unavailable', 'x'), 'run')).toBe(3);
  });
});

describe('what signs', () => {
  const none = { key: undefined, token: undefined };
  const by = (kind: 'key' | 'token') => ({ signing: { by: kind, secretRef: { name: 's' }, field: 'spec.sign' } });
  const valuesOf = (...args: Parameters<typeof signingSecrets>) =>
    Object.fromEntries([...signingSecrets(...args)].map(([id, value]) => [id, Buffer.from(value).toString()]));

  test('the flags are read', () => {
    const flags = ['--sign-identity-token', 't', '--fulcio-url', 'https://f', '--rekor-url', 'https://r'];
    expect(parseCommandLine(['build', '-f', 'x', ...flags])).toMatchObject({
      ...{ signKey: undefined, signToken: 't' },
      ...{ fulcioUrl: 'https://f', rekorUrl: 'https://r' },
    });
  });

  test('a token comes from the file, or from SIGSTORE_ID_TOKEN', () => {
    const env = { SIGSTORE_ID_TOKEN: 'a.b.c', COSIGN_PASSWORD: 'p' };
    expect(valuesOf(by('token'), none, env)).toEqual({ 'slipway.build/identity-token': 'a.b.c' });
    const token = import.meta.filename;
    expect(valuesOf(by('token'), { key: undefined, token }, env)['slipway.build/identity-token']).toMatch(/^import/);
    expect(valuesOf({ signing: undefined }, none, env)).toEqual({});
  });

  test.each([
    [by('token'), none, /no identity token for spec\.sign \(Secret s on a cluster\)/],
    [by('key'), none, /no key for spec\.sign/],
    [by('key'), { key: 'k', token: 't' }, /--sign-identity-token: the manifest has no spec\.sign\.keyless/],
    [by('token'), { key: 'k', token: undefined }, /--sign-key: the manifest has no spec\.sign\.secretRef/],
    [{ signing: undefined }, { key: 'k', token: undefined }, /--sign-key: the manifest has no spec\.sign$/],
    [by('token'), { key: undefined, token: '/nowhere' }, /--sign-identity-token: \/nowhere cannot be read/],
  ])('%j and %j do not fit', (plan, flags, words) => {
    expect(() => signingSecrets(plan, flags, {})).toThrow(words);
  });
});
