import { dump, load } from 'js-yaml';
import { invalidArgument } from '../../base/index.ts';
import type { Definition } from '../op.ts';
import { definitionFromJson, definitionToJson, type JsonDefinition } from './json.ts';

/** {@link definitionToJson} as YAML. */
export function definitionToYaml(definition: Definition): string {
  return dump(definitionToJson(definition), { lineWidth: 120 });
}

/** @throws CodedError invalid_argument for text that is no definition. */
export function definitionFromYaml(text: string): Definition {
  let value: unknown;
  try {
    value = load(text);
  } catch (error) {
    throw invalidArgument(`invalid YAML: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
  const { steps, result } = (value ?? {}) as Partial<JsonDefinition>;
  if (!Array.isArray(steps) || typeof result !== 'string')
    throw invalidArgument('a graph needs `steps`, a list, and `result`, the id of a step');
  return definitionFromJson({ steps, result });
}
