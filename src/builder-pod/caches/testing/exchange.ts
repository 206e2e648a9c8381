import { copyFileSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { encodeDefinition, type State } from '../../../llb/index.ts';
import { type DaemonProgram, OURS, REAL, TestDaemon } from '../../daemon/testing/test-daemon.ts';

/** What builds are made of: the build context, and the folder of Dockerfiles. */
interface Inputs {
  readonly context: string;
  readonly dockerfiles: string;
  /** Beside those of each build: secrets, say. */
  readonly args?: readonly string[];
}

/** Names of steps; those of the build itself left out. */
export interface Steps {
  readonly cached: readonly string[];
  readonly ran: readonly string[];
}

/** What is not a step: questions of the frontend, exports and imports. */
const OWN = /^(?:\[internal\]|exporting |importing |inferred |pushing |copy |local:\/\/|\[auth\])/;

interface ToldVertex {
  readonly digest: string;
  readonly name: string;
  readonly cached?: boolean;
  readonly started?: string;
}

/** A daemon of which is told what its builds found. */
export class ExchangeDaemon extends TestDaemon {
  readonly #inputs: Inputs;

  constructor(folder: string, name: string, program: DaemonProgram, inputs: Inputs) {
    super(folder, name, program);
    this.#inputs = inputs;
  }

  /** A graph, or the Dockerfile of this name. */
  async build(what: State | string, ...args: readonly string[]): Promise<Steps> {
    const { context, dockerfiles, args: common = [] } = this.#inputs;
    const { code, text } = await this.run(
      [
        ...['build', '--progress=rawjson', '--local', `context=${context}`, ...common, ...args],
        ...(typeof what === 'string'
          ? ['--frontend=dockerfile.v0', `--opt=filename=${what}`, '--local', `dockerfile=${dockerfiles}`]
          : []),
      ],
      typeof what === 'string' ? {} : { input: encodeDefinition(what.marshal()) },
    );
    if (code !== 0) throw new Error(`${this.name}: ${text}`);
    const states = new Map<string, ToldVertex>();
    for (const line of text.split('\n')) {
      if (!line.startsWith('{')) continue;
      const { vertexes = [] } = JSON.parse(line) as { vertexes?: ToldVertex[] };
      for (const vertex of vertexes) states.set(vertex.digest, { ...states.get(vertex.digest), ...vertex });
    }
    const steps = [...states.values()].filter(({ name }) => !OWN.test(name));
    const names = (of: readonly ToldVertex[]) => of.map(({ name }) => name).sort();
    return {
      cached: names(steps.filter(({ cached }) => cached === true)),
      ran: names(steps.filter(({ cached, started }) => cached !== true && started !== undefined)),
    };
  }

  async forget(): Promise<void> {
    const { code, text } = await this.run(['prune', '--all']);
    if (code !== 0) throw new Error(text);
  }
}

export type Daemons = Readonly<Record<'ours' | 'theirs', ExchangeDaemon>>;

/** Both daemons, with a build context of files that are the same for all runs: `busybox`, `f` and `d/g`. They are stopped with `cleanup`. */
export async function exchangeDaemons(
  folder: string,
  cleanup: AsyncDisposableStack,
  { dockerfiles, args }: Omit<Inputs, 'context'>,
): Promise<Daemons> {
  const context = join(folder, 'context');
  mkdirSync(join(context, 'd'), { recursive: true });
  copyFileSync('/bin/busybox', join(context, 'busybox'));
  for (const name of ['f', 'd/g']) writeFileSync(join(context, name), `${name}\n`);
  for (const name of ['busybox', 'f', 'd/g', 'd', '.']) utimesSync(join(context, name), 1_500_000_000, 1_500_000_000);
  const inputs = { context, dockerfiles, ...(args === undefined ? {} : { args }) };
  const [ours, theirs] = [
    new ExchangeDaemon(folder, 'ours', OURS, inputs),
    new ExchangeDaemon(folder, 'theirs', REAL, inputs),
  ];
  for (const daemon of [ours, theirs]) cleanup.defer(async () => void (await daemon.stop()));
  return { ours: await ours.ready(), theirs: await theirs.ready() };
}

/** The same with both, each on its own. */
export async function atOnce(
  daemons: Daemons,
  work: (daemon: ExchangeDaemon, name: keyof Daemons) => Promise<void>,
): Promise<void> {
  await Promise.all((['theirs', 'ours'] as const).map((name) => work(daemons[name], name)));
}

/** How a cache is written and read. */
export interface Place {
  readonly to: string;
  readonly from: string;
}

interface Exchange {
  readonly mode: string;
  /** Repository for the images of these builds. */
  readonly images: string;
  readonly place: (writer: string) => Place;
  /** Of names of sources: the real daemon carries no results of them, so that it has them again, which costs it no transfer. */
  readonly sources?: RegExp;
}

/** Writes a cache with each daemon, and reads both with both: what is found must be the same. */
export async function exchange(
  daemons: Daemons,
  what: State | string,
  { images, mode, place, sources = /^$/ }: Exchange,
): Promise<void> {
  const found: Record<string, Steps> = {};
  await atOnce(daemons, async (daemon, writer) => {
    await daemon.forget();
    const image = `type=image,name=${images}/image-${writer},push=true`;
    await daemon.build(what, '--output', image, '--export-cache', `${place(writer).to},mode=${mode}`);
  });
  for (const writer of ['theirs', 'ours'])
    await atOnce(daemons, async (daemon, reader) => {
      await daemon.forget();
      found[`${writer} read by ${reader}`] = await daemon.build(
        what,
        ...['--output', `type=image,name=${images}/again-${reader},push=true`],
        ...['--import-cache', place(writer).from],
      );
    });
  const steps = ({ cached, ran }: Steps) => ({
    cached: cached.filter((name) => !sources.test(name)),
    ran: ran.filter((name) => !sources.test(name)),
  });
  for (const reader of ['ours', 'theirs'])
    expect(steps(found[`ours read by ${reader}`]!)).toEqual(steps(found[`theirs read by ${reader}`]!));
  // A step without inputs the real daemon runs again, though the cache has its result.
  const [ours, theirs] = [found['theirs read by ours']!, found['theirs read by theirs']!];
  expect(ours.cached).toEqual(expect.arrayContaining([...theirs.cached]));
  expect(theirs.ran).toEqual(expect.arrayContaining([...ours.ran]));
  expect(theirs.cached.length).toBeGreaterThan(mode === 'max' ? 2 : 0);
}

interface CarriedRecord {
  readonly digest: string;
  readonly inputs?: readonly (readonly { readonly selector?: string; readonly link?: number }[])[];
}

interface RegistryDocument {
  readonly manifests?: readonly { readonly digest: string }[];
  readonly config: { readonly digest: string };
  readonly layers: readonly { readonly digest: string }[];
}

async function registryDocument(image: string, what: (tag: string) => string): Promise<unknown> {
  const [repository, tag] = [image.replace('/', '/v2/').replace(/:[^:/]+$/, ''), image.split(':').at(-1)!];
  const accept = ['index', 'manifest'].map((kind) => `application/vnd.oci.image.${kind}.v1+json`).join(', ');
  return await (await fetch(`http://${repository}/${what(tag)}`, { headers: { accept } })).json();
}

/** Digests of an image for one platform, bottom first. */
export async function layersOf(image: string): Promise<readonly string[]> {
  const { layers } = (await registryDocument(image, (tag) => `manifests/${tag}`)) as RegistryDocument;
  return layers.map(({ digest }) => digest);
}

/** The records in the configurations of an image, by its platforms, without times. */
export async function carriedBy(image: string): Promise<readonly (readonly CarriedRecord[])[]> {
  const manifest = async (what: (tag: string) => string) => (await registryDocument(image, what)) as RegistryDocument;
  const root = await manifest((tag) => `manifests/${tag}`);
  const manifests =
    root.manifests === undefined
      ? [root]
      : await Promise.all(root.manifests.map(({ digest }) => manifest(() => `manifests/${digest}`)));
  return await Promise.all(
    manifests.map(async ({ config: { digest } }) => {
      const config = (await registryDocument(image, () => `blobs/${digest}`)) as {
        readonly 'moby.buildkit.cache.v0'?: string;
      };
      const records = Buffer.from(config['moby.buildkit.cache.v0'] ?? '', 'base64').toString();
      return JSON.parse(records.replaceAll(/"createdAt":"[^"]+"/g, '"createdAt":""')) as CarriedRecord[];
    }),
  );
}

/** Those with inputs whole, of the others their keys: the real daemon carries no results of steps without inputs. */
export const comparable = (records: readonly CarriedRecord[]) =>
  records.map(({ digest, ...rest }) => (rest.inputs === undefined ? { digest } : { digest, ...rest }));

/** The keys of a cache in a registry: of each record its digest, and by which ways of which keys it is reached. */
export async function keysOf(ref: string): Promise<readonly string[]> {
  const { config } = (await registryDocument(ref, (tag) => `manifests/${tag}`)) as RegistryDocument;
  const { records } = (await registryDocument(ref, () => `blobs/${config.digest}`)) as {
    readonly records: readonly CarriedRecord[];
  };
  return records
    .map(({ digest, inputs = [] }) => {
      const slots = inputs.map((ways) =>
        ways.map(({ selector = '', link = 0 }) => `${selector}>${records[link]!.digest}`).sort(),
      );
      return `${digest} ${JSON.stringify(slots)}`;
    })
    .sort();
}
