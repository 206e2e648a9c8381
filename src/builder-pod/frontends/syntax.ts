import { parseImageReference } from '../../base/index.ts';

const OFFICIAL = new Set(['docker/dockerfile', 'docker/dockerfile-upstream']);

/**
 * Whether a `# syntax=` reference names the Dockerfile frontend that this builder has itself: docker/dockerfile in version 1, whatever
 * minor version or channel, by tag or by digest.
 */
export function isBuiltInSyntax(reference: string): boolean {
  try {
    const { domain, path, tag } = parseImageReference(reference);
    if (domain !== 'docker.io' || !OFFICIAL.has(path)) return false;
    return tag === undefined || /^(1([.-].*)?|latest|labs|master.*)$/.test(tag);
  } catch {
    return false;
  }
}
