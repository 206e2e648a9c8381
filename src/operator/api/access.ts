import { type AbortOptions, CodedError, onAbort, RecentMap } from '../../base/index.ts';
import { FIELD_MANAGER } from '../resource-types.ts';
import { type KubeClient, type KubeObject, uncheckedType } from '../runtime/index.ts';
import { API_GROUP, API_VERSION } from './names.ts';
import type { User } from './user.ts';

interface AccessReview extends KubeObject {
  readonly spec: object;
  readonly status?: { readonly allowed?: boolean; readonly reason?: string };
}

const accessReviewType = uncheckedType<AccessReview>({
  group: 'authorization.k8s.io',
  version: 'v1',
  plural: 'subjectaccessreviews',
  kind: 'SubjectAccessReview',
  namespaced: false,
});

/** What somebody wants to do with a part of an object. */
export interface Wanted {
  readonly verb: 'get' | 'create';
  readonly resource: 'builds' | 'buildruns';
  readonly subresource: 'log' | 'upload';
  readonly namespace: string;
  readonly name: string;
}

const FRESH_MS = 10_000;
const ASK_MS = 10_000;
const MAX_ANSWERS = 1000;

/** Whether users may do things, as the API server says; asked again after some seconds. */
export class Access {
  readonly #kube: Pick<KubeClient, 'create'>;
  readonly #answers = new RecentMap<string, { readonly until: number; readonly allowed: Promise<boolean> }>(
    MAX_ANSWERS,
  );

  constructor(kube: Pick<KubeClient, 'create'>) {
    this.#kube = kube;
  }

  /** @throws CodedError permission_denied */
  async check(user: User, wanted: Wanted, { signal }: AbortOptions): Promise<void> {
    const spec = {
      user: user.name,
      ...(user.uid === undefined ? {} : { uid: user.uid }),
      groups: user.groups,
      extra: user.extra,
      resourceAttributes: { group: API_GROUP, version: API_VERSION, ...wanted },
    };
    const key = JSON.stringify(spec);
    let answer = this.#answers.get(key);
    if (answer === undefined || answer.until < performance.now()) {
      // Of nobody's own: others wait for it too.
      const allowed = this.#ask(spec, { signal: AbortSignal.timeout(ASK_MS) });
      answer = { until: performance.now() + FRESH_MS, allowed };
      this.#answers.set(key, answer);
      // What could not be asked is no answer.
      allowed.catch(() => this.#answers.delete(key));
    }
    using ended = onAbort(signal);
    if (await Promise.race([answer.allowed, ended.promise])) return;
    const { verb, resource, subresource, namespace, name } = wanted;
    throw new CodedError(
      'permission_denied',
      `${resource}.${API_GROUP} "${name}" is forbidden: User "${user.name}" cannot ${verb} resource "${resource}/${subresource}" in API group "${API_GROUP}" in the namespace "${namespace}"`,
    );
  }

  async #ask(spec: object, { signal }: AbortOptions): Promise<boolean> {
    const review: AccessReview = {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      metadata: { name: '' },
      spec,
    };
    const { status } = await this.#kube.create(accessReviewType, review, { signal, fieldManager: FIELD_MANAGER });
    return status?.allowed === true;
  }
}
