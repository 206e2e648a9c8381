import { appendFileSync, chmodSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBuilder, type TestBuilder } from './support/builder.ts';
import { BASE, building, makeContext, steps } from './support/context.ts';
import { type GitServer, startGitServer } from './support/git-server.ts';
import { must } from './support/run.ts';
import { tempFolder } from './support/temp-folder.ts';

/** What each row of plain progress says was received of the context, in bytes. */
function received(output: string): number {
  const [, amount = '', unit = ''] = [...output.matchAll(/transferring context: ([\d.]+)([kMG]?B)/g)].at(-1) ?? [];
  return Number(amount || 0) * ({ B: 1, kB: 1e3, MB: 1e6, GB: 1e9 }[unit] ?? 0);
}

describe('what is a hit and what is a miss', () => {
  const work = tempFolder('daemon-cache');
  const folder = work.path;
  let builder: TestBuilder;
  let git: GitServer;
  const { succeeds } = building(() => builder);

  beforeAll(async () => {
    git = await startGitServer(folder);
    builder = await startBuilder(folder);
  });

  afterAll(async () => {
    await builder?.stop();
    await git?.[Symbol.asyncDispose]();
    work[Symbol.dispose]();
  });

  const COPY = 'COPY a.txt /';
  const RUN = 'RUN cat /a.txt > /b.txt';
  const context = (name: string) =>
    makeContext(path.join(folder, name), {
      Dockerfile: `${BASE}FROM base\n${COPY}\n${RUN}\n`,
      'a.txt': 'one\n',
      'unused.txt': 'x\n',
    });

  test('the same again, touched, with other comments, and with other files that no step uses: all hits', async () => {
    const at = context('hits');
    expect(steps((await succeeds(at)).output).ran).toHaveLength(4);
    const allCached = async () =>
      expect(steps((await succeeds(at)).output)).toMatchObject({ ran: [], cached: { length: 4 } });
    await allCached();
    utimesSync(path.join(at, 'a.txt'), 1, 1);
    await allCached();
    appendFileSync(path.join(at, 'Dockerfile'), '# a comment\n');
    await allCached();
    writeFileSync(path.join(at, 'unused.txt'), 'y\n');
    await allCached();
  });

  test('content, mode and extended attributes are misses', async () => {
    const at = context('misses');
    const file = path.join(at, 'a.txt');
    await succeeds(at);
    const missed = async () => {
      const { cached, ran } = steps((await succeeds(at)).output);
      expect(cached).toHaveLength(2);
      expect(ran).toEqual([COPY, RUN]);
    };
    writeFileSync(file, 'two\n');
    await missed();
    chmodSync(file, 0o4755);
    await missed();
    await must('setfattr', ['-n', 'user.colour', '-v', 'green', file]);
    await missed();
    await must('setfattr', ['-n', 'user.colour', '-v', 'blue', file]);
    await missed();
    // Back to what it was: known still.
    await must('setfattr', ['-x', 'user.colour', file]);
    expect(steps((await succeeds(at)).output).ran).toEqual([]);
  });

  test('an owner given in the Dockerfile is a miss; a file that an earlier stage made equal again is none', async () => {
    const dockerfile = (owner: string, word: string) => `${BASE}FROM base AS made
RUN echo ${word} > /dev/null; echo same > /f
FROM base
COPY --from=made --chown=${owner} /f /f
RUN cat /f
`;
    const at = makeContext(path.join(folder, 'owner'), { Dockerfile: dockerfile('1:1', 'a') });
    await succeeds(at);
    writeFileSync(path.join(at, 'Dockerfile'), dockerfile('2:1', 'a'));
    expect(steps((await succeeds(at)).output).ran).toEqual(['COPY --from=made --chown=2:1 /f /f', 'RUN cat /f']);
    // Another command, the same file: the rebuild stops there.
    writeFileSync(path.join(at, 'Dockerfile'), dockerfile('2:1', 'b'));
    const { ran, cached } = steps((await succeeds(at)).output);
    expect(ran).toEqual(['RUN echo b > /dev/null; echo same > /f']);
    expect(cached).toEqual(expect.arrayContaining(['COPY --from=made --chown=2:1 /f /f', 'RUN cat /f']));
  });

  test.each([
    {
      by: 'COPY',
      copy: (from: string, file: string, to: string) => `FROM scratch AS ${to}\nCOPY --from=${from} ${file} /f`,
    },
    {
      by: 'RUN --mount',
      copy: (from: string, file: string, to: string) =>
        `FROM base AS ${to}\nRUN --mount=from=${from},source=${file},target=/m cat /m > /f && true ${to}`,
    },
  ])('a random step, pruned and run again: certain steps of either content get their own, by $by', async ({
    by,
    copy,
  }) => {
    const file = (source: string) =>
      `${BASE}FROM base AS source\nRUN ${source} > /f\n${copy('source', '/f', 'one')}\n${copy('one', '/f', 'two')}\n`;
    const name = by.replaceAll(' ', '');
    const at = makeContext(path.join(folder, name), {});
    const out = path.join(folder, `${name}-out`);
    const made = async (source: string, target: string) => {
      writeFileSync(path.join(at, 'Dockerfile'), file(source));
      await succeeds(at, ['--opt', `target=${target}`, '--output', `type=local,dest=${out}`]);
      return readFileSync(path.join(out, 'f'), 'utf8').trim();
    };
    const random = 'cat /proc/sys/kernel/random/uuid';
    const first = await made(random, 'two');
    const filters = ['random/uuid', 'one.1/1', 'true.one'].flatMap((each) => ['--filter', `description~=${each}`]);
    expect((await builder.buildctl(['prune', ...filters])).code).toBe(0);
    const second = await made(random, 'one');
    expect(second).not.toBe(first);
    expect(await made(`echo ${first}`, 'one')).toBe(first);
    expect(await made(`echo ${second}`, 'two')).toBe(second);
  });

  test('equal content from another place hits: a second folder, and git', async () => {
    const one = context('place-one');
    writeFileSync(path.join(one, 'a.txt'), 'in two places\n');
    await succeeds(one);
    const two = context('place-two');
    writeFileSync(path.join(two, 'a.txt'), 'in two places\n');
    expect(steps((await succeeds(two)).output)).toMatchObject({ ran: [], cached: { length: 4 } });

    const source = path.join(folder, 'repository');
    mkdirSync(source);
    for (const name of ['Dockerfile', 'a.txt', 'busybox'])
      writeFileSync(path.join(source, name), readFileSync(path.join(two, name)));
    chmodSync(path.join(source, 'busybox'), 0o755);
    chmodSync(path.join(two, 'a.txt'), 0o644);
    await git.create('app', source);
    const args = ['build', '--progress=plain', '--frontend=dockerfile.v0', '--opt', `context=${git.url}/app.git#main`];
    const first = await builder.buildctl(args);
    expect(first.code, first.output).toBe(0);
    // Busybox in the repository is the same file with the same mode.
    expect(steps(first.output)).toMatchObject({ ran: [], cached: { length: 4 } });
    // A changed mode arrives through git too.
    await git.commit('app', (tree) => chmodSync(path.join(tree, 'a.txt'), 0o755));
    expect(steps((await builder.buildctl(args)).output).ran).toEqual([COPY, RUN]);
  });

  test('a stage that nothing needs never runs, failing or not', async () => {
    const at = makeContext(path.join(folder, 'unneeded'), {
      Dockerfile: `${BASE}FROM base AS bad\nRUN exit 1\nFROM nowhere.invalid/x AS worse\nRUN true\nFROM base\nRUN echo fine\n`,
    });
    expect(steps((await succeeds(at)).output).ran).toContain('RUN echo fine');
  });

  test('a second build receives only what changed', async () => {
    const big = Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`many/${n}`, `${n} `.repeat(20_000)]));
    const at = makeContext(path.join(folder, 'sent'), { Dockerfile: 'FROM scratch\nCOPY many /many\n', ...big });
    expect(received((await succeeds(at)).output)).toBeGreaterThan(800_000);
    writeFileSync(path.join(at, 'many/7'), 'changed\n'.repeat(100));
    const second = await succeeds(at);
    expect(steps(second.output).ran).toEqual(['COPY many /many']);
    expect(received(second.output)).toBeLessThan(10_000);
    expect(received((await succeeds(at)).output)).toBeLessThan(10_000);
  });

  test('two builds at once share their steps', async () => {
    const at = makeContext(path.join(folder, 'shared'), {
      Dockerfile: `${BASE}FROM base\nRUN --mount=type=cache,target=/counter sleep 1; echo ran >> /counter/runs; cat /counter/runs > /runs\n`,
    });
    const outputs = await Promise.all(
      ['one', 'two', 'three'].map(async (name) => {
        const out = path.join(folder, `shared-${name}`);
        await succeeds(at, ['--output', `type=local,dest=${out}`]);
        return readFileSync(path.join(out, 'runs'), 'utf8');
      }),
    );
    expect(outputs).toEqual(['ran\n', 'ran\n', 'ran\n']);
  });

  test('the same build again leaves no more records; du and prune find them by what they are; prune --all leaves nothing', async () => {
    const run = 'RUN --mount=type=cache,target=/m --mount=type=cache,id=named,target=/n cat /b.txt > /m/x';
    const at = makeContext(path.join(folder, 'records'), {
      Dockerfile: `${BASE}FROM base AS r\nCOPY a.txt /\nFROM base\nCOPY --from=r /a.txt /b.txt\n${run}\n`,
      'a.txt': 'one\n',
      '.dockerignore': 'none\n',
    });
    const du = async (...args: string[]) => {
      const { stdout } = await builder.buildctl(['du', '--verbose', ...args]);
      return [...stdout.matchAll(/^Description:\s+(.*)$/gm)].map(([, text]) => text as string).sort();
    };
    await builder.buildctl(['prune', '--all']);
    await succeeds(at);
    const once = await du();
    for (let n = 0; n < 3; n++) await succeeds(at);
    expect(await du()).toEqual(once);

    // As the real daemon says it.
    expect(await du('--filter', 'type==exec.cachemount')).toEqual([
      'cached mount /m from exec /bin/sh -c cat /b.txt > /m/x with id "//m"',
      'cached mount /n from exec /bin/sh -c cat /b.txt > /m/x with id "/named"',
    ]);
    const copy = '[stage-2 1/2] COPY --from=r /a.txt /b.txt';
    expect(await du('--filter', 'description~=COPY.--from=r')).toEqual([copy]);
    expect(await du('--filter', 'description~="COPY --from=r .*",type==regular')).toEqual([copy]);
    expect(await du('--filter', 'type==nothing', '--filter', 'description~=|/a.txt /b|')).toEqual([copy]);

    const pruned = await builder.buildctl(['prune', '--filter', 'description~=cached.mount./n']);
    expect(pruned.stdout.match(/^\S+\*?\s+true\s/gm)).toHaveLength(1);
    expect((await builder.buildctl(['prune', '--all'])).code).toBe(0);
    expect(await du()).toEqual([]);
    expect((await builder.buildctl(['du'])).stdout).toMatch(/Total:\s+0B/);
  });

  test('a context that changes with each build leaves a bounded number of records', async () => {
    const at = makeContext(path.join(folder, 'changing'), { Dockerfile: 'FROM scratch\nCOPY a.txt /\n' });
    await builder.buildctl(['prune', '--all']);
    for (let n = 0; n < 30; n++) {
      writeFileSync(path.join(at, 'a.txt'), `${n}\n`);
      await succeeds(at);
    }
    const { stdout } = await builder.buildctl([
      'du',
      '--verbose',
      '--filter',
      'description=="local source for context"',
    ]);
    expect(stdout.match(/^ID:/gm)?.length).toBeLessThan(10);
  });

  test('what was built survives the daemon', async () => {
    const at = context('restart');
    await succeeds(at);
    await builder.stop();
    builder = await startBuilder(folder);
    expect(steps((await succeeds(at)).output)).toMatchObject({ ran: [], cached: { length: 4 } });
  });
});
