import { posix } from 'node:path';

/** A name that is one component and nothing special; `download` where there is none. */
function safeFileName(name: string): string {
  const base = posix.basename(name.trim());
  return base === '' || base === '.' || base === '..' || base.length > 255 || /\p{Cc}/u.test(base) ? 'download' : base;
}

/** The file's name: what the caller says, else Content-Disposition (RFC 6266, plain form), else the URL's last component. */
export function fileNameOf(wanted: string, disposition: string | undefined, url: string): string {
  if (wanted !== '') return safeFileName(wanted);
  const match = /;\s*filename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;]+))/i.exec(disposition ?? '');
  const said = match?.[1]?.replaceAll(/\\(.)/g, '$1') ?? match?.[2];
  if (said !== undefined && said !== '' && !said.endsWith('/')) return safeFileName(said);
  let path = new URL(url).pathname;
  try {
    path = decodeURIComponent(path);
  } catch {
    // Taken as it is.
  }
  return safeFileName(path);
}
