import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { customResourceDefinition, KINDS, type Schema } from './crd.ts';
import { generatedFiles } from './generate.ts';
import { DEFAULT } from './strings.ts';

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

  test.each(KINDS)('$kind: what a field means where it is left out keeps to the bounds of the field', (kind) => {
    const visit = (path: string, schema: z.ZodType): string[] => {
      const value = (schema.meta() as Readonly<Record<string, unknown>> | undefined)?.[DEFAULT];
      const found = value === undefined ? [] : [`${path}: ${String(value)}`];
      if (value !== undefined) expect(schema.safeParse(value), path).toMatchObject({ success: true });
      if (schema instanceof z.ZodOptional) return visit(path, schema.unwrap() as z.ZodType);
      if (schema instanceof z.ZodArray) return [...found, ...visit(`${path}[]`, schema.element as z.ZodType)];
      if (!(schema instanceof z.ZodObject)) return found;
      return Object.entries(schema.shape).flatMap(([name, field]) => visit(`${path}.${name}`, field as z.ZodType));
    };
    const defaults = visit('', kind.schema);
    if (kind.kind === 'Build') expect(defaults).toContain('.spec.cache.to[].maxAge: 720h');
    if (kind.kind === 'BuilderPool') expect(defaults).toContain('.spec.maxTimeout: 24h');
  });
});
