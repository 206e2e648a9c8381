import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { formatWithOptions } from 'node:util';
import type { TestBuilder } from './builder.ts';
import type { Ran, RunOptions } from './run.ts';

/** A first stage with a shell, from Debian's static busybox. */
export const BASE = `FROM scratch AS base
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
`;

/** A build context with busybox and these files, by their paths. */
export function makeContext(folder: string, files: Readonly<Record<string, string>>): string {
  mkdirSync(folder, { recursive: true });
  copyFileSync('/bin/busybox', path.join(folder, 'busybox'));
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(folder, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  return folder;
}

/** Arguments of buildctl that build a folder's Dockerfile. */
export function dockerfileArgs(context: string, args: readonly string[] = []): string[] {
  const progress = args.some((arg) => arg.startsWith('--progress')) ? [] : ['--progress=plain'];
  const local = ['--local', `context=${context}`, '--local', `dockerfile=${context}`];
  return ['build', ...progress, '--frontend', 'dockerfile.v0', ...local, ...args];
}

/** Builds that must succeed and builds that must not, with one builder. */
export function building(builder: () => TestBuilder) {
  const build = (context: string, args: readonly string[] = [], options?: RunOptions) =>
    builder().buildctl(dockerfileArgs(context, args), options);
  const check = (ran: Ran, ok: boolean): Ran => {
    if ((ran.code === 0) === ok) return ran;
    throw new Error(formatWithOptions({}, 'buildctl ended with %s:\n%s\n%s', ran.code, ran.output, builder().log()));
  };
  return {
    succeeds: async (context: string, args?: readonly string[], options?: RunOptions) =>
      check(await build(context, args, options), true),
    fails: async (context: string, args?: readonly string[], options?: RunOptions) =>
      check(await build(context, args, options), false),
  };
}

/** The Dockerfile steps in plain progress, by how they ended: instruction texts without their stage and number. */
export function steps(text: string): { readonly cached: readonly string[]; readonly ran: readonly string[] } {
  const names = new Map<string, string>();
  const cached: string[] = [];
  const ran: string[] = [];
  for (const line of text.split('\n')) {
    const [, number = '', rest = ''] = /^#(\d+) (.*)$/.exec(line) ?? [];
    const name = names.get(number);
    if (rest === 'CACHED') cached.push(name ?? '');
    else if (rest.startsWith('DONE')) ran.push(name ?? '');
    else if (name === undefined) names.set(number, rest);
  }
  const instruction = (name: string) => /^\[[^\]]*?\d+\/\d+\] (.*)$/.exec(name)?.[1];
  const only = (all: readonly string[]) => all.map(instruction).filter((one) => one !== undefined);
  return { cached: only(cached), ran: only(ran) };
}
