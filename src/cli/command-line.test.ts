import { describe, expect, test } from 'vitest';
import { CodedError, cancelledError, invalidArgument } from '../base/index.ts';
import { provenanceOptions } from '../builder-pod/engine/provenance/options.ts';
import { planBuild } from '../plan/index.ts';
import { parseBuild } from '../resources/index.ts';
import { PROVENANCE_PARAMETERS } from './attestation-flags.ts';
import { withFlags } from './build/build-flags.ts';
import { resolveSecrets, signingSecrets } from './build/secrets.ts';
import { type BuildCommand, parseCommandLine } from './command-line.ts';
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
  test('tells its version behind any command, as the entry point of an image has one', () => {
    for (const command of [[], ['operator'], ['build'], ['cache', 'ls']])
      expect(parseCommandLine([...command, '--version'])).toEqual({ kind: 'version' });
  });

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
      ...{ fulcioUrl: 'https://f', rekorUrl: 'https://r', noTlog: false },
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
    [by('token'), { key: undefined, token: '/nowhere' }, /--sign-identity-token: \/nowhere cannot be read/],
  ])('%j and %j do not fit', (plan, flags, words) => {
    expect(() => signingSecrets(plan, flags, {})).toThrow(words);
  });
});

describe('flags in the place of fields of a manifest', () => {
  const planOf = (flags: readonly string[], spec = '', env: Readonly<Record<string, string>> = {}) => {
    const command = parseCommandLine(['build', '-f', 'b.yaml', ...flags]) as BuildCommand;
    const text = `{ apiVersion: slipway.build/v1alpha1, kind: Build, metadata: { name: x }, spec: { dockerfile: { inline: "FROM scratch" }, ${spec || 'outputs: [{ image: x }]'} } }`;
    return planBuild(withFlags(parseBuild(text, 'b.yaml'), command, env), { defaultRegistry: 'r.example.com' });
  };
  const attested = (...args: Parameters<typeof planOf>) =>
    Object.entries(planOf(...args).frontendAttrs)
      .filter(([name]) => name.startsWith('attest:'))
      .map(([name, value]) => `${name.slice('attest:'.length)} ${value}`.trim());

  test.each([
    [['--provenance'], ['provenance mode=max']],
    [
      ['--provenance', '--sbom'],
      ['provenance mode=max', 'sbom'],
    ],
    [['--provenance=true', '--sbom=false'], ['provenance mode=max']],
    [['--provenance=min'], ['provenance mode=min']],
    [['--provenance', 'mode=min,version=v0.2'], ['provenance mode=min,version=v0.2']],
    [
      ['--provenance=builder-id=https://b,reproducible=true,inline-only=true,complete-materials=false'],
      ['provenance mode=max,builder-id=https://b,reproducible=true'],
    ],
    [['--sbom=generator=scan,EXTRA=1', '--no-cache'], ['sbom EXTRA=1,generator=scan']],
    [
      ['--attest', 'type=sbom,"LIST=a,b"', '--attest=type=provenance'],
      ['provenance mode=max', 'sbom "LIST=a,b"'],
    ],
    [['--attest', 'type=provenance,disabled=true', '--attest', 'type=sbom,disabled=false'], ['sbom']],
  ])('%j', (flags, wanted) => {
    expect(attested(flags)).toEqual(wanted);
  });

  test('of attestations count before those of the manifest, kind by kind', () => {
    const spec = 'outputs: [{ image: x }], attestations: { provenance: { builderId: b }, sbom: {} }';
    expect(attested([], spec)).toEqual(['provenance mode=min,builder-id=b', 'sbom']);
    expect(attested(['--provenance'], spec)).toEqual(['provenance mode=max', 'sbom']);
    expect(attested(['--provenance=false', '--sbom=false'], spec)).toEqual([]);
  });

  test.each([
    [['--attest', 'mode=max'], /expected type=provenance or type=sbom/],
    [['--attest', 'type=vex'], /expected type=provenance or type=sbom/],
    [['--attest', 'type=sbom', '--sbom'], /sbom is asked for twice/],
    [['--provenance=mod=max'], /unknown parameter "mod" of provenance/],
    [['--provenance=constructor=x'], /unknown parameter "constructor"/],
    [['--provenance=maximum'], /"maximum" is no key=value/],
    [
      ['--provenance=mode=maximum'],
      /b\.yaml, with the flags, is not a valid Build:\n {2}spec\.attestations\.provenance\.mode/,
    ],
    [['--provenance=reproducible=perhaps'], /reproducible=perhaps: expected true or false/],
    [['--sbom="x'], /bad quoting/],
    [['--sbom=generator='], /spec\.attestations\.sbom\.generator/],
    [['--sign-key', 'k', '--sign-identity-token', 't'], /exclude each other/],
    [['--sign-key', 'k', '--fulcio-url', 'https://f'], /--fulcio-url: a key signs/],
    [['--sign-key', 'k', '--rekor-url', 'https://r', '--no-tlog'], /--no-tlog and --rekor-url exclude each other/],
    [['--sign-key', 'k', '--rekor-url', 'file:///r'], /spec\.sign\.rekorUrl: must be an http or https URL/],
    [['--rekor-url', 'https://r'], /--rekor-url: nothing is signed/],
    [['--no-tlog'], /--no-tlog: nothing is signed/],
  ])('%j is refused', (flags, words) => {
    expect(() => planOf(flags)).toThrow(words);
  });

  test('of signatures stand for spec.sign, or beside it', () => {
    const signed = (...args: Parameters<typeof planOf>) => {
      const { signing, exporters } = planOf(...args);
      const attrs = Object.entries(exporters[0]?.attrs ?? {}).filter(([name]) => name.startsWith('sign-'));
      return [signing?.by, ...attrs.map(([name, value]) => `${name}=${value}`)];
    };
    const byKey = ['key', 'sign-key=slipway.build/signing-key', 'sign-password=slipway.build/signing-password'];
    const byToken = ['token', 'sign-identity-token=slipway.build/identity-token'];
    const [fulcio, rekor] = [
      ['--fulcio-url', 'https://f'],
      ['--rekor-url', 'https://r'],
    ];
    expect(signed([])).toEqual([undefined]);
    expect(signed([], '', { SIGSTORE_ID_TOKEN: 't' })).toEqual([undefined]);
    expect(signed(['--sign-key', 'k'])).toEqual(byKey);
    expect(signed(['--sign-key', 'k', ...rekor])).toEqual([...byKey, 'sign-rekor-url=https://r']);
    expect(signed(['--sign-identity-token', 't', '--no-tlog'])).toEqual([...byToken, 'sign-tlog=false']);
    expect(signed(fulcio, '', { SIGSTORE_ID_TOKEN: 't' })).toEqual([...byToken, 'sign-fulcio-url=https://f']);
    const spec =
      'outputs: [{ image: x }], sign: { keyless: { tokenSecretRef: { name: t }, fulcioUrl: "https://a" }, tlog: false }';
    expect(signed([...fulcio, ...rekor], spec)).toEqual([
      ...[...byToken, 'sign-fulcio-url=https://f', 'sign-rekor-url=https://r', 'sign-tlog=true'],
    ]);
    expect(() => planOf(['--sign-key', 'k'], 'outputs: []')).toThrow(/spec\.sign: sign is for what is pushed/);
  });

  test('parameters of provenance are those that builders know', () => {
    const asked = new Set<string>();
    const note = (key: string) => void asked.add(key);
    provenanceOptions({ get: note, has: note } as never);
    expect(Object.keys(PROVENANCE_PARAMETERS).toSorted()).toEqual([...asked].toSorted());
  });
});
