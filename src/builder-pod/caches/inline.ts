import { inSlices } from '../../base/index.ts';
import { encodeInlineRecords } from '../../cache/remote/index.ts';
import type { InlineCache } from '../engine/index.ts';
import { ExportOptions, withRow } from '../exporters/index.ts';
import { collectCache } from './collect.ts';
import { refuseTrust } from './trust.ts';
import { modeOf, type WriteDeps } from './write.ts';

/** A cache that an image carries in its configuration: of its own layers, so nothing else has to be kept, and nothing else is found by it. */
export function inlineCache(attrs: Readonly<Record<string, string>>, deps: WriteDeps): InlineCache {
  const options = new ExportOptions('inline cache', attrs);
  refuseTrust('inline', options);
  const ignoreError = options.boolean('ignore-error', false, { empty: true });
  const mode = modeOf(options);
  return {
    ignoreError,
    records: async (build, image, compression, context) => {
      options.tellUnused(context);
      if (mode !== 'min')
        context.progress.warn({
          level: 1,
          short: `an image carries a cache of its own layers only: mode=${mode} does nothing`,
        });
      return await withRow(context, 'preparing layers for inline cache', async () => {
        await using cache = await collectCache(build, { mode: 'min', compression }, deps, context);
        if (cache === undefined) return undefined;
        return await inSlices(encodeInlineRecords(cache.records, image), context);
      });
    },
  };
}
