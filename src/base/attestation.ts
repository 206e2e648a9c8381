/** What an attestation is about: what is made, under one more name where it has one, or another thing by its digests (by algorithm, in hex). */
export type AttestedSubject =
  | { readonly kind: 'self'; readonly name: string }
  | { readonly kind: 'raw'; readonly name: string; readonly digest: Readonly<Record<string, string>> };

/** What a frontend says of what was made: an in-toto predicate, or a bundle of statements, that lies in a ref. */
export interface Attestation<Ref> {
  readonly kind: 'in-toto' | 'bundle';
  readonly metadata: ReadonlyMap<string, Uint8Array>;
  readonly ref: Ref | undefined;
  readonly path: string;
  /** Of a bundle: what all its statements must have; empty for any. */
  readonly predicateType: string;
  readonly subjects: readonly AttestedSubject[];
}
