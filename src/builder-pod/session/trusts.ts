import { type BuildTrust, CodedError, type SessionTrust } from '../../base/index.ts';

/** What the builds of sessions have of their own to trust and to go through: a build has it with its session, as it has its credentials. */
export class SessionTrusts implements SessionTrust {
  readonly #held = new Map<string, { readonly trust: BuildTrust; holders: number }>();

  hold(session: string, trust: BuildTrust | undefined): Disposable | undefined {
    if (session === '' || trust === undefined) return undefined;
    const held = this.#held.get(session) ?? { trust, holders: 0 };
    if (held.trust.id !== trust.id)
      throw new CodedError('failed_precondition', 'builds of one session must have the same trust', { fault: 'user' });
    held.holders++;
    this.#held.set(session, held);
    return {
      [Symbol.dispose]: () => {
        if (--held.holders === 0) this.#held.delete(session);
      },
    };
  }

  /** Of the first of these that has any. */
  of(sessions: readonly string[]): BuildTrust | undefined {
    for (const session of sessions) {
      const held = this.#held.get(session);
      if (held !== undefined) return held.trust;
    }
    return undefined;
  }
}
