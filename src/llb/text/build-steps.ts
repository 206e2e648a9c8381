import { digestOf, withoutCredentials } from '../../base/index.ts';
import * as pb from '../codec/messages.ts';
import { CAPITALS } from '../codec/proto-json.ts';
import { malformed } from '../codec/reader.ts';
import { decodeMessage, type Schema, type WireMessage, type WireValue } from '../codec/schema.ts';
import type { Definition, SourceMap } from '../op.ts';

/** An op of a definition as provenance tells it: the field's JSON of `pb.Op`. */
interface BuildStep {
  readonly id: string;
  readonly op: unknown;
  /** `step3:0`, output 0 of the third step. */
  readonly inputs?: readonly string[];
}

interface BuildSteps {
  readonly steps: readonly BuildStep[];
  /** Position of each by the digest of its op as it was received. */
  readonly places: ReadonlyMap<string, number>;
}

/** What says nothing of a build but who asked for it this time. */
const OF_ONE_CLIENT = ['local.session', 'local.unique'];

/** All ops that the last one stands on, each after its inputs. @throws CodedError invalid_argument */
export function buildSteps(definition: Definition | undefined): BuildSteps {
  const last = definition?.ops.at(-1);
  if (definition === undefined || last === undefined) return { steps: [], places: new Map() };
  const ops = new Map(definition.ops.map((bytes) => [digestOf(bytes) as string, decodeMessage(pb.Op, bytes)]));
  const places = new Map<string, number>();
  const steps: BuildStep[] = [];
  // By a stack of its own: graphs are deep.
  const open = [{ digest: digestOf(last) as string, next: 0 }];
  const entered = new Set(open.map(({ digest }) => digest));
  for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
    const op = ops.get(top.digest);
    if (op === undefined) throw malformed(`failed to find input ${top.digest}`);
    const inputs = (op['inputs'] ?? []) as readonly WireMessage[];
    const input = inputs[top.next++];
    if (input !== undefined) {
      const digest = String(input['digest'] ?? '');
      if (!entered.has(digest)) {
        entered.add(digest);
        open.push({ digest, next: 0 });
      }
      continue;
    }
    open.pop();
    const names = inputs.map((one) => `step${places.get(String(one['digest'] ?? ''))}:${one['index'] ?? 0}`);
    places.set(top.digest, steps.length);
    steps.push({
      id: `step${steps.length}`,
      op: opJson(op),
      ...(names.length === 0 ? {} : { inputs: names }),
    });
  }
  return { steps, places };
}

/** Digests of ops with the names of their steps. */
export function digestMapping({ places }: BuildSteps): Readonly<Record<string, string>> {
  return Object.fromEntries([...places].sort().map(([digest, at]) => [digest, `step${at}`]));
}

/** The files that a graph was made of, and which of their lines each step comes from. */
export function sourceJson(source: SourceMap, steps: BuildSteps): unknown {
  const locations = [...source.locations].flatMap(([digest, all]) => {
    const at = steps.places.get(digest);
    return at === undefined || all.length === 0 ? [] : [[`step${at}`, { locations: all.map(locationJson) }] as const];
  });
  const infos = source.infos.map(({ filename, language, data, definition }) => {
    const own = buildSteps(definition);
    return {
      ...(filename === '' ? {} : { filename }),
      ...(language === '' ? {} : { language }),
      ...(data.length === 0 ? {} : { data }),
      ...(own.steps.length === 0 ? {} : { llbDefinition: own.steps, digestMapping: digestMapping(own) }),
    };
  });
  return {
    ...(locations.length === 0 ? {} : { locations: Object.fromEntries(locations) }),
    ...(infos.length === 0 ? {} : { infos }),
  };
}

type Location = NonNullable<ReturnType<SourceMap['locations']['get']>>[number];

function locationJson({ sourceIndex, ranges }: Location): unknown {
  const position = ({ line, character }: { readonly line: number; readonly character: number }) => ({
    ...(line === 0 ? {} : { line }),
    ...(character === 0 ? {} : { character }),
  });
  return {
    ...(sourceIndex === 0 ? {} : { sourceIndex }),
    ...(ranges.length === 0
      ? {}
      : { ranges: ranges.map(({ start, end }) => ({ start: position(start), end: position(end) })) }),
  };
}

const BODIES = ['exec', 'source', 'file', 'build', 'merge', 'diff', 'passthrough'];
const ACTIONS = ['copy', 'mkfile', 'mkdir', 'rm', 'symlink'];

/** `pb.Op` without its inputs. */
function opJson(op: WireMessage): unknown {
  const kind = BODIES.find((name) => op[name] !== undefined);
  const body = kind === undefined ? undefined : bodyJson(kind, op[kind] as WireMessage);
  return {
    Op: kind === undefined ? {} : { [kind]: body },
    ...optional('platform', pb.Platform, op['platform']),
    ...optional('constraints', pb.WorkerConstraints, op['constraints']),
  };
}

function optional(name: string, schema: Schema, value: WireValue | undefined): object {
  return value === undefined ? {} : { [name]: messageJson(schema, value as WireMessage) };
}

function bodyJson(kind: string, body: WireMessage): unknown {
  const schema = pb.Op.fields.find(({ name }) => name === kind)!.type as () => Schema;
  const json = messageJson(schema(), body);
  if (kind !== 'source') return json;
  // What is published tells nobody how to log in.
  const masked = (value: unknown) => (typeof value === 'string' ? withoutCredentials(value) : value);
  const kept = Object.entries(json['attrs'] ?? {}).filter(([name]) => !OF_ONE_CLIENT.includes(name));
  return {
    ...json,
    ...('identifier' in json ? { identifier: masked(json['identifier']) } : {}),
    attrs: kept.length === 0 ? undefined : Object.fromEntries(kept.map(([name, value]) => [name, masked(value)])),
  };
}

/** Names that Go's JSON writes otherwise than its fields are called here: with an underscore where their `.proto` files do. */
const NAMES: typeof CAPITALS = {
  ...CAPITALS,
  Meta: { proxyEnv: 'proxy_env' },
  ProxyEnv: {
    httpProxy: 'http_proxy',
    httpsProxy: 'https_proxy',
    ftpProxy: 'ftp_proxy',
    noProxy: 'no_proxy',
    allProxy: 'all_proxy',
  },
  FileActionCopy: {
    includePatterns: 'include_patterns',
    excludePatterns: 'exclude_patterns',
    requiredPaths: 'required_paths',
  },
};

/** Fields that say nothing are left out. Nesting is bounded where the message is decoded. */
function messageJson(schema: Schema, message: WireMessage): Record<string, unknown> {
  if (schema.name === 'FileAction') return actionJson(schema, message);
  if (schema.name === 'UserOpt') return { User: fieldsJson(schema, message) };
  return fieldsJson(schema, message);
}

function fieldsJson(schema: Schema, message: WireMessage): Record<string, unknown> {
  const json: Record<string, unknown> = {};
  for (const { name, type, cardinality } of schema.fields) {
    const value = message[name];
    if (value === undefined || saysNothing(value)) continue;
    const one = (each: WireValue) => (typeof type === 'function' ? messageJson(type(), each as WireMessage) : each);
    json[NAMES[schema.name]?.[name] ?? name] =
      cardinality === 'map'
        ? Object.fromEntries(
            [...(value as ReadonlyMap<string, WireValue>)].sort().map(([key, each]) => [key, one(each)]),
          )
        : cardinality === 'many'
          ? (value as readonly WireValue[]).map(one)
          : one(value);
  }
  return json;
}

function saysNothing(value: WireValue): boolean {
  if (value instanceof Map) return value.size === 0;
  if (Array.isArray(value) || value instanceof Uint8Array) return value.length === 0;
  return value === 0 || value === 0n || value === '' || value === false;
}

/** Its indexes are always told, and what it does by the name of the action. */
function actionJson(schema: Schema, message: WireMessage): Record<string, unknown> {
  const kind = ACTIONS.find((name) => message[name] !== undefined);
  const all = fieldsJson(schema, message);
  return {
    input: message['input'] ?? 0,
    secondaryInput: message['secondaryInput'] ?? 0,
    output: message['output'] ?? 0,
    Action: kind === undefined ? {} : { [kind]: all[kind] ?? {} },
  };
}
