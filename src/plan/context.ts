import { CodedError, invalidArgument, parsePlatform } from '../base/index.ts';
import {
  encodeDefinition,
  FileActions,
  git as gitSource,
  http,
  image,
  parseGitUrl,
  type State,
  scratch,
} from '../llb/index.ts';
import type { BuildSpec, NamedContext, Source } from '../resources/index.ts';
import { inlineDefinition } from './inline.ts';
import { type ClusterValues, fluxKey, type PlannedGitAuth, type PlannedSecret } from './solve-plan.ts';

type Kind<K extends keyof Source> = NonNullable<Source[K]>;

/** What the contexts of a Build add to its plan. */
export interface ContextPlan {
  readonly attrs: Record<string, string>;
  readonly inputs: Record<string, Uint8Array>;
  readonly uploads: string[];
  readonly gitAuth: PlannedGitAuth[];
  readonly httpAuth: PlannedSecret[];
  readonly ssh: PlannedSecret[];
}

/** What contexts look at. */
interface Around {
  readonly plan: ContextPlan;
  readonly values: ClusterValues | undefined;
  /** For images as contexts. */
  readonly platforms: BuildSpec['platforms'];
}

/** How a context is told to a frontend: as an attribute, as the definition of its files, or as what a client uploads. */
type Planned =
  | { readonly kind: 'attribute'; readonly value: string }
  | { readonly kind: 'definition'; readonly definition: Uint8Array }
  | { readonly kind: 'upload' };

/** The main context. Without a Dockerfile given apart, it is one of its files. */
export function planContext(source: Source, around: Around): void {
  const { plan } = around;
  const planned = planSource(source, { field: 'spec.source', main: true }, around);
  if (planned.kind === 'attribute') plan.attrs['context'] = planned.value;
  else if (planned.kind === 'upload') plan.uploads.push('context', 'dockerfile');
  else Object.assign(plan.inputs, { context: planned.definition, dockerfile: planned.definition });
}

export function planNamedContext(context: NamedContext, around: Around): void {
  const { plan } = around;
  const { name } = context;
  const planned = planSource(context, { field: `spec.contexts[${name}]`, main: false }, around);
  const tell = (value: string) => {
    plan.attrs[`context:${name}`] = value;
  };
  if (planned.kind === 'attribute') tell(planned.value);
  else if (planned.kind === 'upload') {
    plan.uploads.push(name);
    tell(`local:${name}`);
  } else {
    plan.inputs[name] = planned.definition;
    tell(`input:${name}`);
  }
}

interface Place {
  /** Of the Build. */
  readonly field: string;
  readonly main: boolean;
}

function planSource(source: Source | NamedContext, { field, main }: Place, around: Around): Planned {
  const { values } = around;
  if (source.git !== undefined) return planGit(source.git, `${field}.git`, around);
  if (source.http !== undefined) return planHttp(source.http, { field: `${field}.http`, main }, around);
  if (source.oci !== undefined) return planOci(source.oci, { field: `${field}.oci`, main }, around);
  if (source.flux !== undefined) return planFlux(source.flux, `${field}.flux`, values);
  if (source.inline !== undefined) return definition(inlineDefinition(source.inline.files, `${field}.inline.files`));
  if (source.configMap === undefined) return { kind: 'upload' };
  const files = configMapFiles(source.configMap.name, field, values);
  return definition(inlineDefinition(files, `${field}.configMap`));
}

const definition = (bytes: Uint8Array): Planned => ({ kind: 'definition', definition: bytes });
const marshalled = (state: State): Planned => definition(encodeDefinition(state.marshal()));

/** The files of an archive that is `name` in a state; what is no archive is that file. */
function unpacked(archive: State, name: string, field: string): State {
  const actions = new FileActions().copy(archive, `/${name}`, '/', { attemptUnpack: true });
  return scratch().file(actions, { name: `[internal] unpack ${field}` });
}

/** A folder of the files; its absence is told with the field. */
function below(files: State, subPath: string | undefined, field: string): State {
  if (subPath === undefined || /^[./]*$/.test(subPath)) return files;
  const actions = new FileActions().copy(files, `/${subPath}`, '/', { dirCopyContents: true });
  return scratch().file(actions, { name: `[internal] ${field}.subPath: take ${subPath}` });
}

/** The name that a file which is no archive has: the Dockerfile where it is all that there is, as frontends have it. */
const fileName = (main: boolean) => (main ? 'Dockerfile' : 'context');

function planHttp(
  { url, checksum, subPath, secretRef }: Kind<'http'>,
  { field, main }: Place,
  { plan }: Around,
): Planned {
  if (!URL.canParse(url)) throw invalidArgument(`${field}.url: ${JSON.stringify(url)} is no URL`);
  const filename = fileName(main);
  const id =
    secretRef === undefined
      ? undefined
      : `http-${secretRef.name}${secretRef.key === undefined ? '' : `-${secretRef.key}`}`;
  if (secretRef !== undefined && id !== undefined && !plan.httpAuth.some((one) => one.id === id))
    plan.httpAuth.push({ id, secretRef, field: `${field}.secretRef` });
  const file = http(url, {
    filename,
    ...(checksum === undefined ? {} : { checksum: checksum as `sha256:${string}` }),
    ...(id === undefined ? {} : { authHeaderSecret: id }),
    name: `[internal] load ${field}`,
  });
  return marshalled(below(unpacked(file, filename, field), subPath, field));
}

function planFlux({ kind, name, subPath }: Kind<'flux'>, field: string, values: ClusterValues | undefined): Planned {
  const artifact = values?.fluxArtifacts.get(fluxKey({ kind, name }));
  if (artifact === undefined)
    throw invalidArgument(
      `${field}: ${values === undefined ? 'only a cluster has sources of Flux' : `there is no artifact of the ${kind} ${name}`}`,
    );
  const filename = fileName(false);
  const checksum = artifact.digest as `sha256:${string}`;
  const file = http(artifact.url, { filename, checksum, name: `[internal] load ${field} at ${artifact.revision}` });
  return marshalled(below(unpacked(file, filename, field), subPath, field));
}

/** A named image keeps its configuration, so that FROM can name it; else its files are what counts. */
function planOci(
  { image: name, artifact, subPath }: Kind<'oci'>,
  { field, main }: Place,
  { platforms }: Around,
): Planned {
  if (!main && artifact !== true && subPath === undefined)
    return { kind: 'attribute', value: `docker-image://${name}` };
  const [platform] = platforms ?? [];
  const files = image(name, {
    artifact: true,
    name: `[internal] load ${field} ${name}`,
    ...(platform === undefined ? {} : { platform: parsePlatform(platform) }),
  });
  return marshalled(below(files, subPath, field));
}

/** URLs that are taken for git wherever they stand. */
const PLAINLY_GIT = /^(https?:\/\/.*\.git|(ssh|git):\/\/.*|[\w-]+@[a-zA-Z0-9.-]+:.*)$/;

/**
 * A context attribute; or the definition of a git source where the attribute could be taken for an archive or a folder, or has no place for what it needs: host keys, and credentials of its own where another
 * repository of the host has others.
 */
function planGit(git: Kind<'git'>, field: string, { plan, values }: Around): Planned {
  if (/[#?\s]/.test(git.url))
    throw invalidArgument(`${field}.url: ${JSON.stringify(git.url)}: give ref and subPath as fields of their own`);
  const { secretRef } = git;
  if (secretRef === undefined) return gitContext(git, plan);
  const { host, ssh } = parseGitUrl(git.url);
  if (!ssh) return withGitAuth(git, { host, secretRef, field: `${field}.secretRef` }, plan);
  if (values === undefined)
    throw invalidArgument(`${field}.secretRef: a key for git over ssh comes from a Secret, which only a cluster has`);
  const knownSshHosts = values.knownHosts.get(secretRef.name);
  if (knownSshHosts === undefined)
    throw CodedError.of('KNOWN_HOSTS_MISSING', `${field}.secretRef: the Secret ${secretRef.name} has no known_hosts`, {
      hint: `add the line that ssh-keyscan ${host} prints under the key known_hosts, once it is checked`,
    });
  const id = `git-${secretRef.name}`;
  if (!plan.ssh.some((one) => one.id === id)) plan.ssh.push({ id, secretRef, field: `${field}.secretRef` });
  return gitDefinition(git, plan, { knownSshHosts, mountSshSock: id });
}

/** The first Secret of a host is what all of its repositories are asked with, also those of ADD; another one is for its context alone. */
function withGitAuth(git: Kind<'git'>, auth: Omit<PlannedGitAuth, 'id'>, plan: ContextPlan): Planned {
  const { host, secretRef } = auth;
  const ofHost = plan.gitAuth.filter((one) => one.host === host);
  const at = ofHost.findIndex(({ secretRef: one }) => one.name === secretRef.name && one.key === secretRef.key);
  if (at < 0)
    plan.gitAuth.push({
      ...auth,
      id:
        ofHost.length === 0
          ? undefined
          : `git-${secretRef.name}${secretRef.key === undefined ? '' : `-${secretRef.key}`}`,
    });
  const id = at < 0 ? plan.gitAuth.at(-1)?.id : ofHost[at]?.id;
  if (id === undefined) return gitContext(git, plan);
  return gitDefinition(git, plan, { authTokenSecret: `${id}.token`, authHeaderSecret: `${id}.header` });
}

function gitDefinition(
  git: Kind<'git'>,
  { attrs }: ContextPlan,
  options: Parameters<typeof gitSource>[1] = {},
): Planned {
  return marshalled(
    gitSource(git.url, {
      ...options,
      ...(git.ref === undefined ? {} : { ref: git.ref }),
      ...(git.subPath === undefined ? {} : { subDir: git.subPath }),
      ...(git.submodules === false ? { skipSubmodules: true } : {}),
      // What the frontend reads of it where the context is an attribute.
      ...(/^(1|t|true)$/i.test(attrs['build-arg:BUILDKIT_CONTEXT_KEEP_GIT_DIR'] ?? '') ? { keepGitDir: true } : {}),
    }),
  );
}

/** `url#ref:subPath`, the form that contexts and LLB git sources share, where that is taken for git. */
function gitContext(git: Kind<'git'>, plan: ContextPlan): Planned {
  if (!PLAINLY_GIT.test(git.url)) return gitDefinition(git, plan);
  const url = git.submodules === false ? `${git.url}?submodules=false` : git.url;
  const fragment = `${git.ref ?? ''}${git.subPath === undefined ? '' : `:${git.subPath}`}`;
  return { kind: 'attribute', value: fragment === '' ? url : `${url}#${fragment}` };
}

function configMapFiles(
  name: string,
  field: string,
  values: ClusterValues | undefined,
): ReadonlyMap<string, Uint8Array> {
  const files = values?.configMaps.get(name);
  if (files === undefined)
    throw invalidArgument(
      `${field}.configMap: ${values === undefined ? 'only a cluster has ConfigMaps' : `there is no ConfigMap ${name}`}`,
    );
  return files;
}
