import { loadAll, load as loadYaml, YAMLException } from 'js-yaml';
import type { z } from 'zod';
import { invalidArgument } from '../base/index.ts';
import { type Build, build } from './build.ts';
import { type BuilderPool, builderPool } from './builder-pool.ts';
import { type KeptCertificate, keptCertificates } from './certificates.ts';
import { type PoolCache, poolCache } from './pool-cache.ts';

/** Longest manifest that is read, in characters. */
const MAX_MANIFEST = 4 * 1024 * 1024;

/**
 * Reads one `Build` from YAML or JSON.
 * @throws CodedError invalid_argument that names the file and the line (syntax) or the fields (content); all faults at once.
 */
export function parseBuild(text: string, filename: string): Build {
  const document = readManifest(text, filename, loadYaml);
  if (typeof document !== 'object' || document === null)
    throw invalidArgument(`${filename}: expected one Build object`);
  return checkBuild(document, filename);
}

/** Reads `BuilderPool`s from YAML, any number of documents. @throws CodedError invalid_argument as {@link parseBuild} */
export function parseBuilderPools(text: string, filename: string): readonly BuilderPool[] {
  const documents = readManifest(text, filename, (yaml, options) => loadAll(yaml, options));
  return documents
    .filter((document) => document !== null && document !== undefined)
    .map((document) => check(builderPool, document, filename, 'BuilderPool'));
}

/** Reads the cache of a cluster from YAML. @throws CodedError invalid_argument as {@link parseBuild} */
export function parsePoolCache(text: string, filename: string): PoolCache {
  return check(poolCache, readManifest(text, filename, loadYaml), filename, 'registry cache');
}

/** Certificates of a file, which the operator keeps. @throws CodedError invalid_argument */
export function parseKeptCertificates(text: string, filename: string): readonly KeptCertificate[] {
  return check(keptCertificates, readManifest(text, filename, loadYaml), filename, 'list of certificates');
}

function readManifest<T>(
  text: string,
  filename: string,
  load: (text: string, options: { readonly filename: string }) => T,
): T {
  if (text.length > MAX_MANIFEST) throw invalidArgument(`${filename} is longer than ${MAX_MANIFEST} characters`);
  try {
    return load(text, { filename });
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    const line = error.mark === undefined ? '' : `:${error.mark.line + 1}`;
    throw invalidArgument(`${filename}${line}: not valid YAML: ${error.reason}`, { cause: error });
  }
}

/** @throws CodedError invalid_argument that names all fields that are at fault, and what they are of */
export function checkBuild(document: object, what: string): Build {
  return check(build, document, what, 'Build');
}

function check<S extends z.ZodType>(schema: S, document: unknown, what: string, kind: string): z.output<S> {
  const parsed = schema.safeParse(document);
  if (!parsed.success)
    throw invalidArgument(`${what} is not a valid ${kind}:\n${describeIssues(parsed.error)}`, {
      cause: parsed.error,
    });
  return parsed.data;
}

/** One line a fault: `  spec.outputs[0].image: …`. */
export function describeIssues(error: z.ZodError): string {
  return error.issues.flatMap(flatten).join('\n');
}

/** A wrong key of a map hides the faults that say why: those are shown. */
function flatten(issue: z.core.$ZodIssue): string[] {
  const path = issue.path.reduce<string>(
    (at, part) => (typeof part === 'number' ? `${at}[${part}]` : at === '' ? String(part) : `${at}.${String(part)}`),
    '',
  );
  const messages = issue.code === 'invalid_key' ? issue.issues.map((inner) => inner.message) : [issue.message];
  return messages.map((message) => `  ${path || '(root)'}: ${message}`);
}
