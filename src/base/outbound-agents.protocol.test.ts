import { readFileSync } from 'node:fs';
import { createServer, get } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { must } from '../../e2e/support/run.ts';
import { tempFolder } from '../../e2e/support/temp-folder.ts';
import { OutboundAgents } from './outbound-agents.ts';

const stack = new AsyncDisposableStack();
afterAll(() => stack.disposeAsync());

interface Pair {
  readonly cert: string;
  readonly key: string;
}

const pairs = new Map<string, Pair>();

beforeAll(async () => {
  const folder = stack.use(tempFolder('key-pairs')).path;
  const ec = ['ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
  for (const [name, kind] of Object.entries({ rsa: ['rsa:2048'], ec, other: ec, server: ec })) {
    const [cert, key] = [join(folder, `${name}.crt`), join(folder, `${name}.key`)];
    const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2'];
    await must('openssl', ['req', '-x509', '-nodes', '-newkey', ...kind, '-keyout', key, '-out', cert, ...subject]);
    pairs.set(name, { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') });
  }
});

/** As whom a client with these pairs shows itself to a server that takes signatures of such kinds. */
async function shownTo(sigalgs: string, names: readonly string[]): Promise<string> {
  const ca = [...pairs.values()].map(({ cert }) => cert);
  const server = createServer(
    {
      ...pairs.get(sigalgs.startsWith('rsa') ? 'rsa' : 'server')!,
      ca,
      requestCert: true,
      rejectUnauthorized: true,
      sigalgs,
    },
    ({ socket }, response) => response.end((socket as TLSSocket).getPeerCertificate().subject.CN),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = new URL(`https://127.0.0.1:${(server.address() as AddressInfo).port}`);
  using agents = new OutboundAgents();
  const agent = agents.for(url, { ca, client: names.map((name) => pairs.get(name)!) });
  try {
    const response = await new Promise<AsyncIterable<Buffer>>((resolve, reject) =>
      get(url, { agent }, resolve).on('error', reject),
    );
    return Buffer.concat(await Array.fromAsync(response)).toString();
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

test('of several certificates a server is shown one that it takes, and of two of a kind the first', async () => {
  const BOTH = 'ecdsa_secp256r1_sha256:rsa_pss_rsae_sha256';
  const SERVER_EC = 'ecdsa_secp256r1_sha256';
  expect(await shownTo(BOTH, ['rsa'])).toBe('rsa');
  expect(await shownTo(BOTH, ['rsa', 'ec', 'other'])).toBe('ec');
  expect(await shownTo(SERVER_EC, ['rsa', 'ec', 'other'])).toBe('ec');
  expect(await shownTo(SERVER_EC, ['other', 'ec'])).toBe('other');
  expect(await shownTo('rsa_pss_rsae_sha256', ['ec', 'rsa'])).toBe('rsa');
});
