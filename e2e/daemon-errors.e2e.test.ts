import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newId } from '../src/base/index.ts';
import { encodeDefinition, FileActions, scratch } from '../src/llb/index.ts';
import { startBuilder, type TestBuilder } from './support/builder.ts';
import { BASE, building, makeContext, steps } from './support/context.ts';
import { tempFolder } from './support/temp-folder.ts';

describe('what buildctl’s user reads when a build fails, or is not done as asked', () => {
  const work = tempFolder('daemon-errors');
  const folder = work.path;
  let builder: TestBuilder;
  const { succeeds, fails } = building(() => builder);
  const context = (name: string, dockerfile: string) =>
    makeContext(path.join(folder, name), { Dockerfile: dockerfile, 'a.txt': 'one\n' });

  beforeAll(async () => {
    builder = await startBuilder(folder);
  });
  afterAll(async () => {
    await builder?.stop();
    work[Symbol.dispose]();
  });

  test('a failing RUN: its output, exit code, file, line, and the lines around it', async () => {
    const at = context('run', `${BASE}FROM base\nWORKDIR /w\nRUN echo telling && \\\n  exit 7\nRUN echo never\n`);
    const { code, output } = await fails(at);
    expect(code).toBe(1);
    expect(output).toMatch(/ telling\n/);
    expect(output).toMatch(/Dockerfile:6\n-+\n +5 \| +WORKDIR \/w\n +6 \| >>> RUN echo telling/);
    expect(output).toMatch(/ +7 \| >>> +exit 7\n +8 \| +RUN echo never\n/);
    expect(output).toMatch(/error: failed to solve: process .*exit code: 7/);
  });

  test.each([
    ['an unknown instruction', 'FROM scratch\nCOPI a.txt /\n', 2, /unknown instruction: COPI \(did you mean COPY\?\)/],
    ['a flag that is not there', 'FROM scratch\nCOPY --form=x a.txt /\n', 2, /unknown flag: --form/],
    ['a stage that is not there', 'FROM scratch\nCOPY a.txt /\nCOPY --from=9 /a /\n', 3, /9/],
    ['a heredoc without an end', 'FROM scratch\nCOPY <<EOF /x\nfor ever\n', 2, /EOF|unterminated/],
    ['a file that is not there', 'FROM scratch\nCOPY a.txt nosuch.txt /\n', 2, /"?\/nosuch\.txt"?: not found/],
    ['a user that is not there', `${BASE}FROM base\nUSER nobody-here\nRUN true\n`, 6, /nobody-here/],
  ])('a bad Dockerfile: %s', async (_, dockerfile, line, message) => {
    const { code, output } = await fails(context('bad', dockerfile));
    expect(code).toBe(1);
    expect(output).toMatch(message);
    expect(output).toMatch(new RegExp(`Dockerfile:${line}\\n-+\\n`));
    expect(output).toMatch(new RegExp(`\\n +${line} \\| >>> `));
  });

  test('a base that is not there, a target that is not there, no Dockerfile, an empty one', async () => {
    const base = await fails(context('base', 'FROM localhost:1/no/such:base\nRUN true\n'));
    expect(base.output).toMatch(/Dockerfile:1\n-+\n +1 \| >>> FROM localhost:1\/no\/such:base/);
    expect(base.output).toMatch(
      /failed to solve: localhost:1\/no\/such:base: failed to resolve source metadata for localhost:1\/no\/such:base: .*failed to do request: Head "http:\/\/localhost:1\/v2\/no\/such\/manifests\/base": dial tcp .*:1: connect: connection refused/,
    );
    const target = await fails(context('target', 'FROM scratch AS one\nCOPY a.txt /\n'), ['--opt', 'target=two']);
    expect(target.output).toMatch(/target stage "?two"? could not be found/);
    const none = await fails(context('none', ''), ['--opt', 'filename=Other.Dockerfile']);
    expect(none.output).toMatch(/failed to read dockerfile: .*Other\.Dockerfile.*no such file/);
    expect((await fails(context('empty', '# nothing\n'))).output).toMatch(/file with no instructions/);
  });

  // The texts are those of buildkitd 0.34 for the same inputs. A client waits for a while once it was refused: side by side.
  test.concurrent.each([
    ['FROM scratch\nFOO bar\n', [], 'dockerfile parse error on line 2: unknown instruction: FOO (did you mean FROM?)'],
    ['FROM scratch\nENV ${x\n', [], 'ENV must have two arguments'],
    ['', [], 'the Dockerfile cannot be empty'],
    [
      'FROM Foo:x\n',
      [],
      'failed to parse stage name "Foo:x": invalid reference format: repository name (library/Foo) must be lowercase',
    ],
    ['FROM scratch\nCOPY a.txt /\n', ['--opt', 'target=nope'], 'target stage "nope" could not be found'],
    [
      'FROM scratch\nCOPY a.txt /\n',
      ['--opt', 'filename=No'],
      'failed to read dockerfile: open No: no such file or directory',
    ],
    ['FROM scratch\nCOPY nope /\n', [], 'failed to compute cache key: failed to calculate checksum of ref '],
    ['FROM scratch\nCOPY a.txt /\n', ['--frontend', 'foo.v0'], 'invalid frontend: foo.v0'],
    ['FROM scratch\nCOPY a.txt /\n', ['--output', 'type=foo'], 'exporter "foo" could not be found'],
    [`${BASE}FROM base\nRUN --mount=type=secret,id=x,required=true true\n`, [], 'secret x: not found'],
    [`${BASE}FROM base\nRUN --mount=type=ssh,required=true true\n`, [], 'no SSH key "" forwarded from the client'],
    [`${BASE}FROM base\nRUN --network=host true\n`, [], 'failed to load LLB: network.host is not allowed'],
    [`${BASE}FROM base\nRUN --security=insecure true\n`, [], 'failed to load LLB: security.insecure is not allowed'],
    [
      'FROM scratch\n',
      ['--allow', 'security.insecure'],
      'granting entitlement security.insecure is not allowed by build daemon configuration',
    ],
    [
      'FROM scratch\n',
      ['--opt', 'frontend.caps=foo'],
      'unsupported frontend capability foo: Unimplemented: unsupported frontend capability foo',
    ],
    ['FROM scratch\n', ['--opt', 'requestid=foo'], 'unsupported request foo: unsupported request foo'],
  ])('the words of BuildKit, and no code before them: %j %j', async (dockerfile, args, message) => {
    const { output } = await fails(context(`words-${newId()}`, dockerfile), args);
    expect(output).toContain(`error: failed to solve: ${message}`);
  });

  test.each([
    ['a group outside', `${BASE}FROM base\nRUN true # outside\n`, ['--opt', 'cgroup-parent=../x']],
    ['a name that no group has', `${BASE}FROM base\nRUN true # name\n`, ['--opt', 'cgroup-parent=a b']],
    ['a file that is not there', 'FROM scratch\nCOPY nope /\n', []],
    ['a file over a directory', `${BASE}FROM base\nRUN mkdir /d\nCOPY a.txt /d/x\nCOPY a.txt /d/x/y\n`, []],
    ['a program that is not there', `${BASE}FROM base\nRUN ["/nope"]\n`, []],
    ['a mount over a file', `${BASE}FROM base\nRUN --mount=type=tmpfs,target=/bin/busybox true\n`, []],
    ['a mount of what is not there', `${BASE}FROM base\nRUN --mount=from=base,source=/nope,target=/m true\n`, []],
    ['a repository that is not there', 'FROM scratch\nADD http://127.0.0.1:1/x.git /\n', []],
    ['a folder to work in that is a file', `${BASE}FROM base\nWORKDIR /bin/busybox\nRUN true\n`, []],
    ['a client that takes no files', 'FROM scratch\nCOPY a.txt /\n', ['--local', 'context=/nope']],
  ])('no failure tells where the builder’s own things lie: %s', async (_, dockerfile, args) => {
    const { output } = await fails(context('own-paths', dockerfile), args);
    expect(output).toMatch(/^(?:error: .+|.*stat.*)$/m);
    expect(output).not.toContain(builder.root);
    expect(output).not.toMatch(/\/slipway\/|slipway-git-|snapshots\//);
  });

  test('a cache import of a type that is not known is named in a warning, and the build goes on', async () => {
    const at = context('imports', 'FROM scratch\nCOPY a.txt /\n');
    const asked = ['--import-cache', 'type=floppy,name=b'];
    const told = /WARN: the cache floppy b is not used: this builder does not read caches of type floppy yet/;
    const { output } = await succeeds(at, asked);
    expect(output).toMatch(told);
    expect(steps(output).ran).toEqual(['COPY a.txt /']);
    const definition = encodeDefinition(
      scratch()
        .file(new FileActions().mkfile('/x', 0o644, Buffer.from('x')))
        .marshal(),
    );
    const graph = await builder.buildctl(['build', '--progress=plain', ...asked], { input: definition });
    expect([graph.code, graph.output]).toEqual([0, expect.stringMatching(told)]);
    // As raw events, once.
    const raw = await succeeds(at, [...asked, '--progress=rawjson']);
    expect(raw.stderr.match(/"warnings":/g)).toHaveLength(1);
  });

  // Each is asked for again and again for some seconds: side by side.
  test.concurrent('a cache that cannot be had is told of, and the build goes on', async () => {
    const [at, cold] = ['away', 'cold'].map((name) => context(name, `FROM scratch\nCOPY a.txt /${name}\n`));
    await succeeds(at!);
    const importing = ['--import-cache', 'type=registry,ref=localhost:1/cache:main'];
    const [first, again, ran] = await Promise.all([
      succeeds(at!, importing),
      succeeds(at!, ['--opt', 'cache-from=localhost:1/cache:main']),
      succeeds(cold!, importing),
    ]);
    for (const { output } of [first, again, ran])
      expect(output).toMatch(
        /importing cache manifest from localhost:1\/cache:main(?:.|\n)*ERROR: .*connection refused/,
      );
    for (const { output } of [first, again]) expect(steps(output).cached).toEqual(['COPY a.txt /away']);
    expect(steps(ran.output).ran).toEqual(['COPY a.txt /cold']);
  });

  test.concurrent('a cache export that may fail does not fail the build; another does', async () => {
    const at = context('exports', 'FROM scratch\nCOPY a.txt /\n');
    const asked = (type: string) => ['--export-cache', `type=${type},ref=localhost:1/cache:main`];
    const may = (type: string) => asked(type).map((text) => text.replace('main', 'main,ignore-error=true'));
    const [ignored, failed, unknown, refused] = await Promise.all([
      succeeds(at, may('registry')),
      fails(at, asked('registry')),
      succeeds(at, may('floppy')),
      fails(at, asked('floppy')),
    ]);
    expect(ignored.output).toMatch(/exporting cache to registry(?:.|\n)*ERROR: .*connection refused/);
    expect(failed.output).toMatch(/error: failed to solve: .*connection refused/);
    expect(unknown.output).toMatch(
      /WARN: the cache localhost:1\/cache:main is not written: this builder does not write caches of type floppy yet/,
    );
    expect(refused.output).toContain('cache exports of type "floppy" are not supported');
  });

  test('instructions that only a real build shows: .dockerignore, heredocs, SHELL, ADD, network=none', async () => {
    const at = context(
      'journey',
      `${BASE}FROM base
SHELL ["/bin/sh", "-euc"]
ADD --chmod=640 --chown=7:8 archive.tar a.txt /from/
COPY . /all/
COPY <<"EOF" /literal
$HOME is not expanded
EOF
RUN <<EOF
test ! -e /all/ignored.txt
test -e /all/kept/ignored.txt
test "$(stat -c %u:%g:%a /from/a.txt)" = 7:8:640
cat /literal > /out
EOF
RUN --network=none ls /sys/class/net > /nets
RUN --mount=type=bind,from=base,source=/bin,target=/mnt test -e /mnt/sh && ! touch /mnt/x 2>/dev/null
`,
    );
    writeFileSync(path.join(at, '.dockerignore'), '*.txt\n!a.txt\n!kept/*\n');
    makeContext(at, { 'ignored.txt': 'x', 'kept/ignored.txt': 'x', 'archive.tar': 'no archive' });
    const out = path.join(folder, 'journey-out');
    await succeeds(at, ['--output', `type=tar,dest=${out}`]);
    const { must } = await import('./support/run.ts');
    expect((await must('tar', ['-xOf', out, 'out', 'nets'])).stdout.split('\n').sort()).toEqual(
      ['', '$HOME is not expanded', 'lo'].sort(),
    );
  });
});
