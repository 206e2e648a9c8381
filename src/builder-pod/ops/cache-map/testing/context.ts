import { atOnce } from '../../../../base/index.ts';
import { ContentTreeBuilder, entryHash } from '../../../../cache/contenthash/index.ts';
import type { LlbVertex } from '../../../../llb/index.ts';
import { diffCacheMap, execCacheMap, fileCacheMap, mergeCacheMap, type OpCacheMap } from '../index.ts';
import { CONTEXT } from './scenarios.ts';

/** The received tree of local source `ctx`. */
export function contextTree(): Uint8Array {
  const builder = atOnce(ContentTreeBuilder.opening());
  const header = { uid: 0, gid: 0, linkname: '', devMajor: 0, devMinor: 0, xattrs: new Map<string, Uint8Array>() };
  for (const [name, content] of Object.entries(CONTEXT)) {
    const [path, mode] = name.split('#') as [string, string?];
    const link = content.startsWith('->') ? content.slice(2) : undefined;
    const type = path.endsWith('/') ? 'dir' : link === undefined ? 'file' : 'symlink';
    const modes = { dir: 0o755, file: Number.parseInt(mode ?? '0644', 8), symlink: 0o777 };
    const hash = entryHash({ ...header, type, mode: modes[type], size: content.length, linkname: link ?? '' });
    if (type === 'file') hash.update(Buffer.from(content));
    builder.set(path, { type, digest: hash.digest(), ...(link === undefined ? {} : { linkname: link }) });
  }
  return atOnce(builder.finishing());
}

/** The cache map of an op that has inputs or makes something of nothing; none of a source. */
export function vertexCacheMap({ op, inputs }: LlbVertex): OpCacheMap | undefined {
  const { body } = op.op;
  if (body.kind === 'exec') return execCacheMap(body.exec, op.platform!, inputs.length);
  if (body.kind === 'file') return fileCacheMap(body.file, inputs.length);
  if (body.kind === 'merge') return mergeCacheMap(body.merge.inputs, inputs.length);
  if (body.kind === 'diff') return diffCacheMap(body.diff);
  return undefined;
}
