import { cpSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { bundle } from '../../scripts/bundle.ts';
import { SECCOMP_PROFILE } from '../../src/builder-pod/executor/seccomp.ts';
import type { TestBuilder } from './builder.ts';
import { BASE, building, makeContext } from './context.ts';
import { root } from './paths.ts';
import { copyProgram } from './program.ts';

/** What the builder starts. Of the rest, which scripts use, busybox has enough. */
const PROGRAMS = ['runc', 'unshare'];

/** Builds an image of this checkout, operator and builder in one, from what this machine has, and pushes it. `folder` is for what goes into it. */
export async function pushSlipwayImage(folder: string, builder: TestBuilder, name: string): Promise<void> {
  const context = makeContext(folder, {
    Dockerfile: `${BASE}COPY root /
ENV PATH=/opt/slipway/bin:/usr/sbin:/usr/bin:/sbin:/bin
`,
  });
  const tree = path.join(context, 'root');
  const home = path.join(tree, 'opt/slipway');
  mkdirSync(home, { recursive: true });
  await bundle(path.join(home, 'dist'));
  const arch = process.arch;
  for (const part of ['bin', 'package.json', 'node_modules/koffi', `node_modules/@koromix/koffi-linux-${arch}`])
    cpSync(path.join(root, part), path.join(home, part), { recursive: true });
  await copyProgram(process.execPath, tree, `/opt/slipway/node_modules/node-linux-${arch}/bin/node`);
  for (const program of PROGRAMS) await copyProgram(program, tree);
  cpSync(SECCOMP_PROFILE, path.join(tree, SECCOMP_PROFILE));
  const output = `type=image,name=${name},push=true,registry.insecure=true,compression=uncompressed`;
  await building(() => builder).succeeds(context, ['--output', output]);
}
