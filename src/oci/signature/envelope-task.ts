import { createHash, type KeyObject, sign } from 'node:crypto';
import { closeSync, openSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import { CodedError, type Digest, digestOf } from '../../base/index.ts';
import { sharedBytes } from '../../sys/index.ts';

/** Source: https://github.com/secure-systems-lab/dsse, envelope.md and protocol.md. */
export const STATEMENT_TYPE = 'application/vnd.in-toto+json';
/** No text of JSON can hold it: an array ends, and then a member of an object begins. */
const PREDICATE = '],"predicate":';

interface Sealed {
  readonly digest: Digest;
  readonly size: number;
  readonly signature: Uint8Array;
  /** The envelope, unless it was written into the file. */
  readonly bytes?: Uint8Array;
  /** Where it was asked for. */
  readonly statement?: Uint8Array;
}

/** Where bytes lie. */
type Part = { readonly bytes: Uint8Array } | { readonly file: string };

/** A statement as the builder writes it, where it lies, and what else it is about. */
export interface SealArgs {
  readonly from: Part;
  readonly subjects: readonly { readonly name: string; readonly digest: Readonly<Record<string, string>> }[];
  readonly key: KeyObject;
  readonly hash: 'sha256' | null;
  /** Where the envelope goes; undefined for the answer. */
  readonly file: string | undefined;
  readonly withStatement: boolean;
}

/** Worker task: an in-toto statement of more subjects, in a signed DSSE envelope. */
export function sealStatement({ from, subjects, key, hash, file, withStatement }: SealArgs): Sealed {
  const given = 'file' in from ? readFileSync(from.file) : Buffer.from(from.bytes);
  const statement = withSubjects(given, subjects);
  const signature = sign(hash, encodedForSigning(STATEMENT_TYPE, statement), key);
  // Byte for byte what is sent to a log, which keeps its digest: cosign compares that with what it finds.
  const signatures = JSON.stringify([{ sig: signature.toString('base64') }]);
  const envelope = Buffer.concat([
    Buffer.from('{"payload":"'),
    Buffer.from(statement.toString('base64')),
    Buffer.from(`","payloadType":"${STATEMENT_TYPE}","signatures":${signatures}}`),
  ]);
  if (file !== undefined) writeFileSync(file, envelope, { mode: 0o600 });
  return {
    ...{ digest: digestOf(envelope), size: envelope.length, signature },
    ...(file === undefined ? { bytes: envelope } : {}),
    ...(withStatement ? { statement: sharedBytes(statement) } : {}),
  };
}

/** What of an envelope is signed. */
export function encodedForSigning(type: string, payload: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`DSSEv1 ${type.length} ${type} ${payload.length} `), payload]);
}

/** Worker task: digest and size of what lies in several places, one after the other. */
export function describeParts({ parts }: { readonly parts: readonly Part[] }): {
  readonly digest: Digest;
  readonly size: number;
} {
  const hash = createHash('sha256');
  let size = 0;
  const add = (bytes: Uint8Array) => {
    hash.update(bytes);
    size += bytes.length;
  };
  for (const part of parts)
    if ('bytes' in part) add(part.bytes);
    else {
      const chunk = Buffer.allocUnsafe(1 << 20);
      const file = openSync(part.file, 'r');
      try {
        for (let read = readSync(file, chunk); read > 0; read = readSync(file, chunk)) add(chunk.subarray(0, read));
      } finally {
        closeSync(file);
      }
    }
  return { digest: `sha256:${hash.digest('hex')}`, size };
}

function withSubjects(statement: Buffer, subjects: SealArgs['subjects']): Buffer {
  if (subjects.length === 0) return statement;
  const at = statement.indexOf(PREDICATE);
  if (at < 0) throw CodedError.of('INVARIANT', 'a statement has no subjects before its predicate');
  const more = JSON.stringify(subjects).slice(1, -1);
  const comma = statement[at - 1] === '['.charCodeAt(0) ? '' : ',';
  return Buffer.concat([statement.subarray(0, at), Buffer.from(comma + more), statement.subarray(at)]);
}
