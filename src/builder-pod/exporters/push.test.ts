import { expect, test } from 'vitest';
import { digestOf, neverAborted, parseImageReference } from '../../base/index.ts';
import { RegistryError } from '../../oci/registry-client/index.ts';
import type { AssembledExport } from './assemble.ts';
import type { ExportContext, PushRepository } from './ports.ts';
import { pushImage } from './push.ts';

const bytes = Buffer.from('layer');
const descriptor = { mediaType: 'application/octet-stream', digest: digestOf(bytes), size: bytes.length };
const refusal = (code: string) =>
  new RegistryError('failed_precondition', code, {
    status: 400,
    url: 'http://r',
    diagnostics: [{ code, message: '' }],
  });

/** Pushes one layer to a registry that gives these answers; what `check` says of the layer. */
async function push(answers: readonly (Error | undefined)[], check: () => Promise<void>): Promise<number> {
  let pushed = 0;
  const repository = {
    pushBlob: async () => {
      const answer = answers[pushed++];
      if (answer !== undefined) throw answer;
    },
    putManifest: async () => {},
  } as unknown as PushRepository;
  const document = { descriptor, bytes };
  const image = {
    root: descriptor,
    rootDocument: document,
    configs: [],
    manifests: [document],
    layers: [{ descriptor, sources: {}, open: async () => ReadableStream.from([bytes]), check, givenTo: () => {} }],
  } as unknown as AssembledExport;
  const context = {
    signal: neverAborted,
    sessions: () => [],
    progress: { status: () => {} },
  } as unknown as ExportContext;
  const names = [parseImageReference('r.example.com/a:v1')];
  await pushImage(image, names, { insecure: false, byDigest: false }, { openRepository: () => repository }, context);
  return pushed;
}

test('a layer refused for its bytes is sent once more when they are right by now', async () => {
  expect(await push([refusal('DIGEST_INVALID'), undefined], async () => {})).toBe(2);
  await expect(push([refusal('DIGEST_INVALID'), refusal('DIGEST_INVALID')], async () => {})).rejects.toThrow(
    'DIGEST_INVALID',
  );
});

test('a damaged one is told as lost, and other refusals as they are', async () => {
  const lost = async () => {
    throw new Error('lost');
  };
  await expect(push([refusal('DIGEST_INVALID')], lost)).rejects.toThrow('lost');
  await expect(push([refusal('DENIED')], async () => {})).rejects.toThrow('DENIED');
});
