// biome-ignore-all lint/suspicious/noTemplateCurlyInString: shell substitutions are what is tested
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CodedError } from '../base/index.ts';
import { runs } from '../base/testing/runs.ts';
import { decodeOp } from '../llb/index.ts';
import { buildDockerfile } from './build.ts';
import { checkDockerfile } from './check.ts';
import { parseDockerfile } from './parser.ts';
import { EMPTY_ENV, type EnvLookup, expand } from './shell-lex.ts';
import { ShellPattern } from './shell-pattern.ts';
import { nearest } from './suggest.ts';
import { FakeClient } from './testing/fake-client.ts';

function envLookup(entries: readonly string[]): EnvLookup {
  const map = new Map(
    entries.map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
  );
  return { get: (name) => map.get(name), keys: () => map.keys() };
}

const call = { signal: new AbortController().signal };

/** Pieces that Dockerfiles are made of, so that random text gets past the first line. */
const piece = fc.oneof(
  fc.constantFrom(
    ...[
      'FROM',
      'RUN',
      'COPY',
      'ADD',
      'ENV',
      'ARG',
      'ONBUILD',
      'HEALTHCHECK',
      'EXPOSE',
      'CMD',
      'SHELL',
      'WORKDIR',
      'VOLUME',
      'LABEL',
    ],
    ...[
      ' ',
      '\n',
      '\\\n',
      '\t',
      '# ',
      '=',
      '"',
      "'",
      '\\',
      '$',
      '${',
      '}',
      ':-',
      '##',
      '/',
      '<<EOF',
      'EOF\n',
      '<<-"X"',
      '[',
    ],
    ...[
      'scratch',
      ' AS a\n',
      '--from=a',
      '--mount=type=cache,target=/x',
      '--mount=type=secret,id=a',
      '--chown=',
      'http://x/y',
      'git@h:p',
    ],
    ...['\r\n', '\u0000', '\ufeff', '# escape=`\n', '# syntax-', ']', ',', '--', '80/tcp', '{', '`'],
  ),
  fc.string({ maxLength: 8 }),
);
const dockerfile = fc.array(piece, { maxLength: 60 }).map((parts) => parts.join(''));

function failsOnlyWithCodes(action: () => unknown): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    expect(error.code).not.toBe('internal');
  }
}

test('no text makes the parser or the instruction reader throw anything but a coded error', () => {
  fc.assert(
    fc.property(dockerfile, (text) => {
      failsOnlyWithCodes(() => parseDockerfile(text));
      failsOnlyWithCodes(() => checkDockerfile(`FROM scratch\n${text}`));
    }),
    runs(1500),
  );
});

test('no text makes a build throw anything but a fault of the user', async () => {
  await fc.assert(
    fc.asyncProperty(dockerfile, async (text) => {
      const client = new FakeClient({ Dockerfile: `FROM scratch\n${text}` });
      try {
        await buildDockerfile(client, call);
      } catch (error) {
        if (!(error instanceof CodedError)) throw error;
        expect(error.fault).toBe('user');
      }
    }),
    runs(600),
  );
});

test('every instruction lies on lines of the file, in order', () => {
  fc.assert(
    fc.property(dockerfile, (text) => {
      let parsed: ReturnType<typeof parseDockerfile>;
      try {
        parsed = parseDockerfile(text);
      } catch {
        return;
      }
      const lines = text.split('\n').length;
      let last = 0;
      for (const { location } of parsed.nodes) {
        expect(location.startLine).toBeGreaterThan(last);
        expect(location.endLine).toBeGreaterThanOrEqual(location.startLine);
        expect(location.endLine).toBeLessThanOrEqual(lines);
        last = location.endLine;
      }
    }),
    runs(500),
  );
});

const value = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '/', '.', '\n', 'é', '😀'), maxLength: 12 });
const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?', '/', '.'), maxLength: 6 });

/** The same pattern as a regular expression, for reference. */
function regex(source: string, longest: boolean): string {
  return [...source]
    .map((character) =>
      character === '*'
        ? longest
          ? '[^\\n]*'
          : '[^\\n]*?'
        : character === '?'
          ? '[^\\n]'
          : character.replace(/[./]/, '\\$&'),
    )
    .join('');
}

test('patterns take off and replace what the equal regular expression matches', () => {
  fc.assert(
    fc.property(value, pattern, fc.boolean(), (text, source, longest) => {
      const parsed = ShellPattern.parse(source);
      expect(parsed.trimPrefix(text, longest)).toBe(text.replace(new RegExp(`^${regex(source, longest)}`, 'u'), ''));
      expect(parsed.replace(text, '<>', false)).toBe(text.replace(new RegExp(regex(source, true), 'u'), '<>'));
      const reversed = [...text].reverse().join('');
      const backwards = regex([...source].reverse().join(''), longest);
      const trimmed = reversed.replace(new RegExp(`^${backwards}`, 'u'), '');
      expect(parsed.trimSuffix(text, longest)).toBe([...trimmed].reverse().join(''));
    }),
    runs(1000),
  );
});

test('a single-quoted text comes out as it went in', () => {
  fc.assert(
    fc.property(
      fc.string().filter((text) => !text.includes("'")),
      (text) => {
        expect(expand(`'${text}'`, EMPTY_ENV).result).toBe(text);
      },
    ),
  );
});

test('what has nothing to expand stays as it is', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('a', ' ', '{', '}', ':', '#', '/', 'é') }), (text) => {
      expect(expand(text, EMPTY_ENV).result).toBe(text);
    }),
  );
});

test('a variable stands for its value, whatever is in it', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const env = envLookup([`V=${text}`]);
      for (const word of [
        '$V',
        '${V}',
        '"$V"',
        '${V:-x$V}'.replace('x$V', text === '' ? '' : 'x'),
        '${V-x}',
        '${N:-$V}',
        '${V:+$V}',
      ])
        expect(expand(word, env).result).toBe(text);
    }),
  );
});

test.each([
  ['${V:-d}', 'd'],
  ['${V-d}', ''],
  ['${V:+s}', ''],
  ['${V+s}', 's'],
  ['${N:-d}', 'd'],
  ['${N-d}', 'd'],
  ['${N+s}', ''],
  ['${P#/usr}', '/local/bin'],
  ['${P#*/}', 'usr/local/bin'],
  ['${P##*/}', 'bin'],
  ['${P%/*}', '/usr/local'],
  ['${P%%/*}', ''],
  ['${P/local/share}', '/usr/share/bin'],
  ['${P/\\//-}', '-usr/local/bin'],
  ['${P//\\//-}', '-usr-local-bin'],
  ['\\$P', '$P'],
  ['"\\$P"', '$P'],
  ["'$P'", '$P'],
  ['a"b c"d', 'ab cd'],
  ['$', '$'],
  ['$1x', 'x'],
  ['${N:-${V:-${P}}}', '/usr/local/bin'],
])('%s becomes %s', (word, expected) => {
  expect(expand(word, envLookup(['V=', 'P=/usr/local/bin'])).result).toBe(expected);
});

test('substitutions may be nested as deep as a line is long', () => {
  const nested = (depth: number, end = '') => '${a:-'.repeat(depth) + end;
  const depth = 10_000;
  expect(expand(nested(depth, 'x') + '}'.repeat(depth), EMPTY_ENV).result).toBe('x');
  expect(expand(`${'"${a:-'.repeat(depth)}x${'}"'.repeat(depth)}`, EMPTY_ENV).result).toBe('x');
  expect(() => expand(nested(30_000), EMPTY_ENV)).toThrow(/: syntax error: missing '\}'$/);
});

test('ten thousand instructions in a chain become one graph', async () => {
  const steps = Array.from({ length: 10_000 }, (_, i) => `RUN step ${i}`).join('\n');
  const client = new FakeClient({ Dockerfile: `FROM scratch\n${steps}\n` });
  await buildDockerfile(client, call);
  expect(client.definition.ops).toHaveLength(10_001);
});

test('two thousand stages are read, those not needed are left out', async () => {
  const stages = Array.from(
    { length: 2000 },
    (_, i) => `FROM ${i === 0 ? 'scratch' : `s${i - 1}`} AS s${i}\nCOPY f${i} /`,
  );
  const client = new FakeClient({ Dockerfile: `${stages.join('\n')}\nFROM scratch\nCOPY --from=s3 /f0 /\n` });
  await buildDockerfile(client, call);
  // The context, four copies, the last one, the pointer.
  expect(client.definition.ops).toHaveLength(7);
});

test('a relative workdir with a slash at the end is cleaned', async () => {
  const client = new FakeClient({ Dockerfile: 'FROM scratch\nWORKDIR a/\nRUN --mount=type=cache,target=c/ x\n' });
  await buildDockerfile(client, call);
  const [, exec] = client.definition.ops.map((bytes) => decodeOp(bytes).body);
  expect(exec?.kind === 'exec' && exec.exec).toMatchObject({
    meta: { cwd: '/a' },
    mounts: [{ dest: '/' }, { dest: '/a/c', cache: { id: '/c' } }],
  });
});

test('five thousand stages on one another share their history', async () => {
  const stages = Array.from({ length: 4999 }, (_, i) => `FROM s${i} AS s${i + 1}\nENV A${i % 50}=${i}\n`);
  const client = new FakeClient({ Dockerfile: `FROM scratch AS s0\nCOPY a /b\n${stages.join('')}` });
  const { metadata } = await buildDockerfile(client, call);
  const config = JSON.parse(new TextDecoder().decode(metadata.get('containerimage.config'))) as { history: unknown[] };
  expect(config.history).toHaveLength(5000);
});

test('an unknown name is compared with a bounded number of others', () => {
  let taken = 0;
  const names = (function* () {
    for (; taken < 1e6; taken++) yield `name${taken}`;
  })();
  expect(nearest('nam3', names)).toBe('name3');
  expect(taken).toBeLessThan(2000);
});

test('the findings of a check are bounded', async () => {
  const lines = Array.from({ length: 6000 }, (_, i) => `COPY a$NONE /${i}`);
  const client = new FakeClient({ Dockerfile: `FROM scratch\n${lines.join('\n')}\n` }, { requestid: 'frontend.lint' });
  const { metadata } = await buildDockerfile(client, call);
  const decode = (name: string) => new TextDecoder().decode(metadata.get(name));
  expect(JSON.parse(decode('result.json')).warnings).toHaveLength(5000);
  expect(decode('result.txt')).toMatch(/More than 5000 warnings: the others are not shown\n$/);
  expect(decode('result.statuscode')).toBe('1');
});

test.each([
  [
    'arguments',
    ['ARG A0=0123456789', ...Array.from({ length: 60 }, (_, i) => `ARG A${i + 1}=\${A${i}}\${A${i}}`), 'FROM scratch'],
  ],
  ['variables', ['FROM scratch', 'ENV A=0123456789', ...Array.from({ length: 60 }, () => 'ENV A=${A}${A}')]],
])('%s that double from line to line are refused', async (_, lines) => {
  const client = new FakeClient({ Dockerfile: lines.join('\n') });
  await expect(buildDockerfile(client, call)).rejects.toMatchObject({
    code: 'invalid_argument',
    message: expect.stringContaining('come to more than 1048576 characters'),
  });
});

test('warnings are bounded', async () => {
  const lines = Array.from({ length: 3000 }, (_, i) => `COPY a$NONE /${i}`);
  const client = new FakeClient({ Dockerfile: `FROM scratch\n${lines.join('\n')}\n` });
  await buildDockerfile(client, call);
  expect(client.warnings).toHaveLength(201);
  expect(client.warnings.at(-1)?.message).toContain('the others are not shown');
});

test('a Dockerfile of many megabytes is refused before it is read', async () => {
  const client = new FakeClient({ Dockerfile: `FROM scratch\n#${'x'.repeat(5 << 20)}` });
  await expect(buildDockerfile(client, call)).rejects.toMatchObject({ code: 'out_of_range' });
});

describe('what a base image says of itself', () => {
  const layers = { rootfs: { type: 'layers', diff_ids: [`sha256:${'1'.repeat(64)}`] } };
  const platform = { os: 'linux', architecture: 'amd64' };
  const run = (config: unknown) => ({ ...platform, ...layers, config });
  const configs: Readonly<Record<string, readonly [unknown, RegExp?]>> = {
    'a user of spaces': [run({ User: ' a b:c\td ' })],
    'a user of control characters': [run({ User: '\u001b[2Jroot\u0000:\n0' })],
    'a user that is a number': [run({ User: 0 })],
    'a user of a megabyte': [run({ User: 'u'.repeat(1 << 20) })],
    'a relative working directory': [run({ WorkingDir: 'a/../../b' })],
    'a working directory above the root': [run({ WorkingDir: '/../../../proc/self/root' })],
    'a working directory with a NUL': [run({ WorkingDir: '/a\u0000b' })],
    'a working directory that is a list': [run({ WorkingDir: ['/'] })],
    'variables without a name': [run({ Env: ['=x', '', '=', 'A'] }), /invalid environment variable .*it has no name/],
    'variables twice, and none': [run({ Env: ['A=1', 'A=2', 'PATH='] })],
    'variables of wrong types': [run({ Env: [1, null, ['A=1'], { A: 1 }] })],
    'an environment that is an object': [run({ Env: { PATH: '/bin' } })],
    'variables that stand for one another': [run({ Env: ['A=${B}', 'B=${A}', 'PATH=$PATH:$A'] })],
    'an entrypoint that is a text': [run({ Entrypoint: '/bin/sh -c', Cmd: 7 })],
    'an empty shell': [run({ Shell: [] })],
    'a shell of wrong types': [run({ Shell: [null, 1] })],
    'labels of wrong types': [run({ Labels: { a: 1, b: null, __proto__: 'x', constructor: 'y' } })],
    'labels of many megabytes': [run({ Labels: { a: 'x'.repeat(3 << 20) } })],
    'labels as a list': [run({ Labels: ['a=b'] })],
    'ports and volumes of wrong types': [run({ ExposedPorts: { 'x/y/z': 1 }, Volumes: ['/v'] })],
    'triggers that no trigger may be': [run({ OnBuild: ['FROM other'] }), /FROM is not allowed here/],
    'triggers that are nothing': [run({ OnBuild: ['', '#'] }), /no instructions/],
    'a health check of wrong types': [run({ Healthcheck: { Test: 'x', Interval: 'soon', Retries: -1 } })],
    'a configuration that is null': [run(null)],
    'a configuration that is a list': [run([])],
    'no rootfs': [{ ...platform, config: {} }],
    'a rootfs that is a text': [{ ...platform, rootfs: 'layers', config: {} }],
    'diff ids that are none': [{ ...platform, rootfs: { type: 'layers', diff_ids: ['x', 1] }, config: {} }],
    'a history that says other than the layers': [
      { ...run({}), history: [null, 'x', { empty_layer: 'yes' }, { created: 'never' }] },
    ],
    'no platform': [{ ...layers, config: {} }],
    'a platform that is none': [{ os: ['linux'], architecture: '../..', ...layers, config: {} }],
    'no object': [[], /no JSON object/],
    null: [null, /no JSON object/],
  };

  test.each(Object.keys(configs))('%s', async (name) => {
    const [json, refusal] = configs[name]!;
    const Dockerfile = 'FROM odd\nENV X=1\nRUN id\nWORKDIR sub\nCOPY a b\nUSER 1\n';
    const client = new FakeClient({ Dockerfile, a: '' });
    const config = new TextEncoder().encode(JSON.stringify(json));
    client.images.set('docker.io/library/odd:latest', { digest: `sha256:${'2'.repeat(64)}`, config });
    const building = buildDockerfile(client, call);
    if (refusal !== undefined) {
      await expect(building).rejects.toMatchObject({ fault: 'user', message: expect.stringMatching(refusal) });
      return;
    }
    const { metadata } = await building;
    const built = JSON.parse(new TextDecoder().decode(metadata.get('containerimage.config'))) as {
      config: { User: unknown; WorkingDir: string; Env: readonly unknown[] };
    };
    expect(built.config).toMatchObject({ User: '1', WorkingDir: expect.stringMatching(/^\/.*sub$/s) });
    expect(built.config.WorkingDir.split('/')).not.toContain('..');
    expect(built.config.Env).toContain('X=1');
    for (const variable of built.config.Env) expect(typeof variable).toBe('string');
    const execs = client.solved.flatMap(({ definition }) =>
      definition.ops.map((bytes) => decodeOp(bytes).body).flatMap((body) => (body.kind === 'exec' ? [body.exec] : [])),
    );
    expect(execs).toHaveLength(1);
    expect(execs[0]!.meta.cwd).toMatch(/^\//);
    expect(execs[0]!.meta.args.length).toBeGreaterThan(0);
  });
});

describe('what a Dockerfile costs grows with its length, not with its square', () => {
  const lines = (n: number, line: (i: number) => string) => Array.from({ length: n }, (_, i) => line(i)).join('\n');
  /** Each kind of line with what is looked at or copied for each of those before it, were that so. */
  const kinds: Readonly<Record<string, (n: number) => string>> = {
    LABEL: (n) => lines(n, (i) => `LABEL k${i}=v`),
    ENV: (n) => lines(n, (i) => `ENV k${i}=v`),
    ARG: (n) => `${lines(n, (i) => `ARG k${i}`)}\n${lines(n, (i) => `ENV a$k${i}=b`)}`,
    EXPOSE: (n) => lines(n, (i) => `EXPOSE ${i + 1}`),
    VOLUME: (n) => lines(n, (i) => `VOLUME /v${i}`),
    'an undefined variable': (n) => lines(n, (i) => `ENV longname${i}=$longnamf${i}`),
    'an ONBUILD that is carried out': (n) => `${lines(n, (i) => `ONBUILD ENV k${i}=v`)}\nFROM first\nCOPY a b`,
    'a stage that is copied from': (n) =>
      `${lines(n, (i) => `FROM scratch AS s${i}\nCOPY a b`)}\nFROM scratch\n${lines(n, (i) => `COPY --from=s${i} a b`)}`,
  };
  const cost = async (body: string): Promise<number> => {
    const client = new FakeClient({ Dockerfile: `FROM scratch AS first\n${body}` });
    const before = process.threadCpuUsage();
    await buildDockerfile(client, call);
    const { user, system } = process.threadCpuUsage(before);
    return user + system;
  };
  test.each(Object.keys(kinds))('%s', async (kind) => {
    const ofMany = kinds[kind]!;
    await cost(ofMany(500));
    // What the collector or a compiler takes in one round is not in all.
    let ratio = Infinity;
    for (let round = 0; round < 3 && ratio >= 40; round++)
      ratio = Math.min(ratio, (await cost(ofMany(6400))) / (await cost(ofMany(800))));
    // With the square it would be 64 times as much.
    expect(ratio).toBeLessThan(40);
  });
});

test('a working directory that grows with each line ends where no system call would take it', async () => {
  const client = new FakeClient({ Dockerfile: `FROM scratch\n${'WORKDIR d\n'.repeat(5000)}` });
  await expect(buildDockerfile(client, call)).rejects.toThrow('more than 4096 characters');
});

test('labels, ports and volumes keep their sets, and variables their places, whatever they are called', async () => {
  const text = [
    'FROM scratch',
    'LABEL __proto__=a constructor=b',
    'LABEL constructor=c',
    'ENV A=1 B=2',
    'ENV A=3 __proto__=4',
    'EXPOSE 80 81',
    'EXPOSE 80/tcp',
    'VOLUME /a /b',
    'VOLUME /a',
    'COPY a b',
  ];
  const { metadata } = await buildDockerfile(new FakeClient({ Dockerfile: text.join('\n') }), call);
  const { config } = JSON.parse(new TextDecoder().decode(metadata.get('containerimage.config')));
  expect(Object.entries(config.Labels)).toEqual([
    ['__proto__', 'a'],
    ['constructor', 'c'],
  ]);
  expect(config.Env.slice(1)).toEqual(['A=3', 'B=2', '__proto__=4']);
  expect([Object.keys(config.ExposedPorts), Object.keys(config.Volumes)]).toEqual([
    ['80/tcp', '81/tcp'],
    ['/a', '/b'],
  ]);
});
