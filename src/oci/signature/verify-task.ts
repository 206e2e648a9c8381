import { createHash, X509Certificate } from 'node:crypto';
import type { TrustedIdentity } from './verifying-identity.ts';

interface IdentityArgs {
  readonly payload: Uint8Array;
  readonly signature: Uint8Array;
  /** In PEM form. */
  readonly certificate: string;
  /** Entry of a log, as cosign keeps it beside a signature. */
  readonly logged: string;
  readonly trusted: readonly TrustedIdentity[];
}

/** As a bundle of its first version, in which a log's promise is enough. */
const BUNDLE_TYPE = 'application/vnd.dev.sigstore.bundle+json;version=0.1';

/** Task of the streams pool: whether one of these has signed it. Whatever cannot be read is by nobody. */
export async function isByIdentity({ trusted, ...signed }: IdentityArgs): Promise<boolean> {
  const library = await loadLibrary();
  for (const one of trusted)
    try {
      if (isBy(one, signed, library)) return true;
    } catch {
      // Of another root, expired, malformed: nothing of it counts.
    }
  return false;
}

/** By the first who needs it. */
async function loadLibrary() {
  const [verify, bundle, specs] = await Promise.all([
    import('@sigstore/verify'),
    import('@sigstore/bundle'),
    import('@sigstore/protobuf-specs'),
  ]);
  return { ...verify, bundleFromJSON: bundle.bundleFromJSON, TrustedRoot: specs.TrustedRoot };
}

function isBy(
  { identity, issuer, root }: TrustedIdentity,
  { payload, signature, certificate, logged }: Omit<IdentityArgs, 'trusted'>,
  library: Awaited<ReturnType<typeof loadLibrary>>,
): boolean {
  const { toSignedEntity, toTrustMaterial, Verifier, bundleFromJSON, TrustedRoot } = library;
  const material = toTrustMaterial(TrustedRoot.fromJSON(JSON.parse(Buffer.from(root).toString('utf8'))));
  const { SignedEntryTimestamp, Payload } = JSON.parse(logged) as {
    readonly SignedEntryTimestamp: string;
    readonly Payload: {
      readonly body: string;
      readonly integratedTime: number;
      readonly logIndex: number;
      readonly logID: string;
    };
  };
  const { kind, apiVersion } = JSON.parse(Buffer.from(Payload.body, 'base64').toString('utf8')) as {
    readonly kind: string;
    readonly apiVersion: string;
  };
  const bundle = bundleFromJSON({
    mediaType: BUNDLE_TYPE,
    verificationMaterial: {
      x509CertificateChain: { certificates: [{ rawBytes: new X509Certificate(certificate).raw.toString('base64') }] },
      tlogEntries: [
        {
          logIndex: String(Payload.logIndex),
          logId: { keyId: Buffer.from(Payload.logID, 'hex').toString('base64') },
          kindVersion: { kind, version: apiVersion },
          integratedTime: String(Payload.integratedTime),
          inclusionPromise: { signedEntryTimestamp: SignedEntryTimestamp },
          canonicalizedBody: Payload.body,
        },
      ],
    },
    messageSignature: {
      messageDigest: { algorithm: 'SHA2_256', digest: createHash('sha256').update(payload).digest('base64') },
      signature: Buffer.from(signature).toString('base64'),
    },
  });
  // Certificates are in logs of their own where the root knows such.
  const verifier = new Verifier(material, { ctlogThreshold: material.ctlogs.length > 0 ? 1 : 0 });
  const signer = verifier.verify(toSignedEntity(bundle, Buffer.from(payload)));
  // The library takes what is wanted as a pattern.
  return signer.identity?.subjectAlternativeName === identity && signer.identity.extensions?.issuer === issuer;
}
