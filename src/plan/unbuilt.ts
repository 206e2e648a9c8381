import { CodedError } from '../base/index.ts';
import type { BuildSpec } from '../resources/index.ts';

/** Fields of the resource whose silence would mislead: what they ask for is not built yet, so a Build that uses one is refused by name. */
const UNBUILT: readonly (readonly [string, (spec: BuildSpec) => boolean])[] = [
  ['spec.trust', (spec) => spec.trust !== undefined],
];

export function refuseUnbuilt(spec: BuildSpec): void {
  const used = UNBUILT.filter(([, uses]) => uses(spec)).map(([name]) => name);
  if (used.length > 0) throw CodedError.of('FIELD_NOT_BUILT', `${used.join(', ')}: not built yet`);
}
