import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { load } from 'js-yaml';
import { expect, test } from 'vitest';
import { chartFiles, chartValues } from '../scripts/chart-files.ts';
import { operatorMetrics } from '../src/operator/metrics/metrics.ts';
import { KINDS } from '../src/resources/crd.ts';

const root = path.resolve(import.meta.dirname, '..');
const chart = path.join(root, 'charts/slipway');
const read = (file: string) => readFileSync(path.join(chart, file), 'utf8');

test('CRD templates, schema and README are what `npm run chart` makes', () => {
  for (const [file, text] of chartFiles(root)) expect(readFileSync(path.join(root, file), 'utf8'), file).toBe(text);
  expect(readdirSync(path.join(chart, 'templates/crds')).sort()).toEqual(
    KINDS.map(({ plural }) => `${plural}.yaml`).sort(),
  );
});

test('the chart tells its version, images and kinds as they are', () => {
  const about = load(read('Chart.yaml')) as {
    version: string;
    appVersion: string;
    annotations: Record<string, string>;
  };
  const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { version: string };
  expect([about.version, about.appVersion]).toEqual([version, version]);
  const values = chartValues(root);
  const annotation = (name: string) => load(about.annotations[`artifacthub.io/${name}`]!) as Record<string, string>[];
  expect(annotation('images')).toEqual(
    [
      ['operator', 'operator'],
      ['builder', 'builders'],
    ].map(([name, at]) => ({
      name,
      image: `${values.get(`${at}.image.registry`)}/${values.get(`${at}.image.repository`)}:${version}`,
    })),
  );
  expect(annotation('crds').map(({ name }) => name)).toEqual(KINDS.map(({ plural }) => `${plural}.slipway.build`));
});

/** By name, with their types. */
async function metrics(): Promise<ReadonlyMap<string, string>> {
  const own = operatorMetrics();
  own.observe({
    phases: () => [],
    active: () => 0,
    queues: () => new Map(),
    builders: () => new Map(),
    leading: () => false,
  });
  const { text } = await own.text();
  return new Map([...text.matchAll(/^# TYPE (slipway_\w+) (\w+)$/gm)].map(([, name, type]) => [name!, type!]));
}

const LABELS = new Set(['phase', 'reason', 'pool', 'controller', 'outcome', 'verb', 'code', 'result', 'le']);

test('alerts and dashboard ask for metrics that there are, and the dashboard for all of them', async () => {
  const known = await metrics();
  const alerts = load(read('files/alerts.yaml')) as { groups: { rules: { expr: string }[] }[] };
  const dashboard = JSON.parse(read('files/dashboard.json')) as { panels: { targets: { expr: string }[] }[] };
  const ofAlerts = alerts.groups.flatMap(({ rules }) => rules.map(({ expr }) => expr));
  const ofDashboard = dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
  const asked = (expressions: readonly string[]) =>
    expressions
      .flatMap((expr) => expr.match(/slipway_\w+/g) ?? [])
      .map((name) => {
        const base = name.replace(/_(bucket|sum|count)$/, '');
        return known.get(base) === 'histogram' ? base : name;
      });
  for (const name of [...asked(ofAlerts), ...asked(ofDashboard)]) expect(known.has(name), name).toBe(true);
  expect([...new Set(asked(ofDashboard))].sort()).toEqual([...known.keys()].sort());
  for (const expr of [...ofAlerts, ...ofDashboard]) {
    const grouped = [...expr.matchAll(/by \(([^)]*)\)/g)].flatMap(([, names]) => names!.split(', '));
    const matched = [...expr.matchAll(/[{,]\s*(\w+)=~?"/g)].map(([, name]) => name!);
    for (const label of [...grouped, ...matched]) expect(LABELS.has(label), `${label} in ${expr}`).toBe(true);
  }
});

test('every alert has a runbook, and every runbook an alert', () => {
  const alerts = load(read('files/alerts.yaml')) as {
    groups: { rules: { alert: string; annotations: { runbook_url: string } }[] }[];
  };
  const rules = alerts.groups.flatMap((group) => group.rules);
  const sections = [...readFileSync(path.join(root, 'docs/runbooks.md'), 'utf8').matchAll(/^## (\w+)$/gm)];
  expect(rules.map(({ alert }) => alert).sort()).toEqual(sections.map(([, name]) => name).sort());
  for (const { alert, annotations } of rules) expect(annotations.runbook_url).toBe(`RUNBOOKS#${alert.toLowerCase()}`);
});
