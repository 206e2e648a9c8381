import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { configFileSchema, WITHOUT_EFFECT } from './config-file.ts';
import { FLAGS } from './flags.ts';

const page = readFileSync(join(import.meta.dirname, '../../../docs/buildkitd.md'), 'utf8');
const [flagsPart = '', keysPart = ''] = page.split('## buildkitd.toml');

/** Name and outcome of each row of the tables in a part of the page. */
function rows(part: string): ReadonlyMap<string, string> {
  return new Map([...part.matchAll(/^\| `([^`]+)` \| (.+) \|$/gm)].map((row) => [row[1] as string, row[2] as string]));
}

/** Dotted names of the leaves of a schema. */
function leaves(schema: unknown, name: string): string[] {
  if (schema instanceof z.ZodOptional) return leaves(schema.unwrap(), name);
  if (schema instanceof z.ZodObject) {
    const below = name === '' ? '' : `${name}.`;
    return Object.entries(schema.shape).flatMap(([key, value]) => leaves(value, `${below}${key}`));
  }
  if (schema instanceof z.ZodArray && schema.element instanceof z.ZodObject) return leaves(schema.element, `${name}[]`);
  if (schema instanceof z.ZodRecord && schema.valueType instanceof z.ZodObject)
    return leaves(schema.valueType, `${name}.*`);
  return [name];
}

describe('docs/buildkitd.md says what is done with', () => {
  test('every flag, and no other', () => {
    expect([...rows(flagsPart).keys()].sort()).toEqual(
      Object.keys(FLAGS)
        .map((name) => `--${name}`)
        .sort(),
    );
  });

  test('every key of the file, and no other', () => {
    expect([...rows(keysPart).keys()].sort()).toEqual(leaves(configFileSchema, '').sort());
  });

  test('keys whose setting is told to have no effect', () => {
    const of = rows(keysPart);
    for (const name of WITHOUT_EFFECT)
      for (const [key, outcome] of of)
        if (key === name || key.startsWith(`${name}.`)) expect(outcome, key).toMatch(/^no effect\b/);
    for (const name of WITHOUT_EFFECT) expect([...of.keys()].join(' '), name).toContain(name);
  });

  test('in the words that the page explains', () => {
    for (const [name, outcome] of [...rows(flagsPart), ...rows(keysPart)])
      expect(outcome, name).toMatch(/^(used|no effect|refused)\b/);
  });
});
