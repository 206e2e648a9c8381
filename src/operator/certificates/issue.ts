import { createHash, createPublicKey, generateKeyPairSync, randomBytes, sign, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { AsnConvert, OctetString } from '@peculiar/asn1-schema';
import {
  AlgorithmIdentifier,
  AttributeTypeAndValue,
  AttributeValue,
  AuthorityKeyIdentifier,
  BasicConstraints,
  Certificate,
  ExtendedKeyUsage,
  Extension,
  Extensions,
  GeneralName,
  id_ce_authorityKeyIdentifier,
  id_ce_basicConstraints,
  id_ce_extKeyUsage,
  id_ce_keyUsage,
  id_ce_subjectAltName,
  id_ce_subjectKeyIdentifier,
  id_kp_clientAuth,
  id_kp_serverAuth,
  KeyIdentifier,
  KeyUsage,
  KeyUsageFlags,
  Name,
  RelativeDistinguishedName,
  SubjectAlternativeName,
  SubjectKeyIdentifier,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
  Version,
} from '@peculiar/asn1-x509';

/** PEM. */
export interface Pair {
  readonly cert: string;
  readonly key: string;
}

/** What a certificate is for; one of a server opens no other server. */
export interface Purpose {
  readonly usage: 'server' | 'client';
  readonly commonName: string;
  /** DNS names, with `*` for one label, and IP addresses. */
  readonly names: readonly string[];
}

interface Span {
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly days: number;
}

const DAY_MS = 24 * 3600 * 1000;
/** Clocks differ. */
const BACKDATED_MS = 5 * 60_000;
/** ecdsa-with-SHA256, and the attribute of a common name. */
const ECDSA_SHA256 = '1.2.840.10045.4.3.2';
const COMMON_NAME = '2.5.4.3';

/** A new authority that signs for itself (P-256). */
export function makeAuthority(commonName: string, span: Span): Pair {
  return certify({ commonName, isAuthority: true, extensions: [] }, undefined, span);
}

/** A new key and its certificate, of an authority. */
export function issue(authority: Pair, { usage, commonName, names }: Purpose, span: Span): Pair {
  const purpose = usage === 'server' ? id_kp_serverAuth : id_kp_clientAuth;
  const extensions = [extension(id_ce_extKeyUsage, false, new ExtendedKeyUsage([purpose]))];
  if (names.length > 0) {
    const general = names.map((name) => new GeneralName(isIP(name) === 0 ? { dNSName: name } : { iPAddress: name }));
    extensions.push(extension(id_ce_subjectAltName, false, new SubjectAlternativeName(general)));
  }
  return certify({ commonName, isAuthority: false, extensions }, authority, span);
}

interface Subject {
  readonly commonName: string;
  readonly isAuthority: boolean;
  readonly extensions: readonly Extension[];
}

function certify(
  { commonName, isAuthority, extensions }: Subject,
  authority: Pair | undefined,
  { now, days }: Span,
): Pair {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const issuer = authority === undefined ? undefined : new X509Certificate(authority.cert);
  const issuerSpki = issuer?.publicKey.export({ type: 'spki', format: 'der' }) ?? spki;
  const issuerName =
    issuer === undefined ? nameOf(commonName) : AsnConvert.parse(issuer.raw, Certificate).tbsCertificate.subject;
  const flags = isAuthority ? KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign : KeyUsageFlags.digitalSignature;
  const signatureAlgorithm = new AlgorithmIdentifier({ algorithm: ECDSA_SHA256 });
  const serialNumber = randomBytes(16);
  // Positive, and of the least bytes that say so.
  serialNumber[0] = ((serialNumber[0] ?? 0) & 0x3f) | 0x40;
  const tbsCertificate = new TBSCertificate({
    version: Version.v3,
    serialNumber: bytesOf(serialNumber),
    signature: signatureAlgorithm,
    issuer: issuerName,
    validity: new Validity({ notBefore: secondOf(now - BACKDATED_MS), notAfter: secondOf(now + days * DAY_MS) }),
    subject: nameOf(commonName),
    subjectPublicKeyInfo: AsnConvert.parse(spki, SubjectPublicKeyInfo),
    extensions: new Extensions([
      extension(id_ce_basicConstraints, true, new BasicConstraints({ cA: isAuthority })),
      extension(id_ce_keyUsage, true, new KeyUsage(flags)),
      extension(id_ce_subjectKeyIdentifier, false, new SubjectKeyIdentifier(keyIdOf(spki))),
      extension(
        id_ce_authorityKeyIdentifier,
        false,
        new AuthorityKeyIdentifier({ keyIdentifier: new KeyIdentifier(keyIdOf(issuerSpki)) }),
      ),
      ...extensions,
    ]),
  });
  const signatureValue = sign('sha256', Buffer.from(AsnConvert.serialize(tbsCertificate)), authority?.key ?? key);
  const der = AsnConvert.serialize(
    new Certificate({ tbsCertificate, signatureAlgorithm, signatureValue: bytesOf(signatureValue) }),
  );
  return { cert: pemOf(Buffer.from(der)), key };
}

function nameOf(commonName: string): Name {
  const attribute = new AttributeTypeAndValue({
    type: COMMON_NAME,
    value: new AttributeValue({ utf8String: commonName }),
  });
  return new Name([new RelativeDistinguishedName([attribute])]);
}

function secondOf(ms: number): Date {
  return new Date(Math.floor(ms / 1000) * 1000);
}

function extension(extnID: string, critical: boolean, value: object): Extension {
  return new Extension({ extnID, critical, extnValue: new OctetString(AsnConvert.serialize(value)) });
}

/** Of the key's bits: what RFC 7093 has for it. */
function keyIdOf(spki: Buffer): ArrayBuffer {
  const { subjectPublicKey } = AsnConvert.parse(spki, SubjectPublicKeyInfo);
  return bytesOf(createHash('sha256').update(Buffer.from(subjectPublicKey)).digest().subarray(0, 20));
}

function bytesOf(buffer: Buffer): ArrayBuffer {
  return Uint8Array.from(buffer).buffer;
}

function pemOf(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

/** A certificate with its key as they are found: undefined for what is no pair. */
export function readPair({
  cert,
  key,
}: { readonly [part in keyof Pair]?: string | undefined }):
  | { readonly pair: Pair; readonly x509: X509Certificate }
  | undefined {
  if (cert === undefined || key === undefined) return undefined;
  try {
    const x509 = new X509Certificate(cert);
    const own = createPublicKey(key).export({ type: 'spki', format: 'der' });
    return own.equals(x509.publicKey.export({ type: 'spki', format: 'der' }))
      ? { pair: { cert, key }, x509 }
      : undefined;
  } catch {
    return undefined;
  }
}
