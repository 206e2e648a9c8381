import { createPublicKey, generateKeyPairSync, type KeyObject, verify } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { tempFolder } from '../../../e2e/support/temp-folder.ts';
import { digestOf, HOUSE, neverAborted as signal } from '../../base/index.ts';
import { WorkerPool } from '../../sys/index.ts';
import { blobOf } from './attached.ts';
import { bundleBlob } from './bundle.ts';
import { sealStatement } from './envelope.ts';
import { keySigner } from './signer.ts';
import { SigningKey } from './signing-key.ts';

const stack = new AsyncDisposableStack();
afterAll(() => stack.disposeAsync());
let folder: string;
let pool: WorkerPool;
beforeAll(() => {
  folder = stack.use(tempFolder('envelope')).path;
  pool = stack.use(new WorkerPool({ name: 'bulk', threads: 1 }));
});

const options = { signal, owner: HOUSE };
const subject = (name: string) => ({ name, digest: { sha256: name.repeat(4) } });
const statementOf = (subjects: readonly object[], predicate: string) =>
  Buffer.from(`{"_type":"t","predicateType":"p","subject":${JSON.stringify(subjects)},"predicate":${predicate}}`);

/** What is in an envelope, once its signature verifies by the rules of DSSE. */
function opened(envelope: Uint8Array, key: KeyObject): string {
  const { payload, payloadType, signatures } = JSON.parse(Buffer.from(envelope).toString()) as {
    payload: string;
    payloadType: string;
    signatures: { sig: string }[];
  };
  const body = Buffer.from(payload, 'base64');
  const encoded = Buffer.concat([Buffer.from(`DSSEv1 ${payloadType.length} ${payloadType} ${body.length} `), body]);
  const digest = key.asymmetricKeyType === 'ed25519' ? null : 'sha256';
  const signature = Buffer.from(signatures[0]?.sig ?? '', 'base64');
  expect(verify(digest, encoded, createPublicKey(key), signature)).toBe(true);
  return body.toString();
}

// What looks like the end of the subjects, in texts; and numbers that would not survive being parsed.
const PREDICATE =
  '{"a":"],\\"predicate\\":","n":1.0,"big":123456789012345678901234567890,"predicate":[[],{"predicate":1}]}';

test.each([
  ['ed25519', [subject('x')]],
  ['ec', []],
  ['rsa', [subject('],"predicate":'), subject('y')]],
] as const)('a statement keeps its bytes and is about more, signed with %s', async (kind, subjects) => {
  const { privateKey } =
    kind === 'rsa'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : kind === 'ec'
        ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
        : generateKeyPairSync('ed25519');
  const statement = statementOf(subjects, PREDICATE);
  const signer = keySigner(SigningKey.of(privateKey));
  const common = { predicateType: 'p', size: statement.length, file: undefined };
  const from = { bytes: statement };
  const plain = await sealStatement({ ...common, from, subjects: [] }, signer, pool, options);
  expect(opened(plain.bytes!, privateKey)).toBe(statement.toString());
  const sealing = { ...common, from, subjects: [subject('z')] };
  const { layer, bytes, bundle } = await sealStatement(sealing, signer, pool, options);
  expect(opened(bytes!, privateKey)).toBe(statementOf([...subjects, subject('z')], PREDICATE).toString());
  expect(layer).toMatchObject({
    ...{ mediaType: 'application/vnd.dsse.envelope.v1+json', digest: digestOf(bytes!), size: bytes!.length },
    annotations: { 'dev.cosignproject.cosign/signature': '', predicateType: 'p' },
  });
  const whole = await text(await bundleBlob(bundle, blobOf(bytes!)).open({ signal }));
  expect(bundle).toMatchObject({ predicateType: 'p', digest: digestOf(Buffer.from(whole)), size: whole.length });
  expect(JSON.parse(whole)).toEqual({
    mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
    verificationMaterial: { publicKey: { hint: expect.any(String) as string }, tlogEntries: [] },
    dsseEnvelope: JSON.parse(Buffer.from(bytes!).toString()) as unknown,
  });
});

test('one that lies in a file goes into a file', async () => {
  const { privateKey } = generateKeyPairSync('ed25519');
  const statement = statementOf([], '1');
  const [from, file] = [path.join(folder, 'from'), path.join(folder, 'to')];
  writeFileSync(from, statement);
  const sealing = { predicateType: 'p', size: statement.length, from: { file: from }, subjects: [subject('z')], file };
  const { layer, bytes, bundle } = await sealStatement(sealing, keySigner(SigningKey.of(privateKey)), pool, options);
  expect(bytes).toBeUndefined();
  expect(digestOf(readFileSync(file))).toBe(layer.digest);
  const whole = await text(await bundleBlob(bundle, blobOf(readFileSync(file))).open({ signal }));
  expect(bundle).toMatchObject({ digest: digestOf(Buffer.from(whole)), size: whole.length });
  expect(opened(readFileSync(file), privateKey)).toBe(statementOf([subject('z')], '1').toString());
});

test('what is too large for a log is refused before it is sent', async () => {
  const key = SigningKey.of(generateKeyPairSync('ed25519').privateKey);
  const signer = keySigner(key, () => expect.unreachable());
  const sealing = { predicateType: 'p', size: 33 << 20, from: { file: '/nowhere' }, subjects: [], file: undefined };
  await expect(sealStatement(sealing, signer, pool, options)).rejects.toThrow(
    /at most 33554432 go to a transparency log/,
  );
});
