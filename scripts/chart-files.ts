import { readFileSync } from 'node:fs';
import path from 'node:path';
import { dump, load } from 'js-yaml';
import { customResourceDefinition, KINDS, type Schema } from '../src/resources/crd.ts';

const CHART = 'charts/slipway';

/** A value of values.yaml, with what the comments before it say. */
interface Documented {
  /** `builders.gc.maxUsedSpace` */
  readonly path: string;
  readonly description: string;
  /** Of its `@schema` lines. */
  readonly schema: Schema & {
    readonly open?: boolean;
    readonly builderPool?: boolean;
    readonly registryCache?: boolean;
  };
}

/** What is made of the chart's values and of src/resources, by path in the repository: CRD templates, values.schema.json, README.md. @throws for a value without a description */
export function chartFiles(root: string): ReadonlyMap<string, string> {
  const read = (file: string) => readFileSync(path.join(root, CHART, file), 'utf8');
  const text = read('values.yaml');
  const values = load(text) as Readonly<Record<string, unknown>>;
  const documented = documentedValues(text);
  const files = new Map<string, string>();
  for (const kind of KINDS) files.set(`${CHART}/templates/crds/${kind.plural}.yaml`, crdTemplate(kind));
  const schema = { $schema: 'https://json-schema.org/draft-07/schema#', ...schemaOf(values, '', documented) };
  files.set(`${CHART}/values.schema.json`, `${JSON.stringify(schema, undefined, 2)}\n`);
  const [head] = read('README.md').split('## Values\n');
  files.set(`${CHART}/README.md`, `${head}## Values\n\n${valuesTable(values, documented)}`);
  return files;
}

function crdTemplate(kind: (typeof KINDS)[number]): string {
  const {
    apiVersion,
    kind: type,
    metadata,
    spec,
  } = customResourceDefinition(kind) as {
    readonly apiVersion: string;
    readonly kind: string;
    readonly metadata: { readonly name: string };
    readonly spec: object;
  };
  const body = dump({ spec }, { noRefs: true, lineWidth: 140 }).replaceAll('{{', '{{ "{{" }}');
  return `{{- /* Made from src/resources by \`npm run chart\`: edit there. */ -}}
{{- if .Values.crds.enabled }}
apiVersion: ${apiVersion}
kind: ${type}
metadata:
  name: ${metadata.name}
  labels: {{- include "slipway.labels" . | nindent 4 }}
  {{- if .Values.crds.keep }}
  annotations:
    helm.sh/resource-policy: keep
  {{- end }}
${body}{{- end }}
`;
}

/** The comments before each key, by indentation. */
function documentedValues(text: string): ReadonlyMap<string, Documented> {
  const found = new Map<string, Documented>();
  const parents: { readonly indent: number; readonly key: string }[] = [];
  let comments: string[] = [];
  for (const line of text.split('\n')) {
    const comment = /^ *# ?(.*)$/.exec(line);
    const key = /^( *)([A-Za-z]\w*):/.exec(line);
    if (comment !== null) comments.push(comment[1] as string);
    else if (key === null) comments = [];
    else {
      const indent = (key[1] as string).length;
      while ((parents.at(-1)?.indent ?? -1) >= indent) parents.pop();
      parents.push({ indent, key: key[2] as string });
      const at = parents.map((parent) => parent.key).join('.');
      const schemas = comments.filter((one) => one.startsWith('@schema '));
      found.set(at, {
        path: at,
        description: comments.filter((one) => !one.startsWith('@schema ')).join(' '),
        schema: Object.assign({}, ...schemas.map((one) => JSON.parse(one.slice('@schema '.length)) as Schema)),
      });
      comments = [];
    }
  }
  return found;
}

const isMap = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const below = (at: string, key: string) => (at === '' ? key : `${at}.${key}`);

/** Whether the value is one as a whole, not a section with values of its own. */
function isLeaf(value: unknown, documented: Documented | undefined): boolean {
  return !isMap(value) || (documented !== undefined && Object.keys(documented.schema).length > 0);
}

/** A value has the type of its default, and a section no keys but those that it has. */
function schemaOf(value: unknown, at: string, documented: ReadonlyMap<string, Documented>): Schema {
  const said = documented.get(at);
  const { open, builderPool, registryCache, ...schema } = said?.schema ?? {};
  const description = said?.description ? { description: said.description } : {};
  if (builderPool === true) return { ...poolSpec(), ...description };
  if (registryCache === true) {
    const { ref: _, ...properties } = poolSpec().properties!['cache']!.properties!;
    return { type: 'object', additionalProperties: false, properties, ...description };
  }
  if (!isMap(value)) return { type: typeOf(value), ...description, ...schema };
  if (open === true || isLeaf(value, said)) return { type: 'object', ...description, ...schema };
  const properties = Object.fromEntries(
    Object.entries(value).map(([key, member]) => [key, schemaOf(member, below(at, key), documented)]),
  );
  // Helm hands a chart that another one has as a part the other's `global` too.
  return { type: 'object', ...description, additionalProperties: at === 'global', properties };
}

function typeOf(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  return typeof value === 'number' ? 'integer' : typeof value;
}

/** The BuilderPool's own fields, but for its builders. */
function poolSpec(): Schema {
  const kind = KINDS.find((one) => one.kind === 'BuilderPool')!;
  const crd = customResourceDefinition(kind) as {
    readonly spec: { readonly versions: readonly { readonly schema: { readonly openAPIV3Schema: Schema } }[] };
  };
  const {
    endpoints: _,
    managed: __,
    ...properties
  } = crd.spec.versions[0]!.schema.openAPIV3Schema.properties!['spec']!.properties!;
  const { required: ___, ...closed } = close({ type: 'object', properties });
  return closed;
}

/** With nothing but JSON Schema's own keywords, and no fields but those named. */
function close({ properties, items, ...schema }: Schema): Schema {
  const own = Object.fromEntries(
    Object.entries(schema).filter(([key]) => !key.startsWith('x-kubernetes-') && key !== 'format'),
  );
  return {
    ...own,
    ...(items === undefined ? {} : { items: close(items) }),
    ...(properties === undefined
      ? {}
      : {
          additionalProperties: false,
          properties: Object.fromEntries(Object.entries(properties).map(([key, member]) => [key, close(member)])),
        }),
  };
}

function valuesTable(values: Readonly<Record<string, unknown>>, documented: ReadonlyMap<string, Documented>): string {
  const rows: string[] = [];
  const walk = (value: unknown, at: string) => {
    const said = documented.get(at);
    if (at !== '' && isLeaf(value, said)) {
      if (!said?.description) throw new Error(`values.yaml: ${at} has no description`);
      rows.push(`| \`${at}\` | \`${JSON.stringify(value)}\` | ${said.description.replaceAll('|', '\\|')} |`);
    } else for (const [key, member] of Object.entries(value as object)) walk(member, below(at, key));
  };
  walk(values, '');
  return `| value | default | |\n| --- | --- | --- |\n${rows.join('\n')}\n`;
}

/** Paths of all values of values.yaml, with their defaults. */
export function chartValues(root: string): ReadonlyMap<string, unknown> {
  const text = readFileSync(path.join(root, CHART, 'values.yaml'), 'utf8');
  const documented = documentedValues(text);
  const found = new Map<string, unknown>();
  const walk = (value: unknown, at: string) => {
    if (at !== '' && isLeaf(value, documented.get(at))) found.set(at, value);
    else for (const [key, member] of Object.entries(value as object)) walk(member, below(at, key));
  };
  walk(load(text), '');
  return found;
}
