import { execFileSync } from 'node:child_process';
import { createHash, createPublicKey, generateKeyPairSync, sign, verify, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { json } from 'node:stream/consumers';

/** What goes wrong with one of the services; an answer of one's own by its status and body. */
type Fault =
  | { readonly status: number; readonly body?: string; readonly times?: number }
  | 'hangs'
  | 'endless'
  | 'other-key'
  | 'other-signature'
  | 'no-timestamp'
  | 'no-proof';

const ISSUER = 'https://issuer.test';
/** Of Fulcio's certificates: the first form, a text without a type, and the second. */
const ISSUER_OIDS = ['1.3.6.1.4.1.57264.1.1', '1.3.6.1.4.1.57264.1.8'];

interface Claims {
  readonly [claim: string]: unknown;
}

/**
 * A Fulcio that certifies keys for whom tokens name, and a Rekor (API v1) with signed timestamps, from their published interfaces. Certificates are made by openssl; a token must be signed by the issuer's key,
 * in force and for sigstore, and a key is certified only for who proves to have it.
 */
export class FakeSigstore implements AsyncDisposable {
  readonly #folder = mkdtempSync(path.join(tmpdir(), 'fake-sigstore-'));
  readonly #issuer = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  readonly #log = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  readonly #entries = new Map<string, object>();
  /** Hashes of all entries, in their order. */
  readonly #leaves: Buffer[] = [];
  readonly #server: Server;
  /** Of Fulcio or Rekor. */
  readonly faults: { fulcio?: Fault | undefined; rekor?: Fault | undefined } = {};
  /** Requests that came, e.g. `POST /api/v2/signingCert`. */
  readonly asked: string[] = [];

  private constructor() {
    const ca = ['-keyout', this.file('ca.key'), '-out', this.file('ca.pem'), '-subj', '/O=test/CN=fulcio'];
    const usage = ['-addext', 'keyUsage=critical,keyCertSign,cRLSign'];
    execFileSync(
      'openssl',
      ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc', '-days', '9', ...ca, ...usage],
      { stdio: 'pipe' },
    );
    writeFileSync(this.file('rekor.pub'), this.#log.publicKey.export({ type: 'spki', format: 'pem' }));
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch((error: unknown) => response.destroy(error as Error));
    });
  }

  static async start(): Promise<FakeSigstore> {
    const fake = new FakeSigstore();
    fake.#server.listen(0, '127.0.0.1');
    await once(fake.#server, 'listening');
    return fake;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get issuer(): string {
    return ISSUER;
  }

  /** `ca.pem`: root of certificates; `rekor.pub`: key of the log. */
  file(name: string): string {
    return path.join(this.#folder, name);
  }

  /** As sigstore's clients take it. */
  trustedRoot(): string {
    const der = this.#log.publicKey.export({ type: 'spki', format: 'der' });
    const rawBytes = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
    const validFor = { start: '2020-01-01T00:00:00Z' };
    const certificate = new X509Certificate(readFileSync(this.file('ca.pem')));
    return JSON.stringify({
      mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
      tlogs: [
        {
          ...{ baseUrl: this.url, hashAlgorithm: 'SHA2_256' },
          publicKey: { rawBytes: rawBytes(der), keyDetails: 'PKIX_ECDSA_P256_SHA_256', validFor },
          logId: { keyId: createHash('sha256').update(der).digest('base64') },
        },
      ],
      certificateAuthorities: [
        {
          ...{ subject: { organization: 'test', commonName: 'fulcio' }, uri: this.url, validFor },
          certChain: { certificates: [{ rawBytes: rawBytes(certificate.raw) }] },
        },
      ],
      ctlogs: [],
      timestampAuthorities: [],
    });
  }

  token(claims: Claims = {}): string {
    const all = { iss: ISSUER, aud: 'sigstore', exp: Date.now() / 1000 + 300, sub: 'https://ci.test/app', ...claims };
    const [head, body] = [{ alg: 'ES256', typ: 'JWT' }, all].map((one) =>
      Buffer.from(JSON.stringify(one)).toString('base64url'),
    );
    const key = { key: this.#issuer.privateKey, dsaEncoding: 'ieee-p1363' } as const;
    return `${head}.${body}.${sign('sha256', Buffer.from(`${head}.${body}`), key).toString('base64url')}`;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, url = '' } = request;
    this.asked.push(`${method} ${url}`);
    const body = method === 'POST' ? ((await json(request)) as never) : undefined;
    const isFulcio = url === '/api/v2/signingCert';
    const name = isFulcio ? 'fulcio' : 'rekor';
    const fault = this.faults[name];
    if (fault === 'hangs') return;
    if (fault === 'endless') {
      response.writeHead(200, { 'content-type': 'application/json' });
      const more = () => {
        while (!response.destroyed && response.write(Buffer.alloc(1 << 20, 0x20)));
      };
      response.on('drain', more);
      more();
      return;
    }
    if (typeof fault === 'object') {
      const left = fault.times === undefined ? undefined : fault.times - 1;
      this.faults[name] = left === 0 ? undefined : { ...fault, ...(left === undefined ? {} : { times: left }) };
      answer(response, fault.status, { message: fault.body ?? 'no' });
      return;
    }
    if (isFulcio) this.#certify(body as unknown as CertificateRequest, response, fault);
    else if (method === 'POST') this.#take(body as unknown as ProposedEntry, response, fault);
    else this.#show(url.split('/').at(-1) ?? '', response);
  }

  #certify({ credentials, publicKeyRequest }: CertificateRequest, response: ServerResponse, fault: Fault | undefined) {
    const [head = '', payload = '', signature = ''] = credentials.oidcIdentityToken.split('.');
    const issuer = { key: this.#issuer.publicKey, dsaEncoding: 'ieee-p1363' } as const;
    const isSigned = verify('sha256', Buffer.from(`${head}.${payload}`), issuer, Buffer.from(signature, 'base64url'));
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, string>;
    if (!isSigned || claims['aud'] !== 'sigstore' || Number(claims['exp']) * 1000 < Date.now()) {
      answer(response, 401, { message: `There was an error processing the token ${credentials.oidcIdentityToken}` });
      return;
    }
    const subject = claims['email'] ?? claims['sub'] ?? '';
    const { content } = publicKeyRequest.publicKey;
    const proof = Buffer.from(publicKeyRequest.proofOfPossession, 'base64');
    if (!verify('sha256', Buffer.from(subject), createPublicKey(content), proof)) {
      answer(response, 400, { message: 'The signature supplied in the request could not be verified' });
      return;
    }
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey;
    const key = fault === 'other-key' ? other.export({ type: 'spki', format: 'pem' }).toString() : content;
    writeFileSync(this.file('leaf.pub'), key);
    const san = claims['email'] === undefined ? `URI:${subject}` : `email:${subject}`;
    writeFileSync(
      this.file('leaf.ext'),
      [
        'keyUsage=critical,digitalSignature',
        'extendedKeyUsage=codeSigning',
        'subjectKeyIdentifier=hash',
        'authorityKeyIdentifier=keyid',
        `subjectAltName=critical,${san}`,
        `${ISSUER_OIDS[0]}=DER:${Buffer.from(claims['iss'] ?? '').toString('hex')}`,
        `${ISSUER_OIDS[1]}=ASN1:UTF8String:${claims['iss']}`,
      ].join('\n'),
    );
    const ca = ['-CA', this.file('ca.pem'), '-CAkey', this.file('ca.key'), '-days', '1'];
    const of = ['-new', '-force_pubkey', this.file('leaf.pub'), '-subj', '/', '-extfile', this.file('leaf.ext')];
    const leaf = execFileSync('openssl', ['x509', ...of, ...ca], { stdio: 'pipe' }).toString();
    const certificates = [leaf, readFileSync(this.file('ca.pem'), 'utf8')];
    answer(response, 200, { signedCertificateEmbeddedSct: { chain: { certificates } } });
  }

  #take({ kind, apiVersion, spec }: ProposedEntry, response: ServerResponse, fault: Fault | undefined) {
    let entry: object;
    if (kind === 'dsse') {
      const { envelope, verifiers } = spec.proposedContent!;
      const { payload, payloadType, signatures } = JSON.parse(envelope) as Envelope;
      const statement = Buffer.from(payload, 'base64');
      const signed = Buffer.concat([
        Buffer.from(`DSSEv1 ${payloadType.length} ${payloadType} ${statement.length} `),
        statement,
      ]);
      const sig = signatures[0]?.sig ?? '';
      if (!verify('sha256', signed, keyOf(verifiers[0] ?? ''), Buffer.from(sig, 'base64'))) {
        answer(response, 400, { message: 'error verifying the signature of the envelope' });
        return;
      }
      const hash = (bytes: Uint8Array | string) => ({ algorithm: 'sha256', value: sha256(bytes) });
      const taken = [{ signature: sig, verifier: verifiers[0] }];
      entry = { envelopeHash: hash(envelope), payloadHash: hash(statement), signatures: taken };
    } else entry = spec;
    if (fault === 'other-signature') entry = { ...entry, signature: { content: 'AAAA' }, signatures: [] };
    const body = Buffer.from(JSON.stringify({ apiVersion, kind, spec: entry })).toString('base64');
    const uuid = sha256(body);
    if (this.#entries.has(uuid)) {
      response.setHeader('location', `/api/v1/log/entries/${uuid}`);
      answer(response, 409, { message: 'an equivalent entry already exists in the transparency log' });
      return;
    }
    const logID = sha256(this.#log.publicKey.export({ type: 'spki', format: 'der' }));
    const payload = { body, integratedTime: Math.floor(Date.now() / 1000), logID, logIndex: this.#entries.size };
    const signedEntryTimestamp = sign('sha256', Buffer.from(JSON.stringify(payload)), this.#log.privateKey);
    this.#leaves.push(hashOf(0, Buffer.from(body, 'base64')));
    const verification = {
      ...(fault === 'no-timestamp' ? {} : { signedEntryTimestamp: signedEntryTimestamp.toString('base64') }),
      ...(fault === 'no-proof' ? {} : { inclusionProof: this.#proof(payload.logIndex) }),
    };
    this.#entries.set(uuid, { [uuid]: { ...payload, verification } });
    answer(response, 201, this.#entries.get(uuid)!);
  }

  /** That the entry is in the tree as it is now, and the log's word for the tree (RFC 6962, C2SP's signed notes). */
  #proof(logIndex: number) {
    const treeSize = this.#leaves.length;
    const root = treeHash(this.#leaves);
    const note = `rekor.test - 1\n${treeSize}\n${root.toString('base64')}\n`;
    const keyHash = createHash('sha256')
      .update(this.#log.publicKey.export({ type: 'spki', format: 'der' }))
      .digest()
      .subarray(0, 4);
    const signature = Buffer.concat([keyHash, sign('sha256', Buffer.from(note), this.#log.privateKey)]);
    return {
      ...{ logIndex, treeSize, rootHash: root.toString('hex') },
      hashes: auditPath(logIndex, this.#leaves).map((hash) => hash.toString('hex')),
      checkpoint: `${note}\n\u2014 rekor.test ${signature.toString('base64')}\n`,
    };
  }

  #show(uuid: string, response: ServerResponse) {
    const entry = this.#entries.get(uuid);
    if (entry === undefined) answer(response, 404, { message: 'not found' });
    else answer(response, 200, entry);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
    rmSync(this.#folder, { recursive: true });
  }
}

interface CertificateRequest {
  readonly credentials: { readonly oidcIdentityToken: string };
  readonly publicKeyRequest: { readonly publicKey: { readonly content: string }; readonly proofOfPossession: string };
}

interface ProposedEntry {
  readonly kind: string;
  readonly apiVersion: string;
  readonly spec: { readonly proposedContent?: { readonly envelope: string; readonly verifiers: readonly string[] } };
}

interface Envelope {
  readonly payload: string;
  readonly payloadType: string;
  readonly signatures: readonly { readonly sig: string }[];
}

const sha256 = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex');

function hashOf(kind: 0 | 1, ...parts: readonly Buffer[]): Buffer {
  return createHash('sha256')
    .update(Buffer.concat([Buffer.from([kind]), ...parts]))
    .digest();
}

/** The largest power of two below it. */
const splitOf = (count: number) => 2 ** Math.floor(Math.log2(count - 1));

function treeHash(leaves: readonly Buffer[]): Buffer {
  if (leaves.length === 1) return leaves[0] as Buffer;
  const split = splitOf(leaves.length);
  return hashOf(1, treeHash(leaves.slice(0, split)), treeHash(leaves.slice(split)));
}

function auditPath(at: number, leaves: readonly Buffer[]): readonly Buffer[] {
  if (leaves.length === 1) return [];
  const split = splitOf(leaves.length);
  const [left, right] = [leaves.slice(0, split), leaves.slice(split)];
  return at < split ? [...auditPath(at, left), treeHash(right)] : [...auditPath(at - split, right), treeHash(left)];
}

function keyOf(base64: string) {
  const pem = Buffer.from(base64, 'base64').toString();
  return pem.includes('CERTIFICATE') ? new X509Certificate(pem).publicKey : createPublicKey(pem);
}

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
