import {
  decodeDefinition,
  FileActions,
  git,
  givenOutput,
  image,
  local,
  State,
  type StepOptions,
  scratch,
} from '../../llb/index.ts';
import type { BuildSpec, GraphStep, NamedContext, Source } from '../../resources/index.ts';
import { type ContextPlan, planContext, planNamedContext } from '../context.ts';
import type { ClusterValues } from '../solve-plan.ts';
import { fault } from './fields.ts';

/** Contexts of a Build as files that steps of its graph start from; what they need is added to the plan. */
export class GraphContexts {
  readonly #spec: BuildSpec;
  readonly #plan: ContextPlan;
  readonly #values: ClusterValues | undefined;
  readonly #planned = new Map<string | undefined, ContextPlan>();

  constructor(spec: BuildSpec, plan: ContextPlan, values: ClusterValues | undefined) {
    this.#spec = spec;
    this.#plan = plan;
    this.#values = values;
  }

  /** @throws CodedError for one that is not there */
  files(step: GraphStep, field: string, options: StepOptions): State {
    const { name, include, exclude } = step.context ?? {};
    const source: Source | NamedContext | undefined =
      name === undefined ? this.#spec.source : this.#spec.contexts?.find((one) => one.name === name);
    if (source === undefined)
      throw name === undefined
        ? fault(field, 'the Build has no spec.source')
        : fault(`${field}.name`, `spec.contexts has no ${JSON.stringify(name)}`);
    if (source.upload === undefined && (include ?? exclude) !== undefined)
      throw fault(`${field}.${include === undefined ? 'exclude' : 'include'}`, 'is for an upload');
    const key = name ?? 'context';
    if (source.upload !== undefined) {
      if (!this.#plan.uploads.includes(key)) this.#plan.uploads.push(key);
      return local(key, {
        sharedKeyHint: key,
        ...(include === undefined ? {} : { includePatterns: include }),
        ...(exclude === undefined ? {} : { excludePatterns: exclude }),
        ...options,
      });
    }
    if (source.oci !== undefined) return ofImage(source.oci, options);
    const given = this.#planOf(name, source).inputs[key];
    if (given !== undefined) return new State(givenOutput(decodeDefinition(given)));
    const { url, ref, subPath, submodules } = source.git as NonNullable<Source['git']>;
    return git(url, {
      ...(ref === undefined ? {} : { ref }),
      ...(subPath === undefined ? {} : { subDir: subPath }),
      ...(submodules === false ? { skipSubmodules: true } : {}),
      ...options,
    });
  }

  /** As frontends are told of it. */
  #planOf(name: string | undefined, source: Source | NamedContext): ContextPlan {
    const known = this.#planned.get(name);
    if (known !== undefined) return known;
    const own: ContextPlan = { ...this.#plan, attrs: {}, inputs: {}, uploads: [] };
    const around = { plan: own, values: this.#values, platforms: undefined };
    if (name === undefined) planContext(source, around);
    else planNamedContext(source as NamedContext, around);
    this.#planned.set(name, own);
    return own;
  }
}

/** For the platform that the graph is made for. */
function ofImage({ image: name, artifact, subPath }: NonNullable<Source['oci']>, options: StepOptions): State {
  const files = image(name, { ...(artifact ? { artifact } : {}), ...options });
  if (subPath === undefined) return files;
  const actions = new FileActions().copy(files, `/${subPath}`, '/', { dirCopyContents: true });
  return scratch().file(actions, options);
}
