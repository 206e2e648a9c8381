import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { digestOf } from '../base/index.ts';
import { decodeOp } from '../llb/index.ts';
import type { Definition } from '../llb/op.ts';
import { buildDockerfile } from './build.ts';
import { FakeClient } from './testing/fake-client.ts';

/** What buildkitd v0.34.2 makes of each Dockerfile of the corpus; testdata/capture.sh writes it. */
const testdata = join(import.meta.dirname, 'testdata');

interface GoldenMetadata {
  readonly description?: Record<string, string>;
  readonly caps?: Record<string, boolean>;
  readonly ignore_cache?: boolean;
}

interface Golden {
  readonly def: Record<string, { readonly source?: { readonly attrs?: Record<string, string> } }>;
  readonly metadata: Record<string, GoldenMetadata>;
  readonly source: {
    readonly locations: Record<string, { locations?: { ranges?: { start: { line: number } }[] }[] }>;
  };
}

function corpus(name: string): FakeClient {
  const read = (file: string): string | undefined => {
    const path = join(testdata, 'corpus', name, file);
    return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
  };
  const ignore = read('.dockerignore');
  const options = Object.fromEntries(
    (read('options') ?? '')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
  return new FakeClient(
    { Dockerfile: read('Dockerfile')!, ...(ignore === undefined ? {} : { '.dockerignore': ignore }) },
    options,
  );
}

function goldenOf(name: string): Golden {
  return JSON.parse(readFileSync(join(testdata, 'golden', `${name}.json`), 'utf8')) as Golden;
}

function readable(definition: Definition): Record<string, unknown> {
  return Object.fromEntries(definition.ops.map((bytes) => [digestOf(bytes), decodeOp(bytes)]));
}

const names = readdirSync(join(testdata, 'corpus')).sort();

describe.each(names)('the Dockerfile %s', (name) => {
  async function convert(): Promise<{ client: FakeClient; golden: Golden; config: Uint8Array | undefined }> {
    const golden = goldenOf(name);
    const client = corpus(name);
    // The request for the graph alone is answered for the builder's platform.
    client.options.delete('platform');
    await client.addTestImages();
    // The session is part of what a local source is: the golden one's id is taken over.
    for (const op of Object.values(golden.def))
      client.sessionId = op.source?.attrs?.['local.session'] ?? client.sessionId;
    const result = await buildDockerfile(client, { signal: new AbortController().signal });
    return { client, golden, config: result.metadata.get('containerimage.config') };
  }

  test('gives the ops of the real frontend, byte for byte', async () => {
    const { client, golden } = await convert();
    const ours = client.definition.ops.map((bytes) => digestOf(bytes)).sort();
    const theirs = Object.keys(golden.def).sort();
    if (ours.join() !== theirs.join()) {
      const ops = readable(client.definition);
      const extra = ours.filter((digest) => !theirs.includes(digest)).map((digest) => ops[digest]);
      const missing = theirs
        .filter((digest) => !ours.includes(digest as `${string}:${string}`))
        .map((digest) => golden.def[digest]);
      const show = (value: unknown) =>
        JSON.stringify(value, (_, item: unknown) => (typeof item === 'bigint' ? Number(item) : item), 1);
      expect(show(extra)).toBe(show(missing));
    }
    expect(ours).toEqual(theirs);
  });

  test('names, capabilities and lines of each op are those of the real frontend', async () => {
    const { client, golden } = await convert();
    const { metadata, source } = client.definition;
    const ours = Object.fromEntries(
      [...metadata].map(([digest, { description, caps, ignoreCache }]) => [
        digest,
        {
          description,
          caps,
          ignoreCache,
          lines: (source?.locations.get(digest) ?? []).map(({ ranges }) => ranges.map(({ start }) => start.line)),
        },
      ]),
    );
    const theirs = Object.fromEntries(
      Object.entries(golden.metadata).map(([digest, { description, caps, ignore_cache }]) => [
        digest,
        {
          description: description ?? {},
          caps: caps ?? {},
          ignoreCache: ignore_cache ?? false,
          lines: (golden.source.locations[digest]?.locations ?? []).map(({ ranges = [] }) =>
            ranges.map(({ start }) => start.line),
          ),
        },
      ]),
    );
    // Where the real frontend gives no line (images that only a mount names), ours gives that of the instruction.
    for (const [digest, entry] of Object.entries(theirs))
      entry.lines = entry.lines.map((lines, i) => (lines.length > 0 ? lines : (ours[digest]?.lines[i] ?? [])));
    expect(ours).toEqual(theirs);
  });

  const configPath = join(testdata, 'golden', `${name}.config.json`);
  if (existsSync(configPath))
    test('gives the image config of a real build', async () => {
      const { config } = await convert();
      const ours = comparable(JSON.parse(new TextDecoder().decode(config)));
      expect(ours).toEqual(comparable(JSON.parse(readFileSync(configPath, 'utf8'))));
    });
});

/** Without what only an exporter knows: layers, and times of steps. */
function comparable(config: Record<string, unknown>): unknown {
  const { rootfs: _, created: __, ...rest } = config;
  const history = (rest['history'] as Record<string, unknown>[]).map(({ created: ___, ...entry }) => entry);
  return { ...rest, history };
}
