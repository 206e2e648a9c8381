import { type ImageReference, parseImageReference } from '../../base/index.ts';

/** The repository of a provider's reference; undefined for lazy content of another kind (a client's store, a cache). */
export function repositoryOf(reference: string): Pick<ImageReference, 'domain' | 'path'> | undefined {
  try {
    return parseImageReference(reference);
  } catch {
    return undefined;
  }
}

/** Who answers for what a provider delivers: the repository, whatever tag or digest led to it. */
export function placeOf(reference: string): string {
  const repository = repositoryOf(reference);
  return repository === undefined ? reference : `${repository.domain}/${repository.path}`;
}
