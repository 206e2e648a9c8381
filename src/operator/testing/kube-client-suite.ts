import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CodedError, newId } from '../../base/index.ts';
import { type KubeClient, type KubeObject, uncheckedType, type WatchEvent } from '../runtime/index.ts';

interface Thing extends KubeObject {
  readonly spec: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>>;
}
const builds = uncheckedType<Thing>({
  ...{ group: 'slipway.build', version: 'v1alpha1', plural: 'builds', kind: 'Build', namespaced: true },
});
const OTHER_UID = '00000000-0000-0000-0000-000000000000';

/** What every {@link KubeClient} holds to, with what the operator asks of one; `open` gives one of a cluster that knows our resources. */
export function kubeClientSuite(name: string, open: () => KubeClient): void {
  describe(`Kubernetes client: ${name}`, () => {
    let client: KubeClient;
    let over: AbortController;
    /** Of this test alone. */
    let named: string;
    beforeEach(() => {
      client = open();
      over = new AbortController();
      named = `a-${newId()}`;
    });
    afterEach(() => over.abort(new CodedError('cancelled', 'the test is over')));

    const options = () => ({ signal: over.signal, fieldManager: 'test' });
    const status = () => ({ ...options(), subresource: 'status' }) as const;
    const at = () => ({ namespace: 'default', name: named });
    const thing = (metadata: object = {}, more: object = {}): KubeObject => ({
      ...{ apiVersion: 'slipway.build/v1alpha1', kind: 'Build' },
      metadata: { ...at(), ...metadata },
      ...more,
    });
    const create = () =>
      client.create(builds, thing({}, { spec: { dockerfile: { inline: 'FROM scratch' } } }) as Thing, options());

    test('what was made is read as it was answered, and is there once', async () => {
      const made = await create();
      expect(made.metadata).toMatchObject({ ...at(), uid: expect.stringMatching(/.+/), generation: 1 });
      expect(await client.get(builds, at(), options())).toEqual(made);
      await expect(create()).rejects.toMatchObject({ code: 'already_exists' });
      const { items, resourceVersion } = await client.listPage(builds, { ...options(), limit: 500 });
      const listed = (items as readonly Thing[]).filter(({ metadata }) => metadata.name === named);
      expect(listed.map(({ metadata, spec }) => [metadata, spec])).toEqual([[made.metadata, made.spec]]);
      expect(resourceVersion).toMatch(/^\d+$/);
    });

    test('what is not there is told as that, by whatever asks for it', async () => {
      const missing = { code: 'not_found' };
      await expect(client.get(builds, at(), options())).rejects.toMatchObject(missing);
      await expect(client.patch(builds, at(), { spec: { suspend: true } }, options())).rejects.toMatchObject(missing);
      await expect(client.delete(builds, at(), options())).rejects.toMatchObject(missing);
      await expect(client.apply(builds, thing({}, { status: {} }), status())).rejects.toMatchObject(missing);
    });

    test('a status is applied to the object as it was read, where its version is said', async () => {
      const { metadata: first, spec } = await create();
      const applied = await client.apply(
        builds,
        thing({ uid: first.uid, resourceVersion: first.resourceVersion }, { status: { observedGeneration: 1 } }),
        status(),
      );
      expect([applied.spec, applied.status, applied.metadata.generation]).toEqual([spec, { observedGeneration: 1 }, 1]);
      expect(applied.metadata.resourceVersion).not.toBe(first.resourceVersion);
      const again = { status: { observedGeneration: 2 } };
      await expect(
        client.apply(builds, thing({ resourceVersion: first.resourceVersion }, again), status()),
      ).rejects.toMatchObject({ code: 'aborted' });
      expect((await client.get(builds, at(), options())).status).toEqual({ observedGeneration: 1 });
      // Of a status a uid is held against nothing.
      const unfenced = await client.apply(builds, thing({ uid: OTHER_UID }, again), status());
      expect([unfenced.status, unfenced.metadata.uid]).toEqual([{ observedGeneration: 2 }, first.uid]);
    });

    test('a patch changes what it names, and the generation with it', async () => {
      const made = await create();
      const patched = await client.patch(builds, at(), { spec: { suspend: true } }, options());
      expect(patched).toMatchObject({
        spec: { ...made.spec, suspend: true },
        metadata: { generation: 2, uid: made.metadata.uid },
      });
      expect(await client.get(builds, at(), options())).toEqual(patched);
    });

    test('is deleted when it is the one that is meant', async () => {
      const { metadata } = await create();
      await expect(client.delete(builds, at(), { ...options(), uid: OTHER_UID })).rejects.toMatchObject({
        code: 'aborted',
      });
      await client.delete(builds, at(), { ...options(), uid: metadata.uid });
      await expect(client.get(builds, at(), options())).rejects.toMatchObject({ code: 'not_found' });
      expect((await create()).metadata.uid).not.toBe(metadata.uid);
    });

    test('a watch tells all that came since the version it is given, in order', async () => {
      const { resourceVersion } = await client.listPage(builds, { ...options(), limit: 500 });
      await create();
      const seen: string[] = [];
      const deleted = (async () => {
        for await (const { type, object } of client.watch(builds, { ...options(), resourceVersion })) {
          const { metadata, spec } = object as Thing;
          if (metadata?.name !== named) continue;
          seen.push(`${type} ${spec['suspend'] ?? ''}`.trim());
          if (type === 'DELETED') return metadata.resourceVersion;
        }
        return undefined;
      })();
      const patched = await client.patch(builds, at(), { spec: { suspend: true } }, options());
      await client.delete(builds, at(), options());
      expect(Number(await deleted)).toBeGreaterThan(Number(patched.metadata.resourceVersion));
      expect(seen).toEqual(['ADDED', 'MODIFIED true', 'DELETED true']);
    });

    test('a watch ends for who goes, and who has gone is given nothing', async () => {
      const { resourceVersion } = await client.listPage(builds, { ...options(), limit: 500 });
      const controller = new AbortController();
      const events: WatchEvent[] = [];
      const watching = (async () => {
        for await (const event of client.watch(builds, { signal: controller.signal, resourceVersion })) {
          events.push(event);
          controller.abort(new CodedError('cancelled', 'enough'));
        }
      })();
      await create();
      await expect(watching).rejects.toMatchObject({ code: 'cancelled' });
      expect(events).toHaveLength(1);
      const gone = { ...options(), signal: controller.signal };
      await expect(client.get(builds, at(), gone)).rejects.toMatchObject({ code: 'cancelled' });
      await expect(client.patch(builds, at(), { spec: { suspend: true } }, gone)).rejects.toMatchObject({
        code: 'cancelled',
      });
      expect((await client.get(builds, at(), options())).spec['suspend']).toBeUndefined();
    });
  });
}
