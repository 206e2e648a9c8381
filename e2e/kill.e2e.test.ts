import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { startBuilder } from './support/builder.ts';
import { leftovers } from './support/leftovers.ts';
import { tempFolder } from './support/temp-folder.ts';

const ROUNDS = Number(process.env['KILL_ROUNDS'] ?? 50);

/**
 * The daemon is ended at random points of a build, fifty times by each signal. The next life finds no mount, process, cgroup or temp file of the last one, and has not
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
  for (let round = 0; round < ROUNDS; round++) {
    writeFileSync(
      path.join(context, 'Dockerfile'),
      // Three steps that stay the same from round to round, and three of this round's own.
      `FROM scratch\nCOPY sh /bin/sh\nRUN echo 1 > /a\nRUN echo 2 > /b\nRUN echo 3 > /c\nRUN echo ${round} > /x\nRUN echo ${round} > /y\nRUN echo ${round} > /z\n`,
    );
    const builder = await startBuilder(work.path);
    // What the last life left must be gone once the new one answers; the new one's own socket and files are not in these places yet.
    problems.push(
      ...leftovers(builder.root)
        .filter((each) => !isOwn(each, builder.process.pid as number))
        .map((each) => `round ${round}: ${each}`),
    );
    // A random number of lines of progress, and a little more: anywhere from before the first transfer to after the last step.
    let lines = Math.floor(Math.random() * 24);
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
        onOutput: (text) => {
          lines -= text.split('\n').length - 1;
          if (lines < 0) point.resolve();
        },
      },
    );
    await Promise.race([point.promise, building]);
    await sleep(Math.random() * 80);
    await builder.stop(signal);
    const { output } = await building;
    for (const step of ['1', '2', '3']) {
      const number = new RegExp(`#(\\d+) \\[\\d/7\\] RUN echo ${step} > /[abc]\\n`).exec(output)?.[1];
      if (number === undefined) continue;
      const cached = output.includes(`#${number} CACHED`);
      const done = output.includes(`#${number} DONE`);
      if (finished.has(step) && done && !cached) problems.push(`round ${round}: step ${step} ran again`);
      if (done || cached) finished.add(step);
    }
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
  expect(finished.size).toBe(3);
});

/** The running daemon's own processes and files are no leftovers; its mounts are in a namespace of its own. */
function isOwn(found: string, pid: number): boolean {
  return (
    found.startsWith(`process ${pid} `) ||
    /^process \d+ .*(slipway-guardian|builder-pod\/main)/.test(found) ||
    found.startsWith('file ')
  );
}
