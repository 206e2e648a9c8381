import type { ExecMount } from '../../../../llb/index.ts';

/** A mount of a step; a bind without output unless the overrides say otherwise. */
export function execMount(dest: string, input: number, overrides: Partial<ExecMount> = {}): ExecMount {
  const plain = {
    selector: '',
    output: -1,
    readonly: false,
    type: 'bind',
    resultId: '',
    contentCache: 'default',
  } as const;
  return { ...plain, dest, input, ...overrides };
}
