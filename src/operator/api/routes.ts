import { type AbortOptions, CodedError, invalidArgument } from '../../base/index.ts';
import type { KnownBuild, KnownRun } from '../known.ts';
import { parseLogQuery } from '../logs/query.ts';
import { changeOf, type RunLogParts, runLogText } from '../logs/run-log.ts';
import type { Informer } from '../runtime/index.ts';
import type { Access, Wanted } from './access.ts';
import { API_GROUP, API_VERSION, UPLOAD_PROTOCOL } from './names.ts';
import { type ApiHandlers, type ApiRequest, writeTo } from './server.ts';
import { relayUpload, type UploadParts } from './upload.ts';
import type { User } from './user.ts';

interface ApiParts extends RunLogParts, UploadParts {
  readonly builds: Informer<KnownBuild>;
  readonly access: Pick<Access, 'check'>;
  /** Milliseconds since the epoch by the API server's clock. */
  readonly now: () => number;
}

/** Logs that are read at once, and uploads that are served. */
const MAX_READERS = 256;
const MAX_UPLOADERS = 64;
/** The part of them that one user may have. */
const SHARE = 8;

const PATH = new RegExp(
  `^/apis/${API_GROUP}/${API_VERSION}/namespaces/([^/]+)/(builds|buildruns)/([^/]+)/(log|upload)$`,
);

/** What is served below the group: the logs of runs. */
export function apiHandlers(parts: ApiParts): ApiHandlers {
  const readers = new Places('logs are read', MAX_READERS);
  const uploaders = new Places('uploads are served', MAX_UPLOADERS);
  return {
    request: async (request, response) => {
      const { user, url, signal } = request;
      const wanted = wantedBy(request);
      if (wanted.subresource === 'upload')
        throw invalidArgument(`an upload is a connection that is upgraded to ${UPLOAD_PROTOCOL}`);
      const query = parseLogQuery(url.searchParams, parts.now());
      await parts.access.check(user, wanted, { signal });
      using _reader = readers.enter(user);
      let begun = false;
      const begin = () => {
        if (begun) return;
        begun = true;
        response.writeHead(200, {
          'content-type': query.format === 'json' ? 'application/x-ndjson' : 'text/plain; charset=utf-8',
          'x-content-type-options': 'nosniff',
        });
        response.flushHeaders();
      };
      const tell = async (run: KnownRun) => {
        if (query.follow) begin();
        for await (const text of runLogText(parts, run, query, { signal })) {
          begin();
          await writeTo(response, text, { signal });
        }
      };
      let run = runOf(parts, wanted);
      await tell(run);
      while (wanted.resource === 'builds' && query.follow) {
        run = await runAfter(parts, run, { signal });
        await tell(run);
      }
      begin();
      response.end();
    },
    upgrade: async (request, socket) => {
      const { user, url, signal } = request;
      const wanted = wantedBy(request);
      if (wanted.subresource !== 'upload' || request.protocol !== UPLOAD_PROTOCOL)
        throw new CodedError('unimplemented', `there is no protocol ${request.protocol.slice(0, 100)} here`);
      await parts.access.check(user, wanted, { signal });
      using _uploader = uploaders.enter(user);
      const run = uploadedRun(parts, wanted, url.searchParams.get('run'));
      await relayUpload(parts, run, user.name, socket, { signal });
    },
  };
}

/** @throws CodedError not_found, unimplemented */
function wantedBy({ method, url }: ApiRequest): Wanted {
  const [, namespace, resource, name, subresource] = PATH.exec(url.pathname) ?? [];
  if (subresource === undefined)
    throw new CodedError('not_found', `there is no ${url.pathname.slice(0, 500)}`, {
      hint: `there is …/namespaces/NAMESPACE/buildruns/NAME/log, and the same of builds, below /apis/${API_GROUP}/${API_VERSION}`,
    });
  const upload = subresource === 'upload' && resource === 'builds';
  if (method !== (upload ? 'POST' : 'GET'))
    throw new CodedError('unimplemented', `${method} is nothing that is done with ${resource}/${subresource}`);
  return {
    verb: upload ? 'create' : 'get',
    resource: resource as Wanted['resource'],
    subresource: upload ? 'upload' : 'log',
    namespace: decoded(namespace),
    name: decoded(name),
  };
}

function decoded(part: string | undefined): string {
  try {
    return decodeURIComponent(part ?? '');
  } catch {
    throw new CodedError('not_found', 'the path is not what a path can be');
  }
}

/** The run, or the newest of the Build. @throws CodedError not_found */
function runOf({ runs, builds }: ApiParts, { resource, namespace, name }: Wanted): KnownRun {
  const key = `${namespace}/${name}`;
  const run = resource === 'buildruns' ? runs.get(key) : newestOf(runs, namespace, name);
  if (run !== undefined) return run;
  if (resource === 'builds' && builds.get(key) !== undefined)
    throw new CodedError('not_found', `the Build ${key} has not run yet`);
  throw new CodedError('not_found', `there is no ${resource === 'builds' ? 'Build' : 'BuildRun'} ${key}`);
}

function newestOf(runs: Informer<KnownRun>, namespace: string, build: string): KnownRun | undefined {
  let newest: KnownRun | undefined;
  for (const run of runs.list()) {
    if (run.metadata.namespace !== namespace || run.spec.buildRef.name !== build) continue;
    if (newest === undefined || run.spec.number > newest.spec.number) newest = run;
  }
  return newest;
}

/** The next run of a Build, once it is there. */
async function runAfter(
  { runs, builds }: ApiParts,
  { spec: { buildRef, number }, metadata: { namespace } }: KnownRun,
  { signal }: AbortOptions,
): Promise<KnownRun> {
  let next: KnownRun | undefined;
  const isThere = () => {
    const newest = newestOf(runs, namespace as string, buildRef.name);
    if (newest !== undefined && newest.spec.number > number) next = newest;
    if (next === undefined && builds.get(`${namespace}/${buildRef.name}`) === undefined)
      throw new CodedError('not_found', `the Build ${namespace}/${buildRef.name} is no more`);
    return next !== undefined;
  };
  await changeOf(runs, undefined, isThere, { signal });
  return next as unknown as KnownRun;
}

/** The run of the Build that is named; its newest where none is. @throws CodedError not_found */
function uploadedRun(parts: ApiParts, wanted: Wanted, name: string | null): KnownRun {
  if (name === null) return runOf(parts, wanted);
  const run = parts.runs.get(`${wanted.namespace}/${name}`);
  // Rights are to a Build: a run of another one is none that is there.
  if (run === undefined || run.spec.buildRef.name !== wanted.name)
    throw new CodedError(
      'not_found',
      `there is no BuildRun ${wanted.namespace}/${name.slice(0, 253)} of ${wanted.name}`,
    );
  return run;
}

/** What is done at once: bounded, in all and for each user. */
class Places {
  readonly #what: string;
  readonly #most: number;
  readonly #of = new Map<string, number>();
  #all = 0;

  constructor(what: string, most: number) {
    this.#what = what;
    this.#most = most;
  }

  /** @throws CodedError resource_exhausted */
  enter({ name }: User): Disposable {
    const own = this.#of.get(name) ?? 0;
    const full = this.#all >= this.#most ? `${this.#all}` : own >= this.#most / SHARE ? `${own} of ${name}` : undefined;
    if (full !== undefined) throw new CodedError('resource_exhausted', `${full} ${this.#what} already`);
    this.#all++;
    this.#of.set(name, own + 1);
    return {
      [Symbol.dispose]: () => {
        this.#all--;
        const left = (this.#of.get(name) ?? 1) - 1;
        if (left === 0) this.#of.delete(name);
        else this.#of.set(name, left);
      },
    };
  }
}
