import {
  CodedError,
  cancelledError,
  type Descriptor,
  goJson,
  type ImageReference,
  type Logger,
  RecentMap,
  Semaphore,
  timeoutSignal,
  type WorkOwner,
} from '../../../base/index.ts';
import type { ContentHasher } from '../../../cache/contenthash/index.ts';
import { type MountIdentity, mountKey, mountName, mountTag } from '../../../cache/mounts/index.ts';
import type { CacheMountExchange, CacheMountUse, ExchangedMount, ImmutableRef } from '../../../cache/ports.ts';
import { descriptorJson } from '../../../oci/manifest/index.ts';
import type { Repository } from '../../../oci/registry-client/index.ts';
import type { OpContext } from '../../../solver/index.ts';
import type { CacheExporter, CacheImporter, ExportingBuild } from '../../engine/index.ts';
import { type ExportContext, ExportOptions, withRow } from '../../exporters/index.ts';
import type { TrustDeps } from '../trust.ts';
import { type MountsOptions, mountsOptions } from './options.ts';
import { type MountsImport, type RestoreDeps, restoring } from './restore.ts';
import { MountSaver, type NotSaved, type SaveDeps, type UsedMount } from './save.ts';

/** Mounts of one build that are saved. */
const MAX_USED = 100;
/** Saves that wait for their turn, after their builds. */
const MAX_WAITING = 16;
const MAX_DAMAGED = 1000;
/** What needs the client, before it has its answer. */
const PREPARE_MS = 20_000;

interface MountCachesDeps extends SaveDeps, RestoreDeps, TrustDeps {
  readonly hasher: ContentHasher;
  readonly log: Logger;
  /** With credentials of the sessions; `held` once they were given, also when the client is gone. */
  readonly openRepository: (
    reference: ImageReference,
    options: { readonly insecure: boolean; readonly sessions: () => readonly string[]; readonly held: boolean },
  ) => Repository;
}

/** Builds that ask for something, as the steps that they want know them. */
type AskingBuild = Pick<ExportingBuild, 'owner' | 'sessions' | 'scope'>;

interface Recording {
  readonly build: AskingBuild;
  readonly options: MountsOptions;
  readonly used: UsedMounts;
}

/** Mounts that steps of one build have used, by key, so many at most. */
class UsedMounts {
  readonly #byKey = new Map<string, UsedMount>();
  /** There were more than are saved. */
  hasMore = false;

  add(mount: UsedMount): void {
    if (this.#byKey.has(mount.key) || this.#byKey.size < MAX_USED) this.#byKey.set(mount.key, mount);
    else this.hasMore = true;
  }

  get all(): readonly UsedMount[] {
    return [...this.#byKey.values()];
  }
}

/**
 * Cache mounts that lie in registries (caches of the type `mounts`). A build that imports them has new volumes filled before its first step sees them, from the first of the scopes that it reads which has them; one that exports them has those that its steps used saved when it is done,
 * which it does not wait for unless it asks to.
 */
export class MountCaches implements CacheMountExchange, AsyncDisposable {
  readonly #deps: MountCachesDeps;
  readonly #imports = new Set<MountsImport & { readonly build: AskingBuild }>();
  readonly #recordings = new Set<Recording>();
  /** Names under which builds of this life have found what was damaged: a save takes up none of it. */
  readonly #damaged = new RecentMap<string, boolean>(MAX_DAMAGED);
  /** One at a time: nobody waits for them. */
  readonly #turn = new Semaphore(1);
  readonly #background = new Set<Promise<void>>();
  readonly #stop = new AbortController();

  constructor(deps: MountCachesDeps) {
    this.#deps = deps;
  }

  readonly importer: CacheImporter = {
    open: async (attrs, { owner, sessions, scope, readScopes, until }) => {
      const options = mountsOptions(new ExportOptions('mounts cache', attrs), 'importer', this.#deps);
      const { reference, insecure } = options;
      const open = () => this.#deps.openRepository(reference, { insecure, sessions, held: false });
      const asked = { build: { owner, sessions, scope }, scopes: readScopes, options, open, sessions, isDead: false };
      this.#imports.add(asked);
      until.addEventListener('abort', () => this.#imports.delete(asked), { once: true });
      if (until.aborted) this.#imports.delete(asked);
      return undefined;
    },
  };

  /** @throws CodedError for attributes that cannot be met */
  exporter(attrs: Readonly<Record<string, string>>): CacheExporter {
    const attributes = new ExportOptions('mounts cache', attrs);
    const options = mountsOptions(attributes, 'exporter', this.#deps);
    // The key is the client's, who must be there to give it.
    const wait = attributes.boolean('wait', false, { empty: true }) || options.trust.sign !== undefined;
    const used = new UsedMounts();
    return {
      name: 'exporting cache mounts',
      mayHaveNothing: true,
      ignoreError: attributes.boolean('ignore-error', true, { empty: true }),
      begin: (build) => {
        const recording = { build, options, used };
        this.#recordings.add(recording);
        build.until.addEventListener('abort', () => this.#recordings.delete(recording), { once: true });
      },
      export: async (_build, context) => {
        // Clients give it to whatever is exported.
        attributes.text('mode');
        attributes.tellUnused(context);
        if (used.hasMore)
          context.progress.warn({
            level: 1,
            short: `only ${MAX_USED} of the cache mounts are saved: the build has used more`,
            detail: ['Name those that are to be saved (id), or save the others by builds of their own.'],
          });
        const written = await this.#export(used.all, options, { wait }, context);
        if (written === undefined) return { response: {} };
        return { response: { 'cachemount.manifest': goJson(descriptorJson(written)) }, digest: written.digest };
      },
    };
  }

  async of({ key, id, seed }: CacheMountUse, user: OpContext): Promise<ExchangedMount | undefined> {
    const isFor = ({ build, options: { ids } }: { readonly build: AskingBuild; readonly options: MountsOptions }) =>
      isOf(build, user) && (ids === undefined || ids.has(mountName(id)));
    const imports = [...this.#imports].filter(isFor);
    const recordings = [...this.#recordings].filter(isFor);
    if (imports.length === 0 && recordings.length === 0) return undefined;
    const identity = { scope: user.scope, id, seed: await this.#seed(seed, user) };
    return {
      fill: imports.length === 0 ? undefined : restoring(identity, imports, this.#restoring(user), this.#deps),
      used: () => {
        for (const { used } of recordings) used.add({ key, identity });
      },
    };
  }

  #restoring({ progress, limits }: OpContext) {
    const onDamage = (from: MountsOptions, identity: MountIdentity) => this.#damaged.set(placeOf(from, identity), true);
    return { progress, limits, onDamage };
  }

  /** What other builders know it by, too. */
  async #seed(seed: ImmutableRef | undefined, user: OpContext) {
    if (seed === undefined) return undefined;
    const { signal, owner } = user;
    return await this.#deps.hasher.checksum(seed, [], { signal, owner, sessions: () => user.sessions() });
  }

  async #export(
    mounts: readonly UsedMount[],
    options: MountsOptions,
    { wait }: { readonly wait: boolean },
    context: ExportContext,
  ): Promise<Descriptor | undefined> {
    if (mounts.length === 0) return undefined;
    const { reference, insecure, timeoutMs } = options;
    const { sessions, owner, progress } = context;
    const repository = this.#deps.openRepository(reference, { insecure, sessions, held: true });
    const isWorthless = (identity: MountIdentity) => this.#damaged.get(placeOf(options, identity)) === true;
    const saver = new MountSaver(repository, options, { ...this.#deps, isWorthless });
    await bounded(PREPARE_MS, context.signal, (signal) => saver.prepare(mounts, { signal, owner, sessions }));
    if (wait) {
      const failures: unknown[] = [];
      let written: Descriptor | undefined;
      await bounded(timeoutMs, context.signal, async (signal) => {
        for (const mount of mounts) {
          const id = mountName(mount.identity.id);
          const { moved } = context;
          const saved = await withRow(context, `saving cache mount ${id}`, (onProgress) =>
            saver.save(mount, { signal, owner, sessions, moved, onProgress }),
          ).catch((error: unknown) => {
            signal.throwIfAborted();
            failures.push(error);
            return undefined;
          });
          if (saved?.kind === 'saved') written = saved.manifest;
          if (saved?.kind === 'left') progress.warn({ level: 1, short: notSaved(id, saved) });
        }
      });
      if (failures.length > 0) throw failures[0];
      return written;
    }
    if (this.#turn.waiting >= MAX_WAITING) {
      progress.warn({ level: 1, short: 'cache mounts are not saved: those of too many builds are waiting to be' });
      return undefined;
    }
    const ids = mounts.map(({ identity }) => mountName(identity.id)).join(', ');
    progress.log(1, Buffer.from(`saving cache mounts to ${options.name} in the background: ${ids}\n`));
    this.#inBackground(mounts, saver, options, owner);
    return undefined;
  }

  /** Goes on when the client has its answer; how it went is in the builder's log. */
  #inBackground(
    mounts: readonly UsedMount[],
    saver: MountSaver,
    { name, timeoutMs }: MountsOptions,
    owner: WorkOwner,
  ): void {
    const { log } = this.#deps;
    const saveAll = async () => {
      using _turn = await this.#turn.acquire({ signal: this.#stop.signal });
      await bounded(timeoutMs, this.#stop.signal, async (signal) => {
        for (const mount of mounts) {
          const id = mountName(mount.identity.id);
          const saved = await saver.save(mount, { signal, owner, sessions: () => [] }).catch((error: unknown) => {
            signal.throwIfAborted();
            log.warn('a cache mount could not be saved', { id, to: name, err: error });
            return undefined;
          });
          if (saved?.kind === 'left') log.info(notSaved(id, saved), { to: name });
          if (saved?.kind === 'saved') log.info('a cache mount was saved', { id, to: name, bytes: saved.bytes });
        }
      });
    };
    const running = saveAll()
      .catch((error: unknown) => log.warn('cache mounts were not saved', { to: name, err: error }))
      .finally(() => this.#background.delete(running));
    this.#background.add(running);
  }

  /** Resolves once what builds have left to be saved is, or could not be. */
  async settled(): Promise<void> {
    await Promise.all(this.#background);
  }

  /** What is being saved is given up: what was there stays as it is. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(cancelledError('the builder is stopping'));
    await this.settled();
  }
}

/** Whether the build is one of those that want the step, and may see what it sees. */
function isOf({ owner, sessions, scope }: AskingBuild, user: OpContext): boolean {
  if (scope !== user.scope) return false;
  if (owner.build === user.owner.build && owner.tenant === user.owner.tenant) return true;
  const wanting = user.sessions();
  return sessions().some((session) => wanting.includes(session));
}

/** Under which name it lies there. */
function placeOf({ name, prefix }: MountsOptions, identity: MountIdentity): string {
  return `${name} ${mountTag(prefix, mountKey(identity))}`;
}

function notSaved(id: string, { why }: NotSaved): string {
  return `the cache mount ${id} is not saved: ${why}`;
}

async function bounded<T>(ms: number, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const late = timeoutSignal(ms);
  try {
    return await work(AbortSignal.any([signal, late]));
  } catch (error) {
    signal.throwIfAborted();
    if (!late.aborted) throw error;
    throw new CodedError('deadline_exceeded', `saving cache mounts took longer than ${ms / 1000} s`, { cause: error });
  }
}
