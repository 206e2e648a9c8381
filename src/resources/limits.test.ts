import { describe, expect, test } from 'vitest';
import { parseDuration } from './duration.ts';
import { MAX_SPEC_BYTES, overLimit } from './limits.ts';
import { parseBuild } from './load.ts';

const files = (text: string, count: number, length: number) => ({
  source: {
    inline: { files: Object.fromEntries(Array.from({ length: count }, (_, at) => [`f${at}`, text.repeat(length)])) },
  },
});
const nested = (depth: number): unknown => {
  let value: unknown = 1;
  for (let at = 0; at < depth; at++) value = { a: value };
  return value;
};
const manifest = (spec: object) =>
  JSON.stringify({ apiVersion: 'slipway.build/v1alpha1', kind: 'Build', metadata: { name: 'x' }, spec });

describe('a spec is bounded', () => {
  test('in bytes, as an API server stores them', () => {
    expect(overLimit(files('x', 4, 200_000))).toBeUndefined();
    expect(overLimit(files('x', 6, 200_000))?.reason).toBe('SpecTooLarge');
    expect(overLimit(files('ß', 4, 200_000))?.message).toMatch(/^the spec takes 16\d+ bytes; at most 1048576/);
    // Stored as \u003c.
    expect(overLimit(files('<', 1, 200_000))?.reason).toBe('SpecTooLarge');
    expect(overLimit(files('<', 1, MAX_SPEC_BYTES / 6 - 100))).toBeUndefined();
  });

  test('in depth, also where nothing else looks', () => {
    expect(overLimit({ llb: { graph: nested(100) } })).toBeUndefined();
    expect(overLimit({ llb: { graph: nested(5000) } })?.reason).toBe('SpecTooDeep');
    expect(overLimit({ llb: { graph: JSON.parse(`${'['.repeat(9000)}${']'.repeat(9000)}`) as unknown } })?.reason).toBe(
      'SpecTooDeep',
    );
  });

  test('and the command says so as well', () => {
    expect(() => parseBuild(manifest(files('x', 6, 200_000)), 'build.yaml')).toThrow(/spec: at most 1048576 bytes/);
    for (const depth of [500, 5000, 50_000])
      expect(() =>
        parseBuild(
          `{"apiVersion":"slipway.build/v1alpha1","kind":"Build","metadata":{"name":"x"},"spec":{"llb":{"graph":${'['.repeat(depth)}${']'.repeat(depth)}}}}`,
          'build.yaml',
        ),
      ).toThrow(/build\.yaml/);
  });
});

describe('a duration', () => {
  test('is in milliseconds', () => {
    expect(['90s', '1h30m', '1.5s', '200ms'].map(parseDuration)).toEqual([90_000, 5_400_000, 1500, 200]);
  });

  test.each(['timeout', 'queueTimeout'])('of a %s is neither none nor endless', (field) => {
    const given = (text: string) => () =>
      parseBuild(manifest({ dockerfile: { inline: 'FROM scratch' }, [field]: text }), 'build.yaml');
    for (const text of ['0s', '999ms', '0h0m', '169h', '99999999999999999999h'])
      expect(given(text), text).toThrow(/must be from 1s to 168h/);
    for (const text of ['1s', '168h', '1h30m']) expect(given(text), text).not.toThrow();
  });
});
