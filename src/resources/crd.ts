import { z } from 'zod';
import { build } from './build.ts';
import { buildRun } from './build-run.ts';
import { builderPool } from './builder-pool.ts';
import { GROUP, VERSION } from './strings.ts';

/** JSON Schema as zod writes it, and OpenAPI as Kubernetes takes it: both are trees of these. */
export interface Schema {
  type?: string;
  description?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  additionalProperties?: Schema | boolean;
  enum?: unknown[];
  [key: string]: unknown;
}

interface Column {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'date';
  readonly jsonPath: string;
  readonly description?: string;
  readonly priority?: number;
}

/** A kind of resource, and how it is installed. */
export interface Kind {
  readonly kind: string;
  readonly plural: string;
  readonly shortNames: readonly string[];
  readonly scope: 'Namespaced' | 'Cluster';
  readonly schema: z.ZodType;
  readonly columns: readonly Column[];
  /** Fields that lists may be narrowed by: `kubectl get --field-selector`. */
  readonly selectable?: readonly string[];
}

const condition = (type: string, field: string) => `.status.conditions[?(@.type=="${type}")].${field}`;
const age: Column = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' };

export const KINDS: readonly Kind[] = [
  {
    kind: 'Build',
    plural: 'builds',
    shortNames: ['sb', 'slipbuild'],
    scope: 'Namespaced',
    schema: build,
    selectable: ['.status.phase', '.spec.poolRef.name'],
    columns: [
      { name: 'Ready', type: 'string', jsonPath: condition('Ready', 'status') },
      { name: 'Reason', type: 'string', jsonPath: condition('Ready', 'reason') },
      { name: 'Run', type: 'string', jsonPath: '.status.lastRun.name' },
      { name: 'Image', type: 'string', jsonPath: '.status.image' },
      { name: 'Message', type: 'string', jsonPath: condition('Ready', 'message'), priority: 1 },
      age,
    ],
  },
  {
    kind: 'BuildRun',
    plural: 'buildruns',
    shortNames: ['sbr', 'sliprun'],
    scope: 'Namespaced',
    schema: buildRun,
    selectable: ['.status.phase', '.spec.buildRef.name', '.spec.buildSpec.poolRef.name'],
    columns: [
      { name: 'Build', type: 'string', jsonPath: '.spec.buildRef.name' },
      { name: 'Phase', type: 'string', jsonPath: '.status.phase' },
      { name: 'Reason', type: 'string', jsonPath: condition('Succeeded', 'reason') },
      { name: 'Hits', type: 'integer', jsonPath: '.status.cache.hits' },
      { name: 'Steps', type: 'integer', jsonPath: '.status.cache.vertices' },
      { name: 'Started', type: 'date', jsonPath: '.status.startedAt' },
      { name: 'Ended', type: 'date', jsonPath: '.status.completedAt' },
      { name: 'Builder', type: 'string', jsonPath: '.status.attempts[-1:].builder', priority: 1 },
      { name: 'Message', type: 'string', jsonPath: condition('Succeeded', 'message'), priority: 1 },
      age,
    ],
  },
  {
    kind: 'BuilderPool',
    plural: 'builderpools',
    shortNames: ['sbp', 'slippool'],
    scope: 'Cluster',
    schema: builderPool,
    columns: [
      { name: 'Ready', type: 'string', jsonPath: condition('Ready', 'status') },
      { name: 'Builders', type: 'integer', jsonPath: '.status.ready' },
      { name: 'Pods', type: 'integer', jsonPath: '.status.replicas' },
      { name: 'Running', type: 'integer', jsonPath: '.status.running' },
      { name: 'Queued', type: 'integer', jsonPath: '.status.queued' },
      { name: 'Message', type: 'string', jsonPath: condition('Ready', 'message') },
      age,
    ],
  },
];

/** JSON Schema of a kind, as zod has it. */
export function jsonSchema(kind: Kind): Schema {
  return z.toJSONSchema(kind.schema, { target: 'draft-7', io: 'input', unrepresentable: 'any' }) as Schema;
}

/** The CustomResourceDefinition of a kind. */
export function customResourceDefinition(kind: Kind): object {
  const schema = structural(jsonSchema(kind));
  // The API server knows these, and refuses a CRD that says more of metadata than name.
  const { spec, status } = schema.properties as Record<string, Schema>;
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${kind.plural}.${GROUP}` },
    spec: {
      group: GROUP,
      scope: kind.scope,
      names: {
        kind: kind.kind,
        listKind: `${kind.kind}List`,
        plural: kind.plural,
        singular: kind.kind.toLowerCase(),
        shortNames: [...kind.shortNames],
        categories: ['slipway'],
      },
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          subresources: { status: {} },
          ...(kind.selectable === undefined
            ? {}
            : { selectableFields: kind.selectable.map((jsonPath) => ({ jsonPath })) }),
          additionalPrinterColumns: kind.columns.map((column) => ({ ...column })),
          schema: {
            openAPIV3Schema: {
              type: 'object',
              description: schema.description,
              required: ['spec'],
              properties: {
                apiVersion: { type: 'string' },
                kind: { type: 'string' },
                metadata: { type: 'object' },
                spec,
                status,
              },
            },
          },
        },
      ],
    },
  };
}

const KEPT = [
  'type',
  'description',
  'format',
  'pattern',
  'enum',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'minProperties',
  'maxProperties',
  'minimum',
  'maximum',
  'required',
  'x-kubernetes-validations',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
] as const;

/** JSON Schema as a structural schema: what Kubernetes does not know is left out, since it prunes unknown fields by itself. */
function structural(schema: Schema): Schema {
  const out: Schema = {};
  Object.assign(
    out,
    Object.fromEntries(KEPT.filter((key) => schema[key] !== undefined).map((key) => [key, schema[key]])),
  );
  if (schema['const'] !== undefined) out.enum = [schema['const']];
  if (schema.type === 'integer') out['format'] = 'int64';
  if (schema.properties !== undefined) {
    out.properties = {};
    for (const [name, property] of Object.entries(schema.properties)) out.properties[name] = structural(property);
  } else if (typeof schema.additionalProperties === 'object') {
    out.additionalProperties = structural(schema.additionalProperties);
  }
  if (schema.items !== undefined) out.items = structural(schema.items);
  // Anything at all.
  if (out.type === undefined) {
    out['x-kubernetes-preserve-unknown-fields'] = true;
    out.type = 'object';
  }
  return out;
}
