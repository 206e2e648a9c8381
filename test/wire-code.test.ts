import { execFile } from 'node:child_process';
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';

const run = promisify(execFile);
const root = path.resolve(import.meta.dirname, '..');

/** Stands for the generator: writes what it was made from and notes each call; refuses a broken proto like the real one. */
const generator = `
const fs = require('node:fs');
const args = process.argv.slice(2);
fs.appendFileSync('calls', args.join(' ') + '\\n');
const text = args.filter((arg) => arg.endsWith('.proto')).map((file) => fs.readFileSync(file, 'utf8')).join('');
if (text.includes('BROKEN')) process.exit(1);
const out = args[args.indexOf('-o') + 1];
fs.writeFileSync(out, text);
if (args.includes('--dts')) fs.writeFileSync(out.replace('.js', '.d.ts'), 'types of ' + text);
`;

let checkout: string;
const generate = () => run('sh', [path.join(checkout, 'scripts/gen-proto.sh'), process.execPath]);
const calls = () => readFileSync(path.join(checkout, 'calls'), 'utf8').trim().split('\n').length;
const wire = () => path.join(checkout, 'src/builder-api/wire');
const made = (module: string) => readFileSync(path.join(wire(), module), 'utf8');

beforeEach(() => {
  checkout = mkdtempSync(path.join(tmpdir(), 'slipway wire-'));
  for (const part of ['proto', 'package.json', 'scripts/gen-proto.sh'])
    cpSync(path.join(root, part), path.join(checkout, part), { recursive: true });
  const bin = path.join(checkout, 'node_modules/protobufjs-cli/bin');
  mkdirSync(bin, { recursive: true });
  writeFileSync(path.join(bin, 'pbjs'), generator);
});
afterEach(() => rmSync(checkout, { recursive: true }));

test('the wire code is made where it is missing, once for all who ask at the same time, and then left alone', async () => {
  await Promise.all([generate(), generate(), generate()]);
  expect(calls()).toBe(4);
  expect(readdirSync(wire()).sort()).toEqual(['.made-from', 'core.d.ts', 'core.js', 'messages.d.ts', 'messages.js']);
  expect(made('core.js')).toBe(
    ['status', 'fsutil'].map((name) => readFileSync(path.join(root, `proto/${name}.proto`), 'utf8')).join(''),
  );
  await generate();
  expect(calls()).toBe(4);
});

test.each([
  ['a proto', 'proto/status.proto', '// changed'],
  ['how it is made', 'scripts/gen-proto.sh', '# changed'],
  ['the generator', 'package.json', '"protobufjs-cli": "9.9.9"'],
])('when %s changed it is made anew', async (_what, file, line) => {
  await generate();
  appendFileSync(path.join(checkout, file), `\n${line}\n`);
  await generate();
  expect(calls()).toBe(8);
  if (file.startsWith('proto/')) expect(made('core.js')).toContain(line);
});

test('a module that went away, as with a change of branch, is made anew', async () => {
  await generate();
  rmSync(path.join(wire(), 'messages.d.ts'));
  await generate();
  expect(made('messages.d.ts')).toContain('message SolveRequest');
});

test('a proto that is refused leaves the code as it was, and is tried again', async () => {
  await generate();
  const before = made('core.js');
  writeFileSync(path.join(checkout, 'proto/status.proto'), 'BROKEN');
  await expect(generate()).rejects.toThrow();
  expect(made('core.js')).toBe(before);
  await expect(generate()).rejects.toThrow();
  cpSync(path.join(root, 'proto/status.proto'), path.join(checkout, 'proto/status.proto'));
  await generate();
  expect(made('core.js')).toBe(before);
});

test('without a generator it is said what to do', async () => {
  rmSync(path.join(checkout, 'node_modules'), { recursive: true });
  await expect(generate()).rejects.toThrow(/npm ci/);
});

test('the wire code is not kept with the sources', async () => {
  expect(readFileSync(path.join(root, '.gitignore'), 'utf8').split('\n')).toContain('/src/builder-api/wire/');
  // Sources that were unpacked have nothing to ask.
  if (!existsSync(path.join(root, '.git'))) return;
  const { stdout } = await run('git', ['-c', 'safe.directory=*', 'ls-files', '-z'], { cwd: root, maxBuffer: 1 << 26 });
  expect(stdout.split('\0').filter((file) => file.includes('/wire/'))).toEqual([]);
});
