import type { Descriptor } from '../../../base/index.ts';
import type { SlsaVersion } from './options.ts';
import type { ConfigSource, DigestSet, Parameters } from './parameters.ts';

/** An output of a step, by what its layers are found by. */
export interface StepOutput {
  /** Digest of the op as the definition has it. */
  readonly op: string;
  readonly output: number;
  /** Of the result that the build has used, in the builder's own store… */
  readonly record?: string;
  /** …or, of a step whose result it did not need, the keys that it has. */
  readonly keys?: readonly string[];
}

/** Layers of a step's result, by the name of its output. */
export interface StepLayers {
  /** Digest of the op as the definition has it. */
  readonly op: string;
  readonly output: number;
  readonly chain: readonly Descriptor[];
}

/** All that a predicate tells, but for what is read from the graph. */
export interface PredicateFacts {
  readonly version: SlsaVersion;
  readonly builderId: string;
  readonly invocationId: string;
  /** As RFC 3339 has them. */
  readonly startedOn: string;
  readonly finishedOn: string;
  readonly reproducible: boolean;
  readonly configSource: ConfigSource;
  readonly request: Parameters;
  readonly materials: readonly { readonly uri: string; readonly digest?: DigestSet }[];
  readonly builderPlatform: string;
  readonly targetPlatform?: string | undefined;
  readonly vcs?: Readonly<Record<string, string>>;
  readonly isRequestWhole: boolean;
  readonly areMaterialsWhole: boolean;
  readonly isHermetic: boolean;
  /** The graph, told with its sources where it is there. */
  readonly definition?: Uint8Array;
  readonly layers?: readonly StepLayers[];
}

/** Steps whose layers are looked for when somebody asks. */
export interface KeptSteps {
  readonly outputs: readonly StepOutput[];
  /** Whose records their build could read. */
  readonly scopes: readonly string[];
}

/** What is kept until somebody asks for a predicate. */
interface KeptFacts extends PredicateFacts {
  readonly steps?: KeptSteps;
}

const NEWLINE = 0x0a;

/** The facts as a line of JSON, and the graph as it is encoded: little work for whoever has them, and all that a predicate is made of later. */
export function keptFacts({ definition, ...facts }: KeptFacts): readonly Uint8Array[] {
  return [Buffer.from(`${JSON.stringify(facts)}\n`), ...(definition === undefined ? [] : [definition])];
}

/** Reads what {@link keptFacts} has made; nothing where the predicate, which has its first line to itself, is there already. */
export function readFacts(bytes: Uint8Array): KeptFacts | undefined {
  const end = bytes.indexOf(NEWLINE);
  const line = Buffer.from(end < 0 ? bytes : bytes.subarray(0, end)).toString();
  if (line === '{') return undefined;
  const facts: KeptFacts = JSON.parse(line);
  const definition = bytes.subarray(end + 1);
  return end < 0 || definition.length === 0 ? facts : { ...facts, definition };
}
