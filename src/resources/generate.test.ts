import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { customResourceDefinition, KINDS, type Schema } from './crd.ts';
import { generatedFiles } from './generate.ts';

const root = join(import.meta.dirname, '../..');

describe('what is made from the schemas', () => {
  test.each([...generatedFiles()])('%s is not stale (npm run crds)', (file, text) => {
    expect(readFileSync(join(root, file), 'utf8')).toBe(text);
  });

  test.each(KINDS)('$kind: every field has a description, every text, list and map a maximum', (kind) => {
    const missing: string[] = [];
    const visit = (path: string, schema: Schema): void => {
      if (schema.description === undefined) missing.push(`${path}: description`);
      if (schema.type === 'string' && schema['maxLength'] === undefined && schema.enum === undefined)
        missing.push(`${path}: maxLength`);
      if (schema.type === 'array' && schema['maxItems'] === undefined) missing.push(`${path}: maxItems`);
      if (schema.type === 'object' && typeof schema.additionalProperties === 'object') {
        if (schema['maxProperties'] === undefined) missing.push(`${path}: maxProperties`);
        if (schema.additionalProperties.type === 'string' && schema.additionalProperties['maxLength'] === undefined)
          missing.push(`${path}{}: maxLength`);
      }
      for (const [name, property] of Object.entries(schema.properties ?? {})) visit(`${path}.${name}`, property);
      if (schema.items !== undefined) {
        if (schema.items.type === 'object') visit(`${path}[]`, schema.items);
        else if (
          schema.items.type === 'string' &&
          schema.items['maxLength'] === undefined &&
          schema.items.enum === undefined
        )
          missing.push(`${path}[]: maxLength`);
      }
    };
    const crd = customResourceDefinition(kind) as {
      spec: { versions: readonly { schema: { openAPIV3Schema: Schema } }[] };
    };
    const schema = crd.spec.versions[0]?.schema.openAPIV3Schema as Schema;
    for (const part of ['spec', 'status']) visit(part, schema.properties?.[part] as Schema);
    expect(missing).toEqual([]);
  });
});
