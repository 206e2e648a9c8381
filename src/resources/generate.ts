import { dump } from 'js-yaml';
import { customResourceDefinition, KINDS } from './crd.ts';
import { failureReference } from './failure-reference.ts';
import { fieldReference } from './reference.ts';
import { GROUP } from './strings.ts';

/** What is made from the schemas, by path in the repository: one file a CRD, the field reference, and the table of failures. */
export function generatedFiles(): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const kind of KINDS) {
    const yaml = dump(customResourceDefinition(kind), { noRefs: true, lineWidth: 140 });
    files.set(
      `crds/${GROUP}_${kind.plural}.yaml`,
      `# Made from src/resources by \`npm run crds\`: edit there.\n${yaml}`,
    );
  }
  files.set('docs/resources.md', fieldReference());
  files.set('docs/failures.md', failureReference());
  return files;
}
