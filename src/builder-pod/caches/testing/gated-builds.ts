import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { neverAborted, newId } from '../../../base/index.ts';
import { FileActions, http, type State as Llb, scratch } from '../../../llb/index.ts';
import { FaultProxy } from '../../../oci/registry-client/testing/fault-proxy.ts';
import { RegistryServer } from '../../../oci/registry-server/index.ts';
import type { Builder, OutflowBounds } from '../../builder/index.ts';
import { openTestBuilder } from '../../builder/testing/open-test-builder.ts';
import { type ToldSteps, watchSteps } from '../../engine/testing/told-steps.ts';
import { makeBusyboxRoot } from '../../executor/testing/busybox.ts';

const timestamp = 1_500_000_000n * 10n ** 9n;

/** A step that writes a file of its name. */
export const text = (name: string, on: Llb = scratch()) =>
  on.file(new FileActions().mkfile(`/${name}`, 0o644, Buffer.from(name), { timestamp }), { name });

export type CacheAttrs = Readonly<Record<string, string>>;

interface Solving {
  readonly from?: readonly CacheAttrs[];
  readonly to?: readonly CacheAttrs[];
  /** The name of an image that is pushed. */
  readonly image?: string;
  readonly signal?: AbortSignal;
}

interface CacheConfig {
  readonly layers: readonly unknown[];
  readonly records: readonly { readonly digest: string; readonly layers?: readonly unknown[] }[];
}

/** A builder whose caches are in a registry behind a proxy, and builds with steps that wait until a test lets them go on. */
export class GatedBuilds implements AsyncDisposable {
  readonly proxy: FaultProxy;
  readonly builder: Builder;
  /** The root of a system. */
  readonly base: Llb;
  /** Steps that wait now. */
  readonly waiting: { readonly path: string; readonly response: ServerResponse }[];
  /** Of this test, with the registry. */
  repository = '';
  readonly #gate: string;
  readonly #opened: Set<string>;
  readonly #cleanup: AsyncDisposableStack;

  private constructor(
    made: Pick<GatedBuilds, 'proxy' | 'builder' | 'base' | 'waiting'>,
    gate: string,
    opened: Set<string>,
    cleanup: AsyncDisposableStack,
  ) {
    this.proxy = made.proxy;
    this.builder = made.builder;
    this.base = made.base;
    this.waiting = made.waiting;
    this.#gate = gate;
    this.#opened = opened;
    this.#cleanup = cleanup;
  }

  static async start(options: { readonly outflow?: OutflowBounds } = {}): Promise<GatedBuilds> {
    await using cleanup = new AsyncDisposableStack();
    const folder = mkdtempSync(join(tmpdir(), 'slipway-gated-'));
    cleanup.defer(() => rmSync(folder, { recursive: true, force: true }));
    const registry = cleanup.use(await RegistryServer.start({ root: join(folder, 'registry'), durable: false }));
    const proxy = cleanup.use(await FaultProxy.start(registry.url));
    const rootfs = join(folder, 'rootfs');
    mkdirSync(rootfs);
    makeBusyboxRoot(rootfs);
    const tar = execFileSync('tar', ['-C', rootfs, '-cf', '-', '.'], { maxBuffer: 64 << 20 });
    const waiting: GatedBuilds['waiting'] = [];
    const opened = new Set<string>();
    const server = createServer(({ url: path = '' }, response) => {
      if (path === '/base.tar') response.end(tar);
      else if (opened.has(path)) response.end('open');
      else waiting.push({ path, response });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanup.defer(() => {
      server.closeAllConnections();
      server.close();
    });
    const gate = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const unpacked = new FileActions().copy(http(`${gate}/base.tar`), '/base.tar', '/', { attemptUnpack: true });
    const base = scratch().file(unpacked, { name: 'base' });
    const fixed = { maxParallelism: 2, network: 'host', ...options } as const;
    const builder = await openTestBuilder(join(folder, 'state'), cleanup, fixed);
    return new GatedBuilds({ proxy, builder, base, waiting }, gate, opened, cleanup.move());
  }

  /** Before a test. */
  begin(): void {
    this.repository = `${this.proxy.host}/app-${newId()}`;
    this.proxy.requests.length = 0;
    this.#opened.clear();
  }

  /** After a test: nothing waits, and nothing is broken. */
  end(): void {
    this.proxy.fault = () => undefined;
    this.open();
  }

  /** Lets those go on that wait now, for good. */
  open(): void {
    for (const { path, response } of this.waiting.splice(0)) {
      this.#opened.add(path);
      response.end('open');
    }
  }

  /** A step that waits at the gate. */
  gated(name: string, on: Llb): Llb {
    return on.run({ args: ['/bin/busybox', 'wget', '-q', '-O', `/${name}`, `${this.#gate}/${name}`], name }).root;
  }

  async solve(
    scope: string,
    target: Llb,
    { from = [], to = [], image, signal = neverAborted }: Solving = {},
  ): Promise<ToldSteps & { readonly error: unknown }> {
    const { observer, told } = watchSteps();
    const remote = (attrs: CacheAttrs) => ({ type: 'registry', attrs: { ref: `${this.repository}:cache`, ...attrs } });
    let error: unknown;
    await this.builder.engine
      .solve(
        {
          ...{ ref: newId(), session: '', definition: target.marshal() },
          exporters: image === undefined ? [] : [{ type: 'image', attrs: { name: image, push: 'true' } }],
          ...{ frontendAttrs: new Map(), frontendInputs: new Map(), entitlements: [] },
          ...{ cacheImports: from.map(remote), cacheExports: to.map(remote) },
          ...{ scope: { write: scope, read: [scope] }, observer },
        },
        { signal },
      )
      .catch((reason: unknown) => {
        error = reason;
      });
    return { ...(await told()), error };
  }

  /** The repository as the registry's API has it. */
  get api(): string {
    return this.repository.replace('/', '/v2/');
  }

  /** What whoever reads the cache now gets; undefined for none. */
  async written(tag = 'cache'): Promise<CacheConfig | undefined> {
    const answer = await fetch(`http://${this.api}/manifests/${tag}`);
    const manifest = (await answer.json()) as { config: { digest: string }; layers: { digest: string }[] };
    if (!answer.ok) return undefined;
    for (const { digest } of manifest.layers)
      if (!(await fetch(`http://${this.api}/blobs/${digest}`, { method: 'HEAD' })).ok)
        throw new Error(`${digest} is not in the registry`);
    const config = await (await fetch(`http://${this.api}/blobs/${manifest.config.digest}`)).text();
    return JSON.parse(config.replaceAll(/"createdAt":"[^"]+"/g, '"createdAt":""')) as CacheConfig;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cleanup.disposeAsync();
  }
}
