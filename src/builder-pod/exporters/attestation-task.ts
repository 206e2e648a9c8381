import { createHash } from 'node:crypto';
import { closeSync, constants as fs, fstatSync, readSync, writeFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { type Attestation, type AttestedSubject, CodedError, type Digest, digestOf, goJson } from '../../base/index.ts';
import { sortedMap } from '../../oci/manifest/index.ts';
import { hasErrno, openRoot, type Root, sharedBytes, type TaskContext } from '../../sys/index.ts';
import { compactJson, indentJson } from './raw-json.ts';

/** Of a statement: what it is about. */
export interface Subject {
  readonly name: string;
  readonly digest: Readonly<Record<string, string>>;
}

/** Where an attestation lies in a ref: the predicate of one, or a directory of statements. */
export type AttestationSource = Pick<Attestation<never>, 'kind' | 'path' | 'predicateType' | 'subjects'>;

/** One attestation, read. */
export interface Attested {
  readonly path: string;
  readonly predicateType: string;
  readonly subjects: readonly AttestedSubject[];
  /** JSON without spaces. */
  readonly predicate: Uint8Array;
}

interface Statement {
  readonly predicateType: string;
  readonly digest: Digest;
  readonly size: number;
  /** Undefined for one that was written into a file. */
  readonly bytes?: Uint8Array;
}

/** Of one attestation. */
export const MOST_BYTES = 80 << 20;
/** Of all attestations of a platform. */
export const MOST_TOTAL = 160 << 20;
const MOST_STATEMENTS = 1000;

const STATEMENT = 'https://in-toto.io/Statement/v1';
export const PROVENANCE = 'https://slsa.dev/provenance/';

const bad = (message: string, cause?: unknown) =>
  CodedError.of('EXPORT_ATTESTATION', message, { ...(cause === undefined ? {} : { cause }) });

/** Worker task: what a source holds, below `root`. @throws CodedError */
export function readAttestations(args: { readonly root: string; readonly source: AttestationSource }): Attested[] {
  const { kind, path, predicateType, subjects } = args.source;
  using root = openRoot(args.root);
  if (kind === 'bundle') return [...readBundle(root, path, predicateType)];
  let bytes: Buffer;
  try {
    bytes = readRegular(root, path, MOST_BYTES);
  } catch (error) {
    throw bad(`cannot read in-toto attestation: ${(error as Error).message}`, error);
  }
  // As with other builders, no content is no predicate.
  if (bytes.length === 0) return [{ path, predicateType, subjects, predicate: Buffer.from('null') }];
  try {
    return [{ path, predicateType, subjects, predicate: sharedBytes(compactJson(bytes)) }];
  } catch (error) {
    throw bad(`failed to marshal attestation: ${path}: ${(error as Error).message}`, error);
  }
}

function* readBundle(root: Root, path: string, required: string): Generator<Attested> {
  let room = MOST_TOTAL;
  for (const [at, name] of namesOf(root, path).entries()) {
    if (at >= MOST_STATEMENTS) throw bad(`${path} holds more than ${MOST_STATEMENTS} attestations`);
    const inside = posix.join(path, name);
    const bytes = readRegular(root, inside, Math.min(room, MOST_BYTES));
    room -= bytes.length;
    const { predicateType, subject, predicate } = parseStatement(bytes);
    if (required !== '' && predicateType !== required)
      throw bad(`bundle entry ${predicateType} does not match required predicate type ${required}`);
    if (predicateType.startsWith(PROVENANCE)) throw bad('frontend may not bundle provenance attestations');
    yield {
      ...{ path: inside, predicateType, predicate: sharedBytes(Buffer.from(goJson(sorted(predicate)))) },
      subjects: subject.map((one) => ({ kind: 'raw', ...one })),
    };
  }
}

function namesOf(root: Root, path: string): readonly string[] {
  try {
    return root.readdir(path).sort();
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) throw bad(`open ${path}: no such file or directory`, error);
    if (hasErrno(error, 'ENOTDIR')) throw bad(`open ${path}: not a directory`, error);
    throw error;
  }
}

function readRegular(root: Root, path: string, room: number): Buffer {
  let fd: number;
  try {
    fd = root.open(path, fs.O_RDONLY | fs.O_NONBLOCK);
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) throw bad(`open ${path}: no such file or directory`, error);
    throw error;
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw bad(`open ${path}: not a regular file`);
    if (stat.size > room) throw bad(`${path} exceeds ${room} bytes`);
    const bytes = Buffer.alloc(stat.size);
    let filled = 0;
    for (let read = -1; filled < bytes.length && read !== 0; filled += read)
      read = readSync(fd, bytes, filled, bytes.length - filled, filled);
    return bytes.subarray(0, filled);
  } finally {
    closeSync(fd);
  }
}

function parseStatement(bytes: Buffer): { predicateType: string; subject: Subject[]; predicate: unknown } {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw bad(`cannot decode in-toto statement: ${(error as Error).message}`, error);
  }
  const fail = (what: string) => bad(`cannot decode in-toto statement: ${what}`);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw fail('it is no object');
  const { predicateType = '', subject = [], predicate = null } = value as Readonly<Record<string, unknown>>;
  if (typeof predicateType !== 'string') throw fail('predicateType is no text');
  if (subject !== null && !Array.isArray(subject)) throw fail('subject is no list');
  const subjects = (subject ?? []).map((each: unknown): Subject => {
    const { name = '', digest = {} } = (each ?? {}) as Readonly<Record<string, unknown>>;
    const hexes = Object.entries(digest ?? {});
    if (typeof name !== 'string' || hexes.some(([, hex]) => typeof hex !== 'string'))
      throw fail('a subject is malformed');
    return { name: name === '' ? '_' : name, digest: Object.fromEntries(hexes) as Record<string, string> };
  });
  return { predicateType, subject: subjects, predicate };
}

/** With the members of all objects in order, as Go writes what it has parsed. */
function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(sorted);
  return sortedMap(Object.fromEntries(Object.entries(value).map(([name, member]) => [name, sorted(member)]))) ?? {};
}

/** Worker task: statements as they are written, of `self` where an attestation is of what the output makes. Those for which `files` has a path go there. */
export function encodeStatements(args: {
  readonly attested: readonly Attested[];
  readonly self: readonly Subject[];
  readonly files: readonly (string | undefined)[];
}): Statement[] {
  return args.attested.map((one, at) => {
    const bytes = statement(one, args.self);
    const file = args.files[at];
    if (file !== undefined) writeFileSync(file, bytes, { mode: 0o600 });
    const { predicateType } = one;
    return { predicateType, digest: digestOf(bytes), size: bytes.length, ...(file === undefined ? { bytes } : {}) };
  });
}

function statement({ predicateType, subjects, predicate }: Attested, self: readonly Subject[]): Buffer {
  const about = subjects.length === 0 ? self : subjects.flatMap((subject) => named(subject, self));
  const subject = about.map(({ name, digest }) => ({ name, digest: sortedMap(digest) ?? {} }));
  const head = goJson({ _type: STATEMENT, predicateType, subject });
  return Buffer.concat([Buffer.from(`${head.slice(0, -1)},"predicate":`), predicate, Buffer.from('}')]);
}

function named(subject: AttestedSubject, self: readonly Subject[]): readonly Subject[] {
  if (subject.kind === 'raw') return [subject];
  if (subject.name === '') return self;
  return self.flatMap((one) => [one, { name: subject.name, digest: one.digest }]);
}

/** Worker task: the regular files of a tree, what attestations of it are about. */
export function digestFiles(args: { readonly directory: string }, context: TaskContext): Subject[] {
  using root = openRoot(args.directory);
  const found: Subject[] = [];
  const buffer = Buffer.allocUnsafe(1 << 20);
  const open = ['/'];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    context.throwIfAborted();
    const type = root.lstatIfAny(at)?.type;
    if (type === 'dir') {
      const names = root.readdir(at).sort().reverse();
      for (const name of names) open.push(posix.join(at, name));
    } else if (type === 'file') {
      const fd = root.open(at, fs.O_RDONLY | fs.O_NONBLOCK);
      try {
        const hash = createHash('sha256');
        for (let read = readSync(fd, buffer); read > 0; read = readSync(fd, buffer)) {
          context.throwIfAborted();
          hash.update(buffer.subarray(0, read));
        }
        found.push({ name: at.slice(1), digest: { sha256: hash.digest('hex') } });
      } finally {
        closeSync(fd);
      }
    }
  }
  return found;
}

/** Worker task: writes statements in lines into an empty directory of ours, under these names. @throws CodedError for a name that is none */
export function writeStatements(args: {
  readonly directory: string;
  readonly attested: readonly Attested[];
  readonly names: readonly string[];
  readonly self: readonly Subject[];
}): void {
  for (const [at, one] of args.attested.entries()) {
    const name = args.names[at] ?? '';
    if (name === '' || /[/\0]/.test(name) || name === '.' || name === '..' || Buffer.byteLength(name) > 255)
      throw bad(`${JSON.stringify(name)} is no name for the file of an attestation`);
    writeFileSync(join(args.directory, name), indentJson(statement(one, args.self)), { mode: 0o600, flag: 'wx' });
  }
}
