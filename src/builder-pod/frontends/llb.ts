import { annotate, formatPlatform, invalidArgument, type Platform, parsePlatform } from '../../base/index.ts';
import { type Definition, encodeDefinition } from '../../llb/index.ts';
import type { BridgeCall, BridgeRef, FrontendBridge } from './bridge.ts';
import type { Frontend } from './frontend.ts';

const MOST = 64;
const CONFIG = 'containerimage.config';

/**
 * `llb.v0`: graphs that are given as inputs become one result, an image's configuration with them. Option `platform` lists for which there is one, under the platform's name; without it there is one, `graph`, for
 * the builder's own. `containerimage.config[/PLATFORM]` are the configurations. `image/PLATFORM` is an image
 * that has one. With `file` the inputs make files, and this one of them is the graph.
 */
export function llbFrontend(): Frontend {
  return {
    name: 'llb.v0',
    run: async ({ options, inputs }, bridge, call) => {
      const listed = (options.get('platform') ?? '').split(',').filter((id) => id !== '');
      const file = options.get('file');
      const own = bridge.workers[0]?.platforms[0];
      const graphs =
        listed.length === 0 && own !== undefined
          ? [graphOf(inputs, 'graph', own)]
          : listed.map((id) => graphOf(inputs, id));
      if (graphs.length === 0 || graphs.length > MOST || new Set(listed).size !== listed.length)
        throw invalidArgument(`platform: from 1 to ${MOST} platforms are needed, each once`);
      const refs = new Map<string, BridgeRef>();
      const metadata = new Map<string, Uint8Array>();
      const single = graphs.length === 1;
      for (const { id, platform, definition } of graphs) {
        const given = await bridge.solve({ definition: encodeDefinition(definition) }, call);
        const ref = file === undefined ? given.ref : await solveFile(given.ref, file, bridge, call);
        refs.set(id, ref ?? { id: '' });
        const config = options.get(`${CONFIG}/${id}`) ?? options.get(CONFIG);
        const reference = options.get(`image/${id}`);
        const key = single ? CONFIG : `${CONFIG}/${id}`;
        if (config !== undefined) metadata.set(key, withPlatform(config, platform));
        else if (reference !== undefined) {
          const request = { reference, platform, resolveMode: 'default', logName: '' };
          metadata.set(key, (await bridge.resolveImageConfig(request, call)).config);
        }
      }
      const [only] = refs.values();
      if (single && only !== undefined) return { ref: only, metadata };
      const Platforms = graphs.map(({ id, platform }) => ({ ID: id, Platform: platform }));
      metadata.set('refs.platforms', Buffer.from(JSON.stringify({ Platforms })));
      return { refs, metadata };
    },
  };
}

async function solveFile(
  files: BridgeRef | undefined,
  file: string,
  bridge: FrontendBridge,
  call: BridgeCall,
): Promise<BridgeRef | undefined> {
  try {
    const definition = await bridge.readFile(files?.id ?? '', file, undefined, call);
    return (await bridge.solve({ definition }, call)).ref;
  } catch (error) {
    throw annotate(error, `the graph in ${file}`);
  }
}

interface Graph {
  readonly id: string;
  readonly platform: Platform;
  readonly definition: Definition;
}

function graphOf(inputs: ReadonlyMap<string, Definition>, id: string, own?: Platform): Graph {
  const platform = own ?? parsePlatform(id);
  if (own === undefined && formatPlatform(platform) !== id)
    throw invalidArgument(`platform: write ${formatPlatform(platform)}, not ${id}`);
  const definition = inputs.get(id);
  if (definition === undefined) throw invalidArgument(`there is no input ${id}`);
  return { id, platform, definition };
}

/** What a configuration does not say of where the image runs. */
function withPlatform(config: string, platform: Platform): Uint8Array {
  let json: unknown;
  try {
    json = JSON.parse(config);
  } catch (cause) {
    throw invalidArgument(`${CONFIG} is no JSON: ${(cause as Error).message}`, { cause });
  }
  const given = typeof json === 'object' && json !== null ? json : {};
  return Buffer.from(JSON.stringify('os' in given || 'architecture' in given ? given : { ...platform, ...given }));
}
