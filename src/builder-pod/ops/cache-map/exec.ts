import { posix } from 'node:path';
import { digestOf, invalidArgument, type Platform } from '../../../base/index.ts';
import type { ContentSelector } from '../../../cache/contenthash/index.ts';
import type { ExecMount, ExecOp } from '../../../llb/index.ts';
import {
  dedupePaths,
  type KeepsDigest,
  keyOf,
  NOTHING,
  type OpCacheInput,
  type OpCacheMap,
  omitEmpty,
} from './op-cache-map.ts';

const NETWORKS = ['unset', 'host', 'none'];
const SECURITIES = ['sandbox', 'insecure'];
const MOUNT_TYPES = ['bind', 'secret', 'ssh', 'cache', 'tmpfs'];
const SHARINGS = ['shared', 'private', 'locked'];
const CONTENT_CACHES = ['default', 'on', 'off'];

/**
 * Keys of a run. What does not change what it makes is left out: addresses of extra hosts, proxies, names of cache mounts that are not their own path,
 * selectors (they go into the input's selector), resource limits. @throws CodedError invalid_argument for a content cache that cannot be.
 */
export function execCacheMap(exec: ExecOp, platform: Platform, inputCount: number, keep?: KeepsDigest): OpCacheMap {
  const { meta } = exec;
  const mounts = isPlainRoot(exec.mounts) ? [] : exec.mounts;
  return {
    ...keyOf(
      () => ({
        Type: 'buildkit.exec.v0',
        Exec: omitEmpty({
          meta: omitEmpty({
            args: meta.args,
            env: meta.env,
            cwd: meta.cwd,
            user: meta.user,
            extraHosts: meta.extraHosts.map(({ host }) => omitEmpty({ Host: host })),
            hostname: meta.hostname,
            ulimit: meta.ulimits.map(({ name, soft, hard }) => omitEmpty({ Name: name, Soft: soft, Hard: hard })),
            cgroupParent: meta.cgroupParent,
            removeMountStubsRecursive: meta.removeMountStubsRecursive,
            validExitCodes: meta.validExitCodes,
          }),
          mounts: mounts.map(mountJson),
          network: NETWORKS.indexOf(exec.network),
          security: SECURITIES.indexOf(exec.security),
          secretenv: exec.secretEnv.map(({ id, name, optional }) => omitEmpty({ ID: id, name, optional })),
          cdiDevices: exec.cdiDevices.map(({ name, optional }) => omitEmpty({ name, optional })),
        }),
        OS: platform.os,
        Arch: platform.architecture,
        ...omitEmpty({
          Variant: platform.variant,
          OSVersion: platform['os.version'],
          OSFeatures: platform['os.features'],
        }),
      }),
      keep,
    ),
    inputs: inputsOf(exec.mounts, inputCount),
  };
}

function mountJson(mount: ExecMount) {
  const { tmpfs, cache, secret, ssh } = mount;
  const file = (of: typeof secret) =>
    of && omitEmpty({ ID: of.id, uid: of.uid, gid: of.gid, mode: of.mode, optional: of.optional });
  return omitEmpty({
    input: mount.input,
    dest: mount.dest,
    output: mount.output,
    readonly: mount.readonly,
    mountType: MOUNT_TYPES.indexOf(mount.type),
    TmpfsOpt: tmpfs && omitEmpty({ size: tmpfs.size }),
    cacheOpt:
      cache && (keepsCacheId(mount) ? omitEmpty({ ID: cache.id, sharing: SHARINGS.indexOf(cache.sharing) }) : {}),
    secretOpt: file(secret),
    SSHOpt: file(ssh),
    resultID: mount.resultId,
    contentCache: CONTENT_CACHES.indexOf(mount.contentCache),
  });
}

/** The Dockerfile default, id equal to the path (with or without a namespace), was always part of the key. */
function keepsCacheId({ cache, dest }: ExecMount): boolean {
  if (cache?.sharing !== 'shared') return false;
  const slash = cache.id.indexOf('/');
  return cache.id === dest || (slash >= 0 && cache.id.slice(slash + 1) === dest);
}

/** One writable root and nothing else: such mounts were never part of the key. */
function isPlainRoot(mounts: readonly ExecMount[]): boolean {
  const [mount, ...others] = mounts;
  if (!mount || others.length > 0) return false;
  const { dest, readonly, type, cache, ssh, secret, resultId } = mount;
  return dest === '/' && !readonly && type === 'bind' && !cache && !ssh && !secret && resultId === '';
}

/** Of very many inputs few are mounted. */
function inputsOf(mounts: readonly ExecMount[], inputCount: number): OpCacheInput[] {
  const mounted = new Map<number, { readonly paths: string[]; byContent: boolean }>();
  for (const mount of mounts) {
    const { input, type } = mount;
    if (input < 0 || input >= inputCount || type === 'secret' || type === 'ssh' || type === 'tmpfs') continue;
    const path = posix.join('/', mount.selector).replace(/(?<=.)\/$/, '');
    const paths = mounted.get(input)?.paths ?? [];
    paths.push(path);
    // The last mount of an input decides, as with BuildKit.
    mounted.set(input, { paths, byContent: decidesByContent(mount, path) });
  }
  const inputs = new Array<OpCacheInput>(inputCount).fill(NOTHING);
  for (const [input, { paths, byContent }] of mounted)
    inputs[input] = {
      selector: digestOf(paths.join('\0')),
      ...(byContent ? { content: contentSelectors(paths) } : {}),
    };
  return inputs;
}

/** Content may decide where the run cannot hand on files that were not looked at; for roots it would cost more than it gives. */
function decidesByContent(mount: ExecMount, path: string): boolean {
  const safe = mount.output === -1 || mount.readonly || path === '/';
  if (mount.contentCache === 'off') return false;
  if (mount.contentCache === 'on') {
    if (!safe)
      throw invalidArgument(
        `invalid content cache of mount ${mount.dest}: it is writable and hands on a part of its input`,
      );
    return true;
  }
  return safe && mount.dest !== '/';
}

function contentSelectors(paths: readonly string[]): readonly ContentSelector[] {
  const unique = dedupePaths(paths);
  return unique.includes('/') ? [] : unique.map((path) => ({ path, followLinks: true }));
}
