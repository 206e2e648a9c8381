import path from 'node:path';
import { tool } from '../../test/tools.ts';

export { cache } from '../../test/tools.ts';

export const root = path.resolve(import.meta.dirname, '../..');
export const slipway = path.join(root, 'bin/slipway');
export const buildkitd = path.join(root, 'bin/buildkitd');
export const buildctl = tool('buildctl');
/** cosign's own verification: see e2e/cosign. */
export const cosignVerify = tool('cosign-verify');
export const buildx = tool('buildx');
export const kubectl = tool('kubectl');
