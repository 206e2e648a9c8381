import { mkdirSync, readFileSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { tempFolder } from '../../../e2e/support/temp-folder.ts';
import { type AttestationSource, encodeStatements, readAttestations, writeStatements } from './attestation-task.ts';
import { compactJson, indentJson } from './raw-json.ts';

let folder: ReturnType<typeof tempFolder>;
beforeEach(() => {
  folder = tempFolder('attestation');
});
afterEach(() => folder[Symbol.dispose]());

const source = (path: string, kind: AttestationSource['kind'] = 'in-toto'): AttestationSource => ({
  ...{ kind, path, predicateType: kind === 'in-toto' ? 'https://example.com/p' : '', subjects: [] },
});
const read = (path: string, kind?: AttestationSource['kind']) =>
  readAttestations({ root: folder.path, source: source(path, kind) });
const at = (name: string) => join(folder.path, name);

describe('what a frontend gives', () => {
  test.each([
    ['{', 'failed to marshal attestation: /a.json: '],
    ['{} {}', 'failed to marshal attestation: /a.json: '],
    ['nonsense', 'failed to marshal attestation: /a.json: '],
  ])('a predicate %j is refused', (text, why) => {
    writeFileSync(at('a.json'), text);
    expect(() => read('/a.json')).toThrow(why);
  });

  test.each([
    ['x', /^cannot decode in-toto statement: /],
    ['{} {}', /^cannot decode in-toto statement: /],
    ['[]', /it is no object/],
    ['{"predicateType":1}', /predicateType is no text/],
    ['{"subject":{}}', /subject is no list/],
    ['{"subject":[{"digest":{"sha256":1}}]}', /a subject is malformed/],
  ])('a bundle with a statement %j is refused', (text, why) => {
    mkdirSync(at('bundle'));
    writeFileSync(at('bundle/1.json'), text);
    expect(() => read('/bundle', 'bundle')).toThrow(why);
  });

  test('links lead nowhere but into the ref, and no file is read that is too large', () => {
    symlinkSync('../../../../etc/passwd', at('out'));
    expect(() => read('/out')).toThrow('cannot read in-toto attestation: open /out: no such file or directory');
    writeFileSync(at('large'), '');
    truncateSync(at('large'), (80 << 20) + 1);
    expect(() => read('/large')).toThrow('/large exceeds 83886080 bytes');
  });

  test('a bundle of too many statements is refused', () => {
    mkdirSync(at('bundle'));
    for (let n = 0; n < 1001; n++) writeFileSync(at(`bundle/${n}.json`), '{}');
    expect(() => read('/bundle', 'bundle')).toThrow('/bundle holds more than 1000 attestations');
  });
});

test('files of statements are named by no path, and readable to nobody else', () => {
  const attested = [{ path: 'x', predicateType: 'https://example.com/p', subjects: [], predicate: Buffer.from('{}') }];
  const write = (name: string) => writeStatements({ directory: folder.path, attested, names: [name], self: [] });
  for (const name of ['../x', 'a/b', '..', '.', '', 'a'.repeat(256)]) expect(() => write(name)).toThrow('is no name');
  write('x.json');
  expect(statSync(at('x.json')).mode & 0o777).toBe(0o600);
  expect(JSON.parse(readFileSync(at('x.json'), 'utf8'))).toMatchObject({ subject: [], predicate: {} });
});

test('a predicate is written as it stands but for its spaces', () => {
  const text = '{ "b" : 1.0 ,\n "b": 1e400, "s": "a \\" : , [ <&> \u2028", "e": { }, "l": [ [ ] , [1,{"x":null}] ] }';
  writeFileSync(at('a.json'), text);
  const [statement] = encodeStatements({ attested: read('/a.json'), self: [], files: [] });
  expect(Buffer.from(statement!.bytes ?? []).toString()).toBe(
    '{"_type":"https://in-toto.io/Statement/v1","predicateType":"https://example.com/p","subject":[],"predicate":' +
      '{"b":1.0,"b":1e400,"s":"a \\" : , [ \\u003c\\u0026\\u003e \\u2028","e":{},"l":[[],[1,{"x":null}]]}}',
  );
  expect(indentJson(compactJson(Buffer.from('{"e":{},"l":[[],[1,{"x":":,"}]]}'))).toString()).toBe(
    JSON.stringify({ e: {}, l: [[], [1, { x: ':,' }]] }, null, 2),
  );
});

test('bytes that are no text stay', () => {
  const name = Buffer.from([0x22, 0xff, 0xfe, 0x22]);
  expect(compactJson(Buffer.concat([Buffer.from('[ '), name, Buffer.from(' ]')]))).toEqual(
    Buffer.concat([Buffer.from('['), name, Buffer.from(']')]),
  );
});
