import { jsonSchema, KINDS, type Kind, type Schema } from './crd.ts';
import { API_VERSION } from './strings.ts';

/** The field reference as Markdown: docs/resources.md. */
export function fieldReference(): string {
  const kinds = KINDS.map(kindSection).join('\n');
  return `# Resources

Every field of \`${API_VERSION}\`. Made from \`src/resources\` by \`npm run crds\`, as the files in \`crds/\` are.

${KINDS.map(({ kind }) => `- [${kind}](#${kind.toLowerCase()})`).join('\n')}

${kinds}`;
}

function kindSection(kind: Kind): string {
  const schema = jsonSchema(kind);
  const { spec, status } = schema.properties as Record<string, Schema>;
  return `## ${kind.kind}

${schema.description}

${kind.scope === 'Cluster' ? 'Of the whole cluster' : 'Of a namespace'}; short names ${kind.shortNames.map((name) => `\`${name}\``).join(', ')}.

${rules('spec', spec as Schema)}| field | type | what it is |
| --- | --- | --- |
${rows('spec', spec as Schema).join('\n')}

Status, written by the operator:

| field | type | what it is |
| --- | --- | --- |
${rows('status', status as Schema).join('\n')}
`;
}

function rules(path: string, schema: Schema): string {
  const messages = validations(schema);
  return messages.length === 0 ? '' : `Of \`${path}\`: ${messages.join('; ')}.\n\n`;
}

function validations(schema: Schema): string[] {
  return ((schema['x-kubernetes-validations'] ?? []) as readonly { readonly message: string }[]).map(
    ({ message }) => message,
  );
}

function* fields(path: string, schema: Schema): Generator<readonly [string, Schema, boolean]> {
  const required = new Set(schema.required ?? []);
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const at = `${path}.${name}`;
    yield [at, property, required.has(name)];
    // A whole spec within another is told once.
    if (name === 'buildSpec') continue;
    yield* fields(at, property);
    if (property.items !== undefined) yield* fields(`${at}[]`, property.items);
  }
}

function rows(path: string, schema: Schema): string[] {
  return [...fields(path, schema)].map(([at, property, required]) => {
    const text = [
      property.description ?? '',
      limits(property),
      ...validations(property),
      ...validations(property.items ?? {}),
    ]
      .filter((part) => part !== '')
      .map((part) => (part.endsWith('.') ? part : `${part}.`))
      .join(' ');
    return `| \`${at}\`${required ? ' *' : ''} | ${typeOf(property)} | ${text.replaceAll('|', '\\|')} |`;
  });
}

function typeOf(schema: Schema): string {
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${String(value)}\``).join(', ');
  if (schema.type === 'array') return `list of ${typeOf(schema.items ?? {})}`;
  if (schema.type === 'object' && typeof schema.additionalProperties === 'object')
    return `map of ${typeOf(schema.additionalProperties)}`;
  return schema.type ?? 'anything';
}

function limits(schema: Schema): string {
  const parts: string[] = [];
  if (schema['maxLength'] !== undefined) parts.push(`at most ${String(schema['maxLength'])} characters`);
  if (schema['maxItems'] !== undefined) parts.push(`at most ${String(schema['maxItems'])}`);
  if (schema['maxProperties'] !== undefined) parts.push(`at most ${String(schema['maxProperties'])} entries`);
  if (schema.type === 'integer' && typeof schema['maximum'] === 'number' && schema['maximum'] < 2_147_483_647)
    parts.push(`${String(schema['minimum'] ?? 0)} to ${schema['maximum']}`);
  return parts.length === 0 ? '' : `(${parts.join(', ')})`;
}
