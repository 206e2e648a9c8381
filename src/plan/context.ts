import { CodedError, invalidArgument } from '../base/index.ts';
import { encodeDefinition, git as gitSource, parseGitUrl } from '../llb/index.ts';
import type { NamedContext, Source } from '../resources/index.ts';
import { inlineDefinition } from './inline.ts';
import type { ClusterValues, PlannedGitAuth, PlannedSecret } from './solve-plan.ts';

type GitSpec = NonNullable<Source['git']>;

/** What the contexts of a Build add to its plan. */
export interface ContextPlan {
  readonly attrs: Record<string, string>;
  readonly inputs: Record<string, Uint8Array>;
  readonly uploads: string[];
  readonly gitAuth: PlannedGitAuth[];
  readonly ssh: PlannedSecret[];
}

/** The main context: attribute `context` for what the builder fetches, input or local `context` else. */
export function planContext(source: Source, plan: ContextPlan, values: ClusterValues | undefined): void {
  const field = 'spec.source';
  const asInput = (definition: Uint8Array) => {
    plan.inputs['context'] = definition;
    // Without a Dockerfile given apart, it is one of the files.
    plan.inputs['dockerfile'] = definition;
  };
  if (source.inline !== undefined) asInput(inlineDefinition(source.inline.files, `${field}.inline.files`));
  else if (source.configMap !== undefined)
    asInput(inlineDefinition(configMapFiles(source.configMap.name, field, values), `${field}.configMap`));
  else if (source.upload !== undefined) plan.uploads.push('context', 'dockerfile');
  else if (source.git !== undefined) {
    const planned = planGit(source.git, `${field}.git`, plan, values);
    if (typeof planned === 'string') plan.attrs['context'] = planned;
    else asInput(planned);
  } else if (source.http !== undefined) plan.attrs['context'] = source.http.url;
  else
    throw invalidArgument(
      'spec.source.oci: an image as the main context is not supported yet; name it in spec.contexts',
    );
}

export function planNamedContext(context: NamedContext, plan: ContextPlan, values: ClusterValues | undefined): void {
  const field = `spec.contexts[${context.name}]`;
  const key = `context:${context.name}`;
  const asInput = (definition: Uint8Array) => {
    plan.inputs[context.name] = definition;
    plan.attrs[key] = `input:${context.name}`;
  };
  if (context.oci !== undefined) plan.attrs[key] = `docker-image://${context.oci.image}`;
  else if (context.git !== undefined) {
    const planned = planGit(context.git, `${field}.git`, plan, values);
    if (typeof planned === 'string') plan.attrs[key] = planned;
    else asInput(planned);
  } else if (context.http !== undefined) plan.attrs[key] = context.http.url;
  else if (context.inline !== undefined) asInput(inlineDefinition(context.inline.files, `${field}.inline.files`));
  else if (context.configMap !== undefined)
    asInput(inlineDefinition(configMapFiles(context.configMap.name, field, values), `${field}.configMap`));
  else {
    plan.uploads.push(context.name);
    plan.attrs[key] = `local:${context.name}`;
  }
}

/** URLs that are taken for git wherever they stand. */
const PLAINLY_GIT = /^(https?:\/\/.*\.git|(ssh|git):\/\/.*|[\w-]+@[a-zA-Z0-9.-]+:.*)$/;

/** A context attribute; or the definition of a git source where the attribute could be taken for an archive or a folder, or a Secret has the key: it has no place for host keys. */
function planGit(
  git: GitSpec,
  field: string,
  plan: ContextPlan,
  values: ClusterValues | undefined,
): string | Uint8Array {
  if (/[#?\s]/.test(git.url))
    throw invalidArgument(`git url ${JSON.stringify(git.url)}: give ref and subPath as fields of their own`);
  const { secretRef } = git;
  if (secretRef === undefined) return gitContext(git, plan);
  const { host, ssh } = parseGitUrl(git.url);
  if (!ssh) {
    plan.gitAuth.push({ host, secretRef, field: `${field}.secretRef` });
    return gitContext(git, plan);
  }
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

function gitDefinition(
  git: GitSpec,
  { attrs }: ContextPlan,
  options: { readonly knownSshHosts?: string; readonly mountSshSock?: string } = {},
): Uint8Array {
  const state = gitSource(git.url, {
    ...options,
    ...(git.ref === undefined ? {} : { ref: git.ref }),
    ...(git.subPath === undefined ? {} : { subDir: git.subPath }),
    ...(git.submodules === false ? { skipSubmodules: true } : {}),
    // What the frontend reads of it where the context is an attribute.
    ...(/^(1|t|true)$/i.test(attrs['build-arg:BUILDKIT_CONTEXT_KEEP_GIT_DIR'] ?? '') ? { keepGitDir: true } : {}),
  });
  return encodeDefinition(state.marshal());
}

/** `url#ref:subPath`, the form that contexts and LLB git sources share, where that is taken for git. */
function gitContext(git: GitSpec, plan: ContextPlan): string | Uint8Array {
  if (!PLAINLY_GIT.test(git.url)) return gitDefinition(git, plan);
  const url = git.submodules === false ? `${git.url}?submodules=false` : git.url;
  const fragment = `${git.ref ?? ''}${git.subPath === undefined ? '' : `:${git.subPath}`}`;
  return fragment === '' ? url : `${url}#${fragment}`;
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
