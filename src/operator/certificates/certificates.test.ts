import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { connect, createServer } from 'node:tls';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Authority as Given, makeAuthority as makeGiven } from '../../../e2e/support/certificates.ts';
import { CodedError, neverAborted, silentLogger } from '../../base/index.ts';
import type { KeptCertificate } from '../../resources/index.ts';
import type { Secret } from '../resource-types.ts';
import type { KubeClient, ObjectKey } from '../runtime/index.ts';
import { issue, makeAuthority, type Pair } from './issue.ts';
import { lookAfter } from './keep.ts';
import { OVERLAP_MS } from './rotation.ts';

const DAY_MS = 24 * 3600 * 1000;
const signal = neverAborted;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'slipway-certificates-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** What openssl says of a certificate for a purpose, at a time. */
function verified(
  cert: string,
  ca: string,
  purpose: 'sslserver' | 'sslclient',
  at: number,
  { name, strict = true }: { readonly name?: string; readonly strict?: boolean } = {},
): string {
  writeFileSync(path.join(folder, 'cert.pem'), cert);
  writeFileSync(path.join(folder, 'ca.pem'), ca);
  try {
    return execFileSync(
      'openssl',
      [
        ...[
          'verify',
          ...(strict ? ['-x509_strict'] : []),
          '-purpose',
          purpose,
          '-attime',
          String(Math.floor(at / 1000)),
        ],
        ...(name === undefined ? [] : ['-verify_hostname', name]),
        ...['-CAfile', path.join(folder, 'ca.pem'), path.join(folder, 'cert.pem')],
      ],
      { encoding: 'utf8', stdio: 'pipe' },
    );
  } catch (error) {
    return String((error as { readonly stderr?: string }).stderr);
  }
}

describe('what is issued', () => {
  const now = Date.now();
  const authority = makeAuthority('slipway test', { now, days: 10 });
  const names = ['*.builders.ns.svc', 'builder', '10.0.0.7', 'fd00::7'];
  const server = issue(authority, { usage: 'server', commonName: 'builder', names }, { now, days: 5 });
  const client = issue(authority, { usage: 'client', commonName: 'slipway-operator', names: [] }, { now, days: 5 });

  test('is what openssl takes for its purpose, and for no other', () => {
    expect(verified(server.cert, authority.cert, 'sslserver', now, { name: 'a.builders.ns.svc' })).toContain('OK');
    expect(verified(server.cert, authority.cert, 'sslserver', now, { name: 'elsewhere' })).toMatch(
      /hostname mismatch/i,
    );
    expect(verified(server.cert, authority.cert, 'sslclient', now)).toMatch(/purpose/);
    expect(verified(client.cert, authority.cert, 'sslclient', now)).toContain('OK');
    expect(verified(client.cert, authority.cert, 'sslserver', now)).toMatch(/purpose/);
    expect(verified(server.cert, authority.cert, 'sslserver', now + 6 * DAY_MS)).toMatch(/expired/);
    const other = makeAuthority('slipway test', { now, days: 10 });
    expect(verified(server.cert, other.cert, 'sslserver', now)).not.toContain('OK');
    const { subjectAltName, ca } = new X509Certificate(server.cert);
    expect([subjectAltName, ca]).toEqual([
      'DNS:*.builders.ns.svc, DNS:builder, IP Address:10.0.0.7, IP Address:FD00:0:0:0:0:0:0:7',
      false,
    ]);
  });

  test('lets the operator in to a builder, and a builder to none', async () => {
    const listener = createServer({ ...server, ca: authority.cert, requestCert: true, rejectUnauthorized: true });
    listener.on('tlsClientError', () => {});
    listener.on('secureConnection', (socket) => socket.end('in'));
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const { port } = listener.address() as AddressInfo;
    const says = async (own: Pair) => {
      const socket = connect({ host: '127.0.0.1', port, ca: authority.cert, servername: 'builder', ...own });
      let text = '';
      socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
      socket.on('error', () => {});
      await new Promise((resolve) => socket.once('close', resolve));
      return text;
    };
    expect(await says(client)).toBe('in');
    expect(await says(server)).toBe('');
    listener.close();
  });
});

/** Secrets by `namespace/name`, as the API server keeps them. */
class Secrets {
  readonly all = new Map<string, Secret>();
  at = Date.now();
  writes = 0;
  /** Somebody else writes in between. */
  disturbed = false;
  #version = 0;

  readonly client: Pick<KubeClient, 'get' | 'create' | 'replace' | 'now'> = {
    now: () => this.at,
    get: async (_type, { namespace, name }: ObjectKey) => {
      const found = this.all.get(`${namespace}/${name}`);
      if (found === undefined) throw new CodedError('not_found', name);
      return found as never;
    },
    create: async (_type, object) => {
      const { namespace, name } = object.metadata;
      if (this.all.has(`${namespace}/${name}`)) throw new CodedError('already_exists', name);
      return this.put(object as unknown as Secret) as never;
    },
    replace: async (_type, object) => {
      const { namespace, name, resourceVersion } = object.metadata;
      const found = this.all.get(`${namespace}/${name}`);
      if (found?.metadata.resourceVersion !== resourceVersion || this.disturbed) throw new CodedError('aborted', name);
      return this.put(object as unknown as Secret) as never;
    },
  };

  put(secret: Secret): Secret {
    this.writes++;
    const stored = { ...secret, metadata: { ...secret.metadata, resourceVersion: String(++this.#version) } };
    this.all.set(`${secret.metadata.namespace}/${secret.metadata.name}`, stored);
    return stored;
  }

  part(name: string, key: string): string {
    return Buffer.from(this.all.get(name)?.data?.[key] ?? '', 'base64').toString();
  }
}

const SERVER: KeptCertificate = {
  ...{ usage: 'server', commonName: 'builder', names: ['builder'] },
  secret: { namespace: 'builders', name: 'tls' },
};
const CLIENT: KeptCertificate = {
  ...{ usage: 'client', commonName: 'slipway-operator', names: [] },
  secret: { namespace: 'own', name: 'client' },
};

describe('what is kept', () => {
  let secrets: Secrets;
  const look = (certificates = [SERVER, CLIENT]) =>
    lookAfter({
      ...{ client: secrets.client, certificates, signal, log: silentLogger },
      authority: { namespace: 'own', name: 'slipway-ca' },
    });
  /** Whether each side takes the other's certificate now. */
  const meet = () => [
    verified(secrets.part('builders/tls', 'tls.crt'), secrets.part('own/client', 'ca.crt'), 'sslserver', secrets.at, {
      ...{ name: 'builder', strict: false },
    }).includes('OK'),
    verified(secrets.part('own/client', 'tls.crt'), secrets.part('builders/tls', 'ca.crt'), 'sslclient', secrets.at, {
      strict: false,
    }).includes('OK'),
  ];
  beforeEach(() => {
    secrets = new Secrets();
  });

  test('is made once, and then left alone', async () => {
    await look();
    expect([...secrets.all.keys()]).toEqual(['own/slipway-ca', 'builders/tls', 'own/client']);
    expect(meet()).toEqual([true, true]);
    const { writes } = secrets;
    await look();
    expect(secrets.writes).toBe(writes);
    // The authority's key is where it is made, and nowhere else.
    const key = secrets.part('own/slipway-ca', 'tls.key');
    for (const name of ['builders/tls', 'own/client'])
      expect(JSON.stringify(secrets.all.get(name))).not.toContain(Buffer.from(key).toString('base64'));
  });

  test('is renewed at two thirds, when names change, and when somebody breaks it', async () => {
    await look();
    const first = secrets.part('builders/tls', 'tls.crt');
    secrets.at += 59 * DAY_MS;
    await look();
    expect(secrets.part('builders/tls', 'tls.crt')).toBe(first);
    secrets.at += 2 * DAY_MS;
    await look();
    const second = secrets.part('builders/tls', 'tls.crt');
    expect(second).not.toBe(first);
    await look([{ ...SERVER, names: ['builder', 'fd00::1', '10.0.0.1'] }, CLIENT]);
    const third = secrets.part('builders/tls', 'tls.crt');
    expect(third).not.toBe(second);
    await look([{ ...SERVER, names: ['builder', 'fd00::1', '10.0.0.1'] }, CLIENT]);
    expect(secrets.part('builders/tls', 'tls.crt')).toBe(third);
    const broken = secrets.all.get('builders/tls')!;
    secrets.put({ ...broken, data: { ...broken.data, 'tls.key': 'bm9uZQ==' } });
    await look();
    expect(meet()).toEqual([true, true]);
  });

  test('a new authority is trusted before it signs, and the old one after it has ceased to: at no time is a side refused', async () => {
    await look();
    const first = secrets.part('own/slipway-ca', 'tls.crt');
    const authorities = new Set<string>();
    // Holders read later than they are written: each step meets the step before.
    let before = new Map(secrets.all);
    secrets.at += (2 / 3) * 5 * 365 * DAY_MS + DAY_MS;
    for (let step = 0; step < 12; step++) {
      await look();
      expect(meet(), `step ${step}`).toEqual([true, true]);
      const now = new Map(secrets.all);
      for (const [old, fresh] of [
        ['builders/tls', 'own/client'],
        ['own/client', 'builders/tls'],
      ] as const) {
        if (step === 0) continue;
        // One side has what was written last time, the other what was written now.
        secrets.all.set(old, before.get(old)!);
        secrets.all.set(fresh, now.get(fresh)!);
        expect(meet(), `${old} behind at step ${step}`).toEqual([true, true]);
        for (const [name, secret] of now) secrets.all.set(name, secret);
      }
      before = now;
      authorities.add(secrets.part('own/slipway-ca', 'tls.crt'));
      secrets.at += OVERLAP_MS / 3;
    }
    expect(authorities.size).toBe(2);
    expect(secrets.part('builders/tls', 'ca.crt')).not.toContain(first);
    expect(secrets.all.get('own/slipway-ca')?.data).not.toHaveProperty('previous.crt');
  });

  test('certificates that somebody else made go on beside ours, until both sides know us', async () => {
    const given: Given = await makeGiven(folder, 'given');
    const base64 = (file: string) => readFileSync(file).toString('base64');
    for (const { secret, commonName, names } of [SERVER, CLIENT]) {
      const { cert, key } = await given.issue(commonName, { names });
      secrets.put({
        ...{ apiVersion: 'v1', kind: 'Secret', metadata: { ...secret, labels: { mine: 'stays' } } },
        data: { 'ca.crt': base64(given.cert), 'tls.crt': base64(cert), 'tls.key': base64(key) },
      });
    }
    const theirs = secrets.part('builders/tls', 'tls.crt');
    let before = new Map(secrets.all);
    for (let step = 0; step < 10; step++) {
      await look();
      expect(meet(), `step ${step}`).toEqual([true, true]);
      const now = new Map(secrets.all);
      for (const behind of ['builders/tls', 'own/client']) {
        secrets.all.set(behind, before.get(behind)!);
        expect(meet(), `${behind} behind at step ${step}`).toEqual([true, true]);
        secrets.all.set(behind, now.get(behind)!);
      }
      if (step === 1) expect(secrets.part('builders/tls', 'tls.crt')).toBe(theirs);
      before = now;
      secrets.at += OVERLAP_MS / 3;
    }
    const own = secrets.part('own/slipway-ca', 'tls.crt');
    for (const name of ['builders/tls', 'own/client']) expect(secrets.part(name, 'ca.crt')).toBe(own);
    expect(secrets.all.get('builders/tls')?.metadata.labels).toEqual({ mine: 'stays' });
  });

  test('of two who write at once one loses, and nothing of it stands', async () => {
    await look();
    const before = secrets.part('builders/tls', 'tls.crt');
    secrets.at += 61 * DAY_MS;
    secrets.disturbed = true;
    await expect(look()).rejects.toMatchObject({ code: 'aborted' });
    expect(secrets.part('builders/tls', 'tls.crt')).toBe(before);
  });
});
