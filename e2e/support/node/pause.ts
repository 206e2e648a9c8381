import { copyFileSync, mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { must } from '../run.ts';

/** An OCI archive of an image that does nothing for a long time; it holds a pod's namespaces. `name` is `REPOSITORY:TAG`. */
export async function makePauseImage(folder: string, name: string): Promise<string> {
  const at = path.join(folder, 'pause');
  const image = `${at}/layout:${name.split(':')[1]}`;
  mkdirSync(`${at}/root`, { recursive: true });
  copyFileSync('/bin/busybox', `${at}/root/busybox`);
  await must('umoci', ['init', '--layout', `${at}/layout`]);
  await must('umoci', ['new', '--image', image]);
  await must('umoci', ['insert', '--image', image, `${at}/root`, '/']);
  await must('umoci', ['config', '--image', image, '--config.entrypoint', '/busybox', '--config.entrypoint', 'sleep']);
  await must('umoci', ['config', '--image', image, '--config.cmd', '999999999']);
  await must('tar', ['-C', `${at}/layout`, '-cf', `${at}.tar`, '.']);
  rmSync(at, { recursive: true });
  return `${at}.tar`;
}
