import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { startBuilder } from './support/builder.ts';
import { steps } from './support/context.ts';
import { leftovers, tempFiles } from './support/leftovers.ts';
import { tempFolder } from './support/temp-folder.ts';

const ROUNDS = Number(process.env['KILL_ROUNDS'] ?? 25);

/**
 * The daemon is ended at random points of a build, many times by each signal. The next life finds no mount, process, cgroup or temp file of the last one, and has not
 * lost what was finished: a step that a build has completed is never run again.
 */
// Side by side: each is mostly waiting, for starts and for the grace that a signal leaves.
test.concurrent.each([
  'SIGINT',
  'SIGKILL',
] as const)(`after %s at random points the next start is clean and nothing finished is lost`, {
  timeout: 900_000,
}, async (signal) => {
  using work = tempFolder(`kill-${signal.toLowerCase()}`);
  const context = path.join(work.path, 'context');
  mkdirSync(context);
  copyFileSync('/bin/busybox', path.join(context, 'sh'));
  const finished = new Set<string>();
  const problems: string[] = [];
  let left: string[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    writeFileSync(path.join(context, 'Dockerfile'), dockerfile(round));
    const builder = await startBuilder(work.path);
    // What the last life left must be gone once the new one answers; the new one's own socket and files are not in these places yet.
    problems.push(
      ...leftovers(builder.root)
        .filter((each) => !isOwn(each, builder.process.pid as number, builder.root))
        .map((each) => `round ${round}: ${each}`),
    );
    // Deleting goes on beside the first build.
    const kept = () => left.filter((file) => existsSync(file));
    for (let tries = 0; kept().length > 0 && tries < 2000; tries++) await sleep(50);
    problems.push(...kept().map((file) => `round ${round}: ${file} is still there`));
    // A random number of lines of progress, and a little more: anywhere from before the first transfer to after the last step.
    const lines = Math.floor(Math.random() * 30);
    const point = Promise.withResolvers<void>();
    const building = builder.buildctl(
      [
        'build',
        '--progress=plain',
        '--frontend',
        'dockerfile.v0',
        '--local',
        `context=${context}`,
        '--local',
        `dockerfile=${context}`,
      ],
      {
        onOutput: (output) => {
          if (output.split('\n').length - 1 > lines) point.resolve();
        },
      },
    );
    await Promise.race([point.promise, building]);
    await sleep(Math.random() * 80);
    await builder.stop(signal);
    left = tempFiles(builder.root);
    const { output } = await building;
    const { ran, cached } = steps(output);
    problems.push(...ran.filter((step) => finished.has(step)).map((step) => `round ${round}: ${step} ran again`));
    for (const step of [...ran, ...cached]) if (step.startsWith('RUN echo')) finished.add(step);
  }
  const last = await startBuilder(work.path);
  const ran = await last.buildctl([
    'build',
    '--progress=plain',
    '--frontend',
    'dockerfile.v0',
    '--local',
    `context=${context}`,
    '--local',
    `dockerfile=${context}`,
  ]);
  expect(ran, ran.output).toMatchObject({ code: 0 });
  expect(await last.stop()).toBe(0);
  expect(leftovers(last.root)).toEqual([]);
  expect(problems).toEqual([]);
  expect(finished.size).toBeGreaterThan(3);
});

/** Three steps that stay the same, three of the round before, which must be found as far as they were finished, and three of this round's own. */
function dockerfile(round: number): string {
  const own = (n: number) => ['x', 'y', 'z'].map((name) => `RUN echo ${n} > /${name}`).join('\n');
  const common = ['a', 'b', 'c'].map((name) => `RUN echo always > /${name}`).join('\n');
  return `FROM scratch AS common
COPY sh /bin/sh
${common}
FROM common AS before
${own(round - 1)}
FROM common
${own(round)}
RUN --mount=type=bind,from=before,target=/before true
`;
}

/** The running daemon's own processes, files and empty cgroup are no leftovers; its mounts are in a namespace of its own. */
function isOwn(found: string, pid: number, stateRoot: string): boolean {
  const id = readFileSync(path.join(stateRoot, 'slipway-state'), 'utf8').split('\n')[1];
  return (
    found.startsWith(`process ${pid} `) ||
    /^process \d+ .*(slipway-guardian|builder-pod\/main)/.test(found) ||
    (found.startsWith('cgroup ') && found.endsWith(`/${id}`)) ||
    found.startsWith('file ')
  );
}
