import { CodedError, type Limit } from '../../../base/index.ts';
import type { SourceFactory } from '../source.ts';
import { localSourceKey, parseLocalSource } from './attributes.ts';
import type { LocalReceiver } from './local-source.ts';

/** The `local` scheme for the builder's sources; a directory may have `limit`, or what its build allows where that is stricter. */
export function localSourceFactory(receiver: LocalReceiver, limit?: Limit): SourceFactory {
  return ({ identifier, attrs }) => {
    const source = parseLocalSource(identifier, attrs);
    return {
      cacheKey: async (context) => {
        const session = source.sessionId ?? context.sessions()[0];
        if (session === undefined)
          throw CodedError.of('NO_SESSION', `local source ${source.name}: the build has no client`, {
            code: 'failed_precondition',
          });
        return { key: localSourceKey(source, session) };
      },
      snapshot: (context) =>
        receiver.receive(source, {
          scope: context.scope,
          sessions: () => context.sessions(),
          progress: context.progress,
          signal: context.signal,
          owner: context.owner,
          limit: stricter(limit, context.limits().contextBytes),
        }),
    };
  };
}

function stricter(one: Limit | undefined, other: Limit | undefined): Limit | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return other.most < one.most ? other : one;
}
