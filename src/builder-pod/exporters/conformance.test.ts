import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { digestOf } from '../../base/index.ts';
import { createPools } from '../../sys/index.ts';
import { type ExporterDeps, openExporter } from './index.ts';
import { Destination, type ExportWorld, exporterSuite } from './testing/exporter-suite.ts';
import { fakeContent, fakeDeps, unsigned } from './testing/fakes.ts';

const pools = createPools({ short: 1, bulk: 1 });
afterAll(() => pools[Symbol.asyncDispose]());

function world(
  type: string,
  attributes: Readonly<Record<string, string>>,
  depsOf: (destination: Destination) => Partial<ExporterDeps>,
): ExportWorld {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-export-'));
  const [temp, files] = [join(folder, 'temp'), join(folder, 'files')];
  for (const directory of [temp, files]) mkdirSync(directory);
  const destination = new Destination();
  const given = depsOf(destination);
  const common = { bulk: pools.bulk, streams: pools.streams, tempDirectory: temp };
  const deps = fakeDeps({ ...common, ...given });
  const fromClient = given.fileSender !== undefined || given.contentSink !== undefined;
  return {
    ...{ destination, temp, files },
    open: (more = {}) => openExporter(type, { ...attributes, ...more }, deps),
    ...(fromClient ? { withoutClient: () => openExporter(type, attributes, fakeDeps(common)) } : {}),
    [Symbol.asyncDispose]: async () => rmSync(folder, { recursive: true, force: true }),
  };
}

const fileSender =
  (destination: Destination): ExporterDeps['fileSender'] =>
  () => ({
    sendFile: async (_target, source, options) => {
      await destination.take(source, options);
      return true;
    },
    sendTrees: async (_target, trees, options) => {
      const names = trees.flatMap(({ directory }) => readdirSync(directory, { recursive: true, encoding: 'buffer' }));
      await destination.take(ReadableStream.from([Buffer.from('.'), ...names]), options);
    },
  });

exporterSuite('image, kept', () =>
  world('image', {}, (destination) => ({
    content: {
      ...fakeContent().store,
      ingest: async (source, _expected, options) => {
        const bytes = source as Uint8Array;
        await destination.take(ReadableStream.from([bytes]), options);
        return { digest: digestOf(bytes), size: bytes.length };
      },
    },
  })),
);
exporterSuite('image, pushed', () =>
  world('image', { name: 'registry.example/app:v1', push: 'true' }, (destination) => ({
    openRepository: () => ({
      pushBlob: async ({ open }, options) => {
        await destination.take(destination.does === 'refuse' ? ReadableStream.from([]) : await open(options), options);
        return 'uploaded';
      },
      ...unsigned,
      putManifest: async (_reference, { mediaType, bytes }, options) => {
        await destination.take(ReadableStream.from([bytes]), options);
        return { mediaType, digest: digestOf(bytes), size: bytes.length };
      },
    }),
  })),
);
for (const type of ['oci', 'docker'] as const) {
  exporterSuite(`${type}, a file`, () => world(type, {}, (destination) => ({ fileSender: fileSender(destination) })));
  exporterSuite(`${type}, in the client’s store`, () =>
    world(type, { tar: 'false' }, (destination) => ({
      contentSink: () => ({
        has: async () => false,
        write: async (_descriptor, content, options) => {
          await destination.take(content, options);
        },
      }),
    })),
  );
}
for (const type of ['local', 'tar'])
  exporterSuite(type, () => world(type, {}, (destination) => ({ fileSender: fileSender(destination) })));
