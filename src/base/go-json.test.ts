import { expect, test } from 'vitest';
import { goJson } from './go-json.ts';

test('what HTML and JavaScript take for more than text is escaped, in members and their names', () => {
  expect(goJson({ 'a<b': '&>\u2028\u2029' })).toBe('{"a\\u003cb":"\\u0026\\u003e\\u2028\\u2029"}');
});

test('half a surrogate pair is the replacement character, as Go has no text with less', () => {
  expect(goJson(['\ud800x', '\u{1f600}'], ' ')).toBe('[\n "\ufffdx",\n "\u{1f600}"\n]');
});

test('numbers past 2^53 keep their digits and bytes are base64', () => {
  expect(goJson({ big: 2n ** 63n, bytes: Buffer.from('hi'), none: undefined })).toBe(
    '{"big":9223372036854775808,"bytes":"aGk="}',
  );
});

test('indented text has a member a line, and nothing within what is empty', () => {
  const value = { a: [], b: {}, c: [1, { d: null }], e: true, left: undefined };
  expect(goJson(value, '  ')).toBe(JSON.stringify(value, undefined, 2));
  expect(goJson(value)).toBe(JSON.stringify(value));
});

test('what is nested as deep as anything is written', () => {
  const deep = `${'[{"a":'.repeat(20_000)}1${'}]'.repeat(20_000)}`;
  expect(goJson(JSON.parse(deep))).toBe(deep);
});
