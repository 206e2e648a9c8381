import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import {
  type AbortOptions,
  Afterwork,
  CodedError,
  digestOf,
  hostPlatform,
  neverAborted,
  onAbort,
} from '../../base/index.ts';
import type { SessionRegistry } from '../../builder-api/index.ts';
import { openTestState } from '../../cache/testing/open-state.ts';
import { anonymous, RegistryClient } from '../../oci/registry-client/index.ts';
import type { State } from '../state/index.ts';
import {
  ArtifactUnpacker,
  gitSource,
  httpSource,
  ImageResolver,
  imageSource,
  MirrorUpkeep,
  registryFetcher,
} from './index.ts';
import { LocalReceiver, LocalStates, localSourceFactory } from './local/index.ts';
import type { SourceFactory, SourceRequest } from './source.ts';
import { noSecrets } from './testing/no-secrets.ts';
import { type SourceWorld, sourceSuite } from './testing/source-suite.ts';

/** Lets through, or keeps waiting, who asks. */
class Gate {
  #hung: { readonly asked: PromiseWithResolvers<void>; readonly open: PromiseWithResolvers<void> } | undefined;

  hang(): { readonly asked: Promise<void>; release(): void } {
    const hung = { asked: Promise.withResolvers<void>(), open: Promise.withResolvers<void>() };
    this.#hung = hung;
    return {
      asked: hung.asked.promise,
      release: () => {
        this.#hung = undefined;
        hung.open.resolve();
      },
    };
  }

  async pass(): Promise<void> {
    this.#hung?.asked.resolve();
    await this.#hung?.open.promise;
  }
}

interface Answer {
  readonly bytes: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

interface Made {
  readonly factory: SourceFactory;
  readonly request: Partial<SourceRequest> & { readonly identifier: string };
  serve(content: string): void;
  idle?(): Promise<void>;
}

interface Outside {
  readonly state: State;
  readonly cleanup: AsyncDisposableStack;
  readonly host: string;
  /** What the server says to a path. */
  readonly answers: Map<string, Answer>;
  readonly resolver: ImageResolver;
}

/** A world whose source is a server. */
async function served(make: (outside: Outside) => Made): Promise<SourceWorld> {
  const cleanup = new AsyncDisposableStack();
  const gate = new Gate();
  const answers = new Map<string, Answer>();
  const server = createServer(async (req, res) => {
    await gate.pass();
    const found = answers.get(new URL(req.url ?? '', 'http://x').pathname);
    if (found === undefined) return void res.writeHead(404).end();
    res.writeHead(200, { 'content-length': found.bytes.length, ...found.headers });
    res.end(req.method === 'HEAD' ? undefined : found.bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanup.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  const client = cleanup.use(new RegistryClient({ retry: { delaysMs: [] } }));
  const resolver = new ImageResolver({ client, credentials: () => anonymous });
  const state = cleanup.use(await openTestState({ fetchers: { registry: registryFetcher(resolver) } }));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { factory, request, serve, idle = async () => {} } = make({ state, cleanup, host, answers, resolver });
  return {
    state,
    serve,
    instance: () => factory({ scheme: 'http', attrs: {}, platform: undefined, ...request }),
    lose: () => answers.clear(),
    hang: () => gate.hang(),
    idle,
    [Symbol.asyncDispose]: () => cleanup.disposeAsync(),
  };
}

const http = (headers: (content: string) => Readonly<Record<string, string>>) => () =>
  served(({ state, host, answers }) => ({
    factory: httpSource({ refs: state.refs, secrets: noSecrets, pool: state.pools.streams }),
    request: { identifier: `${host}/f` },
    serve: (content) => void answers.set('/f', { bytes: Buffer.from(content), headers: headers(content) }),
  }));

sourceSuite(
  'http',
  http(() => ({})),
  { keyed: true },
);
sourceSuite(
  'http, of which an ETag tells',
  http((content) => ({ etag: `"${content}"` })),
  { keyed: true },
);

sourceSuite(
  'git',
  () =>
    served(({ state, cleanup, host, answers }) => {
      const work = join(state.layout.root, 'repository');
      const git = (...args: string[]) =>
        execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@example.com', ...args], {
          cwd: work,
          env: { PATH: process.env['PATH'], GIT_CONFIG_GLOBAL: '/dev/null' },
        }).toString();
      mkdirSync(work);
      git('init', '-q', '-b', 'main');
      const upkeep = cleanup.use(new MirrorUpkeep(state.refs, state.pools.short));
      return {
        factory: gitSource({ refs: state.refs, secrets: noSecrets, upkeep, pool: state.pools.short }),
        request: { identifier: `${host}/app.git#main`, attrs: { 'git.fullurl': `http://${host}/app.git` } },
        idle: () => upkeep.idle(),
        serve: (content) => {
          writeFileSync(join(work, 'f'), content);
          git('add', '-A');
          git('commit', '-qm', content, '--allow-empty');
          git('update-server-info');
          // The dumb protocol: the files of the repository, as they lie there.
          for (const file of execFileSync('find', ['.git', '-type', 'f', '-printf', '%P\n'], { cwd: work })
            .toString()
            .trim()
            .split('\n'))
            answers.set(`/app.git/${file}`, { bytes: readFileSync(join(work, '.git', file)) });
        },
      };
    }),
  { keyed: true },
);

const OCI = 'application/vnd.oci.image';
/** An image, or an artifact such as Flux has: the same archive by other names. */
const image = (artifact: boolean) => () =>
  served(({ state, host, answers, resolver }) => ({
    factory: imageSource({
      refs: state.refs,
      resolver,
      artifacts: new ArtifactUnpacker({
        ...{ refs: state.refs, content: state.content, pool: state.pools.bulk, unpackLimits: undefined },
        tempDirectory: state.layout.tmp,
      }),
    }),
    request: {
      ...{ identifier: `${host}/app:latest`, platform: hostPlatform() },
      attrs: artifact ? { 'image.artifact': 'true' } : {},
    },
    serve: (content) => {
      const directory = join(state.layout.root, 'image');
      rmSync(directory, { recursive: true, force: true });
      mkdirSync(directory);
      writeFileSync(join(directory, 'f'), content);
      const tar = execFileSync('tar', ['-C', directory, '--mtime=@0', '-cf', '-', 'f']);
      const blob = (mediaType: string, bytes: Buffer) => {
        const digest = digestOf(bytes);
        answers.set(`/v2/app/blobs/${digest}`, { bytes });
        return { mediaType, digest, size: bytes.length };
      };
      const rootfs = { type: 'layers', diff_ids: [digestOf(tar)] };
      const bytes = Buffer.from(
        JSON.stringify({
          schemaVersion: 2,
          mediaType: `${OCI}.manifest.v1+json`,
          ...(artifact
            ? {
                config: blob('application/vnd.cncf.flux.config.v1+json', Buffer.from('{}')),
                layers: [blob('application/vnd.cncf.flux.content.v1.tar+gzip', gzipSync(tar))],
              }
            : {
                config: blob(`${OCI}.config.v1+json`, Buffer.from(JSON.stringify({ ...hostPlatform(), rootfs }))),
                layers: [blob(`${OCI}.layer.v1.tar`, tar)],
              }),
        }),
      );
      const headers = { 'content-type': `${OCI}.manifest.v1+json` };
      for (const name of ['latest', digestOf(bytes)]) answers.set(`/v2/app/manifests/${name}`, { bytes, headers });
    },
  }));
sourceSuite('image', image(false), { keyed: true });
sourceSuite('artifact', image(true), { keyed: true });

/** The client is made up; what receives from it and keeps it is not. */
sourceSuite(
  'local',
  async () => {
    const cleanup = new AsyncDisposableStack();
    const state = cleanup.use(await openTestState());
    const afterwork = cleanup.use(new Afterwork());
    const gate = new Gate();
    let content: string | undefined;
    const run = async (
      _task: unknown,
      { directory, readonly }: { readonly directory: string; readonly readonly: boolean },
      { signal, onAsk }: AbortOptions & { readonly onAsk: () => Promise<string> },
    ) => {
      using aborted = onAbort(signal);
      await Promise.race([gate.pass(), aborted.promise]);
      if (content === undefined) throw new CodedError('not_found', 'no such directory', { fault: 'user' });
      const last = join(directory, 'f');
      const changes = existsSync(last) && readFileSync(last, 'utf8') === content ? 0 : 1;
      if (changes > 0) writeFileSync(join(readonly ? await onAsk() : directory, 'f'), content);
      return { progress: { bytes: changes, changes }, tree: undefined };
    };
    const session = { id: 's', sharedKey: '', closed: neverAborted, supports: () => true, run };
    const registry = { get: async () => session, isLogical: () => false } as unknown as SessionRegistry;
    const states = new LocalStates(state.db);
    const factory = localSourceFactory(new LocalReceiver({ registry, refs: state.refs, states, afterwork }));
    return {
      state,
      instance: () => factory({ scheme: 'local', identifier: 'context', attrs: {}, platform: undefined }),
      serve: (next) => {
        content = next;
      },
      lose: () => {
        content = undefined;
      },
      hang: () => gate.hang(),
      idle: () => afterwork.settled(),
      [Symbol.asyncDispose]: () => cleanup.disposeAsync(),
    };
  },
  { keyed: false },
);
