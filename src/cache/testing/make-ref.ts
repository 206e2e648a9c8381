import { HOUSE, neverAborted } from '../../base/index.ts';
import type { ImmutableRef, RefManager } from '../ports.ts';

const options = { signal: neverAborted, owner: HOUSE, sessions: () => [] };

/** A ref on `parent` with what `write` writes into its root. */
export async function makeRef(
  { refs }: { readonly refs: RefManager },
  parent: ImmutableRef | undefined,
  write: (root: string) => void,
): Promise<ImmutableRef> {
  const mutable = await refs.create(parent, { ...options, description: 'test' });
  {
    await using view = await mutable.mount(options);
    write(view.root);
  }
  return mutable.commit(options);
}
