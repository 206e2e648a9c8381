import {
  CodedError,
  formatImageReference,
  formatPlatform,
  parseDigest,
  parseImageReference,
  parsePlatform,
} from '../base/index.ts';
import { encodeDefinition, image } from '../llb/index.ts';
import type { PlannedPart, SolvePlan } from './solve-plan.ts';

/** What the parts have done to layers already. */
const DONE = ['force-compression', 'rewrite-timestamp'];

/** The plan of one platform: what is said of an image, and its signature, come with the index. */
export function platformPlan(plan: SolvePlan): SolvePlan {
  const exporters = plan.exporters.map(({ type, attrs }) => ({
    type,
    attrs: Object.fromEntries(Object.entries(attrs).filter(([key]) => !/^(annotation|sign-)/.test(key))),
  }));
  return { ...plan, exporters };
}

/** The plan that makes an index of images that parts have pushed: each is taken as it is, and no layer of it moves. */
export function indexPlan(whole: SolvePlan, { images }: Extract<PlannedPart, { readonly kind: 'index' }>): SolvePlan {
  const [exporter] = whole.exporters;
  const [name] = (exporter?.attrs['name'] ?? '').split(',');
  if (exporter === undefined || name === undefined || name === '')
    throw new CodedError('internal', 'an index of parts has one output');
  const { tag: _, ...repository } = parseImageReference(name);
  const attrs: Record<string, string> = {};
  const inputs: Record<string, Uint8Array> = {};
  for (const { platform: text, digest } of images) {
    const platform = parsePlatform(text);
    const id = formatPlatform(platform);
    const pushed = formatImageReference({ ...repository, digest: parseDigest(digest) });
    attrs[`image/${id}`] = pushed;
    inputs[id] = encodeDefinition(image(pushed, { platform, name: `[index] ${id}` }).marshal({ platform }));
  }
  const kept = Object.entries(exporter.attrs).filter(([key]) => !DONE.includes(key));
  return {
    ...whole,
    frontend: 'llb.v0',
    frontendAttrs: { ...attrs, platform: Object.keys(inputs).join(',') },
    frontendInputs: inputs,
    exporters: [{ ...exporter, attrs: Object.fromEntries(kept) }],
    cacheImports: [],
    cacheExports: [],
  };
}
