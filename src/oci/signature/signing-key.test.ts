import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { SigningKey } from './signing-key.ts';

const pem = (type: 'pkcs8' | 'sec1', passphrase?: string) =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
    type,
    format: 'pem',
    ...(passphrase === undefined ? {} : { cipher: 'aes-256-cbc', passphrase }),
  });

test.each([
  ['ECDSA', pem('pkcs8')],
  ['ECDSA as OpenSSL wrote it', pem('sec1')],
  ['Ed25519', generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' })],
  ['RSA', generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs1', format: 'pem' })],
])('%s signs, and knows its own', async (_, text) => {
  const key = await SigningKey.parse(Buffer.from(text), undefined);
  const payload = Buffer.from('payload');
  const signature = await key.sign(payload);
  expect(await key.verifying.verify(payload, signature)).toBe(true);
  expect(await key.verifying.verify(Buffer.from('another'), signature)).toBe(false);
});

const sealed = (params: object) => {
  const box = {
    kdf: { name: 'scrypt', params, salt: randomBytes(32).toString('base64') },
    cipher: { name: 'nacl/secretbox', nonce: randomBytes(24).toString('base64') },
    ciphertext: randomBytes(64).toString('base64'),
  };
  const kind = 'ENCRYPTED SIGSTORE PRIVATE KEY';
  return `-----BEGIN ${kind}-----\n${Buffer.from(JSON.stringify(box)).toString('base64')}\n-----END ${kind}-----\n`;
};

test.each([
  ['sealed so that the file says how long it takes', pem('pkcs8', 'x'), /sealed otherwise than by cosign/],
  ['sealed likewise, in the old form', pem('sec1', 'x'), /sealed otherwise than by cosign/],
  [
    'of a kind that does not sign',
    generateKeyPairSync('x25519').privateKey.export({ type: 'pkcs8', format: 'pem' }),
    /x25519 does not sign/,
  ],
  ['sealed at too great a cost', sealed({ N: 2 ** 20, r: 8, p: 1 }), /malformed/],
  ['sealed many times over', sealed({ N: 1024, r: 8, p: 16 }), /malformed/],
  ['not opened by the password', sealed({ N: 1024, r: 8, p: 1 }), /does not open with the password/],
  ['no key', 'hello', /no private key/],
])('one is refused that is %s', async (_, text, words) => {
  await expect(SigningKey.parse(Buffer.from(text), Buffer.from('x'))).rejects.toMatchObject({
    reason: 'SIGNING_KEY',
    message: expect.stringMatching(words) as string,
  });
});
