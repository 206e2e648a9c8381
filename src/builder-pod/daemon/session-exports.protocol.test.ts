import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CodedError, newId, neverAborted as signal } from '../../base/index.ts';
import { openBuilderClient, registerSessionServices } from '../../builder-api/client/index.ts';
import { type ExportDestination, Exporter, serveExports } from '../../builder-api/index.ts';
import { encodeDefinition, FileActions, scratch } from '../../llb/index.ts';
import { OURS, REAL, TestDaemon } from './testing/test-daemon.ts';

/** Outputs that a client names when it has seen the result: the real daemon and ours ask it the same, and do the same. */
const temp = mkdtempSync(join(tmpdir(), 'slipway-session-exports-'));
let both: readonly TestDaemon[];
beforeAll(async () => {
  both = [new TestDaemon(temp, 'real', REAL), new TestDaemon(temp, 'ours', OURS)];
  await Promise.all(both.map((daemon) => daemon.ready()));
});
afterAll(async () => {
  await Promise.all(both.map((daemon) => daemon.stop()));
  rmSync(temp, { recursive: true, force: true });
});

const definition = encodeDefinition(
  scratch()
    .file(new FileActions().mkfile('/named', 0o644, Buffer.from('x'), { timestamp: 0n }))
    .marshal(),
);
const tar = { type: 'tar', attrs: { 'source-date-epoch': '1' } };

async function solved(daemon: TestDaemon, serve: 'nothing' | 'exporters' | 'unknown' | 'refusing') {
  await using client = openBuilderClient(daemon.address);
  const dest = (n: number) => join(temp, `${daemon.name}-${serve}-${n}.tar`);
  const asked: unknown[] = [];
  await using session = client.hostSession({
    signal,
    register: (server) => {
      registerSessionServices(server, { secrets: new Map() });
      const to = (n: number): [number, ExportDestination] => [n, { kind: 'file', path: dest(n) }];
      serveExports(server, new Map([to(0), to(1)]));
      if (serve === 'nothing') return;
      server.register(Exporter, {
        findExporters: ({ metadata, refs }) => {
          // What the real daemon notes for itself.
          const told = Object.keys(metadata ?? {}).filter((key) => !key.startsWith('verifier.'));
          asked.push({ metadata: told.sort(), refs: refs?.length });
          if (serve === 'refusing') throw new CodedError('permission_denied', 'no outputs for you');
          return { exporters: [serve === 'unknown' ? { type: 'unknown' } : tar] };
        },
        finalizeExport: ({ exporterResponse }) => {
          asked.push(Object.keys(exporterResponse ?? {}).sort());
          return {};
        },
      });
    },
  });
  const request = { ref: newId(), session: session.id, definition, exporters: [tar], enableSessionExporter: true };
  const error = await client.control.solve(request, { signal }).then(
    () => undefined,
    (failure: Error) => failure.message,
  );
  const files = [0, 1].map((n) =>
    existsSync(dest(n)) ? execFileSync('tar', ['-tf', dest(n)], { encoding: 'utf8' }) : '',
  );
  return { error, asked, files };
}

test.each(['exporters', 'nothing', 'unknown', 'refusing'] as const)('a client that serves %s', async (serve) => {
  const [real, ours] = await Promise.all(both.map((daemon) => solved(daemon, serve)));
  const same = (outcome: typeof real) => ({ ...outcome, error: outcome?.error?.split(': ').at(-1) });
  expect(same(ours)).toEqual(same(real));
  if (serve === 'exporters') expect(ours?.files).toEqual(['named\n', 'named\n']);
});
