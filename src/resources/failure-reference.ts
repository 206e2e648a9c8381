import { codesOfReason, type Fault, failureKind, faultOf, REASONS, type Reason, statusWord } from '../base/index.ts';

interface Line {
  readonly word: string;
  readonly reason: Reason;
  readonly faults: readonly Fault[];
}

/** The table of failures as Markdown: docs/failures.md. */
export function failureReference(): string {
  const lines = REASONS.flatMap(linesOf).sort((a, b) => (a.word < b.word ? -1 : a.word > b.word ? 1 : 0));
  return `# Failures

What a failure is called in the status of a BuildRun (\`failure.reason\`), whose fault it is (\`failure.class\`), and the reason that the builder itself tells (in its log, and to clients of
Slipway). Made from \`src/base/failures.ts\` by \`npm run crds\`.

- \`user\` and \`policy\` end the run: \`Failed\`. The same would happen again.
- \`infrastructure\` is tried again, as often as \`retry.limit\` says: \`Error\` after that.
- \`cancelled\` is what somebody asked for.

\`slipway\` ends with exit code 1 for \`user\` and \`policy\`, 3 for \`infrastructure\`, 130 for \`cancelled\`, and 2 for a wrong command line. A failure without a reason, or with one of another version, is called after its
gRPC code (\`InvalidArgument\`, \`Unavailable\`), or \`StepFailed\` where a step ended with an exit code. What the operator itself says of a run, e.g. that it waits for a pool
or a Secret, is in [operator.md](operator.md).

| status | class | what happened | what to do | reason |
| --- | --- | --- | --- | --- |
${lines.map(row).join('\n')}
`;
}

/** One for each word of a reason. */
function linesOf(reason: Reason): Line[] {
  const byWord = Map.groupBy(codesOfReason(reason), (code) => statusWord(code, reason));
  return [...byWord].map(([word, codes]) => ({
    word,
    reason,
    faults: [...new Set(codes.map((code) => faultOf(code, reason)))].sort(),
  }));
}

function row({ word, reason, faults }: Line): string {
  const { text, hint = '' } = failureKind(reason);
  const classes = faults.map((fault) => `\`${fault}\``).join(', ');
  return `| \`${word}\` | ${classes} | ${text} | ${hint} | \`${reason}\` |`;
}
