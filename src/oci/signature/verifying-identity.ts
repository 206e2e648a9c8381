import { z } from 'zod';
import { type AbortOptions, CodedError } from '../../base/index.ts';
import { type StreamPool, siblingModule, streamTasksOf } from '../../sys/index.ts';
import type { SignatureVerifier } from './verify-signature.ts';

/** Who is to have signed without a key, and whose word for it counts. */
export interface TrustedIdentity {
  /** As its certificate names it, exactly: an address, or a URI. */
  readonly identity: string;
  /** Of the token that proved it. */
  readonly issuer: string;
  /** Sigstore's trusted root (`trusted_root.json`): authorities of certificates, and logs. */
  readonly root: Uint8Array;
}

/** The public one has some 7 KB. */
const MAX_ROOT_BYTES = 1 << 20;

const task = streamTasksOf<typeof import('./verify-task.ts')>(siblingModule(import.meta.url, './verify-task'));

const rootSchema = z.object({
  mediaType: z.string().regex(/^application\/vnd\.dev\.sigstore\.trustedroot/),
  certificateAuthorities: z
    .array(z.object({ certChain: z.object({ certificates: z.array(z.unknown()).min(1) }) }))
    .min(1),
  tlogs: z.array(z.object({ publicKey: z.object({ rawBytes: z.string() }) })).min(1),
});

/** @throws CodedError VERIFYING_KEY for what could not be verified with */
export function checkTrustedRoot(bytes: Uint8Array): void {
  try {
    if (bytes.length > MAX_ROOT_BYTES) throw new Error(`it has more than ${MAX_ROOT_BYTES} bytes`);
    rootSchema.parse(JSON.parse(Buffer.from(bytes).toString('utf8')));
  } catch (cause) {
    throw CodedError.of('VERIFYING_KEY', 'trusted root: it names no authority of certificates, or no log', {
      cause,
      hint: 'give a trusted_root.json of sigstore: cosign trusted-root create, or that of the public services',
    });
  }
}

/** Verifies what was signed for one of these identities: by a certificate that one of its root's authorities issued to it, while that was in force, as one of its logs says. */
export function identityVerifier(
  trusted: readonly TrustedIdentity[],
  streams: StreamPool,
  { signal }: AbortOptions,
): SignatureVerifier {
  return {
    verify: async (payload, signature, { certificate, logged }) => {
      if (certificate === undefined || logged === undefined) return false;
      return await streams.run(task('isByIdentity'), { payload, signature, certificate, logged, trusted }, { signal });
    },
  };
}
