import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { newId } from '../../src/base/index.ts';
import { must } from './run.ts';

/** Pulls an image with skopeo, unpacks it with umoci and runs it with runc. `files` are the top-level names of its root. */
export async function runImage(
  name: string,
  folder: string,
): Promise<{ readonly stdout: string; readonly digest: string; readonly files: string[] }> {
  const at = path.join(folder, `image-${newId()}`);
  await must('skopeo', ['copy', '-q', '--src-tls-verify=false', `docker://${name}`, `oci:${at}-layout:it`]);
  const digest = (
    JSON.parse((await must('skopeo', ['inspect', '--tls-verify=false', `docker://${name}`])).stdout) as {
      Digest: string;
    }
  ).Digest;
  await must('umoci', ['unpack', '--image', `${at}-layout:it`, at]);
  const files = readdirSync(path.join(at, 'rootfs')).sort();
  const config = path.join(at, 'config.json');
  const spec = JSON.parse(readFileSync(config, 'utf8')) as { process: { terminal: boolean; rlimits?: unknown } };
  spec.process.terminal = false;
  delete spec.process.rlimits;
  writeFileSync(config, JSON.stringify(spec));
  const { stdout } = await must('runc', ['run', '--bundle', at, `slipway-e2e-${newId()}`]);
  rmSync(at, { recursive: true, force: true });
  rmSync(`${at}-layout`, { recursive: true, force: true });
  return { stdout, digest, files };
}
