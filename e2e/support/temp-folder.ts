import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** A folder that goes with its scope. */
export function tempFolder(name: string): { readonly path: string } & Disposable {
  const folder = mkdtempSync(path.join(tmpdir(), `slipway-${name}-`));
  return { path: folder, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) };
}
