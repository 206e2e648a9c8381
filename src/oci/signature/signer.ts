import type { AbortOptions, Digest } from '../../base/index.ts';
import type { SigningKey } from './signing-key.ts';

/** What is signed: a text as it is, or an in-toto statement in a DSSE envelope. */
export type SignedContent =
  | { readonly kind: 'message'; readonly sha256: Uint8Array; readonly signature: Uint8Array }
  | {
      readonly kind: 'statement';
      readonly statement: Uint8Array;
      readonly signature: Uint8Array;
      readonly envelope: Digest;
    };

/** What proves that a log has taken up a signature. */
export interface LogEntry {
  /** As cosign keeps it beside a signature. */
  readonly annotation: string;
  /** As bundles of sigstore have it: a `TransparencyLogEntry`, for JSON. */
  readonly bundled: object;
}

/** Who signs: a key, and where it lives for this build alone the certificate that says whose it is. */
export interface Signer {
  readonly key: SigningKey;
  /** The same for all signatures of one key or one identity: a newer one stands for an older. */
  readonly id: string;
  /** In PEM form: that of the key alone. */
  readonly certificate?: string;
  /** Writes the signature to a transparency log. */
  readonly log?: ((content: SignedContent, options: AbortOptions) => Promise<LogEntry>) | undefined;
}

/** A signer that is known by its public key. */
export function keySigner(key: SigningKey, log?: Signer['log']): Signer {
  return { key, id: key.id, log };
}
