/**
 * The same work through Slipway, as it is published, and through `buildkitd`, side by side: one client (`buildctl`), one registry, both states on one journaled file system, rounds interleaved. Prints tables and
 * puts them into docs/benchmarks.md; given ids of rows or facts, measures those alone and writes nothing. Run by `npm run bench`; needs root.
 */
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import path from 'node:path';
import { unpackPublished } from '../test/published.ts';
import { cache } from '../test/tools.ts';
import { type Builder, type BuilderCommand, logOf, startBuilder } from './builders.ts';
import { Client } from './client.ts';
import { FACTS, type Fact } from './facts.ts';
import { prepareMachine } from './machine.ts';
import { type Measured, measureRow } from './measure.ts';
import { ROWS } from './rows.ts';
import { factsTable, rowsTable, writeBetweenMarks } from './table.ts';

const root = path.resolve(import.meta.dirname, '..');
const tools = path.join(cache, 'tools');

const asked = process.argv.slice(2);
const known = [...ROWS, ...FACTS].map(({ id }) => id);
const unknown = asked.filter((id) => !known.includes(id));
if (unknown.length > 0) throw new Error(`no such row: ${unknown.join(', ')} (there are ${known.join(', ')})`);
if (!existsSync(path.join(tools, 'buildctl')))
  throw new Error("buildctl is missing: run 'sh scripts/setup.sh tests' first");
const isWanted = ({ id }: { readonly id: string }) => asked.length === 0 || asked.includes(id);
const say = (text: string) => void process.stdout.write(`${text}\n`);

await using machine = await prepareMachine(mkdtempSync(path.join(tmpdir(), 'slipway-bench-')));
const client = new Client(path.join(tools, 'buildctl'), machine.registry);
const published = unpackPublished(path.join(machine.state, 'published'));
const commands: readonly BuilderCommand[] = [
  { name: 'slipway', command: published('buildkitd'), root: path.join(machine.state, 'slipway') },
  { name: 'buildkitd', command: path.join(tools, 'buildkitd'), root: path.join(machine.state, 'buildkitd') },
];
try {
  const rows = await measureRows();
  const facts: Fact[] = [];
  for (const group of FACTS.filter(isWanted)) {
    const measured = await group.measure({ commands, client, machine });
    facts.push(...measured);
    say(factsTable(measured));
  }
  if (asked.length === 0) {
    const page = path.join(root, 'docs/benchmarks.md');
    writeBetweenMarks(page, `${madeBy()}\n\n${rowsTable(rows)}\n\n${factsTable(facts)}`, 'bench');
    say(`written to ${page}`);
  }
} catch (error) {
  for (const command of commands)
    if (existsSync(logOf(command)))
      process.stderr.write(`--- ${command.name}\n${readFileSync(logOf(command), 'utf8').slice(-3000)}\n`);
  throw error;
}

async function measureRows(): Promise<readonly Measured[]> {
  const wanted = ROWS.filter(isWanted);
  if (wanted.length === 0) return [];
  await using stack = new AsyncDisposableStack();
  const builders: Builder[] = [];
  for (const command of commands) builders.push(stack.use(await startBuilder(command)));
  const rows: Measured[] = [];
  for (const row of wanted) {
    rows.push(await measureRow(row, builders, client, machine));
    say(rowsTable(rows.slice(-1)));
  }
  return rows;
}

function madeBy(): string {
  const model = cpus()[0]?.model ?? 'unknown';
  const module = readFileSync(path.join(root, 'e2e/tools/go.mod'), 'utf8');
  const version = /moby\/buildkit (v\S+)/.exec(module)?.[1] ?? 'of unknown version';
  return `Measured on ${cpus().length} cores (${model}), Node ${process.version}, Slipway as it is published, buildkitd ${version}.`;
}
