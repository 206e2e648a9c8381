import type { IncomingMessage } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { neverAborted } from '../../../base/index.ts';
import { anonymous, type RegistryClient } from '../../../oci/registry-client/index.ts';
import type { FaultProxy } from '../../../oci/registry-client/testing/fault-proxy.ts';
import type { CachedBuild, CacheExporter, ExportingBuild } from '../../engine/index.ts';
import { fakeContext } from '../../exporters/testing/fakes.ts';

export interface CacheExporterWorld extends AsyncDisposable {
  /** One that writes to the same place each time. @throws CodedError for attributes that cannot be met */
  open(attributes?: Readonly<Record<string, string>>): CacheExporter;
  /** Runs a build that leaves something to be written by the exporter, which is told of its beginning. */
  run(exporter: CacheExporter): Promise<{ readonly build: CachedBuild; readonly of: Pick<ExportingBuild, 'owner'> }>;
  /** Requests that the place was sent so far. */
  readonly asked: () => number;
  /** Whether the place has a document of this digest. */
  has(digest: string): Promise<boolean>;
  /** What the place does with what comes next: it takes it, it refuses it, or it never answers, having said so. */
  does(what: 'take' | 'refuse' | 'hang'): { readonly hanging: Promise<void> };
}

/** Of a world whose place is a repository behind a proxy. */
export function faultsOf(
  proxy: FaultProxy,
  repository: Parameters<RegistryClient['repository']>[0],
  client: RegistryClient,
): Pick<CacheExporterWorld, 'asked' | 'has' | 'does'> {
  const isOf = ({ url = '' }: IncomingMessage) => url.includes(`/${repository.path}/`);
  return {
    asked: () => proxy.requests.filter(({ path }) => path.includes(`/${repository.path}/`)).length,
    has: async (digest) => {
      const found = client.repository(repository, anonymous).getManifest(digest, { signal: neverAborted });
      return await found.then(
        () => true,
        () => false,
      );
    },
    does: (what) => {
      const reached = Promise.withResolvers<void>();
      proxy.fault = (req, res) => {
        if (what === 'take' || !isOf(req)) return false;
        if (what === 'refuse') res.writeHead(403).end();
        reached.resolve();
        return true;
      };
      return { hanging: reached.promise };
    },
  };
}

/** What every {@link CacheExporter} holds to. */
export function cacheExporterSuite(name: string, openWorld: () => Promise<CacheExporterWorld>): void {
  describe(`cache exporter: ${name}`, () => {
    let world: CacheExporterWorld;
    beforeEach(async () => {
      world = await openWorld();
    });
    afterEach(() => world[Symbol.asyncDispose]());

    const nothing: CachedBuild = { roots: [], scopes: ['here'] };

    /** An export of a build that has left something. */
    async function exporting(signal?: AbortSignal, exporter = world.open()) {
      const { build, of } = await world.run(exporter);
      const context = { ...fakeContext(signal), ...of };
      return { context, start: () => exporter.export(build, context) };
    }

    test('is opened, with all that can be wrong with its attributes, before anybody is asked for anything', () => {
      expect(world.open().name).not.toBe('');
      expect(() => world.open({ 'ignore-error': 'perhaps' })).toThrow(/ignore-error/);
      expect(world.asked()).toBe(0);
    });

    test('writes what a build has left, and tells by which document it is found', async () => {
      const { context, start } = await exporting();
      const { response, digest } = await start();
      expect(await world.has(digest ?? '')).toBe(true);
      for (const told of Object.values(response)) expect(told).toContain(digest);
      expect(context.rows.length).toBeGreaterThan(0);
      expect([...context.open]).toEqual([]);
      expect(context.warnings).toEqual([]);
    });

    test('of a build that has left nothing it writes nothing, which is no error', async () => {
      expect(await world.open().export(nothing, fakeContext())).toEqual({ response: {} });
    });

    test('again, once a result was lost on the way, it is there all the same', async () => {
      const { start } = await exporting();
      const first = await start();
      const second = await start();
      expect(await world.has(second.digest ?? first.digest ?? '')).toBe(true);
    });

    test('begins nothing for who has gone', async () => {
      const { start } = await exporting(AbortSignal.abort(new Error('enough')));
      const before = world.asked();
      await expect(start()).rejects.toThrow('enough');
      expect(world.asked()).toBe(before);
    });

    test('ends at once when nobody wants it any more', async () => {
      const controller = new AbortController();
      const { start } = await exporting(controller.signal);
      const { hanging } = world.does('hang');
      const work = start();
      await Promise.race([hanging, work]);
      controller.abort(new Error('enough'));
      await expect(work).rejects.toThrow('enough');
    });

    test('what the place refuses comes up, whether or not a build may go on without, and the next time all is new', async () => {
      const exporter = world.open({ 'ignore-error': 'true' });
      const { start } = await exporting(undefined, exporter);
      world.does('refuse');
      await expect(start()).rejects.toMatchObject({ code: expect.any(String) });
      expect(exporter.ignoreError).toBe(true);
      world.does('take');
      const { digest } = await (await exporting()).start();
      expect(await world.has(digest ?? '')).toBe(true);
    });

    test('attributes that nobody asked for are told', async () => {
      const context = fakeContext();
      await world.open({ 'no-such-option': '1' }).export(nothing, context);
      expect(context.warnings).toEqual(expect.arrayContaining([expect.stringContaining('no-such-option')]));
    });
  });
}
