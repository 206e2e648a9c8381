import { readFileSync } from 'node:fs';
import type { TlsFiles } from './config.ts';

/** Worker task: what the files hold now, PEM. */
export function readTlsFiles({ cert, key, ca }: TlsFiles) {
  const read = (path: string) => readFileSync(path, 'utf8');
  return { cert: read(cert), key: read(key), ...(ca === undefined ? {} : { ca: read(ca) }) };
}
