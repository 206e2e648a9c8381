import type { ImmutableRef } from '../../cache/ports.ts';
import type { Op } from '../../solver/ports.ts';

/** The op, which when it fails looks whether the files of its inputs are still there. Its exec throws a LostResultError for one that is not. */
export function reportingLostInputs(op: Op<ImmutableRef>): Op<ImmutableRef> {
  return {
    ...op,
    exec: async (inputs, context) => {
      try {
        return await op.exec(inputs, context);
      } catch (error) {
        if (context.signal.aborted) throw error;
        for (const { value } of inputs) await value.check(context);
        throw error;
      }
    },
  };
}
