import { createHash, generateKeyPairSync, verify, X509Certificate } from 'node:crypto';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { ClientRequest } from 'node:http';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type CodedError, newId } from '../../base/index.ts';
import { StreamPool } from '../../sys/index.ts';
import { SigningKey } from './signing-key.ts';
import { keylessSigner, loggedKeySigner } from './sigstore.ts';
import { certify } from './sigstore-task.ts';
import { FakeSigstore } from './testing/fake-sigstore.ts';

const stack = new AsyncDisposableStack();
afterAll(() => stack.disposeAsync());
const { signal } = new AbortController();
let sigstore: FakeSigstore;
let streams: StreamPool;

beforeAll(async () => {
  sigstore = stack.use(await FakeSigstore.start());
  streams = stack.use(new StreamPool({ name: 'streams' }));
});
afterEach(() => {
  sigstore.faults.fulcio = undefined;
  sigstore.faults.rekor = undefined;
});

const open = (token = sigstore.token(), timeoutMs = 20_000) =>
  keylessSigner(
    Buffer.from(token),
    { streams, fulcioUrl: sigstore.url, rekorUrl: sigstore.url, timeoutMs },
    { signal },
  );

/** Opens and logs one signature. */
async function signOnce(token?: string, timeoutMs?: number) {
  const signer = await open(token, timeoutMs);
  const payload = Buffer.from(newId());
  const signature = await signer.key.sign(payload);
  const sha256 = createHash('sha256').update(payload).digest();
  const { annotation } = await signer.log!({ kind: 'message', sha256, signature }, { signal });
  const bundle = JSON.parse(annotation) as {
    Payload: { body: string };
  };
  return { signer, payload, signature, bundle };
}

test('a token gets a certificate of a new key for whom it names, and what that signs is logged', async () => {
  const { signer, payload, signature, bundle } = await signOnce();
  const certificate = new X509Certificate(signer.certificate!);
  expect(certificate.subjectAltName).toBe('URI:https://ci.test/app');
  expect(verify('sha256', payload, certificate.publicKey, signature)).toBe(true);
  const { spec } = JSON.parse(Buffer.from(bundle.Payload.body, 'base64').toString()) as {
    spec: { signature: { content: string; publicKey: { content: string } } };
  };
  expect(Buffer.from(spec.signature.content, 'base64')).toEqual(signature);
  expect(Buffer.from(spec.signature.publicKey.content, 'base64').toString()).toBe(signer.certificate);
  // Somebody else is somebody else; the same is the same with another key.
  const [again, other] = [await open(), await open(sigstore.token({ email: 'a@b.test', email_verified: true }))];
  expect(again.id).toBe(signer.id);
  expect(again.certificate).not.toBe(signer.certificate);
  expect(other.id).not.toBe(signer.id);
});

test.each([
  ['no token', () => 'hello', 'it is no JSON web token'],
  ['a huge token', () => `a.${'b'.repeat(70_000)}.c`, 'it is no JSON web token'],
  ['a token without claims', () => `a.${Buffer.from('[]').toString('base64url')}.c`, 'it lacks claims'],
  ['an expired one', () => sigstore.token({ exp: 1_700_000_000 }), 'it expired at 2023-11-14T22:13:20.000Z'],
  ['one of nobody', () => sigstore.token({ sub: '' }), 'it names nobody'],
  [
    'one with an email that nobody verified',
    () => sigstore.token({ email: 'a@b.test' }),
    'its issuer has not verified its email',
  ],
])('%s is refused before anybody is asked', async (_, token, words) => {
  const before = sigstore.asked.length;
  await expect(open(token())).rejects.toMatchObject({
    reason: 'SIGNING_TOKEN',
    message: expect.stringContaining(words) as string,
  });
  expect(sigstore.asked.length).toBe(before);
});

test('a token that Fulcio does not take is told nowhere', async () => {
  const token = sigstore.token({ aud: 'somebody else' });
  const error = await open(token).then(
    () => expect.unreachable(),
    (thrown: CodedError) => thrown,
  );
  expect(error).toMatchObject({ reason: 'SIGNING_SERVICE', code: 'permission_denied' });
  expect(error.message).toMatch(/^Fulcio \(http:.*\): \(401\) There was an error processing the token \[token\]$/);
  const shown = [error.message, error.stack, JSON.stringify(error), String(error.cause), error.hint].join();
  expect(shown).not.toContain(token.split('.')[1]);
});

test.each([
  ['fulcio', { status: 400, body: 'bad key' }, 'permission_denied', /\(400\) bad key/],
  ['fulcio', { status: 503 }, 'unavailable', /\(503\)/],
  ['fulcio', 'hangs', 'unavailable', /no answer in 1\.5 s/],
  ['fulcio', 'endless', 'unavailable', /more than 16777216 bytes/],
  ['fulcio', 'other-key', 'unavailable', /of another key/],
  ['rekor', { status: 400 }, 'permission_denied', /Rekor .*\(400\)/],
  ['rekor', { status: 500 }, 'unavailable', /Rekor .*\(500\)/],
  ['rekor', 'hangs', 'unavailable', /Rekor .*no answer/],
  ['rekor', 'endless', 'unavailable', /more than 16777216 bytes/],
  ['rekor', 'other-signature', 'unavailable', /of another signature/],
  ['rekor', 'no-timestamp', 'unavailable', /no signed timestamp/],
  ['rekor', 'no-proof', 'unavailable', /no proof that it is in the log/],
] as const)('%s that fails so ends it with its words: %j', async (service, fault, code, words) => {
  sigstore.faults[service] = fault;
  const limit = fault === 'hangs' ? 1500 : 20_000;
  await expect(signOnce(undefined, limit)).rejects.toMatchObject({
    ...{ reason: 'SIGNING_SERVICE', code },
    message: expect.stringMatching(words) as string,
  });
});

test('what passes is tried again', async () => {
  sigstore.faults.fulcio = { status: 503, times: 1 };
  sigstore.faults.rekor = { status: 429, times: 1 };
  await signOnce();
});

test('nothing is sent any more once nobody waits, though the library tries again', async () => {
  sigstore.faults.fulcio = 'hangs';
  const ends: Promise<unknown>[] = [];
  const retried = Promise.withResolvers<void>();
  const see = (message: unknown) => {
    ends.push(
      new Promise((resolve) => (message as { readonly request: ClientRequest }).request.once('close', resolve)),
    );
    if (ends.length === 3) retried.resolve();
  };
  subscribe('http.client.request.created', see);
  using _ = { [Symbol.dispose]: () => void unsubscribe('http.client.request.created', see) };
  const before = sigstore.asked.length;
  const { privateKey: key } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const asking = certify({ url: sigstore.url, timeoutMs: 1500, token: sigstore.token(), key }, { signal } as never);
  await expect(asking).rejects.toMatchObject({ reason: 'SIGNING_SERVICE' });
  sigstore.faults.fulcio = { status: 503 };
  await retried.promise;
  await Promise.all(ends);
  expect(sigstore.asked.length - before).toBe(1);
});

test('who leaves is not waited for', async () => {
  sigstore.faults.fulcio = 'hangs';
  const left = new AbortController();
  const options = { streams, fulcioUrl: sigstore.url, rekorUrl: undefined };
  const opening = keylessSigner(Buffer.from(sigstore.token()), options, { signal: left.signal });
  left.abort(new Error('left'));
  await expect(opening).rejects.toThrow('left');
});

test('a signature that the log has already is found there', async () => {
  const key = SigningKey.of(generateKeyPairSync('ed25519').privateKey);
  const signer = loggedKeySigner(key, { streams, rekorUrl: sigstore.url });
  const payload = Buffer.from('payload');
  const content = {
    kind: 'message',
    sha256: createHash('sha256').update(payload).digest(),
    signature: await key.sign(payload),
  } as const;
  const [first, second] = [await signer.log!(content, { signal }), await signer.log!(content, { signal })];
  expect(second).toEqual(first);
});
