import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, truncateSync } from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { newId } from '../src/base/index.ts';
import { RegistryServer } from '../src/oci/registry-server/index.ts';
import { fileSystemUsage, unmountOrDetach } from '../src/sys/index.ts';
import { startBuilder, type TestBuilder } from './support/builder.ts';
import { BASE, building, dockerfileArgs, makeContext, steps } from './support/context.ts';
import { tempFiles } from './support/leftovers.ts';
import { tempFolder } from './support/temp-folder.ts';

const MiB = 1 << 20;
/** As the kernel, the engine or a program in a step says it. */
const FULL = /no space left on device|ENOSPC/i;

/** A base for builds outside of the small disk: layers of zeros and of many files, small on their way. */
async function pushBases(folder: string, registry: RegistryServer): Promise<void> {
  await using builder = await startBuilder(path.join(folder, 'maker'));
  const { succeeds } = building(() => builder);
  const at = makeContext(path.join(folder, 'bases'), {
    Dockerfile: `${BASE}FROM base AS zeros\nRUN dd if=/dev/zero of=/zeros bs=1M count=200\nFROM base AS noise\nRUN dd if=/dev/urandom of=/noise bs=1M count=110\nFROM base AS files\nRUN mkdir /d && cd /d && seq 1 4000 | xargs touch\n`,
  });
  for (const name of ['zeros', 'noise', 'files']) {
    const output = `type=image,name=${registry.host}/${name}:1,push=true,registry.insecure=true`;
    await succeeds(at, ['--opt', `target=${name}`, '--output', output]);
  }
}

describe('a full disk', () => {
  const work = tempFolder('daemon-full');
  const folder = work.path;
  const root = path.join(folder, 'root');
  const filler = path.join(folder, 'root/filler');
  let registry: RegistryServer;
  let builder: TestBuilder | undefined;
  let mounted = false;
  const { succeeds, fails } = building(() => builder as TestBuilder);
  const start = async () => {
    builder = await startBuilder(folder, ['--embedded-registry', '127.0.0.1:0']);
  };

  beforeAll(async () => {
    mkdirSync(root);
    mkdirSync(path.join(folder, 'maker'));
    registry = await RegistryServer.start({ root: path.join(folder, 'registry'), durable: false });
    await pushBases(folder, registry);
  });
  afterEach(async () => {
    await builder?.stop();
    builder = undefined;
    if (mounted) unmountOrDetach(root);
    mounted = false;
  });
  afterAll(async () => {
    await registry?.[Symbol.asyncDispose]();
    work[Symbol.dispose]();
  });

  const tmpfs = () => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=100M', 'tmpfs', root]);
    mounted = true;
  };
  const ext4 = (...options: string[]) => {
    // Each in a file of its own: an earlier one may still be written back.
    const image = path.join(folder, `disk-${newId()}.img`);
    execFileSync('truncate', ['-s', '100M', image]);
    execFileSync('mkfs.ext4', ['-q', '-F', ...options, image]);
    execFileSync('mount', ['-o', 'loop', image, root]);
    mounted = true;
  };
  const context = (files: Record<string, string>) => makeContext(path.join(folder, 'context'), files);
  const du = async () => (await succeedsAs(['du'])).stdout;
  const succeedsAs = async (args: string[]) => {
    const ran = await (builder as TestBuilder).buildctl(args);
    expect(ran.code, `buildctl ${args.join(' ')}: ${ran.output}\n${(builder as TestBuilder).log()}`).toBe(0);
    return ran;
  };
  /** Takes what room there is, beside the builder. */
  const fill = () => {
    try {
      execFileSync('dd', ['if=/dev/zero', `of=${filler}`, 'bs=4k', 'oflag=append', 'conv=notrunc'], {
        stdio: 'ignore',
      });
    } catch {
      // Until there is none.
    }
  };

  /** What must hold however full it is: usage is told, the daemon stops and starts, and after a prune builds succeed. */
  async function recovers(): Promise<void> {
    await du();
    expect(await builder?.stop(), builder?.log()).toBe(0);
    await start();
    await du();
    await succeedsAs(['prune', '--all']);
    expect(await du()).toMatch(/^ID\s+RECLAIMABLE.*\n(Reclaimable:\s+0B\n)?Total:\s+0B\n$/);
    expect(readdirSync(path.join(root, 'snapshots'))).toEqual([]);
    expect(readdirSync(path.join(root, 'tmp/trash'))).toEqual([]);
    expect(tempFiles(root).filter((file) => file.includes('/tmp/'))).toEqual([]);
    const at = context({ Dockerfile: `${BASE}FROM base\nRUN dd if=/dev/zero of=/big bs=1M count=20\n` });
    rmSync(path.join(at, 'huge'), { force: true });
    await succeeds(at);
    expect(steps((await succeeds(at)).output).ran).toEqual([]);
  }

  const step = (line: string) => `${BASE}FROM base\n${line}\n`;
  const noise = () => {
    const huge = path.join(folder, 'context/huge');
    execFileSync('dd', ['if=/dev/urandom', `of=${huge}`, 'bs=1M', 'count=110'], { stdio: 'ignore' });
  };

  test('a step that fills it and goes on, then all other kinds of work on what is left', async () => {
    tmpfs();
    await start();
    const at = context({
      Dockerfile: step(
        'RUN dd if=/dev/zero of=/b bs=1M count=400; yes log | head -c 3000000; true\nRUN echo more > /more',
      ),
    });
    // Whether its last words still find room or not: the disk is full now.
    const filled = await builder!.buildctl(dockerfileArgs(at));
    expect(filled.output).toMatch(FULL);
    for (const [name, text] of [
      ['unpacking a base', `FROM ${registry.host}/zeros:1\nRUN true\n`],
      ['copying', 'FROM scratch\nCOPY huge /\n'],
    ]) {
      const from = context({ Dockerfile: text as string });
      truncateSync(path.join(makeContext(from, { huge: '' }), 'huge'), 150 * MiB);
      expect((await fails(from)).output, name).toMatch(FULL);
      await du();
    }
    await recovers();
  });

  test.each([
    ['unpacking a base', () => `FROM ${registry.host}/zeros:1\nRUN true\n`, []],
    ['pulling a base', () => `FROM ${registry.host}/noise:1\nRUN true\n`, []],
    ['sending a context', () => 'FROM scratch\nCOPY huge /\n', []],
    ['a step', () => step('RUN dd if=/dev/zero of=/b bs=1M count=400'), []],
    ['packing a layer', () => step('RUN dd if=/dev/urandom of=/b bs=1M count=60'), ['--output', 'type=oci,dest=-']],
    [
      'pushing to the embedded registry',
      () => step('RUN dd if=/dev/urandom of=/b bs=1M count=30'),
      ['--output', 'type=image,name=slipway.localhost/full:1,push=true'],
    ],
  ])('%s', async (_, dockerfile, output) => {
    tmpfs();
    await start();
    const at = context({ Dockerfile: dockerfile() });
    if (dockerfile().includes('huge')) noise();
    const failed = await fails(at, output);
    expect(failed.output).toMatch(FULL);
    // The room that is left, too.
    fill();
    await du();
    await succeedsAs(['prune']);
    rmSync(filler, { force: true });
    await recovers();
  });

  test('the database: no byte is left for anything', async () => {
    ext4();
    await start();
    const at = context({ Dockerfile: step('RUN echo one > /one') });
    await succeeds(at);
    fill();
    const failed = await fails(context({ Dockerfile: step('RUN echo two > /two\nRUN echo three > /three') }), [
      '--no-cache',
    ]);
    expect(failed.output).toMatch(FULL);
    await du();
    // Whatever else is on the disk takes what a stopped builder leaves.
    for (const signal of ['SIGTERM', 'SIGKILL', 'SIGTERM'] as const) {
      await builder?.stop(signal);
      fill();
      await start();
      await du();
    }
    await succeedsAs(['prune', '--all']);
    expect(await du()).toMatch(/Total:\s+0B\n$/);
    rmSync(filler);
    await recovers();
  });

  test('a step that takes each byte as it comes free: others are told, what is not needed is pruned, and the step can be ended', async () => {
    tmpfs();
    await start();
    await succeeds(context({ Dockerfile: step('RUN echo one > /one') }));
    const at = makeContext(path.join(folder, 'greedy'), {
      Dockerfile: step('RUN while :; do dd if=/dev/zero of=/b bs=64k oflag=append conv=notrunc; done'),
    });
    let end = () => {};
    const running = builder!.buildctl(dockerfileArgs(at), {
      onStart: (child) => {
        end = () => child.kill('SIGINT');
      },
    });
    for (let n = 0; n < 3; n++) {
      // What was pruned is taken in a moment.
      await expect.poll(() => fileSystemUsage(root).free, { interval: 50 }).toBe(0);
      expect((await fails(context({ Dockerfile: step(`RUN echo ${n}`) }), ['--no-cache'])).output).toMatch(FULL);
      await du();
      await succeedsAs(['prune', '--all']);
    }
    end();
    expect((await running).code).not.toBe(0);
    await recovers();
  });

  test('inodes', async () => {
    ext4('-N', '3000');
    await start();
    const files = 'mkdir -p /d && cd /d && seq 1 4000 | xargs touch; true';
    const filled = await builder!.buildctl(dockerfileArgs(context({ Dockerfile: step(`RUN ${files}`) })));
    expect(filled.output).toMatch(FULL);
    await recovers();
    expect((await fails(context({ Dockerfile: `FROM ${registry.host}/files:1\nRUN true\n` }))).output).toMatch(FULL);
    await recovers();
  });
});
